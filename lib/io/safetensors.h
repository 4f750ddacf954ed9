/* safetensors.h - one safetensors file: shown, and written.
 *
 *	if (safetensors_read(&set, "m/model.safetensors", &e)) ...      adds its tensors (io/tensor.h)
 *
 * Everything in a header is checked against the file's size before it is used:
 * each byte of the data belongs to one tensor at most, and memory is a small
 * multiple of the header. A directory's files are found by io/weights.h. */
#ifndef IO_SAFETENSORS_H
#define IO_SAFETENSORS_H

#include "base/err.h"
#include "io/tensor.h"

#include <stddef.h>
#include <stdint.h>

int safetensors_read(struct tensor_set *s, const char *path, struct err *e);

/* Writes one file (atomically, io/out.h), metadata {"format":"pt"}; data is F32, converted
 * to `as`. A finite number that would become infinite is ERR_DATA, and nothing is written. */
struct safetensors_src {
	const char *name;
	int ndim;
	int64_t shape[TENSOR_NDIM];
	const float *data;
};
int safetensors_write(const char *path, const struct safetensors_src *t, size_t n, enum tensor_dtype as, struct err *e);

#endif
