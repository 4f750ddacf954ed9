#include "nx/trainer.h"

#include "base/num.h"
#include "base/pool.h"
#include "base/progress.h"
#include "nx/evaluate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct trainer {
	struct model *m;
	const struct dataset *d;
	struct trainer_rule r;
	struct trainer_plan plan;
	struct pool *pool;
	struct work *ws;
	struct optim *optim;
	struct sampler sampler;
	struct sched sched;
	float *grad; /* all 0 between updates; NULL until an update needs one */
	size_t inner; /* tokens of an update that may step in its way back, 0: none */

	int64_t step;          /* updates made or skipped */
	int64_t skipped;
	uint64_t epoch;        /* of the next batch, and which of its batches that is */
	int64_t at;
	const uint32_t *order; /* this epoch's */

	uint32_t *pick; /* the update's records, and after which of them each batch ends */
	size_t *bound;
	size_t npick, nbound;
	struct dataset_pack pack;
	double scale; /* of the records in the pack */
	double loss;  /* of the update, as far as it has been run */
};

struct trainer_rule trainer_defaults(void)
{
	return (struct trainer_rule){
		.rate = 5e-5,
		.epochs = 3,
		.max_steps = -1,
		.batch = 8,
		.accum = 1,
		.sched = SCHED_LINEAR,
		.optim = {.kind = OPTIM_ADAMW, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8},
		.max_norm = 1,
		.seed = 42,
		.sampler = SAMPLER_HF,
		.reduction = TRAINER_TOKEN,
	};
}

int trainer_plan(struct trainer_plan *p, const struct trainer_rule *r, size_t n, struct err *e)
{
	int64_t records = (int64_t)n;
	*p = (struct trainer_plan){0};
	p->batches = records / r->batch + (records % r->batch > 0);
	p->steps_per_epoch = p->batches / r->accum;
	if (r->sampler != SAMPLER_HF_425)
		p->steps_per_epoch += p->batches % r->accum > 0;
	if (p->steps_per_epoch < 1)
		p->steps_per_epoch = 1;
	double steps = ceil(r->epochs * (double)p->steps_per_epoch);
	if (r->max_steps <= 0 && steps > 1e15)
		return err_usage(e, "%g epochs of %lld steps are too many", r->epochs, (long long)p->steps_per_epoch);
	p->steps = r->max_steps > 0 ? r->max_steps : (int64_t)steps;
	p->epochs = p->steps / p->steps_per_epoch + (p->steps % p->steps_per_epoch > 0);
	p->warmup = sched_warmup(r->warmup_steps, r->warmup_ratio, p->steps);
	return 0;
}

/* Tokens of an update that may step the optimizer in the way back: a record runs in one pass whatever
 * its length. How sums are taken follows from it, so neither the number of threads has a say in it nor, as
 * it changes no bit, checkpointing. */
static size_t inner_tokens(const struct model *m, const struct dataset *d, const struct trainer_rule *r)
{
	size_t n = 0;
	if (r->max_norm > 0 || r->skip_nan > 0 || m->lora)
		return 0;
	do
		n += TRAINER_PASS;
	while (n < INT32_MAX / 2 && model_work_bytes(&m->cfg, n + TRAINER_PASS, (int)d->longest_piece, 0, false) <=
	                                m->lay.total * sizeof(float));
	return n > d->longest ? n : d->longest;
}

/* The most tokens an update can have, no more than it takes to know that it is above `enough`. */
static size_t most_tokens(const struct dataset *d, const struct trainer_rule *r, size_t enough)
{
	double records = (double)r->batch * (double)r->accum * (r->sampler == SAMPLER_HF_425 ? 2 : 1);
	if (records > (double)d->n)
		records = (double)d->n;
	double n = records * (double)d->longest, all = (double)(d->n ? d->start[d->n] : 0);
	n = n < all ? n : all;
	return n > (double)enough ? enough + 1 : (size_t)n;
}

