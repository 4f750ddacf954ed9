#include "nx/frozen.h"
#include "base/pages.h"
#include "base/pool.h"
#include "nx/lorafile.h"
#include "nx/modelfile.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

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

/* n numbers of a tensor from number `at` on. */
static struct tensor part_of(const struct tensor *t, size_t at, int n)
{
	struct tensor part = *t;
	part.data = (const char *)t->data + at * tensor_bytes(t->dtype);
	part.count = (size_t)n;
	return part;
}

void frozen_embed(const struct frozen *f, int32_t id, float *to)
{
	struct tensor row = part_of(&f->table, (size_t)id * (size_t)f->cfg.hidden, f->cfg.hidden);
	tensor_to_f32(&row, to);
}

/* --- what becomes of a tensor ---------------------------------------------------- */

/* From where a parameter comes, and into what. */
struct source {
	struct tensor from;
	struct gemm_matrix to;
	enum { PACKED, FLOATS, IN_PLACE } what; /* in place: seen as it lies */
	bool ours;                              /* the file's pages are not needed once it is packed */
	size_t bytes;                           /* that it takes unless in place */
	int first, pieces;                      /* of the work of all */
	atomic_int left;                        /* pieces that are not done */
	atomic_bool bad;
};

struct loading {
	struct frozen *f;
	const struct gemm *gm;
	struct source *s; /* lay.n, and a tied head */
	struct pool *pool;
	bool tied;
};

/* Whether the tensor lies as floats in this processor's memory would. */
static bool lies_as_floats(const struct tensor *t)
{
	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && t->dtype == TENSOR_F32 && (uintptr_t)t->data % sizeof(float) == 0;
}

static void plan_matrix(struct source *s, enum frozen_dtype as)
{
	s->to.type = as == FROZEN_Q8 ? GEMM_Q8 : as == FROZEN_BF16 || s->from.dtype == TENSOR_BF16 ? GEMM_BF16 : GEMM_F32;
	s->what = PACKED;
	s->bytes = gemm_bytes(s->to.type, s->to.rows, s->to.cols);
}

/* table: the embeddings, which no product reads. */
static void plan(struct source *s, const struct tensor *from, const struct param *p, enum frozen_dtype as, bool table)
{
	s->from = *from;
	s->to = (struct gemm_matrix){GEMM_F32, p->cols ? p->rows : 1, p->cols ? p->cols : p->rows, NULL};
	s->what = table || lies_as_floats(from) ? IN_PLACE : FLOATS;
	s->bytes = table ? 0 : ((size_t)s->to.cols * sizeof(float) + 63) / 64 * 64;
	if (p->cols && !table)
		plan_matrix(s, as);
	else if (s->what == IN_PLACE)
		s->to.v = (void *)from->data;
}

/* One piece of memory for all that is packed or converted. */
static int make_room(struct loading *l, struct err *e)
{
	size_t total = 0;
	for (int i = 0; i <= l->f->lay.n; i++)
		if (l->s[i].what != IN_PLACE)
			total += l->s[i].bytes;
	if (total == 0)
		return 0;
	if (!(l->f->own = pages_alloc(total)))
		return err_mem(e);
	char *p = l->f->own;
	for (int i = 0; i <= l->f->lay.n; i++) {
		struct source *s = &l->s[i];
		if (s->what == IN_PLACE)
			continue;
		s->to.v = p;
		p += s->bytes;
	}
	return 0;
}

/* --- packing ----------------------------------------------------------------------- */

enum {
	STRETCH = 512, /* columns at a time, a multiple of GEMM_BLOCK */
	PIECE = 32     /* panels that a thread converts at a time: about a large page, which one thread waits for */
};

/* n rows from i on, columns k .. k + m - 1, as floats: where they lie, or in buf. *ld: floats from row to row. */
static const float *floats(const struct source *s, int i, int n, int k, int m, float *buf, int *ld)
{
	size_t at = (size_t)i * (size_t)s->to.cols + (size_t)k;
	struct tensor part = part_of(&s->from, at, m);
	*ld = s->to.cols;
	if (lies_as_floats(&part))
		return part.data;
	for (int r = 0; r < n; r++, at += (size_t)s->to.cols) {
		part = part_of(&s->from, at, m);
		tensor_to_f32(&part, buf + (size_t)r * STRETCH);
	}
	*ld = STRETCH;
	return buf;
}

static bool all_finite(const struct gemm *gm, const float *v, int ld, int n, int m)
{
	for (int r = 0; r < n; r++)
		if (!gm->finite(v + (size_t)r * (size_t)ld, (size_t)m))
			return false;
	return true;
}

/* A panel, or as many rows of what is none. */
static void convert_panel(const struct loading *l, struct source *s, int i)
{
	float buf[GEMM_PANEL * STRETCH];
	int n = s->to.rows - i < GEMM_PANEL ? s->to.rows - i : GEMM_PANEL, cols = s->to.cols, ld;
	for (int k = 0; k < cols; k += STRETCH) {
		int m = cols - k < STRETCH ? cols - k : STRETCH;
		const float *v = floats(s, i, n, k, m, buf, &ld);
		if (!all_finite(l->gm, v, ld, n, m))
			atomic_store(&s->bad, true);
		else if (s->what == PACKED)
			l->gm->pack(&s->to, i, k, v, ld, n, m);
		else if (s->what == FLOATS)
			memcpy((float *)s->to.v + k, v, (size_t)m * sizeof *v);
	}
}

