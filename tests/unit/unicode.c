/* text/unicode: classes and NFC of all code points, and NFC of drawn sequences,
 * equal to HF's. The golden is made by tests/reference/bpe.py. */
#include "test.h"

#include "base/hash.h"
#include "base/utf8.h"
#include "text/unicode.h"

#include <time.h>

enum { POOLS = 16 };
struct pool {
	size_t n;
	uint32_t *cp;
};

/* As bpe.py draws. */
static uint32_t below(uint64_t *h, uint32_t n)
{
	*h = hash_word(*h, 1);
	return (uint32_t)(*h >> 32) % n;
}

static void put(struct buf *b, uint32_t cp)
{
	char s[4];
	if (buf_add(b, s, (size_t)utf8_encode(cp, s)))
		abort();
}

/* The NFC of s, which is also checked against the quick check, hashed. */
static uint64_t hash_nfc(uint64_t h, const struct buf *s, int *bad)
{
	static struct buf out;
	buf_reset(&out);
	if (unicode_nfc(&out, s->p, s->n))
		abort();
	if (unicode_is_nfc(s->p, s->n))
		*bad += out.n != s->n || memcmp(out.p, s->p, s->n) != 0;
	return hash_bytes(h, out.p, out.n);
}

static void plane(unsigned number, uint64_t want_classes, uint64_t want_nfc)
{
	static struct buf s;
	uint64_t classes = HASH_SEED, nfc = HASH_SEED;
	int bad = 0;
	for (uint32_t cp = number << 16; cp < (number + 1) << 16; cp++) {
		if (cp >= 0xD800 && cp < 0xE000)
			continue;
		classes = hash_word(classes, unicode_class(cp));
		buf_reset(&s);
		put(&s, cp);
		nfc = hash_nfc(nfc, &s, &bad);
		put(&s, 0x323);
		put(&s, 0x301);
		nfc = hash_nfc(nfc, &s, &bad);
	}
	TEST(classes == want_classes, "classes of plane %u", number);
	TEST(nfc == want_nfc, "NFC of plane %u", number);
	TEST(bad == 0, "plane %u: %d texts called NFC that are not", number, bad);
}

static void read_pool(struct pool *p, const char *line)
{
	int at;
	unsigned cp;
	size_t n = 0;
	if (sscanf(line, "pool %*u %zu%n", &p->n, &at) != 1 || !(p->cp = malloc((p->n + 1) * sizeof *p->cp)))
		abort();
	for (int len; n < p->n && sscanf(line + at, "%x%n", &cp, &len) == 1; at += len)
		p->cp[n++] = cp;
	TEST(n == p->n, "a pool of %zu code points", p->n);
}

static void drawn(const struct pool *pool, unsigned pools, uint64_t *draw, uint64_t want)
{
	static struct buf s;
	uint64_t h = HASH_SEED;
	int bad = 0;
	for (int i = 0; i < 1000; i++) {
		buf_reset(&s);
		for (uint32_t n = 1 + below(draw, 12); n > 0; n--) {
			const struct pool *p = &pool[below(draw, pools)];
			put(&s, p->cp[below(draw, (uint32_t)p->n)]);
		}
		h = hash_nfc(h, &s, &bad);
	}
	TEST(h == want && bad == 0, "NFC of 1000 drawn texts");
}

static void golden(void)
{
	FILE *f = fopen("tests/golden/unicode.txt", "r");
	struct pool pool[POOLS];
	unsigned pools = 0, number;
	uint64_t draw = hash_word(HASH_SEED, 11);
	unsigned long long a, b;
	char *line = NULL;
	size_t cap = 0;
	int count = 0;
	TEST(f != NULL, "the golden is there");
	while (f && getline(&line, &cap, f) > 0) {
		if (sscanf(line, "plane %u %llx %llx", &number, &a, &b) == 3)
			plane(number, a, b);
		else if (strncmp(line, "pool ", 5) == 0 && pools < POOLS)
			read_pool(&pool[pools++], line);
		else if (sscanf(line, "drawn %llx", &a) == 1)
			drawn(pool, pools, &draw, a);
		else
			continue;
		count++;
	}
	TEST(count == 17 + 6 + 20, "%d lines compared", count);
	for (unsigned i = 0; i < pools; i++)
		free(pool[i].cp);
	free(line);
	if (f)
		fclose(f);
}

/* A text that is one run of marks in the worst order must not cost the square of its length. */
static void long_run(void)
{
	struct buf s = {0}, out = {0};
	enum { N = 1000000 };
	put(&s, 'a');
	for (int i = 0; i < N / 2; i++) {
		put(&s, 0x345);
		put(&s, 0x334);
	}
	clock_t start = clock();
	TEST(unicode_nfc(&out, s.p, s.n) == 0 && out.n == s.n, "a million marks");
	TEST((double)(clock() - start) / CLOCKS_PER_SEC < 10, "in less than ten seconds, sanitized too");
	TEST(out.n == s.n && memcmp(out.p, "a\xCC\xB4\xCC\xB4", 5) == 0 && memcmp(out.p + out.n - 4, "\xCD\x85\xCD\x85", 4) == 0,
	     "in canonical order");
	buf_release(&s);
	buf_release(&out);
}

static void replacing(void)
{
	static const struct {
		const char *in, *out;
	} t[] = {{"", ""}, {"a\xC3\xA9", "a\xC3\xA9"}, {"\xFF", "\xEF\xBF\xBD"}, {"\xC3", "\xEF\xBF\xBD"},
	         {"\xC0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD"}, {"\xE2\x82", "\xEF\xBF\xBD"}, {"\xE2\x82x", "\xEF\xBF\xBDx"},
	         {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"}, {"\xF0\x9F\x98", "\xEF\xBF\xBD"},
	         {"\xF4\x90\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"}, {"\xE0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD"},
	         {"x\xF0\x9F\x98\x80y\x80z", "x\xF0\x9F\x98\x80y\xEF\xBF\xBDz"}};
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct buf b = {0};
		int rc = utf8_replace(&b, t[i].in, strlen(t[i].in));
		const char *got = buf_str(&b);
		TEST(rc == 0 && got && strcmp(got, t[i].out) == 0, "ill-formed sequence %zu", i);
		buf_release(&b);
	}
}

static void shown(const char *s, size_t cap, const char *want)
{
	char out[64];
	utf8_harmless(out, cap, s);
	TEST(strcmp(out, want) == 0, "in %zu bytes: %s", cap, out);
}

static void harmless(void)
{
	shown("a\033[31m\n\t\x7f b", 64, "a?[31m??? b");
	shown("\xc2\x9b|\xc2\xa0|\u200f|\u2028|\u202e|\u2066|\u2070", 64, "?|\xc2\xa0|?|?|?|?|\u2070");
	shown("\xff|\xe6\x9d|\xe6\x9d\xb1", 64, "?|\?\?|\xe6\x9d\xb1");
	shown("ab\xe6\x9d\xb1", 6, "ab\xe6\x9d\xb1");
	shown("ab\xe6\x9d\xb1", 5, "ab"); /* no half of a character */
	shown("abc", 1, "");
}

int main(void)
{
	harmless();
	golden();
	long_run();
	replacing();
	return test_done();
}
