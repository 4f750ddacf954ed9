/* nx-train - fine-tunes a model on token records, as HF's Trainer does. */
#include "base/die.h"
#include "base/num.h"
#include "base/pool.h"
#include "base/progress.h"
#include "io/hub.h"
#include "io/out.h"
#include "io/outdir.h"
#include "io/record.h"
#include "nx/checkpoint.h"
#include "nx/count.h"
#include "nx/dataset.h"
#include "nx/flow.h"
#include "nx/lora.h"
#include "nx/mat.h"
#include "nx/rundir.h"
#include "nx/trainer.h"
#include "nx/trainlog.h"
#include "text/kin.h"
#include "text/prompt.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *model, *given_model, *output, *log_file, *eval_file, *resume, *template;
static struct trainer_rule rule;
static struct flow_rule when = {.log_every = 1, .save_every = 500};
static double min_lr = -1, warmup;
static int optim_word, sched_word, sampler_word, reduction_word, eval_word = -1, save_word = -1, metric_word, save_dtype, dtype;
static struct lora_rule lora = {.alpha = 8, .targets = "query_key_value"};
static int64_t lora_rank, seed = 42, eval_batch = 8, save_limit, threads;
static bool any_tokenizer, overwrite, dry_run, verbose, quiet, load_best, save_given;

