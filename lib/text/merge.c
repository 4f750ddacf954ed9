#include "text/merge.h"
#include "base/isa.h"
#include "text/pairs.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { SHORT = 40 };                        /* bytes of a word up to which scanning beats the heap */
enum { KEEP = 64 * 1024 };                  /* symbols of scratch that are kept from word to word */
static const uint32_t NONE = UINT32_MAX;    /* the rank of no merge, the place of no symbol */

/* --- which instructions ------------------------------------------------------------ */

ISA_CHOICE(struct merge_isa, merge_isa_, merge_at)
static ISA_BEST(struct merge_isa, merge_at, best_isa)

/* --- the table of pairs ---------------------------------------------------------- */

/* The slot that holds the pair, or the empty one where it belongs. */
static uint64_t *slot_of(const struct merge *m, int32_t a, int32_t b)
{
	uint64_t pair = pairs_key(a, b);
	size_t i = pairs_home(m, pair), mask = pairs_slots(m) - 1;
	while (m->slot[i] >> MERGE_RANK_BITS != pair && m->slot[i] != UINT64_MAX)
		i = (i + 1) & mask;
	return &m->slot[i];
}

static void note_steady(struct merge *m)
{
	size_t n = m->v->nmerge, i = 0;
	m->first = n ? m->made[0] : 0;
	while (i < n && m->made[i] == m->first + (int32_t)i)
		i++;
	m->steady = i == n;
}

/* Without a look at the table, which would be waited for. */
static inline int32_t made_of(const struct merge *m, uint32_t rank)
{
	return m->steady ? m->first + (int32_t)rank : m->made[rank];
}

/* Byte-level tokens of bytes that UTF-8 never has may be missing: -1 is in no pair. */
static inline uint32_t rank_of(const struct merge *m, int32_t a, int32_t b)
{
	if ((a | b) < 0)
		return NONE;
	uint64_t pair = pairs_key(a, b);
	size_t i = pairs_home(m, pair), mask = pairs_slots(m) - 1;
	for (;; i = (i + 1) & mask) {
		uint64_t x = m->slot[i];
		bool same = x >> MERGE_RANK_BITS == pair;
		/* one branch for both: which of them it is nobody could foresee */
		if (same | (x == UINT64_MAX))
			return same ? (uint32_t)x & PAIRS_RANK : NONE;
	}
}

int merge_init(struct merge *m, const struct vocab *v, struct err *e)
{
	*m = (struct merge){.v = v, .isa = best_isa(), .shift = 60};
	if (v->nmerge > PAIRS_RANK)
		return err_data(e, "%zu merges are more than %u", v->nmerge, PAIRS_RANK);
	while (pairs_slots(m) < v->nmerge * 2)
		m->shift--;
	m->slot = malloc(pairs_slots(m) * sizeof *m->slot);
	m->made = malloc((v->nmerge + 1) * sizeof *m->made);
	m->bytes = malloc(65536 * sizeof *m->bytes);
	if (!m->slot || !m->made || !m->bytes) {
		merge_release(m);
		return err_mem(e);
	}
	memset(m->slot, 0xFF, pairs_slots(m) * sizeof *m->slot);
	/* a pair listed twice has its last place, as in HF */
	for (size_t i = 0; i < v->nmerge; i++) {
		const struct vocab_merge *x = &v->merge[i];
		*slot_of(m, x->a, x->b) = pairs_key(x->a, x->b) << MERGE_RANK_BITS | i;
		m->made[i] = x->id;
	}
	for (int a = 0; a < 256; a++)
		for (int b = 0; b < 256; b++)
			m->bytes[a << 8 | b] = rank_of(m, v->byte[a], v->byte[b]);
	note_steady(m);
	return 0;
}

