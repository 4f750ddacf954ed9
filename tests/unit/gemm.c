/* nx/gemm: every instruction set against plain sums in double. */
#include "test.h"

#include "nx/gemm.h"

#include <stdint.h>

enum { ROWS = 133, COLS = 97, LONG = 1100, MOST = 200, ROOM = MOST * (LONG + GEMM_BLOCK) };

static float w[ROOM], x[ROOM], b[ROWS], wide[ROOM]; /* wide: w as its type keeps it */
static char packed[ROOM * sizeof(float)] __attribute__((aligned(64))), other[ROOM * sizeof(float)] __attribute__((aligned(64)));
static char prepared[ROOM * sizeof(float)] __attribute__((aligned(64)));

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

/* w as a matrix of this type, packed by the table, some columns after the others, and `wide` what it stands for. */
static struct gemm_matrix matrix(const struct gemm *g, void *room, enum gemm_type type, int rows, int cols)
{
	struct gemm_matrix m = {type, rows, cols, room};
	int first = cols > 2 * GEMM_BLOCK ? 2 * GEMM_BLOCK : cols;
	for (int o = 0; o < rows; o += GEMM_PANEL) {
		int n = rows - o < GEMM_PANEL ? rows - o : GEMM_PANEL;
		g->pack(&m, o, 0, w + o * cols, cols, n, first);
		if (first < cols)
			g->pack(&m, o, first, w + o * cols + first, cols, n, cols - first);
	}
	for (int i = 0; i < rows * cols; i++)
		wide[i] = gemm_weight(&m, i / cols, i % cols);
	return m;
}

static void prepare(const struct gemm *g, struct gemm_product *p, const float *from, int ldx, int n)
{
	int first = p->w.cols < GEMM_BLOCK ? p->w.cols : GEMM_BLOCK;
	g->prepare(prepared, p->w.type, from + first, ldx, n, p->w.cols, first, p->w.cols);
	g->prepare(prepared, p->w.type, from, ldx, n, p->w.cols, 0, first);
	p->x = prepared;
	p->n = n;
}

/* Q8: what a number of x is rounded to, and a block's sum, as gemm.h has it, in plain loops. */
static float rounded_sum(const struct gemm_product *p, const float *row, int o)
{
	float total = 0;
	for (int j = 0; j < p->w.cols; j += GEMM_BLOCK) {
		int m = p->w.cols - j < GEMM_BLOCK ? p->w.cols - j : GEMM_BLOCK;
		float most = 0, scale = 0, largest = 0;
		int32_t sum = 0;
		for (int k = 0; k < m; k++) {
			most = fmaxf(most, fabsf(row[j + k]));
			largest = fmaxf(largest, fabsf(gemm_weight(&p->w, o, j + k)));
		}
		memcpy(&scale, (char *)p->w.v + o / GEMM_PANEL * gemm_bytes(GEMM_Q8, GEMM_PANEL, p->w.cols) +
		                   j / GEMM_BLOCK * gemm_bytes(GEMM_Q8, GEMM_PANEL, GEMM_BLOCK) + o % GEMM_PANEL * 2, 2);
		uint32_t u;
		memcpy(&u, &scale, sizeof u);
		u <<= 16;
		memcpy(&scale, &u, sizeof scale);
		for (int k = 0; k < m && most > 0 && largest > 0; k++) {
			float q = row[j + k] * (127 / most), v = gemm_weight(&p->w, o, j + k) / scale;
			sum += (int32_t)(q + (q < 0 ? -0.5f : 0.5f)) * (int32_t)(v + (v < 0 ? -0.5f : 0.5f));
		}
		float by = scale * (most / 127), part = (float)sum * by;
		total += part;
	}
	return total;
}

