#include "text/bpe.h"
#include "base/utf8.h"
#include "text/added.h"
#include "text/merge.h"
#include "text/pretok.h"
#include "text/unicode.h"
#include "text/vocab.h"

#include <stdlib.h>
#include <string.h>

/* --- words seen before ----------------------------------------------------------- */

enum {
	CACHE_BITS = 16, /* 2 MiB; a word that falls on another's place takes it */
	WORD = 15,       /* bytes of the longest word kept: with its length 16 */
	TOKENS = 4       /* of the longest result kept */
};

/* A word's bytes are k0 and the low seven bytes of k1, padded with zeros; the top
 * byte of k1 holds its length and, in the high half, the number of its tokens. */
struct seen {
	uint64_t k0, k1;
	int32_t id[TOKENS];
};

enum { LENGTH_AT = 56, COUNT_AT = 60 };
static const uint64_t COUNT = (uint64_t)15 << COUNT_AT;

struct bpe {
	struct vocab v;
	struct merge merge;
	struct added raw, normalized;
	struct seen *seen; /* all zero: empty, since no word has length 0 */
	struct buf nfc;
	size_t (*cut)(const char *s, size_t n);
	int32_t eos, pad;
};

/* --- opening ----------------------------------------------------------------------- */

static int32_t first_of(const struct vocab *v, const char *const *names)
{
	int32_t id = -1;
	for (; *names && id < 0; names++)
		id = vocab_id(v, *names, strlen(*names));
	return id;
}

int bpe_load(struct bpe **out, const char *path, struct err *e)
{
	static const char *const eos[] = {"<|endoftext|>", "</s>", "<|end_of_text|>", "<|im_end|>", NULL};
	static const char *const pad[] = {"<|padding|>", NULL};
	struct bpe *t = calloc(1, sizeof *t);
	if (!t)
		return err_mem(e);
	if (vocab_load(&t->v, path, e) || merge_init(&t->merge, &t->v, e) || added_init(&t->raw, &t->v, false, e) ||
	    added_init(&t->normalized, &t->v, true, e)) {
		bpe_close(t);
		return -1;
	}
	t->seen = calloc((size_t)1 << CACHE_BITS, sizeof *t->seen);
	if (!t->seen) {
		bpe_close(t);
		return err_mem(e);
	}
	switch (t->v.pretok) {
	case VOCAB_GPT2: t->cut = pretok_gpt2; break;
	}
	t->eos = first_of(&t->v, eos);
	t->pad = t->eos >= 0 ? t->eos : first_of(&t->v, pad);
	*out = t;
	return 0;
}

int bpe_find(struct bpe **t, const char *given, struct err *e)
{
	const char *file = given ? given : getenv("NX_TOKENIZER"), *model = getenv("NX_MODEL");
	struct buf path = {0};
	if (given || (file && *file))
		return bpe_load(t, file, e);
	if (!model || !*model)
		return err_usage(e, "no tokenizer: give -T FILE, or set NX_TOKENIZER or NX_MODEL");
	int rc = buf_printf(&path, "%s/tokenizer.json", model) ? err_mem(e) : bpe_load(t, path.p, e);
	buf_release(&path);
	return rc;
}

void bpe_close(struct bpe *t)
{
	if (!t)
		return;
	added_release(&t->raw);
	added_release(&t->normalized);
	merge_release(&t->merge);
	vocab_release(&t->v);
	buf_release(&t->nfc);
	free(t->seen);
	free(t);
}

/* --- lists of ids ------------------------------------------------------------------ */

static int ids_room(struct bpe_ids *out, size_t more)
{
	if (more <= out->cap - out->n)
		return 0;
	size_t cap = out->cap + out->cap / 2 + more + 64;
	int32_t *v = realloc(out->v, cap * sizeof *v);
	if (!v)
		return -1;
	out->v = v;
	out->cap = cap;
	return 0;
}

