#include "text/learn.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { LEVELS = 1 << 16, AHEAD = 8 };

struct cell {
	uint32_t id;   /* LEARN_NONE between words, and where no token begins or ends */
	uint32_t word; /* whose count it has */
};

struct pair {
	uint64_t key; /* left id << 32 | right id */
	uint64_t count;
	uint32_t at, n; /* its places, the lefts' first cells: place[at .. at+n) */
	uint32_t seen;  /* the step in which it was counted */
	uint32_t next;  /* of its chain */
};

struct queued {
	uint64_t count, key;
	uint32_t pair;
};

/* What a token was next to in this step. */
struct side {
	uint64_t count;
	uint32_t n, at;
};

struct found {
	uint32_t id, place;
};

/* One side of all places of the pair being joined. */
struct found_side {
	struct side *of; /* by id */
	struct found *v; /* in order */
	uint32_t n;
	uint32_t *id; /* the ids, once each */
	uint32_t ids;
};

struct learn {
	uint64_t min_count;
	uint32_t max_length;
	struct cell *cell;
	uint32_t ncell;
	uint64_t *count; /* by word */
	uint32_t *length, *joined_in; /* by id: symbols; the last step that took some of them away */
	uint32_t ids;                 /* for which there is room */
	struct found_side left, right;
	uint32_t found_cap;
	uint32_t *place, nplace, place_cap;
	struct pair *pair;
	uint32_t npair, pair_cap;
	uint32_t step, top; /* top: the pair of learn_next */
	uint32_t *chain;    /* by count, of the pairs below `level`: index + 1 */
	uint32_t level;
	struct queued *heap;
	uint32_t nheap, heap_cap;
};

/* Room for `want` of size bytes each. */
static int reserve(void *pp, uint32_t *cap, uint64_t want, size_t size)
{
	void **p = pp;
	if (want <= *cap)
		return 0;
	uint64_t more = *cap + (uint64_t)*cap / 2;
	more = more < want ? want : more;
	void *q = more > UINT32_MAX - 1 ? NULL : realloc(*p, more * size);
	if (!q)
		return -1;
	*p = q;
	*cap = (uint32_t)more;
	return 0;
}

/* --- the queue ------------------------------------------------------------------ */

static bool before(const struct queued *a, const struct queued *b)
{
	return a->count != b->count ? a->count > b->count : a->key < b->key;
}

static int heap_add(struct learn *l, uint32_t pair)
{
	if (reserve(&l->heap, &l->heap_cap, (uint64_t)l->nheap + 1, sizeof *l->heap))
		return -1;
	struct queued x = {l->pair[pair].count, l->pair[pair].key, pair};
	uint32_t i = l->nheap++;
	for (uint32_t up; i > 0 && before(&x, &l->heap[up = (i - 1) / 2]); i = up)
		l->heap[i] = l->heap[up];
	l->heap[i] = x;
	return 0;
}

static uint32_t heap_take(struct learn *l)
{
	uint32_t pair = l->heap[0].pair, n = --l->nheap, i = 0;
	struct queued x = l->heap[n], *h = l->heap;
	for (uint32_t c; (c = 2 * i + 1) < n; i = c) {
		if (c + 1 < n && before(&h[c + 1], &h[c]))
			c++;
		if (!before(&h[c], &x))
			break;
		h[i] = h[c];
	}
	h[i] = x;
	return pair;
}

static int enqueue(struct learn *l, uint32_t pair)
{
	struct pair *p = &l->pair[pair];
	if (p->count >= l->level)
		return heap_add(l, pair);
	p->next = l->chain[p->count];
	l->chain[p->count] = pair + 1;
	return 0;
}

/* What comes up is as rare as the pair joined, or rarer: levels only go down. */
static int lower_level(struct learn *l)
{
	uint32_t i = l->chain[--l->level];
	for (; i; i = l->pair[i - 1].next)
		if (heap_add(l, i - 1))
			return -1;
	return 0;
}

static int new_pair(struct learn *l, uint32_t left, uint32_t right, uint64_t count, uint32_t at, uint32_t n)
{
	if (reserve(&l->pair, &l->pair_cap, (uint64_t)l->npair + 1, sizeof *l->pair))
		return -1;
	l->pair[l->npair] = (struct pair){(uint64_t)left << 32 | right, count, at, n, l->step, 0};
	return enqueue(l, l->npair++);
}

/* --- opening ---------------------------------------------------------------------- */

static int reserve_ids(struct learn *l, uint32_t id)
{
	uint32_t old = l->ids, cap[4] = {old, old, old, old};
	uint64_t want = (uint64_t)id + 1;
	if (reserve(&l->length, &cap[0], want, sizeof *l->length) || reserve(&l->joined_in, &cap[1], want, sizeof *l->joined_in) ||
	    reserve(&l->left.of, &cap[2], want, sizeof *l->left.of) || reserve(&l->right.of, &cap[3], want, sizeof *l->right.of))
		return -1;
	for (l->ids = cap[0]; old < l->ids; old++) {
		l->length[old] = 1;
		l->joined_in[old] = 0;
		l->left.of[old] = l->right.of[old] = (struct side){0};
	}
	return 0;
}

