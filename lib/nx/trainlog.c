#include "nx/trainlog.h"

#include "base/progress.h"

#include <math.h>

void trainlog_start(struct trainlog *l)
{
	l->start = progress_clock();
	l->start_tokens = l->tokens;
}

double trainlog_took(const struct trainlog *l)
{
	return l->before + progress_clock() - l->start;
}

double trainlog_speed(const struct trainlog *l)
{
	double took = progress_clock() - l->start;
	return took > 0 ? (double)(l->tokens - l->start_tokens) / took : 0;
}

double trainlog_flos(const struct trainlog *l)
{
	return count_flops(l->cost, (double)l->tokens);
}

double trainlog_loss(const struct trainlog *l)
{
	return l->learned ? l->loss / (double)l->learned : 0;
}

double trainlog_part(const struct trainlog *l)
{
	return l->learned_part ? l->loss_part / (double)l->learned_part : 0;
}

int trainlog_count(struct trainlog *l, const struct trainer_step *s)
{
	l->loss += s->loss;
	l->loss_part += s->loss;
	l->learned += !s->skipped;
	l->learned_part += !s->skipped;
	l->skipped_part += s->skipped;
	l->tokens += (int64_t)s->tokens;
	l->tokens_part += (int64_t)s->tokens;
	l->records += (int64_t)s->nrecords;
	for (size_t i = 0; l->tell_lengths && i < s->nrecords; i++)
		if (buf_printf(&l->lengths, "%s%zu", l->lengths.n ? ", " : "", dataset_len(l->data, s->records[i])))
			return -1;
	return buf_str(&l->lengths) ? 0 : -1;
}

/* --- lines ----------------------------------------------------------------------------- */

/* Time an update and operations a second since this process' first line, as the guide counts them. */
static void pace(struct trainlog *l, int64_t step, double *iter, double *flops)
{
	if (!l->first_step) {
		l->first_step = step;
		l->first_time = progress_clock();
		l->first_tokens = l->tokens;
	}
	double took = progress_clock() - l->first_time;
	int64_t steps = step - l->first_step;
	*iter = steps ? took / (double)steps : 0;
	*flops = steps && took > 0 ? count_flops(l->cost, (double)(l->tokens - l->first_tokens)) / took : 0;
}

/* The line as it is in l->line, kept; NULL where making it ran out of memory. */
static const char *keep(struct trainlog *l, int bad)
{
	if (bad || !buf_str(&l->line) || buf_adds(&l->history, l->line.p) || buf_addc(&l->history, '\n'))
		return NULL;
	return l->line.p;
}

const char *trainlog_update(struct trainlog *l, const struct trainer_step *s)
{
	double iter, flops;
	pace(l, s->step, &iter, &flops);
	buf_reset(&l->line);
	int bad = l->learned_part ? buf_printf(&l->line, "{\"loss\": %.9g, ", trainlog_part(l))
	                          : buf_adds(&l->line, "{\"loss\": null, ");
	bad |= buf_printf(&l->line,
	                  "\"grad_norm\": %.9g, \"learning_rate\": %.9g, \"epoch\": %.9g, \"step\": %lld, \"tokens\": %lld, ",
	                  s->grad_norm, s->rate, s->epoch, (long long)s->step, (long long)l->tokens_part);
	if (l->skipped_part)
		bad |= buf_printf(&l->line, "\"skipped\": %lld, ", (long long)l->skipped_part);
	if (l->tell_lengths)
		bad |= buf_printf(&l->line, "\"lengths\": [%s], ", buf_str(&l->lengths));
	bad |= buf_printf(&l->line, "\"iter_time\": %.6g, \"flops\": %.9g, \"remaining_time\": %.6g}", iter, flops,
	                  (double)(l->steps - s->step) * iter);
	l->loss_part = 0;
	l->learned_part = l->skipped_part = l->tokens_part = 0;
	buf_reset(&l->lengths);
	return keep(l, bad);
}

const char *trainlog_eval(struct trainlog *l, const struct trainer_loss *v, double seconds, double epoch, int64_t step)
{
	double per = seconds > 0 ? 1 / seconds : 0;
	buf_reset(&l->line);
	int bad = isfinite(v->loss) ? buf_printf(&l->line, "{\"eval_loss\": %.9g, ", v->loss)
	                            : buf_adds(&l->line, "{\"eval_loss\": null, ");
	bad |= buf_printf(&l->line,
	                  "\"eval_runtime\": %.4f, \"eval_samples_per_second\": %.3f, "
	                  "\"eval_steps_per_second\": %.3f, \"epoch\": %.9g, \"step\": %lld}",
	                  seconds, (double)v->records * per, (double)v->batches * per, epoch, (long long)step);
	return keep(l, bad);
}

const char *trainlog_end(struct trainlog *l, double epoch, int64_t step)
{
	double took = trainlog_took(l), per = took > 0 ? 1 / took : 0;
	buf_reset(&l->line);
	int bad = buf_printf(&l->line,
	                     "{\"train_runtime\": %.4f, \"train_samples_per_second\": %.3f, \"train_steps_per_second\": %.3f, "
	                     "\"total_flos\": %.0f, \"train_loss\": %.9g, \"epoch\": %.9g, \"step\": %lld}",
	                     took, (double)l->records * per, (double)step * per, trainlog_flos(l), trainlog_loss(l), epoch,
	                     (long long)step);
	return keep(l, bad);
}

void trainlog_release(struct trainlog *l)
{
	buf_release(&l->lengths);
	buf_release(&l->history);
	buf_release(&l->line);
}
