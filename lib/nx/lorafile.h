/* lorafile.h - an adapter's directory, in the form of the peft library.
 *
 *	if (lorafile_load(&a, &m.cfg, "adapter", &e)) ...
 *	if (lorafile_save(a, dir, TENSOR_F32, &e)) ...
 *
 * FILES
 *	adapter_config.json         rank (r), lora_alpha, use_rslora; which layers have one is
 *	                            told by the tensors
 *	adapter_model.safetensors   base_model.model.gpt_neox.layers.N.MODULE.lora_A.weight and B;
 *	                            reading takes adapter_model.bin where there is none (io/torchfile.h)
 * A config may ask for a hundred variants of an adapter: what is not in lora.h's
 * formula, or not known, is ERR_DATA and named. */
#ifndef NX_LORAFILE_H
#define NX_LORAFILE_H

#include "base/buf.h"
#include "base/err.h"
#include "io/tensor.h"
#include "nx/config.h"
#include "nx/lora.h"

#include <stdbool.h>

/* The model that dir's adapter is for, as its config names it ("" if it does not), into base. */
int lorafile_base(const char *dir, struct buf *base, struct err *e);
int lorafile_is(const char *dir, struct err *e); /* 1: dir has an adapter_config.json, 0: it has none, -1 */
/* c: the model the adapter is for. Close *a with lora_close. */
int lorafile_load(struct lora **a, const struct config *c, const char *dir, struct err *e);
/* dir must exist. ERR_DATA if a number is too large for `as`. */
int lorafile_save(const struct lora *a, const char *dir, enum tensor_dtype as, struct err *e);

#endif
