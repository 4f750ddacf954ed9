#include "nx/sched.h"

#include <math.h>

double sched_factor(const struct sched *s, int64_t k)
{
	if (s->kind == SCHED_CONSTANT)
		return 1;
	if (k < s->warmup)
		return (double)k / (double)s->warmup;
	double span = s->total > s->warmup ? (double)(s->total - s->warmup) : 1;
	double cosine = 0.5 * (1 + cos(M_PI * ((double)(k - s->warmup) / span)));
	double scale = s->warmup ? (double)s->warmup : 10000;
	double f = 1;
	if (s->kind == SCHED_LINEAR)
		f = (double)(s->total - k) / span;
	else if (s->kind == SCHED_COSINE)
		f = cosine;
	else if (s->kind == SCHED_COSINE_WITH_MIN_LR)
		f = cosine * (1 - s->floor) + s->floor;
	else if (s->kind == SCHED_INVERSE_SQRT)
		f = 1 / sqrt(((double)k + (scale - (double)s->warmup)) / scale);
	return f > 0 ? f : 0;
}

int64_t sched_warmup(int64_t steps, double ratio, int64_t total)
{
	return steps >= 1 ? steps : (int64_t)ceil((double)total * ratio);
}
