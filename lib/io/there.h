/* there.h - whether there is a file, which may be missing.
 *
 *	if ((rc = there_is("model/generation_config.json", &e)) < 0) ...
 *
 * That something is not there is believed only where the system says so. Whatever else
 * hinders it from looking is an error: a file that a program would go by and that it
 * takes for missing makes its output another. */
#ifndef IO_THERE_H
#define IO_THERE_H

#include "base/err.h"

int there_is(const char *path, struct err *e);     /* 1, 0: nothing is called that, -1 */
/* As there_is, of a file to be read from a directory that a stranger may have made: a pipe in
 * its place, which would be waited for in vain, or a device is an error. */
int there_is_file(const char *path, struct err *e);
int there_is_dir(const char *path, struct err *e); /* 1, 0: what is there, if anything, is no directory, -1 */

#endif
