#include "nx/lora.h"

#include "base/xoshiro.h"
#include "nx/mat.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *module, *name;
} linear[LORA_TARGETS] = {
	[LORA_QKV] = {"attention", "query_key_value"},
	[LORA_DENSE] = {"attention", "dense"},
	[LORA_UP] = {"mlp", "dense_h_to_4h"},
	[LORA_DOWN] = {"mlp", "dense_4h_to_h"},
};

const char *lora_target(enum lora_target t)
{
	return linear[t].name;
}

/* --- opening ---------------------------------------------------------------------------- */

static size_t place(struct lora *a, int l, int t, char which, int rows, int cols)
{
	char name[sizeof a->lay.t->name];
	snprintf(name, sizeof name, "base_model.model.gpt_neox.layers.%d.%s.%s.lora_%c.weight", l, linear[t].module,
	         linear[t].name, which);
	return params_add(&a->lay, name, rows, cols, which == 'A' ? PARAMS_NORMAL : PARAMS_ZERO);
}

static void place_layer(struct lora *a, const struct config *c, int l, const bool on[LORA_TARGETS])
{
	const int out[] = {[LORA_QKV] = 3 * c->hidden, [LORA_DENSE] = c->hidden, [LORA_UP] = c->ffn, [LORA_DOWN] = c->hidden};
	for (int t = 0; t < LORA_TARGETS; t++) {
		a->layer[l].a[t] = a->layer[l].b[t] = SIZE_MAX;
		if (!on[t])
			continue;
		a->layer[l].a[t] = place(a, l, t, 'A', a->rank, t == LORA_DOWN ? c->ffn : c->hidden);
		a->layer[l].b[t] = place(a, l, t, 'B', out[t], a->rank);
	}
}

int lora_open(struct lora **out, const struct config *c, int rank, double alpha, bool rslora, const bool on[LORA_TARGETS],
              struct err *e)
{
	struct lora *a = calloc(1, sizeof *a);
	if (!a)
		return err_mem(e);
	*a = (struct lora){.rank = rank, .layers = c->layers, .alpha = alpha, .rslora = rslora};
	a->scale = (float)(alpha / (rslora ? sqrt((double)rank) : (double)rank));
	a->lay.head = SIZE_MAX; /* no head that might be tied */
	a->layer = calloc((size_t)c->layers, sizeof *a->layer);
	a->lay.t = calloc((size_t)c->layers * 2 * LORA_TARGETS, sizeof *a->lay.t);
	if (a->layer && a->lay.t)
		for (int l = 0; l < c->layers; l++)
			place_layer(a, c, l, on);
	if (!a->layer || !a->lay.t || !(a->w = params_alloc(&a->lay))) {
		lora_close(a);
		return err_mem(e);
	}
	*out = a;
	return 0;
}

/* Names between commas. */
static int read_targets(const char *names, bool on[LORA_TARGETS], struct err *e)
{
	for (const char *p = names;;) {
		size_t n = strcspn(p, ",");
		int t = 0;
		while (t < LORA_TARGETS && (strlen(linear[t].name) != n || memcmp(p, linear[t].name, n)))
			t++;
		if (t == LORA_TARGETS)
			return err_usage(e, "\"%.*s\" has no adapter: there is query_key_value, dense, dense_h_to_4h and dense_4h_to_h",
			                 (int)n, p);
		on[t] = true;
		if (!p[n])
			return 0;
		p += n + 1;
	}
}

int lora_new(struct lora **out, const struct config *c, const struct lora_rule *r, uint64_t seed, struct err *e)
{
	bool on[LORA_TARGETS] = {false};
	if (r->rank < 1 || r->rank > c->hidden)
		return err_usage(e, "an adapter of rank %d: from 1 to the model's width of %d makes sense", r->rank, c->hidden);
	if (read_targets(r->targets, on, e) || lora_open(out, c, r->rank, r->alpha, false, on, e))
		return -1;
	struct lora *a = *out;
	for (int i = 0; i < a->lay.n; i++) {
		const struct param *t = &a->lay.t[i];
		struct xoshiro x;
		double bound = 1 / sqrt((double)t->cols);
		if (t->init == PARAMS_ZERO)
			continue;
		xoshiro_seed(&x, seed, (uint64_t)i);
		for (size_t j = 0; j < t->n; j++)
			a->w[t->off + j] = (float)((2 * xoshiro_f64(&x) - 1) * bound);
	}
	return 0;
}

