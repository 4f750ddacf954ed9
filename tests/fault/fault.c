/* fault.c - a library for LD_PRELOAD under which one call of the C library fails.
 *
 *	FAULT_FILE=state FAULT_AT=17 LD_PRELOAD=./fault.so nx-train ...      the 17th call
 *	FAULT_SHORT=3                                                       no read or write is longer
 *	FAULT_CRYPTO=1                                                      libcrypto's memory, too
 *	FAULT_NAMES=log                                                     "CALL PATH" for each name that is made
 *	FAULT_NAMED=1                                                       no file is without a name
 *
 * Counted are calls that may fail, of the program and the libraries it works with, from
 * die_opts on (known by its fcntl). Linear algebra's own memory is left alone: OpenBLAS
 * ends the process itself. The number of calls, and which of them failed, is left in
 * FAULT_FILE, as struct fault_state. */
#include "fault.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <poll.h>
#include <sys/auxv.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <pthread.h>

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);

static struct fault_state *state;
static unsigned long fault_at;
static size_t fault_short;
static const void *program; /* where it is mapped */
static bool crypto; /* its thousands of allocations are counted, too */
static int names = -1; /* FAULT_NAMES */
static bool named;
static bool counting;
static __thread bool within; /* dladdr and the like call us */

__attribute__((constructor)) static void begin(void)
{
	const char *file = getenv("FAULT_FILE"), *at = getenv("FAULT_AT"), *cut = getenv("FAULT_SHORT");
	long fd = file ? syscall(SYS_openat, AT_FDCWD, file, O_RDWR | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	void *p = (void *)syscall(SYS_mmap, NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0L);
	syscall(SYS_close, fd);
	state = p == MAP_FAILED ? NULL : p;
	fault_at = at ? strtoul(at, NULL, 10) : 0;
	fault_short = cut ? strtoul(cut, NULL, 10) : 0;
	crypto = getenv("FAULT_CRYPTO");
	named = getenv("FAULT_NAMED");
	if (getenv("FAULT_NAMES"))
		names = (int)syscall(SYS_openat, AT_FDCWD, getenv("FAULT_NAMES"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	Dl_info info;
	if (dladdr((void *)getauxval(AT_ENTRY), &info))
		program = info.dli_fbase;
}

/* Of a library whose errors are not ours to handle. The program is known by its place: as its
 * name dladdr gives what argv[0] is by now, which options may have moved. */
static bool foreign(const void *caller)
{
	Dl_info info;
	static const char *const names[] = {"openblas", "ld-linux", "gfortran", "quadmath", "libcrypto"};
	if (!dladdr(caller, &info))
		return true;
	if (info.dli_fbase == program)
		return false;
	for (size_t i = 0; i < sizeof names / sizeof *names - crypto; i++)
		if (strstr(info.dli_fname, names[i]))
			return true;
	return false;
}

static unsigned char kind_of(const char *what)
{
	unsigned h = 0;
	while (*what)
		h = h * 31 + (unsigned char)*what++;
	return (unsigned char)(h % 251);
}

static bool fails(const char *what, const void *caller)
{
	if (!state || !counting || within)
		return false;
	within = true;
	bool ours = !foreign(caller);
	within = false;
	if (!ours)
		return false;
	unsigned long n = atomic_fetch_add(&state->calls, 1) + 1;
	if (n <= FAULT_CALLS)
		state->kind[n - 1] = kind_of(what);
	if (n != fault_at)
		return false;
	strncpy(state->what, what, sizeof state->what - 1);
	return true;
}

#define FAILS(what, code, result) \
	do { \
		if (fails(what, __builtin_return_address(0))) { \
			errno = code; \
			return result; \
		} \
	} while (0)

static size_t shorter(size_t n)
{
	return counting && fault_short && n > fault_short ? fault_short : n;
}

/* The first call of die_opts is one of fcntl, by either name. */
static int first_call(int fd, int cmd, long arg)
{
	counting = true;
	return (int)syscall(SYS_fcntl, fd, cmd, arg);
}

#define FCNTL(name) \
	int name(int fd, int cmd, ...) \
	{ \
		va_list ap; \
		va_start(ap, cmd); \
		long arg = va_arg(ap, long); \
		va_end(ap); \
		return first_call(fd, cmd, arg); \
	}
FCNTL(fcntl64)
FCNTL(fcntl)

void *malloc(size_t n)
{
	FAILS("malloc", ENOMEM, NULL);
	return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	FAILS("calloc", ENOMEM, NULL);
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	FAILS("realloc", ENOMEM, NULL);
	return __libc_realloc(p, n);
}

void *aligned_alloc(size_t align, size_t n)
{
	FAILS("aligned_alloc", ENOMEM, NULL);
	return __libc_memalign(align, n);
}

int posix_memalign(void **p, size_t align, size_t n)
{
	if (fails("posix_memalign", __builtin_return_address(0)))
		return ENOMEM;
	*p = __libc_memalign(align, n);
	return *p ? 0 : ENOMEM;
}

void *mmap(void *addr, size_t n, int prot, int flags, int fd, off_t at)
{
	FAILS("mmap", ENOMEM, MAP_FAILED);
	return (void *)syscall(SYS_mmap, addr, n, prot, flags, fd, at);
}

static void note(const char *what, const char *path)
{
	char line[1000];
	int n = names < 0 || !counting ? 0 : snprintf(line, sizeof line, "%s %s\n", what, path);
	if (n > 0)
		syscall(SYS_write, names, line, n);
}

static int open_at(int dir, const char *path, int flags, mode_t mode)
{
	if (named && (flags & __O_TMPFILE)) {
		errno = EOPNOTSUPP;
		return -1;
	}
	if (flags & O_CREAT)
		note(flags & O_EXCL ? "open-new" : flags & O_NOFOLLOW ? "open-nofollow" : "open", path);
	return (int)syscall(SYS_openat, dir, path, flags, mode);
}

#define MODE_OF(flags) \
	mode_t mode = 0; \
	if (flags & (O_CREAT | __O_TMPFILE)) { \
		va_list ap; \
		va_start(ap, flags); \
		mode = va_arg(ap, mode_t); \
		va_end(ap); \
	}

int open(const char *path, int flags, ...)
{
	MODE_OF(flags)
	FAILS("open", EMFILE, -1);
	return open_at(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	MODE_OF(flags)
	FAILS("open", EMFILE, -1);
	return open_at(AT_FDCWD, path, flags, mode);
}

int openat(int dir, const char *path, int flags, ...)
{
	MODE_OF(flags)
	FAILS("openat", EMFILE, -1);
	return open_at(dir, path, flags, mode);
}

ssize_t read(int fd, void *p, size_t n)
{
	FAILS("read", EIO, -1);
	return syscall(SYS_read, fd, p, shorter(n));
}

ssize_t pread(int fd, void *p, size_t n, off_t at)
{
	FAILS("pread", EIO, -1);
	return syscall(SYS_pread64, fd, p, shorter(n), at);
}

ssize_t pread64(int fd, void *p, size_t n, off_t at)
{
	FAILS("pread", EIO, -1);
	return syscall(SYS_pread64, fd, p, shorter(n), at);
}

ssize_t write(int fd, const void *p, size_t n)
{
	FAILS("write", ENOSPC, -1);
	return syscall(SYS_write, fd, p, shorter(n));
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	FAILS("pwrite", ENOSPC, -1);
	return syscall(SYS_pwrite64, fd, p, shorter(n), at);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off_t at)
{
	FAILS("pwrite", ENOSPC, -1);
	return syscall(SYS_pwrite64, fd, p, shorter(n), at);
}

int close(int fd)
{
	bool fail = fails("close", __builtin_return_address(0));
	int rc = (int)syscall(SYS_close, fd);
	if (fail)
		errno = EIO;
	return fail ? -1 : rc;
}

off_t lseek(int fd, off_t at, int whence)
{
	FAILS("lseek", EIO, -1);
	return syscall(SYS_lseek, fd, at, whence);
}

int fsync(int fd)
{
	FAILS("fsync", EIO, -1);
	return (int)syscall(SYS_fsync, fd);
}

int ftruncate(int fd, off_t n)
{
	FAILS("ftruncate", EIO, -1);
	return (int)syscall(SYS_ftruncate, fd, n);
}

int fchmod(int fd, mode_t mode)
{
	FAILS("fchmod", EPERM, -1);
	return (int)syscall(SYS_fchmod, fd, mode);
}

int rename(const char *from, const char *to)
{
	FAILS("rename", EIO, -1);
	return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int renameat(int a, const char *from, int b, const char *to)
{
	FAILS("renameat", EIO, -1);
	return (int)syscall(SYS_renameat2, a, from, b, to, 0);
}

int linkat(int a, const char *from, int b, const char *to, int flags)
{
	FAILS("linkat", EIO, -1);
	note("linkat", to);
	return (int)syscall(SYS_linkat, a, from, b, to, flags);
}

int mkdir(const char *path, mode_t mode)
{
	FAILS("mkdir", ENOSPC, -1);
	note("mkdir", path);
	return (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

ssize_t getrandom(void *p, size_t n, unsigned flags)
{
	FAILS("getrandom", ENOSYS, -1);
	return syscall(SYS_getrandom, p, n, flags);
}

int symlink(const char *to, const char *path)
{
	FAILS("symlink", ENOSPC, -1);
	note("symlink", path);
	return (int)syscall(SYS_symlinkat, to, AT_FDCWD, path);
}

int flock(int fd, int how)
{
	FAILS("flock", ENOLCK, -1);
	return (int)syscall(SYS_flock, fd, how);
}

/* --- the network ------------------------------------------------------------------------ */

int socket(int domain, int type, int protocol)
{
	FAILS("socket", EMFILE, -1);
	return (int)syscall(SYS_socket, domain, type, protocol);
}

int connect(int fd, const struct sockaddr *to, socklen_t n)
{
	FAILS("connect", ECONNREFUSED, -1);
	return (int)syscall(SYS_connect, fd, to, n);
}

ssize_t send(int fd, const void *p, size_t n, int flags)
{
	FAILS("send", ECONNRESET, -1);
	return syscall(SYS_sendto, fd, p, n, flags, NULL, 0);
}

ssize_t recv(int fd, void *p, size_t n, int flags)
{
	FAILS("recv", ECONNRESET, -1);
	return syscall(SYS_recvfrom, fd, p, n, flags, NULL, NULL);
}

/* --- what goes to the C library's own ------------------------------------------------------ */

#define REAL(result, name, ...) \
	static result (*real)(__VA_ARGS__); \
	if (!real) { \
		within = true; \
		void *found = dlsym(RTLD_NEXT, name); \
		within = false; \
		memcpy(&real, &found, sizeof real); \
	}

FILE *fopen(const char *path, const char *mode)
{
	REAL(FILE *, "fopen", const char *, const char *)
	FAILS("fopen", EMFILE, NULL);
	return real(path, mode);
}

FILE *fdopen(int fd, const char *mode)
{
	REAL(FILE *, "fdopen", int, const char *)
	FAILS("fdopen", ENOMEM, NULL);
	return real(fd, mode);
}

/* What was buffered is lost: as on a disk that is full. */
int fclose(FILE *f)
{
	REAL(int, "fclose", FILE *)
	bool fail = fails("fclose", __builtin_return_address(0));
	int rc = real(f);
	if (fail)
		errno = ENOSPC;
	return fail ? EOF : rc;
}

DIR *opendir(const char *path)
{
	REAL(DIR *, "opendir", const char *)
	FAILS("opendir", EMFILE, NULL);
	return real(path);
}

char *realpath(const char *path, char *to)
{
	REAL(char *, "realpath", const char *, char *)
	FAILS("realpath", EIO, NULL);
	return real(path, to);
}

int pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
	REAL(int, "pthread_create", pthread_t *, const pthread_attr_t *, void *(*)(void *), void *)
	if (fails("pthread_create", __builtin_return_address(0)))
		return EAGAIN;
	return real(t, attr, run, arg);
}
