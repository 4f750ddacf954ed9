/* nx-generate - answers from a model: greedy, drawn, or by beam search. */
#include "base/die.h"
#include "base/pool.h"
#include "base/progress.h"
#include "base/skip.h"
#include "io/hub.h"
#include "io/out.h"
#include "io/record.h"
#include "io/turns.h"
#include "nx/answer.h"
#include "nx/batching.h"
#include "nx/genconfig.h"
#include "text/bpe.h"
#include "text/column.h"
#include "text/kin.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *model, *tokenizer, *prompt, *field, *key = "generated", *output;
static struct generate_rules rules = {.max_length = 100};
static struct beam_rules beam;
static int64_t beams = 1, top = -1, sequences = 1, max_input = 1000, batch = 16, threads;
static int dtype = FROZEN_F32;
static int early, side;
static struct opt_list stops;
static bool do_sample, greedy, drawn, bare, new_given, length_given, beam_given, plain;
static bool lines, ignore_eos, echo, any_tokenizer, skip_bad, timing, quiet;

static const struct opt opts[] = {
	{'m', "model", OPT_STR, &model, "DIR", "the model's directory (default $NX_MODEL)", 0, 0, NULL},
	{'T', "tokenizer", OPT_STR, &tokenizer, "FILE", "tokenizer.json (default $NX_TOKENIZER, else the model's)", 0, 0, NULL},
	{'p', "prompt", OPT_STR, &prompt, "TEXT", "answer this one prompt, as text", 0, 0, NULL},
	{0, "text", OPT_FLAG, &lines, NULL, "input is text: each line that is not blank is a prompt", 0, 0, NULL},
	{'f', "field", OPT_STR, &field, "NAME", "the records' field to answer (default: input_ids, else question, input or text)", 0, 0, NULL},
	{'k', "key", OPT_STR, &key, "NAME", "the field that gets the answer (default generated)", 0, 0, NULL},
	{0, "max-new-tokens", OPT_I64, &rules.max_new, "N", "answer with at most N tokens", 1, 1e9, &new_given},
	{0, "max-length", OPT_I64, &rules.max_length, "N", "prompt and answer have at most N tokens together (default 100)", 1, 1e9, &length_given},
	{0, "max-input-tokens", OPT_I64, &max_input, "N", "keep N tokens of a longer prompt (default 1000)", 1, 1e9, NULL},
	{0, "truncation-side", OPT_WORD, &side, "left|right", "where a longer prompt is cut (default left)", 0, 0, NULL},
	{0, "min-new-tokens", OPT_I64, &rules.min_new, "N", "no end of text among the first N tokens", 0, 1e9, NULL},
	{0, "stop", OPT_LIST, &stops, "TEXT", "end the answer before TEXT; may be given again", 0, 0, NULL},
	{0, "ignore-eos", OPT_FLAG, &ignore_eos, NULL, "go on past the end of text", 0, 0, NULL},
	{0, "no-generation-config", OPT_FLAG, &bare, NULL, "do not read generation_config.json", 0, 0, NULL},
	{0, "do-sample", OPT_FLAG, &do_sample, NULL, "draw each token at random; so do the next six", 0, 0, &drawn},
	{0, "temperature", OPT_F64, &rules.sample.temperature, "X", "divide logits by X (default 1; 0: greedy)", 0, 1e9, &drawn},
	{0, "top-k", OPT_I64, &rules.sample.top_k, "N", "of the N likeliest tokens (default 50; 0: all)", 0, INT32_MAX, &drawn},
	{0, "top-p", OPT_F64, &rules.sample.top_p, "P", "of the likeliest that have the probability P together", 0, 1, &drawn},
	{0, "min-p", OPT_F64, &rules.sample.min_p, "P", "of those at least P times as likely as the likeliest", 0, 1, &drawn},
	{0, "typical-p", OPT_F64, &rules.sample.typical_p, "P", "of the most typical that have the probability P", 1e-9, 1, &drawn},
	{0, "seed", OPT_U64, &rules.seed, "N", "of the random numbers (default 0)", 0, 0, &drawn},
	{0, "greedy", OPT_FLAG, &greedy, NULL, "always the likeliest token, whatever the model's wish", 0, 0, NULL},
	{0, "repetition-penalty", OPT_F64, &rules.sample.penalty.repetition, "X", "make tokens that occurred less likely by X (default 1)", 1e-9, 1e9, NULL},
	{0, "presence-penalty", OPT_F64, &rules.sample.penalty.presence, "X", "take X off the logits of tokens answered already", -1e9, 1e9, NULL},
	{0, "frequency-penalty", OPT_F64, &rules.sample.penalty.frequency, "X", "the same, each time they were answered", -1e9, 1e9, NULL},
	{0, "no-repeat-ngram-size", OPT_I64, &rules.sample.penalty.ngram, "N", "let no N tokens in a row come twice", 0, 1e9, NULL},
	{'n', "num-return-sequences", OPT_I64, &sequences, "N", "answer N times; drawn, or of --beams", 1, 1e6, NULL},
	{0, "beams", OPT_I64, &beams, "N", "search with N beams", 1, BEAM_MAX, NULL},
	{0, "length-penalty", OPT_F64, &beam.length_penalty, "X", "of beams: prefer longer answers (default 1)", -1e9, 1e9, &beam_given},
	{0, "early-stopping", OPT_WORD, &early, "false|true|never", "when a search ends, as HF has it (default false)", 0, 0, &beam_given},
	{0, "logprobs", OPT_I64, &top, "N", "put each token's log-probability, and the N best, into records", 0, GENERATE_TOP_MAX, NULL},
	{0, "plain", OPT_FLAG, &plain, NULL, "write answers as text, not records", 0, 0, NULL},
	{0, "echo", OPT_FLAG, &echo, NULL, "put the prompt's text in front of the answer's", 0, 0, NULL},
	{0, "any-tokenizer", OPT_FLAG, &any_tokenizer, NULL, "take a shard of another tokenizer than the model's", 0, 0, NULL},
	{0, "skip-bad", OPT_FLAG, &skip_bad, NULL, "pass over bad records and say how many", 0, 0, NULL},
	{0, "dtype", OPT_WORD, &dtype, FROZEN_WORDS, "how weights are kept: as they are, or narrowed (default f32)", 0, 0, NULL},
	{0, "batch", OPT_I64, &batch, "N", "answer up to N records at once (default 16)", 1, 4096, NULL},
	{0, "threads", OPT_I64, &threads, "N", "threads to compute with (default: all processors)", 1, 1024, NULL},
	{0, "timing", OPT_FLAG, &timing, NULL, "say on stderr how fast prompts and new tokens went", 0, 0, NULL},
	{'o', "output", OPT_STR, &output, "FILE", "write to FILE instead of stdout", 0, 0, NULL},
	OPT_COMMON(&quiet),
	{0}
};
static const struct opt_prog prog = {"nx-generate", "[-m DIR] -p TEXT [options]\n[-m DIR] [options] [FILE ...]",
                                     "answer prompts with a model", opts};

