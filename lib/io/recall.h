/* recall.h - byte strings put by and fetched again in any order, not in memory: where an
 * input is a plain file they are read from it again, else from a temporary file.
 *
 *	struct recall *s = recall_open(&e);
 *	recall_add(s, &raw, &place, &e)        remember the places: 16 bytes each
 *	recall_get(s, &place, &p, &e)          place.n bytes, valid until the next call
 *	recall_close(s);
 *
 * The temporary file is nameless, in $TMPDIR or /tmp, and not made for less than 1 MiB. */
#ifndef IO_RECALL_H
#define IO_RECALL_H

#include "base/err.h"
#include "io/record.h"

#include <stddef.h>
#include <stdint.h>

struct recall;
struct recall_place {
	uint64_t at; /* the file's number in the upper 8 bits, the offset in the others */
	uint64_t n;  /* bytes */
};

struct recall *recall_open(struct err *e);
int recall_add(struct recall *s, const struct record_raw *raw, struct recall_place *place, struct err *e);
int recall_get(struct recall *s, const struct recall_place *place, const char **p, struct err *e);
void recall_close(struct recall *s); /* NULL is fine */

#endif
