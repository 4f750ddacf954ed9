#include "base/pcg.h"

enum { POOL = 4 };

/* --- SeedSequence --------------------------------------------------------------
 * A pool of four words is filled from the entropy and stirred until each word
 * depends on all; the state is then read out of it by a second hash. */

static uint32_t hash(uint32_t v, uint32_t *k, uint32_t mult)
{
	v ^= *k;
	*k *= mult;
	v *= *k;
	return v ^ v >> 16;
}

static uint32_t mix(uint32_t a, uint32_t b)
{
	uint32_t v = a * 0xCA01F9DD - b * 0x4973F715;
	return v ^ v >> 16;
}

/* At most two words of entropy here; SeedSequence's rule for more than POOL is not needed. */
static void fill_pool(uint32_t *pool, uint64_t seed)
{
	uint32_t k = 0x43B0D7E5;
	const uint32_t entropy[POOL] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
	for (int i = 0; i < POOL; i++)
		pool[i] = hash(entropy[i], &k, 0x931E8875);
	for (int from = 0; from < POOL; from++)
		for (int to = 0; to < POOL; to++)
			if (from != to)
				pool[to] = mix(pool[to], hash(pool[from], &k, 0x931E8875));
}

static unsigned __int128 word128(uint64_t high, uint64_t low)
{
	return (unsigned __int128)high << 64 | low;
}

/* --- PCG64 ----------------------------------------------------------------------- */

static void step(struct pcg *r)
{
	r->state = r->state * word128(0x2360ED051FC65DA4, 0x4385DF649FCCF645) + r->inc;
}

void pcg_seed(struct pcg *r, uint64_t seed)
{
	uint32_t pool[POOL], k = 0x8B51F9DD;
	uint64_t out[POOL] = {0};
	fill_pool(pool, seed);
	for (int i = 0; i < 2 * POOL; i++)
		out[i / 2] |= (uint64_t)hash(pool[i % POOL], &k, 0x58F38DED) << 32 * (i % 2);
	*r = (struct pcg){.inc = word128(out[2], out[3]) << 1 | 1};
	step(r);
	r->state += word128(out[0], out[1]);
	step(r);
}

uint64_t pcg_u64(struct pcg *r)
{
	step(r);
	uint64_t x = (uint64_t)(r->state >> 64) ^ (uint64_t)r->state;
	unsigned turn = (unsigned)(r->state >> 122);
	return x >> turn | x << (-turn & 63);
}

uint32_t pcg_u32(struct pcg *r)
{
	if (r->has_half) {
		r->has_half = false;
		return r->half;
	}
	uint64_t x = pcg_u64(r);
	r->half = (uint32_t)(x >> 32);
	r->has_half = true;
	return (uint32_t)x;
}

uint64_t pcg_interval(struct pcg *r, uint64_t max)
{
	if (max == 0)
		return 0;
	uint64_t v, mask = UINT64_MAX >> __builtin_clzll(max);
	do
		v = mask & (max <= UINT32_MAX ? pcg_u32(r) : pcg_u64(r));
	while (v > max);
	return v;
}
