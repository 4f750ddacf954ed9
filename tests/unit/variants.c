/* text/bpe with tokenizers of other kinds than Pythia's: as GPT-2, Llama 3, Qwen 2,
 * OLMo and StarCoder have them, ids and text of hard records are those of HF.
 * Goldens: tests/reference/variants.py. */
#include "test.h"

#include "base/hash.h"
#include "io/jsonl.h"
#include "text/bpe.h"

#define DIR "tests/golden/variants/"

static uint64_t hash_ids(uint64_t h, const int32_t *ids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = hash_word(h, (uint32_t)ids[i]);
	return h;
}

static uint64_t hash_with_special(const struct bpe *t, const struct bpe_ids *ids)
{
	size_t nfront, nback;
	const int32_t *front = bpe_front(t, &nfront), *back = bpe_back(t, &nback);
	return hash_ids(hash_ids(hash_ids(HASH_SEED, front, nfront), ids->v, ids->n), back, nback);
}

/* 1 if the text has the next line's ids, in all their bytes, and comes back as that line's text. */
static int agrees(FILE *f, struct bpe *t, const struct json *text)
{
	unsigned long long want[3];
	struct bpe_ids ids = {0};
	struct buf b = {0};
	struct err e;
	size_t all = 0;
	int ok = fscanf(f, "%llx %llx %llx", &want[0], &want[1], &want[2]) == 3 && bpe_encode(t, text->s, text->n, &ids, &e) == 0 &&
	         hash_ids(HASH_SEED, ids.v, ids.n) == want[0] && hash_with_special(t, &ids) == want[1] &&
	         bpe_decode(t, ids.v, ids.n, false, &b, &e) == 0 && hash_bytes(HASH_SEED, b.p, b.n) == want[2] &&
	         bpe_prefix(t, text->s, text->n, &ids, &all, &e) == 0 && all == ids.n;
	bpe_ids_release(&ids);
	buf_release(&b);
	return ok;
}

static void golden(const char *name)
{
	char json[100], txt[100], texts[] = DIR "texts.jsonl", *paths[] = {texts};
	struct bpe *t = NULL;
	struct jsonl in;
	struct json *rec;
	struct err e = {0};
	int count = 0, bad = 0;
	snprintf(json, sizeof json, DIR "%s.json", name);
	snprintf(txt, sizeof txt, DIR "%s.txt", name);
	FILE *f = fopen(txt, "r");
	int opened = f && bpe_load(&t, json, &e) == 0 && jsonl_open(&in, 1, paths, &e) == 0;
	while (opened && jsonl_next(&in, &rec, &e) == 1) {
		if (!agrees(f, t, json_get(rec, "text")) && bad++ == 0)
			printf("# record %d differs\n", count + 1);
		count++;
	}
	TEST(opened && count == 600 && bad == 0, "%s: %d records, %d not as in HF%s%s", name, count, bad, e.msg[0] ? ": " : "", e.msg);
	if (opened)
		jsonl_close(&in);
	if (f)
		fclose(f);
	bpe_close(t);
}

/* --- prompts, where a token has other bytes than the text it stands for ---------------------- */

static size_t prefix(const char *name, const char *text, size_t prompt)
{
	char json[100];
	struct bpe *t;
	struct bpe_ids ids = {0};
	struct err e;
	size_t n;
	snprintf(json, sizeof json, DIR "%s.json", name);
	if (bpe_load(&t, json, &e) || bpe_ids_add(&ids, 7) || bpe_encode(t, text, strlen(text), &ids, &e))
		abort();
	const struct bpe_ids own = {.v = ids.v + 1, .n = ids.n - 1};
	if (bpe_prefix(t, text, prompt, &own, &n, &e))
		abort();
	bpe_ids_release(&ids);
	bpe_close(t);
	return n;
}

static void prefixes(void)
{
	/* the space put before a piece is none of the text's bytes */
	size_t one = prefix("prefix", "[", 1), digit = prefix("digits", "7", 1), letter = prefix("digits", "a", 1);
	TEST(prefix("prefix", "[x]", 1) == one && prefix("prefix", "[<|endoftext|>[x", 14) == one + 1 &&
	     prefix("prefix", "[<|endoftext|>[x", 15) == 2 * one + 1, "a space put before each stretch");
	TEST(prefix("digits", "7a7", 1) == digit && prefix("digits", "7a7", 2) == digit + letter &&
	     prefix("digits", "7a7", 3) == 2 * digit + letter, "or before each number and what is between");
}

int main(void)
{
	static const char *const kinds[] = {"gpt2", "prefix", "whole", "whole-prefix", "llama3", "qwen2", "olmo1", "olmo2", "starcoder", "digits", "strip", "strip-prefix", "blanks",
	                                   "chain"};
	const char *root = getenv("PWD"), *dir = test_dir(); /* for tables kept: made the first time, found the second */
	setenv("NX_CACHE", dir, 1);
	if (!root || chdir(root))
		return 1;
	for (size_t i = 0; i < 2 * (sizeof kinds / sizeof *kinds); i++)
		golden(kinds[i / 2]);
	prefixes();
	test_dir_done(dir);
	return test_done();
}
