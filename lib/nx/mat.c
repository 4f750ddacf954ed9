#include "nx/mat.h"

#include <cblas.h>
#include <stddef.h>

/* A product as the threads share it: the result (rows, cols) is cut into a grid
 * of blocks, one a thread, each a product of its own. */
struct product {
	CBLAS_TRANSPOSE ta, tb;
	float *c;
	const float *a, *b, *bias;
	int rows, cols, k, lda, ldb, ldc;
	bool add;
	int down, across; /* of the grid */
};

void mat_setup(void)
{
	openblas_set_num_threads(1);
}

const char *mat_why_no_bf16(void)
{
#ifdef __x86_64__
	if (!__builtin_cpu_supports("avx512bf16"))
		return "this processor has no bfloat16 dot product (avx512_bf16), and to imitate one would be slower than float32";
#endif
	return "OpenBLAS comes without products of bfloat16";
}

/* Where part i of `parts` of n begins: a multiple of 16, so that blocks begin on cache lines. */
static int cut(int n, int parts, int i)
{
	if (i == parts)
		return n;
	return (int)((long long)n * i / parts) / 16 * 16;
}

/* With a bias c begins as the bias, or has it added, and the product is added to that. */
static void begin_block(const struct product *p, float *c, const float *bias, int rows, int cols)
{
	for (int i = 0; i < rows; i++, c += p->ldc)
		for (int j = 0; j < cols; j++)
			c[j] = p->add ? c[j] + bias[j] : bias[j];
}

static void block(void *arg, int i)
{
	const struct product *p = arg;
	int r0 = cut(p->rows, p->down, i / p->across), r1 = cut(p->rows, p->down, i / p->across + 1);
	int c0 = cut(p->cols, p->across, i % p->across), c1 = cut(p->cols, p->across, i % p->across + 1);
	const float *a = p->a + (p->ta == CblasTrans ? (size_t)r0 : (size_t)r0 * (size_t)p->lda);
	const float *b = p->b + (p->tb == CblasTrans ? (size_t)c0 * (size_t)p->ldb : (size_t)c0);
	float *c = p->c + (size_t)r0 * (size_t)p->ldc + c0;
	if (r1 == r0 || c1 == c0)
		return;
	if (p->bias)
		begin_block(p, c, p->bias + c0, r1 - r0, c1 - c0);
	cblas_sgemm(CblasRowMajor, p->ta, p->tb, r1 - r0, c1 - c0, p->k, 1, a, p->lda, b, p->ldb, p->add || p->bias ? 1 : 0,
	            c, p->ldc);
}

/* A block reads its rows of a and its columns of b: of the grids with one block
 * a thread the one with the least to read. */
static void share(struct pool *pool, struct product *p)
{
	int threads = pool_threads(pool);
	double least = 0;
	for (int down = 1; down <= threads; down++) {
		if (threads % down)
			continue;
		double reads = (double)p->rows / down + (double)p->cols * down / threads;
		if (least == 0 || reads < least) {
			least = reads;
			p->down = down;
			p->across = threads / down;
		}
	}
	pool_run(pool, threads, block, p);
}

/* One row: w is read once and nothing else counts, so its rows are shared. */
static void one_row(void *arg, int i)
{
	const struct product *p = arg;
	int c0 = cut(p->cols, p->across, i), c1 = cut(p->cols, p->across, i + 1);
	if (c1 == c0)
		return;
	if (p->bias)
		begin_block(p, p->c + c0, p->bias + c0, 1, c1 - c0);
	cblas_sgemv(CblasRowMajor, CblasNoTrans, c1 - c0, p->k, 1, p->b + (size_t)c0 * (size_t)p->ldb, p->ldb, p->a, 1,
	            p->add || p->bias ? 1 : 0, p->c + c0, 1);
}

void mat_forward(struct pool *pool, float *y, const float *x, const float *w, const float *bias, int n, int out, int in,
                 bool add)
{
	struct product p = {CblasNoTrans, CblasTrans, y, x, w, bias, n, out, in, in, in, out, add, 1, 1};
	if (n == 1) {
		p.across = pool_threads(pool);
		pool_run(pool, p.across, one_row, &p);
	} else if (n > 1) {
		share(pool, &p);
	}
}

void mat_back(struct pool *pool, float *dx, const float *dy, const float *w, int n, int out, int in, bool add)
{
	struct product p = {CblasNoTrans, CblasNoTrans, dx, dy, w, NULL, n, in, out, out, in, in, add, 1, 1};
	if (n > 0)
		share(pool, &p);
}

void mat_grad(struct pool *pool, float *dw, const float *dy, const float *x, int n, int out, int in)
{
	struct product p = {CblasTrans, CblasNoTrans, dw, dy, x, NULL, out, in, n, out, in, in, true, 1, 1};
	if (n > 0)
		share(pool, &p);
}

void mat_nn(float *c, int ldc, const float *a, int lda, const float *b, int ldb, int m, int n, int k, float alpha,
            float beta)
{
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void mat_nt(float *c, int ldc, const float *a, int lda, const float *b, int ldb, int m, int n, int k, float alpha,
            float beta)
{
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void mat_tn(float *c, int ldc, const float *a, int lda, const float *b, int ldb, int m, int n, int k, float alpha,
            float beta)
{
	cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
