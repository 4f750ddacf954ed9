/* Any text to ids, by tokenizers of all the supported kinds: the same as the plain way
 * of slowbpe.h has them, as a whole and line by line, and back to text. The first byte
 * chooses the tokenizer. Run from the repository's root. */
#include "slowbpe.h"

static const char *const files[] = {"bpe-small", "variants/gpt2", "variants/llama3", "variants/olmo1", "variants/olmo2",
	"variants/qwen2", "variants/starcoder", "variants/digits", "variants/prefix", "variants/whole", "variants/whole-prefix",
	"variants/chain"};
enum { FILES = sizeof files / sizeof *files, MOST = 3000 };

static void same(const struct bpe_ids *a, const struct bpe_ids *b)
{
	if (a->n == b->n && (a->n == 0 || memcmp(a->v, b->v, a->n * sizeof *a->v) == 0))
		return;
	fprintf(stderr, "the ids differ: %zu and %zu of them\n", a->n, b->n);
	abort();
}

/* All lines of a text at once are its lines one by one. */
static void lines(struct bpe *t, const struct slowbpe *slow, const char *s, size_t n)
{
	struct bpe_ids got = {0}, want = {0};
	struct bpe_ends ends = {0};
	struct err e;
	size_t done = 0, taken, line = 0;
	while (done < n) {
		fuzz_must(bpe_lines(t, s + done, n - done, n - done, &got, &ends, &taken, &e) == 0);
		done += taken;
	}
	for (size_t at = 0; at < n; line++) {
		const char *end = memchr(s + at, '\n', n - at);
		size_t len = end ? (size_t)(end - s) - at : n - at;
		slow_encode(slow, s + at, len - (len && s[at + len - 1] == '\r'), &want); /* as io/in.h ends lines */
		fuzz_must(line < ends.n && ends.v[line] == want.n);
		at += len + (end != NULL);
	}
	same(&got, &want);
	bpe_ids_release(&got);
	bpe_ids_release(&want);
	bpe_ends_release(&ends);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct bpe *fast[FILES];
	static struct slowbpe *slow[FILES];
	struct bpe_ids got = {0}, want = {0};
	struct buf back = {0};
	struct err e;
	if (n == 0 || n > MOST)
		return 0;
	unsigned k = p[0] % FILES;
	if (!fast[k]) {
		char path[64];
		snprintf(path, sizeof path, "tests/golden/%s.json", files[k]);
		setenv("NX_CACHE", "", 1);
		slow[k] = malloc(sizeof *slow[k]);
		fuzz_must(slow[k] && bpe_load(&fast[k], path, &e) == 0);
		slow_open(slow[k], path);
	}
	/* a copy of just these bytes: reading behind them is seen */
	char *s = malloc(n);
	fuzz_must(s != NULL);
	memcpy(s, p + 1, n - 1);
	bool valid = utf8_valid(s, n - 1) == n - 1;
	fuzz_must((bpe_encode(fast[k], s, n - 1, &got, &e) == 0) == valid);
	if (valid) {
		slow_encode(slow[k], s, n - 1, &want);
		same(&got, &want);
		lines(fast[k], slow[k], s, n - 1);
		fuzz_must(bpe_decode(fast[k], got.v, got.n, false, &back, &e) == 0);
	}
	free(s);
	bpe_ids_release(&got);
	bpe_ids_release(&want);
	buf_release(&back);
	return 0;
}
