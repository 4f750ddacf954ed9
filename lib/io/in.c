#include "io/in.h"
#include "io/zst.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 64 * 1024, AHEAD = 64 };

struct in {
	int fd;
	char *name;
	struct zst_reader *z; /* NULL: plain */
	/* bytes of the file read to find the magic, not yet handed to the decoder */
	unsigned char head[ZST_MAGIC_LEN];
	size_t head_n, head_at;
	bool started;  /* the magic has been looked at */
	bool line_one; /* no line taken yet: a byte-order mark may come */
	bool ended;
	off_t taken; /* the file's offset behind what was read; -1: it cannot be read again */
	off_t line;  /* where the present line begins; -1 likewise */
	size_t at, n; /* decoded bytes waiting: buf[at..n) */
	char buf[CHUNK];
};

static ssize_t read_fd(struct in *in, void *p, size_t cap, struct err *e)
{
	ssize_t n;
	do
		n = read(in->fd, p, cap);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		err_io(e, "%s", in->name);
	else if (in->taken >= 0)
		in->taken += n;
	return n;
}

/* The file's bytes, those read for the magic first. */
static ssize_t raw(void *arg, void *p, size_t cap, struct err *e)
{
	struct in *in = arg;
	size_t n = in->head_n - in->head_at;
	if (n == 0)
		return read_fd(in, p, cap, e);
	if (n > cap)
		n = cap;
	memcpy(p, in->head + in->head_at, n);
	in->head_at += n;
	return (ssize_t)n;
}

/* Looks at the first bytes and sets up the decoder if they are zstd's. */
static int start(struct in *in, struct err *e)
{
	in->started = true;
	/* no more than it takes to tell: somebody may be typing */
	while (in->head_n < ZST_MAGIC_LEN && memcmp(in->head, ZST_MAGIC, in->head_n) == 0) {
		ssize_t n = read_fd(in, in->head + in->head_n, ZST_MAGIC_LEN - in->head_n, e);
		if (n < 0)
			return -1;
		if (n == 0)
			return 0;
		in->head_n += (size_t)n;
	}
	if (in->head_n == ZST_MAGIC_LEN && memcmp(in->head, ZST_MAGIC, ZST_MAGIC_LEN) == 0 && !(in->z = zst_reader_open(raw, in, e)))
		return err_prefix(e, "%s: ", in->name);
	return 0;
}

static ssize_t decoded(struct in *in, void *p, size_t cap, struct err *e)
{
	if (!in->started && start(in, e))
		return -1;
	if (in->ended)
		return 0;
	ssize_t n = in->z ? zst_read(in->z, p, cap, e) : raw(in, p, cap, e);
	if (n < 0 && in->z && e->kind == ERR_DATA) {
		err_prefix(e, "%s: ", in->name);
		e->kind = ERR_IO; /* not a bad record: there is no next one to go on with */
	}
	if (n == 0)
		in->ended = true;
	return n;
}

/* Makes at least one byte wait in buf: 1, or 0 at the end, -1. */
static int fill(struct in *in, struct err *e)
{
	if (in->at < in->n)
		return 1;
	ssize_t n = decoded(in, in->buf, sizeof in->buf, e);
	in->at = 0;
	in->n = n > 0 ? (size_t)n : 0;
	return n > 0 ? 1 : (int)n;
}

/* A file that standard output appends to grows as it is read: it has no end. */
static bool is_output(const struct stat *st)
{
	struct stat o;
	return S_ISREG(st->st_mode) && st->st_size > 0 && fstat(STDOUT_FILENO, &o) == 0 && o.st_dev == st->st_dev &&
	       o.st_ino == st->st_ino;
}

int in_open(struct in **out, const char *path, struct err *e)
{
	bool is_stdin = !path || strcmp(path, "-") == 0;
	struct in *in = calloc(1, sizeof *in);
	if (!in || !(in->name = strdup(is_stdin ? "stdin" : path))) {
		free(in);
		return err_mem(e);
	}
	in->line_one = true;
	in->taken = in->line = -1;
	in->fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (in->fd < 0) {
		err_io(e, "%s", path);
		in_close(in);
		return -1;
	}
	struct stat st;
	bool known = fstat(in->fd, &st) == 0;
	if (!known || S_ISDIR(st.st_mode)) {
		if (known)
			errno = EISDIR;
		err_io(e, "%s", in->name);
		in_close(in);
		return -1;
	}
	if (is_output(&st)) {
		err_usage(e, "%s: it is the output, too", in->name);
		in_close(in);
		return -1;
	}
	if (S_ISREG(st.st_mode))
		in->taken = lseek(in->fd, 0, SEEK_CUR);
	*out = in;
	return 0;
}

