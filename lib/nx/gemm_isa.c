/* Compiled once for each instruction set; gemm.c chooses.
 *
 * A tile is four rows of w times up to three of x: twelve sums, each a register
 * of partial sums, column j into lane j % LANES. In this shape seven loads feed
 * twelve multiplications, and w is read as it lies. */
#include "nx/gemm.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined __AVX2__
#include <immintrin.h>
#endif

#ifdef ISA
#define STR2(x) #x
#define STR(x) STR2(x)
#define CAT2(a, b) a##b
#define CAT(a, b) CAT2(a, b)
#define INLINE static inline __attribute__((always_inline))

/* --- registers --------------------------------------------------------------------- */

typedef float four __attribute__((vector_size(16)));

#if defined __AVX512F__
enum { LANES = 16 };
typedef __m512 vec;
#define load(p) _mm512_loadu_ps(p)
#define muladd(a, b, c) _mm512_fmadd_ps(a, b, c)
#define zero() _mm512_setzero_ps()
#elif defined __AVX2__
enum { LANES = 8 };
typedef __m256 vec;
#define load(p) _mm256_loadu_ps(p)
#define muladd(a, b, c) _mm256_fmadd_ps(a, b, c)
#define zero() _mm256_setzero_ps()
#else
enum { LANES = 4 };
typedef four vec;
#define muladd(a, b, c) ((a) * (b) + (c))
#define zero() ((vec){0})

INLINE vec load(const float *p)
{
	vec v;
	memcpy(&v, p, sizeof v);
	return v;
}
#endif

/* n < LANES floats, and zeros behind them. */
INLINE vec load_some(const float *p, int n)
{
	float v[LANES] = {0};
	for (int i = 0; i < n; i++)
		v[i] = p[i];
	return load(v);
}

/* The sums of four registers' lanes: halves are added until four lanes are left, then
 * neighbours, then what is left. */
#if defined __AVX2__
INLINE __m256 fold(vec a)
{
#ifdef __AVX512F__
	return _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
#else
	return a;
#endif
}

INLINE four sums(const vec s[4])
{
	__m256 low = _mm256_hadd_ps(fold(s[0]), fold(s[1])), high = _mm256_hadd_ps(fold(s[2]), fold(s[3]));
	__m256 all = _mm256_hadd_ps(low, high);
	return (four)_mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1));
}
#else
INLINE four sums(const vec s[4])
{
	four r;
	for (int i = 0; i < 4; i++)
		r[i] = (s[i][0] + s[i][1]) + (s[i][2] + s[i][3]);
	return r;
}
#endif

/* LANES weights of a bfloat16, or of eight bits, as they lie. */
#if defined __AVX512F__
#define load_bf16(p) _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)(p))), 16))
#define load_q8(p) _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const void *)(p))))
#define all_of(f) _mm512_set1_ps(f)
#define store(p, v) _mm512_storeu_ps(p, v)
#elif defined __AVX2__
#define load_bf16(p) _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const void *)(p))), 16))
#define load_q8(p) _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const void *)(p))))
#define all_of(f) _mm256_set1_ps(f)
#define store(p, v) _mm256_storeu_ps(p, v)
#else
#define all_of(f) ((vec){f, f, f, f})
#define store(p, v) memcpy(p, &(v), sizeof(vec))

INLINE vec load_bf16(const uint16_t *p)
{
	uint32_t u[LANES];
	for (int i = 0; i < LANES; i++)
		u[i] = (uint32_t)p[i] << 16;
	vec v;
	memcpy(&v, u, sizeof v);
	return v;
}

INLINE vec load_q8(const int8_t *p)
{
	return (vec){p[0], p[1], p[2], p[3]};
}
#endif

INLINE float widen(uint16_t bf16)
{
	uint32_t u = (uint32_t)bf16 << 16;
	float f;
	memcpy(&f, &u, sizeof f);
	return f;
}

/* --- a tile -------------------------------------------------------------------------- */

enum {
	BLOCK = GEMM_BLOCK,
	/* Columns whose sums are taken at a time: four rows of w that long stay in the first cache. */
	SPAN = 512,
	/* Rows of x that share one reading of w: as many as stay in the second, CACHED floats. */
	SHARE = 126,
	CACHED = 1 << 16,
	/* Columns of y that are made before they are put there: a cache line, for y's rows may
	 * stand so far apart that all fall into one place of the cache. */
	LINE = 16,
	/* Up to so many rows of x weights are widened for each in registers, for more into memory first. */
	FEW = 2
};

