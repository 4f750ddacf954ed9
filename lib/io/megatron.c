#include "io/megatron.h"
#include "base/buf.h"
#include "io/idarray.h"
#include "io/out.h"
#include "io/shard.h"
#include "io/there.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char MAGIC[9] = {'M', 'M', 'I', 'D', 'I', 'D', 'X', 0, 0};
enum { HEADER = 34, COLUMN = 8192 };
enum { CODE_U8 = 1, CODE_I8, CODE_I16, CODE_I32, CODE_I64, CODE_F64, CODE_F32, CODE_U16 };

/* "PREFIX.idx" for any of its three names. */
static char *sibling(const char *path, const char *ending)
{
	size_t n = strlen(path);
	char *s;
	if (n > 4 && (strcmp(path + n - 4, ".idx") == 0 || strcmp(path + n - 4, ".bin") == 0))
		n -= 4;
	return asprintf(&s, "%.*s%s", (int)n, path, ending) < 0 ? NULL : s;
}

int megatron_there(const char *path, struct err *e)
{
	char b[sizeof MAGIC], *idx = path ? sibling(path, ".idx") : NULL;
	struct stat st;
	if (!idx)
		return path ? err_mem(e) : 0;
	int rc = there_is(idx, e);
	if (rc > 0 && stat(idx, &st))
		rc = err_io(e, "%s", idx);
	else if (rc > 0 && (rc = S_ISREG(st.st_mode)) != 0) {
		int fd = open(idx, O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? -1 : pread(fd, b, sizeof b, 0);
		rc = n < 0 ? -1 : n == sizeof b && memcmp(b, MAGIC, sizeof b) == 0;
		if (rc < 0)
			err_io(e, "%s", idx);
		if (fd >= 0)
			close(fd);
	}
	free(idx);
	return rc;
}

/* --- reading ------------------------------------------------------------------ */

struct file {
	int fd;
	char *name;
	uint64_t size;
};

/* A column of the index, read from front to back. */
struct column {
	uint64_t at, end; /* bytes of the file */
	size_t width, from, n;
	unsigned char b[COLUMN];
};

struct reader {
	struct file idx, bin;
	struct idarray_type type;
	uint32_t vocab;
	uint64_t sequences, documents; /* in all */
	uint64_t sequence, document;   /* read so far */
	uint64_t named;                /* bytes of the .bin behind the last that a sequence has named */
	struct column sizes, places, bounds;
	struct buf raw, ids;
};

static int broken(const struct file *f, struct err *e, const char *what)
{
	err_data(e, "%s: %s", f->name, what);
	e->kind = ERR_IO;
	return -1;
}

static int file_open(struct file *f, char *name, struct err *e)
{
	struct stat st;
	f->name = name;
	if (!name)
		return err_mem(e);
	f->fd = open(name, O_RDONLY | O_CLOEXEC);
	if (f->fd < 0 || fstat(f->fd, &st))
		return err_io(e, "%s", name);
	if (!S_ISREG(st.st_mode))
		return broken(f, e, "no regular file");
	f->size = (uint64_t)st.st_size;
	return 0;
}

static void file_close(struct file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	free(f->name);
}

/* n bytes at a place that lies within the file as it was opened. */
static int file_read(const struct file *f, void *p, size_t n, uint64_t at, struct err *e)
{
	while (n) {
		ssize_t k = pread(f->fd, p, n, (off_t)at);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_io(e, "%s", f->name);
		if (k == 0)
			return broken(f, e, "cut off while it was read");
		p = (char *)p + k;
		at += (uint64_t)k;
		n -= (size_t)k;
	}
	return 0;
}

static void column_start(struct column *c, uint64_t at, uint64_t count, size_t width)
{
	c->at = at;
	c->end = at + count * width;
	c->width = width;
	c->from = c->n = 0;
}

static int column_next(struct column *c, const struct file *f, uint64_t *v, struct err *e)
{
	if (c->from == c->n) {
		size_t n = c->end - c->at < COLUMN ? (size_t)(c->end - c->at) : COLUMN;
		if (file_read(f, c->b, n, c->at, e))
			return -1;
		c->at += n;
		c->from = 0;
		c->n = n;
	}
	*v = idarray_u64(c->b + c->from, c->width);
	c->from += c->width;
	return 0;
}

static int type_of(struct reader *r, unsigned code, struct err *e)
{
	static const struct idarray_type types[] = {
		[CODE_U8] = {1, false, false}, [CODE_I8] = {1, true, false}, [CODE_I16] = {2, true, false},
		[CODE_I32] = {4, true, false}, [CODE_I64] = {8, true, false}, [CODE_U16] = {2, false, false},
	};
	if (code == CODE_F32 || code == CODE_F64)
		return broken(&r->idx, e, "its numbers are floating-point, no token ids");
	if (code >= sizeof types / sizeof *types || !types[code].width)
		return broken(&r->idx, e, "an unknown type of numbers");
	r->type = types[code];
	return 0;
}

static int read_index(struct reader *r, struct err *e)
{
	unsigned char b[HEADER];
	uint64_t zero;
	if (r->idx.size < HEADER)
		return broken(&r->idx, e, "cut off: no Megatron index has less than 34 bytes");
	if (file_read(&r->idx, b, HEADER, 0, e))
		return -1;
	if (memcmp(b, MAGIC, sizeof MAGIC))
		return broken(&r->idx, e, "no Megatron index");
	if (idarray_u64(b + 9, 8) != 1)
		return broken(&r->idx, e, "a version of Megatron's index that is not 1");
	if (type_of(r, b[17], e))
		return -1;
	uint64_t s = idarray_u64(b + 18, 8), d = idarray_u64(b + 26, 8), rest = r->idx.size - HEADER;
	if (s > rest / 12 || d > rest / 8 || 12 * s + 8 * d > rest)
		return broken(&r->idx, e, "cut off: shorter than the sequences and documents that it counts");
	if (12 * s + 8 * d + s == rest && s)
		return broken(&r->idx, e, "it has modes of sequences (multimodal data), which are not read");
	if (12 * s + 8 * d != rest)
		return broken(&r->idx, e, "longer than the sequences and documents that it counts");
	if (d == 0)
		return broken(&r->idx, e, "it has no bounds of documents");
	r->sequences = s;
	r->documents = d - 1;
	column_start(&r->sizes, HEADER, s, 4);
	column_start(&r->places, HEADER + 4 * s, s, 8);
	column_start(&r->bounds, HEADER + 12 * s, d, 8);
	if (column_next(&r->bounds, &r->idx, &zero, e))
		return -1;
	return zero ? broken(&r->idx, e, "its first document does not begin with the first sequence") : 0;
}

static void close_megatron(void *self)
{
	struct reader *r = self;
	file_close(&r->idx);
	file_close(&r->bin);
	buf_release(&r->raw);
	buf_release(&r->ids);
	free(r);
}

static int open_megatron(void **self, struct in *in, const char *path, struct tokenfile_rule *rule, struct err *e)
{
	(void)in;
	if (strcmp(path, "-") == 0)
		return err_usage(e, "megatron data is two files: it is named by their prefix");
	struct reader *r = calloc(1, sizeof *r);
	if (!r)
		return err_mem(e);
	r->idx.fd = r->bin.fd = -1;
	r->vocab = rule->vocab;
	if (file_open(&r->idx, sibling(path, ".idx"), e) || file_open(&r->bin, sibling(path, ".bin"), e) || read_index(r, e)) {
		close_megatron(r);
		return -1;
	}
	*self = r;
	return 0;
}

/* Adds the next sequence to the record. */
static int sequence(struct reader *r, struct err *e)
{
	uint64_t n, at;
	size_t width = r->type.width, bad;
	if (column_next(&r->sizes, &r->idx, &n, e) || column_next(&r->places, &r->idx, &at, e))
		return -1;
	if (n > INT32_MAX)
		return broken(&r->idx, e, "a sequence of negative size");
	if (at > r->bin.size || n * width > r->bin.size - at)
		return broken(&r->idx, e, "a sequence ends behind the end of the .bin file");
	if (n + r->ids.n / sizeof(int32_t) > SHARD_MAX_TOKENS)
		return broken(&r->idx, e, "a document of more tokens than a record holds");
	r->named = at + n * width > r->named ? at + n * width : r->named;
	r->sequence++;
	if (n == 0)
		return 0;
	if (buf_reserve(&r->raw, n * width) || buf_reserve(&r->ids, n * sizeof(int32_t)))
		return err_mem(e);
	if (file_read(&r->bin, r->raw.p, n * width, at, e))
		return -1;
	if (idarray_get(&r->type, (unsigned char *)r->raw.p, n, r->vocab, (int32_t *)(void *)(r->ids.p + r->ids.n), &bad, e)) {
		err_prefix(e, "%s: token %llu: ", r->bin.name, (unsigned long long)(at / width + bad));
		e->kind = ERR_IO;
		return -1;
	}
	r->ids.n += n * sizeof(int32_t);
	return 0;
}

static int next(void *self, int32_t **ids, size_t *n, struct err *e)
{
	struct reader *r = self;
	uint64_t end;
	if (r->document == r->documents) {
		if (r->sequence != r->sequences)
			return broken(&r->idx, e, "sequences that no document has");
		return r->named < r->bin.size ? broken(&r->bin, e, "longer than the sequences of its index") : 0;
	}
	if (column_next(&r->bounds, &r->idx, &end, e))
		return -1;
	if (end < r->sequence || end > r->sequences)
		return broken(&r->idx, e, "the bounds of its documents are out of order");
	buf_reset(&r->ids);
	while (r->sequence < end)
		if (sequence(r, e))
			return -1;
	r->document++;
	*ids = (int32_t *)(void *)r->ids.p;
	*n = r->ids.n / sizeof(int32_t);
	return 1;
}

/* --- writing ------------------------------------------------------------------ */

struct writer {
	struct out *bin, *idx;
	char *bin_name, *idx_name;
	struct idarray_type type;
	uint32_t vocab;
	struct buf lengths; /* uint32_t, one a record */
	struct buf raw;
};

static void drop(void *self)
{
	struct writer *w = self;
	out_abort(w->bin);
	out_abort(w->idx);
	free(w->bin_name);
	free(w->idx_name);
	buf_release(&w->lengths);
	buf_release(&w->raw);
	free(w);
}

static int create(void **self, const char *path, const struct tokenfile_rule *rule, struct err *e)
{
	if (!path || strcmp(path, "-") == 0)
		return err_usage(e, "megatron data is two files: -o PREFIX names them");
	struct writer *w = calloc(1, sizeof *w);
	if (!w)
		return err_mem(e);
	/* as Megatron chooses, which leaves a few ids below 65536 free */
	w->type.width = rule->vocab && rule->vocab < 65500 ? 2 : 4;
	w->vocab = rule->vocab;
	int rc = (w->bin_name = sibling(path, ".bin")) && (w->idx_name = sibling(path, ".idx")) ? 0 : err_mem(e);
	if (rc || out_open(&w->bin, w->bin_name, OUT_PLAIN, e) || out_open(&w->idx, w->idx_name, OUT_PLAIN, e)) {
		drop(w);
		return -1;
	}
	*self = w;
	return 0;
}

static int fits(void *self, const int32_t *ids, size_t n, struct err *e)
{
	const struct writer *w = self;
	return idarray_fits(&w->type, ids, n, w->vocab, e);
}

static int put(void *self, const int32_t *ids, size_t n, struct err *e)
{
	struct writer *w = self;
	size_t size = n * w->type.width;
	uint32_t length = (uint32_t)n;
	buf_reset(&w->raw);
	if (buf_reserve(&w->raw, size + 1))
		return err_mem(e);
	if (idarray_put(&w->type, ids, n, w->vocab, (unsigned char *)w->raw.p, e))
		return -1;
	if (buf_add(&w->lengths, &length, sizeof length))
		return err_mem(e);
	return out_write(w->bin, w->raw.p, size, e);
}

static int put_number(struct writer *w, size_t width, uint64_t v, struct err *e)
{
	unsigned char b[8];
	idarray_set(b, width, v);
	return out_write(w->idx, b, width, e);
}

/* A record is a document of one sequence; an empty one is a document of none, as
 * Megatron's own preparation leaves it. */
static int put_index(struct writer *w, struct err *e)
{
	const uint32_t *length = (const uint32_t *)(const void *)w->lengths.p;
	size_t records = w->lengths.n / sizeof *length;
	uint64_t sequences = 0, place = 0, bound = 0;
	unsigned char b[HEADER] = {0};
	for (size_t i = 0; i < records; i++)
		sequences += length[i] > 0;
	memcpy(b, MAGIC, sizeof MAGIC);
	idarray_set(b + 9, 8, 1);
	b[17] = w->type.width == 2 ? CODE_U16 : CODE_I32;
	idarray_set(b + 18, 8, sequences);
	idarray_set(b + 26, 8, records + 1);
	if (out_write(w->idx, b, sizeof b, e))
		return -1;
	for (size_t i = 0; i < records; i++)
		if (length[i] && put_number(w, 4, length[i], e))
			return -1;
	for (size_t i = 0; i < records; place += (uint64_t)length[i++] * w->type.width)
		if (length[i] && put_number(w, 8, place, e))
			return -1;
	if (put_number(w, 8, 0, e))
		return -1;
	for (size_t i = 0; i < records; i++)
		if (put_number(w, 8, bound += length[i] > 0, e))
			return -1;
	return 0;
}

/* Neither file appears without the other. */
static int commit(void *self, struct err *e)
{
	struct writer *w = self;
	int rc = put_index(w, e) || out_flush(w->idx, e) ? -1 : 0;
	if (rc == 0) {
		struct out *bin = w->bin, *idx = w->idx;
		w->bin = NULL;
		rc = out_commit(bin, e);
		if (rc == 0) {
			w->idx = NULL;
			rc = out_commit(idx, e);
			if (rc)
				unlink(w->bin_name);
		}
	}
	drop(w);
	return rc;
}

const struct tokenfile_format megatron_format = {
	.name = "megatron", .by_prefix = true, .has_eos = true, .open = open_megatron, .next = next,
	.close = close_megatron, .create = create, .fits = fits, .put = put, .commit = commit, .abort = drop,
};
