/* shortlist.h - where the largest product with a head is, by reading a quarter of it or less.
 *
 *	struct shortlist s;
 *	if (shortlist_open(&s, gm, head, pool, &e)) ...            once a head
 *	if (shortlist_room(&s, n, &e)) ...
 *	...s.peaks = the peaks of n rows of x times s.w, by gm...
 *	if (shortlist_find(&s, pool, x, n, id) < 0) ...all of x times the head is needed...
 *	shortlist_release(&s);
 *
 * s.w is the head in eight bits. How far a product q[o] with it can be from that with
 * the head itself is bounded: with x' and w' what the eight bits make of x and w,
 *
 *	x w - x' w' = x (w - w') + (x - x') w'    at most    |x| |w[o] - w'[o]| + |x - x'| |w'[o]|
 *
 * (Cauchy and Schwarz), to which comes what both products lose by rounding to float32.
 * Panels whose bound from above stays below the largest bound from below cannot have
 * the largest product: for the others it is taken as ever. So the choice is that of
 * the whole head, ties and all, to the bit. */
#ifndef NX_SHORTLIST_H
#define NX_SHORTLIST_H

#include "base/err.h"
#include "base/pool.h"
#include "nx/gemm.h"

#include <stdint.h>

struct shortlist_found {
	float most; /* the largest product of a row with a panel, */
	int32_t id; /* and of which row of the head, of equal ones the first */
};

struct shortlist {
	const struct gemm *gm;
	struct gemm_matrix head;
	struct gemm_matrix w; /* GEMM_Q8; w.v NULL: not opened */
	int panels;           /* of GEMM_PANEL rows */
	float *lost, *size;   /* (panels) the largest norms of w - w' and of w' in each, not less than they are */
	float most;           /* the largest of all of these */
	int cap;              /* rows there is room for */
	float *peaks;         /* (cap, panels) see gemm.h */
	float *ready;         /* (cap) rows of x as products with the head want them */
	int *listed;          /* (cap, panels) */
	int *n;               /* (cap) how many of them */
	struct shortlist_found *found; /* (cap, panels) for each that is listed */
};

/* head: GEMM_F32 or GEMM_BF16, of finite weights, as gm packed them; it must outlive s. -1: no memory, and w.v is NULL. */
int shortlist_open(struct shortlist *s, const struct gemm *gm, const struct gemm_matrix *head, struct pool *pool, struct err *e);
/* Room for n rows. On failure there is none. */
int shortlist_room(struct shortlist *s, int n, struct err *e);
/* x: (n, head.cols), whose peaks with s.w are in s->peaks. id: (n) of each the row of the head with which its product
 * is the largest, of equal ones the first. Returns how many panels of the head were multiplied for that, of all rows
 * together, or -1 where they would be more than a quarter of all: then nothing is found. */
int shortlist_find(struct shortlist *s, struct pool *pool, const float *x, int n, int32_t *id);
void shortlist_release(struct shortlist *s); /* may be all zeros */

#endif
