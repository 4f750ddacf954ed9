/* record.h - token records in either form: JSON lines or token shard, told by
 * the input's first bytes. What bpe-encode writes and every program after it reads.
 *
 *	struct record_in *in; struct record r;
 *	if (record_open(&in, argc, argv, &e)) ...
 *	while ((rc = record_next(in, &r, &e)) == 1) ...
 *	record_close(in);
 *
 *	struct record_out *out;
 *	if (record_create(&out, path, record_form(in), record_head(in), OUT_PLAIN, &e)) ...
 *	if (record_put(out, &r, record_arena(in), &e)) ...
 *	if (record_commit(out, &e)) ...      or record_abort(out)
 *
 * A packed record (pad-trunc --pack) is several pieces behind one another, in each of
 * which positions begin at 0 and tokens attend only to tokens of it. A shard lists
 * where they begin; JSON lines have "position_ids", as HF's padding-free collator makes
 * them: a piece begins where they go back to 0, and padding has 0.
 *
 * All inputs of one run must be of one form, shards of one tokenizer. */
#ifndef IO_RECORD_H
#define IO_RECORD_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "io/in.h"
#include "io/json.h"
#include "io/out.h"
#include "io/shard.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { RECORD_IGNORE = -100 }; /* the label of a token that is not in the loss */

enum record_form { RECORD_NONE /* no input at all */, RECORD_JSONL, RECORD_SHARD };

/* n tokens; ids, attn, labels have n entries each and are never NULL when n > 0.
 * Where the input has no attention mask it is all 1; where it has no labels they
 * are the ids (as the guide trains), has_labels tells. */
struct record {
	size_t n;
	int32_t *ids;
	uint8_t *attn;
	int32_t *labels;
	const uint32_t *starts; /* tokens that begin a piece behind the first: ascending, 0 < start < n */
	size_t nstarts;         /* 0: one piece */
	bool has_ids, has_attn, has_labels; /* has_ids is false for a JSON record without "input_ids" (n is 0) */
	struct json *obj; /* the whole JSON record; NULL from a shard */
};

struct record_in;
struct record_out;

int record_open(struct record_in **in, int npaths, char **paths, struct err *e);
/* The same with the first input open already, and not read from but by in_peek; it is taken over, also on failure. */
int record_open_in(struct record_in **in, struct in *first, int npaths, char **paths, struct err *e);
/* Text instead: each line that is not blank is a record {"text": line}, whatever it looks like. */
int record_open_text(struct record_in **in, int npaths, char **paths, struct err *e);
enum record_form record_form(struct record_in *in);                /* of the first input */
const struct shard_head *record_head(const struct record_in *in); /* NULL for JSON lines */
/* 1: a record, valid until the next call; 0: end; -1 (goes on after a data error in JSON lines). */
int record_next(struct record_in *r, struct record *rec, struct err *e);
struct arena *record_arena(struct record_in *in); /* lives as long as the present record */
/* Puts "FILE:LINE: " (JSON lines) or "FILE: record N: " before e's message, unless it
 * is of a system call or memory; returns -1. */
int record_at(const struct record_in *in, struct err *e);
/* The next record as it stands in its input, for programs that pass it through: a JSON
 * line without its newline, known to be an object, its fields not looked at; or a shard's
 * record. Returns and goes on as record_next does. */
struct record_raw {
	const char *p; /* valid until the next call */
	size_t n;
	int fd;   /* pread(fd, p, n, at) gives it again while its file is open ... */
	off_t at; /* ... unless at is -1 */
	int file; /* the number of its input, from 0 */
};
int record_next_raw(struct record_in *in, struct record_raw *raw, struct err *e);
void record_close(struct record_in *in);

/* head is only looked at for RECORD_SHARD; RECORD_NONE writes an empty file. */
int record_create(struct record_out **out, const char *path, enum record_form form, const struct shard_head *head,
                  enum out_form pack, struct err *e);
/* JSON lines: sets "input_ids", "attention_mask", "labels" in r->obj (or in a new
 * object if it is NULL), and "position_ids" where there are pieces or it has them;
 * other fields stay. Arena memory from `a`, which may be the reader's. Where all tokens
 * are attended to attn may be NULL, where all are in the loss labels. */
int record_put(struct record_out *out, const struct record *r, struct arena *a, struct err *e);
/* record_put in two steps, of which the first may be many threads', each with a packer of its
 * own: record_pack appends the record's bytes to b; record_put_packed writes those of
 * `records` records of `tokens` tokens, in the order they are to have. */
struct record_packer {
	enum record_form form;
	struct shard_head head; /* for RECORD_SHARD */
	uint8_t *keep;          /* scratch: zero at first, freed by record_packer_release */
	size_t cap;
};
int record_pack(struct record_packer *p, const struct record *r, struct arena *a, struct buf *b, struct err *e);
int record_put_packed(struct record_out *out, const struct buf *b, uint64_t records, uint64_t tokens, struct err *e);
void record_packer_release(struct record_packer *p);
/* Bytes of record_next_raw, from inputs of the output's form and vocabulary. */
int record_put_raw(struct record_out *out, const char *p, size_t n, struct err *e);
int record_flush(struct record_out *out, struct err *e);
int record_seal(struct record_out *out, struct err *e); /* out_seal: nothing is put after it */
int record_commit(struct record_out *out, struct err *e); /* frees out either way */
void record_abort(struct record_out *out);

#endif
