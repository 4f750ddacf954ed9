/* span.h - a range of rows or columns shared out over a pool.
 *
 *	span_run(pool, n, 1, rows_of_this, arg);
 *
 * work(arg, from, to) is called for pieces that cover [0, n); each begins on a
 * multiple of `grain` (columns: 16 floats, a cache line). A piece must not
 * depend on where it begins: then results do not depend on the threads. */
#ifndef NX_SPAN_H
#define NX_SPAN_H

#include "base/pool.h"

void span_run(struct pool *p, int n, int grain, void (*work)(void *arg, int from, int to), void *arg);

#endif
