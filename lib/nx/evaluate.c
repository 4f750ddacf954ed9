#include "nx/evaluate.h"

#include <math.h>
#include <stdlib.h>

static int room(struct evaluate *v, size_t n, struct err *e)
{
	if (n <= v->cap)
		return 0;
	struct model_score *seq = realloc(v->seq, n * 2 * sizeof *seq);
	if (!seq)
		return err_mem(e);
	v->seq = seq;
	v->cap = n * 2;
	return 0;
}

static void gain(struct model_score *to, const struct model_score *s)
{
	to->nll += s->nll;
	to->scored += s->scored;
	to->hits += s->hits;
}

/* Records from <= i < to in one pass; those without a scored token need none. */
static int run_pass(struct evaluate *v, const struct dataset *d, size_t from, size_t to, struct model_score *score,
                    struct err *e)
{
	dataset_pack_reset(&v->pack);
	for (size_t i = from; i < to; i++)
		if (dataset_scored(d, i) && dataset_pack_add(&v->pack, d, i, e))
			return -1;
	if (!v->pack.b.nseq)
		return 0;
	if (room(v, (size_t)v->pack.b.nseq, e) || model_scores(v->m, v->ws, &v->pack.b, v->seq, e))
		return -1;
	size_t s = 0, at = 0; /* at: tokens of the pack before sequence s */
	for (size_t i = from; i < to; i++) {
		size_t end = at + dataset_len(d, i);
		if (!dataset_scored(d, i))
			continue;
		for (; at < end; at = (size_t)v->pack.b.start[++s])
			gain(&score[i - from], &v->seq[s]);
	}
	return 0;
}

int evaluate_records(struct evaluate *v, const struct dataset *d, size_t from, size_t to, struct model_score *score,
                     struct err *e)
{
	for (size_t i = from, k; i < to; i = k) {
		size_t tokens = 0;
		k = i;
		do {
			score[k - from] = (struct model_score){0};
			tokens += dataset_len(d, k);
			k++;
		} while (k < to && tokens + dataset_len(d, k) <= EVALUATE_PASS);
		if (run_pass(v, d, i, k, score + (i - from), e))
			return -1;
	}
	return 0;
}

void evaluate_release(struct evaluate *v)
{
	dataset_pack_release(&v->pack);
	free(v->seq);
	*v = (struct evaluate){0};
}

void evaluate_add(struct evaluate_total *t, const struct model_score *score, size_t n)
{
	struct model_score batch = {0};
	for (size_t i = 0; i < n; i++) {
		gain(&batch, &score[i]);
		t->silent += score[i].scored == 0;
	}
	gain(&t->all, &batch);
	t->records += n;
	t->batches++;
	if (!batch.scored)
		return;
	t->weighted += batch.nll / (double)batch.scored * (double)n;
	t->weight += n;
}

double evaluate_loss(const struct evaluate_total *t)
{
	return t->weight ? t->weighted / (double)t->weight : NAN;
}

double evaluate_token_loss(const struct evaluate_total *t)
{
	return t->all.scored ? t->all.nll / (double)t->all.scored : NAN;
}

double evaluate_accuracy(const struct evaluate_total *t)
{
	return t->all.scored ? (double)t->all.hits / (double)t->all.scored : NAN;
}
