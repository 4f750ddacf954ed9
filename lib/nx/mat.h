/* mat.h - the model's matrix products, shared out over a pool's threads.
 *
 *	struct mat *m = mat_open(pool, MAT_F32, &e);
 *	mat_forward(m, y, x, w, b, n, out, in, false);
 *	mat_close(m);
 *
 * Each thread computes a block of the result with nx/matmul.h. A processor without
 * fused multiply-add is better served by OpenBLAS, which is then loaded if this machine
 * has it, and its own threads are put to rest. The only user of cblas. With nx/matmul.h
 * any number of threads gives the same bits, else the same number does. Row-major, rows
 * one behind the other.
 *
 *	x (n, in)  w (out, in)  y (n, out)  bias (out)
 */
#ifndef NX_MAT_H
#define NX_MAT_H

#include "base/err.h"
#include "base/pool.h"

#include <stdbool.h>
#include <stddef.h>

/* BF16: both operands of a product are rounded to bfloat16, products and sums are float32's or what the
 * processor's bfloat16 dot product makes of them; biases and what is added to are float32.
 * BLAS: float32 through OpenBLAS where it is there, for comparison. */
enum mat_kind { MAT_F32, MAT_BF16, MAT_BLAS };

struct mat;
/* Borrows the pool; one call at a time. NULL when out of memory. */
struct mat *mat_open(struct pool *p, enum mat_kind kind, struct err *e);
void mat_close(struct mat *m); /* NULL is fine */
bool mat_is_blas(const struct mat *m); /* products are OpenBLAS's */
/* Bytes that it holds. */
size_t mat_bytes(enum mat_kind kind, int threads);

/* y = x w^T + bias, or with `add`: y += x w^T + bias. bias may be NULL. */
void mat_forward(const struct mat *m, float *y, const float *x, const float *w, const float *bias, int n, int out,
                 int in, bool add);
/* dx (n, in) = dy w, or with `add`: dx += dy w. */
void mat_back(const struct mat *m, float *dx, const float *dy, const float *w, int n, int out, int in, bool add);
/* dw (out, in) += dy^T x. */
void mat_grad(const struct mat *m, float *dw, const float *dy, const float *x, int n, int out, int in);

/* Whether bfloat16 products are the processor's own, so faster than float32's. */
bool mat_has_bf16(void);

#endif
