/* jsonl.h - JSON lines from one or more files, one record at a time.
 *
 *	struct jsonl r;
 *	if (jsonl_open(&r, argc, argv, &e)) ...        argc 0: stdin
 *	while ((rc = jsonl_next(&r, &rec, &e)) == 1)
 *		...rec and what is made in r.arena live until the next call...
 *	jsonl_close(&r);
 *
 * Lines of nothing but white space are passed over. Errors read "FILE:LINE: what".
 * After a data error (e.kind == ERR_DATA) the next call goes on with the next line. */
#ifndef IO_JSONL_H
#define IO_JSONL_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "io/in.h"
#include "io/json.h"

#include <stdbool.h>
#include <stdint.h>

struct jsonl {
	struct arena arena; /* reset before every record */
	struct in *in;      /* the file being read, or NULL */
	char **paths;       /* the caller's, must outlive the reader */
	int npaths, at;
	const char *name;
	uint64_t line;  /* of the present record, from 1 */
	struct buf text; /* the present line */
};

int jsonl_open(struct jsonl *r, int npaths, char **paths, struct err *e);
/* 1: a record (any JSON value), 0: the end, -1: error. */
int jsonl_next(struct jsonl *r, struct json **rec, struct err *e);
/* Whether the next call would not wait, see in_ready. */
bool jsonl_ready(const struct jsonl *r);
/* The next line that is not blank into r->text, not looked at further. */
int jsonl_next_raw(struct jsonl *r, struct err *e);
/* Puts "FILE:LINE: " before the message e already holds, unless it is of a system
 * call or memory, which no line is to blame for; returns -1. */
int jsonl_at(const struct jsonl *r, struct err *e);
void jsonl_close(struct jsonl *r);

#endif