size_t trainer_bytes(const struct model *m, const struct dataset *d, const struct trainer_rule *r, int threads)
{
	size_t tokens = d->n ? d->start[d->n] : 0, inner = inner_tokens(m, d, r);
	size_t most = most_tokens(d, r, inner), rows = d->longest > TRAINER_PASS ? d->longest : TRAINER_PASS;
	const struct params *lay = model_trained_lay(m);
	size_t weights = m->lay.total + (m->lora ? lay->total : 0);
	size_t grad = most > inner ? lay->total * sizeof(float) : 0;
	if (inner) {
		grad += model_taken_bytes(lay);
		rows = most < inner ? most : inner;
	}
	return weights * sizeof(float) + grad + optim_bytes(lay, r->optim.kind) +
	       model_work_bytes(&m->cfg, rows, (int)d->longest_piece, threads, r->checkpoint) +
	       tokens * sizeof *d->ids * (d->labels ? 2 : 1) + d->n * sizeof *d->start;
}

/* --- opening ----------------------------------------------------------------------- */

/* An update has up to 2 accum - 1 batches, where one epoch's last ones join the next's first. */
static int open_lists(struct trainer *t, struct err *e)
{
	size_t batches = 2 * (size_t)(t->r.accum < t->plan.batches ? t->r.accum : t->plan.batches);
	size_t batch = (size_t)t->r.batch < t->d->n ? (size_t)t->r.batch : t->d->n;
	t->bound = calloc(batches, sizeof *t->bound);
	t->pick = calloc(batches * batch, sizeof *t->pick);
	return t->bound && t->pick ? 0 : err_mem(e);
}

int trainer_open(struct trainer **out, struct model *m, const struct dataset *d, const struct trainer_rule *r, int threads,
                 struct err *e)
{
	struct trainer *t = calloc(1, sizeof *t);
	if (!t)
		return err_mem(e);
	*t = (struct trainer){.m = m, .d = d, .r = *r};
	if (d->n == 0) {
		err_data(e, "there is no record to train on");
		goto failed;
	}
	if (trainer_plan(&t->plan, r, d->n, e) || open_lists(t, e) ||
	    sampler_open(&t->sampler, r->sampler, (uint32_t)d->n, r->seed, e))
		goto failed;
	t->sched = (struct sched){r->sched, t->plan.warmup, t->plan.steps, r->sched_floor};
	t->order = sampler_epoch(&t->sampler, 0);
	t->pool = pool_open(threads);
	if (!t->pool) {
		err_mem(e);
		goto failed;
	}
	if (!(t->ws = model_work(m, threads, e)) || optim_open(&t->optim, model_trained_lay(m), &r->optim, t->pool, e))
		goto failed;
	if (r->bf16 && model_work_bf16(t->ws, e))
		goto failed;
	if (r->checkpoint)
		model_work_checkpoint(t->ws);
	t->inner = inner_tokens(m, d, r);
	*out = t;
	return 0;
failed:
	trainer_close(t);
	return -1;
}

const struct trainer_plan *trainer_plan_of(const struct trainer *t)
{
	return &t->plan;
}

void trainer_close(struct trainer *t)
{
	if (!t)
		return;
	optim_close(t->optim);
	if (t->ws)
		model_work_close(t->ws);
	pool_close(t->pool);
	sampler_release(&t->sampler);
	dataset_pack_release(&t->pack);
	free(t->grad);
	free(t->pick);
	free(t->bound);
	free(t);
}

/* --- which records ------------------------------------------------------------------ */

static void next_batch(struct trainer *t)
{
	if (t->at == t->plan.batches) {
		t->at = 0;
		t->order = sampler_epoch(&t->sampler, ++t->epoch);
	}
	size_t from = (size_t)(t->at * t->r.batch), to = from + (size_t)t->r.batch;
	for (size_t i = from; i < to && i < t->d->n; i++)
		t->pick[t->npick++] = t->order[i];
	t->bound[t->nbound++] = t->npick;
	t->at++;
}

/* Whether the batch just taken is the update's last. */
static bool is_full(const struct trainer *t)
{
	bool last = t->at == t->plan.batches;
	if (t->at % t->r.accum == 0)
		return true;
	return t->r.sampler == SAMPLER_HF_425 ? last && t->plan.batches <= t->r.accum : last;
}

static void pick_update(struct trainer *t)
{
	t->npick = t->nbound = 0;
	do
		next_batch(t);
	while (!is_full(t));
}

