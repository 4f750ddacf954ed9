/* nx/attention, nx/mat and nx/losshead: strips, grids of blocks and chunks against
 * the plain loops of nx/kernel_ref, with sizes that do not divide. */
#include "test.h"

#include "base/cpu.h"
#include "base/xoshiro.h"
#include "nx/attention.h"
#include "nx/kernel_ref.h"
#include "nx/losshead.h"
#include "nx/mat.h"

static struct xoshiro rnd = {{1, 2, 3, 4}};
static struct err e;

static void fill(float *f, double *d, size_t n)
{
	for (size_t i = 0; i < n; i++)
		d[i] = f[i] = (float)(2 * xoshiro_f64(&rnd) - 1);
}

/* Largest difference against the largest number wanted, at least 0.02: inputs are of size 1, and of a sum whose
 * terms cancel, as a gradient that is 0, their rounding of some 1e-7 is left. */
static double off(const float *got, const double *want, size_t n)
{
	double worst = 0, size = 0.02;
	for (size_t i = 0; i < n; i++) {
		double d = fabs(got[i] - want[i]);
		worst = d >= worst ? d : isnan(d) ? INFINITY : worst;
		size = fmax(size, fabs(want[i]));
	}
	return worst / size;
}

#define CLOSE(got, want, n, ...) TEST(off(got, want, n) < 5e-6, __VA_ARGS__)

/* --- attention ------------------------------------------------------------------------------- */

enum { ROWS = 200, HD = 24, HEADS = 2, LD = 3 * HEADS * HD, LDO = HEADS * HD };

/* Rows of [head][q,k,v][hd]; the other head's numbers must stay as they are. */
struct rows {
	float f[ROWS * LD];
	double d[3][ROWS * HD]; /* q, k, v of head 1 */
};

static float *part(struct rows *r, int row, int which)
{
	return r->f + row * LD + 3 * HD + which * HD;
}

static void spread(struct rows *r)
{
	static double all[ROWS * LD];
	fill(r->f, all, ROWS * LD);
	for (int which = 0; which < 3; which++)
		for (int i = 0; i < ROWS * HD; i++)
			r->d[which][i] = part(r, i / HD, which)[i % HD];
}

static void forward(const struct kernel *kr, const struct matmul *mm, struct rows *r, int nq, int nk)
{
	static float out[ROWS * LDO], got[ROWS * HD], lse[ROWS];
	static double want[ROWS * HD];
	float *scratch = malloc(attention_scratch(mm, nk, HD, false) * sizeof *scratch);
	struct attention_head h = {part(r, nk - nq, 0), part(r, 0, 1), part(r, 0, 2), LD, LD, LD, nq, nk, HD};
	kernel_ref_attention(want, r->d[0] + (nk - nq) * HD, r->d[1], r->d[2], nq, nk, HD);
	for (int keep = 0; keep < 2; keep++) {
		memset(out, 0, sizeof out);
		attention_forward(kr, mm, &h, out + HD, LDO, keep ? lse : NULL, scratch);
		for (int i = 0; i < nq * HD; i++)
			got[i] = out[i / HD * LDO + HD + i % HD];
		CLOSE(got, want, (size_t)(nq * HD), "%s attention of %d queries to %d keys", kr->name, nq, nk);
	}
	free(scratch);
}

static void backward(const struct kernel *kr, const struct matmul *mm, struct rows *r, int n)
{
	static float out[ROWS * LDO], dout[ROWS * LDO], lse[ROWS], got[ROWS * HD];
	static double want[3][ROWS * HD], all[ROWS * LDO], g[ROWS * HD];
	static struct rows d;
	float *scratch = malloc(attention_scratch(mm, n, HD, true) * sizeof *scratch);
	struct attention_head h = {part(r, 0, 0), part(r, 0, 1), part(r, 0, 2), LD, LD, LD, n, n, HD};
	memset(want, 0, sizeof want);
	fill(dout, all, ROWS * LDO);
	for (int i = 0; i < n * HD; i++)
		g[i] = dout[i / HD * LDO + HD + i % HD];
	for (int i = 0; i < ROWS * LD; i++)
		d.f[i] = 7;
	attention_forward(kr, mm, &h, out + HD, LDO, lse, scratch);
	attention_backward(kr, mm, &h, out + HD, dout + HD, LDO, lse, part(&d, 0, 0), part(&d, 0, 1), part(&d, 0, 2), scratch);
	kernel_ref_attention_back(want[0], want[1], want[2], g, r->d[0], r->d[1], r->d[2], n, n, HD);
	for (int which = 0; which < 3; which++) {
		for (int i = 0; i < n * HD; i++)
			got[i] = part(&d, i / HD, which)[i % HD];
		CLOSE(got, want[which], (size_t)(n * HD), "%s attention back, %d rows: d%c", kr->name, n, "qkv"[which]);
	}
	int others = 0;
	for (int i = 0; i < ROWS * LD; i++)
		others += (i % LD < 3 * HD || i / LD >= n) && d.f[i] != 7;
	TEST(others == 0, "%s: nothing else was written", kr->name);
	free(scratch);
}

