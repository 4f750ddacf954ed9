/* bpe.h - a byte-level BPE tokenizer from HF's tokenizer.json: text to ids and back.
 *
 *	struct bpe *t;
 *	if (bpe_load(&t, "tokenizer.json", &e)) ...
 *	struct bpe_ids out = {0};
 *	if (bpe_encode(t, text, n, &out, &e)) ...     appends to out
 *	if (bpe_decode(t, out.v, out.n, false, &buf, &e)) ...
 *	bpe_ids_release(&out); bpe_close(t);
 *
 * Equal to HF tokenizers' encode(text, add_special_tokens=False) and
 * decode(ids, skip_special_tokens=...). What the file asks for and this code
 * does not do is refused by name in bpe_load. */
#ifndef TEXT_BPE_H
#define TEXT_BPE_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bpe;

struct bpe_ids {
	int32_t *v;
	size_t n, cap;
};

/* A tokenizer.json, or the one of a directory or of a model in the hub's cache (io/hub.h). */
int bpe_load(struct bpe **t, const char *path, struct err *e);
/* Loads `given`, else $NX_TOKENIZER, else $NX_MODEL (a variable that is empty counts as
 * not set); ERR_USAGE if none of the three is there. */
int bpe_find(struct bpe **t, const char *given, struct err *e);
/* Loads `given`, else $NX_TOKENIZER, else the tokenizer.json in dir; *t is NULL if there is none of them. */
int bpe_beside(struct bpe **t, const char *given, const char *dir, struct err *e);
/* Another of the same for a thread of its own: a struct bpe is one thread's. It uses the
 * tables of `owner`, which must be closed after it. */
int bpe_share(struct bpe **t, const struct bpe *owner, struct err *e);
void bpe_close(struct bpe *t); /* NULL is fine */

/* text must be valid UTF-8 (ERR_DATA with the byte's place if not). */
int bpe_encode(struct bpe *t, const char *text, size_t n, struct bpe_ids *out, struct err *e);
/* The texts of the first of the whole lines s[0..n), as bpe_encode has them one by one: a line
 * ends with "\n" or "\r\n", the last may lack it. Takes *taken bytes, at least a line and some
 * kilobytes of them; `ahead` >= n bytes may be read. Appends all ids to out, and to ends what
 * out->n is when each line has ended. A line that bpe_encode refuses is -1: what is in ends by
 * then is of the lines before it, *taken bytes. */
struct bpe_ends {
	size_t *v;
	size_t n, cap;
};
int bpe_lines(struct bpe *t, const char *s, size_t n, size_t ahead, struct bpe_ids *out, struct bpe_ends *ends,
              size_t *taken, struct err *e);
void bpe_ends_release(struct bpe_ends *ends);
/* How many of the ids that bpe_encode made of a text, the last it was given, begin within its first `prompt`
 * bytes, which end between two characters. Measured in the normalized text. */
int bpe_prefix(struct bpe *t, const char *text, size_t prompt, const struct bpe_ids *ids, size_t *count, struct err *e);
/* Bytes of the ids; invalid UTF-8 in the result becomes U+FFFD as in HF. An id the vocabulary lacks is ERR_DATA. */
int bpe_decode(const struct bpe *t, const int32_t *ids, size_t n, bool skip_special, struct buf *out, struct err *e);

uint32_t bpe_vocab(const struct bpe *t);   /* largest id + 1 */
int32_t bpe_eos(const struct bpe *t);      /* what ends a text, and what fills it up (ending.h); -1 if none */
int32_t bpe_pad(const struct bpe *t);
int32_t bpe_id(const struct bpe *t, const char *token, size_t n); /* the id of a token's text, -1 if none */
/* The *n special tokens that the tokenizer's template puts before and behind a text,
 * which bpe_encode does not: HF does so with add_special_tokens=True. t owns them. */
const int32_t *bpe_front(const struct bpe *t, size_t *n);
const int32_t *bpe_back(const struct bpe *t, size_t *n);
bool bpe_is_special(const struct bpe *t, int32_t id);
/* Hash (base/hash.h) over what decides the ids: tokens in order of id, merges, added tokens,
 * normalizer, pre-tokenizer and template. The same for every formatting of the same tokenizer; never 0. */
uint64_t bpe_fingerprint(const struct bpe *t);

int bpe_ids_add(struct bpe_ids *ids, int32_t id); /* 0, or -1 when out of memory */
int bpe_ids_spare(struct bpe_ids *ids, size_t n); /* room for n more, that may be read */
void bpe_ids_release(struct bpe_ids *ids);

#endif
