#include "io/jsonl.h"
#include "io/lines.h"

#include <string.h>

int jsonl_open(struct jsonl *r, int npaths, char **paths, struct err *e)
{
	static const char stdin_name[] = "-";
	static char *const stdin_only[] = {(char *)stdin_name, NULL};
	*r = (struct jsonl){.paths = npaths ? paths : (char **)stdin_only, .npaths = npaths ? npaths : 1};
	/* the first is opened at once, so that a wrong name is told before any work */
	if (in_open(&r->in, r->paths[0], e))
		return -1;
	r->name = in_name(r->in);
	return 0;
}

/* The next line into r->text, going on to the next file at the end of one. */
static int next_line(struct jsonl *r, struct err *e)
{
	arena_reset(&r->arena);
	while (r->in) {
		int rc = in_line(r->in, &r->text, e);
		r->line += rc > 0;
		if (rc != 0)
			return rc;
		if (r->at + 1 == r->npaths)
			return 0;
		in_close(r->in);
		r->in = NULL;
		if (in_open(&r->in, r->paths[++r->at], e))
			return -1;
		r->name = in_name(r->in);
		r->line = 0;
	}
	return 0;
}

bool jsonl_ready(const struct jsonl *r)
{
	return !r->in || in_ready(r->in);
}

int jsonl_next_raw(struct jsonl *r, struct err *e)
{
	int rc;
	do
		rc = next_line(r, e);
	while (rc == 1 && lines_blank(r->text.p, r->text.n));
	return rc;
}

int jsonl_next(struct jsonl *r, struct json **rec, struct err *e)
{
	int rc = jsonl_next_raw(r, e);
	if (rc != 1)
		return rc;
	if (json_parse(&r->arena, r->text.p, r->text.n, rec, e))
		return jsonl_at(r, e);
	return 1;
}

int jsonl_at(const struct jsonl *r, struct err *e)
{
	if (e->kind == ERR_IO || e->kind == ERR_MEM)
		return -1;
	return err_prefix(e, "%s:%llu: ", r->name, (unsigned long long)r->line);
}

void jsonl_close(struct jsonl *r)
{
	in_close(r->in);
	arena_release(&r->arena);
	buf_release(&r->text);
	*r = (struct jsonl){0};
}
