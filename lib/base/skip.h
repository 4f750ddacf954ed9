/* skip.h - --skip-bad: bad records are passed over, counted, and told of once.
 *
 *	struct skip skip = {.on = skip_bad};
 *	if (skip_pass(&skip, &e)) ...end with e...      else: on to the next record
 *	if (skip.n && !quiet)
 *		die_warn("%s", skip_text(&skip, "record", text, sizeof text));
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
/* "skipped 3 bad records, the first: data.jsonl:17: ..." into buf; returns buf. */
const char *skip_text(const struct skip *s, const char *what, char *buf, size_t cap);

#endif
