#include "text/words.h"
#include "base/le.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { SHORT_BITS = 17 /* pairs: 8 MiB */, LONG_BITS = 16 /* 4 MiB */, LENGTH_AT = 56, COUNT_AT = 60 };
enum { AHEAD = 16 }; /* bytes that key_ahead reads */
enum { LONG_COUNT_AT = 48 }; /* the byte before the length */
static const uint64_t COUNT = (uint64_t)15 << COUNT_AT, LONG_COUNT = (uint64_t)255 << LONG_COUNT_AT;

/* --- keys ---------------------------------------------------------------------------- */

static inline uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 p = (unsigned __int128)(a ^ UINT64_C(0x9E3779B97F4A7C15)) * (b ^ UINT64_C(0xD6E8FEB86659FD93));
	return (uint64_t)(p >> 64) ^ (uint64_t)p;
}

struct key {
	uint64_t lo, hi; /* hi: the length in its top byte */
};

/* The bytes of a word of n bytes: FIRST(n) of the first eight, FIRST(n - 8) of the rest. */
#define FIRST(n) ((n) <= 0 ? 0 : (n) >= 8 ? UINT64_MAX : (UINT64_C(1) << 8 * ((n) & 7)) - 1)
#define MASKS(n) {FIRST(n), FIRST((n) - 8)}
static const uint64_t masks[WORDS_SHORT + 2][2] = {
	MASKS(0), MASKS(1), MASKS(2), MASKS(3), MASKS(4), MASKS(5), MASKS(6), MASKS(7),
	MASKS(8), MASKS(9), MASKS(10), MASKS(11), MASKS(12), MASKS(13), MASKS(14), MASKS(15), MASKS(16)};

/* Of s[0..n), n <= WORDS_SHORT, of which `ahead` >= n bytes may be read. No branch depends on n. */
static inline struct key key_ahead(const char *s, size_t n)
{
	return (struct key){le_load64(s) & masks[n][0], (le_load64(s + 8) & masks[n][1]) | (uint64_t)n << LENGTH_AT};
}

static inline struct key key_of(const char *s, size_t n, size_t ahead)
{
	char copy[AHEAD] = {0};
	if (ahead >= AHEAD)
		return key_ahead(s, n);
	memcpy(copy, s, n);
	return key_ahead(copy, n);
}

/* --- tokens that are words ------------------------------------------------------------- */

static const uint32_t NO_WORD = UINT32_MAX;

/* What a slot has of the hash, so that another word is nearly always told without a look at its bytes. */
static uint32_t tag_of(uint64_t hash)
{
	return (uint32_t)(hash >> 24) & ((1 << WORDS_TAG_BITS) - 1);
}

static int32_t id_in(uint32_t slot)
{
	return (int32_t)(slot & ((1 << WORDS_ID_BITS) - 1));
}

/* The slot that holds the token of these bytes, or the empty one where it belongs. */
static uint32_t *whole_of(const struct words *w, uint64_t hash, const char *s, size_t n)
{
	for (size_t i = (size_t)hash & w->mask;; i = (i + 1) & w->mask) {
		uint32_t x = w->whole[i];
		if (x == NO_WORD)
			return &w->whole[i];
		if (x >> WORDS_ID_BITS != tag_of(hash))
			continue;
		const struct vocab_token *t = &w->v->tok[id_in(x)];
		if (t->nbytes == n && memcmp(t->bytes, s, n) == 0)
			return &w->whole[i];
	}
}

static int add_whole(struct words *w, int32_t id)
{
	const struct vocab_token *t = &w->v->tok[id];
	int32_t ids[WORDS_SHORT + WORDS_SPARE];
	size_t count;
	if (!t->text || t->nbytes == 0 || t->nbytes > WORDS_SHORT)
		return 0;
	if (merge_word(w->merge, t->bytes, t->nbytes, ids, &count))
		return -1;
	if (count == 1 && ids[0] == id) {
		struct key k = key_of(t->bytes, t->nbytes, t->nbytes);
		uint64_t hash = mix(k.lo, k.hi);
		*whole_of(w, hash, t->bytes, t->nbytes) = tag_of(hash) << WORDS_ID_BITS | (uint32_t)id;
	}
	return 0;
}

static int make_whole(struct words *w)
{
	w->mask = 15;
	while (w->mask < 2 * (size_t)w->v->size)
		w->mask = w->mask * 2 + 1;
	w->whole = malloc((w->mask + 1) * sizeof *w->whole);
	if (!w->whole)
		return -1;
	memset(w->whole, 0xFF, (w->mask + 1) * sizeof *w->whole);
	for (uint32_t id = 0; id < w->v->size; id++)
		if (add_whole(w, (int32_t)id))
			return -1;
	return 0;
}

