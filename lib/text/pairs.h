/* pairs.h - the table of merges that merge.c and its kernels look into: merge.h's slot and made. */
#ifndef TEXT_PAIRS_H
#define TEXT_PAIRS_H

#include "text/merge.h"

static const uint32_t PAIRS_NONE = UINT32_MAX; /* the rank of no merge */
static const uint32_t PAIRS_RANK = (UINT32_C(1) << MERGE_RANK_BITS) - 1;
#define PAIRS_MIX UINT64_C(0x9E3779B97F4A7C15) /* a pair's first slot is what the product has above `shift` */

static inline uint64_t pairs_key(int32_t a, int32_t b)
{
	return (uint64_t)(uint32_t)a << MERGE_ID_BITS | (uint32_t)b;
}

static inline size_t pairs_slots(const struct merge *m)
{
	return (size_t)1 << (64 - m->shift);
}

static inline size_t pairs_home(const struct merge *m, uint64_t pair)
{
	return (size_t)(pair * PAIRS_MIX >> m->shift);
}

#endif
