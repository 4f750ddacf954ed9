/* each.c - runs a program once for each of its calls that can fail, with that call failing.
 *
 *	each LIB EVERY OUT CMD ...       EVERY 1: each call, 7: each 7th of a function called often
 *
 * OUT is what the program writes, in this directory: a file, which holds "old" before each
 * run; NAME/, a directory that is not there before; or - for stdout. Wanted of each run:
 *	status 0  nothing on stderr, and OUT as of a run without a fault; not if fsync of it failed
 *	status 1  one line on stderr, "PROGRAM: ...", and OUT as it was before the run, its mode too; of a
 *	          directory whatever is there is whole or still the old, and of stdout a part from the beginning
 * and in both cases no file more in this directory, but for what is kept to go on with: NAME.partial
 * of answers (a line that tells of it is not counted), and NAME.incomplete of what is fetched. A
 * directory called seed is what is there before each run in place of nothing, a file called stdin
 * what the program reads there, and what a directory called cache holds is gone before each run.
 * Prints what was wrong; the last line is "N faults of M calls, K failed". */
#include "fault.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROOM = 1 << 22, SECONDS = 60, OFTEN = 12, MODE = 0604 };

struct each {
	const char *lib, *out;
	char **cmd;
	bool is_dir, is_stdout;
	struct fault_state *state;
	char *want, *got, said[4096];
	ssize_t want_n, got_n;
	int failed;
};

static ssize_t slurp(const char *path, char *p, size_t cap)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = 0, k = 1;
	while (fd >= 0 && k > 0 && (size_t)n < cap) {
		k = read(fd, p + n, cap - (size_t)n);
		n += k > 0 ? k : 0;
	}
	if (fd >= 0)
		close(fd);
	return fd < 0 ? -1 : n;
}

static void shell(const char *fmt, const char *what)
{
	char cmd[1000];
	snprintf(cmd, sizeof cmd, fmt, what, what);
	if (system(cmd) < 0)
		exit(2);
}

static void before(const struct each *x)
{
	char partial[300];
	if (x->is_dir) {
		if (access(x->out, F_OK) == 0)
			shell("rm -rf ./%s", x->out);
		if (access("seed", F_OK) == 0)
			shell("cp -a seed ./%s", x->out);
		return;
	}
	if (access("cache", F_OK) == 0)
		shell("rm -rf cache/*%.0s%.0s", "");
	snprintf(partial, sizeof partial, "%s.partial", x->out);
	unlink(partial);
	int fd = open(x->is_stdout ? "stdout" : x->out, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0 || fchmod(fd, MODE) || (!x->is_stdout && write(fd, "old\n", 4) != 4))
		exit(2);
	close(fd);
}

