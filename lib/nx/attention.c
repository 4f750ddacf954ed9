#include "nx/attention.h"

#include <math.h>
#include <stdlib.h>

/* Queries whose scores are computed at once; of the way back, keys too; the part of a sum over keys that is
 * one chain of additions. */
enum { STRIP = 64, KEYS = 512, DEPTH = 256 };

static int smaller(int a, int b)
{
	return a < b ? a : b;
}

/* Floats from row to row of a strip's scores for n keys. */
static int strip_ld(int n)
{
	return (n + 15) / 16 * 16;
}

/* Where in a call's scratch things stand, in floats: scores, their gradients, a sum a query, and packed
 * operands: keys and values of the whole head, and what is packed on the way. */
struct places {
	size_t s, ds, sums;
	size_t kt, vt; /* b of q k^T and of do v^T */
	size_t k, v;   /* b of ds k and of p v */
	size_t a, b;
	size_t total;
};

static size_t take(struct places *p, size_t n)
{
	size_t at = p->total;
	p->total += (n + 15) / 16 * 16;
	return at;
}

/* Panels of an operand, n across and k deep, and what packing them may overwrite behind. */
static size_t packed(int n, int k, int width)
{
	return (size_t)(n + width) * (size_t)k + 64;
}

static struct places lay_out(const struct matmul *mm, int nk, int hd, bool back)
{
	struct places p = {0};
	size_t strip = (size_t)STRIP * (size_t)strip_ld(back ? smaller(nk, KEYS) : nk);
	size_t rows = packed(STRIP, nk > hd ? nk : hd, mm->rows), some = packed(KEYS, STRIP, mm->rows);
	p.s = take(&p, strip);
	p.sums = take(&p, STRIP);
	p.kt = take(&p, packed(nk, hd, mm->cols));
	if (!back) {
		p.v = take(&p, packed(hd, nk, mm->cols));
		p.a = take(&p, rows);
		return p;
	}
	p.ds = take(&p, strip);
	p.vt = take(&p, packed(nk, hd, mm->cols));
	p.k = take(&p, packed(hd, nk, mm->cols));
	p.a = take(&p, rows > some ? rows : some);
	p.b = take(&p, packed(hd, STRIP, mm->cols));
	return p;
}

