/* ending.h - the tokens that end a text and fill it up.
 *
 *	int32_t eos, pad;
 *	if (ending_find(&vocab, "dir/tokenizer.json", &eos, &pad, &e)) ...
 *
 * A tokenizer.json does not say which they are. The tokenizer_config.json beside
 * it does, as "eos_token" and "pad_token", each a string or {"content": "..."}.
 * What it leaves open is known by name: the first of "<|endoftext|>", "</s>",
 * "<|end_of_text|>", "<|im_end|>", "<|eot_id|>" that is a token ends; and it pads,
 * as in the guide, or, where nothing ends, "<|padding|>" does. */
#ifndef TEXT_ENDING_H
#define TEXT_ENDING_H

#include "base/err.h"
#include "text/vocab.h"

#include <stdint.h>

/* -1 for none. ERR_DATA, with the file's name: the tokenizer_config.json is no such, or names no token. */
int ending_find(const struct vocab *v, const char *path, int32_t *eos, int32_t *pad, struct err *e);

#endif
