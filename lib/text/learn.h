/* learn.h - which pairs of neighbours to join, one after the other: the counting
 * behind bpetrain.h, on numbers alone.
 *
 *	struct learn *l;
 *	learn_open(&l, &words, id, 1, UINT32_MAX, &e)
 *	while ((rc = learn_next(l, &left, &right)) == 1)
 *		learn_join(l, joined);            the id that this pair gets
 *	learn_close(l);
 *
 * Every word is a row of cells, one a byte. A token's id stands in the first and
 * the last of its cells, and its length is known, so that the neighbours of a
 * token are found without looking at the rest of the word.
 *
 * A pair comes up in one step, wherever it ever is: a token is made in one way
 * and by one merge, since inside a token's bounds all its occurrences went the
 * same way. From then on its count only falls. So its places are listed once;
 * a count is brought up to date when the pair has come to the top of the queue
 * and one of its tokens has been joined to others meanwhile; and a pair that
 * comes up under min_count need not be kept. All lists together hold at most
 * three places a cell, which bounds memory, and they are read about once.
 *
 * The queue is a heap of what may be next, by count, then left id, then right
 * id. Rarer pairs wait in a chain for each count, and most of them for ever. */
#ifndef TEXT_LEARN_H
#define TEXT_LEARN_H

#include "base/err.h"
#include "text/wordcount.h"

#include <stdint.h>

enum { LEARN_NONE = UINT32_MAX, LEARN_CELLS = UINT32_MAX / 4 /* bytes of distinct words, at most */ };

struct learn;

/* id[byte] is a byte's first token, or LEARN_NONE: then the byte is left out, and
 * its neighbours meet. Pairs of less than min_count >= 1 are not joined, nor those
 * of max_length symbols and more, but for pairs of two bytes. */
int learn_open(struct learn **l, const struct wordcount *w, const uint32_t id[256], uint64_t min_count, uint32_t max_length,
               struct err *e);
/* 1: the pair to join next, 0: there is none, -1: out of memory. */
int learn_next(struct learn *l, uint32_t *left, uint32_t *right);
/* Joins the pair of learn_next in all words, from the left. 0 or -1. */
int learn_join(struct learn *l, uint32_t joined);
void learn_close(struct learn *l); /* NULL is fine */

#endif
