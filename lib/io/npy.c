#include "io/npy.h"
#include "base/buf.h"
#include "base/num.h"
#include "io/idstream.h"
#include "io/shard.h"
#include "io/spool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char MAGIC[] = "\x93NUMPY";
enum { EMPTY_ROWS = 1 << 20 };
enum { MAGIC_LEN = 6, HEADER = 128 /* as NumPy itself pads */, HEADER_READ_MAX = 65536 };

static bool is(const unsigned char *p, size_t n)
{
	return n >= MAGIC_LEN && memcmp(p, MAGIC, MAGIC_LEN) == 0;
}

/* --- the header: a Python dictionary ---------------------------------------------- */

struct array {
	struct idarray_type type;
	int dims;
	uint64_t shape[2];
	bool fortran, has_type, has_order, has_shape;
};

static const char *blanks(const char *p)
{
	return p + strspn(p, " \t\n\r");
}

/* Steps over the text t, blanks before it; NULL if it is not there. */
static const char *word(const char *p, const char *t)
{
	p = blanks(p);
	return strncmp(p, t, strlen(t)) == 0 ? p + strlen(t) : NULL;
}

/* A quoted string of less than cap bytes without escapes. */
static const char *quoted(const char *p, char *out, size_t cap)
{
	p = blanks(p);
	char q = *p;
	const char *end = q == '\'' || q == '"' ? strchr(p + 1, q) : NULL;
	if (!end || (size_t)(end - p) > cap)
		return NULL;
	memcpy(out, p + 1, (size_t)(end - p) - 1);
	out[end - p - 1] = 0;
	return end + 1;
}

/* "(3,)" or "(3, 4)"; of more dimensions the number is kept. "(3)" is no tuple. */
static const char *shape(const char *p, struct array *a)
{
	bool comma = false;
	if (!(p = word(p, "(")))
		return NULL;
	for (;;) {
		uint64_t v;
		const char *end = word(p, ")");
		if (end)
			return comma || a->dims == 0 ? end : NULL;
		p = blanks(p);
		size_t n = strspn(p, "0123456789");
		if (num_u64(p, n, &v))
			return NULL;
		if (a->dims < 2)
			a->shape[a->dims] = v;
		a->dims++;
		p = blanks(p + n);
		if (*p == ',') {
			comma = true;
			p++;
		} else if (*p != ')')
			return NULL;
	}
}

/* '<u2' and its kin; false for what holds no whole numbers. */
static bool type_of(const char *s, struct idarray_type *t)
{
	if (!*s || !strchr("<>|=", s[0]) || (s[1] != 'u' && s[1] != 'i') || !s[2] || !strchr("1248", s[2]) || s[3])
		return false;
	t->width = (uint8_t)(s[2] - '0');
	t->is_signed = s[1] == 'i';
	t->big_endian = s[0] == '>';
	return s[0] != '=' && (s[0] != '|' || t->width == 1);
}

static int member(struct in *in, const char **pp, struct array *a, struct err *e)
{
	char key[32], text[64];
	const char *p = quoted(*pp, key, sizeof key);
	if (p)
		p = word(p, ":");
	/* no writer gives a name twice; of a file that does, which one counts is not guessed */
	if (p && strcmp(key, "descr") == 0 && !a->has_type) {
		p = quoted(p, text, sizeof text);
		if (!p || !type_of(text, &a->type))
			return idstream_broken(in, e, "the array's type is %s: token ids are whole numbers", p ? text : "structured");
		a->has_type = true;
	} else if (p && strcmp(key, "fortran_order") == 0 && !a->has_order) {
		a->fortran = word(p, "True") != NULL;
		p = word(p, a->fortran ? "True" : "False");
		a->has_order = true;
	} else if (p && strcmp(key, "shape") == 0 && !a->has_shape) {
		p = shape(p, a);
		a->has_shape = true;
	} else {
		p = NULL;
	}
	if (!p)
		return idstream_broken(in, e, "the header of the .npy file is damaged");
	*pp = p;
	return 0;
}

static int parse(struct in *in, const char *p, struct array *a, struct err *e)
{
	const char *end = NULL;
	if (!(p = word(p, "{")))
		return idstream_broken(in, e, "the header of the .npy file is damaged");
	while (!(end = word(p, "}"))) {
		if (member(in, &p, a, e))
			return -1;
		const char *comma = word(p, ",");
		if (!comma && !word(p, "}"))
			return idstream_broken(in, e, "the header of the .npy file is damaged");
		p = comma ? comma : p;
	}
	if (*blanks(end) || !a->has_type || !a->has_order || !a->has_shape)
		return idstream_broken(in, e, "the header of the .npy file is damaged");
	if (a->dims < 1 || a->dims > 2)
		return idstream_broken(in, e, "an array of %d dimensions: tokens have one, or two with a record a row", a->dims);
	if (a->fortran && a->dims == 2)
		return idstream_broken(in, e, "the array is in Fortran order: save it with numpy.ascontiguousarray");
	if (a->dims == 2 && a->shape[1] > SHARD_MAX_TOKENS)
		return idstream_broken(in, e, "rows of more than %d tokens", SHARD_MAX_TOKENS);
	if (a->shape[0] > INT64_MAX / 8 / (a->dims == 2 && a->shape[1] ? a->shape[1] : 1))
		return idstream_broken(in, e, "the array's shape is no file's");
	/* they take no bytes: a header alone could claim any number of them */
	if (a->dims == 2 && a->shape[1] == 0 && a->shape[0] > EMPTY_ROWS)
		return idstream_broken(in, e, "more than %d empty rows", EMPTY_ROWS);
	return 0;
}