void merge_pack(const struct merge *m, struct image_parts *parts)
{
	image_add(parts, IMAGE_PAIRS, m->slot, pairs_slots(m) * sizeof *m->slot);
	image_add(parts, IMAGE_MADE, m->made, m->v->nmerge * sizeof *m->made);
	image_add(parts, IMAGE_FIRST, m->bytes, 65536 * sizeof *m->bytes);
}

void merge_unpack(struct merge *m, const struct vocab *v, const struct image *im)
{
	size_t n;
	*m = (struct merge){.v = v, .isa = best_isa(), .borrowed = true};
	m->slot = (uint64_t *)(uintptr_t)image_part(im, IMAGE_PAIRS, &n);
	m->shift = 64 - (unsigned)__builtin_ctzll(n / sizeof *m->slot);
	m->made = (int32_t *)(uintptr_t)image_part(im, IMAGE_MADE, &n);
	m->bytes = (uint32_t *)(uintptr_t)image_part(im, IMAGE_FIRST, &n);
	note_steady(m);
}

void merge_share(struct merge *m, const struct merge *owner)
{
	*m = *owner;
	m->room = NULL;
	m->sym = NULL;
	m->heap = NULL;
	m->cap = 0;
}

void merge_forget(struct merge *m)
{
	free(m->room);
	m->room = NULL;
	free(m->sym);
	free(m->heap);
	m->sym = NULL;
	m->heap = NULL;
	m->cap = 0;
}

void merge_release(struct merge *m)
{
	merge_forget(m);
	if (!m->borrowed) {
		free(m->slot);
		free(m->bytes);
		free(m->made);
	}
	*m = (struct merge){0};
}

/* --- short words ------------------------------------------------------------------ */

/* A pair as one number: the rank, then the place of its left symbol. */
static const uint64_t NO_PAIR = UINT64_MAX;
enum { PLACE_BITS = 8 };
_Static_assert(SHORT < 1 << PLACE_BITS, "places must fit");

static inline uint64_t pair_of(const struct merge *m, const int32_t *id, size_t left, size_t right, size_t n)
{
	uint32_t rank = right < n ? rank_of(m, id[left], id[right]) : NONE;
	return rank == NONE ? NO_PAIR : (uint64_t)rank << PLACE_BITS | left;
}

/* Symbols keep their places and are chained, so that what is looked through does not depend on
 * what was joined: there is nothing to mispredict but the end. */
static size_t merge_short(const struct merge *m, const unsigned char *s, size_t n, int32_t *id)
{
	uint64_t pair[SHORT];
	uint8_t next[SHORT + 1], prev[SHORT + 1];
	for (size_t i = 0; i < n; i++) {
		uint32_t rank = i + 1 < n ? m->bytes[s[i] << 8 | s[i + 1]] : NONE;
		id[i] = m->v->byte[s[i]];
		pair[i] = rank == NONE ? NO_PAIR : (uint64_t)rank << PLACE_BITS | i;
		next[i] = (uint8_t)(i + 1);
		prev[i + 1] = (uint8_t)i;
	}
	for (;;) {
		uint64_t best = NO_PAIR;
		for (size_t i = 0; i + 1 < n; i++)
			best = pair[i] < best ? pair[i] : best;
		if (best == NO_PAIR)
			break;
		size_t at = best & ((1 << PLACE_BITS) - 1), right = next[at], behind = next[right];
		id[at] = made_of(m, (uint32_t)(best >> PLACE_BITS));
		next[at] = (uint8_t)behind;
		prev[behind] = (uint8_t)at;
		pair[right] = NO_PAIR;
		pair[at] = pair_of(m, id, at, behind, n);
		if (at > 0)
			pair[prev[at]] = pair_of(m, id, prev[at], at, n);
	}
	size_t k = 0;
	for (size_t i = 0; i < n; i = next[i])
		id[k++] = id[i];
	return k;
}

/* --- long words --------------------------------------------------------------------- */

struct merge_symbol {
	int32_t id;
	uint32_t prev, next; /* NONE at the ends */
	uint32_t rank;       /* of this with the next; NONE too when joined to the one before */
};

