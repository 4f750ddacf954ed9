/* nx/gemv: every instruction set against plain sums in double. */
#include "test.h"

#include "nx/gemv.h"

#include <stdint.h>

enum { ROWS = 133, COLS = 97 };

static float next(uint32_t *s)
{
	*s = *s * 1664525u + 1013904223u;
	return (float)(*s >> 8) / (1 << 23) - 1;
}

/* Largest distance from the true sums, in units of the sum of magnitudes. */
static double worst(const struct gemv *g, int rows, int cols, bool bias, bool add)
{
	static float w[ROWS * COLS], x[COLS], b[ROWS], y[ROWS + 1], was[ROWS];
	uint32_t s = 7;
	double bad = 0;
	for (int i = 0; i < rows * cols; i++)
		w[i] = next(&s);
	for (int j = 0; j < cols; j++)
		x[j] = next(&s);
	for (int i = 0; i < rows; i++) {
		b[i] = next(&s);
		y[i] = was[i] = next(&s);
	}
	y[rows] = 123;
	g->rows(y, w, x, bias ? b : NULL, rows, cols, add);
	for (int i = 0; i < rows; i++) {
		double sum = (bias ? b[i] : 0) + (add ? was[i] : 0), size = 1;
		for (int j = 0; j < cols; j++) {
			sum += (double)w[i * cols + j] * x[j];
			size += fabs((double)w[i * cols + j] * x[j]);
		}
		bad = fmax(bad, fabs(y[i] - sum) / size);
	}
	return y[rows] == 123 ? bad : 1e9;
}

/* A slice of the rows gives the same bits as all of them at once. */
static int slices_agree(const struct gemv *g)
{
	static float w[ROWS * COLS], x[COLS], all[ROWS], part[ROWS];
	uint32_t s = 9;
	for (int i = 0; i < ROWS * COLS; i++)
		w[i] = next(&s);
	for (int j = 0; j < COLS; j++)
		x[j] = next(&s);
	g->rows(all, w, x, NULL, ROWS, COLS, false);
	for (int from = 0; from < ROWS; from += 16)
		g->rows(part + from, w + from * COLS, x, NULL, ROWS - from < 16 ? ROWS - from : 16, COLS, false);
	return memcmp(all, part, sizeof all) == 0;
}

int main(void)
{
	const struct gemv *g;
	int n = 0;
	for (; (g = gemv_at(n)); n++) {
		double bad = 0;
		for (int rows = 1; rows <= 9; rows++)
			for (int cols = 1; cols <= COLS; cols++)
				bad = fmax(bad, worst(g, rows, cols, cols & 1, cols & 2));
		bad = fmax(bad, worst(g, ROWS, COLS, true, true));
		TEST(bad < 1e-6, "%s: rows times a vector, every remainder (%.2g)", g->name, bad);
		TEST(slices_agree(g), "%s: sixteen rows at a time give the same bits", g->name);
	}
	TEST(n >= 1 && gemv_best() == gemv_at(n - 1), "the best of %d tables is the last", n);
	return test_done();
}