off_t in_tell(const struct in *in)
{
	/* at the first call nothing is known of the form yet: the magic is not looked at */
	return in->taken < 0 || in->z ? -1 : in->taken - (off_t)(in->n - in->at) - (off_t)(in->head_n - in->head_at);
}

off_t in_line_at(const struct in *in)
{
	return in->line;
}

int in_fd(const struct in *in)
{
	return in->fd;
}

const char *in_name(const struct in *in)
{
	return in->name;
}

ssize_t in_read(struct in *in, void *p, size_t cap, struct err *e)
{
	if (cap >= sizeof in->buf && in->at == in->n)
		return decoded(in, p, cap, e);
	int rc = fill(in, e);
	if (rc <= 0)
		return rc;
	size_t n = in->n - in->at;
	if (n > cap)
		n = cap;
	memcpy(p, in->buf + in->at, n);
	in->at += n;
	return (ssize_t)n;
}

ssize_t in_peek(struct in *in, size_t n, const unsigned char **p, struct err *e)
{
	if (n > AHEAD)
		n = AHEAD;
	if (in->n - in->at < n) {
		memmove(in->buf, in->buf + in->at, in->n - in->at);
		in->n -= in->at;
		in->at = 0;
		while (in->n < n) {
			ssize_t got = decoded(in, in->buf + in->n, sizeof in->buf - in->n, e);
			if (got < 0)
				return -1;
			if (got == 0)
				break;
			in->n += (size_t)got;
		}
	}
	*p = (unsigned char *)in->buf + in->at;
	return (ssize_t)(in->n - in->at < n ? in->n - in->at : n);
}

ssize_t in_full(struct in *in, void *p, size_t n, struct err *e)
{
	size_t got = 0;
	while (got < n) {
		ssize_t k = in_read(in, (char *)p + got, n - got, e);
		if (k < 0)
			return -1;
		if (k == 0)
			break;
		got += (size_t)k;
	}
	return (ssize_t)got;
}

int in_line(struct in *in, struct buf *line, struct err *e)
{
	bool any = false;
	buf_reset(line);
	for (;;) {
		int rc = fill(in, e);
		if (rc < 0)
			return -1;
		if (rc == 0)
			break;
		if (!any)
			in->line = in_tell(in);
		any = true;
		char *from = in->buf + in->at, *nl = memchr(from, '\n', in->n - in->at);
		size_t n = nl ? (size_t)(nl - from) : in->n - in->at;
		if (buf_add(line, from, n))
			return err_mem(e);
		in->at += n + (nl != NULL);
		if (nl)
			break;
	}
	if (!any)
		return 0;
	if (line->n && line->p[line->n - 1] == '\r')
		line->n--;
	if (in->line_one && line->n >= 3 && memcmp(line->p, "\xEF\xBB\xBF", 3) == 0) {
		line->n -= 3;
		in->line += in->line < 0 ? 0 : 3;
		memmove(line->p, line->p + 3, line->n);
	}
	in->line_one = false;
	return 1;
}

bool in_ready(const struct in *in)
{
	struct pollfd p = {.fd = in->fd, .events = POLLIN};
	return in->ended || memchr(in->buf + in->at, '\n', in->n - in->at) || poll(&p, 1, 0) != 0;
}

void in_close(struct in *in)
{
	if (!in)
		return;
	if (in->fd > STDIN_FILENO)
		close(in->fd);
	zst_reader_close(in->z);
	free(in->name);
	free(in);
}

int in_slurp(const char *path, struct buf *b, struct err *e)
{
	struct in *in;
	ssize_t n;
	struct stat st;
	size_t from = b->n;
	if (in_open(&in, path, e))
		return -1;
	/* all of a plain file fits without growing; CHUNK for the look beyond its end */
	bool sized = fstat(in->fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size >= 0 && st.st_size < IN_SLURP_MAX;
	if (sized && buf_reserve_large(b, (size_t)st.st_size + CHUNK)) {
		in_close(in);
		return err_mem(e);
	}
	for (;;) {
		if (buf_reserve(b, CHUNK)) {
			n = err_mem(e);
			break;
		}
		n = in_read(in, b->p + b->n, b->cap - b->n, e);
		if (n <= 0)
			break;
		b->n += (size_t)n;
		if (b->n - from >= IN_SLURP_MAX) {
			n = err_data(e, "%s: more than %d MiB: no such file is that large", path, IN_SLURP_MAX >> 20);
			break;
		}
	}
	in_close(in);
	return n < 0 ? -1 : 0;
}
