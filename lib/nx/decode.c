#include "nx/decode.h"
#include "base/cpu.h"
#include "base/pages.h"
#include "base/pool.h"
#include "nx/attention.h"
#include "nx/gemm.h"
#include "nx/kernel.h"
#include "nx/kvcache.h"
#include "nx/shortlist.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Tokens go through the layers in pieces of up to PIECE of them: long enough for
 * matrix products to be fast, short enough that activations stay small. A part is
 * divided only at multiples of STRIP of its own tokens, between which attention
 * looks at it strip by strip: so its results do not depend on its company. */
enum { PIECE = 512, STRIP = KVCACHE_STRIP };

/* Products that can run side by side, at most; rows that one call multiplies, which stay in the second cache. */
enum { STEPS = 2, CHUNK = 64 };

struct decode_seq {
	struct kvcache kv;
};

/* What passes from one weight matrix to the next, for up to cap tokens. */
struct rows {
	float *own;          /* one piece of memory for all */
	float *x;            /* (cap, C) the residual stream */
	float *qkv;          /* (cap, 3C) [head][q,k,v][hd] */
	float *att;          /* (cap, C) */
	float *mean, *rstd;  /* (cap) what layernorm keeps for the way back: not used here */
	float *h;            /* (cap, C) after a LayerNorm */
	float *ready[STEPS]; /* (cap, C) what a product reads, as it wants it */
	float *active;       /* (cap, F) the same of what the activation made */
	int cap;
};

/* Tokens of one part in a piece: rows at .. at + n - 1 of it. */
struct span {
	struct decode_seq *seq;
	const int32_t *ids;
	int n, at;
	bool last; /* the part ends here: its logits are wanted */
};

/* Where only the largest logit is asked. */
struct largest {
	bool asked, useless; /* useless: lists were too long too often */
	int calls, failures; /* that asked; whose lists were too long */
	struct shortlist list;
	int32_t *id; /* (cap) of the parts of the last call: those found, -1 where its logits are there */
	int cap;
};

struct decode {
	const struct frozen *f;
	struct frozen view; /* what f is where the weights were a model's */
	const struct kernel *kr;
	const struct gemm *gm;
	struct pool *pool;
	struct attention_angles angles;
	struct rows r;
	struct span span[PIECE];
	int nspan, nrows, nlast; /* of the piece in hand */
	float *scratch;          /* each thread's own scores */
	size_t strip, scratch_n; /* floats of one thread's, of all */
	float *logits;           /* (parts of the last call, vocab) */
	int logits_cap;
	struct largest most;
	struct decode_seq own;
};

static int replace(float **p, size_t n, struct err *e)
{
	free(*p);
	*p = n > SIZE_MAX / 8 ? NULL : pages_alloc(n * sizeof **p);
	return *p ? 0 : err_mem(e);
}

/* --- a sequence ---------------------------------------------------------------- */

struct decode_seq *decode_seq_open(struct decode *d, struct err *e)
{
	struct decode_seq *s = calloc(1, sizeof *s);
	if (s)
		s->kv.c = &d->f->cfg;
	else
		err_mem(e);
	return s;
}

void decode_seq_reset(struct decode_seq *s)
{
	s->kv.len = 0;
}

int decode_seq_length(const struct decode_seq *s)
{
	return s->kv.len;
}

int decode_seq_copy(struct decode_seq *to, const struct decode_seq *from, struct err *e)
{
	return kvcache_copy(&to->kv, &from->kv, e);
}

void decode_seq_close(struct decode_seq *s)
{
	if (s)
		kvcache_release(&s->kv);
	free(s);
}

/* --- room ---------------------------------------------------------------------- */

/* Floats of a row's place in `ready`: those of 32 bits take most. */
static size_t ready_row(int cols)
{
	return gemm_prepared(GEMM_F32, 1, cols) / sizeof(float);
}

/* Where each of them is in `own`, unless that is NULL; floats of all. */
static size_t place_rows(struct rows *r, const struct config *c, size_t n)
{
	size_t C = (size_t)c->hidden, ready = ready_row(c->hidden), at = 0;
	const struct {
		float **p;
		size_t width;
	} all[] = {{&r->x, C},       {&r->qkv, 3 * C},     {&r->att, C},         {&r->mean, 1},
	           {&r->rstd, 1},    {&r->h, C},           {&r->ready[0], ready}, {&r->ready[1], ready},
	           {&r->active, ready_row(c->ffn)}};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		*all[i].p = r->own ? r->own + at : NULL;
		at += (n * all[i].width + 15) / 16 * 16;
	}
	return at;
}

