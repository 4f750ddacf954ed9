/* gemm.h - rows times a weight matrix: what generation spends its time on.
 *
 *	const struct gemm *g = gemm_best();
 *	struct gemm_matrix w = {GEMM_F32, 50304, 512, aligned_alloc(64, gemm_bytes(GEMM_F32, 50304, 512))};
 *	g->pack(&w, 0, 0, weights, 512, 32, 512);    once: so for each panel of 32 rows
 *	g->prepare(x, w.type, rows, 512, 16, 512, 0, 512);   gemm_prepared(w.type, 16, 512) bytes at x
 *	struct gemm_product p = {.y = y, .ldy = 50304, .x = x, .n = 16, .w = w};
 *	g->run(&p, 0, w.rows);
 *
 * A matrix lies in panels of GEMM_PANEL rows, column by column: so a panel is one
 * stream of memory, read once for all rows of x, and each sum has a lane to
 * itself. A sum is taken from the first column to the last, whatever rows of x and
 * panels of w are asked for in one call: a row's result is, to the bit, what it
 * would be alone. Runs in the calling thread; callers share out panels or rows.
 *
 * Weights are float32, bfloat16 or eight bits; all else, sums too, is float32. A
 * product with bfloat16 is, to the bit, that of the weights widened. Eight bits
 * are multiplied by eight: prepare rounds each GEMM_BLOCK columns of a row of x to
 * whole numbers of at most 127 times their largest magnitude / 127. Products of a
 * block are summed as integers, without error, and in all tables alike; so what x
 * loses by rounding, half of that unit at most a number, is all there is to lose. */
#ifndef NX_GEMM_H
#define NX_GEMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gemm_type { GEMM_F32, GEMM_BF16, GEMM_Q8 };

enum {
	GEMM_PANEL = 32, /* rows of w that lie together */
	GEMM_BLOCK = 32  /* columns of a row that share a scale in Q8 */
};

/* (rows, cols) in panels, aligned to 64 bytes. A panel is, for 32 rows at once (zeros fill up the last):
 * F32, a float a row, column by column. BF16, two columns of a row in 32 bits, the first in the lower ones.
 * Q8, block by block: a scale a row, a bfloat16, then four columns a row, int8_t: weight = number * scale. */
struct gemm_matrix {
	enum gemm_type type;
	int rows, cols;
	void *v;
};

size_t gemm_bytes(enum gemm_type type, int rows, int cols);            /* of a matrix, a multiple of 64 */
float gemm_weight(const struct gemm_matrix *m, int row, int col);      /* as products see it. For tests */
size_t gemm_prepared(enum gemm_type type, int n, int cols);            /* bytes of n rows of x, a multiple of 64 */

/* y[i][o - from] = sum over j of x[i][j] w[o][j], + bias[o] unless bias is NULL; with `add` y += that. */
struct gemm_product {
	float *y;      /* the columns asked for, ldy floats from row to row */
	const void *x; /* (n, w.cols) prepared for w's type by the same table, aligned as floats */
	int ldy, n;
	struct gemm_matrix w;
	const float *bias; /* (w.rows) or NULL */
	bool add;
	bool peaks; /* instead: y[i][p] = the largest of x[i] times a row of panel from / GEMM_PANEL + p, without bias; no NaN */
};

struct gemm {
	const char *name; /* "base", "avx2", "avx512" */
	/* For the rows from <= o < to of w: multiples of GEMM_PANEL, or w.rows. */
	void (*run)(const struct gemm_product *p, int from, int to);
	/* The columns from <= j < to of n rows of cols, as products want them; multiples of GEMM_BLOCK, or cols. x is
	 * at the first of them, ldx floats from row to row; `at` is where the whole rows go. */
	void (*prepare)(void *at, enum gemm_type type, const float *x, int ldx, int n, int cols, int from, int to);
	bool (*finite)(const float *w, size_t n); /* neither infinities nor NaN among them */
	/* Finite weights, n rows of cols, ldw apart, into the matrix at (row, col): row begins a panel, which n or
	 * the matrix ends; col is a multiple of GEMM_BLOCK, and so is cols where the matrix's columns go on.
	 * bfloat16 is rounded to nearest even. In Q8 a weight is off by half a scale at most, which is 1/127 of
	 * the block's largest weight, or up to 1/128 of it more. */
	void (*pack)(const struct gemm_matrix *m, int row, int col, const float *w, int ldw, int n, int cols);
};

const struct gemm *gemm_best(void); /* the fastest this CPU can run */
/* Every table this CPU can run, slowest first; NULL for i beyond them. For tests. */
const struct gemm *gemm_at(int i);

#endif
