/* idarray.h - token ids as the numbers of a binary file: of 1, 2, 4 or 8 bytes,
 * signed or not, of either byte order.
 *
 *	static const struct idarray_type u2 = {.width = 2};
 *	if (idarray_get(&u2, bytes, n, vocab, ids, &bad, &e)) ...ids[bad] is none, e says why...
 *	if (idarray_put(&u2, ids, n, vocab, bytes, &e)) ...
 *
 * vocab 0: not known, ids may be anything up to INT32_MAX. Errors are ERR_DATA. */
#ifndef IO_IDARRAY_H
#define IO_IDARRAY_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct idarray_type {
	uint8_t width; /* bytes: 1, 2, 4, 8 */
	bool is_signed, big_endian;
};

/* n * width bytes at p into n ids. */
int idarray_get(const struct idarray_type *t, const unsigned char *p, size_t n, uint32_t vocab, int32_t *ids, size_t *bad,
                struct err *e);
/* Whether idarray_put takes them. */
int idarray_fits(const struct idarray_type *t, const int32_t *ids, size_t n, uint32_t vocab, struct err *e);
/* n ids into n * width bytes at p, little-endian; width 2 or 4. */
int idarray_put(const struct idarray_type *t, const int32_t *ids, size_t n, uint32_t vocab, unsigned char *p, struct err *e);

/* Numbers of headers and indices, little-endian. */
uint64_t idarray_u64(const unsigned char *p, size_t width);
void idarray_set(unsigned char *p, size_t width, uint64_t v);

#endif
