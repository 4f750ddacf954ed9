#include "nx/cut.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

struct cut_item {
	float key;
	int32_t id; /* items of equal keys are in order of id */
	float p;
};

int cut_open(struct cut *c, int vocab, struct err *e)
{
	size_t n = vocab > 0 ? (size_t)vocab : 1;
	*c = (struct cut){.id = calloc(n, sizeof *c->id), .x = calloc(n, sizeof *c->x), .p = calloc(n, sizeof *c->p),
	                  .item = calloc(n, sizeof *c->item), .k = kernel_best()};
	if (c->id && c->x && c->p && c->item)
		return 0;
	cut_close(c);
	return err_mem(e);
}

void cut_close(struct cut *c)
{
	free(c->id);
	free(c->x);
	free(c->p);
	free(c->item);
	*c = (struct cut){0};
}

int cut_fill(struct cut *c, const float *logits, int n)
{
	int k = 0;
	for (int i = 0; i < n; i++) {
		if (!(logits[i] < INFINITY))
			return -1;
		c->x[k] = logits[i];
		c->id[k] = i;
		k += logits[i] > -INFINITY;
	}
	c->n = k;
	return 0;
}

void cut_temperature(struct cut *c, double t)
{
	for (int i = 0; i < c->n; i++)
		c->x[i] /= (float)t;
}

static float largest(const struct cut *c)
{
	float max = -INFINITY;
	for (int i = 0; i < c->n; i++)
		max = c->x[i] > max ? c->x[i] : max;
	return max;
}

/* p = exp(x - max); their sum. */
static double exponentials(struct cut *c, float max)
{
	double sum = 0;
	for (int i = 0; i < c->n; i++)
		c->p[i] = c->x[i] - max;
	c->k->exp(c->p, c->p, (size_t)c->n);
	for (int i = 0; i < c->n; i++)
		sum += (double)c->p[i];
	return sum;
}

void cut_softmax(struct cut *c)
{
	float sum = (float)exponentials(c, largest(c));
	for (int i = 0; i < c->n; i++)
		c->p[i] /= sum;
}

double cut_lse(struct cut *c)
{
	float max = largest(c);
	return (double)max + log(exponentials(c, max));
}

/* --- top-k: a heap of the k largest, the smallest of them at its root -------------- */

static void sift_down(float *h, int n, int i)
{
	for (;;) {
		int least = i, l = 2 * i + 1;
		if (l < n && h[l] < h[least])
			least = l;
		if (l + 1 < n && h[l + 1] < h[least])
			least = l + 1;
		if (least == i)
			return;
		float t = h[i];
		h[i] = h[least];
		h[least] = t;
		i = least;
	}
}

/* Keeps the candidates whose x is not below `least`, in their order. */
static void keep_from(struct cut *c, float least)
{
	int k = 0;
	for (int i = 0; i < c->n; i++) {
		c->x[k] = c->x[i];
		c->id[k] = c->id[i];
		k += !(c->x[i] < least);
	}
	c->n = k;
}

void cut_top_k(struct cut *c, int64_t k)
{
	float *h = c->p; /* scratch here */
	if (k >= c->n)
		return;
	int n = (int)k;
	for (int i = 0; i < n; i++)
		h[i] = c->x[i];
	for (int i = n / 2 - 1; i >= 0; i--)
		sift_down(h, n, i);
	for (int i = n; i < c->n; i++)
		if (c->x[i] > h[0]) {
			h[0] = c->x[i];
			sift_down(h, n, 0);
		}
	keep_from(c, h[0]);
}

void cut_min_p(struct cut *c, double p)
{
	int k = 0;
	float max = 0;
	cut_softmax(c);
	for (int i = 0; i < c->n; i++)
		max = c->p[i] > max ? c->p[i] : max;
	float least = (float)p * max;
	for (int i = 0; i < c->n; i++) {
		c->x[k] = c->x[i];
		c->id[k] = c->id[i];
		k += !(c->p[i] < least);
	}
	c->n = k;
}

/* --- top-p and typical: where does the mass in ascending order reach a limit? ------- */

static bool before(const struct cut_item *a, const struct cut_item *b)
{
	return a->key < b->key || (a->key == b->key && a->id < b->id);
}

/* Puts the items that stand before a[pivot] in front of it; returns where it is then. */
static int partition(struct cut_item *a, int n, int pivot)
{
	int m = 0;
	struct cut_item p = a[pivot];
	a[pivot] = a[n - 1];
	for (int i = 0; i < n - 1; i++) {
		struct cut_item t = a[i];
		a[i] = a[m];
		a[m] = t;
		m += before(&t, &p);
	}
	a[n - 1] = a[m];
	a[m] = p;
	return m;
}

/* The first item in order up to and with which the sum of p is above `limit` (or, with
 * `reach`, not below it), else the last: by selection, as quicksort would find it. The
 * pivots are drawn by a fixed generator, so no order of the items is a bad one for long. */
static struct cut_item item_at(struct cut_item *a, int n, float limit, bool reach)
{
	double sum = 0; /* of the items before a */
	uint32_t draw = 1;
	while (n > 1) {
		draw = draw * 1664525 + 1013904223;
		int m = partition(a, n, (int)((uint64_t)draw * (uint32_t)n >> 32));
		double low = sum;
		for (int i = 0; i < m; i++)
			low += (double)a[i].p;
		if (m > 0 && (reach ? (float)low >= limit : (float)low > limit)) {
			n = m;
			continue;
		}
		low += (double)a[m].p;
		if (m == n - 1 || (reach ? (float)low >= limit : (float)low > limit))
			return a[m];
		sum = low;
		a += m + 1;
		n -= m + 1;
	}
	return a[0];
}

void cut_top_p(struct cut *c, double p)
{
	int k = 0;
	if (c->n < 2)
		return;
	cut_softmax(c);
	for (int i = 0; i < c->n; i++)
		c->item[i] = (struct cut_item){c->x[i], c->id[i], c->p[i]};
	struct cut_item first = item_at(c->item, c->n, (float)(1 - p), false);
	for (int i = 0; i < c->n; i++) {
		struct cut_item t = {c->x[i], c->id[i], 0};
		c->x[k] = t.key;
		c->id[k] = t.id;
		k += !before(&t, &first);
	}
	c->n = k;
}

void cut_typical(struct cut *c, double mass)
{
	double entropy = 0;
	int k = 0;
	if (c->n < 2)
		return;
	float lse = (float)cut_lse(c);
	cut_softmax(c);
	for (int i = 0; i < c->n; i++)
		entropy += (double)((lse - c->x[i]) * c->p[i]);
	for (int i = 0; i < c->n; i++)
		c->item[i] = (struct cut_item){fabsf(lse - c->x[i] - (float)entropy), c->id[i], c->p[i]};
	float last = item_at(c->item, c->n, (float)mass, true).key;
	for (int i = 0; i < c->n; i++) {
		float x = c->x[i];
		c->x[k] = x;
		c->id[k] = c->id[i];
		k += !(fabsf(lse - x - (float)entropy) > last);
	}
	c->n = k;
}
