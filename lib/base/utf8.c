#include "base/utf8.h"

#include <string.h>

int utf8_decode(const char *s, size_t n, uint32_t *cp)
{
	const unsigned char *u = (const unsigned char *)s;
	if (u[0] < 0x80) {
		*cp = u[0];
		return 1;
	}
	int len = u[0] >= 0xC2 && u[0] <= 0xDF ? 2 : (u[0] & 0xF0) == 0xE0 ? 3 : u[0] >= 0xF0 && u[0] <= 0xF4 ? 4 : 0;
	if (len == 0 || (size_t)len > n)
		return 0;
	uint32_t c = u[0] & (0x7Fu >> len);
	for (int i = 1; i < len; i++) {
		if ((u[i] & 0xC0) != 0x80)
			return 0;
		c = c << 6 | (u[i] & 0x3F);
	}
	if ((len == 3 && (c < 0x800 || (c >= 0xD800 && c <= 0xDFFF))) || (len == 4 && (c < 0x10000 || c > 0x10FFFF)))
		return 0;
	*cp = c;
	return len;
}

size_t utf8_valid(const char *s, size_t n)
{
	size_t i = 0;
	while (i < n) {
		uint64_t w;
		if (n - i >= 8 && (memcpy(&w, s + i, 8), (w & 0x8080808080808080u) == 0)) {
			i += 8;
			continue;
		}
		uint32_t cp;
		int len = utf8_decode(s + i, n - i, &cp);
		if (len == 0)
			return i;
		i += (size_t)len;
	}
	return n;
}

int utf8_encode(uint32_t cp, char *out)
{
	if (cp < 0x80) {
		out[0] = (char)cp;
		return 1;
	}
	int len = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
	for (int i = len - 1; i > 0; i--) {
		out[i] = (char)(0x80 | (cp & 0x3F));
		cp >>= 6;
	}
	out[0] = (char)((0xF00u >> len & 0xFF) | cp);
	return len;
}

/* Bytes at s, n > 0, which is ill-formed, that begin some well-formed sequence; at least 1. */
static size_t bad_part(const char *s, size_t n)
{
	const unsigned char *u = (const unsigned char *)s;
	size_t len = u[0] >= 0xC2 && u[0] <= 0xDF ? 2 : (u[0] & 0xF0) == 0xE0 ? 3 : u[0] >= 0xF0 && u[0] <= 0xF4 ? 4 : 1;
	unsigned lo = u[0] == 0xE0 ? 0xA0 : u[0] == 0xF0 ? 0x90 : 0x80;
	unsigned hi = u[0] == 0xED ? 0x9F : u[0] == 0xF4 ? 0x8F : 0xBF;
	size_t i = 1;
	for (; i < len && i < n && u[i] >= lo && u[i] <= hi; i++) {
		lo = 0x80;
		hi = 0xBF;
	}
	return i;
}

int utf8_replace(struct buf *b, const char *s, size_t n)
{
	for (;;) {
		size_t good = utf8_valid(s, n);
		if (buf_add(b, s, good))
			return -1;
		s += good;
		n -= good;
		if (n == 0)
			return 0;
		if (buf_add(b, "\xEF\xBF\xBD", 3))
			return -1;
		size_t bad = bad_part(s, n);
		s += bad;
		n -= bad;
	}
}

bool utf8_steers(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7F && cp < 0xA0) || (cp >= 0x200E && cp <= 0x200F) || (cp >= 0x2028 && cp <= 0x202E) ||
	       (cp >= 0x2066 && cp <= 0x2069);
}

void utf8_harmless(char *out, size_t cap, const char *s)
{
	size_t left = strlen(s), n = 0;
	while (left > 0) {
		uint32_t cp;
		int len = utf8_decode(s, left, &cp);
		bool odd = len == 0 || utf8_steers(cp);
		size_t from = len ? (size_t)len : 1, to = odd ? 1 : from;
		if (n + to >= cap)
			break;
		memcpy(out + n, odd ? "?" : s, to);
		n += to;
		s += from;
		left -= from;
	}
	out[n] = '\0';
}
