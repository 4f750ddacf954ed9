/* Compiled once for each instruction set; gemm.c chooses.
 *
 * A tile is a group of rows of x times (part of) a panel of w: each number of x
 * is spread over a register and multiplied by a column of the panel as it lies,
 * and each sum stays in its lane from the first column to the last. A panel comes
 * from memory for the first group and from the caches for the others. */
#include "nx/gemm.h"
#include "base/isa.h"
#include "nx/lanes.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef ISA

/* --- registers --------------------------------------------------------------------- */

/* ROWS: the most rows in a group where there are several, MOST where there is one. WIDE: registers of a panel's
 * column that r rows are multiplied by at a time: enough sums for the multipliers' latency, and no more than
 * there are registers.
 *
 * Where a panel is for one group of few rows, FEW of float32 or FEW_NARROW of less, memory gives the pace, and what
 * stands NEAR bytes ahead is asked for. Otherwise the next panel is, a part of it each time that this one is gone
 * through: so memory works all the time. Rows for which a panel is gone through more than once are not few: only
 * the first time would wait for memory. */
#if defined __AVX512F__
enum { ROWS = 12, MOST = 16, FEW = 6, FEW_NARROW = 4 };
#define WIDE(r) ((r) <= ROWS ? 2 : 1)
#define low_half(v) _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(v), 16))
#define high_half(v) _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(v), _mm512_set1_epi32((int)0xFFFF0000)))
#elif defined __AVX2__
enum { ROWS = 6, MOST = ROWS, FEW = 2, FEW_NARROW = 2 };
#define WIDE(r) ((r) <= 2 ? 4 : 2)
#define low_half(v) _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(v), 16))
#define high_half(v) _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_srli_epi32(_mm256_castps_si256(v), 16), 16)) /* a mask would take a register */
#else
enum { ROWS = 4, MOST = ROWS, FEW = 1, FEW_NARROW = 1 };
#define WIDE(r) ((r) == 1 ? 8 : 2)
typedef uint32_t bits __attribute__((vector_size(16)));
#define low_half(v) ((vec)((bits)(v) << 16))
#define high_half(v) ((vec)((bits)(v) & 0xFFFF0000))
#endif

enum {
	PANEL = GEMM_PANEL,
	BLOCK = GEMM_BLOCK,
	/* A row of x lies in pieces of so many floats, a cache line, those of a group's rows in turn. */
	LINE = 16,
	NEAR = 4096,
	/* Cache lines of a panel, STEP columns of float32, behind which more are asked for. */
	STEP = 4,
	PACE = STEP * PANEL * sizeof(float) / 64,
	/* Bytes of a block of a panel in Q8, and of its scales. */
	SCALES = PANEL * sizeof(uint16_t),
	Q8_BYTES = SCALES + PANEL * BLOCK,
};

/* --- float32 and bfloat16 ------------------------------------------------------------ */

/* r numbers of x, those of LINE rows apart, by a column in v registers. */
INLINE void column(vec s[MOST][PANEL / LANES], const float *x, const vec *w, const int r, const int v)
{
	UNROLL for (int i = 0; i < r; i++) {
		vec a = all_of(x[i * LINE]);
		UNROLL for (int l = 0; l < v; l++)
			s[i][l] = muladd(a, w[l], s[i][l]);
	}
}

/* Column j of a panel, or two from j on where they are of sixteen bits. w: the lanes wanted. The second
 * reads w again: to keep it would take registers from the sums. */
INLINE void columns(vec s[MOST][PANEL / LANES], const float *x, const float *w, const enum gemm_type type,
                    const bool both, const int r, const int v)
{
	vec a[PANEL / LANES];
	UNROLL for (int l = 0; l < v; l++) {
		a[l] = load(w + l * LANES);
		a[l] = type == GEMM_F32 ? a[l] : low_half(a[l]);
	}
	column(s, x, a, r, v);
	if (type == GEMM_F32 || !both)
		return;
	__asm__("" : "+r"(w));
	UNROLL for (int l = 0; l < v; l++) {
		a[l] = load(w + l * LANES);
		a[l] = high_half(a[l]);
	}
	column(s, x + 1, a, r, v);
}