struct tally {
	uint64_t records, cut, empty, full;          /* records and prompts */
	uint64_t cut_tokens, asked, answered, later; /* tokens; later: answered behind the first of an answer */
	double asking, answering;                    /* seconds up to the first token, and behind it */
};

/* What is kept of a record that is being answered, at a seat of the batch. */
struct asked {
	struct bpe_ids ids;   /* a shard's record, which its answer shows again */
	struct buf obj, text; /* the record as JSON, empty for a shard's; with --echo the prompt's text */
	uint64_t turn;        /* when its answer is written */
	int64_t sequence;     /* of several answers to one record */
	float score;          /* of its beam */
	bool has_ids;         /* the record had ids */
};

struct job {
	struct frozen f;
	struct decode *d;
	struct sample *sample;
	struct beam beam;
	struct generate g; /* the one prompt's */
	struct batching batch;
	struct asked *asked; /* by the seat's id */
	struct turns turns;
	struct arena arena;
	struct bpe *tok; /* NULL: there is none, only ids can be answered */
	struct out *out;
	bool live; /* one prompt at a terminal: show each token as it comes */
	struct bpe_ids prompt, plain;
	size_t shown; /* bytes of the answer's text that have been written */
	struct buf text, line;
	double since; /* when the last token came */
	struct skip skip;
	struct tally n;
};

