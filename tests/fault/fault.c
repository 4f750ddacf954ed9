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
#include "preload.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <link.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);

static struct fault_state *state;
static unsigned long fault_at;
static size_t fault_short;
static const struct link_map *program;
static bool crypto; /* its thousands of allocations are counted, too */
static int names = -1; /* FAULT_NAMES */
static bool named;
static bool counting;
static __thread bool within; /* what asks whose call it is calls none of ours */

/* The program or library that holds this code. dladdr would go through all its symbols, which took
 * nine tenths of the time of a run with libcrypto's many. */
static const struct link_map *object_of(const void *code)
{
	struct dl_find_object found;
	return _dl_find_object((void *)code, &found) == 0 ? found.dlfo_link_map : NULL;
}

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
	program = object_of((void *)getauxval(AT_ENTRY));
}

/* Of a library whose errors are not ours to handle. The program is known by its place, not by a name. */
static bool foreign(const void *caller)
{
	const struct link_map *object = object_of(caller);
	static const char *const names[] = {"openblas", "ld-linux", "gfortran", "quadmath", "libcrypto"};
	if (!object)
		return true;
	if (object == program)
		return false;
	for (size_t i = 0; i < sizeof names / sizeof *names - crypto; i++)
		if (strstr(object->l_name, names[i]))
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

bool fails(const char *what, const void *caller)
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

static size_t shorter(size_t n)
{
	return counting && fault_short && n > fault_short ? fault_short : n;
}

/* The first call of die_opts is one of fcntl, by either name. That a stream is closed it finds out by F_GETFD. */
static int first_call(int fd, int cmd, long arg, const void *caller)
{
	counting = true;
	if (cmd != F_GETFD && fails("fcntl", caller)) {
		errno = EINVAL;
		return -1;
	}
	return (int)syscall(SYS_fcntl, fd, cmd, arg);
}

#define FCNTL(name) \
	int name(int fd, int cmd, ...) \
	{ \
		va_list ap; \
		va_start(ap, cmd); \
		long arg = va_arg(ap, long); \
		va_end(ap); \
		return first_call(fd, cmd, arg, __builtin_return_address(0)); \
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

int chmod(const char *path, mode_t mode)
{
	FAILS("chmod", EPERM, -1);
	return fchmodat(AT_FDCWD, path, mode, 0);
}

int unlink(const char *path)
{
	FAILS("unlink", EIO, -1);
	return unlinkat(AT_FDCWD, path, 0);
}

int rmdir(const char *path)
{
	FAILS("rmdir", EIO, -1);
	return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int remove(const char *path)
{
	FAILS("remove", EIO, -1);
	return unlinkat(AT_FDCWD, path, 0) && (errno != EISDIR || unlinkat(AT_FDCWD, path, AT_REMOVEDIR)) ? -1 : 0;
}

/* --- what is where ------------------------------------------------------------------------- */

int stat(const char *path, struct stat *st)
{
	FAILS("stat", EIO, -1);
	return fstatat(AT_FDCWD, path, st, 0);
}

int lstat(const char *path, struct stat *st)
{
	FAILS("lstat", EIO, -1);
	return fstatat(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
}

int fstat(int fd, struct stat *st)
{
	FAILS("fstat", EIO, -1);
	return fstatat(fd, "", st, AT_EMPTY_PATH);
}

int access(const char *path, int how)
{
	FAILS("access", EIO, -1);
	return faccessat(AT_FDCWD, path, how, 0);
}

ssize_t readlink(const char *path, char *to, size_t n)
{
	FAILS("readlink", EIO, -1);
	return readlinkat(AT_FDCWD, path, to, n);
}

/* --- the process --------------------------------------------------------------------------- */

int poll(struct pollfd *p, nfds_t n, int ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
	FAILS("poll", ENOMEM, -1);
	return ppoll(p, n, ms < 0 ? NULL : &t, NULL);
}

int madvise(void *p, size_t n, int advice)
{
	FAILS("madvise", ENOMEM, -1);
	return (int)syscall(SYS_madvise, p, n, advice);
}

int dup(int fd)
{
	FAILS("dup", EMFILE, -1);
	return (int)syscall(SYS_dup, fd);
}

int dup2(int fd, int to)
{
	FAILS("dup2", EIO, -1);
	return fd == to ? to : (int)syscall(SYS_dup3, fd, to, 0);
}

int pipe(int fds[2])
{
	FAILS("pipe", EMFILE, -1);
	return (int)syscall(SYS_pipe2, fds, 0);
}

int pipe2(int fds[2], int flags)
{
	FAILS("pipe", EMFILE, -1);
	return (int)syscall(SYS_pipe2, fds, flags);
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

int socketpair(int domain, int type, int protocol, int fds[2])
{
	FAILS("socketpair", EMFILE, -1);
	return (int)syscall(SYS_socketpair, domain, type, protocol, fds);
}

int eventfd(unsigned n, int flags)
{
	FAILS("eventfd", EMFILE, -1);
	return (int)syscall(SYS_eventfd2, n, flags);
}

int setsockopt(int fd, int level, int name, const void *p, socklen_t n)
{
	FAILS("setsockopt", ENOPROTOOPT, -1);
	return (int)syscall(SYS_setsockopt, fd, level, name, p, n);
}

int getsockopt(int fd, int level, int name, void *restrict p, socklen_t *restrict n)
{
	FAILS("getsockopt", ENOBUFS, -1);
	return (int)syscall(SYS_getsockopt, fd, level, name, p, n);
}

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

void *own(const char *name)
{
	within = true;
	void *found = dlsym(RTLD_NEXT, name);
	within = false;
	return found;
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

struct dirent *readdir(DIR *dir)
{
	REAL(struct dirent *, "readdir", DIR *)
	FAILS("readdir", EIO, NULL);
	return real(dir);
}

int nftw(const char *path, __nftw_func_t each, int most, int flags)
{
	REAL(int, "nftw", const char *, __nftw_func_t, int, int)
	FAILS("nftw", EMFILE, -1);
	return real(path, each, most, flags);
}

int statvfs(const char *path, struct statvfs *fs)
{
	REAL(int, "statvfs", const char *, struct statvfs *)
	FAILS("statvfs", EIO, -1);
	return real(path, fs);
}

int mkostemp(char *path, int flags)
{
	REAL(int, "mkostemp", char *, int)
	FAILS("mkostemp", EMFILE, -1);
	return real(path, flags);
}

int sched_getaffinity(pid_t pid, size_t n, cpu_set_t *set)
{
	REAL(int, "sched_getaffinity", pid_t, size_t, cpu_set_t *)
	FAILS("sched_getaffinity", EINVAL, -1);
	return real(pid, n, set);
}

int getaddrinfo(const char *host, const char *service, const struct addrinfo *want, struct addrinfo **got)
{
	REAL(int, "getaddrinfo", const char *, const char *, const struct addrinfo *, struct addrinfo **)
	return fails("getaddrinfo", __builtin_return_address(0)) ? EAI_MEMORY : real(host, service, want, got);
}

char *realpath(const char *path, char *to)
{
	REAL(char *, "realpath", const char *, char *)
	FAILS("realpath", EIO, NULL);
	return real(path, to);
}

int posix_spawn_file_actions_init(posix_spawn_file_actions_t *to)
{
	REAL(int, "posix_spawn_file_actions_init", posix_spawn_file_actions_t *)
	return fails("posix_spawn_file_actions_init", __builtin_return_address(0)) ? ENOMEM : real(to);
}

int posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *to, int from, int fd)
{
	REAL(int, "posix_spawn_file_actions_adddup2", posix_spawn_file_actions_t *, int, int)
	return fails("posix_spawn_file_actions_adddup2", __builtin_return_address(0)) ? ENOMEM : real(to, from, fd);
}

int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *to, const posix_spawnattr_t *how,
                 char *const argv[], char *const env[])
{
	REAL(int, "posix_spawnp", pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const *, char *const *)
	return fails("posix_spawnp", __builtin_return_address(0)) ? EAGAIN : real(pid, file, to, how, argv, env);
}

/* The child is gone all the same. */
pid_t waitpid(pid_t pid, int *status, int how)
{
	REAL(pid_t, "waitpid", pid_t, int *, int)
	bool fail = fails("waitpid", __builtin_return_address(0));
	pid_t got = real(pid, status, how);
	if (fail)
		errno = ECHILD;
	return fail ? -1 : got;
}

int pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
	REAL(int, "pthread_create", pthread_t *, const pthread_attr_t *, void *(*)(void *), void *)
	if (fails("pthread_create", __builtin_return_address(0)))
		return EAGAIN;
	return real(t, attr, run, arg);
}