static const struct opt opts[] = {
	{0, NULL, OPT_GROUP, NULL, NULL, "Files", 0, 0, NULL},
	{'m', "model", OPT_STR, &model, "DIR", "the model to train (default $NX_MODEL)", 0, 0, NULL},
	{'o', "output-dir", OPT_STR, &output, "DIR", "write the trained model to DIR (default nx-{steps}-steps-{timestamp})", 0, 0, NULL},
	{0, "overwrite-output-dir", OPT_FLAG, &overwrite, NULL, "write into DIR although it holds files", 0, 0, NULL},
	{0, "eval", OPT_STR, &eval_file, "FILE", "records to evaluate the trained model on", 0, 0, NULL},
	{0, "log", OPT_STR, &log_file, "FILE", "write the log to FILE as JSON lines", 0, 0, NULL},
	{0, "save-dtype", OPT_WORD, &save_dtype, TENSOR_WORDS, "the type of the trained weights in the file (default f32)", 0, 0, NULL},
	{0, "resume", OPT_STR, &resume, "DIR", "go on from a checkpoint; auto: from the last one in the output directory, if any", 0, 0, NULL},
	{0, "resume-from-checkpoint", OPT_STR, &resume, "DIR", "the same", 0, 0, NULL},
	{0, "template", OPT_STR, &template, "TEXT|NAME", "the records' texts were made with this template or preset: kept with the model, for nx-generate --chat", 0, 0, NULL},
	{0, "any-tokenizer", OPT_FLAG, &any_tokenizer, NULL, "take a shard of another tokenizer than the model's", 0, 0, NULL},
	{0, NULL, OPT_GROUP, NULL, NULL, "How long and on what", 0, 0, NULL},
	{0, "num-train-epochs", OPT_F64, &rule.epochs, "X", "visit every record X times (default 3)", 1e-9, 1e9, NULL},
	{0, "max-steps", OPT_I64, &rule.max_steps, "N", "stop after N updates, whatever the epochs (default -1: do not)", -1, 1e15, NULL},
	{'b', "per-device-train-batch-size", OPT_I64, &rule.batch, "N", "records in a batch (default 8)", 1, 1e9, NULL},
	{0, "batch-size", OPT_I64, &rule.batch, "N", "the same", 1, 1e9, NULL},
	{0, "gradient-accumulation-steps", OPT_I64, &rule.accum, "N", "batches in an update (default 1)", 1, 1e9, NULL},
	{0, "grad-accum", OPT_I64, &rule.accum, "N", "the same", 1, 1e9, NULL},
	{0, "sampler", OPT_WORD, &sampler_word, SAMPLER_WORDS, "order of the records (default hf: that of today's transformers)", 0, 0, NULL},
	{0, "seed", OPT_I64, &seed, "N", "the seed of the order (default 42)", 0, 4294967295.0, NULL},
	{0, "loss-reduction", OPT_WORD, &reduction_word, TRAINER_REDUCTION_WORDS, "mean over all tokens of an update, or over its batches' means (default token)", 0, 0, NULL},
	{0, "dtype", OPT_WORD, &dtype, "f32|bf16", "the numbers that are multiplied (default f32; bf16: mixed precision)", 0, 0, NULL},
	{0, "bf16", OPT_FLAG, &rule.bf16, NULL, "the same as --dtype bf16", 0, 0, NULL},
	{0, NULL, OPT_GROUP, NULL, NULL, "Optimizer", 0, 0, NULL},
	{0, "optim", OPT_WORD, &optim_word, OPTIM_WORDS "|adamw-torch", "the optimizer (default adamw; adamw-torch is the same)", 0, 0, NULL},
	{0, "learning-rate", OPT_F64, &rule.rate, "X", "the highest learning rate (default 5e-5)", 0, 1e9, NULL},
	{0, "lr-scheduler-type", OPT_WORD, &sched_word, SCHED_WORDS, "the rate's way to the last update (default linear)", 0, 0, NULL},
	{0, "min-lr", OPT_F64, &min_lr, "X", "cosine-with-min-lr: the last rate", 0, 1e9, NULL},
	{0, "min-lr-rate", OPT_F64, &rule.sched_floor, "X", "the same as a part of the learning rate", 0, 1, NULL},
	{0, "warmup-steps", OPT_F64, &warmup, "N", "updates in which the rate rises from 0 (default 0); below 1: a part of all", 0, 1e15, NULL},
	{0, "warmup-ratio", OPT_F64, &rule.warmup_ratio, "X", "the same as a part of all updates", 0, 1, NULL},
	{0, "adam-beta1", OPT_F64, &rule.optim.beta1, "X", "AdamW's share of the old mean (default 0.9)", 0, 0.999999999, NULL},
	{0, "adam-beta2", OPT_F64, &rule.optim.beta2, "X", "AdamW's share of the old mean square (default 0.999)", 0, 0.999999999, NULL},
	{0, "adam-epsilon", OPT_F64, &rule.optim.eps, "X", "AdamW's addend to the root (default 1e-8)", 0, 1, NULL},
	{0, "weight-decay", OPT_F64, &rule.optim.weight_decay, "X", "decay of matrices, not of biases and LayerNorm (default 0)", 0, 1e9, NULL},
	{0, "max-grad-norm", OPT_F64, &rule.max_norm, "X", "clip the gradient to this norm (default 1; 0: do not)", 0, 1e30, NULL},
	{0, "skip-nan-steps", OPT_I64, &rule.skip_nan, "N", "leave out up to N updates whose loss or gradient is no finite number (default 0)", 0, 1e15, NULL},
	{0, "gradient-checkpointing", OPT_FLAG, &rule.checkpoint, NULL, "less memory for a third more work: compute the layers again on the way back", 0, 0, NULL},
	{0, NULL, OPT_GROUP, NULL, NULL, "An adapter instead of all weights", 0, 0, NULL},
	{0, "lora", OPT_I64, &lora_rank, "RANK", "train a low-rank adapter of this rank, the model's weights rest", 1, 1 << 20, NULL},
	{0, "lora-alpha", OPT_F64, &lora.alpha, "X", "it counts X / RANK times (default 8)", 1e-9, 1e9, NULL},
	{0, "lora-target", OPT_STR, &lora.targets, "NAMES", "the linear layers that have one (default query_key_value)", 0, 0, NULL},
	{0, NULL, OPT_GROUP, NULL, NULL, "Checkpoints", 0, 0, NULL},
	{0, "save-strategy", OPT_WORD, &save_word, FLOW_WORDS, "when to write a checkpoint (default steps)", 0, 0, NULL},
	{0, "save-steps", OPT_F64, &when.save_every, "N", "behind every Nth update and the last (default 500); below 1: a part of all", 1e-9, 1e15, &save_given},
	{0, "save-total-limit", OPT_I64, &save_limit, "N", "keep the last N and the best (default: all)", 1, 1e9, NULL},
	{0, "load-best-model-at-end", OPT_FLAG, &load_best, NULL, "what is written at the end is the best checkpoint's model", 0, 0, NULL},
	{0, "metric-for-best-model", OPT_WORD, &metric_word, "loss|eval-loss", "what tells the best (default eval-loss, the same as loss)", 0, 0, &when.track},
	{0, "greater-is-better", OPT_FLAG, &when.greater, NULL, "the highest is the best", 0, 0, NULL},
	{0, "early-stopping-patience", OPT_I64, &when.patience, "N", "stop behind N evaluations in a row no better than the best", 1, 1e15, NULL},
	{0, "early-stopping-threshold", OPT_F64, &when.threshold, "X", "by how much they must be better (default 0)", 0, 1e30, NULL},
	{0, NULL, OPT_GROUP, NULL, NULL, "What is told", 0, 0, NULL},
	{0, "logging-steps", OPT_F64, &when.log_every, "N", "tell of every Nth update (default 1); below 1: a part of all", 1e-9, 1e15, NULL},
	{0, "eval-strategy", OPT_WORD, &eval_word, FLOW_WORDS, "when to evaluate (default no: at the end only)", 0, 0, NULL},
	{0, "evaluation-strategy", OPT_WORD, &eval_word, FLOW_WORDS, "the same", 0, 0, NULL},
	{0, "eval-steps", OPT_F64, &when.eval_every, "N", "behind every Nth update and the last (default: as --logging-steps); below 1: a part of all", 1e-9, 1e15, NULL},
	{0, "per-device-eval-batch-size", OPT_I64, &eval_batch, "N", "records in a batch of the evaluation (default 8)", 1, 1e9, NULL},
	{0, "dry-run", OPT_FLAG, &dry_run, NULL, "say what would be done, and stop", 0, 0, NULL},
	{'v', "verbose", OPT_FLAG, &verbose, NULL, "tell the lengths of each update's records", 0, 0, NULL},
	{0, "threads", OPT_I64, &threads, "N", "threads to compute with (default: all processors)", 1, 1024, NULL},
	OPT_COMMON(&quiet),
	{0}
};
static const struct opt_prog prog = {"nx-train", "[-m DIR] [-o DIR] [options] [FILE ...]", "fine-tune a model on token records", opts};

