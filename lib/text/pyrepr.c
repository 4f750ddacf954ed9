#include "text/pyrepr.h"
#include "base/utf8.h"
#include "text/pyrepr_table.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- numbers ------------------------------------------------------------------------- */

bool pyrepr_is_float(const struct json *v)
{
	for (size_t i = 0; i < v->n; i++)
		if (v->s[i] == '.' || v->s[i] == 'e' || v->s[i] == 'E')
			return true;
	return false;
}

double pyrepr_double(const struct json *v)
{
	return strtod(v->s, NULL); /* json.c has checked its form and ends it with a NUL */
}

void pyrepr_int(const struct json *v, const char **s, size_t *n)
{
	bool minus_zero = v->n == 2 && v->s[0] == '-' && v->s[1] == '0';
	*s = v->s + minus_zero;
	*n = v->n - minus_zero;
}

/* Counts the last digit before the "e" up; false for a 9. */
static bool next_digit(char *text)
{
	char *e = strchr(text, 'e');
	if (!e || e[-1] == '9')
		return false;
	++e[-1];
	return true;
}

/* "-d.ddde-dd" of as few digits as read back as x. All decimals of 15 digits survive
 * a double and so the shortest is found at 15 digits, by dropping zeros; but a
 * subnormal number holds fewer than 15. Numbers above a power of two lie twice as far
 * apart as those below it, so of two decimals near it the farther may be the one that
 * reads back. */
static void shortest(double x, char text[40])
{
	int digits = fabs(x) < DBL_MIN ? 1 : 15;
	for (; digits < 17; digits++) {
		snprintf(text, 40, "%.*e", digits - 1, x);
		if (strtod(text, NULL) == x || (digits == 16 && next_digit(text) && strtod(text, NULL) == x))
			return;
	}
	snprintf(text, 40, "%.16e", x);
}

int pyrepr_float(struct buf *b, double x)
{
	if (!isfinite(x))
		return buf_adds(b, x < 0 ? "-inf" : x > 0 ? "inf" : "nan");
	char text[40], digit[24] = {0};
	shortest(x, text);
	const char *p = text + (*text == '-');
	int n = 0;
	for (; *p != 'e'; p++)
		if (*p != '.')
			digit[n++] = *p;
	int point = (int)strtol(p + 1, NULL, 10) + 1; /* digits before the decimal point */
	while (n > 1 && digit[n - 1] == '0')
		n--;
	const char *sign = *text == '-' ? "-" : "";
	if (point > 16 || point < -3)
		return buf_printf(b, "%s%c%s%.*se%c%02d", sign, digit[0], n > 1 ? "." : "", n - 1, digit + 1,
		                  point > 0 ? '+' : '-', abs(point - 1));
	if (point <= 0)
		return buf_printf(b, "%s0.%.*s%.*s", sign, -point, "000", n, digit);
	if (point >= n)
		return buf_printf(b, "%s%.*s%.*s.0", sign, n, digit, point - n, "0000000000000000");
	return buf_printf(b, "%s%.*s.%.*s", sign, point, digit, n - point, digit + point);
}

static int put_number(struct buf *b, const struct json *v)
{
	const char *s;
	size_t n;
	if (pyrepr_is_float(v))
		return pyrepr_float(b, pyrepr_double(v));
	pyrepr_int(v, &s, &n);
	return buf_add(b, s, n);
}

/* --- strings ------------------------------------------------------------------------- */

static bool is_printed(uint32_t cp)
{
	size_t lo = 0, hi = sizeof escaped / sizeof *escaped;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (cp > escaped[mid][1])
			lo = mid + 1;
		else if (cp < escaped[mid][0])
			hi = mid;
		else
			return false;
	}
	return cp >= 0x20;
}

static int put_escape(struct buf *b, uint32_t cp)
{
	switch (cp) {
	case '\t': return buf_adds(b, "\\t");
	case '\n': return buf_adds(b, "\\n");
	case '\r': return buf_adds(b, "\\r");
	default: return buf_printf(b, cp < 0x100 ? "\\x%02x" : cp < 0x10000 ? "\\u%04x" : "\\U%08x", cp);
	}
}

