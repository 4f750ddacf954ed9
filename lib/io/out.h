/* out.h - bytes out: stdout, or a file that appears under its name only when complete.
 *
 *	struct out *out;
 *	if (out_open(&out, path, OUT_PLAIN, &e)) ...      NULL or "-" is stdout
 *	if (out_write(out, p, n, &e)) ...
 *	if (out_commit(out, &e)) ...     flushed, closed, checked, renamed; out is gone either way
 *	out_abort(out);                  instead of commit: the file never appears; NULL is fine
 *
 * Until the commit a file's bytes are in a nameless file (or, where the file
 * system has none, one with an unpredictable name) in the destination's
 * directory. A path that exists and is no regular file (a device, a pipe) is
 * written to directly. A new file gets mode 0666 less umask; one that replaces
 * another keeps that one's mode. Messages begin with the output's name. */
#ifndef IO_OUT_H
#define IO_OUT_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct out;

enum out_form { OUT_PLAIN, OUT_ZSTD };

int out_open(struct out **out, const char *path, enum out_form form, struct err *e);
/* Whether two paths of outputs, NULL or "-" being stdout, name one file, which cannot take both. */
bool out_same(const char *a, const char *b);
const char *out_name(const struct out *out);
int out_write(struct out *out, const void *p, size_t n, struct err *e);
/* Whether out_patch can be called: a plain file that gets its name at the commit. */
bool out_can_patch(const struct out *out);
/* Replaces n bytes from the file's start on by p; all of them have been written before. */
int out_patch(struct out *out, const void *p, size_t n, struct err *e);
int out_flush(struct out *out, struct err *e); /* what was written reaches the reader now */
/* All that a commit does but the last of it: a file is whole on disk and lacks its name, what goes to
 * a pipe is all written and the pipe not closed. Of several outputs none then appears without the others. */
int out_seal(struct out *out, struct err *e);
int out_commit(struct out *out, struct err *e);
void out_abort(struct out *out);

#endif
