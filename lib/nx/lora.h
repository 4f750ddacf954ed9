/* lora.h - low-rank adapters: what is trained where a model's own weights rest.
 *
 *	struct lora *a;
 *	if (lora_new(&a, &m.cfg, &(struct lora_rule){8, 8, "query_key_value,dense"}, 42, &e)) ...
 *	m.lora = a;                        model_loss and the trainer now use and train it
 *	lora_fold(a, &m.lay, m.w);         the weights become the adapted model's
 *	lora_close(a);
 *
 * A linear layer y = x W^T + b (W: out x in) becomes
 *	y = x W^T + b + s (x A^T) B^T,     A: rank x in,  B: out x rank,  s = alpha / rank
 * (alpha / sqrt(rank) in an adapter that says use_rslora). A begins uniformly
 * distributed in +-1/sqrt(in), B at 0: at first nothing changes. There is no
 * dropout. Source: Hu et al. 2021; names and beginnings as in the peft library,
 * whose numbers for A are of another generator. Files: nx/lorafile.h. */
#ifndef NX_LORA_H
#define NX_LORA_H

#include "base/err.h"
#include "nx/config.h"
#include "nx/mat.h"
#include "nx/params.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The linear layers that may have one. */
enum lora_target { LORA_QKV, LORA_DENSE, LORA_UP, LORA_DOWN, LORA_TARGETS };

struct lora_rule {
	int rank;
	double alpha;
	const char *targets; /* names as in config: "query_key_value,dense,dense_h_to_4h,dense_4h_to_h" */
};

/* Offsets of one layer's A and B; SIZE_MAX where there is none. */
struct lora_layer {
	size_t a[LORA_TARGETS]; /* (rank, in) */
	size_t b[LORA_TARGETS]; /* (out, rank) */
};

struct lora {
	int rank, layers;
	double alpha;
	bool rslora;
	float scale;
	struct params lay; /* of A and B, named as peft names them */
	struct lora_layer *layer;
	float *w;          /* lay.total floats */
	const char *base;  /* what its file names as the model, or NULL; not its own memory */
};

/* ERR_USAGE if the rule makes no adapter. */
int lora_new(struct lora **a, const struct config *c, const struct lora_rule *r, uint64_t seed, struct err *e);
/* The same with all numbers 0, for the targets that are `on`. */
int lora_open(struct lora **a, const struct config *c, int rank, double alpha, bool rslora, const bool on[LORA_TARGETS],
              struct err *e);
const char *lora_target(enum lora_target t);
/* Adds s B A to the weights w, laid out by lay. */
void lora_fold(const struct lora *a, const struct params *lay, float *w);
void lora_close(struct lora *a); /* NULL is fine */

/* --- in a layer's two ways; n rows, x (n, in), y and dy (n, out); low: scratch --- */

/* One linear layer's adapter. */
struct lora_site {
	const struct mat *mat;
	const struct lora *l;
	const struct lora_layer *at;
	int n;
	float *low; /* n * rank */
};

/* y += s (x A^T) B^T; where there is no adapter none of these does anything. */
void lora_forward(const struct lora_site *s, enum lora_target t, float *y, const float *x, int out, int in);
/* dx += s (dy B) A */
void lora_back(const struct lora_site *s, enum lora_target t, float *dx, const float *dy, int out, int in);
/* dA and dB in g, laid out by l->lay, added to */
void lora_grad(const struct lora_site *s, enum lora_target t, float *g, const float *dy, const float *x, int out, int in);

#endif
