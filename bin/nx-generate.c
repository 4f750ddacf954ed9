/* nx-generate - answers from a model: greedy, drawn, or by beam search. */
#include "base/die.h"
#include "base/pool.h"
#include "base/progress.h"
#include "base/skip.h"
#include "io/hub.h"
#include "io/in.h"
#include "io/lines.h"
#include "io/out.h"
#include "io/record.h"
#include "io/turns.h"
#include "nx/answer.h"
#include "nx/batching.h"
#include "nx/talk.h"
#include "nx/wishes.h"
#include "text/bpe.h"
#include "text/cell.h"
#include "text/column.h"
#include "text/kin.h"
#include "text/prompt.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *model, *tokenizer, *prompt, *template, *field, *key = "generated", *output;
static struct wishes wish = WISHES_DEFAULTS;
static int64_t batch = 16, history = -1, threads;
static int dtype = FROZEN_F32;
static bool lines, chat, plain, echo, any_tokenizer, skip_bad, timing, quiet;
enum { TALK_NEW = 256 }; /* tokens of an answer in a talk, where nobody says */

static const struct opt opts[] = {
	{'m', "model", OPT_STR, &model, "DIR", "the model's directory (default $NX_MODEL)", 0, 0, NULL},
	{'T', "tokenizer", OPT_STR, &tokenizer, "FILE", "tokenizer.json (default $NX_TOKENIZER, else the model's)", 0, 0, NULL},
	{'p', "prompt", OPT_STR, &prompt, "TEXT", "answer this one prompt, as text", 0, 0, NULL},
	{0, "text", OPT_FLAG, &lines, NULL, "input is text: each line that is not blank is a prompt", 0, 0, NULL},
	{0, "chat", OPT_FLAG, &chat, NULL, "talk: each line of stdin is answered, in the light of those before it", 0, 0, NULL},
	{0, "history", OPT_I64, &history, "N", "of --chat: remember N turns (default: as many as the model can hold)", 0, 1e9, NULL},
	{0, "template", OPT_STR, &template, "TEXT|NAME", "put what is asked into this template, as jsonl-template reads it, or that preset; model: the one kept with the model", 0, 0, NULL},
	{'f', "field", OPT_STR, &field, "NAME", "the records' field to answer (default: input_ids, else question, input, text or prompt)", 0, 0, NULL},
	{'k', "key", OPT_STR, &key, "NAME", "the field that gets the answer (default generated)", 0, 0, NULL},
	WISHES_OPTIONS(wish),
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
static const struct opt_prog prog = {"nx-generate", "[-m DIR] -p TEXT [options]\n[-m DIR] [options] [FILE ...]\n[-m DIR] --chat [options]",
                                     "answer prompts with a model", opts};

struct tally {
	uint64_t records, cut, empty, full, far;     /* records and prompts; far: beyond the model's positions */
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
	char *dir; /* the model's, while the job is opened: what ends the process then must not have lost it */
	struct frozen f;
	struct decode *d;
	struct sample *sample;
	struct beam beam;
	struct generate g; /* the one prompt's */
	struct batching batch;
	struct asked *asked; /* by the seat's id */
	struct turns turns;
	struct arena arena;
	struct prompt ask; /* the template, if there is one */
	struct bpe *tok; /* NULL: there is none, only ids can be answered */
	struct out *out;
	bool live; /* one prompt at a terminal: show each token as it comes */
	struct bpe_ids prompt, plain;
	size_t shown; /* bytes of the answer's text that have been written */
	bool begun;   /* one that is no white space was among them; always so but in a talk */
	struct buf text, line;
	double since; /* when the last token came */
	struct skip skip;
	struct tally n;
	int bad[2]; /* whether loading the model and the tokenizer failed, and why */
	struct err why[2];
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
		if (ids[i] < (int32_t)bpe_vocab(j->tok) && !generate_is_eos(&wish.rules, ids[i]) && add_id(&j->plain, ids[i], e))
			return -1;
	return bpe_decode(j->tok, j->plain.v, j->plain.n, true, text, e);
}

/* --- opening ------------------------------------------------------------------- */

/* The template, from the option or, for a talk, from beside the model. */
static void open_template(struct job *j, const char *dir)
{
	bool own = template ? strcmp(template, "model") == 0 : chat;
	struct err e;
	int rc = own ? prompt_load(&j->ask, dir, &e) : 0;
	if (rc < 0)
		die_err(&e);
	if (own && rc == 0 && template)
		die_now("%s has no " PROMPT_FILE, dir);
	if (own && rc == 0 && !quiet)
		die_warn("%s has no " PROMPT_FILE ": what is said goes to the model as it is (--template)", dir);
	if (template && !own && prompt_open(&j->ask, template, &e)) {
		err_prefix(&e, "--template: ");
		die_value(&e);
	}
	if (j->ask.end.n && wish.beams == 1) {
		if (wish.stops.n == OPT_LIST_MAX)
			die_usage("--stop is given too often");
		wish.stops.v[wish.stops.n++] = j->ask.end.p;
	}
}

static int workers(void)
{
	return threads ? (int)threads : pool_cpus();
}

/* What of the wishes and the ways of asking excludes each other. */
static void check_ways(void)
{
	if (wish.top >= 0 && (prompt || plain))
		die_usage("--logprobs is for records: not with -p or --plain");
	if (chat && (prompt || lines || field || plain || echo || output || wish.beams > 1 || wish.sequences > 1 || wish.top >= 0))
		die_usage("--chat goes with none of -p, --text, -f, --plain, --echo, -o, --beams, -n and --logprobs");
	if (answer_has(key))
		die_usage("--key %s: an answer has a field of that name already", key);
	if (history >= 0 && !chat)
		die_usage("--history is for --chat");
}

/* The model and its tokenizer, side by side. */
static void load(void *arg, int i)
{
	struct job *j = arg;
	j->bad[i] = i == 0 ? frozen_load(&j->f, j->dir, (enum frozen_dtype)dtype, workers(), &j->why[i])
	                   : bpe_beside(&j->tok, tokenizer, j->dir, &j->why[i]);
}

static void open_job(struct job *j, int argc, char **argv)
{
	struct err e;
	const char *given = model ? model : getenv("NX_MODEL");
	if (!given || !*given)
		die_usage("no model: give -m DIR or set NX_MODEL");
	char *dir = j->dir = hub_model(given, &e);
	if (!dir)
		die_err(&e);
	struct pool *both = pool_open(workers() > 1 ? 2 : 1);
	if (!both)
		die_mem();
	pool_run(both, 2, load, j);
	pool_close(both);
	if (j->bad[0])
		die_err(&j->why[0]);
	wish.talk = chat;
	if (wishes_read(&wish, &j->f.cfg, dir, &prog, argc, argv, &e))
		die_err(&e);
	check_ways();
	if (j->bad[1])
		die_err(&j->why[1]);
	open_template(j, dir);
	wish.rules.stop = wish.stops.v;
	wish.rules.nstop = wish.stops.n;
	if ((prompt || chat || template) && !j->tok)
		die_now("%s has no tokenizer.json: give one with -T", dir);
	if ((wish.stops.n || plain) && !j->tok)
		die_usage("--stop and --plain need a tokenizer: give one with -T");
	if (j->tok) {
		wish.rules.text = to_text;
		wish.rules.text_arg = j;
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
	prompt_release(&j->ask);
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

/* Writes what is settled of the answer's text and not yet written; a terminal gets nothing that could steer it. */
static int show(struct job *j, const struct generate *g, struct err *e)
{
	while (!j->begun && j->shown < g->ready && strchr(" \t\r\n", g->text.p[j->shown]))
		j->shown++;
	j->begun |= j->shown < g->ready;
	size_t from = j->shown, n = g->ready - from;
	j->shown = g->ready;
	buf_reset(&j->line);
	if (n && (j->live ? cell_clean(&j->line, g->text.p + from, n) : buf_add(&j->line, g->text.p + from, n)))
		return err_mem(e);
	return n && (out_write(j->out, j->line.p, j->line.n, e) || out_flush(j->out, e)) ? -1 : 0;
}

static int take(void *arg, const struct generate *g, struct err *e)
{
	struct job *j = arg;
	double now = progress_clock();
	bool first = g->n == g->prompt + 1;
	*(first ? &j->n.asking : &j->n.answering) += now - j->since;
	j->n.later += !first;
	j->since = now;
	return j->live ? show(j, g, e) : 0;
}

/* The end of a prompt matters most: the guide's tokenizer cuts on the left. */
static void cut_prompt(struct job *j, bool first)
{
	struct bpe_ids *p = &j->prompt;
	if (p->n <= (size_t)wish.max_input)
		return;
	size_t cut = p->n - (size_t)wish.max_input;
	if (wish.side == 0)
		memmove(p->v, p->v + cut, (size_t)wish.max_input * sizeof *p->v);
	p->n -= cut;
	j->n.cut += first;
	j->n.cut_tokens += first ? cut : 0;
}

/* Makes of j->prompt what can be asked. first: it is the first time that it is asked. */
static int settle_prompt(struct job *j, bool first, struct err *e)
{
	struct bpe_ids *p = &j->prompt;
	cut_prompt(j, first);
	if (p->n == 0) { /* as HF's generate() begins without a prompt */
		if (j->f.cfg.bos < 0)
			return err_data(e, "the prompt is empty and the model has no token to begin with");
		if (add_id(p, j->f.cfg.bos, e))
			return -1;
		j->n.empty += first;
	}
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i] < 0 || p->v[i] >= j->f.cfg.vocab)
			return err_data(e, "token id %d is outside the model's vocabulary of %d", p->v[i], j->f.cfg.vocab);
	return 0;
}

/* Begins to answer j->prompt, the record of this number. */
static int begin(struct job *j, struct generate *g, uint64_t number, int64_t sequence, struct err *e)
{
	if (settle_prompt(j, sequence == 0, e))
		return -1;
	if (generate_begin(g, &wish.rules, j->prompt.v, j->prompt.n, number, (uint32_t)sequence, e))
		return -1;
	j->n.full += sequence == 0 && g->end != GENERATE_ON;
	return 0;
}

static void count(struct job *j, const struct generate *g)
{
	j->n.records++;
	j->n.asked += g->prompt;
	j->n.answered += g->n - g->prompt;
	j->n.far += g->n > g->prompt && g->n > (size_t)j->f.cfg.max_pos;
}

/* The answer of a search, which ends at once. */
static int search(struct job *j, int64_t sequence, struct generate *g, struct err *e)
{
	if (sequence == 0 && beam_run(&j->beam, &wish.beam, &wish.rules, j->sample, j->d, g->ids, (int)g->n, e))
		return -1;
	return beam_give(&j->beam, sequence, g, e);
}

/* Answers j->prompt into j->g, for the sequence-th time. */
static int answer(struct job *j, int64_t sequence, struct err *e)
{
	j->shown = 0;
	j->begun = true;
	if (begin(j, &j->g, 0, sequence, e))
		return -1;
	j->since = progress_clock();
	if (wish.beams == 1 ? generate_run(&j->g, j->sample, j->d, take, j, e) : search(j, sequence, &j->g, e))
		return -1;
	count(j, &j->g);
	return 0;
}

/* --- one prompt -------------------------------------------------------------------- */

/* What is asked with the text s, into j->text and, as ids, into j->prompt. */
static int ask(struct job *j, const char *s, size_t n, struct err *e)
{
	j->prompt.n = 0;
	buf_reset(&j->text);
	return prompt_say(&j->ask, s, n, &j->text, e) || prompt_encode(&j->ask, j->tok, &j->text, &j->prompt, e) ? -1 : 0;
}

static void answer_prompt(struct job *j)
{
	struct err e;
	j->live = !output && isatty(STDOUT_FILENO);
	if (ask(j, prompt, strlen(prompt), &e)) {
		err_prefix(&e, "the prompt: ");
		die_err(&e);
	}
	for (int64_t i = 0; i < wish.sequences; i++)
		if ((echo && out_write(j->out, j->text.p, j->text.n, &e)) || answer(j, i, &e) || show(j, &j->g, &e) ||
		    out_write(j->out, "\n", 1, &e)) {
			out_abort(j->out);
			die_err(&e);
		}
}

/* --- a talk ------------------------------------------------------------------------- */

static volatile sig_atomic_t interrupted, listening;

/* Ctrl-C ends the answer; while the program listens it only says what would end the talk. */
static void interrupt(int sig)
{
	static const char hint[] = "\n(Ctrl-D or /quit ends)\n> ";
	interrupted = sig;
	if (listening && write(STDERR_FILENO, hint, sizeof hint - 1) < 0)
		listening = 0;
}

static void open_talk(struct job *j, struct talk *t)
{
	int64_t window = j->f.cfg.max_pos;
	if (wish.length_given && wish.rules.max_length < window)
		window = wish.rules.max_length;
	if (wish.rules.max_new == 0)
		wish.rules.max_new = TALK_NEW;
	talk_open(t, j->d, j->sample, &wish.rules, window, history);
	if (wish.max_input > talk_most(t))
		wish.max_input = talk_most(t);
	j->live = isatty(STDOUT_FILENO);
}

/* The answer to j->prompt. */
static int reply(struct job *j, struct talk *t, struct err *e)
{
	size_t said = j->prompt.n;
	if (settle_prompt(j, true, e) || talk_ask(t, j->prompt.v, j->prompt.n, e))
		return -1;
	if (j->prompt.n < said && !quiet)
		die_warn("too long: %zu tokens, of which %s %zu %s asked", said, wish.side ? "the first" : "the last", j->prompt.n,
		         j->prompt.n == 1 ? "is" : "are");
	if (t->forgotten && !quiet)
		die_warn("the window of %lld token%s is full: forgot the oldest %zu turn%s", (long long)t->window,
		         die_s((uint64_t)t->window), t->forgotten, die_s(t->forgotten));
	j->shown = 0;
	j->begun = false;
	interrupted = 0;
	j->since = progress_clock();
	while (t->g.end == GENERATE_ON && !interrupted)
		if (talk_next(t, e) || take(j, &t->g, e))
			return -1;
	j->n.records++;
	j->n.asked += j->prompt.n;
	j->n.answered += t->g.n - t->g.prompt;
	if (show(j, &t->g, e) || out_write(j->out, "\n", 1, e) || out_flush(j->out, e))
		return -1;
	if (t->g.end == GENERATE_LENGTH && !quiet)
		die_warn("the answer was cut off at %zu token%s", t->g.n - t->g.prompt, die_s(t->g.n - t->g.prompt));
	return 0;
}

static const char talk_help[] = "Ctrl-C stops an answer, /reset forgets what was said, /quit or Ctrl-D ends";

/* A line that is a command: 1, or -1: it ends the talk; 0: it is none. */
static int command(struct talk *t, const char *line)
{
	if (strcmp(line, "/reset") == 0)
		return talk_reset(t), 1;
	if (strcmp(line, "/help") == 0)
		die_warn("%s", talk_help);
	return strcmp(line, "/quit") == 0 ? -1 : strcmp(line, "/help") == 0;
}

/* The next line, if it is to be answered: 1; 0: the end. */
static int listen_for(struct in *in, struct buf *line, bool person, struct err *e)
{
	if (person && write(STDERR_FILENO, "> ", 2) < 0)
		return err_io(e, "stderr");
	listening = person;
	int rc = in_line(in, line, e);
	listening = 0;
	return rc > 0 && !buf_str(line) ? err_mem(e) : rc;
}

static void talk(struct job *j)
{
	bool person = isatty(STDIN_FILENO);
	struct sigaction act = {.sa_handler = interrupt, .sa_flags = (int)SA_RESTART};
	struct talk t;
	struct buf line = {0};
	struct in *in;
	struct err e;
	int rc, known = 0;
	uint64_t number = 0;
	open_talk(j, &t);
	if (in_open(&in, NULL, &e))
		die_err(&e);
	if (person && sigaction(SIGINT, &act, NULL))
		die_now("no signals can be caught");
	if (person && !quiet)
		die_warn("%s", talk_help);
	while (known >= 0 && (rc = listen_for(in, &line, person, &e)) > 0) {
		number++;
		if (lines_blank(line.p, line.n) || (known = command(&t, line.p)) != 0)
			continue;
		if (ask(j, line.p, line.n, &e)) {
			err_prefix(&e, "stdin:%llu: ", (unsigned long long)number);
			rc = person && e.kind == ERR_DATA ? (die_warn("%s", e.msg), 0) : skip_pass(&j->skip, &e);
		} else {
			rc = reply(j, &t, &e);
		}
		if (rc)
			break;
	}
	if (rc < 0) {
		out_abort(j->out);
		die_err(&e);
	}
	if (person && known >= 0)
		fputc('\n', stderr);
	in_close(in);
	buf_release(&line);
	talk_release(&t);
}

/* --- records ----------------------------------------------------------------------- */

/* The record's prompt into j->prompt; with --echo its text into j->text. Padding is no part of it. */
static int read_prompt(struct job *j, const struct record *r, struct err *e)
{
	const char *s;
	size_t n;
	j->prompt.n = 0;
	buf_reset(&j->text);
	if (r->has_ids && !field && !template) {
		for (size_t i = 0; i < r->n; i++)
			if (r->attn[i] && add_id(&j->prompt, r->ids[i], e))
				return -1;
		return echo && j->tok ? to_text(j, j->prompt.v, j->prompt.n, &j->text, e) : 0;
	}
	if (!j->tok)
		return err_usage(e, "a prompt of text needs a tokenizer: give one with -T");
	if (template && !lines) {
		if (!r->obj)
			return err_data(e, "the record has no fields for a template");
		return prompt_fill(&j->ask, r->obj, &j->text, e) || prompt_encode(&j->ask, j->tok, &j->text, &j->prompt, e) ? -1 : 0;
	}
	return column_asked(r->obj, field, &s, &n, e) || ask(j, s, n, e) ? -1 : 0;
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
	if ((r->obj && json_write(&a->obj, r->obj)) || (echo && buf_add(&a->text, j->text.p, j->text.n)))
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
	const struct answer w = {.rules = &wish.rules, .ids = g->ids + g->prompt, .n = g->n - g->prompt, .prompt = g->prompt,
	                         .end = g->end, .put_ids = a->has_ids && !field && !template, .key = key, .text = j->tok ? &a->text : NULL,
	                         .sequence = wish.sequences > 1 ? a->sequence : -1, .score = wish.beams > 1 ? &a->score : NULL,
	                         .logprobs = wish.top >= 0 ? g->logprobs : NULL};
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

/* The record takes a free seat. 0, or -1: it cannot be answered. */
static int admit(struct job *j, struct batching_seat *seat, struct record_in *in, const struct record *r, uint64_t number,
                 int64_t sequence, struct err *e)
{
	struct asked *a = &j->asked[seat->id];
	a->sequence = sequence;
	if (read_prompt(j, r, e) || begin(j, &seat->g, number, sequence, e))
		return record_at(in, e);
	if (wish.beams > 1 && search(j, sequence, &seat->g, e))
		return -1;
	a->score = wish.beams > 1 ? j->beam.best[sequence].score : 0;
	/* joining comes last: the answer of what runs will be written */
	return keep_record(j, a, r, e) || turns_give(&j->turns, &a->turn, e) || batching_join(&j->batch, seat, e) ? -1 : 0;
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
	if (!(j->asked = calloc((size_t)batch, sizeof *j->asked)))
		die_mem();
	if (batching_open(&j->batch, j->d, j->sample, (int)batch, &e))
		die_err(&e);
	progress_init(&bar, prog.name, 0, "records", quiet);
	int64_t again = 0; /* answers that the present record has got or is getting */
	for (uint64_t number = 0; rc || j->batch.n;) {
		struct batching_seat *seat;
		while (rc && !bad && (seat = batching_free(&j->batch)) && (again > 0 || (rc = record_next(in, &r, &e)) != 0)) {
			if (rc > 0)
				rc = admit(j, seat, in, &r, number, again, &e) ? -1 : 1;
			again = rc < 0 || again + 1 == wish.sequences ? 0 : again + 1;
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
	if (*wish.unheard)
		die_warn("generation_config.json wishes what is not done here: %s", wish.unheard);
	if (n->cut)
		die_warn("%llu prompt%s cut to %s %lld tokens, by %llu together", U(n->cut), die_s(n->cut), wish.side ? "the first" : "the last",
		         (long long)wish.max_input, U(n->cut_tokens));
	if (n->empty)
		die_warn("%llu empty prompt%s: begun with the model's first token", U(n->empty), die_s(n->empty));
	if (n->full)
		die_warn("%llu prompt%s left no room for an answer in %lld tokens (--max-length)", U(n->full), die_s(n->full),
		         (long long)wish.rules.max_length);
	if (n->far)
		die_warn("%llu answer%s went beyond the %d tokens that the model is made for", U(n->far), die_s(n->far), j->f.cfg.max_pos);
	if (timing)
		die_warn("%llu prompt tokens, %.1f/s; %llu new tokens, %.1f/s behind the first", U(n->asked),
		         n->asking > 0 ? (double)n->asked / n->asking : 0, U(n->answered),
		         n->answering > 0 ? (double)n->later / n->answering : 0);
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
	if ((prompt || chat) && argc)
		die_usage("%s: it takes no files", prompt ? "-p answers one prompt" : "--chat listens to stdin");
	if ((prompt != NULL) + (field != NULL) + lines > 1)
		die_usage("-p, --field and --text exclude each other");
	if (template && field)
		die_usage("--template names the fields: no --field");
	j.skip.on = skip_bad;
	open_job(&j, nargs, args);
	if (prompt)
		answer_prompt(&j);
	else if (chat)
		talk(&j);
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
