/* unicode.h - classes of characters and composed form (NFC) exactly as HF
 * tokenizers has them. The only user of utf8proc.
 *
 *	if (unicode_class(cp) == UNICODE_LETTER) ...
 *	if (!unicode_is_nfc(s, n) && unicode_nfc(&buf, s, n)) ...out of memory...
 *
 * HF's classes are of another edition of Unicode than its NFC, and both differ
 * from what an installed utf8proc knows. So unicode_tables.h, swept from HF,
 * holds the classes, and says which code points take part in NFC at all; utf8proc
 * only ever sees those, and for them all editions agree (The Unicode Standard's
 * stability policy). */
#ifndef TEXT_UNICODE_H
#define TEXT_UNICODE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum unicode_class { UNICODE_OTHER, UNICODE_LETTER /* \p{L} */, UNICODE_NUMBER /* \p{N} */, UNICODE_SPACE /* \s */ };

enum unicode_class unicode_class(uint32_t cp);

/* For scan.c, which asks for every character: class and place in NFC at once
 * (unicode_tables.h tells the form). */
enum { UNICODE_BITS = 7, UNICODE_SIZE = 1 << UNICODE_BITS, UNICODE_END = 0x323B0 };
enum unicode_form {
	UNICODE_INERT, /* nothing composes with it, nothing reorders it */
	UNICODE_HEAD,  /* may change with what follows, not with what precedes */
	UNICODE_LOOSE  /* may change alone or with what precedes */
};
extern const uint8_t unicode_rows[];
extern const uint64_t unicode_words[];

/* Its unicode_class in bits 0-1, its unicode_form in bits 2-3. */
static inline unsigned unicode_entry(uint32_t cp)
{
	if (cp >= UNICODE_END)
		return 0;
	size_t word = (size_t)unicode_rows[cp >> UNICODE_BITS] * (UNICODE_SIZE / 16) + cp % UNICODE_SIZE / 16;
	return unicode_words[word] >> (cp % 16 * 4) & 15;
}

/* True only if s[0..n), valid UTF-8, is in NFC; rarely false although it is
 * (the quick check of UAX 15, section 9: a mark that composes with nothing, too, asks for a look). */
bool unicode_is_nfc(const char *s, size_t n);
/* Appends the NFC of s[0..n), valid UTF-8, to b. Time n log n whatever the text. 0, or -1 when out of memory. */
int unicode_nfc(struct buf *b, const char *s, size_t n);
/* Appends s[0..n), valid UTF-8, in lower case as Python's str.lower makes it, the final sigma of a word
 * included. 0, or -1 when out of memory. */
int unicode_lower(struct buf *b, const char *s, size_t n);

/* Bytes of the first character as a reader sees it (a grapheme cluster, UAX 29) of s[0..n), valid UTF-8 and
 * n > 0, and in *cells the columns of a terminal it takes: 0, 1 or 2 a code point by East_Asian_Width, where
 * what is joined to an emoji (ZWJ, skin tone) takes none and VARIATION SELECTOR-16 makes one of two columns. */
size_t unicode_width(const char *s, size_t n, size_t *cells);

#endif
