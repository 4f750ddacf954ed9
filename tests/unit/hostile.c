/* Files that no program of ours writes: what fuzzing found, and what readers must not be
 * led to do. Works in a directory of its own, which it removes. */
#include "test.h"

#include "base/hash.h"
#include "io/in.h"
#include "io/shard.h"
#include "text/table.h"

static struct err e;

static void spill(const char *path, const void *p, size_t n)
{
	FILE *f = fopen(path, "wb");
	if (!f || fwrite(p, 1, n, f) != n || fclose(f))
		exit(1);
}

/* A shard's header alone, its hash as it should be. */
static int open_header(uint32_t vocab, unsigned char width)
{
	unsigned char b[64] = SHARD_MAGIC "\x01";
	struct shard_reader *r;
	struct in *in;
	b[10] = 0xFF, b[11] = 0xFE; /* the byte order */
	b[12] = width;
	memcpy(b + 16, &vocab, sizeof vocab);
	uint64_t hash = hash_words(HASH_SEED, b, 56);
	memcpy(b + 56, &hash, sizeof hash);
	spill("header", b, sizeof b);
	if (in_open(&in, "header", &e))
		exit(1);
	int rc = shard_open(in, &r, &e);
	if (rc == 0)
		shard_close(r);
	in_close(in);
	return rc;
}

static void shards(void)
{
	TEST(open_header(100, 2) == 0 && open_header(65537, 4) == 0 && open_header(INT32_MAX, 4) == 0, "headers as they should be");
	TEST(open_header(100, 4) && strstr(e.msg, "header is damaged"), "a width that is not the vocabulary's: %s", e.msg);
	TEST(open_header(65537, 2) && open_header(100, 1) && open_header(100, 0), "neither is it the other way round");
	TEST(open_header(UINT32_MAX, 4) && open_header((uint32_t)INT32_MAX + 1, 4), "ids that would be negative");
}

/* Found under UBSan: a pointer to nothing was moved. */
static void tables(void)
{
	struct table_text none = {"", 0};
	struct table t = {.n = 1, .width = 20};
	struct buf out = {0};
	TEST(table_begin(&t, &none) == 0 && table_add(&t, &none) == 0 && table_print(&t, NULL, &out) == 0 && out.n > 0,
	     "a table without a character in it");
	table_release(&t);
	buf_release(&out);
}

int main(void)
{
	const char *dir = test_dir();
	shards();
	tables();
	test_dir_done(dir);
	return test_done();
}
