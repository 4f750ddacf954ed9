#include "nx/layer.h"

#include "nx/mat.h"
#include "nx/span.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

/* One way through one layer: what the pieces shared over the pool look at. */
struct pass {
	const struct layer_env *v;
	const struct layer_keep *k;
	const float *w;
	float *g;         /* gradients of w, or NULL: they rest */
	float *lora_g;    /* gradients of the adapter */
	const struct params_layer *o, *og; /* places in w, in g */
	float *x;         /* out, or dx */
	float *dqkv;      /* way back; NULL on the way there */
	atomic_int next;  /* head of a sequence to compute */
};

/* Weights, or gradients, of a bias that the config may not have. */
static const float *bias(const float *w, size_t off)
{
	return off == SIZE_MAX ? NULL : w + off;
}

static float *at(float *p, int row, int width)
{
	return p + (size_t)row * (size_t)width;
}

/* Input of the second LayerNorm. */
static const float *second(const struct pass *p)
{
	return p->v->c->parallel ? p->k->x : p->k->mid;
}

/* --- pieces of the way there: rows from .. to-1 ------------------------------------- */

static void norm1_rows(void *arg, int from, int to)
{
	const struct pass *p = arg;
	int c = p->v->c->hidden;
	p->v->kr->layernorm(at(p->v->h, from, c), p->k->mean1 + from, p->k->rstd1 + from, at(p->k->x, from, c),
	                    p->w + p->o->ln1_w, p->w + p->o->ln1_b, to - from, c, (float)p->v->c->ln_eps);
}

static void norm2_rows(void *arg, int from, int to)
{
	const struct pass *p = arg;
	int c = p->v->c->hidden;
	p->v->kr->layernorm(at(p->v->h, from, c), p->k->mean2 + from, p->k->rstd2 + from,
	                    second(p) + (size_t)from * (size_t)c, p->w + p->o->ln2_w, p->w + p->o->ln2_b, to - from, c,
	                    (float)p->v->c->ln_eps);
}

static void turn_rows(const struct pass *p, float *qkv, int from, int to, int dir)
{
	const struct config *c = p->v->c;
	size_t half = (size_t)c->rotary_dims / 2;
	for (int i = from; i < to; i++) {
		size_t a = (size_t)p->v->pos[i] * half;
		p->v->kr->rotary(at(qkv, i, 3 * c->hidden), p->v->angles->cos + a, p->v->angles->sin + a, 1, c->heads,
		                 c->head_dim, c->rotary_dims, dir);
	}
}

static void rotary_rows(void *arg, int from, int to)
{
	const struct pass *p = arg;
	turn_rows(p, p->k->qkv, from, to, 1);
}

/* Where the sum x + attention stands: the result, or on the way to it. */
static float *middle(const struct pass *p)
{
	return p->v->c->parallel ? p->x : p->k->mid;
}

static void residual_rows(void *arg, int from, int to)
{
	const struct pass *p = arg;
	int c = p->v->c->hidden;
	memcpy(at(middle(p), from, c), at(p->k->x, from, c), (size_t)(to - from) * (size_t)c * sizeof *p->x);
}

static void residual2_rows(void *arg, int from, int to)
{
	const struct pass *p = arg;
	int c = p->v->c->hidden;
	memcpy(at(p->x, from, c), at(p->k->mid, from, c), (size_t)(to - from) * (size_t)c * sizeof *p->x);
}

static void act_rows(void *arg, int from, int to)
{
	const struct pass *p = arg;
	int f = p->v->c->ffn;
	p->v->kr->act(at(p->v->wide, from, f), at(p->k->up, from, f), (size_t)(to - from) * (size_t)f, p->v->c->act);
}

/* --- attention: each thread takes the next head of the next sequence ----------------- */

static struct attention_head head_at(const struct pass *p, int seq, int h)
{
	int hd = p->v->c->head_dim, ld = 3 * p->v->c->hidden, n = p->v->start[seq + 1] - p->v->start[seq];
	const float *q = at(p->k->qkv, p->v->start[seq], ld) + 3 * h * hd;
	return (struct attention_head){q, q + hd, q + 2 * hd, ld, ld, ld, n, n, hd};
}

