#include "nx/flow.h"

#include <math.h>

static int check_best(const struct flow_rule *r, bool best, struct err *e)
{
	if (r->eval == FLOW_NEVER)
		return err_usage(e, "%s needs --eval-strategy steps or epoch",
		                 best ? "--load-best-model-at-end" : "--early-stopping-patience");
	if (best && r->save != r->eval)
		return err_usage(e, "--load-best-model-at-end needs --save-strategy and --eval-strategy to be the same");
	if (best && r->eval == FLOW_STEPS && r->save_steps % r->eval_steps)
		return err_usage(e, "--load-best-model-at-end needs --save-steps to be a multiple of --eval-steps");
	return 0;
}

int flow_settle(struct flow_rule *r, int eval, int save, bool best, bool can_eval, struct err *e)
{
	if ((r->eval_steps || eval > FLOW_NEVER) && !can_eval)
		return err_usage(e, "--eval-%s needs --eval FILE", r->eval_steps ? "steps" : "strategy");
	r->eval = eval >= 0 ? (enum flow_when)eval : r->eval_steps ? FLOW_STEPS : FLOW_NEVER;
	r->save = save >= 0 ? (enum flow_when)save : FLOW_STEPS;
	if (!r->eval_steps)
		r->eval_steps = r->log_steps;
	r->track |= best || r->patience;
	return best || r->patience ? check_best(r, best, e) : 0;
}

static bool is_time(enum flow_when when, int64_t every, int64_t step, bool epoch_end, bool last)
{
	if (when == FLOW_STEPS)
		return step % every == 0 || last;
	return when == FLOW_EPOCH && (epoch_end || last);
}

unsigned flow_after(const struct flow_rule *r, int64_t step, bool epoch_end, bool last)
{
	unsigned todo = step % r->log_steps == 0 ? FLOW_LOG : 0;
	if (is_time(r->eval, r->eval_steps, step, epoch_end, last))
		todo |= FLOW_EVAL;
	if (is_time(r->save, r->save_steps, step, epoch_end, last))
		todo |= FLOW_SAVE;
	return todo;
}

bool flow_metric(const struct flow_rule *r, struct flow *f, int64_t step, double metric)
{
	if (!r->track)
		return false;
	bool first = f->best_step == 0;
	bool better = first || (r->greater ? metric > f->best : metric < f->best);
	/* patience compares with the best before this one */
	f->waited = first || (better && fabs(metric - f->best) > r->threshold) ? 0 : f->waited + 1;
	if (better) {
		f->best = metric;
		f->best_step = step;
	}
	return r->patience && f->waited >= r->patience;
}