static int grow_rows(struct decode *d, int n, struct err *e)
{
	struct rows *r = &d->r;
	if (n <= r->cap)
		return 0;
	free(r->own);
	*r = (struct rows){0};
	if (replace(&r->own, place_rows(r, &d->f->cfg, (size_t)n), e))
		return -1;
	place_rows(r, &d->f->cfg, (size_t)n);
	r->cap = n;
	return 0;
}

/* Scores of a strip of queries over up to `keys` keys, for each thread. */
static int grow_scratch(struct decode *d, int nkeys, struct err *e)
{
	size_t strip = kvcache_scratch(&d->f->cfg, nkeys), need = strip * (size_t)pool_threads(d->pool);
	if (need > d->scratch_n) {
		d->scratch_n = 0;
		if (replace(&d->scratch, need, e))
			return -1;
		d->scratch_n = need;
		d->strip = strip;
	}
	return 0;
}

static int grow_logits(struct decode *d, int n, struct err *e)
{
	if (n <= d->logits_cap)
		return 0;
	d->logits_cap = 0;
	if (replace(&d->logits, (size_t)n * (size_t)d->f->cfg.vocab, e))
		return -1;
	d->logits_cap = n;
	return 0;
}

/* --- products ------------------------------------------------------------------- */

/* A product, and what happens to the rows before it and behind it. */
struct step {
	struct gemm_product p;
	const float *x;             /* (n, w.cols); NULL: they are in d->r.active, ready */
	const float *norm_w, *norm_b; /* LayerNorm comes first, unless NULL */
	bool activate;              /* the result is activated and made ready, in d->r.active, */
	enum gemm_type then;        /* for a matrix of this type; p.y is nowhere */
	int skip, of;               /* not wanted are the first `skip` of each `of` rows of w, multiples of GEMM_PANEL */
	float *ready;               /* room of the product's own */
};

/* Products that can run side by side: task i multiplies a chunk of rows by a slice of
 * each matrix. Two that add to one y have the same number of rows of w, so that a slice
 * has one owner. */
struct stage {
	const struct decode *d;
	struct step *s;
	int n, chunks, slices;
};

static int cut(int n, int parts, int i)
{
	return (int)((int64_t)n * i / parts);
}

/* LayerNorm of n rows. Of two of the same rows the second has the first one's mean and deviation. */
static const float *norm(const struct decode *d, const struct step *t, bool again, int from, int n)
{
	int cols = t->p.w.cols;
	float *h = d->r.h + (size_t)from * (size_t)cols, *mean = d->r.mean + from, *rstd = d->r.rstd + from;
	const float *x = t->x + (size_t)from * (size_t)cols;
	if (again)
		d->kr->layernorm_again(h, x, mean, rstd, t->norm_w, t->norm_b, n, cols);
	else
		d->kr->layernorm(h, mean, rstd, x, t->norm_w, t->norm_b, n, cols, (float)d->f->cfg.ln_eps);
	return h;
}

/* Rows of a chunk as each of the products wants them. */
static void prepare_chunk(void *arg, int i)
{
	const struct stage *s = arg;
	for (const struct step *t = s->s; t < s->s + s->n; t++) {
		int cols = t->p.w.cols, from = cut(t->p.n, s->chunks, i), n = cut(t->p.n, s->chunks, i + 1) - from;
		bool again = t > s->s && t[-1].norm_w && t[-1].x == t->x;
		if (!t->x)
			continue;
		const float *x = t->norm_w ? norm(s->d, t, again, from, n) : t->x + (size_t)from * (size_t)cols;
		s->d->gm->prepare(t->ready + (size_t)from * ready_row(cols), t->p.w.type, x, cols, n, cols, 0, cols);
	}
}

/* The rows from .. to - 1 of w by a chunk whose first row is `at`. The result is activated and made ready
 * a band at a time, while it is in the first cache. */