/* The child: never returns. */
static void run(const struct each *x, unsigned long at)
{
	char number[32];
	snprintf(number, sizeof number, "%lu", at);
	setenv("FAULT_AT", number, 1);
	setenv("LD_PRELOAD", x->lib, 1);
	int in = open(access("stdin", F_OK) ? "/dev/null" : "stdin", O_RDONLY), out = open(x->is_stdout ? "stdout" : "/dev/null", O_WRONLY),
	    err = open("stderr", O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
		_exit(99);
	close(in), close(out), close(err);
	alarm(SECONDS);
	execv(x->cmd[0], x->cmd);
	_exit(99);
}

/* Cuts the line that tells what is kept out of what was said. */
static void cut_note(char *said)
{
	char *end, *note = strstr(said, "--resume goes on with them\n");
	while (note && note > said && note[-1] != '\n')
		note--;
	if (note && (end = strchr(note, '\n')))
		memmove(note, end + 1, strlen(end + 1) + 1);
}

/* Its exit status, 128 + the signal's number if one killed it. */
static int once(struct each *x, unsigned long at)
{
	int status;
	before(x);
	memset(x->state->what, 0, sizeof x->state->what);
	atomic_store(&x->state->calls, 0);
	pid_t pid = fork();
	if (pid == 0)
		run(x, at);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		exit(2);
	ssize_t n = slurp("stderr", x->said, sizeof x->said - 1);
	x->said[n < 0 ? 0 : n] = 0;
	cut_note(x->said);
	if (!x->is_dir)
		x->got_n = slurp(x->is_stdout ? "stdout" : x->out, x->got, ROOM);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void wrong(struct each *x, unsigned long at, int status, const char *why)
{
	x->failed++;
	printf("call %lu, %s, exit status %d: %s\n", at, x->state->what, status, why);
	if (x->said[0])
		printf("  stderr: %s\n", x->said);
}

/* A file of the program's own that is still there. */
static bool leaves(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *ent;
	bool any = false;
	while (dir && !any && (ent = readdir(dir)))
		any = ent->d_name[0] == '.' && strcmp(ent->d_name, ".") != 0 && strcmp(ent->d_name, "..") != 0;
	if (dir)
		closedir(dir);
	return any;
}

static bool one_line(const struct each *x)
{
	const char *slash = strrchr(x->cmd[0], '/'), *name = slash ? slash + 1 : x->cmd[0], *nl = strchr(x->said, '\n');
	size_t n = strlen(name);
	return strncmp(x->said, name, n) == 0 && strncmp(x->said + n, ": ", 2) == 0 && nl && nl[1] == 0;
}

/* diff's line tells of nothing wrong behind a failure: a file is missing, or is (still) what it was before. */
static bool is_allowed(const struct each *x, const char *line)
{
	char name[500], form[100], cmd[1200];
	if (strncmp(line, "Only in want", 12) == 0)
		return true;
	snprintf(form, sizeof form, "Only in %s: %%499s", x->out);
	if (sscanf(line, "Files want/%499s and ", name) != 1 && sscanf(line, form, name) != 1)
		return false;
	snprintf(cmd, sizeof cmd, "diff -rq 'seed/%s' '%s/%s' >/dev/null 2>&1", name, x->out, name);
	return system(cmd) == 0;
}

/* What a directory holds is as it was, file by file; `all`: and nothing is missing. Times of a log may differ. */
static bool whole(const struct each *x, bool all)
{
	char cmd[1000], line[2000];
	bool good = true;
	if (access(x->out, F_OK))
		return !all;
	snprintf(cmd, sizeof cmd, "diff -rq -x trainer_state.json -x nx-train.json -x '*.lock' -x '*.incomplete' want %s", x->out);
	FILE *f = popen(cmd, "r");
	if (!f)
		exit(2);
	while (fgets(line, sizeof line, f))
		if (all || !is_allowed(x, line))
			good = false;
	pclose(f);
	return good;
}

static bool is_text(const struct each *x, const char *want, ssize_t n)
{
	return x->got_n == n && memcmp(x->got, want, (size_t)n) == 0;
}

static bool has_mode(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && (st.st_mode & 07777) == MODE;
}

/* What removes a file failed: then it is left; and it may have been the last thing to do, with the new output there. */
static bool is_removal(const char *what)
{
	static const char *const calls[] = {"unlink", "rmdir", "remove", "nftw"};
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		if (strcmp(what, calls[i]) == 0)
			return true;
	return false;
}

static void check(struct each *x, unsigned long at, int status)
{
	if (status != 0 && status != 1)
		wrong(x, at, status, "no such end is foreseen");
	else if (status == 0 && x->said[0])
		wrong(x, at, status, "done, but something was said");
	else if (status == 0 && !x->is_stdout && strcmp(x->state->what, "fsync") == 0)
		wrong(x, at, status, "done, though nobody knows whether it is on the disk");
	else if (status == 1 && !one_line(x))
		wrong(x, at, status, "not one line on stderr");
	else if (x->is_dir && !whole(x, status == 0))
		wrong(x, at, status, "the directory is another");
	else if (!x->is_dir && status == 0 && !is_text(x, x->want, x->want_n))
		wrong(x, at, status, "another output");
	else if (x->is_stdout && status == 1 && (x->got_n > x->want_n || memcmp(x->got, x->want, (size_t)x->got_n) != 0))
		wrong(x, at, status, "another output as far as it goes");
	else if (!x->is_dir && !x->is_stdout && status == 1 && !is_text(x, "old\n", 4) &&
	         !(is_removal(x->state->what) && is_text(x, x->want, x->want_n)))
		wrong(x, at, status, "the old output is gone");
	else if (!x->is_dir && !x->is_stdout && !has_mode(x->out))
		wrong(x, at, status, "the old output's mode is gone");
	else if (!is_removal(x->state->what) && (leaves(".") || leaves("cache") || (x->is_dir && leaves(x->out))))
		wrong(x, at, status, "a temporary file is left");
	if (leaves("."))
		shell("rm -rf .[!.]*%.0s%.0s", "");
}

static struct fault_state *shared(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
	if (fd < 0 || ftruncate(fd, sizeof(struct fault_state)))
		exit(2);
	void *p = mmap(NULL, sizeof(struct fault_state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		exit(2);
	setenv("FAULT_FILE", path, 1);
	return p;
}

/* A run without a fault: how many calls it makes, and what it writes. */
static unsigned long first(struct each *x)
{
	int status = once(x, 0);
	unsigned long calls = atomic_load(&x->state->calls);
	if (status != 0 || x->said[0] || calls == 0) {
		printf("without a fault: exit status %d, %lu calls: %s\n", status, calls, x->said);
		exit(2);
	}
	x->want_n = x->is_dir ? 0 : x->got_n;
	memcpy(x->want, x->got, (size_t)x->want_n);
	if (x->is_dir)
		shell("rm -rf want && mv ./%s want", x->out);
	return calls;
}

/* Whether the call is one of those to fail: of a function that is called seldom it always is. */
static bool is_chosen(const unsigned char *kind, unsigned long calls, unsigned long at, size_t every)
{
	size_t before = 0, all = 0;
	for (unsigned long i = 0; i < calls && i < FAULT_CALLS && at < FAULT_CALLS; i++) {
		all += kind[i] == kind[at];
		before += i < at && kind[i] == kind[at];
	}
	return all <= OFTEN || before % every == 0;
}

int main(int argc, char **argv)
{
	struct each x = {0};
	unsigned long done = 0;
	if (argc < 5)
		return 2;
	size_t every = strtoul(argv[2], NULL, 10), n = strlen(argv[3]);
	x.lib = argv[1], x.out = argv[3], x.cmd = argv + 4;
	x.is_stdout = strcmp(x.out, "-") == 0;
	if ((x.is_dir = argv[3][n - 1] == '/'))
		argv[3][n - 1] = 0;
	x.state = shared("state");
	x.want = malloc(ROOM);
	x.got = malloc(ROOM);
	if (!x.want || !x.got || every == 0)
		return 2;
	unsigned long calls = first(&x);
	static unsigned char kind[FAULT_CALLS];
	memcpy(kind, x.state->kind, sizeof kind);
	for (unsigned long at = 0; at < calls && x.failed < 10; at++)
		if (is_chosen(kind, calls, at, every)) {
			check(&x, at + 1, once(&x, at + 1));
			done++;
		}
	printf("%lu faults of %lu calls, %d failed\n", done, calls, x.failed);
	return x.failed ? 1 : 0;
}
