#include "text/squad.h"

#include "base/utf8.h"
#include "text/unicode.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What str.split() parts words at: white space, and the four separators U+001C to U+001F. */
static bool is_space(uint32_t cp)
{
	return unicode_class(cp) == UNICODE_SPACE || (cp >= 0x1C && cp <= 0x1F);
}

/* \w without "_", which is punctuation and gone when words are looked for. */
static bool is_word(uint32_t cp)
{
	enum unicode_class c = unicode_class(cp);
	return c == UNICODE_LETTER || c == UNICODE_NUMBER;
}

static bool is_punctuation(uint32_t cp)
{
	return cp < 0x7F && strchr("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", (int)cp) && cp;
}

/* --- making plain ---------------------------------------------------------------------- */

/* Lower case without punctuation into b. */
static int lower(const char *s, size_t n, struct buf *b)
{
	if (unicode_lower(b, s, n))
		return -1;
	size_t to = 0;
	for (size_t i = 0; i < b->n; i++)
		if (!is_punctuation((unsigned char)b->p[i]))
			b->p[to++] = b->p[i];
	b->n = to;
	return 0;
}

static bool is_article(const char *s, size_t n)
{
	return (n == 1 && *s == 'a') || (n == 2 && !memcmp(s, "an", 2)) || (n == 3 && !memcmp(s, "the", 3));
}

/* Bytes from s on that are alike: all of a word, or all of none. */
static size_t stretch(const char *s, size_t n, bool *word)
{
	uint32_t cp;
	size_t i = (size_t)utf8_decode(s, n, &cp);
	*word = is_word(cp);
	while (i < n) {
		size_t len = (size_t)utf8_decode(s + i, n - i, &cp);
		if (is_word(cp) != *word)
			break;
		i += len;
	}
	return i;
}

/* The text with a blank for each article. */
static int drop_articles(const struct buf *in, struct buf *b)
{
	size_t len;
	for (size_t i = 0; i < in->n; i += len) {
		bool word;
		len = stretch(in->p + i, in->n - i, &word);
		if (word && is_article(in->p + i, len) ? buf_addc(b, ' ') : buf_add(b, in->p + i, len))
			return -1;
	}
	return 0;
}

/* b from `from` on: words with one blank between them. */
static void collapse(struct buf *b, size_t from)
{
	size_t to = from, len;
	for (size_t i = from; i < b->n; i += len) {
		uint32_t cp;
		len = (size_t)utf8_decode(b->p + i, b->n - i, &cp);
		if (!is_space(cp)) {
			memmove(b->p + to, b->p + i, len);
			to += len;
		} else if (to > from && b->p[to - 1] != ' ') {
			b->p[to++] = ' ';
		}
	}
	b->n = to - (to > from && b->p[to - 1] == ' ');
}

int squad_plain(struct squad *q, const char *s, size_t n, struct buf *b, struct err *e)
{
	size_t from = b->n;
	buf_reset(&q->lower);
	if (lower(s, n, &q->lower) || drop_articles(&q->lower, b))
		return err_mem(e);
	collapse(b, from);
	return 0;
}

/* --- comparing ---------------------------------------------------------------------------- */

static int by_bytes(const void *x, const void *y)
{
	const struct squad_word *a = x, *b = y;
	int c = memcmp(a->p, b->p, a->n < b->n ? a->n : b->n);
	return c ? c : (a->n > b->n) - (a->n < b->n);
}

static int add_word(struct squad *q, int side, size_t at, const char *p, size_t n, struct err *e)
{
	if (at == q->cap[side]) {
		size_t cap = q->cap[side] * 2 + 64;
		struct squad_word *w = realloc(q->word[side], cap * sizeof *w);
		if (!w)
			return err_mem(e);
		q->word[side] = w;
		q->cap[side] = cap;
	}
	q->word[side][at] = (struct squad_word){p, n};
	return 0;
}

/* The words of one side's text, sorted. */
static int list_words(struct squad *q, int side, size_t *count, struct err *e)
{
	const struct buf *b = &q->text[side];
	size_t begin = 0, i = 0, n = 0;
	while (i <= b->n) {
		uint32_t cp = ' ';
		size_t len = i < b->n ? (size_t)utf8_decode(b->p + i, b->n - i, &cp) : 1;
		if (is_space(cp)) {
			if (i > begin && add_word(q, side, n++, b->p + begin, i - begin, e))
				return -1;
			begin = i + len;
		}
		i += len;
	}
	if (n)
		qsort(q->word[side], n, sizeof *q->word[side], by_bytes);
	*count = n;
	return 0;
}

static size_t count_same(const struct squad *q, size_t n, size_t m)
{
	size_t same = 0;
	for (size_t i = 0, k = 0; i < n && k < m;) {
		int c = by_bytes(&q->word[0][i], &q->word[1][k]);
		same += c == 0;
		i += c <= 0;
		k += c >= 0;
	}
	return same;
}

static int prepare(struct squad *q, int side, const char *s, size_t n, bool raw, struct err *e)
{
	buf_reset(&q->text[side]);
	if (!raw)
		return squad_plain(q, s, n, &q->text[side], e);
	return n && buf_add(&q->text[side], s, n) ? err_mem(e) : 0;
}

int squad_score(struct squad *q, const char *text, size_t n, const char *reference, size_t m, bool raw,
                struct squad_score *s, struct err *e)
{
	size_t words, wanted;
	if (prepare(q, 0, text, n, raw, e) || prepare(q, 1, reference, m, raw, e) || list_words(q, 0, &words, e) ||
	    list_words(q, 1, &wanted, e))
		return -1;
	const struct buf *a = &q->text[0], *b = &q->text[1];
	s->exact = a->n == b->n && (a->n == 0 || memcmp(a->p, b->p, a->n) == 0);
	size_t same = count_same(q, words, wanted);
	/* 2 p r / (p + r) with p = same / words, r = same / wanted */
	s->f1 = words && wanted ? 2 * (double)same / (double)(words + wanted) : s->exact;
	return 0;
}

void squad_release(struct squad *q)
{
	buf_release(&q->lower);
	for (int i = 0; i < 2; i++) {
		buf_release(&q->text[i]);
		free(q->word[i]);
	}
	*q = (struct squad){0};
}