/* --- text ------------------------------------------------------------------------- */

static int add_id(struct bpe_ids *to, int32_t id, struct err *e)
{
	return bpe_ids_add(to, id) ? err_mem(e) : 0;
}

/* Appends the text of ids, without special tokens and ends of text. The model's
 * vocabulary is often padded to a round number: ids the tokenizer does not know have no text. */
static int to_text(void *arg, const int32_t *ids, size_t n, struct buf *text, struct err *e)
{
	struct job *j = arg;
	j->plain.n = 0;
	for (size_t i = 0; i < n; i++)
		if (ids[i] < (int32_t)bpe_vocab(j->tok) && !generate_is_eos(&rules, ids[i]) && add_id(&j->plain, ids[i], e))
			return -1;
	return bpe_decode(j->tok, j->plain.v, j->plain.n, true, text, e);
}

/* --- opening ------------------------------------------------------------------- */

static struct bpe *open_tokenizer(const char *dir)
{
	struct buf path = {0};
	struct bpe *t = NULL;
	struct err e;
	const char *file = tokenizer ? tokenizer : getenv("NX_TOKENIZER");
	if (!file || !*file) {
		if (buf_printf(&path, "%s/tokenizer.json", dir) || !(file = buf_str(&path)))
			die_mem();
		if (access(file, F_OK))
			file = NULL;
	}
	if (file && bpe_load(&t, file, &e))
		die_err(&e);
	buf_release(&path);
	return t;
}

static int workers(void)
{
	return threads ? (int)threads : pool_cpus();
}

/* What the model wishes, where no option says otherwise: its options are read again, over the file's. */
static void read_wishes(const struct job *j, const char *dir, int argc, char **argv)
{
	struct err e;
	genconfig_defaults(&j->f.cfg, &rules, &beam);
	if (!bare && genconfig_read(dir, &rules, &beam, &e))
		die_err(&e);
	beams = beam.beams;
	early = (int)beam.early;
	stops.n = 0;
	if (opt_parse(&prog, &argc, &argv, &e) != OPT_OK)
		die_err(&e);
	beam.beams = (int)beams;
	beam.early = (enum beam_early)early;
	if (length_given && !new_given)
		rules.max_new = 0;
	rules.sample.random = !greedy && (rules.sample.random || drawn) && rules.sample.temperature >= SAMPLE_COLDEST;
	if (ignore_eos)
		rules.neos = 0;
	rules.stop = stops.v;
	rules.nstop = stops.n;
	rules.logprobs = top >= 0;
	rules.top = top < 0 ? 0 : top < j->f.cfg.vocab ? (int)top : j->f.cfg.vocab;
}

static void check_wishes(void)
{
	if (greedy && drawn)
		die_usage("--greedy and options of sampling exclude each other");
	if (beams > 1 && rules.sample.random)
		die_usage("--beams and sampling exclude each other (--greedy turns off what the model wishes)");
	if (beams > 1 && (stops.n || top >= 0))
		die_usage("--beams goes with neither --stop nor --logprobs");
	if (beams == 1 && beam_given)
		die_usage("--length-penalty and --early-stopping are for --beams");
	if (sequences > 1 && !rules.sample.random && sequences > beams)
		die_usage("--num-return-sequences needs sampling, or as many --beams");
	if (rules.max_new && rules.min_new > rules.max_new)
		die_usage("--min-new-tokens is above --max-new-tokens");
	if (top >= 0 && (prompt || plain))
		die_usage("--logprobs is for records: not with -p or --plain");
	for (int i = 0; i < stops.n; i++)
		if (!*stops.v[i])
			die_usage("--stop wants a text that is not empty");
}

