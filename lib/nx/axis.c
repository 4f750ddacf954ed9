#include "nx/axis.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Far enough from what doubles can hold that sums, differences and quotients of ranges stay within it. */
#define MOST 1e300
#define LEAST 1e-300

bool axis_takes(const struct axis *a, double v)
{
	return fabs(v) <= MOST && (!a->log || v >= LEAST);
}

void axis_see(struct axis *a, double v)
{
	if (!axis_takes(a, v))
		return;
	a->lo = a->any ? fmin(a->lo, v) : v;
	a->hi = a->any ? fmax(a->hi, v) : v;
	a->any = true;
}

/* The smallest of 1, 2, 5 times a power of ten that is not below v > 0. */
static double round_up(double v)
{
	static const double nice[] = {1, 2, 5};
	double power = pow(10, floor(log10(v)));
	for (int i = 0; i < 3; i++)
		if (v <= nice[i] * power * (1 + 1e-9))
			return nice[i] * power;
	return 10 * power;
}

/* One value, or two that no double stands between, get a range around them. */
static void widen(struct axis *a)
{
	if (!a->any)
		a->lo = a->log ? 1 : 0, a->hi = a->log ? 10 : 1;
	if (a->hi - a->lo > fmax(LEAST, 1e-12 * fmax(fabs(a->lo), fabs(a->hi))))
		return;
	double v = a->lo, size = fabs(v), by = size >= 1 && v == rint(v) ? fmax(1, size * 1e-9) : size / 10;
	if (!a->log && size <= LEAST) {
		a->lo = 0;
		a->hi = 1;
		return;
	}
	a->lo = a->log ? v / 2 : v - by;
	a->hi = a->log ? v * 2 : v + by;
}

static void even_ticks(struct axis *a, int want, bool round)
{
	double step = fmax(round_up((a->hi - a->lo) / want), a->whole ? 1 : 0), from = a->lo / step, to = a->hi / step;
	from = round ? floor(from + 1e-9) : ceil(from - 1e-9);
	to = round ? ceil(to - 1e-9) : floor(to + 1e-9);
	a->step = step;
	a->nticks = 0;
	for (int i = 0; from + i <= to && a->nticks < AXIS_TICKS; i++)
		a->ticks[a->nticks++] = (from + i) * step;
}

/* At 1, 2 and 5 where there is room for them, else at every power of ten, or at every second, third ... */
static void log_ticks(struct axis *a, int want)
{
	static const double nice[] = {1, 2, 5};
	double from = floor(log10(a->lo) + 1e-9), to = ceil(log10(a->hi) - 1e-9);
	int each = (to - from) * 3 <= want + 2 ? 3 : 1;
	double stride = fmax(1, ceil((to - from) / want));
	a->step = 0;
	a->nticks = 0;
	for (int n = 0; from + n * stride <= to; n++)
		for (int i = 0; i < each; i++) {
			double v = nice[i] * pow(10, from + n * stride);
			if (v >= a->lo * (1 - 1e-9) && v <= a->hi * (1 + 1e-9) && a->nticks < AXIS_TICKS)
				a->ticks[a->nticks++] = v;
		}
}

void axis_settle(struct axis *a, int want, bool round)
{
	widen(a);
	if (want < 2)
		want = 2;
	if (a->log)
		log_ticks(a, want);
	/* less than a decade: even ones, some more since they crowd at the high end */
	if (!a->log || a->nticks < 3)
		even_ticks(a, a->log ? want + 2 : want, round && !a->log);
	if (round && a->nticks) {
		a->lo = fmin(a->lo, a->ticks[0]);
		a->hi = fmax(a->hi, a->ticks[a->nticks - 1]);
	}
}

double axis_place(const struct axis *a, double v)
{
	if (a->log)
		return log(v / a->lo) / log(a->hi / a->lo);
	return (v - a->lo) / (a->hi - a->lo);
}

const char *axis_label(const struct axis *a, double tick, char text[AXIS_LABEL])
{
	bool even = a->step > 0;
	double size = even ? fmax(fabs(a->lo), fabs(a->hi)) : fabs(tick);
	if (tick == 0)
		return strcpy(text, "0");
	if (size >= 1e-3 && size < 1e6) {
		int digits = even ? (int)-floor(log10(a->step) + 1e-9) : 0;
		if (even)
			snprintf(text, AXIS_LABEL, "%.*f", digits > 0 ? digits : 0, tick);
		else
			snprintf(text, AXIS_LABEL, "%.6g", tick);
		return text;
	}
	/* as many digits as tell it from the next tick: "1.5e-5", without the zeros of printf's "1.5e-05" */
	double power = floor(log10(fabs(tick)) + 1e-12);
	int digits = even ? (int)(power - floor(log10(a->step) + 1e-9)) : 3;
	char mantissa[AXIS_LABEL];
	snprintf(mantissa, sizeof mantissa, "%.*f", digits > 0 ? digits : 0, tick / pow(10, power));
	if (strchr(mantissa, '.')) {
		size_t n = strlen(mantissa);
		while (mantissa[n - 1] == '0')
			n--;
		mantissa[mantissa[n - 1] == '.' ? n - 1 : n] = 0;
	}
	snprintf(text, AXIS_LABEL, "%.20se%d", mantissa, (int)power);
	return text;
}
