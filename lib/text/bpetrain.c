#include "text/bpetrain.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "io/json.h"
#include "text/bytechar.h"
#include "text/pretok.h"
#include "text/unicode.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { NONE = UINT32_MAX, LIMIT = UINT32_MAX / 4 /* of words, tokens and pairs */ };

/* --- a set of strings, numbered in order of arrival ------------------------------ */

struct string {
	size_t off; /* in bytes */
	uint32_t n, hash;
};

struct strings {
	struct buf bytes;
	struct string *v;
	uint32_t n, cap;
	uint32_t *slot; /* number + 1, or 0; a power of two of them, at most half full */
	uint32_t slots;
};

static int grow(void *pp, uint32_t *cap, size_t size)
{
	void **p = pp;
	uint32_t want = *cap < 64 ? 64 : *cap + *cap / 2;
	void *q = want > LIMIT ? NULL : realloc(*p, want * size);
	if (!q)
		return -1;
	*p = q;
	*cap = want;
	return 0;
}

static int strings_rehash(struct strings *s)
{
	uint32_t slots = s->slots ? s->slots * 2 : 1024;
	uint32_t *slot = calloc(slots, sizeof *slot);
	if (!slot)
		return -1;
	for (uint32_t i = 0; i < s->n; i++) {
		uint32_t h = s->v[i].hash & (slots - 1);
		while (slot[h])
			h = (h + 1) & (slots - 1);
		slot[h] = i + 1;
	}
	free(s->slot);
	s->slot = slot;
	s->slots = slots;
	return 0;
}

/* The number of p[0..n), which is put in if it is new; NONE when memory runs out. */
static uint32_t strings_put(struct strings *s, const char *p, size_t n)
{
	if (n > LIMIT || (s->n >= s->slots / 2 && strings_rehash(s)))
		return NONE;
	uint32_t hash = (uint32_t)hash_bytes(HASH_SEED, p, n), h = hash & (s->slots - 1);
	for (; s->slot[h]; h = (h + 1) & (s->slots - 1)) {
		const struct string *t = &s->v[s->slot[h] - 1];
		if (t->hash == hash && t->n == n && memcmp(s->bytes.p + t->off, p, n) == 0)
			return s->slot[h] - 1;
	}
	if ((s->n == s->cap && grow(&s->v, &s->cap, sizeof *s->v)) || buf_add(&s->bytes, p, n))
		return NONE;
	s->v[s->n] = (struct string){s->bytes.n - n, (uint32_t)n, hash};
	s->slot[h] = ++s->n;
	return s->n - 1;
}

static void strings_release(struct strings *s)
{
	buf_release(&s->bytes);
	free(s->v);
	free(s->slot);
}

/* --- the trainer -------------------------------------------------------------------- */

struct list {
	uint32_t *v;
	uint32_t n, cap;
};

struct pair {
	uint64_t key; /* left id << 32 | right id */
	int64_t count;
	struct list where; /* words it came up in; some may have lost it since */
};

/* A pair that waits to be joined. It comes up in one step, in every word that ever
 * has it, and so is queued once: each token is made in one way and by one merge
 * (inside a token's bounds all its occurrences go the same way). */
struct queued {
	int64_t count; /* when it was last looked at: never too low */
	uint64_t key;
	uint32_t pair;
};

struct bpetrain {
	uint32_t limit;
	uint64_t min_frequency;
	uint32_t nspecial;
	struct strings words, tokens; /* bytes as they are; bytes as the characters that stand for them */
	uint64_t *count;              /* of a word */
	uint32_t count_cap;
	uint32_t byte_id[256];
	struct buf nfc; /* the present text in NFC, where it is not */
	bool started;
	/* a word's ids: id[start[w] .. start[w] + len[w]), fewer with each merge */
	uint32_t *id, *len;
	size_t *start;
	struct pair *pair;
	uint32_t npair, pair_cap;
	uint32_t *slot, slots; /* pairs by key, as in struct strings */
	struct list fresh;     /* pairs that came up in this step */
	struct queued *heap;   /* the next to be joined on top */
	uint32_t nheap, heap_cap;
	struct list merge; /* the pairs joined so far */
};