/* --- opening ------------------------------------------------------------------------------ */

enum { HUGE_PAGE = 2 << 20 };
static const size_t FEW = sizeof(struct words_short) << (SHORT_BITS + 1), MANY = sizeof(struct words_long) << LONG_BITS; /* bytes */

/* Zeros at a multiple of HUGE_PAGE: places of the large tables are far apart, and with small
 * pages nearly each would miss the TLB. */
static int map_tables(struct words *w)
{
	w->map = mmap(NULL, FEW + MANY + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (w->map == MAP_FAILED) {
		w->map = NULL;
		return -1;
	}
	char *at = (char *)w->map + (-(uintptr_t)w->map & (HUGE_PAGE - 1));
	madvise(at, FEW + MANY, MADV_HUGEPAGE); /* where the system has none, small ones do */
	w->few = (struct words_short *)(void *)at;
	w->many = (struct words_long *)(void *)(at + FEW);
	return 0;
}

static int make_tables(struct words *w, struct err *e)
{
	w->blanks = calloc(w->nblanks + 1, sizeof *w->blanks);
	if (map_tables(w) || !w->blanks) {
		words_release(w);
		return err_mem(e);
	}
	for (size_t i = 0; w->nblanks && i < w->v->nadded; i++)
		if (w->v->added[i].normalized)
			w->blanks[w->v->added[i].n] = w->v->added[i].id;
	return 0;
}

int words_init(struct words *w, const struct vocab *v, struct merge *merge, size_t nblanks, struct err *e)
{
	*w = (struct words){.v = v, .merge = merge, .nblanks = nblanks, .narrow = v->size <= 65536};
	if (make_whole(w)) {
		words_release(w);
		return err_mem(e);
	}
	return make_tables(w, e);
}

int words_share(struct words *w, const struct words *owner, struct merge *merge, struct err *e)
{
	*w = *owner;
	w->merge = merge;
	w->borrowed = true;
	return make_tables(w, e);
}

void words_pack(const struct words *w, struct image_parts *parts)
{
	image_add(parts, IMAGE_WHOLE, w->whole, (w->mask + 1) * sizeof *w->whole);
}

int words_unpack(struct words *w, const struct vocab *v, struct merge *merge, size_t nblanks, const struct image *im, struct err *e)
{
	size_t n;
	*w = (struct words){.v = v, .merge = merge, .nblanks = nblanks, .narrow = v->size <= 65536, .borrowed = true};
	w->whole = (uint32_t *)(uintptr_t)image_part(im, IMAGE_WHOLE, &n);
	w->mask = n / sizeof *w->whole - 1;
	return make_tables(w, e);
}

void words_release(struct words *w)
{
	if (!w->borrowed)
		free(w->whole);
	if (w->map)
		munmap(w->map, FEW + MANY + HUGE_PAGE);
	free(w->blanks);
	*w = (struct words){0};
}

/* --- pieces -------------------------------------------------------------------------- */

/* A run of n blanks as the longest tokens first. 1: one blank is left. */
static int blanks(const struct words *w, size_t n, int32_t *ids, size_t *count)
{
	size_t k = 0;
	for (; n > w->nblanks; n -= w->nblanks)
		ids[k++] = w->blanks[w->nblanks];
	if (n == 1)
		return 1;
	ids[k++] = w->blanks[n];
	*count = k;
	return 0;
}

static bool is_run(const struct words *w, const char *s, size_t n)
{
	return w->nblanks && n > 1 && s[0] == ' ' && s[1] == ' ';
}

/* The bytes of a piece of up to WORDS_LONG bytes, and its length. */
struct long_key {
	uint64_t k[4];
};

static struct long_key long_key_of(const char *s, size_t n)
{
	struct long_key key;
	char copy[32] = {0};
	memcpy(copy, s, n);
	copy[31] = (char)n;
	for (int i = 0; i < 4; i++)
		key.k[i] = le_load64(copy + 8 * i);
	return key;
}

static uint64_t long_hash_of(const struct long_key *key)
{
	return mix(mix(key->k[0], key->k[1]) ^ key->k[2], key->k[3]);
}

/* Of a short piece by the hash of its key, of a longer one by that of its long key. */
static inline struct words_long *many_of(const struct words *w, uint64_t hash)
{
	return &w->many[hash & ((1 << LONG_BITS) - 1)];
}

static bool long_known(const struct words *w, const struct words_long *p, const struct long_key *key, int32_t *ids, size_t *count)
{
	if (p->key[0] != key->k[0] || p->key[1] != key->k[1] || p->key[2] != key->k[2] || (p->key[3] & ~LONG_COUNT) != key->k[3])
		return false;
	if (w->narrow)
		for (int i = 0; i < WORDS_NARROW; i++)
			ids[i] = p->id.narrow[i];
	else
		memcpy(ids, p->id.wide, sizeof p->id.wide);
	*count = (size_t)((p->key[3] & LONG_COUNT) >> LONG_COUNT_AT);
	return true;
}

/* A negative id is that of a byte that no token has. */
static void long_remember(const struct words *w, struct words_long *p, const struct long_key *key, const int32_t *ids, size_t count)
{
	int32_t all = 0;
	if (count > (w->narrow ? WORDS_NARROW : WORDS_WIDE))
		return;
	for (size_t i = 0; i < count; i++)
		all |= ids[i];
	if (all < 0)
		return;
	memcpy(p->key, key->k, sizeof p->key);
	p->key[3] |= (uint64_t)count << LONG_COUNT_AT;
	for (size_t i = 0; i < count; i++)
		if (w->narrow)
			p->id.narrow[i] = (uint16_t)ids[i];
		else
			p->id.wide[i] = ids[i];
}

static uint64_t long_piece_hash(const char *s, size_t n)
{
	if (n > WORDS_LONG)
		return 0;
	struct long_key key = long_key_of(s, n);
	return long_hash_of(&key);
}

static inline struct words_short *few_of(const struct words *w, uint64_t hash)
{
	return &w->few[hash >> (64 - SHORT_BITS) << 1];
}

/* The way of nearly every piece: first of its pair. */
static inline bool known(const struct words_short *p, struct key k, int32_t *ids, size_t *count)
{
	if (p->key[0] != k.lo || (p->key[1] & ~COUNT) != k.hi)
		return false;
	memcpy(ids, p->id, sizeof p->id);
	*count = (size_t)(p->key[1] >> COUNT_AT);
	return true;
}

/* --- pieces put off ----------------------------------------------------------------------- */

/* A piece that the tables above do not know costs a hundred times what others cost. So such pieces are put off and
 * worked out many at a time, which costs less where merge_has_lanes; their ids are then put in between. */
enum { LATER = MERGE_JOBS, LATER_BYTES = MERGE_TOGETHER };
_Static_assert((int)LATER_BYTES >= (int)WORDS_NARROW, "whole entries are copied");

struct later_piece {
	const char *s;
	size_t n;
	uint64_t hash;
	struct key key;  /* of a short piece */
	size_t at, ends; /* ids and ends of lines before it, without those of pieces put off */
};

struct later {
	size_t n;
	struct later_piece piece[LATER];
	size_t count[LATER]; /* their ids */
	int32_t ids[LATER][LATER_BYTES];
};

/* Where ids and ends of lines go. */
struct sink {
	int32_t *ids;
	size_t n;
	size_t *ends, nends;
};

/* In the table of long pieces and of many ids. */
static bool in_many(const struct words *w, const struct later_piece *p, int32_t *ids, size_t *count)
{
	if (p->n > WORDS_LONG)
		return false;
	struct long_key key = long_key_of(p->s, p->n);
	return long_known(w, many_of(w, p->hash), &key, ids, count);
}

/* Asks for the tokens that pieces may be. */
static void ask_tokens(const struct words *w, const struct later *l)
{
	const struct vocab_token *t[LATER];
	size_t k = 0;
	for (size_t i = 0; i < l->n; i++) {
		uint32_t x = w->whole[l->piece[i].hash & w->mask];
		if (l->piece[i].n > WORDS_SHORT || x == NO_WORD || x >> WORDS_ID_BITS != tag_of(l->piece[i].hash))
			continue;
		t[k] = &w->v->tok[id_in(x)];
		__builtin_prefetch(t[k++]);
	}
	for (size_t i = 0; i < k; i++)
		__builtin_prefetch(t[i]->bytes);
}

/* Whether the piece is a token; which. */
static bool is_token(const struct words *w, const struct later_piece *p, int32_t *ids, size_t *count)
{
	uint32_t x = p->n <= WORDS_SHORT ? *whole_of(w, p->hash, p->s, p->n) : NO_WORD;
	if (x == NO_WORD)
		return false;
	ids[0] = id_in(x);
	*count = 1;
	return true;
}

static void remember(struct words *w, const struct later_piece *p, const int32_t *ids, size_t count)
{
	if (p->n <= WORDS_SHORT && count <= WORDS_SHORT_IDS) {
		struct words_short *x = few_of(w, p->hash) + 1;
		x->key[0] = p->key.lo;
		x->key[1] = p->key.hi | (uint64_t)count << COUNT_AT;
		memcpy(x->id, ids, sizeof x->id);
	} else if (p->n <= WORDS_LONG) {
		struct long_key key = long_key_of(p->s, p->n);
		long_remember(w, many_of(w, p->hash), &key, ids, count);
	}
}

/* The ids of all that were put off. */
static int work_out_all(struct words *w, struct later *l)
{
	struct merge_job job[LATER];
	const struct later_piece *of[LATER];
	size_t k = 0;
	ask_tokens(w, l);
	for (size_t i = 0; i < l->n; i++) {
		const struct later_piece *p = &l->piece[i];
		if (is_token(w, p, l->ids[i], &l->count[i])) {
			remember(w, p, l->ids[i], l->count[i]);
		} else if (!in_many(w, p, l->ids[i], &l->count[i])) {
			of[k] = p;
			job[k++] = (struct merge_job){.s = p->s, .n = p->n, .ids = l->ids[i], .count = &l->count[i]};
		}
	}
	if (k && merge_words(w->merge, job, k))
		return -1;
	for (size_t i = 0; i < k; i++)
		remember(w, of[i], job[i].ids, *job[i].count);
	return 0;
}

/* Moves the ids behind each piece back by what goes in before, the last first, and the ends of lines with them. */
static void put_between(const struct later *l, struct sink *to)
{
	size_t shift = 0, end = to->n;
	for (size_t i = 0; i < l->n; i++) {
		size_t until = i + 1 < l->n ? l->piece[i + 1].ends : to->nends;
		shift += l->count[i];
		for (size_t next = l->piece[i].ends; next < until; next++)
			to->ends[next] += shift;
	}
	to->n += shift;
	for (size_t i = l->n; i-- > 0; end = l->piece[i].at) {
		size_t from = l->piece[i].at;
		memmove(to->ids + from + shift, to->ids + from, (end - from) * sizeof *to->ids);
		shift -= l->count[i];
		memcpy(to->ids + from + shift, l->ids[i], l->count[i] * sizeof *to->ids);
	}
}

static int settle(struct words *w, struct later *l, struct sink *to)
{
	if (l->n == 0)
		return 0;
	if (work_out_all(w, l))
		return -1;
	put_between(l, to);
	l->n = 0;
	return 0;
}

static int put_off(struct words *w, struct later *l, struct sink *to, const struct later_piece *p)
{
	__builtin_prefetch(&w->whole[p->hash & w->mask], 0);
	__builtin_prefetch(many_of(w, p->hash), 1);
	l->piece[l->n] = *p;
	l->piece[l->n].at = to->n;
	l->piece[l->n++].ends = to->nends;
	return l->n == LATER || !merge_has_lanes(w->merge) ? settle(w, l, to) : 0;
}

/* --- pieces that are not first of a pair ---------------------------------------------------- */

/* First it becomes if it is second. */
static bool second_of(struct words *w, const struct later_piece *p, int32_t *ids, size_t *count)
{
	struct words_short *few = few_of(w, p->hash), x = few[1];
	if (!known(&few[1], p->key, ids, count))
		return false;
	few[1] = few[0];
	few[0] = x;
	return true;
}

static bool is_remembered(struct words *w, const struct later_piece *p, int32_t *ids, size_t *count)
{
	return p->n <= WORDS_SHORT ? second_of(w, p, ids, count) : in_many(w, p, ids, count);
}

__attribute__((noinline)) static int other_piece(struct words *w, struct later *l, struct sink *to, const struct later_piece *p)
{
	int32_t *ids = to->ids + to->n;
	size_t count;
	int rc = 0;
	if (!is_remembered(w, p, ids, &count)) {
		bool run = is_run(w, p->s, p->n);
		if (!run && p->n <= LATER_BYTES)
			return put_off(w, l, to, p);
		rc = run ? blanks(w, p->n, ids, &count) : merge_word(w->merge, p->s, p->n, ids, &count);
		if (rc)
			return rc;
		if (run)
			remember(w, p, ids, count);
	}
	to->n += count;
	return 0;
}

int words_one(struct words *w, const char *s, size_t n, size_t ahead, int32_t *ids, size_t *count)
{
	struct later_piece p = {.s = s, .n = n};
	struct sink to = {.ids = ids};
	struct later l;
	l.n = 0;
	if (n > WORDS_SHORT) {
		p.hash = long_piece_hash(s, n);
	} else {
		p.key = key_of(s, n, ahead);
		p.hash = mix(p.key.lo, p.key.hi);
		if (known(few_of(w, p.hash), p.key, ids, count))
			return 0;
	}
	int rc = other_piece(w, &l, &to, &p);
	if (rc == 0 && settle(w, &l, &to))
		rc = -1;
	*count = to.n;
	return rc;
}

/* --- many pieces ------------------------------------------------------------------------ */

/* The tables are larger than the near caches. So many pieces are looked up in two goes: first the places
 * of all are worked out and asked for, then each is read. */
enum { GROUP = 64 };

struct group {
	size_t n;
	size_t at[GROUP + 1]; /* where pieces begin, and the last ends */
	struct key key[GROUP];
	uint64_t hash[GROUP];
};

__attribute__((always_inline)) static inline void ask(const struct words *w, struct group *g, const char *s, size_t ahead, bool all_ahead)
{
	for (size_t i = 0; i < g->n; i++) {
		size_t from = g->at[i], n = g->at[i + 1] - from;
		if (n > WORDS_SHORT) {
			g->hash[i] = long_piece_hash(s + from, n);
			__builtin_prefetch(many_of(w, g->hash[i]), 1);
			continue;
		}
		struct key k = all_ahead ? key_ahead(s + from, n) : key_of(s + from, n, ahead - from);
		g->key[i] = k;
		g->hash[i] = mix(k.lo, k.hi);
		__builtin_prefetch(few_of(w, g->hash[i]), 0);
	}
}

__attribute__((always_inline)) static inline int answer(struct words *w, const struct group *g, const char *s, bool lines,
                                                        struct later *l, struct sink *to)
{
	size_t k, to_n = to->n, nends = to->nends; /* not in memory, where each piece would wait for them */
	for (size_t i = 0; i < g->n; i++) {
		size_t from = g->at[i], n = g->at[i + 1] - from;
		if (lines && s[from] == '\n') {
			to->ends[nends++] = to_n;
		} else if (n <= WORDS_SHORT && known(few_of(w, g->hash[i]), g->key[i], to->ids + to_n, &k)) {
			to_n += k;
		} else {
			const struct later_piece p = {.s = s + from, .n = n, .hash = g->hash[i], .key = g->key[i]};
			to->n = to_n;
			to->nends = nends;
			int rc = other_piece(w, l, to, &p);
			if (rc)
				return rc;
			to_n = to->n;
		}
	}
	to->n = to_n;
	to->nends = nends;
	return 0;
}

/* One text, or lines. start[n / 64] has a bit for the end. */
__attribute__((always_inline)) static inline int all(struct words *w, const char *s, size_t n, size_t ahead,
                                                     const uint64_t *start, bool all_ahead, bool lines, struct sink *to)
{
	struct group g = {.n = 0};
	struct later l;
	int rc = 0;
	l.n = 0;
	g.at[0] = 0;
	for (size_t i = 0; rc == 0 && i <= n / 64; i++)
		for (uint64_t bits = i > 0 ? start[i] : start[i] & ~UINT64_C(1); bits; bits &= bits - 1) {
			g.at[++g.n] = i * 64 + (size_t)__builtin_ctzll(bits);
			if (g.n < GROUP && g.at[g.n] < n)
				continue;
			ask(w, &g, s, ahead, all_ahead);
			if ((rc = answer(w, &g, s, lines, &l, to)) != 0)
				break;
			g.at[0] = g.at[g.n];
			g.n = 0;
		}
	return settle(w, &l, to) ? -1 : rc;
}

int words_of(struct words *w, const char *s, size_t n, size_t ahead, const uint64_t *start, int32_t *ids, size_t *count)
{
	struct sink to = {.ids = ids};
	int rc = all(w, s, n, ahead, start, false, false, &to);
	*count = to.n;
	return rc;
}

int words_lines(struct words *w, const char *s, size_t n, size_t ahead, const uint64_t *start, int32_t *ids,
                size_t *ends, size_t *nends)
{
	struct sink to = {.ids = ids, .ends = ends};
	int rc = ahead >= n + AHEAD ? all(w, s, n, ahead, start, true, true, &to) : all(w, s, n, ahead, start, false, true, &to);
	if (rc == 0 && s[n - 1] != '\n')
		to.ends[to.nends++] = to.n;
	*nends = to.nends;
	return rc;
}
