/* split - divides records into a training and a test part, as HF's train_test_split does. */
#include "base/die.h"
#include "base/hash.h"
#include "base/skip.h"
#include "io/record.h"
#include "io/recall.h"
#include "text/perm.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *test_size, *train_size, *train_file, *test_file, *by;
static uint64_t seed = 42;
static bool shuffle = true, zstd, skip_bad, quiet;

static const struct opt opts[] = {
	{0, "test-size", OPT_STR, &test_size, "SIZE", "the test part: a fraction (0.1) of all records, or a count (100); default: what --train-size leaves, or 0.25", 0, 0, NULL},
	{0, "train-size", OPT_STR, &train_size, "SIZE", "the training part (default: what the test part leaves)", 0, 0, NULL},
	{'s', "seed", OPT_U64, &seed, "N", "the seed of the shuffle (default 42)", 0, 0, NULL},
	{0, "no-shuffle", OPT_CLEAR, &shuffle, NULL, "keep the order: the training part first, then the test part", 0, 0, NULL},
	{0, "by", OPT_STR, &by, "FIELD", "records of one value of FIELD go to one part, chosen by its hash, as they come", 0, 0, NULL},
	{0, "train", OPT_STR, &train_file, "FILE", "write the training part to FILE (stdout if left out)", 0, 0, NULL},
	{0, "test", OPT_STR, &test_file, "FILE", "write the test part to FILE (stdout if left out)", 0, 0, NULL},
	{'z', "zstd", OPT_FLAG, &zstd, NULL, "compress the output", 0, 0, NULL},
	{0, "skip-bad", OPT_FLAG, &skip_bad, NULL, "pass over bad records and say how many", 0, 0, NULL},
	OPT_COMMON(&quiet),
	{0}
};
static const struct opt_prog prog = {"split", "[--train FILE] [--test FILE] [options] [FILE ...]",
                                     "divide records into a training and a test part", opts};

struct part {
	const char *path; /* NULL or "-": stdout */
	size_t from, n;   /* its records in the order */
	struct record_out *out;
	bool done; /* it has its name */
};

struct job {
	struct record_in *in;
	struct recall *recall;
	struct recall_place *place; /* of each record */
	size_t n, cap;
	struct perm_size want_test, want_train;
	struct part test, train;
	struct buf value; /* of --by */
	struct skip skip;
};

static bool is_stdout(const struct part *p)
{
	return !p->path || strcmp(p->path, "-") == 0;
}

static int commit(struct part *p, struct err *e)
{
	struct record_out *out = p->out;
	p->out = NULL;
	if (record_commit(out, e))
		return -1;
	p->done = true;
	return 0;
}

/* Neither part appears without the other. */
static void undo(struct part *p)
{
	struct stat st;
	record_abort(p->out);
	if (p->done && !is_stdout(p) && stat(p->path, &st) == 0 && S_ISREG(st.st_mode))
		unlink(p->path);
}

/* --- by a shuffle ------------------------------------------------------------------------ */

static int keep(struct job *j, const struct record_raw *raw, struct err *e)
{
	if (j->n == j->cap) {
		size_t cap = j->cap ? j->cap + j->cap / 2 : 1024;
		struct recall_place *place = realloc(j->place, cap * sizeof *place);
		if (!place)
			return err_mem(e);
		j->place = place;
		j->cap = cap;
	}
	return recall_add(j->recall, raw, &j->place[j->n++], e);
}

static int read_all(struct job *j, struct err *e)
{
	struct record_raw raw;
	int rc;
	if (!(j->recall = recall_open(e)))
		return -1;
	while ((rc = record_next_raw(j->in, &raw, e)) != 0)
		if (rc > 0 ? keep(j, &raw, e) : skip_pass(&j->skip, e))
			return -1;
	return 0;
}

/* Draws the order and cuts it: test, then train; unshuffled train, then test. */
static int divide(struct job *j, struct err *e)
{
	uint64_t ntest, ntrain;
	if (perm_sizes(j->n, &j->want_test, &j->want_train, &ntest, &ntrain, e))
		return -1;
	if (shuffle)
		perm_shuffle(j->place, j->n, sizeof *j->place, seed);
	j->test.n = ntest;
	j->train.n = ntrain;
	j->test.from = shuffle ? 0 : ntrain;
	j->train.from = shuffle ? ntest : 0;
	return 0;
}

static int put_part(struct job *j, struct part *p, struct err *e)
{
	for (size_t i = p->from; i < p->from + p->n; i++) {
		const char *bytes;
		if (recall_get(j->recall, &j->place[i], &bytes, e) || record_put_raw(p->out, bytes, j->place[i].n, e))
			return -1;
	}
	return record_flush(p->out, e);
}

/* Files are complete and have their names before stdout gets its first byte, so that
 * what reads there finds the other part. */
static int put_parts(struct job *j, struct err *e)
{
	struct part *parts[] = {&j->test, &j->train};
	for (int i = 0; i < 2; i++)
		if (!is_stdout(parts[i]) && (put_part(j, parts[i], e) || record_seal(parts[i]->out, e)))
			return -1;
	for (int i = 0; i < 2; i++)
		if (!is_stdout(parts[i]) && commit(parts[i], e))
			return -1;
	for (int i = 0; i < 2; i++)
		if (is_stdout(parts[i]) && (put_part(j, parts[i], e) || commit(parts[i], e)))
			return -1;
	return 0;
}

