#include "nx/generate.h"
#include "nx/stop.h"

#include <stdlib.h>
#include <string.h>

int64_t generate_room(const struct generate_rules *r, int64_t n)
{
	if (r->max_new > 0)
		return r->max_new;
	return r->max_length > n ? r->max_length - n : 0;
}

bool generate_is_eos(const struct generate_rules *r, int32_t id)
{
	for (int i = 0; i < r->neos; i++)
		if (r->eos[i] == id)
			return true;
	return false;
}

const char *generate_end_name(enum generate_end end)
{
	static const char *const names[] = {NULL, "stop", "length", "stop_string"};
	return names[end];
}

/* --- one sequence ----------------------------------------------------------------- */

static int room_for(struct generate *g, size_t n, struct err *e)
{
	if (n <= g->cap)
		return 0;
	size_t cap = n > g->cap * 2 ? n : g->cap * 2;
	int32_t *ids = realloc(g->ids, cap * sizeof *ids);
	if (!ids)
		return err_mem(e);
	g->ids = ids;
	g->cap = cap;
	return 0;
}

int generate_begin(struct generate *g, const struct generate_rules *r, const int32_t *prompt, size_t n, uint64_t record,
                   uint32_t sequence, struct err *e)
{
	if (room_for(g, n + 1, e))
		return -1;
	memcpy(g->ids, prompt, n * sizeof *prompt);
	g->r = r;
	g->n = g->prompt = g->pending = n;
	g->room = generate_room(r, (int64_t)n);
	g->end = g->room > 0 ? GENERATE_ON : GENERATE_LENGTH;
	g->ready = 0;
	buf_reset(&g->text);
	xoshiro_seed(&g->rng, r->seed, record + ((uint64_t)sequence << 40));
	return 0;
}

int32_t generate_last(const struct generate *g)
{
	return g->ids[g->n - 1];
}

static int keep_logprobs(struct generate *g, struct sample *s, const float *logits, int32_t id, struct err *e)
{
	size_t row = 1 + (size_t)g->r->top, at = (g->n - g->prompt) * row;
	if (at + row > g->logprobs_cap) {
		size_t cap = 2 * (at + row);
		struct sample_logprob *v = realloc(g->logprobs, cap * sizeof *v);
		if (!v)
			return err_mem(e);
		g->logprobs = v;
		g->logprobs_cap = cap;
	}
	sample_logprobs(s, logits, id, g->r->top, g->logprobs + at);
	return 0;
}

/* Moves the text of the pending tokens to g->text, unless it ends within a character
 * (decoded as U+FFFD) that the next token may complete. */
static int settle(struct generate *g, struct err *e)
{
	static const char replacement[] = "\xEF\xBF\xBD";
	size_t old = g->text.n, w = sizeof replacement - 1, held;
	if (g->r->text(g->r->text_arg, g->ids + g->pending, g->n - g->pending, &g->text, e))
		return -1;
	if (g->end == GENERATE_ON && g->text.n - old >= w && memcmp(g->text.p + g->text.n - w, replacement, w) == 0) {
		g->text.n = old;
		return 0;
	}
	g->pending = g->n;
	size_t at = stop_find(g->r->stop, g->r->nstop, g->text.p, g->text.n, old, &held);
	if (at < g->text.n) {
		g->text.n = at;
		g->end = GENERATE_STOP;
	}
	g->ready = g->end == GENERATE_ON ? g->text.n - held : g->text.n;
	return 0;
}

int generate_take_id(struct generate *g, int32_t id, struct err *e)
{
	if (room_for(g, g->n + 1, e))
		return -1;
	g->ids[g->n++] = id;
	if (generate_is_eos(g->r, id))
		g->end = GENERATE_EOS;
	else if ((int64_t)(g->n - g->prompt) >= g->room)
		g->end = GENERATE_LENGTH;
	return g->r->text ? settle(g, e) : 0;
}

/* Ids that end the answer and must not yet be chosen. */
static int banned(const struct generate *g)
{
	return (int64_t)(g->n - g->prompt) < g->r->min_new ? g->r->neos : 0;
}

bool generate_wants_largest(const struct generate *g)
{
	return !g->r->sample.random && !penalty_any(&g->r->sample.penalty) && !g->r->logprobs && banned(g) == 0;
}

int generate_next(struct generate *g, struct sample *s, const float *logits, struct err *e)
{
	const struct generate_rules *r = g->r;
	const struct penalty_history h = {g->ids, g->n, g->prompt};
	int32_t id;
	if (sample_token(s, &r->sample, logits, &h, r->eos, banned(g), &g->rng, &id, e) ||
	    (r->logprobs && keep_logprobs(g, s, logits, id, e)))
		return -1;
	return generate_take_id(g, id, e);
}

int generate_from(struct generate *g, struct sample *s, struct decode *d, int i, struct err *e)
{
	if (!generate_wants_largest(g))
		return generate_next(g, s, decode_row(d, i), e);
	int32_t id = decode_largest(d, i);
	return id < 0 ? sample_damaged(e) : generate_take_id(g, id, e);
}

int generate_step(struct generate *g, struct sample *s, struct decode *d, struct err *e)
{
	size_t fed = (size_t)decode_length(d);
	decode_only_largest(d, generate_wants_largest(g));
	return decode_feed(d, g->ids + fed, (int)(g->n - fed), e) || generate_from(g, s, d, 0, e) ? -1 : 0;
}

void generate_release(struct generate *g)
{
	free(g->ids);
	free(g->logprobs);
	buf_release(&g->text);
	*g = (struct generate){0};
}

int generate_run(struct generate *g, struct sample *s, struct decode *d, generate_take *take, void *arg, struct err *e)
{
	decode_reset(d);
	while (g->end == GENERATE_ON)
		if (generate_step(g, s, d, e) || take(arg, g, e))
			return -1;
	return 0;
}
