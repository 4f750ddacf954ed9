#include "nx/decode.h"
#include "base/pool.h"
#include "nx/attention.h"
#include "nx/gemv.h"
#include "nx/kernel.h"
#include "nx/mat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A prompt goes through the layers in pieces of CHUNK tokens: long enough for
 * matrix products to be fast, short enough that activations stay small. */
enum { CHUNK = 256, FIRST_CAP = 256, ALIGN = 64 };

/* What passes from one weight matrix to the next, for up to cap tokens. */
struct rows {
	float *x;           /* (cap, C) the residual stream */
	float *h1, *h2;     /* (cap, C) after the LayerNorms */
	float *qkv;         /* (cap, 3C) [head][q,k,v][hd] */
	float *att;         /* (cap, C) */
	float *up;          /* (cap, F) */
	float *mean, *rstd; /* (cap) what layernorm keeps for the way back: not used here */
	int cap;
};

struct decode {
	const struct model *m;
	const struct kernel *kr;
	const struct gemv *gv;
	struct pool *pool;
	struct attention_angles angles;
	float *kv; /* [layer][k, v][head][cap][hd] */
	int len, cap;
	struct rows r;
	float *scratch; /* each head's own scores */
	size_t strip, scratch_n; /* floats of one head, of all */
	float *logits;
};

