#include "nx/model.h"

#include "base/buf.h"
#include "base/pages.h"
#include "base/pool.h"
#include "io/hub.h"
#include "nx/attention.h"
#include "nx/kernel.h"
#include "nx/layer.h"
#include "nx/lora.h"
#include "nx/lorafile.h"
#include "nx/losshead.h"
#include "nx/mat.h"
#include "nx/modelfile.h"
#include "nx/span.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- weights ------------------------------------------------------------------- */

/* Room for the weights of c, all zero. */
static int open_weights(struct model *m, const struct config *c, struct err *e)
{
	*m = (struct model){.cfg = *c};
	if (params_layout(&m->lay, c, e))
		return -1;
	m->w = params_alloc(&m->lay);
	if (m->w)
		return 0;
	model_release(m);
	return err_mem(e);
}

static int load_plain(struct model *m, const char *dir, struct err *e)
{
	struct config c;
	*m = (struct model){0};
	if (config_load(&c, dir, e))
		return -1;
	m->cfg = c;
	if (params_layout(&m->lay, &c, e))
		return -1;
	if ((m->w = modelfile_load(&m->lay, dir, e)))
		return 0;
	model_release(m);
	return -1;
}

int model_fold(struct model *m, const char *dir, struct err *e)
{
	struct lora *a;
	if (lorafile_load(&a, &m->cfg, dir, e))
		return -1;
	lora_fold(a, &m->lay, m->w);
	lora_close(a);
	return modelfile_stays_finite(m->w, &m->lay, dir, e); /* products of large numbers may be none */
}

int model_load(struct model *m, const char *dir, struct err *e)
{
	struct buf base = {0};
	int rc = lorafile_is(dir, e);
	if (rc == 0)
		return load_plain(m, dir, e);
	*m = (struct model){0};
	if (rc > 0)
		rc = lorafile_base(dir, &base, e);
	char *from = rc == 0 && base.n ? hub_named(base.p, e) : NULL;
	if (rc == 0 && !from)
		rc = err_data(e, "%s: the model \"%s\" that this adapter is for is not here: nx-merge -m brings them together", dir,
		              base.p);
	if (rc == 0 && load_plain(m, from, e))
		rc = err_prefix(e, "%s, an adapter: ", dir);
	if (rc == 0 && model_fold(m, dir, e)) {
		model_release(m);
		rc = -1;
	}
	buf_release(&base);
	free(from);
	return rc;
}

int model_reload(struct model *m, const char *dir, struct err *e)
{
	struct lora *a, *own = m->lora;
	if (!own)
		return modelfile_read(m->w, &m->lay, dir, e);
	if (lorafile_load(&a, &m->cfg, dir, e))
		return -1;
	bool same = a->rank == own->rank && a->scale == own->scale && a->lay.n == own->lay.n && a->lay.total == own->lay.total;
	if (same)
		memcpy(own->w, a->w, a->lay.total * sizeof *a->w);
	lora_close(a);
	return same ? 0 : err_data(e, "%s: the adapter has another rank, alpha or targets", dir);
}

int model_init(struct model *m, const struct config *c, uint64_t seed, struct err *e)
{
	if (open_weights(m, c, e))
		return -1;
	if (modelfile_random(m->w, &m->lay, c->init_range, seed, e) == 0)
		return 0;
	model_release(m);
	return -1;
}

int model_save(const struct model *m, const char *dir, struct err *e)
{
	return model_save_as(m, dir, TENSOR_F32, e);
}

int model_save_as(const struct model *m, const char *dir, enum tensor_dtype as, struct err *e)
{
	if (m->lora)
		return lorafile_save(m->lora, dir, as, e);
	if (modelfile_write(m->w, &m->lay, dir, as, e) || config_save(&m->cfg, dir, tensor_torch(as), e))
		return -1;
	return 0;
}

void model_release(struct model *m)
{
	params_release(&m->lay);
	free(m->w);
	m->w = NULL;
	lora_close(m->lora);
	m->lora = NULL;
}