/* --- the passes of an update ----------------------------------------------------------- */

static int need_grad(struct trainer *t, struct err *e)
{
	if (!t->grad)
		t->grad = params_alloc(model_trained_lay(t->m));
	return t->grad ? 0 : err_mem(e);
}

static int flush(struct trainer *t, struct err *e)
{
	double nll = 0;
	if (t->pack.b.nseq && model_loss(t->m, t->ws, &t->pack.b, t->scale, t->grad, &nll, e))
		return -1;
	t->loss += nll * t->scale;
	dataset_pack_reset(&t->pack);
	return 0;
}

/* Record i into the pack, which runs first where it is full or of another scale. */
static int add(struct trainer *t, size_t i, double scale, struct err *e)
{
	size_t have = t->pack.b.nseq ? (size_t)t->pack.b.start[t->pack.b.nseq] : 0;
	if (have && (scale != t->scale || have + dataset_len(t->d, i) > TRAINER_PASS) && flush(t, e))
		return -1;
	t->scale = scale;
	return dataset_pack_add(&t->pack, t->d, i, e);
}

/* Scored tokens of the records from <= k < to of the update. */
static size_t scored(const struct trainer *t, size_t from, size_t to)
{
	size_t n = 0;
	for (size_t k = from; k < to; k++)
		n += dataset_scored(t->d, t->pick[k]);
	return n;
}

/* What a batch's summed loss is multiplied by; n: scored tokens of the update, or of the batch. */
static double batch_scale(const struct trainer *t, size_t n)
{
	if (t->r.reduction == TRAINER_TOKEN)
		return 1 / (double)n;
	double batches = t->r.sampler == SAMPLER_HF_425 ? (double)t->r.accum : (double)t->nbound;
	return 1 / ((double)n * batches);
}

static int run_update(struct trainer *t, size_t all, struct err *e)
{
	size_t from = 0;
	if (need_grad(t, e))
		return -1;
	t->loss = 0;
	dataset_pack_reset(&t->pack);
	for (size_t b = 0; b < t->nbound; from = t->bound[b++]) {
		size_t n = t->r.reduction == TRAINER_TOKEN ? all : scored(t, from, t->bound[b]);
		for (size_t k = from; k < t->bound[b]; k++) {
			/* what is not in the loss moves nothing */
			if (dataset_scored(t->d, t->pick[k]) && add(t, t->pick[k], batch_scale(t, n), e))
				return -1;
		}
	}
	return flush(t, e);
}

/* --- what is no finite number ------------------------------------------------------------ */

static void clear_grad(struct trainer *t)
{
	if (t->grad)
		memset(t->grad, 0, model_trained_lay(t->m)->total * sizeof *t->grad);
}

/* Whether record i alone, run by itself, gives a loss or gradient that is no finite number. */
static int is_bad(struct trainer *t, size_t i, double scale, struct err *e)
{
	double nll = 0;
	if (!dataset_scored(t->d, i))
		return 0;
	if (need_grad(t, e))
		return -1;
	clear_grad(t);
	dataset_pack_reset(&t->pack);
	if (dataset_pack_add(&t->pack, t->d, i, e) || model_loss(t->m, t->ws, &t->pack.b, scale, t->grad, &nll, e))
		return -1;
	return !isfinite(nll * scale) || !isfinite(optim_norm(t->optim, t->grad));
}

/* Which record it comes from is found by running each again: it happens once in a run, or never. */
static int not_finite(struct trainer *t, struct trainer_step *s, const char *what, double v, struct err *e)
{
	size_t k = 0;
	int bad = 0;
	while (k < t->npick && (bad = is_bad(t, t->pick[k], 1 / (double)s->scored, e)) == 0)
		k++;
	clear_grad(t);
	dataset_pack_reset(&t->pack);
	if (bad < 0)
		return -1;
	unsigned long first = t->npick ? t->pick[0] + 1UL : 0;
	if (bad)
		snprintf(s->why, sizeof s->why, "the %s is %g; it comes from record %lu of the input", what, num_shown(v), t->pick[k] + 1UL);
	else
		snprintf(s->why, sizeof s->why, "the %s is %g; no record gives that alone, the update's first is record %lu of the input",
		         what, num_shown(v), first);
	if (t->skipped >= t->r.skip_nan)
		return err_data(e, "step %lld: %s", (long long)t->step + 1, s->why);
	t->skipped++;
	s->skipped = true;
	s->loss = s->grad_norm = 0;
	return 0;
}