static int list_add(struct list *l, uint32_t x)
{
	if (l->n == l->cap) {
		/* most lists stay short */
		uint32_t cap = l->cap ? l->cap * 2 : 4;
		uint32_t *v = cap > LIMIT ? NULL : realloc(l->v, cap * sizeof *v);
		if (!v)
			return -1;
		l->v = v;
		l->cap = cap;
	}
	l->v[l->n++] = x;
	return 0;
}

static void list_release(struct list *l)
{
	free(l->v);
	*l = (struct list){0};
}

/* --- pairs ---------------------------------------------------------------------------- */

static uint32_t key_slot(uint64_t key, uint32_t slots)
{
	key *= UINT64_C(0x9E3779B97F4A7C15);
	return (uint32_t)(key >> 32) & (slots - 1);
}

static int pairs_rehash(struct bpetrain *t)
{
	uint32_t slots = t->slots ? t->slots * 2 : 4096;
	uint32_t *slot = calloc(slots, sizeof *slot);
	if (!slot)
		return -1;
	for (uint32_t i = 0; i < t->npair; i++) {
		uint32_t h = key_slot(t->pair[i].key, slots);
		while (slot[h])
			h = (h + 1) & (slots - 1);
		slot[h] = i + 1;
	}
	free(t->slot);
	t->slot = slot;
	t->slots = slots;
	return 0;
}

static uint32_t pair_put(struct bpetrain *t, uint32_t left, uint32_t right)
{
	if (t->npair >= t->slots / 2 && pairs_rehash(t))
		return NONE;
	uint64_t key = (uint64_t)left << 32 | right;
	uint32_t h = key_slot(key, t->slots);
	for (; t->slot[h]; h = (h + 1) & (t->slots - 1))
		if (t->pair[t->slot[h] - 1].key == key)
			return t->slot[h] - 1;
	if (t->npair == t->pair_cap && grow(&t->pair, &t->pair_cap, sizeof *t->pair))
		return NONE;
	t->pair[t->npair] = (struct pair){.key = key};
	t->slot[h] = ++t->npair;
	return t->npair - 1;
}

/* The pair occurs once more (by = 1) or once less (by = -1) in word w. */
static int pair_change(struct bpetrain *t, uint32_t left, uint32_t right, int by, uint32_t w)
{
	uint32_t i = pair_put(t, left, right);
	if (i == NONE)
		return -1;
	struct pair *p = &t->pair[i];
	p->count += by * (int64_t)t->count[w];
	if (by < 0 || (p->where.n && p->where.v[p->where.n - 1] == w))
		return 0;
	if (p->where.n == 0 && list_add(&t->fresh, i))
		return -1;
	return list_add(&p->where, w);
}

/* --- the queue -------------------------------------------------------------------------- */

static bool before(const struct queued *a, const struct queued *b)
{
	return a->count != b->count ? a->count > b->count : a->key < b->key;
}

static void heap_down(struct queued *h, uint32_t n, uint32_t i)
{
	struct queued x = h[i];
	for (uint32_t c; (c = 2 * i + 1) < n; i = c) {
		if (c + 1 < n && before(&h[c + 1], &h[c]))
			c++;
		if (!before(&h[c], &x))
			break;
		h[i] = h[c];
	}
	h[i] = x;
}

static int heap_add(struct bpetrain *t, const struct queued *x)
{
	if (t->nheap == t->heap_cap && grow(&t->heap, &t->heap_cap, sizeof *t->heap))
		return -1;
	uint32_t i = t->nheap++;
	for (uint32_t up; i > 0 && before(x, &t->heap[up = (i - 1) / 2]); i = up)
		t->heap[i] = t->heap[up];
	t->heap[i] = *x;
	return 0;
}

