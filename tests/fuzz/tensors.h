/* tensors.h - what the drivers of tensor files share. */
#ifndef FUZZ_TENSORS_H
#define FUZZ_TENSORS_H

#include "io/tensor.h"

#include <stdlib.h>

/* Every tensor that is shown can be found and read. */
static inline void fuzz_read_all(const struct tensor_set *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct tensor *t = &s->t[i];
		if (tensor_find(s, t->name) != t)
			abort();
		if (t->dtype == TENSOR_OTHER)
			continue;
		float *v = malloc(t->count * sizeof *v + 1);
		if (v)
			tensor_to_f32(t, v);
		free(v);
	}
}

#endif
