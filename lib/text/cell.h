/* cell.h - text in the cells of a terminal: cleaned, measured, cropped, wrapped.
 *
 *	if (cell_clean(&b, s, n)) ...out of memory...
 *	size_t wide = cell_width(b.p, b.n);       of one line
 *	size_t to = cell_break(p, n, width);      where the next line begins
 *	if (cell_fit(&out, p, to, width)) ...     exactly `width` columns
 *
 * All text is valid UTF-8. 0 is success, -1 is out of memory. */
#ifndef TEXT_CELL_H
#define TEXT_CELL_H

#include "base/buf.h"

#include <stddef.h>

/* Appends s[0..n) without what could move the cursor or the terminal: a tab becomes blanks up to the
 * next multiple of 8, "\r\n" a newline, another control character its picture (U+2400 ...), one of
 * C1 or of writing direction U+FFFD. Newlines stay. */
int cell_clean(struct buf *b, const char *s, size_t n);
/* Columns of s[0..n). */
size_t cell_width(const char *s, size_t n);
/* Appends s[0..n) in exactly `width` columns: padded with blanks or cropped, "…" last. */
int cell_fit(struct buf *b, const char *s, size_t n, size_t width);
/* Bytes of s[0..n) without the blanks at its end. */
size_t cell_text(const char *s, size_t n);
/* Bytes of s[0..n) without those of the blanks at its end that stick out of `width` columns. */
size_t cell_within(const char *s, size_t n, size_t width);
/* Bytes of the first line of s[0..n), n > 0, wrapped to `width` columns: between words (blanks behind a
 * word are its own and may stick out), or within one that is too long. At least one character. Looks
 * no further than at that line. */
size_t cell_break(const char *s, size_t n, size_t width);

#endif
