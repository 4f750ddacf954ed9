/* nx-eval - how good a model is: loss, perplexity and accuracy on token records, as
 * HF's Trainer.evaluate has them; or answers against references, as SQuAD scores them. */
#include "base/die.h"
#include "base/num.h"
#include "base/pool.h"
#include "base/progress.h"
#include "io/jsonl.h"
#include "io/hub.h"
#include "io/out.h"
#include "io/record.h"
#include "nx/evaluate.h"
#include "text/column.h"
#include "text/kin.h"
#include "text/squad.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *model, *key, *reference, *output, *totals;
static int64_t batch = 8, threads;
static bool any_tokenizer, text, raw, each, skip_bad, quiet;

static const struct opt opts[] = {
	{0, NULL, OPT_GROUP, NULL, NULL, "Token records, by a model", 0, 0, NULL},
	{'m', "model", OPT_STR, &model, "DIR", "the model's directory (default $NX_MODEL)", 0, 0, NULL},
	{'b', "per-device-eval-batch-size", OPT_I64, &batch, "N", "records in a batch of the Trainer's eval_loss (default 8)", 1, 1e9, NULL},
	{0, "batch-size", OPT_I64, &batch, "N", "the same", 1, 1e9, NULL},
	{0, "any-tokenizer", OPT_FLAG, &any_tokenizer, NULL, "take a shard of another tokenizer than the model's", 0, 0, NULL},
	{0, "threads", OPT_I64, &threads, "N", "threads to compute with (default: all processors)", 1, 1024, NULL},
	{0, NULL, OPT_GROUP, NULL, NULL, "Texts, without a model", 0, 0, NULL},
	{0, "text", OPT_FLAG, &text, NULL, "compare a field of each record with its reference: exact match and token F1", 0, 0, NULL},
	{'k', "key", OPT_STR, &key, "NAME", "the field to judge (default generated)", 0, 0, NULL},
	{'r', "reference", OPT_STR, &reference, "NAME", "the field it should equal, a text or a list of them (default answer)", 0, 0, NULL},
	{0, "raw", OPT_FLAG, &raw, NULL, "compare as they stand: case, punctuation, articles and blanks count", 0, 0, NULL},
	{0, NULL, OPT_GROUP, NULL, NULL, "Output", 0, 0, NULL},
	{0, "each", OPT_FLAG, &each, NULL, "write every record with its own figures instead of the totals", 0, 0, NULL},
	{0, "totals", OPT_STR, &totals, "FILE", "write the totals to FILE", 0, 0, NULL},
	{0, "skip-bad", OPT_FLAG, &skip_bad, NULL, "pass over bad records and say how many", 0, 0, NULL},
	{'o', "output", OPT_STR, &output, "FILE", "write to FILE instead of stdout", 0, 0, NULL},
	OPT_COMMON(&quiet),
	{0}
};
static const struct opt_prog prog = {"nx-eval", "[-m DIR] [options] [FILE ...]\n--text [options] [FILE ...]",
                                     "measure a model on records, or answers against references", opts};

struct job {
	char *dir; /* the model's */
	struct model m;
	struct evaluate v;
	struct dataset d; /* the batch at hand, and */
	struct buf lines; /* with --each, its records without their last "}", the ends of which are: */
	size_t *end;
	struct model_score *score;
	size_t cap; /* of the two */
	struct evaluate_total total;
	size_t padding, padding_labels, longest, tokens; /* of all batches */

	struct squad squad;
	uint64_t texts, exact;
	double f1;

	struct record_packer packer;
	struct out *out, *totals; /* totals: NULL without --totals */
	struct buf line;
	struct skip skip;
	struct progress bar;
	double start;
};

#define U(x) (unsigned long long)(x)

static __attribute__((noreturn)) void give_up(struct job *j, const struct err *e)
{
	out_abort(j->out);
	out_abort(j->totals);
	progress_end(&j->bar);
	die_err(e);
}

static const char *name_of(int argc, char **argv)
{
	return argc && strcmp(argv[0], "-") ? argv[0] : "stdin";
}

/* --- lines ------------------------------------------------------------------------------ */