const struct params *model_trained_lay(const struct model *m)
{
	return m->lora ? &m->lora->lay : &m->lay;
}

float *model_trained(const struct model *m)
{
	return m->lora ? m->lora->w : m->w;
}

/* --- work: threads and activations ---------------------------------------------- */

struct work {
	struct pool *pool;
	struct mat *mat;
	const struct kernel *kr;
	struct config c;
	struct attention_angles angles;
	int rank;   /* of the model's adapter, 0: none */
	float *mem; /* everything below that is float, laid out anew for every call */
	size_t have;
	int *pos; /* for each row, and in the same block: */
	int32_t *rows, *label;
	double *nll;
	uint8_t *hit;
	int nrows;

	struct layer_keep *keep; /* one a layer, or one for all where there is no way back */
	bool checkpoint;         /* all share what they keep but for their inputs */
	struct layer_env env;
	float *x;          /* (n, C) what the last layer gives */
	float *mean, *rstd; /* n of the final LayerNorm */
	float *dx;         /* (n, C) */
	float *logits;     /* losshead's scratch */
	float *taken;      /* gradients of the embedding or what is behind the layers, then of a layer */
};

struct work *model_work(const struct model *m, int threads, struct err *e)
{
	struct work *ws = calloc(1, sizeof *ws);
	if (ws) {
		ws->c = m->cfg;
		ws->rank = m->lora ? m->lora->rank : 0;
		ws->kr = kernel_best();
		ws->keep = calloc((size_t)m->cfg.layers, sizeof *ws->keep);
		ws->pool = pool_open(threads);
		if (ws->keep && ws->pool && (ws->mat = mat_open(ws->pool, MAT_F32, e)))
			return ws;
	}
	model_work_close(ws);
	err_mem(e);
	return NULL;
}

void model_work_checkpoint(struct work *ws)
{
	ws->checkpoint = true;
}

int model_work_bf16(struct work *ws, struct err *e)
{
	struct mat *m = mat_open(ws->pool, MAT_BF16, e);
	if (!m)
		return -1;
	mat_close(ws->mat);
	ws->mat = m;
	return 0;
}

void model_work_close(struct work *ws)
{
	if (!ws)
		return;
	mat_close(ws->mat);
	pool_close(ws->pool);
	attention_angles_release(&ws->angles);
	free(ws->keep);
	free(ws->mem);
	free(ws->nll);
	free(ws->taken);
	free(ws);
}

/* The next `n` floats of mem, on a cache line of their own; before there is memory
 * (base NULL) only the size is counted. */
static float *take(float *base, size_t *used, size_t n)
{
	float *p = base ? base + *used : NULL;
	*used += (n + 15) / 16 * 16;
	return p;
}

/* All but the input. */
static void lay_out_keep(struct layer_keep *k, const struct config *c, size_t n, float *base, size_t *used)
{
	k->mid = c->parallel ? NULL : take(base, used, n * c->hidden);
	k->mean1 = take(base, used, n);
	k->rstd1 = take(base, used, n);
	k->mean2 = take(base, used, n);
	k->rstd2 = take(base, used, n);
	k->qkv = take(base, used, n * 3 * c->hidden);
	k->att = take(base, used, n * c->hidden);
	k->lse = take(base, used, n * c->heads);
	k->up = take(base, used, n * c->ffn);
}

/* Places everything for n rows, the longest sequence having `longest`; returns the floats
 * it takes. Without ws->keep nothing is placed, only counted. */
