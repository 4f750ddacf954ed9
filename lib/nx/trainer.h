/* trainer.h - fine-tuning: from records to updates of a model's weights.
 *
 *	struct trainer_rule rule = trainer_defaults();
 *	struct trainer *t;
 *	if (trainer_open(&t, &m, &data, &rule, threads, &e)) ...
 *	while ((rc = trainer_step(t, &s, &e)) == 1)
 *		print(s.step, s.loss, ...);            the caller prints, evaluates, stops as it likes
 *	if (trainer_eval(t, &test, 8, &v, &e)) ...
 *	trainer_close(t);
 *
 * AN UPDATE takes `accum` batches of `batch` records each, in the sampler's order
 * (nx/sampler.h). An epoch's last batch holds what is left of it.
 *	hf, sequential: its last update takes the batches that are left.
 *	hf-4.25: an epoch has floor(batches / accum) updates, at least 1; batches left
 *	over join the next epoch's first update (transformers 4.25).
 *
 * LOSS, L the sum of -log p over a batch's scored tokens, N their number:
 *	token     sum of L / sum of N over the update's batches (today's transformers)
 *	sequence  sum of L / N, over the number of batches; over `accum` with hf-4.25,
 *	          as transformers did it. A batch without scored tokens adds nothing.
 * Then the gradient is clipped (nx/optim.h) and the optimizer steps at the
 * schedule's rate (nx/sched.h). An update without any scored token has loss 0
 * and gradient 0, and is a step like all others.
 *
 * The records of an update run through the model in as few passes as hold
 * TRAINER_PASS tokens, without padding: which batch a record is in decides its
 * weight in the loss, nothing else.
 *
 * IN THE WAY BACK. Clipping needs the whole gradient before the first weight is
 * changed. Without it, and without skip_nan and an adapter, an update that runs in
 * one pass steps the optimizer layer by layer as gradients come, and holds no more
 * of them than one layer's. One pass then takes a record of any length, and several
 * that have together no more activations than the gradient would have had. */
#ifndef NX_TRAINER_H
#define NX_TRAINER_H

#include "base/err.h"
#include "nx/dataset.h"
#include "nx/model.h"
#include "nx/optim.h"
#include "nx/sampler.h"
#include "nx/sched.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TRAINER_PASS = 512 };

enum trainer_reduction { TRAINER_TOKEN, TRAINER_SEQUENCE };
#define TRAINER_REDUCTION_WORDS "token|sequence" /* in the order of the enum */

struct trainer_rule {
	double rate;       /* learning rate */
	double epochs;
	int64_t max_steps; /* above 0: comes before epochs */
	int64_t batch, accum;
	enum sched_kind sched;
	double sched_floor; /* sched.h's floor */
	int64_t warmup_steps;
	double warmup_ratio; /* of all steps, where warmup_steps is 0 */
	struct optim_rule optim;
	double max_norm;     /* 0: no clipping */
	bool bf16;           /* mixed precision: model_work_bf16 */
	bool checkpoint;     /* keep only the layers' inputs for the way back: less memory, a third more work, the same bits */
	int64_t skip_nan;    /* updates of a run that may be left out since their loss or gradient is no finite number */
	uint64_t seed;
	enum sampler_kind sampler;
	enum trainer_reduction reduction;
};

struct trainer_rule trainer_defaults(void); /* those of HF's TrainingArguments */

/* What follows from a rule and the number of records. */
struct trainer_plan {
	int64_t batches;         /* an epoch */
	int64_t steps_per_epoch; /* updates */
	int64_t steps;           /* in all */
	int64_t epochs;          /* begun */
	int64_t warmup;
};
/* n records, at least 1. ERR_USAGE if the steps are too many to count. */
int trainer_plan(struct trainer_plan *p, const struct trainer_rule *r, size_t n, struct err *e);

/* One update. */
struct trainer_step {
	int64_t step;     /* from 1 */
	double loss;
	double grad_norm; /* before clipping */
	double rate;      /* used by this update */
	double epoch;     /* epochs seen, 0.5: half of the first */
	bool epoch_end;   /* an epoch's last update */
	bool skipped;     /* its loss or gradient was no finite number: nothing was changed, and loss and grad_norm are 0 */
	char why[200];    /* what was found then, and in which record */
	size_t tokens, scored;
	const uint32_t *records; /* which records, in order; valid until the next step */
	size_t nrecords;
};

struct trainer;

/* m, d must outlive the trainer; m's weights, or its adapter's
 * (model_trained), are what is trained. */
int trainer_open(struct trainer **t, struct model *m, const struct dataset *d, const struct trainer_rule *r, int threads,
                 struct err *e);
const struct trainer_plan *trainer_plan_of(const struct trainer *t);
/* 1: an update was made, 0: all have been, -1. A loss or gradient that is no finite
 * number is ERR_DATA, and names the record it comes from, unless the rule lets the
 * update be skipped; the weights and the optimizer are those before it either way, but for a
 * gradient of an update that steps in its way back: layers above it have stepped then. */
int trainer_step(struct trainer *t, struct trainer_step *s, struct err *e);

/* Where a run stands: with the weights and the optimizer's state all it needs to go on. */
struct trainer_mark {
	int64_t step;    /* updates made or skipped */
	int64_t skipped;
	int64_t epoch, at; /* of the next batch, and which of its batches that is */
};
struct trainer_mark trainer_mark_of(const struct trainer *t);
/* Goes on from a mark of a run by the same rule over the same records: ERR_DATA if there can be no such mark. */
int trainer_seek(struct trainer *t, const struct trainer_mark *m, struct err *e);
struct optim *trainer_optim(struct trainer *t);
/* Whether all weights are finite numbers. */
bool trainer_is_sound(struct trainer *t);

struct trainer_loss {
	double loss; /* nx/evaluate.h's */
	size_t records, batches, tokens;
};
/* The loss of d by the present weights, in batches of `batch` records in their own
 * order, as the Trainer evaluates. d must have scored tokens. */
int trainer_eval(struct trainer *t, const struct dataset *d, int64_t batch, struct trainer_loss *l, struct err *e);
void trainer_close(struct trainer *t); /* NULL is fine */

/* Seconds that a token and an update's step of the optimizer take, measured on a pass of the first
 * records. Spoils the optimizer's state: for a trainer that will not train. */
int trainer_measure(struct trainer *t, double *token, double *update, struct err *e);

/* Bytes that training takes at most: weights, gradient, optimizer state, activations and records. */
size_t trainer_bytes(const struct model *m, const struct dataset *d, const struct trainer_rule *r, int threads);

#endif