/* Four rows of w at some columns: of a matrix's type, or widened to floats. */
struct quad {
	const char *row[4];
	const uint16_t *scale[4];
	int cols;
	ptrdiff_t ahead; /* bytes from here to what is read next */
};

#if defined __AVX2__
#define KEEP(v) __asm__("" : "+v"(v)) /* in a register: to load it again for each use would be too many loads */
#else
#define KEEP(v) (void)(v)
#endif

INLINE vec load_w(const char *row, int j, const enum gemm_type type)
{
	if (type == GEMM_BF16)
		return load_bf16((const uint16_t *)(const void *)row + j);
	if (type == GEMM_Q8)
		return load_q8((const int8_t *)row + j);
	return load((const float *)(const void *)row + j);
}

/* Columns j .. j + LANES - 1 into the sums of r rows of x. */
INLINE void columns(vec s[3][4], const float *x, int ldx, const struct quad *w, const vec scale[4], int j,
                    const enum gemm_type type, const int r)
{
	vec v[3];
	for (int l = 0; l < r; l++)
		v[l] = load(x + (ptrdiff_t)l * ldx + j);
	for (int i = 0; i < 4; i++) {
		vec a = load_w(w->row[i], j, type);
		if (type == GEMM_Q8)
			a = a * scale[i];
		KEEP(a);
		for (int l = 0; l < r; l++)
			s[l][i] = muladd(a, v[l], s[l][i]);
	}
}

/* What stands bytes behind a block of columns is asked for. */
INLINE void fetch_block(const struct quad *w, int j, const enum gemm_type type)
{
	const int size = type == GEMM_F32 ? 4 : type == GEMM_BF16 ? 2 : 1;
	for (int i = 0; i < 4; i++)
		for (int b = 0; b < BLOCK * size; b += 64)
			__builtin_prefetch(w->row[i] + (ptrdiff_t)j * size + b + w->ahead);
}

/* r rows of x by the quad. Types but F32 want whole blocks of columns. */
INLINE void tile(four *out, const float *x, int ldx, const struct quad *w, const enum gemm_type type, const int r,
                 const bool fetch)
{
	int cols = w->cols, j = 0;
	vec s[3][4], scale[4] = {zero(), zero(), zero(), zero()};
	for (int l = 0; l < r; l++)
		for (int i = 0; i < 4; i++)
			s[l][i] = zero();
	for (; j + BLOCK <= cols; j += BLOCK) {
		if (fetch)
			fetch_block(w, j, type);
		for (int i = 0; i < 4 && type == GEMM_Q8; i++)
			scale[i] = all_of(widen(w->scale[i][j / BLOCK]));
		for (int u = 0; u < BLOCK; u += LANES)
			columns(s, x, ldx, w, scale, j + u, type, r);
	}
	for (; type == GEMM_F32 && j + LANES <= cols; j += LANES)
		columns(s, x, ldx, w, scale, j, type, r);
	if (type == GEMM_F32 && j < cols)
		for (int l = 0; l < r; l++) {
			vec v = load_some(x + (ptrdiff_t)l * ldx + j, cols - j);
			for (int i = 0; i < 4; i++)
				s[l][i] = muladd(load_some((const float *)(const void *)w->row[i] + j, cols - j), v, s[l][i]);
		}
	for (int l = 0; l < r; l++)
		out[l] = sums(s[l]);
}

/* --- widening -------------------------------------------------------------------------- */

/* Columns of a row whose first is a multiple of BLOCK. */
INLINE void widen_as(float *to, const char *row, const uint16_t *scale, int cols, const enum gemm_type type)
{
	int j = 0;
	for (; j + LANES <= cols; j += LANES) {
		vec v = load_w(row, j, type);
		if (type == GEMM_Q8)
			v = v * all_of(widen(scale[j / BLOCK]));
		store(to + j, v);
	}
	for (; j < cols; j++)
		to[j] = type == GEMM_BF16 ? widen(((const uint16_t *)(const void *)row)[j])
		                          : (float)((const int8_t *)row)[j] * widen(scale[j / BLOCK]);
}

