/* Compiled once an instruction set (-DISA=base, avx2, avx512): plain loops that
 * the compiler makes vectors of. Sums over a row are taken in LANES partial
 * sums, element j into j % LANES: the order is the same in every table and with
 * every compiler, and only where muladd rounds once do results differ.
 *
 * The polynomials are tests/reference/minimax.py's. */
#include "nx/kernel.h"
#include "base/isa.h"

#include <math.h>
#include <string.h>

#ifdef ISA /* `base` is a fine name for a table, and so are the others */

#define SIMD _Pragma("omp simd")

enum { LANES = 16 };
/* The statements for each j in [0, n), l = j % LANES: `acc[l] += x[j];` sums x. Partial sums stay in registers
 * only in a loop that is nothing but whole groups of lanes. */
#define BY_LANES(n, ...) \
	{ \
		int j0 = 0; \
		for (; j0 + LANES <= (n); j0 += LANES) \
			SIMD for (int l = 0; l < LANES; l++) { \
				int j = j0 + l; \
				__VA_ARGS__ \
			} \
		for (int l = 0; l < (n)-j0; l++) { \
			int j = j0 + l; \
			__VA_ARGS__ \
		} \
	}

/* --- functions of one number ---------------------------------------------------- */

/* a b + c, in one rounding where the instruction set has that. */
INLINE float muladd(float a, float b, float c)
{
#if defined __FMA__ || defined __ARM_FEATURE_FMA
	return fmaf(a, b, c);
#else
	return a * b + c;
#endif
}

INLINE int32_t bits(float x)
{
	int32_t i;
	memcpy(&i, &x, sizeof i);
	return i;
}

INLINE float from_bits(int32_t i)
{
	float x;
	memcpy(&x, &i, sizeof x);
	return x;
}

/* cond ? a : b, both of which are computed: a branch would keep the loop from becoming vectors. */
INLINE float pick(int cond, float a, float b)
{
	return from_bits((bits(a) & -cond) | (bits(b) & (cond - 1)));
}

/* e^x = 2^n e^r, |r| <= ln 2 / 2. 1.5 2^23 added and taken away rounds to a whole
 * number; before it is taken away, the low bits are that number. 2^n is made in two
 * factors, since it may itself lie beyond the floats where e^x does not. */
INLINE float exp1(float x)
{
	const float magic = 12582912, hi = 0x1.63p-1f, lo = -2.12194440e-4f; /* ln 2 = hi + lo, hi short */
	x = x < -104 ? -104 : x;
	x = x > 89 ? 89 : x;
	float t = muladd(x, 1.44269504f, magic), n = t - magic;
	float r = muladd(n, -lo, muladd(n, -hi, x));
	float q = muladd(r, 0.0013814433f, 0.008368797f);
	q = muladd(q, r, 0.041668396f);
	q = muladd(q, r, 0.1666652f);
	q = muladd(q, r, 0.49999994f);
	float p = muladd(q, r * r, r) + 1;
	int32_t k = bits(t) - 0x4B400000, half = k >> 1;
	/* unsigned: of a NaN, k is any number */
	uint32_t e1 = (uint32_t)(half + 127) << 23, e2 = (uint32_t)(k - half + 127) << 23;
	return p * from_bits((int32_t)e1) * from_bits((int32_t)e2);
}

INLINE float tanh1(float x)
{
	float a = fabsf(x), z = x * x;
	float q = muladd(z, -0.006207428f, 0.021027217f);
	q = muladd(q, z, -0.053842276f);
	q = muladd(q, z, 0.133325f);
	q = muladd(q, z, -0.33333316f);
	float near0 = muladd(q * z, x, x), far = 1 - 2 / (exp1(2 * a) + 1);
	return pick(a < 0.55f, near0, copysignf(far, x));
}

/* The normal distribution's share left of x, which is (1 + erf(x / sqrt 2)) / 2, and
 * *bell = e^(-x^2/2). Near 0: 1/2 + x c(x^2). Farther out bell s q(s), s = 1 / (1 + 0.3 |x|),
 * is the tail beyond |x|: to the left the share itself, to the right what is missing of 1. */
