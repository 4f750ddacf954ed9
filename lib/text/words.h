/* words.h - the ids of a text's pieces. Most pieces have been seen before: two
 * bounded tables remember the ids of short ones.
 *
 *	struct words w;
 *	if (words_init(&w, &vocab, &merge, &e)) ...
 *	if (words_of(&w, s, n, ahead, start, ids, &count)) ...
 *	words_release(&w);
 *
 * A table's entry is a piece's bytes, padded with zeros, and its ids; a piece
 * that falls on another's entry takes it. */
#ifndef TEXT_WORDS_H
#define TEXT_WORDS_H

#include "base/err.h"
#include "text/image.h"
#include "text/merge.h"
#include "text/vocab.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	WORDS_SHORT = 15,     /* bytes of a piece in the first table */
	WORDS_SHORT_IDS = 4,  /* ids of an entry there */
	WORDS_LONG = 30,
	WORDS_NARROW = 16, /* ids of an entry of the second table, which is a cache line */
	WORDS_WIDE = 8     /* the same where the vocabulary is of more than 65536 */
};

enum { WORDS_ID_BITS = 21, WORDS_TAG_BITS = 10 };
_Static_assert(VOCAB_MAX <= 1 << WORDS_ID_BITS, "ids must fit");

/* The top byte of key[1] holds the length and, in the high half, the number of ids. */
struct words_short {
	uint64_t key[2];
	int32_t id[WORDS_SHORT_IDS];
};

/* Of longer pieces, and of short ones with more ids than fit above. The top byte of key[3] is the length, the one
 * below it the number of ids. */
struct words_long {
	uint64_t key[4];
	union {
		uint16_t narrow[WORDS_NARROW];
		int32_t wide[WORDS_WIDE];
	} id;
};
_Static_assert(sizeof(struct words_long) == 64, "a cache line");

struct words {
	const struct vocab *v; /* the caller's, as the merges */
	struct merge *merge;
	int32_t *blanks;  /* blanks[k]: the id of a run of k blanks that is a token, from k = 2 */
	size_t nblanks;   /* the longest such run; 0: none */
	/* ids of the tokens that BPE makes of their own bytes, up to WORDS_SHORT of them, by the
	 * hash of their key, open addressing; all ones: empty. Borrowed: another's */
	uint32_t *whole; /* bits of the hash << WORDS_ID_BITS | id */
	size_t mask;
	bool borrowed;
	bool narrow;             /* every id fits into 16 bits */
	void *map;               /* that `few` and `many` lie in */
	struct words_short *few; /* pairs: what falls on a place is put second, and first when it comes again */
	struct words_long *many;
};

enum { WORDS_SPARE = 24 }; /* ids behind the last may be written over */

/* nblanks: scan.h's blanks. v and merge must outlive it. */
int words_init(struct words *w, const struct vocab *v, struct merge *merge, size_t nblanks, struct err *e);
/* w with tables of its own for what it has seen; the rest are those of `owner`. */
int words_share(struct words *w, const struct words *owner, struct merge *merge, struct err *e);
/* What costs merging every token to the parts of an image, and from there. */
void words_pack(const struct words *w, struct image_parts *parts);
int words_unpack(struct words *w, const struct vocab *v, struct merge *merge, size_t nblanks, const struct image *im, struct err *e);
/* One piece, n > 0, of which `ahead` >= n bytes may be read: its ids to ids, which has room
 * for n + WORDS_SPARE, their number to *count. 0, or -1 when out of memory. */
int words_one(struct words *w, const char *s, size_t n, size_t ahead, int32_t *ids, size_t *count);
/* All pieces of s[0..n), n > 0, of which `ahead` >= n bytes may be read; start as scan_starts gives it.
 * 1: a run of blanks leaves one that belongs to the piece behind it, which start does not say. */
int words_of(struct words *w, const char *s, size_t n, size_t ahead, const uint64_t *start, int32_t *ids, size_t *count);
/* The same of lines, which scan_lines has cut: ends[i] is the number of ids when line i has ended.
 * *nends: so many lines are done, on 1 those before the line that has such a run. */
int words_lines(struct words *w, const char *s, size_t n, size_t ahead, const uint64_t *start, int32_t *ids,
                size_t *ends, size_t *nends);
void words_release(struct words *w);

#endif