/* Where what a group asks for lies as it goes through a panel. */
struct ahead {
	const char *panel; /* the next one; NULL: what is NEAR in this one */
	ptrdiff_t bytes;   /* of it */
	int group, of;     /* this group of so many */
};

/* The same for one way through it: `lines` of them from `at` on at each step. */
struct ask {
	const char *at;
	int lines;
};

/* Way i of `ways` that a group goes from w on: its part of the next panel. */
INLINE struct ask ask_for(const struct ahead *a, const void *w, int i, const int ways)
{
	int part = a->group * ways + i, parts = a->of * ways;
	if (!a->panel) /* those behind the first find all of it */
		return (struct ask){(const char *)w + NEAR, i == 0 ? PACE : 0};
	return (struct ask){a->panel + a->bytes * part / parts, (PACE + parts - 1) / parts};
}

/* Into the second cache. */
INLINE void fetch(struct ask *a)
{
	if (a->lines == PACE)
		UNROLL for (int i = 0; i < PACE; i++)
			__builtin_prefetch(a->at + i * 64, 0, 2);
	else
		for (int i = 0; i < a->lines; i++)
			__builtin_prefetch(a->at + i * 64, 0, 2);
	a->at += a->lines * 64;
}

/* The sums of r rows of x with WIDE(r) registers of lanes of a panel into t. */
INLINE void tile_floats(float t[MOST][PANEL], const float *x, const float *w, int cols, struct ask ask,
                        const enum gemm_type type, const int r)
{
	const int v = WIDE(r), step = type == GEMM_F32 ? 1 : 2;
	vec s[MOST][PANEL / LANES];
	UNROLL for (int i = 0; i < r; i++)
		UNROLL for (int l = 0; l < v; l++)
			s[i][l] = zero();
	int j = 0;
	for (; j + LINE <= cols; j += LINE, x += r * LINE)
		UNROLL for (int u = 0; u < LINE; u += step, w += PANEL) {
			if (u % (STEP * step) == 0)
				fetch(&ask);
			columns(s, x + u, w, type, true, r, v);
		}
	for (; j + step <= cols; j += step, x += step, w += PANEL)
		columns(s, x, w, type, true, r, v);
	if (j < cols)
		columns(s, x, w, type, false, r, v);
	UNROLL for (int i = 0; i < r; i++)
		UNROLL for (int l = 0; l < v; l++)
			store(t[i] + l * LANES, s[i][l]);
}

/* A group by a whole panel. */
INLINE void group_floats(float t[MOST][PANEL], const void *x, const void *w, int cols, const struct ahead *ahead,
                         const enum gemm_type type, const int r)
{
	const int wide = WIDE(r) * LANES;
	for (int i = 0; i < PANEL / wide; i++)
		tile_floats((float(*)[PANEL])(t[0] + i * wide), x, (const float *)w + i * wide, cols,
		            ask_for(ahead, w, i, PANEL / wide), type, r);
}

/* --- eight bits ------------------------------------------------------------------------ */

/* Rows of x in Q8: the numbers of a group block by block, a row's behind those of the row before,
 * and behind all of them in the same order the units, floats, and then what OFFSET adds to a block's
 * sum where it is added to each weight, less, int32_t. */

enum { OFFSET = 128 };

INLINE float widen(uint16_t bf16)
{
	uint32_t u = (uint32_t)bf16 << 16;
	float f;
	memcpy(&f, &u, sizeof f);
	return f;
}

#if defined __AVX2__
/* Registers of eight rows of w for each of r rows of x. */
#define WIDE_Q8(r) ((r) == 1 ? 4 : (r) == 2 ? 2 : 1)

/* Four columns of r rows of x by those of v registers: sums of four products a lane. The multiplier takes
 * its first factor without sign, so the sign of x goes to w. */
