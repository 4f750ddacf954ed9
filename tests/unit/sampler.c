/* base/mt, nx/sampler, nx/sched: equal to torch, accelerate and transformers. The
 * goldens are made by tests/reference/sampler.py. */
#include "test.h"

#include "base/hash.h"
#include "base/mt.h"
#include "nx/sampler.h"
#include "nx/sched.h"

static struct err e;

static FILE *golden(const char *name)
{
	FILE *f = fopen(name, "r");
	TEST(f != NULL, "%s is there", name);
	return f;
}

static uint64_t digest(const uint32_t *p, uint32_t n)
{
	return hash_words(HASH_SEED, p, (size_t)n * 4);
}

/* torch's random_() keeps 63 bits: draws 0, 1 and 700 of a seed. */
static int draws_equal(uint64_t seed, const unsigned long long want[3])
{
	struct mt r;
	int ok = 1;
	mt_seed(&r, seed);
	for (int i = 0; i <= 700; i++) {
		uint64_t v = mt_u64(&r) & INT64_MAX;
		if (i < 2 || i == 700)
			ok &= v == want[i < 2 ? i : 2];
	}
	return ok;
}

static void generator(void)
{
	FILE *f = golden("tests/golden/mt.txt");
	char line[300];
	int count = 0;
	while (f && fgets(line, sizeof line, f)) {
		unsigned long long seed, d[3], hash;
		unsigned n, first, last;
		if (sscanf(line, "%llu %u %llu %llu %llu %llx %u %u", &seed, &n, &d[0], &d[1], &d[2], &hash, &first, &last) != 8)
			continue;
		uint32_t *p = malloc(n * sizeof *p);
		if (!p)
			abort();
		struct mt r;
		mt_seed(&r, seed);
		mt_randperm(&r, p, n);
		TEST(draws_equal(seed, d) && digest(p, n) == hash && p[0] == first && p[n - 1] == last, "randperm(%u) of seed %llu",
		     n, seed);
		free(p);
		count++;
	}
	TEST(count == 48, "%d permutations compared", count);
	if (f)
		fclose(f);
	struct mt r;
	mt_seed(&r, 42);
	TEST((mt_u64(&r) & INT64_MAX) == UINT64_C(6909045637428952499), "the first draw of seed 42");
	mt_randperm(&r, NULL, 0);
}

static void orders(void)
{
	FILE *f = golden("tests/golden/sampler.txt");
	char line[200], kind[20];
	int count = 0;
	while (f && fgets(line, sizeof line, f)) {
		unsigned n;
		unsigned long long seed, epoch, hash;
		if (sscanf(line, "%19s %u %llu %llu %llx", kind, &n, &seed, &epoch, &hash) != 5)
			continue;
		struct sampler s;
		if (sampler_open(&s, test_word(SAMPLER_WORDS, kind), n, seed, &e))
			abort();
		/* whatever was asked for before, an epoch has its order */
		sampler_epoch(&s, (epoch * 7) % 5);
		TEST(digest(sampler_epoch(&s, epoch), n) == hash, "%s: epoch %llu of %u, seed %llu", kind, epoch, n, seed);
		sampler_release(&s);
		count++;
	}
	TEST(count == 120, "%d orders compared", count);
	if (f)
		fclose(f);
	struct sampler s;
	TEST(sampler_open(&s, SAMPLER_SEQUENTIAL, 3, 42, &e) == 0, "opens");
	const uint32_t *p = sampler_epoch(&s, 5);
	TEST(p[0] == 0 && p[1] == 1 && p[2] == 2, "sequential is sequential");
	sampler_release(&s);
	TEST(sampler_open(&s, SAMPLER_HF_425, 0, 42, &e) == 0 && sampler_epoch(&s, 0), "no records, no order");
	sampler_release(&s);
}

static void schedules(void)
{
	FILE *f = golden("tests/golden/sched.txt");
	char line[200], kind[40];
	int count = 0, bad = 0;
	while (f && fgets(line, sizeof line, f)) {
		struct sched s;
		long long warmup, total, k;
		double want;
		if (sscanf(line, "%39s %lld %lld %lld %lf", kind, &warmup, &total, &k, &want) != 5)
			continue;
		for (char *c = kind; (c = strchr(c, '_'));)
			*c = '-'; /* option tables spell it so */
		s = (struct sched){test_word(SCHED_WORDS, kind), warmup, total, 0.1};
		double got = sched_factor(&s, k);
		/* past the end the cosine of transformers rises again: nothing trains there */
		if (k < total && fabs(got - want) > 1e-15 + 1e-14 * want) {
			printf("# %s: got %.17g\n", line, got);
			bad++;
		}
		count++;
	}
	TEST(count == 414 && bad == 0, "%d factors compared, %d wrong", count, bad);
	if (f)
		fclose(f);
	TEST(sched_warmup(0, 0.1, 315) == 32 && sched_warmup(5, 0.1, 315) == 5 && sched_warmup(0, 0, 9) == 0,
	     "steps of warm-up come before the ratio, which is rounded up");
	TEST(test_word("a|bc|d", "bc") == 1 && test_word("a|b", "c") == -1, "this test's own table look-up");
}

int main(void)
{
	generator();
	orders();
	schedules();
	return test_done();
}