static size_t lay_out(struct work *ws, size_t n, int longest, int threads, bool back, bool head, float *base)
{
	const struct config *c = &ws->c;
	struct layer_env *v = &ws->env;
	struct layer_keep none = {0}, *k = &none;
	size_t used = 0, wide = c->ffn > 3 * c->hidden || !back ? c->ffn : 3 * c->hidden;
	for (int l = 0; l < (back ? c->layers : 1); l++) {
		const struct layer_keep *last = k;
		k = ws->keep ? &ws->keep[l] : &none;
		if (l > 0 && ws->checkpoint)
			*k = *last;
		else
			lay_out_keep(k, c, n, base, &used);
		k->x = take(base, &used, n * c->hidden);
	}
	ws->x = take(base, &used, n * c->hidden);
	ws->mean = take(base, &used, n);
	ws->rstd = take(base, &used, n);
	v->h = take(base, &used, n * c->hidden);
	v->wide = take(base, &used, n * wide);
	v->strip = (attention_scratch(matmul_best(false), longest, c->head_dim, back) + 15) / 16 * 16;
	v->strips = take(base, &used, v->strip * (size_t)threads);
	v->lora.low = take(base, &used, n * (size_t)ws->rank);
	if (back) {
		v->dh = take(base, &used, n * c->hidden);
		v->datt = take(base, &used, n * c->hidden);
		v->wide2 = take(base, &used, n * c->ffn);
		ws->dx = take(base, &used, n * c->hidden);
	}
	if (head)
		ws->logits = take(base, &used, losshead_scratch(c->vocab, c->hidden));
	return used;
}

size_t model_work_bytes(const struct config *c, size_t rows, int longest, int threads, bool checkpoint)
{
	struct work ws = {.c = *c, .checkpoint = checkpoint};
	return lay_out(&ws, rows, longest, threads, true, true, NULL) * sizeof(float) + mat_bytes(MAT_F32, threads);
}

static int room_for_floats(struct work *ws, size_t n, struct err *e)
{
	if (n <= ws->have)
		return 0;
	free(ws->mem);
	ws->have = 0;
	ws->mem = pages_alloc(n * sizeof *ws->mem);
	if (!ws->mem)
		return err_mem(e);
	ws->have = n;
	return 0;
}

static int room_for_rows(struct work *ws, int n, struct err *e)
{
	if (n <= ws->nrows)
		return 0;
	free(ws->nll);
	ws->nrows = 0;
	ws->nll = malloc((size_t)n * (sizeof(double) + sizeof(int) + 2 * sizeof(int32_t) + sizeof *ws->hit));
	if (!ws->nll)
		return err_mem(e);
	ws->rows = (void *)(ws->nll + n);
	ws->label = ws->rows + n;
	ws->pos = ws->label + n;
	ws->hit = (uint8_t *)(ws->pos + n);
	ws->nrows = n;
	return 0;
}

/* Checks the ids and makes room; env is ready afterwards. */
static int prepare(struct work *ws, const struct batch *b, bool back, bool head, struct err *e)
{
	int n = b->start[b->nseq], longest = 0, threads = pool_threads(ws->pool);
	for (int i = 0; i < n; i++)
		if (b->ids[i] < 0 || b->ids[i] >= ws->c.vocab)
			return err_data(e, "token %d is not in the model's vocabulary of %d", b->ids[i], ws->c.vocab);
	for (int s = 0; s < b->nseq; s++)
		if (b->start[s + 1] - b->start[s] > longest)
			longest = b->start[s + 1] - b->start[s];
	if (attention_angles_upto(&ws->angles, &ws->c, longest, e) || room_for_rows(ws, n, e) ||
	    room_for_floats(ws, lay_out(ws, (size_t)n, longest, threads, back, head, NULL), e))
		return -1;
	lay_out(ws, (size_t)n, longest, threads, back, head, ws->mem);
	for (int s = 0; s < b->nseq; s++)
		for (int i = b->start[s]; i < b->start[s + 1]; i++)
			ws->pos[i] = i - b->start[s];
	ws->env.kr = ws->kr;
	ws->env.mm = matmul_best(false);
	ws->env.pool = ws->pool;
	ws->env.mat = ws->mat;
	ws->env.c = &ws->c;
	ws->env.n = n;
	ws->env.nseq = b->nseq;
	ws->env.start = b->start;
	ws->env.pos = ws->pos;
	ws->env.angles = &ws->angles;
	return 0;
}

/* --- forward and backward -------------------------------------------------------- */