void lora_close(struct lora *a)
{
	if (!a)
		return;
	params_release(&a->lay);
	free(a->layer);
	free(a->w);
	free(a);
}

/* --- folding ------------------------------------------------------------------------------ */

/* w (out, in) += scale b (out, rank) a (rank, in). */
static void add_product(float *w, const float *b, const float *a, int out, int in, int rank, float scale)
{
	for (int o = 0; o < out; o++, w += in)
		for (int r = 0; r < rank; r++) {
			float f = scale * b[o * rank + r];
			const float *from = a + (size_t)r * (size_t)in;
#pragma omp simd
			for (int j = 0; j < in; j++)
				w[j] += f * from[j];
		}
}

void lora_fold(const struct lora *a, const struct params *lay, float *w)
{
	for (int l = 0; l < a->layers; l++) {
		const struct params_layer *o = &lay->layer[l];
		const size_t to[] = {[LORA_QKV] = o->qkv_w, [LORA_DENSE] = o->dense_w, [LORA_UP] = o->up_w, [LORA_DOWN] = o->down_w};
		/* the shapes stand in the table, A before B */
		for (int t = 0, i = 0; t < LORA_TARGETS; t++) {
			size_t at = a->layer[l].a[t];
			if (at == SIZE_MAX)
				continue;
			while (a->lay.t[i].off != at)
				i++;
			int in = a->lay.t[i].cols, out = a->lay.t[i + 1].rows;
			add_product(w + to[t], a->w + a->layer[l].b[t], a->w + at, out, in, a->rank, a->scale);
		}
	}
}

/* --- the two ways ---------------------------------------------------------------------------- */

static bool has(const struct lora_site *s, enum lora_target t)
{
	return s->l && s->at->a[t] != SIZE_MAX;
}

static const float *a_of(const struct lora_site *s, enum lora_target t)
{
	return s->l->w + s->at->a[t];
}

static const float *b_of(const struct lora_site *s, enum lora_target t)
{
	return s->l->w + s->at->b[t];
}

static void times(const struct lora_site *s, float *v)
{
	size_t n = (size_t)s->n * (size_t)s->l->rank;
	for (size_t i = 0; i < n; i++)
		v[i] *= s->l->scale;
}

void lora_forward(const struct lora_site *s, enum lora_target t, float *y, const float *x, int out, int in)
{
	if (!has(s, t))
		return;
	mat_forward(s->mat, s->low, x, a_of(s, t), NULL, s->n, s->l->rank, in, false);
	times(s, s->low);
	mat_forward(s->mat, y, s->low, b_of(s, t), NULL, s->n, out, s->l->rank, true);
}

void lora_back(const struct lora_site *s, enum lora_target t, float *dx, const float *dy, int out, int in)
{
	if (!has(s, t))
		return;
	mat_back(s->mat, s->low, dy, b_of(s, t), s->n, out, s->l->rank, false);
	times(s, s->low);
	mat_back(s->mat, dx, s->low, a_of(s, t), s->n, s->l->rank, in, true);
}

void lora_grad(const struct lora_site *s, enum lora_target t, float *g, const float *dy, const float *x, int out, int in)
{
	if (!has(s, t))
		return;
	mat_back(s->mat, s->low, dy, b_of(s, t), s->n, out, s->l->rank, false);
	times(s, s->low);
	mat_grad(s->mat, g + s->at->a[t], s->low, x, s->n, s->l->rank, in);
	mat_forward(s->mat, s->low, x, a_of(s, t), NULL, s->n, s->l->rank, in, false);
	times(s, s->low);
	mat_grad(s->mat, g + s->at->b[t], dy, s->low, s->n, out, s->l->rank);
}