static void open_job(struct job *j, int argc, char **argv)
{
	struct err e;
	const char *given = model ? model : getenv("NX_MODEL");
	if (!given || !*given)
		die_usage("no model: give -m DIR or set NX_MODEL");
	char *dir = hub_model(given, &e);
	if (!dir)
		die_err(&e);
	if (frozen_load(&j->f, dir, (enum frozen_dtype)dtype, workers(), &e))
		die_err(&e);
	read_wishes(j, dir, argc, argv);
	check_wishes();
	j->tok = open_tokenizer(dir);
	if (prompt && !j->tok)
		die_now("%s has no tokenizer.json: give one with -T", dir);
	if ((stops.n || plain) && !j->tok)
		die_usage("--stop and --plain need a tokenizer: give one with -T");
	if (j->tok) {
		rules.text = to_text;
		rules.text_arg = j;
	}
	if (!(j->d = decode_over(&j->f, workers(), &e)) || !(j->sample = sample_open(j->f.cfg.vocab, &e)))
		die_err(&e);
	if (out_open(&j->out, output, OUT_PLAIN, &e))
		die_err(&e);
	free(dir);
}

static void close_job(struct job *j)
{
	for (int i = 0; j->asked && i < batch; i++) {
		struct asked *a = &j->asked[i];
		bpe_ids_release(&a->ids);
		buf_release(&a->obj);
		buf_release(&a->text);
	}
	turns_release(&j->turns);
	beam_release(&j->beam);
	batching_close(&j->batch);
	free(j->asked);
	arena_release(&j->arena);
	decode_close(j->d);
	sample_close(j->sample);
	generate_release(&j->g);
	frozen_release(&j->f);
	bpe_close(j->tok);
	bpe_ids_release(&j->prompt);
	bpe_ids_release(&j->plain);
	buf_release(&j->text);
	buf_release(&j->line);
}

/* --- one answer ------------------------------------------------------------------ */

/* Writes what is settled of the answer's text and not yet written. */
static int show(struct job *j, struct err *e)
{
	const struct generate *g = &j->g;
	size_t from = j->shown;
	j->shown = g->ready;
	return from < g->ready && (out_write(j->out, g->text.p + from, g->ready - from, e) || out_flush(j->out, e)) ? -1 : 0;
}

static int take(void *arg, const struct generate *g, struct err *e)
{
	struct job *j = arg;
	double now = progress_clock();
	bool first = g->n == g->prompt + 1;
	*(first ? &j->n.asking : &j->n.answering) += now - j->since;
	j->n.later += !first;
	j->since = now;
	return j->live ? show(j, e) : 0;
}

/* The end of a prompt matters most: the guide's tokenizer cuts on the left. */
static void cut_prompt(struct job *j)
{
	struct bpe_ids *p = &j->prompt;
	if (p->n <= (size_t)max_input)
		return;
	size_t cut = p->n - (size_t)max_input;
	if (side == 0)
		memmove(p->v, p->v + cut, (size_t)max_input * sizeof *p->v);
	p->n -= cut;
	j->n.cut++;
	j->n.cut_tokens += cut;
}

