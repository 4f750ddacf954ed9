#include "text/scan.h"
#include "base/isa.h"
#include "base/le.h"
#include "base/utf8.h"
#include "text/pretok.h"
#include "text/unicode.h"

#include <stdlib.h>
#include <string.h>

/* --- which instructions ------------------------------------------------------------ */

ISA_CHOICE(struct scan_isa, scan_isa_, scan_at)
static ISA_BEST(struct scan_isa, scan_at, best_isa)

/* --- what the vocabulary says -------------------------------------------------------- */

static void class_add(struct scan_nibbles *t, unsigned char c, uint8_t class)
{
	t->lo[c & 15] |= class;
	t->hi[c >> 4] |= class;
}

/* Rows 4 and 6 of ASCII begin with @ and `, rows 5 and 7 end with marks: two classes
 * of letters. A raw added token's first byte is a class of its own, which may
 * take in a few bytes too many where tokens begin with several. */
static void fill_nibbles(struct scan *sc)
{
	struct scan_nibbles *t = &sc->nibbles;
	for (int c = 'A'; c <= 'O'; c++)
		class_add(t, (unsigned char)c, SCAN_UPPER_ROW), class_add(t, (unsigned char)(c + 32), SCAN_UPPER_ROW);
	for (int c = 'P'; c <= 'Z'; c++)
		class_add(t, (unsigned char)c, SCAN_LETTER), class_add(t, (unsigned char)(c + 32), SCAN_LETTER);
	for (int c = '0'; c <= '9'; c++)
		class_add(t, (unsigned char)c, SCAN_DIGIT);
	for (int c = '\t'; c <= '\r'; c++)
		class_add(t, (unsigned char)c, SCAN_SPACE);
	class_add(t, ' ', SCAN_BLANK);
	class_add(t, '\'', SCAN_QUOTE);
	class_add(t, '\n', SCAN_LINE);
	for (int c = 0; c < 256; c++)
		if (sc->raw->first[c])
			class_add(t, (unsigned char)c, SCAN_RAW);
}

static bool is_tail(unsigned char c)
{
	return (c & 0xC0) == 0x80;
}

/* Notes what the token holds on both sides of byte i, where a character of several bytes begins. */
static void note_pair(struct scan *sc, const unsigned char *s, size_t n, size_t i)
{
	size_t from = i - 1;
	uint32_t l, r;
	while (from > 0 && is_tail(s[from]))
		from--;
	if (utf8_decode((const char *)s + from, i - from, &l) && utf8_decode((const char *)s + i, n - i, &r))
		sc->seams.joined[scan_joined_at(l, r) / 64] |= UINT64_C(1) << scan_joined_at(l, r) % 64;
	else
		sc->seams.parts[s[i - 1] & 63] |= UINT64_C(1) << (s[i] & 63);
}

static void note_token(struct scan *sc, const unsigned char *s, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (s[i] >= 0xC0 && is_tail(s[i - 1]))
			note_pair(sc, s, n, i);
}

/* The longest run if runs of 2, 3, ... blanks are what all normalized added tokens are. */
static size_t blank_runs(const struct vocab *v)
{
	size_t longest = 0, count = 0;
	for (size_t i = 0; i < v->nadded; i++) {
		const struct vocab_added *a = &v->added[i];
		if (!a->normalized)
			continue;
		for (size_t k = 0; k < a->n; k++)
			if (a->text[k] != ' ')
				return 0;
		count++;
		longest = a->n > longest ? a->n : longest;
	}
	/* they differ, as added tokens do, so that this many of them are all of 2..longest */
	return longest == count + 1 ? longest : 0;
}

static void init(struct scan *sc, const struct vocab *v, const struct added *raw)
{
	memset(sc, 0, sizeof *sc);
	sc->raw = raw;
	sc->nfc = v->rules.nfc;
	sc->blanks = blank_runs(v);
	sc->isa = best_isa();
	fill_nibbles(sc);
}

void scan_init(struct scan *sc, const struct vocab *v, const struct added *raw)
{
	init(sc, v, raw);
	for (uint32_t id = 0; id < v->size; id++)
		if (v->tok[id].text)
			note_token(sc, (const unsigned char *)v->tok[id].bytes, v->tok[id].nbytes);
}

void scan_pack(const struct scan *sc, struct image_parts *parts)
{
	image_add(parts, IMAGE_SEAMS, sc->seams.joined, sizeof sc->seams.joined);
	image_add(parts, IMAGE_PARTS_OF, sc->seams.parts, sizeof sc->seams.parts);
}

