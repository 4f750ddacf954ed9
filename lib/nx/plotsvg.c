#include "nx/plotsvg.h"

#include "base/utf8.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Colours that stay apart for the colour-blind (Okabe and Ito), dark ones first. */
static const char *const colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#000000", "#e69f00", "#56b4e9"};
static const char *const dashes[] = {"", "7 3", "2 2", "9 3 2 3", "12 4"};
enum { COLOURS = 7, DASHES = 5, MARKERS = 6 };
enum { FONT = 12, ROW = 18, SAMPLE = 36, RIGHT = 18, MARKED = 30, MARKS = 10, TICK = 36 };

/* The rectangle that a panel's curves are drawn in, and its axes. */
struct field {
	struct buf *b;
	double left, right, top, bottom;
	struct axis x, y;
};

/* --- text --------------------------------------------------------------------------------- */

static int add_text(struct buf *b, const char *s)
{
	struct buf valid = {0};
	int rc = utf8_replace(&valid, s, strlen(s));
	for (size_t i = 0; i < valid.n && !rc; i++) {
		char c = valid.p[i];
		switch (c) {
		case '&': rc = buf_adds(b, "&amp;"); break;
		case '<': rc = buf_adds(b, "&lt;"); break;
		case '>': rc = buf_adds(b, "&gt;"); break;
		default: rc = (unsigned char)c < ' ' ? buf_adds(b, "\xef\xbf\xbd") : buf_addc(b, c); /* XML has no such characters */
		}
	}
	buf_release(&valid);
	return rc;
}

/* Width in pixels, never much too small: no font is known here. */
static double width_of(const char *s)
{
	double w = 0;
	for (; *s; s++)
		if (((unsigned char)*s & 0xc0) != 0x80)
			w += (unsigned char)*s >= 0xe0 ? 1 : strchr("ijl.,:;|'! ", *s) ? 0.36 : strchr("mwMW@", *s) ? 0.95 : 0.63;
	return w * FONT;
}

/* A <text> whose attributes beyond the place are given as written. */
static int put_text(struct buf *b, double x, double y, const char *attributes, const char *s)
{
	return buf_printf(b, "<text x=\"%.1f\" y=\"%.1f\"%s>", x, y, attributes) || add_text(b, s) ||
	       buf_adds(b, "</text>\n");
}

static int put_line(struct buf *b, double x1, double y1, double x2, double y2, const char *attributes)
{
	return buf_printf(b, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"%s/>\n", x1, y1, x2, y2, attributes);
}

/* --- curves --------------------------------------------------------------------------------- */

/* Shapes around a point, as path data; the even styles are filled, the odd ones hollow. */
static int put_marker(struct buf *b, const struct plot_curve *c, double x, double y)
{
	static const char *const shapes[MARKERS] = {
		"m-3.2 0a3.2 3.2 0 1 0 6.4 0a3.2 3.2 0 1 0 -6.4 0z", "m-3 -3h6v6h-6z", "m0 -4.2l4 7h-8z", "m0 -4.4l4.4 4.4l-4.4 4.4l-4.4 -4.4z",
		"m-3.5 -3.5l7 7m0 -7l-7 7", "m0 4.2l4 -7h-8z",
	};
	const char *colour = colours[c->colour % COLOURS];
	return buf_printf(b, "<path d=\"M%.1f %.1f%s\" fill=\"%s\" stroke=\"%s\" stroke-width=\"1.4\"/>\n", x, y,
	                  shapes[c->style % MARKERS], c->style % 2 ? "#ffffff" : colour, colour);
}

static double across(const struct field *f, double x)
{
	return f->left + axis_place(&f->x, x) * (f->right - f->left);
}

static double down(const struct field *f, double y)
{
	return f->bottom - axis_place(&f->y, y) * (f->bottom - f->top);
}

/* What is left out of a run of points in one column of pixels: all but its ends, its lowest and its highest. */
static size_t skip_column(const struct field *f, const struct plot_curve *c, const double *y, size_t i, size_t keep[4])
{
	double column = floor(across(f, c->x[i]));
	size_t low = i, high = i, end = i;
	while (end + 1 < c->n && !isnan(y[end + 1]) && floor(across(f, c->x[end + 1])) == column) {
		end++;
		low = y[end] < y[low] ? end : low;
		high = y[end] > y[high] ? end : high;
	}
	keep[0] = i;
	keep[1] = low < high ? low : high;
	keep[2] = low < high ? high : low;
	keep[3] = end;
	return end;
}

