#include "text/image.h"
#include "base/err.h"
#include "io/in.h"
#include "io/out.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef IMAGE_VERSION
#error "IMAGE_VERSION is the Makefile's: a sum over the sources that make and read the tables"
#endif

/* The json is the last of the parts. */
enum { JSON = IMAGE_COUNT, PARTS, ALIGN = 64 };
static const char magic[8] = "NXTOKEN";

struct head {
	char magic[8];
	uint64_t version, size, sum; /* sum: over all behind the head */
	uint64_t at[PARTS], n[PARTS];
};

/* --- sums ----------------------------------------------------------------------------- */

/* Four lanes of eight bytes: for damage, not against malice. */
static uint64_t sum_of(const void *p, size_t n)
{
	static const uint64_t odd = UINT64_C(0x9E3779B97F4A7C15);
	const char *s = p;
	uint64_t h[4] = {n, n + 1, n + 2, n + 3}, w[4];
	for (; n >= sizeof w; s += sizeof w, n -= sizeof w) {
		memcpy(w, s, sizeof w);
		for (int i = 0; i < 4; i++)
			h[i] = (h[i] ^ w[i]) * odd; /* one to one in h and in w: what differs once goes on differing */
	}
	memset(w, 0, sizeof w);
	memcpy(w, s, n);
	for (int i = 0; i < 4; i++) {
		h[i] = (h[i] ^ w[i]) * odd;
		h[0] = (h[0] ^ h[i] >> 32) * odd + h[i];
	}
	return h[0] ^ h[0] >> 31;
}

/* --- where ----------------------------------------------------------------------------- */

static int directory(struct buf *b)
{
	const char *own = getenv("NX_CACHE"), *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	if (own)
		return *own ? buf_adds(b, own) : -1;
	if (cache && *cache == '/')
		return buf_printf(b, "%s/nxtools", cache);
	return home && *home == '/' ? buf_printf(b, "%s/.cache/nxtools", home) : -1;
}

static int file_name(struct buf *b, const char *json, size_t n)
{
	return directory(b) || buf_printf(b, "/%016llx-%08x.tokenizer", (unsigned long long)sum_of(json, n), IMAGE_VERSION) || !buf_str(b) ? -1 : 0;
}

/* Makes the directory of `path` and those above it that are missing, for the user alone. */
static void make_directories(char *path)
{
	for (char *p = path + 1; (p = strchr(p, '/')) != NULL; p++) {
		*p = 0;
		mkdir(path, 0700);
		*p = '/';
	}
}

/* --- reading ----------------------------------------------------------------------------- */

/* A file that another could have written says nothing. */
static int is_ours(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & (S_IWGRP | S_IWOTH));
}

static int is_whole(const struct buf *b, struct head *h)
{
	if (b->n < sizeof *h)
		return 0;
	memcpy(h, b->p, sizeof *h);
	if (memcmp(h->magic, magic, sizeof magic) || h->version != IMAGE_VERSION || h->size != b->n)
		return 0;
	for (int i = 0; i < PARTS; i++)
		if (h->at[i] % ALIGN || h->at[i] > b->n || h->n[i] > b->n - h->at[i])
			return 0;
	return sum_of(b->p + sizeof *h, b->n - sizeof *h) == h->sum;
}

static int is_of(const struct buf *b, const struct head *h, const char *json, size_t n)
{
	return h->n[JSON] == n && memcmp(b->p + h->at[JSON], json, n) == 0;
}

int image_find(struct image *im, const char *json, size_t n)
{
	struct buf path = {0};
	struct head h;
	struct err ignored;
	*im = (struct image){0};
	if (file_name(&path, json, n) || !is_ours(path.p) || in_slurp(path.p, &im->file, &ignored) ||
	    !is_whole(&im->file, &h) || !is_of(&im->file, &h, json, n))
		image_release(im);
	buf_release(&path);
	return im->file.p ? 0 : -1;
}

const void *image_part(const struct image *im, enum image_part which, size_t *n)
{
	struct head h;
	memcpy(&h, im->file.p, sizeof h);
	*n = (size_t)h.n[which];
	return im->file.p + h.at[which];
}

void image_release(struct image *im)
{
	buf_release(&im->file);
}

/* --- writing ------------------------------------------------------------------------------ */

void image_add(struct image_parts *parts, enum image_part which, const void *p, size_t n)
{
	parts->p[which] = p;
	parts->n[which] = n;
}

static int put(struct buf *b, struct head *h, int i, const void *p, size_t n)
{
	static const char zeros[ALIGN];
	if (buf_add(b, zeros, -b->n % ALIGN))
		return -1;
	h->at[i] = b->n;
	h->n[i] = n;
	return buf_add(b, p, n);
}

static int pack(struct buf *b, const struct image_parts *parts, const char *json, size_t n)
{
	struct head h = {.version = IMAGE_VERSION};
	memcpy(h.magic, magic, sizeof magic);
	if (buf_add(b, &h, sizeof h))
		return -1;
	for (int i = 0; i < IMAGE_COUNT; i++)
		if (put(b, &h, i, parts->p[i], parts->n[i]))
			return -1;
	if (put(b, &h, JSON, json, n))
		return -1;
	h.size = b->n;
	h.sum = sum_of(b->p + sizeof h, b->n - sizeof h);
	memcpy(b->p, &h, sizeof h);
	return 0;
}

void image_save(const struct image_parts *parts, const char *json, size_t n)
{
	struct buf path = {0}, b = {0};
	struct err ignored;
	struct out *out;
	if (file_name(&path, json, n) == 0 && pack(&b, parts, json, n) == 0) {
		make_directories(path.p);
		unlink(path.p); /* a link of that name would be followed */
		if (out_open(&out, path.p, OUT_PLAIN, &ignored) == 0) {
			if (out_write(out, b.p, b.n, &ignored))
				out_abort(out);
			else if (out_commit(out, &ignored) == 0)
				chmod(path.p, 0600); /* whatever the umask lets others do */
		}
	}
	buf_release(&path);
	buf_release(&b);
}