/* Distance of y[i][o] from the true sum, in units of the sum of magnitudes. */
static double off(const struct gemm_product *p, int ldx, float y, float was, int i, int o)
{
	double sum = (p->bias ? p->bias[o] : 0) + (p->add ? was : 0), size = 1;
	for (int j = 0; j < p->w.cols; j++) {
		double t = (double)wide[o * p->w.cols + j] * x[i * ldx + j];
		sum += t;
		size += fabs(t);
	}
	if (p->w.type == GEMM_Q8) {
		float r = rounded_sum(p, x + i * ldx, o);
		if (fabs(r - sum + (p->bias ? p->bias[o] : 0) + (p->add ? was : 0)) / size > 0.01)
			return 1; /* eight bits are that far off at most */
		r = p->bias ? r + p->bias[o] : r;
		r = p->add ? was + r : r;
		return y == r ? 0 : 1;
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
	struct gemm_product p = {.y = y, .ldy = rows + 3, .w = matrix(g, packed, type, rows, cols), .bias = bias ? b : NULL,
	                         .add = add};
	prepare(g, &p, x, cols + 5, n);
	g->run(&p, 0, rows);
	for (int i = 0; i < n; i++)
		for (int o = 0; o < rows + 3; o++) {
			float got = y[i * (rows + 3) + o], old = was[i * (rows + 3) + o];
			bad = fmax(bad, o < rows ? off(&p, cols + 5, got, old, i, o) : got == old ? 0 : 1e9);
		}
	return bad;
}

/* Drawn w (ROWS, cols) and x (n, cols), and all of their product. */
static struct gemm_product all_of(const struct gemm *g, float *all, enum gemm_type type, int n, int cols)
{
	uint32_t s = 9;
	fill(w, (size_t)ROWS * cols, &s);
	fill(x, (size_t)n * cols, &s);
	struct gemm_product p = {.y = all, .ldy = ROWS, .w = matrix(g, packed, type, ROWS, cols)};
	prepare(g, &p, x, cols, n);
	g->run(&p, 0, ROWS);
	return p;
}

/* A row of x alone, any panels, and in bfloat16 w as floats give the same bits as all at once. */
static int parts_agree(const struct gemm *g, enum gemm_type type, int n, int cols)
{
	static float all[MOST * ROWS], part[MOST * ROWS];
	int same = 1;
	struct gemm_product p = all_of(g, all, type, n, cols);
	if (type == GEMM_BF16) {
		memcpy(w, wide, sizeof w);
		p.y = part;
		p.w = matrix(g, other, GEMM_F32, ROWS, cols);
		g->run(&p, 0, ROWS);
		same &= memcmp(all, part, (size_t)n * ROWS * sizeof *all) == 0;
		p.w = (struct gemm_matrix){type, ROWS, cols, packed};
	}
	for (int i = 0; i < n; i++) {
		prepare(g, &p, x + i * cols, cols, 1);
		for (int from = 0; from < ROWS; from += GEMM_PANEL) {
			p.y = part + i * ROWS + from;
			g->run(&p, from, ROWS - from < GEMM_PANEL ? ROWS : from + GEMM_PANEL);
		}
	}
	return same && memcmp(all, part, (size_t)n * ROWS * sizeof *all) == 0;
}

/* What the tables pack and how they round is the same in all. */
static int tables_agree(const struct gemm *g, enum gemm_type type, int rows, int cols)
{
	uint32_t s = 5;
	size_t n = gemm_bytes(type, rows, cols);
	fill(w, (size_t)rows * cols, &s);
	memset(packed, 1, n);
	memset(other, 2, n);
	matrix(g, packed, type, rows, cols);
	matrix(gemm_at(0), other, type, rows, cols);
	int same = memcmp(packed, other, n) == 0;
	for (int i = 0; i < rows * cols && type == GEMM_F32; i++)
		same &= wide[i] == w[i];
	return same;
}

/* The largest of each panel's products of a row, panels from the second on. */
static int peaks_agree(const struct gemm *g, enum gemm_type type, int n, int cols)
{
	enum { MANY = (ROWS + GEMM_PANEL - 1) / GEMM_PANEL };
	static float all[40 * ROWS], peaks[40 * MANY];
	int same = 1;
	struct gemm_product p = all_of(g, all, type, n, cols);
	p.y = peaks;
	p.ldy = MANY - 1;
	p.peaks = true;
	g->run(&p, GEMM_PANEL, ROWS);
	for (int i = 0; i < n; i++)
		for (int k = 1; k < MANY; k++) {
			float most = -INFINITY;
			for (int o = k * GEMM_PANEL; o < ROWS && o < (k + 1) * GEMM_PANEL; o++)
				most = fmaxf(most, all[i * ROWS + o]);
			same &= peaks[i * (MANY - 1) + k - 1] == most;
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
	for (int n = 1; n <= 40; n++)
		bad = fmax(bad, worst(g, type, n, ROWS, COLS + n, n & 1, n & 2));
	bad = fmax(bad, worst(g, type, MOST, 30, 40, true, false));
	bad = fmax(bad, worst(g, type, 11, 30, LONG, true, true));
	bad = fmax(bad, worst(g, type, 1, 30, 2 * 512 + 64, true, true));
	TEST(bad < (type == GEMM_Q8 ? 1e-30 : 1e-6), "%s, %s: rows times a matrix, every remainder (%.2g)", g->name, name, bad);
	for (int k = 1; k <= 30; k++)
		same &= parts_agree(g, type, k, COLS) && parts_agree(g, type, k, 96);
	same &= parts_agree(g, type, 110, 67) && parts_agree(g, type, 5, LONG) && parts_agree(g, type, 5, 1056);
	TEST(same, "%s, %s: a row alone, a panel at a time and widened weights give the same bits", g->name, name);
	same = tables_agree(g, type, ROWS, COLS) && tables_agree(g, type, 64, 64) && tables_agree(g, type, 5, 33);
	TEST(same, "%s, %s: packed as the plainest table packs", g->name, name);
	same = 1;
	for (int n = 1; n <= 40; n++)
		same &= peaks_agree(g, type, n, COLS - n);
	TEST(same, "%s, %s: peaks are the largest of each panel", g->name, name);
}

/* Numbers that are none come out as such, and those next to nothing as nothing. */
static void unusual(const struct gemm *g)
{
	float y[ROWS], v[64] = {0};
	uint32_t s = 5;
	int ok = 1;
	fill(w, ROWS * 64, &s);
	struct gemm_product p = {.y = y, .ldy = ROWS, .w = matrix(g, packed, GEMM_Q8, ROWS, 64)};
	for (int t = 0; t < 4; t++) {
		v[40] = t == 0 ? NAN : t == 1 ? INFINITY : t == 2 ? -INFINITY : 1e-40f;
		prepare(g, &p, v, 64, 1);
		g->run(&p, 0, ROWS);
		for (int o = 0; o < ROWS; o++)
			ok &= t < 3 ? isnan(y[o]) : y[o] == 0;
	}
	TEST(ok, "%s, q8: infinities and NaN in x are not lost", g->name);
}

/* Rounding to bfloat16 as IEEE 754 rounds, and every block of q8 within half a scale, its largest weight kept. */
static void narrowing(const struct gemm *g)
{
	static const float v[] = {1, 1.00390625f, 1.01171875f, -1.00390625f, 0x1.008p-100f, 0, -0.0f, 3.1415926f};
	static const uint32_t want[] = {0x3F80, 0x3F80, 0x3F82, 0xBF80, 0x0D80, 0, 0x8000, 0x4049};
	uint32_t s = 3;
	int ok = 1;
	struct gemm_matrix m = {GEMM_BF16, 1, 8, packed};
	g->pack(&m, 0, 0, v, 8, 1, 8);
	for (int j = 0; j < 8; j++) {
		float f = gemm_weight(&m, 0, j);
		ok &= memcmp(&f, (uint32_t[]){want[j] << 16}, sizeof f) == 0;
	}
	TEST(ok, "%s: to bfloat16, ties to even", g->name);
	m = (struct gemm_matrix){GEMM_Q8, 1, 100, packed};
	ok = 1;
	for (int t = 0; t < 200; t++) {
		float r[100], most[4] = {0};
		fill(r, 100, &s);
		for (int j = 0; j < 100; j++) {
			r[j] *= t % 10 == 9 ? 0 : powf(10, (float)(t % 40 - 20));
			most[j / GEMM_BLOCK] = fmaxf(most[j / GEMM_BLOCK], fabsf(r[j]));
		}
		g->pack(&m, 0, 0, r, 100, 1, 100);
		for (int j = 0; j < 100; j++) {
			float unit = most[j / GEMM_BLOCK] / 127 * 1.0079f;
			ok &= fabsf(gemm_weight(&m, 0, j) - r[j]) <= unit * 0.5001f;
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
		unusual(g);
		narrowing(g);
	}
	TEST(n >= 1 && gemm_best() == gemm_at(n - 1), "the best of %d tables is the last", n);
	return test_done();
}
