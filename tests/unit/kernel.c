/* nx/kernel: every table this CPU can run against nx/kernel_ref in double, with odd
 * sizes, and exp, tanh and the normal distribution against libm over all floats. */
#include "test.h"

#include "base/xoshiro.h"
#include "nx/kernel.h"
#include "nx/kernel_ref.h"

#include <stdint.h>

static struct xoshiro rnd = {{1, 2, 3, 4}};

/* The same numbers as floats and as doubles. */
struct both {
	float *f;
	double *d;
	int n;
};

static struct both random_both(int n, double size)
{
	struct both b = {malloc((size_t)n * sizeof(float) + 64), malloc((size_t)n * sizeof(double)), n};
	for (int i = 0; i < n; i++)
		b.d[i] = b.f[i] = (float)(size * (2 * xoshiro_f64(&rnd) - 1));
	return b;
}

static void drop(struct both *b)
{
	free(b->f);
	free(b->d);
}

/* Largest difference of b's floats from its doubles, against the largest double. */
static double off(const struct both *b)
{
	double worst = 0, size = 1e-30;
	for (int i = 0; i < b->n; i++) {
		double d = fabs(b->f[i] - b->d[i]);
		worst = d >= worst ? d : isnan(d) ? INFINITY : worst;
		size = fmax(size, fabs(b->d[i]));
	}
	return worst / size;
}

#define CLOSE(b, k, what, ...) TEST(off(&(b)) < 2e-6, "%s " what ": off by %.1e", (k)->name, ##__VA_ARGS__, off(&(b)))

/* --- functions of one number ------------------------------------------------------------- */

/* Distance in units of the last place of the true value. */
static double ulps(float got, double want)
{
	float w = (float)want;
	if (isnan(want) || isinf(w))
		return (isnan(want) ? isnan(got) : got == w || (isinf(got) && (got > 0) == (w > 0))) ? 0 : INFINITY;
	float a = fabsf(w);
	double ulp = (double)nextafterf(a, INFINITY) - a;
	return fabs(got - want) / ulp;
}

static double absolute(double got, double want)
{
	return isnan(want) ? (isnan(got) ? 0 : INFINITY) : fabs(got - want);
}

enum { BATCH = 1000, STEP = 4999 /* of 2^32 bit patterns: 860 thousand numbers, every exponent, either sign */ };

static void whole_range(const struct kernel *k)
{
	static float x[BATCH], e[BATCH], t[BATCH], g[BATCH];
	double worst_e = 0, worst_t = 0, worst_g = 0;
	uint64_t at = 0;
	while (at >> 32 == 0) {
		for (int i = 0; i < BATCH; i++, at += STEP) {
			uint32_t bits = (uint32_t)(at >> 32 ? 0 : at);
			memcpy(&x[i], &bits, sizeof bits);
		}
		x[0] = INFINITY, x[1] = -INFINITY, x[2] = NAN, x[3] = 88.72284f, x[4] = -87.4f, x[5] = -103.9f, x[6] = -0.0f;
		k->exp(e, x, BATCH);
		k->tanh(t, x, BATCH);
		k->cdf(g, x, BATCH);
		for (int i = 0; i < BATCH; i++) {
			worst_e = fmax(worst_e, ulps(e[i], exp((double)x[i])));
			worst_t = fmax(worst_t, ulps(t[i], tanh((double)x[i])));
			worst_g = fmax(worst_g, absolute((double)g[i], 0.5 * erfc(-x[i] * M_SQRT1_2)));
		}
	}
	TEST(worst_e < 2, "%s exp: %.2f ulp", k->name, worst_e);
	TEST(worst_t < 2, "%s tanh: %.2f ulp", k->name, worst_t);
	TEST(worst_g < 1e-7, "%s cdf: off by %.1e", k->name, worst_g);
}

