/* text/bpetrain: the same merges and ids as HF's BpeTrainer. The goldens are
 * made by tests/reference/bpetrain.py, whose texts are these. */
#include "test.h"

#include "base/hash.h"
#include "io/in.h"
#include "io/json.h"
#include "text/bpetrain.h"

#include <stdbool.h>

static uint64_t lcg;

static unsigned draw(unsigned n)
{
	lcg = lcg * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)((lcg >> 33) % n);
}

/* The made-up words of bpetrain.py. */
static int feed_made_up(struct bpetrain *t, const char *letters, unsigned longest, int lines, uint64_t seed, struct err *e)
{
	struct buf line = {0};
	int rc = 0;
	lcg = seed;
	for (int i = 0; i < lines && rc == 0; i++) {
		buf_reset(&line);
		for (int w = 0; w < 10; w++) {
			unsigned n = 1 + draw(longest);
			rc |= w && longest < 40 ? buf_addc(&line, ' ') : 0; /* else one long word a line */
			while (n--)
				rc |= buf_addc(&line, letters[draw((unsigned)strlen(letters))]);
		}
		rc |= buf_addc(&line, '\n');
		rc = rc ? err_mem(e) : bpetrain_feed(t, line.p, line.n, e);
	}
	buf_release(&line);
	return rc;
}

/* Line by line, each with its newline. */
static int feed_lines(struct bpetrain *t, const char *p, size_t n, struct err *e)
{
	for (const char *end = p + n; p < end;) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t len = nl ? (size_t)(nl - p) + 1 : (size_t)(end - p);
		if (bpetrain_feed(t, p, len, e))
			return -1;
		p += len;
	}
	return 0;
}

static int feed_file(struct bpetrain *t, const char *path, struct err *e)
{
	struct buf b = {0};
	int rc = in_slurp(path, &b, e) || feed_lines(t, b.p, b.n, e) ? -1 : 0;
	buf_release(&b);
	return rc;
}

struct run {
	const char *name;
	const char *letters; /* of made-up words; NULL: a file, or the text */
	unsigned longest;
	int lines;
	uint64_t seed;
	uint32_t vocab;
	uint64_t min_frequency;
	const char *special[10];
	const char *file, *text;
	struct bpetrain_rule more; /* what else is wanted */
};

static int feed(struct bpetrain *t, const struct run *c, struct err *e)
{
	if (c->letters)
		return feed_made_up(t, c->letters, c->longest, c->lines, c->seed, e);
	return c->file ? feed_file(t, c->file, e) : feed_lines(t, c->text, strlen(c->text), e);
}

static int learn(struct bpetrain **t, const struct run *c, int threads, struct err *e)
{
	struct bpetrain_rule rule = c->more;
	int rc;
	rule.vocab = c->vocab;
	rule.min_frequency = c->min_frequency;
	rule.special = c->special;
	rule.threads = threads;
	while (c->special[rule.nspecial])
		rule.nspecial++;
	if (bpetrain_open(t, &rule, e))
		return -1;
	if (feed(*t, c, e)) {
		bpetrain_close(*t);
		return -1;
	}
	while ((rc = bpetrain_step(*t, e)) == 1)
		;
	return rc;
}

/* The tokens in order of id, each with a newline, hashed. */
static uint64_t digest(const struct json *vocab)
{
	struct buf b = {0};
	int64_t id, want = 0;
	bool ordered = true;
	for (const struct json *v = vocab->child; v; v = v->next) {
		ordered = ordered && json_i64(v, &id) == 0 && id == want++;
		if (buf_add(&b, v->key, v->keylen) || buf_addc(&b, '\n'))
			abort();
	}
	uint64_t h = ordered ? hash_bytes(HASH_SEED, b.p, b.n) : 0;
	buf_release(&b);
	return h;
}