static void multiply_active(const struct decode *d, const struct step *t, struct gemm_product p, int at, int from, int to)
{
	enum { BAND = 4 * GEMM_PANEL };
	float y[CHUNK * BAND] __attribute__((aligned(64)));
	p.y = y;
	for (int o = from; o < to; o += BAND) {
		int end = to - o < BAND ? to : o + BAND;
		p.ldy = end - o;
		d->gm->run(&p, o, end);
		d->kr->act(y, y, (size_t)p.n * (size_t)p.ldy, d->f->cfg.act);
		d->gm->prepare(d->r.active + (size_t)at * ready_row(p.w.rows), t->then, y, p.ldy, p.n, p.w.rows, o, end);
	}
}

/* The rows from .. to - 1 of w that are wanted. */
static void multiply_wanted(const struct decode *d, const struct step *t, struct gemm_product p, int from, int to)
{
	float *y = p.y;
	for (int o = from, end; o < to; o = end) {
		int in = t->of ? o % t->of : 0;
		end = t->of && o - in + t->of < to ? o - in + t->of : to;
		if (in < t->skip)
			o += t->skip - in;
		p.y = y + (o - from);
		if (o < end)
			d->gm->run(&p, o, end);
	}
}

static void multiply_slice(const struct stage *s, const struct step *t, int chunk, int part)
{
	struct gemm_product p = t->p;
	int panels = (p.w.rows + GEMM_PANEL - 1) / GEMM_PANEL, at = cut(p.n, s->chunks, chunk);
	int from = cut(panels, s->slices, part) * GEMM_PANEL, to = cut(panels, s->slices, part + 1) * GEMM_PANEL;
	if (to > p.w.rows)
		to = p.w.rows;
	p.n = cut(p.n, s->chunks, chunk + 1) - at;
	p.x = (t->x ? t->ready : s->d->r.active) + (size_t)at * ready_row(p.w.cols);
	if (t->activate) {
		multiply_active(s->d, t, p, at, from, to);
	} else if (from < to) {
		p.y += (size_t)at * (size_t)p.ldy + (size_t)(p.peaks ? from / GEMM_PANEL : from);
		multiply_wanted(s->d, t, p, from, to);
	}
}

static void multiply(void *arg, int i)
{
	const struct stage *s = arg;
	for (const struct step *t = s->s; t < s->s + s->n; t++)
		multiply_slice(s, t, i / s->slices, i % s->slices);
}

static void run_stage(struct decode *d, const struct step *s, int n)
{
	int threads = pool_threads(d->pool);
	struct step own[STEPS];
	struct stage t = {d, own, n, (s->p.n + CHUNK - 1) / CHUNK, 1};
	/* so that all end together, also where one is held up; slices of few rows are short as they are */
	int wanted = threads == 1 ? 1 : threads * (t.chunks == 1 ? 4 : 16);
	for (int i = 0; i < n; i++) {
		own[i] = s[i];
		own[i].ready = d->r.ready[i];
	}
	if (t.chunks < 1) /* no row */
		return;
	t.slices = (wanted + t.chunks - 1) / t.chunks;
	if (t.chunks == 1)
		prepare_chunk(&t, 0); /* sooner done than shared */
	else
		pool_run(d->pool, t.chunks, prepare_chunk, &t);
	pool_run(d->pool, t.chunks * t.slices, multiply, &t);
}

/* y (n, rows) = x (n, cols) times the matrix, plus the bias at b. */
static struct step product(const struct decode *d, float *y, const float *x, int n, const struct gemm_matrix *w, size_t b)
{
	return (struct step){.p = {.y = y, .ldy = w->rows, .n = n, .w = *w, .bias = frozen_vector(d->f, b)}, .x = x};
}

/* y += that. */
static struct step added(struct step s)
{
	s.p.add = true;
	return s;
}

/* Of LayerNorm of x. */
static struct step normed(const struct decode *d, struct step s, size_t w, size_t b)
{
	s.norm_w = frozen_vector(d->f, w);
	s.norm_b = frozen_vector(d->f, b);
	return s;
}

static struct step activated(struct step s, enum gemm_type then)
{
	s.activate = true;
	s.then = then;
	return s;
}

/* Of queries, keys and values keys and values alone. */
static struct step no_queries(const struct decode *d, struct step s)
{
	if (d->f->cfg.head_dim % GEMM_PANEL == 0) {
		s.skip = d->f->cfg.head_dim;
		s.of = 3 * s.skip;
	}
	return s;
}

/* --- attention ---------------------------------------------------------------------- */

/* A head of a span is a thread's work at a time: it turns queries and keys, puts keys and values
 * into the cache and attends. Of the last layer only the last token of a part is looked at: so first
 * it is done with keys and values, and then queries of these tokens have the first rows of qkv and att. */