INLINE void four_columns(__m256i s[MOST][4], const int8_t *x, const int8_t *w, const int r, const int v)
{
	__m256i a[4];
	UNROLL for (int l = 0; l < v; l++)
		a[l] = _mm256_loadu_si256((const __m256i *)(const void *)(w + l * 32));
	UNROLL for (int i = 0; i < r; i++) {
		int32_t four;
		memcpy(&four, x + i * BLOCK, sizeof four);
		__m256i b = _mm256_set1_epi32(four), size = _mm256_abs_epi8(b);
		UNROLL for (int l = 0; l < v; l++) {
			__m256i two = _mm256_maddubs_epi16(size, _mm256_sign_epi8(a[l], b));
			s[i][l] = _mm256_add_epi32(s[i][l], _mm256_madd_epi16(two, _mm256_set1_epi16(1)));
		}
	}
}

INLINE void block_q8(__m256 f[MOST][4], const int8_t *x, const float *unit, const char *w, int at, const int r, const int v)
{
	__m256i s[MOST][4];
	UNROLL for (int i = 0; i < r; i++)
		UNROLL for (int l = 0; l < v; l++)
			s[i][l] = _mm256_setzero_si256();
	const int8_t *q = (const int8_t *)w + SCALES + at * 4;
	UNROLL for (int g = 0; g < BLOCK / 4; g++)
		four_columns(s, x + g * 4, q + g * PANEL * 4, r, v);
	UNROLL for (int l = 0; l < v; l++) {
		__m128i narrow = _mm_loadu_si128((const __m128i *)(const void *)(w + (at + l * 8) * 2));
		__m256 scale = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(narrow), 16));
		UNROLL for (int i = 0; i < r; i++) {
			__m256 by = _mm256_mul_ps(scale, _mm256_set1_ps(unit[i]));
			f[i][l] = _mm256_add_ps(f[i][l], _mm256_mul_ps(_mm256_cvtepi32_ps(s[i][l]), by));
		}
	}
}

INLINE void group_q8(float t[MOST][PANEL], const void *x, const void *w, int cols, const int r)
{
	const int v = WIDE_Q8(r);
	int blocks = (cols + BLOCK - 1) / BLOCK;
	const float *unit = (const float *)(const void *)((const int8_t *)x + (ptrdiff_t)r * blocks * BLOCK);
	for (int at = 0; at < PANEL; at += v * 8) {
		__m256 f[MOST][4];
		UNROLL for (int i = 0; i < r; i++)
			UNROLL for (int l = 0; l < v; l++)
				f[i][l] = _mm256_setzero_ps();
		for (int b = 0; b < blocks; b++)
			block_q8(f, (const int8_t *)x + (ptrdiff_t)b * r * BLOCK, unit + (ptrdiff_t)b * r,
			         (const char *)w + (ptrdiff_t)b * Q8_BYTES, at, r, v);
		UNROLL for (int i = 0; i < r; i++)
			UNROLL for (int l = 0; l < v; l++)
				_mm256_storeu_ps(t[i] + at + l * 8, f[i][l]);
	}
}
#else
INLINE void row_q8(float t[PANEL], const int8_t *x, float unit, const char *w)
{
	const uint16_t *scale = (const uint16_t *)(const void *)w;
	const int8_t *q = (const int8_t *)w + SCALES;
	int32_t s[PANEL] = {0};
	for (int g = 0; g < BLOCK / 4; g++, q += PANEL * 4)
		for (int o = 0; o < PANEL; o++)
			for (int u = 0; u < 4; u++)
				s[o] += x[g * 4 + u] * q[o * 4 + u];
	for (int o = 0; o < PANEL; o++)
		t[o] += (float)s[o] * (widen(scale[o]) * unit);
}

