/* llmc.h - the .bin of llm.c: a header of 256 int32 (magic, version, count of tokens,
 * zeros), then the tokens; the end-of-text token stands before each document.
 * GPT-2's form has 16 bits a token, Llama 3's 32. Used through io/tokenfile.h. */
#ifndef IO_LLMC_H
#define IO_LLMC_H

#include "io/tokenfile.h"

extern const struct tokenfile_format llmc_format;

#endif
