#include "io/jsonfast.h"
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

/* Each function takes where its part begins and the text's end, and returns the place
 * behind the part; NULL: it is not there, or not for us to judge. */

static const char *space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'))
		p++;
	return p;
}

/* Whether one of eight bytes is a quote, a backslash, below 0x20 or above 0x7F. A byte
 * x has its high bit in (w - x * ones) & ~w where it is smaller than x; a borrow makes
 * that wrong only above a byte that is smaller itself. */
static uint64_t special(uint64_t w)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
	uint64_t quote = w ^ ones * '"', slash = w ^ ones * '\\';
	return ((w - ones * 0x20) | (quote - ones) | (slash - ones) | w) & high;
}

static const char *plain(const char *p, const char *end)
{
	uint64_t w;
	for (; end - p >= 8; p += 8) {
		memcpy(&w, p, sizeof w);
		if (special(w))
			break;
	}
	return p;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'f');
}

/* Behind the backslash. Surrogates, D800 to DFFF, are json_parse's. */
static const char *escape(const char *p, const char *end)
{
	if (p == end)
		return NULL;
	if (*p != 'u')
		return memchr("\"\\/bfnrt", *p, 8) ? p + 1 : NULL;
	if (end - p < 5 || !is_hex(p[1]) || !is_hex(p[2]) || !is_hex(p[3]) || !is_hex(p[4]))
		return NULL;
	return (p[1] | 32) == 'd' && p[2] >= '8' ? NULL : p + 5;
}

/* Behind the opening quote. */
static const char *string(const char *p, const char *end)
{
	uint32_t cp;
	for (;;) {
		p = plain(p, end);
		if (p == end)
			return NULL;
		unsigned char c = (unsigned char)*p;
		if (c == '"')
			return p + 1;
		if (c == '\\') {
			if (!(p = escape(p + 1, end)))
				return NULL;
		} else if (c < 0x20) {
			return NULL;
		} else {
			int n = c < 0x80 ? 1 : utf8_decode(p, (size_t)(end - p), &cp);
			if (n == 0)
				return NULL;
			p += n;
		}
	}
}

static const char *digits(const char *p, const char *end)
{
	const char *from = p;
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p > from ? p : NULL;
}

static const char *number(const char *p, const char *end)
{
	p += *p == '-';
	if (p < end && *p == '0')
		p++;
	else if (!(p = digits(p, end)))
		return NULL;
	if (p < end && *p == '.' && !(p = digits(p + 1, end)))
		return NULL;
	if (p < end && (*p | 32) == 'e') {
		p++;
		p += p < end && (*p == '+' || *p == '-');
		return digits(p, end);
	}
	return p;
}

static const char *word(const char *p, const char *end, const char *w, size_t n)
{
	return (size_t)(end - p) >= n && memcmp(p, w, n) == 0 ? p + n : NULL;
}

/* Anything but an array or object. */
static const char *scalar(const char *p, const char *end)
{
	switch (*p) {
	case '"':
		return string(p + 1, end);
	case 't':
		return word(p, end, "true", 4);
	case 'f':
		return word(p, end, "false", 5);
	case 'n':
		return word(p, end, "null", 4);
	default:
		return number(p, end);
	}
}

/* "key" and its colon, to the value. */
static const char *key(const char *p, const char *end)
{
	if (p == end || *p != '"' || !(p = string(p + 1, end)))
		return NULL;
	p = space(p, end);
	return p < end && *p == ':' ? space(p + 1, end) : NULL;
}

struct nest {
	uint64_t object; /* bit 0: the innermost is an object, bit 1: the one around it, ... */
	int depth;
};

/* Behind a value: closes what closes, goes on to the next value or to the end (depth 0). */
static const char *after(const char *p, const char *end, struct nest *s)
{
	for (;;) {
		p = space(p, end);
		if (s->depth == 0)
			return p;
		if (p == end)
			return NULL;
		if (*p == ',')
			return s->object & 1 ? key(space(p + 1, end), end) : space(p + 1, end);
		if (*p != (s->object & 1 ? '}' : ']'))
			return NULL;
		p++;
		s->object >>= 1;
		s->depth--;
	}
}

bool jsonfast_object(const char *p, size_t n)
{
	const char *end = p + n;
	struct nest s = {0};
	p = space(p, end);
	if (p == end || *p != '{')
		return false;
	do {
		if (p == end)
			return false;
		bool object = *p == '{';
		if (!object && *p != '[') {
			p = scalar(p, end);
		} else {
			if (s.depth == 64)
				return false;
			s.object = s.object << 1 | object;
			s.depth++;
			p = space(p + 1, end);
			if (p < end && *p != (object ? '}' : ']')) {
				if (object)
					p = key(p, end);
				continue;
			}
		}
		if (p)
			p = after(p, end, &s);
	} while (p && s.depth > 0);
	return p == end;
}
