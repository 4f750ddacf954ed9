/* hash.h - a 64-bit hash of 32-bit words, not cryptographic.
 *
 * h starts at HASH_SEED; for each word w:
 *	h = (h ^ w) * 0x9E3779B97F4A7C15;  h = h ^ (h >> 32)
 * Bytes are hashed as their count, then as little-endian words, the last one
 * padded with zeros. Shards carry it (nx-shard(5)), so it must never change. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_SEED UINT64_C(0x6E78746F6F6C7331)

uint64_t hash_word(uint64_t h, uint32_t w);
uint64_t hash_words(uint64_t h, const void *p, size_t n); /* n bytes, a multiple of 4 */
uint64_t hash_bytes(uint64_t h, const void *p, size_t n);

#endif
