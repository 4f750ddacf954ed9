#include "nx/sample.h"
#include "nx/kernel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct sample {
	int vocab;
	float *x;       /* logits with penalties */
	int32_t *count; /* zeros, but in penalty_apply */
	struct cut cut;
};

struct sample *sample_open(int vocab, struct err *e)
{
	struct sample *s = calloc(1, sizeof *s);
	if (!s || cut_open(&s->cut, vocab, e) || !(s->x = calloc((size_t)vocab, sizeof *s->x)) ||
	    !(s->count = calloc((size_t)vocab, sizeof *s->count))) {
		err_mem(e);
		sample_close(s);
		return NULL;
	}
	s->vocab = vocab;
	return s;
}

void sample_close(struct sample *s)
{
	if (!s)
		return;
	cut_close(&s->cut);
	free(s->x);
	free(s->count);
	free(s);
}

int sample_vocab(const struct sample *s)
{
	return s->vocab;
}

int32_t sample_greedy(const float *logits, int n)
{
	return kernel_best()->argmax(logits, n);
}

int sample_damaged(struct err *e)
{
	err_data(e, "the model's logits are not numbers (NaN): its weights are damaged");
	e->kind = ERR_IO; /* no other prompt would fare better */
	return -1;
}

/* The logits themselves, or s->x where a rule changes them. */
const float *sample_penalized(struct sample *s, const struct sample_rules *r, const float *logits,
                              const struct penalty_history *h, const int32_t *banned, int nbanned)
{
	bool any = penalty_any(&r->penalty);
	if (!any && nbanned == 0)
		return logits;
	memcpy(s->x, logits, (size_t)s->vocab * sizeof *s->x);
	if (any)
		penalty_apply(&r->penalty, h, s->x, logits, s->count, s->vocab);
	for (int i = 0; i < nbanned; i++)
		if (banned[i] < s->vocab)
			s->x[banned[i]] = -INFINITY;
	return s->x;
}

static int candidates(struct sample *s, const struct sample_rules *r, const float *x, struct err *e)
{
	struct cut *c = &s->cut;
	if (cut_fill(c, x, s->vocab))
		return sample_damaged(e);
	if (c->n == 0)
		return err_data(e, "the rules leave no token to go on with");
	if (r->temperature != 1)
		cut_temperature(c, r->temperature);
	if (r->top_k > 0)
		cut_top_k(c, r->top_k);
	if (r->top_p < 1)
		cut_top_p(c, r->top_p);
	if (r->min_p > 0)
		cut_min_p(c, r->min_p);
	if (r->typical_p < 1)
		cut_typical(c, r->typical_p);
	cut_softmax(c);
	return 0;
}

static int32_t draw(const struct cut *c, double u)
{
	double sum = 0, at = 0;
	int32_t last = c->id[0];
	for (int i = 0; i < c->n; i++)
		sum += (double)c->p[i];
	for (int i = 0; i < c->n; i++) {
		if (c->p[i] > 0)
			last = c->id[i];
		at += (double)c->p[i];
		if (at > u * sum)
			return c->id[i];
	}
	return last;
}

int sample_token(struct sample *s, const struct sample_rules *r, const float *logits, const struct penalty_history *h,
                 const int32_t *banned, int nbanned, struct xoshiro *rng, int32_t *id, struct err *e)
{
	const float *x = sample_penalized(s, r, logits, h, banned, nbanned);
	if (!r->random)
		return (*id = sample_greedy(x, s->vocab)) < 0 ? sample_damaged(e) : 0;
	double u = xoshiro_f64(rng);
	if (candidates(s, r, x, e))
		return -1;
	*id = draw(&s->cut, u);
	return 0;
}

const struct cut *sample_candidates(struct sample *s, const struct sample_rules *r, const float *logits,
                                    const struct penalty_history *h, const int32_t *banned, int nbanned, struct err *e)
{
	return candidates(s, r, sample_penalized(s, r, logits, h, banned, nbanned), e) ? NULL : &s->cut;
}

double sample_lse(struct sample *s, const float *logits)
{
	cut_fill(&s->cut, logits, s->vocab);
	return cut_lse(&s->cut);
}

void sample_logprobs(struct sample *s, const float *logits, int32_t id, int top, struct sample_logprob *v)
{
	int n = 0;
	struct sample_logprob *best = v + 1;
	double lse = sample_lse(s, logits);
	v[0] = (struct sample_logprob){id, (float)((double)logits[id] - lse)};
	for (int i = 0; i < s->vocab && top > 0; i++) { /* insertion: top is small */
		int at = n;
		if (n == top && !(logits[i] > logits[best[n - 1].id]))
			continue;
		while (at > 0 && logits[i] > logits[best[at - 1].id])
			at--;
		n += n < top;
		memmove(best + at + 1, best + at, (size_t)(n - 1 - at) * sizeof *best);
		best[at] = (struct sample_logprob){i, (float)((double)logits[i] - lse)};
	}
}
