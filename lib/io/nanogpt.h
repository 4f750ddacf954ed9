/* nanogpt.h - the train.bin of nanoGPT: 16-bit ids and nothing else; the end-of-text
 * token stands behind each document. Used through io/tokenfile.h. */
#ifndef IO_NANOGPT_H
#define IO_NANOGPT_H

#include "io/tokenfile.h"

extern const struct tokenfile_format nanogpt_format;

#endif
