#include "nx/beam.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define OUT 1e9f /* what takes a candidate out of a choice; added, as HF does, so that ties are HF's */

/* A way to go on. */
struct beam_pick {
	float score;
	int parent;
	int32_t id;
	bool ends;
};

/* --- memory ----------------------------------------------------------------------- */

static int way_copy(struct beam_way *to, const struct beam_way *from, struct err *e)
{
	if (from->n + 1 > to->cap) {
		int cap = 2 * (from->n + 1);
		int32_t *ids = realloc(to->ids, (size_t)cap * sizeof *ids);
		if (!ids)
			return err_mem(e);
		to->ids = ids;
		to->cap = cap;
	}
	if (from->n)
		memcpy(to->ids, from->ids, (size_t)from->n * sizeof *to->ids);
	to->n = from->n;
	to->score = from->score;
	to->done = from->done;
	to->end = from->end;
	return 0;
}

static int way_longer(struct beam_way *to, const struct beam_way *from, const struct beam_pick *p, struct err *e)
{
	if (way_copy(to, from, e))
		return -1;
	to->ids[to->n++] = p->id;
	return 0;
}

static void swap_ways(struct beam_way *a, struct beam_way *b, int n)
{
	for (int i = 0; i < n; i++) {
		struct beam_way t = a[i];
		a[i] = b[i];
		b[i] = t;
	}
}

int beam_give(const struct beam *b, int64_t number, struct generate *g, struct err *e)
{
	const struct beam_way *w = &b->best[number];
	for (int i = 0; i < w->n; i++)
		if (generate_take_id(g, w->ids[i], e))
			return -1;
	return 0;
}

void beam_release(struct beam *b)
{
	for (int i = 0; i < BEAM_MAX; i++) {
		free(b->running[i].ids);
		free(b->best[i].ids);
		free(b->next[i].ids);
		decode_seq_close(b->seq[i]);
	}
	free(b->pick);
	free(b->history);
	*b = (struct beam){0};
}

/* --- one step ---------------------------------------------------------------------- */

static int picks_of(const struct beam *b)
{
	int neos = b->r->neos;
	return b->br->beams * (neos > 1 ? 1 + neos : 2);
}

/* Puts a candidate among the best k, the best first, of equal ones the earlier. */
static int pick_add(struct beam_pick *pick, int n, int k, struct beam_pick p)
{
	int at = n;
	if (n == k && !(p.score > pick[n - 1].score))
		return n;
	while (at > 0 && p.score > pick[at - 1].score)
		at--;
	n += n < k;
	memmove(pick + at + 1, pick + at, (size_t)(n - 1 - at) * sizeof *pick);
	pick[at] = p;
	return n;
}

/* Adds the ways in which running beam i can go on. x: its logits, used up. */
static int pick_from(struct beam *b, struct sample *s, int i, float *x, int n)
{
	const struct beam_way *w = &b->running[i];
	int vocab = sample_vocab(s), k = picks_of(b);
	float lse = (float)sample_lse(s, x);
	for (int j = 0; j < vocab; j++)
		x[j] -= lse;
	if (w->n)
		memcpy(b->history + b->prompt, w->ids, (size_t)w->n * sizeof *w->ids);
	const struct penalty_history h = {b->history, b->prompt + (size_t)w->n, b->prompt};
	const float *y = sample_penalized(s, &b->r->sample, x, &h, b->r->eos, b->n < b->r->min_new ? b->r->neos : 0);
	for (int j = 0; j < vocab; j++)
		n = pick_add(b->pick, n, k, (struct beam_pick){y[j] + w->score, i, j, false});
	return n;
}

/* The n picks that score best in `score` (used up), the best first. */
static void best_of(float *score, int n, int *best, int k)
{
	for (int i = 0; i < k; i++) {
		int at = 0;
		for (int j = 1; j < n; j++)
			if (score[j] > score[at])
				at = j;
		best[i] = at;
		score[at] = -INFINITY;
	}
}

