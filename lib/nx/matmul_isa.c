/* Compiled once for each instruction set; matmul.c chooses.
 *
 * A tile of ROWS x COLS sums stays in registers while it goes down two panels: of
 * each row of the panel of b it loads VECS registers, of that of a one number a row.
 * Tiles of fewer rows are the same code, made for every number of rows. */
#include "nx/matmul.h"
#include "base/isa.h"
#include "nx/lanes.h"

#include <string.h>

#ifdef ISA

/* --- registers --------------------------------------------------------------------- */

#if defined __AVX512F__
enum { ROWS = 14 };
#else
enum { ROWS = 6 };
#endif

enum { VECS = 2, COLS = VECS * LANES };

/* --- tiles ----------------------------------------------------------------------------- */

/* Where a tile of r rows stands. */
struct place {
	float *c;
	ptrdiff_t ldc;
	const float *a, *b, *bias;
	int k;
	bool add;
};

INLINE void finish(const struct place *t, vec s[ROWS][VECS], const int r)
{
	if (t->bias)
		UNROLL for (int i = 0; i < r; i++)
			UNROLL for (int v = 0; v < VECS; v++)
				s[i][v] += load(t->bias + v * LANES);
	if (t->add)
		UNROLL for (int i = 0; i < r; i++)
			UNROLL for (int v = 0; v < VECS; v++)
				s[i][v] += load(t->c + i * t->ldc + v * LANES);
	UNROLL for (int i = 0; i < r; i++)
		UNROLL for (int v = 0; v < VECS; v++)
			store(t->c + i * t->ldc + v * LANES, s[i][v]);
}

INLINE void begin(const struct place *t, vec s[ROWS][VECS], const int r)
{
	UNROLL for (int i = 0; i < r; i++) {
		__builtin_prefetch(t->c + i * t->ldc);
		UNROLL for (int v = 0; v < VECS; v++)
			s[i][v] = zero();
	}
}

INLINE void tile(const struct place *t, const int r)
{
	const float *a = t->a, *b = t->b;
	vec s[ROWS][VECS];
	begin(t, s, r);
	for (int p = 0; p < t->k; p++, a += ROWS, b += COLS) {
		vec w[VECS];
		UNROLL for (int v = 0; v < VECS; v++)
			w[v] = load(b + v * LANES);
		UNROLL for (int i = 0; i < r; i++) {
			vec x = all_of(a[i]);
			UNROLL for (int v = 0; v < VECS; v++)
				s[i][v] = muladd(x, w[v], s[i][v]);
		}
	}
	finish(t, s, r);
}

#if defined __AVX512F__
#define EACH_ROWS(TILE) TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6) TILE(7) TILE(8) TILE(9) TILE(10) TILE(11) TILE(12) TILE(13) TILE(14)
#else
#define EACH_ROWS(TILE) TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6)
#endif

#define TILE(n) APART void tile_f32_##n(const struct place *t) { tile(t, n); }
EACH_ROWS(TILE)
#undef TILE

static void tile_f32(const struct place *t, int r)
{
#define TILE(n) case n: tile_f32_##n(t); return;
	switch (r) {
		EACH_ROWS(TILE)
	}
#undef TILE
}

/* Rows of a panel of a: m, which are to be shared out evenly. */
INLINE int panel_rows(int m)
{
	int panels = (m + ROWS - 1) / ROWS;
	return (m + panels - 1) / panels;
}

/* A tile that reaches beyond the last column: by way of an array of its own. */
INLINE void last_columns(struct place t, int r, int n, void (*one)(const struct place *, int))
{
	float out[ROWS * COLS] __attribute__((aligned(64)));
	struct place own = {out, COLS, t.a, t.b, NULL, t.k, false};
	one(&own, r);
	for (int i = 0; i < r; i++)
		for (int j = 0; j < n; j++) {
			float *c = t.c + i * t.ldc + j;
			/* the analyzer loses sight of what `one` wrote; to clear all first costs time */
			float x = out[i * COLS + j]; /* NOLINT(clang-analyzer-core.uninitialized.Assign) */
			if (t.bias)
				x += t.bias[j];
			*c = t.add ? *c + x : x;
		}
}

INLINE void each_tile(const struct matmul_tiles *t, void (*one)(const struct place *, int))
{
	int each = panel_rows(t->m);
	const float *b = t->b;
	for (int j = 0; j < t->n; j += COLS, b += t->b_next) {
		const float *a = t->a;
		for (int i = 0; i < t->m; i += each, a += t->a_next) {
			struct place at = {t->c + i * t->ldc + j, t->ldc, a, b, t->bias ? t->bias + j : NULL, t->k, t->add};
			int r = t->m - i < each ? t->m - i : each;
			if (t->n - j >= COLS)
				one(&at, r);
			else
				last_columns(at, r, t->n - j, one);
		}
	}
}

static void tiles(const struct matmul_tiles *t)
{
	each_tile(t, tile_f32);
}

