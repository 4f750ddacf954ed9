/* gemm.h - rows times a weight matrix: what generation spends its time on.
 *
 *	const struct gemm *g = gemm_best();
 *	struct gemm_product p = {.y = y, .ldy = 50304, .x = x, .ldx = 512, .n = 16, .w = w, .rows = 50304, .cols = 512};
 *	g->run(&p, 0, p.rows);
 *
 * Each weight is read from memory once for all rows of x, up to some hundred of
 * them. A sum is taken in an order that depends on `cols` alone: neither on how
 * many rows x has nor on which of w's rows are asked for in one call, as long
 * as each call begins at a multiple of 4. So a row's result is, to the bit, what
 * it would be alone. Runs in the calling thread; callers share out w's rows. */
#ifndef NX_GEMM_H
#define NX_GEMM_H

#include <stdbool.h>

/* y[i][o] = sum over j of x[i][j] w[o][j], + bias[o] unless bias is NULL; with `add` y[i][o] += that. */
struct gemm_product {
	float *y;       /* (n, rows), ldy floats from row to row */
	const float *x; /* (n, cols), ldx floats from row to row */
	int ldy, ldx;
	int n;
	const float *w; /* (rows, cols), dense */
	int rows, cols;
	const float *bias; /* (rows) or NULL */
	bool add;
};

struct gemm {
	const char *name; /* "base", "avx2", "avx512" */
	/* The columns from <= o < to of y. */
	void (*run)(const struct gemm_product *p, int from, int to);
};

const struct gemm *gemm_best(void); /* the fastest this CPU can run */
/* Every table this CPU can run, slowest first; NULL for i beyond them. For tests. */
const struct gemm *gemm_at(int i);

#endif
