#include "nx/optim.h"
#include "io/in.h"
#include "io/out.h"
#include "nx/update.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A tensor's work is cut into at most PARTS parts of at least PART floats. Both
 * are fixed, since a sum is one of partial sums, a part each. */
enum { PARTS = 64, PART = 1 << 15, NORM_PART = 1 << 16 };

struct optim {
	const struct params *lay;
	struct optim_rule rule;
	struct pool *pool;
	const struct update *u;
	int64_t t;     /* steps done, or begun */
	double rate, scale; /* of the step begun */
	float *state;  /* AdamW: m, laid out as the parameters; Adafactor: each tensor's R and C, or V; SGD: nothing */
	float *state2; /* AdamW: v; NULL else */
	size_t *place; /* Adafactor: where tensor i's state begins */
	double *sums;  /* partial sums of a tensor or of the norm */
	float *rf, *cf; /* 1 / sqrt(R / mean R), 1 / sqrt(C) of the tensor at hand */
};

/* Floats of Adafactor's state for one tensor, a multiple of a cache line. */
static size_t factors(const struct param *t)
{
	size_t n = t->cols ? (size_t)t->rows + (size_t)t->cols : t->n;
	return (n + 15) / 16 * 16;
}

size_t optim_bytes(const struct params *lay, enum optim_kind kind)
{
	size_t n = 0;
	if (kind == OPTIM_SGD)
		return 0;
	for (int i = 0; i < lay->n; i++)
		n += factors(&lay->t[i]);
	return (kind == OPTIM_ADAMW ? 2 * lay->total : n) * sizeof(float);
}

/* 0, or -1 when memory runs out. */
static int alloc_state(struct optim *o)
{
	if (o->rule.kind == OPTIM_ADAMW) {
		o->state = params_alloc(o->lay);
		o->state2 = params_alloc(o->lay);
		return o->state && o->state2 ? 0 : -1;
	}
	size_t bytes = optim_bytes(o->lay, o->rule.kind); /* a multiple of 64 */
	o->state = aligned_alloc(64, bytes ? bytes : 64);
	if (!o->state)
		return -1;
	memset(o->state, 0, bytes);
	return 0;
}

/* Doubles that the partial sums of any tensor, or of the norm, need. */
static size_t scratch(const struct params *lay, size_t *rows, size_t *cols)
{
	size_t n = lay->total / NORM_PART + 1 + PARTS;
	*rows = *cols = 1;
	for (int i = 0; i < lay->n; i++) {
		size_t r = (size_t)lay->t[i].rows, c = (size_t)lay->t[i].cols;
		if (c && r + PARTS * c > n)
			n = r + PARTS * c;
		*rows = r > *rows ? r : *rows;
		*cols = c > *cols ? c : *cols;
	}
	return n;
}

int optim_open(struct optim **out, const struct params *lay, const struct optim_rule *rule, struct pool *pool,
               struct err *e)
{
	struct optim *o = calloc(1, sizeof *o);
	size_t rows, cols, n = scratch(lay, &rows, &cols);
	if (!o)
		return err_mem(e);
	*o = (struct optim){.lay = lay, .rule = *rule, .pool = pool, .u = update_best()};
	o->place = calloc((size_t)lay->n, sizeof *o->place);
	o->sums = calloc(n, sizeof *o->sums);
	o->rf = calloc(rows, sizeof *o->rf);
	o->cf = calloc(cols, sizeof *o->cf);
	if (alloc_state(o) || !o->place || !o->sums || !o->rf || !o->cf) {
		optim_close(o);
		return err_mem(e);
	}
	for (int i = 0; i + 1 < lay->n; i++)
		o->place[i + 1] = o->place[i] + factors(&lay->t[i]);
	*out = o;
	return 0;
}

void optim_close(struct optim *o)
{
	if (!o)
		return;
	free(o->state);
	free(o->state2);
	free(o->place);
	free(o->sums);
	free(o->rf);
	free(o->cf);
	free(o);
}

