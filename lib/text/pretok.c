#include "text/pretok.h"
#include "base/utf8.h"
#include "text/unicode.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { L = UNICODE_LETTER, N = UNICODE_NUMBER, S = UNICODE_SPACE };

/* Classes of ASCII; bytes from 0x80 on are looked up as code points. */
static const uint8_t ascii[128] = {
	['\t'] = S, ['\n'] = S, ['\v'] = S, ['\f'] = S, ['\r'] = S, [' '] = S,
	['0'] = N, ['1'] = N, ['2'] = N, ['3'] = N, ['4'] = N, ['5'] = N, ['6'] = N, ['7'] = N, ['8'] = N, ['9'] = N,
	['A'] = L, ['B'] = L, ['C'] = L, ['D'] = L, ['E'] = L, ['F'] = L, ['G'] = L, ['H'] = L, ['I'] = L, ['J'] = L,
	['K'] = L, ['L'] = L, ['M'] = L, ['N'] = L, ['O'] = L, ['P'] = L, ['Q'] = L, ['R'] = L, ['S'] = L, ['T'] = L,
	['U'] = L, ['V'] = L, ['W'] = L, ['X'] = L, ['Y'] = L, ['Z'] = L,
	['a'] = L, ['b'] = L, ['c'] = L, ['d'] = L, ['e'] = L, ['f'] = L, ['g'] = L, ['h'] = L, ['i'] = L, ['j'] = L,
	['k'] = L, ['l'] = L, ['m'] = L, ['n'] = L, ['o'] = L, ['p'] = L, ['q'] = L, ['r'] = L, ['s'] = L, ['t'] = L,
	['u'] = L, ['v'] = L, ['w'] = L, ['x'] = L, ['y'] = L, ['z'] = L,
};

/* Class of the character at s, n > 0, and its length. */
static unsigned class_at(const char *s, size_t n, size_t *len)
{
	unsigned char c = (unsigned char)*s;
	uint32_t cp = 0;
	if (c < 0x80) {
		*len = 1;
		return ascii[c];
	}
	*len = (size_t)utf8_decode(s, n, &cp);
	return unicode_class(cp);
}

/* End of the run of one class that goes on at i. */
static size_t run_end(const char *s, size_t n, size_t i, unsigned class)
{
	while (i < n) {
		size_t len;
		unsigned char c = (unsigned char)s[i];
		if (c < 0x80) {
			if (ascii[c] != class)
				break;
			i++;
		} else if (class_at(s + i, n - i, &len) == class) {
			i += len;
		} else {
			break;
		}
	}
	return i;
}

size_t pretok_contraction(const char *s, size_t n)
{
	if (n < 2)
		return 0;
	if (s[1] == 's' || s[1] == 't' || s[1] == 'm' || s[1] == 'd')
		return 2;
	if (n >= 3 && ((s[1] == 'r' && s[2] == 'e') || (s[1] == 'v' && s[2] == 'e') || (s[1] == 'l' && s[2] == 'l')))
		return 3;
	return 0;
}

/* \s+(?!\S)|\s+ where a space is first: a run that something follows leaves its
 * last character to the next piece, unless it is all there is. */
static size_t spaces(const char *s, size_t n)
{
	size_t i = 0, last = 0, len;
	while (i < n && class_at(s + i, n - i, &len) == S) {
		last = i;
		i += len;
	}
	return i < n && last > 0 ? last : i;
}

size_t pretok_gpt2(const char *s, size_t n)
{
	size_t len, at = *s == ' ' && n > 1;
	if (*s == '\'' && (len = pretok_contraction(s, n)) > 0)
		return len;
	unsigned class = class_at(s + at, n - at, &len);
	if (class == S)
		return spaces(s, n);
	return run_end(s, n, at + len, class);
}

/* --- the pattern of GPT-4, as Llama 3 and Qwen have it ------------------------------ */

/* (?i:'s|'t|'re|'ve|'m|'ll|'d) at an apostrophe: its length, or 0. */
static size_t contraction_any_case(const char *s, size_t n)
{
	char low[3] = {'\'', 0, 0};
	/* U+017F is a lower case s */
	if (n >= 3 && memcmp(s + 1, "\xC5\xBF", 2) == 0)
		return 3;
	for (size_t i = 1; i < 3 && i < n; i++)
		low[i] = s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] - 'A' + 'a') : s[i];
	return pretok_contraction(low, n < 3 ? n : 3);
}

