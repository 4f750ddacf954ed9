/* trainlog.h - the log of a run: JSON lines with the keys of HF's Trainer.
 *
 *	struct trainlog l = {.cost = &cost, .data = &data, .steps = plan->steps};
 *	trainlog_start(&l);
 *	while (trainer_step(t, &s, &e) == 1) {
 *		if (trainlog_count(&l, &s)) ...out of memory...
 *		if (time to tell)
 *			puts(trainlog_update(&l, &s));         NULL when memory runs out
 *	}
 *	trainlog_release(&l);
 *
 * What a line says of "the updates since the line before" outlives the process:
 * checkpoints keep it (nx/checkpoint.h). */
#ifndef NX_TRAINLOG_H
#define NX_TRAINLOG_H

#include "base/buf.h"
#include "nx/count.h"
#include "nx/trainer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct trainlog {
	/* set by the caller */
	const struct count *cost;
	const struct dataset *data;
	int64_t steps; /* of the whole run */
	bool tell_lengths;

	/* kept in checkpoints: since the start of the run; "part": since the last line */
	double loss, loss_part;           /* sums over the updates that were not skipped */
	int64_t learned, learned_part;    /* their number */
	int64_t skipped_part;
	int64_t tokens, tokens_part, records;
	double before;      /* seconds of training by processes before this one */
	struct buf lengths; /* "23, 72", of this part */
	struct buf history; /* every line so far, each with its newline */

	/* of this process */
	struct buf line;
	double start;       /* seconds of progress_clock */
	double first_time;  /* of its first line, from which iter_time counts */
	int64_t first_step, first_tokens, start_tokens;
};

void trainlog_start(struct trainlog *l);
double trainlog_took(const struct trainlog *l); /* seconds of training, those before this process as well */
double trainlog_speed(const struct trainlog *l); /* tokens a second, of this process */
double trainlog_flos(const struct trainlog *l);
double trainlog_loss(const struct trainlog *l); /* mean over all updates */
/* Each update once: 0, or -1 when memory runs out. */
int trainlog_count(struct trainlog *l, const struct trainer_step *s);
/* The mean loss of the part, 0 where every update was skipped. */
double trainlog_part(const struct trainlog *l);

/* Each makes a line, without newline, valid until the next; NULL when memory runs out. */
const char *trainlog_update(struct trainlog *l, const struct trainer_step *s); /* begins a new part */
const char *trainlog_eval(struct trainlog *l, const struct trainer_loss *v, double seconds, double epoch, int64_t step);
const char *trainlog_end(struct trainlog *l, double epoch, int64_t step);
void trainlog_release(struct trainlog *l);

#endif
