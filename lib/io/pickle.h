/* pickle.h - reads a pickle of plain data, and calls nothing.
 *
 *	static const struct pickle_name names[] = {{"collections", "OrderedDict", PICKLE_DICT}, ...};
 *	const struct pickle *root;
 *	if (pickle_parse(&arena, p, n, names, 5, "m.bin: data.pkl", &root, &e)) ...
 *
 * A pickle is a program for a machine that can name and call any function of
 * Python. This reader knows protocol 2's opcodes for plain data and none other;
 * a name must be in the caller's list; a call is kept as a value - which name,
 * which arguments - and never made, except that calling a PICKLE_DICT name
 * without arguments is an empty dictionary.
 *
 * Values are shared where the pickle shares them, even with themselves: do not
 * walk them deeper than you know them to be. Memory is at most about 200 bytes a
 * byte of the pickle, which PICKLE_MAX bounds. */
#ifndef IO_PICKLE_H
#define IO_PICKLE_H

#include "base/arena.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum { PICKLE_MAX = 16 << 20 };

enum pickle_type {
	PICKLE_NONE,
	PICKLE_BOOL,  /* i */
	PICKLE_INT,   /* i */
	PICKLE_TEXT,  /* s, n: bytes; NUL-terminated */
	PICKLE_LIST,  /* item, n: lists and tuples */
	PICKLE_DICT,  /* item, n: key, value, key, value ... in the order they were set */
	PICKLE_NAME,  /* i: place in the caller's list */
	PICKLE_CALL,  /* i: of which name; item[0]: its arguments, a PICKLE_LIST */
	PICKLE_REF    /* item[0]: the persistent id, of any type */
};

struct pickle {
	enum pickle_type type;
	int64_t i;
	const char *s;
	const struct pickle **item;
	size_t n, cap;
};

struct pickle_name {
	const char *module, *name;
	enum pickle_type call; /* what a call of it is: PICKLE_CALL, PICKLE_DICT, or PICKLE_NONE: it is not called */
};

/* names must outlive the values; `file` is for messages. */
int pickle_parse(struct arena *a, const unsigned char *p, size_t n, const struct pickle_name *names, int nnames,
                 const char *file, const struct pickle **root, struct err *e);
/* Item i of v, if there is one and it has type t; NULL otherwise, and for v NULL. */
const struct pickle *pickle_at(const struct pickle *v, size_t i, enum pickle_type t);

#endif
