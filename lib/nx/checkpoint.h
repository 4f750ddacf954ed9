/* checkpoint.h - a run's state in a directory, OUT/checkpoint-N behind update N, and back.
 *
 *	struct checkpoint c = {.t = t, .log = &log, .flow = &flow, .rule = &rule, .when = &when, .data = &data, .out = "out"};
 *	if (checkpoint_save(&c, &m, "model", &e)) ...
 *	...
 *	rundir_find(&path, "out", true, &e);  model_load(&m, path, &e);  trainer_open(&t, ...);
 *	if (checkpoint_read(&c, path, &e)) ...                   t, log and flow are what they were
 *
 * FILES besides the model's:
 *	trainer_state.json   HF's TrainerState, log_history and all
 *	optimizer.bin        the optimizer's state (nx/optim.h)
 *	nx-train.json        the position in the order of records, the sums behind the log's next
 *	                     lines, and what the run was: settings and a hash of the records
 * The schedule and the order need no more than the position: both are functions of
 * it. Numbers are written so that reading gives the same bits. */
#ifndef NX_CHECKPOINT_H
#define NX_CHECKPOINT_H

#include "base/err.h"
#include "nx/flow.h"
#include "nx/trainer.h"
#include "nx/trainlog.h"

#include <stdint.h>

struct checkpoint {
	struct trainer *t;
	struct trainlog *log;
	struct flow *flow;
	const struct trainer_rule *rule;
	const struct flow_rule *when;
	const struct dataset *data;
	const char *out;
	const char *template; /* of prompts, or NULL: see rundir_copy */
};

/* Writes OUT/checkpoint-N, N being the trainer's step: out must be there. Synced and whole before
 * it has that name. The tokenizer's files and the template come from the directory `from`. ERR_DATA if the weights
 * are no finite numbers: then nothing is written. */
int checkpoint_save(const struct checkpoint *c, const struct model *m, const char *from, struct err *e);
/* ERR_DATA if the checkpoint is of other records, or of another batch, accumulation,
 * order, seed or optimizer: then its position and state mean nothing to this run.
 * Rates, schedules and numbers of steps may be others than they were. */
int checkpoint_read(struct checkpoint *c, const char *dir, struct err *e);

#endif
