#include "text/unicode.h"
#include "base/utf8.h"
#include "text/unicode_tables.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum unicode_class unicode_class(uint32_t cp)
{
	return unicode_entry(cp) & 3;
}

static enum unicode_form form_of(uint32_t cp)
{
	return unicode_entry(cp) >> 2;
}

/* U+0300 is the first character that is not safe in NFC; its first byte is 0xCC. */
enum { FIRST_LOOSE = 0xCC };

/* Bytes of s[0..n) before its first LOOSE character, and in *head where the character before that begins. */
static size_t settled(const char *s, size_t n, size_t *head)
{
	size_t i = 0;
	*head = 0;
	while (i < n) {
		uint32_t cp;
		uint64_t w;
		if (n - i >= 8 && (memcpy(&w, s + i, 8), (w & 0x8080808080808080u) == 0)) {
			*head = i + 7;
			i += 8;
			continue;
		}
		int len = utf8_decode(s + i, n - i, &cp);
		if ((unsigned char)s[i] >= FIRST_LOOSE && form_of(cp) == UNICODE_LOOSE)
			break;
		*head = i;
		i += (size_t)len;
	}
	return i;
}

bool unicode_is_nfc(const char *s, size_t n)
{
	size_t head;
	return settled(s, n, &head) == n;
}

/* --- a piece: one HEAD and the LOOSE characters behind it --------------------- */

struct piece {
	int32_t few[64]; /* nearly every piece */
	int32_t *v;
	size_t n, cap;
};

static int piece_room(struct piece *p, size_t more)
{
	if (more <= p->cap - p->n)
		return 0;
	size_t cap = p->cap * 2 + more;
	int32_t *v = malloc(cap * sizeof *v);
	if (!v)
		return -1;
	memcpy(v, p->v, p->n * sizeof *v);
	if (p->v != p->few)
		free(p->v);
	p->v = v;
	p->cap = cap;
	return 0;
}

static unsigned mark_class(int32_t cp)
{
	return (unsigned)utf8proc_get_property(cp)->combining_class;
}

/* Stable, by canonical combining class, a run of marks: counted where it is
 * long, since a text may be one long run of them. */
static int order_run(int32_t *v, size_t n)
{
	if (n <= 32) {
		for (size_t i = 1; i < n; i++) {
			int32_t x = v[i];
			unsigned c = mark_class(x);
			size_t j = i;
			for (; j > 0 && mark_class(v[j - 1]) > c; j--)
				v[j] = v[j - 1];
			v[j] = x;
		}
		return 0;
	}
	size_t at[257] = {0};
	int32_t *copy = malloc(n * sizeof *copy);
	if (!copy)
		return -1;
	memcpy(copy, v, n * sizeof *copy);
	for (size_t i = 0; i < n; i++)
		at[mark_class(v[i]) + 1]++;
	for (int c = 0; c < 256; c++)
		at[c + 1] += at[c];
	for (size_t i = 0; i < n; i++)
		v[at[mark_class(copy[i])]++] = copy[i];
	free(copy);
	return 0;
}

static int order(struct piece *p)
{
	for (size_t i = 0, end; i < p->n; i = end + 1) {
		for (end = i; end < p->n && mark_class(p->v[end]) != 0; end++)
			;
		if (end - i > 1 && order_run(p->v + i, end - i))
			return -1;
	}
	return 0;
}

/* Decompose, order, compose (UAX 15, 1.3). */
static int compose(struct piece *p, const char *s, size_t n, struct buf *b)
{
	p->n = 0;
	for (size_t i = 0; i < n;) {
		uint32_t cp;
		int boundclass = 0;
		i += (size_t)utf8_decode(s + i, n - i, &cp);
		if (piece_room(p, 8))
			return -1;
		p->n += (size_t)utf8proc_decompose_char((utf8proc_int32_t)cp, p->v + p->n, 8, UTF8PROC_DECOMPOSE, &boundclass);
	}
	if (order(p))
		return -1;
	p->n = (size_t)utf8proc_normalize_utf32(p->v, (utf8proc_ssize_t)p->n, UTF8PROC_COMPOSE | UTF8PROC_STABLE);
	if (buf_reserve(b, p->n * 4))
		return -1;
	for (size_t i = 0; i < p->n; i++)
		b->n += (size_t)utf8_encode((uint32_t)p->v[i], b->p + b->n);
	return 0;
}

static size_t loose_run(const char *s, size_t n)
{
	size_t i = 0;
	while (i < n) {
		uint32_t cp;
		int len = utf8_decode(s + i, n - i, &cp);
		if (form_of(cp) != UNICODE_LOOSE)
			break;
		i += (size_t)len;
	}
	return i;
}

int unicode_nfc(struct buf *b, const char *s, size_t n)
{
	struct piece p = {.v = p.few, .cap = sizeof p.few / sizeof *p.few};
	int rc = 0;
	while (n && rc == 0) {
		size_t head, to = settled(s, n, &head), run = loose_run(s + to, n - to);
		uint32_t cp = 0;
		/* an INERT character may be one that utf8proc knows more of: it never sees it */
		if (to > 0)
			utf8_decode(s + head, n - head, &cp);
		size_t from = run && to > 0 && form_of(cp) == UNICODE_HEAD ? head : to;
		rc = buf_add(b, s, from);
		if (rc == 0 && run)
			rc = compose(&p, s + from, to - from + run, b);
		s += to + run;
		n -= to + run;
	}
	if (p.v != p.few)
		free(p.v);
	return rc;
}

