#include "nx/frozen.h"
#include "base/pool.h"
#include "nx/lorafile.h"
#include "nx/modelfile.h"
#include "nx/span.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* --- looking up ---------------------------------------------------------------- */

const struct gemm_matrix *frozen_matrix(const struct frozen *f, size_t off)
{
	int lo = 0, hi = f->lay.n - 1; /* the table is in order of offsets */
	while (lo < hi) {
		int mid = (lo + hi) / 2;
		if (f->lay.t[mid].off < off)
			lo = mid + 1;
		else
			hi = mid;
	}
	return &f->t[lo];
}

const float *frozen_vector(const struct frozen *f, size_t off)
{
	return off == SIZE_MAX ? NULL : frozen_matrix(f, off)->v;
}

const struct gemm_matrix *frozen_head(const struct frozen *f)
{
	return &f->t[f->lay.n];
}

/* --- what becomes of a tensor ---------------------------------------------------- */

/* From where a parameter comes, and into what. */
struct source {
	struct tensor from;
	struct gemm_matrix to;
	bool in_place;
	size_t numbers, scales; /* bytes that it takes otherwise */
};

struct loading {
	struct frozen *f;
	const struct gemm *gm;
	struct source *s; /* lay.n, and a tied head */
	struct pool *pool;
	bool tied;
};

static size_t rounded(size_t bytes)
{
	return (bytes + 63) / 64 * 64;
}

static size_t blocks_of(const struct gemm_matrix *m)
{
	return ((size_t)m->cols + GEMM_BLOCK - 1) / GEMM_BLOCK;
}

/* Whether the tensor lies as numbers of this type in this processor's memory would. */
static bool lies_as(const struct tensor *t, enum gemm_type type)
{
	if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)
		return false;
	return type == GEMM_F32 ? t->dtype == TENSOR_F32 && (uintptr_t)t->data % sizeof(float) == 0
	                        : t->dtype == TENSOR_BF16 && (uintptr_t)t->data % sizeof(uint16_t) == 0;
}

/* narrow: the form of matrices in products; the others keep what they have. */
static void plan(struct source *s, const struct tensor *from, const struct param *p, enum frozen_dtype as, bool narrow)
{
	enum gemm_type own = narrow && as == FROZEN_Q8 ? GEMM_Q8 : narrow && as == FROZEN_BF16 ? GEMM_BF16 : GEMM_F32;
	s->from = *from;
	s->to = (struct gemm_matrix){own, p->cols ? p->rows : 1, p->cols ? p->cols : p->rows, NULL, NULL};
	if (p->cols && own != GEMM_Q8 && lies_as(from, GEMM_BF16))
		s->to.type = GEMM_BF16;
	s->in_place = s->to.type != GEMM_Q8 && lies_as(from, s->to.type);
	if (s->in_place) {
		s->to.v = from->data;
	} else if (s->to.type == GEMM_Q8) {
		s->scales = rounded((size_t)s->to.rows * blocks_of(&s->to) * sizeof(uint16_t));
		s->numbers = rounded((size_t)s->to.rows * blocks_of(&s->to) * GEMM_BLOCK);
	} else {
		s->numbers = rounded((size_t)s->to.rows * (size_t)s->to.cols * (s->to.type == GEMM_F32 ? 4 : 2));
	}
}

/* One piece of memory for all that is converted. */
static int make_room(struct loading *l, struct err *e)
{
	const size_t huge = (size_t)2 << 20;
	size_t total = 0;
	for (int i = 0; i <= l->f->lay.n; i++)
		total += l->s[i].numbers + l->s[i].scales;
	if (total == 0)
		return 0;
	total = (total + huge - 1) / huge * huge;
	if (!(l->f->own = aligned_alloc(huge, total)))
		return err_mem(e);
	madvise(l->f->own, total, MADV_HUGEPAGE); /* where it cannot be followed nothing is lost */
	char *p = l->f->own;
	for (int i = 0; i <= l->f->lay.n; i++) {
		struct source *s = &l->s[i];
		if (s->in_place)
			continue;
		s->to.v = p;
		s->to.scale = s->scales ? (const uint16_t *)(const void *)(p + s->numbers) : NULL;
		p += s->numbers + s->scales;
	}
	return 0;
}

/* --- converting -------------------------------------------------------------------- */

enum { STRETCH = 4096 }; /* columns at a time, a multiple of GEMM_BLOCK */

struct conversion {
	const struct loading *l;
	const struct source *s;
	atomic_bool bad;
};

/* Columns k .. k + n - 1 of row i as floats: where they lie, or in buf. */
static const float *floats(const struct source *s, int i, int k, int n, float buf[STRETCH])
{
	struct tensor part = s->from;
	size_t at = (size_t)i * (size_t)s->to.cols + (size_t)k;
	part.data = (const char *)s->from.data + at * tensor_bytes(s->from.dtype);
	part.count = (size_t)n;
	if (lies_as(&part, GEMM_F32))
		return part.data;
	tensor_to_f32(&part, buf);
	return buf;
}

static void put(const struct conversion *c, int i, int k, const float *v, int n)
{
	const struct gemm_matrix *m = &c->s->to;
	size_t row = (size_t)i * (size_t)m->cols + (size_t)k, blocks = blocks_of(m);
	if (m->type == GEMM_F32)
		memcpy((float *)m->v + row, v, (size_t)n * sizeof *v);
	else if (m->type == GEMM_BF16)
		c->l->gm->to_bf16((uint16_t *)m->v + row, v, (size_t)n);
	else
		c->l->gm->to_q8((int8_t *)m->v + (size_t)i * blocks * GEMM_BLOCK + k,
		                (uint16_t *)m->scale + (size_t)i * blocks + (size_t)k / GEMM_BLOCK, v, n);
}

