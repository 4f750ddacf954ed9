#include "base/sha.h"

#include <stdio.h>
#include <string.h>

static uint32_t load(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t left(uint32_t x, int n)
{
	return x << n | x >> (32 - n);
}

static uint32_t right(uint32_t x, int n)
{
	return x >> n | x << (32 - n);
}

/* FIPS 180-4, 6.1.2 */
static void block1(uint32_t h[8], const unsigned char *p)
{
	static const uint32_t k[4] = {0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xCA62C1D6};
	uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
	for (int t = 0; t < 16; t++)
		w[t] = load(p + 4 * t);
	for (int t = 16; t < 80; t++)
		w[t] = left(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
	for (int t = 0; t < 80; t++) {
		uint32_t f = t < 20 ? (b & c) ^ (~b & d) : t < 40 || t >= 60 ? b ^ c ^ d : (b & c) ^ (b & d) ^ (c & d);
		uint32_t next = left(a, 5) + f + e + k[t / 20] + w[t];
		e = d;
		d = c;
		c = left(b, 30);
		b = a;
		a = next;
	}
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
	h[4] += e;
}

/* FIPS 180-4, 6.2.2; k: the first 32 bits of the fractions of the cube roots of the first 64 primes */
static void block256(uint32_t h[8], const unsigned char *p)
{
	static const uint32_t k[64] = {
		0x428A2F98, 0x71374491, 0xB5C0FBCF, 0xE9B5DBA5, 0x3956C25B, 0x59F111F1, 0x923F82A4, 0xAB1C5ED5,
		0xD807AA98, 0x12835B01, 0x243185BE, 0x550C7DC3, 0x72BE5D74, 0x80DEB1FE, 0x9BDC06A7, 0xC19BF174,
		0xE49B69C1, 0xEFBE4786, 0x0FC19DC6, 0x240CA1CC, 0x2DE92C6F, 0x4A7484AA, 0x5CB0A9DC, 0x76F988DA,
		0x983E5152, 0xA831C66D, 0xB00327C8, 0xBF597FC7, 0xC6E00BF3, 0xD5A79147, 0x06CA6351, 0x14292967,
		0x27B70A85, 0x2E1B2138, 0x4D2C6DFC, 0x53380D13, 0x650A7354, 0x766A0ABB, 0x81C2C92E, 0x92722C85,
		0xA2BFE8A1, 0xA81A664B, 0xC24B8B70, 0xC76C51A3, 0xD192E819, 0xD6990624, 0xF40E3585, 0x106AA070,
		0x19A4C116, 0x1E376C08, 0x2748774C, 0x34B0BCB5, 0x391C0CB3, 0x4ED8AA4A, 0x5B9CCA4F, 0x682E6FF3,
		0x748F82EE, 0x78A5636F, 0x84C87814, 0x8CC70208, 0x90BEFFFA, 0xA4506CEB, 0xBEF9A3F7, 0xC67178F2};
	uint32_t w[64], v[8];
	memcpy(v, h, sizeof v);
	for (int t = 0; t < 64; t++) {
		if (t < 16) {
			w[t] = load(p + 4 * t);
		} else {
			uint32_t x = w[t - 15], y = w[t - 2];
			w[t] = w[t - 16] + (right(x, 7) ^ right(x, 18) ^ x >> 3) + w[t - 7] + (right(y, 17) ^ right(y, 19) ^ y >> 10);
		}
		uint32_t a = v[0], e = v[4];
		uint32_t t1 = v[7] + (right(e, 6) ^ right(e, 11) ^ right(e, 25)) + ((e & v[5]) ^ (~e & v[6])) + k[t] + w[t];
		uint32_t t2 = (right(a, 2) ^ right(a, 13) ^ right(a, 22)) + ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));
		memmove(v + 1, v, 7 * sizeof *v);
		v[4] += t1;
		v[0] = t1 + t2;
	}
	for (int i = 0; i < 8; i++)
		h[i] += v[i];
}

void sha_init(struct sha *s, enum sha_kind kind)
{
	static const uint32_t first[2][8] = {
		[SHA_1] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0},
		[SHA_256] = {0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19}};
	s->kind = kind;
	s->n = 0;
	memcpy(s->h, first[kind], sizeof s->h);
}

void sha_add(struct sha *s, const void *p, size_t n)
{
	const unsigned char *from = p;
	void (*block)(uint32_t *, const unsigned char *) = s->kind == SHA_1 ? block1 : block256;
	size_t have = s->n % 64;
	s->n += n;
	if (have) {
		size_t k = n < 64 - have ? n : 64 - have;
		memcpy(s->block + have, from, k);
		from += k;
		n -= k;
		if (have + k < 64)
			return;
		block(s->h, s->block);
	}
	for (; n >= 64; n -= 64, from += 64)
		block(s->h, from);
	if (n)
		memcpy(s->block, from, n);
}

void sha_hex(struct sha *s, char hex[SHA_HEX])
{
	static const unsigned char pad[64] = {0x80};
	unsigned char bits[8];
	for (int i = 0; i < 8; i++)
		bits[i] = (unsigned char)(s->n * 8 >> (56 - 8 * i));
	sha_add(s, pad, 1 + (119 - s->n % 64) % 64);
	sha_add(s, bits, sizeof bits);
	for (int i = 0; i < (s->kind == SHA_1 ? 5 : 8); i++)
		snprintf(hex + 8 * i, 9, "%08x", s->h[i]);
}
