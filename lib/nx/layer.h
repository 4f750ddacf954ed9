/* layer.h - one transformer layer, forward and backward side by side.
 *
 *	layer_forward(&env, &keep[l], w, &lay->layer[l], keep[l + 1].x);
 *	layer_backward(&env, &keep[l], w, &lay->layer[l], grad, &lay->layer[l], dx);
 *
 * n rows, C = hidden, F = ffn, H = heads. A layer keeps about 9 C floats a row
 * (10 C where the residual is sequential); LayerNorm and activation are computed
 * again on the way back. The formulas are in model.h. */
#ifndef NX_LAYER_H
#define NX_LAYER_H

#include "base/pool.h"
#include "nx/attention.h"
#include "nx/config.h"
#include "nx/kernel.h"
#include "nx/lora.h"
#include "nx/mat.h"
#include "nx/matmul.h"
#include "nx/params.h"

#include <stddef.h>

/* What the way back needs of the way there. */
struct layer_keep {
	float *x;              /* (n, C) the layer's input: filled in before layer_forward */
	float *mid;            /* (n, C) x + attention, only where the residual is sequential */
	float *mean1, *rstd1;  /* n of each LayerNorm */
	float *mean2, *rstd2;
	float *qkv;            /* (n, 3C) after rotary */
	float *att;            /* (n, C) heads' results, before dense */
	float *lse;            /* (H, n) */
	float *up;             /* (n, F) before the activation */
};

/* Where a call computes: threads, rows and scratch, all the caller's. */
struct layer_env {
	const struct kernel *kr;
	const struct matmul *mm;
	struct pool *pool;
	const struct mat *mat; /* products over that pool */
	const struct config *c;
	int n, nseq;
	const int *start; /* nseq + 1: first row of each sequence */
	const int *pos;   /* n: place of each row in its sequence */
	const struct attention_angles *angles;
	float *h, *dh, *datt; /* (n, C) each; dh and datt only for the way back */
	float *wide;          /* (n, max(F, 3C)) */
	float *wide2;         /* (n, F), only for the way back */
	struct lora_site lora; /* the layer's adapter; .l NULL: none */
	float *strips;        /* `strip` floats a thread: attention_scratch of the longest sequence */
	size_t strip;
};

/* out (n, C), not k->x. */
void layer_forward(const struct layer_env *v, const struct layer_keep *k, const float *w, const struct params_layer *o,
                   float *out);
/* All that k holds of the way there once more from k->x, to the bit, for a way back whose k has
 * served other layers since: the last two products, which only the result needs, are left out. */
void layer_again(const struct layer_env *v, const struct layer_keep *k, const float *w, const struct params_layer *o);
/* dx (n, C) comes as the gradient of out and leaves as that of x; g is added to: the gradient of
 * w at the offsets `og`, or where there is an adapter that of the adapter alone, laid out by its table. */
void layer_backward(const struct layer_env *v, const struct layer_keep *k, const float *w, const struct params_layer *o,
                    float *g, const struct params_layer *og, float *dx);

#endif
