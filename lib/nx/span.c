#include "nx/span.h"

struct span {
	void (*work)(void *arg, int from, int to);
	void *arg;
	int n, step;
};

static void piece(void *arg, int i)
{
	const struct span *s = arg;
	int from = i * s->step, to = s->n - from < s->step ? s->n : from + s->step;
	s->work(s->arg, from, to);
}

void span_run(struct pool *p, int n, int grain, void (*work)(void *arg, int from, int to), void *arg)
{
	/* A few pieces a thread: one that is held up by another program does not hold up all. */
	int grains = (n + grain - 1) / grain, pieces = pool_threads(p) == 1 ? 1 : 4 * pool_threads(p);
	if (n <= 0)
		return;
	struct span s = {work, arg, n, (grains + pieces - 1) / pieces * grain};
	pool_run(p, (n + s.step - 1) / s.step, piece, &s);
}