/* In single quotes, or in double ones where it holds single but no double. */
static int put_quoted(struct buf *b, const char *s, size_t n, bool ascii)
{
	char quote = n && memchr(s, '\'', n) && !memchr(s, '"', n) ? '"' : '\'';
	size_t from = 0;
	if (buf_addc(b, quote))
		return -1;
	for (size_t i = 0, len; i < n; i += len) {
		uint32_t cp;
		len = (size_t)utf8_decode(s + i, n - i, &cp);
		bool slash = s[i] == '\\' || s[i] == quote;
		if (!slash && (cp < 0x7F ? cp >= 0x20 : !ascii && is_printed(cp)))
			continue;
		if (buf_add(b, s + from, i - from) || (slash ? buf_printf(b, "\\%c", s[i]) : put_escape(b, cp)))
			return -1;
		from = i + len;
	}
	return buf_add(b, s + from, n - from) || buf_addc(b, quote) ? -1 : 0;
}

/* --- lists and dicts -------------------------------------------------------------------- */

struct member {
	const struct json *v;
	size_t at;
};

/* By name, those of one name as they stand in the object. */
static int by_name(const void *x, const void *y)
{
	const struct member *a = x, *b = y;
	size_t na = a->v->keylen, nb = b->v->keylen;
	int c = memcmp(a->v->key, b->v->key, na < nb ? na : nb);
	return c ? c : na != nb ? (na < nb ? -1 : 1) : a->at < b->at ? -1 : 1;
}

static bool same_name(const struct json *a, const struct json *b)
{
	return a->keylen == b->keylen && memcmp(a->key, b->key, a->keylen) == 0;
}

/* The value to print at each member's place: the last of its name at the first, NULL
 * at the others. The caller frees it; NULL when out of memory. */
static const struct json **members(const struct json *v)
{
	struct member *m = calloc(v->n + 1, sizeof *m);
	const struct json **show = calloc(v->n + 1, sizeof *show);
	if (!m || !show) {
		free(m);
		free(show);
		return NULL;
	}
	size_t n = 0;
	for (const struct json *c = v->child; c; c = c->next, n++)
		m[n] = (struct member){c, n};
	qsort(m, n, sizeof *m, by_name);
	for (size_t i = 0, last; i < n; i = last + 1) {
		for (last = i; last + 1 < n && same_name(m[last + 1].v, m[i].v); last++)
			;
		show[m[i].at] = m[last].v;
	}
	free(m);
	return show;
}

static int put_dict(struct buf *b, const struct json *v, bool ascii)
{
	const struct json **show = members(v);
	bool any = false;
	int rc = !show || buf_addc(b, '{');
	for (size_t i = 0; rc == 0 && i < v->n; i++) {
		if (!show[i])
			continue;
		rc = (any && buf_adds(b, ", ")) || put_quoted(b, show[i]->key, show[i]->keylen, ascii) || buf_adds(b, ": ") ||
		     pyrepr_repr(b, show[i], ascii);
		any = true;
	}
	free(show);
	return rc || buf_addc(b, '}') ? -1 : 0;
}

static int put_list(struct buf *b, const struct json *v, bool ascii)
{
	if (buf_addc(b, '['))
		return -1;
	for (const struct json *c = v->child; c; c = c->next)
		if ((c != v->child && buf_adds(b, ", ")) || pyrepr_repr(b, c, ascii))
			return -1;
	return buf_addc(b, ']');
}

int pyrepr_repr(struct buf *b, const struct json *v, bool ascii)
{
	switch (v->type) {
	case JSON_NULL: return buf_adds(b, "None");
	case JSON_FALSE: return buf_adds(b, "False");
	case JSON_TRUE: return buf_adds(b, "True");
	case JSON_NUMBER: return put_number(b, v);
	case JSON_STRING: return put_quoted(b, v->s, v->n, ascii);
	case JSON_ARRAY: return put_list(b, v, ascii);
	default: return put_dict(b, v, ascii);
	}
}

int pyrepr_str(struct buf *b, const struct json *v)
{
	return v->type == JSON_STRING ? buf_add(b, v->s, v->n) : pyrepr_repr(b, v, false);
}
