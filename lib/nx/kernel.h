/* kernel.h - the model's arithmetic that is no matrix product, once an instruction set.
 *
 *	const struct kernel *k = kernel_best();
 *	k->layernorm(y, mean, rstd, x, w, b, n, c, 1e-5f);
 *
 * All arrays are float32 and row-major; a row is a token, rows stand one behind
 * the other unless a stride ("ld", in floats) is given. Nothing here starts a
 * thread: callers share out rows, or columns where rows are summed, so that sums
 * are taken in one fixed order and results do not depend on the number of
 * threads. No pointer of one call may overlap another's array unless it is said.
 * kernel_ref.h holds the same functions as plain loops in double. */
#ifndef NX_KERNEL_H
#define NX_KERNEL_H

#include "nx/config.h"

#include <stddef.h>
#include <stdint.h>

struct kernel {
	const char *name; /* "base", "avx2", "avx512" */

	/* LayerNorm over rows of c: mean = sum x / c, rstd = 1 / sqrt(sum (x - mean)^2 / c + eps),
	 * y = (x - mean) rstd w + b. mean, rstd: n floats each, for the way back. */
	void (*layernorm)(float *y, float *mean, float *rstd, const float *x, const float *w, const float *b, int n, int c,
	                  float eps);
	/* The same y again from the mean and rstd kept. */
	void (*layernorm_again)(float *y, const float *x, const float *mean, const float *rstd, const float *w,
	                        const float *b, int n, int c);
	/* dx += rstd (g - mean(g) - xhat mean(g xhat)), g = dy w, xhat = (x - mean) rstd. */
	void (*layernorm_back)(float *dx, const float *dy, const float *x, const float *mean, const float *rstd,
	                       const float *w, int n, int c);
	/* dw[j] += sum dy xhat, db[j] += sum dy over all n rows, for the columns from <= j < to. */
	void (*layernorm_grad)(float *dw, float *db, const float *dy, const float *x, const float *mean,
	                       const float *rstd, int n, int c, int from, int to);

	/* y = act(x); y may be x. */
	void (*act)(float *y, const float *x, size_t n, enum config_act act);
	/* y = act(x) again and dx = dy act'(x); dx may be dy. */
	void (*act_back)(float *dx, float *y, const float *dy, const float *x, size_t n, enum config_act act);

	/* Turns the first `dims` of q and k in n rows of [head][q,k,v][hd], in place. Pair (i, i + dims/2)
	 * by the angle of cos, sin: row r uses cos[r * dims/2 + i]. dir 1: forward, -1: the way back. */
	void (*rotary)(float *qkv, const float *cos, const float *sin, int n, int heads, int hd, int dims, int dir);

	/* The same forward for a head's queries or keys alone: n rows of v, ld apart. */
	void (*turn)(float *v, int ld, const float *cos, const float *sin, int n, int dims);

	/* Causal softmax of a strip of scores, rows s (m, ld) of queries whose first one sees `seen` keys,
	 * the next seen + 1, ...: p = exp(scale s - lse) in place, zeros from there up to column `width`.
	 * lse[i] = log sum exp(scale s), kept for the way back. */
	void (*softmax)(float *s, int ld, float *lse, int m, int seen, int width, float scale);
	/* The same p again from lse. */
	void (*softmax_again)(float *s, int ld, const float *lse, int m, int seen, int width, float scale);
	/* ds = p (dp - d[i]) scale in place of dp (m, ld): d[i] = sum over the row of do o (see `dots`). */
	void (*softmax_back)(float *dp, const float *p, int ld, const float *d, int m, int seen, int width, float scale);
	/* d[i] = sum over c of a[i] b[i], rows of a and b lda and ldb apart. */
	void (*dots)(float *d, const float *a, int lda, const float *b, int ldb, int m, int c);

	void (*add)(float *y, const float *x, size_t n);             /* y += x */
	void (*scale)(float *y, float a, size_t n);                  /* y *= a */
	void (*add_bias)(float *y, const float *b, int n, int c);    /* each row of y += b */
	/* db[j] += sum of dy[][j] over all n rows, for the columns from <= j < to. */
	void (*bias_grad)(float *db, const float *dy, int n, int c, int from, int to);

	/* y[i] = table[ids[i]], rows of c. */
	void (*embed)(float *y, const float *table, const int32_t *ids, int n, int c);
	/* dtable[ids[i]][j] += dy[i][j], rows in order, for the columns from <= j < to. */
	void (*embed_back)(float *dtable, const float *dy, const int32_t *ids, int n, int c, int from, int to);

	/* Cross entropy of one row of v logits: returns log sum exp(x) - x[label]. x is used up: where
	 * scale is not 0 it becomes the gradient scale (softmax(x) - onehot(label)). */
	double (*xent)(float *x, int v, int label, float scale);

	/* The place of the largest of n numbers, the first of them where there are several; -1 where one is NaN, or n is 0. */
	int (*argmax)(const float *x, int n);

	/* For tests, over n numbers. exp and tanh: within 2 ulp, infinities and NaN as libm has them;
	 * cdf, the normal distribution's (1 + erf(x / sqrt 2)) / 2: within 1e-7. */
	void (*exp)(float *y, const float *x, size_t n);
	void (*tanh)(float *y, const float *x, size_t n);
	void (*cdf)(float *y, const float *x, size_t n);
};

const struct kernel *kernel_best(void); /* the fastest this CPU can run */
/* Every table this CPU can run, slowest first; NULL for i beyond them. For tests. */
const struct kernel *kernel_at(int i);

#endif
