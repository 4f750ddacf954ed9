#include "io/safetensors.h"
#include "base/arena.h"
#include "base/buf.h"
#include "io/in.h"
#include "io/json.h"
#include "io/out.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file is: u64 length of the header; the header, a JSON object from name to
 * {"dtype", "shape", "data_offsets": [begin, end]} and "__metadata__"; the data. */

enum { MAX_HEADER = 100 * 1000 * 1000 /* as the safetensors library */, MAX_FILES = 4096 };

struct mapping {
	void *p;
	size_t n;
	const char *name;
};

struct safetensors {
	struct arena arena;
	struct mapping *map;
	size_t nmap;
	struct safetensors_tensor *t;
	size_t n, cap;
};

/* --- one file's header --------------------------------------------------------- */

static size_t dtype_size(const char *name, enum safetensors_dtype *dtype)
{
	static const struct {
		const char *name;
		enum safetensors_dtype dtype;
		size_t size;
	} known[] = {
		{"F32", SAFETENSORS_F32, 4}, {"F16", SAFETENSORS_F16, 2}, {"BF16", SAFETENSORS_BF16, 2},
		{"F64", SAFETENSORS_OTHER, 8}, {"I64", SAFETENSORS_OTHER, 8}, {"U64", SAFETENSORS_OTHER, 8},
		{"I32", SAFETENSORS_OTHER, 4}, {"U32", SAFETENSORS_OTHER, 4}, {"I16", SAFETENSORS_OTHER, 2},
		{"U16", SAFETENSORS_OTHER, 2}, {"I8", SAFETENSORS_OTHER, 1}, {"U8", SAFETENSORS_OTHER, 1},
		{"BOOL", SAFETENSORS_OTHER, 1}, {"F8_E4M3", SAFETENSORS_OTHER, 1}, {"F8_E5M2", SAFETENSORS_OTHER, 1},
	};
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcmp(name, known[i].name) == 0) {
			*dtype = known[i].dtype;
			return known[i].size;
		}
	return 0;
}

