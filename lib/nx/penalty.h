/* penalty.h - what makes tokens that occurred less likely, or impossible, before one is chosen.
 *
 *	struct penalty_rules r = PENALTY_NONE;
 *	if (penalty_any(&r))
 *		penalty_apply(&r, &h, x, logits, count, vocab);
 *
 * In this order, the first and the last as HF's logits processors, the middle as
 * OpenAI's API defines it:
 *	repetition   x = x < 0 ? x repetition : x / repetition    once for each id of prompt and answer
 *	presence, frequency   x -= presence + frequency * count   ids of the answer alone
 *	ngram N      x = -inf for an id that would end N ids that stand in prompt and answer already */
#ifndef NX_PENALTY_H
#define NX_PENALTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct penalty_rules {
	double repetition;          /* > 0; 1: none */
	double presence, frequency; /* 0: none */
	int64_t ngram;              /* 0: none */
};
#define PENALTY_NONE {.repetition = 1}

/* n ids, of which the first `prompt` are the prompt. */
struct penalty_history {
	const int32_t *ids;
	size_t n, prompt;
};

bool penalty_any(const struct penalty_rules *r);
/* x: vocab logits, a copy of `logits`, changed. count: vocab zeros, zeros again afterwards. */
void penalty_apply(const struct penalty_rules *r, const struct penalty_history *h, float *x, const float *logits,
                   int32_t *count, int vocab);

#endif
