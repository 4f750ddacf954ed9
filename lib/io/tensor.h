/* tensor.h - tensors by name, shown where they lie in mapped files; and number formats.
 *
 *	struct tensor_set s = {0};
 *	if (tensor_map(&s, path, &m, &e)) ...                a whole file, read-only
 *	if (tensor_add(&s, &t, &e)) ...                      what a reader found in it
 *	if (tensor_sort(&s, &e)) ...                         once, after the last
 *	const struct tensor *t = tensor_find(&s, "gpt_neox.embed_in.weight");
 *	tensor_to_f32(t, dst);
 *	tensor_release(&s);
 *
 * Nothing is copied: names live in the set's arena, numbers in the mapping. */
#ifndef IO_TENSOR_H
#define IO_TENSOR_H

#include "base/arena.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum tensor_dtype { TENSOR_F32, TENSOR_F16, TENSOR_BF16, TENSOR_OTHER };
#define TENSOR_WORDS "f32|f16|bf16" /* in the order of the enum: what can be written */

enum { TENSOR_NDIM = 8 };

struct tensor {
	const char *name;
	enum tensor_dtype dtype;
	const char *dtype_name; /* F32, BF16, I64 ... as safetensors calls it */
	int ndim;
	int64_t shape[TENSOR_NDIM];
	size_t count;     /* elements, row-major and dense */
	const void *data; /* little-endian, in the mapping; not aligned */
	const char *file; /* for messages */
};

/* One mapped file. */
struct tensor_file {
	const unsigned char *p; /* NULL where n is 0 */
	size_t n;
	const char *name;
};

struct tensor_set {
	struct arena arena;
	struct tensor_file *file;
	size_t nfile, filecap;
	struct tensor *t; /* in order of name after tensor_sort */
	size_t n, cap;
};

/* *m is valid until the next call; what it points to until tensor_release. ERR_DATA if path is no regular file. */
int tensor_map(struct tensor_set *s, const char *path, const struct tensor_file **m, struct err *e);
int tensor_add(struct tensor_set *s, const struct tensor *t, struct err *e); /* *t is copied, not what it points to */
/* ERR_DATA if a name is there twice. */
int tensor_sort(struct tensor_set *s, struct err *e);
const struct tensor *tensor_find(const struct tensor_set *s, const char *name);
void tensor_release(struct tensor_set *s);

/* Bytes of an element of a dtype called as safetensors calls it, and which it is; 0: no such dtype. */
size_t tensor_dtype(const char *name, enum tensor_dtype *dtype);
void tensor_to_f32(const struct tensor *t, float *dst); /* t->count floats; not for TENSOR_OTHER */
/* Its numbers are not needed any more: the pages they were read into count no longer as this process's. */
void tensor_drop(const struct tensor *t);
/* n floats as F32, F16 or BF16, little-endian, rounded to nearest even; a half
 * overflows to infinity from 65520 on. How many finite numbers did. */
size_t tensor_from_f32(unsigned char *dst, const float *src, size_t n, enum tensor_dtype as);
size_t tensor_bytes(enum tensor_dtype as);      /* of an element: 4 or 2 */
const char *tensor_name(enum tensor_dtype as);  /* "F32" */
const char *tensor_torch(enum tensor_dtype as); /* "float32", as config.json says it */

#endif
