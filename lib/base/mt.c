#include "base/mt.h"

enum { LAG = 397 };

void mt_seed(struct mt *r, uint64_t seed)
{
	r->s[0] = (uint32_t)seed;
	for (uint32_t i = 1; i < MT_WORDS; i++)
		r->s[i] = UINT32_C(1812433253) * (r->s[i - 1] ^ (r->s[i - 1] >> 30)) + i;
	r->at = MT_WORDS;
}

/* x_k = x_{k-227} ^ A(high bit of x_{k-624}, low 31 bits of x_{k-623}), in place. */
static void refill(struct mt *r)
{
	for (int i = 0; i < MT_WORDS; i++) {
		uint32_t y = (r->s[i] & UINT32_C(0x80000000)) | (r->s[(i + 1) % MT_WORDS] & UINT32_C(0x7fffffff));
		r->s[i] = r->s[(i + LAG) % MT_WORDS] ^ (y >> 1) ^ (y & 1 ? UINT32_C(0x9908b0df) : 0);
	}
	r->at = 0;
}

uint32_t mt_u32(struct mt *r)
{
	if (r->at == MT_WORDS)
		refill(r);
	uint32_t y = r->s[r->at++];
	y ^= y >> 11;
	y ^= (y << 7) & UINT32_C(0x9d2c5680);
	y ^= (y << 15) & UINT32_C(0xefc60000);
	return y ^ (y >> 18);
}

uint64_t mt_u64(struct mt *r)
{
	uint64_t high = mt_u32(r);
	return high << 32 | mt_u32(r);
}

void mt_randperm(struct mt *r, uint32_t *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		p[i] = i;
	for (uint32_t i = 0; i + 1 < n; i++) {
		uint32_t left = n - i;
		uint32_t z = i + (n < UINT32_MAX / 20 ? mt_u32(r) % left : (uint32_t)(mt_u64(r) % left));
		uint32_t t = p[i];
		p[i] = p[z];
		p[z] = t;
	}
}
