/* Any bytes as a file of another program: the first chooses the format, the others are
 * the file, for Megatron's two the index and behind it the ids. Read to the end or
 * refused; records that are read are written in every format. */
#include "fuzz.h"

#include "io/shard.h"
#include "io/tokenfile.h"

static const char *const names[] = {"llmc", "megatron", "nanogpt", "npy"};
static const char *const outputs[] = {"llmc", "nanogpt", "npy", "npy2"};
enum { OUTPUTS = sizeof outputs / sizeof *outputs };

static void file(const char *path, const uint8_t *p, size_t n)
{
	FILE *f = fopen(path, "wb");
	fuzz_must(f && fwrite(p, 1, n, f) == n && fclose(f) == 0);
}

static void copy(struct tokenfile_in *in)
{
	struct tokenfile_rule rule = {0, 1, 2};
	struct tokenfile_out *out[OUTPUTS] = {NULL};
	struct err e;
	int32_t *ids;
	size_t n;
	for (int i = 0; i < OUTPUTS; i++)
		if (tokenfile_create(&out[i], tokenfile_named(outputs[i]), "/dev/null", &rule, &e))
			abort();
	for (int k = 0; k < 10000 && tokenfile_next(in, &ids, &n, &e) == 1; k++)
		for (int i = 0; i < OUTPUTS; i++)
			if (tokenfile_put(out[i], ids, n, &e) && e.kind != ERR_DATA)
				abort();
	for (int i = 0; i < OUTPUTS; i++)
		if (tokenfile_commit(out[i], &e))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static char prefix[100], idx[110], bin[110];
	struct tokenfile_rule rule = {0, 1, 2};
	struct tokenfile_in *in;
	struct err e;
	char path[32], *paths[] = {path};
	if (n < 2)
		return 0;
	if (!prefix[0]) {
		snprintf(prefix, sizeof prefix, "%s/mega", fuzz_dir());
		snprintf(idx, sizeof idx, "%s.idx", prefix);
		snprintf(bin, sizeof bin, "%s.bin", prefix);
	}
	const struct tokenfile_format *f = tokenfile_named(names[p[0] % 4]);
	size_t ids = f->by_prefix ? p[1] % n : 0; /* bytes of the .bin */
	int fd = fuzz_open(p + 1, n - 1, path);
	if (f->by_prefix) {
		size_t index = n - 2 > ids ? n - 2 - ids : 0;
		file(idx, p + 2, index);
		file(bin, p + 2 + index, n - 2 - index);
		paths[0] = prefix;
	}
	if (tokenfile_open(&in, f, 1, paths, NULL, &rule, &e) == 0) {
		copy(in);
		tokenfile_close(in);
	}
	close(fd);
	return 0;
}