/* Begins to answer j->prompt, the record of this number. */
static int begin(struct job *j, struct generate *g, uint64_t number, int64_t sequence, struct err *e)
{
	struct bpe_ids *p = &j->prompt;
	cut_prompt(j);
	if (p->n == 0) { /* as HF's generate() begins without a prompt */
		if (j->f.cfg.bos < 0)
			return err_data(e, "the prompt is empty and the model has no token to begin with");
		if (add_id(p, j->f.cfg.bos, e))
			return -1;
		j->n.empty++;
	}
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i] < 0 || p->v[i] >= j->f.cfg.vocab)
			return err_data(e, "token id %d is outside the model's vocabulary of %d", p->v[i], j->f.cfg.vocab);
	if (generate_begin(g, &rules, p->v, p->n, number, (uint32_t)sequence, e))
		return -1;
	j->n.full += g->end != GENERATE_ON;
	return 0;
}

static void count(struct job *j, const struct generate *g)
{
	j->n.records++;
	j->n.asked += g->prompt;
	j->n.answered += g->n - g->prompt;
}

/* Fills j->g with one of the ways that the search found, as if it had been generated. */
static int take_way(struct job *j, struct generate *g, int64_t sequence, struct err *e)
{
	const struct beam_way *w = &j->beam.best[sequence];
	for (int i = 0; i < w->n; i++)
		if (generate_take_id(g, w->ids[i], e))
			return -1;
	return 0;
}

/* Answers j->prompt into j->g, for the sequence-th time. */
static int answer(struct job *j, int64_t sequence, struct err *e)
{
	j->shown = 0;
	if (begin(j, &j->g, 0, sequence, e))
		return -1;
	j->since = progress_clock();
	if (beams == 1 && generate_run(&j->g, j->sample, j->d, take, j, e))
		return -1;
	if (beams > 1 && ((sequence == 0 && beam_run(&j->beam, &beam, &rules, j->sample, j->d, j->g.ids, (int)j->g.n, e)) ||
	                  take_way(j, &j->g, sequence, e)))
		return -1;
	count(j, &j->g);
	return 0;
}

/* --- one prompt -------------------------------------------------------------------- */

static void answer_prompt(struct job *j)
{
	struct err e;
	size_t n = strlen(prompt);
	j->live = !output && isatty(STDOUT_FILENO);
	if (bpe_encode(j->tok, prompt, n, &j->prompt, &e)) {
		err_prefix(&e, "the prompt: ");
		die_err(&e);
	}
	for (int64_t i = 0; i < sequences; i++)
		if ((echo && out_write(j->out, prompt, n, &e)) || answer(j, i, &e) || show(j, &e) ||
		    out_write(j->out, "\n", 1, &e)) {
			out_abort(j->out);
			die_err(&e);
		}
}

/* --- records ----------------------------------------------------------------------- */

/* The record's prompt into j->prompt; with --echo its text into j->text. Padding is no part of it. */
static int read_prompt(struct job *j, const struct record *r, struct err *e)
{
	const char *s;
	size_t n;
	j->prompt.n = 0;
	buf_reset(&j->text);
	if (r->has_ids && !field) {
		for (size_t i = 0; i < r->n; i++)
			if (r->attn[i] && add_id(&j->prompt, r->ids[i], e))
				return -1;
		return echo && j->tok ? to_text(j, j->prompt.v, j->prompt.n, &j->text, e) : 0;
	}
	if (!j->tok)
		return err_usage(e, "a prompt of text needs a tokenizer: give one with -T");
	if (column_asked(r->obj, field, &s, &n, e) || bpe_encode(j->tok, s, n, &j->prompt, e))
		return -1;
	return echo && buf_add(&j->text, s, n) ? err_mem(e) : 0;
}

/* The record as it will be written again; r itself is gone with the next one. */
static int keep_record(struct job *j, struct asked *a, const struct record *r, struct err *e)
{
	a->has_ids = r->has_ids;
	a->ids.n = 0;
	buf_reset(&a->obj);
	buf_reset(&a->text);
	for (size_t i = 0; i < r->n && !r->obj; i++)
		if (add_id(&a->ids, r->ids[i], e))
			return -1;
	if ((r->obj && json_write(&a->obj, r->obj)) || buf_add(&a->text, j->text.p, j->text.n))
		return err_mem(e);
	return 0;
}

