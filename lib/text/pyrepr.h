/* pyrepr.h - a JSON value as Python prints what json.loads makes of it.
 *
 *	if (pyrepr_str(&buf, v)) ...                  str(v): a string as it is
 *	if (pyrepr_repr(&buf, v, false)) ...          repr(v); true: ascii(v)
 *	if (pyrepr_float(&buf, 1e5)) ...              100000.0
 *
 * null, true and false are None, True and False. A number without fraction and
 * exponent is an int, of any length; any other is a float, printed as the
 * shortest decimal that reads back as it: 1.50 is 1.5, 1E400 is inf. An array is
 * a list, an object a dict; of members of one name the last value counts, at the
 * first's place. Strings in them stand in quotes, with what Python 3.11 (Unicode
 * 14) takes for unprintable as escapes.
 *
 * All append to the buffer and return 0, or -1 when out of memory. */
#ifndef TEXT_PYREPR_H
#define TEXT_PYREPR_H

#include "base/buf.h"
#include "io/json.h"

#include <stdbool.h>

int pyrepr_str(struct buf *b, const struct json *v);
int pyrepr_repr(struct buf *b, const struct json *v, bool ascii);
int pyrepr_float(struct buf *b, double x);

/* v, a JSON_NUMBER, is a float to Python; else it is an int. */
bool pyrepr_is_float(const struct json *v);
/* The float of a JSON_NUMBER; plus or minus infinity where it is too large. */
double pyrepr_double(const struct json *v);
/* The digits of an int, with "-" where it is negative: as written, but 0 for -0. */
void pyrepr_int(const struct json *v, const char **s, size_t *n);

#endif
