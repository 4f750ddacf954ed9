/* sample.h - the next token from the logits.
 *
 *	int32_t id = sample_greedy(decode_logits(d), vocab);
 */
#ifndef NX_SAMPLE_H
#define NX_SAMPLE_H

#include <stdint.h>

/* The largest of n logits; of equal ones the first, as torch.argmax takes it.
 * -1 if any is NaN: the model's weights are not what they should be. */
int32_t sample_greedy(const float *logits, int n);

#endif
