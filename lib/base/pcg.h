/* pcg.h - the random numbers of NumPy's default_rng(seed), draw for draw.
 *
 *	struct pcg r;
 *	pcg_seed(&r, 123);
 *	uint64_t j = pcg_interval(&r, 9);      0 <= j <= 9, as NumPy's shuffle draws it
 *
 * Seeding is NumPy's SeedSequence (M. E. O'Neill's seed_seq_fe128) over the
 * seed's 32-bit words, low word first, as many as the seed needs; the generator
 * is PCG64 (XSL-RR 128/64, O'Neill 2014):
 *	state = state * 0x2360ED051FC65DA44385DF649FCCF645 + inc
 *	out   = rotr64(high(state) ^ low(state), state >> 122)
 */
#ifndef BASE_PCG_H
#define BASE_PCG_H

#include <stdbool.h>
#include <stdint.h>

struct pcg {
	unsigned __int128 state, inc;
	bool has_half; /* the high half of an output waits to be drawn */
	uint32_t half;
};

void pcg_seed(struct pcg *r, uint64_t seed);
uint64_t pcg_u64(struct pcg *r);
/* One half of a 64-bit output: the low one, next time the high one of the same.
 * pcg_u64 in between leaves a waiting half alone, as in NumPy. */
uint32_t pcg_u32(struct pcg *r);
/* 0 <= result <= max, each as likely: draws are masked to the bits of max and
 * thrown away while above it; 32-bit draws where max fits. max 0 draws nothing. */
uint64_t pcg_interval(struct pcg *r, uint64_t max);

#endif
