/* sha.h - SHA-1 and SHA-256 (FIPS 180-4), of bytes that come in pieces.
 *
 *	struct sha s;
 *	char hex[SHA_HEX];
 *	sha_init(&s, SHA_256);
 *	sha_add(&s, p, n);              any number of times
 *	sha_hex(&s, hex);               64 hexadecimal digits, SHA_1: 40; s is used up
 */
#ifndef BASE_SHA_H
#define BASE_SHA_H

#include <stddef.h>
#include <stdint.h>

enum sha_kind { SHA_1, SHA_256 };
enum { SHA_HEX = 65 };

struct sha {
	enum sha_kind kind;
	uint32_t h[8];
	uint64_t n; /* bytes so far */
	unsigned char block[64];
};

void sha_init(struct sha *s, enum sha_kind kind);
void sha_add(struct sha *s, const void *p, size_t n);
void sha_hex(struct sha *s, char hex[SHA_HEX]);

#endif
