/* Compiled once for each instruction set; gemv.c chooses. */
#include "nx/gemv.h"

#include <stddef.h>

#define STR2(x) #x
#define STR(x) STR2(x)
#define CAT2(a, b) a##b
#define CAT(a, b) CAT2(a, b)

static void put(float *y, float sum, const float *bias, int i, bool add)
{
	if (bias)
		sum += bias[i];
	y[i] = add ? y[i] + sum : sum;
}

static void one_row(float *y, const float *w, const float *x, const float *bias, int i, int cols, bool add)
{
	const float *r = w + (size_t)i * (size_t)cols;
	float s = 0;
#pragma omp simd reduction(+ : s)
	for (int j = 0; j < cols; j++)
		s += r[j] * x[j];
	put(y, s, bias, i, add);
}

static void rows(float *y, const float *w, const float *x, const float *bias, int n, int cols, bool add)
{
	int i = 0;
	for (; i + 4 <= n; i += 4) {
		const float *r0 = w + (size_t)i * (size_t)cols, *r1 = r0 + cols, *r2 = r1 + cols, *r3 = r2 + cols;
		float s0 = 0, s1 = 0, s2 = 0, s3 = 0;
#pragma omp simd reduction(+ : s0, s1, s2, s3)
		for (int j = 0; j < cols; j++) {
			s0 += r0[j] * x[j];
			s1 += r1[j] * x[j];
			s2 += r2[j] * x[j];
			s3 += r3[j] * x[j];
		}
		put(y, s0, bias, i, add);
		put(y, s1, bias, i + 1, add);
		put(y, s2, bias, i + 2, add);
		put(y, s3, bias, i + 3, add);
	}
	for (; i < n; i++)
		one_row(y, w, x, bias, i, cols, add);
}

extern const struct gemv CAT(gemv_isa_, ISA);
const struct gemv CAT(gemv_isa_, ISA) = {STR(ISA), rows};
