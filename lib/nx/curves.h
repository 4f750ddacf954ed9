/* curves.h - what training logs hold, as points.
 *
 *	struct curves c = {.nkeys = 2, .keys = {"loss", "eval_loss"}};
 *	curves_read(&c, path, &skip, &e);                    once a log: c.logs[0], c.logs[1] ...
 *	x = curves_best_x(&c)                                what all logs can be drawn over
 *	n = curves_take(&c, log, key, x, xs, ys)             its points
 *	curves_smooth(ys, n, alpha, out)
 *	curves_release(&c);
 *
 * A log is JSON lines, an entry each, with the keys of HF's Trainer, as nx-train --log writes
 * it, or a trainer_state.json, whose "log_history" holds the entries; NaN and Infinity, which
 * Python writes where JSON has no such numbers, are read. An entry without a key is no point
 * of its curve; one whose number is null or not finite is a gap. */
#ifndef NX_CURVES_H
#define NX_CURVES_H

#include "base/buf.h"
#include "base/err.h"
#include "base/skip.h"

#include <stddef.h>

enum { CURVES_KEYS = 32, CURVES_LOGS = 64 };
/* CURVES_NUMBER: the entry's own number, from 1 */
enum curves_x { CURVES_STEP, CURVES_EPOCH, CURVES_TOKENS, CURVES_NUMBER };

struct curves_log {
	size_t n;        /* entries */
	struct buf rows; /* double[n][4 + nkeys]: the four of enum curves_x, then the keys */
};

struct curves {
	int nkeys;
	const char *keys[CURVES_KEYS]; /* the caller's, must outlive it */
	int nlogs;
	struct curves_log logs[CURVES_LOGS];
};

/* NULL or "-" is stdin; at most CURVES_LOGS logs. Lines that are no JSON object go to skip. */
int curves_read(struct curves *c, const char *path, struct skip *skip, struct err *e);
/* The first of step, epoch and the entry's number that every log with points has. */
enum curves_x curves_best_x(const struct curves *c);
/* The points of a key, in the log's order, to xs and ys, which have room for all entries of the log and
 * may be NULL; ys[i] is NAN at a gap. Returns how many. Entries without such an x are passed over. */
size_t curves_take(const struct curves *c, int log, int key, enum curves_x x, double *xs, double *ys);
/* Exponential moving average with bias correction: out[i] = m_i / (1 - alpha^k), m_i = alpha m_(i-1) + (1 - alpha) y_i,
 * k the number of points so far; gaps stay gaps and count for nothing. 0 <= alpha < 1. */
void curves_smooth(const double *ys, size_t n, double alpha, double *out);
void curves_release(struct curves *c);

#endif
