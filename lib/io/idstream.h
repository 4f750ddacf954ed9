/* idstream.h - one long array of token ids, cut into documents as it is read and
 * joined from them as it is written. What the formats without record
 * boundaries of their own (llm.c, nanoGPT, NumPy) have in common.
 *
 *	struct idstream s;
 *	idstream_start(&s, in, &type, count, vocab);
 *	while ((rc = idstream_before(&s, eos, &ids, &n, &e)) == 1) ...
 *	idstream_release(&s);
 *
 * Records read and joined again are the array, to the id. Each of the readers
 * returns 1 with a record, valid until the next call; 0 at the end; -1. Their
 * errors name the input, and are ERR_IO: nothing can be read behind them. */
#ifndef IO_IDSTREAM_H
#define IO_IDSTREAM_H

#include "base/buf.h"
#include "base/err.h"
#include "io/headed.h"
#include "io/idarray.h"
#include "io/in.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { IDSTREAM_CHUNK = 4096 };
#define IDSTREAM_ENDLESS UINT64_MAX

struct idstream {
	struct in *in; /* the caller's */
	struct idarray_type type;
	uint64_t count, left; /* ids of the array, and those not yet read; IDSTREAM_ENDLESS: to the input's end */
	uint64_t done;
	uint32_t vocab; /* 0: not known */
	int32_t chunk[IDSTREAM_CHUNK];
	size_t at, n;  /* chunk[at..n) waits */
	struct buf rec; /* the record, int32_t each */
};

void idstream_start(struct idstream *s, struct in *in, const struct idarray_type *t, uint64_t count, uint32_t vocab);
int idstream_before(struct idstream *s, uint32_t eos, int32_t **ids, size_t *n, struct err *e); /* cut before each eos */
int idstream_after(struct idstream *s, uint32_t eos, int32_t **ids, size_t *n, struct err *e);  /* cut behind each eos */
int idstream_row(struct idstream *s, size_t length, int32_t **ids, size_t *n, struct err *e);   /* `length` ids, never 0 */
/* 0 if the input ends where the array does, else -1. */
int idstream_ends(struct idstream *s, struct err *e);
void idstream_release(struct idstream *s);

/* "NAME: what", ERR_IO; -1. */
int idstream_broken(const struct in *in, struct err *e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The other way: documents joined by their end-of-text token. */
struct idstream_out {
	struct headed *h;
	struct idarray_type type;
	uint32_t vocab, eos; /* vocab 0: not known */
	bool before;         /* the eos stands before each document, else behind it */
	uint64_t count;      /* ids written */
	struct buf raw;
};

/* `header` bytes are left free; the eos must be known. */
int idstream_create(struct idstream_out *s, const char *path, size_t header, struct err *e);
/* The document between the eos at its ends, if it has any, gets exactly one eos on its side. */
int idstream_fits(const struct idstream_out *s, const int32_t *ids, size_t n, struct err *e); /* whether it takes them */
int idstream_put(struct idstream_out *s, const int32_t *ids, size_t n, struct err *e);
int idstream_commit(struct idstream_out *s, const void *header, struct err *e);
void idstream_abort(struct idstream_out *s);

#endif
