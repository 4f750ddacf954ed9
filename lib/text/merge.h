/* merge.h - BPE proper: joins the bytes of one word to tokens.
 *
 *	struct merge m;
 *	if (merge_init(&m, &vocab, &e)) ...
 *	if (merge_word(&m, s, n, ids, &count)) ...out of memory...
 *	merge_release(&m);
 *
 * METHOD (Sennrich et al. 2016). A word starts as the tokens of its bytes; of all
 * neighbours that the list of merges holds, those first in the list are joined,
 * the leftmost first; until there are none.
 * Short words look for the smallest rank anew each time; long ones keep a heap,
 * so that n bytes cost n log n whatever they are. */
#ifndef TEXT_MERGE_H
#define TEXT_MERGE_H

#include "text/vocab.h"

#include <stddef.h>
#include <stdint.h>

struct merge_slot {
	uint64_t pair; /* a << 32 | b; UINT64_MAX: empty */
	uint32_t rank; /* place in the list */
	int32_t id;
};

struct merge_symbol;

struct merge {
	const struct vocab *v; /* the caller's, must outlive it */
	struct merge_slot *slot; /* open addressing */
	unsigned shift;          /* 64 - log2 of the number of slots */
	/* scratch for long words, kept while small */
	struct merge_symbol *sym;
	uint64_t *heap;
	size_t cap;
};

int merge_init(struct merge *m, const struct vocab *v, struct err *e);
/* Tokens of s[0..n), n > 0, into ids, which has room for n. 0, or -1 when out of memory.
 * A byte that has no token (never in valid UTF-8) gives -1 as its id. */
int merge_word(struct merge *m, const char *s, size_t n, int32_t *ids, size_t *count);
void merge_release(struct merge *m);

#endif
