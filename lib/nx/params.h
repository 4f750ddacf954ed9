/* params.h - the ONE table of a model's parameters: names, shapes, places.
 *
 * Weights, gradients and each piece of optimizer state are one aligned array of
 * `total` floats, all laid out by this table: element j of tensor i stands at
 * off + j in every one of them. */
#ifndef NX_PARAMS_H
#define NX_PARAMS_H

#include "base/err.h"
#include "nx/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum params_init { PARAMS_NORMAL, PARAMS_ZERO, PARAMS_ONE };

struct param {
	char name[80];  /* as in the file: gpt_neox.layers.3.attention.dense.weight */
	int rows, cols; /* matrix rows x cols, row-major; a vector has cols 0 */
	size_t off, n;  /* first element (a multiple of 16), number of elements */
	bool decay;     /* weight decay applies: matrices, not biases or LayerNorm */
	enum params_init init;
};

/* Offsets of one layer's tensors; biases are SIZE_MAX where the config has none. */
struct params_layer {
	size_t ln1_w, ln1_b, ln2_w, ln2_b;
	size_t qkv_w, qkv_b; /* (3C, C): rows are [head][q,k,v][head_dim] */
	size_t dense_w, dense_b; /* (C, C) */
	size_t up_w, up_b;   /* dense_h_to_4h (F, C) */
	size_t down_w, down_b; /* dense_4h_to_h (C, F) */
};

struct params {
	struct param *t;
	int n;
	size_t total; /* floats of an array, padding between tensors included */
	size_t count; /* parameters proper, as HF's num_parameters() */
	struct params_layer *layer;
	int per_layer; /* tensors of a layer: layer l's are 1 + l * per_layer and those behind it, in front is embed */
	size_t embed, lnf_w, lnf_b, head; /* head == embed when tied */
};

int params_layout(struct params *p, const struct config *c, struct err *e);
/* Adds one tensor behind the others, for which p->t has room, and returns its offset. */
size_t params_add(struct params *p, const char *name, int rows, int cols, enum params_init init);
void params_release(struct params *p);
/* `total` floats, zeroed, aligned to 64 bytes (2 MiB and huge pages for large ones); NULL when out of memory. Free with free(). */
float *params_alloc(const struct params *p);
float *params_floats(size_t n); /* the same for any n */

#endif
