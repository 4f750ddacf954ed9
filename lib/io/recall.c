#include "io/recall.h"
#include "base/buf.h"
#include "io/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* File 0 is the temporary one; inputs beyond the last number are copied into it. */
enum { FILES = 64, OFFSET_BITS = 56, TAIL = 1 << 20 };

struct recall {
	int fd[FILES], nfd; /* of inputs, from 1: copies of the reader's, which closes its own */
	int input;          /* the input that the last of them is */
	int temp;           /* -1: not needed yet */
	const char *dir;    /* where it is, for messages */
	uint64_t written;   /* bytes in it */
	struct buf tail;    /* bytes behind them, not written yet */
	struct buf got;
};

struct recall *recall_open(struct err *e)
{
	struct recall *s = calloc(1, sizeof *s);
	if (!s) {
		err_mem(e);
		return NULL;
	}
	s->nfd = 1;
	s->input = s->temp = -1;
	return s;
}

static int write_tail(struct recall *s, struct err *e)
{
	const char *p = s->tail.p;
	size_t n = s->tail.n;
	if (s->temp < 0 && (s->temp = spool_temp(&s->dir, e)) < 0)
		return -1;
	while (n) {
		ssize_t k = write(s->temp, p, n);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_io(e, "the temporary file in %s", s->dir);
		p += k;
		n -= (size_t)k;
		s->written += (uint64_t)k;
	}
	buf_reset(&s->tail);
	return 0;
}

/* The number of raw's file; 0 where it has to be copied. */
static int file_of(struct recall *s, const struct record_raw *raw, struct err *e)
{
	if (raw->at < 0)
		return 0;
	if (s->input == raw->file)
		return s->nfd - 1;
	if (s->nfd == FILES)
		return 0;
	int fd = fcntl(raw->fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return err_io(e, "an input");
	s->fd[s->nfd] = fd;
	s->input = raw->file;
	return s->nfd++;
}

int recall_add(struct recall *s, const struct record_raw *raw, struct recall_place *place, struct err *e)
{
	int file = file_of(s, raw, e);
	if (file < 0)
		return -1;
	*place = (struct recall_place){(uint64_t)file << OFFSET_BITS | (uint64_t)raw->at, raw->n};
	if (file > 0)
		return 0;
	if (s->tail.n && s->tail.n + raw->n > TAIL && write_tail(s, e))
		return -1;
	place->at = s->written + s->tail.n;
	return buf_add(&s->tail, raw->p, raw->n) ? err_mem(e) : 0;
}

int recall_get(struct recall *s, const struct recall_place *place, const char **p, struct err *e)
{
	int file = (int)(place->at >> OFFSET_BITS);
	uint64_t at = place->at & ((UINT64_C(1) << OFFSET_BITS) - 1);
	if (file == 0 && at >= s->written) {
		*p = s->tail.p + (at - s->written);
		return 0;
	}
	buf_reset(&s->got);
	if (buf_reserve(&s->got, place->n + 1))
		return err_mem(e);
	for (size_t n = 0; n < place->n;) {
		ssize_t k = pread(file ? s->fd[file] : s->temp, s->got.p + n, place->n - n, (off_t)(at + n));
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_io(e, file ? "an input, read again" : "the temporary file");
		if (k == 0) {
			err_data(e, "an input has become shorter while it was read");
			e->kind = ERR_IO;
			return -1;
		}
		n += (size_t)k;
	}
	*p = s->got.p;
	return 0;
}

void recall_close(struct recall *s)
{
	if (!s)
		return;
	for (int i = 1; i < s->nfd; i++)
		close(s->fd[i]);
	if (s->temp >= 0)
		close(s->temp);
	buf_release(&s->tail);
	buf_release(&s->got);
	free(s);
}
