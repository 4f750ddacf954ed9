/* safetensors.h - tensors by name from model.safetensors (one file, or several
 * through model.safetensors.index.json), memory-mapped; and writing one file.
 *
 *	struct safetensors *st;
 *	if (safetensors_open(&st, dir, &e)) ...
 *	const struct safetensors_tensor *t = safetensors_find(st, "gpt_neox.embed_in.weight");
 *	safetensors_to_f32(t, dst);
 *	safetensors_close(st);
 *
 * Everything in a header is checked against the file's size before it is used. */
#ifndef IO_SAFETENSORS_H
#define IO_SAFETENSORS_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum safetensors_dtype { SAFETENSORS_F32, SAFETENSORS_F16, SAFETENSORS_BF16, SAFETENSORS_OTHER };

enum { SAFETENSORS_NDIM = 8 };

struct safetensors_tensor {
	const char *name;
	enum safetensors_dtype dtype;
	const char *dtype_name; /* as in the file */
	int ndim;
	int64_t shape[SAFETENSORS_NDIM];
	size_t count;     /* elements */
	const void *data; /* in the mapping; not aligned */
	const char *file; /* for messages */
};

struct safetensors;

int safetensors_open(struct safetensors **st, const char *dir, struct err *e);
size_t safetensors_count(const struct safetensors *st);
const struct safetensors_tensor *safetensors_at(const struct safetensors *st, size_t i); /* in order of name */
const struct safetensors_tensor *safetensors_find(const struct safetensors *st, const char *name);
void safetensors_to_f32(const struct safetensors_tensor *t, float *dst); /* t->count floats */
void safetensors_close(struct safetensors *st);

/* Writes one file (atomically, io/out.h), metadata {"format":"pt"}; data is F32,
 * converted to `as` (F32, F16 or BF16, rounding to nearest even). */
struct safetensors_src {
	const char *name;
	int ndim;
	int64_t shape[SAFETENSORS_NDIM];
	const float *data;
};
int safetensors_write(const char *path, const struct safetensors_src *t, size_t n, enum safetensors_dtype as, struct err *e);

#endif
