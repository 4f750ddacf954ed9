#include "text/cell.h"
#include "base/utf8.h"
#include "text/unicode.h"

#include <stdbool.h>

enum { TAB = 8, PICTURES = 0x2400, DELETE = 0x7F, DELETE_PICTURE = 0x2421, REPLACEMENT = 0xFFFD };

/* Characters that change the direction of what follows, beyond their cell, and line separators. */
static bool is_layout(uint32_t cp)
{
	return (cp >= 0x80 && cp < 0xA0) || (cp >= 0x200E && cp <= 0x200F) || (cp >= 0x2028 && cp <= 0x202E) ||
	       (cp >= 0x2066 && cp <= 0x2069);
}

static uint32_t harmless(uint32_t cp)
{
	if (cp == '\n')
		return cp;
	if (cp < ' ')
		return PICTURES + cp;
	if (cp == DELETE)
		return DELETE_PICTURE;
	return is_layout(cp) ? REPLACEMENT : cp;
}

int cell_clean(struct buf *b, const char *s, size_t n)
{
	size_t line = b->n;
	for (size_t i = 0, len; i < n; i += len) {
		uint32_t cp;
		len = (size_t)utf8_decode(s + i, n - i, &cp);
		if (cp == '\r' && i + 1 < n && s[i + 1] == '\n')
			continue;
		if (buf_reserve(b, TAB))
			return -1;
		if (cp == '\t') {
			size_t at = cell_width(b->p + line, b->n - line);
			for (size_t k = at % TAB; k < TAB; k++)
				b->p[b->n++] = ' ';
			continue;
		}
		b->n += (size_t)utf8_encode(harmless(cp), b->p + b->n);
		if (cp == '\n')
			line = b->n;
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

/* Bytes of the blanks, or of what is not blank, that s[0..n) begins with. */
static size_t run(const char *s, size_t n, bool blank)
{
	size_t i = 0;
	while (i < n) {
		uint32_t cp;
		int len = utf8_decode(s + i, n - i, &cp);
		if ((unicode_class(cp) == UNICODE_SPACE) != blank)
			break;
		i += (size_t)len;
	}
	return i;
}

size_t cell_break(const char *s, size_t n, size_t width)
{
	size_t at = 0, used = 0, one;
	while (at < n) {
		size_t lead = run(s + at, n - at, true), word = lead + run(s + at + lead, n - at - lead, false);
		size_t all = word + run(s + at + word, n - at - word, true), cells = cell_width(s + at, word);
		if (word == lead) /* blanks to the end */
			return n;
		if (used + cells <= width) {
			used += cell_width(s + at, all);
			at += all;
			continue;
		}
		if (at > 0)
			return at;
		size_t len = fitting(s, n, width, &cells);
		return len ? len : unicode_width(s, n, &one);
	}
	return n;
}
