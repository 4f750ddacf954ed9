#include "text/pretok.h"
#include "base/utf8.h"
#include "text/unicode.h"

#include <stdint.h>

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
