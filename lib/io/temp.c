#include "io/temp.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIGITS = 16, ADDED = DIGITS + 2 /* dots */, BASE_MAX = NAME_MAX - ADDED };

/* As many of a name's bytes as leave room for ours, and no half a character. */
static size_t base_len(const char *base)
{
	size_t n = strlen(base);
	if (n <= BASE_MAX)
		return n;
	for (n = BASE_MAX; n > 1 && ((unsigned char)base[n] & 0xC0) == 0x80; n--)
		;
	return n;
}

char *temp_name(const char *dir, size_t n, const char *base)
{
	unsigned long long r = 0;
	char *s;
	if (getrandom(&r, sizeof r, 0) != sizeof r)
		return NULL;
	if (asprintf(&s, "%.*s.%.*s.%0*llx", (int)n, dir, (int)base_len(base), base, DIGITS, r) >= 0)
		return s;
	errno = ENOMEM;
	return NULL;
}

bool temp_is(const char *s, const char *base)
{
	const char *dot = strrchr(s, '.');
	if (s[0] != '.' || dot <= s + 1 || strlen(dot + 1) != DIGITS || strspn(dot + 1, "0123456789abcdef") != DIGITS)
		return false;
	return !base || (base_len(base) == (size_t)(dot - s - 1) && memcmp(s + 1, base, (size_t)(dot - s - 1)) == 0);
}

int temp_hold(int fd)
{
	return flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK ? -1 : 0;
}

/* A file whose maker is dead. Some file systems lock only what is open for writing. */
static void sweep_one(int dir, const char *name)
{
	struct stat st;
	int fd = openat(dir, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && flock(fd, LOCK_EX | LOCK_NB) == 0)
		unlinkat(dir, name, 0);
	close(fd);
}

void temp_sweep(const char *dir, const char *base)
{
	DIR *d = opendir(dir);
	const struct dirent *ent;
	while (d && (ent = readdir(d)))
		if (temp_is(ent->d_name, base))
			sweep_one(dirfd(d), ent->d_name);
	if (d)
		closedir(d);
}
