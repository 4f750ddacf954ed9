/* sched.h - the learning rate over the steps, as HF's schedules have it.
 *
 *	struct sched s = {SCHED_LINEAR, 1, 3};                1 step of warm-up, 3 steps in all
 *	double rate = 1e-5 * sched_factor(&s, 0);             of the first update
 *
 * With W steps of warm-up of T in all, update k counted from 0:
 *	warm-up   k < W:  k / W            so that the first update has rate 0
 *	linear            max(0, (T-k) / max(1, T-W))
 *	cosine            (1 + cos(pi (k-W) / max(1, T-W))) / 2
 *	constant          1, without warm-up
 *	constant_with_warmup                1 after it
 *	cosine_with_min_lr  c (1-floor) + floor, c being the cosine's factor
 *	inverse_sqrt        1 / sqrt((k + S - W) / S), S = W, or 10000 without warm-up
 * Source: transformers/optimization.py, get_*_schedule*. */
#ifndef NX_SCHED_H
#define NX_SCHED_H

#include <stdint.h>

enum sched_kind {
	SCHED_LINEAR,
	SCHED_COSINE,
	SCHED_CONSTANT,
	SCHED_CONSTANT_WITH_WARMUP,
	SCHED_COSINE_WITH_MIN_LR,
	SCHED_INVERSE_SQRT
};
#define SCHED_WORDS /* in the order of the enum */ \
	"linear|cosine|constant|constant-with-warmup|cosine-with-min-lr|inverse-sqrt"

struct sched {
	enum sched_kind kind;
	int64_t warmup, total;
	double floor; /* cosine_with_min_lr: the last rate as a part of the highest */
};

double sched_factor(const struct sched *s, int64_t k); /* 0 <= factor <= 1 */

/* Steps of warm-up: `steps` if it is 1 or more, else ceil(total * ratio); as TrainingArguments.get_warmup_steps. */
int64_t sched_warmup(int64_t steps, double ratio, int64_t total);

#endif
