#include "base/xoshiro.h"

#include <math.h>

static uint64_t splitmix(uint64_t *x)
{
	uint64_t z = *x += UINT64_C(0x9E3779B97F4A7C15);
	z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
	return z ^ z >> 31;
}

void xoshiro_seed(struct xoshiro *r, uint64_t seed, uint64_t stream)
{
	/* The seed is mixed first: otherwise stream 1 of seed 0 would be near stream 0 of seed 1. */
	uint64_t x = splitmix(&seed) ^ stream;
	for (int i = 0; i < 4; i++)
		r->s[i] = splitmix(&x);
}

static uint64_t rotl(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

uint64_t xoshiro_u64(struct xoshiro *r)
{
	uint64_t *s = r->s, out = rotl(s[0] + s[3], 23) + s[0], t = s[1] << 17;
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return out;
}

double xoshiro_f64(struct xoshiro *r)
{
	return (double)(xoshiro_u64(r) >> 11) * 0x1p-53;
}

void xoshiro_normals(struct xoshiro *r, float *v, size_t n, double sigma)
{
	for (size_t i = 0; i < n; i += 2) {
		double x, y, d;
		do {
			x = 2 * xoshiro_f64(r) - 1;
			y = 2 * xoshiro_f64(r) - 1;
			d = x * x + y * y;
		} while (d >= 1 || d == 0);
		double f = sigma * sqrt(-2 * log(d) / d);
		v[i] = (float)(x * f);
		if (i + 1 < n)
			v[i + 1] = (float)(y * f);
	}
}
