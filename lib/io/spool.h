/* spool.h - bytes put aside on disk and read back once: a nameless file in $TMPDIR or /tmp.
 *
 *	struct spool *s;
 *	if (spool_open(&s, &e)) ...
 *	if (spool_write(s, p, n, &e)) ...
 *	if (spool_rewind(s, &e)) ...      from here on it is read
 *	while ((n = spool_read(s, p, cap, &e)) > 0) ...   fewer than cap only at the end; -1: error
 *	spool_close(s);                   the bytes are gone; NULL is fine */
#ifndef IO_SPOOL_H
#define IO_SPOOL_H

#include "base/err.h"

#include <stddef.h>
#include <sys/types.h>

struct spool;

/* The nameless file alone: its descriptor, or -1. *dir is told for messages. */
int spool_temp(const char **dir, struct err *e);

int spool_open(struct spool **s, struct err *e);
int spool_write(struct spool *s, const void *p, size_t n, struct err *e);
int spool_rewind(struct spool *s, struct err *e);
ssize_t spool_read(struct spool *s, void *p, size_t cap, struct err *e);
void spool_close(struct spool *s);

#endif