struct job {
	const char *dir; /* the model's */
	struct model m;
	struct count cost;
	struct dataset train, eval;
	struct trainer *t;
	const struct trainer_plan *plan;
	struct rundir run;
	int64_t saved;   /* the step of the last checkpoint written or gone on from; 0: none */
	struct flow flow;
	struct trainlog log;
	FILE *file; /* the log's */
	struct progress bar;
	int sig; /* the signal that has ended the run, or 0 */
};

#define U(x) (unsigned long long)(x)

/* --- records ------------------------------------------------------------------------------ */

/* A shard says which tokenizer made its ids: another one's mean nothing to the model. */
static void check_tokenizer(const struct job *j, const struct shard_head *h, const char *name)
{
	struct err e;
	int rc = kin_admit(h, j->dir, any_tokenizer, name, &e);
	if (rc < 0)
		die_err(&e);
	if (rc > 0 && !quiet)
		die_warn("%s", e.msg);
}

static void read_records(struct job *j, struct dataset *d, int npaths, char **paths)
{
	const char *name = npaths && strcmp(paths[0], "-") ? paths[0] : "stdin";
	struct record_in *in;
	struct err e;
	if (record_open(&in, npaths, paths, &e))
		die_err(&e);
	check_tokenizer(j, record_head(in), name);
	if (dataset_read(d, in, j->m.cfg.vocab, &e))
		die_err(&e);
	record_close(in);
	if (d->n == 0)
		die_now("%s: no record", name);
	if (d->scored == 0)
		die_now("%s: no record has a token in the loss", name);
}