size_t attention_scratch(const struct matmul *mm, int nk, int hd, bool back)
{
	return lay_out(mm, nk, hd, back).total;
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

/* --- products of packed operands ---------------------------------------------------------- */

/* What packing keeps of an operand: where its panels are and how far apart. */
struct panels {
	const float *v;
	ptrdiff_t next;
};

/* Rows of v, ld apart, hd long, as b of a product that sums over hd, or `down`: over the n rows. */
static struct panels pack_b(const struct matmul *mm, float *to, const float *v, int ld, int n, int hd, bool down)
{
	struct matmul_operand across = {v, ld, 1}, along = {v, 1, ld};
	ptrdiff_t next = (ptrdiff_t)(down ? n : hd) * mm->cols;
	if (down)
		mm->pack_b(to, next, &along, hd, n, false);
	else
		mm->pack_b(to, next, &across, n, hd, false);
	return (struct panels){to, next};
}

/* c (m, n) = or += a b, k deep: a from `v` as it lies, packed by the way. */
static void times(const struct matmul *mm, float *c, int ldc, struct matmul_operand a, float *room, struct panels b,
                  int m, int n, int k, bool add)
{
	for (int q = 0; q < k; q += DEPTH) {
		int deep = smaller(DEPTH, k - q);
		struct matmul_operand from = {a.v + q * a.depth, a.across, a.depth};
		struct matmul_tiles t = {.c = c, .ldc = ldc, .a = room, .b = b.v + (ptrdiff_t)q * mm->cols,
		                         .a_next = (ptrdiff_t)deep * mm->rows, .b_next = b.next, .m = m, .n = n, .k = deep,
		                         .add = add || q > 0};
		mm->pack_a(room, t.a_next, &from, m, deep, false);
		mm->tiles(&t);
	}
}

/* Panels of a product's columns from j on, a multiple of the panels' width. */
static struct panels from_column(const struct matmul *mm, struct panels b, int j)
{
	return (struct panels){b.v + j / mm->cols * b.next, b.next};
}

/* --- the way there ---------------------------------------------------------------------------- */

void attention_forward(const struct kernel *kr, const struct matmul *mm, const struct attention_head *h, float *out,
                       int ldo, float *lse, float *scratch)
{
	struct places at = lay_out(mm, h->nk, h->hd, false);
	int ld = strip_ld(h->nk), before = h->nk - h->nq;
	float *s = scratch + at.s, *a = scratch + at.a;
	struct panels kt = pack_b(mm, scratch + at.kt, h->k, h->ldk, h->nk, h->hd, false);
	struct panels v = pack_b(mm, scratch + at.v, h->v, h->ldv, h->nk, h->hd, true);
	for (int from = 0; from < h->nq; from += STRIP) {
		int m = smaller(STRIP, h->nq - from), width = before + from + m;
		struct matmul_operand q = {crow(h->q, h->ldq, from), h->ldq, 1}, p = {s, ld, 1};
		times(mm, s, ld, q, a, kt, m, width, h->hd, false);
		kr->softmax(s, ld, lse ? lse + from : scratch + at.sums, m, before + from + 1, width, scale_of(h));
		times(mm, row(out, ldo, from), ldo, p, a, v, m, h->hd, width, false);
	}
}

/* --- the way back ------------------------------------------------------------------------------- */

/* A head's way back: what all its strips look at. */
struct back {
	const struct kernel *kr;
	const struct matmul *mm;
	const struct attention_head *h;
	const float *g, *lse; /* gradient of the result */
	int ldg;
	float *dq, *dk, *dv;
	struct panels kt, vt, k;
	float *p, *ds, *sums, *a, *b;
};

/* The strip of m queries from `from` on and the n keys from j on. The last strip comes first: it sees every
 * key, so it writes dk and dv whole; the others add. A strip's first keys write dq. */
static void back_keys(const struct back *w, int from, int m, int j, int n, bool last)
{
	const struct attention_head *h = w->h;
	const struct matmul *mm = w->mm;
	int ld = strip_ld(smaller(h->nk, KEYS)), seen = from + 1 - j;
	struct matmul_operand q = {crow(h->q, h->ldq, from), h->ldq, 1}, g = {crow(w->g, w->ldg, from), w->ldg, 1};
	struct matmul_operand pt = {w->p, 1, ld}, ds = {w->ds, ld, 1}, dst = {w->ds, 1, ld};
	struct panels k = {w->k.v + (ptrdiff_t)j * mm->cols, w->k.next};
	times(mm, w->p, ld, q, w->a, from_column(mm, w->kt, j), m, n, h->hd, false);
	w->kr->softmax_again(w->p, ld, w->lse + from, m, seen, n, scale_of(h));
	times(mm, row(w->dv, h->ldv, j), h->ldv, pt, w->a, pack_b(mm, w->b, g.v, w->ldg, m, h->hd, true), n, h->hd, m, !last);
	times(mm, w->ds, ld, g, w->a, from_column(mm, w->vt, j), m, n, h->hd, false);
	w->kr->softmax_back(w->ds, w->p, ld, w->sums, m, seen, n, scale_of(h));
	times(mm, row(w->dq, h->ldq, from), h->ldq, ds, w->a, k, m, h->hd, n, j > 0);
	times(mm, row(w->dk, h->ldk, j), h->ldk, dst, w->a, pack_b(mm, w->b, q.v, h->ldq, m, h->hd, true), n, h->hd, m, !last);
}

void attention_backward(const struct kernel *kr, const struct matmul *mm, const struct attention_head *h,
                        const float *out, const float *dout, int ldo, const float *lse, float *dq, float *dk, float *dv,
                        float *scratch)
{
	struct places at = lay_out(mm, h->nk, h->hd, true);
	int last = (h->nq - 1) / STRIP * STRIP;
	struct back w = {.kr = kr, .mm = mm, .h = h, .g = dout, .lse = lse, .ldg = ldo, .dq = dq, .dk = dk, .dv = dv,
	                 .p = scratch + at.s, .ds = scratch + at.ds, .sums = scratch + at.sums, .a = scratch + at.a,
	                 .b = scratch + at.b};
	w.kt = pack_b(mm, scratch + at.kt, h->k, h->ldk, h->nk, h->hd, false);
	w.vt = pack_b(mm, scratch + at.vt, h->v, h->ldv, h->nk, h->hd, false);
	w.k = pack_b(mm, scratch + at.k, h->k, h->ldk, h->nk, h->hd, true);
	for (int from = last; from >= 0; from -= STRIP) {
		int m = smaller(STRIP, h->nq - from), width = from + m;
		kr->dots(w.sums, crow(dout, ldo, from), ldo, crow(out, ldo, from), ldo, m, h->hd);
		for (int j = 0; j < width; j += KEYS)
			back_keys(&w, from, m, j, smaller(KEYS, width - j), from == last);
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
