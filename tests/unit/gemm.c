/* nx/gemm: every instruction set against plain sums in double. */
#include "test.h"

#include "nx/gemm.h"

#include <stdint.h>

enum { ROWS = 133, COLS = 97, LONG = 1100, MOST = 200, ROOM = MOST * (LONG + GEMM_BLOCK) };

static float w[ROOM], x[ROOM], b[ROWS], wide[ROOM]; /* wide: w as its type keeps it */
static int16_t narrow[ROOM];
static uint16_t scale[ROOM / GEMM_BLOCK];

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

static float from_bits(uint32_t u)
{
	float f;
	memcpy(&f, &u, sizeof f);
	return f;
}

/* w as a matrix of this type, made by the table's own functions, and `wide` what it stands for, by plain loops. */
static struct gemm_matrix matrix(const struct gemm *g, enum gemm_type type, int rows, int cols)
{
	int blocks = (cols + GEMM_BLOCK - 1) / GEMM_BLOCK, pitch = blocks * GEMM_BLOCK;
	memcpy(wide, w, (size_t)rows * cols * sizeof *w);
	if (type == GEMM_F32)
		return (struct gemm_matrix){GEMM_F32, rows, cols, w, NULL};
	if (type == GEMM_BF16) {
		g->to_bf16((uint16_t *)narrow, w, (size_t)rows * cols);
		for (int i = 0; i < rows * cols; i++)
			wide[i] = from_bits((uint32_t)(uint16_t)narrow[i] << 16);
		return (struct gemm_matrix){GEMM_BF16, rows, cols, narrow, NULL};
	}
	int8_t *q = (int8_t *)narrow;
	for (int i = 0; i < rows; i++) {
		g->to_q8(q + i * pitch, scale + i * blocks, w + i * cols, cols);
		for (int j = 0; j < cols; j++)
			wide[i * cols + j] = (float)q[i * pitch + j] * from_bits((uint32_t)scale[i * blocks + j / GEMM_BLOCK] << 16);
	}
	return (struct gemm_matrix){GEMM_Q8, rows, cols, narrow, scale};
}

/* Distance of y[i][o] from the true sum, in units of the sum of magnitudes. */
static double off(const struct gemm_product *p, float y, float was, int i, int o)
{
	double sum = (p->bias ? p->bias[o] : 0) + (p->add ? was : 0), size = 1;
	for (int j = 0; j < p->w.cols; j++) {
		double t = (double)wide[o * p->w.cols + j] * p->x[i * p->ldx + j];
		sum += t;
		size += fabs(t);
	}
	return fabs(y - sum) / size;
}

/* Largest distance; rows of x and y stand some floats apart that nothing may touch. */
static double worst(const struct gemm *g, enum gemm_type type, int n, int rows, int cols, bool bias, bool add)
{
	static float y[MOST * (ROWS + 3)], was[MOST * (ROWS + 3)];
	uint32_t s = 7;
	double bad = 0;
	fill(w, (size_t)rows * cols, &s);
	fill(x, (size_t)n * (cols + 5), &s);
	fill(b, (size_t)rows, &s);
	fill(y, (size_t)n * (rows + 3), &s);
	memcpy(was, y, sizeof y);
	struct gemm_product p = {.y = y, .ldy = rows + 3, .x = x, .ldx = cols + 5, .n = n, .w = matrix(g, type, rows, cols),
	                         .bias = bias ? b : NULL, .add = add};
	g->run(&p, 0, rows);
	for (int i = 0; i < n; i++)
		for (int o = 0; o < rows + 3; o++) {
			float got = y[i * (rows + 3) + o], old = was[i * (rows + 3) + o];
			bad = fmax(bad, o < rows ? off(&p, got, old, i, o) : got == old ? 0 : 1e9);
		}
	return bad;
}

/* A row of x alone, any slice of w's rows, and w as floats give the same bits as all at once. */
static int parts_agree(const struct gemm *g, enum gemm_type type, int n, int cols)
{
	static float all[MOST * ROWS], part[MOST * ROWS];
	uint32_t s = 9;
	int same = 1;
	fill(w, (size_t)ROWS * cols, &s);
	fill(x, (size_t)n * cols, &s);
	struct gemm_product p = {.y = all, .ldy = ROWS, .x = x, .ldx = cols, .n = n, .w = matrix(g, type, ROWS, cols)};
	g->run(&p, 0, ROWS);
	p.y = part;
	p.w = (struct gemm_matrix){GEMM_F32, ROWS, cols, wide, NULL};
	g->run(&p, 0, ROWS);
	same &= memcmp(all, part, (size_t)n * ROWS * sizeof *all) == 0;
	p.w = matrix(g, type, ROWS, cols);
	p.n = 1;
	for (int i = 0; i < n; i++) {
		p.x = x + i * cols;
		p.y = part + i * ROWS;
		for (int from = 0; from < ROWS; from += 16)
			g->run(&p, from, ROWS - from < 16 ? ROWS : from + 16);
	}
	return same && memcmp(all, part, (size_t)n * ROWS * sizeof *all) == 0;
}