INLINE float cdf1(float x, float *bell)
{
	float z = x * x, s = 1 / muladd(fabsf(x), 0.3f, 1);
	float c = muladd(z, -6.796643e-06f, 0.00011100439f);
	c = muladd(c, z, -0.0011838059f);
	c = muladd(c, z, 0.009972276f);
	c = muladd(c, z, -0.06649021f);
	c = muladd(c, z, 0.39894226f);
	float q = muladd(s, 0.036266956f, -0.15956222f);
	q = muladd(q, s, 0.21021727f);
	q = muladd(q, s, -0.05704156f);
	q = muladd(q, s, 0.13022698f);
	q = muladd(q, s, 0.09944396f);
	q = muladd(q, s, 0.12082345f);
	q = muladd(q, s, 0.119625136f);
	*bell = exp1(-0.5f * z);
	float tail = *bell * s * q;
	return pick(z < 1.5625f, muladd(c, x, 0.5f), pick(x < 0, tail, 1 - tail));
}

/* act(x) and act'(x) together. */
INLINE float gelu1(float x, float *slope)
{
	float bell, phi = cdf1(x, &bell);
	*slope = muladd(x * bell, 0.398942280f, phi);
	return x * phi;
}

INLINE float gelu_tanh1(float x, float *slope)
{
	const float a = 0.797884561f, b = 0.044715f;
	float t = tanh1(a * x * muladd(b * x, x, 1)), half = 0.5f * (1 + t);
	*slope = muladd(0.5f * x * muladd(-t, t, 1), a * muladd(3 * b * x, x, 1), half);
	return x * half;
}

INLINE float relu1(float x, float *slope)
{
	*slope = pick(!(x <= 0), 1, 0); /* NaN stays NaN */
	return pick(!(x <= 0), x, 0);
}

/* --- lanes --------------------------------------------------------------------------- */

INLINE void set_lanes(float acc[LANES], float v)
{
	SIMD for (int l = 0; l < LANES; l++)
		acc[l] = v;
}

/* acc[l] = each pair of a half's a and the other's b in turn, until one is left. */
#define FOLD(acc, w, expr) \
	for (int l = 0; l < (w); l++) { \
		float a = (acc)[l], b = (acc)[l + (w)]; \
		(acc)[l] = expr; \
	}
#define FOLD_ALL(acc, expr) \
	do { \
		FOLD(acc, 8, expr) \
		FOLD(acc, 4, expr) \
		FOLD(acc, 2, expr) \
		FOLD(acc, 1, expr) \
	} while (0)

INLINE float sum_lanes(float acc[LANES])
{
	FOLD_ALL(acc, a + b);
	return acc[0];
}

INLINE float sum(const float *x, int n)
{
	float acc[LANES];
	set_lanes(acc, 0);
	BY_LANES(n, acc[l] += x[j];)
	return sum_lanes(acc);
}

INLINE float dot(const float *a, const float *b, int n)
{
	float acc[LANES];
	set_lanes(acc, 0);
	BY_LANES(n, acc[l] = muladd(a[j], b[j], acc[l]);)
	return sum_lanes(acc);
}

/* The last numbers of a row, less than LANES of them, as a group: beside them is what changes nothing. */
INLINE void fill_up(float group[LANES], const float *x, int n)
{
	set_lanes(group, -INFINITY);
	memcpy(group, x, (size_t)n * sizeof *x);
}

/* n of a group of LANES that may be read. */
INLINE void largest_of(float acc[LANES], const float *x, int n)
{
	SIMD for (int l = 0; l < LANES; l++) {
		float v = l < n ? x[l] : -INFINITY;
		acc[l] = v > acc[l] ? v : acc[l];
	}
}

/* The first `room` numbers from x on may be read. */
INLINE float largest(const float *x, int n, int room)
{
	float acc[LANES], last[LANES];
	int j = 0;
	set_lanes(acc, -INFINITY);
	for (; j + LANES <= n; j += LANES)
		largest_of(acc, x + j, LANES);
	if (j < n && j + LANES <= room) {
		largest_of(acc, x + j, n - j);
	} else if (j < n) {
		fill_up(last, x + j, n - j);
		largest_of(acc, last, LANES);
	}
	FOLD_ALL(acc, b > a ? b : a);
	return acc[0];
}

