/* vocab.h - what a tokenizer.json says: tokens, merges, added tokens, and the
 * steps that come before BPE. bpe.h works from it.
 *
 *	struct vocab v;
 *	if (vocab_load(&v, "tokenizer.json", &e)) ...
 *	int32_t id = vocab_id(&v, "<|endoftext|>", 13);
 *	vocab_release(&v);
 *
 * Supported: model BPE with the byte alphabet (bytechar.h); normalizer NFC or
 * none; pre-tokenizer and decoder ByteLevel with GPT-2's pattern and no prefix
 * space; added tokens that are not lstrip, rstrip or single_word. Whatever else
 * the file asks for is refused by its name, never passed over. */
#ifndef TEXT_VOCAB_H
#define TEXT_VOCAB_H

#include "base/arena.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VOCAB_MAX = 1 << 21 }; /* ids are below it */

enum vocab_pretok { VOCAB_GPT2 }; /* which pattern of pretok.h cuts the text */

struct vocab_token {
	const char *text; /* as the file spells it; NULL: no token has this id */
	size_t n;
	const char *bytes; /* what it decodes to; may be part of a character */
	size_t nbytes;
	bool special;           /* left out by skip_special */
	bool added, normalized; /* one of the added tokens below */
};

/* a and b next to each other become id; the earlier in the list goes first. */
struct vocab_merge {
	int32_t a, b, id;
};

struct vocab_added {
	const char *text; /* found as it stands, in NFC already where it is normalized */
	size_t n;
	int32_t id;
	bool normalized; /* looked for in the normalized text, not in the raw */
};

struct vocab {
	struct arena arena; /* owns all below */
	uint32_t size;      /* largest id + 1 */
	struct vocab_token *tok; /* size entries */
	int32_t byte[256];       /* the token of each byte; -1 only where UTF-8 never has the byte */
	struct vocab_merge *merge;
	size_t nmerge;
	struct vocab_added *added;
	size_t nadded;
	bool nfc;
	enum vocab_pretok pretok;
	uint64_t fingerprint; /* bpe_fingerprint in bpe.h */
	int32_t *slot; /* ids by hash of their text, open addressing; -1: empty */
	size_t mask;
};

/* ERR_DATA: "PATH: what". On failure nothing has to be released. */
int vocab_load(struct vocab *v, const char *path, struct err *e);
/* Id of the token that the file spells so ("\u0120the", not " the"), added tokens included; -1 if none. */
int32_t vocab_id(const struct vocab *v, const char *text, size_t n);
void vocab_release(struct vocab *v);

#endif
