/* axis.h - an axis of a plot: its range, round ticks and their labels.
 *
 *	struct axis a = {.log = log_scale};
 *	for (each value v)
 *		axis_see(&a, v);
 *	axis_settle(&a, 6, true);                    about 6 ticks, the range widened to them
 *	axis_place(&a, v)                            0 at the low end, 1 at the high one
 *	for (int i = 0; i < a.nticks; i++)
 *		axis_label(&a, a.ticks[i], text)
 *
 * Ticks stand at 1, 2 or 5 times a power of ten, as far apart. */
#ifndef NX_AXIS_H
#define NX_AXIS_H

#include <stdbool.h>

enum { AXIS_TICKS = 32, AXIS_LABEL = 32 };

struct axis {
	bool log;   /* powers of ten; set by the caller */
	bool whole; /* no ticks between whole numbers; set by the caller */
	bool any; /* a value was seen */
	double lo, hi;
	int nticks;
	double ticks[AXIS_TICKS]; /* rising, within lo..hi */
	double step;              /* between two ticks, 0 where they are not evenly spaced */
};

/* Whether v has a place on it: not beyond 1e300, and from 1e-300 up on a logarithmic axis. */
bool axis_takes(const struct axis *a, double v);
void axis_see(struct axis *a, double v); /* values without a place are passed over */
/* Afterwards lo < hi, whatever was seen. `want` ticks are aimed at, at least 2; `round` ends the range at
 * a tick on either side. */
void axis_settle(struct axis *a, int want, bool round);
double axis_place(const struct axis *a, double v);
/* Writes "0.25", "1500" or "2e-5" to text; returns it. */
const char *axis_label(const struct axis *a, double tick, char text[AXIS_LABEL]);

#endif