static bool all_done(const struct beam *b)
{
	for (int i = 0; i < b->br->beams; i++)
		if (!b->best[i].done)
			return false;
	return true;
}

/* Merges what ends now into b->best. */
static int finish(struct beam *b, int n, struct err *e)
{
	enum { MOST = BEAM_MAX * (2 + GENERATE_EOS_MAX) };
	float score[MOST + BEAM_MAX] = {0}, kept[MOST + BEAM_MAX];
	int order[BEAM_MAX], nb = b->br->beams;
	float by = (float)pow(b->n + 1, b->br->length_penalty);
	for (int i = 0; i < nb; i++)
		score[i] = b->best[i].score;
	for (int i = 0; i < n; i++) {
		const struct beam_pick *p = &b->pick[i];
		score[nb + i] = p->score / by + (p->ends && i < nb ? 0 : -OUT);
	}
	memcpy(kept, score, sizeof *score * (size_t)(nb + n));
	best_of(score, nb + n, order, nb);
	for (int i = 0; i < nb; i++) {
		int from = order[i];
		struct beam_way *to = &b->next[i];
		if (from < nb) {
			if (way_copy(to, &b->best[from], e))
				return -1;
			continue;
		}
		const struct beam_pick *p = &b->pick[from - nb];
		if (way_longer(to, &b->running[p->parent], p, e))
			return -1;
		to->score = kept[from];
		to->done = p->ends && from - nb < nb;
		to->end = generate_is_eos(b->r, p->id) ? GENERATE_EOS : GENERATE_LENGTH;
	}
	swap_ways(b->best, b->next, nb);
	return 0;
}

/* Makes what goes on of the picks the running ones; parent[i]: which of the old each goes on from. */
static int go_on(struct beam *b, int n, int *parent, struct err *e)
{
	float score[BEAM_MAX * (2 + GENERATE_EOS_MAX)] = {0}, kept[BEAM_MAX * (2 + GENERATE_EOS_MAX)];
	int order[BEAM_MAX], nb = b->br->beams;
	for (int i = 0; i < n; i++)
		kept[i] = score[i] = b->pick[i].score + (b->pick[i].ends ? -OUT : 0);
	best_of(score, n, order, nb);
	for (int i = 0; i < nb; i++) {
		const struct beam_pick *p = &b->pick[order[i]];
		if (way_longer(&b->next[i], &b->running[p->parent], p, e))
			return -1;
		b->next[i].score = kept[order[i]];
		parent[i] = p->parent;
	}
	swap_ways(b->running, b->next, nb);
	return 0;
}

/* Whether a running one could still become better than the worst of the finished. */
static bool hope(const struct beam *b)
{
	const struct beam_rules *br = b->br;
	double n = br->early == BEAM_NEVER && br->length_penalty > 0 ? (double)b->room : b->n;
	float most = b->running[0].score / (float)pow(n, br->length_penalty), worst = b->best[0].score;
	bool open = false;
	for (int i = 1; i < br->beams; i++)
		worst = b->best[i].score < worst ? b->best[i].score : worst;
	for (int i = 0; i < br->beams; i++)
		open = open || most > (b->best[i].done ? worst : -OUT);
	return open;
}

/* From the logits of the running ones to the next running ones. logits[i]: vocab floats of beam i, used up. */
static int step(struct beam *b, struct sample *s, float *const *logits, int *parent, struct err *e)
{
	int n = 0, ending = 0;
	for (int i = 0; i < b->br->beams; i++) {
		if (sample_greedy(logits[i], sample_vocab(s)) < 0)
			return sample_damaged(e);
		n = pick_from(b, s, i, logits[i], n);
	}
	for (int i = 0; i < n; i++) {
		b->pick[i].ends = generate_is_eos(b->r, b->pick[i].id) || b->n + 1 >= b->room;
		ending += b->pick[i].ends;
	}
	if (n < b->br->beams)
		return err_data(e, "a vocabulary of %d is too small for %d beams", sample_vocab(s), b->br->beams);
	if (finish(b, n, e) || go_on(b, n, parent, e))
		return -1;
	if (b->n++ == 0)
		memset(parent, 0, (size_t)b->br->beams * sizeof *parent); /* the prompt is in the first cache alone */
	b->hopeful = b->hopeful && hope(b);
	b->ended = !b->hopeful || (all_done(b) && b->br->early == BEAM_FULL) || ending == n;
	return 0;
}