static void widen_row(float *to, const char *row, const uint16_t *scale, int cols, enum gemm_type type)
{
	if (type == GEMM_BF16)
		widen_as(to, row, scale, cols, GEMM_BF16);
	else
		widen_as(to, row, scale, cols, GEMM_Q8);
}

/* --- a product ------------------------------------------------------------------------ */

/* r rows of x by the quad: into four columns of `out`, or added to what earlier spans gave. */
INLINE void rows(float (*out)[LINE], const float *x, int ldx, const int r, const struct quad *w,
                 const enum gemm_type type, bool first, const bool fetch)
{
	four t[3];
	tile(t, x, ldx, w, type, r, fetch);
	for (int l = 0; l < r; l++) {
		four before;
		memcpy(&before, out[l], sizeof before);
		t[l] = first ? t[l] : before + t[l];
		memcpy(out[l], &t[l], sizeof before);
	}
}

/* n rows of x by four rows of floats. The first of them fetch what is read next. */
static void many(float (*out)[LINE], const float *x, int ldx, int n, const struct quad *w, bool first)
{
	int i;
	if (n == 1) {
		rows(out, x, ldx, i = 1, w, GEMM_F32, first, true);
	} else if (n == 2 || n == 4) { /* four: two and two */
		rows(out, x, ldx, i = 2, w, GEMM_F32, first, true);
	} else {
		rows(out, x, ldx, i = 3, w, GEMM_F32, first, true);
	}
	for (; n - i > 4 || n - i == 3; i += 3)
		rows(out + i, x + (ptrdiff_t)i * ldx, ldx, 3, w, GEMM_F32, first, false);
	for (; n - i > 1; i += 2)
		rows(out + i, x + (ptrdiff_t)i * ldx, ldx, 2, w, GEMM_F32, first, false);
	if (n - i == 1)
		rows(out + i, x + (ptrdiff_t)i * ldx, ldx, 1, w, GEMM_F32, first, false);
}

/* One or two rows of x by four rows of bfloat16 or eight bits. */
static void few(float (*out)[LINE], const float *x, int ldx, int n, const struct quad *w, enum gemm_type type, bool first)
{
	if (n == 1 && type == GEMM_BF16)
		rows(out, x, ldx, 1, w, GEMM_BF16, first, true);
	else if (n == 1)
		rows(out, x, ldx, 1, w, GEMM_Q8, first, true);
	else if (type == GEMM_BF16)
		rows(out, x, ldx, 2, w, GEMM_BF16, first, true);
	else
		rows(out, x, ldx, 2, w, GEMM_Q8, first, true);
}

/* The quad widened to `wide`. What is read next is asked for on the way. */
static void widen_quad(struct quad *w, float wide[4][SPAN], enum gemm_type type)
{
	size_t size = type == GEMM_BF16 ? 2 : 1;
	for (int i = 0; i < 4; i++) {
		for (ptrdiff_t b = 0; b < (ptrdiff_t)size * w->cols; b += 64)
			__builtin_prefetch(w->row[i] + b + w->ahead);
		widen_row(wide[i], w->row[i], w->scale[i], w->cols, type);
		w->row[i] = (const char *)wide[i];
	}
	w->ahead = 0;
}

/* Columns from k on of the rows o .. o + 3 of w, of which the last, `end` - 1, may stand for more. */
static struct quad quad_at(const struct gemm_matrix *m, int o, int end, int k)
{
	ptrdiff_t size = m->type == GEMM_F32 ? 4 : m->type == GEMM_BF16 ? 2 : 1;
	ptrdiff_t blocks = (m->cols + BLOCK - 1) / BLOCK, pitch = m->type == GEMM_Q8 ? blocks * BLOCK : m->cols;
	struct quad w = {.cols = m->cols - k < SPAN ? m->cols - k : SPAN};
	w.ahead = (k + SPAN < m->cols ? SPAN : 4 * pitch - k) * size;
	for (int i = 0; i < 4; i++) {
		ptrdiff_t row = o + i < end ? o + i : end - 1;
		w.row[i] = (const char *)m->v + (row * pitch + k) * size;
		w.scale[i] = m->type == GEMM_Q8 ? m->scale + row * blocks + k / BLOCK : NULL;
	}
	return w;
}

