/* bpe-encode - turns the text of records into token ids. */
#include "base/die.h"
#include "base/progress.h"
#include "base/skip.h"
#include "base/utf8.h"
#include "io/jsonl.h"
#include "io/record.h"
#include "text/bpe.h"
#include "text/column.h"

#include <string.h>

static const char *tokenizer, *field, *prompt_field, *output;
static bool lines, append_eos, mask_prompt, shard, zstd, replace_invalid, skip_bad, quiet;

static const struct opt opts[] = {
	{'T', "tokenizer", OPT_STR, &tokenizer, "FILE", "the tokenizer.json (default $NX_TOKENIZER, else $NX_MODEL/tokenizer.json)", 0, 0, NULL},
	{'f', "field", OPT_STR, &field, "NAME", "the field to encode (default text; in records without one question+answer or input+output)", 0, 0, NULL},
	{'t', "text", OPT_FLAG, &lines, NULL, "input is plain text, each line a record", 0, 0, NULL},
	{0, "replace-invalid", OPT_FLAG, &replace_invalid, NULL, "with --text: U+FFFD for what is not valid UTF-8", 0, 0, NULL},
	{0, "append-eos", OPT_FLAG, &append_eos, NULL, "end each record with the end-of-text token", 0, 0, NULL},
	{0, "mask-prompt", OPT_FLAG, &mask_prompt, NULL, "label the prompt's tokens -100: they are not in the loss", 0, 0, NULL},
	{0, "prompt-field", OPT_STR, &prompt_field, "NAME", "the field that holds the prompt, which the text begins with (default: what stands before the answer or output and the white space in front of it)", 0, 0, NULL},
	{'s', "shard", OPT_FLAG, &shard, NULL, "write a token shard instead of JSON lines", 0, 0, NULL},
	{'z', "zstd", OPT_FLAG, &zstd, NULL, "compress the output", 0, 0, NULL},
	{0, "skip-bad", OPT_FLAG, &skip_bad, NULL, "pass over bad records and say how many", 0, 0, NULL},
	{'o', "output", OPT_STR, &output, "FILE", "write to FILE instead of stdout", 0, 0, NULL},
	OPT_COMMON(&quiet),
	{0}
};
static const struct opt_prog prog = {"bpe-encode", "[options] [FILE ...]", "turn the text of records into token ids", opts};

struct job {
	struct bpe *tok;
	struct jsonl in;
	struct record_out *out;
	struct bpe_ids ids;
	struct buf valid; /* a line with its invalid bytes replaced */
	struct skip skip;
	struct progress bar;
	uint64_t records, tokens, in_loss, empty;
};

/* --- what to encode ------------------------------------------------------------------ */

static int replace(struct job *j, struct json *rec, struct err *e)
{
	const struct json *v = json_get(rec, "text");
	if (utf8_valid(v->s, v->n) == v->n)
		return 0;
	buf_reset(&j->valid);
	if (utf8_replace(&j->valid, v->s, v->n) ||
	    json_set(&j->in.arena, rec, "text", json_string(&j->in.arena, j->valid.p, j->valid.n)))
		return err_mem(e);
	return 0;
}

static int choose_text(struct job *j, struct json *rec, struct column *c, struct err *e)
{
	const char *name = field ? field : json_get(rec, "text") ? "text" : NULL;
	c->prompt = 0;
	if (lines && replace_invalid && replace(j, rec, e))
		return -1;
	return name ? column_field(rec, name, &c->text, &c->n, e) : column_text(&j->in.arena, rec, c, e);
}

/* The prompt is the field that was named. */
static int named_prompt(const struct json *rec, struct column *c, struct err *e)
{
	const char *s;
	size_t n;
	if (column_field(rec, prompt_field, &s, &n, e))
		return -1;
	if (n > c->n || memcmp(s, c->text, n) != 0)
		return err_data(e, "the text does not begin with field \"%s\"", prompt_field);
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
	return err_data(e, "no prompt to mask: no field \"question\" and \"answer\", or \"input\" and \"output\"");
}

/* --- one record ------------------------------------------------------------------------ */

/* Ids, attention and labels; the first `masked` tokens are not in the loss. */
static int fill(struct job *j, struct record *r, size_t masked, struct err *e)
{
	struct arena *a = &j->in.arena;
	r->n = j->ids.n;
	r->ids = j->ids.v;
	r->attn = arena_alloc(a, r->n + 1);
	r->labels = arena_alloc(a, (r->n + 1) * sizeof *r->labels);
	if (!r->attn || !r->labels)
		return err_mem(e);
	memset(r->attn, 1, r->n);
	for (size_t i = 0; i < r->n; i++)
		r->labels[i] = i < masked ? RECORD_IGNORE : r->ids[i];
	return 0;
}

