/* losshead.h - logits, cross entropy and their gradients, a chunk of rows at a time.
 *
 * Only the rows that are scored are multiplied with the head, and never are
 * there logits for more than a chunk: the logits of all rows would be the
 * largest array of the training by far. */
#ifndef NX_LOSSHEAD_H
#define NX_LOSSHEAD_H

#include "base/pool.h"
#include "nx/kernel.h"
#include "nx/mat.h"

#include <stddef.h>
#include <stdint.h>

struct losshead {
	const struct kernel *kr;
	struct pool *pool;
	const struct mat *mat; /* products over that pool */
	int vocab, hidden;
	const float *w;       /* (V, C) */
	float *dw;            /* (V, C) added to, or NULL: w rests */
	const float *h;       /* (n, C) the final LayerNorm's output */
	float *dh;            /* (n, C) rows that are scored are written; NULL without gradients */
	const int32_t *rows;  /* m rows of h ... */
	const int32_t *label; /* ... and the id each should predict */
	int m;
	float scale;          /* gradients are of scale * sum of losses */
	float *scratch;       /* losshead_scratch(...) floats */
	double *nll;          /* m: each row's loss */
	uint8_t *hit;         /* m: whether its label has the largest logit, the first of equal ones; or NULL */
};

size_t losshead_scratch(int vocab, int hidden);
/* The sum of the m losses, in the order of rows. */
double losshead_run(const struct losshead *l);

#endif
