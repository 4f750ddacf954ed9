/* Any bytes as a compressed stream: the same whatever is read at a time, or refused each
 * time. And compressed by us: read back the same; with one byte changed or the end cut
 * off, either refused or still the same. */
#include "fuzz.h"

#include "base/buf.h"
#include "io/in.h"
#include "io/out.h"

enum { MOST = 1 << 20 };

/* All of path, `cap` bytes at a time: 0, or -1. No more than MOST. */
static int read_all(const char *path, size_t cap, struct buf *b)
{
	struct in *in;
	struct err e;
	ssize_t n = 0;
	fuzz_must(in_open(&in, path, &e) == 0);
	buf_reset(b);
	while (b->n < MOST) {
		fuzz_must(buf_reserve(b, cap) == 0);
		if ((n = in_read(in, b->p + b->n, cap, &e)) <= 0)
			break;
		b->n += (size_t)n;
	}
	in_close(in);
	return n < 0 ? -1 : 0;
}

static void given(const uint8_t *p, size_t n, size_t cap)
{
	struct buf a = {0}, b = {0};
	char path[32];
	int fd = fuzz_open(p, n, path);
	int rc = read_all(path, 100000, &a), again = read_all(path, cap, &b);
	size_t both = a.n < b.n ? a.n : b.n;
	/* what was read no further than MOST may have had its end, or its error, there */
	fuzz_must(a.n >= MOST || b.n >= MOST || (rc == again && (rc || a.n == b.n)));
	fuzz_must(both == 0 || memcmp(a.p, b.p, both) == 0);
	buf_release(&a);
	buf_release(&b);
	close(fd);
}

static void damaged(const struct buf *packed, const uint8_t *p, size_t n, size_t at, uint8_t change)
{
	struct buf b = {0}, got = {0};
	char path[32];
	fuzz_must(buf_add(&b, packed->p, packed->n) == 0);
	at %= b.n;
	if (change)
		b.p[at] = (char)(b.p[at] ^ change);
	else
		b.n = at;
	int fd = fuzz_open((uint8_t *)b.p, b.n, path);
	/* without its magic it is a plain file, and without all of its bytes an empty one */
	if (at >= 4 && read_all(path, 4096, &got) == 0)
		fuzz_must(got.n == n && (n == 0 || memcmp(got.p, p, n) == 0));
	close(fd);
	buf_release(&b);
	buf_release(&got);
}

static void ours(const uint8_t *p, size_t n, size_t at, uint8_t change)
{
	char path[200];
	struct buf packed = {0}, got = {0};
	struct out *out;
	struct err e;
	snprintf(path, sizeof path, "%s/packed", fuzz_dir());
	fuzz_must(out_open(&out, path, OUT_ZSTD, &e) == 0);
	for (size_t i = 0; i < n; i += 700)
		fuzz_must(out_write(out, p + i, n - i < 700 ? n - i : 700, &e) == 0);
	fuzz_must(out_commit(out, &e) == 0);
	fuzz_must(read_all(path, 777, &got) == 0 && got.n == n && (n == 0 || memcmp(got.p, p, n) == 0));
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	fuzz_must(fd >= 0 && buf_reserve(&packed, n + 1000) == 0);
	packed.n = (size_t)read(fd, packed.p, packed.cap);
	close(fd);
	damaged(&packed, p, n, at, change);
	buf_release(&packed);
	buf_release(&got);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n < 4)
		return 0;
	if (p[0] & 1)
		ours(p + 4, n - 4, (size_t)p[1] << 8 | p[2], p[3]);
	else
		given(p + 1, n - 1, 1 + p[0] * 3u);
	return 0;
}
