/* turns.h - lines that become known in any order and are written in the order of their turns.
 *
 *	struct turns t = {0};
 *	turns_give(&t, &turn, &e);            the next turn
 *	...fill *turns_line(&t, turn), an empty buffer...
 *	turns_done(&t, turn);
 *	turns_write(&t, out, &e);             all whose turn has come
 *	turns_release(&t);
 */
#ifndef IO_TURNS_H
#define IO_TURNS_H

#include "base/buf.h"
#include "base/err.h"
#include "io/out.h"

#include <stdbool.h>
#include <stdint.h>

struct turns {
	struct buf *line;
	bool *done;
	size_t cap;       /* turns from `next` on that there is room for: turn t at t % cap */
	uint64_t next, n; /* the turn to be written next, turns given out */
};

int turns_give(struct turns *w, uint64_t *turn, struct err *e);
struct buf *turns_line(struct turns *w, uint64_t turn);
void turns_done(struct turns *w, uint64_t turn);
int turns_write(struct turns *w, struct out *out, struct err *e); /* and flushes them */
void turns_release(struct turns *w);

#endif
