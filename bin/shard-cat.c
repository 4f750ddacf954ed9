/* shard-cat - joins token records, turns them into other programs' files and back, and counts them. */
#include "base/die.h"
#include "base/skip.h"
#include "io/record.h"
#include "io/tokenfile.h"
#include "text/bpe.h"

#include <stdlib.h>
#include <string.h>

/* As in the options' words. */
enum { AUTO = -1, JSONL, SHARD };
static const char *const from_words[] = {"auto", "jsonl", "shard", "llmc", "megatron", "nanogpt", "npy"};
static const char *const to_words[] = {"jsonl", "shard", "llmc", "megatron", "nanogpt", "npy", "npy2"};

static int from_word, to = AUTO;
static bool want_stats, json, skip_bad, quiet;
static const char *tokenizer, *output;
static int64_t vocab_size, eos_id = -1, pad_id = -1;

static const struct opt opts[] = {
	{'f', "from", OPT_WORD, &from_word, "auto|jsonl|shard|llmc|megatron|nanogpt|npy", "the form of the input (default auto: by its first bytes)", 0, 0, NULL},
	{'t', "to", OPT_WORD, &to, "jsonl|shard|llmc|megatron|nanogpt|npy|npy2", "the form of the output (default: the input's where that is jsonl, else shard)", 0, 0, NULL},
	{'s', "stats", OPT_FLAG, &want_stats, NULL, "print figures instead of records", 0, 0, NULL},
	{'j', "json", OPT_FLAG, &json, NULL, "with --stats: as one JSON object", 0, 0, NULL},
	{'T', "tokenizer", OPT_STR, &tokenizer, "FILE", "the tokenizer.json whose ids the records hold", 0, 0, NULL},
	{0, "vocab-size", OPT_I64, &vocab_size, "N", "ids are below N, where neither input nor tokenizer tells", 1, INT32_MAX, NULL},
	{0, "eos", OPT_I64, &eos_id, "ID", "the end-of-text token, which sets documents apart", 0, INT32_MAX, NULL},
	{0, "pad", OPT_I64, &pad_id, "ID", "the padding token", 0, INT32_MAX, NULL},
	{0, "skip-bad", OPT_FLAG, &skip_bad, NULL, "pass over bad records and say how many", 0, 0, NULL},
	{'o', "output", OPT_STR, &output, "FILE", "write to FILE instead of stdout; for megatron FILE.bin and FILE.idx", 0, 0, NULL},
	OPT_COMMON(&quiet),
	{0}
};
static const struct opt_prog prog = {"shard-cat", "[options] [FILE ...]", "join, convert and count token records", opts};

/* Lengths below DENSE are counted, longer ones listed: each of those stands for so many tokens. */
enum { DENSE = 65536, BINS = 33 };

struct stats {
	uint64_t records, tokens, loss, padding, longest;
	uint64_t bins[BINS]; /* 0: empty records; b: lengths from 2^(b-1) up to 2^b - 1 */
	uint64_t dense[DENSE];
	struct buf more; /* uint32_t each */
};

struct job {
	struct record_in *rec;   /* JSON lines and shards */
	struct tokenfile_in *in; /* or another program's */
	const struct tokenfile_format *from, *to; /* NULL: JSON lines or shard */
	struct record_out *out;
	struct tokenfile_out *file;
	struct stats *stats;
	struct tokenfile_rule rule;
	uint64_t fingerprint;
	struct arena arena;
	struct buf ones;
	struct skip skip;
	uint64_t count, masked, padding; /* records; those whose masks were lost; padding tokens left out */
};

/* --- figures ---------------------------------------------------------------------------- */

static int bin_of(size_t n)
{
	int b = 0;
	for (; n; n >>= 1)
		b++;
	return b;
}