/* --- the run ----------------------------------------------------------------------- */

static int begin(struct beam *b, const struct beam_rules *br, const struct generate_rules *r, struct decode *d,
                 int n, struct err *e)
{
	b->br = br;
	b->r = r;
	b->room = generate_room(r, n);
	b->n = 0;
	b->hopeful = true;
	b->ended = b->room == 0;
	b->prompt = (size_t)n;
	for (int i = 0; i < br->beams; i++) {
		/* the first step finds the same ways for each beam: those of the others do not count */
		b->running[i].n = b->best[i].n = 0;
		b->running[i].score = i ? -OUT : 0;
		b->best[i].score = b->room ? -OUT : 0;
		b->best[i].done = false;
		b->best[i].end = GENERATE_LENGTH;
		if (!b->seq[i] && !(b->seq[i] = decode_seq_open(d, e)))
			return -1;
		decode_seq_reset(b->seq[i]);
	}
	if (!b->pick && !(b->pick = calloc(BEAM_MAX * (2 + GENERATE_EOS_MAX), sizeof *b->pick)))
		return err_mem(e);
	return 0;
}

/* The history has room for the prompt and all new tokens so far. */
static int grow_history(struct beam *b, const int32_t *prompt, struct err *e)
{
	size_t need = b->prompt + (size_t)b->n + 1;
	if (need > b->history_cap) {
		int32_t *v = realloc(b->history, 2 * need * sizeof *v);
		if (!v)
			return err_mem(e);
		b->history = v;
		b->history_cap = 2 * need;
	}
	if (b->n == 0)
		memcpy(b->history, prompt, b->prompt * sizeof *prompt);
	return 0;
}

/* Gives each running one the cache of its parent: the first child takes it over, others get
 * copies in the place of those that have no child. */
static int hand_down(struct beam *b, const int *parent, struct err *e)
{
	struct decode_seq *old[BEAM_MAX];
	int nb = b->br->beams, heir[BEAM_MAX], childless = 0;
	memcpy(old, b->seq, sizeof *old * (size_t)nb);
	for (int i = 0; i < nb; i++)
		heir[i] = -1;
	for (int i = nb - 1; i >= 0; i--)
		heir[parent[i]] = i;
	for (int i = 0; i < nb; i++) {
		while (heir[parent[i]] != i && heir[childless] >= 0)
			childless++;
		b->seq[i] = old[heir[parent[i]] == i ? parent[i] : childless++];
	}
	for (int i = 0; i < nb; i++)
		if (heir[parent[i]] != i && decode_seq_copy(b->seq[i], old[parent[i]], e))
			return -1;
	return 0;
}

int beam_run(struct beam *b, const struct beam_rules *br, const struct generate_rules *r, struct sample *s,
             struct decode *d, const int32_t *prompt, int n, struct err *e)
{
	float *logits[BEAM_MAX] = {0};
	int parent[BEAM_MAX] = {0};
	if (begin(b, br, r, d, n, e))
		return -1;
	decode_only_largest(d, false);
	while (!b->ended) {
		struct decode_part part[BEAM_MAX] = {{b->seq[0], prompt, n}};
		bool first = b->n == 0;
		for (int i = 0; !first && i < br->beams; i++)
			part[i] = (struct decode_part){b->seq[i], b->running[i].ids + b->n - 1, 1};
		if (grow_history(b, prompt, e) || decode_parts(d, part, first ? 1 : br->beams, e))
			return -1;
		for (int i = 0; i < br->beams; i++)
			logits[i] = decode_row(d, first ? 0 : i);
		if (step(b, s, logits, parent, e) || (!b->ended && hand_down(b, parent, e)))
			return -1;
	}
	return 0;
}
