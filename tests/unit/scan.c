/* text/scan and text/words: with every instruction set this CPU has, the ids of a
 * drawn text are those of pretok_gpt2 and plain merging between its added tokens. */
#include "test.h"

#include "base/hash.h"
#include "base/utf8.h"
#include "text/bpe.h"
#include "text/merge.h"
#include "text/pretok.h"
#include "text/scan.h"
#include "text/unicode.h"
#include "text/words.h"

enum { MAX = 8000, TEXTS = 4000 };

static struct vocab v;
static struct merge m;
static struct added raw, normalized;

static uint32_t below(uint64_t *h, uint32_t n)
{
	*h = hash_word(*h, 1);
	return (uint32_t)(*h >> 32) % n;
}

/* All that the scanner treats in a way of its own, and what is beside it. */
static const char *const part[] = {
	"a", "the", "don", "I", "internationalization", " ", " ", "  ", "   ", "\t", "\r", "\n", "\n\n", "'s", "'t", "'re",
	"'ll", "'ve", "'m", "'d", "'", "''", "'S", "1", "42", "2026", "!", "?!", "\"", "<", "<|", "x", " y", " 1", " !",
	"\xC3\xA9", "\xC3\x9F", "\xC2\xA0", "\xE3\x80\x80", "\xE2\x80\x83", "\xE2\x80\xA8", "\xC2\x85", "\xE1\x9A\x80",
	"\xE4\xB8\xAD", "\xE6\x96\x87", "\xE6\x88\x91\xE4\xBB\xAC", "\xE3\x82\xAB\xE3\x83\x8A", "\xE3\x83\xBC", "\xED\x95\x9C",
	"\xD0\x9F\xD1\x80", "\xD0\xBE", "\xD8\xA7", "\xE0\xB8\xB2\xE0\xB9\x80", "\xE0\xB8\xB2\xE0\xB8\xAC", "\xE3\x83\xBC\xE3\x83\xAE", "\xF0\x9F\x98\x80", "\xE2\x80\x8D",
	"\xC2\xBD", "\xD9\xA3", "\x01", "\xE3\x80\x82", "\xEF\xBC\x8C", "\xF0\x90\x8C\xB0", "\xF0\x9D\x9F\x98"};
enum { PARTS = sizeof part / sizeof *part };

static size_t draw_text(uint64_t *h, char *s)
{
	size_t n = 0, parts = 1 + below(h, below(h, 4) ? 20 : 400);
	uint32_t first = below(h, PARTS), span = below(h, 3) ? PARTS : 4;
	for (size_t i = 0; i < parts && n < MAX - 100; i++) {
		const char *p = part[(first + below(h, span)) % PARTS];
		size_t times = below(h, 40) ? 1 : below(h, 30);
		for (size_t k = 0; k < times && n < MAX - 100; k++) {
			memcpy(s + n, p, strlen(p));
			n += strlen(p);
		}
	}
	return n;
}

/* The plain way. s is in NFC and holds no raw token. */
static size_t plain(const char *s, size_t n, int32_t *ids)
{
	size_t k = 0, count;
	while (n) {
		const struct vocab_added *hit;
		size_t at = added_find(&normalized, s, n, &hit);
		for (size_t i = 0, len; i < at; i += len) {
			len = pretok_gpt2(s + i, at - i);
			merge_word(&m, s + i, len, ids + k, &count);
			k += count;
		}
		if (hit)
			ids[k++] = hit->id;
		s += at + (hit ? hit->n : 0);
		n -= at + (hit ? hit->n : 0);
	}
	return k;
}

