#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int fill(struct err *e, enum err_kind kind, const char *fmt, va_list ap)
{
	e->kind = kind;
	vsnprintf(e->msg, sizeof e->msg, fmt, ap);
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
	size_t n = strlen(e->msg);
	snprintf(e->msg + n, sizeof e->msg - n, ": %s", strerror(saved));
	return -1;
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
	vsnprintf(e->msg, sizeof e->msg, fmt, ap);
	va_end(ap);
	size_t n = strlen(e->msg);
	snprintf(e->msg + n, sizeof e->msg - n, "%s", was.msg);
	return -1;
}
