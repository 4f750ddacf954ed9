/* rundir.h - the directory a run writes: the trained model, and checkpoint-N behind update N.
 *
 *	char *out = rundir_name("nx-{steps}-steps-{timestamp}", 300, time(NULL));
 *	int64_t step = rundir_last(out, &e);                 the last checkpoint's
 *	char *path = rundir_checkpoint(out, step);           "nx-300-steps-1764014400/checkpoint-300"
 *
 * Names are the caller's to free; NULL when memory runs out. */
#ifndef NX_RUNDIR_H
#define NX_RUNDIR_H

#include "base/err.h"
#include "io/outdir.h"

#include <stdbool.h>
#include <stdint.h>

/* {steps} and {timestamp} (a second since 1970) filled in. */
char *rundir_name(const char *pattern, int64_t steps, int64_t second);
char *rundir_parent(const char *path); /* of the last part of a path; "." for a bare name */
char *rundir_checkpoint(const char *out, int64_t step);

/* The tokenizer's files, as far as the directory `from` has them. */
int rundir_copy(const struct outdir *d, const char *from, struct err *e);

bool rundir_has(const char *out, int64_t step);
/* The highest N in out; 0: there is none, -1. */
int64_t rundir_last(const char *out, struct err *e);
/* What to go on from: `place` itself if it is a checkpoint, else the last one in it. With `any` it
 * is looked for in `place` only, and *found is NULL where there is none; else that is ERR_DATA. */
int rundir_find(char **found, const char *place, bool any, struct err *e);
/* Of those up to `step` removes the oldest until `keep` are left, but never that of step `step`
 * nor that of step `best` (0: none): then one more may stay. */
int rundir_rotate(const char *out, int64_t step, int64_t keep, int64_t best, struct err *e);
/* Removes all, and what killed processes have left beside them. */
int rundir_clear(const char *out, struct err *e);

#endif
