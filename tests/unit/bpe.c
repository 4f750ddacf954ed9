/* text/bpe: ids and text of hard records and of drawn ids are those of HF, with
 * a small tokenizer and, where it is there, Pythia's; and the ids are those of a
 * plain slow encoder. Goldens: tests/reference/bpe.py. */
#include "test.h"

#include "base/hash.h"
#include "io/jsonl.h"
#include "text/bpe.h"
#include "text/pretok.h"
#include "text/unicode.h"
#include "text/vocab.h"

#define SMALL "tests/golden/bpe-small.json"
#define TEXTS "tests/golden/bpe-texts.jsonl"

static struct bpe *load(const char *path)
{
	struct bpe *t = NULL;
	struct err e;
	if (bpe_load(&t, path, &e)) {
		printf("# %s\n", e.msg);
		exit(1);
	}
	return t;
}

/* --- against HF ------------------------------------------------------------------- */

static uint64_t hash_decoded(const struct bpe *t, const struct bpe_ids *ids, bool skip_special)
{
	struct buf b = {0};
	struct err e;
	if (bpe_decode(t, ids->v, ids->n, skip_special, &b, &e)) {
		printf("# %s\n", e.msg);
		return 0;
	}
	uint64_t h = hash_bytes(HASH_SEED, b.p, b.n);
	buf_release(&b);
	return h;
}

/* 1 if the next line of f holds the hashes of the ids and of their texts. */
static int agrees(FILE *f, const struct bpe *t, const struct bpe_ids *ids)
{
	unsigned long long want[3];
	uint64_t h = HASH_SEED;
	for (size_t i = 0; i < ids->n; i++)
		h = hash_word(h, (uint32_t)ids->v[i]);
	return fscanf(f, "%llx %llx %llx", &want[0], &want[1], &want[2]) == 3 && h == want[0] &&
	       hash_decoded(t, ids, false) == want[1] && hash_decoded(t, ids, true) == want[2];
}

static void drawn_ids(FILE *f, const struct bpe *t)
{
	struct bpe_ids ids = {0};
	uint64_t draw = hash_word(HASH_SEED, 7);
	int bad = 0;
	for (int i = 0; i < 200; i++) {
		ids.n = 0;
		for (int k = 0; k < i % 40; k++) {
			draw = hash_word(draw, 1);
			if (bpe_ids_add(&ids, (int32_t)((uint32_t)(draw >> 32) % bpe_vocab(t))))
				abort();
		}
		bad += !agrees(f, t, &ids);
	}
	TEST(bad == 0, "200 lists of drawn ids decoded, %d not as HF does", bad);
	bpe_ids_release(&ids);
}

static void golden(const char *tokenizer, const char *name)
{
	char path[] = TEXTS, *paths[] = {path};
	struct bpe *t = load(tokenizer);
	FILE *f = fopen(name, "r");
	struct bpe_ids ids = {0};
	struct jsonl in;
	struct json *rec;
	struct err e;
	int count = 0, bad = 0;
	int opened = f && jsonl_open(&in, 1, paths, &e) == 0 && fscanf(f, "#%*[^\n]") == 0;
	TEST(opened, "%s is there", name);
	while (opened && jsonl_next(&in, &rec, &e) == 1) {
		const struct json *text = json_get(rec, "text");
		ids.n = 0;
		int ok = bpe_encode(t, text->s, text->n, &ids, &e) == 0 && agrees(f, t, &ids);
		if (!ok && bad++ == 0)
			printf("# record %d differs\n", count + 1);
		count++;
	}
	TEST(count == 1500 && bad == 0, "%d records of %s, %d not as in HF", count, name, bad);
	if (opened) {
		drawn_ids(f, t);
		jsonl_close(&in);
		fclose(f);
	}
	bpe_ids_release(&ids);
	bpe_close(t);
}

/* --- against a plain reading of the method ---------------------------------------- */