#if defined __AVX512F__
/* Only where cpu_bf16_dots(). A pair of products is added to a sum at once, in this instruction's own rounding. */
#define WITH_DOTS __attribute__((target("avx512bf16")))

WITH_DOTS INLINE void tile_of_pairs(const struct place *t, const int r)
{
	const float *a = t->a, *b = t->b;
	vec s[ROWS][VECS];
	begin(t, s, r);
	for (int p = 0; p < t->k; p++, a += ROWS, b += COLS) {
		__m512bh w[VECS];
		UNROLL for (int v = 0; v < VECS; v++)
			w[v] = (__m512bh)load(b + v * LANES);
		UNROLL for (int i = 0; i < r; i++) {
			__m512bh x = (__m512bh)all_of(a[i]);
			UNROLL for (int v = 0; v < VECS; v++)
				s[i][v] = _mm512_dpbf16_ps(s[i][v], x, w[v]);
		}
	}
	finish(t, s, r);
}

#define TILE(n) WITH_DOTS APART void tile_pairs_##n(const struct place *t) { tile_of_pairs(t, n); }
EACH_ROWS(TILE)
#undef TILE

WITH_DOTS static void tile_pairs(const struct place *t, int r)
{
#define TILE(n) case n: tile_pairs_##n(t); return;
	switch (r) {
		EACH_ROWS(TILE)
	}
#undef TILE
}

static void tiles_pairs(const struct matmul_tiles *t)
{
	each_tile(t, tile_pairs);
}
#else
#define tiles_pairs NULL
#endif

/* --- packing ----------------------------------------------------------------------------- */

INLINE uint32_t bits(float f)
{
	uint32_t u;
	memcpy(&u, &f, sizeof u);
	return u;
}

/* A float's upper half rounded to nearest even, in place; what is no number stays none. */
INLINE uint32_t rounded(float f)
{
	uint32_t u = bits(f);
	uint32_t near = u + 0x7FFF + (u >> 16 & 1);
	return ((u & 0x7FFFFFFF) > 0x7F800000 ? u | 0x400000 : near) & 0xFFFF0000;
}

INLINE float round_bf16(float f)
{
	uint32_t u = rounded(f);
	memcpy(&f, &u, sizeof f);
	return f;
}

/* What a panel is filled with: floats, floats rounded, or pairs. */
enum form { PLAIN, ROUNDED, PAIRS };

/* The number at depth p, or the pair at p and p + 1, of which the second may lie beyond k. */
INLINE float entry(const float *v, ptrdiff_t depth, int p, int k, const enum form form)
{
	if (form == PLAIN)
		return v[p * depth];
	if (form == ROUNDED)
		return round_bf16(v[p * depth]);
	uint32_t high = p + 1 < k ? rounded(v[(p + 1) * depth]) : 0, u = high | rounded(v[p * depth]) >> 16;
	float f;
	memcpy(&f, &u, sizeof f);
	return f;
}

/* n entries across, `to` on. Where the operand lies so, they are its neighbours. */
INLINE void pack_beside(float *to, const struct matmul_operand *o, int n, int k, const int width, const enum form form)
{
	const int step = form == PAIRS ? 2 : 1;
	for (int p = 0; p < k; p += step, to += width) {
		if (n == width) {
#pragma omp simd
			for (int i = 0; i < width; i++)
				to[i] = entry(o->v + i, o->depth, p, k, form);
		} else {
			for (int i = 0; i < width; i++)
				to[i] = i < n ? entry(o->v + i, o->depth, p, k, form) : 0;
		}
	}
}

INLINE void pack_slowly(float *to, const struct matmul_operand *o, int n, int from, int k, const int width,
                        const enum form form)
{
	const int step = form == PAIRS ? 2 : 1;
	for (int p = from; p < k; p += step)
		for (int i = 0; i < width; i++)
			to[p / step * width + i] = i < n ? entry(o->v + i * o->across, o->depth, p, k, form) : 0;
}

#if defined __AVX2__
INLINE void transpose(__m256 v[8])
{
	__m256 a[8], b[8];
	for (int i = 0; i < 8; i += 2) {
		a[i] = _mm256_unpacklo_ps(v[i], v[i + 1]);
		a[i + 1] = _mm256_unpackhi_ps(v[i], v[i + 1]);
	}
	for (int h = 0; h < 8; h += 4)
		for (int i = 0; i < 2; i++) {
			b[h + 2 * i] = _mm256_shuffle_ps(a[h + i], a[h + i + 2], 0x44);
			b[h + 2 * i + 1] = _mm256_shuffle_ps(a[h + i], a[h + i + 2], 0xEE);
		}
	for (int i = 0; i < 4; i++) {
		v[i] = _mm256_permute2f128_ps(b[i], b[i + 4], 0x20);
		v[i + 4] = _mm256_permute2f128_ps(b[i], b[i + 4], 0x31);
	}
}

