#include "nx/sched.h"

#include <math.h>

double sched_factor(const struct sched *s, int64_t k)
{
	if (s->kind == SCHED_CONSTANT)
		return 1;
	if (k < s->warmup)
		return (double)k / (double)s->warmup;
	double span = s->total > s->warmup ? (double)(s->total - s->warmup) : 1;
	double left = (double)(s->total - k) / span, f = 1;
	if (s->kind == SCHED_LINEAR)
		f = left;
	else if (s->kind == SCHED_COSINE)
		f = 0.5 * (1 + cos(M_PI * ((double)(k - s->warmup) / span)));
	return f > 0 ? f : 0;
}

int64_t sched_warmup(int64_t steps, double ratio, int64_t total)
{
	return steps >= 1 ? steps : (int64_t)ceil((double)total * ratio);
}
