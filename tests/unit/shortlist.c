/* nx/shortlist, nx/narrow: the largest product is found, whatever the numbers are, and by little. */
#include "test.h"

#include "nx/kernel.h"
#include "nx/narrow.h"
#include "nx/shortlist.h"

#include <stdint.h>

enum { ROWS = 2005, COLS = 200, PANELS = (ROWS + GEMM_PANEL - 1) / GEMM_PANEL };

static float w[ROWS * COLS], x[COLS], exact[ROWS];

/* What is tried: a table, a type of the head, its size. */
struct trial {
	const struct gemm *g;
	struct gemm_matrix head;
	struct shortlist list;
	struct pool *pool;
	int panels;
};

static float next(uint32_t *s)
{
	*s = *s * 1664525u + 1013904223u;
	return (float)(*s >> 8) / (1 << 23) - 1;
}

/* About normal. */
static float bell(uint32_t *s)
{
	float v = 0;
	for (int i = 0; i < 6; i++)
		v += next(s);
	return v / 1.4f;
}

static void open_trial(struct trial *t, const struct gemm *g, enum gemm_type type, int rows, int cols)
{
	struct err e;
	t->g = g;
	t->pool = pool_open(2);
	t->head = (struct gemm_matrix){type, rows, cols, aligned_alloc(64, gemm_bytes(type, rows, cols))};
	t->panels = (rows + GEMM_PANEL - 1) / GEMM_PANEL;
	for (int o = 0; o < rows; o += GEMM_PANEL)
		g->pack(&t->head, o, 0, w + o * cols, cols, rows - o < GEMM_PANEL ? rows - o : GEMM_PANEL, cols);
	if (!t->pool || shortlist_open(&t->list, g, &t->head, t->pool, &e) || shortlist_room(&t->list, 1, &e)) {
		printf("Bail out! no memory\n");
		exit(1);
	}
}

static void close_trial(struct trial *t)
{
	free(t->head.v);
	shortlist_release(&t->list);
	pool_close(t->pool);
}

static void product(const struct gemm *g, float *to, int ld, const struct gemm_matrix *m, bool peaks)
{
	void *ready = aligned_alloc(64, gemm_prepared(m->type, 1, m->cols));
	g->prepare(ready, m->type, x, m->cols, 1, m->cols, 0, m->cols);
	struct gemm_product p = {.y = to, .ldy = ld, .x = ready, .n = 1, .w = *m, .peaks = peaks};
	g->run(&p, 0, m->rows);
	free(ready);
}

/* How many panels it took to find the largest product with x, -1 if too many; -2 if what was found is not it. */
static int found(struct trial *t)
{
	product(t->g, exact, t->head.rows, &t->head, false);
	product(t->g, t->list.peaks, t->panels, &t->list.w, true);
	int32_t id;
	int n = shortlist_find(&t->list, t->pool, x, 1, &id);
	return n < 0 || id == kernel_best()->argmax(exact, t->head.rows) ? n : -2;
}

/* Weights of rows of different sizes, some of them far larger than their neighbours; close: in pairs of rows,
 * far from each other, that differ in a last bit or not at all. */
static void fill_head(int rows, int cols, bool close, uint32_t *s)
{
	for (int o = 0; o < rows; o++) {
		float size = 0.02f * (1 + 0.3f * next(s));
		for (int j = 0; j < cols; j++)
			w[o * cols + j] = size * bell(s) * ((o + j) % 97 == 5 ? 6 : 1);
	}
	for (int o = rows / 2; o < rows && close; o++) {
		memcpy(w + o * cols, w + (o - rows / 2) * cols, (size_t)cols * sizeof *w);
		w[o * cols + o % cols] = nextafterf(w[o * cols + o % cols], o % 3 ? INFINITY : w[o * cols + o % cols]);
	}
}

