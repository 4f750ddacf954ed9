/* perm.h - the order of a shuffled data set and the sizes of its parts, both as
 * HF's Dataset.train_test_split has them.
 *
 *	struct perm_size test = {0}, train = {0};
 *	perm_parse(&test, "0.1", "test size", &e);
 *	perm_sizes(n, &test, &train, &ntest, &ntrain, &e);
 *	perm_shuffle(p, n, sizeof *p, 123);
 *	test part: p[0 .. ntest);   train part: p[ntest .. ntest + ntrain)
 */
#ifndef TEXT_PERM_H
#define TEXT_PERM_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum perm_kind { PERM_REST /* not given: what the other part leaves */, PERM_FRACTION, PERM_COUNT };

struct perm_size {
	enum perm_kind kind;
	double fraction; /* of all records, 0 < fraction < 1 */
	uint64_t count;
};

/* "0.1" is a fraction, "100" a count, as a float and an int are in Python.
 * What is neither, or out of range for every n, is ERR_USAGE; `what` names it there. */
int perm_parse(struct perm_size *s, const char *text, const char *what, struct err *e);

/* ERR_USAGE where two fractions are more than 1: they fit no n. */
int perm_check(const struct perm_size *test, const struct perm_size *train, struct err *e);

/* Sizes for n records: test = ceil(fraction * n), train = floor(fraction * n), in
 * doubles; a part not given is the rest; neither given: test 0.25. n = 0 gives
 * two empty parts. Sizes that do not fit n are ERR_DATA. */
int perm_sizes(uint64_t n, const struct perm_size *test, const struct perm_size *train, uint64_t *ntest,
               uint64_t *ntrain, struct err *e);

/* n items of `size` bytes in the order of numpy.random.default_rng(seed).permutation(n):
 * Fisher-Yates from the end, i = n-1 .. 1: swap items i and j, 0 <= j <= i drawn by
 * pcg_interval. */
enum { PERM_MAX_SIZE = 64 };
void perm_shuffle(void *p, size_t n, size_t size, uint64_t seed);

#endif
