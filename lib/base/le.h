/* le.h - little-endian words, whatever the machine.
 *
 *	uint64_t w = le_load64(p);          8 bytes at p, the first the lowest
 *	uint32_t x = le_load32(p);          4
 *	w = le_64(w);                       from such a word in memory to a number, and back
 */
#ifndef BASE_LE_H
#define BASE_LE_H

#include <stdint.h>
#include <string.h>

static inline uint64_t le_64(uint64_t w)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	w = __builtin_bswap64(w);
#endif
	return w;
}

static inline uint64_t le_load64(const void *p)
{
	uint64_t w;
	memcpy(&w, p, sizeof w);
	return le_64(w);
}

static inline uint32_t le_load32(const void *p)
{
	uint32_t w;
	memcpy(&w, p, sizeof w);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	w = __builtin_bswap32(w);
#endif
	return w;
}

#endif
