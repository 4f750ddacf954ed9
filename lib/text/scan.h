/* scan.h - where the pieces of GPT-2's pattern begin, 64 bytes at a time: what
 * pretok_gpt2 says character by character, as bit masks.
 *
 *	struct scan sc;
 *	scan_init(&sc, &vocab, &raw);
 *	if (scan_starts(&sc, s, n, false, start) == 0)
 *		...bit i % 64 of start[i / 64] is set: a piece begins at byte i...
 *	else
 *		...the text wants the slow way...
 *
 * The slow way is wanted by a text that is not valid UTF-8, may change in NFC,
 * or holds a raw added token. Added tokens that are runs of 2, 3, ... blanks
 * (GPT-NeoX) are pieces of their own here, and what stands between them is a
 * text of its own, as HF has it.
 *
 * SEAMS. Between two characters that no token of the vocabulary holds side by
 * side no merge is ever made, so that BPE of the text is BPE of both parts. A
 * piece of characters of three bytes and more (a paragraph of Chinese may be
 * one) is cut there too: its parts are short and come again. */
#ifndef TEXT_SCAN_H
#define TEXT_SCAN_H

#include "text/added.h"
#include "text/image.h"
#include "text/vocab.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of 64 bytes, a bit each. */
struct scan_mask {
	uint64_t letter, number, space; /* ASCII; \s with the blank */
	uint64_t blank, quote;          /* U+0020 and ' */
	uint64_t high;                  /* bytes from 0x80 on */
	uint64_t raw;                   /* may begin a raw added token */
	uint64_t line;                  /* \n */
	uint64_t tail;                  /* behind the first byte of a \s of several bytes */
	uint64_t seam;                  /* first bytes of characters with a seam before them */
};

/* A byte is in class bit b (SCAN_*) if both nibbles say so: lo[byte & 15] & hi[byte >> 4]. */
struct scan_nibbles {
	uint8_t lo[16], hi[16];
};

/* Of 64 bytes those that begin a character: of two bytes, of three whose second tells nothing about whether it is
 * well-formed (not E0, ED), and all others from 0xC0 on. */
struct scan_leads {
	uint64_t two, three, other;
};

enum { SCAN_SEAM_BITS = 15 };

struct scan_seams {
	/* bit set of hashes of the pairs of characters that some token holds */
	uint64_t joined[1 << (SCAN_SEAM_BITS - 6)];
	uint64_t parts[64]; /* bit f of parts[l]: a token ends or begins within a character, and holds byte 0x80+l before byte 0xC0+f */
};

static inline size_t scan_joined_at(uint32_t l, uint32_t r)
{
	return (l * UINT32_C(0x9E3779B1) ^ r * UINT32_C(0x85EBCA77)) >> (32 - SCAN_SEAM_BITS);
}

/* Between two characters from U+0800 on; first: the first byte of r. */
static inline bool scan_seam(const struct scan_seams *sm, uint32_t l, uint32_t r, uint32_t first)
{
	size_t at = scan_joined_at(l, r);
	return !((sm->joined[at / 64] >> at % 64 | sm->parts[l & 63] >> (first & 63)) & 1);
}

/* What is known of 64 bytes' characters of two and three, at the bits of their first bytes. */
struct scan_said {
	uint64_t low, high; /* bits 0 and 1 of their classes */
	uint64_t seam;      /* between one of three bytes and the one before */
	unsigned any;       /* of all entries */
	uint32_t last;      /* of three bytes */
};

/* One for each instruction set. */
struct scan_isa {
	const char *name; /* "base", "avx2", "avx512" */
	/* Fills all but tail and seam from 64 bytes at s. */
	void (*classify)(struct scan_mask *m, const unsigned char *s, const struct scan_nibbles *t);
	struct scan_leads (*leads)(const unsigned char *s);
	/* Of the characters that begin at the bits of two and three. Four bytes from each may be read. last: the one of three bytes before. */
	struct scan_said (*ask)(const struct scan_seams *sm, const unsigned char *s, uint64_t two, uint64_t three, uint32_t last);
};

enum { SCAN_UPPER_ROW = 1, SCAN_LETTER = 2, SCAN_DIGIT = 4, SCAN_SPACE = 8, SCAN_BLANK = 16, SCAN_QUOTE = 32, SCAN_RAW = 64, SCAN_LINE = 128 };

struct scan {
	const struct scan_isa *isa;
	struct scan_nibbles nibbles;
	const struct added *raw; /* the caller's */
	bool nfc;
	size_t blanks;      /* the longest run of blanks that is a token; 0: none is */
	struct scan_seams seams;
};

/* raw: v's raw added tokens, which must outlive it. */
void scan_init(struct scan *sc, const struct vocab *v, const struct added *raw);
/* What costs a look at every token, to the parts of an image and from there. */
void scan_pack(const struct scan *sc, struct image_parts *parts);
void scan_unpack(struct scan *sc, const struct vocab *v, const struct added *raw, const struct image *im);
/* n > 0. start: n / 64 + 1 words, all written; bit n is set too, for the end. clean: s is normalized and free of raw tokens, whatever it
 * looks like. 0, or -1: the slow way. */
int scan_starts(const struct scan *sc, const char *s, size_t n, bool clean, uint64_t *start);
/* The same of lines, each a text of its own: a "\n" is a piece, which belongs to none of them.
 * -1: the line that holds byte *bad wants the slow way. */
int scan_lines(const struct scan *sc, const char *s, size_t n, uint64_t *start, size_t *bad);

/* Every table this CPU can run, slowest first; NULL for i beyond them. For tests. */
const struct scan_isa *scan_at(int i);

#endif
