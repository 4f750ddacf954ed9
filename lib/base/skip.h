/* skip.h - --skip-bad: bad records are passed over, counted, and told of once.
 *
 *	struct skip skip = {.on = skip_bad};
 *	if (skip_pass(&skip, &e)) ...end with e...      else: on to the next record
 *	if (!quiet)
 *		die_skipped(&skip, "record");           (base/die.h) says nothing where nothing was skipped
 */
#ifndef BASE_SKIP_H
#define BASE_SKIP_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct skip {
	bool on;
	uint64_t n;
	struct err first; /* why the first was skipped */
};

/* 0: e is a data error and skipping is on, so it is counted; -1: it ends the run. */
int skip_pass(struct skip *s, const struct err *e);

#endif