/* narrow: as words.h keeps ids of a small vocabulary, if it is one; else as of a large one. */
static void against_plain(const struct scan_isa *isa, const struct merge_isa *merging, const char *what, bool narrow)
{
	static char s[MAX];
	static int32_t got[MAX + WORDS_SPARE], want[MAX];
	static uint64_t start[MAX / 64 + 1];
	struct scan sc;
	struct words w;
	struct err e;
	uint64_t draw = HASH_SEED;
	int bad = 0, slow = 0;
	size_t tokens = 0;
	scan_init(&sc, &v, &raw);
	if (words_init(&w, &v, &m, sc.blanks, &e))
		exit(1);
	sc.isa = isa;
	m.isa = merging;
	w.narrow &= narrow;
	for (int i = 0; i < TEXTS; i++) {
		size_t n = draw_text(&draw, s), count;
		char *own = malloc(n); /* of its size, for the sanitizer to watch */
		memcpy(own, s, n);
		int rc = scan_starts(&sc, own, n, i % 2, start);
		if (rc == 0)
			rc = words_of(&w, own, n, n, start, got, &count);
		slow += rc != 0;
		if (rc == 0) {
			size_t have = plain(own, n, want);
			bad += have != count || memcmp(got, want, count * sizeof *got) != 0;
			tokens += count;
		}
		free(own);
	}
	TEST(bad == 0, "%s, %s, %s ids: %d texts of %zu tokens, %d read otherwise than the plain way", what, isa->name, narrow ? "narrow" : "wide", TEXTS - slow, tokens, bad);
	TEST(slow < TEXTS / 4, "%s, %s: %d texts left to the plain way", what, isa->name, slow);
	words_release(&w);
}

/* Lines at once are their texts one by one: ends, ids, and what is left to the slow way. */
static void lines(const char *tokenizer, const char *what)
{
	static char s[MAX];
	uint64_t draw = HASH_SEED + 1;
	struct bpe *t;
	struct bpe_ids all = {0}, one = {0};
	struct bpe_ends ends = {0};
	struct err e;
	int bad = 0, count = 0;
	if (bpe_load(&t, tokenizer, &e))
		return;
	for (int i = 0; i < TEXTS; i++) {
		size_t n = draw_text(&draw, s), at = 0, from = 0, taken;
		if (below(&draw, 8) == 0)
			n += (size_t)sprintf(s + n, "%s\n\r\n", below(&draw, 2) ? "<|endoftext|> e\xCC\x81" : "a\xFFz");
		char *own = malloc(n + 16);
		memcpy(own, s, n);
		while (at < n) {
			all.n = ends.n = 0;
			int rc = bpe_lines(t, own + at, n - at, n - at + (i % 2 ? 16 : 0), &all, &ends, &taken, &e);
			size_t end = at + taken, k = 0;
			for (from = 0; k < ends.n; from = ends.v[k++], count++) {
				char *nl = memchr(own + at, '\n', n - at);
				size_t len = nl ? (size_t)(nl - own) - at : n - at, cut = len && own[at + len - 1] == '\r' ? len - 1 : len;
				one.n = 0;
				bad += bpe_encode(t, own + at, cut, &one, &e) || one.n != ends.v[k] - from ||
				       (one.n && memcmp(one.v, all.v + from, one.n * sizeof *one.v) != 0);
				at += len + (nl != NULL);
			}
			bad += at != end || (rc == 0 && k == 0);
			if (rc) { /* a line that is not UTF-8 */
				char *nl = memchr(own + at, '\n', n - at);
				size_t len = nl ? (size_t)(nl - own) - at : n - at;
				bad += bpe_encode(t, own + at, len, &one, &e) == 0;
				at += len + (nl != NULL);
			}
		}
		free(own);
	}
	TEST(bad == 0 && count > TEXTS, "%s: %d lines at once, %d not as one by one", what, count, bad);
	bpe_ids_release(&all);
	bpe_ids_release(&one);
	bpe_ends_release(&ends);
	bpe_close(t);
}

