/* in.h - bytes in: a file or stdin, plain or zstd (told by its magic).
 *
 *	struct in *in;
 *	if (in_open(&in, path, &e)) ...           NULL or "-" is stdin
 *	while ((n = in_read(in, p, cap, &e)) > 0) ...   -1: error, 0: end
 *	in_close(in);
 *
 * A zstd stream that ends in mid-frame is an error, never a short read.
 * Messages begin with the input's name. */
#ifndef IO_IN_H
#define IO_IN_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct in;

/* A file that standard output goes into is ERR_USAGE: it would grow as it is read. */
int in_open(struct in **in, const char *path, struct err *e);
const char *in_name(const struct in *in); /* the path, or "stdin" */
ssize_t in_read(struct in *in, void *p, size_t cap, struct err *e);
/* Shows up to n <= 64 bytes ahead without taking them; fewer only at the end. */
ssize_t in_peek(struct in *in, size_t n, const unsigned char **p, struct err *e);
/* n bytes, fewer only at the end: how many, or -1. */
ssize_t in_full(struct in *in, void *p, size_t n, struct err *e);
/* Next line without its "\n" or "\r\n": 1, 0 at the end, -1. The last line needs
 * no newline. A byte-order mark at the start of the input is dropped. */
int in_line(struct in *in, struct buf *line, struct err *e);
/* Whether in_line would not wait: a line or the end is there, as far as can be told. (Of a
 * writer that stops in mid-line it cannot.) */
bool in_ready(const struct in *in);
/* For reading again with pread(in_fd(in)): the file's offset of the next byte, and of what
 * in_line gave last. -1 where that cannot be: a pipe, a terminal, a compressed file. */
off_t in_tell(const struct in *in);
off_t in_line_at(const struct in *in);
int in_fd(const struct in *in);
void in_close(struct in *in); /* NULL is fine */

/* A whole file at once into b (config.json, tokenizer.json); zstd as well. ERR_DATA from
 * IN_SLURP_MAX bytes on, which a few compressed ones may claim to be. */
enum { IN_SLURP_MAX = 1 << 28 };
int in_slurp(const char *path, struct buf *b, struct err *e);

#endif
