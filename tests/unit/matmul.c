/* nx/matmul: every instruction set against plain sums in double. */
#include "test.h"

#include "base/cpu.h"
#include "nx/matmul.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

enum { M = 211, N = 97, K = 600, LONG = 2100 };

static float *numbers(size_t n, uint32_t s)
{
	float *v = malloc(n * sizeof *v);
	for (size_t i = 0; i < n; i++) {
		s = s * 1664525u + 1013904223u;
		v[i] = (float)(s >> 8) / (1 << 23) - 1;
	}
	return v;
}

static float *room_of(const struct matmul *t)
{
	return aligned_alloc(64, (matmul_room(t) + 15) / 16 * 64);
}

/* A float rounded to bfloat16 by arithmetic: the multiple of its last place that is nearest, of two the even one. */
static float bf16(float f)
{
	int e;
	if (f == 0 || !isfinite(f))
		return f;
	frexpf(f, &e);
	double unit = ldexp(1, e - 8);
	return (float)(nearbyint(f / unit) * unit);
}

/* The operand, n across and k deep, as doubles, one across behind the other; rounded or not. */
static double *plain(const struct matmul_operand *o, int n, int k, bool round)
{
	double *d = malloc((size_t)n * (size_t)k * sizeof *d);
	for (int i = 0; i < n; i++)
		for (int p = 0; p < k; p++) {
			float f = o->v[i * o->across + p * o->depth];
			d[i * k + p] = round ? bf16(f) : f;
		}
	return d;
}

/* How far row i, column j is from the sum in double, in units of the sum of magnitudes. */
static double off(const struct matmul_product *p, const double *a, const double *b, float was, int i, int j)
{
	double sum = (p->bias ? p->bias[j] : 0) + (p->add ? was : 0), size = 1;
	for (int k = 0; k < p->k; k++) {
		double x = a[i * p->k + k] * b[j * p->k + k];
		sum += x;
		size += fabs(x);
	}
	double d = fabs(p->c[i * p->ldc + j] - sum) / size;
	return isnan(d) ? INFINITY : d;
}

/* The operands as they lie in the three products of a layer: 0 a plain, b stored (n, k); 1 both plain; 2 a stored (k, m). */
static struct matmul_product product(const float *a, const float *b, float *c, int m, int n, int k, int form)
{
	struct matmul_product p = {.c = c, .ldc = n + 3, .m = m, .n = n, .k = k};
	p.a = form == 2 ? (struct matmul_operand){a, 1, m + 2} : (struct matmul_operand){a, k + 1, 1};
	p.b = form == 0 ? (struct matmul_operand){b, k + 4, 1} : (struct matmul_operand){b, 1, n + 5};
	return p;
}

static void against_sums(const struct matmul *t, int m, int n, int k, bool round)
{
	float *a = numbers((size_t)(m + 2) * (k + 2), 1), *b = numbers((size_t)(n + 5) * (k + 5), 2), *bias = numbers((size_t)n, 3);
	float *c = malloc((size_t)m * (n + 3) * sizeof *c), *was = numbers((size_t)m * (n + 3), 4), *room = room_of(t);
	double worst = 0;
	bool beyond = false;
	for (int form = 0; form < 3; form++)
		for (int more = 0; more < 4; more++) {
			struct matmul_product p = product(a, b, c, m, n, k, form);
			p.bias = more & 1 ? bias : NULL;
			p.add = more & 2;
			p.bf16 = round;
			memcpy(c, was, (size_t)m * (n + 3) * sizeof *c);
			matmul_run(t, &p, room);
			double *pa = plain(&p.a, m, k, round), *pb = plain(&p.b, n, k, round);
			for (int i = 0; i < m; i++)
				for (int j = 0; j < n + 3; j++) {
					if (j < n)
						worst = fmax(worst, off(&p, pa, pb, was[i * (n + 3) + j], i, j));
					else
						beyond = beyond || c[i * (n + 3) + j] != was[i * (n + 3) + j];
				}
			free(pa);
			free(pb);
		}
	TEST(worst < 4e-7 && !beyond, "%s%s (%d, %d) by (%d, %d): off by %.1e", t->name, round ? " bf16" : "", m, k, k, n, worst);
	free(a);
	free(b);
	free(bias);
	free(c);
	free(was);
	free(room);
}

