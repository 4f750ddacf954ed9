/* Compiled once for each instruction set; gemm.c chooses.
 *
 * A tile is four rows of w times up to three of x: twelve sums, each a register
 * of partial sums, column j into lane j % LANES. In this shape seven loads feed
 * twelve multiplications, and w is read as it lies. */
#include "nx/gemm.h"

#include <stddef.h>
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

/* --- a tile -------------------------------------------------------------------------- */

/* Columns whose sums are taken at a time: four rows of w that long stay in the first cache. */
enum { SPAN = 512 };
/* Rows of x that share one reading of w: SPAN columns of them stay in the second. */
enum { SHARE = 96 };

/* Four rows of w that stand `ld` apart (0: the last row again) at columns k of them. */
struct quad {
	const float *row[4];
	int cols;
};

INLINE void tile(four *out, const float *x, int ldx, const struct quad *w, const int R)
{
	const float *w0 = w->row[0], *w1 = w->row[1], *w2 = w->row[2], *w3 = w->row[3];
	int cols = w->cols, j = 0;
	vec s[3][4];
	for (int r = 0; r < R; r++)
		for (int i = 0; i < 4; i++)
			s[r][i] = zero();
	for (; j + LANES <= cols; j += LANES) {
		vec v[3];
		for (int r = 0; r < R; r++)
			v[r] = load(x + (ptrdiff_t)r * ldx + j);
		vec a = load(w0 + j), b = load(w1 + j), c = load(w2 + j), d = load(w3 + j);
		for (int r = 0; r < R; r++) {
			s[r][0] = muladd(a, v[r], s[r][0]);
			s[r][1] = muladd(b, v[r], s[r][1]);
			s[r][2] = muladd(c, v[r], s[r][2]);
			s[r][3] = muladd(d, v[r], s[r][3]);
		}
	}
	if (j < cols)
		for (int r = 0; r < R; r++) {
			vec v = load_some(x + (ptrdiff_t)r * ldx + j, cols - j);
			for (int i = 0; i < 4; i++)
				s[r][i] = muladd(load_some(w->row[i] + j, cols - j), v, s[r][i]);
		}
	for (int r = 0; r < R; r++)
		out[r] = sums(s[r]);
}

/* --- a product ------------------------------------------------------------------------ */

/* The sums of one row of x into y. The first span brings the bias, and y itself where it is added to. */
static void put(float *y, four sum, const struct gemm_product *p, int o, int n, bool first)
{
	for (int i = 0; i < n; i++) {
		float v = sum[i];
		if (first && p->bias)
			v += p->bias[o + i];
		y[i] = !first || p->add ? y[i] + v : v;
	}
}

/* Rows i to `end` of x by columns o to o + n <= o + 4 of y. */
static void group(const struct gemm_product *p, const struct quad *w, int k, int o, int n, int i, int end)
{
	while (i < end) {
		const float *x = p->x + (ptrdiff_t)i * p->ldx + k;
		int left = end - i, r = left == 4 ? 2 : left < 3 ? left : 3; /* four: two and two */
		four out[3];
		if (r == 3)
			tile(out, x, p->ldx, w, 3);
		else if (r == 2)
			tile(out, x, p->ldx, w, 2);
		else
			tile(out, x, p->ldx, w, 1);
		for (int l = 0; l < r; l++)
			put(p->y + (ptrdiff_t)(i + l) * p->ldy + o, out[l], p, o, n, k == 0);
		i += r;
	}
}

static void run(const struct gemm_product *p, int from, int to)
{
	for (int i = 0; i < p->n; i += SHARE)
		for (int k = 0; k < p->cols; k += SPAN)
			for (int o = from; o < to; o += 4) {
				int n = to - o < 4 ? to - o : 4;
				struct quad w = {.cols = p->cols - k < SPAN ? p->cols - k : SPAN};
				for (int l = 0; l < 4; l++)
					w.row[l] = p->w + (ptrdiff_t)(o + (l < n ? l : n - 1)) * p->cols + k;
				group(p, &w, k, o, n, i, p->n - i < SHARE ? p->n : i + SHARE);
			}
}

extern const struct gemm CAT(gemm_isa_, ISA);
const struct gemm CAT(gemm_isa_, ISA) = {STR(ISA), run};
#endif
