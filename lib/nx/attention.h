/* attention.h - causal attention of one head, and the rotary angles.
 *
 *	attention_forward(kr, mm, &h, out, ldo, lse, scratch);
 *
 * out = softmax(q k^T / sqrt(hd), causal) v. There are nq queries and nk >= nq
 * keys: query i stands at position nk - nq + i and sees the keys up to its own.
 * Training has nq = nk; decoding feeds nq new tokens behind nk - nq cached ones.
 * Scores are computed for a strip of queries at a time and thrown away; the way
 * back computes them again from `lse` (Dao et al. 2022), so memory is a strip
 * of scores and packed keys and values a thread, never T x T. Runs in the calling thread: share out heads
 * and sequences over a pool. */
#ifndef NX_ATTENTION_H
#define NX_ATTENTION_H

#include "base/err.h"
#include "nx/config.h"
#include "nx/kernel.h"
#include "nx/matmul.h"

#include <stdbool.h>
#include <stddef.h>

struct attention_head {
	const float *q, *k, *v; /* first rows, hd floats each */
	int ldq, ldk, ldv;      /* floats from row to row */
	int nq, nk, hd;
};

/* Floats of scratch, on a cache line, that a call with nk keys needs, on the way there or back. More keys never need less. */
size_t attention_scratch(const struct matmul *mm, int nk, int hd, bool back);

/* out: nq rows of hd, ldo apart. lse: nq floats for the way back, or NULL. */
void attention_forward(const struct kernel *kr, const struct matmul *mm, const struct attention_head *h, float *out,
                       int ldo, float *lse, float *scratch);
/* From dout and what forward gave (out and dout both ldo apart): dq, dk, dv, laid out as q, k, v
 * of h; dq is written, dk and dv are written too (not added to). Only for nq == nk. */
void attention_backward(const struct kernel *kr, const struct matmul *mm, const struct attention_head *h,
                        const float *out, const float *dout, int ldo, const float *lse, float *dq, float *dk, float *dv,
                        float *scratch);

/* Cosines and sines of position p, pair i at [p * dims/2 + i]: the angle is p / theta^(2i/dims),
 * in float32 as HF computes it. Grows, and keeps what was computed. Begin with {0}. */
struct attention_angles {
	float *cos, *sin;
	int n; /* positions computed */
};
int attention_angles_upto(struct attention_angles *a, const struct config *c, int n, struct err *e);
void attention_angles_release(struct attention_angles *a);

#endif