static void slow_ones(void)
{
	static const struct { const char *s; int rc; const char *why; } t[] = {
		{"plain text", 0, "plain text"},
		{"e\xCC\x81", -1, "a mark that composes"},
		{"\xE1\x84\x80\xE1\x85\xA1", -1, "jamo"},
		{"a\xFFz", -1, "no UTF-8"},
		{"a\xE4\xB8", -1, "a character cut off"},
		{"a\xED\xA0\x80z", -1, "a surrogate"},
		{"a\xC0\x80z", -1, "an overlong form"},
		{"a <|endoftext|> b", -1, "a raw token"},
		{"a <|endoftex b", 0, "the beginning of a raw token"}};
	uint64_t start[2];
	struct scan sc;
	scan_init(&sc, &v, &raw);
	for (size_t i = 0; i < sizeof t / sizeof *t; i++)
		for (int k = 0; scan_at(k); k++) {
			sc.isa = scan_at(k);
			TEST(scan_starts(&sc, t[i].s, strlen(t[i].s), false, start) == t[i].rc, "%s, %s", t[i].why, sc.isa->name);
		}
}

/* Text of characters of several bytes with a byte changed, or a mark that composes put in, anywhere. */
static void damaged(void)
{
	static char s[MAX];
	static uint64_t start[MAX / 64 + 1];
	uint64_t draw = HASH_SEED + 2;
	struct scan sc;
	int bad = 0, refused = 0, count = 0;
	scan_init(&sc, &v, &raw);
	for (int i = 0; i < 20 * TEXTS; i++) {
		size_t n = 0, at;
		while (n < 150) {
			const char *p = part[below(&draw, PARTS)];
			for (uint32_t k = below(&draw, 40); k > 0 && (unsigned char)p[0] >= 0x80 && n < 300; k--) {
				memcpy(s + n, p, strlen(p));
				n += strlen(p);
			}
		}
		at = below(&draw, (uint32_t)n - 3);
		if (i % 3 == 0)
			s[at] = (char)below(&draw, 256);
		else if (i % 3 == 1)
			memcpy(s + at, i % 2 ? "\xE3\x82\x99" : "\xCC\x81z", 3);
		bool clean = below(&draw, 2), valid = utf8_valid(s, n) == n;
		bool fit = valid && (clean || !sc.nfc || unicode_is_nfc(s, n));
		for (int k = 0; scan_at(k); k++, count++) {
			sc.isa = scan_at(k);
			bad += scan_starts(&sc, s, n, clean, start) != (fit ? 0 : -1);
			refused += !fit;
		}
	}
	TEST(bad == 0 && refused > count / 8 && refused < count * 7 / 8,
	     "%d of %d texts are refused for a byte or a mark, %d wrongly so or not", refused, count, bad);
}

/* Leaves the scanner the added tokens that it knows: raw ones and runs of blanks. */
static void drop_others(void)
{
	size_t k = 0;
	for (size_t i = 0; i < v.nadded; i++)
		if (!v.added[i].normalized || strspn(v.added[i].text, " ") == v.added[i].n)
			v.added[k++] = v.added[i];
	v.nadded = k;
}

static int open_vocab(const char *path)
{
	struct err e;
	if (vocab_load(&v, path, &e))
		return -1;
	drop_others();
	return merge_init(&m, &v, &e) || added_init(&raw, &v, false, &e) || added_init(&normalized, &v, true, &e);
}

static void close_vocab(void)
{
	added_release(&raw);
	added_release(&normalized);
	merge_release(&m);
	vocab_release(&v);
}

static void with(const char *path, const char *what)
{
	if (open_vocab(path)) {
		printf("# no %s on this machine\n", what);
		return;
	}
	for (int k = 0; scan_at(k); k++) {
		against_plain(scan_at(k), merge_at(k), what, true);
		against_plain(scan_at(k), merge_at(k), what, false);
	}
	close_vocab();
}

int main(void)
{
	const char *dir = getenv("NXTOOLS_DATA");
	char path[4096];
	with("tests/golden/bpe-small.json", "a small tokenizer");
	snprintf(path, sizeof path, "%s/pythia.tokenizer.json", dir && *dir ? dir : "../shared/data");
	with(path, "pythia's");
	if (open_vocab("tests/golden/bpe-small.json"))
		return 1;
	slow_ones();
	damaged();
	close_vocab();
	lines("tests/golden/variants/gpt2.json", "one like GPT-2's");
	lines("tests/golden/bpe-small.json", "a small one");
	lines(path, "pythia's");
	return test_done();
}