static void attention_lane(void *arg, int lane)
{
	struct pass *p = arg;
	const struct layer_env *v = p->v;
	int heads = v->c->heads, c = v->c->hidden, i;
	while ((i = atomic_fetch_add(&p->next, 1)) < v->nseq * heads) {
		int seq = i / heads, h = i % heads;
		size_t off = (size_t)v->start[seq] * (size_t)c + (size_t)(h * v->c->head_dim);
		struct attention_head head = head_at(p, seq, h);
		float *lse = p->k->lse + (size_t)h * (size_t)v->n + v->start[seq], *strip = v->strips + (size_t)lane * v->strip;
		if (!head.nq)
			continue;
		if (!p->dqkv) {
			attention_forward(v->kr, v->mm, &head, p->k->att + off, c, lse, strip);
			continue;
		}
		float *dq = p->dqkv + (head.q - p->k->qkv);
		attention_backward(v->kr, v->mm, &head, p->k->att + off, v->datt + off, c, lse, dq, dq + head.hd, dq + 2 * head.hd,
		                   strip);
	}
}

static void attention(struct pass *p)
{
	atomic_store(&p->next, 0);
	pool_run(p->v->pool, pool_threads(p->v->pool), attention_lane, p);
}

/* --- the way there -------------------------------------------------------------------- */

/* From the layer's input to the heads' results. */
static void heads(struct pass *p)
{
	const struct layer_env *v = p->v;
	int n = v->n, c = v->c->hidden;
	span_run(v->pool, n, 1, norm1_rows, p);
	mat_forward(v->mat, p->k->qkv, v->h, p->w + p->o->qkv_w, bias(p->w, p->o->qkv_b), n, 3 * c, c, false);
	lora_forward(&v->lora, LORA_QKV, p->k->qkv, v->h, 3 * c, c);
	span_run(v->pool, n, 1, rotary_rows, p);
	attention(p);
}

static void dense(struct pass *p)
{
	const struct layer_env *v = p->v;
	int c = v->c->hidden;
	span_run(v->pool, v->n, 1, residual_rows, p);
	mat_forward(v->mat, middle(p), p->k->att, p->w + p->o->dense_w, bias(p->w, p->o->dense_b), v->n, c, c, true);
	lora_forward(&v->lora, LORA_DENSE, middle(p), p->k->att, c, c);
}

static void up(struct pass *p)
{
	const struct layer_env *v = p->v;
	int c = v->c->hidden, f = v->c->ffn;
	span_run(v->pool, v->n, 1, norm2_rows, p);
	mat_forward(v->mat, p->k->up, v->h, p->w + p->o->up_w, p->w + p->o->up_b, v->n, f, c, false);
	lora_forward(&v->lora, LORA_UP, p->k->up, v->h, f, c);
}

void layer_again(const struct layer_env *v, const struct layer_keep *k, const float *w, const struct params_layer *o)
{
	struct pass p = {.v = v, .k = k, .w = w, .o = o};
	heads(&p);
	if (!v->c->parallel)
		dense(&p);
	up(&p);
}

void layer_forward(const struct layer_env *v, const struct layer_keep *k, const float *w, const struct params_layer *o,
                   float *out)
{
	struct pass p = {.v = v, .k = k, .w = w, .o = o, .x = out};
	int n = v->n, c = v->c->hidden, f = v->c->ffn;
	heads(&p);
	dense(&p);
	up(&p);
	span_run(v->pool, n, 1, act_rows, &p);
	if (!v->c->parallel)
		span_run(v->pool, n, 1, residual2_rows, &p);
	mat_forward(v->mat, out, v->wide, w + o->down_w, w + o->down_b, n, c, f, true);
	lora_forward(&v->lora, LORA_DOWN, out, v->wide, c, f);
}

/* --- pieces of the way back -------------------------------------------------------------- */