/* What is out of the ordinary about the records: never passed over in silence. */
static void report_records(const struct job *j, const struct dataset *d, const char *what)
{
	size_t empty = 0;
	for (size_t i = 0; i < d->n; i++)
		empty += dataset_len(d, i) == 0;
	if (d->silent)
		die_warn("%llu %s record%s no token in the loss, %llu of them no token at all", U(d->silent), what,
		         d->silent == 1 ? " has" : "s have", U(empty));
	if (d->padding)
		die_warn("%llu token%s of padding left out", U(d->padding), die_s(d->padding));
	if (d->padding_labels)
		die_warn("%llu label%s on padding left out of the loss", U(d->padding_labels), die_s(d->padding_labels));
	if (d->longest_piece > (size_t)j->m.cfg.max_pos)
		die_warn("the longest %s record has %llu tokens, the model is made for %d", what, U(d->longest_piece), j->m.cfg.max_pos);
}

static const char *const optim_names[] = {"AdamW", "Adafactor", "SGD"};

static void banner(const struct job *j)
{
	if (rule.bf16 && !mat_has_bf16())
		die_warn("--dtype bf16: this processor has no bfloat16 dot product (avx512_bf16): its rounding is imitated, which saves no time");
	const struct dataset *d = &j->train;
	const struct trainer_plan *p = j->plan;
	size_t tokens = d->start[d->n];
	die_warn("%s: %llu trainable parameters; %s on %lld thread%s will take about %.2f GB of memory", j->dir,
	         U(model_trained_lay(&j->m)->count), optim_names[rule.optim.kind], (long long)threads,
	         die_s(U(threads)), 1e-9 * (double)trainer_bytes(&j->m, d, &rule, (int)threads));
	die_warn("%llu record%s of %llu tokens, %llu of them in the loss; the longest has %llu", U(d->n), die_s(d->n), U(tokens),
	         U(d->scored), U(d->longest));
	report_records(j, d, "training");
	if (eval_file) {
		die_warn("%llu record%s to evaluate on, %llu tokens in the loss", U(j->eval.n), die_s(j->eval.n), U(j->eval.scored));
		report_records(j, &j->eval, "evaluation");
	}
	die_warn("batch %lld x accumulation %lld: %lld update%s an epoch, %lld in all, %lld of warm-up; %.4g epoch%s", (long long)rule.batch,
	         (long long)rule.accum, (long long)p->steps_per_epoch, die_s(U(p->steps_per_epoch)), (long long)p->steps,
	         (long long)p->warmup, (double)p->steps / (double)p->steps_per_epoch, die_s(U(p->epochs)));
}

static void dry(const struct job *j)
{
	double epochs = (double)j->plan->steps / (double)j->plan->steps_per_epoch, token, update;
	double tokens = epochs * (double)j->train.start[j->train.n];
	struct err e;
	if (trainer_measure(j->t, &token, &update, &e))
		die_err(&e);
	die_warn("about %.4g GFLOPs and %.3g s in all, at %.0f tokens/s; %s would be written", 1e-9 * count_flops(&j->cost, tokens),
	         tokens * token + (double)j->plan->steps * update, token > 0 ? 1 / token : 0, j->run.out);
}

static struct checkpoint state_of(struct job *j)
{
	return (struct checkpoint){j->t, &j->log, &j->flow, &rule, &when, &j->train, j->run.out, template};
}

