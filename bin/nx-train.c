/* nx-train - fine-tunes a model on token records, as HF's Trainer does. */
#include "base/die.h"
#include "base/pool.h"
#include "base/progress.h"
#include "io/outdir.h"
#include "io/record.h"
#include "nx/count.h"
#include "nx/dataset.h"
#include "nx/trainer.h"
#include "text/bpe.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *model, *output = "nx-{steps}-steps-{timestamp}", *log_file, *eval_file;
static struct trainer_rule rule;
static double min_lr = -1;
static int optim_word, sched_word, sampler_word, reduction_word, save_dtype;
static int64_t seed = 42, eval_batch = 8, eval_steps, logging_steps = 1, threads;
static bool any_tokenizer, overwrite, dry_run, verbose, quiet;

static const struct opt opts[] = {
	{0, NULL, OPT_GROUP, NULL, NULL, "Files", 0, 0, NULL},
	{'m', "model", OPT_STR, &model, "DIR", "the model to train (default $NX_MODEL)", 0, 0, NULL},
	{'o', "output-dir", OPT_STR, &output, "DIR", "write the trained model to DIR (default nx-{steps}-steps-{timestamp})", 0, 0, NULL},
	{0, "overwrite-output-dir", OPT_FLAG, &overwrite, NULL, "write into DIR although it holds files", 0, 0, NULL},
	{0, "eval", OPT_STR, &eval_file, "FILE", "records to evaluate the trained model on", 0, 0, NULL},
	{0, "log", OPT_STR, &log_file, "FILE", "write the log to FILE as JSON lines", 0, 0, NULL},
	{0, "save-dtype", OPT_WORD, &save_dtype, TENSOR_WORDS, "the type of the trained weights in the file (default f32)", 0, 0, NULL},
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
	{0, NULL, OPT_GROUP, NULL, NULL, "Optimizer", 0, 0, NULL},
	{0, "optim", OPT_WORD, &optim_word, OPTIM_WORDS "|adamw-torch", "the optimizer (default adamw; adamw-torch is the same)", 0, 0, NULL},
	{0, "learning-rate", OPT_F64, &rule.rate, "X", "the highest learning rate (default 5e-5)", 0, 1e9, NULL},
	{0, "lr-scheduler-type", OPT_WORD, &sched_word, SCHED_WORDS, "the rate's way to the last update (default linear)", 0, 0, NULL},
	{0, "min-lr", OPT_F64, &min_lr, "X", "cosine-with-min-lr: the last rate", 0, 1e9, NULL},
	{0, "min-lr-rate", OPT_F64, &rule.sched_floor, "X", "the same as a part of the learning rate", 0, 1, NULL},
	{0, "warmup-steps", OPT_I64, &rule.warmup_steps, "N", "updates in which the rate rises from 0 (default 0)", 0, 1e15, NULL},
	{0, "warmup-ratio", OPT_F64, &rule.warmup_ratio, "X", "the same as a part of all updates", 0, 1, NULL},
	{0, "adam-beta1", OPT_F64, &rule.optim.beta1, "X", "AdamW's share of the old mean (default 0.9)", 0, 0.999999999, NULL},
	{0, "adam-beta2", OPT_F64, &rule.optim.beta2, "X", "AdamW's share of the old mean square (default 0.999)", 0, 0.999999999, NULL},
	{0, "adam-epsilon", OPT_F64, &rule.optim.eps, "X", "AdamW's addend to the root (default 1e-8)", 0, 1, NULL},
	{0, "weight-decay", OPT_F64, &rule.optim.weight_decay, "X", "decay of matrices, not of biases and LayerNorm (default 0)", 0, 1e9, NULL},
	{0, "max-grad-norm", OPT_F64, &rule.max_norm, "X", "clip the gradient to this norm (default 1; 0: do not)", 0, 1e30, NULL},
	{0, NULL, OPT_GROUP, NULL, NULL, "What is told", 0, 0, NULL},
	{0, "logging-steps", OPT_I64, &logging_steps, "N", "tell of every Nth update (default 1)", 1, 1e15, NULL},
	{0, "eval-steps", OPT_I64, &eval_steps, "N", "evaluate behind every Nth update too (default: at the end only)", 1, 1e15, NULL},
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
	char *out; /* the directory's name */
	FILE *log;
	struct progress bar;
	time_t stamp;
	double start; /* of training, as all times in seconds of progress_clock */
	/* since the start, and since the last line of the log */
	double loss, loss_part;
	int64_t steps_part;
	size_t tokens, tokens_part, records;
	struct buf lengths;
	/* the first line of the log, from which iter_time counts */
	double first_time;
	int64_t first_step;
	size_t first_tokens;
	int64_t evaluated; /* the step of the last evaluation */
};