/* The angles as HF computes them, float32 at every step. */
static void angles(void)
{
	struct attention_angles a = {0};
	struct config c = {.rotary_dims = 16, .rope_theta = 10000};
	TEST(attention_angles_upto(&a, &c, 3, &e) == 0 && attention_angles_upto(&a, &c, 2049, &e) == 0, "angles grow");
	double worst = 0;
	for (int p = 0; p < 2049; p++)
		for (int i = 0; i < 8; i++) {
			float angle = (float)p * (1 / powf(10000, (float)(2 * i) / 16));
			worst = fmax(worst, fabs((double)a.cos[p * 8 + i] - cos((double)angle)));
			worst = fmax(worst, fabs((double)a.sin[p * 8 + i] - sin((double)angle)));
		}
	/* pow of float and of double may differ by the last bit, at 2048 radians 1.2e-4 of an angle. */
	TEST(worst < 3e-4, "angles of 2049 positions, off by %.1e", worst);
	TEST(a.cos[0] == 1 && a.sin[0] == 0 && fabs((double)a.sin[8] - sin(1)) < 1e-7, "position 0 does not turn, 1 does");
	attention_angles_release(&a);
}

/* --- products ---------------------------------------------------------------------------------- */

static void products(enum mat_kind kind, int threads, int n, int out, int in)
{
	struct pool *p = pool_open(threads);
	struct mat *m = mat_open(p, kind, &e);
	TEST(mat_is_blas(m) == (kind == MAT_BLAS || !cpu_can(CPU_AVX2)), "OpenBLAS is there, and multiplies where it shall");
	size_t nx = (size_t)(n * in), nw = (size_t)(out * in), ny = (size_t)(n * out);
	float *f = malloc((nx + nw + ny + (size_t)out) * sizeof *f), *x = f, *w = x + nx, *y = w + nw, *b = y + ny;
	double *d = malloc((2 * nx + 2 * nw + 2 * ny + (size_t)out) * sizeof *d);
	double *xd = d, *wd = xd + nx, *yd = wd + nw, *bd = yd + ny, *want = bd + out;
	fill(f, d, nx + nw + ny + (size_t)out);
	kernel_ref_matmul(want, xd, wd, bd, n, out, in);
	for (size_t i = 0; i < ny; i++)
		want[i] += yd[i];
	mat_forward(m, y, x, w, b, n, out, in, true);
	CLOSE(y, want, ny, "%d threads, y (%d, %d) += x w^T + b, %d in", threads, n, out, in);
	kernel_ref_matmul(want, xd, wd, NULL, n, out, in);
	mat_forward(m, y, x, w, NULL, n, out, in, false);
	CLOSE(y, want, ny, "y = x w^T");
	kernel_ref_matmul(want, xd, wd, bd, n, out, in);
	mat_forward(m, y, x, w, b, n, out, in, false);
	CLOSE(y, want, ny, "y = x w^T + b");
	/* The gradients are products of the same three: with dy = y. */
	memset(want, 0, nx * sizeof *want);
	for (size_t i = 0; i < ny; i++)
		for (int j = 0; j < in; j++)
			want[i / (size_t)out * (size_t)in + (size_t)j] += y[i] * wd[i % (size_t)out * (size_t)in + (size_t)j];
	float *dx = malloc(nx * sizeof *dx);
	mat_back(m, dx, y, w, n, out, in, false);
	CLOSE(dx, want, nx, "dx = dy w");
	mat_back(m, dx, y, w, n, out, in, true);
	for (size_t i = 0; i < nx; i++)
		want[i] *= 2;
	CLOSE(dx, want, nx, "dx += dy w");
	memcpy(want, wd, nw * sizeof *want);
	for (size_t i = 0; i < ny; i++)
		for (int j = 0; j < in; j++)
			want[i % (size_t)out * (size_t)in + (size_t)j] += y[i] * xd[i / (size_t)out * (size_t)in + (size_t)j];
	mat_grad(m, w, y, x, n, out, in);
	CLOSE(w, want, nw, "dw += dy^T x");
	free(f);
	free(d);
	free(dx);
	mat_close(m);
	pool_close(p);
}