/* Compares a tokenizer.json with NAME.merges: how many merges are the same, or -1. */
static int compare(const struct json *model, const char *name)
{
	struct buf b = {0};
	struct err e;
	char path[100];
	unsigned tokens;
	unsigned long long hash;
	snprintf(path, sizeof path, "tests/golden/bpetrain_%s.merges", name);
	if (in_slurp(path, &b, &e) || !buf_str(&b) || sscanf(b.p, "# %u %llx", &tokens, &hash) != 2)
		return -1;
	const struct json *vocab = json_get(model, "vocab"), *m = json_get(model, "merges")->child;
	int n = vocab->n == tokens && digest(vocab) == hash ? 0 : -1;
	const char *p = strchr(b.p, '\n') + 1;
	for (; n >= 0 && m && *p; m = m->next, n++) {
		size_t len = strcspn(p, "\n");
		if (m->n != len || memcmp(m->s, p, len) != 0)
			break;
		p += len + 1;
	}
	if (n >= 0 && (m || *p))
		printf("# merge %d: %s, not %.*s\n", n, m ? m->s : "none", (int)strcspn(p, "\n"), p);
	n = m || *p ? -1 : n;
	buf_release(&b);
	return n;
}

/* The special tokens, once each, in order, with their ids; the rest of the file as HF wants it. */
static bool well_formed(const struct json *v, const struct run *c)
{
	static const char *const parts[][2] = {{"normalizer", "NFC"}, {"pre_tokenizer", "ByteLevel"},
	                                       {"post_processor", "ByteLevel"}, {"decoder", "ByteLevel"}, {"model", "BPE"}};
	const struct json *t = json_get(v, "added_tokens")->child;
	int64_t id, want = 0;
	bool ok = true;
	for (size_t i = c->more.plain ? 1 : 0; i < sizeof parts / sizeof *parts; i++)
		ok = ok && json_streq(json_get(json_get(v, parts[i][0]), "type"), parts[i][1]);
	ok = ok && json_is(json_get(json_get(v, "pre_tokenizer"), "add_prefix_space"), c->more.prefix_space ? JSON_TRUE : JSON_FALSE) &&
	     json_is(json_get(v, "normalizer"), JSON_NULL) == c->more.plain;
	for (int i = 0; c->special[i]; i++) {
		bool again = false;
		for (int j = 0; j < i; j++)
			again = again || strcmp(c->special[i], c->special[j]) == 0;
		if (again)
			continue;
		ok = ok && json_streq(json_get(t, "content"), c->special[i]) && json_is(json_get(t, "special"), JSON_TRUE) &&
		     json_is(json_get(t, "normalized"), JSON_FALSE) && json_i64(json_get(t, "id"), &id) == 0 && id == want++;
		t = t ? t->next : NULL;
	}
	return ok && !t;
}

static void check(const struct run *c, int threads)
{
	struct bpetrain *t;
	struct buf text = {0};
	struct arena a = {0};
	struct json *v;
	struct err e = {0};
	if (learn(&t, c, threads, &e)) {
		TEST(0, "%s: %s", c->name, e.msg);
		return;
	}
	TEST(bpetrain_write(t, &text, &e) == 0 && json_parse(&a, text.p, text.n, &v, &e) == 0, "%s: writes JSON", c->name);
	TEST(well_formed(v, c), "%s: added tokens and the rest of the file", c->name);
	const struct json *model = json_get(v, "model");
	int n = compare(model, c->name);
	TEST(n >= 0 && n == (int)bpetrain_merges(t), "%s, %d threads: %u tokens, %u merges of %u words as HF has them", c->name,
	     threads, bpetrain_vocab(t), bpetrain_merges(t), bpetrain_words(t));
	arena_release(&a);
	buf_release(&text);
	bpetrain_close(t);
}

static void bad_input(void)
{
	static const char *const empty[] = {""};
	struct bpetrain_rule rule = {.vocab = 300, .special = empty, .nspecial = 1};
	struct bpetrain *t;
	struct err e = {0};
	TEST(bpetrain_open(&t, &rule, &e) == -1 && e.kind == ERR_USAGE, "an empty special token: %s", e.msg);
	rule.nspecial = 0;
	if (bpetrain_open(&t, &rule, &e))
		abort();
	TEST(bpetrain_feed(t, "word \xC3(", 7, &e) == -1 && e.kind == ERR_DATA && bpetrain_words(t) == 0,
	     "invalid UTF-8 is refused, and nothing of it counted: %s", e.msg);
	TEST(bpetrain_feed(t, "", 0, &e) == 0 && bpetrain_step(t, &e) == 0 && bpetrain_step(t, &e) == 0 && bpetrain_vocab(t) == 256,
	     "no text: the 256 bytes alone");
	bpetrain_close(t);
}

