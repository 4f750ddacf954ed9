#include "text/words.h"

#include <stdlib.h>
#include <string.h>

enum { SHORT_BITS = 16, LONG_BITS = 14, LENGTH_AT = 56, COUNT_AT = 60 };
static const uint64_t COUNT = (uint64_t)15 << COUNT_AT;

int words_init(struct words *w, const struct vocab *v, struct merge *merge, size_t nblanks, struct err *e)
{
	*w = (struct words){.v = v, .merge = merge, .nblanks = nblanks};
	w->few = calloc((size_t)1 << SHORT_BITS, sizeof *w->few);
	w->many = calloc((size_t)1 << LONG_BITS, sizeof *w->many);
	w->blanks = calloc(nblanks + 1, sizeof *w->blanks);
	if (!w->few || !w->many || !w->blanks) {
		words_release(w);
		return err_mem(e);
	}
	for (size_t i = 0; nblanks && i < v->nadded; i++)
		if (v->added[i].normalized)
			w->blanks[v->added[i].n] = v->added[i].id;
	return 0;
}

void words_release(struct words *w)
{
	free(w->few);
	free(w->many);
	free(w->blanks);
	*w = (struct words){0};
}

/* --- keys ---------------------------------------------------------------------------- */

static inline uint64_t load_le64(const char *p)
{
	uint64_t w;
	memcpy(&w, p, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	w = __builtin_bswap64(w);
#endif
	return w;
}

/* The low n bytes, n <= 8. */
static inline uint64_t low_bytes(uint64_t w, size_t n)
{
	return n < 8 ? w & ((UINT64_C(1) << 8 * n) - 1) : w;
}

static inline uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 p = (unsigned __int128)(a ^ UINT64_C(0x9E3779B97F4A7C15)) * (b ^ UINT64_C(0xD6E8FEB86659FD93));
	return (uint64_t)(p >> 64) ^ (uint64_t)p;
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

static int work_out(struct words *w, const char *s, size_t n, int32_t *ids, size_t *count)
{
	if (w->nblanks && n > 1 && s[0] == ' ' && s[1] == ' ')
		return blanks(w, n, ids, count);
	return merge_word(w->merge, s, n, ids, count);
}

static int new_short(struct words *w, struct words_short *p, uint64_t k0, uint64_t k1, const char *s, size_t n,
                     int32_t *ids, size_t *count)
{
	int rc = work_out(w, s, n, ids, count);
	if (rc == 0 && *count <= WORDS_SHORT_IDS) {
		p->key[0] = k0;
		p->key[1] = k1 | (uint64_t)*count << COUNT_AT;
		memcpy(p->id, ids, sizeof p->id);
	}
	return rc;
}

static int long_piece(struct words *w, const char *s, size_t n, int32_t *ids, size_t *count)
{
	uint64_t k[4];
	char copy[32] = {0};
	if (n > WORDS_LONG)
		return work_out(w, s, n, ids, count);
	memcpy(copy, s, n);
	copy[31] = (char)n;
	for (int i = 0; i < 4; i++)
		k[i] = load_le64(copy + 8 * i);
	struct words_long *p = &w->many[mix(mix(k[0], k[1]) ^ k[2], k[3]) >> (64 - LONG_BITS)];
	if (p->key[0] == k[0] && p->key[1] == k[1] && p->key[2] == k[2] && p->key[3] == k[3]) {
		memcpy(ids, p->id, sizeof p->id);
		*count = p->count;
		return 0;
	}
	int rc = work_out(w, s, n, ids, count);
	if (rc == 0 && *count <= WORDS_LONG_IDS) {
		memcpy(p->key, k, sizeof k);
		memcpy(p->id, ids, sizeof p->id);
		p->count = (uint32_t)*count;
	}
	return rc;
}

static inline int piece(struct words *w, const char *s, size_t n, size_t ahead, int32_t *ids, size_t *count)
{
	char copy[16] = {0};
	const char *from = s;
	if (n > WORDS_SHORT)
		return long_piece(w, s, n, ids, count);
	if (ahead < sizeof copy) {
		memcpy(copy, s, n);
		from = copy;
	}
	uint64_t k0 = low_bytes(load_le64(from), n), k1 = n > 8 ? low_bytes(load_le64(from + 8), n - 8) : 0;
	k1 |= (uint64_t)n << LENGTH_AT;
	struct words_short *p = &w->few[mix(k0, k1) >> (64 - SHORT_BITS)];
	if (p->key[0] != k0 || (p->key[1] & ~COUNT) != k1)
		return new_short(w, p, k0, k1, s, n, ids, count);
	memcpy(ids, p->id, sizeof p->id);
	*count = (size_t)(p->key[1] >> COUNT_AT);
	return 0;
}

int words_one(struct words *w, const char *s, size_t n, size_t ahead, int32_t *ids, size_t *count)
{
	return piece(w, s, n, ahead, ids, count);
}

int words_of(struct words *w, const char *s, size_t n, size_t ahead, const uint64_t *start, int32_t *ids, size_t *count)
{
	int32_t *to = ids;
	size_t from = 0, k;
	int rc;
	for (size_t i = 0; i * 64 < n; i++) {
		uint64_t bits = start[i];
		if (i == 0)
			bits &= ~UINT64_C(1);
		for (; bits; bits &= bits - 1) {
			size_t next = i * 64 + (size_t)__builtin_ctzll(bits);
			if ((rc = piece(w, s + from, next - from, ahead - from, to, &k)) != 0)
				return rc;
			to += k;
			from = next;
		}
	}
	if ((rc = piece(w, s + from, n - from, ahead - from, to, &k)) != 0)
		return rc;
	*count = (size_t)(to - ids) + k;
	return 0;
}
