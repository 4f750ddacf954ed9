/* pretok.h - cuts text into the pieces that BPE works on.
 *
 *	while (n) {
 *		size_t len = pretok_gpt2(s, n);
 *		use(s, len);
 *		s += len, n -= len;
 *	}
 *
 * Every byte belongs to a piece. What a pattern looks ahead to ends with the
 * text it is given, as HF gives it each stretch between added tokens by itself. */
#ifndef TEXT_PRETOK_H
#define TEXT_PRETOK_H

#include <stddef.h>

/* Length of the first piece of s[0..n), valid UTF-8, n > 0, by GPT-2's pattern
 *	's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 * with HF's classes (unicode.h). */
size_t pretok_gpt2(const char *s, size_t n);
/* 's|'t|'re|'ve|'m|'ll|'d at the apostrophe *s: its length, or 0. */
size_t pretok_contraction(const char *s, size_t n);

#endif
