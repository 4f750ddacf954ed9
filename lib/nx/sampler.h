/* sampler.h - in which order an epoch visits the records. Frozen: the same on
 * every machine, for any number of threads, in every later version.
 *
 *	struct sampler s;
 *	if (sampler_open(&s, SAMPLER_HF, n, 42, &e)) ...
 *	const uint32_t *order = sampler_epoch(&s, 0);     n record numbers; valid until the next call
 *	sampler_release(&s);
 *
 * ORDERS (randperm as in base/mt.h)
 *	hf          epoch e: randperm(n) of a generator seeded with seed + e.
 *	            transformers 5 with accelerate 1 (its SeedableRandomSampler)
 *	hf-4.25     a generator seeded with seed draws 64 bits, of which the low 32
 *	            seed a second one. This one serves all epochs: each draws
 *	            randperm(n), then a second randperm(n) that is thrown away.
 *	            transformers 4.25 with torch's RandomSampler
 *	sequential  0, 1, 2, ... in every epoch */
#ifndef NX_SAMPLER_H
#define NX_SAMPLER_H

#include "base/err.h"
#include "base/mt.h"

#include <stdint.h>

enum sampler_kind { SAMPLER_HF, SAMPLER_HF_425, SAMPLER_SEQUENTIAL };
#define SAMPLER_WORDS "hf|hf-4.25|sequential" /* in the order of the enum, for an option table */

struct sampler {
	enum sampler_kind kind;
	uint64_t seed;
	uint32_t n;
	uint32_t *order;
	struct mt r;
	uint64_t drawn; /* epochs that r has drawn (hf-4.25) */
};

int sampler_open(struct sampler *s, enum sampler_kind kind, uint32_t n, uint64_t seed, struct err *e);
/* Any epoch at any time; hf-4.25 draws those before it again when going back. */
const uint32_t *sampler_epoch(struct sampler *s, uint64_t epoch);
void sampler_release(struct sampler *s);

#endif