/* --- the norm -------------------------------------------------------------------- */

struct norm_job {
	struct optim *o;
	const float *g;
	size_t n;
};

static void norm_part(void *arg, int i)
{
	const struct norm_job *j = arg;
	size_t at = (size_t)i * NORM_PART, left = j->n - at;
	j->o->sums[i] = j->o->u->sumsq(j->g + at, left < NORM_PART ? left : NORM_PART);
}

static double square(struct optim *o, const float *g, size_t n)
{
	struct norm_job j = {o, g, n};
	int parts = (int)((n + NORM_PART - 1) / NORM_PART);
	double s = 0;
	pool_run(o->pool, parts, norm_part, &j);
	for (int i = 0; i < parts; i++)
		s += o->sums[i];
	return s;
}

double optim_norm(struct optim *o, const float *g)
{
	return sqrt(square(o, g, o->lay->total));
}

double optim_square(struct optim *o, const float *g, int from, int to)
{
	const struct params *lay = o->lay;
	return square(o, g, (to < lay->n ? lay->t[to].off : lay->total) - lay->t[from].off);
}

double optim_clip(double norm, double max)
{
	double c = max / (norm + 1e-6);
	return max > 0 && c < 1 ? c : 1;
}

/* --- AdamW ------------------------------------------------------------------------- */

/* One tensor at a time, cut into parts of whole rows; a vector is one of rows of 1. */
struct step_job {
	struct optim *o;
	float *w, *g, *state; /* of the tensor */
	float *state2;
	int rows, cols, parts;
	float scale, keep, rate;
	struct update_adamw adamw;
};

static int first_row(const struct step_job *j, int part)
{
	return (int)((int64_t)j->rows * part / j->parts);
}

static void adamw_part(void *arg, int i)
{
	const struct step_job *j = arg;
	int from = first_row(j, i), to = first_row(j, i + 1);
	size_t at = (size_t)from * (size_t)j->cols, n = (size_t)(to - from) * (size_t)j->cols;
	j->o->u->adamw(j->w + at, j->state + at, j->state2 + at, j->g + at, n, &j->adamw);
}

static void adamw(struct step_job *j)
{
	pool_run(j->o->pool, j->parts, adamw_part, j);
}

static struct update_adamw adamw_constants(const struct optim *o, double rate, double scale)
{
	const struct optim_rule *r = &o->rule;
	double t = (double)o->t;
	return (struct update_adamw){
		.scale = (float)scale,
		.a1 = (float)(1 - r->beta1),
		.b2 = (float)r->beta2,
		.a2 = (float)(1 - r->beta2),
		.rate = (float)(rate / (1 - pow(r->beta1, t))),
		.unbias = (float)(1 / sqrt(1 - pow(r->beta2, t))),
		.eps = (float)r->eps,
	};
}

/* --- SGD --------------------------------------------------------------------------- */

static void sgd_part(void *arg, int i)
{
	const struct step_job *j = arg;
	int from = first_row(j, i), to = first_row(j, i + 1);
	size_t at = (size_t)from * (size_t)j->cols, n = (size_t)(to - from) * (size_t)j->cols;
	j->o->u->sgd(j->w + at, j->g + at, n, j->scale, j->keep, j->rate);
}

/* --- Adafactor --------------------------------------------------------------------- */

/* b = 1 - t^-0.8, the share of the old means; eps is added to the squares. */
static double decay(const struct optim *o)
{
	return 1 - pow((double)o->t, -0.8);
}

static const double factor_eps = 1e-30;

/* The row sums of a tensor stand first in sums, then a row of column sums a part. */
static void squares_part(void *arg, int i)
{
	const struct step_job *j = arg;
	int from = first_row(j, i), to = first_row(j, i + 1);
	double *col = j->o->sums + j->rows + (size_t)i * (size_t)j->cols;
	memset(col, 0, (size_t)j->cols * sizeof *col);
	j->o->u->squares(j->o->sums + from, col, j->g + (size_t)from * (size_t)j->cols, to - from, j->cols, j->scale);
}