/* --- the optimizer's step in the way back ------------------------------------------------ */

/* What is left of an update when its gradients come one by one. */
struct inner {
	struct trainer *t;
	double square; /* of the gradient so far */
	double rate;
	bool begun;
};

static int take(void *arg, int from, int to, float *g, struct err *e)
{
	struct inner *n = arg;
	struct trainer *t = n->t;
	double s = optim_square(t->optim, g, from, to);
	n->square += s;
	if (!isfinite(s)) /* the layers above have been changed: this model is lost */
		return err_data(e, "step %lld: the gradient of %s is no finite number; the update's first record is record %lu of the input",
		                (long long)t->step + 1, t->m->lay.t[from].name, t->pick[0] + 1UL);
	if (!n->begun)
		optim_begin(t->optim, n->rate, 1);
	n->begun = true;
	optim_tensors(t->optim, t->m->w, g, from, to);
	return 0;
}

/* Whether the update runs in one pass and may step within: its records are in the pack then. */
static int pack_inner(struct trainer *t, size_t n, struct err *e)
{
	size_t tokens = 0;
	if (!t->inner || !n || (t->r.reduction != TRAINER_TOKEN && t->nbound > 1))
		return 0;
	for (size_t k = 0; k < t->npick; k++)
		if (dataset_scored(t->d, t->pick[k]))
			tokens += dataset_len(t->d, t->pick[k]);
	if (tokens > t->inner)
		return 0;
	dataset_pack_reset(&t->pack);
	for (size_t k = 0; k < t->npick; k++)
		if (dataset_scored(t->d, t->pick[k]) && dataset_pack_add(&t->pack, t->d, t->pick[k], e))
			return -1;
	return 1;
}

static int learn_inner(struct trainer *t, struct trainer_step *s, struct err *e)
{
	struct inner n = {.t = t, .rate = s->rate};
	struct model_taker taker = {take, &n};
	double nll = 0;
	t->scale = batch_scale(t, s->scored);
	if (model_loss_taken(t->m, t->ws, &t->pack.b, t->scale, &taker, &nll, e))
		return -1;
	dataset_pack_reset(&t->pack);
	s->loss = nll * t->scale;
	if (!isfinite(s->loss))
		return not_finite(t, s, "loss", s->loss, e);
	s->grad_norm = sqrt(n.square);
	return 0;
}

/* --- an update ---------------------------------------------------------------------------- */

static int learn(struct trainer *t, struct trainer_step *s, struct err *e)
{
	s->rate = t->r.rate * sched_factor(&t->sched, t->step);
	int inner = pack_inner(t, s->scored, e);
	if (inner)
		return inner < 0 ? -1 : learn_inner(t, s, e);
	if (run_update(t, s->scored, e))
		return -1;
	s->loss = t->loss;
	if (!isfinite(s->loss))
		return not_finite(t, s, "loss", s->loss, e);
	s->grad_norm = optim_norm(t->optim, t->grad);
	if (!isfinite(s->grad_norm))
		return not_finite(t, s, "gradient's norm", s->grad_norm, e);
	optim_step(t->optim, model_trained(t->m), t->grad, s->rate, optim_clip(s->grad_norm, t->r.max_norm));
	return 0;
}

int trainer_step(struct trainer *t, struct trainer_step *s, struct err *e)
{
	if (t->step >= t->plan.steps)
		return 0;
	pick_update(t);
	*s = (struct trainer_step){.scored = scored(t, 0, t->npick), .records = t->pick, .nrecords = t->npick};
	for (size_t k = 0; k < t->npick; k++)
		s->tokens += dataset_len(t->d, t->pick[k]);
	if (learn(t, s, e))
		return -1;
	s->step = ++t->step;
	s->epoch = (double)t->epoch + (double)t->at / (double)t->plan.batches;
	s->epoch_end = t->step % t->plan.steps_per_epoch == 0;
	return 1;
}

