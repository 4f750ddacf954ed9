/* wordcount.h - counts words, quickly: how often has each come?
 *
 *	struct wordcount w = {0};
 *	wordcount_add(&w, p, n, 1);                  0, or -1 when memory runs out
 *	wordcount_merge(&w, &other);                 adds what another has counted
 *	struct wordcount_at at = {0};
 *	while (wordcount_next(&w, &at)) ...at.p, at.n, at.count...      in any order
 *	wordcount_release(&w);
 *
 * A word of up to 15 bytes is its own key, 16 bytes in the table: finding it
 * takes one comparison and touches no other memory. */
#ifndef TEXT_WORDCOUNT_H
#define TEXT_WORDCOUNT_H

#include "text/strset.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WORDCOUNT_SHORT = 15, WORDCOUNT_SLACK = 16 };

struct wordcount_short {
	uint64_t key[2]; /* the bytes, zeros behind them, and the length in the last; all 0: free */
	uint64_t count;
};

struct wordcount {
	struct wordcount_short *slot; /* a power of two of them, at most half full */
	uint32_t slots, nshort;
	struct strset longer;
	uint64_t *count; /* of the longer ones */
	uint32_t count_cap;
};

struct wordcount_at {
	const char *p; /* valid until the next call */
	size_t n;
	uint64_t count;
	uint32_t next;
	char text[WORDCOUNT_SHORT + 1];
};

/* n > 0; WORDCOUNT_SLACK bytes from p on must be readable, however short the word. */
int wordcount_add(struct wordcount *w, const char *p, size_t n, uint64_t times);
int wordcount_merge(struct wordcount *into, const struct wordcount *from);
bool wordcount_next(const struct wordcount *w, struct wordcount_at *at);
uint32_t wordcount_distinct(const struct wordcount *w);
void wordcount_release(struct wordcount *w);

#endif
