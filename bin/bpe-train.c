/* bpe-train - learns a byte-level BPE tokenizer.json from text or JSON lines. */
#include "base/die.h"
#include "base/pool.h"
#include "base/progress.h"
#include "base/skip.h"
#include "io/in.h"
#include "io/jsonl.h"
#include "io/out.h"
#include "text/bpetrain.h"
#include "text/column.h"

#include <string.h>

enum { BYTES = 256, CHUNK = 64 * 1024 };

enum { ALPHABET_BYTES, ALPHABET_NONE };

static int64_t vocab = 8000, min_frequency, limit_alphabet, max_token_length, threads;
static struct opt_list special;
static const char *field, *output;
static int alphabet, pretok;
static bool no_special, prefix_space, no_nfc, jsonl, skip_bad, quiet;

static const struct opt opts[] = {
	{'V', "vocab-size", OPT_I64, &vocab, "N", "learn until there are N tokens (default 8000)", 1, 1e9, NULL},
	{'m', "min-frequency", OPT_I64, &min_frequency, "N", "join no pair that occurs less than N times (default 0, as 1)", 0, 9e18, NULL},
	{'s', "special", OPT_LIST, &special, "TOKEN", "a special token; ids count from 0 in this order (default <|endoftext|>, then <|padding|>)", 0, 0, NULL},
	{0, "no-special", OPT_FLAG, &no_special, NULL, "no special tokens", 0, 0, NULL},
	{0, "initial-alphabet", OPT_WORD, &alphabet, "bytes|none", "tokens there are before any is learned: all bytes, or those that occur (default bytes)", 0, 0, NULL},
	{0, "limit-alphabet", OPT_I64, &limit_alphabet, "N", "keep only the N commonest bytes", 1, 1e9, NULL},
	{0, "max-token-length", OPT_I64, &max_token_length, "N", "learn only tokens of less than N bytes, and of two", 1, 1e9, NULL},
	{0, "pre-tokenizer", OPT_WORD, &pretok, "gpt2", "the pattern that cuts words (default gpt2)", 0, 0, NULL},
	{0, "add-prefix-space", OPT_FLAG, &prefix_space, NULL, "put a space before a text that begins with none", 0, 0, NULL},
	{0, "no-nfc", OPT_FLAG, &no_nfc, NULL, "take text as it is, do not bring it to Unicode's form NFC", 0, 0, NULL},
	{'j', "jsonl", OPT_FLAG, &jsonl, NULL, "read JSON lines and take each record's text by the column rule", 0, 0, NULL},
	{'f', "field", OPT_STR, &field, "NAME", "read JSON lines and take this field", 0, 0, NULL},
	{0, "skip-bad", OPT_FLAG, &skip_bad, NULL, "pass over bad records or lines and say how many", 0, 0, NULL},
	{0, "threads", OPT_I64, &threads, "N", "count words with N threads (default: as many as there are processors)", 1, 1024, NULL},
	{'o', "output", OPT_STR, &output, "FILE", "write to FILE instead of stdout", 0, 0, NULL},
	OPT_COMMON(&quiet),
	{0}
};
static const struct opt_prog prog = {"bpe-train", "[options] [FILE ...]",
                                     "learn a byte-level BPE tokenizer from text", opts};

struct job {
	struct bpetrain *t;
	struct progress bar;
	uint64_t texts;
	struct skip skip;
};

static struct bpetrain *open_trainer(void)
{
	struct bpetrain *t;
	struct err e;
	if (special.n == 0 && !no_special) {
		special.v[special.n++] = "<|endoftext|>";
		special.v[special.n++] = "<|padding|>";
	}
	int bytes = alphabet == ALPHABET_NONE ? 0 : limit_alphabet && limit_alphabet < BYTES ? (int)limit_alphabet : BYTES;
	if (vocab < bytes + special.n)
		die_usage("--vocab-size must be at least %d: the %d bytes and %d special token%s", bytes + special.n, bytes,
		          special.n, die_s(special.n));
	struct bpetrain_rule rule = {.vocab = (uint32_t)vocab,
	                             .min_frequency = (uint64_t)min_frequency,
	                             .special = special.v,
	                             .nspecial = special.n,
	                             .limit_alphabet = (uint32_t)limit_alphabet,
	                             .seen_bytes = alphabet == ALPHABET_NONE,
	                             .max_token_length = (uint32_t)max_token_length,
	                             .prefix_space = prefix_space,
	                             .plain = no_nfc,
	                             .threads = threads ? (int)threads : pool_cpus()};
	if (bpetrain_open(&t, &rule, &e))
		die_err(&e);
	return t;
}

/* --- plain text: line by line, each with its newline, as HF reads files ------------- */

static int feed_line(struct job *j, const char *p, size_t n, const struct in *in, uint64_t line, struct err *e)
{
	if (line == 1 && n >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0) {
		p += 3;
		n -= 3;
	}
	progress_to(&j->bar, ++j->texts, NULL);
	if (bpetrain_feed(j->t, p, n, e) == 0)
		return 0;
	if (e->kind == ERR_DATA)
		err_prefix(e, "%s:%llu: ", in_name(in), (unsigned long long)line);
	return skip_pass(&j->skip, e);
}

