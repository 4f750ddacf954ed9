/* slowregex.h - the regular expressions of pre-tokenizers, matched the plain way: from
 * the pattern's own text, over code points, alternatives in their order, trying and
 * going back. Known are literals, \r \n \s \S \p{L} \p{N}, [^...] of those, ? + *
 * {m,n}, (?i:...) and (?!...) around alternatives. */
#ifndef SLOWREGEX_H
#define SLOWREGEX_H

#include "base/utf8.h"
#include "text/unicode.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct slowregex {
	const uint32_t *s; /* the text */
	size_t n;
};

enum { SLOW_FAIL = -1 };

/* Where the item that begins at p ends. */
static inline const char *slow_item_end(const char *p)
{
	if (*p == '[')
		return strchr(p, ']') + 1;
	if (*p == '\\')
		return p[1] == 'p' ? strchr(p, '}') + 1 : p + 2;
	if (*p != '(')
		return p + 1;
	int depth = 0;
	do
		depth += *p == '(' ? 1 : *p == ')' ? -1 : 0;
	while (p++, depth > 0);
	return p;
}

static inline bool slow_class(const char *p, uint32_t c, bool fold);

/* [^...]: none of those within. */
static inline bool slow_set(const char *p, uint32_t c, bool fold)
{
	bool in = false, not = p[1] == '^';
	for (p += 1 + not; *p != ']'; p = slow_item_end(p))
		in |= slow_class(p, c, fold);
	return in != not;
}

static inline uint32_t slow_fold(uint32_t c)
{
	return c == 0x17F ? 's' : c >= 'A' && c <= 'Z' ? c + 32 : c;
}

/* Whether the character c is of the item at p. */
static inline bool slow_class(const char *p, uint32_t c, bool fold)
{
	if (*p == '[')
		return slow_set(p, c, fold);
	if (*p != '\\')
		return fold ? slow_fold(c) == slow_fold((unsigned char)*p) : c == (unsigned char)*p;
	switch (p[1]) {
	case 'r': return c == '\r';
	case 'n': return c == '\n';
	case 's': return unicode_class(c) == UNICODE_SPACE;
	case 'S': return unicode_class(c) != UNICODE_SPACE;
	default: return unicode_class(c) == (p[3] == 'L' ? UNICODE_LETTER : UNICODE_NUMBER);
	}
}

static inline long slow_any(const struct slowregex *r, const char *p, const char *end, size_t at, bool fold);

/* How often the item may occur, and where the next one begins. */
static inline const char *slow_times(const char *p, size_t *least, size_t *most)
{
	*least = *p != '?' && *p != '*';
	*most = *p == '+' || *p == '*' ? SIZE_MAX : 1;
	if (*p == '{') {
		*least = (size_t)(p[1] - '0');
		*most = (size_t)(p[3] - '0');
		return strchr(p, '}') + 1;
	}
	return *p == '?' || *p == '+' || *p == '*' ? p + 1 : p;
}

/* The items p..end at `at`: where the match ends, or SLOW_FAIL. The longest run of an item is tried first. */
static inline long slow_all(const struct slowregex *r, const char *p, const char *end, size_t at, bool fold)
{
	size_t least, most, k = 0;
	if (p == end)
		return (long)at;
	const char *stop = slow_item_end(p), *next = slow_times(stop, &least, &most);
	if (*p == '(') {
		bool not = p[2] == '!';
		long to = slow_any(r, p + (not ? 3 : 4), stop - 1, at, fold || p[2] == 'i');
		if (not)
			return to == SLOW_FAIL ? slow_all(r, next, end, at, fold) : SLOW_FAIL;
		return to == SLOW_FAIL ? SLOW_FAIL : slow_all(r, next, end, (size_t)to, fold);
	}
	while (k < most && at + k < r->n && slow_class(p, r->s[at + k], fold))
		k++;
	for (;; k--) {
		long to = k >= least ? slow_all(r, next, end, at + k, fold) : SLOW_FAIL;
		if (to != SLOW_FAIL || k <= least)
			return to;
	}
}

/* The first of the alternatives that matches. */
static inline long slow_any(const struct slowregex *r, const char *p, const char *end, size_t at, bool fold)
{
	for (;;) {
		const char *bar = p;
		while (bar < end && *bar != '|')
			bar = slow_item_end(bar);
		long to = slow_all(r, p, bar, at, fold);
		if (to != SLOW_FAIL || bar >= end)
			return to;
		p = bar + 1;
	}
}

/* Length in characters of the match at s[at], 0 if there is none. */
static inline size_t slow_match(const char *pattern, const uint32_t *s, size_t n, size_t at)
{
	struct slowregex r = {s, n};
	long to = slow_any(&r, pattern, pattern + strlen(pattern), at, false);
	return to == SLOW_FAIL ? 0 : (size_t)to - at;
}

#endif
