/* Compiled once for each instruction set; merge.c chooses. */
#include "base/isa.h"
#include "text/pairs.h"

#include <stdbool.h>
#include <string.h>

#if defined __AVX512F__
#include <immintrin.h>

/* A word's joins wait for one another, and where the next is nobody can foresee. So sixteen words are joined side by
 * side, one in each lane: merge.c's method, where each step is the same for all and no branch is taken for one. */
enum { LANES = 16, MOST = MERGE_TOGETHER, PLACE_BITS = 6 };
_Static_assert(MOST < 1 << PLACE_BITS && MERGE_RANK_BITS + PLACE_BITS < 32, "places and ranks must fit");
static const uint32_t NO_PAIR = PAIRS_NONE << PLACE_BITS; /* or more */

struct lanes {
	uint32_t pair[MOST][LANES]; /* of a place's symbol and the one behind it: rank << PLACE_BITS | place */
	int32_t id[MOST + 1][LANES];
	uint32_t next[MOST + 1][LANES], prev[MOST + 1][LANES]; /* places of the neighbours */
	unsigned char text[LANES][MOST + 4];
	uint32_t n[LANES];
} __attribute__((aligned(64)));

/* Where a place has its entry in lane i of an array of places. */
INLINE __m512i entry(__m512i place)
{
	const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
	return _mm512_add_epi32(_mm512_slli_epi32(place, 4), lane);
}

INLINE __m512i gather(const void *array, __mmask16 which, __m512i at)
{
	return _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), which, at, array, 4);
}

/* Eight pairs of ids that are looked up. */
struct eight {
	__m512i pair, at, rank; /* PAIRS_NONE where there is none */
	__mmask8 todo;
};

INLINE struct eight wanted(const struct merge *m, __mmask8 which, __m256i a, __m256i b)
{
	struct eight e = {.todo = which, .rank = _mm512_set1_epi64(-1)};
	e.pair = _mm512_or_si512(_mm512_slli_epi64(_mm512_cvtepu32_epi64(a), MERGE_ID_BITS), _mm512_cvtepu32_epi64(b));
	e.at = _mm512_srl_epi64(_mm512_mullo_epi64(e.pair, _mm512_set1_epi64((long long)PAIRS_MIX)), _mm_cvtsi32_si128((int)m->shift));
	return e;
}

INLINE void look(const struct merge *m, struct eight *e)
{
	const __m512i end = _mm512_set1_epi64((long long)pairs_slots(m) - 1), empty = _mm512_set1_epi64(-1);
	__m512i x = _mm512_mask_i64gather_epi64(empty, e->todo, e->at, m->slot, 8);
	__mmask8 same = _mm512_mask_cmpeq_epi64_mask(e->todo, _mm512_srli_epi64(x, MERGE_RANK_BITS), e->pair);
	e->rank = _mm512_mask_and_epi64(e->rank, same, x, _mm512_set1_epi64(PAIRS_RANK));
	e->todo &= (__mmask8)~(same | _mm512_cmpeq_epi64_mask(x, empty));
	e->at = _mm512_and_si512(_mm512_add_epi64(e->at, _mm512_set1_epi64(1)), end);
}

/* Of sixteen and sixteen others: what waits for memory waits at the same time. An id of -1 is in no pair. */
INLINE void look_up(const struct merge *m, struct eight *e, const __mmask16 *which, const __m512i *a, const __m512i *b)
{
	UNROLL
	for (int i = 0; i < 2; i++) {
		__mmask16 in = which[i] & (__mmask16)~_mm512_movepi32_mask(_mm512_or_si512(a[i], b[i]));
		e[2 * i] = wanted(m, (__mmask8)in, _mm512_castsi512_si256(a[i]), _mm512_castsi512_si256(b[i]));
		e[2 * i + 1] = wanted(m, (__mmask8)(in >> 8), _mm512_extracti64x4_epi64(a[i], 1), _mm512_extracti64x4_epi64(b[i], 1));
	}
	do {
		UNROLL
		for (int i = 0; i < 4; i++)
			look(m, &e[i]);
	} while (e[0].todo | e[1].todo | e[2].todo | e[3].todo);
}

/* As entries of `pair`. */
INLINE __m512i entries(const struct eight *e, __m512i place)
{
	__m512i rank = _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtepi64_epi32(e[0].rank)), _mm512_cvtepi64_epi32(e[1].rank), 1);
	return _mm512_or_si512(_mm512_slli_epi32(rank, PLACE_BITS), place);
}

