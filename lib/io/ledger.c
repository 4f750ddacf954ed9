#include "io/ledger.h"

#include "base/buf.h"
#include "io/in.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where an answer stands. */
struct place {
	uint64_t key;
	off_t at;
	size_t n;
	size_t taken; /* in the first of those with one key: how many of them */
};

struct ledger {
	char *path;
	int fd; /* -1: no file yet */
	struct place *v;
	size_t n, cap, taken, held;
	struct buf line;
};

static int hold(struct ledger *l, struct err *e)
{
	if (flock(l->fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	return errno == EWOULDBLOCK ? err_data(e, "%s: another process is writing it", l->path) : err_io(e, "%s", l->path);
}

static int add(struct ledger *l, struct place p, struct err *e)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 64;
		struct place *v = reallocarray(l->v, cap, sizeof *v);
		if (!v)
			return err_mem(e);
		l->v = v;
		l->cap = cap;
	}
	l->v[l->n++] = p;
	return 0;
}

/* A line's key and answer. */
static int read_line(const char *p, size_t n, struct arena *a, uint64_t *key, struct json **answer, struct err *e)
{
	struct json *v;
	if (json_parse(a, p, n, &v, e))
		return -1;
	const struct json *k = json_get(v, "request");
	char *end = NULL;
	if (json_is(k, JSON_STRING) && k->n == 16)
		*key = strtoull(k->s, &end, 16);
	*answer = json_get(v, "answer");
	return *answer && end && !*end ? 0 : err_data(e, "no line of kept answers");
}

static int by_key(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	return x->key != y->key ? (x->key < y->key ? -1 : 1) : (x->at > y->at) - (x->at < y->at);
}

/* Lists the answers of the file; what a killed process left of a last line is cut off. */
static int list(struct ledger *l, struct err *e)
{
	struct in *in;
	struct arena a = {0};
	struct json *answer;
	struct stat st;
	uint64_t line = 0;
	int rc;
	if (fstat(l->fd, &st))
		return err_io(e, "%s", l->path);
	if (in_open(&in, l->path, e))
		return -1;
	while ((rc = in_line(in, &l->line, e)) > 0) {
		struct place p = {.at = in_line_at(in), .n = l->line.n};
		line++;
		if (p.at < 0 || p.at + (off_t)p.n >= st.st_size) {
			rc = p.at >= 0 && ftruncate(l->fd, p.at) ? err_io(e, "%s", l->path) : 0;
			break;
		}
		arena_reset(&a);
		if ((rc = read_line(l->line.p, l->line.n, &a, &p.key, &answer, e))) {
			err_prefix(e, "%s:%llu: ", l->path, (unsigned long long)line);
			break;
		}
		if ((rc = add(l, p, e)))
			break;
	}
	in_close(in);
	arena_release(&a);
	if (l->n)
		qsort(l->v, l->n, sizeof *l->v, by_key);
	l->held = l->n;
	return rc;
}

int ledger_open(struct ledger **out, const char *path, bool resume, struct err *e)
{
	struct ledger *l = calloc(1, sizeof *l);
	if (!l)
		return err_mem(e);
	l->fd = -1;
	int rc = (l->path = strdup(path)) ? 0 : err_mem(e);
	if (rc == 0 && (l->fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW)) < 0 && errno != ENOENT)
		rc = err_io(e, "%s", path);
	if (rc == 0 && l->fd >= 0)
		rc = resume ? hold(l, e) || list(l, e) ? -1 : 0
		            : err_data(e, "%s holds answers of a run that did not end: --resume goes on with them", path);
	if (rc) {
		ledger_close(l);
		return -1;
	}
	*out = l;
	return 0;
}

int ledger_take(struct ledger *l, uint64_t key, struct arena *a, struct json **answer, struct err *e)
{
	size_t lo = 0, hi = l->n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (l->v[mid].key < key)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == l->n || l->v[lo].key != key)
		return 0;
	struct place *p = l->v + lo + l->v[lo].taken;
	if (p >= l->v + l->n || p->key != key)
		return 0;
	buf_reset(&l->line);
	if (buf_reserve(&l->line, p->n))
		return err_mem(e);
	ssize_t got = pread(l->fd, l->line.p, p->n, p->at);
	if (got < 0)
		return err_io(e, "%s", l->path);
	if ((size_t)got < p->n || read_line(l->line.p, p->n, a, &key, answer, e))
		return err_data(e, "%s: changed while it was used", l->path);
	l->v[lo].taken++;
	l->taken++;
	return 1;
}

int ledger_put(struct ledger *l, uint64_t key, const struct json *answer, struct err *e)
{
	buf_reset(&l->line);
	if (buf_printf(&l->line, "{\"request\": \"%016llx\", \"answer\": ", (unsigned long long)key) ||
	    json_write(&l->line, answer) || buf_adds(&l->line, "}\n"))
		return err_mem(e);
	if (l->fd < 0) {
		l->fd = open(l->path, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		if (l->fd < 0)
			return err_io(e, "%s", l->path);
		if (hold(l, e))
			return -1;
	}
	for (size_t done = 0; done < l->line.n;) {
		ssize_t k = write(l->fd, l->line.p + done, l->line.n - done);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_io(e, "%s", l->path);
		done += (size_t)k;
	}
	l->held++;
	return 0;
}

size_t ledger_taken(const struct ledger *l)
{
	return l->taken;
}

size_t ledger_left(const struct ledger *l)
{
	return l->n - l->taken;
}

size_t ledger_held(const struct ledger *l)
{
	return l->held;
}

int ledger_finish(struct ledger *l, struct err *e)
{
	int rc = l->fd >= 0 && unlink(l->path) ? err_io(e, "%s", l->path) : 0;
	ledger_close(l);
	return rc;
}

void ledger_close(struct ledger *l)
{
	if (!l)
		return;
	if (l->fd >= 0)
		close(l->fd);
	free(l->path);
	free(l->v);
	buf_release(&l->line);
	free(l);
}
