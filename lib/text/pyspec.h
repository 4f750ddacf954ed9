/* pyspec.h - Python's format specifications, {a:>10} and {x:,.2f}.
 *
 *	struct pyspec s;
 *	if (pyspec_parse(&s, ",.2f", 4, &why)) ...       why: what is wrong, a constant text
 *	if (pyspec_value(&buf, &s, v, &why)) ...         format(v, ",.2f"), appended
 *	if (pyspec_text(&buf, &s, p, n, &why)) ...       format(str, ...)
 *
 * The form is [[fill]align][sign][#][0][width][, or _][.precision][type], with the
 * types s, d, e, E, f, F, g, G and %; widths count characters. Not known, and said
 * so: the types b c n o x X, the z of negative zeros, # without a type.
 * null, arrays and objects take no specification but the empty one, as in Python. */
#ifndef TEXT_PYSPEC_H
#define TEXT_PYSPEC_H

#include "base/buf.h"
#include "io/json.h"

#include <stdbool.h>
#include <stddef.h>

struct pyspec {
	bool any;         /* not the empty specification */
	char fill[4];     /* one character */
	int nfill;        /* its bytes */
	char align;       /* '<' '>' '=' '^' or 0 */
	char sign;        /* '+' '-' ' ' or 0 */
	bool alternate;   /* # */
	char group;       /* ',' '_' or 0 */
	int width;        /* 0: none */
	int precision;    /* -1: none */
	char type;        /* or 0 */
};

/* 0, or -1 and *why. text is valid UTF-8. */
int pyspec_parse(struct pyspec *s, const char *text, size_t n, const char **why);
/* 0, or -1: *why is what is wrong, NULL when out of memory. */
int pyspec_value(struct buf *b, const struct pyspec *s, const struct json *v, const char **why);
int pyspec_text(struct buf *b, const struct pyspec *s, const char *p, size_t n, const char **why);

#endif