INLINE void group_q8(float t[MOST][PANEL], const void *x, const void *w, int cols, const int r)
{
	int blocks = (cols + BLOCK - 1) / BLOCK;
	const float *unit = (const float *)(const void *)((const int8_t *)x + (ptrdiff_t)r * blocks * BLOCK);
	for (int i = 0; i < r; i++) {
		memset(t[i], 0, sizeof t[i]);
		for (int b = 0; b < blocks; b++)
			row_q8(t[i], (const int8_t *)x + ((ptrdiff_t)b * r + i) * BLOCK, unit[(ptrdiff_t)b * r + i],
			       (const char *)w + (ptrdiff_t)b * Q8_BYTES);
	}
}
#endif

#if defined __AVX512F__
/* Only where cpu_byte_dots(). The multiplier takes its first factor without sign: the weights, each OFFSET more. */
#define WITH_DOTS __attribute__((target("avx512vnni")))

/* A block's sums of r rows of x with 32 rows of w. */
WITH_DOTS INLINE void dot_block(__m512i s[MOST][2], const int8_t *x, const int32_t *less, const char *w, const int r)
{
	const __m512i offset = _mm512_set1_epi8((char)OFFSET);
	UNROLL for (int i = 0; i < r; i++)
		s[i][0] = s[i][1] = _mm512_set1_epi32(less[i]);
	UNROLL for (int g = 0; g < BLOCK / 4; g++, w += PANEL * 4) {
		__m512i a[2];
		UNROLL for (int l = 0; l < 2; l++)
			a[l] = _mm512_xor_si512(_mm512_loadu_si512(w + l * 64), offset);
		UNROLL for (int i = 0; i < r; i++) {
			int32_t four;
			memcpy(&four, x + i * BLOCK + g * 4, sizeof four);
			UNROLL for (int l = 0; l < 2; l++)
				s[i][l] = _mm512_dpbusd_epi32(s[i][l], a[l], _mm512_set1_epi32(four));
		}
	}
}

WITH_DOTS INLINE void group_dots(float t[MOST][PANEL], const void *x, const char *w, int cols, const struct ahead *ahead,
                                 const int r)
{
	/* a panel is gone through so soon that its last group alone asks for the next */
	ptrdiff_t by = ahead->group + 1 < ahead->of ? 0 : ahead->panel ? ahead->bytes : NEAR;
	int blocks = (cols + BLOCK - 1) / BLOCK;
	const int8_t *q = x;
	const float *unit = (const float *)(const void *)(q + (ptrdiff_t)r * blocks * BLOCK);
	const int32_t *less = (const int32_t *)(const void *)(unit + (ptrdiff_t)r * blocks);
	memset(t, 0, (size_t)r * sizeof *t);
	for (int b = 0; b < blocks; b++, q += r * BLOCK, unit += r, less += r, w += Q8_BYTES) {
		__m512i s[MOST][2];
		UNROLL for (int l = 0; l < Q8_BYTES; l += 64)
			__builtin_prefetch(w + by + l, 0, 2);
		dot_block(s, q, less, w + SCALES, r);
		UNROLL for (int l = 0; l < 2; l++) {
			__m256i narrow = _mm256_loadu_si256((const __m256i *)(const void *)(w + l * 32));
			vec scale = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(narrow), 16));
			UNROLL for (int i = 0; i < r; i++) {
				vec v = _mm512_mul_ps(_mm512_cvtepi32_ps(s[i][l]), _mm512_mul_ps(scale, all_of(unit[i])));
				store(t[i] + l * LANES, _mm512_add_ps(load(t[i] + l * LANES), v));
			}
		}
	}
}

#define DOTS(r) case r: group_dots(t, x, w, cols, ahead, r); break;
WITH_DOTS static void any_group_dots(float t[MOST][PANEL], const void *x, const void *w, int cols, const struct ahead *ahead, int r)
{
	switch (r) {
		DOTS(1) DOTS(2) DOTS(3) DOTS(4) DOTS(5) DOTS(6) DOTS(7) DOTS(8) DOTS(9) DOTS(10) DOTS(11) DOTS(12)
	}
}
#else
#define any_group_dots(t, x, w, cols, ahead, r) any_group_q8(t, x, w, cols, r)
#endif

