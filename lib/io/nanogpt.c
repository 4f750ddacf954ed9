#include "io/nanogpt.h"
#include "io/idstream.h"
#include "io/shard.h"

#include <stdlib.h>

static const struct idarray_type u2 = {.width = 2};

struct reader {
	struct idstream s;
	uint32_t eos;
};

static int narrow(const struct tokenfile_rule *rule, struct err *e)
{
	if (rule->vocab > 65536)
		return err_usage(e, "nanogpt has 16 bits a token: a vocabulary of %u does not fit", rule->vocab);
	if (rule->eos == SHARD_NO_ID)
		return err_usage(e, "documents are set apart by the end-of-text token: --eos ID or -T FILE tells it");
	return 0;
}

static int open_nanogpt(void **self, struct in *in, const char *path, struct tokenfile_rule *rule, struct err *e)
{
	(void)path;
	if (narrow(rule, e))
		return -1;
	struct reader *r = malloc(sizeof *r);
	if (!r)
		return err_mem(e);
	r->eos = rule->eos;
	idstream_start(&r->s, in, &u2, IDSTREAM_ENDLESS, rule->vocab);
	*self = r;
	return 0;
}

static int next(void *self, int32_t **ids, size_t *n, struct err *e)
{
	struct reader *r = self;
	return idstream_after(&r->s, r->eos, ids, n, e);
}

static void close_nanogpt(void *self)
{
	struct reader *r = self;
	idstream_release(&r->s);
	free(r);
}

static void drop(void *self)
{
	struct idstream_out *s = self;
	idstream_abort(s);
	free(s);
}

static int create(void **self, const char *path, const struct tokenfile_rule *rule, struct err *e)
{
	if (narrow(rule, e))
		return -1;
	struct idstream_out *s = calloc(1, sizeof *s);
	if (!s)
		return err_mem(e);
	s->type = u2;
	s->vocab = rule->vocab;
	s->eos = rule->eos;
	if (idstream_create(s, path, 0, e)) {
		drop(s);
		return -1;
	}
	*self = s;
	return 0;
}

static int fits(void *self, const int32_t *ids, size_t n, struct err *e)
{
	return idstream_fits(self, ids, n, e);
}

static int put(void *self, const int32_t *ids, size_t n, struct err *e)
{
	return idstream_put(self, ids, n, e);
}

static int commit(void *self, struct err *e)
{
	struct idstream_out *s = self;
	int rc = idstream_commit(s, NULL, e);
	free(s);
	return rc;
}

const struct tokenfile_format nanogpt_format = {
	.name = "nanogpt", .open = open_nanogpt, .next = next, .close = close_nanogpt,
	.create = create, .fits = fits, .put = put, .commit = commit, .abort = drop,
};
