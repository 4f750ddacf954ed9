/* modelfile.h - a model's weights from and to its directory, and random ones.
 *
 * Reading holds the files against the table of parameters: a tensor that is
 * missing, of another shape, of an unknown type, not in the table or with a number
 * that is not finite is ERR_DATA and named. What old checkpoints hold besides (attention.bias,
 * attention.masked_bias, rotary_emb.inv_freq) is passed over. The head, embed_out.weight, may be called
 * lm_head.weight; with both there it is the first, and the other has its shape. */
#ifndef NX_MODELFILE_H
#define NX_MODELFILE_H

#include "base/err.h"
#include "io/tensor.h"
#include "nx/params.h"

#include <stdint.h>

/* Weights from dir, to be freed, or NULL. All tensors are there before memory is: a config's claim costs none. */
float *modelfile_load(const struct params *lay, const char *dir, struct err *e);
/* Fills w (lay->total floats) from dir, whichever of HF's files it has (io/weights.h). */
int modelfile_read(float *w, const struct params *lay, const char *dir, struct err *e);
/* The same from tensors that were read before; dir is for messages. */
int modelfile_take(float *w, const struct params *lay, const struct tensor_set *s, const char *dir, struct err *e);
/* dir's tensors where they lie, begun with {0} and released by the caller after a failure too: held against
 * the table, but for whether their numbers are finite. */
int modelfile_open(struct tensor_set *s, const struct params *lay, const char *dir, struct err *e);
/* The tensor of a table's name, the head's by either of its own; NULL if there is none. */
const struct tensor *modelfile_find(const struct tensor_set *s, const char *name);
/* ERR_DATA if one of the tensor's numbers is not finite. */
int modelfile_finite(const struct tensor *f, struct err *e);
/* The same of the weights w, all the table's, as they have become; file is for messages. */
int modelfile_stays_finite(const float *w, const struct params *lay, const char *file, struct err *e);
/* Holds dir's files against the table, and keeps none of their weights: 1 if all is there, with the number
 * types in `types` ("F32", "BF16, F32"), 0 if dir has no weights, -1. */
int modelfile_check(const struct params *lay, const char *dir, char types[40], struct err *e);
/* dir/model.safetensors of this type, atomically. ERR_DATA if a weight is too large for it. */
int modelfile_write(const float *w, const struct params *lay, const char *dir, enum tensor_dtype as, struct err *e);
/* The same under another name. */
int modelfile_put(const float *w, const struct params *lay, const char *dir, const char *name, enum tensor_dtype as,
                  struct err *e);
/* Random weights: the same for a seed whatever the number of threads. Matrices normal(0, sigma). */
int modelfile_random(float *w, const struct params *lay, double sigma, uint64_t seed, struct err *e);

#endif
