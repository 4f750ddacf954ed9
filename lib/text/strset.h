/* strset.h - a set of strings, numbered in order of arrival.
 *
 *	struct strset s = {0};
 *	uint32_t i = strset_put(&s, p, n);       its number, old or new; STRSET_NONE: out of memory
 *	strset_text(&s, i), s.v[i].n             its bytes, until the next strset_put
 *	strset_release(&s);
 */
#ifndef TEXT_STRSET_H
#define TEXT_STRSET_H

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

enum { STRSET_NONE = UINT32_MAX, STRSET_MAX = UINT32_MAX / 4 /* strings, and bytes of one */ };

struct strset_one {
	size_t off; /* in bytes */
	uint32_t n, hash;
};

struct strset {
	struct buf bytes;
	struct strset_one *v;
	uint32_t n, cap;
	uint32_t *slot; /* number + 1, or 0; a power of two of them, at most half full */
	uint32_t slots;
};

uint32_t strset_put(struct strset *s, const char *p, size_t n);
/* The number of a string that is there, or STRSET_NONE. */
uint32_t strset_find(const struct strset *s, const char *p, size_t n);
const char *strset_text(const struct strset *s, uint32_t i);
void strset_release(struct strset *s);

#endif
