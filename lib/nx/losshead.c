#include "nx/losshead.h"

#include "nx/mat.h"
#include "nx/span.h"

#include <stdbool.h>
#include <string.h>

/* Logits held at once: 64 MiB. Fewer rows would read and write dw more often than
 * the products take, more would only cost memory. */
enum { CHUNK_FLOATS = 1 << 24, CHUNK_MIN = 32, CHUNK_MAX = 1024 };

static int chunk_rows(int vocab)
{
	int rows = CHUNK_FLOATS / vocab / 16 * 16;
	return rows < CHUNK_MIN ? CHUNK_MIN : rows > CHUNK_MAX ? CHUNK_MAX : rows;
}

size_t losshead_scratch(int vocab, int hidden)
{
	return (size_t)chunk_rows(vocab) * ((size_t)vocab + 2 * (size_t)hidden + 16);
}

/* The chunk being computed. */
struct chunk {
	const struct losshead *l;
	float *logits, *h, *dh; /* (rows, V), (rows, C), (rows, C) */
	int first;              /* of l->rows */
};

static float *in_chunk(float *p, int i, int width)
{
	return p + (size_t)i * (size_t)width;
}

static void gather(void *arg, int from, int to)
{
	const struct chunk *k = arg;
	int c = k->l->hidden;
	for (int i = from; i < to; i++)
		memcpy(in_chunk(k->h, i, c), k->l->h + (size_t)k->l->rows[k->first + i] * (size_t)c, (size_t)c * sizeof *k->h);
}

static bool is_top(const float *x, int v, int label)
{
	float at = x[label];
	int before = 0, behind = 0;
	for (int i = 0; i < label; i++)
		before += x[i] >= at;
	for (int i = label + 1; i < v; i++)
		behind += x[i] > at;
	return before == 0 && behind == 0;
}

static void score(void *arg, int from, int to)
{
	const struct chunk *k = arg;
	const struct losshead *l = k->l;
	for (int i = from; i < to; i++) {
		float *x = in_chunk(k->logits, i, l->vocab);
		int at = k->first + i, label = l->label[at];
		if (l->hit)
			l->hit[at] = is_top(x, l->vocab, label);
		l->nll[at] = l->kr->xent(x, l->vocab, label, l->dh ? l->scale : 0);
	}
}

static void scatter(void *arg, int from, int to)
{
	const struct chunk *k = arg;
	int c = k->l->hidden;
	for (int i = from; i < to; i++)
		memcpy(k->l->dh + (size_t)k->l->rows[k->first + i] * (size_t)c, in_chunk(k->dh, i, c), (size_t)c * sizeof *k->h);
}

double losshead_run(const struct losshead *l)
{
	int step = chunk_rows(l->vocab), v = l->vocab, c = l->hidden;
	struct chunk k = {.l = l, .logits = l->scratch};
	k.h = k.logits + (size_t)step * (size_t)v;
	k.dh = k.h + (size_t)step * (size_t)c;
	for (k.first = 0; k.first < l->m; k.first += step) {
		int n = l->m - k.first < step ? l->m - k.first : step;
		span_run(l->pool, n, 1, gather, &k);
		mat_forward(l->mat, k.logits, k.h, l->w, NULL, n, v, c, false);
		span_run(l->pool, n, 1, score, &k);
		if (!l->dh)
			continue;
		if (l->dw)
			mat_grad(l->mat, l->dw, k.logits, k.h, n, v, c);
		mat_back(l->mat, k.dh, k.logits, l->w, n, v, c, false);
		span_run(l->pool, n, 1, scatter, &k);
	}
	double sum = 0;
	for (int i = 0; i < l->m; i++)
		sum += l->nll[i];
	return sum;
}
