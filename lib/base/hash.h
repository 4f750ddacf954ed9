/* hash.h - a 64-bit hash of 32-bit words, not cryptographic.
 *
 * h starts at HASH_SEED; for each word w:
 *	h = (h ^ w) * 0x9E3779B97F4A7C15;  h = h ^ (h >> 32)
 * Bytes are hashed as their count, then as little-endian words, the last one
 * padded with zeros. Shards carry it (nx-shard(5)), so it must never change.
 *
 * Each step waits for the one before. Where many bytes are hashed, four lanes take
 * turns with the words, and their hashes are hashed at the end: four steps at a time. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_SEED UINT64_C(0x6E78746F6F6C7331)

uint64_t hash_word(uint64_t h, uint32_t w);
uint64_t hash_words(uint64_t h, const void *p, size_t n); /* n bytes, a multiple of 4 */
uint64_t hash_bytes(uint64_t h, const void *p, size_t n);

/* Words come in any number of calls.
 *
 *	struct hash_lanes l;
 *	hash_lanes_begin(&l);
 *	hash_lanes_words(&l, p, n);
 *	h = hash_lanes_end(&l); */
struct hash_lanes {
	uint64_t h[4]; /* the lane of the next word first */
	unsigned turn; /* which that is */
};

void hash_lanes_begin(struct hash_lanes *l);
void hash_lanes_words(struct hash_lanes *l, const void *p, size_t n); /* n bytes, a multiple of 4 */
uint64_t hash_lanes_end(const struct hash_lanes *l);                  /* l may go on */

#endif