/* A heap of four children a node: rank << 32 | place of the left symbol, smallest first. */
static void sift_down(uint64_t *heap, size_t n, size_t i)
{
	uint64_t x = heap[i];
	for (;;) {
		size_t child = 4 * i + 1, end = child + 4 < n ? child + 4 : n, least = child;
		if (child >= n)
			break;
		for (size_t c = child + 1; c < end; c++)
			if (heap[c] < heap[least])
				least = c;
		if (heap[least] >= x)
			break;
		heap[i] = heap[least];
		i = least;
	}
	heap[i] = x;
}

static void sift_up(uint64_t *heap, size_t i, uint64_t x)
{
	for (; i > 0 && heap[(i - 1) / 4] > x; i = (i - 1) / 4)
		heap[i] = heap[(i - 1) / 4];
	heap[i] = x;
}

/* The pair that begins at symbol i has changed: its new rank, and a place in the heap. */
static size_t renew(struct merge *m, size_t nheap, uint32_t i)
{
	struct merge_symbol *s = &m->sym[i];
	s->rank = s->next == NONE ? NONE : rank_of(m, s->id, m->sym[s->next].id);
	if (s->rank != NONE) {
		sift_up(m->heap, nheap, (uint64_t)s->rank << 32 | i);
		nheap++;
	}
	return nheap;
}

/* Every merge takes one entry off the heap and puts at most two on it: 2n is room enough. */
static int room(struct merge *m, size_t n)
{
	if (n <= m->cap)
		return 0;
	merge_forget(m);
	m->sym = malloc(n * sizeof *m->sym);
	m->heap = malloc(2 * n * sizeof *m->heap);
	if (!m->sym || !m->heap)
		return -1;
	m->cap = n;
	return 0;
}

static void fill(struct merge *m, const unsigned char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		m->sym[i].id = m->v->byte[s[i]];
		m->sym[i].rank = i + 1 < n ? m->bytes[s[i] << 8 | s[i + 1]] : NONE;
	}
}

/* The smallest rank, and how many of the n symbols have it. */
static uint32_t smallest(const struct merge_symbol *sym, size_t n, size_t *count)
{
	uint32_t best = NONE;
	*count = 0;
	for (size_t i = 0; i < n; i++) {
		if (sym[i].rank < best) {
			best = sym[i].rank;
			*count = 0;
		}
		*count += sym[i].rank == best;
	}
	return best;
}

/* Joins the pairs of rank `best` from left to right, but for those behind a pair of smaller rank
 * that came of it, which is due first: lists that were made from ranks of tokens, as Llama 3's,
 * name pairs before the pairs that their parts come from. The symbols move up; how many are left. */
static size_t join_all(struct merge *m, size_t n, uint32_t best)
{
	struct merge_symbol *sym = m->sym;
	size_t to = 0;
	bool fresh = false, stop = false; /* the symbol before is a new one; no more */
	for (size_t i = 0; i < n; to++) {
		if (fresh && !stop && sym[i].rank == best)
			stop = rank_of(m, sym[to - 1].id, sym[i].id) < best;
		bool join = !stop && sym[i].rank == best;
		sym[to].id = join ? m->made[best] : sym[i].id;
		sym[to].rank = sym[join ? i + 1 : i].rank;
		i += 1 + join;
		if (to > 0 && (join || fresh)) {
			sym[to - 1].rank = rank_of(m, sym[to - 1].id, sym[to].id);
			stop |= sym[to - 1].rank < best;
		}
		fresh = join;
	}
	return to;
}

/* While one pair is a good part of a word (a run of one letter is little else), it is joined
 * everywhere at once. How many symbols are left. */
static size_t join_common(struct merge *m, size_t n)
{
	enum { SHARE = 32 };
	size_t count;
	for (;;) {
		uint32_t best = smallest(m->sym, n, &count);
		if (best == NONE || count < n / SHARE)
			return n;
		n = join_all(m, n, best);
	}
}

