/* bpe-encode - turns the text of records into token ids. */
#include "base/die.h"
#include "base/pool.h"
#include "base/progress.h"
#include "base/skip.h"
#include "base/utf8.h"
#include "io/json.h"
#include "io/lines.h"
#include "io/record.h"
#include "text/bpe.h"
#include "text/column.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const char *tokenizer, *field, *prompt_field, *output;
static bool lines, add_special, append_eos, mask_prompt, shard, zstd, replace_invalid, skip_bad, quiet;
static int64_t threads = 1;

static const struct opt opts[] = {
	{'T', "tokenizer", OPT_STR, &tokenizer, "FILE", "the tokenizer.json (default $NX_TOKENIZER, else $NX_MODEL/tokenizer.json)", 0, 0, NULL},
	{'f', "field", OPT_STR, &field, "NAME", "the field to encode (default text; in records without one question+answer, input+output or prompt+completion)", 0, 0, NULL},
	{'t', "text", OPT_FLAG, &lines, NULL, "input is plain text, each line a record", 0, 0, NULL},
	{0, "replace-invalid", OPT_FLAG, &replace_invalid, NULL, "read what is not valid UTF-8 as U+FFFD", 0, 0, NULL},
	{0, "add-special-tokens", OPT_FLAG, &add_special, NULL, "put the special tokens around each record that the tokenizer's template names", 0, 0, NULL},
	{0, "append-eos", OPT_FLAG, &append_eos, NULL, "end each record with the end-of-text token", 0, 0, NULL},
	{0, "mask-prompt", OPT_FLAG, &mask_prompt, NULL, "label the prompt's tokens -100: they are not in the loss", 0, 0, NULL},
	{0, "prompt-field", OPT_STR, &prompt_field, "NAME", "the field that holds the prompt, which the text begins with (default: what stands before the answer or output and the white space in front of it)", 0, 0, NULL},
	{'s', "shard", OPT_FLAG, &shard, NULL, "write a token shard instead of JSON lines", 0, 0, NULL},
	{'z', "zstd", OPT_FLAG, &zstd, NULL, "compress the output", 0, 0, NULL},
	{'j', "threads", OPT_I64, &threads, "N", "encode with N threads (default 1; 0: all processors)", 0, 1024, NULL},
	{0, "skip-bad", OPT_FLAG, &skip_bad, NULL, "pass over bad records and say how many", 0, 0, NULL},
	{'o', "output", OPT_STR, &output, "FILE", "write to FILE instead of stdout", 0, 0, NULL},
	OPT_COMMON(&quiet),
	{0}
};
static const struct opt_prog prog = {"bpe-encode", "[options] [FILE ...]", "turn the text of records into token ids", opts};

/* What two threads write to must not lie in one cache line, nor in two that are fetched together. */
enum { APART = 128 };

/* What one thread works with. */
struct worker {
	_Alignas(APART) struct bpe *tok;
	struct bpe_ids ids;
	struct bpe_ends ends; /* of many lines' ids */
	struct arena arena;
	struct buf valid; /* the line with its invalid bytes replaced */
	struct record_packer packer;
};

struct counts {
	uint64_t records, tokens, in_loss, empty;
};

/* A block of lines and what became of it. */
struct batch {
	_Alignas(APART) struct lines_block in;
	struct buf out;
	struct counts n;
	uint64_t lines;    /* taken, the bad one included */
	bool failed;       /* at that line, for `why` */
	struct err why;
	struct skip skip;
	uint64_t skip_line; /* of the first record skipped */
};

/* Batches a thread. Where one takes long, the others go on for so many before they wait for it. */
enum { IN_FLIGHT = 4, BLOCK = 64 * 1024 };