static float *floats(size_t n)
{
	size_t bytes = (n * sizeof(float) + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	return n > SIZE_MAX / 8 ? NULL : aligned_alloc(ALIGN, bytes ? bytes : ALIGN);
}

static int replace(float **p, size_t n, struct err *e)
{
	free(*p);
	*p = floats(n);
	return *p ? 0 : err_mem(e);
}

/* --- room --------------------------------------------------------------------- */

/* First key (which 0) or value (which 1) of a head, for a cache of cap tokens. */
static size_t place(const struct config *c, int cap, int layer, int which, int head)
{
	size_t plane = (size_t)cap * (size_t)c->head_dim;
	return (((size_t)layer * 2 + (size_t)which) * (size_t)c->heads + (size_t)head) * plane;
}

static float *keys(struct decode *d, int layer, int head)
{
	return d->kv + place(&d->m->cfg, d->cap, layer, 0, head);
}

static float *values(struct decode *d, int layer, int head)
{
	return d->kv + place(&d->m->cfg, d->cap, layer, 1, head);
}

/* Doubles the cache until n tokens fit. Each head's rows move to their new place. */
static int grow_cache(struct decode *d, int n, struct err *e)
{
	const struct config *c = &d->m->cfg;
	int cap = d->cap ? d->cap : FIRST_CAP;
	while (cap < n)
		cap = cap > INT32_MAX / 2 ? n : cap * 2;
	if (cap == d->cap)
		return 0;
	float *kv = floats(place(c, cap, c->layers, 0, 0));
	if (!kv)
		return err_mem(e);
	for (int l = 0; l < c->layers && d->len; l++)
		for (int w = 0; w < 2; w++)
			for (int h = 0; h < c->heads; h++)
				memcpy(kv + place(c, cap, l, w, h), d->kv + place(c, d->cap, l, w, h),
				       (size_t)d->len * (size_t)c->head_dim * sizeof *kv);
	free(d->kv);
	d->kv = kv;
	d->cap = cap;
	return 0;
}

/* One query needs a score for each key of the cache; several need what attention.h says. */
static int grow_scratch(struct decode *d, int n, struct err *e)
{
	d->strip = n == 1 ? (size_t)d->cap : attention_scratch(d->len + n);
	size_t need = d->strip * (size_t)d->m->cfg.heads;
	if (need <= d->scratch_n)
		return 0;
	d->scratch_n = 0;
	if (replace(&d->scratch, need, e))
		return -1;
	d->scratch_n = need;
	return 0;
}

static int grow_rows(struct decode *d, int n, struct err *e)
{
	const struct config *c = &d->m->cfg;
	struct rows *r = &d->r;
	size_t k = (size_t)n, C = (size_t)c->hidden;
	if (n <= r->cap)
		return 0;
	r->cap = 0;
	if (replace(&r->x, k * C, e) || replace(&r->h1, k * C, e) || replace(&r->h2, k * C, e) ||
	    replace(&r->qkv, k * 3 * C, e) || replace(&r->att, k * C, e) || replace(&r->up, k * (size_t)c->ffn, e) ||
	    replace(&r->mean, k, e) || replace(&r->rstd, k, e))
		return -1;
	r->cap = n;
	return 0;
}

/* --- one token: matrix times vector ------------------------------------------- */

/* y = or += w x + b for a matrix of `rows` rows; act is applied to y where `activate`. */
struct product {
	float *y;
	const float *w, *x, *b;
	int rows, cols;
	bool add, activate;
};

/* Products that can run side by side: thread i takes slice i of each. Two that
 * add to one y have the same number of rows, so that a slice has one owner. */
struct stage {
	const struct decode *d;
	const struct product *p;
	int n, slices;
};

static void slice(void *arg, int i)
{
	const struct stage *s = arg;
	for (const struct product *p = s->p; p < s->p + s->n; p++) {
		/* from multiples of 16 rows: slices share no cache line of y */
		int units = (p->rows + 15) / 16;
		int from = (int)((int64_t)units * i / s->slices) * 16, to = (int)((int64_t)units * (i + 1) / s->slices) * 16;
		if (to > p->rows)
			to = p->rows;
		if (from >= to)
			continue;
		s->d->gv->rows(p->y + from, p->w + (size_t)from * (size_t)p->cols, p->x, p->b ? p->b + from : NULL,
		               to - from, p->cols, p->add);
		if (p->activate)
			s->d->kr->act(p->y + from, p->y + from, (size_t)(to - from), s->d->m->cfg.act);
	}
}

static void run_stage(struct decode *d, const struct product *p, int n)
{
	int threads = pool_threads(d->pool);
	struct stage s = {d, p, n, threads == 1 ? 1 : threads * 4};
	pool_run(d->pool, s.slices, slice, &s);
}

static const float *weight(const struct decode *d, size_t off)
{
	return off == SIZE_MAX ? NULL : d->m->w + off;
}

static void norm(struct decode *d, float *y, const float *x, size_t w, size_t b, int n)
{
	const struct config *c = &d->m->cfg;
	d->kr->layernorm(y, d->r.mean, d->r.rstd, x, weight(d, w), weight(d, b), n, c->hidden, (float)c->ln_eps);
}

/* Turns q and k of the n rows behind the cache's end and puts k and v into the cache. */
static void remember(struct decode *d, int layer, int n)
{
	const struct config *c = &d->m->cfg;
	int half = c->rotary_dims / 2, hd = c->head_dim;
	size_t at = (size_t)d->len * (size_t)half;
	d->kr->rotary(d->r.qkv, d->angles.cos + at, d->angles.sin + at, n, c->heads, hd, c->rotary_dims, 1);
	for (int h = 0; h < c->heads; h++) {
		float *k = keys(d, layer, h) + (size_t)d->len * (size_t)hd;
		float *v = values(d, layer, h) + (size_t)d->len * (size_t)hd;
		for (int i = 0; i < n; i++) {
			const float *from = d->r.qkv + ((size_t)i * (size_t)c->heads + (size_t)h) * 3 * (size_t)hd;
			memcpy(k + (size_t)i * (size_t)hd, from + hd, (size_t)hd * sizeof *k);
			memcpy(v + (size_t)i * (size_t)hd, from + 2 * hd, (size_t)hd * sizeof *v);
		}
	}
}

/* Attention of the last nq of nk tokens, one head a call. */
struct attend {
	struct decode *d;
	int layer, nq, nk;
	const float *qkv; /* first of the nq rows */
	float *out;
};

static void attend_head(void *arg, int h)
{
	const struct attend *a = arg;
	struct decode *d = a->d;
	const struct config *c = &d->m->cfg;
	int hd = c->head_dim;
	const float *q = a->qkv + (size_t)h * 3 * (size_t)hd, *k = keys(d, a->layer, h), *v = values(d, a->layer, h);
	float *out = a->out + (size_t)h * (size_t)hd, *scratch = d->scratch + (size_t)h * d->strip;
	if (a->nq == 1) {
		d->kr->attend(out, q, k, v, hd, a->nk, hd, 1 / sqrtf((float)hd), scratch);
		return;
	}
	struct attention_head head = {q, k, v, 3 * c->hidden, hd, hd, a->nq, a->nk, hd};
	attention_forward(d->kr, &head, out, c->hidden, NULL, scratch);
}

static void one_layer(struct decode *d, int l)
{
	const struct config *c = &d->m->cfg;
	const struct params_layer *y = &d->m->lay.layer[l];
	struct rows *r = &d->r;
	int C = c->hidden, F = c->ffn;
	const struct product qkv = {r->qkv, weight(d, y->qkv_w), r->h1, weight(d, y->qkv_b), 3 * C, C, false, false};
	const struct product up = {r->up, weight(d, y->up_w), r->h2, weight(d, y->up_b), F, C, false, true};
	const struct product dense = {r->x, weight(d, y->dense_w), r->att, weight(d, y->dense_b), C, C, true, false};
	const struct product down = {r->x, weight(d, y->down_w), r->up, weight(d, y->down_b), C, F, true, false};
	struct attend a = {d, l, 1, d->len + 1, r->qkv, r->att};

	norm(d, r->h1, r->x, y->ln1_w, y->ln1_b, 1);
	if (c->parallel)
		norm(d, r->h2, r->x, y->ln2_w, y->ln2_b, 1);
	run_stage(d, (struct product[]){qkv, up}, c->parallel ? 2 : 1);
	remember(d, l, 1);
	pool_run(d->pool, c->heads, attend_head, &a);
	run_stage(d, (struct product[]){dense, down}, c->parallel ? 2 : 1);
	if (c->parallel)
		return;
	norm(d, r->h2, r->x, y->ln2_w, y->ln2_b, 1);
	run_stage(d, &up, 1);
	run_stage(d, &down, 1);
}

/* --- many tokens: matrix times matrix ------------------------------------------- */

struct activation {
	struct decode *d;
	int cols;
};

static void activate_row(void *arg, int i)
{
	const struct activation *a = arg;
	float *row = a->d->r.up + (size_t)i * (size_t)a->cols;
	a->d->kr->act(row, row, (size_t)a->cols, a->d->m->cfg.act);
}

/* x += mlp(h) for n rows. */
static void mlp(struct decode *d, const struct params_layer *y, float *x, const float *h, int n)
{
	const struct config *c = &d->m->cfg;
	struct activation a = {d, c->ffn};
	mat_forward(d->pool, d->r.up, h, weight(d, y->up_w), weight(d, y->up_b), n, c->ffn, c->hidden, false);
	pool_run(d->pool, n, activate_row, &a);
	mat_forward(d->pool, x, d->r.up, weight(d, y->down_w), weight(d, y->down_b), n, c->hidden, c->ffn, true);
}

/* A layer for n tokens behind the cache's end. Only rows from `from` on are
 * needed above it: in the last layer that is the last token, or none. */
static void many_layer(struct decode *d, int l, int n, int from)
{
	const struct config *c = &d->m->cfg;
	const struct params_layer *y = &d->m->lay.layer[l];
	struct rows *r = &d->r;
	int C = c->hidden, m = n - from;
	float *x = r->x + (size_t)from * (size_t)C;

	norm(d, r->h1, r->x, y->ln1_w, y->ln1_b, n);
	mat_forward(d->pool, r->qkv, r->h1, weight(d, y->qkv_w), weight(d, y->qkv_b), n, 3 * C, C, false);
	remember(d, l, n);
	if (m == 0)
		return;
	struct attend a = {d, l, m, d->len + n, r->qkv + (size_t)from * 3 * (size_t)C, r->att};
	pool_run(d->pool, c->heads, attend_head, &a);
	if (c->parallel)
		norm(d, r->h2, x, y->ln2_w, y->ln2_b, m);
	mat_forward(d->pool, x, r->att, weight(d, y->dense_w), weight(d, y->dense_b), m, C, C, true);
	if (!c->parallel)
		norm(d, r->h2, x, y->ln2_w, y->ln2_b, m);
	mlp(d, y, x, r->h2, m);
}

/* --- feeding -------------------------------------------------------------------- */

/* Logits of the token in row `row`. */
static void head(struct decode *d, int row)
{
	const struct config *c = &d->m->cfg;
	const struct params *lay = &d->m->lay;
	norm(d, d->r.h1, d->r.x + (size_t)row * (size_t)c->hidden, lay->lnf_w, lay->lnf_b, 1);
	const struct product p = {d->logits, weight(d, lay->head), d->r.h1, NULL, c->vocab, c->hidden, false, false};
	run_stage(d, &p, 1);
}

/* n tokens through all layers; `last`: logits are wanted. */
static void piece(struct decode *d, const int32_t *ids, int n, bool last)
{
	const struct config *c = &d->m->cfg;
	d->kr->embed(d->r.x, weight(d, d->m->lay.embed), ids, n, c->hidden);
	for (int l = 0; l < c->layers; l++)
		if (n == 1)
			one_layer(d, l);
		else
			many_layer(d, l, n, l + 1 < c->layers ? 0 : last ? n - 1 : n);
	d->len += n;
	if (last)
		head(d, n - 1);
}

int decode_feed(struct decode *d, const int32_t *ids, int n, struct err *e)
{
	const struct config *c = &d->m->cfg;
	for (int i = 0; i < n; i++)
		if (ids[i] < 0 || ids[i] >= c->vocab)
			return err_data(e, "token id %d is outside the model's vocabulary of %d", ids[i], c->vocab);
	if (n > INT32_MAX - d->len)
		return err_data(e, "more tokens than a sequence can have");
	if (grow_cache(d, d->len + n, e) || grow_rows(d, n < CHUNK ? n : CHUNK, e) || grow_scratch(d, n, e) ||
	    attention_angles_upto(&d->angles, c, d->len + n, e))
		return -1;
	for (int at = 0; at < n; at += CHUNK) {
		int k = n - at < CHUNK ? n - at : CHUNK;
		piece(d, ids + at, k, at + k == n);
	}
	return 0;
}

const float *decode_logits(const struct decode *d)
{
	return d->logits;
}

int decode_vocab(const struct decode *d)
{
	return d->m->cfg.vocab;
}

int decode_length(const struct decode *d)
{
	return d->len;
}

void decode_reset(struct decode *d)
{
	d->len = 0;
}

struct decode *decode_open(const struct model *m, int threads, struct err *e)
{
	struct decode *d = calloc(1, sizeof *d);
	if (!d) {
		err_mem(e);
		return NULL;
	}
	mat_setup();
	d->m = m;
	d->kr = kernel_best();
	d->gv = gemv_best();
	d->pool = pool_open(threads);
	d->logits = floats((size_t)m->cfg.vocab);
	if (!d->pool || !d->logits) {
		err_mem(e);
		decode_close(d);
		return NULL;
	}
	return d;
}

void decode_close(struct decode *d)
{
	if (!d)
		return;
	struct rows *r = &d->r;
	float *all[] = {r->x, r->h1, r->h2, r->qkv, r->att, r->up, r->mean, r->rstd, d->kv, d->scratch, d->logits};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		free(all[i]);
	attention_angles_release(&d->angles);
	pool_close(d->pool);
	free(d);
}
