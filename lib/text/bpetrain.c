#include "text/bpetrain.h"
#include "base/pool.h"
#include "base/utf8.h"
#include "io/json.h"
#include "text/bytechar.h"
#include "text/learn.h"
#include "text/pretok.h"
#include "text/unicode.h"
#include "text/wordcount.h"

#include <stdlib.h>
#include <string.h>

/* Texts wait until there are so many bytes a thread, or so many texts. */
enum { SHARE = 256 * 1024, TEXTS = 64 * 1024 };

/* One thread's part in counting. */
struct share {
	const struct bpetrain *t;
	size_t from, to; /* its texts of those that wait */
	struct wordcount words;
	struct buf nfc; /* the present text in NFC, where it is not */
	int rc;
};

struct bpetrain {
	struct bpetrain_rule rule; /* its `special` is not kept */
	struct strset tokens;      /* bytes as the characters that stand for them */
	uint32_t nspecial;
	struct pool *pool;
	struct share *share; /* one a thread */
	struct buf waiting;  /* texts to be counted, and WORDCOUNT_SLACK bytes of room */
	size_t *end;         /* where they end in `waiting` */
	size_t texts;
	uint32_t words; /* distinct ones, once counted */
	struct learn *learn;
	uint64_t *merge; /* left id << 32 | right id */
	uint32_t merges, merge_cap;
};

/* --- opening ------------------------------------------------------------------------ */

static int put_special_tokens(struct bpetrain *t, const struct bpetrain_rule *rule, struct err *e)
{
	for (int i = 0; i < rule->nspecial; i++) {
		const char *s = rule->special[i];
		size_t n = strlen(s);
		if (n == 0 || utf8_valid(s, n) != n)
			return err_usage(e, "a special token must be valid UTF-8 and not empty");
		if (strset_put(&t->tokens, s, n) == STRSET_NONE)
			return err_mem(e);
	}
	t->nspecial = t->tokens.n;
	return 0;
}

int bpetrain_open(struct bpetrain **out, const struct bpetrain_rule *rule, struct err *e)
{
	struct bpetrain *t = calloc(1, sizeof *t);
	if (!t)
		return err_mem(e);
	t->rule = *rule;
	t->rule.special = NULL;
	t->rule.vocab = rule->vocab < STRSET_MAX ? rule->vocab : STRSET_MAX;
	t->pool = pool_open(rule->threads);
	t->share = t->pool ? calloc((size_t)pool_threads(t->pool), sizeof *t->share) : NULL;
	t->end = malloc(TEXTS * sizeof *t->end);
	if (!t->share || !t->end ? err_mem(e) : put_special_tokens(t, rule, e)) {
		bpetrain_close(t);
		return -1;
	}
	*out = t;
	return 0;
}

/* --- counting ----------------------------------------------------------------------- */

/* The one place that cuts text into words. WORDCOUNT_SLACK bytes behind it are readable. */
static int count_text(struct wordcount *w, const char *text, size_t n)
{
	while (n) {
		size_t len = pretok_gpt2(text, n);
		if (wordcount_add(w, text, len, 1))
			return -1;
		text += len;
		n -= len;
	}
	return 0;
}

static int count_composed(struct share *s, const char *text, size_t n)
{
	if (s->t->rule.plain || unicode_is_nfc(text, n))
		return count_text(&s->words, text, n);
	buf_reset(&s->nfc);
	if (unicode_nfc(&s->nfc, text, n) || buf_reserve(&s->nfc, WORDCOUNT_SLACK))
		return -1;
	return count_text(&s->words, s->nfc.p, s->nfc.n);
}

static void count_share(void *arg, int i)
{
	struct share *s = (struct share *)arg + i;
	const struct bpetrain *t = s->t;
	for (size_t k = s->from; k < s->to && s->rc == 0; k++) {
		size_t at = k ? t->end[k - 1] : 0;
		s->rc = count_composed(s, t->waiting.p + at, t->end[k] - at);
	}
}

/* Counts what waits, an equal share of bytes a thread. */
static int flush(struct bpetrain *t)
{
	int threads = pool_threads(t->pool), rc = 0;
	size_t k = 0;
	for (int i = 0; i < threads; i++) {
		struct share *s = &t->share[i];
		size_t to = t->waiting.n / (size_t)threads * (size_t)(i + 1);
		s->t = t;
		s->from = k;
		while (k < t->texts && (i == threads - 1 || t->end[k] <= to))
			k++;
		s->to = k;
	}
	pool_run(t->pool, threads, count_share, t->share);
	for (int i = 0; i < threads; i++)
		rc |= t->share[i].rc;
	t->texts = 0;
	buf_reset(&t->waiting);
	return rc;
}

