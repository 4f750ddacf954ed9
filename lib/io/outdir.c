#include "io/outdir.h"
#include "io/in.h"
#include "io/out.h"
#include "io/temp.h"
#include "io/there.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct outdir {
	char *name;  /* as given, for messages */
	char *final; /* without symbolic links and trailing slashes */
	char *temp;
	int lock;    /* temp, locked as long as this process lives; -1: none */
	bool inside; /* temp stands in final: its files are moved, not itself */
};

static void unlock(struct outdir *d)
{
	if (d->lock >= 0)
		close(d->lock);
	d->lock = -1;
}

static void forget(struct outdir *d)
{
	if (!d)
		return;
	unlock(d);
	free(d->name);
	free(d->final);
	free(d->temp);
	free(d);
}

/* "a/b//" -> "a/b"; "/" stays. */
static void cut_slashes(char *s)
{
	size_t n = strlen(s);
	while (n > 1 && s[n - 1] == '/')
		s[--n] = '\0';
}

/* The directory `path` stands in, with its slash; "" for a bare name. */
static int parent_len(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? (int)(slash - path) + 1 : 0;
}

static int drop(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	remove(path);
	return 0;
}

/* In two passes: the second may have the memory or the descriptor that was wanting in the first. */
static int remove_tree(const char *path)
{
	for (int pass = 0; pass < 2; pass++) {
		if (rmdir(path) == 0) /* an empty one needs no memory */
			return 0;
		nftw(path, drop, 8, FTW_DEPTH | FTW_PHYS);
	}
	return rmdir(path) == 0 || errno == ENOENT ? 0 : -1;
}

/* A directory whose maker is alive is locked: by this, the lock ends with the process. The
 * descriptor, or -1 with errno EWOULDBLOCK if another process has it. */
static int lock_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	int why = errno;
	close(fd);
	errno = why;
	return -1;
}

/* Temporary directories in `path` that were base's and whose makers are dead. */
static int sweep(const char *path, const char *base, struct err *e)
{
	DIR *dir = opendir(path);
	const struct dirent *ent;
	int rc = 0;
	if (!dir)
		return err_io(e, "%s", path);
	while (rc == 0 && (errno = 0, ent = readdir(dir))) {
		char *name = NULL;
		struct stat st;
		if (!temp_is(ent->d_name, base))
			continue;
		if (asprintf(&name, "%s/%s", path, ent->d_name) < 0) {
			rc = err_mem(e);
			break;
		}
		int lock = lstat(name, &st) == 0 && S_ISDIR(st.st_mode) ? lock_dir(name) : -1;
		if (lock >= 0) {
			remove_tree(name);
			close(lock);
		}
		free(name);
	}
	if (rc == 0 && errno)
		rc = err_io(e, "%s", path);
	closedir(dir);
	return rc;
}

static int name_temp(struct outdir *d, bool inside)
{
	int dir = parent_len(d->final);
	const char *base = d->final + dir;
	char *within = NULL;
	free(d->temp);
	d->temp = NULL;
	d->inside = inside;
	if (inside && asprintf(&within, "%s/", d->final) < 0) {
		errno = ENOMEM;
		return -1;
	}
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what d->final holds is the caller's to free, by forget() */
	d->temp = inside ? temp_name(within, strlen(within), base) : temp_name(d->final, (size_t)dir, base);
	free(within);
	return d->temp ? 0 : -1;
}

static int make_temp(struct outdir *d, bool inside, mode_t mode)
{
	for (;;) {
		if (name_temp(d, inside) || mkdir(d->temp, mode))
			return -1;
		d->lock = lock_dir(d->temp);
		if (d->lock >= 0 ? access(d->temp, F_OK) == 0 : errno == ENOLCK || errno == EOPNOTSUPP)
			return 0;
		/* taken for a dead process's before it was locked: once more */
		if (errno != EWOULDBLOCK && errno != ENOENT) {
			int why = errno;
			rmdir(d->temp);
			unlock(d);
			errno = why;
			return -1;
		}
		unlock(d);
	}
}

/* What killed processes left of the same name goes first; that it is there hinders nobody. */
static int make_only_temp(struct outdir *d, bool inside, mode_t mode)
{
	struct err ignored;
	int n = parent_len(d->final);
	char *dir = inside ? strdup(d->final) : n ? strndup(d->final, (size_t)n) : strdup(".");
	if (dir)
		sweep(dir, d->final + n, &ignored);
	free(dir);
	return make_temp(d, inside, mode);
}

/* 1: path is a directory with nothing in it, 0: there is something, -1: errno. */
static int is_empty(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *ent;
	int empty = 1;
	if (!dir)
		return -1;
	while (empty && (errno = 0, ent = readdir(dir)))
		empty = strcmp(ent->d_name, ".") == 0 || strcmp(ent->d_name, "..") == 0;
	int why = ent ? 0 : errno;
	closedir(dir);
	errno = why;
	return why ? -1 : empty;
}

/* A mount point cannot be renamed over. */
static bool is_mount(const char *path, const struct stat *st)
{
	struct stat up;
	char *parent = NULL;
	bool mount = asprintf(&parent, "%s/..", path) < 0 || stat(parent, &up) || up.st_dev != st->st_dev ||
	             up.st_ino == st->st_ino;
	free(parent);
	return mount;
}

