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

int there_is_file(const char *path, struct err *e)
{
	struct stat st;
	if (stat(path, &st))
		return missing(path, e);
	/* opening a directory tells that it is one */
	return S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) ? 1 : err_data(e, "%s: no regular file", path);
}

int there_is_dir(const char *path, struct err *e)
{
	struct stat st;
	return stat(path, &st) == 0 ? S_ISDIR(st.st_mode) : missing(path, e);
}