/* An element is the same to the bit in whatever part of the result it is computed. */
static void parts(const struct matmul *t, bool round)
{
	float *a = numbers(M * (K + 1), 5), *b = numbers(N * (K + 4), 6), *room = room_of(t);
	float *whole = malloc(M * (N + 3) * sizeof *whole), *piece = malloc(M * (N + 3) * sizeof *piece);
	struct matmul_product p = product(a, b, whole, M, N, K, 0);
	int differ = 0;
	p.bf16 = round;
	matmul_run(t, &p, room);
	for (int i = 0, h = 1; i < M; i += h, h = h * 2 + 1)
		for (int j = 0, w = 1; j < N; j += w, w = w * 3) {
			struct matmul_product q = p;
			q.c = piece;
			q.m = M - i < h ? M - i : h;
			q.n = N - j < w ? N - j : w;
			q.a.v += i * q.a.across;
			q.b.v += j * q.b.across;
			matmul_run(t, &q, room);
			for (int r = 0; r < q.m; r++)
				differ += memcmp(piece + r * q.ldc, whole + (i + r) * p.ldc + j, (size_t)q.n * sizeof *piece) != 0;
		}
	TEST(differ == 0, "%s%s: parts are the whole's, to the bit", t->name, round ? " bf16" : "");
	free(a);
	free(b);
	free(whole);
	free(piece);
	free(room);
}

/* With fused multiply-add every table gives the same bits. */
static void tables_agree(void)
{
	float *a = numbers((M + 2) * (K + 2), 7), *b = numbers((N + 5) * (K + 5), 8), *c[2], differ = 0;
	for (int i = 0; i < 2; i++)
		c[i] = calloc(M * (N + 3), sizeof **c);
	for (int form = 0; form < 3; form++) {
		for (int i = 0; i < 2; i++) {
			const struct matmul *t = matmul_at(CPU_AVX2 + i);
			float *room = room_of(t);
			struct matmul_product p = product(a, b, c[i], M, N, K, form);
			matmul_run(t, &p, room);
			free(room);
		}
		differ += memcmp(c[0], c[1], M * (N + 3) * sizeof **c) != 0;
	}
	TEST(differ == 0, "avx2 and avx512 give the same bits");
	free(a);
	free(b);
	free(c[0]);
	free(c[1]);
}

/* What is no number stays none, and nothing else becomes so; numbers too large for bfloat16 become infinite. */
static void odd_numbers(const struct matmul *t, bool round)
{
	enum { D = 33 };
	float a[D * D], b[D * D], c[D * D], *room = room_of(t);
	const uint32_t odd[] = {0x7F800001, 0xFFFFFFFF, 0x7FC00000, 0x7F800000, 0xFF800000, 0x7F7FFFFF};
	for (int o = 0; o < 6; o++)
		for (int form = 0; form < 3; form++) {
			struct matmul_product p = {c, D, {a, form == 2 ? 1 : D, form == 2 ? D : 1}, {b, form == 0 ? D : 1, form == 0 ? 1 : D},
			                           D, D, D, NULL, false, round};
			int bad = 0;
			for (int i = 0; i < D * D; i++)
				a[i] = b[i] = 0.5f;
			memcpy(a + 7 * p.a.across + 20 * p.a.depth, odd + o, sizeof *a);
			matmul_run(t, &p, room);
			for (int i = 0; i < D * D; i++)
				bad += i / D != 7 ? c[i] != D * 0.25f : o < 3 ? !isnan(c[i]) : o < 5 || round ? !isinf(c[i]) : c[i] < 1e38f;
			TEST(bad == 0, "%s%s: %08x in row 7, form %d", t->name, round ? " bf16" : "", odd[o], form);
		}
	free(room);
}

int main(void)
{
	static const int few[][3] = {{1, 1, 1}, {1, 40, 9}, {7, 5, 3}, {6, 16, 8}, {14, 32, 16}, {15, 33, 17}, {13, 31, 258}, {29, 64, 257}};
	const struct matmul *t;
	for (int i = 0; (t = matmul_at(i)); i++)
		for (int round = 0; round < 2; round++) {
			for (size_t s = 0; s < sizeof few / sizeof *few; s++)
				against_sums(t, few[s][0], few[s][1], few[s][2], round);
			against_sums(t, M, N, K, round);
			against_sums(t, 2, LONG, 5, round);
			against_sums(t, LONG, 2, 5, round);
			parts(t, round);
			odd_numbers(t, round);
		}
	if (matmul_at(CPU_AVX512))
		tables_agree();
	TEST(matmul_best(false) && matmul_best(true), "there is a best one");
	return test_done();
}