/* Rows i .. i + n - 1 of x by the rows o .. o + m - 1 of w, at most LINE. */
static void block(const struct gemm_product *p, int i, int n, int o, int m)
{
	float out[SHARE][LINE] __attribute__((aligned(64))), wide[4][SPAN] __attribute__((aligned(64)));
	const float *x = p->x + (ptrdiff_t)i * p->ldx;
	enum gemm_type type = p->w.type;
	for (int q = 0; q < m; q += 4)
		for (int k = 0; k < p->w.cols; k += SPAN) {
			struct quad w = quad_at(&p->w, o + q, o + m, k);
			float (*at)[LINE] = (float(*)[LINE])(out[0] + q);
			if (type != GEMM_F32 && n <= FEW && w.cols % BLOCK == 0) {
				few(at, x + k, p->ldx, n, &w, type, k == 0);
				continue;
			}
			if (type != GEMM_F32)
				widen_quad(&w, wide, type);
			many(at, x + k, p->ldx, n, &w, k == 0);
		}
	for (int r = 0; r < n; r++) {
		float *y = p->y + (ptrdiff_t)(i + r) * p->ldy + o;
		for (int l = 0; l < m; l++) {
			float v = p->bias ? out[r][l] + p->bias[o + l] : out[r][l];
			y[l] = p->add ? y[l] + v : v;
		}
	}
}

static void run(const struct gemm_product *p, int from, int to)
{
	int share = CACHED / p->w.cols / 3 * 3;
	share = share < 3 ? 3 : share > SHARE ? SHARE : share;
	for (int i = 0; i < p->n; i += share)
		for (int o = from; o < to; o += LINE)
			block(p, i, p->n - i < share ? p->n - i : share, o, to - o < LINE ? to - o : LINE);
}

static void row(float *to, const struct gemm_matrix *m, int i)
{
	if (m->type == GEMM_F32) {
		memcpy(to, (const float *)m->v + (ptrdiff_t)i * m->cols, (size_t)m->cols * sizeof *to);
		return;
	}
	struct quad w = quad_at(m, i, i + 1, 0);
	widen_row(to, w.row[0], w.scale[0], m->cols, m->type);
}

/* --- narrowing -------------------------------------------------------------------------- */

/* Upwards for a scale: the largest weight of its block must not leave the eight bits. */
INLINE uint16_t narrow(float f, const bool up)
{
	uint32_t u;
	memcpy(&u, &f, sizeof u);
	return (uint16_t)((u + (up ? 0xFFFF : 0x7FFF + (u >> 16 & 1))) >> 16);
}

static bool finite(const float *w, size_t n)
{
	uint32_t most = 0;
#pragma omp simd reduction(max : most)
	for (size_t i = 0; i < n; i++) {
		uint32_t u;
		memcpy(&u, w + i, sizeof u);
		u &= 0x7FFFFFFF;
		most = u > most ? u : most;
	}
	return most < 0x7F800000;
}

static void to_bf16(uint16_t *to, const float *w, size_t n)
{
#pragma omp simd
	for (size_t i = 0; i < n; i++)
		to[i] = narrow(w[i], false);
}

static void block_to_q8(int8_t *to, uint16_t *scale, const float w[BLOCK])
{
	float most = 0;
#pragma omp simd reduction(max : most)
	for (int j = 0; j < BLOCK; j++) {
		float a = w[j] < 0 ? -w[j] : w[j];
		most = a > most ? a : most;
	}
	*scale = narrow(most / 127, true);
	float s = widen(*scale), inverse = s > 0 ? 1 / s : 0;
#pragma omp simd
	for (int j = 0; j < BLOCK; j++) {
		float q = w[j] * inverse;
		to[j] = (int8_t)(int)(q + (q < 0 ? -0.5f : 0.5f));
	}
}

static void to_q8(int8_t *to, uint16_t *scale, const float *w, int cols)
{
	for (int j = 0; j < cols; j += BLOCK) {
		float last[BLOCK] = {0};
		if (cols - j < BLOCK)
			memcpy(last, w + j, (size_t)(cols - j) * sizeof *last);
		block_to_q8(to + j, scale + j / BLOCK, cols - j < BLOCK ? last : w + j);
	}
}

extern const struct gemm CAT(gemm_isa_, ISA);
const struct gemm CAT(gemm_isa_, ISA) = {STR(ISA), run, row, finite, to_bf16, to_q8};
#endif
