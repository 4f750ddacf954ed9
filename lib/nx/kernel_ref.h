/* kernel_ref.h - kernel.h's functions as the formulas say them: plain loops in
 * double, nothing saved and nothing shared. Tests hold the fast ones against
 * these, and these against finite differences. Shapes as in kernel.h. */
#ifndef NX_KERNEL_REF_H
#define NX_KERNEL_REF_H

#include "nx/config.h"

#include <stdint.h>

/* y = (x - mean) / sqrt(var + eps) w + b, rows of c. */
void kernel_ref_layernorm(double *y, const double *x, const double *w, const double *b, int n, int c, double eps);
/* dx, dw, db += the gradient of sum(dy y). */
void kernel_ref_layernorm_back(double *dx, double *dw, double *db, const double *dy, const double *x, const double *w,
                               int n, int c, double eps);

double kernel_ref_act(double x, enum config_act act);
double kernel_ref_act_slope(double x, enum config_act act);

/* In place, the first dims of q and k of [head][q,k,v][hd]; angle of pair i in row r: angle[r * dims/2 + i]. */
void kernel_ref_rotary(double *qkv, const double *angle, int n, int heads, int hd, int dims, int dir);

/* out (nq, hd) = softmax(q k^T / sqrt(hd), causal) v, query i at position nk - nq + i. */
void kernel_ref_attention(double *out, const double *q, const double *k, const double *v, int nq, int nk, int hd);
/* dq, dk, dv += the gradient of sum(dout out). */
void kernel_ref_attention_back(double *dq, double *dk, double *dv, const double *dout, const double *q, const double *k,
                               const double *v, int nq, int nk, int hd);

/* y (n, out) = x (n, in) w^T (out, in) + bias. */
void kernel_ref_matmul(double *y, const double *x, const double *w, const double *bias, int n, int out, int in);

/* log sum exp(x) - x[label]; dx, where not NULL, += scale (softmax(x) - onehot(label)). */
double kernel_ref_xent(double *dx, const double *x, int v, int label, double scale);

/* The first of the largest, -1 where one is NaN or there is none. */
int kernel_ref_argmax(const float *x, int n);

#endif
