/* text/pretok: the pieces of the texts of bpe-texts.jsonl are those of HF's
 * ByteLevel, and those of a plain reading of the pattern. Golden: tests/reference/bpe.py. */
#include "test.h"

#include "base/hash.h"
#include "base/utf8.h"
#include "io/jsonl.h"
#include "text/pretok.h"
#include "text/unicode.h"

enum { MAX = 20000 };

/* A text as code points with their classes, for the plain reading. */
struct points {
	size_t n;
	uint32_t cp[MAX];
	unsigned class[MAX];
	size_t end[MAX]; /* in bytes */
};

static void points_of(struct points *p, const char *s, size_t n)
{
	p->n = 0;
	for (size_t i = 0; i < n && p->n < MAX; p->n++) {
		i += (size_t)utf8_decode(s + i, n - i, &p->cp[p->n]);
		p->class[p->n] = unicode_class(p->cp[p->n]);
		p->end[p->n] = i;
	}
}

static size_t word(const struct points *p, size_t at, const char *s)
{
	size_t n = strlen(s);
	for (size_t i = 0; i < n; i++)
		if (at + i >= p->n || p->cp[at + i] != (unsigned char)s[i])
			return 0;
	return n;
}

static size_t run(const struct points *p, size_t at, unsigned class)
{
	size_t n = 0;
	while (at + n < p->n && p->class[at + n] == class)
		n++;
	return n;
}

/* The alternatives in their order, each as the pattern spells it: characters of the first that matches. */
static size_t plain(const struct points *p, size_t at)
{
	static const char *const words[] = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
	static const unsigned classes[] = {UNICODE_LETTER, UNICODE_NUMBER, UNICODE_OTHER};
	size_t n;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if ((n = word(p, at, words[i])) > 0)
			return n;
	for (size_t i = 0; i < 3; i++)
		for (size_t space = p->cp[at] == ' '; space <= 1; space--)
			if ((n = run(p, at + space, classes[i])) > 0)
				return space + n;
	n = run(p, at, UNICODE_SPACE);
	for (size_t k = n; k > 0; k--)
		if (at + k == p->n || p->class[at + k] == UNICODE_SPACE)
			return k;
	return n;
}

static int same_as_plain(const char *s, size_t n, uint64_t *hash)
{
	static struct points p;
	size_t at = 0, byte = 0;
	points_of(&p, s, n);
	while (byte < n) {
		at += plain(&p, at);
		byte += pretok_gpt2(s + byte, n - byte);
		*hash = hash_word(*hash, (uint32_t)byte);
		if (byte != p.end[at - 1])
			return 0;
	}
	return at == p.n;
}

static void golden(void)
{
	char path[] = "tests/golden/bpe-texts.jsonl", *paths[] = {path}, line[100];
	FILE *f = fopen("tests/golden/pretok.txt", "r");
	struct jsonl in;
	struct json *rec;
	struct err e;
	int count = 0, bad = 0, odd = 0;
	int opened = f && jsonl_open(&in, 1, paths, &e) == 0 && fgets(line, sizeof line, f);
	TEST(opened, "the goldens are there");
	while (opened && jsonl_next(&in, &rec, &e) == 1 && fgets(line, sizeof line, f)) {
		const struct json *text = json_get(rec, "text");
		uint64_t h = HASH_SEED;
		odd += !same_as_plain(text->s, text->n, &h);
		bad += h != strtoull(line, NULL, 16);
		count++;
	}
	TEST(count == 1500 && bad == 0, "%d texts cut, %d not as HF does", count, bad);
	TEST(odd == 0, "%d not as a plain reading of the pattern", odd);
	if (opened)
		jsonl_close(&in);
	if (f)
		fclose(f);
}

/* "a|b|c": where the pieces of the text without the bars end. */
static void cut(const char *want)
{
	char text[100], got[200];
	size_t n = 0, g = 0;
	for (const char *p = want; *p; p++)
		if (*p != '|')
			text[n++] = *p;
	for (size_t at = 0; at < n;) {
		size_t len = pretok_gpt2(text + at, n - at);
		if (at)
			got[g++] = '|';
		memcpy(got + g, text + at, len);
		g += len;
		at += len;
	}
	got[g] = 0;
	TEST(strcmp(got, want) == 0, "%s", want);
}

int main(void)
{
	golden();
	cut("Hi|,| how| are| you|?");
	cut("I|'m| don|'t|'ll|'|S| '|s");
	cut(" ");
	cut("   ");
	cut("a| | b| \n|\t|c");
	cut("x|12| 34|.|5|\n\n");
	cut("''|s|'re|'|v");
	cut("!'|s");
	return test_done();
}