/* Puts bytes, their tokens and their pairs in place; the most that a word has. */
static size_t begin(const struct merge *m, struct lanes *l, const struct merge_job *jobs, size_t count)
{
	size_t most = 0;
	memset(l->n, 0, sizeof l->n);
	for (size_t i = 0; i < count; i++) {
		memcpy(l->text[i], jobs[i].s, jobs[i].n);
		l->n[i] = (uint32_t)jobs[i].n;
		most = jobs[i].n > most ? jobs[i].n : most;
	}
	const __m512i n = _mm512_load_si512(l->n), byte = _mm512_set1_epi32(255);
	const __m512i row = _mm512_mullo_epi32(entry(_mm512_setzero_si512()), _mm512_set1_epi32(MOST + 4));
	for (size_t i = 0; i < most; i++) {
		__m512i place = _mm512_set1_epi32((int)i), behind = _mm512_set1_epi32((int)i + 1);
		__mmask16 here = _mm512_cmplt_epu32_mask(place, n), two = _mm512_cmplt_epu32_mask(behind, n);
		__m512i text = _mm512_mask_i32gather_epi32(place, here, _mm512_add_epi32(row, place), l->text, 1);
		__m512i a = _mm512_and_si512(text, byte), b = _mm512_and_si512(_mm512_srli_epi32(text, 8), byte);
		__m512i rank = _mm512_mask_i32gather_epi32(_mm512_set1_epi32(-1), two, _mm512_or_si512(_mm512_slli_epi32(a, 8), b), m->bytes, 4);
		_mm512_store_si512(l->id[i], gather(m->v->byte, here, a));
		_mm512_store_si512(l->pair[i], _mm512_or_si512(_mm512_slli_epi32(rank, PLACE_BITS), place));
		_mm512_store_si512(l->next[i], behind);
		_mm512_store_si512(l->prev[i + 1], place);
	}
	return most;
}

/* A join in each lane that has one left; false: none has. */
INLINE bool join(const struct merge *m, struct lanes *l, size_t most)
{
	__m512i best = _mm512_load_si512(l->pair[0]);
	for (size_t i = 1; i < most; i++)
		best = _mm512_min_epu32(best, _mm512_load_si512(l->pair[i]));
	__mmask16 on = _mm512_cmplt_epu32_mask(best, _mm512_set1_epi32((int)NO_PAIR));
	if (!on)
		return false;
	__m512i at = _mm512_and_si512(best, _mm512_set1_epi32((1 << PLACE_BITS) - 1)), rank = _mm512_srli_epi32(best, PLACE_BITS);
	__m512i made = m->steady ? _mm512_add_epi32(rank, _mm512_set1_epi32(m->first)) : gather(m->made, on, rank);
	__m512i here = entry(at), right = gather(l->next, on, here), behind = gather(l->next, on, entry(right)), left = gather(l->prev, on, here);
	__mmask16 has_left = on & _mm512_test_epi32_mask(at, at), has_next = _mm512_mask_cmplt_epu32_mask(on, behind, _mm512_load_si512(l->n));
	__m512i next_id = gather(l->id, has_next, entry(behind)), left_id = gather(l->id, has_left, entry(left));
	struct eight found[4];
	look_up(m, found, (const __mmask16[]){has_next, has_left}, (const __m512i[]){made, left_id}, (const __m512i[]){next_id, made});
	_mm512_mask_i32scatter_epi32(l->id, on, here, made, 4);
	_mm512_mask_i32scatter_epi32(l->next, on, here, behind, 4);
	_mm512_mask_i32scatter_epi32(l->prev, on, entry(behind), at, 4);
	_mm512_mask_i32scatter_epi32(l->pair, on, entry(right), _mm512_set1_epi32(-1), 4);
	_mm512_mask_i32scatter_epi32(l->pair, on, here, entries(found, at), 4);
	_mm512_mask_i32scatter_epi32(l->pair, has_left, entry(left), entries(found + 2, left), 4);
	return true;
}

static void together(const struct merge *m, const struct merge_job *jobs, size_t n)
{
	struct lanes l;
	for (size_t from = 0; from < n; from += LANES) {
		size_t count = n - from < LANES ? n - from : LANES, most = begin(m, &l, jobs + from, count);
		while (join(m, &l, most)) {
		}
		for (size_t i = 0; i < count; i++) {
			const struct merge_job *j = &jobs[from + i];
			size_t k = 0;
			for (size_t at = 0; at < j->n; at = l.next[at][i])
				j->ids[k++] = l.id[at][i];
			*j->count = k;
		}
	}
}
#else
#define together NULL
#endif

ISA_TABLE(struct merge_isa, merge_isa_) = {ISA_NAME, together};
