/* split - divides records into a training and a test part, as HF's train_test_split does. */
#include "base/die.h"
#include "base/skip.h"
#include "io/record.h"
#include "text/perm.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *test_size, *train_size, *train_file, *test_file;
static uint64_t seed = 42;
static bool shuffle = true, skip_bad, quiet;

static const struct opt opts[] = {
	{0, "test-size", OPT_STR, &test_size, "SIZE", "the test part: a fraction (0.1) of all records, or a count (100); default: what --train-size leaves, or 0.25", 0, 0, NULL},
	{0, "train-size", OPT_STR, &train_size, "SIZE", "the training part (default: what the test part leaves)", 0, 0, NULL},
	{'s', "seed", OPT_U64, &seed, "N", "the seed of the shuffle (default 42)", 0, 0, NULL},
	{0, "no-shuffle", OPT_CLEAR, &shuffle, NULL, "keep the order: the training part first, then the test part", 0, 0, NULL},
	{0, "train", OPT_STR, &train_file, "FILE", "write the training part to FILE (stdout if left out)", 0, 0, NULL},
	{0, "test", OPT_STR, &test_file, "FILE", "write the test part to FILE (stdout if left out)", 0, 0, NULL},
	{0, "skip-bad", OPT_FLAG, &skip_bad, NULL, "pass over bad records and say how many", 0, 0, NULL},
	OPT_COMMON(&quiet),
	{0}
};
static const struct opt_prog prog = {"split", "[--train FILE] [--test FILE] [options] [FILE ...]",
                                     "divide records into a training and a test part", opts};

/* A record in memory: a JSON line, or the tokens of a shard's record. */
struct item {
	const void *p; /* bytes; or ids of 2 or 4 bytes, then with `flags` a byte each for attention and loss */
	size_t n;      /* bytes, or tokens */
	bool flags;
};

struct part {
	const char *path; /* NULL or "-": stdout */
	size_t from, n;   /* its records in the order */
	struct out *out;
	bool done; /* it has its name */
};

struct job {
	struct arena data;
	struct item *item;
	size_t n, cap;
	const struct shard_head *head; /* NULL: JSON lines */
	size_t *order;
	struct perm_size want_test, want_train;
	struct part test, train;
	int32_t *ids; /* of the record being written */
	size_t ids_cap;
	struct skip skip;
};

/* --- reading --------------------------------------------------------------------------- */

static bool narrow(const struct job *j)
{
	return j->head->vocab <= 65536;
}

/* Whether some token is not attended to or not in the loss. */
static bool has_flags(const struct record *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (!r->attn[i] || r->labels[i] == RECORD_IGNORE)
			return true;
	return false;
}

static int keep_tokens(struct job *j, const struct record *r, struct item *it, struct err *e)
{
	size_t wide = r->n * (narrow(j) ? sizeof(uint16_t) : sizeof(int32_t));
	bool flags = has_flags(r);
	char *p = arena_alloc(&j->data, wide + (flags ? 2 * r->n : 0) + 1);
	if (!p)
		return err_mem(e);
	*it = (struct item){p, r->n, flags};
	if (narrow(j))
		for (size_t i = 0; i < r->n; i++)
			((uint16_t *)(void *)p)[i] = (uint16_t)r->ids[i];
	else if (r->n)
		memcpy(p, r->ids, wide);
	for (size_t i = 0; flags && i < r->n; i++) {
		p[wide + i] = (char)r->attn[i];
		p[wide + r->n + i] = r->labels[i] != RECORD_IGNORE;
	}
	return 0;
}

static int keep(struct job *j, const struct record *r, const struct buf *line, struct err *e)
{
	if (j->n == j->cap) {
		size_t cap = j->cap ? 2 * j->cap : 1024;
		struct item *item = realloc(j->item, cap * sizeof *item);
		if (!item)
			return err_mem(e);
		j->item = item;
		j->cap = cap;
	}
	struct item *it = &j->item[j->n];
	if (j->head ? keep_tokens(j, r, it, e) : !(it->p = arena_dup(&j->data, line->p, line->n)))
		return j->head ? -1 : err_mem(e);
	if (!j->head)
		it->n = line->n;
	j->n++;
	return 0;
}

static int read_all(struct job *j, struct record_in *in, struct err *e)
{
	struct record r;
	int rc;
	j->head = record_head(in);
	while ((rc = record_next(in, &r, e)) != 0)
		if (rc > 0 ? keep(j, &r, record_line(in), e) : skip_pass(&j->skip, e))
			return -1;
	return 0;
}

/* --- writing --------------------------------------------------------------------------- */

static int put_tokens(struct job *j, struct shard_writer *w, const struct item *it, struct err *e)
{
	struct shard_rec r = {.n = it->n, .ids = it->p};
	size_t wide = it->n * sizeof(int32_t);
	if (narrow(j)) {
		if (it->n > j->ids_cap) {
			int32_t *ids = realloc(j->ids, wide);
			if (!ids)
				return err_mem(e);
			j->ids = ids;
			j->ids_cap = it->n;
		}
		for (size_t i = 0; i < it->n; i++)
			j->ids[i] = ((const uint16_t *)it->p)[i];
		r.ids = j->ids;
		wide = it->n * sizeof(uint16_t);
	}
	if (it->flags) {
		r.attn = (const uint8_t *)it->p + wide;
		r.keep = r.attn + it->n;
	}
	return shard_put(w, &r, e);
}