struct attend {
	struct decode *d;
	int layer;
	enum attend_what { ALL, PUT, LAST } what;
	atomic_int next;
};

/* A head's query, key or value in a row of qkv. */
static float *head_at(const struct decode *d, int row, int h, int which)
{
	const struct config *c = &d->f->cfg;
	return d->r.qkv + (size_t)row * 3 * (size_t)c->hidden + (size_t)(3 * h + which) * (size_t)c->head_dim;
}

/* Queries (0) or keys (1) of n rows, the first of which stands at `position`. */
static void turn(const struct decode *d, int row, int h, int which, int position, int n)
{
	const struct config *c = &d->f->cfg;
	size_t angle = (size_t)position * (size_t)(c->rotary_dims / 2);
	d->kr->turn(head_at(d, row, h, which), 3 * c->hidden, d->angles.cos + angle, d->angles.sin + angle, n, c->rotary_dims);
}

static void put(struct decode *d, int layer, const struct span *s, int h)
{
	turn(d, s->at, h, 1, s->seq->kv.len, s->n);
	kvcache_put(&s->seq->kv, d->gm, layer, h, head_at(d, s->at, h, 1), head_at(d, s->at, h, 2), 3 * d->f->cfg.hidden, s->n);
}

/* Queries in n rows from `row` on, the first of which is of token `from` of the span. */
static void look(struct decode *d, int layer, const struct span *s, int h, int from, int n, int row, float *scratch)
{
	const struct config *c = &d->f->cfg;
	float *out = d->r.att + (size_t)row * (size_t)c->hidden + (size_t)h * (size_t)c->head_dim;
	struct kvcache_queries q = {layer, h, head_at(d, row, h, 0), 3 * c->hidden, n, s->seq->kv.len + from + n};
	turn(d, row, h, 0, s->seq->kv.len + from, n);
	kvcache_attend(&s->seq->kv, d->gm, d->kr, &q, out, c->hidden, scratch);
}

static void attend_slot(void *arg, int slot)
{
	struct attend *a = arg;
	struct decode *d = a->d;
	int heads = d->f->cfg.heads, i;
	float *scratch = d->scratch + (size_t)slot * d->strip;
	while ((i = atomic_fetch_add(&a->next, 1)) < d->nspan * heads) {
		const struct span *s = &d->span[i / heads];
		int h = i % heads;
		if (a->what != LAST)
			put(d, a->layer, s, h);
		for (int from = 0; from < s->n && a->what == ALL; from += STRIP)
			look(d, a->layer, s, h, from, s->n - from < STRIP ? s->n - from : STRIP, s->at + from, scratch);
		if (a->what == LAST && s->last) /* only the last span of a piece can go on in the next */
			look(d, a->layer, s, h, s->n - 1, 1, i / heads, scratch);
	}
}

static void attend(struct decode *d, int layer, enum attend_what what)
{
	struct attend a = {.d = d, .layer = layer, .what = what};
	pool_run(d->pool, pool_threads(d->pool), attend_slot, &a);
}

/* --- layers --------------------------------------------------------------------------- */

/* The rows that the logits are made of, one behind the other at the front of x. */
static int keep_last(struct decode *d)
{
	size_t C = (size_t)d->f->cfg.hidden;
	int n = 0;
	for (const struct span *s = d->span; s < d->span + d->nspan; s++)
		if (s->last)
			memmove(d->r.x + (size_t)n++ * C, d->r.x + (size_t)(s->at + s->n - 1) * C, C * sizeof(float));
	return n;
}