/* The words with nothing between them but a cell of none. */
static int lay_out(struct learn *l, const struct wordcount *w, const uint32_t id[256], struct err *e)
{
	uint64_t cells = 1;
	uint32_t words = 0;
	for (struct wordcount_at at = {0}; wordcount_next(w, &at);)
		cells += at.n + 1;
	if (cells > LEARN_CELLS)
		return err_data(e, "the distinct words are %llu bytes long, more than %d", (unsigned long long)cells, (int)LEARN_CELLS);
	l->cell = malloc(cells * sizeof *l->cell);
	l->count = malloc(((size_t)wordcount_distinct(w) + 1) * sizeof *l->count);
	if (!l->cell || !l->count)
		return err_mem(e);
	struct cell *c = l->cell;
	*c++ = (struct cell){LEARN_NONE, 0};
	for (struct wordcount_at at = {0}; wordcount_next(w, &at); words++) {
		l->count[words] = at.count;
		for (size_t i = 0; i < at.n; i++)
			if (id[(unsigned char)at.p[i]] != LEARN_NONE)
				*c++ = (struct cell){id[(unsigned char)at.p[i]], words};
		*c++ = (struct cell){LEARN_NONE, words};
	}
	l->ncell = (uint32_t)(c - l->cell);
	return 0;
}

/* All pairs of bytes with their places. nth[id] counts tokens of bytes from 0. */
static int first_pairs(struct learn *l, const uint32_t *nth, const uint32_t *byte_id, uint32_t n)
{
	struct side *of = calloc((size_t)n * n + 1, sizeof *of);
	int rc = of && !reserve(&l->place, &l->place_cap, l->ncell, sizeof *l->place) ? 0 : -1;
	for (uint32_t i = 1; i < l->ncell && rc == 0; i++) {
		const struct cell *c = &l->cell[i];
		if (c[-1].id == LEARN_NONE || c->id == LEARN_NONE)
			continue;
		struct side *s = &of[nth[c[-1].id] * n + nth[c->id]];
		s->n++;
		s->count += l->count[c->word];
	}
	for (uint32_t i = 0; i < n * n && rc == 0; i++) {
		of[i].at = l->nplace;
		if (of[i].count < l->min_count)
			continue;
		rc = new_pair(l, byte_id[i / n], byte_id[i % n], of[i].count, l->nplace, of[i].n);
		l->nplace += of[i].n;
	}
	for (uint32_t i = 1; i < l->ncell && rc == 0; i++) {
		const struct cell *c = &l->cell[i];
		if (c[-1].id == LEARN_NONE || c->id == LEARN_NONE)
			continue;
		struct side *s = &of[nth[c[-1].id] * n + nth[c->id]];
		if (s->count >= l->min_count)
			l->place[s->at++] = i - 1;
	}
	free(of);
	return rc;
}

static int start(struct learn *l, const struct wordcount *w, const uint32_t id[256], struct err *e)
{
	uint32_t byte_id[256] = {0}, n = 0, highest = 0;
	for (int b = 0; b < 256; b++)
		if (id[b] != LEARN_NONE) {
			byte_id[n++] = id[b];
			highest = id[b] > highest ? id[b] : highest;
		}
	uint32_t *nth = calloc((size_t)highest + 1, sizeof *nth);
	l->chain = calloc(LEVELS, sizeof *l->chain);
	l->level = LEVELS;
	int rc = !nth || !l->chain || reserve_ids(l, highest) ? err_mem(e) : lay_out(l, w, id, e);
	for (uint32_t i = 0; i < n && nth; i++)
		nth[byte_id[i]] = i;
	if (rc == 0 && first_pairs(l, nth, byte_id, n))
		rc = err_mem(e);
	free(nth);
	return rc;
}

int learn_open(struct learn **out, const struct wordcount *w, const uint32_t id[256], uint64_t min_count, uint32_t max_length,
               struct err *e)
{
	struct learn *l = calloc(1, sizeof *l);
	if (!l)
		return err_mem(e);
	l->min_count = min_count ? min_count : 1;
	l->max_length = max_length;
	if (start(l, w, id, e)) {
		learn_close(l);
		return -1;
	}
	*out = l;
	return 0;
}

void learn_close(struct learn *l)
{
	if (!l)
		return;
	free(l->cell);
	free(l->count);
	free(l->length);
	free(l->joined_in);
	free(l->left.of);
	free(l->left.v);
	free(l->left.id);
	free(l->right.of);
	free(l->right.v);
	free(l->right.id);
	free(l->place);
	free(l->pair);
	free(l->chain);
	free(l->heap);
	free(l);
}

/* --- the next pair ------------------------------------------------------------------ */

