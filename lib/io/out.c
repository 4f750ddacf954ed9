#include "io/out.h"
#include "io/temp.h"
#include "io/zst.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 64 * 1024 };

struct out {
	int fd;
	char *name; /* for messages, and the final path */
	char *temp; /* name of the temporary file; NULL while it is nameless */
	int held;    /* keeps hold of temp where fd is closed already; 0 or -1: nothing */
	bool rename; /* a file that gets its name at the commit */
	bool sealed;
	struct zst_writer *z;
	size_t n; /* bytes waiting in buf */
	char buf[CHUNK];
};

static int write_fd(struct out *o, const void *p, size_t n, struct err *e)
{
	while (n) {
		ssize_t k = write(o->fd, p, n);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_io(e, "%s", o->name);
		p = (const char *)p + k;
		n -= (size_t)k;
	}
	return 0;
}

static int drain(struct out *o, struct err *e)
{
	size_t n = o->n;
	o->n = 0;
	return n ? write_fd(o, o->buf, n, e) : 0;
}

/* Bytes as they go to the file: behind the compressor, or without one. */
static int push(void *arg, const void *p, size_t n, struct err *e)
{
	struct out *o = arg;
	if (n == 0)
		return 0;
	if (n > sizeof o->buf - o->n && drain(o, e))
		return -1;
	if (n >= sizeof o->buf)
		return write_fd(o, p, n, e);
	memcpy(o->buf + o->n, p, n);
	o->n += n;
	return 0;
}

static void forget(struct out *o)
{
	if (o->fd > STDOUT_FILENO)
		close(o->fd);
	if (o->temp)
		unlink(o->temp);
	if (o->held > STDERR_FILENO)
		close(o->held);
	zst_writer_close(o->z);
	free(o->temp);
	free(o->name);
	free(o);
}

/* Where the name begins behind its directory. */
static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static char *name_beside(const char *path)
{
	const char *base = base_of(path);
	return temp_name(path, (size_t)(base - path), base);
}

static char *dir_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	return !slash ? strdup(".") : slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