void scan_unpack(struct scan *sc, const struct vocab *v, const struct added *raw, const struct image *im)
{
	size_t n;
	init(sc, v, raw);
	memcpy(sc->seams.joined, image_part(im, IMAGE_SEAMS, &n), sizeof sc->seams.joined);
	memcpy(sc->seams.parts, image_part(im, IMAGE_PARTS_OF, &n), sizeof sc->seams.parts);
}

/* --- characters of several bytes ---------------------------------------------------------- */

/* What one block leaves to the next. */
struct carry {
	uint64_t letter, number, other, space; /* bit 0: the class of the byte before */
	uint64_t blank, single;                /* it is a blank; one that is in no run */
	uint64_t set, clear;                   /* starts that a contraction has decided */
};

struct text {
	const unsigned char *s;
	size_t n;
	bool nfc, raw; /* what may change in NFC, raw added tokens: to be looked for */
	bool lines;    /* it is many texts, each a line */
	size_t bad;    /* where that was found */
};

/* A character that reaches into the next block, and the one before for the seams. */
struct wide {
	uint64_t class[4], tail; /* bits of the next block */
	size_t end;              /* where the last character ended */
	uint32_t last;           /* that character */
	unsigned last_class;
};

/* Length of the character at s, 0 if it is not well-formed. */
static inline size_t decode(const unsigned char *s, size_t n, uint32_t *cp)
{
	if (s[0] - 0xC2u < 0x1E && n >= 2 && is_tail(s[1])) {
		*cp = (s[0] & 0x1Fu) << 6 | (s[1] & 0x3Fu);
		return 2;
	}
	if ((s[0] & 0xF0) == 0xE0 && n >= 3 && is_tail(s[1]) && is_tail(s[2])) {
		*cp = (s[0] & 0x0Fu) << 12 | (s[1] & 0x3Fu) << 6 | (s[2] & 0x3Fu);
		return *cp >= 0x800 && *cp - 0xD800 >= 0x800 ? 3 : 0;
	}
	return (size_t)utf8_decode((const char *)s, n, cp);
}

/* Bits of the bytes of characters that begin at the bits of `first`. */
static inline uint64_t bytes_of(uint64_t first, uint64_t two, uint64_t three)
{
	first &= two | three;
	return first | first << 1 | (first & three) << 2;
}

static unsigned class_at(const struct scan_said *a, unsigned i)
{
	return (unsigned)(a->low >> i & 1) | (unsigned)(a->high >> i & 1) << 1;
}

/* Whether the block's first character is of three bytes and one of its class, as long or longer, ends before it. */
static bool follows(const struct wide *w, size_t base, const struct scan_leads *l, const struct scan_said *a)
{
	unsigned i = (unsigned)__builtin_ctzll(l->two | l->three);
	return w->end == base + i && w->last >= 0x800 && l->three >> i & 1 && class_at(a, i) == w->last_class;
}

/* What the next block has to know. over: bytes there of the last character. */
static void leave(struct wide *w, size_t base, const struct scan_leads *l, const struct scan_said *a, uint64_t over)
{
	memset(w->class, 0, sizeof w->class);
	w->tail = 0;
	if (!(l->two | l->three))
		return;
	unsigned i = 63 - (unsigned)__builtin_clzll(l->two | l->three), class = class_at(a, i);
	bool three = l->three >> i & 1;
	w->class[class] = over;
	w->tail = class == UNICODE_SPACE ? over : 0;
	w->end = base + i + 2 + three;
	w->last = three ? a->last : 0; /* one of two bytes has no seams */
	w->last_class = class;
}

/* add_wide for a block of well-formed characters of two and three bytes that NFC leaves alone. false: it is
 * another, and nothing is done. */