static int read_shape(struct safetensors_tensor *t, const struct json *shape, struct err *e)
{
	if (!json_is(shape, JSON_ARRAY) || shape->n > SAFETENSORS_NDIM)
		return err_data(e, "%s: tensor %s: no shape of at most %d dimensions", t->file, t->name, SAFETENSORS_NDIM);
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

static int read_place(struct safetensors_tensor *t, const struct json *at, const struct mapping *m, size_t data, struct err *e)
{
	int64_t begin, end;
	size_t bytes, size = dtype_size(t->dtype_name, &t->dtype);
	if (size == 0)
		return err_data(e, "%s: tensor %s: unknown dtype %s", t->file, t->name, t->dtype_name);
	if (!json_is(at, JSON_ARRAY) || at->n != 2 || json_i64(at->child, &begin) || json_i64(at->child->next, &end) ||
	    begin < 0 || end < begin)
		return err_data(e, "%s: tensor %s: data_offsets are no [begin, end]", t->file, t->name);
	if (__builtin_mul_overflow(t->count, size, &bytes) || (size_t)(end - begin) != bytes)
		return err_data(e, "%s: tensor %s: its shape and its data_offsets do not agree", t->file, t->name);
	if ((size_t)end > m->n - data)
		return err_data(e, "%s: tensor %s: lies beyond the end of the file (cut off?)", t->file, t->name);
	t->data = (const char *)m->p + data + begin;
	return 0;
}

static int add_tensor(struct safetensors *st, const struct mapping *m, size_t data, const struct json *v, struct err *e)
{
	if (st->n == st->cap) {
		size_t cap = st->cap ? st->cap * 2 : 256;
		struct safetensors_tensor *t = realloc(st->t, cap * sizeof *t);
		if (!t)
			return err_mem(e);
		st->t = t;
		st->cap = cap;
	}
	struct safetensors_tensor *t = &st->t[st->n];
	const struct json *dtype = json_get(v, "dtype");
	*t = (struct safetensors_tensor){.name = v->key, .file = m->name};
	if (strlen(v->key) != v->keylen)
		return err_data(e, "%s: a tensor's name holds a NUL", m->name);
	if (!json_is(dtype, JSON_STRING))
		return err_data(e, "%s: tensor %s: no dtype", m->name, t->name);
	t->dtype_name = dtype->s;
	if (read_shape(t, json_get(v, "shape"), e) || read_place(t, json_get(v, "data_offsets"), m, data, e))
		return -1;
	st->n++;
	return 0;
}

static int read_header(struct safetensors *st, const struct mapping *m, struct err *e)
{
	uint64_t n = 0;
	struct json *head;
	if (m->n < 8)
		return err_data(e, "%s: no safetensors file: shorter than 8 bytes", m->name);
	for (int i = 7; i >= 0; i--)
		n = n << 8 | ((const unsigned char *)m->p)[i];
	if (n > MAX_HEADER || n > m->n - 8)
		return err_data(e, "%s: no safetensors file, or one cut off: its header would have %llu bytes", m->name, (unsigned long long)n);
	if (json_parse(&st->arena, (const char *)m->p + 8, n, &head, e))
		return err_prefix(e, "%s: header: ", m->name);
	if (head->type != JSON_OBJECT)
		return err_data(e, "%s: the header is no JSON object", m->name);
	for (const struct json *v = head->child; v; v = v->next)
		if (strcmp(v->key, "__metadata__") && add_tensor(st, m, 8 + n, v, e))
			return -1;
	return 0;
}

static int map_file(struct safetensors *st, const char *path, struct err *e)
{
	struct stat s;
	struct mapping *m = &st->map[st->nmap];
	m->name = arena_dup(&st->arena, path, strlen(path));
	if (!m->name)
		return err_mem(e);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_io(e, "%s", path);
	if (fstat(fd, &s) || !S_ISREG(s.st_mode)) {
		close(fd);
		return err_data(e, "%s: no regular file", path);
	}
	m->n = (size_t)s.st_size;
	m->p = m->n ? mmap(NULL, m->n, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
	close(fd);
	if (m->p == MAP_FAILED)
		return err_io(e, "%s", path);
	st->nmap++;
	return read_header(st, m, e);
}

/* --- a directory --------------------------------------------------------------- */

/* The index names files of its own directory: a name with a slash is refused. */
static int map_index(struct safetensors *st, const char *dir, const char *path, struct err *e)
{
	struct buf text = {0};
	struct json *root = NULL;
	int rc = in_slurp(path, &text, e);
	if (rc == 0 && json_parse(&st->arena, text.p, text.n, &root, e))
		rc = err_prefix(e, "%s: ", path);
	buf_release(&text);
	if (rc)
		return -1;
	const struct json *map = json_get(root, "weight_map");
	if (!json_is(map, JSON_OBJECT))
		return err_data(e, "%s: no \"weight_map\"", path);
	st->map = calloc(MAX_FILES, sizeof *st->map);
	if (!st->map)
		return err_mem(e);
	for (const struct json *v = map->child; v; v = v->next) {
		char file[4096];
		bool have = false;
		if (v->type != JSON_STRING || v->n == 0 || memchr(v->s, '/', v->n) || memchr(v->s, 0, v->n) || v->s[0] == '.')
			return err_data(e, "%s: tensor %s: its file is no plain name", path, v->key);
		if (snprintf(file, sizeof file, "%s/%s", dir, v->s) >= (int)sizeof file)
			return err_data(e, "%s: path too long", dir);
		for (size_t i = 0; i < st->nmap && !have; i++)
			have = strcmp(st->map[i].name, file) == 0;
		if (!have && st->nmap == MAX_FILES)
			return err_data(e, "%s: more than %d files", path, MAX_FILES);
		if (!have && map_file(st, file, e))
			return -1;
	}
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct safetensors_tensor *x = a, *y = b;
	return strcmp(x->name, y->name);
}

static int open_dir(struct safetensors *st, const char *dir, struct err *e)
{
	char one[4096], index[4096];
	int n1 = snprintf(one, sizeof one, "%s/model.safetensors", dir);
	int n2 = snprintf(index, sizeof index, "%s/model.safetensors.index.json", dir);
	if (n1 >= (int)sizeof one || n2 >= (int)sizeof index)
		return err_data(e, "%s: path too long", dir);
	if (access(one, F_OK) && access(index, F_OK) == 0)
		return map_index(st, dir, index, e);
	st->map = calloc(1, sizeof *st->map);
	return st->map ? map_file(st, one, e) : err_mem(e);
}

int safetensors_open(struct safetensors **out, const char *dir, struct err *e)
{
	struct safetensors *st = calloc(1, sizeof *st);
	if (!st)
		return err_mem(e);
	if (open_dir(st, dir, e)) {
		safetensors_close(st);
		return -1;
	}
	if (st->n)
		qsort(st->t, st->n, sizeof *st->t, by_name);
	for (size_t i = 1; i < st->n; i++)
		if (strcmp(st->t[i - 1].name, st->t[i].name) == 0) {
			err_data(e, "%s: tensor %s is there twice", st->t[i].file, st->t[i].name);
			safetensors_close(st);
			return -1;
		}
	*out = st;
	return 0;
}

size_t safetensors_count(const struct safetensors *st)
{
	return st->n;
}

const struct safetensors_tensor *safetensors_at(const struct safetensors *st, size_t i)
{
	return &st->t[i];
}

const struct safetensors_tensor *safetensors_find(const struct safetensors *st, const char *name)
{
	struct safetensors_tensor key = {.name = name};
	return st->n ? bsearch(&key, st->t, st->n, sizeof *st->t, by_name) : NULL;
}

void safetensors_close(struct safetensors *st)
{
	if (!st)
		return;
	for (size_t i = 0; i < st->nmap; i++)
		if (st->map[i].p)
			munmap(st->map[i].p, st->map[i].n);
	free(st->map);
	free(st->t);
	arena_release(&st->arena);
	free(st);
}

/* --- numbers ------------------------------------------------------------------- */

static float from_bits(uint32_t u)
{
	float f;
	memcpy(&f, &u, 4);
	return f;
}

static uint32_t to_bits(float f)
{
	uint32_t u;
	memcpy(&u, &f, 4);
	return u;
}

/* IEEE 754 binary16. A subnormal is m * 2^-24, exact in float. */
static float half_to_float(uint16_t h)
{
	uint32_t sign = (uint32_t)(h & 0x8000) << 16, ex = h >> 10 & 31, m = h & 1023;
	if (ex == 0)
		return from_bits(sign | to_bits((float)m * 0x1p-24f));
	if (ex == 31)
		return from_bits(sign | 0x7F800000 | m << 13);
	return from_bits(sign | (ex + 112) << 23 | m << 13);
}

/* Rounds to nearest, ties to even: adding a power of two moves the bits that do
 * not fit out of the float's own mantissa, which rounds that way. */
static uint16_t float_to_half(float f)
{
	uint32_t u = to_bits(f), sign = u >> 16 & 0x8000, a = u & 0x7FFFFFFF;
	if (a > 0x7F800000)
		return (uint16_t)(sign | 0x7E00);
	if (a >= 0x477FF000) /* 65520 and more round to infinity */
		return (uint16_t)(sign | 0x7C00);
	if (a < 0x38800000) /* under 2^-14: subnormal, unit 2^-24 */
		return (uint16_t)(sign | (to_bits(from_bits(a) + 0.5f) - to_bits(0.5f)));
	uint32_t odd = a >> 13 & 1;
	return (uint16_t)(sign | (a - 0x38000000 + 0xFFF + odd) >> 13);
}

static uint16_t float_to_bf16(float f)
{
	uint32_t u = to_bits(f);
	if ((u & 0x7FFFFFFF) > 0x7F800000)
		return (uint16_t)(u >> 16 | 0x40);
	return (uint16_t)((u + 0x7FFF + (u >> 16 & 1)) >> 16);
}

static uint16_t load16(const unsigned char *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

void safetensors_to_f32(const struct safetensors_tensor *t, float *dst)
{
	const unsigned char *p = t->data;
	if (t->dtype == SAFETENSORS_F32) {
		if (t->count)
			memcpy(dst, p, t->count * 4);
		if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
			for (size_t i = 0; i < t->count; i++)
				dst[i] = from_bits(__builtin_bswap32(to_bits(dst[i])));
		return;
	}
	for (size_t i = 0; i < t->count; i++) {
		uint16_t h = load16(p + 2 * i);
		dst[i] = t->dtype == SAFETENSORS_F16 ? half_to_float(h) : from_bits((uint32_t)h << 16);
	}
}

/* --- writing -------------------------------------------------------------------- */

static size_t src_count(const struct safetensors_src *t)
{
	size_t n = 1;
	for (int i = 0; i < t->ndim; i++)
		n *= (size_t)t->shape[i];
	return n;
}

static int header(struct buf *b, const struct safetensors_src *t, size_t n, enum safetensors_dtype as)
{
	size_t at = 0, size = as == SAFETENSORS_F32 ? 4 : 2;
	const char *dtype = as == SAFETENSORS_F32 ? "F32" : as == SAFETENSORS_F16 ? "F16" : "BF16";
	int bad = buf_adds(b, "{\"__metadata__\":{\"format\":\"pt\"}");
	for (size_t i = 0; i < n; i++) {
		size_t bytes = src_count(&t[i]) * size;
		bad |= buf_addc(b, ',') | json_quote(b, t[i].name, strlen(t[i].name));
		bad |= buf_printf(b, ":{\"dtype\":\"%s\",\"shape\":[", dtype);
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

static int write_data(struct out *out, const float *p, size_t n, enum safetensors_dtype as, struct err *e)
{
	unsigned char b[16384];
	for (size_t i = 0; i < n;) {
		size_t k = 0;
		for (; i < n && k + 4 <= sizeof b; i++) {
			uint32_t u = as == SAFETENSORS_F32 ? to_bits(p[i]) : as == SAFETENSORS_F16 ? float_to_half(p[i]) : float_to_bf16(p[i]);
			b[k++] = (unsigned char)u;
			b[k++] = (unsigned char)(u >> 8);
			if (as == SAFETENSORS_F32) {
				b[k++] = (unsigned char)(u >> 16);
				b[k++] = (unsigned char)(u >> 24);
			}
		}
		if (out_write(out, b, k, e))
			return -1;
	}
	return 0;
}

int safetensors_write(const char *path, const struct safetensors_src *t, size_t n, enum safetensors_dtype as, struct err *e)
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
			rc = write_data(out, t[i].data, src_count(&t[i]), as, e);
		if (rc == 0)
			rc = out_commit(out, e);
		else
			out_abort(out);
	}
	buf_release(&b);
	return rc;
}