static void usual(const struct gemm *g, enum gemm_type type, int rows, int cols, bool close)
{
	enum { TIMES = 60 };
	struct trial t;
	uint32_t s = (uint32_t)(rows + cols);
	int bad = 0, many = 0, long_ones = 0;
	fill_head(rows, cols, close, &s);
	open_trial(&t, g, type, rows, cols);
	for (int i = 0; i < TIMES; i++) {
		float size = i % 5 == 4 ? powf(10, (float)(i - TIMES / 2) / 12) : 1;
		for (int j = 0; j < cols; j++)
			x[j] = size * bell(&s) * (j == i % cols ? 8 : 1);
		int n = found(&t);
		bad += n == -2;
		long_ones += n == -1;
		many += n > 0 ? n : 0;
	}
	TEST(bad == 0, "%s, %s, %d by %d%s: the largest of each of %d", g->name, type == GEMM_F32 ? "f32" : "bf16", rows, cols,
	     close ? " in pairs" : "", TIMES);
	if (rows == ROWS && cols == COLS)
		TEST(long_ones <= TIMES / (close ? 2 : 10) && many < TIMES * t.panels / 8, "by %.1f of %d panels, %d lists too long",
		     (double)many / TIMES, t.panels, long_ones);
	close_trial(&t);
}

/* Two rows in panels of their own, of which eight bits like the wrong one better, by nearly as much as they can: all
 * that is lost of the right one points along x, of the other against it. In blocks of 32 columns of which n are
 * the same; `right`, `wrong`: their number and the first two of the block. */
static void aligned(struct trial *t, const struct gemm *g, int n, const float right[3], const float wrong[3])
{
	enum { TALL = 8 * GEMM_PANEL, WIDE = 4 * GEMM_BLOCK };
	for (int i = 0; i < TALL * WIDE; i++) /* rows that are out of the question */
		w[i] = i % GEMM_BLOCK == 0 ? -127 : 0;
	for (int j = 0; j < WIDE; j++) {
		int k = j % GEMM_BLOCK;
		w[5 * WIDE + j] = k < 2 ? right[k] : k < 2 + n ? right[2] : 0;
		w[(2 * GEMM_PANEL + 5) * WIDE + j] = k < 2 ? wrong[k] : k < 2 + n ? wrong[2] : 0;
	}
	open_trial(t, g, GEMM_F32, TALL, WIDE);
}

static int misled(struct trial *t)
{
	product(t->g, exact, t->head.rows, &t->head, false);
	product(t->g, t->list.peaks, t->panels, &t->list.w, true);
	return kernel_best()->argmax(exact, t->head.rows) == 5 && kernel_best()->argmax(t->list.peaks, t->panels) == 2;
}

static void worst(const struct gemm *g)
{
	struct trial t;
	/* weights between whole numbers: 4.4375 becomes 4, and so does 3.5625 */
	aligned(&t, g, 30, (float[]){127, 0, 4.4375f}, (float[]){127, 26, 3.5625f});
	for (int j = 0; j < t.head.cols; j++)
		x[j] = 1;
	int ok = misled(&t), n = found(&t);
	TEST(ok && n == 2, "%s: both of two rows that the weights' rounding confounds are wanted (%d)", g->name, n);
	close_trial(&t);
	/* numbers of x between whole ones: 4.4375 becomes 4, for better or worse */
	aligned(&t, g, 29, (float[]){-127, 0, 127}, (float[]){127, 0, -127});
	for (int j = 0; j < t.head.cols; j++)
		x[j] = j % GEMM_BLOCK == 0 ? 127 : j % GEMM_BLOCK == 1 ? 0 : 4.4375f;
	ok = misled(&t);
	n = found(&t);
	TEST(ok && n == 2, "%s: and of two that the rounding of x does (%d)", g->name, n);
	close_trial(&t);
}

