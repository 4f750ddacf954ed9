/* nx/optim and nx/update against torch and transformers; the golden is made by
 * tests/reference/optim.py, with the weights and gradients of the same formulas. */
#include "test.h"

#include "nx/optim.h"
#include "nx/update.h"

#include <stdbool.h>

enum { TENSORS = 5, STEPS = 5 };

static struct err e;
static struct param tensors[TENSORS] = {
	{.name = "wide", .rows = 700, .cols = 150, .decay = true},
	{.name = "bias", .rows = 33},
	{.name = "small", .rows = 5, .cols = 7, .decay = true},
	{.name = "long", .rows = 40000},
	{.name = "column", .rows = 90, .cols = 1, .decay = true},
};

static struct params layout(void)
{
	struct params p = {.t = tensors, .n = TENSORS};
	for (int i = 0; i < TENSORS; i++) {
		struct param *t = &tensors[i];
		t->n = (size_t)t->rows * (size_t)(t->cols ? t->cols : 1);
		t->off = p.total;
		p.total += (t->n + 15) / 16 * 16;
		p.count += t->n;
	}
	return p;
}

static double u(uint32_t h, uint32_t j)
{
	uint32_t x = h + j * UINT32_C(0x9E3779B9);
	x = (x ^ x >> 16) * UINT32_C(0x85EBCA6B);
	x = (x ^ x >> 13) * UINT32_C(0xC2B2AE35);
	x ^= x >> 16;
	return (double)(x >> 8) / 8388608 - 1;
}

static void fill_weights(const struct params *lay, float *w)
{
	for (int i = 0; i < TENSORS; i++)
		for (size_t j = 0; j < lay->t[i].n; j++)
			w[lay->t[i].off + j] = (float)(0.5 * u(100 + (uint32_t)i, (uint32_t)j));
}

static void fill_gradient(const struct params *lay, float *g, int step)
{
	for (int i = 0; i < TENSORS; i++)
		for (size_t j = 0; j < lay->t[i].n; j++) {
			bool unseen = i == 0 && step < 3 && j / 150 % 3 == 0;
			float v = (float)(pow(10, -i) * u((uint32_t)(1000 * step + i), (uint32_t)j));
			g[lay->t[i].off + j] = unseen ? 0 : v;
		}
}

struct line {
	char kind[20], tensor[20];
	double decay, clip, norm, sum, d[3];
	int step;
};

static int next_line(FILE *f, struct line *l)
{
	char text[400];
	while (fgets(text, sizeof text, f))
		if (sscanf(text, "%19s %lf %lf %d %19s %lf %lf %lf %lf %lf", l->kind, &l->decay, &l->clip, &l->step, l->tensor,
		           &l->norm, &l->sum, &l->d[0], &l->d[1], &l->d[2]) == 10)
			return 1;
	return 0;
}

static bool close_to(double got, double want)
{
	return fabs(got - want) <= 2e-7 + 1e-4 * fabs(want);
}

static void compare(const struct line *l, const struct param *t, const float *w, const float *from)
{
	double sum = 0, d[3];
	const size_t at[3] = {0, t->n / 2, t->n - 1};
	for (size_t j = 0; j < t->n; j++)
		sum += fabs((double)w[t->off + j] - (double)from[t->off + j]);
	for (int i = 0; i < 3; i++)
		d[i] = (double)w[t->off + at[i]] - (double)from[t->off + at[i]];
	TEST_NEAR(sum, l->sum, 3e-5, "%s decay %g clip %g step %d: %s", l->kind, l->decay, l->clip, l->step, l->tensor);
	TEST(close_to(d[0], l->d[0]) && close_to(d[1], l->d[1]) && close_to(d[2], l->d[2]),
	     "three of its elements: %.9g %.9g %.9g, wanted %.9g %.9g %.9g", d[0], d[1], d[2], l->d[0], l->d[1], l->d[2]);
}

static bool all_zero(const float *g, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (g[i] != 0)
			return false;
	return true;
}

