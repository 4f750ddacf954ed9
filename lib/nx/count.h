/* count.h - what a model costs: memory and arithmetic, from its shape alone.
 *
 *	struct count n;
 *	if (count_of(&n, &cfg, &e)) ...
 *	double flops = count_flops(&n, tokens);
 */
#ifndef NX_COUNT_H
#define NX_COUNT_H

#include "base/err.h"
#include "nx/config.h"

#include <stdint.h>

struct count {
	uint64_t params;     /* a tied head counted once */
	uint64_t embedding;  /* of them in the input embedding */
	double buffers;      /* bytes that transformers kept besides up to 2023, see count_buffers */
	uint64_t adamw;      /* bytes of optimizer state */
	uint64_t adafactor;
};

int count_of(struct count *n, const struct config *c, struct err *e);

/* Floating point operations of training on so many tokens, forward and backward, as HF's
 * Trainer counts them: 6 tokens (parameters - input embedding). */
double count_flops(const struct count *n, double tokens);

/* Bytes of activations and scratch that training holds for a batch of nseq sequences of
 * `tokens` tokens each, with so many threads. */
double count_activations(const struct config *c, int nseq, int tokens, int threads);

#endif