static bool add_usual(const struct scan *sc, const struct text *x, size_t base, struct scan_mask *m, struct wide *w)
{
	const unsigned char *s = x->s + base;
	uint64_t before = w->class[0] | w->class[1] | w->class[2] | w->class[3];
	if (x->n < base + 67) /* a character may reach behind the block, and is read as four bytes */
		return false;
	struct scan_leads l = sc->isa->leads(s);
	uint64_t first = l.two | l.three, behind = l.two << 1 | l.three << 1 | l.three << 2;
	uint64_t over = l.two >> 63 | l.three >> 63 | l.three >> 62; /* bytes that are in the next block */
	if (l.other || before & first || behind & first || (before | first | behind) != m->high ||
	    (over && !is_tail(s[64])) || (over & 2 && !is_tail(s[65])))
		return false;
	struct scan_said a = sc->isa->ask(&sc->seams, s, l.two, l.three, w->last);
	if (x->nfc && a.any & UNICODE_LOOSE << 2)
		return false;
	uint64_t space = a.low & a.high, alike = l.three & l.three << 3 & ~(a.low ^ a.low << 3) & ~(a.high ^ a.high << 3);
	if (first && follows(w, base, &l, &a))
		alike |= first & -first;
	m->letter |= w->class[UNICODE_LETTER] | bytes_of(a.low & ~a.high, l.two, l.three);
	m->number |= w->class[UNICODE_NUMBER] | bytes_of(a.high & ~a.low, l.two, l.three);
	m->space |= w->class[UNICODE_SPACE] | bytes_of(space, l.two, l.three);
	m->tail = w->tail | (bytes_of(space, l.two, l.three) & ~space);
	m->seam = a.seam & alike & ~space;
	leave(w, base, &l, &a, over);
	return true;
}

/* Puts the characters that begin in the block at s + base into its masks. */
static int add_wide(const struct scan *sc, struct text *x, size_t base, struct scan_mask *m, struct wide *w)
{
	const unsigned char *s = x->s;
	size_t n = x->n;
	uint64_t class[4] = {w->class[0], w->class[1], w->class[2], w->class[3]}, tail = w->tail, sewn = 0;
	uint64_t todo = m->high & ~(class[0] | class[1] | class[2] | class[3]);
	memset(w->class, 0, sizeof w->class);
	w->tail = 0;
	while (todo) {
		unsigned i = (unsigned)__builtin_ctzll(todo);
		size_t at = base + i;
		uint32_t cp = 0; /* what is not well-formed has none */
		size_t len = decode(s + at, n - at, &cp);
		unsigned entry = unicode_entry(cp), c = entry & 3;
		if (len == 0 || (entry >> 2 == UNICODE_LOOSE && x->nfc)) {
			x->bad = at;
			return -1;
		}
		uint64_t bytes = (UINT64_C(1) << len) - 1;
		class[c] |= bytes << i;
		if (c == UNICODE_SPACE)
			tail |= (bytes - 1) << i;
		if (i + len > 64) {
			w->class[c] = bytes >> (64 - i);
			w->tail = c == UNICODE_SPACE ? bytes >> (64 - i) : 0;
		}
		if (len >= 3 && w->end == at && w->last >= 0x800 && c == w->last_class && scan_seam(&sc->seams, w->last, cp, s[at]))
			sewn |= UINT64_C(1) << i;
		todo &= ~(bytes << i);
		w->end = at + len;
		w->last = cp;
		w->last_class = c;
	}
	m->letter |= class[UNICODE_LETTER];
	m->number |= class[UNICODE_NUMBER];
	m->space |= class[UNICODE_SPACE];
	m->tail = tail;
	m->seam = class[UNICODE_SPACE] ? sewn & ~class[UNICODE_SPACE] : sewn;
	return 0;
}

/* --- one block ------------------------------------------------------------------------------ */

static bool raw_token(const struct scan *sc, struct text *x, size_t base, uint64_t raw)
{
	for (; raw; raw &= raw - 1) {
		size_t i = base + (unsigned)__builtin_ctzll(raw);
		if (added_at(sc->raw, (const char *)x->s + i, x->n - i)) {
			x->bad = i;
			return true;
		}
	}
	return false;
}

/* The masks of the block at s + base; zero behind the end. */
static int load(const struct scan *sc, struct text *x, size_t base, struct scan_mask *m, struct wide *w)
{
	unsigned char last[64];
	const unsigned char *p = x->s + base;
	size_t n = x->n;
	if (base >= n) {
		memset(m, 0, sizeof *m);
		return 0;
	}
	if (n - base < 64) {
		memset(last, 0, sizeof last);
		memcpy(last, p, n - base);
		p = last;
	}
	sc->isa->classify(m, p, &sc->nibbles);
	m->tail = m->seam = 0;
	if (!x->lines)
		m->line = 0;
	if (x->raw && m->raw && raw_token(sc, x, base, m->raw))
		return -1;
	if (m->high && !add_usual(sc, x, base, m, w) && add_wide(sc, x, base, m, w))
		return -1;
	if (!m->high)
		w->class[0] = w->class[1] = w->class[2] = w->class[3] = w->tail = 0;
	return 0;
}

/* The last characters of runs of \s that a piece follows, by their first bytes.
 * in: by their last bytes, in this block and the next. */