/* `, "key": v` behind what b holds; JSON has no number that is not finite. */
static int put_number(struct buf *b, const char *name, double v)
{
	const char *comma = b->n && b->p[b->n - 1] != '{' ? ", " : "";
	return isfinite(v) ? buf_printf(b, "%s\"%s\": %.9g", comma, name, v) : buf_printf(b, "%s\"%s\": null", comma, name);
}

/* The record without the fields that it is to get, and without its last brace. */
static int open_line(struct buf *b, struct json *obj, const char *const *fields, int n)
{
	for (int i = 0; i < n; i++)
		json_drop(obj, fields[i]);
	if (json_write(b, obj))
		return -1;
	b->n--;
	return 0;
}

/* --- token records ------------------------------------------------------------------------ */

static void open_model(struct job *j)
{
	struct err e;
	const char *given = model ? model : getenv("NX_MODEL");
	if (!given || !*given)
		die_usage("no model: give -m DIR or set NX_MODEL, or compare texts with --text");
	if (!(j->dir = hub_model(given, &e)))
		die_err(&e);
	if (model_load(&j->m, j->dir, &e))
		die_err(&e);
	j->v.m = &j->m;
	if (!(j->v.ws = model_work(&j->m, threads ? (int)threads : pool_cpus(), &e)))
		die_err(&e);
}

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

/* Room in the batch for one record more than there are. */
static int room(struct job *j, struct err *e)
{
	if (j->d.n < j->cap)
		return 0;
	size_t cap = j->cap * 2 + 64;
	size_t *end = realloc(j->end, cap * sizeof *end);
	if (end)
		j->end = end;
	struct model_score *score = realloc(j->score, cap * sizeof *score);
	if (score)
		j->score = score;
	if (!end || !score)
		return err_mem(e);
	j->cap = cap;
	return 0;
}

/* Keeps the record's line until its loss is known; a record from a shard becomes one. */
static int keep_line(struct job *j, const struct record *r, struct arena *a, struct err *e)
{
	static const char *const fields[] = {"loss", "tokens", "accuracy"};
	if (r->obj) {
		if (open_line(&j->lines, r->obj, fields, 3))
			return err_mem(e);
	} else {
		if (record_pack(&j->packer, r, a, &j->lines, e))
			return -1;
		j->lines.n -= 2; /* the brace and the newline */
	}
	j->end[j->d.n] = j->lines.n;
	return 0;
}

/* The lines of the batch, each with its record's figures. */
static int put_lines(struct job *j, struct err *e)
{
	size_t from = 0;
	for (size_t i = 0; i < j->d.n; i++) {
		const struct model_score *s = &j->score[i];
		double n = (double)s->scored;
		buf_reset(&j->line);
		if (buf_add(&j->line, j->lines.p + from, j->end[i] - from) ||
		    put_number(&j->line, "loss", s->scored ? s->nll / n : NAN) || put_number(&j->line, "tokens", n) ||
		    put_number(&j->line, "accuracy", s->scored ? (double)s->hits / n : NAN) || buf_adds(&j->line, "}\n"))
			return err_mem(e);
		if (out_write(j->out, j->line.p, j->line.n, e))
			return -1;
		from = j->end[i];
	}
	return out_flush(j->out, e);
}

/* Runs the batch at hand and forgets it. */
static int end_batch(struct job *j, struct err *e)
{
	struct dataset *d = &j->d;
	if (!d->n)
		return 0;
	if (evaluate_records(&j->v, d, 0, d->n, j->score, e))
		return -1;
	for (size_t i = 0; i < d->n; i++)
		if (!isfinite(j->score[i].nll))
			return err_data(e, "the loss of record %zu is %g", j->total.records + i + 1, num_shown(j->score[i].nll));
	evaluate_add(&j->total, j->score, d->n);
	if (each && put_lines(j, e))
		return -1;
	j->padding += d->padding;
	j->padding_labels += d->padding_labels;
	j->tokens += d->start[d->n];
	if (d->longest_piece > j->longest)
		j->longest = d->longest_piece;
	dataset_release(d);
	buf_reset(&j->lines);
	return 0;
}

static int add_record(struct job *j, struct record_in *in, const struct record *r, struct err *e)
{
	size_t before = j->lines.n;
	if (room(j, e))
		return -1;
	if ((each && keep_line(j, r, record_arena(in), e)) || dataset_add(&j->d, r, j->m.cfg.vocab, e)) {
		j->lines.n = before;
		return record_at(in, e);
	}
	return 0;
}

