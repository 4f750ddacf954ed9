#include "nx/params.h"
#include "base/pages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARAMS_ALIGN = 16 /* floats: one cache line, one AVX-512 register */ };

size_t params_add(struct params *p, const char *name, int rows, int cols, enum params_init init)
{
	struct param *t = &p->t[p->n++];
	snprintf(t->name, sizeof t->name, "%s", name);
	t->rows = rows;
	t->cols = cols;
	t->n = (size_t)rows * (size_t)(cols ? cols : 1);
	t->off = p->total;
	t->decay = cols > 0;
	t->init = init;
	p->count += t->n;
	p->total += (t->n + PARAMS_ALIGN - 1) / PARAMS_ALIGN * PARAMS_ALIGN;
	return t->off;
}

/* One of a layer's: `what`.weight or `what`.bias. */
static size_t in_layer(struct params *p, int l, const char *what, int rows, int cols, enum params_init init)
{
	char name[sizeof p->t->name];
	snprintf(name, sizeof name, "gpt_neox.layers.%d.%s", l, what);
	return params_add(p, name, rows, cols, init);
}

static void place_layer(struct params *p, const struct config *c, int l)
{
	struct params_layer *o = &p->layer[l];
	int h = c->hidden, f = c->ffn;
	o->qkv_b = o->dense_b = SIZE_MAX;
	o->ln1_w = in_layer(p, l, "input_layernorm.weight", h, 0, PARAMS_ONE);
	o->ln1_b = in_layer(p, l, "input_layernorm.bias", h, 0, PARAMS_ZERO);
	o->ln2_w = in_layer(p, l, "post_attention_layernorm.weight", h, 0, PARAMS_ONE);
	o->ln2_b = in_layer(p, l, "post_attention_layernorm.bias", h, 0, PARAMS_ZERO);
	o->qkv_w = in_layer(p, l, "attention.query_key_value.weight", 3 * h, h, PARAMS_NORMAL);
	if (c->attn_bias)
		o->qkv_b = in_layer(p, l, "attention.query_key_value.bias", 3 * h, 0, PARAMS_ZERO);
	o->dense_w = in_layer(p, l, "attention.dense.weight", h, h, PARAMS_NORMAL);
	if (c->attn_bias)
		o->dense_b = in_layer(p, l, "attention.dense.bias", h, 0, PARAMS_ZERO);
	o->up_w = in_layer(p, l, "mlp.dense_h_to_4h.weight", f, h, PARAMS_NORMAL);
	o->up_b = in_layer(p, l, "mlp.dense_h_to_4h.bias", f, 0, PARAMS_ZERO);
	o->down_w = in_layer(p, l, "mlp.dense_4h_to_h.weight", h, f, PARAMS_NORMAL);
	o->down_b = in_layer(p, l, "mlp.dense_4h_to_h.bias", h, 0, PARAMS_ZERO);
}

int params_layout(struct params *p, const struct config *c, struct err *e)
{
	*p = (struct params){0};
	p->t = calloc((size_t)c->layers * 12 + 4, sizeof *p->t);
	p->layer = calloc((size_t)c->layers, sizeof *p->layer);
	if (!p->t || !p->layer) {
		params_release(p);
		return err_mem(e);
	}
	p->embed = params_add(p, "gpt_neox.embed_in.weight", c->vocab, c->hidden, PARAMS_NORMAL);
	for (int l = 0; l < c->layers; l++)
		place_layer(p, c, l);
	p->per_layer = (p->n - 1) / c->layers;
	p->lnf_w = params_add(p, "gpt_neox.final_layer_norm.weight", c->hidden, 0, PARAMS_ONE);
	p->lnf_b = params_add(p, "gpt_neox.final_layer_norm.bias", c->hidden, 0, PARAMS_ZERO);
	p->head = c->tied ? p->embed : params_add(p, "embed_out.weight", c->vocab, c->hidden, PARAMS_NORMAL);
	return 0;
}

void params_release(struct params *p)
{
	free(p->t);
	free(p->layer);
	*p = (struct params){0};
}

float *params_floats(size_t n)
{
	float *v = n > SIZE_MAX / 8 ? NULL : pages_alloc(n * sizeof *v);
	return v ? memset(v, 0, n * sizeof *v) : NULL;
}

float *params_alloc(const struct params *p)
{
	return params_floats(p->total);
}
