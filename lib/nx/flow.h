/* flow.h - when a run logs, evaluates, saves and stops: the Trainer's flow.
 *
 *	struct flow f = {0};
 *	if (flow_settle(&rule, ...) || flow_plan(&rule, steps, best, &e)) ...
 *	unsigned todo = flow_after(&rule, s.step, s.epoch_end, last);
 *	if (todo & FLOW_EVAL && flow_metric(&rule, &f, step, loss)) ...       it is time to stop
 *	if (todo & FLOW_SAVE) save(), f.best_saved = ...
 *
 * Behind each update, in this order: log, evaluate, save. By STEPS every Nth
 * update and the last; by EPOCH the last of each epoch and the last of all.
 * Source: transformers' DefaultFlowCallback, EarlyStoppingCallback and
 * Trainer._determine_best_metric. */
#ifndef NX_FLOW_H
#define NX_FLOW_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum flow_when { FLOW_NEVER, FLOW_STEPS, FLOW_EPOCH };
#define FLOW_WORDS "no|steps|epoch" /* in the order of the enum */

struct flow_rule {
	enum flow_when eval, save;
	double log_every, eval_every, save_every;  /* as options say: updates, or below 1 a part of all */
	int64_t log_steps, eval_steps, save_steps; /* what that comes to, at least 1 */
	bool track;        /* which step is the best is of interest */
	bool greater;      /* a greater metric is a better one */
	int64_t patience;  /* evaluations in a row that may be no better than the best; 0: never stop early */
	double threshold;  /* by how much they must be better */
};

/* Makes a rule of what options say: the strategies, -1 where none was given, whether the best model
 * is to be loaded at the end, whether there are records to evaluate on; eval_every is 0 where it was
 * not given. By default it evaluates by steps where their number is given, else never, and saves by
 * steps, and tracks the best where it is to be loaded or patience ends. ERR_USAGE for what contradicts itself. */
int flow_settle(struct flow_rule *r, int eval, int save, bool best, bool can_eval, struct err *e);
/* Sets the numbers of updates for a run of so many, parts rounded up. ERR_USAGE: the best model is to be
 * loaded and would not be saved wherever it is evaluated. */
int flow_plan(struct flow_rule *r, int64_t steps, bool best, struct err *e);

/* What was seen so far. */
struct flow {
	int64_t best_step;  /* 0: nothing evaluated yet, or no metric was a number */
	double best;
	int64_t waited;     /* evaluations since one was better */
	int64_t best_saved; /* the step of the best checkpoint that was written, 0: none */
};

enum { FLOW_LOG = 1, FLOW_EVAL = 2, FLOW_SAVE = 4 };
unsigned flow_after(const struct flow_rule *r, int64_t step, bool epoch_end, bool last);
/* Takes in a metric measured behind `step`; true: patience is at its end. */
bool flow_metric(const struct flow_rule *r, struct flow *f, int64_t step, double metric);

#endif
