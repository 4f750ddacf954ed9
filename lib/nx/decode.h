/* decode.h - generation one token at a time with a cache of keys and values.
 *
 *	struct decode *d = decode_open(&m, threads, &e);
 *	decode_reset(d);
 *	decode_feed(d, ids, n, &e);         the prompt, or the token chosen last
 *	const float *l = decode_logits(d);  vocab floats for the token after the last one fed
 *	decode_close(d);
 *
 * The cache grows as needed. The result equals the whole forward pass over the
 * same ids up to rounding; it does not depend on how the ids are divided into
 * calls, up to rounding, and for one division and number of threads it is the
 * same to the bit. Memory: 2 * layers * hidden floats a token of the cache, and
 * activations of at most 256 tokens. */
#ifndef NX_DECODE_H
#define NX_DECODE_H

#include "base/err.h"
#include "nx/model.h"

struct decode;

struct decode *decode_open(const struct model *m, int threads, struct err *e); /* m must outlive it */
void decode_reset(struct decode *d); /* an empty cache; its memory is kept */
/* n >= 1 more tokens. An id outside the vocabulary is ERR_DATA and leaves everything as it was. */
int decode_feed(struct decode *d, const int32_t *ids, int n, struct err *e);
const float *decode_logits(const struct decode *d);
int decode_vocab(const struct decode *d);  /* the number of logits */
int decode_length(const struct decode *d); /* tokens in the cache */
void decode_close(struct decode *d);

#endif
