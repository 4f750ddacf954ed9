#include "io/torchzip.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Layout and field names after PKWARE's APPNOTE.TXT, 4.3. */
enum {
	LOCAL = 0x04034b50,
	CENTRAL = 0x02014b50,
	END = 0x06054b50,
	END64 = 0x06064b50,
	LOCATOR64 = 0x07064b50,
	LOCAL_SIZE = 30,
	CENTRAL_SIZE = 46,
	END_SIZE = 22,
	END64_SIZE = 56,
	LOCATOR64_SIZE = 20,
	ZIP64_EXTRA = 1,
	FLAG_ENCRYPTED = 1,
	FLAG_SIZES_BEHIND = 8, /* sizes stand in a record behind the data, and are 0 in the local header */
};

#define FULL32 0xFFFFFFFFu /* the number stands in a 64-bit field elsewhere */

/* The file, and where its central directory is. */
struct zip {
	const unsigned char *p;
	size_t n;
	const char *file;
	uint64_t entries, central, central_size;
	size_t end; /* of what entries may take: the first end record */
};

static uint64_t get(const unsigned char *p, int bytes)
{
	uint64_t v = 0;
	for (int i = bytes - 1; i >= 0; i--)
		v = v << 8 | p[i];
	return v;
}

bool torchzip_is(const unsigned char *p, size_t n)
{
	return n >= 4 && get(p, 4) == LOCAL;
}

/* --- the end of the file ------------------------------------------------------------ */

/* A 32-bit field and the 64-bit one that stands for it. */
static bool same(uint64_t small, uint64_t big, uint64_t full)
{
	return small == big || small == full;
}

static int read_end64(struct zip *z, size_t end, struct err *e)
{
	const unsigned char *p = z->p + end;
	uint64_t at = get(p - LOCATOR64_SIZE + 8, 8);
	if (at > end - LOCATOR64_SIZE || end - LOCATOR64_SIZE - at < END64_SIZE || get(z->p + at, 4) != END64)
		return err_data(e, "%s: the zip64 end record is not where its locator says", z->file);
	const unsigned char *q = z->p + at;
	z->entries = get(q + 32, 8);
	z->central_size = get(q + 40, 8);
	z->central = get(q + 48, 8);
	z->end = (size_t)at;
	if (!same(get(p + 10, 2), z->entries, 0xFFFF) || !same(get(p + 12, 4), z->central_size, FULL32) ||
	    !same(get(p + 16, 4), z->central, FULL32) || get(q + 24, 8) != z->entries || get(q + 16, 8) != 0)
		return err_data(e, "%s: the two end records do not agree", z->file);
	return 0;
}

/* The end record is the last thing in the file but for a comment of known length. */
static int read_end(struct zip *z, struct err *e)
{
	size_t lowest = z->n > END_SIZE + 0xFFFF ? z->n - END_SIZE - 0xFFFF : 0;
	for (size_t i = z->n < END_SIZE ? 0 : z->n - END_SIZE + 1; i-- > lowest;) {
		const unsigned char *p = z->p + i;
		if (get(p, 4) != END || get(p + 20, 2) != z->n - i - END_SIZE)
			continue;
		z->entries = get(p + 10, 2);
		z->central_size = get(p + 12, 4);
		z->central = get(p + 16, 4);
		z->end = i;
		if (get(p + 4, 4) != 0 || get(p + 8, 2) != get(p + 10, 2))
			return err_data(e, "%s: a zip file in several parts is not supported", z->file);
		if (i >= LOCATOR64_SIZE && get(p - LOCATOR64_SIZE, 4) == LOCATOR64 && read_end64(z, i, e))
			return -1;
		if (z->central > z->end || z->central_size != z->end - z->central)
			return err_data(e, "%s: the zip file's directory is not where its end record says", z->file);
		if (z->entries > z->central_size / CENTRAL_SIZE)
			return err_data(e, "%s: the zip file's directory is too small for its entries", z->file);
		return 0;
	}
	return err_data(e, "%s: no end of a zip file: it was cut off", z->file);
}

/* --- entries ------------------------------------------------------------------------- */

/* Replaces fields that are full by those of the zip64 extra field, in its fixed order. */
static bool widen(const unsigned char *extra, size_t n, uint64_t *field[], int fields)
{
	bool full = false;
	for (int i = 0; i < fields; i++)
		full |= *field[i] == FULL32;
	if (!full)
		return true;
	while (n >= 4) {
		size_t len = get(extra + 2, 2), at = 4;
		if (len > n - 4)
			return false;
		if (get(extra, 2) == ZIP64_EXTRA) {
			for (int i = 0; i < fields; i++) {
				if (*field[i] != FULL32)
					continue;
				if (at + 8 > 4 + len)
					return false;
				*field[i] = get(extra + at, 8);
				at += 8;
			}
			return true;
		}
		extra += 4 + len;
		n -= 4 + len;
	}
	return false;
}

