#include "nx/flow.h"

#include <math.h>

static int check_multiple(double save, double eval, struct err *e)
{
	return fmod(save, eval) > 0 ? err_usage(e, "--load-best-model-at-end needs --save-steps, %.15g, to be a multiple of --eval-steps, %.15g", save, eval) : 0;
}

static int check_best(const struct flow_rule *r, bool best, struct err *e)
{
	if (r->eval == FLOW_NEVER)
		return err_usage(e, "%s needs --eval-strategy steps or epoch",
		                 best ? "--load-best-model-at-end" : "--early-stopping-patience");
	if (best && r->save != r->eval)
		return err_usage(e, "--load-best-model-at-end needs --save-strategy and --eval-strategy to be the same");
	if (best && r->eval == FLOW_STEPS && (r->save_every < 1) != (r->eval_every < 1))
		return err_usage(e, "--load-best-model-at-end needs --save-steps and --eval-steps both as parts of all updates, or neither");
	if (best && r->eval == FLOW_STEPS && r->eval_every >= 1)
		return check_multiple(r->save_every, r->eval_every, e);
	return 0;
}

static int check_whole(double every, const char *option, struct err *e)
{
	return every > 1 && every != floor(every) ? err_usage(e, "%s is a whole number, or below 1 a part of all updates", option) : 0;
}

int flow_settle(struct flow_rule *r, int eval, int save, bool best, bool can_eval, struct err *e)
{
	if ((r->eval_every > 0 || eval > FLOW_NEVER) && !can_eval)
		return err_usage(e, "--eval-%s needs --eval FILE", r->eval_every > 0 ? "steps" : "strategy");
	r->eval = eval >= 0 ? (enum flow_when)eval : r->eval_every > 0 ? FLOW_STEPS : FLOW_NEVER;
	r->save = save >= 0 ? (enum flow_when)save : FLOW_STEPS;
	if (r->eval_every <= 0)
		r->eval_every = r->log_every;
	if (check_whole(r->log_every, "--logging-steps", e) || check_whole(r->eval_every, "--eval-steps", e) ||
	    check_whole(r->save_every, "--save-steps", e))
		return -1;
	r->track |= best || r->patience;
	return best || r->patience ? check_best(r, best, e) : 0;
}

static int64_t part(double every, int64_t steps)
{
	return (int64_t)(every < 1 ? ceil((double)steps * every) : every);
}

int flow_plan(struct flow_rule *r, int64_t steps, bool best, struct err *e)
{
	r->log_steps = part(r->log_every, steps);
	r->eval_steps = part(r->eval_every, steps);
	r->save_steps = part(r->save_every, steps);
	return best && r->eval == FLOW_STEPS ? check_multiple((double)r->save_steps, (double)r->eval_steps, e) : 0;
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
	bool number = isfinite(metric), first = number && f->best_step == 0;
	bool better = first || (number && (r->greater ? metric > f->best : metric < f->best));
	/* patience compares with the best before this one */
	f->waited = first || (better && fabs(metric - f->best) > r->threshold) ? 0 : f->waited + 1;
	if (better) {
		f->best = metric;
		f->best_step = step;
	}
	return r->patience && f->waited >= r->patience;
}
