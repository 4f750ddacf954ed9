/* wordchar.h - which characters are parts of a word: \w of the engine that HF has
 * for added tokens (letters, marks, decimal digits, U+005F and its like, joiners). */
#ifndef TEXT_WORDCHAR_H
#define TEXT_WORDCHAR_H

#include <stdbool.h>
#include <stdint.h>

bool wordchar_is(uint32_t cp);

#endif
