#include "text/pyspec.h"
#include "base/utf8.h"
#include "text/pyrepr.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST = 1000000 }; /* width and precision */

/* --- parsing ----------------------------------------------------------------------- */

static bool is_align(char c)
{
	return c == '<' || c == '>' || c == '=' || c == '^';
}

/* Digits at *p: their value, -1 if it is too large; 0 if there are none. */
static int number(const char **p, const char *end)
{
	int v = 0;
	for (; *p < end && **p >= '0' && **p <= '9'; (*p)++) {
		v = v * 10 + (**p - '0');
		if (v > LARGEST)
			return -1;
	}
	return v;
}

/* [[fill]align][sign][#][0] */
static const char *parse_front(struct pyspec *s, const char *p, const char *end)
{
	uint32_t cp;
	int len = p < end ? utf8_decode(p, (size_t)(end - p), &cp) : 0;
	if (len && end - p > len && is_align(p[len])) {
		memcpy(s->fill, p, (size_t)len);
		s->nfill = len;
		s->align = p[len];
		p += len + 1;
	} else if (p < end && is_align(*p)) {
		s->align = *p++;
	}
	if (p < end && memchr("+- ", *p, 3))
		s->sign = *p++;
	if (p < end && *p == '#') {
		s->alternate = true;
		p++;
	}
	if (p < end && *p == '0') {
		if (!s->nfill) {
			s->fill[0] = '0';
			s->nfill = 1;
			if (!s->align)
				s->align = 'z'; /* "=" for numbers, nothing for texts */
		}
		p++;
	}
	return p;
}

static int parse_type(struct pyspec *s, const char *p, const char *end, const char **why)
{
	if (p < end)
		s->type = *p++;
	if (s->type == 'z')
		*why = "the option \"z\" of a format specification is not supported";
	else if (s->type && memchr("bcnoxX", s->type, 6))
		*why = "of the format types only s, d, e, E, f, F, g, G and % are supported";
	else if (p < end || (s->type && !memchr("sdeEfFgG%", s->type, 9)))
		*why = "no format specification";
	else if (s->alternate && !s->type)
		*why = "\"#\" without a format type is not supported";
	else if (s->group && s->type == 's')
		*why = "texts have no groups of digits";
	else
		return 0;
	return -1;
}

int pyspec_parse(struct pyspec *s, const char *text, size_t n, const char **why)
{
	const char *end = text + n;
	*s = (struct pyspec){.any = n > 0, .precision = -1};
	*why = "a width or precision over 1000000";
	const char *p = parse_front(s, text, end);
	s->width = number(&p, end);
	if (s->width < 0)
		return -1;
	if (p < end && (*p == ',' || *p == '_'))
		s->group = *p++;
	if (p < end && *p == '.') {
		const char *digits = ++p;
		s->precision = number(&p, end);
		if (s->precision < 0)
			return -1;
		if (p == digits) {
			*why = "a format specification whose precision is missing";
			return -1;
		}
	}
	if (!s->nfill) {
		s->fill[0] = ' ';
		s->nfill = 1;
	}
	return parse_type(s, p, end, why);
}

/* --- padding ------------------------------------------------------------------------ */

static int repeat(struct buf *b, const struct pyspec *s, size_t times)
{
	for (; times; times--)
		if (buf_add(b, s->fill, (size_t)s->nfill))
			return -1;
	return 0;
}

/* sign and body, of `chars` characters together, in the width. */
static int pad(struct buf *b, const struct pyspec *s, char align, const char *sign, const char *p, size_t n, size_t chars)
{
	size_t missing = chars < (size_t)s->width ? (size_t)s->width - chars : 0;
	size_t left = align == '>' ? missing : align == '^' ? missing / 2 : 0, inside = align == '=' ? missing : 0;
	return repeat(b, s, left) || buf_adds(b, sign) || repeat(b, s, inside) || buf_add(b, p, n) ||
	               repeat(b, s, missing - left - inside)
	           ? -1
	           : 0;
}

static int refused(const char **why, const char *what)
{
	*why = what;
	return -1;
}

int pyspec_text(struct buf *b, const struct pyspec *s, const char *p, size_t n, const char **why)
{
	*why = NULL;
	if (s->type && s->type != 's')
		return refused(why, "a text has no format type but s");
	if (s->sign)
		return refused(why, "a text has no sign");
	if (s->alternate)
		return refused(why, "a text has no \"#\"");
	if (s->group)
		return refused(why, "texts have no groups of digits");
	if (s->align == '=')
		return refused(why, "a text has no alignment \"=\"");
	size_t chars = 0, i = 0;
	while (i < n && (s->precision < 0 || chars < (size_t)s->precision)) {
		for (i++; i < n && ((unsigned char)p[i] & 0xC0) == 0x80; i++)
			;
		chars++;
	}
	return pad(b, s, s->align && s->align != 'z' ? s->align : '<', "", p, i, chars);
}

/* --- numbers ------------------------------------------------------------------------- */

/* The n digits, with separators, and zeros before them up to `least` characters:
 * a separator is never the first of them. */
static int group_digits(struct buf *b, const char *p, size_t n, char group, size_t least)
{
	size_t digits = n;
	while (digits + (digits - 1) / 3 < least)
		digits++;
	for (size_t i = digits; i > 0; i--) {
		if (buf_addc(b, i > n ? '0' : p[n - i]) || (i > 1 && i % 3 == 1 && buf_addc(b, group)))
			return -1;
	}
	return 0;
}

