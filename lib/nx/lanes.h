/* lanes.h - registers of floats of the instruction set that a *_isa.c file is compiled for, LANES of them.
 *
 *	vec a = load(p), s = zero();
 *	s = muladd(all_of(x[i]), a, s);
 *
 * For *_isa.c files alone. muladd rounds once where the set has that. */
#ifndef NX_LANES_H
#define NX_LANES_H

#include <string.h>

#if defined __AVX2__
#include <immintrin.h>
#endif

#if defined __AVX512F__
enum { LANES = 16 };
typedef __m512 vec;
#define load(p) _mm512_loadu_ps(p)
#define store(p, v) _mm512_storeu_ps(p, v)
#define muladd(a, b, c) _mm512_fmadd_ps(a, b, c)
#define all_of(f) _mm512_set1_ps(f)
#define zero() _mm512_setzero_ps()
#elif defined __AVX2__
enum { LANES = 8 };
typedef __m256 vec;
#define load(p) _mm256_loadu_ps(p)
#define store(p, v) _mm256_storeu_ps(p, v)
#define muladd(a, b, c) _mm256_fmadd_ps(a, b, c)
#define all_of(f) _mm256_set1_ps(f)
#define zero() _mm256_setzero_ps()
#else
enum { LANES = 4 };
typedef float vec __attribute__((vector_size(16)));
#define muladd(a, b, c) ((a) * (b) + (c))
#define store(p, v) memcpy(p, &(v), sizeof(vec))
#define all_of(f) ((vec){f, f, f, f})
#define zero() ((vec){0})

static inline __attribute__((always_inline)) vec load(const float *p)
{
	vec v;
	memcpy(&v, p, sizeof v);
	return v;
}
#endif

#endif
