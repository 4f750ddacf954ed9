/* mat.h - matrix products, all of them, through OpenBLAS. The only user of cblas.
 *
 *	mat_setup();                                  once, before the first product
 *	mat_forward(pool, y, x, w, b, n, out, in, false);
 *
 * The pool's threads each compute a block of the result with OpenBLAS's own
 * threads at rest; blocks depend on shapes and pool_threads() alone, so the same
 * number of threads gives the same bits. Row-major, rows one behind the other.
 *
 *	x (n, in)  w (out, in)  y (n, out)  bias (out)
 */
#ifndef NX_MAT_H
#define NX_MAT_H

#include "base/pool.h"

#include <stdbool.h>

/* Puts OpenBLAS's own threads to rest: from now on a product runs in its caller. */
void mat_setup(void);

/* y = x w^T + bias, or with `add`: y += x w^T + bias. bias may be NULL. One row (n = 1) is fast too. */
void mat_forward(struct pool *p, float *y, const float *x, const float *w, const float *bias, int n, int out, int in,
                 bool add);
/* dx (n, in) = dy w, or with `add`: dx += dy w. */
void mat_back(struct pool *p, float *dx, const float *dy, const float *w, int n, int out, int in, bool add);
/* dw (out, in) += dy^T x. */
void mat_grad(struct pool *p, float *dw, const float *dy, const float *x, int n, int out, int in);

/* Why products of bfloat16 operands are not to be had here: a reason for a message. Until there is
 * a kernel that multiplies them no machine has them. */
const char *mat_why_no_bf16(void);

/* In the calling thread, inside a pool's work as well; ld: floats from row to row.
 * c (m, n) = alpha a b + beta c with a (m, k), b (k, n); `nt`: b stored (n, k); `tn`: a stored (k, m). */
void mat_nn(float *c, int ldc, const float *a, int lda, const float *b, int ldb, int m, int n, int k, float alpha,
            float beta);
void mat_nt(float *c, int ldc, const float *a, int lda, const float *b, int ldb, int m, int n, int k, float alpha,
            float beta);
void mat_tn(float *c, int ldc, const float *a, int lda, const float *b, int ldb, int m, int n, int k, float alpha,
            float beta);

#endif