/* --- a product ------------------------------------------------------------------------ */

/* Rows of x are divided as evenly as can be into groups. */
static int groups_of(enum gemm_type type, int n)
{
	return type != GEMM_Q8 && n <= MOST ? 1 : (n + ROWS - 1) / ROWS;
}

static int group_at(enum gemm_type type, int n, int g)
{
	return (int)((int64_t)n * g / groups_of(type, n));
}

/* A loop over rows of x knows their number only at run time, and registers want it before. */
#define CASE(r) \
	case r: \
		if (r <= MOST && type == GEMM_F32) \
			group_floats(t, x, w, cols, ahead, GEMM_F32, r <= MOST ? r : 1); \
		else if (r <= MOST) \
			group_floats(t, x, w, cols, ahead, GEMM_BF16, r <= MOST ? r : 1); \
		break;
static void any_group_floats(float t[MOST][PANEL], const void *x, const void *w, int cols, const struct ahead *ahead,
                             enum gemm_type type, int r)
{
	switch (r) {
		CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12)
		CASE(13) CASE(14) CASE(15) CASE(16)
	}
}

/* By itself: with the other types in one function gcc takes twice as long over it. */
#define CASE_Q8(r) \
	case r: \
		if (r <= ROWS) \
			group_q8(t, x, w, cols, r <= ROWS ? r : 1); \
		break;
static void any_group_q8(float t[MOST][PANEL], const void *x, const void *w, int cols, int r)
{
	switch (r) {
		CASE_Q8(1) CASE_Q8(2) CASE_Q8(3) CASE_Q8(4) CASE_Q8(5) CASE_Q8(6)
		CASE_Q8(7) CASE_Q8(8) CASE_Q8(9) CASE_Q8(10) CASE_Q8(11) CASE_Q8(12)
	}
}

/* A row's sums into m columns of y, with or without bias and what was there. */
INLINE void put_row(float *y, const float *t, const float *bias, bool add, const int m)
{
	float v[PANEL];
	memcpy(v, t, (size_t)m * sizeof *v);
	for (int l = 0; l < m && bias; l++)
		v[l] += bias[l];
	for (int l = 0; l < m && add; l++)
		v[l] = y[l] + v[l];
	memcpy(y, v, (size_t)m * sizeof *v);
}

/* The largest of m sums of each row, into one column of y. */
static void put_peaks(float *y, int ldy, int r, float t[MOST][PANEL], int m)
{
	for (int i = 0; i < r; i++, y += ldy) {
		float most = t[i][0];
		for (int l = m; l < PANEL; l++) /* beyond the matrix */
			t[i][l] = most;
#pragma omp simd reduction(max : most)
		for (int l = 0; l < PANEL; l++)
			most = t[i][l] > most ? t[i][l] : most;
		*y = most;
	}
}

/* Sums into rows of m columns of y, which are those of w's rows from o on. */
static void put(const struct gemm_product *p, float *y, int r, float t[MOST][PANEL], int o, int m)
{
	const float *bias = p->bias ? p->bias + o : NULL;
	for (int i = 0; i < r; i++, y += p->ldy) {
		if (m == PANEL)
			put_row(y, t[i], bias, p->add, PANEL);
		else
			put_row(y, t[i], bias, p->add, m);
	}
}

/* Where sums will go is asked for before they are taken: rows of y are far from each other. */
static void expect(const float *y, int ldy, int r)
{
	for (int i = 0; i < r; i++, y += ldy) {
		__builtin_prefetch(y, 1);
		__builtin_prefetch(y + LINE, 1);
	}
}

