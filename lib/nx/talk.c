#include "nx/talk.h"

#include <stdlib.h>
#include <string.h>

void talk_open(struct talk *t, struct decode *d, struct sample *s, const struct generate_rules *r, int64_t window,
               int64_t turns)
{
	*t = (struct talk){.d = d, .s = s, .rules = *r, .window = window, .most_new = r->max_new, .most_turns = turns};
	t->rules.max_length = window;
	decode_reset(d);
}

int64_t talk_most(const struct talk *t)
{
	int64_t half = t->window - t->window / 2;
	return t->most_new < t->window / 2 ? t->window - t->most_new : half;
}

/* Room for n more ids and a turn. */
static int make_room(struct talk *t, size_t n, struct err *e)
{
	if (n > t->cap) {
		int32_t *p = realloc(t->ids, 2 * n * sizeof *p);
		if (!p)
			return err_mem(e);
		t->ids = p;
		t->cap = 2 * n;
	}
	if (t->nturns == t->turns_cap) {
		size_t cap = t->turns_cap ? 2 * t->turns_cap : 64, *p = realloc(t->turn, cap * sizeof *p);
		if (!p)
			return err_mem(e);
		t->turn = p;
		t->turns_cap = cap;
	}
	return 0;
}

/* Forgets the first turns of t->ids[0..have), so many that `n` more tokens find room. What is left. */
static size_t forget(struct talk *t, size_t have, size_t n)
{
	size_t most = (size_t)talk_most(t), keep = t->nturns, from = 0;
	if (t->most_turns >= 0 && keep > (size_t)t->most_turns)
		keep = (size_t)t->most_turns;
	t->forgotten = 0;
	if (keep < t->nturns)
		from = keep ? t->turn[t->nturns - keep] : have;
	if (have - from + n > most) {
		for (size_t before = keep; keep && have - from + n > most / 2; keep--, t->forgotten = before - keep)
			from = keep > 1 ? t->turn[t->nturns - keep + 1] : have;
	}
	if (from == 0)
		return have;
	memmove(t->turn, t->turn + (t->nturns - keep), keep * sizeof *t->turn);
	t->nturns = keep;
	for (size_t i = 0; i < keep; i++)
		t->turn[i] -= from;
	memmove(t->ids, t->ids + from, (have - from) * sizeof *t->ids);
	decode_reset(t->d); /* keys know the place that they had */
	return have - from;
}

int talk_ask(struct talk *t, const int32_t *prompt, size_t n, struct err *e)
{
	size_t have = t->g.n;
	if (make_room(t, have + 1 + n, e))
		return -1;
	if (have)
		memcpy(t->ids, t->g.ids, have * sizeof *t->ids);
	if (have && t->rules.neos && !generate_is_eos(&t->rules, t->ids[have - 1]))
		t->ids[have++] = t->rules.eos[0];
	have = forget(t, have, n);
	memcpy(t->ids + have, prompt, n * sizeof *prompt);
	int64_t left = t->window - (int64_t)(have + n);
	t->rules.max_new = left < t->most_new ? left : t->most_new; /* 0: then max_length says the same */
	t->turn[t->nturns++] = have;
	return generate_begin(&t->g, &t->rules, t->ids, have + n, t->asked++, 0, e);
}

int talk_next(struct talk *t, struct err *e)
{
	return generate_step(&t->g, t->s, t->d, e);
}

void talk_reset(struct talk *t)
{
	t->g.n = t->nturns = 0;
	decode_reset(t->d);
}

void talk_release(struct talk *t)
{
	generate_release(&t->g);
	free(t->ids);
	free(t->turn);
	*t = (struct talk){0};
}