static void judge_tokens(struct job *j, int argc, char **argv)
{
	struct record_in *in;
	struct record r;
	struct err e;
	int rc;
	if (record_open(&in, argc, argv, &e))
		give_up(j, &e);
	check_tokenizer(j, record_head(in), name_of(argc, argv));
	while ((rc = record_next(in, &r, &e)) != 0) {
		if (rc > 0)
			rc = add_record(j, in, &r, &e);
		if (rc < 0 && skip_pass(&j->skip, &e))
			give_up(j, &e);
		if (j->d.n == (size_t)batch && end_batch(j, &e))
			give_up(j, &e);
		progress_to(&j->bar, j->total.records, NULL);
	}
	if (end_batch(j, &e))
		give_up(j, &e);
	record_close(in);
	if (!j->total.all.scored) {
		err_data(&e, j->total.records ? "%s: no record has a token in the loss" : "%s: no record", name_of(argc, argv));
		give_up(j, &e);
	}
}

static int token_totals(const struct job *j, struct buf *b)
{
	const struct evaluate_total *t = &j->total;
	double loss = evaluate_token_loss(t);
	return put_number(b, "eval_loss", evaluate_loss(t)) || put_number(b, "token_loss", loss) ||
	       put_number(b, "perplexity", exp(loss)) || put_number(b, "eval_accuracy", evaluate_accuracy(t)) ||
	       buf_printf(b, ", \"tokens\": %zu, \"records\": %zu, \"unscored\": %zu", t->all.scored, t->records, t->silent);
}

static void report_tokens(const struct job *j)
{
	double took = progress_clock() - j->start;
	die_warn("%zu record%s of %zu tokens, %zu of them in the loss, in %.2f s (%.0f tokens/s)", j->total.records,
	         die_s(j->total.records), j->tokens, j->total.all.scored, took, took > 0 ? (double)j->tokens / took : 0);
	if (j->total.silent)
		die_warn("%zu record%s no token in the loss", j->total.silent, j->total.silent == 1 ? " has" : "s have");
	if (j->padding)
		die_warn("%zu token%s of padding left out", j->padding, die_s(j->padding));
	if (j->padding_labels)
		die_warn("%zu label%s on padding left out of the loss", j->padding_labels, die_s(j->padding_labels));
	if (j->longest > (size_t)j->m.cfg.max_pos)
		die_warn("the longest record has %zu tokens, the model is made for %d", j->longest, j->m.cfg.max_pos);
}

/* --- texts ------------------------------------------------------------------------------------ */

/* The better of what there is and the score against one reference more. */
static int judge_against(struct job *j, const char *s, size_t n, const char *want, size_t m, struct squad_score *best,
                         struct err *e)
{
	struct squad_score one;
	if (squad_score(&j->squad, s, n, want, m, raw, &one, e))
		return -1;
	best->exact |= one.exact;
	if (one.f1 > best->f1)
		best->f1 = one.f1;
	return 0;
}

static int judge_text(struct job *j, const struct json *rec, struct squad_score *best, struct err *e)
{
	const char *s, *want;
	size_t n, m;
	const struct json *list = json_get(rec, reference);
	*best = (struct squad_score){0};
	if (column_field(rec, key, &s, &n, e))
		return -1;
	if (!json_is(list, JSON_ARRAY))
		return column_field(rec, reference, &want, &m, e) ? -1 : judge_against(j, s, n, want, m, best, e);
	if (!list->n)
		return err_data(e, "field \"%s\" is an empty list", reference);
	for (const struct json *v = list->child; v; v = v->next) {
		if (v->type != JSON_STRING)
			return err_data(e, "field \"%s\" holds what is no text", reference);
		if (judge_against(j, s, n, v->s, v->n, best, e))
			return -1;
	}
	return 0;
}

static int put_judged(struct job *j, struct json *rec, const struct squad_score *s, struct err *e)
{
	static const char *const fields[] = {"exact_match", "f1"};
	buf_reset(&j->line);
	if (open_line(&j->line, rec, fields, 2) || put_number(&j->line, "exact_match", s->exact) ||
	    put_number(&j->line, "f1", s->f1) || buf_adds(&j->line, "}\n"))
		return err_mem(e);
	return out_write(j->out, j->line.p, j->line.n, e);
}