/* Ends the program for an error in training: what is left to go on from is said with it. */
static __attribute__((noreturn)) void die_keeping(struct job *j, const struct err *e)
{
	char *path = j->saved ? rundir_checkpoint(j->run.out, j->saved) : NULL;
	progress_end(&j->bar);
	if (path && !access(path, F_OK))
		die_now("%s; the last good checkpoint is %s", e->msg, path);
	die_err(e);
}

/* --- the log -------------------------------------------------------------------------------- */

static void log_failed(void)
{
	die_now("%s: %s", log_file, strerror(errno));
}

/* Not through io/out: a log is to be read while it grows, and to stay when training fails. A run
 * that goes on writes it anew, up to where it goes on. */
static void open_log(struct job *j)
{
	const struct buf *h = &j->log.history;
	if (!log_file)
		return;
	if (!(j->file = fopen(log_file, "we")) || (h->n && fwrite(h->p, h->n, 1, j->file) != 1) || fflush(j->file))
		log_failed();
}

static void log_line(const struct job *j, const char *line)
{
	if (!line)
		die_mem();
	if (j->file && (fputs(line, j->file) < 0 || fputc('\n', j->file) == EOF || fflush(j->file)))
		log_failed();
}

static void tell_step(struct job *j, const struct trainer_step *s)
{
	if (!quiet && !j->bar.on)
		die_warn("step %lld/%lld: loss %.6g, grad_norm %.5g, rate %.4g, epoch %.4g, %llu tokens%s%s", (long long)s->step,
		         (long long)j->plan->steps, trainlog_part(&j->log), s->grad_norm, s->rate, s->epoch, U(j->log.tokens_part),
		         verbose ? ": " : "", verbose ? buf_str(&j->log.lengths) : "");
	log_line(j, trainlog_update(&j->log, s));
}

static void draw(struct job *j, const struct trainer_step *s)
{
	char note[100];
	snprintf(note, sizeof note, "loss %.4f rate %.3g %.0f tokens/s", s->loss, s->rate, trainlog_speed(&j->log));
	progress_to(&j->bar, (uint64_t)s->step, note);
}

/* Returns the loss. */
static double evaluate(struct job *j, int64_t step, double epoch)
{
	struct trainer_loss l;
	struct err e;
	double start = progress_clock();
	if (trainer_eval(j->t, &j->eval, eval_batch, &l, &e))
		die_keeping(j, &e);
	log_line(j, trainlog_eval(&j->log, &l, progress_clock() - start, epoch, step));
	if (!quiet && !j->bar.on)
		die_warn("step %lld/%lld: eval_loss %.6g", (long long)step, (long long)j->plan->steps, num_shown(l.loss));
	return l.loss;
}

static void tell_end(struct job *j, double epoch, int64_t step)
{
	double took = trainlog_took(&j->log);
	log_line(j, trainlog_end(&j->log, epoch, step));
	if (!quiet)
		die_warn("%lld update%s in %.2f s: train_loss %.6g, %llu tokens (%.0f/s), %.5g GFLOPs", (long long)step, die_s(U(step)), took,
		         trainlog_loss(&j->log), U(j->log.tokens), took > 0 ? (double)j->log.tokens / took : 0,
		         1e-9 * trainlog_flos(&j->log));
	if (j->file && fclose(j->file))
		log_failed();
}

/* --- the output ------------------------------------------------------------------------------- */

/* Opens the directory, or only tries it where d is NULL. */
static void open_output(struct job *j, struct outdir **d)
{
	struct err e;
	if (rundir_open(&j->run, d, &e) == 0)
		return;
	if (e.kind == ERR_DATA)
		die_now("%s (--overwrite-output-dir writes into it)", e.msg);
	die_err(&e);
}

/* Training is not lost over a weight that the type cannot hold: then it is float32. */
static int save_weights(const struct job *j, const char *dir, struct err *e)
{
	int rc = model_save_as(&j->m, dir, (enum tensor_dtype)save_dtype, e);
	if (rc == 0 || save_dtype == TENSOR_F32 || e->kind != ERR_DATA)
		return rc;
	die_warn("%s: saved as f32 instead", e->msg);
	return model_save(&j->m, dir, e);
}

