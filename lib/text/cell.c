#include "text/cell.h"
#include "base/utf8.h"
#include "text/unicode.h"

#include <stdbool.h>

enum { TAB = 8, PICTURES = 0x2400, DELETE = 0x7F, DELETE_PICTURE = 0x2421, REPLACEMENT = 0xFFFD };

static uint32_t harmless(uint32_t cp)
{
	if (cp == '\n')
		return cp;
	if (cp < ' ')
		return PICTURES + cp;
	if (cp == DELETE)
		return DELETE_PICTURE;
	return utf8_steers(cp) ? REPLACEMENT : cp;
}

int cell_clean(struct buf *b, const char *s, size_t n)
{
	size_t known = b->n, at = 0; /* up to where of the present line the columns are counted, and how many they are */
	for (size_t i = 0, len; i < n; i += len) {
		uint32_t cp;
		len = (size_t)utf8_decode(s + i, n - i, &cp);
		if (cp == '\r' && i + 1 < n && s[i + 1] == '\n')
			continue;
		if (buf_reserve(b, TAB))
			return -1;
		if (cp == '\t') {
			at += cell_width(b->p + known, b->n - known);
			for (size_t k = at % TAB; k < TAB; k++)
				b->p[b->n++] = ' ';
			at = 0; /* as good as any other multiple of TAB */
			known = b->n;
			continue;
		}
		b->n += (size_t)utf8_encode(harmless(cp), b->p + b->n);
		if (cp == '\n') {
			at = 0;
			known = b->n;
		}
	}
	return 0;
}

size_t cell_width(const char *s, size_t n)
{
	size_t cells = 0, one;
	for (size_t i = 0; i < n; cells += one)
		i += unicode_width(s + i, n - i, &one);
	return cells;
}

/* Bytes of s[0..n) that fit into `width` columns, and in *cells how many they take. */
static size_t fitting(const char *s, size_t n, size_t width, size_t *cells)
{
	size_t i = 0;
	*cells = 0;
	while (i < n) {
		size_t one, len = unicode_width(s + i, n - i, &one);
		if (*cells + one > width)
			break;
		*cells += one;
		i += len;
	}
	return i;
}

static int blanks(struct buf *b, size_t n)
{
	if (buf_reserve(b, n))
		return -1;
	while (n-- > 0)
		b->p[b->n++] = ' ';
	return 0;
}

int cell_fit(struct buf *b, const char *s, size_t n, size_t width)
{
	size_t cells, len = fitting(s, n, width, &cells);
	if (len == n)
		return buf_add(b, s, n) || blanks(b, width - cells) ? -1 : 0;
	if (width == 0)
		return 0;
	len = fitting(s, n, width - 1, &cells);
	return buf_add(b, s, len) || blanks(b, width - 1 - cells) || buf_adds(b, "…") ? -1 : 0;
}

/* Bytes of the blank that s[0..n) begins with; 0: it begins with none. */
static size_t blank(const char *s, size_t n)
{
	uint32_t cp;
	int len = utf8_decode(s, n, &cp);
	return unicode_class(cp) == UNICODE_SPACE ? (size_t)len : 0;
}

/* Bytes of the last character of s[0..n), n > 0. */
static size_t last(const char *s, size_t n)
{
	size_t len = 1;
	while (len < n && ((unsigned char)s[n - len] & 0xC0) == 0x80)
		len++;
	return len;
}

size_t cell_text(const char *s, size_t n)
{
	for (size_t len; n > 0 && (len = last(s, n), blank(s + n - len, len));)
		n -= len;
	return n;
}

size_t cell_within(const char *s, size_t n, size_t width)
{
	size_t cells = cell_width(s, n), len;
	while (cells > width && n > 0 && (len = last(s, n), blank(s + n - len, len))) {
		n -= len;
		cells -= cell_width(s + n, len);
	}
	return n;
}

size_t cell_break(const char *s, size_t n, size_t width)
{
	size_t i = 0, used = 0, fits = 0; /* fits: the words up to here, and the blanks behind them */
	bool word = false;                /* one has begun */
	while (i < n) {
		size_t one, len = blank(s + i, n - i);
		bool behind = len && word; /* a blank behind a word is its own */
		word = word || len == 0;
		if (len)
			unicode_width(s + i, len, &one); /* a mark upon it belongs to the next word */
		else
			len = unicode_width(s + i, n - i, &one);
		if (!behind && used + one > width)
			return fits ? fits : i ? i : len;
		used += one;
		i += len;
		if (behind)
			fits = i;
	}
	return n;
}
