/* Compiled once for each instruction set; update.c chooses. Square roots and
 * divisions are IEEE's on each, so that only the order of sums differs. */
#include "nx/update.h"
#include "base/isa.h"

#include <math.h>


static double sumsq(const float *g, size_t n)
{
	double s = 0;
#pragma omp simd reduction(+ : s)
	for (size_t i = 0; i < n; i++)
		s += (double)g[i] * (double)g[i];
	return s;
}

static void adamw(float *restrict p, float *restrict m, float *restrict v, float *restrict g, size_t n,
                  const struct update_adamw *c)
{
	const struct update_adamw k = *c;
#pragma omp simd
	for (size_t i = 0; i < n; i++) {
		float gi = g[i] * k.scale;
		float mi = m[i] + (gi - m[i]) * k.a1;
		float vi = v[i] * k.b2 + gi * gi * k.a2;
		m[i] = mi;
		v[i] = vi;
		p[i] = p[i] * k.keep - k.rate * mi / (sqrtf(vi) * k.unbias + k.eps);
		g[i] = 0;
	}
}

static void sgd(float *restrict p, float *restrict g, size_t n, float scale, float keep, float rate)
{
#pragma omp simd
	for (size_t i = 0; i < n; i++) {
		p[i] = p[i] * keep - rate * (g[i] * scale);
		g[i] = 0;
	}
}

static void squares(double *restrict row, double *restrict col, const float *restrict g, int rows, int cols, float scale)
{
	for (int i = 0; i < rows; i++, g += cols) {
		double s = 0;
#pragma omp simd reduction(+ : s)
		for (int j = 0; j < cols; j++) {
			double x = (double)(g[j] * scale), xx = x * x;
			s += xx;
			col[j] += xx;
		}
		row[i] = s;
	}
}

static double factored_sumsq(const float *restrict g, const float *restrict rf, const float *restrict cf, int rows,
                             int cols, float scale)
{
	double sum = 0;
	for (int i = 0; i < rows; i++, g += cols) {
		float r = rf[i];
		double s = 0;
#pragma omp simd reduction(+ : s)
		for (int j = 0; j < cols; j++) {
			float u = r * cf[j] * (g[j] * scale);
			s += (double)u * (double)u;
		}
		sum += s;
	}
	return sum;
}

static void factored(float *restrict p, float *restrict g, const float *restrict rf, const float *restrict cf, int rows,
                     int cols, float scale, float keep, float rate)
{
	for (int i = 0; i < rows; i++, g += cols, p += cols) {
		float r = rf[i];
#pragma omp simd
		for (int j = 0; j < cols; j++) {
			float u = r * cf[j] * (g[j] * scale);
			p[j] = p[j] * keep - rate * u;
			g[j] = 0;
		}
	}
}

static double whole_sumsq(float *restrict v, const float *restrict g, size_t n, float scale, float b, float a, float eps)
{
	double s = 0;
#pragma omp simd reduction(+ : s)
	for (size_t i = 0; i < n; i++) {
		float gi = g[i] * scale;
		float vi = v[i] * b + (gi * gi + eps) * a;
		float u = gi / sqrtf(vi);
		v[i] = vi;
		s += (double)u * (double)u;
	}
	return s;
}

static void whole(float *restrict p, const float *restrict v, float *restrict g, size_t n, float scale, float keep,
                  float rate)
{
#pragma omp simd
	for (size_t i = 0; i < n; i++) {
		float u = g[i] * scale / sqrtf(v[i]);
		p[i] = p[i] * keep - rate * u;
		g[i] = 0;
	}
}

ISA_TABLE(struct update, update_isa_) = {ISA_NAME, sumsq, adamw, sgd, squares, factored_sumsq, factored, whole_sumsq, whole};
