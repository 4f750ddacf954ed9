/* torchzip.h - the records of a zip file that torch.save wrote, shown where they lie.
 *
 *	struct torchzip z = {0};
 *	if (torchzip_open(&z, &arena, p, n, name, &e)) ...
 *	const struct torchzip_entry *r = torchzip_find(&z, "archive/data.pkl");
 *
 * PyTorch stores records as they are, so nothing is ever unpacked: compressed or
 * encrypted entries are refused. So is a file where the end record, the central
 * directory, the local headers and the sizes do not agree, or where two entries
 * share a byte: all entries together are never more than the file. Checksums are
 * not compared (PyTorch does not, and can be told to write none). */
#ifndef IO_TORCHZIP_H
#define IO_TORCHZIP_H

#include "base/arena.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct torchzip_entry {
	const char *name;
	size_t at, n;       /* its bytes in the file */
	size_t header, end; /* from its local header to the end of its bytes */
};

struct torchzip {
	struct torchzip_entry *e; /* in order of name */
	size_t n;
};

bool torchzip_is(const unsigned char *p, size_t n); /* begins as a zip file */
/* Names and entries live in the arena; file is for messages. */
int torchzip_open(struct torchzip *z, struct arena *a, const unsigned char *p, size_t n, const char *file, struct err *e);
const struct torchzip_entry *torchzip_find(const struct torchzip *z, const char *name);

#endif
