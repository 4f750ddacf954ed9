/* shard.h - token shards, nx-shard(5): token records as a binary stream.
 *
 * Writing:	shard_begin(out, &head, &w, &e); shard_put(w, &rec...) ...; shard_end(w, &e)
 * Reading:	shard_open(in, &r, &e); while (shard_next(r, &t, &e) == 1) ...; shard_close(r)
 *
 * A stream without its trailer was cut off: shard_next returns -1, never a clean end.
 * Shards concatenate: after a trailer another header may follow, of the same tokenizer. */
#ifndef IO_SHARD_H
#define IO_SHARD_H

#include "base/buf.h"
#include "base/err.h"
#include "io/in.h"
#include "io/out.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHARD_MAGIC "\x89NXS\r\n\x1a\n"
enum { SHARD_MAGIC_LEN = 8 };
#define SHARD_NO_ID UINT32_MAX
enum { SHARD_MAX_TOKENS = (1 << 28) - 1 }; /* in one record */

struct shard_head {
	uint32_t vocab;       /* ids are below it; 16-bit ids are used where it is <= 65536 */
	uint32_t eos, pad;    /* SHARD_NO_ID if there is none */
	uint64_t fingerprint; /* bpe_fingerprint of the tokenizer; 0: not known */
};

/* One record; attn and keep may be NULL, which means all set. */
struct shard_rec {
	size_t n;
	const int32_t *ids;
	const uint8_t *attn; /* 1: attended to, 0: padding */
	const uint8_t *keep; /* 1: in the loss (label = id), 0: not (label = -100) */
	const uint32_t *starts; /* where the pieces of a packed record begin that follow its first; */
	size_t nstarts;         /* ascending, 0 < start < n; none: it is one piece */
};

struct shard_writer;
struct shard_reader;

int shard_begin(struct out *out, const struct shard_head *h, struct shard_writer **w, struct err *e);
int shard_put(struct shard_writer *w, const struct shard_rec *r, struct err *e);
/* The same in two steps, of which the first may be many threads': shard_pack appends the
 * record's bytes to b; shard_put_packed writes those of `records` records of `tokens` tokens. */
int shard_pack(const struct shard_head *h, const struct shard_rec *r, struct buf *b, struct err *e);
/* Many records whose tokens are all attended to and in the loss: record i is ids[ends[i-1]..ends[i])
 * (from ids[0] for i = 0), and `behind` after them unless it is negative. SHARD_SPARE more ids may be read. */
enum { SHARD_SPARE = 8 };
int shard_pack_all(const struct shard_head *h, const int32_t *ids, const size_t *ends, size_t n, int32_t behind,
                   struct buf *b, struct err *e);
int shard_put_packed(struct shard_writer *w, const void *p, size_t n, uint64_t records, uint64_t tokens, struct err *e);
/* A record as shard_raw gave it, from a shard of the same vocabulary. */
int shard_put_raw(struct shard_writer *w, const void *p, size_t n, struct err *e);
int shard_end(struct shard_writer *w, struct err *e); /* writes the trailer, frees w; out stays open */
void shard_drop(struct shard_writer *w);              /* frees w without a trailer */

int shard_open(struct in *in, struct shard_reader **r, struct err *e); /* reads the header */
const struct shard_head *shard_headof(const struct shard_reader *r);
/* 1: a record, valid until the next call; 0: clean end; -1. attn and keep are NULL when all set. */
int shard_next(struct shard_reader *r, struct shard_rec *rec, struct err *e);
/* The record read last as it stands in the shard: n bytes, valid until the next call. */
const void *shard_raw(const struct shard_reader *r, size_t *n);
uint64_t shard_count(const struct shard_reader *r); /* records read so far */
void shard_close(struct shard_reader *r);           /* does not close `in` */

#endif
