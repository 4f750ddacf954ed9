#include "io/tokenfile.h"
#include "io/llmc.h"
#include "io/megatron.h"
#include "io/nanogpt.h"
#include "io/npy.h"

#include <stdlib.h>
#include <string.h>

static const struct tokenfile_format *const formats[] = {&llmc_format, &megatron_format, &nanogpt_format, &npy_format,
                                                         &npy_rows_format};
enum { FORMATS = sizeof formats / sizeof *formats };

static const char stdin_name[] = "-";

struct tokenfile_in {
	const struct tokenfile_format *f;
	struct tokenfile_rule rule;
	int npaths, at;
	char **paths, *stdin_only[1];
	struct in *in;
	void *self;
};

const struct tokenfile_format *tokenfile_named(const char *name)
{
	for (int i = 0; i < FORMATS; i++)
		if (strcmp(name, formats[i]->name) == 0)
			return formats[i];
	return NULL;
}

int tokenfile_guess(const char *path, struct in **in, const struct tokenfile_format **f, struct err *e)
{
	const unsigned char *p;
	*in = NULL;
	*f = NULL;
	int pair = megatron_there(path, e);
	if (pair) {
		*f = pair > 0 ? &megatron_format : NULL;
		return pair > 0 ? 0 : -1;
	}
	if (in_open(in, path, e))
		return -1;
	ssize_t n = in_peek(*in, 8, &p, e);
	if (n < 0) {
		in_close(*in);
		*in = NULL;
		return -1;
	}
	for (int i = 0; i < FORMATS && !*f; i++)
		if (formats[i]->is && formats[i]->is(p, (size_t)n))
			*f = formats[i];
	return 0;
}

/* --- reading ------------------------------------------------------------------ */

static int open_at(struct tokenfile_in *t, struct err *e)
{
	const char *path = t->paths[t->at];
	if (!t->f->by_prefix && !t->in && in_open(&t->in, path, e))
		return -1;
	return t->f->open(&t->self, t->in, path, &t->rule, e);
}

int tokenfile_open(struct tokenfile_in **out, const struct tokenfile_format *f, int npaths, char **paths, struct in *first,
                   const struct tokenfile_rule *rule, struct err *e)
{
	struct tokenfile_in *t = calloc(1, sizeof *t);
	if (!t) {
		in_close(first);
		return err_mem(e);
	}
	t->f = f;
	t->rule = *rule;
	t->in = first;
	t->stdin_only[0] = (char *)stdin_name;
	t->paths = npaths ? paths : t->stdin_only;
	t->npaths = npaths ? npaths : 1;
	if (open_at(t, e)) {
		tokenfile_close(t);
		return -1;
	}
	*out = t;
	return 0;
}

const struct tokenfile_rule *tokenfile_ruleof(const struct tokenfile_in *t)
{
	return &t->rule;
}

static void close_file(struct tokenfile_in *t)
{
	if (t->self)
		t->f->close(t->self);
	t->self = NULL;
	in_close(t->in);
	t->in = NULL;
}

int tokenfile_next(struct tokenfile_in *t, int32_t **ids, size_t *n, struct err *e)
{
	int rc;
	while ((rc = t->f->next(t->self, ids, n, e)) == 0 && t->at + 1 < t->npaths) {
		close_file(t);
		t->at++;
		if (open_at(t, e))
			return -1;
	}
	return rc;
}

void tokenfile_close(struct tokenfile_in *t)
{
	if (!t)
		return;
	close_file(t);
	free(t);
}

/* --- writing ------------------------------------------------------------------ */

struct tokenfile_out {
	const struct tokenfile_format *f;
	void *self;
};

int tokenfile_create(struct tokenfile_out **out, const struct tokenfile_format *f, const char *path,
                     const struct tokenfile_rule *rule, struct err *e)
{
	struct tokenfile_out *o = calloc(1, sizeof *o);
	if (!o)
		return err_mem(e);
	o->f = f;
	if (f->create(&o->self, path, rule, e)) {
		free(o);
		return -1;
	}
	*out = o;
	return 0;
}

int tokenfile_put(struct tokenfile_out *o, const int32_t *ids, size_t n, struct err *e)
{
	return o->f->put(o->self, ids, n, e);
}

int tokenfile_fits(struct tokenfile_out *o, const int32_t *ids, size_t n, struct err *e)
{
	return o->f->fits(o->self, ids, n, e);
}

int tokenfile_commit(struct tokenfile_out *o, struct err *e)
{
	int rc = o->f->commit(o->self, e);
	free(o);
	return rc;
}

void tokenfile_abort(struct tokenfile_out *o)
{
	if (!o)
		return;
	o->f->abort(o->self);
	free(o);
}
