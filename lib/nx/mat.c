#include "nx/mat.h"

#include "base/cpu.h"
#include "nx/matmul.h"
#include "nx/params.h"

#include <cblas.h>
#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>

/* OpenBLAS, loaded by those who multiply with it alone: a thread begins with it and looks for work for a while. */
struct blas {
	__typeof__(&cblas_sgemm) sgemm;
	__typeof__(&openblas_set_num_threads) threads;
};

struct mat {
	struct pool *pool;
	const struct matmul *t; /* NULL: OpenBLAS */
	struct blas blas;
	bool bf16;
	size_t each; /* floats of room a thread */
	float *room;
};

/* A product as the threads share it: the result (rows, cols) is cut into a grid
 * of blocks, one a thread, each a product of its own. */
struct product {
	const struct mat *m;
	struct matmul_product p;
	int down, across; /* of the grid */
};

/* False: this machine has none. */
static bool load(struct blas *b)
{
	void *lib = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL); /* for good: it has threads */
	if (!lib)
		return false;
	b->sgemm = (__typeof__(b->sgemm))dlsym(lib, "cblas_sgemm");
	b->threads = (__typeof__(b->threads))dlsym(lib, "openblas_set_num_threads");
	return b->sgemm && b->threads;
}

/* NULL: OpenBLAS, and it is there. */
static const struct matmul *table(enum mat_kind kind, struct blas *b)
{
	bool wanted = kind == MAT_BLAS || (kind == MAT_F32 && !cpu_can(CPU_AVX2));
	return wanted && load(b) ? NULL : matmul_best(kind == MAT_BF16);
}

/* Floats of room a thread, whole cache lines. */
static size_t room(const struct matmul *t)
{
	return t ? (matmul_room(t) + 15) / 16 * 16 : 0;
}

size_t mat_bytes(enum mat_kind kind, int threads)
{
	struct blas b;
	return room(table(kind, &b)) * (size_t)threads * sizeof(float);
}

struct mat *mat_open(struct pool *pool, enum mat_kind kind, struct err *e)
{
	struct mat *m = calloc(1, sizeof *m);
	if (!m) {
		err_mem(e);
		return NULL;
	}
	m->pool = pool;
	m->t = table(kind, &m->blas);
	m->bf16 = kind == MAT_BF16;
	if (!m->t && m->blas.threads) {
		m->blas.threads(1);
		return m;
	}
	m->each = room(m->t);
	m->room = params_floats(m->each * (size_t)pool_threads(pool));
	if (!m->room) {
		free(m);
		err_mem(e);
		return NULL;
	}
	return m;
}

bool mat_is_blas(const struct mat *m)
{
	return !m->t;
}

void mat_close(struct mat *m)
{
	if (!m)
		return;
	free(m->room);
	free(m);
}

bool mat_has_bf16(void)
{
	return cpu_bf16_dots();
}

/* Where part i of `parts` of n begins: a multiple of `grain`, which a tile of the result is. */
static int cut(int n, int parts, int i, int grain)
{
	if (i == parts)
		return n;
	return (int)((long long)n * i / parts) / grain * grain;
}

/* With a bias c begins as the bias, or has it added, and the product is added to that. */
static void begin_block(const struct matmul_product *p)
{
	float *c = p->c;
	for (int i = 0; i < p->m; i++, c += p->ldc)
		for (int j = 0; j < p->n; j++)
			c[j] = p->add ? c[j] + p->bias[j] : p->bias[j];
}

static void blas(const struct blas *b, const struct matmul_product *p)
{
	enum CBLAS_TRANSPOSE ta = p->a.depth == 1 ? CblasNoTrans : CblasTrans, tb = p->b.depth == 1 ? CblasTrans : CblasNoTrans;
	int lda = (int)(ta == CblasNoTrans ? p->a.across : p->a.depth), ldb = (int)(tb == CblasNoTrans ? p->b.depth : p->b.across);
	if (p->bias)
		begin_block(p);
	b->sgemm(CblasRowMajor, ta, tb, p->m, p->n, p->k, 1, p->a.v, lda, p->b.v, ldb, p->add || p->bias ? 1 : 0, p->c,
	         (int)p->ldc);
}

static void block(void *arg, int i)
{
	const struct product *w = arg;
	const struct matmul *t = w->m->t;
	struct matmul_product p = w->p;
	int gm = t ? t->rows : 16, gn = t ? t->cols : 16, down = i / w->across, across = i % w->across;
	int r0 = cut(p.m, w->down, down, gm), r1 = cut(p.m, w->down, down + 1, gm);
	int c0 = cut(p.n, w->across, across, gn), c1 = cut(p.n, w->across, across + 1, gn);
	if (r1 == r0 || c1 == c0)
		return;
	p.m = r1 - r0;
	p.n = c1 - c0;
	p.c += r0 * p.ldc + c0;
	p.a.v += r0 * p.a.across;
	p.b.v += c0 * p.b.across;
	p.bias = p.bias ? p.bias + c0 : NULL;
	if (t)
		matmul_run(t, &p, w->m->room + (size_t)i * w->m->each);
	else
		blas(&w->m->blas, &p);
}

/* A block reads its rows of a and its columns of b: of the grids with one block
 * a thread the one with the least to read. */
static void share(const struct mat *m, const struct matmul_product *p)
{
	struct product w = {m, *p, 1, 1};
	int threads = pool_threads(m->pool);
	double least = 0;
	w.p.bf16 = m->bf16;
	for (int down = 1; down <= threads; down++) {
		if (threads % down)
			continue;
		double reads = (double)p->m / down + (double)p->n * down / threads;
		if (least == 0 || reads < least) {
			least = reads;
			w.down = down;
			w.across = threads / down;
		}
	}
	pool_run(m->pool, threads, block, &w);
}

void mat_forward(const struct mat *m, float *y, const float *x, const float *w, const float *bias, int n, int out,
                 int in, bool add)
{
	struct matmul_product p = {.c = y, .ldc = out, .a = {x, in, 1}, .b = {w, in, 1}, .m = n, .n = out, .k = in,
	                           .bias = bias, .add = add};
	if (n > 0)
		share(m, &p);
}

void mat_back(const struct mat *m, float *dx, const float *dy, const float *w, int n, int out, int in, bool add)
{
	struct matmul_product p = {.c = dx, .ldc = in, .a = {dy, out, 1}, .b = {w, 1, in}, .m = n, .n = in, .k = out, .add = add};
	if (n > 0)
		share(m, &p);
}

void mat_grad(const struct mat *m, float *dw, const float *dy, const float *x, int n, int out, int in)
{
	struct matmul_product p = {.c = dw, .ldc = in, .a = {dy, 1, out}, .b = {x, 1, in}, .m = out, .n = in, .k = n, .add = true};
	if (n > 0)
		share(m, &p);
}
