#include "io/lines.h"

#include <string.h>

int lines_open(struct lines *l, int npaths, char **paths, struct err *e)
{
	static const char stdin_name[] = "-";
	static char *const stdin_only[] = {(char *)stdin_name, NULL};
	*l = (struct lines){.paths = npaths ? paths : (char **)stdin_only, .npaths = npaths ? npaths : 1, .fresh = true, .block = LINES_BLOCK};
	/* the first is opened at once, so that a wrong name is told before any work */
	return in_open(&l->in, l->paths[0], e);
}

/* Reads on into b until it holds the end of a line. 1, or 0 at the end of the file, -1. */
static int read_on(struct lines *l, struct buf *b, const char **end, struct err *e)
{
	for (;;) {
		if (buf_reserve(b, l->block + LINES_AHEAD))
			return err_mem(e);
		ssize_t n = in_read(l->in, b->p + b->n, l->block, e);
		if (n <= 0)
			return (int)n;
		*end = memrchr(b->p + b->n, '\n', (size_t)n);
		b->n += (size_t)n;
		if (*end)
			return 1;
	}
}

/* 1: there is a next file, and it is open. */
static int next_file(struct lines *l, struct err *e)
{
	if (l->at + 1 == l->npaths)
		return 0;
	in_close(l->in);
	l->in = NULL;
	l->fresh = true;
	return in_open(&l->in, l->paths[++l->at], e) ? -1 : 1;
}

static const char *name_of(const struct lines *l)
{
	return strcmp(l->paths[l->at], "-") == 0 ? "stdin" : l->paths[l->at];
}

/* What stands behind the last whole line is kept for the next block. */
static int keep_rest(struct lines *l, struct buf *b, const char *end, struct err *e)
{
	size_t whole = (size_t)(end + 1 - b->p);
	buf_reset(&l->rest);
	if (buf_add(&l->rest, end + 1, b->n - whole))
		return err_mem(e);
	b->n = whole;
	return 0;
}

int lines_next(struct lines *l, struct lines_block *b, struct err *e)
{
	for (;;) {
		const char *end;
		buf_reset(&b->text);
		if (!l->in)
			return 0;
		if (buf_add(&b->text, l->rest.p, l->rest.n))
			return err_mem(e);
		int rc = read_on(l, &b->text, &end, e);
		if (rc < 0 || (rc > 0 && keep_rest(l, &b->text, end, e)))
			return -1;
		if (rc == 0)
			buf_reset(&l->rest);
		b->name = name_of(l);
		b->first = l->fresh;
		if (b->first && b->text.n >= 3 && memcmp(b->text.p, "\xEF\xBB\xBF", 3) == 0) {
			b->text.n -= 3;
			memmove(b->text.p, b->text.p + 3, b->text.n);
		}
		l->fresh = false;
		if (rc > 0 || b->text.n)
			return 1;
		if ((rc = next_file(l, e)) <= 0)
			return rc;
	}
}

bool lines_cut(const struct lines_block *b, size_t *at, const char **s, size_t *n)
{
	if (*at >= b->text.n)
		return false;
	const char *from = b->text.p + *at, *nl = memchr(from, '\n', b->text.n - *at);
	size_t len = nl ? (size_t)(nl - from) : b->text.n - *at;
	*at += len + (nl != NULL);
	*s = from;
	*n = len && from[len - 1] == '\r' ? len - 1 : len;
	return true;
}

bool lines_blank(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] != ' ' && s[i] != '\t' && s[i] != '\r')
			return false;
	return true;
}

void lines_close(struct lines *l)
{
	in_close(l->in);
	buf_release(&l->rest);
	*l = (struct lines){0};
}

void lines_block_release(struct lines_block *b)
{
	buf_release(&b->text);
}