/* The longest added token of one kind that s[0..n) begins with. */
static const struct vocab_added *plain_match(const struct vocab *v, bool normalized, const char *s, size_t n)
{
	const struct vocab_added *best = NULL;
	for (size_t i = 0; i < v->nadded; i++) {
		const struct vocab_added *a = &v->added[i];
		if (a->normalized == normalized && a->n <= n && memcmp(a->text, s, a->n) == 0 && (!best || a->n > best->n))
			best = a;
	}
	return best;
}

/* Of all merges that apply anywhere the first in the list, at its first place; again and again. */
static size_t plain_merge(const struct vocab *v, int32_t *id, size_t n)
{
	for (;;) {
		size_t m = 0, at = 0;
		for (; m < v->nmerge; m++) {
			for (at = 0; at + 1 < n; at++)
				if (id[at] == v->merge[m].a && id[at + 1] == v->merge[m].b)
					break;
			if (at + 1 < n)
				break;
		}
		if (m == v->nmerge)
			return n;
		id[at] = v->merge[m].id;
		n--;
		memmove(id + at + 1, id + at + 2, (n - at - 1) * sizeof *id);
	}
}

static void plain_segment(const struct vocab *v, const char *s, size_t n, struct bpe_ids *out)
{
	while (n) {
		size_t len = pretok_gpt2(s, n), from = out->n;
		for (size_t i = 0; i < len; i++)
			if (bpe_ids_add(out, v->byte[(unsigned char)s[i]]))
				abort();
		out->n = from + plain_merge(v, out->v + from, len);
		s += len;
		n -= len;
	}
}

/* What is between added tokens goes through NFC (after the raw ones) or to the words (after the others). */
static void plain_encode(const struct vocab *v, bool normalized, const char *s, size_t n, struct bpe_ids *out)
{
	for (size_t i = 0; i <= n;) {
		const struct vocab_added *a = i < n ? plain_match(v, normalized, s + i, n - i) : NULL;
		if (!a && i < n) {
			i++;
			continue;
		}
		struct buf b = {0};
		if (normalized)
			plain_segment(v, s, i, out);
		else if (unicode_nfc(&b, s, i))
			abort();
		else
			plain_encode(v, true, b.p, b.n, out);
		buf_release(&b);
		if (!a)
			return;
		if (bpe_ids_add(out, a->id))
			abort();
		s += i + a->n;
		n -= i + a->n;
		i = 0;
	}
}

static void against_plain(void)
{
	char path[] = TEXTS, *paths[] = {path};
	struct bpe *t = load(SMALL);
	struct vocab v;
	struct bpe_ids got = {0}, want = {0};
	struct jsonl in;
	struct json *rec;
	struct err e;
	int count = 0, bad = 0;
	if (vocab_load(&v, SMALL, &e) || jsonl_open(&in, 1, paths, &e))
		abort();
	while (jsonl_next(&in, &rec, &e) == 1 && count < 500) {
		const struct json *text = json_get(rec, "text");
		got.n = want.n = 0;
		plain_encode(&v, false, text->s, text->n, &want);
		bad += bpe_encode(t, text->s, text->n, &got, &e) || got.n != want.n ||
		       (got.n && memcmp(got.v, want.v, got.n * sizeof *got.v) != 0);
		count++;
	}
	TEST(count == 500 && bad == 0, "%d records, %d not as the plain encoder has them", count, bad);
	jsonl_close(&in);
	vocab_release(&v);
	bpe_ids_release(&got);
	bpe_ids_release(&want);
	bpe_close(t);
}

/* --- the rest of the interface ------------------------------------------------------- */

static size_t prefix(struct bpe *t, const char *text, size_t prompt)
{
	struct bpe_ids ids = {0};
	struct err e;
	size_t n = 0;
	if (bpe_encode(t, text, strlen(text), &ids, &e) || bpe_prefix(t, text, prompt, &ids, &n, &e))
		abort();
	bpe_ids_release(&ids);
	return n;
}

