/* ledger.h - answers put by as they come, so that a run that was cut off need not ask again.
 *
 *	struct ledger *l;
 *	if (ledger_open(&l, "out.jsonl.partial", resume, &e)) ...
 *	rc = ledger_take(l, key, &arena, &answer, &e)       1: there is one, 0: ask
 *	if (ledger_put(l, key, answer, &e)) ...             in the file when it returns
 *	ledger_finish(l, &e)   all is done, the file goes; or ledger_close(l): it stays
 *
 * JSON lines, {"request": "0123456789abcdef", "answer": ...}, each written at once: however
 * the process ends, all but perhaps the last are whole, and a last one that is not is cut off
 * when the file is opened again. The file is made with the first answer and locked while it is
 * used. Memory: 32 bytes an answer of the run before. */
#ifndef IO_LEDGER_H
#define IO_LEDGER_H

#include "base/arena.h"
#include "base/err.h"
#include "io/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ledger;

/* ERR_DATA: the file is there and resume is false, or another process has it. A file that is
 * not there is begun either way. */
int ledger_open(struct ledger **l, const char *path, bool resume, struct err *e);
/* An answer to the request of this key that was not taken before, of several the first. */
int ledger_take(struct ledger *l, uint64_t key, struct arena *a, struct json **answer, struct err *e);
int ledger_put(struct ledger *l, uint64_t key, const struct json *answer, struct err *e);
size_t ledger_taken(const struct ledger *l); /* how many */
size_t ledger_left(const struct ledger *l);  /* how many of the run before were not */
size_t ledger_held(const struct ledger *l);  /* how many are in the file */
int ledger_finish(struct ledger *l, struct err *e);
void ledger_close(struct ledger *l); /* NULL is fine */

#endif