static int queue_fresh(struct bpetrain *t)
{
	for (uint32_t i = 0; i < t->fresh.n; i++) {
		struct pair *p = &t->pair[t->fresh.v[i]];
		struct queued q = {p->count, p->key, t->fresh.v[i]};
		if (q.count <= 0)
			list_release(&p->where);
		else if (heap_add(t, &q))
			return -1;
	}
	t->fresh.n = 0;
	return 0;
}

/* --- opening and feeding --------------------------------------------------------------------- */

/* The bytes in order of their characters. One may be in already, as a special token. */
static int put_bytes(struct bpetrain *t)
{
	for (uint32_t cp = 0; cp < BYTECHAR_END; cp++) {
		int byte = bytechar_byte(cp);
		char text[4];
		if (byte < 0)
			continue;
		t->byte_id[byte] = strings_put(&t->tokens, text, (size_t)utf8_encode(cp, text));
		if (t->byte_id[byte] == NONE)
			return -1;
	}
	return 0;
}

int bpetrain_open(struct bpetrain **out, const struct bpetrain_rule *rule, struct err *e)
{
	struct bpetrain *t = calloc(1, sizeof *t);
	if (!t)
		return err_mem(e);
	t->limit = rule->vocab < LIMIT ? rule->vocab : LIMIT;
	t->min_frequency = rule->min_frequency;
	int rc = 0;
	for (int i = 0; i < rule->nspecial && rc == 0; i++) {
		const char *s = rule->special[i];
		size_t n = strlen(s);
		if (n == 0 || utf8_valid(s, n) != n)
			rc = err_usage(e, "a special token must be valid UTF-8 and not empty");
		else if (strings_put(&t->tokens, s, n) == NONE)
			rc = err_mem(e);
	}
	t->nspecial = t->tokens.n;
	if (rc == 0 && put_bytes(t))
		rc = err_mem(e);
	if (rc) {
		bpetrain_close(t);
		return -1;
	}
	*out = t;
	return 0;
}

static int count_word(struct bpetrain *t, const char *p, size_t n)
{
	uint32_t known = t->words.n, w = strings_put(&t->words, p, n);
	if (w == NONE || (w >= t->count_cap && grow(&t->count, &t->count_cap, sizeof *t->count)))
		return -1;
	t->count[w] = w == known ? 1 : t->count[w] + 1;
	return 0;
}

int bpetrain_feed(struct bpetrain *t, const char *text, size_t n, struct err *e)
{
	size_t valid = utf8_valid(text, n);
	if (valid != n)
		return err_data(e, "byte %zu is not valid UTF-8", valid + 1);
	if (!unicode_is_nfc(text, n)) {
		buf_reset(&t->nfc);
		if (unicode_nfc(&t->nfc, text, n))
			return err_mem(e);
		text = t->nfc.p;
		n = t->nfc.n;
	}
	while (n) {
		size_t len = pretok_gpt2(text, n);
		if (count_word(t, text, len))
			return err_mem(e);
		text += len;
		n -= len;
	}
	return 0;
}

/* --- learning ---------------------------------------------------------------------------- */

static int start(struct bpetrain *t)
{
	uint32_t n = t->words.n;
	size_t at = 0;
	t->started = true;
	t->start = malloc((n + 1) * sizeof *t->start);
	t->len = malloc((n + 1) * sizeof *t->len);
	t->id = malloc((t->words.bytes.n + 1) * sizeof *t->id);
	if (!t->start || !t->len || !t->id)
		return -1;
	for (uint32_t w = 0; w < n; w++) {
		const struct string *s = &t->words.v[w];
		t->start[w] = at;
		t->len[w] = s->n;
		for (uint32_t i = 0; i < s->n; i++)
			t->id[at++] = t->byte_id[(unsigned char)t->words.bytes.p[s->off + i]];
	}
	strings_release(&t->words);
	t->words = (struct strings){.n = n};
	for (uint32_t w = 0; w < n; w++)
		for (size_t i = t->start[w] + 1; i < t->start[w] + t->len[w]; i++)
			if (pair_change(t, t->id[i - 1], t->id[i], 1, w))
				return -1;
	return queue_fresh(t);
}

