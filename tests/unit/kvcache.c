/* nx/kvcache: attention to what was put against plain loops in double, as tokens come in and caches grow. */
#include "test.h"

#include "nx/kernel_ref.h"
#include "nx/kvcache.h"

#include <stdint.h>

enum { TOKENS = 700, HEADS = 3, LAYERS = 2, MOST = 80, STRIDE = MOST + 3 };

static float k[TOKENS * STRIDE], v[TOKENS * STRIDE], q[TOKENS * STRIDE], out[KVCACHE_STRIP * STRIDE];
static double kd[TOKENS * MOST], vd[TOKENS * MOST], qd[TOKENS * MOST], want[TOKENS * MOST];

static float next(uint32_t *s)
{
	*s = *s * 1664525u + 1013904223u;
	return (float)(*s >> 8) / (1 << 23) - 1;
}

/* Queries, keys and values of each token of a head: its own numbers. */
static void numbers(int layer, int head, int hd)
{
	uint32_t s = (uint32_t)(layer * HEADS + head + 1);
	for (int i = 0; i < TOKENS; i++)
		for (int j = 0; j < hd; j++) {
			kd[i * hd + j] = k[i * STRIDE + j] = next(&s);
			vd[i * hd + j] = v[i * STRIDE + j] = next(&s);
			qd[i * hd + j] = q[i * STRIDE + j] = 3 * next(&s);
		}
}

static void put(struct kvcache *s, const struct gemm *gm, int n)
{
	struct err e;
	TEST(kvcache_grow(s, s->len + n, s, &e) == 0, "room for %d", s->len + n);
	for (int l = 0; l < LAYERS; l++)
		for (int h = 0; h < HEADS; h++) {
			int at = s->len * STRIDE;
			numbers(l, h, s->c->head_dim);
			kvcache_put(s, gm, l, h, k + at, v + at, STRIDE, n);
		}
	s->len += n;
}

/* The last n tokens' results of a head, the worst distance; `same` is cleared where one alone has other bits. */
static double off(const struct kvcache *s, const struct gemm *gm, const struct kernel *kr, int layer, int head, int n, int *same)
{
	int hd = s->c->head_dim, from = s->len - n;
	float alone[MOST], *scratch = malloc(kvcache_scratch(s->c, s->len) * sizeof *scratch);
	double worst = 0;
	numbers(layer, head, hd);
	kernel_ref_attention(want, qd + from * hd, kd, vd, n, s->len, hd);
	struct kvcache_queries all = {layer, head, q + from * STRIDE, STRIDE, n, s->len};
	kvcache_attend(s, gm, kr, &all, out, STRIDE, scratch);
	for (int i = 0; i < n; i++) {
		struct kvcache_queries one = {layer, head, q + (from + i) * STRIDE, STRIDE, 1, from + i + 1};
		kvcache_attend(s, gm, kr, &one, alone, STRIDE, scratch);
		*same &= memcmp(alone, out + i * STRIDE, (size_t)hd * sizeof *alone) == 0;
		for (int j = 0; j < hd; j++)
			worst = fmax(worst, fabs(out[i * STRIDE + j] - want[i * hd + j]));
	}
	free(scratch);
	return worst;
}

static void all_heads(const struct kvcache *s, const struct gemm *gm, const struct kernel *kr, int n, const char *what)
{
	double worst = 0;
	int same = 1;
	for (int l = 0; l < LAYERS; l++)
		for (int h = 0; h < HEADS; h++)
			worst = fmax(worst, off(s, gm, kr, l, h, n, &same));
	TEST(worst < 2e-6, "%s, heads of %d: %d %s (%.2g)", gm->name, s->c->head_dim, n, what, worst);
	TEST(same, "%s: each alone has the same bits", gm->name);
}

static void table(const struct gemm *gm, const struct kernel *kr, int hd)
{
	struct config c = {.layers = LAYERS, .heads = HEADS, .head_dim = hd, .hidden = HEADS * hd};
	struct kvcache s = {.c = &c}, t = {.c = &c};
	struct err e;
	put(&s, gm, 1);
	all_heads(&s, gm, kr, 1, "at the beginning");
	put(&s, gm, 30); /* ends a panel but for one */
	all_heads(&s, gm, kr, 30, "behind it");
	put(&s, gm, 1), put(&s, gm, 1), put(&s, gm, 31);
	all_heads(&s, gm, kr, 5, "of a few pieces");
	put(&s, gm, 140);
	TEST(kvcache_copy(&t, &s, &e) == 0 && t.len == s.len, "a copy");
	put(&s, gm, 400); /* grows twice */
	all_heads(&s, gm, kr, KVCACHE_STRIP, "after growing");
	all_heads(&t, gm, kr, 33, "of the copy");
	put(&t, gm, 10);
	TEST(kvcache_copy(&s, &t, &e) == 0, "back into the larger one");
	all_heads(&s, gm, kr, 11, "of that");
	kvcache_release(&s);
	kvcache_release(&t);
}

int main(void)
{
	for (int i = 0; gemm_at(i) && kernel_at(i); i++) {
		static const int sizes[] = {6, 24, 64, 80};
		for (int j = 0; j < 4; j++)
			table(gemm_at(i), kernel_at(i), sizes[j]);
	}
	return test_done();
}