/* Batches are read and written in order, one at a time; any number are encoded meanwhile. */
struct queue {
	pthread_mutex_t lock; /* for all below, and for what only the one who reads or writes touches */
	pthread_cond_t changed;
	struct batch *batch;
	struct batch **idle; /* the one used last is taken first: its memory is near */
	struct batch **due;  /* due[k % most]: batch k, once it is encoded */
	int most, nidle;
	uint64_t read, written;
	bool reading, writing;
	bool end;    /* there is no more to read ... */
	bool failed; /* ... or to write */
};

struct job {
	struct worker *worker;
	struct queue q;
	int rc; /* what reading came to, and why; or why writing failed */
	struct err why;
	struct lines in;
	struct record_out *out;
	struct skip skip;
	struct progress bar;
	struct counts n;
	uint64_t line; /* of the present file, before the batch */
};

/* --- what to encode ------------------------------------------------------------------ */

/* The line as it is to be read. What --replace-invalid puts in has no quote and no brace: where
 * JSON's strings end is the same before and after. */
static int replace(struct worker *w, const char **s, size_t *n, struct err *e)
{
	if (!replace_invalid || utf8_valid(*s, *n) == *n)
		return 0;
	buf_reset(&w->valid);
	if (utf8_replace(&w->valid, *s, *n))
		return err_mem(e);
	*s = w->valid.p;
	*n = w->valid.n;
	return 0;
}

static int choose_text(struct worker *w, struct json *rec, struct column *c, struct err *e)
{
	const char *name = field ? field : json_get(rec, "text") ? "text" : NULL;
	c->prompt = 0;
	return name ? column_field(rec, name, &c->text, &c->n, e) : column_text(&w->arena, rec, c, e);
}

