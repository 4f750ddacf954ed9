#include "nx/penalty.h"

#include <math.h>
#include <string.h>

bool penalty_any(const struct penalty_rules *r)
{
	return r->repetition != 1 || r->presence != 0 || r->frequency != 0 || r->ngram > 0;
}

/* From the model's own logits, so that an id that occurs again gets the same value again. */
static void repetition(float penalty, const struct penalty_history *h, float *x, const float *logits, int vocab)
{
	for (size_t i = 0; i < h->n; i++) {
		int32_t id = h->ids[i];
		if (id < vocab)
			x[id] = logits[id] < 0 ? logits[id] * penalty : logits[id] / penalty;
	}
}

static void occurrence(const struct penalty_rules *r, const struct penalty_history *h, float *x, int32_t *count,
                       int vocab)
{
	for (size_t i = h->prompt; i < h->n; i++)
		if (h->ids[i] < vocab)
			count[h->ids[i]]++;
	for (size_t i = h->prompt; i < h->n; i++) {
		int32_t id = h->ids[i];
		if (id < vocab && count[id]) {
			x[id] -= (float)(r->presence + r->frequency * count[id]);
			count[id] = 0;
		}
	}
}

/* Wherever the last n - 1 ids stand, the id behind them must not come again. */
static void repeated_ngram(size_t n, const struct penalty_history *h, float *x, int vocab)
{
	if (h->n < n)
		return;
	const int32_t *end = h->ids + h->n - (n - 1);
	for (size_t i = 0; i + n <= h->n; i++) {
		int32_t id = h->ids[i + n - 1];
		if (id < vocab && memcmp(h->ids + i, end, (n - 1) * sizeof *end) == 0)
			x[id] = -INFINITY;
	}
}

void penalty_apply(const struct penalty_rules *r, const struct penalty_history *h, float *x, const float *logits,
                   int32_t *count, int vocab)
{
	if (r->repetition != 1)
		repetition((float)r->repetition, h, x, logits, vocab);
	if (r->presence != 0 || r->frequency != 0)
		occurrence(r, h, x, count, vocab);
	if (r->ngram > 0)
		repeated_ngram((size_t)r->ngram, h, x, vocab);
}