/* The same where also what stands behind the n numbers may be written: it becomes 0. */
INLINE void exp_and_add(float acc[LANES], float *x, int n, float a, float b)
{
	SIMD for (int l = 0; l < LANES; l++) {
		float v = l < n ? x[l] : -INFINITY;
		x[l] = exp1(muladd(v, a, -b));
		acc[l] += x[l];
	}
}

/* x = exp(a x - b), and their sum. a > 0. The first `room` numbers may be written; those behind n are used up. */
INLINE float exp_sum(float *x, int n, int room, float a, float b)
{
	float acc[LANES], last[LANES];
	int j = 0;
	set_lanes(acc, 0);
	for (; j + LANES <= n; j += LANES)
		exp_and_add(acc, x + j, LANES, a, b);
	if (j < n && j + LANES <= room) {
		exp_and_add(acc, x + j, n - j, a, b);
	} else if (j < n) {
		fill_up(last, x + j, n - j);
		exp_and_add(acc, last, LANES, a, b);
		memcpy(x + j, last, (size_t)(n - j) * sizeof *x);
	}
	return sum_lanes(acc);
}

/* --- element by element ----------------------------------------------------------- */

/* One loop for each function: the compiler makes vectors of a loop without a choice in it. */
#define ACT_LOOP(fn) \
	SIMD for (size_t i = 0; i < n; i++) { \
		float slope; \
		y[i] = fn(x[i], &slope); \
	}
#define BACK_LOOP(fn) \
	SIMD for (size_t i = 0; i < n; i++) { \
		float slope; \
		y[i] = fn(x[i], &slope); \
		dx[i] = dy[i] * slope; \
	}

static void act(float *y, const float *x, size_t n, enum config_act a)
{
	if (a == CONFIG_GELU) {
		ACT_LOOP(gelu1)
	} else if (a == CONFIG_RELU) {
		ACT_LOOP(relu1)
	} else {
		ACT_LOOP(gelu_tanh1)
	}
}

static void act_back(float *dx, float *y, const float *dy, const float *x, size_t n, enum config_act a)
{
	if (a == CONFIG_GELU) {
		BACK_LOOP(gelu1)
	} else if (a == CONFIG_RELU) {
		BACK_LOOP(relu1)
	} else {
		BACK_LOOP(gelu_tanh1)
	}
}

#define EACH(name, expr) \
	static void name(float *y, const float *x, size_t n) \
	{ \
		SIMD for (size_t i = 0; i < n; i++) \
			y[i] = expr; \
	}
EACH(exp_all, exp1(x[i]))
EACH(tanh_all, tanh1(x[i]))
EACH(add, y[i] + x[i])

static void cdf_all(float *y, const float *x, size_t n)
{
	SIMD for (size_t i = 0; i < n; i++) {
		float bell;
		y[i] = cdf1(x[i], &bell);
	}
}

static void scale(float *y, float a, size_t n)
{
	SIMD for (size_t i = 0; i < n; i++)
		y[i] *= a;
}

static void add_bias(float *y, const float *b, int n, int c)
{
	for (int r = 0; r < n; r++, y += c)
		SIMD for (int j = 0; j < c; j++)
			y[j] += b[j];
}

/* --- LayerNorm --------------------------------------------------------------------- */

static void normalise(float *y, const float *x, float mean, float rstd, const float *w, const float *b, int c)
{
	SIMD for (int j = 0; j < c; j++)
		y[j] = muladd((x[j] - mean) * rstd, w[j], b[j]);
}

static void layernorm(float *y, float *mean, float *rstd, const float *x, const float *w, const float *b, int n, int c,
                      float eps)
{
	for (int r = 0; r < n; r++, x += c, y += c) {
		float acc[LANES], m = sum(x, c) / (float)c;
		set_lanes(acc, 0);
		BY_LANES(c, acc[l] = muladd(x[j] - m, x[j] - m, acc[l]);)
		mean[r] = m;
		rstd[r] = 1 / sqrtf(sum_lanes(acc) / (float)c + eps);
		normalise(y, x, m, rstd[r], w, b, c);
	}
}

static void layernorm_again(float *y, const float *x, const float *mean, const float *rstd, const float *w,
                            const float *b, int n, int c)
{
	for (int r = 0; r < n; r++, x += c, y += c)
		normalise(y, x, mean[r], rstd[r], w, b, c);
}