static void layer(struct decode *d, int l)
{
	const struct config *c = &d->f->cfg;
	const struct params_layer *y = &d->f->lay.layer[l];
	const struct gemm_matrix *up_w = frozen_matrix(d->f, y->up_w), *down_w = frozen_matrix(d->f, y->down_w);
	struct rows *r = &d->r;
	int n = d->nrows;
	bool top = l + 1 == c->layers && d->nlast < n;
	struct step qkv = normed(d, product(d, r->qkv, r->x, n, frozen_matrix(d->f, y->qkv_w), y->qkv_b), y->ln1_w, y->ln1_b);
	struct step up = activated(normed(d, product(d, NULL, r->x, n, up_w, y->up_b), y->ln2_w, y->ln2_b), down_w->type);

	if (top) {
		struct step kv = no_queries(d, qkv);
		run_stage(d, &kv, 1);
		attend(d, l, PUT);
		n = qkv.p.n = up.p.n = keep_last(d);
	}
	if (n == 0)
		return;
	run_stage(d, (struct step[]){qkv, up}, c->parallel ? 2 : 1);
	attend(d, l, top ? LAST : ALL);
	struct step dense = added(product(d, r->x, r->att, n, frozen_matrix(d->f, y->dense_w), y->dense_b));
	struct step down = added(product(d, r->x, NULL, n, down_w, y->down_b));
	if (c->parallel) {
		run_stage(d, (struct step[]){dense, down}, 2);
		return;
	}
	run_stage(d, &dense, 1);
	run_stage(d, &up, 1);
	run_stage(d, &down, 1);
}

/* --- the head -------------------------------------------------------------------------- */

/* To narrow the head takes about as long as READS products with it: after as many, which all may have been, it is done. */
enum { READS = 4, FAILURES = 8 };

/* Whether a list for n rows costs less than it saves: without dot products of bytes eight bits are multiplied no
 * faster than 32, so that there must be few rows, which wait for memory. */
static bool worth_a_list(const struct decode *d, int n)
{
	enum gemm_type type = frozen_head(d->f)->type;
	return d->most.asked && !d->most.useless && (cpu_byte_dots() ? type != GEMM_Q8 : type == GEMM_F32 && n <= 4);
}

/* Before a call for the logits of n parts. */
static int ready_largest(struct decode *d, int n, struct err *e)
{
	struct largest *m = &d->most;
	if (n > m->cap) {
		m->cap = 0;
		free(m->id);
		if (!(m->id = malloc((size_t)n * sizeof *m->id)))
			return err_mem(e);
		m->cap = n;
	}
	memset(m->id, -1, (size_t)n * sizeof *m->id);
	if (!worth_a_list(d, n))
		return 0;
	if (m->calls < READS) {
		m->calls++;
		return 0;
	}
	if (!m->list.w.v && shortlist_open(&m->list, d->gm, frozen_head(d->f), d->pool, e))
		return -1;
	return shortlist_room(&m->list, n, e);
}

/* The largest logits of the last rows into id. Returns whether they are found: not where lists are long. */
static bool find_largest(struct decode *d, struct step head, int32_t *id)
{
	struct largest *m = &d->most;
	if (!worth_a_list(d, d->nlast) || !m->list.w.v || d->nlast > m->list.cap)
		return false;
	head.p.w = m->list.w;
	head.p.y = m->list.peaks;
	head.p.ldy = m->list.panels;
	head.p.peaks = true;
	run_stage(d, &head, 1);
	if (shortlist_find(&m->list, d->pool, d->r.h, d->nlast, id) >= 0)
		return true;
	if (++m->failures == FAILURES) {
		m->useless = true;
		shortlist_release(&m->list);
	}
	return false;
}

float *decode_row(struct decode *d, int i)
{
	return d->logits + (size_t)i * (size_t)d->f->cfg.vocab;
}

/* The logits of the parts that end in the piece in hand, the first of which is part `at` of the call, or their largest. */
static void run_head(struct decode *d, int at)
{
	const struct params *lay = &d->f->lay;
	struct step head = normed(d, product(d, decode_row(d, at), d->r.x, d->nlast, frozen_head(d->f), SIZE_MAX), lay->lnf_w, lay->lnf_b);
	if (!find_largest(d, head, d->most.id + at))
		run_stage(d, &head, 1);
}

/* --- feeding -------------------------------------------------------------------- */

/* The piece in hand through all layers; the first part that ends in it is part `at` of the call. */
static void run_piece(struct decode *d, int at)
{
	const struct config *c = &d->f->cfg;
	for (struct span *s = d->span; s < d->span + d->nspan; s++)
		for (int i = 0; i < s->n; i++)
			frozen_embed(d->f, s->ids[i], d->r.x + (size_t)(s->at + i) * (size_t)c->hidden);
	for (int l = 0; l < c->layers; l++)
		layer(d, l);
	for (struct span *s = d->span; s < d->span + d->nspan; s++)
		s->seq->kv.len += s->n;
	if (d->nlast)
		run_head(d, at);
	d->nspan = d->nrows = d->nlast = 0;
}