/* The local header repeats what the central directory says. */
static int read_local(const struct zip *z, struct torchzip_entry *t, const unsigned char *central, struct err *e)
{
	size_t len = strlen(t->name);
	if (t->header > z->central || z->central - t->header < LOCAL_SIZE || get(z->p + t->header, 4) != LOCAL)
		return err_data(e, "%s: entry %s: its header is not where the directory says", z->file, t->name);
	const unsigned char *p = z->p + t->header;
	size_t name = get(p + 26, 2), extra = get(p + 28, 2), room = (size_t)z->central - t->header - LOCAL_SIZE;
	if (name + extra > room || t->n > room - name - extra)
		return err_data(e, "%s: entry %s lies beyond the file's entries", z->file, t->name);
	uint64_t packed = get(p + 18, 4), size = get(p + 22, 4), *field[] = {&size, &packed};
	bool behind = get(p + 6, 2) & FLAG_SIZES_BEHIND && packed == 0 && size == 0;
	if (name != len || memcmp(p + LOCAL_SIZE, t->name, len) || get(p + 6, 2) != get(central + 8, 2) ||
	    get(p + 8, 2) != get(central + 10, 2) || !widen(p + LOCAL_SIZE + name, extra, field, 2) ||
	    (!behind && (packed != t->n || size != t->n)))
		return err_data(e, "%s: entry %s: its header and the directory do not agree", z->file, t->name);
	t->at = t->header + LOCAL_SIZE + name + extra;
	t->end = t->at + t->n;
	return 0;
}

/* One of the central directory, at *at, which moves behind it. */
static int read_entry(const struct zip *z, struct arena *a, size_t *at, struct torchzip_entry *t, struct err *e)
{
	const unsigned char *p = z->p + *at;
	size_t room = z->end - *at;
	if (room < CENTRAL_SIZE || get(p, 4) != CENTRAL)
		return err_data(e, "%s: the zip file's directory is damaged", z->file);
	size_t name = get(p + 28, 2), extra = get(p + 30, 2), comment = get(p + 32, 2);
	if (name + extra + comment > room - CENTRAL_SIZE || memchr(p + CENTRAL_SIZE, 0, name))
		return err_data(e, "%s: the zip file's directory is damaged", z->file);
	if (!(t->name = arena_dup(a, (const char *)p + CENTRAL_SIZE, name)))
		return err_mem(e);
	uint64_t packed = get(p + 20, 4), size = get(p + 24, 4), header = get(p + 42, 4);
	uint64_t *field[] = {&size, &packed, &header};
	if (!widen(p + CENTRAL_SIZE + name, extra, field, 3))
		return err_data(e, "%s: entry %s: no 64-bit sizes", z->file, t->name);
	if (get(p + 8, 2) & FLAG_ENCRYPTED)
		return err_data(e, "%s: entry %s is encrypted", z->file, t->name);
	if (get(p + 10, 2) != 0 || packed != size)
		return err_data(e, "%s: entry %s is compressed: torch.save stores it as it is", z->file, t->name);
	t->n = (size_t)size;
	t->header = (size_t)header;
	*at += CENTRAL_SIZE + name + extra + comment;
	return read_local(z, t, p, e);
}

static int by_place(const void *a, const void *b)
{
	const struct torchzip_entry *x = a, *y = b;
	return (x->header > y->header) - (x->header < y->header);
}

static int by_name(const void *a, const void *b)
{
	const struct torchzip_entry *x = a, *y = b;
	return strcmp(x->name, y->name);
}

static int check_entries(struct torchzip *out, const char *file, struct err *e)
{
	struct torchzip_entry *t = out->e;
	qsort(t, out->n, sizeof *t, by_place);
	for (size_t i = 1; i < out->n; i++)
		if (t[i].header < t[i - 1].end)
			return err_data(e, "%s: entries %s and %s overlap", file, t[i - 1].name, t[i].name);
	qsort(t, out->n, sizeof *t, by_name);
	for (size_t i = 1; i < out->n; i++)
		if (!strcmp(t[i].name, t[i - 1].name))
			return err_data(e, "%s: entry %s is there twice", file, t[i].name);
	return 0;
}

int torchzip_open(struct torchzip *out, struct arena *a, const unsigned char *p, size_t n, const char *file, struct err *e)
{
	struct zip z = {.p = p, .n = n, .file = file};
	if (read_end(&z, e))
		return -1;
	out->n = 0;
	out->e = arena_alloc(a, (z.entries + 1) * sizeof *out->e);
	if (!out->e)
		return err_mem(e);
	size_t at = (size_t)z.central;
	for (uint64_t i = 0; i < z.entries; i++)
		if (read_entry(&z, a, &at, &out->e[out->n++], e))
			return -1;
	if (at != z.end)
		return err_data(e, "%s: the zip file's directory is damaged", file);
	return check_entries(out, file, e);
}

const struct torchzip_entry *torchzip_find(const struct torchzip *z, const char *name)
{
	struct torchzip_entry key = {.name = name};
	return z->n ? bsearch(&key, z->e, z->n, sizeof *z->e, by_name) : NULL;
}
