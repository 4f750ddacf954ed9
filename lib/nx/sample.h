/* sample.h - the next token from the logits: the likeliest, or drawn at random.
 *
 *	int32_t id = sample_greedy(decode_logits(d), vocab);
 *
 *	struct sample_rules r = SAMPLE_GREEDY;      then r.random = true, r.temperature = 0.7, ...
 *	struct sample *s = sample_open(vocab, &e);  room to work in: one a thread, shared by all its sequences
 *	struct xoshiro rng;
 *	xoshiro_seed(&rng, seed, stream);
 *	sample_token(s, &r, logits, &history, NULL, 0, &rng, &id, &e)
 *	sample_close(s);
 *
 * In HF's order: penalties (penalty.h), forbidden ids, and where the token is drawn
 * temperature, top-k, top-p, min-p, typical-p (cut.h). Without any of them greedy
 * is one pass over the logits.
 *
 * The draw, which will not change: u = xoshiro_f64(rng), one number a token; of the ids
 * left, in ascending order, the first at which the sum of their probabilities is
 * above u times the sum of all; sums in double of float32 probabilities. */
#ifndef NX_SAMPLE_H
#define NX_SAMPLE_H

#include "base/err.h"
#include "base/xoshiro.h"
#include "nx/cut.h"
#include "nx/penalty.h"

#include <stdbool.h>
#include <stdint.h>

struct sample_rules {
	bool random; /* false: the likeliest; what is behind `penalty` is not looked at */
	struct penalty_rules penalty;
	double temperature; /* at least SAMPLE_COLDEST; 1: as the model says */
	int64_t top_k;      /* 0: all */
	double top_p;       /* 0 to 1; 1: all */
	double min_p;       /* 0 to 1; 0: all */
	double typical_p;   /* 0 < typical_p <= 1; 1: all */
};
#define SAMPLE_GREEDY {.penalty = PENALTY_NONE, .temperature = 1, .top_p = 1, .typical_p = 1}
#define SAMPLE_COLDEST 1e-5

struct sample_logprob {
	int32_t id;
	float logprob;
};

struct sample;

struct sample *sample_open(int vocab, struct err *e); /* NULL with e filled */
void sample_close(struct sample *s);                  /* NULL is fine */
int sample_vocab(const struct sample *s);

/* The largest of n logits; of equal ones the first, as torch.argmax takes it.
 * -1 if any is NaN: the model's weights are not what they should be. */
int32_t sample_greedy(const float *logits, int n);

/* The next token into *id; `banned` ids are no choice. -1 if the logits are no numbers
 * (ERR_IO: no other prompt would fare better), or none is left to draw (ERR_DATA). rng may be
 * NULL where nothing is drawn. */
int sample_token(struct sample *s, const struct sample_rules *r, const float *logits, const struct penalty_history *h,
                 const int32_t *banned, int nbanned, struct xoshiro *rng, int32_t *id, struct err *e);

/* What the draw would choose from: candidates with their probabilities. For tests. */
const struct cut *sample_candidates(struct sample *s, const struct sample_rules *r, const float *logits,
                                    const struct penalty_history *h, const int32_t *banned, int nbanned, struct err *e);

/* Parts of the above for beam.h. The logits with penalties and without banned ids: `logits` itself
 * where no rule changes it, else valid until the next call. */
const float *sample_penalized(struct sample *s, const struct sample_rules *r, const float *logits,
                              const struct penalty_history *h, const int32_t *banned, int nbanned);
double sample_lse(struct sample *s, const float *logits); /* log sum exp(logits) */
int sample_damaged(struct err *e);                        /* -1: the logits are not numbers, as sample_token says it */

/* Log of the model's own probability, before any rule: of id into v[0], and of the `top`
 * likeliest behind it, the likeliest first, of equal ones the smaller id. top <= the vocabulary. */
void sample_logprobs(struct sample *s, const float *logits, int32_t id, int top, struct sample_logprob *v);

#endif