/* What the pieces shared over the pool look at. */
struct pass {
	const struct model *m;
	struct work *ws;
	const struct batch *b;
	float *g;                         /* gradients by the table, or NULL: */
	float *embed, *lnf_w, *lnf_b;     /* those outside the layers, */
	float *layer;                     /* those of a layer, */
	const struct model_taker *t;      /* and who takes them */
};

static void embed_rows(void *arg, int from, int to)
{
	const struct pass *p = arg;
	int c = p->m->cfg.hidden;
	p->ws->kr->embed(p->ws->keep[0].x + (size_t)from * (size_t)c, p->m->w + p->m->lay.embed, p->b->ids + from, to - from,
	                 c);
}

static void final_norm_rows(void *arg, int from, int to)
{
	const struct pass *p = arg;
	int c = p->m->cfg.hidden;
	size_t off = (size_t)from * (size_t)c;
	p->ws->kr->layernorm(p->ws->env.h + off, p->ws->mean + from, p->ws->rstd + from, p->ws->x + off,
	                     p->m->w + p->m->lay.lnf_w, p->m->w + p->m->lay.lnf_b, to - from, c, (float)p->m->cfg.ln_eps);
}

/* The layer's adapter. */
static void adapt(struct pass *p, int l)
{
	struct lora_site *s = &p->ws->env.lora;
	s->l = p->m->lora;
	s->at = s->l ? &s->l->layer[l] : NULL;
	s->mat = p->ws->mat;
	s->n = p->ws->env.n;
}

/* From ids to env.h, the final LayerNorm's output. */
static void forward(struct pass *p, bool back)
{
	const struct model *m = p->m;
	struct work *ws = p->ws;
	span_run(ws->pool, ws->env.n, 1, embed_rows, p);
	for (int l = 0; l < m->cfg.layers; l++) {
		struct layer_keep *k = &ws->keep[back ? l : 0];
		float *out = back && l + 1 < m->cfg.layers ? k[1].x : ws->x;
		adapt(p, l);
		layer_forward(&ws->env, k, m->w, &m->lay.layer[l], out);
		if (!back && l + 1 < m->cfg.layers) { /* two arrays take turns */
			ws->x = k->x;
			k->x = out;
		}
	}
	span_run(ws->pool, ws->env.n, 1, final_norm_rows, p);
}

static void final_norm_back_rows(void *arg, int from, int to)
{
	const struct pass *p = arg;
	int c = p->m->cfg.hidden;
	size_t off = (size_t)from * (size_t)c;
	memset(p->ws->dx + off, 0, (size_t)(to - from) * (size_t)c * sizeof(float));
	p->ws->kr->layernorm_back(p->ws->dx + off, p->ws->env.dh + off, p->ws->x + off, p->ws->mean + from,
	                          p->ws->rstd + from, p->m->w + p->m->lay.lnf_w, to - from, c);
}

static void final_norm_grad_cols(void *arg, int from, int to)
{
	const struct pass *p = arg;
	p->ws->kr->layernorm_grad(p->lnf_w, p->lnf_b, p->ws->env.dh, p->ws->x, p->ws->mean, p->ws->rstd, p->ws->env.n,
	                          p->m->cfg.hidden, from, to);
}

static void embed_back_cols(void *arg, int from, int to)
{
	const struct pass *p = arg;
	p->ws->kr->embed_back(p->embed, p->ws->dx, p->b->ids, p->ws->env.n, p->m->cfg.hidden, from, to);
}

/* What a layer's way back needs, where layers share their room for it: the last layer's is still there. */
static void keep_again(struct pass *p, int l)
{
	if (p->ws->checkpoint && l + 1 < p->m->cfg.layers)
		layer_again(&p->ws->env, &p->ws->keep[l], p->m->w, &p->m->lay.layer[l]);
}