/* Where nothing is known of products there is no list. */
static void unusual(const struct gemm *g)
{
	struct trial t;
	uint32_t s = 3;
	int ok = 1;
	static const float odd[] = {NAN, INFINITY, -INFINITY, 1e30f, 3e38f};
	fill_head(ROWS, COLS, false, &s);
	open_trial(&t, g, GEMM_F32, ROWS, COLS);
	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
		for (int j = 0; j < COLS; j++)
			x[j] = j == 77 ? odd[i] : bell(&s);
		int n = found(&t);
		ok &= i < 3 ? n == -1 : n > -2;
	}
	TEST(ok, "%s: none where a number of x is none", g->name);
	memset(x, 0, sizeof x);
	ok = found(&t) == -1;
	for (int j = 0; j < COLS; j++)
		x[j] = 1e-30f * bell(&s);
	TEST(ok && found(&t) == -1, "%s: nor where x is nothing, or next to it", g->name);
	close_trial(&t);
	for (int i = 0; i < ROWS * COLS; i++)
		w[i] = i % 3 ? 0 : 3e37f;
	open_trial(&t, g, GEMM_F32, ROWS, COLS);
	TEST(found(&t) == -1, "%s: nor where products may run over", g->name);
	close_trial(&t);
}

/* What a table makes of a panel: each weight to the nearest of its row's whole numbers, and norms of what is lost
 * and left that are not less than they are, nor much more. */
static int narrowed(const struct narrow *t, enum gemm_type type, int rows, int cols, uint32_t *s)
{
	char *from = aligned_alloc(64, gemm_bytes(type, rows, cols)), *to = aligned_alloc(64, gemm_bytes(GEMM_Q8, rows, cols));
	struct gemm_matrix m = {type, rows, cols, from}, q = {GEMM_Q8, rows, cols, to};
	int ok = 1;
	fill_head(rows, cols, false, s);
	for (int o = 0; o < rows; o += GEMM_PANEL) {
		int n = rows - o < GEMM_PANEL ? rows - o : GEMM_PANEL;
		float lost, size;
		double most_lost = 0, most_size = 0;
		gemm_best()->pack(&m, o, 0, w + o * cols, cols, n, cols);
		t->panel(&q, &m, o, &lost, &size);
		for (int r = o; r < o + n; r++) {
			double l = 0, z = 0;
			for (int j = 0; j < cols; j++) {
				double is = gemm_weight(&q, r, j), less = gemm_weight(&m, r, j) - is, largest = 0;
				for (int k = j / GEMM_BLOCK * GEMM_BLOCK; k < cols && k < (j / GEMM_BLOCK + 1) * GEMM_BLOCK; k++)
					largest = fmax(largest, fabs((double)gemm_weight(&m, r, k)));
				ok &= fabs(less) <= largest / 127 * 1.0079 * 0.5001;
				l += less * less;
				z += is * is;
			}
			most_lost = fmax(most_lost, sqrt(l));
			most_size = fmax(most_size, sqrt(z));
		}
		ok &= lost >= most_lost && lost <= most_lost * 1.001 + 1e-16 && size >= most_size && size <= most_size * 1.001 + 1e-16;
	}
	free(from);
	free(to);
	return ok;
}

static void narrowing(const struct narrow *t)
{
	uint32_t s = 9;
	int ok = 1;
	for (int cols = 1; cols <= 100; cols++)
		for (int type = GEMM_F32; type <= GEMM_BF16; type++)
			ok &= narrowed(t, type, 1 + cols % 70, cols, &s);
	TEST(ok, "%s: to eight bits, and what is lost", t->name);
}

int main(void)
{
	const struct gemm *g;
	int n = 0;
	for (; narrow_at(n); n++)
		narrowing(narrow_at(n));
	TEST(n >= 1 && narrow_best() == narrow_at(n - 1), "the best of %d tables is the last", n);
	for (int i = 0; (g = gemm_at(i)); i++) {
		for (int close = 0; close <= 1; close++) {
			usual(g, GEMM_F32, ROWS, COLS, close);
			usual(g, GEMM_BF16, ROWS, COLS, close);
			usual(g, GEMM_F32, 300, 33, close);
			usual(g, GEMM_BF16, 500, 1, close);
		}
		worst(g);
		unusual(g);
	}
	return test_done();
}