static void acts(const struct kernel *k, int n)
{
	for (int a = CONFIG_GELU; a <= CONFIG_RELU; a++) {
		struct both x = random_both(n, 6), dy = random_both(n, 1), y = random_both(n, 1), dx = random_both(n, 1);
		x.f[0] = (float)(x.d[0] = 0);
		for (int i = 0; i < n; i++) {
			y.d[i] = kernel_ref_act(x.d[i], (enum config_act)a);
			dx.d[i] = dy.d[i] * kernel_ref_act_slope(x.d[i], (enum config_act)a);
		}
		k->act(y.f, x.f, (size_t)n, (enum config_act)a);
		CLOSE(y, k, "act %d of %d", a, n);
		memset(y.f, 0, (size_t)n * sizeof *y.f);
		k->act_back(dx.f, y.f, dy.f, x.f, (size_t)n, (enum config_act)a);
		CLOSE(y, k, "act %d again", a);
		CLOSE(dx, k, "act %d back", a);
		k->act_back(dy.f, y.f, dy.f, x.f, (size_t)n, (enum config_act)a);
		TEST(!memcmp(dy.f, dx.f, (size_t)n * sizeof *dx.f), "%s act %d back in place", k->name, a);
		drop(&x), drop(&dy), drop(&y), drop(&dx);
	}
}

/* --- LayerNorm and sums over rows ----------------------------------------------------------- */

static void layernorm(const struct kernel *k, int n, int c)
{
	struct both x = random_both(n * c, 3), w = random_both(c, 1), b = random_both(c, 1), dy = random_both(n * c, 1);
	struct both y = random_both(n * c, 1), dx = random_both(n * c, 1), dw = random_both(c, 1), db = random_both(c, 1);
	float *mean = malloc((size_t)n * sizeof *mean), *rstd = malloc((size_t)n * sizeof *rstd);
	kernel_ref_layernorm(y.d, x.d, w.d, b.d, n, c, 1e-5);
	kernel_ref_layernorm_back(dx.d, dw.d, db.d, dy.d, x.d, w.d, n, c, 1e-5);
	k->layernorm(y.f, mean, rstd, x.f, w.f, b.f, n, c, 1e-5f);
	CLOSE(y, k, "layernorm %d x %d", n, c);
	memset(y.f, 0, (size_t)y.n * sizeof *y.f);
	k->layernorm_again(y.f, x.f, mean, rstd, w.f, b.f, n, c);
	CLOSE(y, k, "layernorm again");
	k->layernorm_back(dx.f, dy.f, x.f, mean, rstd, w.f, n, c);
	CLOSE(dx, k, "layernorm back");
	k->layernorm_grad(dw.f, db.f, dy.f, x.f, mean, rstd, n, c, 0, c / 3);
	k->layernorm_grad(dw.f, db.f, dy.f, x.f, mean, rstd, n, c, c / 3, c);
	CLOSE(dw, k, "layernorm dw");
	CLOSE(db, k, "layernorm db");
	drop(&x), drop(&w), drop(&b), drop(&dy), drop(&y), drop(&dx), drop(&dw), drop(&db);
	free(mean);
	free(rstd);
}

static void sums(const struct kernel *k, int n, int c)
{
	struct both dy = random_both(n * c, 1), db = random_both(c, 1), y = random_both(n * c, 1), b = random_both(c, 1);
	for (int i = 0; i < n * c; i++) {
		db.d[i % c] += dy.d[i];
		y.d[i] = (y.d[i] + dy.d[i]) * 0.5 + b.d[i % c];
	}
	k->bias_grad(db.f, dy.f, n, c, 0, c / 2);
	k->bias_grad(db.f, dy.f, n, c, c / 2, c);
	CLOSE(db, k, "bias_grad %d x %d", n, c);
	k->add(y.f, dy.f, (size_t)(n * c));
	k->scale(y.f, 0.5f, (size_t)(n * c));
	k->add_bias(y.f, b.f, n, c);
	CLOSE(y, k, "add, scale and add_bias");
	drop(&dy), drop(&db), drop(&y), drop(&b);
}

