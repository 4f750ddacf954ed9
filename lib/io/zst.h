/* zst.h - zstd streams (RFC 8878) over callbacks. The only user of zstd;
 * in.c reads through it and out.c writes through it. */
#ifndef IO_ZST_H
#define IO_ZST_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { ZST_MAGIC_LEN = 4 };
#define ZST_MAGIC "\x28\xB5\x2F\xFD"

struct zst_reader;
struct zst_writer;

/* Compressed bytes come from pull(arg, p, cap): count, 0 at the end, -1 with e filled. */
typedef ssize_t zst_pull(void *arg, void *p, size_t cap, struct err *e);
/* Compressed bytes go to push(arg, p, n): 0 or -1 with e filled. */
typedef int zst_push(void *arg, const void *p, size_t n, struct err *e);

struct zst_reader *zst_reader_open(zst_pull *pull, void *arg, struct err *e);
/* Decoded bytes: count, 0 at the end of the last frame, -1 (also when a frame was cut off). */
ssize_t zst_read(struct zst_reader *z, void *p, size_t cap, struct err *e);
void zst_reader_close(struct zst_reader *z);

/* One frame with a checksum. */
struct zst_writer *zst_writer_open(zst_push *push, void *arg, struct err *e);
int zst_write(struct zst_writer *z, const void *p, size_t n, struct err *e);
int zst_flush(struct zst_writer *z, struct err *e);
int zst_end(struct zst_writer *z, struct err *e); /* ends the frame; z stays to be closed */
void zst_writer_close(struct zst_writer *z);

#endif