static size_t link_all(struct merge *m, size_t n)
{
	size_t nheap = 0;
	for (size_t i = 0; i < n; i++) {
		m->sym[i].prev = i > 0 ? (uint32_t)i - 1 : NONE;
		m->sym[i].next = i + 1 < n ? (uint32_t)i + 1 : NONE;
		if (m->sym[i].rank != NONE)
			m->heap[nheap++] = (uint64_t)m->sym[i].rank << 32 | i;
	}
	for (size_t i = nheap / 4 + 1; i-- > 0;)
		if (i < nheap)
			sift_down(m->heap, nheap, i);
	return nheap;
}

static void join_rest(struct merge *m, size_t nheap)
{
	while (nheap) {
		uint32_t rank = (uint32_t)(m->heap[0] >> 32), at = (uint32_t)m->heap[0];
		m->heap[0] = m->heap[--nheap];
		if (nheap)
			sift_down(m->heap, nheap, 0);
		struct merge_symbol *left = &m->sym[at];
		if (left->rank != rank) /* one of the two has been joined to another since */
			continue;
		struct merge_symbol *right = &m->sym[left->next];
		left->id = m->made[rank];
		left->next = right->next;
		right->rank = NONE;
		if (left->next != NONE)
			m->sym[left->next].prev = at;
		nheap = renew(m, nheap, at);
		if (left->prev != NONE)
			nheap = renew(m, nheap, left->prev);
	}
}

static int merge_long(struct merge *m, const unsigned char *s, size_t n, int32_t *ids, size_t *count)
{
	if (room(m, n))
		return -1;
	size_t k = 0;
	fill(m, s, n);
	join_rest(m, link_all(m, join_common(m, n)));
	for (uint32_t i = 0; i != NONE; i = m->sym[i].next)
		ids[k++] = m->sym[i].id;
	*count = k;
	if (m->cap > KEEP)
		merge_forget(m);
	return 0;
}

/* The token that the whole word is, -1 if none, to *id. */
static int whole_word(struct merge *m, const char *s, size_t n, int32_t *id)
{
	if (!m->room && !(m->room = malloc(m->v->longest + 1)))
		return -1;
	*id = vocab_word(m->v, s, n, m->room);
	return 0;
}

int merge_word(struct merge *m, const char *s, size_t n, int32_t *ids, size_t *count)
{
	if (m->v->rules.ignore_merges) {
		if (whole_word(m, s, n, ids))
			return -1;
		*count = 1;
		if (ids[0] >= 0)
			return 0;
	}
	if (n > SHORT)
		return merge_long(m, (const unsigned char *)s, n, ids, count);
	*count = merge_short(m, (const unsigned char *)s, n, ids);
	return 0;
}

/* --- many words ----------------------------------------------------------------------- */

bool merge_has_lanes(const struct merge *m)
{
	return m->isa->together && !m->v->rules.ignore_merges;
}

/* Shorter words first: those side by side are done at about the same time. A sort by counting. */
static void by_length(const struct merge_job *jobs, size_t n, struct merge_job *to)
{
	size_t at[MERGE_TOGETHER + 2] = {0};
	for (size_t i = 0; i < n; i++)
		at[jobs[i].n + 1]++;
	for (size_t k = 1; k <= MERGE_TOGETHER; k++)
		at[k] += at[k - 1];
	for (size_t i = 0; i < n; i++)
		to[at[jobs[i].n]++] = jobs[i];
}

int merge_words(struct merge *m, const struct merge_job *jobs, size_t n)
{
	struct merge_job sorted[MERGE_JOBS];
	if (merge_has_lanes(m)) {
		by_length(jobs, n, sorted);
		m->isa->together(m, sorted, n);
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		if (merge_word(m, jobs[i].s, jobs[i].n, jobs[i].ids, jobs[i].count))
			return -1;
	return 0;
}
