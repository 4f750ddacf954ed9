/* decode.h - generation with a cache of keys and values, many sequences at once.
 *
 *	struct decode *d = decode_open(&m, threads, &e);
 *	struct decode_seq *a = decode_seq_open(d, &e), *b = decode_seq_open(d, &e);
 *	struct decode_part parts[] = {{a, prompt, 17}, {b, &id, 1}};
 *	decode_parts(d, parts, 2, &e);      each sequence gets its next tokens
 *	decode_row(d, 0)                    vocab floats for the token after a's last one
 *	decode_seq_close(a); ...; decode_close(d);
 *
 * or, for one sequence of the engine's own:
 *
 *	decode_reset(d);
 *	decode_feed(d, ids, n, &e);         the prompt, or the token chosen last
 *	const float *l = decode_logits(d);
 *
 * The rows of all sequences go through each matrix together, so that a weight is
 * read once for all of them; nothing is padded. A sequence's logits do not
 * depend, to the bit, on what else is in the call nor on the number of threads.
 * They equal the whole forward pass over the same ids up to rounding; how the ids
 * are divided into calls matters up to rounding, too.
 *
 * Memory: a sequence takes 2 * layers * hidden floats a token, and doubles its
 * room as it grows; the engine activations of at most 512 tokens, the logits of
 * the last call and, where only the largest is asked, a byte for each weight of the
 * head. One thread at a time may use an engine and its sequences. */
#ifndef NX_DECODE_H
#define NX_DECODE_H

#include "base/err.h"
#include "nx/frozen.h"
#include "nx/model.h"

struct decode;
struct decode_seq; /* a sequence's keys and values */

struct decode *decode_over(const struct frozen *f, int threads, struct err *e); /* f must outlive it */
struct decode *decode_open(const struct model *m, int threads, struct err *e);  /* so must m */
int decode_vocab(const struct decode *d); /* the number of logits */
void decode_close(struct decode *d);      /* after all its sequences */

struct decode_seq *decode_seq_open(struct decode *d, struct err *e); /* empty; NULL: no memory */
void decode_seq_reset(struct decode_seq *s);                         /* empty again; its memory is kept */
int decode_seq_length(const struct decode_seq *s);                   /* tokens in it */
/* Makes `to` what `from` is: both of one engine. On failure `to` is as it was. */
int decode_seq_copy(struct decode_seq *to, const struct decode_seq *from, struct err *e);
void decode_seq_close(struct decode_seq *s);

/* The next tokens of a sequence. */
struct decode_part {
	struct decode_seq *seq; /* no two parts of a call have the same */
	const int32_t *ids;
	int nids; /* >= 1 */
};
/* For the calls to come: only decode_largest is asked, and no row of logits is there. After a few such calls it
 * takes less than all of them (nx/shortlist.h). At first: rows are. */
void decode_only_largest(struct decode *d, bool only);
/* An id outside the vocabulary is ERR_DATA and leaves everything as it was, as want of memory does. */
int decode_parts(struct decode *d, const struct decode_part *parts, int n, struct err *e);
/* Logits behind the last token of part i of the last call; valid until the next. The caller may write into them. */
float *decode_row(struct decode *d, int i);
/* The id of the largest of them, of equal ones the first, whatever was asked for; -1 if one is NaN. */
int32_t decode_largest(const struct decode *d, int i);

/* The engine's own sequence. */
void decode_reset(struct decode *d);
int decode_feed(struct decode *d, const int32_t *ids, int n, struct err *e);
const float *decode_logits(const struct decode *d);
int decode_length(const struct decode *d);

#endif
