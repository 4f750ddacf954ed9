/* temp.h - names under which an output stands beside its place until it is whole.
 *
 *	temp_sweep("data", "train.nxs");              what killed processes left of train.nxs
 *	char *temp = temp_name("data/", 5, "train.nxs");   "data/.train.nxs.0123456789abcdef"
 *	... make it, and temp_hold() it as long as it has that name ...
 *
 * Nobody can foresee such a name. What has one belongs to a process that is alive as long as
 * somebody holds it: a lock, which ends with the process. */
#ifndef IO_TEMP_H
#define IO_TEMP_H

#include <stdbool.h>
#include <stddef.h>

/* dir: n bytes, with a slash at the end if there are any. To be freed; NULL and errno. */
char *temp_name(const char *dir, size_t n, const char *base);
/* Whether s, without its directory, is such a name of base, or with base NULL of any. */
bool temp_is(const char *s, const char *base);
/* 0: held until fd and its duplicates are closed, or the file system has no locks; -1: another process holds it. */
int temp_hold(int fd);
/* Removes the files in dir that have such names of base and that nobody holds, if that can be done. */
void temp_sweep(const char *dir, const char *base);

#endif
