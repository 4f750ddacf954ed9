/* megatron.h - Megatron-LM's indexed dataset: PREFIX.bin holds the ids of all sequences,
 * PREFIX.idx their type, sizes, places and the documents they make. A document is a
 * record. The index is read in step with the data, never held. Used through io/tokenfile.h.
 *
 * .idx, little-endian
 *	 0  9  "MMIDIDX\0\0"      9  8  version: 1     17  1  type of an id
 *	18  8  sequences S       26  8  boundaries D   34 4S  int32: ids in each sequence
 *	    8S int64: byte of the .bin where each begins
 *	    8D int64: 0, then for each document the number of the sequence behind its last */
#ifndef IO_MEGATRON_H
#define IO_MEGATRON_H

#include "io/tokenfile.h"

extern const struct tokenfile_format megatron_format;

/* 1: path (PREFIX, PREFIX.bin or PREFIX.idx) belongs to such a pair, 0: it does not, -1. */
int megatron_there(const char *path, struct err *e);

#endif