int bpetrain_feed(struct bpetrain *t, const char *text, size_t n, struct err *e)
{
	size_t valid = utf8_valid(text, n);
	if (valid != n)
		return err_data(e, "byte %zu is not valid UTF-8", valid + 1);
	if (n == 0)
		return 0;
	if ((t->rule.prefix_space && *text != ' ' && buf_addc(&t->waiting, ' ')) || buf_add(&t->waiting, text, n) ||
	    buf_reserve(&t->waiting, WORDCOUNT_SLACK))
		return err_mem(e);
	t->end[t->texts++] = t->waiting.n;
	if ((t->texts == TEXTS || t->waiting.n >= (size_t)SHARE * (size_t)pool_threads(t->pool)) && flush(t))
		return err_mem(e);
	return 0;
}

/* --- the alphabet -------------------------------------------------------------------- */

struct letter {
	uint64_t count;
	uint32_t cp;
};

/* Rarer ones first; of equals, the larger code point. */
static int rarer(const void *pa, const void *pb)
{
	const struct letter *a = pa, *b = pb;
	if (a->count != b->count)
		return a->count < b->count ? -1 : 1;
	return a->cp < b->cp ? 1 : -1;
}

/* How often each byte occurs in the words; UINT64_MAX where it is in whatever the text. */
static void count_bytes(const struct bpetrain *t, const struct wordcount *w, uint64_t count[256])
{
	memset(count, 0, 256 * sizeof *count);
	for (struct wordcount_at at = {0}; wordcount_next(w, &at);)
		for (size_t i = 0; i < at.n; i++)
			count[(unsigned char)at.p[i]] += at.count;
	for (int b = 0; b < 256 && !t->rule.seen_bytes; b++)
		count[b] = UINT64_MAX;
}

/* The bytes that are tokens, in order of their characters, behind the special tokens.
 * One may be there already, as a special token: then it is kept in any case. */
static int put_bytes(struct bpetrain *t, const struct wordcount *w, uint32_t id[256])
{
	struct letter letter[256];
	uint64_t count[256];
	uint32_t n = 0, drop, rarest[BYTECHAR_END] = {0};
	count_bytes(t, w, count);
	for (uint32_t cp = 0; cp < BYTECHAR_END; cp++)
		if (bytechar_byte(cp) >= 0 && count[bytechar_byte(cp)])
			letter[n++] = (struct letter){count[bytechar_byte(cp)], cp};
	drop = t->rule.limit_alphabet && n > t->rule.limit_alphabet ? n - t->rule.limit_alphabet : 0;
	qsort(letter, n, sizeof *letter, rarer);
	for (uint32_t i = 0; i < drop; i++)
		rarest[letter[i].cp] = 1;
	for (uint32_t cp = 0; cp < BYTECHAR_END; cp++) {
		int byte = bytechar_byte(cp);
		char text[4];
		if (byte < 0)
			continue;
		size_t len = (size_t)utf8_encode(cp, text);
		if (!count[byte] || rarest[cp]) {
			id[byte] = strset_find(&t->tokens, text, len);
			continue;
		}
		id[byte] = strset_put(&t->tokens, text, len);
		if (id[byte] == STRSET_NONE)
			return -1;
	}
	return 0;
}

/* --- learning ---------------------------------------------------------------------------- */

static int start(struct bpetrain *t, struct err *e)
{
	uint32_t id[256], max = t->rule.max_token_length;
	struct wordcount *w = &t->share[0].words;
	if (flush(t))
		return err_mem(e);
	for (int i = 1; i < pool_threads(t->pool); i++) {
		if (wordcount_merge(w, &t->share[i].words))
			return err_mem(e);
		wordcount_release(&t->share[i].words);
	}
	t->words = wordcount_distinct(w);
	buf_release(&t->waiting);
	if (put_bytes(t, w, id))
		return err_mem(e);
	int rc = learn_open(&t->learn, w, id, t->rule.min_frequency, max ? max : UINT32_MAX, e);
	wordcount_release(w);
	return rc;
}

