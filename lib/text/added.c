#include "text/added.h"
#include "base/utf8.h"
#include "text/unicode.h"
#include "text/wordchar.h"

#include <stdlib.h>
#include <string.h>

static int by_bytes(const void *pa, const void *pb)
{
	const struct vocab_added *a = *(const struct vocab_added *const *)pa, *b = *(const struct vocab_added *const *)pb;
	int c = memcmp(a->text, b->text, a->n < b->n ? a->n : b->n);
	return c ? c : a->n < b->n ? -1 : a->n > b->n;
}

static void note(struct added *a, const struct vocab_added *t)
{
	unsigned char first = (unsigned char)t->text[0];
	a->first[first] = 1;
	if (t->n == 1)
		memset(&a->pair[first * 32], 0xFF, 32);
	else
		a->pair[first * 32 + (unsigned char)t->text[1] / 8] |= (uint8_t)(1 << (unsigned char)t->text[1] % 8);
}

int added_init(struct added *a, const struct vocab *v, bool normalized, struct err *e)
{
	memset(a, 0, sizeof *a);
	a->tok = calloc(v->nadded + 1, sizeof *a->tok);
	if (!a->tok)
		return err_mem(e);
	for (size_t i = 0; i < v->nadded; i++) {
		if (v->added[i].normalized != normalized)
			continue;
		a->tok[a->n++] = &v->added[i];
		note(a, &v->added[i]);
	}
	qsort(a->tok, a->n, sizeof *a->tok, by_bytes);
	return 0;
}

/* First of tok[lo..hi), which agree before byte d and go on there, with a byte >= c at d. */
static size_t lower(const struct added *a, size_t lo, size_t hi, size_t d, unsigned c)
{
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if ((unsigned char)a->tok[mid]->text[d] < c)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* The longest token that s[0..n) begins with, or NULL. */
static const struct vocab_added *match(const struct added *a, const char *s, size_t n)
{
	const struct vocab_added *best = NULL;
	size_t lo = 0, hi = a->n;
	for (size_t d = 0; d < n; d++) {
		unsigned c = (unsigned char)s[d];
		lo = lower(a, lo, hi, d, c);
		hi = lower(a, lo, hi, d, c + 1);
		if (lo == hi)
			break;
		/* of tokens that begin alike the shortest stands first */
		if (a->tok[lo]->n == d + 1)
			best = a->tok[lo++];
	}
	return best;
}

bool added_at(const struct added *a, const char *s, size_t n)
{
	const unsigned char *u = (const unsigned char *)s;
	if (n > 1 && !(a->pair[u[0] * 32 + u[1] / 8] >> u[1] % 8 & 1))
		return false;
	return n > 0 && a->first[u[0]] && match(a, s, n) != NULL;
}

size_t added_find(const struct added *a, const char *s, size_t n, const struct vocab_added **hit)
{
	const unsigned char *u = (const unsigned char *)s;
	*hit = NULL;
	if (a->n == 0 || n == 0)
		return n;
	for (size_t i = 0; i + 1 < n; i++) {
		if (!a->first[u[i]] || !(a->pair[u[i] * 32 + u[i + 1] / 8] >> u[i + 1] % 8 & 1))
			continue;
		if ((*hit = match(a, s + i, n - i)) != NULL)
			return i;
	}
	if (a->first[u[n - 1]] && (*hit = match(a, s + n - 1, 1)) != NULL)
		return n - 1;
	return n;
}

/* The character that ends before s[at], at > 0, and its length. */
static uint32_t char_before(const char *s, size_t at, size_t *len)
{
	uint32_t cp = 0;
	for (*len = 1; *len < at && ((unsigned char)s[at - *len] & 0xC0) == 0x80;)
		++*len;
	utf8_decode(s + at - *len, *len, &cp);
	return cp;
}

static bool between_words(const char *s, size_t n, size_t from, size_t to)
{
	uint32_t cp = 0;
	size_t len;
	if (from > 0 && wordchar_is(char_before(s, from, &len)))
		return false;
	if (to < n)
		utf8_decode(s + to, n - to, &cp);
	return to == n || !wordchar_is(cp);
}

/* The white space that a token takes along. */
static void widen(const struct added_walk *w, const struct vocab_added *hit, size_t done, size_t *from, size_t *to)
{
	size_t len;
	uint32_t cp;
	if (hit->lstrip) {
		while (*from > done && unicode_class(char_before(w->s, *from, &len)) == UNICODE_SPACE)
			*from -= len;
		*from = *from > done ? *from : done;
	}
	while (hit->rstrip && *to < w->n && (len = (size_t)utf8_decode(w->s + *to, w->n - *to, &cp), unicode_class(cp) == UNICODE_SPACE))
		*to += len;
}

const struct vocab_added *added_next(struct added_walk *w, size_t done, size_t *from, size_t *to)
{
	const struct vocab_added *hit;
	for (;;) {
		*from = w->at + added_find(w->a, w->s + w->at, w->n - w->at, &hit);
		if (!hit)
			return NULL;
		*to = w->at = *from + hit->n;
		if (hit->single_word && !between_words(w->s, w->n, *from, *to))
			continue;
		widen(w, hit, done, from, to);
		if (*from < *to) /* the token before it has not taken all of it */
			return hit;
	}
}

void added_release(struct added *a)
{
	free(a->tok);
	a->tok = NULL;
	a->n = 0;
}