INLINE __m256i rounded8(__m256 f)
{
	__m256i u = _mm256_castps_si256(f), one = _mm256_and_si256(_mm256_srli_epi32(u, 16), _mm256_set1_epi32(1));
	__m256i near = _mm256_add_epi32(u, _mm256_add_epi32(one, _mm256_set1_epi32(0x7FFF)));
	__m256i nan = _mm256_or_si256(u, _mm256_set1_epi32(0x400000));
	__m256i r = _mm256_blendv_epi8(near, nan, _mm256_castps_si256(_mm256_cmp_ps(f, f, _CMP_UNORD_Q)));
	return _mm256_and_si256(r, _mm256_set1_epi32((int)0xFFFF0000));
}

/* Eight entries from depth 0 of v on. */
INLINE __m256 eight(const float *v, const enum form form)
{
	if (form == PLAIN)
		return _mm256_loadu_ps(v);
	if (form == ROUNDED)
		return _mm256_castsi256_ps(rounded8(_mm256_loadu_ps(v)));
	__m256 low = _mm256_loadu_ps(v), high = _mm256_loadu_ps(v + 8);
	/* even and odd places of each half of a register; halves are put in order last */
	__m256 even = _mm256_shuffle_ps(low, high, 0x88), odd = _mm256_shuffle_ps(low, high, 0xDD);
	__m256i pairs = _mm256_or_si256(_mm256_srli_epi32(rounded8(even), 16), rounded8(odd));
	return _mm256_castsi256_ps(_mm256_permute4x64_epi64(pairs, 0xD8));
}

/* Eight rows of eight entries become eight columns. Rows beyond the n-th are the last once more: their
 * sums go nowhere. Stores of eight reach into what is filled next. */
INLINE void pack_across(float *to, const struct matmul_operand *o, int n, int k, const int width, const enum form form)
{
	const int step = form == PAIRS ? 2 : 1, groups = (width + 7) / 8, held = groups < 2 ? groups : 2;
	int p = 0;
	for (; p + 8 * step <= k; p += 8 * step, to += 8 * width)
		for (int g = 0; g < groups; g += held) {
			__m256 t[2][8];
			for (int h = 0; h < held; h++) {
				for (int i = 0; i < 8; i++) {
					int row = 8 * (g + h) + i;
					t[h][i] = eight(o->v + (row < n ? row : n - 1) * o->across + p, form);
				}
				transpose(t[h]);
			}
			for (int q = 0; q < 8; q++)
				for (int h = 0; h < held; h++)
					_mm256_storeu_ps(to + q * width + 8 * (g + h), t[h][q]);
		}
	struct matmul_operand rest = {o->v + p, o->across, 1};
	pack_slowly(to, &rest, n, 0, k - p, width, form);
}
#else
INLINE void pack_across(float *to, const struct matmul_operand *o, int n, int k, const int width, const enum form form)
{
	pack_slowly(to, o, n, 0, k, width, form);
}
#endif

INLINE void panel(float *to, const struct matmul_operand *o, int n, int k, const int width, const enum form form)
{
	if (o->across == 1)
		pack_beside(to, o, n, k, width, form);
	else if (o->depth == 1)
		pack_across(to, o, n, k, width, form);
	else
		pack_slowly(to, o, n, 0, k, width, form);
}

/* n across in panels of `each`, at most `width`. */
INLINE void panels(float *to, ptrdiff_t next, const struct matmul_operand *from, int n, int each, int k,
                   const int width, const enum form form)
{
	for (int i = 0; i < n; i += each, to += next) {
		struct matmul_operand o = {from->v + i * from->across, from->across, from->depth};
		panel(to, &o, n - i < each ? n - i : each, k, width, form);
	}
}

static void pack_a(float *to, ptrdiff_t next, const struct matmul_operand *from, int m, int k, bool bf16)
{
	if (bf16)
		panels(to, next, from, m, panel_rows(m), k, ROWS, ROUNDED);
	else
		panels(to, next, from, m, panel_rows(m), k, ROWS, PLAIN);
}

static void pack_b(float *to, ptrdiff_t next, const struct matmul_operand *from, int n, int k, bool bf16)
{
	if (bf16)
		panels(to, next, from, n, COLS, k, COLS, ROUNDED);
	else
		panels(to, next, from, n, COLS, k, COLS, PLAIN);
}

#if defined __AVX512F__
static void pack_a_pairs(float *to, ptrdiff_t next, const struct matmul_operand *from, int m, int k)
{
	panels(to, next, from, m, panel_rows(m), k, ROWS, PAIRS);
}

static void pack_b_pairs(float *to, ptrdiff_t next, const struct matmul_operand *from, int n, int k)
{
	panels(to, next, from, n, COLS, k, COLS, PAIRS);
}
#else
#define pack_a_pairs NULL
#define pack_b_pairs NULL
#endif

ISA_TABLE(struct matmul, matmul_isa_) = {ISA_NAME, ROWS, COLS, pack_a, pack_b, tiles,
                                           pack_a_pairs, pack_b_pairs, tiles_pairs};
#endif
