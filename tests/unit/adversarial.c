/* text/bpe with Pythia's tokenizer on texts made to break it: equal to HF's ids. The
 * golden is made by tests/reference/adversarial.py, which says what its lines hold. */
#include "test.h"

#include "base/hash.h"
#include "io/jsonl.h"
#include "text/bpe.h"

static void add(struct buf *b, const struct json *line, const char *key)
{
	const struct json *v = json_get(line, key);
	if (v && buf_add(b, v->s, v->n))
		abort();
}

/* The line's text: t, or t with r n times and u behind it. */
static void spell(struct buf *b, const struct json *line)
{
	int64_t n = 0;
	buf_reset(b);
	add(b, line, "t");
	if (json_get(line, "n") && json_i64(json_get(line, "n"), &n))
		abort();
	for (; n; n--)
		add(b, line, "r");
	add(b, line, "u");
}

static bool agrees(struct bpe *t, const struct json *line, struct buf *text, struct bpe_ids *ids)
{
	struct err e = {0};
	char got[17] = "error";
	spell(text, line);
	ids->n = 0;
	if (bpe_encode(t, text->p, text->n, ids, &e) == 0)
		snprintf(got, sizeof got, "%016llx", (unsigned long long)hash_words(HASH_SEED, ids->v, ids->n * sizeof *ids->v));
	return json_streq(json_get(line, "h"), got);
}

static void golden(const char *tokenizer)
{
	static char path[] = "tests/golden/adversarial.jsonl";
	char *paths[] = {path};
	struct bpe *t;
	struct jsonl in;
	struct json *line;
	struct buf text = {0};
	struct bpe_ids ids = {0};
	struct err e = {0};
	int count = 0, bad = 0;
	if (bpe_load(&t, tokenizer, &e) || jsonl_open(&in, 1, paths, &e)) {
		TEST(0, "%s", e.msg);
		return;
	}
	while (jsonl_next(&in, &line, &e) == 1) {
		count++;
		if (agrees(t, line, &text, &ids))
			continue;
		bad++;
		printf("# %s: %s\n", path, in.text.p ? buf_str(&in.text) : "");
	}
	TEST(count >= 1500 && bad == 0, "%d texts as HF has them, %d wrong", count, bad);
	jsonl_close(&in);
	bpe_close(t);
	buf_release(&text);
	bpe_ids_release(&ids);
}

int main(void)
{
	const char *dir = getenv("NXTOOLS_DATA");
	char path[1000];
	snprintf(path, sizeof path, "%s/pythia.tokenizer.json", dir && *dir ? dir : "../shared/data");
	FILE *f = fopen(path, "r");
	if (f) {
		fclose(f);
		golden(path);
	} else {
		printf("# no pythia.tokenizer.json on this machine\n");
		TEST(1, "nothing to compare");
	}
	return test_done();
}
