/* slowbpe.h - a byte-level BPE tokenizer from its definition, with nothing done for
 * speed: what text/bpe.c must agree with. Works from the JSON of a tokenizer.json
 * whose added tokens are plain ones (no lstrip, rstrip, single_word).
 *
 *	struct slowbpe t;
 *	slow_open(&t, "tests/golden/bpe-small.json");
 *	slow_encode(&t, s, n, &ids);      valid UTF-8; ends the process when memory runs out */
#ifndef SLOWBPE_H
#define SLOWBPE_H

#include "fuzz.h"
#include "slowregex.h"

#include "base/arena.h"
#include "io/in.h"
#include "io/json.h"
#include "text/bpe.h"

enum { SLOW_IDS = 1024, SLOW_STEPS = 8 };

static const char slow_gpt2[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

struct slow_added {
	struct buf text;
	int32_t id;
	bool normalized;
};

struct slow_step {
	const char *pattern; /* NULL: */
	bool digits, single; /* HF's Digits, else all of it is one piece */
};

struct slowbpe {
	struct arena a;
	const struct json *vocab;
	bool nfc, prefix_space, ignore_merges;
	struct slow_step step[SLOW_STEPS];
	int nsteps;
	struct slow_added added[64];
	int nadded;
	uint16_t rank[SLOW_IDS][SLOW_IDS]; /* 65535: no merge */
	int32_t made[65535];
};

/* --- the file ------------------------------------------------------------------------ */

static inline int32_t slow_id(const struct slowbpe *t, const char *s, size_t n)
{
	int64_t id;
	return json_i64(json_getn(t->vocab, s, n), &id) ? -1 : (int32_t)id;
}

static inline void slow_add_step(struct slowbpe *t, const struct json *v)
{
	struct slow_step *s = &t->step[t->nsteps];
	fuzz_must(t->nsteps < SLOW_STEPS);
	if (json_streq(json_get(v, "type"), "Split"))
		s->pattern = json_get(json_get(v, "pattern"), "Regex")->s;
	else if (json_streq(json_get(v, "type"), "Digits")) {
		s->digits = true;
		s->single = json_is(json_get(v, "individual_digits"), JSON_TRUE);
	} else {
		t->prefix_space = json_is(json_get(v, "add_prefix_space"), JSON_TRUE);
		s->pattern = json_is(json_get(v, "use_regex"), JSON_FALSE) ? NULL : slow_gpt2;
	}
	t->nsteps++;
}

static inline void slow_add_added(struct slowbpe *t, const struct json *v)
{
	struct slow_added *x = &t->added[t->nadded++];
	const struct json *text = json_get(v, "content");
	int64_t id;
	fuzz_must(t->nadded <= 64 && json_i64(json_get(v, "id"), &id) == 0);
	x->id = (int32_t)id;
	x->normalized = json_is(json_get(v, "normalized"), JSON_TRUE);
	fuzz_must((x->normalized && t->nfc ? unicode_nfc(&x->text, text->s, text->n) : buf_add(&x->text, text->s, text->n)) == 0);
}

static inline void slow_add_merges(struct slowbpe *t, const struct json *merges)
{
	uint16_t rank = 0;
	memset(t->rank, 0xFF, sizeof t->rank);
	for (const struct json *m = merges->child; m; m = m->next) {
		const char *a = m->type == JSON_ARRAY ? m->child->s : m->s, *b = m->type == JSON_ARRAY ? m->child->next->s : strchr(a, ' ') + 1;
		size_t na = m->type == JSON_ARRAY ? m->child->n : (size_t)(b - 1 - a), nb = strlen(b);
		struct buf both = {0};
		fuzz_must(buf_add(&both, a, na) == 0 && buf_add(&both, b, nb) == 0);
		uint16_t *r = &t->rank[slow_id(t, a, na)][slow_id(t, b, nb)];
		t->made[rank] = slow_id(t, both.p, both.n);
		/* a pair that is there twice has the later place, as in HF's map */
		*r = rank++;
		buf_release(&both);
	}
}

static inline void slow_open(struct slowbpe *t, const char *path)
{
	struct buf text = {0};
	struct json *v;
	struct err e;
	memset(t, 0, sizeof *t);
	if (in_slurp(path, &text, &e) || json_parse(&t->a, text.p, text.n, &v, &e)) {
		fprintf(stderr, "%s\n", e.msg);
		abort();
	}
	buf_release(&text);
	const struct json *model = json_get(v, "model"), *pre = json_get(v, "pre_tokenizer");
	t->vocab = json_get(model, "vocab");
	t->nfc = json_is(json_get(v, "normalizer"), JSON_OBJECT);
	t->ignore_merges = json_is(json_get(model, "ignore_merges"), JSON_TRUE);
	const struct json *list = json_get(pre, "pretokenizers");
	if (!list)
		slow_add_step(t, pre);
	for (const struct json *c = list ? list->child : NULL; c; c = c->next)
		slow_add_step(t, c);
	for (const struct json *c = json_get(v, "added_tokens")->child; c; c = c->next)
		slow_add_added(t, c);
	slow_add_merges(t, json_get(model, "merges"));
}

/* --- one piece ----------------------------------------------------------------------- */

/* The character that stands for a byte in a vocabulary: GPT-2's bytes_to_unicode. */
static inline uint32_t slow_char(unsigned byte)
{
	uint32_t next = 256;
	for (unsigned b = 0; b < 256; b++) {
		bool shown = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
		if (b == byte)
			return shown ? b : next;
		next += !shown;
	}
	return 0;
}

/* The pair that stands first in the list of merges is joined, the leftmost first, until there is none. */
static inline void slow_piece(const struct slowbpe *t, const char *s, size_t n, struct bpe_ids *out)
{
	struct buf word = {0};
	size_t from = out->n;
	for (size_t i = 0; i < n; i++) {
		char c[4];
		size_t len = (size_t)utf8_encode(slow_char((unsigned char)s[i]), c);
		fuzz_must(buf_add(&word, c, len) == 0 && bpe_ids_add(out, slow_id(t, c, len)) == 0);
	}
	int32_t whole = t->ignore_merges ? slow_id(t, word.p, word.n) : -1;
	buf_release(&word);
	if (whole >= 0) {
		out->n = from;
		fuzz_must(bpe_ids_add(out, whole) == 0);
		return;
	}
	for (;;) {
		size_t best = 0;
		uint16_t rank = UINT16_MAX;
		for (size_t i = from; i + 1 < out->n; i++) {
			uint16_t r = t->rank[out->v[i]][out->v[i + 1]];
			if (r < rank)
				rank = r, best = i;
		}
		if (rank == UINT16_MAX)
			return;
		out->v[best] = t->made[rank];
		memmove(out->v + best + 1, out->v + best + 2, (out->n - best - 2) * sizeof *out->v);
		out->n--;
	}
}

/* --- cutting ------------------------------------------------------------------------- */

static inline bool slow_digit(uint32_t c)
{
	/* Rust's char::is_numeric knows two rows more than its regular expressions */
	return unicode_class(c) == UNICODE_NUMBER || (c >= 0x11DE0 && c <= 0x11DE9) || (c >= 0x16FF4 && c <= 0x16FF6);
}

/* Characters of the next piece. */
static inline size_t slow_cut(const struct slow_step *step, const uint32_t *c, size_t n, size_t at)
{
	size_t k = 1;
	if (step->pattern)
		return slow_match(step->pattern, c, n, at);
	if (!step->digits)
		return n - at;
	while (at + k < n && slow_digit(c[at + k]) == slow_digit(c[at]) && !(step->single && slow_digit(c[at])))
		k++;
	return k;
}

static inline void slow_pieces(const struct slowbpe *t, int step, const char *s, size_t n, struct bpe_ids *out)
{
	struct buf spaced = {0};
	if (step == t->nsteps) {
		slow_piece(t, s, n, out);
		return;
	}
	if (step + 1 == t->nsteps && t->prefix_space && n && *s != ' ') {
		fuzz_must(buf_addc(&spaced, ' ') == 0 && buf_add(&spaced, s, n) == 0);
		s = spaced.p, n = spaced.n;
	}
	uint32_t *c = malloc((n + 1) * sizeof *c);
	size_t *place = malloc((n + 1) * sizeof *place), count = 0;
	fuzz_must(c && place);
	for (size_t i = 0; i < n; count++) {
		place[count] = i;
		i += (size_t)utf8_decode(s + i, n - i, &c[count]);
	}
	place[count] = n;
	for (size_t at = 0, len; at < count; at += len) {
		len = slow_cut(&t->step[step], c, count, at);
		fuzz_must(len > 0);
		slow_pieces(t, step + 1, s + place[at], place[at + len] - place[at], out);
	}
	free(c);
	free(place);
	buf_release(&spaced);
}

/* The added tokens of one kind, the leftmost, of those the longest; what is between them goes on. */
static inline void slow_stretch(const struct slowbpe *t, bool normalized, const char *s, size_t n, struct bpe_ids *out)
{
	size_t done = 0, at = 0;
	struct buf nfc = {0};
	if (normalized && t->nfc) {
		fuzz_must(unicode_nfc(&nfc, s, n) == 0);
		s = nfc.p, n = nfc.n;
	}
	while (at <= n) {
		const struct slow_added *hit = NULL;
		for (int i = 0; i < t->nadded; i++) {
			const struct slow_added *x = &t->added[i];
			if (x->normalized == normalized && x->text.n <= n - at && memcmp(x->text.p, s + at, x->text.n) == 0 &&
			    (!hit || x->text.n > hit->text.n))
				hit = x;
		}
		if ((hit || at == n) && at > done) {
			if (normalized)
				slow_pieces(t, 0, s + done, at - done, out);
			else
				slow_stretch(t, true, s + done, at - done, out);
		}
		if (hit)
			fuzz_must(bpe_ids_add(out, hit->id) == 0);
		at += hit ? hit->text.n : 1;
		done = hit ? at : done;
	}
	buf_release(&nfc);
}

static inline void slow_encode(const struct slowbpe *t, const char *s, size_t n, struct bpe_ids *out)
{
	slow_stretch(t, false, s, n, out);
}

#endif
