/* outdir.h - a directory that appears under its name only when everything in it is complete.
 *
 *	if (outdir_check("out", false, &e)) ...           before the work: can it be written at all?
 *	struct outdir *d;
 *	if (outdir_open(&d, "out", false, &e)) ...        an empty directory beside "out"
 *	write files into outdir_path(d), through io/out.h, which syncs them
 *	outdir_copy(d, "model", "tokenizer.json", &e);
 *	if (outdir_commit(d, &e)) ...                     synced and renamed to "out"; d is gone either way
 *	outdir_abort(d);                                  instead of commit: removed; NULL is fine
 *
 * The destination may be missing or an empty directory; its parent must exist.
 * With `merge` it may hold files: then the new ones are moved in one by one, each
 * whole, over those of the same name, and what else is there stays. A process
 * that is killed leaves at most the temporary directory, ".out.<16 hex digits>",
 * beside the destination (inside it where it is a mount point or holds files). It is
 * locked (flock) while its process lives: the next outdir_open of the same
 * destination removes those that are not. */
#ifndef IO_OUTDIR_H
#define IO_OUTDIR_H

#include "base/err.h"

#include <stdbool.h>

struct outdir;

/* Makes and removes the temporary directory: what outdir_open would say, said early. */
int outdir_check(const char *final, bool merge, struct err *e);
int outdir_open(struct outdir **d, const char *final, bool merge, struct err *e);
const char *outdir_path(const struct outdir *d); /* where to write */
const char *outdir_name(const struct outdir *d); /* the destination as given */
/* Copies fromdir/name: 1 if it was copied, 0 if there is no such file, -1. */
int outdir_copy(const struct outdir *d, const char *fromdir, const char *name, struct err *e);
int outdir_commit(struct outdir *d, struct err *e);
void outdir_abort(struct outdir *d);

/* Removes a directory with all that is in it. It loses its name first, so that half of it is never
 * seen under it. One that is not there is no error. */
int outdir_remove(const char *path, struct err *e);
/* Removes the temporary directories, of whatever destination, that killed processes left in dir. */
int outdir_sweep(const char *dir, struct err *e);

#endif