/* The record, or what stands for one from a shard, with its answer. */
static int put_answer(struct job *j, struct asked *a, const struct generate *g, struct buf *line, struct err *e)
{
	struct arena *m = &j->arena;
	struct json *obj = NULL;
	arena_reset(m);
	if (a->obj.n && json_parse(m, a->obj.p, a->obj.n, &obj, e))
		return -1;
	if (!a->obj.n && (!(obj = json_object(m)) || json_set(m, obj, "input_ids", json_ints(m, a->ids.v, a->ids.n))))
		return err_mem(e);
	if (j->tok && buf_add(&a->text, g->text.p, g->text.n))
		return err_mem(e);
	buf_reset(line);
	if (plain)
		return buf_add(line, a->text.p, a->text.n) || buf_addc(line, '\n') ? err_mem(e) : 0;
	const struct answer w = {.rules = &rules, .ids = g->ids + g->prompt, .n = g->n - g->prompt, .prompt = g->prompt,
	                         .end = g->end, .put_ids = a->has_ids && !field, .key = key, .text = j->tok ? &a->text : NULL,
	                         .sequence = sequences > 1 ? a->sequence : -1, .score = beams > 1 ? &a->score : NULL,
	                         .logprobs = top >= 0 ? g->logprobs : NULL};
	if (answer_set(m, obj, &w, e))
		return -1;
	return json_write(line, obj) || buf_addc(line, '\n') ? err_mem(e) : 0;
}

/* A shard says which tokenizer made its ids: another one's mean nothing to the model. */
static void check_shard(const struct job *j, const struct shard_head *h, const char *name)
{
	struct err e;
	int rc = kin_same(h, j->tok, "the model's", any_tokenizer, name, &e);
	if (rc < 0)
		die_err(&e);
	if (rc > 0 && !quiet)
		die_warn("%s", e.msg);
}

/* Writes the answers that have ended. */
static int take_ended(struct job *j, struct err *e)
{
	for (struct batching_seat *s; (s = batching_ended(&j->batch));) {
		struct asked *a = &j->asked[s->id];
		if (put_answer(j, a, &s->g, turns_line(&j->turns, a->turn), e))
			return -1;
		turns_done(&j->turns, a->turn);
		count(j, &s->g);
	}
	return turns_write(&j->turns, j->out, e);
}

/* One more token for each record that is being answered. */
static int step(struct job *j, struct err *e)
{
	bool prompts;
	double since = progress_clock();
	uint64_t running = (uint64_t)j->batch.n;
	if (batching_step(&j->batch, &prompts, e))
		return -1;
	*(prompts ? &j->n.asking : &j->n.answering) += progress_clock() - since;
	j->n.later += prompts ? 0 : running;
	return take_ended(j, e);
}

/* The answer of a search, which ends at once. */
static int search(struct job *j, struct asked *a, struct generate *g, struct err *e)
{
	if (a->sequence == 0 && beam_run(&j->beam, &beam, &rules, j->sample, j->d, g->ids, (int)g->n, e))
		return -1;
	a->score = j->beam.best[a->sequence].score;
	return take_way(j, g, a->sequence, e);
}

/* The record takes a free seat. 0, or -1: it cannot be answered. */
static int admit(struct job *j, struct batching_seat *seat, struct record_in *in, const struct record *r, uint64_t number,
                 int64_t sequence, struct err *e)
{
	struct asked *a = &j->asked[seat->id];
	a->sequence = sequence;
	if (read_prompt(j, r, e) || begin(j, &seat->g, number, sequence, e))
		return record_at(in, e);
	return (beams > 1 && search(j, a, &seat->g, e)) || keep_record(j, a, r, e) || batching_join(&j->batch, seat, e) ||
	       turns_give(&j->turns, &a->turn, e) ? -1 : 0;
}

