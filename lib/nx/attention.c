#include "nx/attention.h"

#include "nx/mat.h"

#include <math.h>
#include <stdlib.h>

/* Queries whose scores are computed at once. */
enum { STRIP = 64 };

/* Floats from row to row of a strip over nk keys. */
static int strip_ld(int nk)
{
	return (nk + 15) / 16 * 16;
}

size_t attention_scratch(int nk)
{
	return 2 * ((size_t)STRIP * (size_t)strip_ld(nk) + STRIP);
}

static float scale_of(const struct attention_head *h)
{
	return 1 / sqrtf((float)h->hd);
}

/* Row i of an array whose rows are ld apart. */
static float *row(float *p, int ld, int i)
{
	return p + (ptrdiff_t)ld * i;
}

static const float *crow(const float *p, int ld, int i)
{
	return p + (ptrdiff_t)ld * i;
}

void attention_forward(const struct kernel *kr, const struct attention_head *h, float *out, int ldo, float *lse,
                       float *scratch)
{
	int ld = strip_ld(h->nk), before = h->nk - h->nq;
	float *s = scratch, *own = scratch + (size_t)STRIP * (size_t)ld;
	if (h->nq == 1 && !lse && h->ldk == h->ldv) {
		kr->attend(out, h->q, h->k, h->v, h->ldk, h->nk, h->hd, scale_of(h), s);
		return;
	}
	for (int from = 0; from < h->nq; from += STRIP) {
		int m = h->nq - from < STRIP ? h->nq - from : STRIP, width = before + from + m;
		mat_nt(s, ld, crow(h->q, h->ldq, from), h->ldq, h->k, h->ldk, m, width, h->hd, 1, 0);
		kr->softmax(s, ld, lse ? lse + from : own, m, before + from + 1, width, scale_of(h));
		mat_nn(row(out, ldo, from), ldo, s, ld, h->v, h->ldv, m, h->hd, width, 1, 0);
	}
}

/* The last strip sees every key, so it writes dk and dv whole; the others add. */
void attention_backward(const struct kernel *kr, const struct attention_head *h, const float *out, const float *dout,
                        int ldo, const float *lse, float *dq, float *dk, float *dv, float *scratch)
{
	int ld = strip_ld(h->nk), last = (h->nq - 1) / STRIP * STRIP;
	size_t strip = (size_t)STRIP * (size_t)ld;
	float *p = scratch, *ds = p + strip, *d = ds + strip, scale = scale_of(h);
	for (int from = last; from >= 0; from -= STRIP) {
		int m = h->nq - from < STRIP ? h->nq - from : STRIP, width = from + m;
		float add = from == last ? 0 : 1;
		const float *q = crow(h->q, h->ldq, from), *g = crow(dout, ldo, from);
		mat_nt(p, ld, q, h->ldq, h->k, h->ldk, m, width, h->hd, 1, 0);
		kr->softmax_again(p, ld, lse + from, m, from + 1, width, scale);
		mat_tn(dv, h->ldv, p, ld, g, ldo, width, h->hd, m, 1, add);
		mat_nt(ds, ld, g, ldo, h->v, h->ldv, m, width, h->hd, 1, 0);
		kr->dots(d, g, ldo, crow(out, ldo, from), ldo, m, h->hd);
		kr->softmax_back(ds, p, ld, d, m, from + 1, width, scale);
		mat_nn(row(dq, h->ldq, from), h->ldq, ds, ld, h->k, h->ldk, m, h->hd, width, 1, 0);
		mat_tn(dk, h->ldk, ds, ld, q, h->ldq, width, h->hd, m, 1, add);
	}
}

/* --- rotary angles --------------------------------------------------------------- */

int attention_angles_upto(struct attention_angles *a, const struct config *c, int n, struct err *e)
{
	size_t half = (size_t)c->rotary_dims / 2;
	if (n <= a->n)
		return 0;
	int room = n > 2 * a->n ? n : 2 * a->n;
	float *cosine = realloc(a->cos, ((size_t)room * half + 1) * sizeof *cosine);
	if (!cosine)
		return err_mem(e);
	a->cos = cosine;
	float *sine = realloc(a->sin, ((size_t)room * half + 1) * sizeof *sine);
	if (!sine)
		return err_mem(e);
	a->sin = sine;
	for (size_t i = 0; i < half; i++) {
		/* Every step of HF's is in float32: the exponent, the power, its inverse, the angle. */
		float exponent = (float)(2 * i) / (float)c->rotary_dims;
		float inverse = 1 / (float)pow(c->rope_theta, (double)exponent);
		for (int p = a->n; p < room; p++) {
			double angle = (double)((float)p * inverse);
			a->cos[(size_t)p * half + i] = (float)cos(angle);
			a->sin[(size_t)p * half + i] = (float)sin(angle);
		}
	}
	a->n = room;
	return 0;
}

void attention_angles_release(struct attention_angles *a)
{
	free(a->cos);
	free(a->sin);
	*a = (struct attention_angles){0};
}
