/* optim.h - optimizers and the norm of the gradient, as HF's Trainer has them.
 *
 *	struct optim_rule rule = {.kind = OPTIM_ADAMW, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8};
 *	struct optim *o;
 *	if (optim_open(&o, &m.lay, &rule, pool, &e)) ...
 *	double norm = optim_norm(o, grad);
 *	optim_step(o, m.w, grad, 1e-5, optim_clip(norm, 1.0));     grad is all 0 afterwards
 *	optim_close(o);
 *
 * t counts steps from 1, r is the step's learning rate, d the weight decay where
 * it applies (params.h: matrices), g the gradient times the clipping factor.
 *	AdamW      p = (1 - r d) p;  m += (g - m)(1 - beta1);  v = beta2 v + (1 - beta2) g^2;
 *	           p -= r / (1 - beta1^t) m / (sqrt(v / (1 - beta2^t)) + eps)
 *	           Loshchilov and Hutter 2019, as torch.optim.AdamW
 *	SGD        p = (1 - r d) p - r g; no momentum, no state. torch.optim.SGD
 *	Adafactor  b = 1 - t^-0.8;  g2 = g^2 + 1e-30
 *	           matrix: R = b R + (1-b) row means of g2, C the same of columns,
 *	                   u_ij = g_ij / (sqrt(R_i / mean R) sqrt(C_j))
 *	           vector: V = b V + (1-b) g2, u = g / sqrt(V)
 *	           u /= max(1, rms u);  p = (1 - r d) p - r u
 *	           Shazeer and Stern 2018; transformers' Adafactor with scale_parameter
 *	           and relative_step off, as the Trainer calls it
 * Sums are taken in double over parts that depend on the shapes alone: the
 * number of threads changes no bit. */
#ifndef NX_OPTIM_H
#define NX_OPTIM_H

#include "base/err.h"
#include "base/pool.h"
#include "nx/params.h"

#include <stddef.h>
#include <stdint.h>

enum optim_kind { OPTIM_ADAMW, OPTIM_ADAFACTOR, OPTIM_SGD };
#define OPTIM_WORDS "adamw|adafactor|sgd" /* in the order of the enum */

struct optim_rule {
	enum optim_kind kind;
	double beta1, beta2, eps; /* AdamW only */
	double weight_decay;
};

struct optim;

/* lay and pool must outlive the optimizer. */
int optim_open(struct optim **o, const struct params *lay, const struct optim_rule *rule, struct pool *pool,
               struct err *e);
void optim_close(struct optim *o); /* NULL is fine */
/* Bytes of state: AdamW 8 a parameter, Adafactor 4 a row and column, SGD none. */
size_t optim_bytes(const struct params *lay, enum optim_kind kind);

/* The state in a file of its own, and back, to the bit: "NXOPTIM1", then three 64-bit numbers, the
 * optimizer's kind, its steps and the floats of state, then these floats; little-endian.
 * ERR_DATA if the file is of another optimizer or layout, or cut off. */
int optim_save(const struct optim *o, const char *path, struct err *e);
int optim_load(struct optim *o, const char *path, struct err *e);

/* The 2-norm of a gradient of lay->total floats. */
double optim_norm(struct optim *o, const float *g);
/* min(1, max / (norm + 1e-6)), as torch's clip_grad_norm_; 1 where max is 0: no clipping. */
double optim_clip(double norm, double max);
/* The sum of squares of the gradient of the tensors from <= i < to, which stands at g as in the table. */
double optim_square(struct optim *o, const float *g, int from, int to);
/* One step. g is multiplied by `scale` as it is read, and cleared. */
void optim_step(struct optim *o, float *w, float *g, double rate, double scale);
/* The same in parts: one optim_begin, then every tensor once in any order. w: all weights; g: the
 * gradient of the tensors from <= i < to. */
void optim_begin(struct optim *o, double rate, double scale);
void optim_tensors(struct optim *o, float *w, float *g, int from, int to);

#endif