static void save(struct job *j)
{
	struct outdir *d;
	struct err e;
	open_output(j, &d);
	if (save_weights(j, outdir_path(d), &e) || rundir_copy(d, j->dir, template, &e)) {
		outdir_abort(d);
		die_keeping(j, &e);
	}
	if (outdir_commit(d, &e))
		die_keeping(j, &e);
}

/* --- checkpoints --------------------------------------------------------------------------------- */

static void checkpoint(struct job *j, int64_t step)
{
	struct checkpoint c = state_of(j);
	struct err e;
	int new = rundir_make(&j->run, &e);
	if (new < 0)
		die_keeping(j, &e);
	c.out = j->run.out;
	if (checkpoint_save(&c, &j->m, j->dir, &e)) {
		if (new)
			rmdir(j->run.out);
		die_keeping(j, &e);
	}
	j->saved = step;
	if (save_limit && rundir_rotate(j->run.out, step, save_limit, j->flow.best_saved, &e))
		die_keeping(j, &e);
}

/* Puts the run to where the checkpoint was written. */
static void go_on(struct job *j)
{
	struct checkpoint c = state_of(j);
	struct err e;
	if (!j->run.from)
		return;
	if (checkpoint_read(&c, j->run.from, &e))
		die_err(&e);
	int64_t step = trainer_mark_of(j->t).step;
	int has = j->flow.best_saved ? rundir_has(j->run.out, j->flow.best_saved, &e) : 1;
	if (has < 0)
		die_err(&e);
	if (!has) {
		die_warn("%s/checkpoint-%lld, the best so far, is not there", j->run.out, (long long)j->flow.best_saved);
		j->flow.best_saved = 0;
	}
	j->saved = step;
	if (!quiet)
		die_warn("going on behind step %lld, from %s", (long long)step, j->run.from);
}

static void load_the_best(struct job *j, int64_t step)
{
	struct err e;
	if (!load_best || !j->flow.best_saved || j->flow.best_saved == step)
		return;
	char *path = rundir_checkpoint(j->run.out, j->flow.best_saved);
	if (!path)
		die_mem();
	if (!quiet)
		die_warn("the model of step %lld is the best, its eval_loss %.6g", (long long)j->flow.best_saved, j->flow.best);
	if (model_reload(&j->m, path, &e))
		die_err(&e);
	free(path);
}

/* --- training ----------------------------------------------------------------------------------- */

static volatile sig_atomic_t caught;

static void catch(int sig)
{
	caught = sig;
}

