/* vocab.h - what a tokenizer.json says: tokens, merges, added tokens, and the
 * steps that come before BPE. bpe.h works from it.
 *
 *	struct vocab v;
 *	if (vocab_load(&v, "tokenizer.json", &e)) ...
 *	int32_t id = vocab_id(&v, "<|endoftext|>", 13);
 *	vocab_release(&v);
 *
 * Supported: model BPE with the byte alphabet (bytechar.h), ignore_merges or
 * not; normalizer NFC or none; pre-tokenizer ByteLevel, also behind Splits by the
 * patterns of pretok.h and Digits; decoder ByteLevel; post-processor ByteLevel
 * and a template of special tokens around the text; added tokens of all kinds.
 * Whatever else the file asks for is refused by its name, never passed over. */
#ifndef TEXT_VOCAB_H
#define TEXT_VOCAB_H

#include "base/arena.h"
#include "base/err.h"
#include "text/pretok.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	VOCAB_MAX = 1 << 21, /* ids are below it */
	VOCAB_CUTS = 4,
	VOCAB_AROUND = 8
};

/* The steps around BPE. */
struct vocab_rules {
	bool nfc;
	/* A segment is cut by the first; each piece, as a text of its own, by the second, and so on.
	 * prefix_space: a piece that comes to the last and begins with no space gets one. */
	enum pretok cut[VOCAB_CUTS];
	uint32_t ncut;
	bool prefix_space;
	bool ignore_merges; /* a piece that is a token of the vocabulary is that token, whatever the merges say */
	/* special tokens that the template puts around a text, if they are wanted */
	int32_t front[VOCAB_AROUND], back[VOCAB_AROUND];
	uint32_t nfront, nback;
};

struct vocab_token {
	const char *text; /* as the file spells it; NULL: no token has this id */
	size_t n;
	const char *bytes; /* what it decodes to; may be part of a character */
	size_t nbytes;
	bool special;           /* left out by skip_special */
	bool added, normalized; /* one of the added tokens below */
	bool model;             /* of the model's own vocabulary */
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
	bool single_word, lstrip, rstrip; /* only between words; with the white space before it, behind it */
};

struct vocab {
	struct arena arena; /* owns all below */
	uint32_t size;      /* largest id + 1 */
	struct vocab_token *tok; /* size entries */
	int32_t byte[256];       /* the token of each byte; -1 only where UTF-8 never has the byte */
	struct vocab_merge *merge; /* NULL where merge.h has its tables from an image */
	size_t nmerge;
	struct vocab_added *added;
	size_t nadded;
	struct vocab_rules rules;
	size_t longest;       /* bytes of the longest text of a token */
	uint64_t fingerprint; /* bpe_fingerprint in bpe.h */
	int32_t *slot; /* ids by hash of their text, open addressing; -1: empty */
	size_t mask;
};

/* From the text of a tokenizer.json, which is not needed any more. Messages do not name
 * the file. On failure nothing has to be released. */
int vocab_parse(struct vocab *v, const char *json, size_t n, struct err *e);
/* The same from a file. ERR_DATA: "PATH: what". */
int vocab_load(struct vocab *v, const char *path, struct err *e);
/* Id of the token that the file spells so ("\u0120the", not " the"), added tokens included; -1 if none. */
int32_t vocab_id(const struct vocab *v, const char *text, size_t n);
/* Id of the token of the model's vocabulary that stands for the bytes s[0..n); -1 if none.
 * room: v->longest bytes of scratch. */
int32_t vocab_word(const struct vocab *v, const char *s, size_t n, char *room);
/* GPT-2's pattern, then merges, and nothing else; normalized added tokens taken as they stand:
 * what a scanner may take a short way for. */
bool vocab_plain(const struct vocab *v);
void vocab_release(struct vocab *v);

#endif
