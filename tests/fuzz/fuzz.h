/* fuzz.h - what the drivers share: bytes as files the library can open, parts of an input. */
#ifndef FUZZ_H
#define FUZZ_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define fuzz_must(good) ((good) ? (void)0 : abort())

/* A nameless file of these bytes; close(fd) when done. Its path is in `path`. */
static inline int fuzz_open(const uint8_t *p, size_t n, char path[32])
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	fuzz_must(fd >= 0 && write(fd, p, n) == (ssize_t)n);
	snprintf(path, 32, "/proc/self/fd/%d", fd);
	return fd;
}

/* The bytes up to the next NUL, which is passed over; all that is left if there is none. */
static inline const uint8_t *fuzz_part(const uint8_t **p, size_t *n, size_t *len)
{
	const uint8_t *part = *p, *end = *n ? memchr(part, 0, *n) : NULL;
	*len = end ? (size_t)(end - part) : *n;
	*p += *len + (end != NULL);
	*n -= *len + (end != NULL);
	return part;
}

/* A directory of this process's own, for readers that want several files by name. */
static inline const char *fuzz_dir(void)
{
	static char dir[64];
	if (!dir[0]) {
		const char *base = getenv("FUZZ_DIR");
		snprintf(dir, sizeof dir, "%.40s/dir-%ld", base ? base : "build/fuzz", (long)getpid());
		mkdir(dir, 0777);
	}
	return dir;
}

/* fuzz_dir()/name with these bytes. */
static inline void fuzz_file(const char *name, const uint8_t *p, size_t n)
{
	char path[200];
	snprintf(path, sizeof path, "%s/%s", fuzz_dir(), name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	fuzz_must(fd >= 0 && write(fd, p, n) == (ssize_t)n);
	close(fd);
}

#endif