static int read_header(struct in *in, struct array *a, struct err *e)
{
	unsigned char b[12];
	struct buf text = {0};
	ssize_t n = in_full(in, b, 8, e);
	if (n < 0)
		return -1;
	if (!is(b, (size_t)n) || n < 8)
		return idstream_broken(in, e, "no .npy file");
	if (b[6] < 1 || b[6] > 3)
		return idstream_broken(in, e, ".npy version %d.%d", b[6], b[7]);
	size_t wide = b[6] == 1 ? 2 : 4;
	if ((n = in_full(in, b, wide, e)) < 0)
		return -1;
	size_t size = n < (ssize_t)wide ? 0 : idarray_u64(b, wide);
	if (size == 0 || size > HEADER_READ_MAX)
		return idstream_broken(in, e, "the header of the .npy file is damaged");
	if (buf_reserve(&text, size + 1))
		return err_mem(e);
	n = in_full(in, text.p, size, e);
	int rc = n < 0 ? -1 : 0;
	if (rc == 0 && ((size_t)n < size || memchr(text.p, 0, size)))
		rc = idstream_broken(in, e, "the header of the .npy file is damaged");
	if (rc == 0) {
		text.p[size] = 0;
		rc = parse(in, text.p, a, e);
	}
	buf_release(&text);
	return rc;
}

/* --- reading ------------------------------------------------------------------ */

struct reader {
	struct idstream s;
	struct tokenfile_rule rule;
	bool matrix;
	uint64_t rows_left;
	size_t length; /* of a row */
};

static int open_npy(void **self, struct in *in, const char *path, struct tokenfile_rule *rule, struct err *e)
{
	struct array a = {0};
	(void)path;
	if (read_header(in, &a, e))
		return -1;
	if (a.dims == 1 && rule->eos == SHARD_NO_ID)
		return err_usage(e, "%s: where documents end in an array of one dimension the end-of-text token tells: "
		                 "--eos ID or -T FILE names it", in_name(in));
	struct reader *r = malloc(sizeof *r);
	if (!r)
		return err_mem(e);
	*r = (struct reader){.rule = *rule, .matrix = a.dims == 2, .rows_left = a.shape[0], .length = a.shape[1]};
	idstream_start(&r->s, in, &a.type, a.dims == 2 ? a.shape[0] * a.shape[1] : a.shape[0], rule->vocab);
	*self = r;
	return 0;
}

/* A run of padding at a row's end is none of the record's. Where the end of the text
 * pads, the first of them is the text's. */
static size_t unpadded(const struct tokenfile_rule *rule, const int32_t *ids, size_t n)
{
	size_t end = n;
	while (rule->pad != SHARD_NO_ID && end > 0 && (uint32_t)ids[end - 1] == rule->pad)
		end--;
	return end < n && rule->pad == rule->eos ? end + 1 : end;
}

static int next(void *self, int32_t **ids, size_t *n, struct err *e)
{
	struct reader *r = self;
	if (!r->matrix)
		return idstream_after(&r->s, r->rule.eos, ids, n, e);
	if (r->rows_left == 0)
		return idstream_ends(&r->s, e);
	r->rows_left--;
	if (idstream_row(&r->s, r->length, ids, n, e) < 0)
		return -1;
	*n = unpadded(&r->rule, *ids, *n);
	return 1;
}

static void close_npy(void *self)
{
	struct reader *r = self;
	idstream_release(&r->s);
	free(r);
}

/* --- writing ------------------------------------------------------------------ */

/* 16 bits where the vocabulary is known to fit, else what every library computes with. */
static struct idarray_type type_for(const struct tokenfile_rule *rule)
{
	struct idarray_type narrow = {.width = 2}, wide = {.width = 4, .is_signed = true};
	return rule->vocab && rule->vocab <= 65536 ? narrow : wide;
}

/* What numpy.save writes before such an array, to the byte. */
static void write_header(char b[HEADER], const struct idarray_type *t, const char *shape_text)
{
	memcpy(b, MAGIC, MAGIC_LEN);
	b[6] = 1;
	b[7] = 0;
	idarray_set((unsigned char *)b + 8, 2, HEADER - 10);
	int n = snprintf(b + 10, HEADER - 10, "{'descr': '<%s', 'fortran_order': False, 'shape': %s, }",
	                 t->width == 2 ? "u2" : "i4", shape_text);
	memset(b + 10 + n, ' ', (size_t)(HEADER - 11 - n));
	b[HEADER - 1] = '\n';
}