static void sumsq_part(void *arg, int i)
{
	const struct step_job *j = arg;
	int from = first_row(j, i), to = first_row(j, i + 1);
	j->o->sums[i] = j->o->u->factored_sumsq(j->g + (size_t)from * (size_t)j->cols, j->o->rf + from, j->o->cf, to - from,
	                                        j->cols, j->scale);
}

static void factored_part(void *arg, int i)
{
	const struct step_job *j = arg;
	int from = first_row(j, i), to = first_row(j, i + 1);
	size_t at = (size_t)from * (size_t)j->cols;
	j->o->u->factored(j->w + at, j->g + at, j->o->rf + from, j->o->cf, to - from, j->cols, j->scale, j->keep, j->rate);
}

/* R and C take in the new means; rf and cf are made of them. */
static void new_factors(struct step_job *j)
{
	struct optim *o = j->o;
	double b = decay(o), mean = 0;
	float *r = j->state, *c = j->state + j->rows;
	for (int i = 0; i < j->rows; i++) {
		r[i] = (float)(b * (double)r[i] + (1 - b) * (o->sums[i] / j->cols + factor_eps));
		mean += (double)r[i];
	}
	mean /= j->rows;
	for (int i = 0; i < j->rows; i++)
		o->rf[i] = (float)(1 / sqrt((double)r[i] / mean));
	for (int k = 0; k < j->cols; k++) {
		double s = 0;
		for (int p = 0; p < j->parts; p++)
			s += o->sums[j->rows + p * j->cols + k];
		c[k] = (float)(b * (double)c[k] + (1 - b) * (s / j->rows + factor_eps));
		o->cf[k] = (float)(1 / sqrt((double)c[k]));
	}
}

/* What max(1, rms u) makes of the step: sums holds the parts of the sum of u^2. */
static float clipped_rate(const struct step_job *j, double rate, double sum)
{
	double rms = sqrt(sum / ((double)j->rows * (double)j->cols));
	return (float)(rate / (rms > 1 ? rms : 1));
}

static void factored(struct step_job *j, double rate)
{
	double s = 0;
	pool_run(j->o->pool, j->parts, squares_part, j);
	new_factors(j);
	pool_run(j->o->pool, j->parts, sumsq_part, j);
	for (int i = 0; i < j->parts; i++)
		s += j->o->sums[i];
	j->rate = clipped_rate(j, rate, s);
	pool_run(j->o->pool, j->parts, factored_part, j);
}

static void whole(struct step_job *j, double rate)
{
	double b = decay(j->o);
	size_t n = (size_t)j->rows;
	double s = j->o->u->whole_sumsq(j->state, j->g, n, j->scale, (float)b, (float)(1 - b), (float)factor_eps);
	j->rate = clipped_rate(j, rate, s);
	j->o->u->whole(j->w, j->state, j->g, n, j->scale, j->keep, j->rate);
}

/* --- a step ------------------------------------------------------------------------ */

/* g: the tensor's gradient. */
static void step_tensor(struct optim *o, int i, float *w, float *g, struct step_job *j)
{
	double rate = o->rate;
	const struct param *t = &o->lay->t[i];
	size_t parts = t->n / PART;
	double d = t->decay ? o->rule.weight_decay : 0;
	j->w = w + t->off;
	j->g = g;
	j->rows = t->rows;
	j->cols = t->cols ? t->cols : 1;
	j->parts = parts < 1 ? 1 : parts > PARTS ? PARTS : (int)parts;
	if (j->parts > j->rows)
		j->parts = j->rows;
	j->keep = j->adamw.keep = (float)(1 - rate * d);
	if (o->rule.kind == OPTIM_ADAMW) {
		j->state = o->state + t->off;
		j->state2 = o->state2 + t->off;
		adamw(j);
		return;
	}
	if (o->rule.kind == OPTIM_SGD) {
		j->rate = (float)rate;
		pool_run(o->pool, j->parts, sgd_part, j);
		return;
	}
	j->state = o->state + o->place[i];
	if (t->cols)
		factored(j, rate);
	else
		whole(j, rate);
}