/* The pair's count now; places that have lost it go. */
static void recount(struct learn *l, struct pair *p)
{
	uint32_t left = (uint32_t)(p->key >> 32), right = (uint32_t)p->key, length = l->length[left];
	uint32_t *place = l->place + p->at, n = 0;
	p->count = 0;
	for (uint32_t i = 0; i < p->n; i++) {
		if (i + AHEAD < p->n)
			__builtin_prefetch(&l->cell[place[i + AHEAD]]);
		const struct cell *c = &l->cell[place[i]];
		if (c->id != left || c[length].id != right)
			continue;
		p->count += l->count[c->word];
		place[n++] = place[i];
	}
	p->n = n;
	p->seen = l->step;
}

int learn_next(struct learn *l, uint32_t *left, uint32_t *right)
{
	for (;;) {
		while (l->nheap == 0 && l->level > l->min_count && l->level > 1)
			if (lower_level(l))
				return -1;
		if (l->nheap == 0)
			return 0;
		uint32_t i = heap_take(l);
		struct pair *p = &l->pair[i];
		*left = (uint32_t)(p->key >> 32);
		*right = (uint32_t)p->key;
		if (l->joined_in[*left] > p->seen || l->joined_in[*right] > p->seen) {
			uint64_t count = p->count;
			recount(l, p);
			if (p->count != count) {
				if (p->count >= l->min_count && enqueue(l, i))
					return -1;
				continue;
			}
		}
		l->top = i;
		return 1;
	}
}

/* --- joining ------------------------------------------------------------------------- */

static void find(struct found_side *s, uint32_t id, uint32_t place, uint64_t count)
{
	struct side *of = &s->of[id];
	if (of->n++ == 0)
		s->id[s->ids++] = id;
	of->count += count;
	s->v[s->n++] = (struct found){id, place};
}

/* Joins in all places, and notes the new neighbours of each. */
static void join_places(struct learn *l, const struct pair *p, uint32_t joined)
{
	uint32_t left = (uint32_t)(p->key >> 32), right = (uint32_t)p->key;
	uint32_t first = l->length[left], length = first + l->length[right];
	const uint32_t *place = l->place + p->at;
	for (uint32_t i = 0; i < p->n; i++) {
		if (i + AHEAD < p->n)
			__builtin_prefetch(&l->cell[place[i + AHEAD]]);
		struct cell *c = &l->cell[place[i]];
		if (c->id != left || c[first].id != right)
			continue; /* the one before has taken it: aaa */
		uint32_t prev = c[-1].id, next = c[length].id;
		uint64_t count = l->count[c->word];
		if (prev != LEARN_NONE) {
			if (prev == joined)
				l->right.of[left].count -= count; /* it was followed by a left a moment ago */
			find(&l->left, prev, place[i] - l->length[prev], count);
		}
		if (next != LEARN_NONE)
			find(&l->right, next, place[i], count);
		c[first].id = LEARN_NONE;
		c->id = joined;
		c[length - 1].id = joined;
	}
}

/* The pairs that came up on one side, with their places. */
static int new_pairs(struct learn *l, struct found_side *s, uint32_t joined)
{
	int rc = 0;
	for (uint32_t i = 0; i < s->ids; i++) {
		uint32_t id = s->id[i];
		struct side *of = &s->of[id];
		if (of->count < l->min_count || (uint64_t)l->length[id] + l->length[joined] >= l->max_length) {
			of->at = LEARN_NONE;
			continue;
		}
		of->at = l->nplace;
		l->nplace += of->n;
		if (rc == 0)
			rc = s == &l->left ? new_pair(l, id, joined, of->count, of->at, of->n)
			                   : new_pair(l, joined, id, of->count, of->at, of->n);
	}
	for (uint32_t i = 0; i < s->n; i++) {
		struct side *of = &s->of[s->v[i].id];
		if (of->at != LEARN_NONE)
			l->place[of->at++] = s->v[i].place;
	}
	for (uint32_t i = 0; i < s->ids; i++)
		s->of[s->id[i]] = (struct side){0};
	s->n = s->ids = 0;
	return rc;
}

static int reserve_found(struct learn *l, uint32_t n)
{
	uint32_t old = l->found_cap, cap[4] = {old, old, old, old};
	if (reserve(&l->left.v, &cap[0], n, sizeof *l->left.v) || reserve(&l->right.v, &cap[1], n, sizeof *l->right.v) ||
	    reserve(&l->left.id, &cap[2], n, sizeof *l->left.id) || reserve(&l->right.id, &cap[3], n, sizeof *l->right.id))
		return -1;
	l->found_cap = cap[0];
	return 0;
}

int learn_join(struct learn *l, uint32_t joined)
{
	const struct pair *p = &l->pair[l->top];
	uint32_t left = (uint32_t)(p->key >> 32), right = (uint32_t)p->key;
	if (reserve_found(l, p->n) || (joined >= l->ids && reserve_ids(l, joined)) ||
	    reserve(&l->place, &l->place_cap, l->nplace + 2 * (uint64_t)p->n, sizeof *l->place))
		return -1;
	l->length[joined] = l->length[left] + l->length[right];
	join_places(l, p, joined);
	l->step++;
	l->joined_in[left] = l->joined_in[right] = l->step;
	return new_pairs(l, &l->left, joined) || new_pairs(l, &l->right, joined) ? -1 : 0;
}
