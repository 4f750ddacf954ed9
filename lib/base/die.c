#include "base/die.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#ifndef NXTOOLS_VERSION
#define NXTOOLS_VERSION "unknown"
#endif

static const char *progname = "nxtools";

/* Names and texts of strangers are in messages: what could command a terminal, or end the line, is shown as "?". */
static void say(const char *fmt, va_list ap)
{
	enum { MOST = 8192 };
	char text[MOST], shown[MOST];
	vsnprintf(text, sizeof text, fmt, ap);
	utf8_harmless(shown, sizeof shown, text);
	/* stdout first, so that what was written before the message stands before it on a terminal */
	fflush(stdout);
	flockfile(stderr);
	fprintf(stderr, "%s: %s\n", progname, shown);
	funlockfile(stderr);
}

void die_now(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
	exit(DIE_FAILED);
}

void die_usage(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
	fprintf(stderr, "try: %s --help\n", progname);
	exit(DIE_USAGE);
}

void die_err(const struct err *e)
{
	if (e->kind == ERR_USAGE)
		die_usage("%s", e->msg);
	die_now("%s", e->msg);
}

void die_value(const struct err *e)
{
	if (e->kind == ERR_DATA)
		die_usage("%s", e->msg);
	die_err(e);
}

void die_mem(void)
{
	die_now("out of memory");
}

void die_warn(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
}

const char *die_s(uint64_t n)
{
	return n == 1 ? "" : "s";
}

void die_skipped(const struct skip *s, const char *what)
{
	if (s->n)
		die_warn("skipped %llu bad %s%s, the first: %s", (unsigned long long)s->n, what, s->n == 1 ? "" : "s",
		         s->first.msg);
}

void die_close_stdout(void)
{
	int bad = ferror(stdout);
	errno = 0;
	if (fclose(stdout) || bad)
		die_now("stdout: %s", errno ? strerror(errno) : "write error");
}

/* The first file opened would take the place of a standard stream that the caller
 * closed, and its bytes be read as our input or be written over. Something that is
 * open the wrong way holds the place: it fails as the closed stream would. */
static void hold_closed_streams(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) < 0)
			exit(DIE_FAILED);
}

/* A limit of 1 is too little for a file, and tells Linux to start no collector, which one of 0 does not. */
void die_without_core(void)
{
	struct rlimit most;
	if (getrlimit(RLIMIT_CORE, &most) == 0 && most.rlim_max > 1) {
		most.rlim_cur = 1;
		setrlimit(RLIMIT_CORE, &most);
	}
}

/* Whatever the caller ignores or blocks, and a program inherits: a reader that is gone ends us,
 * a child's end is waited for, and a file that may not grow is a write that fails, with a message of ours. */
static void settle_signals(void)
{
	sigset_t gone;
	sigemptyset(&gone);
	sigaddset(&gone, SIGPIPE);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_UNBLOCK, &gone, NULL);
	signal(SIGCHLD, SIG_DFL);
	signal(SIGXFSZ, SIG_IGN);
}

void die_opts(const struct opt_prog *p, int *argc, char ***argv)
{
	struct err e;
	progname = p->name;
	hold_closed_streams();
	settle_signals();
	switch (opt_parse(p, argc, argv, &e)) {
	case OPT_OK:
		return;
	case OPT_WANTS_HELP:
		opt_print_help(p, stdout);
		break;
	case OPT_WANTS_VERSION:
		printf("%s (nxtools) %s\n", p->name, NXTOOLS_VERSION);
		break;
	case OPT_BAD:
		die_err(&e);
	}
	die_close_stdout();
	exit(0);
}
