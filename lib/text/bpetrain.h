/* bpetrain.h - learns a byte-level BPE tokenizer from text, as HF tokenizers'
 * BpeTrainer does, and writes it as tokenizer.json.
 *
 *	const char *const special[] = {"<|endoftext|>", "<|padding|>"};
 *	struct bpetrain_rule rule = {.vocab = 8000, .special = special, .nspecial = 2};
 *	struct bpetrain *t;
 *	if (bpetrain_open(&t, &rule, &e)) ...
 *	bpetrain_feed(t, line, n, &e);                    each line or document
 *	while ((rc = bpetrain_step(t, &e)) == 1) ...      one merge a call, until there is none to learn
 *	bpetrain_write(t, &buf, &e);
 *	bpetrain_close(t);
 *
 * METHOD (Sennrich et al. 2016, over bytes as GPT-2). Text is brought to NFC and
 * cut by the GPT-2 pattern; each distinct piece is a word with a count. Ids: the
 * special tokens, the 256 bytes in order of the characters that stand for them,
 * then one a merge. A step takes the pair of neighbours with the largest count,
 * weighted by the words' counts and overlaps included; of equals the smaller left
 * id, then the smaller right id; and joins it in every word, left to right. It
 * ends when the vocabulary is full, no pair is left, or the largest count is
 * under min_frequency. A merge that makes what a special token spells takes that
 * token's id. The result is HF's, merge for merge.
 *
 * Memory: the distinct words, once a thread while they are counted, then about 20
 * bytes for each of their bytes and 32 for each pair that ever comes up; not the text. */
#ifndef TEXT_BPETRAIN_H
#define TEXT_BPETRAIN_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bpetrain;

struct bpetrain_rule {
	uint32_t vocab;             /* stop at so many tokens; special tokens and bytes are always in */
	uint64_t min_frequency;     /* a pair that occurs less often is not joined; 0 is as 1 */
	const char *const *special; /* not empty; named twice counts once; copied */
	int nspecial;
	uint32_t limit_alphabet;   /* keep so many bytes, the commonest; of equals those of the smaller character; 0: all */
	bool seen_bytes;           /* only bytes that occur are tokens, not all 256 */
	uint32_t max_token_length; /* join no longer token than that, as HF does: under it, but pairs of bytes; 0: any */
	bool prefix_space;         /* a text that does not begin with a space gets one */
	bool plain;                /* texts are taken as they are, not brought to NFC */
	int threads;               /* that count words; the result does not depend on it; 0 is as 1 */
};

int bpetrain_open(struct bpetrain **t, const struct bpetrain_rule *rule, struct err *e);
/* One text, which the pattern does not look beyond. ERR_DATA where it is not valid
 * UTF-8; nothing of it has been counted then. Not after the first step. */
int bpetrain_feed(struct bpetrain *t, const char *text, size_t n, struct err *e);
/* 1: one more merge, 0: done, -1: error. */
int bpetrain_step(struct bpetrain *t, struct err *e);
uint32_t bpetrain_vocab(const struct bpetrain *t);  /* tokens so far */
uint32_t bpetrain_merges(const struct bpetrain *t); /* merges so far */
uint32_t bpetrain_words(const struct bpetrain *t);  /* distinct words fed, once the first step is made */
/* Appends the tokenizer.json: loads in HF tokenizers of any version, and in bpe.h. */
int bpetrain_write(const struct bpetrain *t, struct buf *out, struct err *e);
void bpetrain_close(struct bpetrain *t); /* NULL is fine */

#endif
