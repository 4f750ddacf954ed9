/* plot.h - curves of logs arranged in panels, ready to be drawn.
 *
 *	struct plot_want w = {.x = CURVES_STEP, .npanels = 2, .panels = {{0, 2}, {2, 1}}, .names = {"a", "b"}};
 *	struct plot p;
 *	if (plot_make(&p, &c, &w, &e)) ...
 *	plotsvg_write(&buf, &p, 720, 480);       (nx/plotsvg.h)
 *	plottext_write(&buf, &p, &form);         (nx/plottext.h)
 *	plot_release(&p);
 *
 * All panels stand one below the other over one x axis, the first twice as high as the others.
 * Drawing knows curves, no logs. A curve is told from others by its style, which has a colour, a
 * dash pattern and a marker: any one is enough. The first key of a panel has, in every panel,
 * the same style for the same log. */
#ifndef NX_PLOT_H
#define NX_PLOT_H

#include "base/arena.h"
#include "base/err.h"
#include "nx/axis.h"
#include "nx/curves.h"

#include <stddef.h>

enum { PLOT_PANELS = 6 };

struct plot_want {
	const char *title; /* or NULL */
	enum curves_x x;
	bool log;      /* the y axes */
	double smooth; /* 0: not at all; the keys "learning_rate" and "eval_..." never */
	int npanels;
	struct {
		int first, n; /* the keys of struct curves */
	} panels[PLOT_PANELS];
	const char *names[CURVES_LOGS];
};

struct plot_curve {
	const char *name;
	int style, colour; /* 0, 1, 2 ...; colour tells logs apart, or keys where there is one log */
	size_t n;
	const double *x, *y; /* y[i] NAN: a gap */
	const double *raw;   /* before smoothing, to be drawn thin; NULL where y is that */
	size_t points;       /* of y, that are no gaps */
};

struct plot_panel {
	const char *label; /* of the y axis: the keys */
	int nkeys;         /* of the panel; names of curves hold the key where there are several */
	struct axis y;     /* has seen all values, not settled */
	bool legend;       /* several curves */
	int ncurves;
	struct plot_curve *curves; /* each has at least one point */
};

struct plot {
	struct arena arena; /* of all it points to, but what the caller gave */
	const char *title, *label; /* label of the x axis */
	struct axis x;
	int npanels; /* those with curves, at least one */
	struct plot_panel panels[PLOT_PANELS];
};

/* c and w's strings must outlive p. Fails where there is no point at all. */
int plot_make(struct plot *p, const struct curves *c, const struct plot_want *w, struct err *e);
/* Of `height` that is to be shared among the panels, what panel i gets. */
int plot_share(const struct plot *p, int i, int height);
void plot_release(struct plot *p);

#endif
