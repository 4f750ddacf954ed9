/* evaluate.h - how well a model foretells records: loss and accuracy of the next token.
 *
 *	struct evaluate v = {.m = &m, .ws = ws};
 *	struct evaluate_total t = {0};
 *	for each batch, records from <= i < to of d, score having to - from entries:
 *		if (evaluate_records(&v, &d, from, to, score, &e)) ...
 *		evaluate_add(&t, score, to - from);
 *	evaluate_loss(&t), evaluate_token_loss(&t), evaluate_accuracy(&t)
 *	evaluate_release(&v);
 *
 * L is the sum of -log p over a batch's scored tokens, N their number, R its records.
 *	loss        sum of R L / N over the batches with scored tokens, over the sum of their R:
 *	            HF's Trainer.evaluate (transformers 5.24)
 *	token loss  sum of L / sum of N: does not depend on batches
 *	accuracy    tokens that have the largest logit, over the sum of N
 * A batch without a scored token makes HF's loss NaN; here it is left out. */
#ifndef NX_EVALUATE_H
#define NX_EVALUATE_H

#include "base/err.h"
#include "nx/dataset.h"
#include "nx/model.h"

#include <stddef.h>

enum { EVALUATE_PASS = 512 }; /* tokens that go through the model at once, where records allow it */

struct evaluate {
	const struct model *m; /* these two the caller's */
	struct work *ws;
	struct dataset_pack pack;
	struct model_score *seq; /* of the pack's sequences */
	size_t cap;
};

/* The scores of records from <= i < to of d, each of a packed record's pieces a sequence of its own. */
int evaluate_records(struct evaluate *v, const struct dataset *d, size_t from, size_t to, struct model_score *score,
                     struct err *e);
void evaluate_release(struct evaluate *v);

struct evaluate_total {
	struct model_score all;
	double weighted;        /* sum of R L / N */
	size_t weight;          /* sum of R */
	size_t records, batches; /* all there were */
	size_t silent;          /* records without a scored token */
};

/* One batch more, of n records. */
void evaluate_add(struct evaluate_total *t, const struct model_score *score, size_t n);
/* NaN where no token was scored. */
double evaluate_loss(const struct evaluate_total *t);
double evaluate_token_loss(const struct evaluate_total *t);
double evaluate_accuracy(const struct evaluate_total *t);

#endif