static void convert_rows(void *arg, int from, int to)
{
	struct conversion *c = arg;
	float buf[STRETCH];
	int cols = c->s->to.cols;
	for (int i = from; i < to && !atomic_load(&c->bad); i++)
		for (int k = 0; k < cols; k += STRETCH) {
			int n = cols - k < STRETCH ? cols - k : STRETCH;
			const float *v = floats(c->s, i, k, n, buf);
			if (!c->l->gm->finite(v, (size_t)n))
				atomic_store(&c->bad, true);
			else if (!c->s->in_place)
				put(c, i, k, v, n);
		}
}

static int convert(struct loading *l, struct err *e)
{
	if (make_room(l, e))
		return -1;
	for (int i = 0; i <= l->f->lay.n; i++) {
		struct conversion c = {.l = l, .s = &l->s[i]};
		if (i == l->f->lay.n && (!l->tied || c.s->in_place))
			break; /* the head is a parameter of its own, or has been seen as the embedding */
		span_run(l->pool, c.s->to.rows, 64, convert_rows, &c);
		if (atomic_load(&c.bad))
			return modelfile_finite(&c.s->from, e);
	}
	return 0;
}

/* --- a directory --------------------------------------------------------------------- */

static int sources_of_files(struct loading *l, const char *dir, struct err *e)
{
	struct frozen *f = l->f;
	if (config_load(&f->cfg, dir, e) || params_layout(&f->lay, &f->cfg, e))
		return -1;
	if (!(l->s = calloc((size_t)f->lay.n + 1, sizeof *l->s)))
		return err_mem(e);
	if (modelfile_open(&f->files, &f->lay, dir, e))
		return -1;
	for (int i = 0; i < f->lay.n; i++)
		l->s[i].from = *tensor_find(&f->files, f->lay.t[i].name);
	return 0;
}

/* The weights an adapter is folded into. */
static int sources_of_adapter(struct loading *l, const char *dir, struct err *e)
{
	struct frozen *f = l->f;
	if (model_load(&f->m, dir, e))
		return -1;
	f->cfg = f->m.cfg;
	if (params_layout(&f->lay, &f->cfg, e))
		return -1;
	if (!(l->s = calloc((size_t)f->lay.n + 1, sizeof *l->s)))
		return err_mem(e);
	for (int i = 0; i < f->lay.n; i++)
		l->s[i].from = (struct tensor){.name = f->lay.t[i].name, .dtype = TENSOR_F32, .dtype_name = "F32",
		                               .count = f->lay.t[i].n, .data = f->m.w + f->lay.t[i].off, .file = dir};
	return 0;
}

static int load(struct loading *l, const char *dir, enum frozen_dtype as, struct err *e)
{
	struct frozen *f = l->f;
	if (lorafile_is(dir) ? sources_of_adapter(l, dir, e) : sources_of_files(l, dir, e))
		return -1;
	if (!(f->t = calloc((size_t)f->lay.n + 1, sizeof *f->t)))
		return err_mem(e);
	bool tied = f->lay.head == f->lay.embed;
	for (int i = 0; i < f->lay.n; i++) {
		const struct param *p = &f->lay.t[i];
		plan(&l->s[i], &l->s[i].from, p, as, p->cols && p->off != f->lay.embed);
		if (p->off == f->lay.head && tied) /* the same numbers once more, as products want them */
			plan(&l->s[f->lay.n], &l->s[i].from, p, as, true);
	}
	l->tied = tied;
	if (convert(l, e))
		return -1;
	for (int i = 0; i <= f->lay.n; i++)
		f->t[i] = l->s[i].to;
	if (!tied)
		f->t[f->lay.n] = *frozen_matrix(f, f->lay.head);
	return 0;
}

int frozen_load(struct frozen *f, const char *dir, enum frozen_dtype as, int threads, struct err *e)
{
	struct loading l = {.f = f, .gm = gemm_best(), .pool = pool_open(threads)};
	*f = (struct frozen){0};
	int rc = l.pool ? load(&l, dir, as, e) : err_mem(e);
	pool_close(l.pool);
	free(l.s);
	if (rc)
		frozen_release(f);
	return rc;
}

int frozen_view(struct frozen *f, const struct model *m, struct err *e)
{
	*f = (struct frozen){.cfg = m->cfg, .lay = m->lay, .view = true};
	if (!(f->t = calloc((size_t)m->lay.n + 1, sizeof *f->t)))
		return err_mem(e);
	for (int i = 0; i < m->lay.n; i++) {
		const struct param *p = &m->lay.t[i];
		f->t[i] = (struct gemm_matrix){GEMM_F32, p->cols ? p->rows : 1, p->cols ? p->cols : p->rows, m->w + p->off, NULL};
	}
	f->t[m->lay.n] = *frozen_matrix(f, m->lay.head);
	return 0;
}

void frozen_release(struct frozen *f)
{
	free(f->t);
	free(f->own);
	if (!f->view) {
		params_release(&f->lay);
		tensor_release(&f->files);
		model_release(&f->m);
	}
	*f = (struct frozen){0};
}
