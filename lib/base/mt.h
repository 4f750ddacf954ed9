/* mt.h - the random numbers of PyTorch's CPU generator, draw for draw.
 *
 *	struct mt r;
 *	mt_seed(&r, 42);                as torch.manual_seed(42)
 *	uint32_t a = mt_u32(&r);
 *	mt_randperm(&r, p, n);          as torch.randperm(n, generator=r)
 *
 * The generator is mt19937 (Matsumoto and Nishimura 1998) seeded by the low 32
 * bits of the seed, as PyTorch seeds it. */
#ifndef BASE_MT_H
#define BASE_MT_H

#include <stdint.h>

enum { MT_WORDS = 624 };

struct mt {
	uint32_t s[MT_WORDS];
	int at; /* next word of s to hand out */
};

void mt_seed(struct mt *r, uint64_t seed);
uint32_t mt_u32(struct mt *r);
uint64_t mt_u64(struct mt *r); /* two 32-bit draws, the first one is the high half */

/* For i = 0 .. n-2: swaps p[i] and p[i + z mod (n-i)]; z is a 32-bit draw. From
 * n = (2^32-1)/20 on z is a 64-bit draw, and the order no longer PyTorch's. */
void mt_randperm(struct mt *r, uint32_t *p, uint32_t n);

#endif