/* A signal ends the run behind the update at hand; a second one ends it at once. */
static void catch_signals(bool on)
{
	struct sigaction a = {.sa_handler = on ? catch : SIG_DFL, .sa_flags = (int)(SA_RESTART | SA_RESETHAND)}, old;
	static const int sigs[] = {SIGINT, SIGTERM};
	for (size_t i = 0; i < sizeof sigs / sizeof *sigs; i++) {
		/* what is ignored, as in the background of a shell, stays so */
		if (sigaction(sigs[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaction(sigs[i], &a, NULL);
	}
}

/* What is due behind an update; true: this was the last. */
static bool after(struct job *j, const struct trainer_step *s)
{
	bool stop = false;
	int sig = caught; /* what comes later ends the run behind the next update */
	unsigned todo = flow_after(&when, s->step, s->epoch_end, s->step == j->plan->steps);
	if (s->skipped && !quiet)
		die_warn("step %lld is skipped: %s", (long long)s->step, s->why);
	draw(j, s);
	if (todo & FLOW_LOG)
		tell_step(j, s);
	if (todo & FLOW_EVAL)
		stop = flow_metric(&when, &j->flow, s->step, evaluate(j, s->step, s->epoch));
	if (todo & FLOW_SAVE || sig)
		checkpoint(j, s->step);
	if (stop && !quiet)
		die_warn("step %lld/%lld: no better for %lld evaluation%s, stopped", (long long)s->step, (long long)j->plan->steps,
		         (long long)j->flow.waited, die_s(U(j->flow.waited)));
	j->sig = sig;
	return stop || sig;
}

/* 0, or the signal that ended it. */
static int train(struct job *j)
{
	struct trainer_mark m = trainer_mark_of(j->t);
	struct trainer_step s = {.step = m.step, .epoch = (double)m.epoch + (double)m.at / (double)j->plan->batches};
	struct err e;
	int rc = 0;
	progress_init(&j->bar, prog.name, (uint64_t)j->plan->steps, "steps", quiet);
	trainlog_start(&j->log);
	catch_signals(true);
	bool stop = when.patience && j->flow.waited >= when.patience; /* it did so when the checkpoint was written */
	while (!stop && (rc = trainer_step(j->t, &s, &e)) == 1) {
		if (trainlog_count(&j->log, &s))
			die_mem();
		stop = after(j, &s);
	}
	if (rc < 0)
		die_keeping(j, &e);
	progress_end(&j->bar);
	catch_signals(false);
	if (j->sig) {
		die_warn("stopped by a signal behind step %lld; %s/checkpoint-%lld goes on from there", (long long)s.step, j->run.out,
		         (long long)s.step);
		return j->sig;
	}
	if (eval_file && when.eval == FLOW_NEVER)
		evaluate(j, s.step, s.epoch);
	tell_end(j, s.epoch, s.step);
	load_the_best(j, s.step);
	return 0;
}

/* --- options --------------------------------------------------------------------------------------- */

/* The floor of a schedule is given as a rate or as a part of one. */
static void check_floor(void)
{
	bool want = rule.sched == SCHED_COSINE_WITH_MIN_LR, part = rule.sched_floor >= 0, rate = min_lr >= 0;
	if (want && part == rate)
		die_usage("cosine-with-min-lr needs one of --min-lr and --min-lr-rate");
	if (!want && (part || rate))
		die_usage("--min-lr and --min-lr-rate are for --lr-scheduler-type cosine-with-min-lr");
	if (rate)
		rule.sched_floor = rule.rate > 0 ? min_lr / rule.rate : 0;
}

/* What nx-generate could not read is said before the training. */
static void check_template(void)
{
	struct prompt p = {0};
	struct err e;
	if (template && prompt_open(&p, template, &e)) {
		err_prefix(&e, "--template: ");
		die_value(&e);
	}
	prompt_release(&p);
}

/* The log is begun at once: records that stand in its file would be gone. */
static void check_log(int argc, char **argv)
{
	for (int i = 0; log_file && i <= argc; i++) {
		const char *in = i < argc ? argv[i] : eval_file;
		if (in && strcmp(in, "-") && out_same(log_file, in))
			die_usage("--log %s: records are read from that file", log_file);
	}
}

static void check_options(int argc, char **argv)
{
	struct err e;
	model = model ? model : getenv("NX_MODEL");
	model = model && *model ? model : NULL;
	if (!model && (!resume || strcmp(resume, "auto") == 0))
		die_usage("no model: give -m DIR or set NX_MODEL");
	if (lora_rank && !model)
		die_usage("--lora goes on with the model that the adapter is for: give -m DIR or set NX_MODEL");
	if (output && !*output)
		die_usage("--output-dir needs a name");
	if (rule.max_steps == 0)
		die_usage("--max-steps 0 would train nothing: the default, -1, leaves it to the epochs");
	if (eval_file && strcmp(eval_file, "-") == 0 && (argc == 0 || strcmp(argv[0], "-") == 0))
		die_usage("stdin cannot be both the records to train and to evaluate on");
	rule.optim.kind = optim_word == 3 ? OPTIM_ADAMW : (enum optim_kind)optim_word;
	rule.sched = (enum sched_kind)sched_word;
	check_log(argc, argv);
	check_floor();
	check_template();
	/* below 1 it is a ratio, and goes before the option of that name */
	rule.warmup_steps = (int64_t)warmup;
	if (warmup > 0 && warmup < 1)
		rule.warmup_ratio = warmup;
	rule.sampler = (enum sampler_kind)sampler_word;
	rule.reduction = (enum trainer_reduction)reduction_word;
	rule.seed = (uint64_t)seed;
	rule.bf16 = rule.bf16 || dtype;
	if (flow_settle(&when, eval_word, save_word, load_best, eval_file != NULL, &e))
		die_err(&e);
	if (resume && strcmp(resume, "auto") == 0 && (!output || strchr(output, '{')))
		die_usage("--resume auto needs -o with the name of the directory it is to look in");
}

static void find_start(struct job *j)
{
	struct err e;
	if (rundir_start(&j->run, output, resume, &e))
		die_err(&e);
	if (j->run.from)
		j->dir = j->run.from;
	else if (resume && !quiet)
		die_warn("%s: no checkpoint yet, beginning", output);
}

/* The model; a checkpoint of an adapter holds that alone. */
static void load(struct job *j)
{
	struct err e;
	if (model_load(&j->m, lora_rank ? model : j->dir, &e))
		die_err(&e);
	if (!lora_rank)
		return;
	lora.rank = (int)lora_rank;
	if (lora_new(&j->m.lora, &j->m.cfg, &lora, rule.seed, &e) || (j->run.from && model_reload(&j->m, j->run.from, &e)))
		die_err(&e);
	j->m.lora->base = given_model; /* not the place of a snapshot, which is another one elsewhere */
}

static void open_job(struct job *j, int argc, char **argv)
{
	struct err e;
	given_model = model;
	if (model && !(model = hub_model(model, &e)))
		die_err(&e);
	j->dir = model;
	j->run.second = (int64_t)time(NULL);
	j->run.overwrite = overwrite;
	threads = threads ? threads : pool_cpus();
	find_start(j);
	load(j);
	if (count_of(&j->cost, &j->m.cfg, &e))
		die_err(&e);
	read_records(j, &j->train, argc, argv);
	if (eval_file)
		read_records(j, &j->eval, 1, (char **)&eval_file);
	if (trainer_open(&j->t, &j->m, &j->train, &rule, (int)threads, &e))
		die_err(&e);
	j->plan = trainer_plan_of(j->t);
	j->run.steps = j->plan->steps;
	if (flow_plan(&when, j->plan->steps, load_best, &e))
		die_err(&e);
	if (!save_given && save_word < 0 && !load_best && j->plan->steps < when.save_steps)
		when.save = FLOW_NEVER;
	j->log = (struct trainlog){.cost = &j->cost, .data = &j->train, .steps = j->plan->steps, .tell_lengths = verbose};
	open_output(j, NULL);
}

static void close_job(struct job *j)
{
	trainer_close(j->t);
	trainlog_release(&j->log);
	dataset_release(&j->train);
	dataset_release(&j->eval);
	model_release(&j->m);
	rundir_release(&j->run);
}

int main(int argc, char **argv)
{
	static struct job j;
	struct err e;
	int sig = 0;
	rule = trainer_defaults();
	rule.sched_floor = -1;
	die_opts(&prog, &argc, &argv);
	check_options(argc, argv);
	open_job(&j, argc, argv);
	if (!quiet || dry_run)
		banner(&j);
	if (dry_run) {
		dry(&j);
	} else {
		go_on(&j);
		open_log(&j);
		if (rundir_clean(&j.run, &e))
			die_err(&e);
		sig = train(&j);
		if (!sig) {
			save(&j);
			puts(j.run.out);
		}
	}
	die_close_stdout();
	close_job(&j);
	return sig ? 128 + sig : 0;
}
