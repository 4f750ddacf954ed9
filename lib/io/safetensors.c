#include "io/safetensors.h"
#include "base/buf.h"
#include "io/json.h"
#include "io/out.h"

#include <stdlib.h>
#include <string.h>

/* A file is: u64 length of the header; the header, a JSON object from name to
 * {"dtype", "shape", "data_offsets": [begin, end]} and "__metadata__"; the data. */

enum { MAX_HEADER = 100 * 1000 * 1000 /* as the safetensors library */ };

/* --- reading --------------------------------------------------------------------- */

static int read_shape(struct tensor *t, const struct json *shape, struct err *e)
{
	if (!json_is(shape, JSON_ARRAY) || shape->n > TENSOR_NDIM)
		return err_data(e, "%s: tensor %s: no shape of at most %d dimensions", t->file, t->name, TENSOR_NDIM);
	t->ndim = 0;
	t->count = 1;
	for (const struct json *c = shape->child; c; c = c->next) {
		int64_t d;
		if (json_i64(c, &d) || d < 0 || __builtin_mul_overflow(t->count, (size_t)d, &t->count))
			return err_data(e, "%s: tensor %s: the shape is no list of sizes", t->file, t->name);
		t->shape[t->ndim++] = d;
	}
	return 0;
}

/* Where a tensor's bytes are in the data. */
struct place {
	size_t begin, end;
	const char *name;
};

static int read_place(struct tensor *t, const struct json *at, const unsigned char *data, size_t n, struct place *p,
                      struct err *e)
{
	int64_t begin, end;
	size_t bytes, size = tensor_dtype(t->dtype_name, &t->dtype);
	if (size == 0)
		return err_data(e, "%s: tensor %s: unknown dtype %s", t->file, t->name, t->dtype_name);
	if (!json_is(at, JSON_ARRAY) || at->n != 2 || json_i64(at->child, &begin) || json_i64(at->child->next, &end) ||
	    begin < 0 || end < begin)
		return err_data(e, "%s: tensor %s: data_offsets are no [begin, end]", t->file, t->name);
	if (__builtin_mul_overflow(t->count, size, &bytes) || (size_t)(end - begin) != bytes)
		return err_data(e, "%s: tensor %s: its shape and its data_offsets do not agree", t->file, t->name);
	if ((size_t)end > n)
		return err_data(e, "%s: tensor %s: lies beyond the end of the file (cut off?)", t->file, t->name);
	t->data = data + begin;
	*p = (struct place){(size_t)begin, (size_t)end, t->name};
	return 0;
}

/* Which of two would count is not guessed. */
static bool has_twice(const struct json *v, const char *key)
{
	int n = 0;
	for (const struct json *c = json_is(v, JSON_OBJECT) ? v->child : NULL; c; c = c->next)
		n += c->keylen == strlen(key) && memcmp(c->key, key, c->keylen) == 0;
	return n > 1;
}

static int read_tensor(struct tensor_set *s, const struct json *v, const char *file, const unsigned char *data, size_t n,
                       struct place *p, struct err *e)
{
	static const char *const keys[] = {"dtype", "shape", "data_offsets"};
	struct tensor t = {.name = v->key, .file = file};
	const struct json *dtype = json_get(v, "dtype");
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (has_twice(v, keys[i]))
			return err_data(e, "%s: tensor %s: \"%s\" is there twice", file, t.name, keys[i]);
	if (strlen(v->key) != v->keylen)
		return err_data(e, "%s: a tensor's name holds a NUL", file);
	if (!json_is(dtype, JSON_STRING) || strlen(dtype->s) != dtype->n)
		return err_data(e, "%s: tensor %s: no dtype", file, t.name);
	t.dtype_name = dtype->s;
	if (read_shape(&t, json_get(v, "shape"), e) || read_place(&t, json_get(v, "data_offsets"), data, n, p, e))
		return -1;
	return tensor_add(s, &t, e);
}

static int by_begin(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	return x->begin != y->begin ? (x->begin > y->begin) - (x->begin < y->begin) : (x->end > y->end) - (x->end < y->end);
}

/* The format wants the data filled without holes and overlaps: bytes that belong to
 * none or to two are no accident. n: bytes of data. */
static int check_places(struct place *p, size_t count, size_t n, const char *file, struct err *e)
{
	size_t at = 0;
	if (count)
		qsort(p, count, sizeof *p, by_begin);
	for (size_t i = 0; i < count; at = p[i++].end) {
		if (p[i].begin < at)
			return err_data(e, "%s: tensors %s and %s overlap", file, p[i - 1].name, p[i].name);
		if (p[i].begin > at)
			return err_data(e, "%s: %zu bytes before tensor %s belong to none", file, p[i].begin - at, p[i].name);
	}
	return at == n ? 0 : err_data(e, "%s: %zu bytes at the end belong to no tensor", file, n - at);
}