static void drop(void *self)
{
	struct idstream_out *s = self;
	idstream_abort(s);
	free(s);
}

static int create(void **self, const char *path, const struct tokenfile_rule *rule, struct err *e)
{
	struct idstream_out *s = calloc(1, sizeof *s);
	if (!s)
		return err_mem(e);
	s->type = type_for(rule);
	s->vocab = rule->vocab;
	s->eos = rule->eos;
	if (idstream_create(s, path, HEADER, e)) {
		drop(s);
		return -1;
	}
	*self = s;
	return 0;
}

static int fits(void *self, const int32_t *ids, size_t n, struct err *e)
{
	return idstream_fits(self, ids, n, e);
}

static int put(void *self, const int32_t *ids, size_t n, struct err *e)
{
	return idstream_put(self, ids, n, e);
}

static int commit(void *self, struct err *e)
{
	struct idstream_out *s = self;
	char b[HEADER], text[32];
	snprintf(text, sizeof text, "(%llu,)", (unsigned long long)s->count);
	write_header(b, &s->type, text);
	int rc = idstream_commit(s, b, e);
	free(s);
	return rc;
}

const struct tokenfile_format npy_format = {
	.name = "npy", .is = is, .open = open_npy, .next = next, .close = close_npy,
	.create = create, .fits = fits, .put = put, .commit = commit, .abort = drop,
};

/* --- writing rows ----------------------------------------------------------------
 * The length of the rows is that of the longest record, known last: the records wait
 * in a spool, each as its length and its ids. */

struct rows {
	struct headed *h; /* no header of its own: the output is written at the commit */
	struct spool *spool;
	struct idarray_type type;
	struct tokenfile_rule rule;
	uint64_t records;
	size_t longest, shortest;
	struct buf b;
};

static void rows_drop(void *self)
{
	struct rows *w = self;
	headed_abort(w->h);
	spool_close(w->spool);
	buf_release(&w->b);
	free(w);
}

static int rows_create(void **self, const char *path, const struct tokenfile_rule *rule, struct err *e)
{
	struct rows *w = calloc(1, sizeof *w);
	if (!w)
		return err_mem(e);
	w->rule = *rule;
	w->type = type_for(rule);
	w->shortest = SIZE_MAX;
	if (headed_open(&w->h, path, 0, e) || spool_open(&w->spool, e)) {
		rows_drop(w);
		return -1;
	}
	*self = w;
	return 0;
}

static int rows_fits(void *self, const int32_t *ids, size_t n, struct err *e)
{
	const struct rows *w = self;
	return idarray_fits(&w->type, ids, n, w->rule.vocab, e);
}

static int rows_put(void *self, const int32_t *ids, size_t n, struct err *e)
{
	struct rows *w = self;
	size_t size = n * w->type.width;
	buf_reset(&w->b);
	if (buf_reserve(&w->b, 4 + size))
		return err_mem(e);
	unsigned char *p = (unsigned char *)w->b.p;
	idarray_set(p, 4, n);
	if (idarray_put(&w->type, ids, n, w->rule.vocab, p + 4, e))
		return -1;
	w->records++;
	w->longest = n > w->longest ? n : w->longest;
	w->shortest = n < w->shortest ? n : w->shortest;
	return spool_write(w->spool, p, 4 + size, e);
}

static int copy_rows(struct rows *w, struct err *e)
{
	size_t width = w->type.width, size = w->longest * width;
	unsigned char first[4];
	buf_reset(&w->b);
	if (spool_rewind(w->spool, e))
		return -1;
	if (buf_reserve(&w->b, size + 1))
		return err_mem(e);
	unsigned char *p = (unsigned char *)w->b.p;
	for (uint64_t i = 0; i < w->records; i++) {
		if (spool_read(w->spool, first, sizeof first, e) < 0)
			return -1;
		size_t n = idarray_u64(first, sizeof first) * width;
		if (spool_read(w->spool, p, n, e) < 0)
			return -1;
		for (; n < size; n += width)
			idarray_set(p + n, width, w->rule.pad);
		if (headed_write(w->h, p, size, e))
			return -1;
	}
	return 0;
}

static int rows_commit(void *self, struct err *e)
{
	struct rows *w = self;
	char b[HEADER], text[64];
	int rc = 0;
	if (w->records && w->shortest < w->longest && w->rule.pad == SHARD_NO_ID)
		rc = err_usage(e, "records of different lengths are padded into rows: --pad ID or -T FILE names the token");
	snprintf(text, sizeof text, "(%llu, %zu)", (unsigned long long)w->records, w->longest);
	write_header(b, &w->type, text);
	if (rc || headed_write(w->h, b, HEADER, e) || copy_rows(w, e)) {
		rows_drop(w);
		return -1;
	}
	rc = headed_commit(w->h, NULL, e);
	w->h = NULL;
	rows_drop(w);
	return rc;
}

const struct tokenfile_format npy_rows_format = {
	.name = "npy2", .rows = true, .open = open_npy, .next = next, .close = close_npy,
	.create = rows_create, .fits = rows_fits, .put = rows_put, .commit = rows_commit, .abort = rows_drop,
};