/* --- lower case ----------------------------------------------------------------- */

/* Cased (The Unicode Standard 3.13): letters of a case, and Roman numerals and letters in circles and boxes. */
static bool is_cased(uint32_t cp)
{
	static const uint32_t more[][2] = {{0xAA, 0xAA}, {0xBA, 0xBA}, {0x2160, 0x217F}, {0x24B6, 0x24E9},
	                                   {0x1F130, 0x1F149}, {0x1F150, 0x1F169}, {0x1F170, 0x1F189}};
	for (size_t i = 0; i < sizeof more / sizeof *more; i++)
		if (cp >= more[i][0] && cp <= more[i][1])
			return true;
	utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)cp);
	return c == UTF8PROC_CATEGORY_LU || c == UTF8PROC_CATEGORY_LL || c == UTF8PROC_CATEGORY_LT;
}

/* Case_Ignorable (The Unicode Standard 3.13): marks, modifiers, and what stands within words. */
static bool is_case_ignorable(uint32_t cp)
{
	static const uint16_t within[] = {0x27, 0x2E, 0x3A, 0xB7, 0x387, 0x55F, 0x5F4, 0x2018, 0x2019, 0x2024, 0x2027,
	                                  0xFE13, 0xFE52, 0xFE55, 0xFF07, 0xFF0E, 0xFF1A};
	for (size_t i = 0; i < sizeof within / sizeof *within; i++)
		if (cp == within[i])
			return true;
	switch (utf8proc_category((utf8proc_int32_t)cp)) {
	case UTF8PROC_CATEGORY_MN:
	case UTF8PROC_CATEGORY_ME:
	case UTF8PROC_CATEGORY_CF:
	case UTF8PROC_CATEGORY_LM:
	case UTF8PROC_CATEGORY_SK:
		return true;
	default:
		return false;
	}
}

/* Whether the sigma of len bytes at s + i is the last letter of a word of several. */
static bool is_final(const char *s, size_t n, size_t i, size_t len)
{
	uint32_t cp = 0;
	for (size_t k = i; k > 0;) {
		do
			k--;
		while (((unsigned char)s[k] & 0xC0) == 0x80);
		utf8_decode(s + k, n - k, &cp);
		if (!is_case_ignorable(cp))
			break;
		cp = 0;
	}
	if (!is_cased(cp))
		return false;
	for (size_t k = i + len; k < n;) {
		k += (size_t)utf8_decode(s + k, n - k, &cp);
		if (!is_case_ignorable(cp))
			return !is_cased(cp);
	}
	return true;
}

int unicode_lower(struct buf *b, const char *s, size_t n)
{
	for (size_t i = 0, len; i < n; i += len) {
		uint32_t cp;
		len = (size_t)utf8_decode(s + i, n - i, &cp);
		if (buf_reserve(b, 4))
			return -1;
		if (cp == 0x3A3)
			cp = is_final(s, n, i, len) ? 0x3C2 : 0x3C3;
		else if (cp != 0x130)
			cp = (uint32_t)utf8proc_tolower((utf8proc_int32_t)cp);
		if (cp != 0x130)
			b->n += (size_t)utf8_encode(cp, b->p + b->n);
		else if (buf_adds(b, "i\xCC\x87")) /* the one letter that becomes two */
			return -1;
	}
	return 0;
}

/* --- columns of a terminal -------------------------------------------------------- */

enum { ZWJ = 0x200D, EMOJI_FORM = 0xFE0F, TONE_FIRST = 0x1F3FB, TONE_LAST = 0x1F3FF };

/* Whether an emoji's form can be asked for with EMOJI_FORM, which nothing else heeds. */
static bool has_emoji_form(uint32_t cp)
{
	return (cp >= '0' && cp <= '9') || cp == '#' || cp == '*' ||
	       utf8proc_get_property((utf8proc_int32_t)cp)->boundclass == UTF8PROC_BOUNDCLASS_EXTENDED_PICTOGRAPHIC;
}

size_t unicode_width(const char *s, size_t n, size_t *cells)
{
	utf8proc_int32_t state = 0;
	uint32_t before = 0, cp;
	size_t i = 0;
	*cells = 0;
	while (i < n) {
		int len = utf8_decode(s + i, n - i, &cp);
		if (i > 0 && utf8proc_grapheme_break_stateful((utf8proc_int32_t)before, (utf8proc_int32_t)cp, &state))
			break;
		bool joined = i > 0 && (before == ZWJ || (cp >= TONE_FIRST && cp <= TONE_LAST));
		if (cp == EMOJI_FORM && *cells == 1 && has_emoji_form(before))
			*cells = 2;
		else if (!joined)
			*cells += (size_t)utf8proc_charwidth((utf8proc_int32_t)cp);
		before = cp;
		i += (size_t)len;
	}
	return i;
}
