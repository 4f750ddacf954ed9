#include "text/words.h"
#include "base/le.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { SHORT_BITS = 17 /* pairs: 8 MiB */, LONG_BITS = 15 /* 4 MiB */, LENGTH_AT = 56, COUNT_AT = 60 };
enum { AHEAD = 16 }; /* bytes that key_ahead reads */
static const uint64_t COUNT = (uint64_t)15 << COUNT_AT;

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
	*w = (struct words){.v = v, .merge = merge, .nblanks = nblanks};
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
	*w = (struct words){.v = v, .merge = merge, .nblanks = nblanks, .borrowed = true};
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

static int work_out(struct words *w, const char *s, size_t n, int32_t *ids, size_t *count)
{
	return is_run(w, s, n) ? blanks(w, n, ids, count) : merge_word(w->merge, s, n, ids, count);
}

__attribute__((noinline)) static int long_piece(struct words *w, const char *s, size_t n, int32_t *ids, size_t *count)
{
	uint64_t k[4];
	char copy[32] = {0};
	if (n > WORDS_LONG)
		return work_out(w, s, n, ids, count);
	memcpy(copy, s, n);
	copy[31] = (char)n;
	for (int i = 0; i < 4; i++)
		k[i] = le_load64(copy + 8 * i);
	struct words_long *p = &w->many[mix(mix(k[0], k[1]) ^ k[2], k[3]) >> (64 - LONG_BITS)];
	if (p->key[0] == k[0] && p->key[1] == k[1] && p->key[2] == k[2] && p->key[3] == k[3]) {
		memcpy(ids, p->id, sizeof p->id);
		*count = p->count;
		return 0;
	}
	int rc = work_out(w, s, n, ids, count);
	if (rc == 0 && *count <= WORDS_LONG_IDS && (n > WORDS_SHORT || *count > WORDS_SHORT_IDS)) {
		memcpy(p->key, k, sizeof k);
		memcpy(p->id, ids, sizeof p->id);
		p->count = (uint32_t)*count;
	}
	return rc;
}

static int work_out_short(struct words *w, uint64_t hash, const char *s, size_t n, int32_t *ids, size_t *count)
{
	uint32_t x = is_run(w, s, n) ? NO_WORD : *whole_of(w, hash, s, n);
	if (x == NO_WORD)
		return long_piece(w, s, n, ids, count);
	ids[0] = id_in(x);
	*count = 1;
	return 0;
}

/* A piece that is not first of its pair: first it becomes if it is second, else second. */
__attribute__((noinline)) static int other_short(struct words *w, struct words_short *p, struct key k, uint64_t hash, const char *s, size_t n,
                       int32_t *ids, size_t *count)
{
	struct words_short x = p[1];
	if (x.key[0] != k.lo || (x.key[1] & ~COUNT) != k.hi) {
		int rc = work_out_short(w, hash, s, n, ids, count);
		if (rc || *count > WORDS_SHORT_IDS)
			return rc;
		p[1].key[0] = k.lo;
		p[1].key[1] = k.hi | (uint64_t)*count << COUNT_AT;
		memcpy(p[1].id, ids, sizeof p->id);
		return 0;
	}
	p[1] = p[0];
	p[0] = x;
	memcpy(ids, x.id, sizeof x.id);
	*count = (size_t)(x.key[1] >> COUNT_AT);
	return 0;
}

/* The way of nearly every piece: inlined where it is called for many, the rest is not. */
__attribute__((always_inline)) static inline int piece(struct words *w, const char *s, size_t n, size_t ahead, bool all_ahead, int32_t *ids, size_t *count)
{
	if (n > WORDS_SHORT)
		return long_piece(w, s, n, ids, count);
	struct key k = all_ahead ? key_ahead(s, n) : key_of(s, n, ahead);
	uint64_t hash = mix(k.lo, k.hi);
	struct words_short *p = &w->few[hash >> (64 - SHORT_BITS) << 1];
	if (p->key[0] != k.lo || (p->key[1] & ~COUNT) != k.hi)
		return other_short(w, p, k, hash, s, n, ids, count);
	memcpy(ids, p->id, sizeof p->id);
	*count = (size_t)(p->key[1] >> COUNT_AT);
	return 0;
}

int words_one(struct words *w, const char *s, size_t n, size_t ahead, int32_t *ids, size_t *count)
{
	return piece(w, s, n, ahead, false, ids, count);
}

/* One text, or lines. *ends moves behind each that a line has written. start[n / 64] has a bit for the end. */
__attribute__((always_inline)) static inline int all(struct words *w, const char *s, size_t n, size_t ahead,
                                                     const uint64_t *start, int32_t *ids, size_t *count, bool all_ahead,
                                                     bool lines, size_t **ends)
{
	int32_t *to = ids;
	size_t from = 0, k;
	for (size_t i = 0; i <= n / 64; i++)
		for (uint64_t bits = i > 0 ? start[i] : start[i] & ~UINT64_C(1); bits; bits &= bits - 1) {
			size_t next = i * 64 + (size_t)__builtin_ctzll(bits);
			if (lines && s[from] == '\n') {
				*(*ends)++ = (size_t)(to - ids);
			} else {
				int rc = piece(w, s + from, next - from, ahead - from, all_ahead, to, &k);
				if (rc)
					return rc;
				to += k;
			}
			from = next;
		}
	*count = (size_t)(to - ids);
	return 0;
}

int words_of(struct words *w, const char *s, size_t n, size_t ahead, const uint64_t *start, int32_t *ids, size_t *count)
{
	return all(w, s, n, ahead, start, ids, count, false, false, NULL);
}

int words_lines(struct words *w, const char *s, size_t n, size_t ahead, const uint64_t *start, int32_t *ids,
                size_t *ends, size_t *nends)
{
	size_t *end = ends, count = 0;
	int rc = ahead >= n + AHEAD ? all(w, s, n, ahead, start, ids, &count, true, true, &end)
	                            : all(w, s, n, ahead, start, ids, &count, false, true, &end);
	if (rc == 0 && s[n - 1] != '\n')
		*end++ = count;
	*nends = (size_t)(end - ends);
	return rc;
}
