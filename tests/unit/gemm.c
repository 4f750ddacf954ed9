/* nx/gemm: every instruction set against plain sums in double. */
#include "test.h"

#include "nx/gemm.h"

#include <stdint.h>

enum { ROWS = 133, COLS = 97, LONG = 1100, MOST = 200 };

static float w[MOST * LONG], x[MOST * LONG], b[ROWS];

static float next(uint32_t *s)
{
	*s = *s * 1664525u + 1013904223u;
	return (float)(*s >> 8) / (1 << 23) - 1;
}

static void fill(float *v, size_t n, uint32_t *s)
{
	for (size_t i = 0; i < n; i++)
		v[i] = next(s);
}

/* Distance of y[i][o] from the true sum, in units of the sum of magnitudes. */
static double off(const struct gemm_product *p, float y, float was, int i, int o)
{
	double sum = (p->bias ? p->bias[o] : 0) + (p->add ? was : 0), size = 1;
	for (int j = 0; j < p->cols; j++) {
		double t = (double)p->w[o * p->cols + j] * p->x[i * p->ldx + j];
		sum += t;
		size += fabs(t);
	}
	return fabs(y - sum) / size;
}

/* Largest distance; rows of x and y stand some floats apart that nothing may touch. */
static double worst(const struct gemm *g, int n, int rows, int cols, bool bias, bool add)
{
	static float y[MOST * (ROWS + 3)], was[MOST * (ROWS + 3)];
	uint32_t s = 7;
	double bad = 0;
	struct gemm_product p = {.y = y, .ldy = rows + 3, .x = x, .ldx = cols + 5, .n = n, .w = w, .rows = rows, .cols = cols,
	                         .bias = bias ? b : NULL, .add = add};
	fill(w, (size_t)rows * cols, &s);
	fill(x, (size_t)n * (cols + 5), &s);
	fill(b, (size_t)rows, &s);
	fill(y, (size_t)n * (rows + 3), &s);
	memcpy(was, y, sizeof y);
	g->run(&p, 0, rows);
	for (int i = 0; i < n; i++)
		for (int o = 0; o < rows + 3; o++) {
			float got = y[i * (rows + 3) + o], old = was[i * (rows + 3) + o];
			bad = fmax(bad, o < rows ? off(&p, got, old, i, o) : got == old ? 0 : 1e9);
		}
	return bad;
}

/* A row of x alone, and any slice of w's rows, give the same bits as all at once. */
static int parts_agree(const struct gemm *g, int n, int cols)
{
	static float all[MOST * ROWS], part[MOST * ROWS];
	uint32_t s = 9;
	struct gemm_product p = {.y = all, .ldy = ROWS, .x = x, .ldx = cols, .n = n, .w = w, .rows = ROWS, .cols = cols};
	fill(w, (size_t)ROWS * cols, &s);
	fill(x, (size_t)n * cols, &s);
	g->run(&p, 0, ROWS);
	p.n = 1;
	for (int i = 0; i < n; i++) {
		p.x = x + i * cols;
		p.y = part + i * ROWS;
		for (int from = 0; from < ROWS; from += 16)
			g->run(&p, from, ROWS - from < 16 ? ROWS : from + 16);
	}
	return memcmp(all, part, (size_t)n * ROWS * sizeof *all) == 0;
}

int main(void)
{
	const struct gemm *g;
	int n = 0;
	for (; (g = gemm_at(n)); n++) {
		double bad = 0;
		int same = 1;
		for (int rows = 1; rows <= 9; rows++)
			for (int cols = 1; cols <= COLS; cols++)
				bad = fmax(bad, worst(g, 1 + cols % 7, rows, cols, cols & 1, cols & 2));
		bad = fmax(bad, worst(g, 1, ROWS, COLS, true, true));
		bad = fmax(bad, worst(g, MOST, 30, 40, true, false));
		bad = fmax(bad, worst(g, 11, 30, LONG, true, true));
		TEST(bad < 1e-6, "%s: rows times a matrix, every remainder (%.2g)", g->name, bad);
		for (int k = 1; k <= 9; k++)
			same &= parts_agree(g, k, COLS);
		same &= parts_agree(g, 110, 67) && parts_agree(g, 5, LONG);
		TEST(same, "%s: a row alone and sixteen columns at a time give the same bits", g->name);
	}
	TEST(n >= 1 && gemm_best() == gemm_at(n - 1), "the best of %d tables is the last", n);
	return test_done();
}