/* A number as text, "-" and digits and the rest, with the sign, groups and width of s. */
static int put_number(struct buf *b, const struct pyspec *s, const char *p, size_t n, const char **why)
{
	const char *sign = *p == '-' ? "-" : s->sign == '+' ? "+" : s->sign == ' ' ? " " : "";
	char align = s->align == 'z' ? '=' : s->align ? s->align : '>';
	struct buf grouped = {0};
	*why = NULL;
	n -= *p == '-';
	p += *p == '-';
	size_t digits = 0;
	while (digits < n && p[digits] >= '0' && p[digits] <= '9')
		digits++;
	if (s->group && digits) {
		size_t others = strlen(sign) + n - digits, width = (size_t)s->width;
		bool zeros = align == '=' && s->fill[0] == '0';
		if (group_digits(&grouped, p, digits, s->group, zeros && width > others ? width - others : 0) ||
		    buf_add(&grouped, p + digits, n - digits)) {
			buf_release(&grouped);
			return -1;
		}
		p = grouped.p;
		n = grouped.n;
	}
	int rc = pad(b, s, align, sign, p, n, n + strlen(sign));
	buf_release(&grouped);
	return rc;
}

/* Without a type: as str() does it, and with a precision as "g", but there is always
 * a digit behind the point and the exponent comes one digit sooner. */
static int general(struct buf *b, double x, int precision)
{
	int most = precision ? precision : 1;
	size_t from = b->n;
	if (precision < 0 || !isfinite(x))
		return pyrepr_float(b, x);
	if (buf_printf(b, "%.*e", most - 1, x))
		return -1;
	char *e = memchr(b->p + from, 'e', b->n - from), *end = e; /* buf_printf has ended it with a NUL */
	if (strtol(e + 1, NULL, 10) + 1 != most) {
		b->n = from;
		if (buf_printf(b, "%.*g", most, x))
			return -1;
		return memchr(b->p + from, '.', b->n - from) || memchr(b->p + from, 'e', b->n - from) ? 0 : buf_adds(b, ".0");
	}
	if (most > 1) { /* "g" would write all these digits and no exponent */
		while (end[-1] == '0')
			end--;
		end -= end[-1] == '.';
		memmove(end, e, (size_t)(b->p + b->n - e));
		b->n -= (size_t)(e - end);
	}
	return 0;
}

/* "#g": all digits of the precision, zeros too. printf loses the zeros where rounding makes
 * the number one digit longer, so it is told which of its two forms to take. e: 'e' or 'E'. */
static int all_digits(struct buf *b, double x, int precision, char e)
{
	int most = precision ? precision : 1;
	char form[] = "%#.*e";
	size_t from = b->n;
	if (buf_printf(b, "%.*e", most - 1, x))
		return -1;
	const char *mark = memchr(b->p + from, 'e', b->n - from);
	long power = mark ? strtol(mark + 1, NULL, 10) : 0; /* infinity has none */
	bool plain = mark && power >= -4 && power < most;
	b->n = from;
	form[4] = plain ? 'f' : e;
	return buf_printf(b, form, plain ? most - 1 - (int)power : most - 1, x);
}

/* With a type that printf knows. */
static int typed(struct buf *b, const struct pyspec *s, double x)
{
	char form[] = "%#.*f";
	int precision = s->precision < 0 ? 6 : s->precision;
	if (s->alternate && (s->type == 'g' || s->type == 'G'))
		return all_digits(b, x, precision, s->type == 'g' ? 'e' : 'E');
	form[4] = s->type == '%' ? 'f' : s->type;
	form[1] = s->alternate ? '#' : '%';
	return buf_printf(b, form + !s->alternate, precision, s->type == '%' ? x * 100 : x);
}

static int put_float(struct buf *b, const struct pyspec *s, double x, const char **why)
{
	struct buf text = {0};
	*why = NULL;
	int rc = s->type ? typed(&text, s, x) : general(&text, x, s->precision);
	if (rc == 0 && s->type == '%')
		rc = buf_addc(&text, '%');
	if (rc == 0)
		rc = put_number(b, s, text.p, text.n, why);
	buf_release(&text);
	return rc;
}

static int put_int(struct buf *b, const struct pyspec *s, const struct json *v, const char *p, size_t n, const char **why)
{
	if (s->type && s->type != 'd') {
		double x = pyrepr_double(v);
		if (s->type == 's')
			return refused(why, "a number has no format type s");
		if (!isfinite(x))
			return refused(why, "the whole number is too large for a fraction");
		return put_float(b, s, x == 0 ? 0 : x, why); /* -0 is 0 to Python */
	}
	if (s->precision >= 0)
		return refused(why, "a whole number has no precision");
	return put_number(b, s, p, n, why);
}

int pyspec_value(struct buf *b, const struct pyspec *s, const struct json *v, const char **why)
{
	*why = NULL;
	if (!s->any)
		return pyrepr_str(b, v);
	switch (v->type) {
	case JSON_STRING:
		return pyspec_text(b, s, v->s, v->n, why);
	case JSON_TRUE: case JSON_FALSE: {
		const char *digit = v->type == JSON_TRUE ? "1" : "0";
		struct json one = {.type = JSON_NUMBER, .s = digit, .n = 1};
		return put_int(b, s, &one, digit, 1, why);
	}
	case JSON_NUMBER: {
		const char *p;
		size_t n;
		if (pyrepr_is_float(v))
			return s->type == 's' || s->type == 'd' ? refused(why, "a fraction has no format type s or d")
			                                        : put_float(b, s, pyrepr_double(v), why);
		pyrepr_int(v, &p, &n);
		return put_int(b, s, v, p, n, why);
	}
	default:
		return refused(why, "null, an array or an object takes no format specification (but !s or !r, and then one)");
	}
}
