/* update.h - the arithmetic of optimizers over arrays, once an instruction set.
 *
 *	const struct update *u = update_best();
 *	double norm2 = u->sumsq(g, n);
 *
 * nx/optim.h says what is computed; these are its inner loops. Each runs in the
 * calling thread over its own part. Gradients are multiplied by `scale` (the
 * clipping factor) as they are read. What "clears" leaves its gradient 0, ready
 * to be added to: the array is in the cache then. No two arrays may overlap. */
#ifndef NX_UPDATE_H
#define NX_UPDATE_H

#include <stddef.h>

/* One step's constants of AdamW. */
struct update_adamw {
	float scale;    /* of the gradient */
	float keep;     /* 1 - rate * weight decay */
	float a1;       /* 1 - beta1 */
	float b2, a2;   /* beta2, 1 - beta2 */
	float rate;     /* rate / (1 - beta1^t) */
	float unbias;   /* 1 / sqrt(1 - beta2^t) */
	float eps;
};

struct update {
	const char *name; /* "base", "avx2", "avx512" */

	/* Sum of squares, in double. */
	double (*sumsq)(const float *g, size_t n);

	/* m += (g - m) a1; v = b2 v + a2 g^2; p = p keep - rate m / (sqrt(v) unbias + eps). Clears g. */
	void (*adamw)(float *p, float *m, float *v, float *g, size_t n, const struct update_adamw *c);

	/* p = p keep - rate g. Clears g. */
	void (*sgd)(float *p, float *g, size_t n, float scale, float keep, float rate);

	/* g (rows, cols): row[i] = sum over j of g^2, col[j] += sum over i of g^2. */
	void (*squares)(double *row, double *col, const float *g, int rows, int cols, float scale);
	/* Sum of u^2, u[i][j] = g[i][j] rf[i] cf[j]. */
	double (*factored_sumsq)(const float *g, const float *rf, const float *cf, int rows, int cols, float scale);
	/* p = p keep - rate u. Clears g. */
	void (*factored)(float *p, float *g, const float *rf, const float *cf, int rows, int cols, float scale, float keep,
	                 float rate);

	/* v = b v + a (g^2 + eps); returns the sum of u^2, u = g / sqrt(v). */
	double (*whole_sumsq)(float *v, const float *g, size_t n, float scale, float b, float a, float eps);
	/* p = p keep - rate u. Clears g. */
	void (*whole)(float *p, const float *v, float *g, size_t n, float scale, float keep, float rate);
};

const struct update *update_best(void); /* the fastest this CPU can run */
/* Every table this CPU can run, slowest first; NULL for i beyond them. For tests. */
const struct update *update_at(int i);

#endif