/* n: bytes of the file. */
static int read_header(struct tensor_set *s, const unsigned char *p, size_t n, const char *file, struct err *e)
{
	uint64_t len = 0;
	struct json *head;
	size_t count = 0;
	if (n < 8)
		return err_data(e, "%s: no safetensors file: shorter than 8 bytes", file);
	for (int i = 7; i >= 0; i--)
		len = len << 8 | p[i];
	if (len > MAX_HEADER || len > n - 8)
		return err_data(e, "%s: no safetensors file, or one cut off: its header would have %llu bytes", file,
		                (unsigned long long)len);
	if (json_parse(&s->arena, (const char *)p + 8, len, &head, e))
		return err_prefix(e, "%s: header: ", file);
	if (head->type != JSON_OBJECT)
		return err_data(e, "%s: the header is no JSON object", file);
	struct place *place = calloc(head->n + 1, sizeof *place);
	if (!place)
		return err_mem(e);
	int rc = 0;
	for (const struct json *v = head->child; v && !rc; v = v->next)
		if (strcmp(v->key, "__metadata__"))
			rc = read_tensor(s, v, file, p + 8 + len, n - 8 - len, &place[count++], e);
	rc = rc || check_places(place, count, n - 8 - len, file, e) ? -1 : 0;
	free(place);
	return rc;
}

int safetensors_read(struct tensor_set *s, const char *path, struct err *e)
{
	const struct tensor_file *m;
	return tensor_map(s, path, &m, e) || read_header(s, m->p, m->n, m->name, e) ? -1 : 0;
}

/* --- writing -------------------------------------------------------------------- */

static size_t src_count(const struct safetensors_src *t)
{
	size_t n = 1;
	for (int i = 0; i < t->ndim; i++)
		n *= (size_t)t->shape[i];
	return n;
}

static int header(struct buf *b, const struct safetensors_src *t, size_t n, enum tensor_dtype as)
{
	size_t at = 0, size = tensor_bytes(as);
	int bad = buf_adds(b, "{\"__metadata__\":{\"format\":\"pt\"}");
	for (size_t i = 0; i < n; i++) {
		size_t bytes = src_count(&t[i]) * size;
		bad |= buf_addc(b, ',') | json_quote(b, t[i].name, strlen(t[i].name));
		bad |= buf_printf(b, ":{\"dtype\":\"%s\",\"shape\":[", tensor_name(as));
		for (int d = 0; d < t[i].ndim; d++)
			bad |= buf_printf(b, "%s%lld", d ? "," : "", (long long)t[i].shape[d]);
		bad |= buf_printf(b, "],\"data_offsets\":[%zu,%zu]}", at, at + bytes);
		at += bytes;
	}
	bad |= buf_addc(b, '}');
	while (!bad && b->n % 8) /* the data starts aligned, as the safetensors library pads */
		bad |= buf_addc(b, ' ');
	return bad;
}

static int write_data(struct out *out, const struct safetensors_src *t, enum tensor_dtype as, struct err *e)
{
	enum { STEP = 4096 };
	unsigned char b[4 * STEP];
	for (size_t i = 0, k, n = src_count(t); i < n; i += k) {
		k = n - i < STEP ? n - i : STEP;
		if (tensor_from_f32(b, t->data + i, k, as))
			return err_data(e, "%s: tensor %s holds numbers too large for %s", out_name(out), t->name, tensor_name(as));
		if (out_write(out, b, k * tensor_bytes(as), e))
			return -1;
	}
	return 0;
}

int safetensors_write(const char *path, const struct safetensors_src *t, size_t n, enum tensor_dtype as, struct err *e)
{
	struct buf b = {0};
	struct out *out;
	unsigned char len[8];
	if (header(&b, t, n, as)) {
		buf_release(&b);
		return err_mem(e);
	}
	for (int i = 0; i < 8; i++)
		len[i] = (unsigned char)((uint64_t)b.n >> 8 * i);
	int rc = out_open(&out, path, OUT_PLAIN, e);
	if (rc == 0) {
		rc = out_write(out, len, 8, e);
		if (rc == 0)
			rc = out_write(out, b.p, b.n, e);
		for (size_t i = 0; i < n && rc == 0; i++)
			rc = write_data(out, &t[i], as, e);
		if (rc == 0)
			rc = out_commit(out, e);
		else
			out_abort(out);
	}
	buf_release(&b);
	return rc;
}