/* Bytes of a row of x prepared. */
static ptrdiff_t row_bytes(enum gemm_type type, int cols)
{
	if (type == GEMM_Q8)
		return (ptrdiff_t)((cols + BLOCK - 1) / BLOCK) * (BLOCK + (int)sizeof(float) + (int)sizeof(int32_t));
	return (ptrdiff_t)((cols + LINE - 1) / LINE) * LINE * (ptrdiff_t)sizeof(float);
}

static void run(const struct gemm_product *p, int from, int to)
{
	enum gemm_type type = p->w.type;
	ptrdiff_t x_row = row_bytes(type, p->w.cols), panel = (ptrdiff_t)gemm_bytes(type, PANEL, p->w.cols);
	float t[MOST][PANEL] __attribute__((aligned(64)));
	bool dots = type == GEMM_Q8 && cpu_byte_dots();
	int few = type == GEMM_F32 ? FEW : FEW_NARROW;
	for (int o = from; o < to; o += PANEL)
		for (int g = 0, row = 0; row < p->n; g++) {
			int end = group_at(type, p->n, g + 1);
			const char *x = (const char *)p->x + row * x_row, *w = (const char *)p->w.v + o / PANEL * panel;
			float *y = p->y + (ptrdiff_t)row * p->ldy + (p->peaks ? (o - from) / PANEL : o - from);
			int m = to - o < PANEL ? to - o : PANEL;
			struct ahead ahead = {p->n <= few ? NULL : w + panel, panel, g, groups_of(type, p->n)};
			if (!p->peaks)
				expect(y, p->ldy, end - row);
			if (dots)
				any_group_dots(t, x, w, p->w.cols, &ahead, end - row);
			else if (type == GEMM_Q8)
				any_group_q8(t, x, w, p->w.cols, end - row);
			else
				any_group_floats(t, x, w, p->w.cols, &ahead, type, end - row);
			if (p->peaks)
				put_peaks(y, p->ldy, end - row, t, m);
			else
				put(p, y, end - row, t, o, m);
			row = end;
		}
}

/* --- preparing x ---------------------------------------------------------------------- */

/* Columns from .. to - 1 of r rows. */
static void prepare_floats(float *at, const float *x, int ldx, int r, int from, int to)
{
	at += (ptrdiff_t)from * r;
	for (int j = from; j < to; j += LINE)
		for (int i = 0; i < r; i++, at += LINE) {
			const float *line = x + (ptrdiff_t)i * ldx + (j - from);
			if (to - j >= LINE) {
				memcpy(at, line, LINE * sizeof *at);
			} else {
				memset(at, 0, LINE * sizeof *at);
				memcpy(at, line, (size_t)(to - j) * sizeof *at);
			}
		}
}

/* Bits of the largest magnitude: those of a NaN are beyond those of infinity. */
INLINE uint32_t largest(const float *w, size_t n)
{
	uint32_t most = 0;
#pragma omp simd reduction(max : most)
	for (size_t i = 0; i < n; i++) {
		uint32_t u;
		memcpy(&u, w + i, sizeof u);
		u &= 0x7FFFFFFF;
		most = u > most ? u : most;
	}
	return most;
}

/* q = w * inverse to the nearest whole number. */
INLINE void whole(int8_t q[BLOCK], const float w[BLOCK], float inverse)
{
#pragma omp simd
	for (int j = 0; j < BLOCK; j++) {
		float v = w[j] * inverse;
		q[j] = (int8_t)(int)(v + (v < 0 ? -0.5f : 0.5f));
	}
}

/* Returns the unit. Where x is no number neither is that; where it is next to nothing it becomes nothing. */
INLINE float prepare_block(int8_t q[BLOCK], const float x[BLOCK])
{
	uint32_t u = largest(x, BLOCK);
	float most, nan = __builtin_nanf("");
	memcpy(&most, &u, sizeof most);
	bool fine = u < 0x7F800000, any = fine && most > 1e-30f;
	if (any)
		whole(q, x, 127 / most);
	else
		memset(q, 0, BLOCK);
	return any ? most / 127 : fine ? 0 : nan;
}

