/* Any bytes as a token shard: its records, written again, are the same records. The
 * first shard's header gets the hash it should have, which no mutation would find. */
#include "fuzz.h"

#include "base/hash.h"
#include "io/shard.h"

static int equal(const void *a, const void *b, size_t n)
{
	return n == 0 || memcmp(a, b, n) == 0;
}

/* NULL is all set. */
static int same_flags(const uint8_t *a, const uint8_t *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((a ? a[i] : 1) != (b ? b[i] : 1))
			return 0;
	return 1;
}

static void check(const struct shard_rec *r, const struct shard_head *h)
{
	uint32_t last = 0;
	for (size_t i = 0; i < r->n; i++)
		fuzz_must(r->ids[i] >= 0 && (uint32_t)r->ids[i] < h->vocab);
	for (size_t i = 0; i < r->nstarts; i++) {
		fuzz_must(r->starts[i] > last && r->starts[i] < r->n);
		last = r->starts[i];
	}
}

/* All records of `from` to a shard in memory; how many. */
static uint64_t copy(struct shard_reader *from, const char *to)
{
	struct shard_writer *w;
	struct shard_rec r;
	struct out *out;
	struct err e;
	fuzz_must(out_open(&out, to, OUT_PLAIN, &e) == 0 && shard_begin(out, shard_headof(from), &w, &e) == 0);
	while (shard_next(from, &r, &e) == 1) {
		check(&r, shard_headof(from));
		fuzz_must(shard_put(w, &r, &e) == 0);
	}
	fuzz_must(shard_end(w, &e) == 0 && out_commit(out, &e) == 0);
	return shard_count(from);
}

static void compare(const char *path, const char *copied, uint64_t count)
{
	struct shard_reader *a, *b;
	struct shard_rec x, y;
	struct in *in, *again;
	struct err e;
	fuzz_must(in_open(&in, path, &e) == 0 && in_open(&again, copied, &e) == 0);
	fuzz_must(shard_open(in, &a, &e) == 0 && shard_open(again, &b, &e) == 0);
	for (uint64_t i = 0; i < count; i++) {
		fuzz_must(shard_next(a, &x, &e) == 1 && shard_next(b, &y, &e) == 1);
		fuzz_must(x.n == y.n && x.nstarts == y.nstarts && equal(x.ids, y.ids, x.n * sizeof *x.ids));
		fuzz_must(same_flags(x.attn, y.attn, x.n) && same_flags(x.keep, y.keep, x.n));
		fuzz_must(equal(x.starts, y.starts, x.nstarts * sizeof *x.starts));
	}
	fuzz_must(shard_next(b, &y, &e) == 0);
	shard_close(a);
	shard_close(b);
	in_close(in);
	in_close(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char path[32], copied[200];
	struct shard_reader *r;
	struct in *in;
	struct err e;
	int fd = fuzz_open(p, n, path);
	if (n >= 64) {
		uint64_t hash = hash_words(HASH_SEED, p, 56);
		fuzz_must(pwrite(fd, &hash, sizeof hash, 56) == sizeof hash);
	}
	snprintf(copied, sizeof copied, "%s/copy", fuzz_dir());
	fuzz_must(in_open(&in, path, &e) == 0);
	if (shard_open(in, &r, &e) == 0) {
		uint64_t count = copy(r, copied);
		shard_close(r);
		compare(path, copied, count);
	}
	in_close(in);
	close(fd);
	return 0;
}