/* The steps of one optimizer against its lines of the golden; false at the end of the file. */
static bool follow(FILE *f, const struct params *lay, struct pool *pool, float *last)
{
	struct line l;
	if (!next_line(f, &l))
		return false;
	struct optim_rule rule = {.kind = test_word(OPTIM_WORDS, l.kind),
	                          .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_decay = l.decay};
	float *w = params_alloc(lay), *from = params_alloc(lay), *g = params_alloc(lay);
	struct optim *o;
	if (!w || !from || !g || optim_open(&o, lay, &rule, pool, &e))
		abort();
	fill_weights(lay, w);
	fill_weights(lay, from);
	for (int step = 1; step <= STEPS; step++) {
		fill_gradient(lay, g, step);
		double norm = optim_norm(o, g);
		TEST_NEAR(norm, l.norm, 1e-7, "%s step %d: the norm", l.kind, step);
		optim_step(o, w, g, 0.01 * (step - 1) / STEPS, optim_clip(norm, l.clip));
		TEST(all_zero(g, lay->total), "the gradient is cleared");
		for (int i = 0; i < TENSORS; i++) {
			compare(&l, &lay->t[i], w, from);
			if ((step < STEPS || i < TENSORS - 1) && !next_line(f, &l))
				abort();
		}
	}
	memcpy(last, w, lay->total * sizeof *w);
	optim_close(o);
	free(w);
	free(from);
	free(g);
	return true;
}

static void golden(void)
{
	struct params lay = layout();
	float *one = params_alloc(&lay), *three = params_alloc(&lay);
	for (int threads = 1; threads <= 3; threads += 2) {
		struct pool *pool = pool_open(threads);
		FILE *f = fopen("tests/golden/optim.txt", "r");
		int runs = 0;
		if (!pool || !f || !one || !three)
			abort();
		while (follow(f, &lay, pool, threads == 1 ? one : three))
			runs++;
		TEST(runs == 4, "%d runs compared", runs);
		fclose(f);
		pool_close(pool);
	}
	TEST(memcmp(one, three, lay.total * sizeof *one) == 0, "the number of threads changes no bit");
	TEST(optim_bytes(&lay, OPTIM_ADAFACTOR) < 4 * (700 + 150 + 33 + 5 + 7 + 40000 + 90 + 1 + 5 * 16) &&
	         optim_bytes(&lay, OPTIM_ADAMW) >= 8 * lay.count,
	     "Adafactor's state is a row and a column a matrix");
	free(one);
	free(three);
}

/* Instruction sets differ in the order of sums alone: elementwise results are the same bits. */
static void instruction_sets(void)
{
	enum { N = 1003 };
	static float g0[N], g[N], p[N], m[N], v[N], p0[N], v0[N];
	struct update_adamw c = {.scale = 0.5f, .keep = 0.999f, .a1 = 0.1f, .b2 = 0.999f, .a2 = 0.001f, .rate = 0.01f,
	                         .unbias = 3, .eps = 1e-8f};
	double want = 0;
	for (int i = 0; i < N; i++) {
		g0[i] = (float)u(7, (uint32_t)i);
		want += (double)g0[i] * (double)g0[i];
	}
	for (int k = 0; update_at(k); k++) {
		const struct update *t = update_at(k);
		for (int i = 0; i < N; i++)
			g[i] = g0[i], p[i] = 1, m[i] = v[i] = 0.25f;
		TEST_NEAR(t->sumsq(g, N), want, 1e-12, "%s: sum of squares", t->name);
		t->adamw(p, m, v, g, N, &c);
		if (k == 0) {
			memcpy(p0, p, sizeof p);
			memcpy(v0, v, sizeof v);
		}
		TEST(memcmp(p0, p, sizeof p) == 0 && memcmp(v0, v, sizeof v) == 0, "%s: AdamW to the bit", t->name);
	}
	TEST(update_best() != NULL, "one of them is the best");
}

static void clipping(void)
{
	TEST(optim_clip(0.5, 1) == 1 && optim_clip(0, 1) == 1 && optim_clip(1e9, 0) == 1, "not above the limit, or no limit");
	TEST_NEAR(optim_clip(4, 1), 1 / 4.000001, 1e-15, "above the limit");
}

int main(void)
{
	golden();
	instruction_sets();
	clipping();
	return test_done();
}
