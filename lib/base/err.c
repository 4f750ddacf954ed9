#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Begins with whom and where, ends with why: what is too long loses its middle. */
static void shorten(char *to, size_t cap, const char *text, size_t n)
{
	static const char gap[] = "...";
	if (n < cap) {
		memcpy(to, text, n + 1);
		return;
	}
	size_t head = cap / 2, tail = n - (cap - head - sizeof gap);
	while (head && ((unsigned char)text[head] & 0xC0) == 0x80) /* no half a character */
		head--;
	while (tail < n && ((unsigned char)text[tail] & 0xC0) == 0x80)
		tail++;
	snprintf(to, cap, "%.*s%s%s", (int)head, text, gap, text + tail);
}

static int fill(struct err *e, enum err_kind kind, const char *fmt, va_list ap)
{
	char *all;
	va_list again;
	va_copy(again, ap);
	int n = vasprintf(&all, fmt, ap);
	e->kind = kind;
	if (n >= 0)
		shorten(e->msg, sizeof e->msg, all, (size_t)n);
	else /* no memory: the beginning is better than nothing */
		vsnprintf(e->msg, sizeof e->msg, fmt, again);
	if (n >= 0)
		free(all);
	va_end(again);
	return -1;
}

/* What is behind the message that e holds. */
static int add(struct err *e, const char *between, const char *more)
{
	char all[2 * sizeof e->msg + 8];
	int n = snprintf(all, sizeof all, "%s%s%s", e->msg, between, more);
	shorten(e->msg, sizeof e->msg, all, (size_t)n);
	return -1;
}

int (err_data)(struct err *e, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fill(e, ERR_DATA, fmt, ap);
	va_end(ap);
	return -1;
}

int (err_usage)(struct err *e, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fill(e, ERR_USAGE, fmt, ap);
	va_end(ap);
	return -1;
}

int (err_io)(struct err *e, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;
	va_start(ap, fmt);
	fill(e, ERR_IO, fmt, ap);
	va_end(ap);
	return add(e, ": ", strerror(saved));
}

int (err_mem)(struct err *e)
{
	e->kind = ERR_MEM;
	snprintf(e->msg, sizeof e->msg, "out of memory");
	return -1;
}

int (err_prefix)(struct err *e, const char *fmt, ...)
{
	struct err was = *e;
	va_list ap;
	va_start(ap, fmt);
	fill(e, was.kind, fmt, ap);
	va_end(ap);
	return add(e, "", was.msg);
}
