/* bytechar.h - the alphabet in which GPT-2's vocabularies spell bytes: a printable
 * character for each of the 256.
 *
 * The bytes 21-7E, A1-AC and AE-FF stand for the code points of the same number;
 * the 68 others, in order, for U+0100 to U+0143 (so a space is U+0120). */
#ifndef TEXT_BYTECHAR_H
#define TEXT_BYTECHAR_H

#include <stdint.h>

enum { BYTECHAR_END = 0x144 }; /* all code points of the alphabet are below */

uint32_t bytechar_of(unsigned char byte);
int bytechar_byte(uint32_t cp); /* the byte, or -1 if cp is none of the 256 */

#endif