static void open_seats(struct job *j)
{
	struct err e;
	if (!(j->asked = calloc((size_t)batch, sizeof *j->asked)))
		die_mem();
	if (batching_open(&j->batch, j->d, j->sample, (int)batch, &e))
		die_err(&e);
	j->skip.on = skip_bad;
}

/* As one answer ends, the next record takes its place. What ends the run lets those before it end first. */
static void answer_records(struct job *j, int argc, char **argv)
{
	struct record_in *in;
	struct record r;
	struct progress bar;
	struct err e, why;
	int rc = 1, bad = 0;
	if (lines ? record_open_text(&in, argc, argv, &e) : record_open(&in, argc, argv, &e))
		die_err(&e);
	check_shard(j, record_head(in), argc && strcmp(argv[0], "-") ? argv[0] : "stdin");
	open_seats(j);
	progress_init(&bar, prog.name, 0, "records", quiet);
	int64_t again = 0; /* answers that the present record has got or is getting */
	for (uint64_t number = 0; rc || j->batch.n;) {
		struct batching_seat *seat;
		while (rc && !bad && (seat = batching_free(&j->batch)) && (again > 0 || (rc = record_next(in, &r, &e)) != 0)) {
			if (rc > 0)
				rc = admit(j, seat, in, &r, number, again, &e) ? -1 : 1;
			again = rc < 0 || again + 1 == sequences ? 0 : again + 1;
			number += again == 0;
			bad = rc < 0 && skip_pass(&j->skip, &e);
			if (bad)
				why = e;
		}
		if (bad && j->batch.n == 0)
			break;
		if (take_ended(j, &e) || (j->batch.n && step(j, &e))) { /* some have no room for an answer at all */
			bad = 1;
			why = e;
			break;
		}
		progress_to(&bar, j->n.records, NULL);
	}
	progress_end(&bar);
	if (bad) {
		out_abort(j->out);
		die_err(&why);
	}
	record_close(in);
}

/* --- what is left to say ------------------------------------------------------------- */

static void report(const struct job *j)
{
	const struct tally *n = &j->n;
#define U(x) (unsigned long long)(x)
	die_skipped(&j->skip, "record");
	if (n->cut)
		die_warn("%llu prompt%s cut to %s %lld tokens, by %llu together", U(n->cut), die_s(n->cut), side ? "the first" : "the last",
		         (long long)max_input, U(n->cut_tokens));
	if (n->empty)
		die_warn("%llu empty prompt%s: begun with the model's first token", U(n->empty), die_s(n->empty));
	if (n->full)
		die_warn("%llu prompt%s left no room for an answer in %lld tokens (--max-length)", U(n->full), die_s(n->full),
		         (long long)rules.max_length);
	if (timing)
		die_warn("%llu prompt tokens, %.1f/s; %llu new tokens, %.1f/s behind the first", U(n->asked),
		         n->asking > 0 ? (double)n->asked / n->asking : 0, U(n->answered),
		         n->answering > 0 ? (double)n->later / n->answering : 0);
#undef U
}

int main(int argc, char **argv)
{
	static struct job j;
	struct err e;
	char **args = calloc((size_t)argc + 1, sizeof *args);
	int nargs = argc;
	if (!args)
		die_mem();
	memcpy(args, argv, (size_t)argc * sizeof *args);
	die_opts(&prog, &argc, &argv);
	if (prompt && argc)
		die_usage("-p answers one prompt: it takes no files");
	if ((prompt != NULL) + (field != NULL) + lines > 1)
		die_usage("-p, --field and --text exclude each other");
	open_job(&j, nargs, args);
	if (prompt)
		answer_prompt(&j);
	else
		answer_records(&j, argc, argv);
	if (out_commit(j.out, &e))
		die_err(&e);
	if (!quiet)
		report(&j);
	close_job(&j);
	free(args);
	return 0;
}