#define PYTHIA {"<|endoftext|>", "<|padding|>"}
#define MULTI "tests/golden/bpetrain_multi.txt"
#define CODE "tests/golden/bpetrain_code.txt"
#define A37 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define BAA "baaab aaab baaa "

int main(void)
{
	static const struct run runs[] = {
		{"two", "ab", 12, 60, 1, 420, 0, PYTHIA, NULL, NULL, {0}},
		{"three", "abc", 9, 200, 2, 700, 2, {NULL}, NULL, NULL, {0}},
		{"many", "aeiounrtslkd", 7, 400, 3, 1200, 3, PYTHIA, NULL, NULL, {0}},
		{"special", "ab", 12, 60, 4, 400, 0, {"ab", "Ġa", "a", "aab", "bb", "ab", "Ġ"}, NULL, NULL, {0}},
		{"special2", "abc", 16, 300, 5, 1500, 0, {"abc", "bcab", "ca", "cab", "Ġabca", "aa", "aaa", "bca"}, NULL, NULL, {0}},
		{"none", "ab", 12, 60, 6, 100, 0, PYTHIA, NULL, NULL, {0}},
		{"dry", NULL, 0, 0, 0, 1000, 0, PYTHIA, NULL, "abcd abcd\nxyz\n", {0}},
		{"multi", NULL, 0, 0, 0, 900, 0, PYTHIA, MULTI, NULL, {0}},
		{"code", NULL, 0, 0, 0, 1000, 2, PYTHIA, CODE, NULL, {0}},
		{"often", NULL, 0, 0, 0, 1000, 5, PYTHIA, CODE, NULL, {0}},
		{"once", NULL, 0, 0, 0, 700, 1, {NULL}, CODE, NULL, {0}},
		{"run", NULL, 0, 0, 0, 300, 0, {NULL}, NULL, A37 "\naaa aaaa a aa aaaaa aaaaaaaaaaa\nbaaab aaab baaa\n", {0}},
		{"long", "abcd", 40, 20, 7, 700, 0, {NULL}, NULL, NULL, {0}},
		{"empty", NULL, 0, 0, 0, 300, 0, PYTHIA, NULL, "", {0}},
		{"max1", NULL, 0, 0, 0, 900, 0, PYTHIA, MULTI, NULL, {.max_token_length = 1}},
		{"max4", NULL, 0, 0, 0, 900, 0, PYTHIA, MULTI, NULL, {.max_token_length = 4}},
		{"max16", NULL, 0, 0, 0, 1500, 0, {NULL}, CODE, NULL, {.max_token_length = 16}},
		{"runmax", NULL, 0, 0, 0, 300, 0, {NULL}, NULL, A37 "\n" BAA BAA BAA "\n", {.max_token_length = 5}},
		{"seen", NULL, 0, 0, 0, 600, 0, PYTHIA, MULTI, NULL, {.seen_bytes = true}},
		{"limit", NULL, 0, 0, 0, 500, 0, {"z", "Ġ"}, MULTI, NULL, {.seen_bytes = true, .limit_alphabet = 20}},
		{"prefix", NULL, 0, 0, 0, 700, 0, PYTHIA, CODE, NULL, {.prefix_space = true}},
		{"plain", NULL, 0, 0, 0, 900, 0, PYTHIA, MULTI, NULL, {.plain = true}},
	};
	for (size_t i = 0; i < sizeof runs / sizeof *runs; i++)
		for (int threads = 1; threads < 4; threads += 2)
			check(&runs[i], threads);
	bad_input();
	return test_done();
}