/* wide: gradient of the activation's output, then of its input; wide2: the output again. */
static void act_back_rows(void *arg, int from, int to)
{
	const struct pass *p = arg;
	int f = p->v->c->ffn;
	float *d = at(p->v->wide, from, f);
	p->v->kr->act_back(d, at(p->v->wide2, from, f), d, at(p->k->up, from, f), (size_t)(to - from) * (size_t)f,
	                   p->v->c->act);
}

static void again1_rows(void *arg, int from, int to)
{
	const struct pass *p = arg;
	int c = p->v->c->hidden;
	p->v->kr->layernorm_again(at(p->v->h, from, c), at(p->k->x, from, c), p->k->mean1 + from, p->k->rstd1 + from,
	                          p->w + p->o->ln1_w, p->w + p->o->ln1_b, to - from, c);
}

static void again2_rows(void *arg, int from, int to)
{
	const struct pass *p = arg;
	int c = p->v->c->hidden;
	p->v->kr->layernorm_again(at(p->v->h, from, c), second(p) + (size_t)from * (size_t)c, p->k->mean2 + from,
	                          p->k->rstd2 + from, p->w + p->o->ln2_w, p->w + p->o->ln2_b, to - from, c);
}

static void norm1_back_rows(void *arg, int from, int to)
{
	const struct pass *p = arg;
	int c = p->v->c->hidden;
	p->v->kr->layernorm_back(at(p->x, from, c), at(p->v->dh, from, c), at(p->k->x, from, c), p->k->mean1 + from,
	                         p->k->rstd1 + from, p->w + p->o->ln1_w, to - from, c);
}

static void norm2_back_rows(void *arg, int from, int to)
{
	const struct pass *p = arg;
	int c = p->v->c->hidden;
	p->v->kr->layernorm_back(at(p->x, from, c), at(p->v->dh, from, c), second(p) + (size_t)from * (size_t)c,
	                         p->k->mean2 + from, p->k->rstd2 + from, p->w + p->o->ln2_w, to - from, c);
}

static void rotary_back_rows(void *arg, int from, int to)
{
	const struct pass *p = arg;
	turn_rows(p, p->dqkv, from, to, -1);
}

/* Columns from .. to-1 of the sums over rows. */

static void norm1_grad_cols(void *arg, int from, int to)
{
	const struct pass *p = arg;
	p->v->kr->layernorm_grad(p->g + p->og->ln1_w, p->g + p->og->ln1_b, p->v->dh, p->k->x, p->k->mean1, p->k->rstd1,
	                         p->v->n, p->v->c->hidden, from, to);
}

static void norm2_grad_cols(void *arg, int from, int to)
{
	const struct pass *p = arg;
	p->v->kr->layernorm_grad(p->g + p->og->ln2_w, p->g + p->og->ln2_b, p->v->dh, second(p), p->k->mean2, p->k->rstd2,
	                         p->v->n, p->v->c->hidden, from, to);
}

struct bias_sum {
	const struct layer_env *v;
	float *db;
	const float *dy;
	int width;
};

static void bias_cols(void *arg, int from, int to)
{
	const struct bias_sum *b = arg;
	b->v->kr->bias_grad(b->db, b->dy, b->v->n, b->width, from, to);
}

/* Gradients of y = x w^T + b: dw and db added to, or the adapter's; x (n, in), dy (n, out). */
static void linear_grad(const struct pass *p, enum lora_target t, size_t w, size_t b, const float *dy, const float *x,
                        int out, int in)
{
	if (!p->g) {
		lora_grad(&p->v->lora, t, p->lora_g, dy, x, out, in);
		return;
	}
	struct bias_sum sum = {p->v, b == SIZE_MAX ? NULL : p->g + b, dy, out};
	mat_grad(p->v->mat, p->g + w, dy, x, p->v->n, out, in);
	if (b != SIZE_MAX)
		span_run(p->v->pool, out, 16, bias_cols, &sum);
}

/* --- the way back: branch by branch --------------------------------------------------------- */