/* Feeds the whole lines of b and keeps what is behind the last. `seen` bytes hold no newline. */
static int feed_lines(struct job *j, struct buf *b, size_t seen, const struct in *in, uint64_t *line, struct err *e)
{
	size_t from = 0;
	for (const char *nl; (nl = memchr(b->p + seen, '\n', b->n - seen)); from = seen) {
		seen = (size_t)(nl - b->p) + 1;
		if (feed_line(j, b->p + from, seen - from, in, ++*line, e))
			return -1;
	}
	memmove(b->p, b->p + from, b->n - from);
	b->n -= from;
	return 0;
}

static int feed_text(struct job *j, const char *path, struct err *e)
{
	struct buf b = {0};
	struct in *in;
	uint64_t line = 0;
	ssize_t n;
	int rc = -1;
	if (in_open(&in, path, e))
		return -1;
	do {
		if (buf_reserve(&b, CHUNK)) {
			err_mem(e);
			goto out;
		}
		n = in_read(in, b.p + b.n, CHUNK, e);
		if (n < 0)
			goto out;
		b.n += (size_t)n;
		if (feed_lines(j, &b, b.n - (size_t)n, in, &line, e))
			goto out;
	} while (n > 0);
	rc = b.n ? feed_line(j, b.p, b.n, in, line + 1, e) : 0;
out:
	buf_release(&b);
	in_close(in);
	return rc;
}

/* --- JSON lines -------------------------------------------------------------------------- */

static int feed_record(struct job *j, struct jsonl *r, const struct json *rec, struct err *e)
{
	struct column c;
	if (field ? column_field(rec, field, &c.text, &c.n, e) : column_text(&r->arena, rec, &c, e))
		return -1;
	progress_to(&j->bar, ++j->texts, NULL);
	return bpetrain_feed(j->t, c.text, c.n, e);
}

static int feed_records(struct job *j, int argc, char **argv, struct err *e)
{
	struct jsonl r;
	struct json *rec;
	int rc;
	if (jsonl_open(&r, argc, argv, e))
		return -1;
	while ((rc = jsonl_next(&r, &rec, e)) != 0) {
		if (rc > 0 && feed_record(j, &r, rec, e)) {
			rc = -1;
			if (e->kind == ERR_DATA)
				jsonl_at(&r, e);
		}
		if (rc < 0 && skip_pass(&j->skip, e))
			break;
	}
	jsonl_close(&r);
	return rc;
}

/* ------------------------------------------------------------------------------------------ */

static int feed(struct job *j, int argc, char **argv, struct err *e)
{
	progress_init(&j->bar, prog.name, 0, jsonl || field ? "records" : "lines", quiet);
	int rc = 0;
	if (jsonl || field)
		rc = feed_records(j, argc, argv, e);
	else if (argc == 0)
		rc = feed_text(j, NULL, e);
	else
		for (int i = 0; i < argc && rc == 0; i++)
			rc = feed_text(j, argv[i], e);
	progress_end(&j->bar);
	return rc;
}

static int learn(struct job *j, struct err *e)
{
	int rc;
	progress_init(&j->bar, prog.name, (uint64_t)vocab, "tokens", quiet);
	while ((rc = bpetrain_step(j->t, e)) == 1)
		progress_to(&j->bar, bpetrain_vocab(j->t), NULL);
	progress_end(&j->bar);
	return rc;
}

static void write_out(const struct bpetrain *t)
{
	struct buf b = {0};
	struct out *out;
	struct err e;
	if (bpetrain_write(t, &b, &e) || out_open(&out, output, OUT_PLAIN, &e))
		die_err(&e);
	if (out_write(out, b.p, b.n, &e)) {
		out_abort(out);
		die_err(&e);
	}
	if (out_commit(out, &e))
		die_err(&e);
	buf_release(&b);
}

static void report(const struct job *j)
{
	die_skipped(&j->skip, "text");
	if (bpetrain_vocab(j->t) >= vocab)
		return;
	char often[40] = "once";
	if (min_frequency > 1)
		snprintf(often, sizeof often, "%lld times", (long long)min_frequency);
	die_warn("%u tokens, not %lld: no further pair in %u distinct words occurs %s", bpetrain_vocab(j->t),
	         (long long)vocab, bpetrain_words(j->t), often);
}

int main(int argc, char **argv)
{
	struct job j = {0};
	struct err e;
	die_opts(&prog, &argc, &argv);
	j.skip.on = skip_bad;
	if (jsonl && field)
		die_usage("only one of --jsonl and --field");
	if (no_special && special.n)
		die_usage("only one of --special and --no-special");
	j.t = open_trainer();
	if (feed(&j, argc, argv, &e) || learn(&j, &e))
		die_err(&e);
	write_out(j.t);
	if (!quiet)
		report(&j);
	bpetrain_close(j.t);
	return 0;
}
