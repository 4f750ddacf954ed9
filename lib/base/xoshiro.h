/* xoshiro.h - fast random numbers in independent streams, for random weights.
 *
 *	struct xoshiro r;
 *	xoshiro_seed(&r, 42, 7);              stream 7 of seed 42
 *	xoshiro_normals(&r, v, n, 0.02);
 *
 * The generator is xoshiro256++ (Blackman and Vigna 2019); its state is filled
 * by SplitMix64 (Steele et al. 2014) from seed and stream, so each pair gives a
 * sequence of its own and threads need share nothing. */
#ifndef BASE_XOSHIRO_H
#define BASE_XOSHIRO_H

#include <stddef.h>
#include <stdint.h>

struct xoshiro {
	uint64_t s[4];
};

void xoshiro_seed(struct xoshiro *r, uint64_t seed, uint64_t stream);
uint64_t xoshiro_u64(struct xoshiro *r);
double xoshiro_f64(struct xoshiro *r); /* 53 bits: 0 <= result < 1 */
/* n numbers normally distributed around 0 with deviation sigma (polar method, Marsaglia and Bray 1964). */
void xoshiro_normals(struct xoshiro *r, float *v, size_t n, double sigma);

#endif