/* The lines of a curve; nothing where no two points stand beside each other. */
static int put_path(const struct field *f, const struct plot_curve *c, const double *y, const char *attributes)
{
	bool pen = false;
	if (buf_printf(f->b, "<path fill=\"none\" stroke=\"%s\"%s d=\"", colours[c->colour % COLOURS], attributes))
		return -1;
	for (size_t i = 0; i < c->n; i++) {
		size_t keep[4], last = SIZE_MAX;
		if (isnan(y[i])) {
			pen = false;
			continue;
		}
		i = skip_column(f, c, y, i, keep);
		for (int k = 0; k < 4; last = keep[k++]) {
			if (keep[k] == last)
				continue;
			if (buf_printf(f->b, "%s%.1f %.1f", pen ? "L" : "M", across(f, c->x[keep[k]]), down(f, y[keep[k]])))
				return -1;
			pen = true;
		}
	}
	return buf_adds(f->b, "\"/>\n");
}

static bool alone(const struct plot_curve *c, size_t i)
{
	return (i == 0 || isnan(c->y[i - 1])) && (i + 1 == c->n || isnan(c->y[i + 1]));
}

/* A marker at each point, or at some of many, at other ones for each style; always where no line tells of it. */
static int put_markers(const struct field *f, const struct plot_curve *c)
{
	size_t each = c->points <= MARKED ? 1 : c->points / MARKS, at = 0, offset = (size_t)c->style * each * 2 / 5 % each;
	for (size_t i = 0; i < c->n; i++) {
		if (isnan(c->y[i]))
			continue;
		if ((at++ % each == offset || alone(c, i)) && put_marker(f->b, c, across(f, c->x[i]), down(f, c->y[i])))
			return -1;
	}
	return 0;
}

static const char *dash_of(const struct plot_curve *c, char text[64])
{
	const char *dash = dashes[c->style % DASHES];
	snprintf(text, 64, *dash ? " stroke-width=\"1.7\" stroke-dasharray=\"%s\"" : " stroke-width=\"1.7\"%s", dash);
	return text;
}

static int put_curves(const struct field *f, const struct plot_panel *panel)
{
	char style[64];
	for (int i = 0; i < panel->ncurves; i++)
		if (panel->curves[i].raw &&
		    put_path(f, &panel->curves[i], panel->curves[i].raw, " stroke-width=\"0.7\" stroke-opacity=\"0.45\""))
			return -1;
	for (int i = 0; i < panel->ncurves; i++) {
		const struct plot_curve *c = &panel->curves[i];
		if (put_path(f, c, c->y, dash_of(c, style)) || put_markers(f, c))
			return -1;
	}
	return 0;
}

/* --- around them ---------------------------------------------------------------------------- */

/* Axis, grid, the numbers of y, and those of x below the last panel. */
static int put_axes(const struct field *f, bool last)
{
	char text[AXIS_LABEL];
	for (int i = 0; i < f->y.nticks; i++) {
		double y = down(f, f->y.ticks[i]);
		if (put_line(f->b, f->left, y, f->right, y, " stroke=\"#d9d9d9\"") ||
		    put_text(f->b, f->left - 7, y + 4, " text-anchor=\"end\"", axis_label(&f->y, f->y.ticks[i], text)))
			return -1;
	}
	for (int i = 0; i < f->x.nticks; i++) {
		double x = across(f, f->x.ticks[i]);
		if (put_line(f->b, x, f->top, x, f->bottom, " stroke=\"#d9d9d9\"") ||
		    put_line(f->b, x, f->bottom, x, f->bottom + 4, " stroke=\"#333333\""))
			return -1;
		if (last && put_text(f->b, x, f->bottom + 17, " text-anchor=\"middle\"", axis_label(&f->x, f->x.ticks[i], text)))
			return -1;
	}
	return put_line(f->b, f->left, f->top, f->left, f->bottom, " stroke=\"#333333\"") ||
	       put_line(f->b, f->left, f->bottom, f->right, f->bottom, " stroke=\"#333333\"");
}

