#include "base/hash.h"

#include <string.h>

uint64_t hash_word(uint64_t h, uint32_t w)
{
	h = (h ^ w) * UINT64_C(0x9E3779B97F4A7C15);
	return h ^ h >> 32;
}

static uint32_t load_le32(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint64_t hash_words(uint64_t h, const void *p, size_t n)
{
	const unsigned char *u = p;
	for (size_t i = 0; i + 4 <= n; i += 4)
		h = hash_word(h, load_le32(u + i));
	return h;
}

uint64_t hash_bytes(uint64_t h, const void *p, size_t n)
{
	unsigned char last[4] = {0};
	size_t whole = n & ~(size_t)3;
	h = hash_word(h, (uint32_t)n);
	h = hash_word(h, (uint32_t)((uint64_t)n >> 32));
	h = hash_words(h, p, whole);
	if (whole == n)
		return h;
	memcpy(last, (const char *)p + whole, n - whole);
	return hash_words(h, last, 4);
}

void hash_lanes_begin(struct hash_lanes *l)
{
	*l = (struct hash_lanes){.turn = 0};
	for (unsigned i = 0; i < 4; i++)
		l->h[i] = HASH_SEED + i;
}

void hash_lanes_words(struct hash_lanes *l, const void *p, size_t n)
{
	const unsigned char *u = p;
	uint64_t a = l->h[0], b = l->h[1], c = l->h[2], d = l->h[3];
	for (; n >= 16; n -= 16, u += 16) {
		a = hash_word(a, load_le32(u));
		b = hash_word(b, load_le32(u + 4));
		c = hash_word(c, load_le32(u + 8));
		d = hash_word(d, load_le32(u + 12));
	}
	for (; n >= 4; n -= 4, u += 4, l->turn = (l->turn + 1) % 4) {
		uint64_t last = hash_word(a, load_le32(u));
		a = b, b = c, c = d, d = last;
	}
	l->h[0] = a, l->h[1] = b, l->h[2] = c, l->h[3] = d;
}

uint64_t hash_lanes_end(const struct hash_lanes *l)
{
	uint64_t h = HASH_SEED;
	for (unsigned i = 0; i < 4; i++) {
		uint64_t lane = l->h[(i - l->turn) % 4];
		h = hash_word(hash_word(h, (uint32_t)lane), (uint32_t)(lane >> 32));
	}
	return h;
}
