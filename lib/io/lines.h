/* lines.h - blocks of whole lines from one or more files, for programs that share
 * lines out to threads.
 *
 *	struct lines l;
 *	struct lines_block b = {0};
 *	if (lines_open(&l, argc, argv, &e)) ...        argc 0: stdin
 *	while ((rc = lines_next(&l, &b, &e)) == 1)
 *		for (size_t at = 0; lines_cut(&b, &at, &s, &n);)
 *			...line s[0..n) without "\n" or "\r\n"...
 *	lines_close(&l), lines_block_release(&b);
 *
 * A block is what one or a few reads gave, so that a slow writer's lines are not
 * waited for. A byte-order mark at a file's beginning is dropped. Memory: the
 * block's own, at least one line of any length. */
#ifndef IO_LINES_H
#define IO_LINES_H

#include "base/buf.h"
#include "base/err.h"
#include "io/in.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	LINES_BLOCK = 256 * 1024, /* bytes aimed at, unless `block` says otherwise */
	LINES_AHEAD = 64          /* bytes behind a block's text that may be read, whatever they are */
};

struct lines {
	struct in *in;
	char **paths; /* the caller's, must outlive it */
	int npaths, at;
	size_t block;    /* bytes aimed at: may be set after lines_open */
	bool fresh;      /* nothing of the present file was given out */
	struct buf rest; /* the beginning of a line that no block had yet */
};

struct lines_block {
	struct buf text;
	const char *name; /* of the file */
	bool first;       /* its first line is the file's first */
};

int lines_open(struct lines *l, int npaths, char **paths, struct err *e);
/* 1: a block of at least one line, all of one file; 0: the end; -1. */
int lines_next(struct lines *l, struct lines_block *b, struct err *e);
/* The line at *at, which moves behind it; false: there is none. */
bool lines_cut(const struct lines_block *b, size_t *at, const char **s, size_t *n);
bool lines_blank(const char *s, size_t n); /* nothing but white space, as jsonl.h passes over it */
void lines_close(struct lines *l);
void lines_block_release(struct lines_block *b);

#endif