/* --- loss head ---------------------------------------------------------------------------------- */

/* 2300 scored rows are three chunks of at most 1024. */
static void losshead(int threads)
{
	enum { N = 2400, M = 2300, V = 50, C = 20 };
	static float h[N * C], w[V * C], dw[V * C], dh[N * C];
	static double hd[N * C], wd[V * C], dwd[V * C], dhd[N * C], row[V], drow[V], nll[M];
	static int32_t rows[M], label[M];
	double want = 0;
	fill(h, hd, N * C);
	fill(w, wd, V * C);
	memset(dw, 0, sizeof dw);
	memset(dh, 0, sizeof dh);
	memset(dwd, 0, sizeof dwd);
	memset(dhd, 0, sizeof dhd);
	for (int i = 0; i < M; i++) {
		rows[i] = i + i / 23;
		label[i] = i * 7 % V;
		kernel_ref_matmul(row, hd + rows[i] * C, wd, NULL, 1, V, C);
		memset(drow, 0, sizeof drow);
		want += kernel_ref_xent(drow, row, V, label[i], 0.5);
		for (int v = 0; v < V; v++)
			for (int j = 0; j < C; j++) {
				dwd[v * C + j] += drow[v] * hd[rows[i] * C + j];
				dhd[rows[i] * C + j] += drow[v] * wd[v * C + j];
			}
	}
	float *scratch = malloc(losshead_scratch(V, C) * sizeof *scratch);
	struct pool *p = pool_open(threads);
	struct mat *m = mat_open(p, MAT_F32, &e);
	struct losshead l = {.kr = kernel_best(), .pool = p, .mat = m, .vocab = V, .hidden = C, .w = w, .dw = dw, .h = h, .dh = dh,
	                     .rows = rows, .label = label, .m = M, .scale = 0.5f, .scratch = scratch, .nll = nll};
	TEST_NEAR(losshead_run(&l), want, 1e-6, "loss of %d rows, %d threads", M, threads);
	CLOSE(dw, dwd, V * C, "gradient of the head");
	CLOSE(dh, dhd, N * C, "gradient of the rows, 0 where nothing is scored");
	l.dw = NULL;
	TEST_NEAR(losshead_run(&l), want, 1e-6, "the loss alone");
	mat_close(m);
	pool_close(p);
	free(scratch);
}

int main(void)
{
	static struct rows r;
	spread(&r);
	for (int i = 0; kernel_at(i); i++) {
		const struct kernel *kr = kernel_at(i);
		const struct matmul *mm = matmul_at(i);
		forward(kr, mm, &r, 1, 1);
		forward(kr, mm, &r, 1, 90);
		forward(kr, mm, &r, 64, 64);
		forward(kr, mm, &r, 5, 133);
		forward(kr, mm, &r, 200, 200);
		backward(kr, mm, &r, 1);
		backward(kr, mm, &r, 64);
		backward(kr, mm, &r, 150);
	}
	angles();
	for (int threads = 1; threads < 7; threads++)
		for (enum mat_kind kind = MAT_F32; kind <= MAT_BLAS; kind += MAT_BLAS - MAT_F32) {
			products(kind, threads, 1, 33, 20);
			products(kind, threads, 2, 50, 7);
			products(kind, threads, 70, 45, 64);
			products(kind, threads, 19, 130, 33);
			products(kind, threads, 300, 301, 302);
		}
	losshead(1);
	losshead(3);
	return test_done();
}
