/* streams.c - stdio under fault.c: its own reads and writes do not pass there, so those who ask for them fail. */
#include "preload.h"

#include <stdarg.h>
#include <stdio.h>

/* As after a read or write that failed. */
static bool spoils(FILE *f, const char *what, int code, const void *caller)
{
	if (f == stderr || !fails(what, caller))
		return false;
	f->_flags |= 0x20; /* what ferror looks at */
	errno = code;
	return true;
}

#define SPOILS(f, what, code) spoils(f, what, code, __builtin_return_address(0))

size_t fread(void *p, size_t size, size_t n, FILE *f)
{
	REAL(size_t, "fread", void *, size_t, size_t, FILE *)
	return SPOILS(f, "fread", EIO) ? 0 : real(p, size, n, f);
}

size_t fwrite(const void *p, size_t size, size_t n, FILE *f)
{
	REAL(size_t, "fwrite", const void *, size_t, size_t, FILE *)
	return SPOILS(f, "fwrite", ENOSPC) ? 0 : real(p, size, n, f);
}

int fputs(const char *s, FILE *f)
{
	REAL(int, "fputs", const char *, FILE *)
	return SPOILS(f, "fputs", ENOSPC) ? EOF : real(s, f);
}

int puts(const char *s)
{
	REAL(int, "puts", const char *)
	return SPOILS(stdout, "puts", ENOSPC) ? EOF : real(s);
}

int fputc(int c, FILE *f)
{
	REAL(int, "fputc", int, FILE *)
	return SPOILS(f, "fputc", ENOSPC) ? EOF : real(c, f);
}

int putchar(int c)
{
	REAL(int, "putchar", int)
	return SPOILS(stdout, "putchar", ENOSPC) ? EOF : real(c);
}

int printf(const char *fmt, ...)
{
	va_list ap;
	if (SPOILS(stdout, "printf", ENOSPC))
		return -1;
	va_start(ap, fmt);
	int n = vfprintf(stdout, fmt, ap);
	va_end(ap);
	return n;
}

int fprintf(FILE *f, const char *fmt, ...)
{
	va_list ap;
	if (SPOILS(f, "fprintf", ENOSPC))
		return -1;
	va_start(ap, fmt);
	int n = vfprintf(f, fmt, ap);
	va_end(ap);
	return n;
}

int fflush(FILE *f)
{
	REAL(int, "fflush", FILE *)
	return f && SPOILS(f, "fflush", ENOSPC) ? EOF : real(f);
}

int fseek(FILE *f, long at, int whence)
{
	REAL(int, "fseek", FILE *, long, int)
	return SPOILS(f, "fseek", EIO) ? -1 : real(f, at, whence);
}