void optim_begin(struct optim *o, double rate, double scale)
{
	o->t++;
	o->rate = rate;
	o->scale = scale;
}

void optim_tensors(struct optim *o, float *w, float *g, int from, int to)
{
	struct step_job j = {.o = o, .scale = (float)o->scale, .adamw = adamw_constants(o, o->rate, o->scale)};
	for (int i = from; i < to; i++)
		step_tensor(o, i, w, g + (o->lay->t[i].off - o->lay->t[from].off), &j);
}

void optim_step(struct optim *o, float *w, float *g, double rate, double scale)
{
	optim_begin(o, rate, scale);
	optim_tensors(o, w, g, 0, o->lay->n);
}

/* --- the state on disk ---------------------------------------------------------------- */

static const char magic[8] = "NXOPTIM1";
enum { STATE_BLOCK = 1 << 20 };

/* Floats of one of the state's arrays. */
static size_t state_floats(const struct optim *o)
{
	size_t n = optim_bytes(o->lay, o->rule.kind) / sizeof(float);
	return o->state2 ? n / 2 : n;
}

static void state_head(const struct optim *o, uint64_t head[3])
{
	head[0] = (uint64_t)o->rule.kind;
	head[1] = (uint64_t)o->t;
	head[2] = state_floats(o);
}

static int write_state(struct out *out, const float *p, size_t n, struct err *e)
{
	for (size_t at = 0; p && at < n; at += STATE_BLOCK)
		if (out_write(out, p + at, (n - at < STATE_BLOCK ? n - at : STATE_BLOCK) * sizeof *p, e))
			return -1;
	return 0;
}

int optim_save(const struct optim *o, const char *path, struct err *e)
{
	struct out *out;
	uint64_t head[3];
	state_head(o, head);
	if (out_open(&out, path, OUT_PLAIN, e))
		return -1;
	if (out_write(out, magic, sizeof magic, e) || out_write(out, head, sizeof head, e) ||
	    write_state(out, o->state, head[2], e) || write_state(out, o->state2, head[2], e)) {
		out_abort(out);
		return -1;
	}
	return out_commit(out, e);
}

/* n bytes and no fewer. */
static int read_all(struct in *in, void *p, size_t n, struct err *e)
{
	ssize_t got = p ? in_full(in, p, n, e) : 0;
	if (got < 0)
		return -1;
	return !p || (size_t)got == n ? 0 : err_data(e, "%s: the file is cut off", in_name(in));
}

static int read_state(struct optim *o, struct in *in, struct err *e)
{
	char mark[sizeof magic], more;
	uint64_t head[3], want[3];
	state_head(o, want);
	if (read_all(in, mark, sizeof mark, e) || read_all(in, head, sizeof head, e))
		return -1;
	if (memcmp(mark, magic, sizeof magic) != 0)
		return err_data(e, "%s: this is no state of an optimizer", in_name(in));
	if (head[0] != want[0] || head[2] != want[2] || head[1] > INT64_MAX)
		return err_data(e, "%s: this is the state of another optimizer or model", in_name(in));
	o->t = (int64_t)head[1];
	if (read_all(in, o->state, head[2] * sizeof(float), e) || read_all(in, o->state2, head[2] * sizeof(float), e))
		return -1;
	ssize_t left = in_full(in, &more, 1, e);
	return left > 0 ? err_data(e, "%s: there is more in the file than its head says", in_name(in)) : (int)left;
}

int optim_load(struct optim *o, const char *path, struct err *e)
{
	struct in *in;
	if (in_open(&in, path, e))
		return -1;
	int rc = read_state(o, in, e);
	in_close(in);
	return rc;
}
