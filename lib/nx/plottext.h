/* plottext.h - a plot as lines of text, for a terminal. */
#ifndef NX_PLOTTEXT_H
#define NX_PLOTTEXT_H

#include "base/buf.h"
#include "nx/plot.h"

#include <stdbool.h>

enum { PLOTTEXT_LEAST_COLUMNS = 30, PLOTTEXT_LEAST_ROWS = 10 };

struct plottext_form {
	int columns, rows; /* of the whole */
	bool ascii;        /* a letter of its curve in each place, instead of Braille dots, 2 by 4 in a place */
	bool colour;       /* SGR sequences, 256 colours */
};

/* Appends the lines to b; 0, or -1 when memory runs out. Curves are told apart by the letters that stand
 * at some of their points; where they cross, the later one is seen. What was smoothed is drawn smooth only. */
int plottext_write(struct buf *b, const struct plot *p, const struct plottext_form *form);

#endif