static uint64_t first_bytes(uint64_t in, uint64_t next_in, uint64_t tail, uint64_t next_tail)
{
	unsigned __int128 x = (unsigned __int128)next_in << 64 | in, t = (unsigned __int128)next_tail << 64 | tail;
	for (int i = 0; i < 2; i++) {
		unsigned __int128 inside = x & t;
		x = (x & ~inside) | inside >> 1;
	}
	return (uint64_t)x;
}

/* A quote that begins a piece may be a contraction, which is a piece. Starts behind it,
 * relative to the block: bits 0-63 in set and clear of this block, more in the carry. */
static uint64_t contractions(const unsigned char *s, size_t n, size_t base, uint64_t start, uint64_t quote, struct carry *c)
{
	unsigned __int128 set = c->set, clear = c->clear;
	for (quote &= start & ~(uint64_t)clear; quote; quote &= quote - 1) {
		unsigned i = (unsigned)__builtin_ctzll(quote);
		size_t len = pretok_contraction((const char *)s + base + i, n - base - i);
		if (len == 0)
			continue;
		clear |= (unsigned __int128)1 << (i + 1);
		set |= (unsigned __int128)1 << (i + len);
	}
	c->set = (uint64_t)(set >> 64);
	c->clear = (uint64_t)(clear >> 64);
	return (start & ~(uint64_t)clear) | (uint64_t)set;
}

static uint64_t begins(uint64_t class, uint64_t before)
{
	return class & ~(class << 1 | before);
}

/* Starts of block m, whose next is b; `valid` bytes of each belong to the text. */
static uint64_t starts_of(const struct scan *sc, const struct scan_mask *m, const struct scan_mask *b, uint64_t valid,
                          uint64_t next_valid, struct carry *c)
{
	uint64_t runs = sc->blanks ? m->blank & (m->blank << 1 | c->blank | m->blank >> 1 | b->blank << 63) : 0;
	uint64_t space = m->space & ~runs & ~m->line, other = valid & ~(m->letter | m->number | m->space), single = m->blank & ~runs;
	uint64_t piece = m->letter | m->number | other, next_piece = next_valid & ~b->space;
	uint64_t last = space & (piece >> 1 | next_piece << 63);
	if (m->tail | b->tail)
		last = first_bytes(last, b->space & next_piece >> 1, m->tail, b->tail);
	uint64_t start = begins(m->letter, c->letter) | begins(m->number, c->number) | begins(other, c->other);
	start &= ~(single << 1 | c->single);
	start |= begins(space, c->space) | begins(runs, c->blank & ~c->single) | last | m->seam | m->line;
	c->letter = m->letter >> 63;
	c->number = m->number >> 63;
	c->other = other >> 63;
	c->space = space >> 63;
	c->blank = m->blank >> 63;
	c->single = single >> 63;
	return start & valid;
}

static uint64_t valid_of(size_t n, size_t base)
{
	return base >= n ? 0 : n - base >= 64 ? UINT64_MAX : (UINT64_C(1) << (n - base)) - 1;
}

static int scan(const struct scan *sc, struct text *t, uint64_t *start)
{
	struct scan_mask block[2];
	struct carry c = {0};
	struct wide w = {.end = SIZE_MAX};
	if (load(sc, t, 0, &block[0], &w))
		return -1;
	for (size_t k = 0; k * 64 < t->n; k++) {
		struct scan_mask *m = &block[k % 2], *next = &block[(k + 1) % 2];
		size_t base = k * 64;
		if (load(sc, t, base + 64, next, &w))
			return -1;
		uint64_t x = starts_of(sc, m, next, valid_of(t->n, base), valid_of(t->n, base + 64), &c);
		if ((m->quote & x) | c.set | c.clear)
			x = contractions(t->s, t->n, base, x, m->quote, &c);
		start[k] = x & valid_of(t->n, base);
	}
	if (t->n % 64 == 0)
		start[t->n / 64] = 0;
	start[t->n / 64] |= UINT64_C(1) << t->n % 64;
	return 0;
}

int scan_starts(const struct scan *sc, const char *s, size_t n, bool clean, uint64_t *start)
{
	struct text t = {.s = (const unsigned char *)s, .n = n, .nfc = sc->nfc && !clean, .raw = sc->raw->n > 0 && !clean};
	return scan(sc, &t, start);
}

int scan_lines(const struct scan *sc, const char *s, size_t n, uint64_t *start, size_t *bad)
{
	struct text t = {.s = (const unsigned char *)s, .n = n, .nfc = sc->nfc, .raw = sc->raw->n > 0, .lines = true};
	int rc = scan(sc, &t, start);
	*bad = t.bad;
	return rc;
}
