#include "nx/sampler.h"

#include <stdlib.h>

/* The global generator, as it stands after set_seed, draws the sampler's seed. */
static void seed_425(struct sampler *s)
{
	mt_seed(&s->r, s->seed);
	mt_seed(&s->r, mt_u64(&s->r));
	s->drawn = 0;
}

int sampler_open(struct sampler *s, enum sampler_kind kind, uint32_t n, uint64_t seed, struct err *e)
{
	*s = (struct sampler){.kind = kind, .seed = seed, .n = n};
	s->order = malloc((n ? n : 1) * sizeof *s->order);
	if (!s->order)
		return err_mem(e);
	for (uint32_t i = 0; i < n; i++)
		s->order[i] = i;
	seed_425(s);
	return 0;
}

static void draw_425(struct sampler *s, uint64_t epoch)
{
	if (epoch < s->drawn)
		seed_425(s);
	for (;;) {
		/* torch's sampler rounds up its number of samples by a second permutation of which it takes none */
		if (s->drawn)
			mt_randperm(&s->r, s->order, s->n);
		mt_randperm(&s->r, s->order, s->n);
		if (s->drawn++ == epoch)
			return;
	}
}

const uint32_t *sampler_epoch(struct sampler *s, uint64_t epoch)
{
	switch (s->kind) {
	case SAMPLER_HF:
		mt_seed(&s->r, s->seed + epoch);
		mt_randperm(&s->r, s->order, s->n);
		break;
	case SAMPLER_HF_425:
		draw_425(s, epoch);
		break;
	case SAMPLER_SEQUENTIAL:
		break;
	}
	return s->order;
}

void sampler_release(struct sampler *s)
{
	free(s->order);
	s->order = NULL;
}