/* The number of the token made of two. */
static uint32_t joined_token(struct bpetrain *t, uint32_t left, uint32_t right)
{
	struct buf text = {0};
	uint32_t id = STRSET_NONE;
	if (buf_add(&text, strset_text(&t->tokens, left), t->tokens.v[left].n) == 0 &&
	    buf_add(&text, strset_text(&t->tokens, right), t->tokens.v[right].n) == 0)
		id = strset_put(&t->tokens, text.p, text.n);
	buf_release(&text);
	return id;
}

static int note_merge(struct bpetrain *t, uint32_t left, uint32_t right)
{
	if (t->merges == t->merge_cap) {
		uint32_t cap = t->merge_cap ? t->merge_cap * 2 : 1024;
		uint64_t *merge = realloc(t->merge, cap * sizeof *merge);
		if (!merge)
			return -1;
		t->merge = merge;
		t->merge_cap = cap;
	}
	t->merge[t->merges++] = (uint64_t)left << 32 | right;
	return 0;
}

int bpetrain_step(struct bpetrain *t, struct err *e)
{
	uint32_t left, right, joined;
	if (!t->learn && start(t, e))
		return -1;
	if (t->tokens.n >= t->rule.vocab)
		return 0;
	int rc = learn_next(t->learn, &left, &right);
	if (rc == 1 && ((joined = joined_token(t, left, right)) == STRSET_NONE || note_merge(t, left, right) ||
	                learn_join(t->learn, joined)))
		rc = -1;
	return rc < 0 ? err_mem(e) : rc;
}

uint32_t bpetrain_vocab(const struct bpetrain *t)
{
	return t->tokens.n;
}

uint32_t bpetrain_merges(const struct bpetrain *t)
{
	return t->merges;
}

uint32_t bpetrain_words(const struct bpetrain *t)
{
	return t->words;
}

void bpetrain_close(struct bpetrain *t)
{
	if (!t)
		return;
	for (int i = 0; t->share && i < pool_threads(t->pool); i++) {
		wordcount_release(&t->share[i].words);
		buf_release(&t->share[i].nfc);
	}
	pool_close(t->pool);
	learn_close(t->learn);
	strset_release(&t->tokens);
	buf_release(&t->waiting);
	free(t->share);
	free(t->end);
	free(t->merge);
	free(t);
}

/* --- tokenizer.json ------------------------------------------------------------------------ */

static int put_token(const struct bpetrain *t, uint32_t id, struct buf *out)
{
	return json_quote(out, strset_text(&t->tokens, id), t->tokens.v[id].n);
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
static int put_byte_level(const struct bpetrain *t, struct buf *out, const char *name)
{
	return buf_printf(out, "  \"%s\": {\n    \"type\": \"ByteLevel\",\n    \"add_prefix_space\": %s,\n"
	                       "    \"trim_offsets\": true,\n    \"use_regex\": true\n  },\n", name,
	                  t->rule.prefix_space ? "true" : "false");
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
	for (uint32_t i = 0; i < t->merges && rc == 0; i++) {
		uint32_t a = (uint32_t)(t->merge[i] >> 32), b = (uint32_t)t->merge[i];
		buf_reset(&text);
		rc = buf_add(&text, strset_text(&t->tokens, a), t->tokens.v[a].n) || buf_addc(&text, ' ') ||
		     buf_add(&text, strset_text(&t->tokens, b), t->tokens.v[b].n) || buf_printf(out, "%s\n      ", i ? "," : "") ||
		     json_quote(out, text.p, text.n);
	}
	buf_release(&text);
	return rc || buf_adds(out, t->merges ? "\n    ]\n" : "]\n");
}

int bpetrain_write(const struct bpetrain *t, struct buf *out, struct err *e)
{
	if (buf_adds(out, "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n") ||
	    put_special(t, out) || buf_adds(out, t->rule.plain ? "  \"normalizer\": null,\n"
	                                                 : "  \"normalizer\": {\n    \"type\": \"NFC\"\n  },\n") ||
	    put_byte_level(t, out, "pre_tokenizer") || put_byte_level(t, out, "post_processor") ||
	    put_byte_level(t, out, "decoder") ||
	    buf_adds(out, "  \"model\": {\n    \"type\": \"BPE\",\n    \"dropout\": null,\n    \"unk_token\": null,\n"
	                  "    \"continuing_subword_prefix\": null,\n    \"end_of_word_suffix\": null,\n"
	                  "    \"fuse_unk\": false,\n    \"byte_fallback\": false,\n    \"ignore_merges\": false,\n") ||
	    put_vocab(t, out) || put_merges(t, out) || buf_adds(out, "  }\n}\n"))
		return err_mem(e);
	return 0;
}
