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

/* Their numbers are part of a tokenizer's fingerprint: new ones go at the end. */
enum pretok { PRETOK_GPT2, PRETOK_GPT4, PRETOK_QWEN, PRETOK_DIGITS, PRETOK_NUMBERS, PRETOK_WHOLE };

/* Length of the first piece of s[0..n), valid UTF-8, n > 0. */
typedef size_t pretok_cut(const char *s, size_t n);

/* GPT-2's pattern, with HF's classes (unicode.h), also that of GPT-NeoX, OLMo 1 and StarCoder:
 *	's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ */
size_t pretok_gpt2(const char *s, size_t n);
/* 's|'t|'re|'ve|'m|'ll|'d at the apostrophe *s: its length, or 0. */
size_t pretok_contraction(const char *s, size_t n);
/* That of GPT-4, Llama 3 and OLMo 2; the case of letters does not matter within (?i:), nor U+017F for s:
 *	(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+ */
size_t pretok_gpt4(const char *s, size_t n);
/* That of Qwen 2 and 2.5: the same with \p{N} instead of \p{N}{1,3}. */
size_t pretok_qwen(const char *s, size_t n);
/* Digits by themselves, what is between them whole; or runs of digits whole (HF's Digits, individual or not). */
size_t pretok_digits(const char *s, size_t n);
size_t pretok_numbers(const char *s, size_t n);
/* All of it. */
size_t pretok_whole(const char *s, size_t n);

/* Which of them a pattern is, as a tokenizer.json spells it; -1: none. */
int pretok_published(const char *regex, size_t n, enum pretok *kind);
pretok_cut *pretok_of(enum pretok kind);

#endif