/* \s*[\r\n]+|\s+(?!\S)|\s+ where a space is first. */
static size_t spaces_by_line(const char *s, size_t n)
{
	size_t i = 0, line = 0, last = 0, len;
	while (i < n && class_at(s + i, n - i, &len) == S) {
		last = i;
		i += len;
		if (s[last] == '\r' || s[last] == '\n')
			line = i;
	}
	if (line > 0)
		return line;
	return i < n && last > 0 ? last : i;
}

/* \p{N}{1,most} where a number is first. */
static size_t numbers(const char *s, size_t n, size_t most)
{
	size_t i = 0, len;
	while (i < n && most > 0 && class_at(s + i, n - i, &len) == N) {
		i += len;
		most--;
	}
	return i;
}

/* ' ?[^\s\p{L}\p{N}]+[\r\n]*' with the run of others from `at` on. */
static size_t others_by_line(const char *s, size_t n, size_t at)
{
	size_t i = run_end(s, n, at, UNICODE_OTHER);
	while (i < n && (s[i] == '\r' || s[i] == '\n'))
		i++;
	return i;
}

static size_t gpt4(const char *s, size_t n, size_t digits)
{
	size_t len, second;
	if (*s == '\'' && (len = contraction_any_case(s, n)) > 0)
		return len;
	unsigned class = class_at(s, n, &len);
	if (class == L)
		return run_end(s, n, len, L);
	if (class == N)
		return numbers(s, n, digits);
	/* one character of any other kind, but no end of a line, goes with the letters behind it */
	unsigned next = len < n ? class_at(s + len, n - len, &second) : S;
	if (next == L && *s != '\r' && *s != '\n')
		return run_end(s, n, len + second, L);
	if (class == UNICODE_OTHER)
		return others_by_line(s, n, 0);
	if (*s == ' ' && next == UNICODE_OTHER)
		return others_by_line(s, n, 1);
	return spaces_by_line(s, n);
}

size_t pretok_gpt4(const char *s, size_t n)
{
	return gpt4(s, n, 3);
}

size_t pretok_qwen(const char *s, size_t n)
{
	return gpt4(s, n, 1);
}

/* --- numbers apart, and no cut at all ------------------------------------------------ */

/* HF asks Rust here, whose Unicode has these two rows of digits more than the classes of its patterns. */
static bool digit_at(const char *s, size_t n, size_t *len)
{
	uint32_t cp = 0;
	if (class_at(s, n, len) == N)
		return true;
	if (*len < 4)
		return false;
	utf8_decode(s, n, &cp);
	return (cp >= 0x11DE0 && cp <= 0x11DE9) || (cp >= 0x16FF4 && cp <= 0x16FF6);
}

static size_t digits_apart(const char *s, size_t n, bool single)
{
	size_t i, len;
	bool digit = digit_at(s, n, &len);
	if (digit && single)
		return len;
	for (i = len; i < n && digit_at(s + i, n - i, &len) == digit; i += len)
		;
	return i;
}

size_t pretok_digits(const char *s, size_t n)
{
	return digits_apart(s, n, true);
}

size_t pretok_numbers(const char *s, size_t n)
{
	return digits_apart(s, n, false);
}

size_t pretok_whole(const char *s, size_t n)
{
	(void)s;
	return n;
}

/* --- by name --------------------------------------------------------------------------- */

#define CASED "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
#define LINES "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

int pretok_published(const char *regex, size_t n, enum pretok *kind)
{
	static const struct {
		const char *regex;
		enum pretok kind;
	} all[] = {
		{"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", PRETOK_GPT2},
		{CASED "\\p{N}{1,3}" LINES, PRETOK_GPT4},
		{CASED "\\p{N}" LINES, PRETOK_QWEN},
	};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		if (strlen(all[i].regex) == n && memcmp(all[i].regex, regex, n) == 0) {
			*kind = all[i].kind;
			return 0;
		}
	}
	return -1;
}

pretok_cut *pretok_of(enum pretok kind)
{
	static pretok_cut *const cut[] = {
		[PRETOK_GPT2] = pretok_gpt2,     [PRETOK_GPT4] = pretok_gpt4,       [PRETOK_QWEN] = pretok_qwen,
		[PRETOK_DIGITS] = pretok_digits, [PRETOK_NUMBERS] = pretok_numbers, [PRETOK_WHOLE] = pretok_whole,
	};
	return cut[kind];
}
