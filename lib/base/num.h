/* num.h - numbers from text, strictly: the whole text or nothing.
 * No leading or trailing space, no sign where none can be, no overflow,
 * no "nan" or "inf", no hexadecimal. Each returns 0, or -1 and leaves *v alone. */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include <stddef.h>
#include <stdint.h>

int num_i64(const char *s, size_t n, int64_t *v);
int num_u64(const char *s, size_t n, uint64_t *v);
int num_f64(const char *s, size_t n, double *v); /* as strtod rounds, "C" locale */

/* For printing: what is no number loses its sign, which says nothing. */
double num_shown(double v);

#endif
