/* matmul.h - matrix products of packed operands, in the calling thread.
 *
 *	const struct matmul *t = matmul_best(false);
 *	float *room = ...;                           matmul_room(t) floats, on a cache line
 *	struct matmul_product p = {.c = y, .ldc = 2048, .m = n, .n = 2048, .k = 512,
 *	                           .a = {x, 512, 1}, .b = {w, 512, 1}};     y = x w^T
 *	matmul_run(t, &p, room);
 *
 * Both operands are copied, a block at a time, into panels that a tile of the
 * result reads from front to back (Goto and van de Geijn 2008): blocks of a stay in
 * the second cache, a panel of b in the first. An element of c is one chain of
 * multiply-adds over at most MATMUL_DEPTH of k, and chains are added in order. So it
 * depends on k alone, to the bit: not on where in c it stands, on the part of c that
 * a call computes, nor on which table with fused multiply-add is used. */
#ifndef NX_MATMUL_H
#define NX_MATMUL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Element i of the operand's m (or n) at depth p of k: v[i * across + p * depth]. One of the two is 1. */
struct matmul_operand {
	const float *v;
	ptrdiff_t across, depth;
};

/* c (m, n), rows ldc floats apart, = a (m, k) b (k, n) + bias, or with `add` c += that. */
struct matmul_product {
	float *c;
	ptrdiff_t ldc;
	struct matmul_operand a, b;
	int m, n, k;
	const float *bias; /* n floats or NULL */
	bool add;
	bool bf16; /* operands are rounded to bfloat16, to nearest even; sums are float32 */
};

enum {
	MATMUL_DEPTH = 256,  /* of k in one block */
	MATMUL_HEIGHT = 192, /* about so many rows of a in one block, */
	MATMUL_WIDTH = 2048  /* and columns of b */
};

/* c (m, n) = or += a b of packed operands: those of a block, or what callers packed for themselves. */
struct matmul_tiles {
	float *c;
	ptrdiff_t ldc;
	const float *a, *b;      /* as pack_a and pack_b left them */
	ptrdiff_t a_next, b_next; /* floats from panel to panel */
	int m, n, k;
	const float *bias;
	bool add;
};

struct matmul {
	const char *name; /* "base", "avx2", "avx512" */
	int rows, cols;   /* of a tile, so the width of a panel of a and of b */
	/* n of the operand across and k deep: into panels, k deep each, `next` floats from one to the next. The
	 * rows of a (not the columns of b) are shared out evenly, so m must be the tiles' m. Up to `rows` floats
	 * behind the last panel are overwritten. bf16: rounded. */
	void (*pack_a)(float *to, ptrdiff_t next, const struct matmul_operand *from, int m, int k, bool bf16);
	void (*pack_b)(float *to, ptrdiff_t next, const struct matmul_operand *from, int n, int k, bool bf16);
	void (*tiles)(const struct matmul_tiles *t);
	/* The same for bfloat16 in pairs, as the processor's dot product takes them: two of k in the place of a
	 * float, k / 2 rounded up deep. NULL: it has none, and bf16 means rounded floats. */
	void (*pack_a_pairs)(float *to, ptrdiff_t next, const struct matmul_operand *from, int m, int k);
	void (*pack_b_pairs)(float *to, ptrdiff_t next, const struct matmul_operand *from, int n, int k);
	void (*tiles_pairs)(const struct matmul_tiles *t); /* k counts pairs */
};

const struct matmul *matmul_best(bool bf16); /* the fastest this CPU can run, for products so rounded or not */
/* Every table this CPU can run, slowest first; NULL for i beyond them. For tests. */
const struct matmul *matmul_at(int i);

/* Floats of room for matmul_run, the same for every product. */
size_t matmul_room(const struct matmul *t);
/* m, n and k of at least 1. */
void matmul_run(const struct matmul *t, const struct matmul_product *p, float *room);

#endif
