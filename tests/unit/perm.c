/* base/pcg and text/perm: equal to NumPy and to HF's train_test_split. The
 * goldens are made by tests/reference/perm.py. */
#include "test.h"

#include "base/hash.h"
#include "base/pcg.h"
#include "text/perm.h"

static FILE *golden(const char *name)
{
	FILE *f = fopen(name, "r");
	TEST(f != NULL, "%s is there", name);
	return f;
}

/* As perm.py does it: over the indices as 32-bit words. */
static uint64_t digest(const size_t *p, size_t n)
{
	uint64_t h = HASH_SEED;
	for (size_t i = 0; i < n; i++)
		h = hash_word(h, (uint32_t)p[i]);
	return h;
}

static void permutations(void)
{
	FILE *f = golden("tests/golden/perm.txt");
	char line[200];
	int count = 0;
	while (f && fgets(line, sizeof line, f)) {
		unsigned long long n, seed, hash, first, last;
		if (sscanf(line, "%llu %llu %llx %llu %llu", &n, &seed, &hash, &first, &last) != 5)
			continue;
		size_t *p = malloc(n * sizeof *p);
		if (!p)
			abort();
		for (size_t i = 0; i < n; i++)
			p[i] = i;
		perm_shuffle(p, n, sizeof *p, seed);
		TEST(digest(p, n) == hash && p[0] == first && p[n - 1] == last, "permutation(%llu) of seed %llu", n, seed);
		free(p);
		count++;
	}
	TEST(count >= 20, "%d permutations compared", count);
	if (f)
		fclose(f);
	perm_shuffle(NULL, 0, 8, 1);
}

static void intervals(void)
{
	FILE *f = golden("tests/golden/perm_interval.txt");
	struct pcg r = {0};
	char line[200];
	unsigned long long seed, max, want, before = 1;
	int count = 0, bad = 0;
	while (f && fgets(line, sizeof line, f)) {
		if (sscanf(line, "%llu %llu %llu", &seed, &max, &want) != 3)
			continue;
		if (seed != before)
			pcg_seed(&r, before = seed);
		bad += pcg_interval(&r, max) != want;
		count++;
	}
	TEST(count == 204 && bad == 0, "%d bounded draws on both sides of 2^32, %d wrong", count, bad);
	if (f)
		fclose(f);
}

/* One line of perm_sizes.txt: 1 if perm does the same, 0 if not. */
static int agrees(unsigned long long n, const char *test, const char *train, const char *want)
{
	struct perm_size s[2] = {{0}, {0}};
	const char *text[2] = {test, train};
	uint64_t ntest = 0, ntrain = 0;
	struct err e;
	char got[60];
	for (int i = 0; i < 2; i++)
		if (strcmp(text[i], "-") != 0 && perm_parse(&s[i], text[i], "size", &e))
			return 0;
	if (perm_sizes(n, &s[0], &s[1], &ntest, &ntrain, &e))
		snprintf(got, sizeof got, "error");
	else
		snprintf(got, sizeof got, "%llu %llu", (unsigned long long)ntest, (unsigned long long)ntrain);
	if (strcmp(got, want) == 0)
		return 1;
	printf("# %llu %s %s: %s, not %s\n", n, test, train, got, want);
	return 0;
}

static void sizes(void)
{
	FILE *f = golden("tests/golden/perm_sizes.txt");
	char line[200], test[20], train[20], want[60];
	unsigned long long n;
	int count = 0, bad = 0;
	while (f && fgets(line, sizeof line, f)) {
		if (sscanf(line, "%llu %19s %19s %59[^\n]", &n, test, train, want) != 4)
			continue;
		bad += !agrees(n, test, train, want);
		count++;
	}
	TEST(count == 2048 && bad == 0, "%d sizes as train_test_split has them, %d wrong", count, bad);
	if (f)
		fclose(f);
}

static void words(void)
{
	static const char *const wrong[] = {"0", "-1", "0.0", "1.0", "1.5", "-0.1", "", "x", "0.1x", "nan", "1e", "99999999999999999999"};
	struct perm_size s = {0};
	struct err e = {0};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		TEST(perm_parse(&s, wrong[i], "test size", &e) == -1 && e.kind == ERR_USAGE && s.kind == PERM_REST,
		     "\"%s\" is no size: %s", wrong[i], e.msg);
	TEST(perm_parse(&s, "5e-1", "size", &e) == 0 && s.kind == PERM_FRACTION && s.fraction == 0.5, "5e-1 is a fraction");
	TEST(perm_parse(&s, "1", "size", &e) == 0 && s.kind == PERM_COUNT && s.count == 1, "1 is a count");
}

int main(void)
{
	permutations();
	intervals();
	sizes();
	words();
	return test_done();
}
