/* Any bytes as tokenizer.json: refused, or loaded; then by way of the cache once more,
 * and both are the same tokenizer. What it encodes it decodes. */
#include "fuzz.h"

#include "text/bpe.h"

#include <dirent.h>

/* The cache of one input is not the next one's. */
static void empty(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *ent;
	while (dir && (ent = readdir(dir)))
		unlinkat(dirfd(dir), ent->d_name, 0);
	if (dir)
		closedir(dir);
}

static void encode(struct bpe *t, const char *s, size_t n, struct bpe_ids *ids)
{
	struct buf text = {0};
	struct err e;
	fuzz_must(bpe_encode(t, s, n, ids, &e) == 0 && bpe_decode(t, ids->v, ids->n, false, &text, &e) == 0);
	for (size_t i = 0; i < ids->n; i++)
		fuzz_must(ids->v[i] >= 0 && (uint32_t)ids->v[i] < bpe_vocab(t));
	buf_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char text[] = "How's  the caf\xC3\xA9?\n\n  \t12345 words, <|endoftext|> token tokens  a\xCC\x81 \xE4\xBD\xA0\xE5\xA5\xBD";
	static char cache[80];
	char path[32];
	struct bpe *made, *kept;
	struct bpe_ids a = {0}, b = {0};
	struct err e;
	if (!cache[0]) {
		snprintf(cache, sizeof cache, "%s", fuzz_dir());
		setenv("NX_CACHE", cache, 1);
	}
	int fd = fuzz_open(p, n, path);
	if (bpe_load(&made, path, &e) == 0) {
		fuzz_must(bpe_load(&kept, path, &e) == 0);
		fuzz_must(bpe_fingerprint(made) == bpe_fingerprint(kept) && bpe_vocab(made) == bpe_vocab(kept));
		encode(made, text, sizeof text - 1, &a);
		encode(kept, text, sizeof text - 1, &b);
		fuzz_must(a.n == b.n && memcmp(a.v, b.v, a.n * sizeof *a.v) == 0);
		bpe_close(made);
		bpe_close(kept);
		empty(cache);
	}
	bpe_ids_release(&a);
	bpe_ids_release(&b);
	close(fd);
	return 0;
}