INLINE int32_t sum_of(const int8_t q[BLOCK])
{
	int32_t sum = 0;
	for (int j = 0; j < BLOCK; j++)
		sum += q[j];
	return sum;
}

static void prepare_q8(int8_t *q, const float *x, int ldx, int r, int cols, int from, int to)
{
	ptrdiff_t all = (ptrdiff_t)r * ((cols + BLOCK - 1) / BLOCK), done = (ptrdiff_t)from / BLOCK * r;
	float *unit = (float *)(void *)(q + all * BLOCK) + done;
	int32_t *less = (int32_t *)(void *)(unit + (all - done)) + done;
	q += done * BLOCK;
	for (int j = from; j < to; j += BLOCK)
		for (int i = 0; i < r; i++, q += BLOCK) {
			float last[BLOCK] = {0};
			const float *block = x + (ptrdiff_t)i * ldx + (j - from);
			if (to - j < BLOCK)
				memcpy(last, block, (size_t)(to - j) * sizeof *last);
			*unit++ = prepare_block(q, to - j < BLOCK ? last : block);
			*less++ = -OFFSET * sum_of(q);
		}
}

static void prepare(void *at, enum gemm_type type, const float *x, int ldx, int n, int cols, int from, int to)
{
	for (int g = 0, row = 0; row < n; g++) {
		int end = group_at(type, n, g + 1);
		char *group = (char *)at + row * row_bytes(type, cols);
		if (type == GEMM_Q8)
			prepare_q8((int8_t *)group, x + (ptrdiff_t)row * ldx, ldx, end - row, cols, from, to);
		else
			prepare_floats((float *)(void *)group, x + (ptrdiff_t)row * ldx, ldx, end - row, from, to);
		row = end;
	}
}

/* --- packing w -------------------------------------------------------------------------- */

static bool finite(const float *w, size_t n)
{
	return largest(w, n) < 0x7F800000;
}

typedef uint32_t eight __attribute__((vector_size(32)));