static int judge_line(struct job *j, struct jsonl *in, struct json *rec, struct err *e)
{
	struct squad_score s = {0};
	int rc = json_is(rec, JSON_OBJECT) ? judge_text(j, rec, &s, e) : err_data(e, "the record is no JSON object");
	if (rc)
		return jsonl_at(in, e);
	j->texts++;
	j->exact += s.exact;
	j->f1 += s.f1;
	return each ? put_judged(j, rec, &s, e) : 0;
}

static void judge_texts(struct job *j, int argc, char **argv)
{
	struct jsonl in;
	struct json *rec;
	struct err e;
	int rc;
	if (jsonl_open(&in, argc, argv, &e))
		give_up(j, &e);
	while ((rc = jsonl_next(&in, &rec, &e)) != 0) {
		if (rc > 0)
			rc = judge_line(j, &in, rec, &e);
		if (rc < 0 && skip_pass(&j->skip, &e))
			give_up(j, &e);
		progress_to(&j->bar, j->texts, NULL);
	}
	jsonl_close(&in);
	if (!j->texts) {
		err_data(&e, "%s: no record", name_of(argc, argv));
		give_up(j, &e);
	}
}

static int text_totals(const struct job *j, struct buf *b)
{
	double n = (double)j->texts;
	return put_number(b, "exact_match", (double)j->exact / n) || put_number(b, "f1", j->f1 / n) ||
	       buf_printf(b, ", \"records\": %llu", U(j->texts));
}

/* --- all of it ---------------------------------------------------------------------------------- */

static void open_outputs(struct job *j)
{
	struct err e;
	if (out_open(&j->out, output, OUT_PLAIN, &e) || (totals && out_open(&j->totals, totals, OUT_PLAIN, &e)))
		give_up(j, &e);
}

static int put_totals(struct job *j, struct err *e)
{
	struct buf *b = &j->line;
	buf_reset(b);
	if (buf_addc(b, '{') || (text ? text_totals(j, b) : token_totals(j, b)) || buf_adds(b, "}\n"))
		return err_mem(e);
	return (!each && out_write(j->out, b->p, b->n, e)) || (totals && out_write(j->totals, b->p, b->n, e)) ? -1 : 0;
}

/* Each of the two is gone whether it is committed or not. */
static void close_outputs(struct job *j)
{
	struct out *out = j->out;
	struct err e;
	j->out = NULL;
	if (out_commit(out, &e))
		give_up(j, &e);
	if (totals && out_commit(j->totals, &e))
		die_err(&e);
}

static void report(const struct job *j)
{
	die_skipped(&j->skip, "record");
	if (!text)
		report_tokens(j);
	if (each)
		die_warn("%.*s", (int)j->line.n - 1, j->line.p);
}

static void check_options(void)
{
	if (text && (model || any_tokenizer))
		die_usage("--text needs no model: -m and --any-tokenizer are for token records");
	if (!text && (key || reference || raw))
		die_usage("-k, -r and --raw are for --text");
	if (totals && out_same(output, totals))
		die_usage("--totals names the file that the output goes to");
	key = key ? key : "generated";
	reference = reference ? reference : "answer";
}

static void close_job(struct job *j)
{
	model_work_close(j->v.ws);
	evaluate_release(&j->v);
	model_release(&j->m);
	squad_release(&j->squad);
	record_packer_release(&j->packer);
	buf_release(&j->lines);
	buf_release(&j->line);
	free(j->dir);
	free(j->end);
	free(j->score);
}

int main(int argc, char **argv)
{
	struct job j = {.packer = {.form = RECORD_JSONL}};
	struct err e;
	die_opts(&prog, &argc, &argv);
	check_options();
	if (!text)
		open_model(&j);
	j.skip.on = skip_bad;
	j.start = progress_clock();
	open_outputs(&j);
	progress_init(&j.bar, prog.name, 0, "records", quiet);
	if (text)
		judge_texts(&j, argc, argv);
	else
		judge_tokens(&j, argc, argv);
	progress_end(&j.bar);
	if (put_totals(&j, &e))
		give_up(&j, &e);
	close_outputs(&j);
	if (!quiet)
		report(&j);
	close_job(&j);
	return 0;
}