static void layernorm_back(float *dx, const float *dy, const float *x, const float *mean, const float *rstd,
                           const float *w, int n, int c)
{
	for (int r = 0; r < n; r++, x += c, dy += c, dx += c) {
		float m = mean[r], s = rstd[r], gs[LANES], hs[LANES];
		set_lanes(gs, 0);
		set_lanes(hs, 0);
		BY_LANES(c, float g = dy[j] * w[j]; gs[l] += g; hs[l] = muladd(g, (x[j] - m) * s, hs[l]);)
		float g_mean = sum_lanes(gs) / (float)c, h_mean = sum_lanes(hs) / (float)c;
		SIMD for (int j = 0; j < c; j++)
			dx[j] += s * (dy[j] * w[j] - g_mean - (x[j] - m) * s * h_mean);
	}
}

/* --- sums over rows ------------------------------------------------------------------ */

/* Columns are summed STRIPE at a time, SPAN rows in float and those in double. */
enum { STRIPE = 64, SPAN = 64 };

static void layernorm_stripe(float *dw, float *db, const float *dy, const float *x, const float *mean,
                             const float *rstd, int n, int c, int width)
{
	double wsum[STRIPE] = {0}, bsum[STRIPE] = {0};
	for (int from = 0; from < n; from += SPAN) {
		float ws[STRIPE] = {0}, bs[STRIPE] = {0};
		int to = n - from < SPAN ? n : from + SPAN;
		for (int r = from; r < to; r++, dy += c, x += c)
			SIMD for (int j = 0; j < width; j++) {
				ws[j] = muladd(dy[j], (x[j] - mean[r]) * rstd[r], ws[j]);
				bs[j] += dy[j];
			}
		for (int j = 0; j < width; j++) {
			wsum[j] += (double)ws[j];
			bsum[j] += (double)bs[j];
		}
	}
	for (int j = 0; j < width; j++) {
		dw[j] += (float)wsum[j];
		db[j] += (float)bsum[j];
	}
}

static void layernorm_grad(float *dw, float *db, const float *dy, const float *x, const float *mean, const float *rstd,
                           int n, int c, int from, int to)
{
	for (int j = from; j < to; j += STRIPE)
		layernorm_stripe(dw + j, db + j, dy + j, x + j, mean, rstd, n, c, to - j < STRIPE ? to - j : STRIPE);
}

static void bias_stripe(float *db, const float *dy, int n, int c, int width)
{
	double sum[STRIPE] = {0};
	for (int from = 0; from < n; from += SPAN) {
		float s[STRIPE] = {0};
		int to = n - from < SPAN ? n : from + SPAN;
		for (int r = from; r < to; r++, dy += c)
			SIMD for (int j = 0; j < width; j++)
				s[j] += dy[j];
		for (int j = 0; j < width; j++)
			sum[j] += (double)s[j];
	}
	for (int j = 0; j < width; j++)
		db[j] += (float)sum[j];
}

static void bias_grad(float *db, const float *dy, int n, int c, int from, int to)
{
	for (int j = from; j < to; j += STRIPE)
		bias_stripe(db + j, dy + j, n, c, to - j < STRIPE ? to - j : STRIPE);
}

/* --- attention ------------------------------------------------------------------------ */

INLINE void turn_one(float *v, const float *cosine, const float *sine, int half, float dir)
{
	SIMD for (int i = 0; i < half; i++) {
		float a = v[i], b = v[i + half], s = sine[i] * dir;
		v[i] = a * cosine[i] - b * s;
		v[i + half] = b * cosine[i] + a * s;
	}
}

static void rotary(float *qkv, const float *cosine, const float *sine, int n, int heads, int hd, int dims, int dir)
{
	int half = dims / 2;
	for (int r = 0; r < n; r++, cosine += half, sine += half)
		for (int h = 0; h < heads; h++, qkv += 3 * (size_t)hd) {
			turn_one(qkv, cosine, sine, half, (float)dir);
			turn_one(qkv + hd, cosine, sine, half, (float)dir);
		}
}

static void turn(float *v, int ld, const float *cosine, const float *sine, int n, int dims)
{
	int half = dims / 2;
	for (int r = 0; r < n; r++, v += ld, cosine += half, sine += half)
		turn_one(v, cosine, sine, half, 1);
}

static void clear(float *s, int from, int to)
{
	for (int j = from; j < to; j++)
		s[j] = 0;
}

