#include "text/perm.h"
#include "base/num.h"
#include "base/pcg.h"

#include <math.h>
#include <string.h>

int perm_parse(struct perm_size *s, const char *text, const char *what, struct err *e)
{
	int64_t count;
	double fraction;
	if (num_i64(text, strlen(text), &count) == 0) {
		if (count <= 0)
			return err_usage(e, "%s %s is no count: a count is 1 or more", what, text);
		*s = (struct perm_size){.kind = PERM_COUNT, .count = (uint64_t)count};
		return 0;
	}
	if (num_f64(text, strlen(text), &fraction))
		return err_usage(e, "%s \"%s\" is neither a fraction (0.1) nor a count (100)", what, text);
	if (fraction <= 0 || fraction >= 1)
		return err_usage(e, "%s %s is not between 0 and 1 (a count has no decimal point)", what, text);
	*s = (struct perm_size){.kind = PERM_FRACTION, .fraction = fraction};
	return 0;
}

/* A count has to leave something for the other part. */
static int check_count(const struct perm_size *s, uint64_t n, const char *what, struct err *e)
{
	if (s->kind != PERM_COUNT || s->count < n)
		return 0;
	return err_data(e, "%s %llu is not smaller than the number of records, %llu", what,
	                (unsigned long long)s->count, (unsigned long long)n);
}

int perm_check(const struct perm_size *test, const struct perm_size *train, struct err *e)
{
	if (test->kind == PERM_FRACTION && train->kind == PERM_FRACTION && test->fraction + train->fraction > 1)
		return err_usage(e, "test size %g and train size %g are more than 1 together", test->fraction, train->fraction);
	return 0;
}

int perm_sizes(uint64_t n, const struct perm_size *test, const struct perm_size *train, uint64_t *ntest,
               uint64_t *ntrain, struct err *e)
{
	static const struct perm_size quarter = {.kind = PERM_FRACTION, .fraction = 0.25};
	*ntest = *ntrain = 0;
	if (n == 0)
		return 0;
	if (test->kind == PERM_REST && train->kind == PERM_REST)
		test = &quarter;
	if (perm_check(test, train, e) || check_count(test, n, "test size", e) ||
	    check_count(train, n, "train size", e))
		return -1;
	/* the product is rounded before it is rounded up: 0.07 * 100 makes 8, as in Python */
	uint64_t a = test->kind == PERM_FRACTION ? (uint64_t)ceil(test->fraction * (double)n) : test->count;
	uint64_t b = train->kind == PERM_FRACTION ? (uint64_t)floor(train->fraction * (double)n) : train->count;
	if (train->kind == PERM_REST)
		b = n - a;
	else if (test->kind == PERM_REST)
		a = n - b;
	if (a > n || b > n - a)
		return err_data(e, "%llu test and %llu train records are more than the %llu there are",
		                (unsigned long long)a, (unsigned long long)b, (unsigned long long)n);
	if (b == 0)
		return err_data(e, "with %llu record%s no train record is left", (unsigned long long)n, n == 1 ? "" : "s");
	*ntest = a;
	*ntrain = b;
	return 0;
}

void perm_shuffle(void *p, size_t n, size_t size, uint64_t seed)
{
	struct pcg r;
	char was[PERM_MAX_SIZE], *item = p;
	pcg_seed(&r, seed);
	for (size_t i = n; i-- > 1;) {
		size_t j = (size_t)pcg_interval(&r, i);
		memcpy(was, item + i * size, size);
		memmove(item + i * size, item + j * size, size);
		memcpy(item + j * size, was, size);
	}
}