#define U(x) (unsigned long long)(x)

static const char *s_of(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* --- records ------------------------------------------------------------------------------ */

/* A shard says which tokenizer made its ids: another one's mean nothing to the model. */
static void check_tokenizer(const struct job *j, const struct shard_head *h, const char *name)
{
	struct buf path = {0};
	struct bpe *t;
	struct err e;
	if (!h || any_tokenizer)
		return;
	if (buf_printf(&path, "%s/tokenizer.json", j->dir) || !buf_str(&path))
		die_mem();
	if (!h->fingerprint || access(path.p, F_OK)) {
		if (!quiet)
			die_warn("%s: the shard's tokenizer cannot be compared with the model's: %s", name,
			         h->fingerprint ? "it has none" : "the shard does not name it");
		buf_release(&path);
		return;
	}
	if (bpe_load(&t, path.p, &e))
		die_err(&e);
	if (bpe_fingerprint(t) != h->fingerprint)
		die_now("%s: the shard's tokenizer (%016llx) is not %s (%016llx); --any-tokenizer takes it all the same", name,
		        U(h->fingerprint), path.p, U(bpe_fingerprint(t)));
	bpe_close(t);
	buf_release(&path);
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
		die_warn("%llu token%s of padding left out", U(d->padding), s_of(d->padding));
	if (d->padding_labels)
		die_warn("%llu label%s on padding left out of the loss", U(d->padding_labels), s_of(d->padding_labels));
	if (d->longest_piece > (size_t)j->m.cfg.max_pos)
		die_warn("the longest %s record has %llu tokens, the model is made for %d", what, U(d->longest_piece), j->m.cfg.max_pos);
}

static const char *const optim_names[] = {"AdamW", "Adafactor", "SGD"};

static void banner(const struct job *j)
{
	const struct dataset *d = &j->train;
	const struct trainer_plan *p = j->plan;
	size_t tokens = d->start[d->n];
	die_warn("%s: %llu trainable parameters; %s on %lld thread%s will take about %.2f GB of memory", j->dir,
	         U(j->cost.params), optim_names[rule.optim.kind], (long long)threads,
	         s_of(U(threads)), 1e-9 * (double)trainer_bytes(&j->m, d, &rule, (int)threads));
	die_warn("%llu record%s of %llu tokens, %llu of them in the loss; the longest has %llu", U(d->n), s_of(d->n), U(tokens),
	         U(d->scored), U(d->longest));
	report_records(j, d, "training");
	if (eval_file) {
		die_warn("%llu record%s to evaluate on, %llu tokens in the loss", U(j->eval.n), s_of(j->eval.n), U(j->eval.scored));
		report_records(j, &j->eval, "evaluation");
	}
	die_warn("batch %lld x accumulation %lld: %lld update%s an epoch, %lld in all, %lld of warm-up", (long long)rule.batch,
	         (long long)rule.accum, (long long)p->steps_per_epoch, s_of(U(p->steps_per_epoch)), (long long)p->steps,
	         (long long)p->warmup);
}

static void dry(const struct job *j)
{
	double epochs = (double)j->plan->steps / (double)j->plan->steps_per_epoch;
	double flops = epochs * count_flops(&j->cost, (double)j->train.start[j->train.n]);
	die_warn("about %.4g GFLOPs in all; %s would be written", 1e-9 * flops, j->out);
}

/* --- the log -------------------------------------------------------------------------------- */

static void open_log(struct job *j)
{
	/* not through io/out: a log is to be read while it grows, and to stay when training fails */
	if (log_file && !(j->log = fopen(log_file, "we")))
		die_now("%s: %s", log_file, strerror(errno));
}

static void log_failed(void)
{
	die_now("%s: %s", log_file, strerror(errno));
}

static __attribute__((format(printf, 2, 3))) void log_line(const struct job *j, const char *fmt, ...)
{
	va_list ap;
	if (!j->log)
		return;
	va_start(ap, fmt);
	if (vfprintf(j->log, fmt, ap) < 0 || fputc('\n', j->log) == EOF || fflush(j->log))
		log_failed();
	va_end(ap);
}

/* Time an update and operations a second since the first line, as the guide counts them. */
static void pace(const struct job *j, int64_t step, double *iter, double *flops)
{
	double took = progress_clock() - j->first_time;
	int64_t steps = step - j->first_step;
	*iter = steps ? took / (double)steps : 0;
	*flops = steps && took > 0 ? count_flops(&j->cost, (double)(j->tokens - j->first_tokens)) / took : 0;
}

static void tell_step(struct job *j, const struct trainer_step *s)
{
	double iter, flops, loss = j->loss_part / (double)j->steps_part, left = (double)(j->plan->steps - s->step);
	if (!j->first_step) {
		j->first_step = s->step;
		j->first_time = progress_clock();
		j->first_tokens = j->tokens;
	}
	pace(j, s->step, &iter, &flops);
	log_line(j,
	         "{\"loss\": %.9g, \"grad_norm\": %.9g, \"learning_rate\": %.9g, \"epoch\": %.9g, \"step\": %lld, \"tokens\": %llu, "
	         "%s%s%s\"iter_time\": %.6g, \"flops\": %.9g, \"remaining_time\": %.6g}",
	         loss, s->grad_norm, s->rate, s->epoch, (long long)s->step, U(j->tokens_part), verbose ? "\"lengths\": [" : "",
	         verbose ? buf_str(&j->lengths) : "", verbose ? "], " : "", iter, flops, left * iter);
	if (!quiet && !j->bar.on)
		die_warn("step %lld/%lld: loss %.6g, grad_norm %.5g, rate %.4g, epoch %.4g, %llu tokens%s%s", (long long)s->step,
		         (long long)j->plan->steps, loss, s->grad_norm, s->rate, s->epoch, U(j->tokens_part),
		         verbose ? ": " : "", verbose ? buf_str(&j->lengths) : "");
	j->loss_part = 0;
	j->steps_part = 0;
	j->tokens_part = 0;
	buf_reset(&j->lengths);
}

static void draw(struct job *j, const struct trainer_step *s)
{
	char note[100];
	double took = progress_clock() - j->start;
	snprintf(note, sizeof note, "loss %.4f rate %.3g %.0f tokens/s", s->loss, s->rate,
	         took > 0 ? (double)j->tokens / took : 0);
	progress_to(&j->bar, (uint64_t)s->step, note);
}

static void evaluate(struct job *j, int64_t step, double epoch)
{
	struct trainer_loss l;
	struct err e;
	double start = progress_clock();
	if (trainer_eval(j->t, &j->eval, eval_batch, &l, &e))
		die_err(&e);
	double took = progress_clock() - start, per = took > 0 ? 1 / took : 0;
	j->evaluated = step;
	log_line(j,
	         "{\"eval_loss\": %.9g, \"eval_runtime\": %.4f, \"eval_samples_per_second\": %.3f, \"eval_steps_per_second\": %.3f, "
	         "\"epoch\": %.9g, \"step\": %lld}",
	         l.loss, took, (double)l.records * per, (double)l.batches * per, epoch, (long long)step);
	if (!quiet && !j->bar.on)
		die_warn("step %lld/%lld: eval_loss %.6g", (long long)step, (long long)j->plan->steps, l.loss);
}

static void tell_end(const struct job *j, double took, double epoch)
{
	double per = took > 0 ? 1 / took : 0, flos = count_flops(&j->cost, (double)j->tokens);
	long long steps = (long long)j->plan->steps;
	log_line(j,
	         "{\"train_runtime\": %.4f, \"train_samples_per_second\": %.3f, \"train_steps_per_second\": %.3f, "
	         "\"total_flos\": %.0f, \"train_loss\": %.9g, \"epoch\": %.9g, \"step\": %lld}",
	         took, (double)j->records * per, (double)steps * per, flos, j->loss / (double)steps, epoch, steps);
	if (!quiet)
		die_warn("%lld update%s in %.2f s: train_loss %.6g, %llu tokens (%.0f/s), %.5g GFLOPs", steps, s_of(U(steps)), took,
		         j->loss / (double)steps, U(j->tokens), (double)j->tokens * per, 1e-9 * flos);
}

/* --- the output ------------------------------------------------------------------------------- */

/* The directory's name: {steps} and {timestamp} (seconds since 1970) filled in. */
static char *expand(const struct job *j)
{
	struct buf b = {0};
	int bad = 0;
	for (const char *p = output; *p;) {
		if (strncmp(p, "{steps}", 7) == 0) {
			bad |= buf_printf(&b, "%lld", (long long)j->plan->steps);
			p += 7;
		} else if (strncmp(p, "{timestamp}", 11) == 0) {
			bad |= buf_printf(&b, "%lld", (long long)j->stamp);
			p += 11;
		} else {
			bad |= buf_addc(&b, *p++);
		}
	}
	if (bad || !buf_str(&b))
		die_mem();
	return b.p;
}

/* Opens the directory, or only tries it where d is NULL. A name with a timestamp is
 * meant to be new: where another run was as fast, the next second's is taken. */
static void open_output(struct job *j, struct outdir **d)
{
	struct err e;
	for (;; j->stamp++) {
		free(j->out);
		j->out = expand(j);
		if ((d ? outdir_open(d, j->out, overwrite, &e) : outdir_check(j->out, overwrite, &e)) == 0)
			return;
		if (e.kind != ERR_DATA || !strstr(output, "{timestamp}"))
			break;
	}
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
	static const char *const copied[] = {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"};
	struct outdir *d;
	struct err e;
	open_output(j, &d);
	int rc = save_weights(j, outdir_path(d), &e);
	for (size_t i = 0; rc == 0 && i < sizeof copied / sizeof *copied; i++)
		rc = outdir_copy(d, j->dir, copied[i], &e) < 0 ? -1 : 0;
	if (rc) {
		outdir_abort(d);
		die_err(&e);
	}
	if (outdir_commit(d, &e))
		die_err(&e);
}

/* --- training ----------------------------------------------------------------------------------- */

static void count(struct job *j, const struct trainer_step *s)
{
	j->loss += s->loss;
	j->loss_part += s->loss;
	j->steps_part++;
	j->tokens += s->tokens;
	j->tokens_part += s->tokens;
	j->records += s->nrecords;
	for (size_t i = 0; verbose && i < s->nrecords; i++)
		if (buf_printf(&j->lengths, "%s%zu", j->lengths.n ? ", " : "", dataset_len(&j->train, s->records[i])))
			die_mem();
}

static void train(struct job *j)
{
	struct trainer_step s = {0};
	struct err e;
	int rc;
	progress_init(&j->bar, prog.name, (uint64_t)j->plan->steps, "steps", quiet);
	j->start = progress_clock();
	while ((rc = trainer_step(j->t, &s, &e)) == 1) {
		count(j, &s);
		draw(j, &s);
		if (s.step % logging_steps == 0)
			tell_step(j, &s);
		if (eval_file && eval_steps && s.step % eval_steps == 0)
			evaluate(j, s.step, s.epoch);
	}
	progress_end(&j->bar);
	if (rc < 0)
		die_err(&e);
	double took = progress_clock() - j->start;
	if (eval_file && j->evaluated != s.step)
		evaluate(j, s.step, s.epoch);
	tell_end(j, took, s.epoch);
	if (j->log && fclose(j->log))
		log_failed();
}

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

static void check_options(int argc, char **argv)
{
	model = model ? model : getenv("NX_MODEL");
	if (!model || !*model)
		die_usage("no model: give -m DIR or set NX_MODEL");
	if (!*output)
		die_usage("--output-dir needs a name");
	if (rule.max_steps == 0)
		die_usage("--max-steps 0 would train nothing: the default, -1, leaves it to the epochs");
	if (eval_steps && !eval_file)
		die_usage("--eval-steps needs --eval FILE");
	if (eval_file && strcmp(eval_file, "-") == 0 && (argc == 0 || strcmp(argv[0], "-") == 0))
		die_usage("stdin cannot be both the records to train and to evaluate on");
	rule.optim.kind = optim_word == 3 ? OPTIM_ADAMW : (enum optim_kind)optim_word;
	rule.sched = (enum sched_kind)sched_word;
	check_floor();
	rule.sampler = (enum sampler_kind)sampler_word;
	rule.reduction = (enum trainer_reduction)reduction_word;
	rule.seed = (uint64_t)seed;
}

static void open_job(struct job *j, int argc, char **argv)
{
	struct err e;
	j->dir = model;
	j->stamp = time(NULL);
	threads = threads ? threads : pool_cpus();
	if (model_load(&j->m, j->dir, &e) || count_of(&j->cost, &j->m.cfg, &e))
		die_err(&e);
	read_records(j, &j->train, argc, argv);
	if (eval_file)
		read_records(j, &j->eval, 1, (char **)&eval_file);
	if (trainer_open(&j->t, &j->m, &j->train, &rule, (int)threads, &e))
		die_err(&e);
	j->plan = trainer_plan_of(j->t);
	open_output(j, NULL);
}

static void close_job(struct job *j)
{
	trainer_close(j->t);
	dataset_release(&j->train);
	dataset_release(&j->eval);
	model_release(&j->m);
	buf_release(&j->lengths);
	free(j->out);
}

int main(int argc, char **argv)
{
	static struct job j;
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
		open_log(&j);
		train(&j);
		save(&j);
		puts(j.out);
	}
	die_close_stdout();
	close_job(&j);
	return 0;
}
