/* plotsvg.h - a plot as an SVG picture (Scalable Vector Graphics 1.1): one file, no
 * fonts, style sheets or scripts of its own. */
#ifndef NX_PLOTSVG_H
#define NX_PLOTSVG_H

#include "base/buf.h"
#include "nx/plot.h"

enum { PLOTSVG_LEAST_WIDTH = 200, PLOTSVG_LEAST_HEIGHT = 150 };

/* Appends the document, width by height pixels, to b; 0, or -1 when memory runs out. Curves with many points
 * for each pixel are drawn by the lowest and the highest of them. */
int plotsvg_write(struct buf *b, const struct plot *p, int width, int height);

#endif
