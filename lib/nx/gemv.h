/* gemv.h - a matrix times one vector: what decoding a token spends its time on.
 *
 *	const struct gemv *g = gemv_best();
 *	g->rows(y, w, x, bias, 50304, 512, false);
 *
 * Every weight is read once and used once, so the memory's speed is the limit:
 * rows are read four at a time, each as one stream. Runs in the calling thread;
 * callers share out rows. A row's sum does not depend on which rows are asked
 * for with it, as long as each call begins at a multiple of 4. */
#ifndef NX_GEMV_H
#define NX_GEMV_H

#include <stdbool.h>

struct gemv {
	const char *name; /* "base", "avx2", "avx512" */
	/* y[i] = sum over j of w[i][j] x[j], + bias[i] unless bias is NULL; with `add` y[i] += that.
	 * w (rows, cols) row-major, x (cols), y and bias (rows). */
	void (*rows)(float *y, const float *w, const float *x, const float *bias, int rows, int cols, bool add);
};

const struct gemv *gemv_best(void); /* the fastest this CPU can run */
/* Every table this CPU can run, slowest first; NULL for i beyond them. For tests. */
const struct gemv *gemv_at(int i);

#endif