/* The prompt is the field of this name. */
static int named_prompt(const struct json *rec, const char *name, struct column *c, struct err *e)
{
	const char *s;
	size_t n;
	if (column_field(rec, name, &s, &n, e))
		return -1;
	if (n > c->n || memcmp(s, c->text, n) != 0)
		return err_data(e, "the text does not begin with field \"%s\"", name);
	c->prompt = n;
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The prompt is what stands before the answer. Where the column rule made the
 * text that is the question; where a template did, all it put around it. White
 * space between the two is left to the answer: prompts are asked without it, as
 * the template qa-prompt ends, and a token may hold it with the answer's first word. */
static int prompt_before(const struct json *rec, struct column *c, struct err *e)
{
	static const char *const pair[][2] = {{"question", "answer"}, {"input", "output"}};
	const char *s;
	size_t n;
	for (size_t i = 0; i < sizeof pair / sizeof *pair; i++) {
		if (!json_get(rec, pair[i][0]) || !json_get(rec, pair[i][1]))
			continue;
		if (column_field(rec, pair[i][1], &s, &n, e))
			return -1;
		if (n > c->n || memcmp(s, c->text + c->n - n, n) != 0)
			return err_data(e, "the text does not end with field \"%s\": name the prompt with --prompt-field", pair[i][1]);
		c->prompt = c->n - n;
		while (c->prompt && is_blank(c->text[c->prompt - 1]))
			c->prompt--;
		return 0;
	}
	if (json_get(rec, "prompt") && json_get(rec, "completion"))
		return named_prompt(rec, "prompt", c, e);
	return err_data(e, "no prompt to mask: no field \"question\" and \"answer\", \"input\" and \"output\", or \"prompt\" and \"completion\"");
}

/* --- one record ------------------------------------------------------------------------ */

/* The labels, where not all are the ids: the first `masked` tokens are not in the loss. */
static int label(struct worker *w, struct record *r, size_t masked, struct err *e)
{
	if (masked == 0)
		return 0;
	r->labels = arena_alloc(&w->arena, r->n * sizeof *r->labels);
	if (!r->labels)
		return err_mem(e);
	for (size_t i = 0; i < r->n; i++)
		r->labels[i] = i < masked ? RECORD_IGNORE : r->ids[i];
	return 0;
}

/* A line of text as the record that it is in JSON lines. */
static int text_record(struct worker *w, const struct column *c, struct json **rec, struct err *e)
{
	*rec = json_object(&w->arena);
	struct json *text = json_string(&w->arena, c->text, c->n);
	return !*rec || !text || json_set(&w->arena, *rec, "text", text) ? err_mem(e) : 0;
}

static int add_all(struct bpe_ids *to, const int32_t *ids, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (bpe_ids_add(to, ids[i]))
			return err_mem(e);
	return 0;
}

/* The text's ids and those around them; an end of text that the template ends with is not put there twice. */
static int tokens_of(struct worker *w, const struct column *c, size_t *masked, bool *empty, struct err *e)
{
	size_t nfront, nback;
	const int32_t *front = bpe_front(w->tok, &nfront), *back = bpe_back(w->tok, &nback);
	if (!add_special)
		nfront = nback = 0;
	w->ids.n = 0;
	if (add_all(&w->ids, front, nfront, e) || bpe_encode(w->tok, c->text, c->n, &w->ids, e))
		return -1;
	*empty = w->ids.n == nfront;
	*masked = 0;
	if (mask_prompt) {
		const struct bpe_ids text = {.v = w->ids.v + nfront, .n = w->ids.n - nfront};
		if (bpe_prefix(w->tok, c->text, c->prompt, &text, masked, e))
			return -1;
		*masked += nfront;
	}
	if (add_all(&w->ids, back, nback, e))
		return -1;
	bool ends = nback && back[nback - 1] == bpe_eos(w->tok);
	return append_eos && !ends && bpe_ids_add(&w->ids, bpe_eos(w->tok)) ? err_mem(e) : 0;
}

static int pack(struct worker *w, struct batch *b, const struct record *r, size_t masked, bool empty, struct err *e)
{
	if (record_pack(&w->packer, r, &w->arena, &b->out, e))
		return -1;
	b->n.records++;
	b->n.tokens += r->n;
	b->n.in_loss += r->n - masked;
	b->n.empty += empty;
	return 0;
}

/* The text's ids, and the record with them behind what the batch has. rec: NULL for a line of text. */
static int encode(struct worker *w, struct batch *b, struct json *rec, const struct column *c, struct err *e)
{
	struct record r = {.obj = rec, .has_ids = true, .has_attn = true, .has_labels = true};
	size_t masked;
	bool empty;
	if (tokens_of(w, c, &masked, &empty, e))
		return -1;
	r.n = w->ids.n;
	r.ids = w->ids.v;
	if (label(w, &r, masked, e) || (!rec && !shard && text_record(w, c, &r.obj, e)))
		return -1;
	return pack(w, b, &r, masked, empty, e);
}

static int text_line(struct worker *w, struct batch *b, const char *s, size_t n, struct err *e)
{
	const struct column c = {.text = s, .n = n};
	return encode(w, b, NULL, &c, e);
}

static int json_line(struct worker *w, struct batch *b, const char *s, size_t n, struct err *e)
{
	struct json *rec;
	struct column c;
	if (json_parse(&w->arena, s, n, &rec, e) || choose_text(w, rec, &c, e))
		return -1;
	if (mask_prompt && (prompt_field ? named_prompt(rec, prompt_field, &c, e) : prompt_before(rec, &c, e)))
		return -1;
	return encode(w, b, rec, &c, e);
}

/* --- a batch ----------------------------------------------------------------------------- */

/* The record of the present line failed: false if it ends the run. */
static bool pass(struct batch *b)
{
	if (skip_pass(&b->skip, &b->why)) {
		b->failed = true;
		return false;
	}
	if (b->skip.n == 1)
		b->skip_line = b->lines;
	return true;
}

static void each_line(struct worker *w, struct batch *b)
{
	const char *s;
	size_t n, at = 0;
	while (lines_cut(&b->in, &at, &s, &n)) {
		b->lines++;
		if (!lines && lines_blank(s, n))
			continue;
		arena_reset(&w->arena);
		if ((replace(w, &s, &n, &b->why) || (lines ? text_line : json_line)(w, b, s, n, &b->why)) && !pass(b))
			return;
	}
}

/* One of the lines whose ids are in w->ids. An end of text is put behind them for as long as it takes. */
static int pack_line(struct worker *w, struct batch *b, const char *s, size_t n, size_t from, size_t to, struct err *e)
{
	struct column c = {.text = s, .n = n};
	int32_t *ids = w->ids.v, behind = ids[to];
	struct record r = {.n = to - from + append_eos, .ids = ids + from, .has_ids = true, .has_attn = true, .has_labels = true};
	if (append_eos)
		ids[to] = bpe_eos(w->tok);
	int rc = (!shard && text_record(w, &c, &r.obj, e)) || pack(w, b, &r, 0, to == from, e) ? -1 : 0;
	ids[to] = behind;
	return rc;
}

/* The lines whose ids are in w->ids, behind one another from *at. -1: the run ends. */
static int pack_lines(struct worker *w, struct batch *b, size_t *at)
{
	const char *s;
	size_t n, from = 0;
	for (size_t i = 0; i < w->ends.n; from = w->ends.v[i++]) {
		struct err why;
		lines_cut(&b->in, at, &s, &n);
		b->lines++;
		arena_reset(&w->arena);
		if (pack_line(w, b, s, n, from, w->ends.v[i], &why) == 0)
			continue;
		b->why = why;
		if (!pass(b))
			return -1;
	}
	return 0;
}

/* The same as records of a shard, all at once. */
static int pack_shard(struct worker *w, struct batch *b)
{
	size_t n = w->ends.n, from = 0;
	if (shard_pack_all(&w->packer.head, w->ids.v, w->ends.v, n, append_eos ? bpe_eos(w->tok) : -1, &b->out, &b->why)) {
		b->failed = true;
		return -1;
	}
	b->lines += n;
	b->n.records += n;
	b->n.tokens += w->ids.n + (append_eos ? n : 0);
	b->n.in_loss += w->ids.n + (append_eos ? n : 0);
	for (size_t i = 0; i < n; from = w->ends.v[i++])
		b->n.empty += w->ends.v[i] == from;
	return 0;
}

/* Lines of text that become records as they are: many at a time. */
static void all_lines(struct worker *w, struct batch *b)
{
	const char *s;
	size_t n, at = 0, taken;
	while (at < b->in.text.n) {
		size_t here = at;
		w->ids.n = w->ends.n = 0;
		int rc = bpe_lines(w->tok, b->in.text.p + at, b->in.text.n - at, b->in.text.cap - at, &w->ids, &w->ends, &taken, &b->why);
		if (bpe_ids_spare(&w->ids, SHARD_SPARE)) {
			err_mem(&b->why);
			b->failed = true;
			return;
		}
		if (shard ? pack_shard(w, b) : pack_lines(w, b, &here))
			return;
		at += taken;
		if (rc == 0)
			continue;
		lines_cut(&b->in, &at, &s, &n);
		b->lines++;
		if (!pass(b))
			return;
	}
}

static void encode_batch(struct worker *w, struct batch *b)
{
	buf_reset(&b->out);
	b->n = (struct counts){0};
	b->lines = 0;
	b->failed = false;
	b->skip = (struct skip){.on = skip_bad};
	if (lines && !replace_invalid && !add_special)
		all_lines(w, b);
	else
		each_line(w, b);
}

/* Puts "FILE:LINE: " before e's message, unless no line is to blame. */
static int at_line(const struct batch *b, uint64_t line, struct err *e)
{
	if (e->kind == ERR_IO || e->kind == ERR_MEM)
		return -1;
	return err_prefix(e, "%s:%llu: ", b->in.name, (unsigned long long)line);
}

static int take(struct job *j, struct batch *b, struct err *e)
{
	if (b->in.first)
		j->line = 0;
	if (b->skip.n && j->skip.n == 0) {
		j->skip.first = b->skip.first;
		at_line(b, j->line + b->skip_line, &j->skip.first);
	}
	j->skip.n += b->skip.n;
	if (record_put_packed(j->out, &b->out, b->n.records, b->n.tokens, e))
		return -1;
	j->n.records += b->n.records;
	j->n.tokens += b->n.tokens;
	j->n.in_loss += b->n.in_loss;
	j->n.empty += b->n.empty;
	j->line += b->lines;
	progress_to(&j->bar, j->n.records, NULL);
	if (!b->failed)
		return 0;
	*e = b->why;
	return at_line(b, j->line, e);
}

/* --- many batches -------------------------------------------------------------------------- */

/* Puts the batch that is due where it belongs. */
static void put_next(struct job *j)
{
	struct queue *q = &j->q;
	struct batch **b = &q->due[q->written % (unsigned)q->most];
	struct err e;
	q->writing = true;
	pthread_mutex_unlock(&q->lock);
	int rc = take(j, *b, &e);
	pthread_mutex_lock(&q->lock);
	q->writing = false;
	q->written++;
	q->idle[q->nidle++] = *b;
	*b = NULL;
	if (rc == 0)
		return;
	q->failed = true;
	j->rc = rc;
	j->why = e;
}

/* The next batch's lines, which are then near to the thread that encodes them. false: there are none. */
static bool read_next(struct job *j, struct batch *b)
{
	struct queue *q = &j->q;
	struct err e;
	q->reading = true;
	pthread_mutex_unlock(&q->lock);
	int rc = lines_next(&j->in, &b->in, &e);
	pthread_mutex_lock(&q->lock);
	q->reading = false;
	if (rc > 0)
		return true;
	q->end = true;
	if (!q->failed)
		j->rc = rc;
	if (!q->failed && rc)
		j->why = e;
	return false;
}

static void encode_next(struct job *j, struct worker *w)
{
	struct queue *q = &j->q;
	struct batch *b = q->idle[--q->nidle];
	if (!read_next(j, b)) {
		q->idle[q->nidle++] = b;
		return;
	}
	uint64_t k = q->read++;
	pthread_cond_broadcast(&q->changed);
	pthread_mutex_unlock(&q->lock);
	encode_batch(w, b);
	pthread_mutex_lock(&q->lock);
	q->due[k % (unsigned)q->most] = b;
}

/* Whoever is free does what is to be done: what can be written goes out before more is waited
 * for. Batches read before an error are still encoded and written. */
static void work(void *arg, int i)
{
	struct job *j = arg;
	struct queue *q = &j->q;
	pthread_mutex_lock(&q->lock);
	while (!q->failed && !(q->end && q->read == q->written)) {
		bool writes = !q->writing && q->due[q->written % (unsigned)q->most];
		if (writes)
			put_next(j);
		else if (!q->reading && !q->end && q->nidle)
			encode_next(j, &j->worker[i]);
		else {
			pthread_cond_wait(&q->changed, &q->lock);
			continue;
		}
		pthread_cond_broadcast(&q->changed);
	}
	pthread_mutex_unlock(&q->lock);
}

static void check_options(void)
{
	if (lines && (field || mask_prompt))
		die_usage("%s is for JSON lines, not for --text", field ? "--field" : "--mask-prompt");
	if (prompt_field && !mask_prompt)
		die_usage("--prompt-field is for --mask-prompt");
}

static void open_out(struct job *j, struct shard_head *head)
{
	struct err e;
	const struct bpe *tok = j->worker[0].tok;
	int32_t eos = bpe_eos(tok), pad = bpe_pad(tok);
	if (append_eos && eos < 0)
		die_now("the tokenizer has no end-of-text token to append");
	*head = (struct shard_head){.vocab = bpe_vocab(tok), .eos = eos < 0 ? SHARD_NO_ID : (uint32_t)eos,
	                            .pad = pad < 0 ? SHARD_NO_ID : (uint32_t)pad, .fingerprint = bpe_fingerprint(tok)};
	if (record_create(&j->out, output, shard ? RECORD_SHARD : RECORD_JSONL, head, zstd ? OUT_ZSTD : OUT_PLAIN, &e))
		die_err(&e);
}

static void *zeros_apart(size_t size)
{
	void *p = aligned_alloc(APART, size);
	return p ? memset(p, 0, size) : NULL;
}

static int open_queue(struct queue *q)
{
	size_t n = IN_FLIGHT * (size_t)threads;
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->changed, NULL);
	q->most = (int)n;
	q->batch = zeros_apart(n * sizeof *q->batch);
	q->idle = calloc(n, sizeof *q->idle);
	q->due = calloc(n, sizeof *q->due);
	if (!q->batch || !q->idle || !q->due)
		return -1;
	while (q->nidle < q->most) {
		q->idle[q->nidle] = &q->batch[q->nidle];
		q->nidle++;
	}
	return 0;
}

