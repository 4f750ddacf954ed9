/* jsonfast.h - is this line a JSON object? Told without making anything of it.
 *
 *	if (!jsonfast_object(p, n) && json_parse(&arena, p, n, &v, &e)) ...bad, e says why...
 *
 * For programs that pass lines through: several times as fast as json_parse. true is
 * certain: json_parse would give an object. false is not: rare forms (surrogate
 * escapes, nesting deeper than 64) and whatever is wrong are left to json_parse. */
#ifndef IO_JSONFAST_H
#define IO_JSONFAST_H

#include <stdbool.h>
#include <stddef.h>

bool jsonfast_object(const char *p, size_t n);

#endif