/* Rows of samples with their names above a panel, from (left, top) on; b NULL: only how many rows they take. */
static int legend_rows(struct buf *b, const struct plot_panel *panel, double left, double right, double top, int *rows)
{
	double x = left;
	char style[64];
	*rows = panel->legend;
	for (int i = 0; i < panel->ncurves && panel->legend; i++) {
		const struct plot_curve *c = &panel->curves[i];
		double width = SAMPLE + 6 + width_of(c->name) + 16;
		if (x > left && x + width - 16 > right) {
			x = left;
			*rows += 1;
		}
		double y = top + (*rows - 0.5) * ROW;
		if (b && (buf_printf(b, "<path fill=\"none\" stroke=\"%s\"%s d=\"M%.1f %.1fh%d\"/>\n", colours[c->colour % COLOURS],
		                     dash_of(c, style), x, y, SAMPLE) ||
		          put_marker(b, c, x + SAMPLE / 2, y) || put_text(b, x + SAMPLE + 6, y + 4, "", c->name)))
			return -1;
		x += width;
	}
	return 0;
}

static double widest_label(const struct plot *p, int height)
{
	double most = 0;
	for (int i = 0; i < p->npanels; i++) {
		struct axis y = p->panels[i].y;
		char text[AXIS_LABEL];
		axis_settle(&y, plot_share(p, i, height) / TICK, true);
		for (int k = 0; k < y.nticks; k++)
			most = fmax(most, width_of(axis_label(&y, y.ticks[k], text)));
	}
	return most;
}

static int put_panel(struct buf *b, const struct plot *p, int i, struct field *f)
{
	const struct plot_panel *panel = &p->panels[i];
	char turn[80];
	double middle = (f->top + f->bottom) / 2;
	snprintf(turn, sizeof turn, " text-anchor=\"middle\" transform=\"rotate(-90 %.1f %.1f)\"", 16.0, middle);
	return put_axes(f, i + 1 == p->npanels) || put_curves(f, panel) || put_text(b, 16, middle, turn, panel->label);
}

static int put_panels(struct buf *b, const struct plot *p, int width, int height, double top)
{
	double left, right = width - RIGHT, gap = 18;
	int rows, rest = height - (int)top - 42 - (int)gap * (p->npanels - 1);
	left = 26 + widest_label(p, rest) + 8;
	for (int i = 0; i < p->npanels; i++) {
		legend_rows(NULL, &p->panels[i], left, right, 0, &rows);
		rest -= rows * ROW;
	}
	rest = rest < 20 * p->npanels ? 20 * p->npanels : rest;
	for (int i = 0; i < p->npanels; i++) {
		int share = plot_share(p, i, rest);
		struct field f = {b, left, right, 0, 0, p->x, p->panels[i].y};
		if (legend_rows(b, &p->panels[i], left, right, top, &rows))
			return -1;
		f.top = top + rows * ROW + (rows ? 4 : 0);
		f.bottom = top += rows * ROW + share;
		axis_settle(&f.x, (int)(right - left) / 90, false);
		axis_settle(&f.y, share / TICK, true);
		if (put_panel(b, p, i, &f))
			return -1;
		top += gap;
	}
	return put_text(b, (left + right) / 2, top - gap + 35, " text-anchor=\"middle\"", p->label);
}

int plotsvg_write(struct buf *b, const struct plot *p, int width, int height)
{
	const char *title = p->title ? p->title : p->panels[0].label;
	if (buf_printf(b,
	               "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\" "
	               "font-family=\"Helvetica, Arial, sans-serif\" font-size=\"%d\" fill=\"#222222\">\n<title>",
	               width, height, width, height, FONT) ||
	    add_text(b, title) || buf_adds(b, "</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"))
		return -1;
	if (p->title && put_text(b, width / 2.0, 22, " text-anchor=\"middle\" font-size=\"15\"", p->title))
		return -1;
	return put_panels(b, p, width, height, p->title ? 34 : 12) || buf_adds(b, "</svg>\n");
}