static int rows_agree(const struct gemm *g, enum gemm_type type, int cols)
{
	static float got[LONG];
	uint32_t s = 5;
	int same = 1;
	fill(w, (size_t)ROWS * cols, &s);
	struct gemm_matrix m = matrix(g, type, ROWS, cols);
	for (int i = 0; i < ROWS; i++) {
		g->row(got, &m, i);
		same &= memcmp(got, wide + i * cols, (size_t)cols * sizeof *got) == 0;
	}
	return same;
}

static void products(const struct gemm *g, enum gemm_type type, const char *name)
{
	double bad = 0;
	int same = 1;
	for (int rows = 1; rows <= 9; rows++)
		for (int cols = 1; cols <= COLS; cols++)
			bad = fmax(bad, worst(g, type, 1 + cols % 7, rows, cols, cols & 1, cols & 2));
	bad = fmax(bad, worst(g, type, 1, ROWS, COLS, true, true));
	bad = fmax(bad, worst(g, type, MOST, 30, 40, true, false));
	bad = fmax(bad, worst(g, type, 11, 30, LONG, true, true));
	bad = fmax(bad, worst(g, type, 1, 30, 2 * 512 + 64, true, true));
	TEST(bad < 1e-6, "%s, %s: rows times a matrix, every remainder (%.2g)", g->name, name, bad);
	for (int k = 1; k <= 9; k++)
		same &= parts_agree(g, type, k, COLS) && parts_agree(g, type, k, 96);
	same &= parts_agree(g, type, 110, 67) && parts_agree(g, type, 5, LONG) && parts_agree(g, type, 5, 1056);
	TEST(same, "%s, %s: a row alone, sixteen columns at a time and widened weights give the same bits", g->name, name);
	TEST(rows_agree(g, type, COLS) && rows_agree(g, type, 64), "%s, %s: a row as floats", g->name, name);
}

/* Rounding to bfloat16 as IEEE 754 rounds, and every block of q8 within half a scale, its largest weight kept. */
static void narrowing(const struct gemm *g)
{
	static const float v[] = {1, 1.00390625f, 1.01171875f, -1.00390625f, 0x1.008p-100f, 0, -0.0f, 3.1415926f};
	static const uint16_t want[] = {0x3F80, 0x3F80, 0x3F82, 0xBF80, 0x0D80, 0, 0x8000, 0x4049};
	uint16_t got[8], sc[4];
	int8_t q[4 * GEMM_BLOCK];
	uint32_t s = 3;
	int ok = 1;
	g->to_bf16(got, v, 8);
	TEST(memcmp(got, want, sizeof want) == 0, "%s: to bfloat16, ties to even", g->name);
	for (int t = 0; t < 200; t++) {
		float r[100], most[4] = {0};
		fill(r, 100, &s);
		for (int j = 0; j < 100; j++) {
			r[j] *= t % 10 == 9 ? 0 : powf(10, (float)(t % 40 - 20));
			most[j / GEMM_BLOCK] = fmaxf(most[j / GEMM_BLOCK], fabsf(r[j]));
		}
		g->to_q8(q, sc, r, 100);
		for (int j = 0; j < 4 * GEMM_BLOCK; j++) {
			float unit = from_bits((uint32_t)sc[j / GEMM_BLOCK] << 16), is = j < 100 ? r[j] : 0;
			ok &= abs(q[j]) <= 127 && (j < 100 || q[j] == 0);
			ok &= fabsf((float)q[j] * unit - is) <= unit * 0.5001f && unit <= most[j / GEMM_BLOCK] / 127 * 1.0079f;
		}
	}
	TEST(ok, "%s: to eight bits, each weight within half a scale of 1/127 of its block's largest", g->name);
}

int main(void)
{
	static const char *const names[] = {"f32", "bf16", "q8"};
	const struct gemm *g;
	int n = 0;
	for (; (g = gemm_at(n)); n++) {
		for (int type = GEMM_F32; type <= GEMM_Q8; type++)
			products(g, type, names[type]);
		narrowing(g);
	}
	TEST(n >= 1 && gemm_best() == gemm_at(n - 1), "the best of %d tables is the last", n);
	return test_done();
}
