#include "io/spool.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct spool {
	FILE *f;
	const char *dir; /* for messages; the environment's or a constant */
};

/* A file without a name; where the file system has none, one whose name goes at once. */
static int open_nameless(const char *dir)
{
	char *path;
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0 || asprintf(&path, "%s/nxtools.XXXXXX", dir) < 0)
		return fd;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	free(path);
	return fd;
}

int spool_temp(const char **dir, struct err *e)
{
	const char *tmpdir = getenv("TMPDIR");
	*dir = tmpdir && *tmpdir ? tmpdir : "/tmp";
	int fd = open_nameless(*dir);
	return fd < 0 ? err_io(e, "a temporary file in %s", *dir) : fd;
}

int spool_open(struct spool **out, struct err *e)
{
	struct spool *s = calloc(1, sizeof *s);
	if (!s)
		return err_mem(e);
	int fd = spool_temp(&s->dir, e);
	if (fd >= 0 && !(s->f = fdopen(fd, "w+b"))) {
		err_io(e, "a temporary file in %s", s->dir);
		close(fd);
	}
	if (!s->f) {
		free(s);
		return -1;
	}
	*out = s;
	return 0;
}

static int failed(const struct spool *s, struct err *e)
{
	return err_io(e, "the temporary file in %s", s->dir);
}

int spool_write(struct spool *s, const void *p, size_t n, struct err *e)
{
	return fwrite(p, 1, n, s->f) == n ? 0 : failed(s, e);
}

int spool_rewind(struct spool *s, struct err *e)
{
	return fflush(s->f) || fseek(s->f, 0, SEEK_SET) ? failed(s, e) : 0;
}

ssize_t spool_read(struct spool *s, void *p, size_t cap, struct err *e)
{
	size_t n = fread(p, 1, cap, s->f);
	return n < cap && ferror(s->f) ? failed(s, e) : (ssize_t)n;
}

void spool_close(struct spool *s)
{
	if (!s)
		return;
	fclose(s->f);
	free(s);
}