/* Joins left and right wherever they are neighbours in word w, from the left, and
 * takes account of the pairs that go and come on both sides. */
static int join_word(struct bpetrain *t, uint32_t w, uint32_t left, uint32_t right, uint32_t joined)
{
	uint32_t *id = t->id + t->start[w], n = t->len[w], m = 0;
	for (uint32_t i = 0; i < n; i++) {
		if (id[i] != left || i + 1 == n || id[i + 1] != right) {
			id[m++] = id[i];
			continue;
		}
		if (m > 0 && (pair_change(t, id[m - 1], left, -1, w) || pair_change(t, id[m - 1], joined, 1, w)))
			return -1;
		id[m++] = joined;
		i++;
		if (i + 1 < n && (pair_change(t, right, id[i + 1], -1, w) || pair_change(t, joined, id[i + 1], 1, w)))
			return -1;
	}
	t->len[w] = m;
	return 0;
}

/* The number of the token made of two. */
static uint32_t joined_token(struct bpetrain *t, uint32_t left, uint32_t right)
{
	const struct string *a = &t->tokens.v[left], *b = &t->tokens.v[right];
	struct buf text = {0};
	uint32_t id = NONE;
	if (buf_add(&text, t->tokens.bytes.p + a->off, a->n) == 0 && buf_add(&text, t->tokens.bytes.p + b->off, b->n) == 0)
		id = strings_put(&t->tokens, text.p, text.n);
	buf_release(&text);
	return id;
}

static int join(struct bpetrain *t, uint32_t pair)
{
	uint32_t left = (uint32_t)(t->pair[pair].key >> 32), right = (uint32_t)t->pair[pair].key;
	uint32_t joined = joined_token(t, left, right);
	struct list where = t->pair[pair].where;
	t->pair[pair].where = (struct list){0};
	int rc = joined == NONE || list_add(&t->merge, pair) ? -1 : 0;
	for (uint32_t i = 0; i < where.n && rc == 0; i++)
		rc = join_word(t, where.v[i], left, right, joined);
	list_release(&where);
	return rc ? rc : queue_fresh(t);
}

int bpetrain_step(struct bpetrain *t, struct err *e)
{
	if (!t->started && start(t))
		return err_mem(e);
	while (t->tokens.n < t->limit && t->nheap) {
		struct queued *top = &t->heap[0];
		int64_t count = t->pair[top->pair].count;
		if (top->count != count) {
			/* it has lost occurrences since it was queued */
			top->count = count;
			heap_down(t->heap, t->nheap, 0);
			continue;
		}
		if (count < 1 || (uint64_t)count < t->min_frequency)
			return 0;
		uint32_t pair = top->pair;
		if (--t->nheap) {
			t->heap[0] = t->heap[t->nheap];
			heap_down(t->heap, t->nheap, 0);
		}
		return join(t, pair) ? err_mem(e) : 1;
	}
	return 0;
}

uint32_t bpetrain_vocab(const struct bpetrain *t)
{
	return t->tokens.n;
}

uint32_t bpetrain_merges(const struct bpetrain *t)
{
	return t->merge.n;
}

uint32_t bpetrain_words(const struct bpetrain *t)
{
	return t->words.n;
}

void bpetrain_close(struct bpetrain *t)
{
	if (!t)
		return;
	for (uint32_t i = 0; i < t->npair; i++)
		free(t->pair[i].where.v);
	strings_release(&t->words);
	strings_release(&t->tokens);
	buf_release(&t->nfc);
	list_release(&t->fresh);
	list_release(&t->merge);
	free(t->count);
	free(t->id);
	free(t->len);
	free(t->start);
	free(t->pair);
	free(t->slot);
	free(t->heap);
	free(t);
}

