#include "nx/shortlist.h"
#include "base/pages.h"
#include "nx/narrow.h"

#include <math.h>
#include <stdlib.h>

/* --- a head in eight bits ------------------------------------------------------------ */

static void narrow_panel(void *arg, int i)
{
	struct shortlist *s = arg;
	narrow_best()->panel(&s->w, &s->head, i * GEMM_PANEL, &s->lost[i], &s->size[i]);
}

int shortlist_open(struct shortlist *s, const struct gemm *gm, const struct gemm_matrix *head, struct pool *pool, struct err *e)
{
	size_t bytes = gemm_bytes(GEMM_Q8, head->rows, head->cols); /* whole cache lines */
	int panels = (head->rows + GEMM_PANEL - 1) / GEMM_PANEL;
	*s = (struct shortlist){.gm = gm, .head = *head, .w = {GEMM_Q8, head->rows, head->cols, NULL}, .panels = panels};
	char *own = pages_alloc(bytes + 2 * (size_t)panels * sizeof(float));
	if (!own)
		return err_mem(e);
	s->w.v = own;
	s->lost = (float *)(void *)(own + bytes);
	s->size = s->lost + panels;
	pool_run(pool, panels, narrow_panel, s);
	for (int i = 0; i < panels; i++)
		s->most = fmaxf(s->most, fmaxf(s->lost[i], s->size[i]));
	return 0;
}

static void free_room(struct shortlist *s)
{
	free(s->peaks);
	free(s->ready);
	free(s->listed);
	free(s->n);
	free(s->found);
	s->peaks = s->ready = NULL;
	s->listed = s->n = NULL;
	s->found = NULL;
	s->cap = 0;
}

static size_t ready_bytes(const struct shortlist *s)
{
	return gemm_prepared(s->head.type, 1, s->head.cols);
}

int shortlist_room(struct shortlist *s, int n, struct err *e)
{
	size_t rows = (size_t)n, panels = (size_t)s->panels;
	if (n <= s->cap)
		return 0;
	free_room(s);
	s->peaks = calloc(rows * panels, sizeof *s->peaks);
	s->ready = pages_alloc(rows * ready_bytes(s));
	s->listed = calloc(rows * panels, sizeof *s->listed);
	s->n = calloc(rows, sizeof *s->n);
	s->found = calloc(rows * panels, sizeof *s->found);
	if (!s->peaks || !s->ready || !s->listed || !s->n || !s->found) {
		free_room(s);
		return err_mem(e);
	}
	s->cap = n;
	return 0;
}

void shortlist_release(struct shortlist *s)
{
	free_room(s);
	free(s->w.v);
	*s = (struct shortlist){0};
}

/* --- choosing --------------------------------------------------------------------------- */

/* |x|, and at most how much of it the eight bits lose: half a unit a number, or all of what is next to nothing (gemm.h). */
static void look_at(const float *x, int n, double *size, double *lost)
{
	*size = *lost = 0;
	for (int j = 0; j < n; j += GEMM_BLOCK) {
		int m = n - j < GEMM_BLOCK ? n - j : GEMM_BLOCK;
		double most = 0, half;
		for (int i = j; i < j + m; i++) {
			double v = fabs((double)x[i]);
			most = v > most ? v : most;
			*size += v * v;
		}
		half = most > 1e-29 ? most / 127 / 2 : most;
		*lost += m * half * half;
	}
	*size = sqrt(*size);
	*lost = sqrt(*lost);
}

/* The panels in which the largest product of x may be, ascending; returns how many. peaks: those of x with w. All of
 * them where nothing is known of products. */
static int list(const struct shortlist *s, const float *x, const float *peaks, int *listed)
{
	int n = s->panels, kept = 0;
	double size, lost, ulps = s->w.cols + s->w.cols / GEMM_BLOCK + 16;
	look_at(x, s->w.cols, &size, &lost);
	/* a sum of n products is off by n 2^-24 of their sizes at most (Higham, Accuracy and Stability, 3.1): twice
	 * that, for either product, and a thousandth for all that is rounded here */
	double rounding = size * ulps * 0x1p-23;
	float a = (float)(1.001 * (size + rounding)), b = (float)(1.001 * (lost + 2 * rounding)), least = -INFINITY;
	/* not where x is no number, nor where floats run over or out */
	bool known = size > 1e-6 && ((double)a + (double)b + 1) * (double)s->most < 1e30;
	for (int i = 0; i < n && known; i++) {
		float sure = peaks[i] - (a * s->lost[i] + b * s->size[i]);
		least = sure > least ? sure : least;
	}
	for (int i = 0; i < n; i++)
		if (!known || peaks[i] + (a * s->lost[i] + b * s->size[i]) >= least)
			listed[kept++] = i;
	return kept;
}

/* What is found for n rows of x. */
struct finding {
	struct shortlist *s;
	const float *x;
};

static void list_row(void *arg, int i)
{
	const struct finding *f = arg;
	struct shortlist *s = f->s;
	size_t row = (size_t)i, at = row * (size_t)s->panels;
	int cols = s->w.cols;
	const float *x = f->x + row * (size_t)cols;
	s->n[i] = list(s, x, s->peaks + at, s->listed + at);
	s->gm->prepare((char *)s->ready + row * ready_bytes(s), s->head.type, x, cols, 1, cols, 0, cols);
}

/* The lists of n rows one behind the other, as panel + row * panels; their length, or -1 if it is not worth it. */
static int join(struct shortlist *s, int n)
{
	int total = 0;
	for (int row = 0; row < n; row++)
		for (int i = 0, at = row * s->panels; i < s->n[row]; i++)
			s->listed[total++] = at + s->listed[at + i];
	return total <= (int64_t)s->panels * n / 4 ? total : -1;
}

static void multiply_listed(void *arg, int i)
{
	const struct finding *f = arg;
	const struct shortlist *s = f->s;
	float y[GEMM_PANEL];
	int row = s->listed[i] / s->panels, from = s->listed[i] % s->panels * GEMM_PANEL, most = 0;
	int n = s->w.rows - from < GEMM_PANEL ? s->w.rows - from : GEMM_PANEL;
	struct gemm_product p = {.y = y, .ldy = n, .n = 1, .x = (const char *)s->ready + (size_t)row * ready_bytes(s), .w = s->head};
	s->gm->run(&p, from, from + n);
	for (int o = 1; o < n; o++)
		most = y[o] > y[most] ? o : most;
	s->found[i] = (struct shortlist_found){y[most], from + most};
}

int shortlist_find(struct shortlist *s, struct pool *pool, const float *x, int n, int32_t *id)
{
	struct finding f = {s, x};
	pool_run(pool, n, list_row, &f);
	int total = join(s, n);
	if (total < 0)
		return total;
	pool_run(pool, total, multiply_listed, &f);
	for (int row = 0, i = 0; row < n; row++)
		for (int end = i + s->n[row], best = i; i < end; i++) {
			best = s->found[i].most > s->found[best].most ? i : best;
			id[row] = s->found[best].id;
		}
	return total;
}