static int by_shuffle(struct job *j, struct err *e)
{
	return read_all(j, e) || divide(j, e) || put_parts(j, e) ? -1 : 0;
}

/* --- by a field's value -------------------------------------------------------------------- */

/* From 0 to 1: the hash of seed and value, its bits mixed once more (as SplitMix64 ends),
 * of which the upper 53 are the digits behind the point. split(1) promises it: never to change. */
static double chance(const struct buf *value)
{
	uint64_t h = hash_word(hash_word(HASH_SEED, (uint32_t)seed), (uint32_t)(seed >> 32));
	h = hash_bytes(h, value->p, value->n);
	h = (h ^ h >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	h = (h ^ h >> 27) * UINT64_C(0x94D049BB133111EB);
	h ^= h >> 31;
	return (double)(h >> 11) * 0x1p-53;
}

/* The part of the record, or NULL: test where its value's chance is below the fraction. */
static struct part *choose(struct job *j, const struct record_raw *raw, struct err *e)
{
	struct json *rec;
	if (json_parse(record_arena(j->in), raw->p, raw->n, &rec, e)) {
		record_at(j->in, e);
		return NULL;
	}
	const struct json *v = json_get(rec, by);
	if (!v) {
		err_data(e, "field \"%s\" is missing", by);
		record_at(j->in, e);
		return NULL;
	}
	buf_reset(&j->value);
	if (json_write(&j->value, v)) {
		err_mem(e);
		return NULL;
	}
	return chance(&j->value) < j->want_test.fraction ? &j->test : &j->train;
}

/* Record for record: nothing is held. */
static int by_value(struct job *j, struct err *e)
{
	struct record_raw raw;
	int rc;
	while ((rc = record_next_raw(j->in, &raw, e)) != 0) {
		struct part *p = rc < 0 ? NULL : choose(j, &raw, e);
		if (!p) {
			if (skip_pass(&j->skip, e))
				return -1;
			continue;
		}
		if (record_put_raw(p->out, raw.p, raw.n, e))
			return -1;
		p->n++;
		j->n++;
	}
	/* files first, as without --by */
	struct part *first = is_stdout(&j->test) ? &j->train : &j->test;
	if (record_seal(j->test.out, e) || record_seal(j->train.out, e))
		return -1;
	return commit(first, e) || commit(first == &j->test ? &j->train : &j->test, e) ? -1 : 0;
}

/* ------------------------------------------------------------------------------------------ */

static void check_by(struct job *j)
{
	if (train_size)
		die_usage("--by takes the size of the test part only: the training part is the rest");
	if (!test_size)
		j->want_test = (struct perm_size){.kind = PERM_FRACTION, .fraction = 0.25};
	if (j->want_test.kind != PERM_FRACTION)
		die_usage("--by needs a fraction for --test-size (0.1): what comes is not counted beforehand");
}

static void check_usage(struct job *j)
{
	struct err e;
	if ((test_size && perm_parse(&j->want_test, test_size, "test size", &e)) ||
	    (train_size && perm_parse(&j->want_train, train_size, "train size", &e)) ||
	    perm_check(&j->want_test, &j->want_train, &e))
		die_err(&e);
	if (by)
		check_by(j);
	j->test.path = test_file;
	j->train.path = train_file;
	if (is_stdout(&j->test) && is_stdout(&j->train))
		die_usage("stdout can take one part only: name a file with --test or --train");
	if (test_file && train_file && out_same(test_file, train_file))
		die_usage("--test and --train name the same file");
}

static void open_all(struct job *j, int argc, char **argv)
{
	struct part *parts[] = {&j->test, &j->train};
	struct err e;
	if (record_open(&j->in, argc, argv, &e))
		die_err(&e);
	enum record_form form = record_form(j->in);
	if (by && form == RECORD_SHARD)
		die_now("--by needs JSON lines: a token shard has no fields");
	for (int i = 0; i < 2; i++)
		if (record_create(&parts[i]->out, parts[i]->path, form, record_head(j->in), zstd ? OUT_ZSTD : OUT_PLAIN, &e)) {
			undo(&j->test);
			die_err(&e);
		}
}

static void report(const struct job *j)
{
	size_t rest = j->n - j->train.n - j->test.n;
	die_skipped(&j->skip, "record");
	die_warn("%zu record%s: %zu train, %zu test%s", j->n, die_s(j->n), j->train.n, j->test.n,
	         rest ? ", the others in neither" : "");
}

int main(int argc, char **argv)
{
	struct job j = {0};
	struct err e;
	die_opts(&prog, &argc, &argv);
	j.skip.on = skip_bad;
	check_usage(&j);
	open_all(&j, argc, argv);
	if (by ? by_value(&j, &e) : by_shuffle(&j, &e)) {
		undo(&j.test);
		undo(&j.train);
		die_err(&e);
	}
	if (!quiet)
		report(&j);
	record_close(j.in);
	recall_close(j.recall);
	buf_release(&j.value);
	free(j.place);
	return 0;
}
