/* utf8.h - UTF-8 as The Unicode Standard 3.9 (table 3-7) defines it: no
 * overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Number of leading bytes of s[0..n) that are valid UTF-8; n if all are. */
size_t utf8_valid(const char *s, size_t n);
/* The code point at s (1 to 4 bytes, n > 0) into *cp; returns its length, or 0 if not valid. */
int utf8_decode(const char *s, size_t n, uint32_t *cp);
/* Writes 1 to 4 bytes to out; returns how many. cp must be a scalar value. */
int utf8_encode(uint32_t cp, char *out);
/* Appends s[0..n) to b with U+FFFD for each maximal part of an ill-formed sequence
 * (The Unicode Standard 3.9, "best practice", as Rust's and Python's decoders). 0 or -1. */
int utf8_replace(struct buf *b, const char *s, size_t n);
/* Whether a character does more on a terminal than to fill its place: control characters, tabs and newlines
 * among them, line separators, and what turns the direction of writing. */
bool utf8_steers(uint32_t cp);
/* Copies s to out with "?" for each such character and each byte that is no UTF-8, cut behind a whole character
 * at cap > 0 bytes with the NUL. */
void utf8_harmless(char *out, size_t cap, const char *s);

#endif