int bpe_ids_add(struct bpe_ids *ids, int32_t id)
{
	if (ids_room(ids, 1))
		return -1;
	ids->v[ids->n++] = id;
	return 0;
}

void bpe_ids_release(struct bpe_ids *ids)
{
	free(ids->v);
	*ids = (struct bpe_ids){0};
}

/* --- encoding ---------------------------------------------------------------------- */

static uint64_t load_le64(const char *p)
{
	uint64_t w;
	memcpy(&w, p, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	w = __builtin_bswap64(w);
#endif
	return w;
}

/* The word as a number of 16 bytes. There are `ahead` >= n bytes to read at s. */
static void key_of(const char *s, size_t n, size_t ahead, uint64_t *k0, uint64_t *k1)
{
	char copy[16] = {0};
	if (ahead < sizeof copy) {
		memcpy(copy, s, n);
		s = copy;
	}
	*k0 = load_le64(s);
	*k1 = load_le64(s + 8);
	if (n < 8) {
		*k0 &= ((uint64_t)1 << 8 * n) - 1;
		*k1 = 0;
	} else {
		*k1 &= ((uint64_t)1 << 8 * (n - 8)) - 1;
	}
	*k1 |= (uint64_t)n << LENGTH_AT;
}

static struct seen *place_of(const struct bpe *t, uint64_t k0, uint64_t k1)
{
	uint64_t h = k0 * UINT64_C(0x9E3779B97F4A7C15);
	h = ((h ^ h >> 32) + k1) * UINT64_C(0xD6E8FEB86659FD93);
	return &t->seen[h >> (64 - CACHE_BITS)];
}

/* One piece of the pre-tokenizer; `ahead` bytes may be read at s. */
static int word(struct bpe *t, const char *s, size_t n, size_t ahead, struct bpe_ids *out)
{
	uint64_t k0, k1;
	size_t count;
	if (ids_room(out, n + TOKENS))
		return -1;
	int32_t *ids = out->v + out->n;
	if (n > WORD) {
		if (merge_word(&t->merge, s, n, ids, &count))
			return -1;
		out->n += count;
		return 0;
	}
	key_of(s, n, ahead, &k0, &k1);
	struct seen *p = place_of(t, k0, k1);
	if (p->k0 == k0 && (p->k1 & ~COUNT) == k1) {
		memcpy(ids, p->id, sizeof p->id);
		out->n += (size_t)(p->k1 >> COUNT_AT);
		return 0;
	}
	if (merge_word(&t->merge, s, n, ids, &count))
		return -1;
	if (count <= TOKENS) {
		p->k0 = k0;
		p->k1 = k1 | (uint64_t)count << COUNT_AT;
		memcpy(p->id, ids, sizeof p->id);
	}
	out->n += count;
	return 0;
}

/* Text without added tokens. */
static int segment(struct bpe *t, const char *s, size_t n, struct bpe_ids *out)
{
	while (n) {
		size_t len = t->cut(s, n);
		if (word(t, s, len, n, out))
			return -1;
		s += len;
		n -= len;
	}
	return 0;
}

/* Calls `between` for what stands between the tokens that `a` finds, and puts those into out. */
static int around(struct bpe *t, const struct added *a, const char *s, size_t n, struct bpe_ids *out,
                  int (*between)(struct bpe *, const char *, size_t, struct bpe_ids *))
{
	while (n) {
		const struct vocab_added *hit;
		size_t at = added_find(a, s, n, &hit);
		if (at > 0 && between(t, s, at, out))
			return -1;
		if (!hit)
			return 0;
		if (bpe_ids_add(out, hit->id))
			return -1;
		s += at + hit->n;
		n -= at + hit->n;
	}
	return 0;
}

/* Text without raw added tokens. Each such stretch is normalized by itself: nothing composes across a token. */
static int normalize(struct bpe *t, const char **s, size_t *n)
{
	if (!t->v.nfc || unicode_is_nfc(*s, *n))
		return 0;
	buf_reset(&t->nfc);
	if (unicode_nfc(&t->nfc, *s, *n))
		return -1;
	*s = t->nfc.p;
	*n = t->nfc.n;
	return 0;
}

static int stretch(struct bpe *t, const char *s, size_t n, struct bpe_ids *out)
{
	return normalize(t, &s, &n) ? -1 : around(t, &t->normalized, s, n, out, segment);
}

int bpe_encode(struct bpe *t, const char *text, size_t n, struct bpe_ids *out, struct err *e)
{
	size_t good = utf8_valid(text, n), before = out->n;
	if (good < n)
		return err_data(e, "byte %zu of the text is not valid UTF-8", good + 1);
	if (n > INT32_MAX)
		return err_data(e, "a text of %zu bytes is longer than 2 GiB", n);
	if (around(t, &t->raw, text, n, out, stretch) == 0)
		return 0;
	out->n = before;
	return err_mem(e);
}

/* Bytes that a text has once it is normalized. */
static int normal_length(struct bpe *t, const char *text, size_t n, size_t *length)
{
	*length = 0;
	while (n) {
		const struct vocab_added *hit;
		size_t at = added_find(&t->raw, text, n, &hit), len = at;
		const char *s = text;
		if (normalize(t, &s, &len))
			return -1;
		at += hit ? hit->n : 0;
		*length += len + (hit ? hit->n : 0);
		text += at;
		n -= at;
	}
	return 0;
}

int bpe_prefix(struct bpe *t, const char *text, size_t prompt, const struct bpe_ids *ids, size_t *count, struct err *e)
{
	size_t end, at = 0, i = 0;
	if (normal_length(t, text, prompt, &end))
		return err_mem(e);
	for (; i < ids->n && at < end; i++) {
		const struct vocab_token *tok = &t->v.tok[ids->v[i]];
		at += tok->added ? tok->n : tok->nbytes;
	}
	*count = i;
	return 0;
}

/* --- decoding ------------------------------------------------------------------------ */

int bpe_decode(const struct bpe *t, const int32_t *ids, size_t n, bool skip_special, struct buf *out, struct err *e)
{
	size_t start = out->n;
	for (size_t i = 0; i < n; i++) {
		const struct vocab_token *tok = ids[i] >= 0 && ids[i] < (int32_t)t->v.size ? &t->v.tok[ids[i]] : NULL;
		if (!tok || !tok->text) {
			out->n = start;
			return err_data(e, "the tokenizer has no token %d", ids[i]);
		}
		if (!(skip_special && tok->special) && buf_add(out, tok->bytes, tok->nbytes)) {
			out->n = start;
			return err_mem(e);
		}
	}
	size_t len = out->n - start;
	if (len == 0 || utf8_valid(out->p + start, len) == len)
		return 0;
	struct buf whole = {0};
	int rc = utf8_replace(&whole, out->p + start, len);
	out->n = start;
	if (rc == 0)
		rc = buf_add(out, whole.p, whole.n);
	buf_release(&whole);
	return rc ? err_mem(e) : 0;
}

/* --- questions --------------------------------------------------------------------------- */

uint32_t bpe_vocab(const struct bpe *t)
{
	return t->v.size;
}

int32_t bpe_eos(const struct bpe *t)
{
	return t->eos;
}

int32_t bpe_pad(const struct bpe *t)
{
	return t->pad;
}

int32_t bpe_id(const struct bpe *t, const char *token, size_t n)
{
	return vocab_id(&t->v, token, n);
}

bool bpe_is_special(const struct bpe *t, int32_t id)
{
	return id >= 0 && id < (int32_t)t->v.size && t->v.tok[id].special;
}

uint64_t bpe_fingerprint(const struct bpe *t)
{
	return t->v.fingerprint;
}