static void embeddings(const struct kernel *k, int n, int c)
{
	enum { V = 7 };
	struct both table = random_both(V * c, 1), y = random_both(n * c, 1), dt = random_both(V * c, 1);
	int32_t *ids = malloc((size_t)n * sizeof *ids);
	for (int i = 0; i < n; i++)
		ids[i] = i * i % V;
	for (int i = 0; i < n * c; i++) {
		y.d[i] = table.d[ids[i / c] * c + i % c];
		dt.d[ids[i / c] * c + i % c] += y.d[i];
	}
	k->embed(y.f, table.f, ids, n, c);
	CLOSE(y, k, "embed %d x %d", n, c);
	k->embed_back(dt.f, y.f, ids, n, c, 0, c / 2);
	k->embed_back(dt.f, y.f, ids, n, c, c / 2, c);
	CLOSE(dt, k, "embed_back");
	drop(&table), drop(&y), drop(&dt);
	free(ids);
}

static void xent(const struct kernel *k, int v)
{
	struct both x = random_both(v, 10), dx = random_both(v, 0);
	double want = kernel_ref_xent(dx.d, x.d, v, v / 3, 0.25);
	float *copy = malloc((size_t)v * sizeof *copy);
	memcpy(copy, x.f, (size_t)v * sizeof *copy);
	TEST_NEAR(k->xent(copy, v, v / 3, 0), want, 1e-6, "%s xent of %d", k->name, v);
	memcpy(dx.f, x.f, (size_t)v * sizeof *copy);
	TEST_NEAR(k->xent(dx.f, v, v / 3, 0.25f), want, 1e-6, "%s xent with gradient", k->name);
	CLOSE(dx, k, "gradient of xent");
	/* Logits that would overflow exp. */
	float big[3] = {1000, 999, -1000};
	TEST_NEAR(k->xent(big, 3, 1, 0), 1 + log1p(exp(-1)), 1e-6, "%s xent of large logits", k->name);
	free(copy);
	drop(&x), drop(&dx);
}

/* --- attention's pieces ------------------------------------------------------------------------ */

/* Few different numbers, so that the largest is there several times; now and then minus infinity alone, or a NaN. */
static void argmax(const struct kernel *k)
{
	enum { MOST = 1100 };
	struct xoshiro own = {{5, 6, 7, 8}};
	float all[MOST], x[MOST];
	int bad = 0;
	for (int i = 0; i < MOST; i++)
		all[i] = (float)floor(40 * xoshiro_f64(&own) - 20);
	for (int n = 0; n <= MOST; n++) {
		for (int i = 0; i < n; i++)
			x[i] = n % 7 == 6 ? -INFINITY : all[i];
		bad += k->argmax(x, n) != kernel_ref_argmax(x, n);
		if (n == 0)
			continue;
		x[n / 2] = 1000;
		x[n - 1] = 1000;
		bad += k->argmax(x, n) != kernel_ref_argmax(x, n);
		x[(n * 17 + 5) % n] = NAN;
		bad += k->argmax(x, n) != -1;
	}
	TEST(bad == 0, "%s argmax of 0 to %d numbers: %d wrong", k->name, MOST, bad);
}

static void rotary(const struct kernel *k, int n, int heads, int hd, int dims)
{
	struct both v = random_both(n * heads * 3 * hd, 1), angle = random_both(n * (dims / 2) + 1, 3);
	float *c = malloc((size_t)angle.n * sizeof *c), *s = malloc((size_t)angle.n * sizeof *s);
	for (int i = 0; i < angle.n; i++) {
		c[i] = (float)cos(angle.d[i]);
		s[i] = (float)sin(angle.d[i]);
	}
	struct both each = random_both(v.n, 1);
	memcpy(each.f, v.f, (size_t)v.n * sizeof *v.f);
	k->rotary(v.f, c, s, n, heads, hd, dims, 1);
	for (int h = 0; h < heads; h++)
		for (int which = 0; which < 2; which++)
			k->turn(each.f + (3 * h + which) * hd, 3 * heads * hd, c, s, n, dims);
	TEST(memcmp(each.f, v.f, (size_t)v.n * sizeof *v.f) == 0, "%s turns a head's queries or keys alone to the same bits", k->name);
	kernel_ref_rotary(v.d, angle.d, n, heads, hd, dims, 1);
	CLOSE(v, k, "rotary %d of %d", dims, hd);
	k->rotary(v.f, c, s, n, heads, hd, dims, -1);
	kernel_ref_rotary(v.d, angle.d, n, heads, hd, dims, -1);
	CLOSE(v, k, "rotary back");
	drop(&v), drop(&angle), drop(&each);
	free(c);
	free(s);
}