static void softmax(float *s, int ld, float *lse, int m, int seen, int width, float a)
{
	for (int r = 0; r < m; r++, s += ld) {
		int n = seen + r;
		float max = a * largest(s, n, width), total = exp_sum(s, n, width, a, max);
		scale(s, 1 / total, (size_t)n);
		clear(s, n, width);
		lse[r] = max + logf(total);
	}
}

static void softmax_again(float *s, int ld, const float *lse, int m, int seen, int width, float a)
{
	for (int r = 0; r < m; r++, s += ld) {
		SIMD for (int j = 0; j < seen + r; j++)
			s[j] = exp1(muladd(s[j], a, -lse[r]));
		clear(s, seen + r, width);
	}
}

static void softmax_back(float *dp, const float *p, int ld, const float *d, int m, int seen, int width, float a)
{
	for (int r = 0; r < m; r++, dp += ld, p += ld) {
		SIMD for (int j = 0; j < seen + r; j++)
			dp[j] = p[j] * (dp[j] - d[r]) * a;
		clear(dp, seen + r, width);
	}
}

static void dots(float *d, const float *a, int lda, const float *b, int ldb, int m, int c)
{
	for (int r = 0; r < m; r++, a += lda, b += ldb)
		d[r] = dot(a, b, c);
}

/* --- both ends -------------------------------------------------------------------------- */

static void embed(float *y, const float *table, const int32_t *ids, int n, int c)
{
	for (int r = 0; r < n; r++)
		memcpy(y + (size_t)r * (size_t)c, table + (size_t)ids[r] * (size_t)c, (size_t)c * sizeof *y);
}

static void embed_back(float *dtable, const float *dy, const int32_t *ids, int n, int c, int from, int to)
{
	for (int r = 0; r < n; r++, dy += c) {
		float *row = dtable + (size_t)ids[r] * (size_t)c;
		SIMD for (int j = from; j < to; j++)
			row[j] += dy[j];
	}
}

/* A vocabulary is long: its sum is taken CHUNK at a time in float and those in double. */
enum { CHUNK = 1024 };

static double xent(float *x, int v, int label, float a)
{
	float max = largest(x, v, v), at = x[label];
	double total = 0;
	for (int from = 0; from < v; from += CHUNK) {
		int n = v - from < CHUNK ? v - from : CHUNK;
		total += (double)exp_sum(x + from, n, n, 1, max);
	}
	if (a != 0) {
		scale(x, (float)((double)a / total), (size_t)v);
		x[label] -= a;
	}
	return log(total) + (double)max - (double)at;
}

INLINE bool any_nan(const float *x, int n)
{
	int bad = 0;
	_Pragma("omp simd reduction(| : bad)")
	for (int i = 0; i < n; i++)
		bad |= x[i] != x[i];
	return bad;
}

/* A stretch is looked at twice, the second time in the first cache; the largest is looked for in the first
 * stretch that has it. */
static int argmax(const float *x, int n)
{
	enum { STRETCH = 512 };
	int at = 0;
	float best = -INFINITY;
	for (int i = 0; i < n; i += STRETCH) {
		int m = n - i < STRETCH ? n - i : STRETCH;
		float most = largest(x + i, m, m);
		if (any_nan(x + i, m))
			return -1;
		if (most > best) {
			best = most;
			at = i;
		}
	}
	while (at < n && x[at] != best)
		at++;
	return n > 0 ? at : -1;
}

/* --- the table ---------------------------------------------------------------------------- */

ISA_TABLE(struct kernel, kernel_isa_) = {
	.name = ISA_NAME,
	.layernorm = layernorm,
	.layernorm_again = layernorm_again,
	.layernorm_back = layernorm_back,
	.layernorm_grad = layernorm_grad,
	.act = act,
	.act_back = act_back,
	.rotary = rotary,
	.turn = turn,
	.softmax = softmax,
	.softmax_again = softmax_again,
	.softmax_back = softmax_back,
	.dots = dots,
	.add = add,
	.scale = scale,
	.add_bias = add_bias,
	.bias_grad = bias_grad,
	.embed = embed,
	.embed_back = embed_back,
	.xent = xent,
	.argmax = argmax,
	.exp = exp_all,
	.tanh = tanh_all,
	.cdf = cdf_all,
};
#endif
