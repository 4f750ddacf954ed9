/* gemm.h - rows times a weight matrix: what generation spends its time on.
 *
 *	const struct gemm *g = gemm_best();
 *	struct gemm_product p = {.y = y, .ldy = 50304, .x = x, .ldx = 512, .n = 16,
 *	                         .w = {GEMM_F32, 50304, 512, w, NULL}};
 *	g->run(&p, 0, p.w.rows);
 *
 * Each weight is read from memory once for all rows of x, up to some hundred of
 * them. A sum is taken in an order that depends on `cols` alone: neither on how
 * many rows x has nor on which of w's rows are asked for in one call, as long
 * as each call begins at a multiple of 4. So a row's result is, to the bit, what
 * it would be alone. Runs in the calling thread; callers share out w's rows.
 *
 * Weights are float32, bfloat16 or eight bits; all else, sums too, is float32. A
 * product is, to the bit, that of the weights widened to float32. */
#ifndef NX_GEMM_H
#define NX_GEMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gemm_type { GEMM_F32, GEMM_BF16, GEMM_Q8 };

/* Columns of a row that share a scale in Q8. */
enum { GEMM_BLOCK = 32 };

/* (rows, cols), rows one behind the other; floats and bfloat16 aligned as such. In Q8 a row is int8_t,
 * filled up to whole blocks with zeros, and has a scale a block, a bfloat16: weight = number * scale. */
struct gemm_matrix {
	enum gemm_type type;
	int rows, cols;
	const void *v;
	const uint16_t *scale; /* Q8: rows x blocks */
};

/* y[i][o] = sum over j of x[i][j] w[o][j], + bias[o] unless bias is NULL; with `add` y[i][o] += that. */
struct gemm_product {
	float *y;       /* (n, w.rows), ldy floats from row to row */
	const float *x; /* (n, w.cols), ldx floats from row to row */
	int ldy, ldx;
	int n;
	struct gemm_matrix w;
	const float *bias; /* (w.rows) or NULL */
	bool add;
};

struct gemm {
	const char *name; /* "base", "avx2", "avx512" */
	/* The columns from <= o < to of y. */
	void (*run)(const struct gemm_product *p, int from, int to);
	/* Row i of the matrix as floats. */
	void (*row)(float *to, const struct gemm_matrix *m, int i);
	bool (*finite)(const float *w, size_t n); /* neither infinities nor NaN among them */
	/* n finite weights, rounded to nearest even. */
	void (*to_bf16)(uint16_t *to, const float *w, size_t n);
	/* A row of cols finite weights: to whole blocks of numbers of at most 127, and their scales. A weight is
	 * off by half a scale at most, which is 1/127 of the block's largest weight, or up to 1/128 of it more. */
	void (*to_q8)(int8_t *to, uint16_t *scale, const float *w, int cols);
};

const struct gemm *gemm_best(void); /* the fastest this CPU can run */
/* Every table this CPU can run, slowest first; NULL for i beyond them. For tests. */
const struct gemm *gemm_at(int i);

#endif
