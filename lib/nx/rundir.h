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

/* The tokenizer's files and the template of prompts (text/prompt.h), as far as the directory `from` has
 * them; a template that is not NULL instead of the one there. */
int rundir_copy(const struct outdir *d, const char *from, const char *template, struct err *e);

int rundir_has(const char *out, int64_t step, struct err *e);
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

/* The directory of one run.
 *
 *	struct rundir r = {.second = time(NULL), .overwrite = false};
 *	if (rundir_start(&r, "out", "auto", &e)) ...          r.from: the checkpoint to go on from, or NULL
 *	r.steps = ...;
 *	if (rundir_open(&r, NULL, &e)) ...                    can it be written? ERR_DATA: it is used
 *	rundir_clean(&r, &e);                                 when training begins
 *	rundir_make(&r, &e);                                  before the first checkpoint
 *	rundir_open(&r, &d, &e); ... outdir_commit(d, &e);    the trained model
 *	rundir_release(&r); */
struct rundir {
	/* the caller's */
	int64_t second, steps; /* for the name */
	bool overwrite;        /* it may hold files */
	/* ours */
	const char *pattern;
	char *out;  /* the name; known once it was opened */
	bool owns;  /* it is there and holds checkpoints of this run */
	char *from; /* the checkpoint to go on from, or NULL */
	char *home; /* what that stands in */
};

/* output NULL: where the checkpoint stands, or a name of steps and second. resume NULL: from the
 * beginning; "auto": from the last checkpoint in output, if there is one; else as rundir_find.
 * Both strings must outlive r. */
int rundir_start(struct rundir *r, const char *output, const char *resume, struct err *e);
/* Opens the directory, or only tries it where d is NULL. A name with a timestamp is meant to be
 * new: where another run was as fast, the next second's is taken. */
int rundir_open(struct rundir *r, struct outdir **d, struct err *e);
/* Makes it, empty, once: 1 if it was not there, 0, -1. */
int rundir_make(struct rundir *r, struct err *e);
/* Takes away what killed processes of this run left; or, where it overwrites another run's, that
 * one's checkpoints, which would be taken for this one's. */
int rundir_clean(const struct rundir *r, struct err *e);
void rundir_release(struct rundir *r);

#endif