/* How many of the part's tokens, `done` of which are through, go into the piece in hand. */
static int share(const struct decode *d, const struct decode_part *p, int done)
{
	int left = p->nids - done, room = PIECE - d->nrows;
	return left <= room ? left : room / STRIP * STRIP;
}

static void run_parts(struct decode *d, const struct decode_part *parts, int n)
{
	int from = 0; /* the first part without logits */
	for (int i = 0, done = 0; i < n;) {
		int k = share(d, &parts[i], done);
		if (k > 0) {
			bool last = done + k == parts[i].nids;
			d->span[d->nspan++] = (struct span){parts[i].seq, parts[i].ids + done, k, d->nrows, last};
			d->nrows += k;
			d->nlast += last;
			done = last ? 0 : done + k;
			i += last;
		}
		if (k == 0 || d->nrows == PIECE || i == n || done) {
			int ended = d->nlast;
			run_piece(d, from);
			from += ended;
		}
	}
}

int decode_parts(struct decode *d, const struct decode_part *parts, int n, struct err *e)
{
	const struct config *c = &d->f->cfg;
	int64_t total = 0;
	int longest = 0;
	for (const struct decode_part *p = parts; p < parts + n; p++) {
		for (int i = 0; i < p->nids; i++)
			if (p->ids[i] < 0 || p->ids[i] >= c->vocab)
				return err_data(e, "token id %d is outside the model's vocabulary of %d", p->ids[i], c->vocab);
		if (p->nids > INT32_MAX - p->seq->kv.len)
			return err_data(e, "more tokens than a sequence can have");
		if (p->seq->kv.len + p->nids > longest)
			longest = p->seq->kv.len + p->nids;
		total += p->nids;
	}
	for (const struct decode_part *p = parts; p < parts + n; p++)
		if (kvcache_grow(&p->seq->kv, p->seq->kv.len + p->nids, &p->seq->kv, e))
			return -1;
	if (grow_rows(d, total < PIECE ? (int)total : PIECE, e) || grow_logits(d, n, e) || grow_scratch(d, longest, e) ||
	    attention_angles_upto(&d->angles, c, longest, e) || ready_largest(d, n, e))
		return -1;
	run_parts(d, parts, n);
	return 0;
}

void decode_only_largest(struct decode *d, bool only)
{
	d->most.asked = only;
}

int32_t decode_largest(const struct decode *d, int i)
{
	int vocab = d->f->cfg.vocab;
	return d->most.id[i] >= 0 ? d->most.id[i] : d->kr->argmax(d->logits + (size_t)i * (size_t)vocab, vocab);
}

/* --- the engine ------------------------------------------------------------------- */

int decode_feed(struct decode *d, const int32_t *ids, int n, struct err *e)
{
	return decode_parts(d, &(struct decode_part){&d->own, ids, n}, 1, e);
}

const float *decode_logits(const struct decode *d)
{
	return d->logits;
}

int decode_vocab(const struct decode *d)
{
	return d->f->cfg.vocab;
}

int decode_length(const struct decode *d)
{
	return d->own.kv.len;
}

void decode_reset(struct decode *d)
{
	d->own.kv.len = 0;
}

struct decode *decode_over(const struct frozen *f, int threads, struct err *e)
{
	struct decode *d = calloc(1, sizeof *d);
	if (!d) {
		err_mem(e);
		return NULL;
	}
	d->f = f;
	d->kr = kernel_best();
	d->gm = gemm_best();
	d->own.kv.c = &f->cfg;
	d->pool = pool_open(threads);
	if (!d->pool || grow_logits(d, 1, e)) {
		err_mem(e);
		decode_close(d);
		return NULL;
	}
	return d;
}

struct decode *decode_open(const struct model *m, int threads, struct err *e)
{
	struct frozen view;
	if (frozen_view(&view, m, threads, e))
		return NULL;
	struct decode *d = decode_over(&view, threads, e);
	if (!d) {
		frozen_release(&view);
		return NULL;
	}
	d->view = view;
	d->f = &d->view;
	d->own.kv.c = &d->view.cfg;
	return d;
}

void decode_close(struct decode *d)
{
	if (!d)
		return;
	free(d->r.own);
	free(d->scratch);
	free(d->logits);
	free(d->most.id);
	shortlist_release(&d->most.list);
	kvcache_release(&d->own.kv);
	attention_angles_release(&d->angles);
	frozen_release(&d->view);
	pool_close(d->pool);
	free(d);
}
