#include "nx/kvcache.h"
#include "base/pages.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAP = 128, PANEL = GEMM_PANEL, STRIP = KVCACHE_STRIP };

/* --- where it lies -------------------------------------------------------------- */

/* Floats of a head's keys, and of its values, for a cache of cap tokens, a multiple of PANEL. */
static size_t keys_size(const struct config *c, int cap)
{
	return (size_t)cap * (size_t)c->head_dim;
}

static size_t values_size(const struct config *c, int cap)
{
	return (size_t)cap * (size_t)((c->head_dim + PANEL - 1) / PANEL * PANEL);
}

static size_t keys_at(const struct config *c, int cap, int layer, int head)
{
	size_t heads = (size_t)c->heads;
	return (size_t)layer * heads * (keys_size(c, cap) + values_size(c, cap)) + (size_t)head * keys_size(c, cap);
}

static size_t values_at(const struct config *c, int cap, int layer, int head)
{
	return keys_at(c, cap, layer, c->heads) + (size_t)head * values_size(c, cap);
}

/* n floats. In small pages each of a batch's heads would have its own, more of them than the processor keeps in mind. */
static float *room(size_t n)
{
	return n > SIZE_MAX / 8 ? NULL : pages_alloc(n * sizeof(float));
}

/* The tokens of `from` into kv, a cache of cap tokens. */
static void copy_tokens(float *kv, int cap, const struct kvcache *from)
{
	const struct config *c = from->c;
	size_t panels = ((size_t)from->len + PANEL - 1) / PANEL, hd = (size_t)c->head_dim;
	for (int l = 0; l < c->layers && from->len; l++)
		for (int h = 0; h < c->heads; h++) {
			memcpy(kv + keys_at(c, cap, l, h), from->kv + keys_at(c, from->cap, l, h), panels * PANEL * hd * sizeof *kv);
			for (size_t p = 0; p * PANEL < hd; p++)
				memcpy(kv + values_at(c, cap, l, h) + p * (size_t)cap * PANEL,
				       from->kv + values_at(c, from->cap, l, h) + p * (size_t)from->cap * PANEL,
				       (size_t)from->len * PANEL * sizeof *kv);
		}
}

int kvcache_grow(struct kvcache *s, int n, const struct kvcache *old, struct err *e)
{
	int cap = s->cap ? s->cap : FIRST_CAP;
	while (cap < n)
		cap = cap > INT32_MAX / 2 ? INT32_MAX / PANEL * PANEL : cap * 2;
	if (cap == s->cap)
		return 0;
	float *kv = room(keys_at(s->c, cap, s->c->layers, 0));
	if (!kv)
		return err_mem(e);
	copy_tokens(kv, cap, old);
	free(s->kv);
	s->kv = kv;
	s->cap = cap;
	return 0;
}

int kvcache_copy(struct kvcache *to, const struct kvcache *from, struct err *e)
{
	if (to == from)
		return 0;
	if (from->len > to->cap) {
		if (kvcache_grow(to, from->len, from, e))
			return -1;
	} else {
		copy_tokens(to->kv, to->cap, from);
	}
	to->len = from->len;
	return 0;
}

void kvcache_release(struct kvcache *s)
{
	free(s->kv);
	s->kv = NULL;
	s->len = s->cap = 0;
}

/* --- putting -------------------------------------------------------------------- */

/* Keys of the tokens from t on, into the panels. */
static void put_keys(const struct kvcache *s, const struct gemm *gm, float *keys, const float *k, int ld, int t, int n)
{
	int hd = s->c->head_dim;
	const struct gemm_matrix m = {GEMM_F32, s->cap, hd, keys};
	for (int end = t + n, r; t < end; t += r, k += (size_t)r * (size_t)ld) {
		r = end - t < PANEL ? end - t : PANEL;
		if (t % PANEL == 0 && r > 1) {
			gm->pack(&m, t, 0, k, ld, r, hd);
			continue;
		}
		r = 1;
		float *column = keys + (size_t)(t / PANEL) * PANEL * (size_t)hd + t % PANEL;
		for (int i = 0; i < hd; i++)
			column[(size_t)i * PANEL] = k[i];
	}
}

void kvcache_put(struct kvcache *s, const struct gemm *gm, int layer, int head, const float *k, const float *v, int ld,
                 int n)
{
	int hd = s->c->head_dim;
	float *values = s->kv + values_at(s->c, s->cap, layer, head);
	put_keys(s, gm, s->kv + keys_at(s->c, s->cap, layer, head), k, ld, s->len, n);
	for (int i = 0; i < hd; i += PANEL) {
		float *to = values + (size_t)i * (size_t)s->cap + (size_t)s->len * PANEL;
		const float *from = v + i;
		for (int t = 0; t < n; t++, to += PANEL, from += ld)
			if (hd - i >= PANEL)
				memcpy(to, from, PANEL * sizeof *to); /* a size the compiler knows */
			else
				memcpy(to, from, (size_t)(hd - i) * sizeof *to);
	}
}

/* --- attention -------------------------------------------------------------------- */

/* Floats of a strip's rows of n, prepared, and as they are. */
static size_t ready_size(int n)
{
	return gemm_prepared(GEMM_F32, STRIP, n) / sizeof(float);
}

static int score_ld(int nk)
{
	return (nk + PANEL - 1) / PANEL * PANEL;
}

size_t kvcache_scratch(const struct config *c, int nk)
{
	return (size_t)STRIP * (size_t)score_ld(nk) + ready_size(nk) + ready_size(c->head_dim) + STRIP;
}

void kvcache_attend(const struct kvcache *s, const struct gemm *gm, const struct kernel *kr,
                    const struct kvcache_queries *q, float *out, int ldo, float *scratch)
{
	const struct config *c = s->c;
	int hd = c->head_dim, ld = score_ld(q->nk);
	float *score = scratch, *ready = score + (size_t)STRIP * (size_t)ld, *x = ready + ready_size(q->nk), *lse = x + ready_size(hd);
	struct gemm_product p = {.y = score, .ldy = ld, .x = x, .n = q->n, .w = {GEMM_F32, q->nk, hd, s->kv + keys_at(c, s->cap, q->layer, q->head)}};
	gm->prepare(x, GEMM_F32, q->q, q->ld, q->n, hd, 0, hd);
	gm->run(&p, 0, q->nk);
	kr->softmax(score, ld, lse, q->n, q->nk - q->n + 1, q->nk, 1 / sqrtf((float)hd));
	gm->prepare(ready, GEMM_F32, score, ld, q->n, q->nk, 0, q->nk);
	for (int i = 0; i < hd; i += PANEL) {
		int m = hd - i < PANEL ? hd - i : PANEL;
		float *values = s->kv + values_at(c, s->cap, q->layer, q->head) + (size_t)i * (size_t)s->cap;
		p = (struct gemm_product){.y = out + i, .ldy = ldo, .x = ready, .n = q->n, .w = {GEMM_F32, m, q->nk, values}};
		gm->run(&p, 0, m);
	}
}
