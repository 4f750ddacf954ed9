#include "io/llmc.h"
#include "io/idstream.h"
#include "io/shard.h"

#include <stdlib.h>
#include <string.h>

enum { HEADER = 1024 };

/* What the magic says of the tokenizer holds unless the user knows better. */
static const struct form {
	uint32_t magic, version, vocab, eos;
	uint8_t width;
} forms[] = {
	{20240520, 1, 50257, 50256, 2},   /* GPT-2 */
	{20240801, 7, 128256, 128000, 4}, /* Llama 3: its begin-of-text token sets documents apart */
};

static const struct form *form_of(uint32_t magic)
{
	return magic == forms[0].magic ? &forms[0] : magic == forms[1].magic ? &forms[1] : NULL;
}

static bool is(const unsigned char *p, size_t n)
{
	return n >= 4 && form_of((uint32_t)idarray_u64(p, 4));
}

/* --- reading ------------------------------------------------------------------ */

struct reader {
	struct idstream s;
	uint32_t eos;
};

/* NULL: the header is no good. */
static const struct form *check_header(struct in *in, const unsigned char *b, struct err *e)
{
	const struct form *f = form_of((uint32_t)idarray_u64(b, 4));
	if (!f)
		idstream_broken(in, e, "no llm.c file: magic %u", (unsigned)idarray_u64(b, 4));
	else if (idarray_u64(b + 4, 4) != f->version)
		idstream_broken(in, e, "llm.c version %u where magic %u has %u", (unsigned)idarray_u64(b + 4, 4), f->magic, f->version);
	else if (idarray_u64(b + 8, 4) > INT32_MAX)
		idstream_broken(in, e, "the header counts a negative number of tokens");
	else
		return f;
	return NULL;
}

static int open_llmc(void **self, struct in *in, const char *path, struct tokenfile_rule *rule, struct err *e)
{
	unsigned char b[HEADER];
	(void)path;
	ssize_t n = in_full(in, b, sizeof b, e);
	if (n < 0)
		return -1;
	if (n < HEADER && (n < 4 || form_of((uint32_t)idarray_u64(b, 4))))
		return idstream_broken(in, e, "cut off: an llm.c file has a header of %d bytes", HEADER);
	const struct form *f = check_header(in, b, e);
	if (!f)
		return -1;
	struct reader *r = malloc(sizeof *r);
	if (!r)
		return err_mem(e);
	rule->vocab = rule->vocab ? rule->vocab : f->vocab;
	r->eos = rule->eos = rule->eos != SHARD_NO_ID ? rule->eos : f->eos;
	idstream_start(&r->s, in, &(struct idarray_type){.width = f->width}, idarray_u64(b + 8, 4), rule->vocab);
	*self = r;
	return 0;
}

static int next(void *self, int32_t **ids, size_t *n, struct err *e)
{
	struct reader *r = self;
	return idstream_before(&r->s, r->eos, ids, n, e);
}

static void close_llmc(void *self)
{
	struct reader *r = self;
	idstream_release(&r->s);
	free(r);
}

/* --- writing ------------------------------------------------------------------ */

struct writer {
	struct idstream_out s;
	const struct form *form;
};

static void drop(void *self)
{
	struct writer *w = self;
	idstream_abort(&w->s);
	free(w);
}

static int create(void **self, const char *path, const struct tokenfile_rule *rule, struct err *e)
{
	struct writer *w = calloc(1, sizeof *w);
	if (!w)
		return err_mem(e);
	w->form = rule->vocab > 65536 ? &forms[1] : &forms[0];
	w->s.type.width = w->form->width;
	w->s.vocab = rule->vocab;
	w->s.eos = rule->eos;
	w->s.before = true;
	if (idstream_create(&w->s, path, HEADER, e)) {
		drop(w);
		return -1;
	}
	*self = w;
	return 0;
}

static int fits(void *self, const int32_t *ids, size_t n, struct err *e)
{
	return idstream_fits(&((struct writer *)self)->s, ids, n, e);
}

static int put(void *self, const int32_t *ids, size_t n, struct err *e)
{
	struct writer *w = self;
	if (w->s.count + n >= INT32_MAX) {
		err_data(e, "more than %d tokens: llm.c's header cannot count them, write several files", INT32_MAX);
		e->kind = ERR_IO;
		return -1;
	}
	return idstream_put(&w->s, ids, n, e);
}

static int commit(void *self, struct err *e)
{
	struct writer *w = self;
	unsigned char b[HEADER] = {0};
	idarray_set(b, 4, w->form->magic);
	idarray_set(b + 4, 4, w->form->version);
	idarray_set(b + 8, 4, w->s.count);
	int rc = idstream_commit(&w->s, b, e);
	free(w);
	return rc;
}

const struct tokenfile_format llmc_format = {
	.name = "llmc", .has_eos = true, .is = is, .open = open_llmc, .next = next, .close = close_llmc,
	.create = create, .fits = fits, .put = put, .commit = commit, .abort = drop,
};
