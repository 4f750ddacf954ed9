#include "io/tensor.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- the set --------------------------------------------------------------------- */

/* Room for one more element behind n of them; NULL when memory runs out. */
static void *grow(void *p, size_t n, size_t *cap, size_t size, size_t first)
{
	if (n < *cap)
		return p;
	size_t want = *cap ? *cap * 2 : first;
	void *q = realloc(p, want * size);
	if (q)
		*cap = want;
	return q;
}

int tensor_map(struct tensor_set *s, const char *path, const struct tensor_file **out, struct err *e)
{
	struct stat st;
	struct tensor_file *all = grow(s->file, s->nfile, &s->filecap, sizeof *s->file, 4);
	const char *name = arena_dup(&s->arena, path, strlen(path));
	if (all)
		s->file = all;
	if (!all || !name)
		return err_mem(e);
	/* without O_NONBLOCK a pipe of this name would wait for its other end */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return err_io(e, "%s", path);
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return err_data(e, "%s: no regular file", path);
	}
	size_t n = (size_t)st.st_size;
	void *p = n ? mmap(NULL, n, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
	close(fd);
	if (p == MAP_FAILED)
		return err_io(e, "%s", path);
	s->file[s->nfile] = (struct tensor_file){p, n, name};
	*out = &s->file[s->nfile++];
	return 0;
}

int tensor_add(struct tensor_set *s, const struct tensor *t, struct err *e)
{
	struct tensor *all = grow(s->t, s->n, &s->cap, sizeof *s->t, 256);
	if (!all)
		return err_mem(e);
	s->t = all;
	s->t[s->n++] = *t;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct tensor *x = a, *y = b;
	return strcmp(x->name, y->name);
}

int tensor_sort(struct tensor_set *s, struct err *e)
{
	if (s->n)
		qsort(s->t, s->n, sizeof *s->t, by_name);
	for (size_t i = 1; i < s->n; i++)
		if (strcmp(s->t[i - 1].name, s->t[i].name) == 0)
			return err_data(e, "%s: tensor %s is there twice", s->t[i].file, s->t[i].name);
	return 0;
}

const struct tensor *tensor_find(const struct tensor_set *s, const char *name)
{
	struct tensor key = {.name = name};
	return s->n ? bsearch(&key, s->t, s->n, sizeof *s->t, by_name) : NULL;
}

void tensor_release(struct tensor_set *s)
{
	for (size_t i = 0; i < s->nfile; i++)
		if (s->file[i].p)
			munmap((void *)s->file[i].p, s->file[i].n);
	free(s->file);
	free(s->t);
	arena_release(&s->arena);
	*s = (struct tensor_set){0};
}

/* --- types ------------------------------------------------------------------------ */

size_t tensor_dtype(const char *name, enum tensor_dtype *dtype)
{
	static const struct {
		const char *name;
		enum tensor_dtype dtype;
		size_t size;
	} known[] = {
		{"F32", TENSOR_F32, 4}, {"F16", TENSOR_F16, 2}, {"BF16", TENSOR_BF16, 2}, {"F64", TENSOR_OTHER, 8},
		{"I64", TENSOR_OTHER, 8}, {"U64", TENSOR_OTHER, 8}, {"I32", TENSOR_OTHER, 4}, {"U32", TENSOR_OTHER, 4},
		{"I16", TENSOR_OTHER, 2}, {"U16", TENSOR_OTHER, 2}, {"I8", TENSOR_OTHER, 1}, {"U8", TENSOR_OTHER, 1},
		{"BOOL", TENSOR_OTHER, 1}, {"F8_E4M3", TENSOR_OTHER, 1}, {"F8_E5M2", TENSOR_OTHER, 1},
	};
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcmp(name, known[i].name) == 0) {
			*dtype = known[i].dtype;
			return known[i].size;
		}
	return 0;
}

size_t tensor_bytes(enum tensor_dtype as)
{
	return as == TENSOR_F32 ? 4 : 2;
}

const char *tensor_name(enum tensor_dtype as)
{
	return as == TENSOR_F32 ? "F32" : as == TENSOR_F16 ? "F16" : "BF16";
}

const char *tensor_torch(enum tensor_dtype as)
{
	return as == TENSOR_F32 ? "float32" : as == TENSOR_F16 ? "float16" : "bfloat16";
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

void tensor_to_f32(const struct tensor *t, float *dst)
{
	const unsigned char *p = t->data;
	if (t->dtype == TENSOR_F32) {
		if (t->count)
			memcpy(dst, p, t->count * 4);
		if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
			for (size_t i = 0; i < t->count; i++)
				dst[i] = from_bits(__builtin_bswap32(to_bits(dst[i])));
		return;
	}
	for (size_t i = 0; i < t->count; i++) {
		uint16_t h = load16(p + 2 * i);
		dst[i] = t->dtype == TENSOR_F16 ? half_to_float(h) : from_bits((uint32_t)h << 16);
	}
}

void tensor_drop(const struct tensor *t)
{
	enum tensor_dtype type;
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = (uintptr_t)t->data;
	uintptr_t to = from + t->count * tensor_dtype(t->dtype_name, &type);
	from = (from + page - 1) / page * page; /* what shares a page with another stays */
	to = to / page * page;
	if (from < to)
		madvise((void *)from, to - from, MADV_DONTNEED); /* advice: if it is not taken nothing is lost */
}

size_t tensor_from_f32(unsigned char *dst, const float *src, size_t n, enum tensor_dtype as)
{
	size_t overflows = 0;
	for (size_t i = 0; i < n; i++) {
		uint32_t u = as == TENSOR_F32 ? to_bits(src[i]) : as == TENSOR_F16 ? float_to_half(src[i]) : float_to_bf16(src[i]);
		uint32_t inf = as == TENSOR_F16 ? 0x7C00 : 0x7F80;
		overflows += as != TENSOR_F32 && (u & 0x7FFF) == inf && isfinite(src[i]);
		*dst++ = (unsigned char)u;
		*dst++ = (unsigned char)(u >> 8);
		if (as == TENSOR_F32) {
			*dst++ = (unsigned char)(u >> 16);
			*dst++ = (unsigned char)(u >> 24);
		}
	}
	return overflows;
}
