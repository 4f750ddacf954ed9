/* child.h - another program as a filter: bytes in, bytes out, once it has ended well.
 *
 *	char *const argv[] = {"rsvg-convert", "--format=png", NULL};
 *	if (child_filter(argv, "librsvg2-bin", svg.p, svg.n, &png, &e)) ...
 *
 * Found in PATH and started without a shell. Its three streams are nameless files (io/spool.h), so that
 * neither waits for the other and nothing is left behind. What it says on standard error is shown only
 * where it fails: the first line, within the message. */
#ifndef IO_CHILD_H
#define IO_CHILD_H

#include "base/buf.h"
#include "base/err.h"

/* Appends what argv[0] makes of the n bytes at p to out. Not there, not startable, killed, or ended with
 * another status than 0: an error that names it and, if it is not there, Debian's package of it. */
int child_filter(char *const argv[], const char *package, const void *p, size_t n, struct buf *out, struct err *e);

#endif
