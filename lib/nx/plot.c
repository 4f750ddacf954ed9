#include "nx/plot.h"

#include <math.h>
#include <string.h>

static bool is_exact(const char *key)
{
	return !strcmp(key, "learning_rate") || !strncmp(key, "eval_", 5);
}

static char *join(struct arena *a, const char *s, const char *between, const char *t)
{
	size_t n = strlen(s) + strlen(between) + strlen(t) + 1;
	char *text = arena_alloc(a, n);
	if (text)
		strcat(strcat(strcpy(text, s), between), t);
	return text;
}

/* The log's name, the key, or both: what tells the curve from its neighbours. */
static const char *name_of(struct plot *p, const struct curves *c, const struct plot_want *w, int log, int key, int nkeys)
{
	if (c->nlogs == 1)
		return c->keys[key];
	return nkeys == 1 ? w->names[log] : join(&p->arena, w->names[log], " ", c->keys[key]);
}

/* What has no place on its axis is a gap. */
static void see(struct plot *p, struct plot_panel *panel, const double *xs, double *ys, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!axis_takes(&panel->y, ys[i]) || !axis_takes(&p->x, xs[i])) {
			ys[i] = NAN;
			continue;
		}
		axis_see(&panel->y, ys[i]);
		axis_see(&p->x, xs[i]);
	}
}

static int add_curve(struct plot *p, struct plot_panel *panel, const struct curves *c, const struct plot_want *w, int log,
                     int key)
{
	size_t n = curves_take(c, log, key, w->x, NULL, NULL);
	double *x = arena_alloc(&p->arena, (n + 1) * sizeof *x), *y = arena_alloc(&p->arena, (n + 1) * sizeof *y);
	double *smooth = arena_alloc(&p->arena, (n + 1) * sizeof *y);
	struct plot_curve *curve = &panel->curves[panel->ncurves];
	if (!x || !y || !smooth)
		return -1;
	curves_take(c, log, key, w->x, x, y);
	see(p, panel, x, y, n);
	*curve = (struct plot_curve){.n = n, .x = x, .y = y};
	if (w->smooth > 0 && !is_exact(c->keys[key])) {
		curves_smooth(y, n, w->smooth, smooth);
		curve->raw = y;
		curve->y = smooth;
	}
	for (size_t i = 0; i < n; i++)
		curve->points += !isnan(y[i]);
	panel->ncurves += curve->points > 0;
	return 0;
}

static int add_panel(struct plot *p, const struct curves *c, const struct plot_want *w, int first, int nkeys)
{
	struct plot_panel *panel = &p->panels[p->npanels];
	*panel = (struct plot_panel){.y.log = w->log, .nkeys = nkeys};
	panel->curves = arena_zalloc(&p->arena, (size_t)(c->nlogs * nkeys) * sizeof *panel->curves);
	if (!panel->curves)
		return -1;
	for (int k = 0; k < nkeys; k++) {
		int before = panel->ncurves;
		for (int log = 0; log < c->nlogs; log++) {
			int at = panel->ncurves;
			if (add_curve(p, panel, c, w, log, first + k))
				return -1;
			if (panel->ncurves == at)
				continue;
			panel->curves[at].name = name_of(p, c, w, log, first + k, nkeys);
			panel->curves[at].style = k * c->nlogs + log;
			panel->curves[at].colour = c->nlogs > 1 ? log : k;
			if (!panel->curves[at].name)
				return -1;
		}
		if (panel->ncurves > before)
			panel->label = panel->label ? join(&p->arena, panel->label, ", ", c->keys[first + k]) : c->keys[first + k];
		if (panel->ncurves && !panel->label)
			return -1;
	}
	/* one curve is named by its axis, but not when the other log, which has none, is to be told */
	panel->legend = panel->ncurves > 1 || c->nlogs > 1;
	p->npanels += panel->ncurves > 0;
	return 0;
}

int plot_make(struct plot *p, const struct curves *c, const struct plot_want *w, struct err *e)
{
	static const char *const labels[] = {"step", "epoch", "tokens", "entry"};
	*p = (struct plot){.title = w->title, .label = labels[w->x], .x.whole = w->x != CURVES_EPOCH};
	for (int i = 0; i < w->npanels; i++)
		if (add_panel(p, c, w, w->panels[i].first, w->panels[i].n)) {
			plot_release(p);
			return err_mem(e);
		}
	if (p->npanels)
		return 0;
	plot_release(p);
	return err_data(e, "nothing to plot: no entry has a number for any of the keys over its %s", labels[w->x]);
}

int plot_share(const struct plot *p, int i, int height)
{
	int other = height / (p->npanels + 1);
	return i ? other : height - other * (p->npanels - 1);
}

void plot_release(struct plot *p)
{
	arena_release(&p->arena);
	*p = (struct plot){0};
}
