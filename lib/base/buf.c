#include "base/buf.h"
#include "base/pages.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int buf_reserve(struct buf *b, size_t more)
{
	if (more <= b->cap - b->n)
		return 0;
	if (more > SIZE_MAX / 2 - b->n)
		return -1;
	size_t need = b->n + more;
	size_t cap = b->cap < 64 ? 64 : b->cap + b->cap / 2;
	if (cap < need)
		cap = need;
	char *p = realloc(b->p, cap);
	if (!p)
		return -1;
	b->p = p;
	b->cap = cap;
	return 0;
}

int buf_reserve_large(struct buf *b, size_t more)
{
	if (!b->p && (b->p = pages_alloc(more)) != NULL)
		b->cap = more;
	return buf_reserve(b, more);
}

int buf_add(struct buf *b, const void *p, size_t n)
{
	if (n == 0)
		return 0;
	if (buf_reserve(b, n))
		return -1;
	memcpy(b->p + b->n, p, n);
	b->n += n;
	return 0;
}

int buf_addc(struct buf *b, int c)
{
	if (buf_reserve(b, 1))
		return -1;
	b->p[b->n++] = (char)c;
	return 0;
}

int buf_adds(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	int rc = n < 0 ? -1 : buf_reserve(b, (size_t)n + 1);
	if (rc == 0) {
		vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again);
		b->n += (size_t)n;
	}
	va_end(again);
	return rc;
}

const char *buf_str(struct buf *b)
{
	if (buf_reserve(b, 1))
		return NULL;
	b->p[b->n] = 0;
	return b->p;
}

void buf_reset(struct buf *b)
{
	b->n = 0;
}

void buf_release(struct buf *b)
{
	free(b->p);
	*b = (struct buf){0};
}
