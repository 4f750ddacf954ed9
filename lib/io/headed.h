/* headed.h - an output whose first bytes tell what follows and are known last:
 * a header with a count, written without holding the stream in memory.
 *
 *	struct headed *h;
 *	if (headed_open(&h, path, 128, &e)) ...        NULL or "-" is stdout
 *	if (headed_write(h, p, n, &e)) ...             what stands behind the header
 *	if (headed_commit(h, header, &e)) ...          its 128 bytes; h is gone either way
 *	headed_abort(h);                               instead; NULL is fine
 *
 * A file gets its header in place before it gets its name. What goes to a pipe
 * or a device waits in a spool (io/spool.h) and is copied at the commit.
 * With a header of 0 bytes it is a struct out like any other. */
#ifndef IO_HEADED_H
#define IO_HEADED_H

#include "base/err.h"

#include <stddef.h>

struct headed;

enum { HEADED_MAX = 1024 }; /* bytes of a header */

int headed_open(struct headed **h, const char *path, size_t size, struct err *e);
const char *headed_name(const struct headed *h);
int headed_write(struct headed *h, const void *p, size_t n, struct err *e);
int headed_commit(struct headed *h, const void *header, struct err *e);
void headed_abort(struct headed *h);

#endif