static int put_shard(struct job *j, const struct part *p, struct err *e)
{
	struct shard_writer *w;
	if (shard_begin(p->out, j->head, &w, e))
		return -1;
	for (size_t i = 0; i < p->n; i++)
		if (put_tokens(j, w, &j->item[j->order[p->from + i]], e)) {
			shard_drop(w);
			return -1;
		}
	return shard_end(w, e);
}

static int put_lines(struct job *j, const struct part *p, struct err *e)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct item *it = &j->item[j->order[p->from + i]];
		if (out_write(p->out, it->p, it->n, e) || out_write(p->out, "\n", 1, e))
			return -1;
	}
	return 0;
}

static int put_part(struct job *j, struct part *p, struct err *e)
{
	if (j->head ? put_shard(j, p, e) : put_lines(j, p, e))
		return -1;
	return out_flush(p->out, e);
}

static bool is_stdout(const struct part *p)
{
	return !p->path || strcmp(p->path, "-") == 0;
}

static int commit(struct part *p, struct err *e)
{
	struct out *out = p->out;
	p->out = NULL;
	if (out_commit(out, e))
		return -1;
	p->done = true;
	return 0;
}

/* Files are complete and have their names before stdout gets its first byte, so that
 * what reads there finds the other part. */
static int put_parts(struct job *j, struct err *e)
{
	struct part *parts[] = {&j->test, &j->train};
	for (int i = 0; i < 2; i++)
		if (!is_stdout(parts[i]) && put_part(j, parts[i], e))
			return -1;
	for (int i = 0; i < 2; i++)
		if (!is_stdout(parts[i]) && commit(parts[i], e))
			return -1;
	for (int i = 0; i < 2; i++)
		if (is_stdout(parts[i]) && (put_part(j, parts[i], e) || commit(parts[i], e)))
			return -1;
	return 0;
}

/* Neither part appears without the other. */
static void undo(struct part *p)
{
	struct stat st;
	out_abort(p->out);
	if (p->done && !is_stdout(p) && stat(p->path, &st) == 0 && S_ISREG(st.st_mode))
		unlink(p->path);
}

/* ------------------------------------------------------------------------------------------ */

static void check_usage(struct job *j)
{
	struct err e;
	if ((test_size && perm_parse(&j->want_test, test_size, "test size", &e)) ||
	    (train_size && perm_parse(&j->want_train, train_size, "train size", &e)))
		die_err(&e);
	j->test.path = test_file;
	j->train.path = train_file;
	if (is_stdout(&j->test) && is_stdout(&j->train))
		die_usage("stdout can take one part only: name a file with --test or --train");
	if (test_file && train_file && strcmp(test_file, train_file) == 0)
		die_usage("--test and --train name the same file");
}

/* Draws the order and cuts it: test, then train; unshuffled train, then test. */
static int divide(struct job *j, struct err *e)
{
	uint64_t ntest, ntrain;
	if (perm_sizes(j->n, &j->want_test, &j->want_train, &ntest, &ntrain, e))
		return -1;
	j->order = malloc((j->n + 1) * sizeof *j->order);
	if (!j->order)
		return err_mem(e);
	if (shuffle)
		perm_draw(j->order, j->n, seed);
	for (size_t i = 0; i < j->n && !shuffle; i++)
		j->order[i] = i;
	j->test.n = ntest;
	j->train.n = ntrain;
	j->test.from = shuffle ? 0 : ntrain;
	j->train.from = shuffle ? ntest : 0;
	return 0;
}

static void report(const struct job *j)
{
	size_t rest = j->n - j->train.n - j->test.n;
	die_skipped(&j->skip, "record");
	die_warn("%zu record%s: %zu train, %zu test%s", j->n, j->n == 1 ? "" : "s", j->train.n, j->test.n,
	         rest ? ", the others in neither" : "");
}

int main(int argc, char **argv)
{
	struct job j = {0};
	struct record_in *in;
	struct err e;
	die_opts(&prog, &argc, &argv);
	j.skip.on = skip_bad;
	check_usage(&j);
	if (record_open(&in, argc, argv, &e))
		die_err(&e);
	if (out_open(&j.test.out, test_file, OUT_PLAIN, &e) || out_open(&j.train.out, train_file, OUT_PLAIN, &e) ||
	    read_all(&j, in, &e) || divide(&j, &e) || put_parts(&j, &e)) {
		undo(&j.test);
		undo(&j.train);
		die_err(&e);
	}
	if (!quiet)
		report(&j);
	record_close(in);
	arena_release(&j.data);
	free(j.item);
	free(j.order);
	free(j.ids);
	return 0;
}