/* Rows of a strip as kernel.h tells: what is beyond `seen` + row is 0 up to `width`. */
static void softmaxes(const struct kernel *k, int m, int seen, int width, int ld)
{
	const double scale = 0.3f;
	struct both s = random_both(m * ld, 20), p = random_both(m * ld, 1), dp = random_both(m * ld, 1), d = random_both(m, 1);
	struct both lse = random_both(m, 1);
	memcpy(p.f, s.f, (size_t)(m * ld) * sizeof *p.f);
	for (int r = 0; r < m; r++) {
		double sum = 0;
		for (int j = 0; j < seen + r; j++)
			sum += exp(scale * s.d[r * ld + j]);
		lse.d[r] = log(sum);
		for (int j = 0; j < ld; j++) {
			double *pj = &p.d[r * ld + j], *dj = &dp.d[r * ld + j];
			*pj = j < seen + r ? exp(scale * s.d[r * ld + j]) / sum : j < width ? 0 : s.d[r * ld + j];
			*dj = j < seen + r ? *pj * (*dj - d.d[r]) * scale : j < width ? 0 : *dj;
		}
	}
	k->softmax(p.f, ld, lse.f, m, seen, width, (float)scale);
	CLOSE(p, k, "softmax of %d rows, %d keys and more", m, seen);
	CLOSE(lse, k, "log of the sum");
	memcpy(p.f, s.f, (size_t)(m * ld) * sizeof *p.f);
	k->softmax_again(p.f, ld, lse.f, m, seen, width, (float)scale);
	CLOSE(p, k, "softmax again");
	k->softmax_back(dp.f, p.f, ld, d.f, m, seen, width, (float)scale);
	CLOSE(dp, k, "softmax back");
	drop(&s), drop(&p), drop(&dp), drop(&d), drop(&lse);
}

static void dots(const struct kernel *k, int n, int hd, int ld)
{
	struct both rows = random_both(2 * n * ld, 1), d = random_both(n, 1);
	for (int i = 0; i < n * hd; i++) {
		double a = rows.d[i / hd * ld + i % hd], b = rows.d[n * ld + i / hd * ld + i % hd];
		d.d[i / hd] = (i % hd ? d.d[i / hd] : 0) + a * b;
	}
	k->dots(d.f, rows.f, ld, rows.f + n * ld, ld, n, hd);
	CLOSE(d, k, "dots");
	drop(&rows), drop(&d);
}

static void table(const struct kernel *k)
{
	whole_range(k);
	static const int sizes[] = {1, 5, 16, 37, 512};
	for (int i = 0; i < 5; i++) {
		acts(k, sizes[i]);
		layernorm(k, 7, sizes[i] + 1);
		sums(k, 9, sizes[i]);
		embeddings(k, 20, sizes[i]);
		xent(k, sizes[i] + 2);
		dots(k, sizes[i], 24, 24 + 3 * i);
	}
	layernorm(k, 200, 96);
	sums(k, 333, 70);
	xent(k, 50304);
	argmax(k);
	rotary(k, 5, 3, 16, 4);
	rotary(k, 2, 2, 80, 20);
	rotary(k, 3, 1, 12, 12);
	rotary(k, 2, 1, 6, 0);
	softmaxes(k, 5, 1, 5, 16);
	softmaxes(k, 64, 37, 100, 112);
	dots(k, 3, 80, 80);
}

int main(void)
{
	int n = 0;
	for (; kernel_at(n); n++)
		table(kernel_at(n));
	TEST(n >= 1 && kernel_best() == kernel_at(n - 1), "%d tables, the best is %s", n, kernel_best()->name);
	return test_done();
}
