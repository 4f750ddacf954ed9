/* table.h - a table for the terminal, in the look of Python's Rich: heavy box around the head, a line
 * between rows, cells of several lines.
 *
 *	struct table t = {.n = 2, .width = 80, .wrap = true};
 *	if (table_begin(&t, heads)) ...            n heads
 *	for each row: if (table_add(&t, cells)) ...    n cells
 *	if (table_print(&t, "Title", &out)) ...
 *	table_release(&t);
 *
 * Column widths depend on all rows, so all are held. Each returns 0, or -1 when out of memory. */
#ifndef TEXT_TABLE_H
#define TEXT_TABLE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

struct table_text {
	const char *s;
	size_t n;
};

struct table {
	size_t n;     /* columns, at least 1 */
	size_t width; /* of the terminal */
	bool wrap;    /* cells that are too wide take more lines, instead of being cropped */
	bool colour;
	/* the rest is the table's own */
	struct buf text;  /* cells, the head's first, cleaned, one behind the other */
	struct buf ends;  /* size_t: where each ends in text */
	size_t *widths;   /* of the columns, with a blank on either side; behind them scratch */
};

int table_begin(struct table *t, const struct table_text *heads);
int table_add(struct table *t, const struct table_text *cells);
/* Appends the table to b; title may be NULL. */
int table_print(struct table *t, const char *title, struct buf *b);
void table_release(struct table *t);

#endif
