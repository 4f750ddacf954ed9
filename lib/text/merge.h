/* merge.h - BPE proper: joins the bytes of one word to tokens.
 *
 *	struct merge m;
 *	if (merge_init(&m, &vocab, &e)) ...
 *	if (merge_word(&m, s, n, ids, &count)) ...out of memory...
 *	merge_release(&m);
 *
 * METHOD (Sennrich et al. 2016). A word starts as the tokens of its bytes; of all
 * neighbours that the list of merges holds, those first in the list are joined,
 * the leftmost first; until there are none. With the tokenizer's ignore_merges a
 * word that is a token is that token, whether the merges lead to it or not.
 * Short words look for the smallest rank anew each time; long ones keep a heap,
 * so that n bytes cost n log n whatever they are. */
#ifndef TEXT_MERGE_H
#define TEXT_MERGE_H

#include "text/image.h"
#include "text/vocab.h"

#include <stddef.h>
#include <stdint.h>

struct merge_symbol;

enum { MERGE_ID_BITS = 21, MERGE_RANK_BITS = 22 }; /* two ids and a rank are a word */
_Static_assert(VOCAB_MAX <= 1 << MERGE_ID_BITS, "ids must fit");

enum { MERGE_TOGETHER = 40 /* bytes */, MERGE_JOBS = 64 };

/* A word to be joined beside others. */
struct merge_job {
	const char *s;
	size_t n;     /* 1 to MERGE_TOGETHER */
	int32_t *ids; /* has room for n */
	size_t *count; /* how many there are in the end */
};

struct merge;

/* One for each instruction set. */
struct merge_isa {
	const char *name; /* "base", "avx2", "avx512" */
	/* merge_word of each, of like length if it shall be fast; ignore_merges is not looked at. NULL where
	 * nothing is gained. */
	void (*together)(const struct merge *m, const struct merge_job *jobs, size_t n);
};

struct merge {
	const struct merge_isa *isa;
	const struct vocab *v; /* the caller's, must outlive it */
	bool borrowed;           /* the three tables are another's */
	uint64_t *slot;          /* pair << MERGE_RANK_BITS | rank, open addressing; all ones: empty */
	unsigned shift;          /* 64 - log2 of the number of slots */
	uint32_t *bytes;         /* [a << 8 | b]: rank of the tokens of two bytes; UINT32_MAX: no merge */
	int32_t *made;           /* [rank]: the token that the pair becomes */
	bool steady;             /* which is nearly always `first` + rank */
	int32_t first;
	char *room;              /* scratch for vocab_word */
	/* scratch for long words, kept while small */
	struct merge_symbol *sym;
	uint64_t *heap;
	size_t cap;
};

int merge_init(struct merge *m, const struct vocab *v, struct err *e);
/* The tables to the parts of an image, and from there. */
void merge_pack(const struct merge *m, struct image_parts *parts);
void merge_unpack(struct merge *m, const struct vocab *v, const struct image *im);
/* Tokens of s[0..n), n > 0, into ids, which has room for n. 0, or -1 when out of memory.
 * A byte that has no token (never in valid UTF-8) gives -1 as its id. */
int merge_word(struct merge *m, const char *s, size_t n, int32_t *ids, size_t *count);
/* merge_word of each of n <= MERGE_JOBS. */
int merge_words(struct merge *m, const struct merge_job *jobs, size_t n);
/* Whether that takes less time than one after the other. */
bool merge_has_lanes(const struct merge *m);
/* m for another thread: it has the tables of `owner` and scratch of its own, which alone merge_forget frees. */
void merge_share(struct merge *m, const struct merge *owner);
void merge_forget(struct merge *m);
void merge_release(struct merge *m);

/* Every table this CPU can run, slowest first; NULL for i beyond them. For tests. */
const struct merge_isa *merge_at(int i);

#endif
