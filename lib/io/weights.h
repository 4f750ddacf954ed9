/* weights.h - all tensors of a model's directory, in whichever of HF's files they are.
 *
 *	struct tensor_set s = {0};
 *	if (weights_open(&s, dir, &e)) ...           sorted: tensor_find works
 *	tensor_release(&s);                          after a failure, too
 *
 * The first of these that exists, as transformers chooses:
 *	model.safetensors               io/safetensors.h
 *	model.safetensors.index.json    the same in several files
 *	pytorch_model.bin               io/torchfile.h
 *	pytorch_model.bin.index.json
 * An index names files of its own directory: one that names others, or puts a
 * tensor into a file where it is not, is refused. */
#ifndef IO_WEIGHTS_H
#define IO_WEIGHTS_H

#include "base/err.h"
#include "io/tensor.h"

#include <stdbool.h>

int weights_open(struct tensor_set *s, const char *dir, struct err *e);
/* One file of this name, opened the way its name says (.safetensors or not). Not yet sorted. */
int weights_read(struct tensor_set *s, const char *path, struct err *e);
int weights_there(const char *dir, struct err *e); /* 1: one of the four exists, 0: none does, -1 */

#endif
