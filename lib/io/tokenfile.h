/* tokenfile.h - token records in the files of other programs: llm.c, Megatron,
 * nanoGPT, NumPy. They hold ids only: no masks, no labels, no tokenizer.
 *
 *	const struct tokenfile_format *f = tokenfile_named("npy");
 *	struct tokenfile_in *t;
 *	if (tokenfile_open(&t, f, npaths, paths, NULL, &rule, &e)) ...
 *	while ((rc = tokenfile_next(t, &ids, &n, &e)) == 1) ...
 *	tokenfile_close(t);
 *
 *	struct tokenfile_out *o;
 *	if (tokenfile_create(&o, f, path, &rule, &e)) ...
 *	if (tokenfile_put(o, ids, n, &e)) ...
 *	if (tokenfile_commit(o, &e)) ...     or tokenfile_abort(o)
 *
 * A format is a table of functions in a file of its own: io/llmc.c, io/megatron.c,
 * io/nanogpt.c, io/npy.c. Sizes that a file claims are held against its bytes and
 * never believed for an allocation. */
#ifndef IO_TOKENFILE_H
#define IO_TOKENFILE_H

#include "base/err.h"
#include "io/in.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What most of these files do not say of their ids. */
struct tokenfile_rule {
	uint32_t vocab;    /* ids are below it; 0: not known */
	uint32_t eos, pad; /* SHARD_NO_ID: not known */
};

struct tokenfile_format {
	const char *name;
	bool by_prefix; /* several files: `open` gets a path and no input */
	bool has_eos;   /* the format's reader knows an end-of-text token of its own, or needs none */
	bool rows;      /* written with padding in its place; the others hold a stream, which has none */
	/* p[0..n) are the first bytes; NULL where the format has no magic */
	bool (*is)(const unsigned char *p, size_t n);
	/* `in` stays the caller's and open; may fill in what rule does not know */
	int (*open)(void **self, struct in *in, const char *path, struct tokenfile_rule *rule, struct err *e);
	int (*next)(void *self, int32_t **ids, size_t *n, struct err *e);
	void (*close)(void *self);
	int (*create)(void **self, const char *path, const struct tokenfile_rule *rule, struct err *e);
	int (*fits)(void *self, const int32_t *ids, size_t n, struct err *e);
	int (*put)(void *self, const int32_t *ids, size_t n, struct err *e);
	int (*commit)(void *self, struct err *e); /* frees self either way */
	void (*abort)(void *self);
};

/* NULL if there is none of that name. */
const struct tokenfile_format *tokenfile_named(const char *name);
/* Opens path and tells the format by its first bytes (by the names of its files for
 * Megatron's): *f is NULL if none is known. *in is NULL if the format is by prefix;
 * what was looked at is still to be read. */
int tokenfile_guess(const char *path, struct in **in, const struct tokenfile_format **f, struct err *e);

/* Reads the files one after the other; npaths 0 is stdin. `first` is the first of them
 * if it is open already (it is taken over, also on failure), else NULL. */
struct tokenfile_in;
int tokenfile_open(struct tokenfile_in **t, const struct tokenfile_format *f, int npaths, char **paths, struct in *first,
                   const struct tokenfile_rule *rule, struct err *e);
const struct tokenfile_rule *tokenfile_ruleof(const struct tokenfile_in *t); /* with what the first file told */
int tokenfile_next(struct tokenfile_in *t, int32_t **ids, size_t *n, struct err *e); /* 1, 0 at the end, -1 */
void tokenfile_close(struct tokenfile_in *t);

struct tokenfile_out;
int tokenfile_create(struct tokenfile_out **o, const struct tokenfile_format *f, const char *path,
                     const struct tokenfile_rule *rule, struct err *e);
int tokenfile_put(struct tokenfile_out *o, const int32_t *ids, size_t n, struct err *e); /* after ERR_DATA nothing was written */
int tokenfile_fits(struct tokenfile_out *o, const int32_t *ids, size_t n, struct err *e); /* whether it would be ERR_DATA */
int tokenfile_commit(struct tokenfile_out *o, struct err *e);
void tokenfile_abort(struct tokenfile_out *o);

#endif