static void convert_piece(void *arg, int i)
{
	const struct loading *l = arg;
	struct source *s = l->s;
	while (i < s->first || i >= s->first + s->pieces)
		s++;
	int from = (i - s->first) * PIECE * GEMM_PANEL, end = from + PIECE * GEMM_PANEL;
	for (; from < end && from < s->to.rows && !atomic_load(&s->bad); from += GEMM_PANEL)
		convert_panel(l, s, from);
	if (atomic_fetch_sub(&s->left, 1) == 1 && s->ours && (s->what == PACKED || s->to.rows > 1))
		tensor_drop(&s->from); /* rows of the table come again as tokens ask for them */
}

/* All tensors' pieces are one heap of work: a thread that is held up by another program holds up nobody. */
static int convert(struct loading *l, struct err *e)
{
	int n = l->f->lay.n + l->tied, pieces = 0; /* a head of its own is a parameter */
	if (make_room(l, e))
		return -1;
	/* the vocabulary's matrices first: dropping them takes one thread a while, in which the others have work */
	for (int large = 1; large >= 0; large--)
		for (struct source *s = l->s; s < l->s + n; s++) {
			if ((s->to.rows == l->f->cfg.vocab) != large)
				continue;
			s->first = pieces;
			s->pieces = (s->to.rows + PIECE * GEMM_PANEL - 1) / (PIECE * GEMM_PANEL);
			atomic_init(&s->left, s->pieces);
			pieces += s->pieces;
		}
	pool_run(l->pool, pieces, convert_piece, l);
	for (struct source *s = l->s; s < l->s + n; s++)
		if (atomic_load(&s->bad))
			return modelfile_finite(&s->from, e);
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
	for (int i = 0; i < f->lay.n; i++) {
		l->s[i].from = *modelfile_find(&f->files, f->lay.t[i].name);
		l->s[i].ours = true;
	}
	return 0;
}

/* A model in memory. */
static int sources_of_model(struct loading *l, const struct model *m, const char *name, struct err *e)
{
	struct frozen *f = l->f;
	f->cfg = m->cfg;
	if (params_layout(&f->lay, &f->cfg, e))
		return -1;
	if (!(l->s = calloc((size_t)f->lay.n + 1, sizeof *l->s)))
		return err_mem(e);
	for (int i = 0; i < f->lay.n; i++)
		l->s[i].from = (struct tensor){.name = f->lay.t[i].name, .dtype = TENSOR_F32, .dtype_name = "F32",
		                               .count = f->lay.t[i].n, .data = m->w + f->lay.t[i].off, .file = name};
	return 0;
}

/* Matrices and vectors from the sources named. */
static int take(struct loading *l, enum frozen_dtype as, struct err *e)
{
	struct frozen *f = l->f;
	if (!(f->t = calloc((size_t)f->lay.n + 1, sizeof *f->t)))
		return err_mem(e);
	l->tied = f->lay.head == f->lay.embed;
	l->s[f->lay.n].what = IN_PLACE;
	for (int i = 0; i < f->lay.n; i++) {
		const struct param *p = &f->lay.t[i];
		bool table = p->off == f->lay.embed;
		plan(&l->s[i], &l->s[i].from, p, as, table);
		if (table)
			f->table = l->s[i].from;
		if (table && l->tied) /* the same numbers once more, as products want them */
			plan(&l->s[f->lay.n], &l->s[i].from, p, as, false);
	}
	if (convert(l, e))
		return -1;
	for (int i = 0; i <= f->lay.n; i++)
		f->t[i] = l->s[i].to;
	if (!l->tied)
		f->t[f->lay.n] = *frozen_matrix(f, f->lay.head);
	return 0;
}

static int load(struct loading *l, const char *dir, enum frozen_dtype as, struct err *e)
{
	struct frozen *f = l->f;
	int folded = lorafile_is(dir, e);
	if (folded == 0)
		return sources_of_files(l, dir, e) || take(l, as, e) ? -1 : 0;
	/* the weights an adapter is folded into */
	return folded < 0 || model_load(&f->m, dir, e) || sources_of_model(l, &f->m, dir, e) || take(l, as, e) ? -1 : 0;
}

/* From a directory, or a model in memory. */
static int make(struct frozen *f, const char *dir, const struct model *m, enum frozen_dtype as, int threads, struct err *e)
{
	struct loading l = {.f = f, .gm = gemm_best(), .pool = pool_open(threads)};
	*f = (struct frozen){0};
	int rc = -1;
	if (!l.pool)
		err_mem(e);
	else if (m)
		rc = sources_of_model(&l, m, "", e) || take(&l, as, e) ? -1 : 0;
	else
		rc = load(&l, dir, as, e);
	pool_close(l.pool);
	free(l.s);
	if (rc)
		frozen_release(f);
	return rc;
}

int frozen_load(struct frozen *f, const char *dir, enum frozen_dtype as, int threads, struct err *e)
{
	return make(f, dir, NULL, as, threads, e);
}

int frozen_view(struct frozen *f, const struct model *m, int threads, struct err *e)
{
	return make(f, NULL, m, FROZEN_F32, threads, e);
}

void frozen_release(struct frozen *f)
{
	free(f->t);
	free(f->own);
	params_release(&f->lay);
	tensor_release(&f->files);
	model_release(&f->m);
	*f = (struct frozen){0};
}