static void close_queue(struct queue *q)
{
	for (int i = 0; i < q->most; i++) {
		lines_block_release(&q->batch[i].in);
		buf_release(&q->batch[i].out);
	}
	free(q->batch);
	free(q->idle);
	free(q->due);
	pthread_mutex_destroy(&q->lock);
	pthread_cond_destroy(&q->changed);
}

static void open_all(struct job *j, int argc, char **argv)
{
	struct err e;
	struct shard_head head;
	j->worker = zeros_apart((size_t)threads * sizeof *j->worker);
	if (!j->worker || open_queue(&j->q)) {
		err_mem(&e);
		die_err(&e);
	}
	if (bpe_find(&j->worker[0].tok, tokenizer, &e) || lines_open(&j->in, argc, argv, &e))
		die_err(&e);
	j->in.block = BLOCK;
	open_out(j, &head);
	for (int i = 0; i < threads; i++) {
		struct worker *w = &j->worker[i];
		w->packer = (struct record_packer){.form = shard ? RECORD_SHARD : RECORD_JSONL, .head = head};
		if (i > 0 && bpe_share(&w->tok, j->worker[0].tok, &e))
			die_err(&e);
	}
	progress_init(&j->bar, prog.name, 0, "records", quiet);
}

static void close_all(struct job *j)
{
	close_queue(&j->q);
	for (int i = (int)threads - 1; i >= 0; i--) {
		struct worker *w = &j->worker[i];
		bpe_close(w->tok);
		bpe_ids_release(&w->ids);
		bpe_ends_release(&w->ends);
		arena_release(&w->arena);
		buf_release(&w->valid);
		record_packer_release(&w->packer);
	}
	lines_close(&j->in);
	free(j->worker);
}

static void report(const struct job *j)
{
	die_skipped(&j->skip, "record");
	die_warn("%llu record%s, %llu token%s, %llu in the loss, %llu empty record%s", (unsigned long long)j->n.records,
	         die_s(j->n.records), (unsigned long long)j->n.tokens, die_s(j->n.tokens),
	         (unsigned long long)j->n.in_loss, (unsigned long long)j->n.empty, die_s(j->n.empty));
}

int main(int argc, char **argv)
{
	struct job j = {0};
	struct err e;
	die_opts(&prog, &argc, &argv);
	check_options();
	if (threads == 0)
		threads = pool_cpus();
	struct pool *pool = pool_open((int)threads);
	if (!pool)
		die_now("cannot start %lld threads", (long long)threads);
	open_all(&j, argc, argv);
	pool_run(pool, (int)threads, work, &j);
	progress_end(&j.bar);
	if (j.rc) {
		record_abort(j.out);
		die_err(&j.why);
	}
	if (record_commit(j.out, &e))
		die_err(&e);
	if (!quiet)
		report(&j);
	pool_close(pool);
	close_all(&j);
	return 0;
}
