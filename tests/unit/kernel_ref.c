/* nx/kernel_ref: each way back against differences of its way there, in double:
 * (L(p + h) - L(p - h)) / 2h for L = sum(dy f(p)), every element of every input. */
#include "test.h"

#include "base/xoshiro.h"
#include "nx/kernel_ref.h"

static struct xoshiro rnd = {{1, 2, 3, 4}};

enum { N = 5, C = 12, HD = 6, NK = 7, MAX = 200 };

static void fill(double *v, int n)
{
	for (int i = 0; i < n; i++)
		v[i] = 2 * xoshiro_f64(&rnd) - 1;
}

static double dot(const double *a, const double *b, int n)
{
	double s = 0;
	for (int i = 0; i < n; i++)
		s += a[i] * b[i];
	return s;
}

/* Compares got[0..n) with the differences of loss when p[0..n) move. */
static void differences(const char *what, double *p, int n, const double *got, double (*loss)(void *), void *arg)
{
	const double h = 1e-5;
	double worst = 0;
	for (int i = 0; i < n; i++) {
		double keep = p[i];
		p[i] = keep + h;
		double up = loss(arg);
		p[i] = keep - h;
		double down = loss(arg);
		p[i] = keep;
		worst = fmax(worst, fabs((up - down) / (2 * h) - got[i]));
	}
	TEST(worst < 1e-8, "%s: %d slopes, off by %.1e", what, n, worst);
}

struct norm {
	double x[N * C], w[C], b[C], dy[N * C];
};

static double norm_loss(void *arg)
{
	struct norm *s = arg;
	double y[N * C];
	kernel_ref_layernorm(y, s->x, s->w, s->b, N, C, 1e-5);
	return dot(y, s->dy, N * C);
}

static void layernorm(void)
{
	struct norm s;
	double dx[N * C] = {0}, dw[C] = {0}, db[C] = {0};
	fill(s.x, N * C);
	fill(s.w, C);
	fill(s.b, C);
	fill(s.dy, N * C);
	kernel_ref_layernorm_back(dx, dw, db, s.dy, s.x, s.w, N, C, 1e-5);
	differences("layernorm x", s.x, N * C, dx, norm_loss, &s);
	differences("layernorm w", s.w, C, dw, norm_loss, &s);
	differences("layernorm b", s.b, C, db, norm_loss, &s);
}

struct one {
	double x;
	enum config_act act;
};

static double act_loss(void *arg)
{
	struct one *s = arg;
	return kernel_ref_act(s->x, s->act);
}

static void acts(void)
{
	static const char *const name[] = {"gelu", "gelu_new", "gelu_fast", "relu"};
	for (int a = CONFIG_GELU; a <= CONFIG_RELU; a++)
		for (double x = -3.25; x < 4; x += 1.1) {
			struct one s = {x, (enum config_act)a};
			double slope = kernel_ref_act_slope(x, s.act);
			differences(name[a], &s.x, 1, &slope, act_loss, &s);
		}
}

struct turn {
	double qkv[2 * 3 * 3 * HD], angle[2 * 2], dy[2 * 3 * 3 * HD];
};

static double turn_loss(void *arg)
{
	struct turn *s = arg;
	double y[2 * 3 * 3 * HD];
	memcpy(y, s->qkv, sizeof y);
	kernel_ref_rotary(y, s->angle, 2, 3, HD, 4, 1);
	return dot(y, s->dy, 2 * 3 * 3 * HD);
}

static void rotary(void)
{
	struct turn s;
	double dx[2 * 3 * 3 * HD];
	fill(s.qkv, 2 * 3 * 3 * HD);
	fill(s.angle, 4);
	fill(s.dy, 2 * 3 * 3 * HD);
	memcpy(dx, s.dy, sizeof dx);
	kernel_ref_rotary(dx, s.angle, 2, 3, HD, 4, -1);
	differences("rotary", s.qkv, 2 * 3 * 3 * HD, dx, turn_loss, &s);
}

struct heads {
	double q[N * HD], k[NK * HD], v[NK * HD], dout[N * HD];
};

static double attention_loss(void *arg)
{
	struct heads *s = arg;
	double out[N * HD];
	kernel_ref_attention(out, s->q, s->k, s->v, N, NK, HD);
	return dot(out, s->dout, N * HD);
}

static void attention(void)
{
	struct heads s;
	double dq[N * HD] = {0}, dk[NK * HD] = {0}, dv[NK * HD] = {0};
	fill(s.q, N * HD);
	fill(s.k, NK * HD);
	fill(s.v, NK * HD);
	fill(s.dout, N * HD);
	kernel_ref_attention_back(dq, dk, dv, s.dout, s.q, s.k, s.v, N, NK, HD);
	differences("attention q", s.q, N * HD, dq, attention_loss, &s);
	differences("attention k", s.k, NK * HD, dk, attention_loss, &s);
	differences("attention v", s.v, NK * HD, dv, attention_loss, &s);
}

static double xent_loss(void *arg)
{
	return 0.7 * kernel_ref_xent(NULL, arg, C, 3, 0);
}

static void xent(void)
{
	double x[C], dx[C] = {0};
	fill(x, C);
	kernel_ref_xent(dx, x, C, 3, 0.7);
	differences("cross entropy", x, C, dx, xent_loss, x);
}

int main(void)
{
	layernorm();
	acts();
	rotary();
	attention();
	xent();
	return test_done();
}
