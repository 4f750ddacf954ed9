/* narrow.h - a packed matrix once more in eight bits, and how much that loses.
 *
 *	narrow_best()->panel(&to, &from, row, &lost, &size);      for each panel
 *
 * For shortlist.h, whose bounds are made of that. */
#ifndef NX_NARROW_H
#define NX_NARROW_H

#include "nx/gemm.h"

struct narrow {
	const char *name; /* "base", "avx2", "avx512" */
	/* The panel at `row` of `from`, GEMM_F32 or GEMM_BF16 of finite weights, into the same rows of `to`, GEMM_Q8 of as many
	 * rows and columns. Of its rows the largest norm of what was lost, and of what they became: not less than
	 * they are. */
	void (*panel)(const struct gemm_matrix *to, const struct gemm_matrix *from, int row, float *lost, float *size);
};

const struct narrow *narrow_best(void); /* the fastest this CPU can run */
/* Every table this CPU can run, slowest first; NULL for i beyond them. For tests. */
const struct narrow *narrow_at(int i);

#endif