/* From dx, the gradient of the mlp's output, to dh, that of its LayerNorm's output. */
static void mlp_back(struct pass *p)
{
	const struct layer_env *v = p->v;
	int n = v->n, c = v->c->hidden, f = v->c->ffn;
	mat_back(v->mat, v->wide, p->x, p->w + p->o->down_w, n, c, f, false);
	lora_back(&v->lora, LORA_DOWN, v->wide, p->x, c, f);
	span_run(v->pool, n, 1, act_back_rows, p);
	linear_grad(p, LORA_DOWN, p->og->down_w, p->og->down_b, p->x, v->wide2, c, f);
	span_run(v->pool, n, 1, again2_rows, p);
	linear_grad(p, LORA_UP, p->og->up_w, p->og->up_b, v->wide, v->h, f, c);
	mat_back(v->mat, v->dh, v->wide, p->w + p->o->up_w, n, f, c, false);
	lora_back(&v->lora, LORA_UP, v->dh, v->wide, f, c);
}

static void norm2_back(struct pass *p)
{
	if (p->g)
		span_run(p->v->pool, p->v->c->hidden, 16, norm2_grad_cols, p);
	span_run(p->v->pool, p->v->n, 1, norm2_back_rows, p);
}

/* From dx, the gradient of dense's output, to datt, that of its input. */
static void dense_back(struct pass *p)
{
	int c = p->v->c->hidden;
	mat_back(p->v->mat, p->v->datt, p->x, p->w + p->o->dense_w, p->v->n, c, c, false);
	lora_back(&p->v->lora, LORA_DENSE, p->v->datt, p->x, c, c);
	linear_grad(p, LORA_DENSE, p->og->dense_w, p->og->dense_b, p->x, p->k->att, c, c);
}

/* A key's bias outside the rotary dimensions adds the same to all of a row's scores, which softmax
 * takes out again: its gradient is 0. The sums of rounding errors that stand there would become
 * steps of full size in optimizers that divide by the gradient's size. */
static void clear_key_bias(const struct pass *p)
{
	const struct config *c = p->v->c;
	for (int h = 0; p->og->qkv_b != SIZE_MAX && h < c->heads; h++) {
		float *key = p->g + p->og->qkv_b + (size_t)(3 * h + 1) * (size_t)c->head_dim;
		memset(key + c->rotary_dims, 0, (size_t)(c->head_dim - c->rotary_dims) * sizeof *key);
	}
}

/* From datt on to the layer's input. */
static void attention_back(struct pass *p)
{
	const struct layer_env *v = p->v;
	int n = v->n, c = v->c->hidden;
	p->dqkv = v->wide;
	attention(p);
	span_run(v->pool, n, 1, rotary_back_rows, p);
	span_run(v->pool, n, 1, again1_rows, p);
	linear_grad(p, LORA_QKV, p->og->qkv_w, p->og->qkv_b, p->dqkv, v->h, 3 * c, c);
	mat_back(v->mat, v->dh, p->dqkv, p->w + p->o->qkv_w, n, 3 * c, c, false);
	lora_back(&v->lora, LORA_QKV, v->dh, p->dqkv, 3 * c, c);
	if (p->g) {
		clear_key_bias(p);
		span_run(v->pool, c, 16, norm1_grad_cols, p);
	}
	span_run(v->pool, n, 1, norm1_back_rows, p);
}

/* dx is added to in place, so what needs it as it came is done first: in the
 * parallel form dense as well as the mlp; in the sequential one dense comes after
 * the second LayerNorm has added its share. */
void layer_backward(const struct layer_env *v, const struct layer_keep *k, const float *w, const struct params_layer *o,
                    float *g, const struct params_layer *og, float *dx)
{
	bool adapted = v->lora.l != NULL;
	struct pass p = {.v = v, .k = k, .w = w, .g = adapted ? NULL : g, .lora_g = g, .o = o, .og = og, .x = dx};
	mlp_back(&p);
	if (v->c->parallel)
		dense_back(&p);
	norm2_back(&p);
	if (!v->c->parallel)
		dense_back(&p);
	attention_back(&p);
}
