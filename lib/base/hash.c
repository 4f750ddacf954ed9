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
