/* buf.h - bytes that grow.
 *
 *	struct buf b = {0};
 *	if (buf_add(&b, p, n)) ...out of memory, b as it was...
 *	buf_reset(&b);      empty, memory kept for the next record
 *	buf_release(&b);    memory given back, b usable again
 *
 * b.p may be NULL while b.n is 0. Every function that adds returns 0 or -1.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

struct buf {
	char *p;
	size_t n, cap;
};

int buf_reserve(struct buf *b, size_t more); /* room for `more` bytes past n */
/* The same for megabytes, best for a buffer without memory: in large pages where the system has them. */
int buf_reserve_large(struct buf *b, size_t more);
int buf_add(struct buf *b, const void *p, size_t n);
int buf_addc(struct buf *b, int c);
int buf_adds(struct buf *b, const char *s);
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* NUL-terminates without counting the NUL; "" on an empty buffer, NULL when out of memory. */
const char *buf_str(struct buf *b);
void buf_reset(struct buf *b);
void buf_release(struct buf *b);

#endif