static int count(struct stats *s, const struct record *r, struct err *e)
{
	uint32_t n = (uint32_t)r->n;
	s->records++;
	s->tokens += n;
	s->longest = n > s->longest ? n : s->longest;
	s->bins[bin_of(n)]++;
	for (size_t i = 0, p = 0; i < r->n; i++) {
		bool first = i == 0 || (p < r->nstarts && i == r->starts[p]);
		p += i && first;
		s->padding += !r->attn[i];
		s->loss += !first && r->labels[i] != RECORD_IGNORE;
	}
	if (n < DENSE)
		s->dense[n]++;
	else if (buf_add(&s->more, &n, sizeof n))
		return err_mem(e);
	return 0;
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

/* The smallest length that at least this share of the records do not exceed; `more` is sorted. */
static uint32_t quantile(const struct stats *s, unsigned percent)
{
	uint64_t rank = (s->records * percent + 99) / 100, seen = 0;
	rank = rank ? rank : 1;
	for (uint32_t n = 0; n < DENSE; n++)
		if ((seen += s->dense[n]) >= rank)
			return n;
	return ((const uint32_t *)(const void *)s->more.p)[rank - seen - 1];
}

static double share(uint64_t part, uint64_t all)
{
	return all ? (double)part / (double)all : 0;
}

#define U(x) ((unsigned long long)(x))

static int text_figures(struct buf *b, const struct stats *s)
{
	static const char bar[] = "########################################";
	uint64_t most = 1;
	int rc = buf_printf(b, "records       %llu\nempty records %llu\ntokens        %llu\nin the loss   %llu (%.1f %%)\npadding       %llu (%.1f %%)\n",
	                    U(s->records), U(s->bins[0]), U(s->tokens), U(s->loss), 100 * share(s->loss, s->tokens),
	                    U(s->padding), 100 * share(s->padding, s->tokens));
	if (rc || !s->records)
		return rc;
	rc = buf_printf(b, "length        min %u, mean %.1f, median %u, p90 %u, p99 %u, max %llu\n", quantile(s, 0),
	                share(s->tokens, s->records), quantile(s, 50), quantile(s, 90), quantile(s, 99), U(s->longest));
	for (int i = 0; i < BINS; i++)
		most = s->bins[i] > most ? s->bins[i] : most;
	for (int i = 0; i < BINS && rc == 0; i++) {
		char range[32];
		unsigned long long lo = i ? 1ull << (i - 1) : 0, hi = i ? (1ull << i) - 1 : 0;
		if (!s->bins[i])
			continue;
		snprintf(range, sizeof range, lo == hi ? "%llu" : "%llu-%llu", lo, hi);
		rc = buf_printf(b, "%21s %12llu %.*s\n", range, U(s->bins[i]), (int)((40 * s->bins[i] + most - 1) / most), bar);
	}
	return rc;
}

static int json_figures(struct buf *b, const struct stats *s)
{
	const char *comma = "";
	int rc = buf_printf(b, "{\"records\": %llu, \"empty_records\": %llu, \"tokens\": %llu, \"loss_tokens\": %llu, "
	                    "\"loss_share\": %.6f, \"padding_tokens\": %llu, \"length\": ", U(s->records), U(s->bins[0]),
	                    U(s->tokens), U(s->loss), share(s->loss, s->tokens), U(s->padding));
	if (rc == 0 && s->records)
		rc = buf_printf(b, "{\"min\": %u, \"mean\": %.6f, \"median\": %u, \"p90\": %u, \"p99\": %u, \"max\": %llu}", quantile(s, 0),
		                share(s->tokens, s->records), quantile(s, 50), quantile(s, 90), quantile(s, 99), U(s->longest));
	else if (rc == 0)
		rc = buf_adds(b, "null");
	rc = rc ? rc : buf_adds(b, ", \"histogram\": [");
	for (int i = 0; i < BINS && rc == 0; i++)
		if (s->bins[i]) {
			rc = buf_printf(b, "%s{\"from\": %llu, \"to\": %llu, \"records\": %llu}", comma, i ? 1ull << (i - 1) : 0,
			                i ? (1ull << i) - 1 : 0, U(s->bins[i]));
			comma = ", ";
		}
	return rc ? rc : buf_adds(b, "]}\n");
}

static int print_figures(struct stats *s, struct err *e)
{
	struct buf b = {0};
	struct out *out;
	if (s->more.n)
		qsort(s->more.p, s->more.n / sizeof(uint32_t), sizeof(uint32_t), by_size);
	int rc = json ? json_figures(&b, s) : text_figures(&b, s);
	rc = rc ? err_mem(e) : out_open(&out, output, OUT_PLAIN, e);
	if (rc == 0) {
		rc = out_write(out, b.p, b.n, e);
		if (rc)
			out_abort(out);
		else
			rc = out_commit(out, e);
	}
	buf_release(&b);
	return rc;
}

/* --- records ------------------------------------------------------------------------------ */

/* 1: a record, 0: the end, -1. Other programs' files hold ids only. */
static int next(struct job *j, struct record *r, struct err *e)
{
	int32_t *ids;
	size_t n;
	if (j->rec)
		return record_next(j->rec, r, e);
	arena_reset(&j->arena);
	int rc = tokenfile_next(j->in, &ids, &n, e);
	if (rc <= 0)
		return rc;
	if (n > j->ones.n) {
		size_t old = j->ones.n;
		if (buf_reserve(&j->ones, n - old))
			return err_mem(e);
		memset(j->ones.p + old, 1, n - old);
		j->ones.n = n;
	}
	*r = (struct record){.n = n, .ids = ids, .attn = (uint8_t *)j->ones.p, .labels = ids,
	                     .has_ids = true, .has_attn = true, .has_labels = true};
	return 1;
}

/* Whether tokens [from, to) have a mask or labels that a file of ids cannot tell. */
static bool has_masks(const struct record *r, size_t from, size_t end)
{
	for (size_t i = from; i < end; i++)
		if (!r->attn[i] || r->labels[i] != r->ids[i])
			return true;
	return false;
}

/* Takes padding off both ends of [*from, *end). */
static void trim(const struct record *r, size_t *from, size_t *end)
{
	while (*from < *end && !r->attn[*from])
		++*from;
	while (*end > *from && !r->attn[*end - 1])
		--*end;
}

/* Tokens [from, end) as a document. A stream has no padding: what stands at its ends is left out. */
static int put_piece(struct job *j, const struct record *r, size_t from, size_t end, bool dry, bool *masked, struct err *e)
{
	size_t n = end - from;
	trim(r, &from, &end);
	if (dry)
		return tokenfile_fits(j->file, r->n ? r->ids + from : NULL, end - from, e);
	*masked |= has_masks(r, from, end);
	j->padding += n - (end - from);
	return tokenfile_put(j->file, r->n ? r->ids + from : NULL, end - from, e);
}

/* The pieces of a packed record are documents of their own, but rows are written as they stand. */
static int put_file(struct job *j, const struct record *r, struct err *e)
{
	bool masked = false;
	int rc = 0;
	if (j->to->rows) {
		size_t from = 0, end = r->n;
		trim(r, &from, &end);
		masked = r->nstarts || has_masks(r, from, end);
		rc = tokenfile_put(j->file, r->ids, r->n, e);
	}
	/* of a bad record no piece is written: all are looked at first */
	for (int dry = r->nstarts > 0; !j->to->rows && dry >= 0 && rc == 0; dry--)
		for (size_t p = 0; p <= r->nstarts && rc == 0; p++)
			rc = put_piece(j, r, p ? r->starts[p - 1] : 0, p < r->nstarts ? r->starts[p] : r->n, dry, &masked, e);
	j->masked += rc == 0 && masked;
	return rc;
}

static int put(struct job *j, struct record *r, struct err *e)
{
	j->count++;
	if (!r->has_ids)
		return err_data(e, "field \"input_ids\" is missing");
	if (j->stats)
		return count(j->stats, r, e);
	if (j->file)
		return put_file(j, r, e);
	return record_put(j->out, r, j->rec ? record_arena(j->rec) : &j->arena, e);
}

static int run(struct job *j, struct err *e)
{
	struct record r;
	int rc;
	while ((rc = next(j, &r, e)) != 0) {
		if (rc > 0 && put(j, &r, e)) {
			rc = -1;
			if (e->kind == ERR_DATA && j->rec)
				record_at(j->rec, e);
			else if (e->kind == ERR_DATA)
				err_prefix(e, "record %llu: ", U(j->count));
		}
		if (rc < 0 && skip_pass(&j->skip, e))
			return -1;
	}
	return 0;
}

/* --- what the ids are --------------------------------------------------------------------- */

/* Fills in what is not known yet. Without a tokenizer anywhere nothing changes. */
static void ask_tokenizer(struct job *j)
{
	struct bpe *t;
	struct err e;
	if (bpe_find(&t, tokenizer, &e)) {
		if (e.kind == ERR_USAGE)
			return;
		die_err(&e);
	}
	if (j->fingerprint && j->fingerprint != bpe_fingerprint(t))
		die_now("another tokenizer than %s made the shard", tokenizer ? tokenizer : "the environment's");
	if (!j->rule.vocab) {
		j->rule.vocab = bpe_vocab(t);
		j->fingerprint = bpe_fingerprint(t);
	}
	if (j->rule.eos == SHARD_NO_ID && bpe_eos(t) >= 0)
		j->rule.eos = (uint32_t)bpe_eos(t);
	if (j->rule.pad == SHARD_NO_ID && bpe_pad(t) >= 0)
		j->rule.pad = (uint32_t)bpe_pad(t);
	bpe_close(t);
}

static void rule_of_options(struct job *j)
{
	if (tokenizer && vocab_size)
		die_usage("only one of --tokenizer and --vocab-size");
	j->rule.vocab = (uint32_t)vocab_size;
	j->rule.eos = eos_id < 0 ? SHARD_NO_ID : (uint32_t)eos_id;
	j->rule.pad = pad_id < 0 ? SHARD_NO_ID : (uint32_t)pad_id;
	if (vocab_size && (eos_id >= vocab_size || pad_id >= vocab_size))
		die_usage("--eos and --pad are below --vocab-size");
}

/* A shard's header tells what the options do not. */
static void rule_of_shard(struct job *j, const struct shard_head *h)
{
	if (j->rule.vocab && j->rule.vocab != h->vocab)
		die_usage("--vocab-size %u: the shard's vocabulary has %u", j->rule.vocab, h->vocab);
	j->rule.vocab = h->vocab;
	j->fingerprint = h->fingerprint;
	j->rule.eos = j->rule.eos == SHARD_NO_ID ? h->eos : j->rule.eos;
	j->rule.pad = j->rule.pad == SHARD_NO_ID ? h->pad : j->rule.pad;
}

/* --- opening ------------------------------------------------------------------------------ */

static void open_records(struct job *j, struct in *first, int argc, char **argv)
{
	static const char *const name[] = {[RECORD_NONE] = "", [RECORD_JSONL] = "jsonl", [RECORD_SHARD] = "shard"};
	struct err e;
	if (record_open_in(&j->rec, first, argc, argv, &e))
		die_err(&e);
	enum record_form form = record_form(j->rec);
	if (from_word && form != RECORD_NONE && strcmp(name[form], from_words[from_word]) != 0)
		die_now("%s: the input is %s, not %s", argc ? argv[0] : "stdin", name[form], from_words[from_word]);
	if (record_head(j->rec))
		rule_of_shard(j, record_head(j->rec));
	if (tokenizer)
		ask_tokenizer(j);
}

static void open_input(struct job *j, int argc, char **argv)
{
	struct in *first = NULL;
	struct err e;
	const char *path = argc ? argv[0] : NULL;
	j->from = tokenfile_named(from_words[from_word]);
	if (!j->from && (from_word ? in_open(&first, path, &e) : tokenfile_guess(path, &first, &j->from, &e)))
		die_err(&e);
	if (!j->from) {
		open_records(j, first, argc, argv);
		return;
	}
	if (tokenizer || (!j->from->has_eos && j->rule.eos == SHARD_NO_ID))
		ask_tokenizer(j);
	if (tokenfile_open(&j->in, j->from, argc, argv, first, &j->rule, &e))
		die_err(&e);
	j->rule = *tokenfile_ruleof(j->in);
}

static void open_output(struct job *j)
{
	enum record_form form = j->rec ? record_form(j->rec) : RECORD_SHARD;
	struct err e;
	if (to == AUTO)
		to = form == RECORD_SHARD ? SHARD : JSONL;
	j->to = tokenfile_named(to_words[to]);
	if ((to == SHARD && !j->rule.vocab) || (j->to && !j->to->has_eos && !j->to->rows && j->rule.eos == SHARD_NO_ID) ||
	    (j->to && strcmp(j->to->name, "llmc") == 0 && j->rule.eos == SHARD_NO_ID))
		ask_tokenizer(j);
	if (to == SHARD && !j->rule.vocab)
		die_usage("a shard names its vocabulary: -T FILE or --vocab-size N tells it, or --to jsonl writes none");
	struct shard_head h = {j->rule.vocab, j->rule.eos, j->rule.pad, j->fingerprint};
	if (j->to ? tokenfile_create(&j->file, j->to, output, &j->rule, &e)
	          : record_create(&j->out, output, to == SHARD ? RECORD_SHARD : RECORD_JSONL, &h, OUT_PLAIN, &e))
		die_err(&e);
}

static int finish(struct job *j, struct err *e)
{
	if (j->stats)
		return print_figures(j->stats, e);
	return j->file ? tokenfile_commit(j->file, e) : record_commit(j->out, e);
}

static void report(const struct job *j)
{
	die_skipped(&j->skip, "record");
	if (j->padding)
		die_warn("%llu token%s of padding left out", U(j->padding), die_s(j->padding));
	if (j->masked)
		die_warn("%s holds ids only: the masks and labels of %llu record%s are lost", j->to->name, U(j->masked),
		         die_s(j->masked));
}

int main(int argc, char **argv)
{
	struct job j = {0};
	struct err e;
	die_opts(&prog, &argc, &argv);
	if (want_stats && to != AUTO)
		die_usage("only one of --stats and --to");
	if (json && !want_stats)
		die_usage("--json is for --stats");
	j.skip.on = skip_bad;
	rule_of_options(&j);
	open_input(&j, argc, argv);
	if (!want_stats)
		open_output(&j);
	else if (!(j.stats = calloc(1, sizeof *j.stats)))
		die_mem();
	if (run(&j, &e)) {
		tokenfile_abort(j.file);
		record_abort(j.out);
		die_err(&e);
	}
	if (finish(&j, &e))
		die_err(&e);
	if (!quiet)
		report(&j);
	record_close(j.rec);
	tokenfile_close(j.in);
	arena_release(&j.arena);
	buf_release(&j.ones);
	if (j.stats)
		buf_release(&j.stats->more);
	free(j.stats);
	return 0;
}