/* The places of layer l's gradients in an array that begins with them. */
static struct params_layer from_zero(const struct params *lay, int l)
{
	struct params_layer o = lay->layer[l];
	size_t first = lay->t[1 + l * lay->per_layer].off;
	size_t *each[] = {&o.ln1_w, &o.ln1_b, &o.ln2_w, &o.ln2_b, &o.qkv_w, &o.qkv_b,
	                  &o.dense_w, &o.dense_b, &o.up_w, &o.up_b, &o.down_w, &o.down_b};
	for (size_t i = 0; i < sizeof each / sizeof *each; i++)
		if (*each[i] != SIZE_MAX)
			*each[i] -= first;
	return o;
}

static int layer_back(struct pass *p, int l, struct err *e)
{
	const struct params *lay = &p->m->lay;
	struct work *ws = p->ws;
	struct params_layer o = p->t ? from_zero(lay, l) : lay->layer[l];
	int first = 1 + l * lay->per_layer;
	adapt(p, l);
	keep_again(p, l);
	layer_backward(&ws->env, &ws->keep[l], p->m->w, &lay->layer[l], p->t ? p->layer : p->g, &o, ws->dx);
	return p->t ? p->t->take(p->t->arg, first, first + lay->per_layer, p->layer, e) : 0;
}

/* From env.dh, the gradient of the final LayerNorm's output. */
static int backward(struct pass *p, struct err *e)
{
	const struct model *m = p->m;
	struct work *ws = p->ws;
	int behind = 1 + m->cfg.layers * m->lay.per_layer;
	if (!m->lora)
		span_run(ws->pool, m->cfg.hidden, 16, final_norm_grad_cols, p);
	span_run(ws->pool, ws->env.n, 1, final_norm_back_rows, p);
	if (p->t && p->t->take(p->t->arg, behind, m->lay.n, p->lnf_w, e))
		return -1;
	for (int l = m->cfg.layers; l-- > 0;)
		if (layer_back(p, l, e))
			return -1;
	if (!m->lora)
		span_run(ws->pool, m->cfg.hidden, 16, embed_back_cols, p);
	return p->t ? p->t->take(p->t->arg, 0, 1, p->embed, e) : 0;
}

/* --- loss --------------------------------------------------------------------------- */

int64_t model_scored(const struct batch *b)
{
	int64_t n = 0;
	for (int s = 0; s < b->nseq; s++)
		for (int i = b->start[s] + 1; i < b->start[s + 1]; i++)
			n += b->labels[i] != -100;
	return n;
}

/* Rows that are scored and what they should predict: how many, or -1. */
static int list_scored(struct work *ws, const struct batch *b, struct err *e)
{
	int m = 0;
	for (int s = 0; s < b->nseq; s++)
		for (int i = b->start[s] + 1; i < b->start[s + 1]; i++) {
			if (b->labels[i] == -100)
				continue;
			if (b->labels[i] < 0 || b->labels[i] >= ws->c.vocab)
				return err_data(e, "label %d is neither -100 nor in the model's vocabulary of %d", b->labels[i],
				                ws->c.vocab);
			ws->rows[m] = i - 1;
			ws->label[m++] = b->labels[i];
		}
	return m;
}

/* The loss, and where p has a place for them gradients; dhead: that of the head. */
static int loss(struct pass *p, bool back, double scale, float *dhead, double *nll, struct err *e)
{
	const struct model *m = p->m;
	struct work *ws = p->ws;
	if (prepare(ws, p->b, back, true, e))
		return -1;
	int scored = list_scored(ws, p->b, e);
	if (scored < 0)
		return -1;
	*nll = 0;
	if (scored == 0)
		return 0;
	forward(p, back);
	struct losshead l = {.kr = ws->kr, .pool = ws->pool, .mat = ws->mat, .vocab = m->cfg.vocab, .hidden = m->cfg.hidden,
	                     .w = m->w + m->lay.head, .dw = back && !m->lora ? dhead : NULL, .h = ws->env.h,
	                     .dh = back ? ws->env.dh : NULL, .rows = ws->rows, .label = ws->label, .m = scored,
	                     .scale = (float)scale, .scratch = ws->logits, .nll = ws->nll};
	if (back)
		memset(ws->env.dh, 0, (size_t)ws->env.n * (size_t)m->cfg.hidden * sizeof *ws->env.dh);
	*nll = losshead_run(&l);
	return back && (!p->t || isfinite(*nll * scale)) ? backward(p, e) : 0;
}