/* Rows become columns. */
INLINE void transpose(eight r[8])
{
	eight a[8], b[8];
	UNROLL for (int i = 0; i < 8; i += 2) {
		a[i] = __builtin_shufflevector(r[i], r[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
		a[i + 1] = __builtin_shufflevector(r[i], r[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
	}
	UNROLL for (int i = 0; i < 8; i += 4)
		UNROLL for (int k = 0; k < 2; k++) {
			b[i + 2 * k] = __builtin_shufflevector(a[i + k], a[i + k + 2], 0, 1, 8, 9, 4, 5, 12, 13);
			b[i + 2 * k + 1] = __builtin_shufflevector(a[i + k], a[i + k + 2], 2, 3, 10, 11, 6, 7, 14, 15);
		}
	UNROLL for (int i = 0; i < 4; i++) {
		r[i] = __builtin_shufflevector(b[i], b[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
		r[i + 4] = __builtin_shufflevector(b[i], b[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
	}
}

/* Rows o .. o + 7 of w's n, columns j .. j + 7 of its cols, zeros around them. */
INLINE void read_eight(eight v[8], const float *w, int ldw, int o, int n, int j, int cols)
{
	const float *from = w + (ptrdiff_t)o * ldw + j;
	if (o + 8 <= n && j + 8 <= cols) {
		UNROLL for (int i = 0; i < 8; i++)
			memcpy(&v[i], from + (ptrdiff_t)i * ldw, sizeof v[i]);
		return;
	}
	memset(v, 0, 8 * sizeof *v);
	for (int i = 0; i < 8 && o + i < n && j < cols; i++)
		memcpy(&v[i], from + (ptrdiff_t)i * ldw, (size_t)(j + 8 <= cols ? 8 : cols - j) * sizeof *from);
}

/* Eight rows from o on, columns j .. j + 7, to their place in a panel. */
INLINE void pack_eight(float *panel, const float *w, int ldw, int o, int n, int j, int cols, const enum gemm_type type)
{
	eight v[8];
	read_eight(v, w, ldw, o, n, j, cols);
	transpose(v);
	if (type == GEMM_F32 && j + 8 <= cols)
		UNROLL for (int k = 0; k < 8; k++)
			memcpy(panel + (ptrdiff_t)(j + k) * PANEL + o, &v[k], sizeof *v);
	else
		for (int k = 0; k < 8 && type == GEMM_F32 && j + k < cols; k++)
			memcpy(panel + (ptrdiff_t)(j + k) * PANEL + o, &v[k], sizeof *v);
	for (int k = 0; k < 8 && type == GEMM_BF16; k++)
		v[k] += 0x7FFF + (v[k] >> 16 & 1);
	for (int k = 0; k < 8 && type == GEMM_BF16 && j + k < cols; k += 2) {
		eight two = v[k] >> 16 | (v[k + 1] & 0xFFFF0000);
		memcpy(panel + (ptrdiff_t)(j + k) / 2 * PANEL + o, &two, sizeof two);
	}
}

INLINE void pack_floats(float *panel, const float *w, int ldw, int n, int cols, const enum gemm_type type)
{
	/* as much as a cache line of each row at a time: rows may stand so far apart that all fall into one place of the cache */
	for (int j = 0; j < cols; j += LINE)
		for (int o = 0; o < PANEL; o += 8)
			for (int k = j; k < j + LINE; k += 8)
				pack_eight(panel, w, ldw, o, n, k, cols, type);
}

/* Upwards: the largest weight of its block must not leave the eight bits. */
INLINE uint16_t scale_of(const float w[BLOCK])
{
	uint32_t u = largest(w, BLOCK);
	float most;
	memcpy(&most, &u, sizeof most);
	most /= 127;
	memcpy(&u, &most, sizeof u);
	return (uint16_t)((u + 0xFFFF) >> 16);
}

/* Eight rows from o on, m <= BLOCK columns, into a block of a panel. */
static void pack_q8(char *block, const float *w, int ldw, int o, int n, int m)
{
	uint16_t scale[8] = {0};
	int8_t q[8][BLOCK] = {{0}};
	eight v[8];
	for (int i = 0; i < 8 && o + i < n; i++) {
		float last[BLOCK] = {0};
		const float *from = w + (ptrdiff_t)(o + i) * ldw;
		if (m < BLOCK)
			memcpy(last, from, (size_t)m * sizeof *last);
		from = m < BLOCK ? last : from;
		scale[i] = scale_of(from);
		float s = widen(scale[i]);
		whole(q[i], from, s > 0 ? 1 / s : 0);
	}
	memcpy(v, q, sizeof q);
	transpose(v);
	memcpy(block + (size_t)o * sizeof *scale, scale, sizeof scale);
	for (int g = 0; g < BLOCK / 4; g++)
		memcpy(block + SCALES + (g * PANEL + o) * 4, &v[g], sizeof *v);
}

static void pack(const struct gemm_matrix *m, int row, int col, const float *w, int ldw, int n, int cols)
{
	char *panel = (char *)m->v + (size_t)(row / PANEL) * gemm_bytes(m->type, PANEL, m->cols);
	if (m->type == GEMM_F32)
		pack_floats((float *)(void *)panel + (ptrdiff_t)col * PANEL, w, ldw, n, cols, GEMM_F32);
	else if (m->type == GEMM_BF16)
		pack_floats((float *)(void *)panel + (ptrdiff_t)col / 2 * PANEL, w, ldw, n, cols, GEMM_BF16);
	else
		for (int j = 0; j < cols; j += BLOCK)
			for (int o = 0; o < PANEL; o += 8)
				pack_q8(panel + (ptrdiff_t)(col + j) / BLOCK * Q8_BYTES, w + j, ldw, o, n, cols - j < BLOCK ? cols - j : BLOCK);
}

ISA_TABLE(struct gemm, gemm_isa_) = {ISA_NAME, run, prepare, finite, pack};
#endif