/* --- going on from where a run stood -------------------------------------------------------- */

struct trainer_mark trainer_mark_of(const struct trainer *t)
{
	return (struct trainer_mark){t->step, t->skipped, (int64_t)t->epoch, t->at};
}

/* Updates before a place, as is_full() ends them; -1: none ends there. */
static int64_t updates_before(const struct trainer *t, int64_t epoch, int64_t at)
{
	int64_t n, here = at / t->r.accum;
	bool part = at % t->r.accum != 0; /* an epoch's last batches, where they are an update of their own */
	if (part && (at < t->plan.batches || (t->r.sampler == SAMPLER_HF_425 && at > t->r.accum)))
		return -1;
	if (__builtin_mul_overflow(epoch, t->plan.steps_per_epoch, &n) || __builtin_add_overflow(n, here + part, &n))
		return -1;
	return n;
}

int trainer_seek(struct trainer *t, const struct trainer_mark *m, struct err *e)
{
	if (m->step < 0 || m->skipped < 0 || m->skipped > m->step || m->epoch < 0 || m->at < 0 || m->at > t->plan.batches ||
	    updates_before(t, m->epoch, m->at) != m->step)
		return err_data(e, "step %lld at batch %lld of epoch %lld is no place in this run", (long long)m->step,
		                (long long)m->at, (long long)m->epoch);
	if (m->step > t->plan.steps)
		return err_data(e, "it is of step %lld, and the run has %lld", (long long)m->step, (long long)t->plan.steps);
	t->step = m->step;
	t->skipped = m->skipped;
	t->epoch = (uint64_t)m->epoch;
	t->at = m->at;
	t->order = sampler_epoch(&t->sampler, t->epoch);
	return 0;
}

struct optim *trainer_optim(struct trainer *t)
{
	return t->optim;
}

bool trainer_is_sound(struct trainer *t)
{
	return isfinite(optim_norm(t->optim, model_trained(t->m)));
}

/* --- evaluation -------------------------------------------------------------------------- */

int trainer_eval(struct trainer *t, const struct dataset *d, int64_t batch, struct trainer_loss *l, struct err *e)
{
	struct evaluate v = {.m = t->m, .ws = t->ws};
	struct evaluate_total total = {0};
	size_t most = (size_t)batch < d->n ? (size_t)batch : d->n;
	struct model_score *score = malloc((most + 1) * sizeof *score);
	int rc = score ? 0 : err_mem(e);
	for (size_t from = 0, to; from < d->n && rc == 0; from = to) {
		to = d->n - from < most ? d->n : from + most;
		rc = evaluate_records(&v, d, from, to, score, e);
		if (rc == 0)
			evaluate_add(&total, score, to - from);
	}
	evaluate_release(&v);
	free(score);
	if (rc == 0 && !total.all.scored)
		rc = err_data(e, "no record has a token in the loss");
	*l = (struct trainer_loss){.loss = evaluate_loss(&total), .records = d->n, .batches = total.batches,
	                           .tokens = d->n ? d->start[d->n] : 0};
	return rc;
}

int trainer_measure(struct trainer *t, double *token, double *update, struct err *e)
{
	size_t tokens = 0;
	dataset_pack_reset(&t->pack);
	for (size_t i = 0; i < t->d->n && tokens < TRAINER_PASS; i++) {
		if (dataset_scored(t->d, i) && dataset_pack_add(&t->pack, t->d, i, e))
			return -1;
		tokens = t->pack.b.nseq ? (size_t)t->pack.b.start[t->pack.b.nseq] : 0;
	}
	*token = *update = 0;
	if (need_grad(t, e))
		return -1;
	/* the first round makes memory real */
	for (int round = 0; round < 2 && tokens; round++) {
		double nll, from = progress_clock();
		if (model_loss(t->m, t->ws, &t->pack.b, 1 / (double)tokens, t->grad, &nll, e))
			return -1;
		double mid = progress_clock();
		optim_norm(t->optim, t->grad);
		optim_step(t->optim, model_trained(t->m), t->grad, 0, 1);
		*token = (mid - from) / (double)tokens;
		*update = progress_clock() - mid;
	}
	dataset_pack_reset(&t->pack);
	return 0;
}
