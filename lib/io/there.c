#include "io/there.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

/* A name below a file is a name of nothing. */
static int missing(const char *path, struct err *e)
{
	return errno == ENOENT || errno == ENOTDIR ? 0 : err_io(e, "%s", path);
}

int there_is(const char *path, struct err *e)
{
	return access(path, F_OK) == 0 ? 1 : missing(path, e);
}

int there_is_dir(const char *path, struct err *e)
{
	struct stat st;
	return stat(path, &st) == 0 ? S_ISDIR(st.st_mode) : missing(path, e);
}