/* --- tokenizer.json ------------------------------------------------------------------------ */

static int put_token(const struct bpetrain *t, uint32_t id, struct buf *out)
{
	const struct string *s = &t->tokens.v[id];
	return json_quote(out, t->tokens.bytes.p + s->off, s->n);
}

static int put_special(const struct bpetrain *t, struct buf *out)
{
	int rc = buf_adds(out, "  \"added_tokens\": [");
	for (uint32_t i = 0; i < t->nspecial && rc == 0; i++)
		rc = buf_printf(out, "%s\n    {\n      \"id\": %u,\n      \"content\": ", i ? "," : "", i) ||
		     put_token(t, i, out) ||
		     buf_adds(out, ",\n      \"single_word\": false,\n      \"lstrip\": false,\n      \"rstrip\": false,\n"
		                   "      \"normalized\": false,\n      \"special\": true\n    }");
	return rc || buf_adds(out, t->nspecial ? "\n  ],\n" : "],\n");
}

/* The three places where HF wants to be told that tokens are bytes. */
static int put_byte_level(struct buf *out, const char *name)
{
	return buf_printf(out, "  \"%s\": {\n    \"type\": \"ByteLevel\",\n    \"add_prefix_space\": false,\n"
	                       "    \"trim_offsets\": true,\n    \"use_regex\": true\n  },\n", name);
}

static int put_vocab(const struct bpetrain *t, struct buf *out)
{
	int rc = buf_adds(out, "    \"vocab\": {\n");
	for (uint32_t i = 0; i < t->tokens.n && rc == 0; i++)
		rc = buf_adds(out, "      ") || put_token(t, i, out) ||
		     buf_printf(out, ": %u%s\n", i, i + 1 < t->tokens.n ? "," : "");
	return rc || buf_adds(out, "    },\n");
}

/* "left right" in one string, which every version reads. Neither holds a space:
 * bytes are written as characters that print. */
static int put_merges(const struct bpetrain *t, struct buf *out)
{
	int rc = buf_adds(out, "    \"merges\": [");
	struct buf text = {0};
	for (uint32_t i = 0; i < t->merge.n && rc == 0; i++) {
		uint64_t key = t->pair[t->merge.v[i]].key;
		const struct string *a = &t->tokens.v[key >> 32], *b = &t->tokens.v[(uint32_t)key];
		buf_reset(&text);
		rc = buf_add(&text, t->tokens.bytes.p + a->off, a->n) || buf_addc(&text, ' ') ||
		     buf_add(&text, t->tokens.bytes.p + b->off, b->n) || buf_printf(out, "%s\n      ", i ? "," : "") ||
		     json_quote(out, text.p, text.n);
	}
	buf_release(&text);
	return rc || buf_adds(out, t->merge.n ? "\n    ]\n" : "]\n");
}

int bpetrain_write(const struct bpetrain *t, struct buf *out, struct err *e)
{
	if (buf_adds(out, "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n") ||
	    put_special(t, out) || buf_adds(out, "  \"normalizer\": {\n    \"type\": \"NFC\"\n  },\n") ||
	    put_byte_level(out, "pre_tokenizer") || put_byte_level(out, "post_processor") || put_byte_level(out, "decoder") ||
	    buf_adds(out, "  \"model\": {\n    \"type\": \"BPE\",\n    \"dropout\": null,\n    \"unk_token\": null,\n"
	                  "    \"continuing_subword_prefix\": null,\n    \"end_of_word_suffix\": null,\n"
	                  "    \"fuse_unk\": false,\n    \"byte_fallback\": false,\n    \"ignore_merges\": false,\n") ||
	    put_vocab(t, out) || put_merges(t, out) || buf_adds(out, "  }\n}\n"))
		return err_mem(e);
	return 0;
}
