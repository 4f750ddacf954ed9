#include "io/child.h"
#include "io/spool.h"

#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STREAMS = 3, SAID = 300 }; /* bytes of its standard error that a message has room for */

struct child {
	int fd[STREAMS]; /* its standard streams, by number */
	const char *dir; /* where their files are, for messages */
};

static int file_failed(const struct child *c, struct err *e)
{
	return err_io(e, "a temporary file in %s", c->dir);
}

static int open_streams(struct child *c, struct err *e)
{
	for (int i = 0; i < STREAMS; i++)
		c->fd[i] = -1;
	for (int i = 0; i < STREAMS; i++)
		if ((c->fd[i] = spool_temp(&c->dir, e)) < 0)
			return -1;
	return 0;
}

static void close_streams(struct child *c)
{
	for (int i = 0; i < STREAMS; i++)
		if (c->fd[i] >= 0)
			close(c->fd[i]);
}

/* By place, so that the child begins to read at the file's start. */
static int fill(const struct child *c, const char *p, size_t n, struct err *e)
{
	for (size_t done = 0; done < n;) {
		ssize_t k = pwrite(c->fd[STDIN_FILENO], p + done, n - done, (off_t)done);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return file_failed(c, e);
		done += (size_t)k;
	}
	return 0;
}

/* Appends the first n bytes, or as many as there are, of one of its streams. */
static int take(const struct child *c, int stream, size_t n, struct buf *to, struct err *e)
{
	if (buf_reserve(to, n))
		return err_mem(e);
	for (size_t done = 0; done < n;) {
		ssize_t k = pread(c->fd[stream], to->p + to->n, n - done, (off_t)done);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return file_failed(c, e);
		if (k == 0)
			break;
		to->n += (size_t)k;
		done += (size_t)k;
	}
	return 0;
}

static int take_output(const struct child *c, struct buf *to, struct err *e)
{
	struct stat st;
	if (fstat(c->fd[STDOUT_FILENO], &st))
		return file_failed(c, e);
	return take(c, STDOUT_FILENO, (size_t)st.st_size, to, e);
}

/* Returns an errno, 0 once it runs. */
static int start(const struct child *c, char *const argv[], pid_t *pid)
{
	posix_spawn_file_actions_t streams;
	int code = posix_spawn_file_actions_init(&streams);
	if (code)
		return code;
	for (int i = 0; i < STREAMS && !code; i++)
		code = posix_spawn_file_actions_adddup2(&streams, c->fd[i], i);
	if (!code)
		code = posix_spawnp(pid, argv[0], &streams, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&streams);
	return code;
}

/* What it said itself, behind how it ended. That this cannot be read is no other error. */
static int ended_badly(const struct child *c, const char *name, int status, struct err *e)
{
	struct buf said = {0};
	struct err ignored;
	const char *text = take(c, STDERR_FILENO, SAID, &said, &ignored) ? "" : buf_str(&said);
	int n = text ? (int)strcspn(text, "\r\n") : 0;
	const char *colon = n ? ": " : "";
	if (WIFSIGNALED(status))
		err_data(e, "%s was killed by signal %d (%s)%s%.*s", name, WTERMSIG(status), strsignal(WTERMSIG(status)), colon, n, text);
	else
		err_data(e, "%s ended with status %d%s%.*s", name, WEXITSTATUS(status), colon, n, text);
	buf_release(&said);
	return -1;
}

static int run(const struct child *c, char *const argv[], const char *package, struct err *e)
{
	pid_t pid, got;
	int status;
	int code = start(c, argv, &pid);
	if (code == ENOENT || code == ENOTDIR) /* the latter of an entry of PATH that is no directory */
		return err_data(e, "%s is not there: on Debian it is in the package %s", argv[0], package);
	if (code) {
		errno = code;
		return err_io(e, "%s", argv[0]);
	}
	while ((got = waitpid(pid, &status, 0)) < 0 && errno == EINTR)
		;
	if (got < 0)
		return err_io(e, "%s", argv[0]);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : ended_badly(c, argv[0], status, e);
}

int child_filter(char *const argv[], const char *package, const void *p, size_t n, struct buf *out, struct err *e)
{
	struct child c;
	int rc = open_streams(&c, e);
	if (rc == 0)
		rc = fill(&c, p, n, e);
	if (rc == 0)
		rc = run(&c, argv, package, e);
	if (rc == 0)
		rc = take_output(&c, out, e);
	close_streams(&c);
	return rc;
}