static int open_existing(struct outdir *d, const struct stat *st, bool merge, struct err *e)
{
	if (!S_ISDIR(st->st_mode)) {
		errno = ENOTDIR;
		return err_io(e, "%s", d->name);
	}
	free(d->final);
	if (!(d->final = realpath(d->name, NULL)))
		return err_io(e, "%s", d->name);
	int empty = is_empty(d->final);
	if (empty < 0)
		return err_io(e, "%s", d->name);
	if (!empty && !merge)
		return err_data(e, "%s: the directory is not empty", d->name);
	bool inside = !empty || is_mount(d->final, st);
	if (!inside && make_only_temp(d, false, 0777) == 0)
		return chmod(d->temp, st->st_mode & 07777) ? err_io(e, "%s", d->name) : 0;
	return make_only_temp(d, true, 0777) ? err_io(e, "%s", d->name) : 0;
}

int outdir_open(struct outdir **out, const char *final, bool merge, struct err *e)
{
	struct stat st;
	struct outdir *d = calloc(1, sizeof *d);
	if (!d)
		return err_mem(e);
	d->lock = -1;
	int rc = 0;
	if (!(d->name = strdup(final)) || !(d->final = strdup(final)))
		rc = err_mem(e);
	else if (stat(final, &st) == 0)
		rc = open_existing(d, &st, merge, e);
	else {
		/* a link to nowhere is not replaced; "" has no name to appear under */
		cut_slashes(d->final);
		if (errno != ENOENT || lstat(d->final, &st) == 0 || !*final || make_only_temp(d, false, 0777))
			rc = err_io(e, "%s", d->name);
	}
	if (rc) {
		if (d->temp)
			rmdir(d->temp);
		forget(d);
		return -1;
	}
	*out = d;
	return 0;
}

int outdir_check(const char *final, bool merge, struct err *e)
{
	struct outdir *d;
	if (outdir_open(&d, final, merge, e))
		return -1;
	outdir_abort(d);
	return 0;
}

const char *outdir_path(const struct outdir *d)
{
	return d->temp;
}

const char *outdir_name(const struct outdir *d)
{
	return d->name;
}

static int copy_bytes(struct in *in, struct out *out, struct err *e)
{
	char block[16384];
	ssize_t n;
	while ((n = in_read(in, block, sizeof block, e)) > 0)
		if (out_write(out, block, (size_t)n, e))
			return -1;
	return (int)n;
}

static int copy_file(const char *from, const char *to, struct err *e)
{
	struct in *in;
	struct out *out;
	if (in_open(&in, from, e))
		return -1;
	int rc = out_open(&out, to, OUT_PLAIN, e);
	if (rc == 0) {
		rc = copy_bytes(in, out, e);
		if (rc == 0)
			rc = out_commit(out, e);
		else
			out_abort(out);
	}
	in_close(in);
	return rc;
}

int outdir_copy(const struct outdir *d, const char *fromdir, const char *name, struct err *e)
{
	char *from = NULL, *to = NULL;
	int rc = 0;
	if (asprintf(&from, "%s/%s", fromdir, name) < 0 || asprintf(&to, "%s/%s", d->temp, name) < 0)
		rc = err_mem(e);
	else if ((rc = there_is_file(from, e)) > 0)
		rc = copy_file(from, to, e) ? -1 : 1;
	free(from);
	free(to);
	return rc;
}

static int sync_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	int rc = fsync(fd);
	close(fd);
	return rc;
}

/* Each entry of temp goes to final, over what has its name. */
static int move_in(const struct outdir *d)
{
	DIR *dir = opendir(d->temp);
	const struct dirent *ent;
	int rc = 0;
	if (!dir)
		return -1;
	int to = open(d->final, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (to < 0)
		rc = -1;
	while (rc == 0 && (errno = 0, ent = readdir(dir)))
		if (strcmp(ent->d_name, ".") != 0 && strcmp(ent->d_name, "..") != 0)
			rc = renameat(dirfd(dir), ent->d_name, to, ent->d_name);
	int why = errno;
	if (to >= 0)
		close(to);
	closedir(dir);
	errno = why;
	return rc || why ? -1 : rmdir(d->temp);
}

static int sync_parent(const char *path)
{
	int n = parent_len(path);
	char *dir = n ? strndup(path, (size_t)n) : strdup(".");
	int rc = dir ? sync_dir(dir) : -1;
	free(dir);
	return rc;
}

int outdir_commit(struct outdir *d, struct err *e)
{
	int rc = sync_dir(d->temp);
	if (rc == 0)
		rc = d->inside ? move_in(d) : rename(d->temp, d->final);
	if (rc == 0)
		rc = d->inside ? sync_dir(d->final) : sync_parent(d->final);
	if (rc) {
		err_io(e, "%s", d->name);
		outdir_abort(d);
		return -1;
	}
	forget(d);
	return 0;
}

void outdir_abort(struct outdir *d)
{
	if (!d)
		return;
	remove_tree(d->temp);
	forget(d);
}

int outdir_remove(const char *path, struct err *e)
{
	struct outdir d = {.final = strdup(path), .lock = -1};
	if (!d.final)
		return err_mem(e);
	cut_slashes(d.final);
	/* an empty directory under a temporary name, over which the other is moved */
	int rc = there_is(path, e);
	if (rc > 0 && (make_temp(&d, false, 0700) || rename(d.final, d.temp)))
		rc = err_io(e, "%s", path);
	if (d.temp && remove_tree(d.temp) && rc > 0)
		rc = err_io(e, "%s", path);
	unlock(&d);
	free(d.final);
	free(d.temp);
	return rc < 0 ? -1 : 0;
}

int outdir_sweep(const char *path, struct err *e)
{
	return sweep(path, NULL, e);
}
