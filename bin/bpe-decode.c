/* bpe-decode - turns the token ids of records back into text. */
#include "base/die.h"
#include "base/skip.h"
#include "io/record.h"
#include "text/bpe.h"

#include <string.h>

static const char *tokenizer, *field = "input_ids", *key = "text", *output;
static bool json, print0, skip_special, any_tokenizer, skip_bad, quiet, key_given;

static const struct opt opts[] = {
	{'T', "tokenizer", OPT_STR, &tokenizer, "FILE", "the tokenizer.json (default $NX_TOKENIZER, else $NX_MODEL/tokenizer.json)", 0, 0, NULL},
	{'f', "field", OPT_STR, &field, "NAME", "the field that holds the ids (default input_ids)", 0, 0, NULL},
	{'s', "skip-special-tokens", OPT_FLAG, &skip_special, NULL, "leave out special tokens, such as the end of text", 0, 0, NULL},
	{'j', "json", OPT_FLAG, &json, NULL, "write records, with the text as a field and the others kept", 0, 0, NULL},
	{'k', "key", OPT_STR, &key, "NAME", "with --json: the field to write (default text)", 0, 0, &key_given},
	{'0', "print0", OPT_FLAG, &print0, NULL, "end each text with a NUL, not with a newline", 0, 0, NULL},
	{0, "any-tokenizer", OPT_FLAG, &any_tokenizer, NULL, "take shards that another tokenizer made", 0, 0, NULL},
	{0, "skip-bad", OPT_FLAG, &skip_bad, NULL, "pass over bad records and say how many", 0, 0, NULL},
	{'o', "output", OPT_STR, &output, "FILE", "write to FILE instead of stdout", 0, 0, NULL},
	OPT_COMMON(&quiet),
	{0}
};
static const struct opt_prog prog = {"bpe-decode", "[options] [FILE ...]", "turn the token ids of records back into text", opts};

struct job {
	struct bpe *tok;
	struct record_in *in;
	struct out *out;
	struct bpe_ids ids;
	struct buf text, line;
	struct skip skip;
};

/* The ids of a field that io/record.h does not know of. */
static int ids_of(struct job *j, const struct json *rec, struct err *e)
{
	const struct json *v = json_get(rec, field);
	size_t i = 0;
	if (!v)
		return err_data(e, "field \"%s\" is missing", field);
	if (v->type != JSON_ARRAY)
		return err_data(e, "\"%s\" is no array", field);
	j->ids.n = 0;
	for (const struct json *c = v->child; c; c = c->next, i++) {
		int64_t id;
		if (json_i64(c, &id) || id < 0 || id > INT32_MAX)
			return err_data(e, "\"%s\"[%zu] is no token id", field, i);
		if (bpe_ids_add(&j->ids, (int32_t)id))
			return err_mem(e);
	}
	return 0;
}

static int put(struct job *j, const struct record *r, struct err *e)
{
	if (!json)
		return buf_addc(&j->text, print0 ? 0 : '\n') ? err_mem(e) : out_write(j->out, j->text.p, j->text.n, e);
	struct arena *a = record_arena(j->in);
	struct json *rec = r->obj ? r->obj : json_object(a);
	buf_reset(&j->line);
	if (!rec || json_set(a, rec, key, json_string(a, j->text.p, j->text.n)) || json_write(&j->line, rec) ||
	    buf_addc(&j->line, '\n'))
		return err_mem(e);
	return out_write(j->out, j->line.p, j->line.n, e);
}

static int decode(struct job *j, const struct record *r, struct err *e)
{
	const int32_t *ids = r->ids;
	size_t n = r->n;
	if (r->obj && strcmp(field, "input_ids") != 0) {
		if (ids_of(j, r->obj, e))
			return -1;
		ids = j->ids.v;
		n = j->ids.n;
	} else if (!r->has_ids) {
		return err_data(e, "field \"%s\" is missing", field);
	}
	buf_reset(&j->text);
	return bpe_decode(j->tok, ids, n, skip_special, &j->text, e) ? -1 : put(j, r, e);
}

static int run(struct job *j, struct err *e)
{
	struct record r;
	int rc;
	while ((rc = record_next(j->in, &r, e)) != 0) {
		if (rc > 0 && decode(j, &r, e)) {
			record_at(j->in, e);
			rc = -1;
		}
		if (rc < 0 && skip_pass(&j->skip, e))
			return -1;
	}
	return 0;
}

static void open_all(struct job *j, int argc, char **argv)
{
	struct err e;
	if (bpe_find(&j->tok, tokenizer, &e) || record_open(&j->in, argc, argv, &e))
		die_err(&e);
	const struct shard_head *h = record_head(j->in);
	if (h && strcmp(field, "input_ids") != 0)
		die_now("a token shard has no field \"%s\"", field);
	if (h && h->fingerprint && h->fingerprint != bpe_fingerprint(j->tok) && !any_tokenizer)
		die_now("another tokenizer made this shard: --any-tokenizer takes it");
	if (out_open(&j->out, output, OUT_PLAIN, &e))
		die_err(&e);
	j->skip.on = skip_bad;
}

int main(int argc, char **argv)
{
	struct job j = {0};
	struct err e;
	die_opts(&prog, &argc, &argv);
	if (json && print0)
		die_usage("only one of --json and --print0");
	if (key_given && !json)
		die_usage("--key is for --json");
	open_all(&j, argc, argv);
	if (run(&j, &e)) {
		out_abort(j.out);
		die_err(&e);
	}
	if (out_commit(j.out, &e))
		die_err(&e);
	if (!quiet)
		die_skipped(&j.skip, "record");
	record_close(j.in);
	bpe_close(j.tok);
	bpe_ids_release(&j.ids);
	buf_release(&j.text);
	buf_release(&j.line);
	return 0;
}