static void prefixes(struct bpe *t)
{
	TEST(prefix(t, "", 0) == 0 && prefix(t, "Hi", 0) == 0, "no prompt, no tokens");
	TEST(prefix(t, "H H H", 2) == 2 && prefix(t, "H H H", 1) == 1, "a token that begins at the prompt's end is not of it");
	TEST(prefix(t, " the the", 3) == 1 && prefix(t, " the the", 5) == 2, "a token that goes on beyond the prompt is of it");
	/* the three characters before the bar are one byte less composed; <|tool|> is one token */
	TEST(prefix(t, "e\xCC\x81[ H", 4) == 2 + (bpe_id(t, "\xC3\x83\xC2\xA9", 4) < 0), "NFC: measured after it");
	TEST(prefix(t, "[<|tool|>[[", 4) == 2 && prefix(t, "[<|tool|>[[", 9) == 2 && prefix(t, "[<|tool|>[[", 10) == 3,
	     "added tokens have the length of their text");
	TEST(prefix(t, "caf\xC3\xA9[H", 5) == 1 && prefix(t, "cafe\xCC\x81[H", 6) == 1 && prefix(t, "cafe\xCC\x81[H", 7) == 2,
	     "also where the byte alphabet would read it otherwise");
}

static void questions(struct bpe *t)
{
	static const int32_t bad[] = {-1, 710, INT32_MAX};
	struct buf b = {0};
	struct bpe_ids ids = {0};
	struct err e = {0};
	TEST(bpe_vocab(t) == 710 && bpe_eos(t) == 0 && bpe_pad(t) == 0, "710 tokens, the end of text ends and pads");
	TEST(bpe_id(t, "<|padding|>", 11) == 1 && bpe_id(t, "nonesuch", 8) == -1, "ids by text");
	TEST(bpe_is_special(t, 1) && !bpe_is_special(t, 2) && !bpe_is_special(t, -1) && !bpe_is_special(t, 710), "special ones");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		buf_reset(&b);
		buf_addc(&b, 'x');
		TEST(bpe_decode(t, &bad[i], 1, false, &b, &e) == -1 && e.kind == ERR_DATA && b.n == 1, "id %d: %s", bad[i], e.msg);
	}
	TEST(bpe_encode(t, "ab\xFF", 3, &ids, &e) == -1 && e.kind == ERR_DATA && ids.n == 0, "%s", e.msg);
	TEST(bpe_encode(t, NULL, 0, &ids, &e) == 0 && ids.n == 0, "an empty text has no tokens");
	TEST(bpe_encode(t, "[", 1, &ids, &e) == 0 && bpe_encode(t, "[", 1, &ids, &e) == 0 && ids.n == 2, "ids are appended");
	buf_release(&b);
	bpe_ids_release(&ids);
}

static void finding(void)
{
	struct bpe *t = NULL;
	struct err e = {0};
	unsetenv("NX_TOKENIZER");
	setenv("NX_MODEL", "", 1);
	TEST(bpe_find(&t, NULL, &e) == -1 && e.kind == ERR_USAGE, "%s", e.msg);
	setenv("NX_MODEL", "no/such", 1);
	TEST(bpe_find(&t, NULL, &e) == -1 && e.kind == ERR_IO && strncmp(e.msg, "no/such: ", 9) == 0, "%s", e.msg);
	setenv("NX_TOKENIZER", SMALL, 1);
	TEST(bpe_find(&t, NULL, &e) == 0, "NX_TOKENIZER comes before NX_MODEL");
	bpe_close(t);
	setenv("NX_TOKENIZER", "no-such", 1);
	TEST(bpe_find(&t, SMALL, &e) == 0, "-T comes before both");
	bpe_close(t);
	bpe_close(NULL);
}

static void pythia(void)
{
	const char *dir = getenv("NXTOOLS_DATA");
	char path[1000];
	snprintf(path, sizeof path, "%s/pythia.tokenizer.json", dir && *dir ? dir : "../shared/data");
	FILE *f = fopen(path, "r");
	if (!f) {
		printf("# no pythia.tokenizer.json on this machine\n");
		return;
	}
	fclose(f);
	golden(path, "tests/golden/bpe-pythia.txt");
}

int main(void)
{
	struct bpe *t = load(SMALL);
	golden(SMALL, "tests/golden/bpe-small.txt");
	pythia();
	against_plain();
	prefixes(t);
	questions(t);
	finding();
	bpe_close(t);
	return test_done();
}