static int open_named(struct out *o, struct err *e)
{
	for (;;) {
		if (!(o->temp = name_beside(o->name)))
			return err_io(e, "%s", o->name);
		o->fd = open(o->temp, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
		if (o->fd >= 0 && temp_hold(o->fd) == 0 && access(o->temp, F_OK) == 0)
			return 0;
		if (o->fd < 0)
			err_io(e, "%s", o->name);
		else /* taken for a dead process's before it was held: once more */
			unlink(o->temp);
		free(o->temp);
		o->temp = NULL;
		if (o->fd < 0)
			return -1;
		close(o->fd);
		o->fd = -1;
	}
}

/* A file without a name where the file system can do that: nothing is left
 * behind however the process ends. Else one with an unpredictable name, which
 * the next output of this name removes if it is left behind. */
static int open_temp(struct out *o, struct err *e)
{
	char *dir = dir_of(o->name);
	if (!dir)
		return err_mem(e);
	temp_sweep(dir, base_of(o->name));
	o->fd = open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
	free(dir);
	return o->fd >= 0 ? 0 : open_named(o, e);
}

static int open_path(struct out *o, struct err *e)
{
	struct stat st;
	bool exists = stat(o->name, &st) == 0;
	if (exists && !S_ISREG(st.st_mode)) {
		o->fd = open(o->name, O_WRONLY | O_CLOEXEC);
		return o->fd < 0 ? err_io(e, "%s", o->name) : 0;
	}
	if (!exists && errno != ENOENT) /* a device, say, would be replaced */
		return err_io(e, "%s", o->name);
	exists = lstat(o->name, &st) == 0;
	if (!exists && errno != ENOENT)
		return err_io(e, "%s", o->name);
	/* the file behind a symbolic link is replaced, not the link */
	if (exists && S_ISLNK(st.st_mode)) {
		char *real = realpath(o->name, NULL);
		if (!real)
			return err_io(e, "%s", o->name);
		free(o->name);
		o->name = real;
		if (stat(o->name, &st))
			return err_io(e, "%s", o->name);
	}
	if (exists && access(o->name, W_OK))
		return err_io(e, "%s", o->name);
	o->rename = true;
	if (open_temp(o, e))
		return -1;
	if (exists && fchmod(o->fd, st.st_mode & 07777))
		return err_io(e, "%s", o->name);
	return 0;
}

int out_open(struct out **out, const char *path, enum out_form form, struct err *e)
{
	bool is_stdout = !path || strcmp(path, "-") == 0;
	struct out *o = malloc(sizeof *o);
	if (!o)
		return err_mem(e);
	memset(o, 0, offsetof(struct out, buf));
	o->fd = is_stdout ? STDOUT_FILENO : -1;
	o->name = strdup(is_stdout ? "stdout" : path);
	int rc = o->name ? 0 : err_mem(e);
	if (rc == 0 && !is_stdout)
		rc = open_path(o, e);
	if (rc == 0 && form == OUT_ZSTD && !(o->z = zst_writer_open(push, o, e)))
		rc = -1;
	if (rc) {
		forget(o);
		return -1;
	}
	*out = o;
	return 0;
}

const char *out_name(const struct out *o)
{
	return o->name;
}

int out_write(struct out *o, const void *p, size_t n, struct err *e)
{
	return o->z ? zst_write(o->z, p, n, e) : push(o, p, n, e);
}

/* Where a file stands or would appear, however it is spelled; NULL: nowhere yet. */
static char *place_of(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char *dir, *all = NULL, *real = realpath(path, NULL);
	if (real || asprintf(&dir, "%.*s.", (int)(name - path), path) < 0)
		return real;
	real = realpath(dir, NULL);
	if (real && asprintf(&all, "%s/%s", real, name) < 0)
		all = NULL;
	free(real);
	free(dir);
	return all;
}

bool out_same(const char *a, const char *b)
{
	a = a ? a : "-";
	b = b ? b : "-";
	if (strcmp(a, b) == 0)
		return true;
	char *at = strcmp(a, "-") ? place_of(a) : NULL, *bt = strcmp(b, "-") ? place_of(b) : NULL;
	bool same = at && bt && strcmp(at, bt) == 0;
	free(at);
	free(bt);
	return same;
}

bool out_can_patch(const struct out *o)
{
	return o->rename && !o->z;
}

int out_patch(struct out *o, const void *p, size_t n, struct err *e)
{
	size_t done = 0;
	if (drain(o, e))
		return -1;
	while (done < n) {
		ssize_t k = pwrite(o->fd, (const char *)p + done, n - done, (off_t)done);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_io(e, "%s", o->name);
		done += (size_t)k;
	}
	return 0;
}

int out_flush(struct out *o, struct err *e)
{
	if (o->z && zst_flush(o->z, e))
		return -1;
	return drain(o, e);
}

/* The complete file gets a temporary name, if it has none yet: linking cannot replace a file, renaming can. */
static int give_temp_name(struct out *o, struct err *e)
{
	char from[64];
	if (o->temp)
		return 0;
	snprintf(from, sizeof from, "/proc/self/fd/%d", o->fd);
	char *temp = name_beside(o->name);
	if (!temp)
		return err_io(e, "%s", o->name);
	temp_hold(o->fd); /* nobody else has it open */
	if (linkat(AT_FDCWD, from, AT_FDCWD, temp, AT_SYMLINK_FOLLOW)) {
		err_io(e, "%s", o->name);
		free(temp);
		return -1;
	}
	o->temp = temp;
	return 0;
}

/* It appears under its own name last, when nothing can be wrong with it any more. */
static int give_name(struct out *o, struct err *e)
{
	if (rename(o->temp, o->name))
		return err_io(e, "%s", o->name);
	free(o->temp);
	o->temp = NULL;
	return 0;
}

static int close_fd(struct out *o, struct err *e)
{
	int fd = o->fd;
	o->held = o->temp ? fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1) : -1; /* until the temporary name is gone */
	o->fd = -1;
	return close(fd) ? err_io(e, "%s", o->name) : 0;
}

int out_seal(struct out *o, struct err *e)
{
	if (o->sealed)
		return 0;
	int rc = o->z ? zst_end(o->z, e) : 0;
	if (rc == 0)
		rc = drain(o, e);
	if (rc == 0 && o->rename)
		rc = fsync(o->fd) ? err_io(e, "%s", o->name) : give_temp_name(o, e);
	if (rc == 0 && o->rename)
		rc = close_fd(o, e);
	o->sealed = rc == 0;
	return rc;
}

int out_commit(struct out *o, struct err *e)
{
	int rc = out_seal(o, e);
	if (rc == 0)
		rc = o->rename ? give_name(o, e) : close_fd(o, e);
	forget(o);
	return rc;
}

void out_abort(struct out *o)
{
	struct err ignored;
	if (!o)
		return;
	/* what goes to a pipe or a device goes there record by record: those
	 * before the bad one are the reader's. A zstd frame stays open, so that the
	 * reader sees that it was cut off. */
	if (!o->rename && !o->sealed)
		out_flush(o, &ignored);
	forget(o);
}