static int encode(struct job *j, struct json *rec, struct err *e)
{
	struct record r = {.obj = rec, .has_ids = true, .has_attn = true, .has_labels = true};
	struct column c;
	size_t masked = 0;
	if (choose_text(j, rec, &c, e))
		return -1;
	if (mask_prompt && (prompt_field ? named_prompt(rec, &c, e) : prompt_before(rec, &c, e)))
		return -1;
	j->ids.n = 0;
	if (bpe_encode(j->tok, c.text, c.n, &j->ids, e))
		return -1;
	if (mask_prompt && bpe_prefix(j->tok, c.text, c.prompt, &j->ids, &masked, e))
		return -1;
	bool empty = j->ids.n == 0;
	if (append_eos && bpe_ids_add(&j->ids, bpe_eos(j->tok)))
		return err_mem(e);
	if (fill(j, &r, masked, e) || record_put(j->out, &r, &j->in.arena, e))
		return -1;
	j->records++;
	j->tokens += r.n;
	j->in_loss += r.n - masked;
	j->empty += empty;
	progress_to(&j->bar, j->records, NULL);
	return 0;
}

/* --------------------------------------------------------------------------------------- */

static int run(struct job *j, struct err *e)
{
	struct json *rec;
	int rc;
	while ((rc = lines ? jsonl_next_text(&j->in, &rec, e) : jsonl_next(&j->in, &rec, e)) != 0) {
		if (rc > 0 && encode(j, rec, e)) {
			jsonl_at(&j->in, e);
			rc = -1;
		}
		if (rc < 0 && skip_pass(&j->skip, e))
			return -1;
	}
	return 0;
}

static void check_options(void)
{
	if (lines && (field || mask_prompt))
		die_usage("%s is for JSON lines, not for --text", field ? "--field" : "--mask-prompt");
	if (prompt_field && !mask_prompt)
		die_usage("--prompt-field is for --mask-prompt");
	if (replace_invalid && !lines)
		die_usage("--replace-invalid is for --text: JSON that is not valid UTF-8 is no JSON");
}

static void open_all(struct job *j, int argc, char **argv)
{
	struct err e;
	if (bpe_find(&j->tok, tokenizer, &e))
		die_err(&e);
	int32_t eos = bpe_eos(j->tok), pad = bpe_pad(j->tok);
	if (append_eos && eos < 0)
		die_now("the tokenizer has no end-of-text token to append");
	struct shard_head head = {.vocab = bpe_vocab(j->tok), .eos = eos < 0 ? SHARD_NO_ID : (uint32_t)eos,
	                          .pad = pad < 0 ? SHARD_NO_ID : (uint32_t)pad, .fingerprint = bpe_fingerprint(j->tok)};
	if (jsonl_open(&j->in, argc, argv, &e) ||
	    record_create(&j->out, output, shard ? RECORD_SHARD : RECORD_JSONL, &head, zstd ? OUT_ZSTD : OUT_PLAIN, &e))
		die_err(&e);
	progress_init(&j->bar, prog.name, 0, "records", quiet);
	j->skip.on = skip_bad;
}

static void report(const struct job *j)
{
	die_skipped(&j->skip, "record");
	die_warn("%llu record%s, %llu token%s, %llu in the loss, %llu empty record%s", (unsigned long long)j->records,
	         j->records == 1 ? "" : "s", (unsigned long long)j->tokens, j->tokens == 1 ? "" : "s",
	         (unsigned long long)j->in_loss, (unsigned long long)j->empty, j->empty == 1 ? "" : "s");
}

int main(int argc, char **argv)
{
	struct job j = {0};
	struct err e;
	die_opts(&prog, &argc, &argv);
	check_options();
	open_all(&j, argc, argv);
	int rc = run(&j, &e);
	progress_end(&j.bar);
	if (rc) {
		record_abort(j.out);
		die_err(&e);
	}
	if (record_commit(j.out, &e))
		die_err(&e);
	if (!quiet)
		report(&j);
	jsonl_close(&j.in);
	bpe_close(j.tok);
	bpe_ids_release(&j.ids);
	buf_release(&j.valid);
	return 0;
}