int model_loss(const struct model *m, struct work *ws, const struct batch *b, double scale, float *grad, double *nll,
               struct err *e)
{
	const struct params *lay = &m->lay;
	struct pass p = {.m = m, .ws = ws, .b = b};
	if (!grad || scale == 0)
		return loss(&p, false, 0, NULL, nll, e);
	p.g = grad;
	if (m->lora)
		return loss(&p, true, scale, NULL, nll, e);
	p.embed = grad + lay->embed;
	p.lnf_w = grad + lay->lnf_w;
	p.lnf_b = grad + lay->lnf_b;
	return loss(&p, true, scale, grad + lay->head, nll, e);
}

/* Floats of an array for the embedding's gradient, which then serves what is behind the layers.
 * Where the head is the embedding's matrix the two are under way at once. */
static size_t wide_floats(const struct params *lay)
{
	size_t vocab = lay->t[1].off, behind = lay->total - lay->lnf_w;
	if (lay->head == lay->embed)
		return vocab + behind;
	return vocab > behind ? vocab : behind;
}

static size_t layer_floats(const struct params *lay)
{
	return lay->t[1 + lay->per_layer].off - lay->t[1].off;
}

size_t model_taken_bytes(const struct params *lay)
{
	return (wide_floats(lay) + layer_floats(lay)) * sizeof(float);
}

int model_loss_taken(const struct model *m, struct work *ws, const struct batch *b, double scale,
                     const struct model_taker *t, double *nll, struct err *e)
{
	const struct params *lay = &m->lay;
	struct pass p = {.m = m, .ws = ws, .b = b, .t = t};
	bool tied = lay->head == lay->embed;
	if (!ws->taken && !(ws->taken = params_floats(model_taken_bytes(lay) / sizeof(float))))
		return err_mem(e);
	p.embed = ws->taken;
	p.lnf_w = ws->taken + (tied ? lay->t[1].off : 0);
	p.lnf_b = p.lnf_w + (lay->lnf_b - lay->lnf_w);
	p.layer = ws->taken + wide_floats(lay);
	return loss(&p, true, scale, tied ? p.embed : p.lnf_w + (lay->head - lay->lnf_w), nll, e);
}

int model_scores(const struct model *m, struct work *ws, const struct batch *b, struct model_score *score, struct err *e)
{
	struct pass p = {.m = m, .ws = ws, .b = b};
	if (prepare(ws, b, false, true, e))
		return -1;
	int scored = list_scored(ws, b, e), at = 0;
	if (scored < 0)
		return -1;
	if (scored) {
		forward(&p, false);
		struct losshead l = {.kr = ws->kr, .pool = ws->pool, .mat = ws->mat, .vocab = m->cfg.vocab, .hidden = m->cfg.hidden,
		                     .w = m->w + m->lay.head, .h = ws->env.h, .rows = ws->rows, .label = ws->label,
		                     .m = scored, .scratch = ws->logits, .nll = ws->nll, .hit = ws->hit};
		losshead_run(&l);
	}
	for (int s = 0; s < b->nseq; s++) {
		score[s] = (struct model_score){0};
		for (; at < scored && ws->rows[at] < b->start[s + 1]; at++) {
			score[s].nll += ws->nll[at];
			score[s].hits += ws->hit[at];
			score[s].scored++;
		}
	}
	return 0;
}

int model_logits(const struct model *m, struct work *ws, const struct batch *b, float *logits, struct err *e)
{
	struct pass p = {.m = m, .ws = ws, .b = b};
	if (prepare(ws, b, false, false, e))
		return -1;
	forward(&p, false);
	mat_forward(ws->mat, logits, ws->env.h, m->w + m->lay.head, NULL, ws->env.n, m->cfg.vocab, m->cfg.hidden, false);
	return 0;
}
