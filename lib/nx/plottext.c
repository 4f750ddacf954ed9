#include "nx/plottext.h"

#include "base/utf8.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char letters[] = "ox+*#@%&";
/* As in plotsvg.c, as near as 256 colours come; 0 is the terminal's own. */
static const int colours[] = {33, 208, 36, 175, 0, 220, 117};
enum { LETTERS = 8, COLOURS = 7, MARKS = 6, MARKED = 12 };

struct cell {
	uint8_t dots; /* bit 4 * x + y of the dot in column x, row y */
	char letter;  /* 0: dots */
	const struct plot_curve *curve;
};

/* One panel's places, w by h. */
struct canvas {
	const struct plottext_form *form;
	int w, h, margin; /* margin: columns of the numbers to the left */
	struct axis x, y;
	struct cell *cells;
};

/* --- text ---------------------------------------------------------------------------------- */

/* Names of files and keys may hold anything: what is valid and steers no terminal; *columns grows by its width. */
static int add_name(struct buf *b, const char *s, int *columns)
{
	struct buf valid = {0};
	int rc = utf8_replace(&valid, s, strlen(s));
	for (size_t i = 0; i < valid.n && !rc;) {
		uint32_t cp = 0;
		int n = utf8_decode(valid.p + i, valid.n - i, &cp);
		rc = utf8_steers(cp) ? buf_addc(b, '?') : buf_add(b, valid.p + i, (size_t)n);
		i += (size_t)n;
		*columns += cp >= 0x1100 ? 2 : 1;
	}
	buf_release(&valid);
	return rc;
}

static int add_blanks(struct buf *b, int n)
{
	return n > 0 ? buf_printf(b, "%*s", n, "") : 0;
}

/* The colour of a curve, or with NULL none; *now is the one that holds. */
static int turn(struct buf *b, const struct plottext_form *form, const struct plot_curve *c, const struct plot_curve **now)
{
	const struct plot_curve *before = *now;
	*now = c;
	if (!form->colour || before == c)
		return 0;
	int colour = c ? colours[c->colour % COLOURS] : 0;
	return colour ? buf_printf(b, "\x1b[38;5;%dm", colour) : buf_adds(b, "\x1b[0m");
}

/* --- curves -------------------------------------------------------------------------------- */

static struct cell *cell_at(const struct canvas *v, int x, int y)
{
	return &v->cells[(y / 4) * v->w + x / 2];
}

static int dot_x(const struct canvas *v, double x)
{
	return (int)lrint(axis_place(&v->x, x) * (2 * v->w - 1));
}

static int dot_y(const struct canvas *v, double y)
{
	return (int)lrint((1 - axis_place(&v->y, y)) * (4 * v->h - 1));
}

static void put_dot(const struct canvas *v, const struct plot_curve *c, int x, int y)
{
	struct cell *cell = cell_at(v, x, y);
	cell->dots |= (uint8_t)(1 << (4 * (x % 2) + y % 4));
	cell->curve = c;
}

static void put_stroke(const struct canvas *v, const struct plot_curve *c, int x1, int y1, int x2, int y2)
{
	int dx = abs(x2 - x1), dy = abs(y2 - y1), n = dx > dy ? dx : dy;
	for (int i = 0; i <= n; i++)
		put_dot(v, c, x1 + (int)lrint((double)(x2 - x1) * i / (n ? n : 1)), y1 + (int)lrint((double)(y2 - y1) * i / (n ? n : 1)));
}

static void put_curve(const struct canvas *v, const struct plot_curve *c)
{
	bool pen = false;
	int x = 0, y = 0;
	for (size_t i = 0; i < c->n; i++) {
		if (isnan(c->y[i])) {
			pen = false;
			continue;
		}
		int to_x = dot_x(v, c->x[i]), to_y = dot_y(v, c->y[i]);
		put_stroke(v, c, pen ? x : to_x, pen ? y : to_y, to_x, to_y);
		x = to_x;
		y = to_y;
		pen = true;
	}
}

/* Letters at some points, at other ones for each style. */
static void put_letters(const struct canvas *v, const struct plot_curve *c)
{
	size_t each = c->points <= MARKED ? 1 : c->points / MARKS, at = 0, offset = (size_t)c->style * each * 2 / 5 % each;
	for (size_t i = 0; i < c->n; i++) {
		if (isnan(c->y[i]) || at++ % each != offset)
			continue;
		struct cell *cell = cell_at(v, dot_x(v, c->x[i]), dot_y(v, c->y[i]));
		cell->letter = letters[c->style % LETTERS];
		cell->curve = c;
	}
}

/* --- lines of text ------------------------------------------------------------------------- */

static int add_cell(struct buf *b, const struct canvas *v, const struct cell *cell)
{
	/* Braille numbers its dots 1 2 3 7 down the left, 4 5 6 8 down the right */
	static const uint8_t bits[] = {0x01, 0x02, 0x04, 0x40, 0x08, 0x10, 0x20, 0x80};
	uint32_t code = 0x2800;
	char s[4];
	if (cell->letter)
		return buf_addc(b, cell->letter);
	if (!cell->dots)
		return buf_addc(b, ' ');
	if (v->form->ascii)
		return buf_addc(b, letters[cell->curve->style % LETTERS]);
	for (int i = 0; i < 8; i++)
		if (cell->dots >> i & 1)
			code |= bits[i];
	return buf_add(b, s, (size_t)utf8_encode(code, s));
}

static int row_of(const struct canvas *v, double tick)
{
	return dot_y(v, tick) / 4;
}

/* The label of the tick at a row, right-aligned, and the axis. */
static int add_margin(struct buf *b, const struct canvas *v, int row)
{
	char text[AXIS_LABEL] = "";
	for (int i = 0; i < v->y.nticks; i++)
		if (row_of(v, v->y.ticks[i]) == row)
			axis_label(&v->y, v->y.ticks[i], text);
	return buf_printf(b, "%*s %s", v->margin - 2, text, v->form->ascii ? *text ? "+" : "|" : *text ? "┤" : "│");
}

static int add_rows(struct buf *b, const struct canvas *v)
{
	const struct plot_curve *now = NULL;
	for (int y = 0; y < v->h; y++) {
		const struct cell *row = v->cells + y * v->w;
		int end = v->w;
		while (end && !row[end - 1].dots && !row[end - 1].letter)
			end--;
		if (add_margin(b, v, y))
			return -1;
		for (int x = 0; x < end; x++)
			if (turn(b, v->form, row[x].curve, &now) || add_cell(b, v, &row[x]))
				return -1;
		if (turn(b, v->form, NULL, &now) || buf_addc(b, '\n'))
			return -1;
	}
	return 0;
}

static int column_of(const struct canvas *v, double tick)
{
	return dot_x(v, tick) / 2;
}

static int add_axis(struct buf *b, const struct canvas *v)
{
	bool ascii = v->form->ascii;
	int at = 0;
	if (add_blanks(b, v->margin - 1) || buf_adds(b, ascii ? "+" : "└"))
		return -1;
	for (int x = 0; x < v->w; x++) {
		bool tick = at < v->x.nticks && column_of(v, v->x.ticks[at]) == x;
		at += tick;
		if (buf_adds(b, ascii ? tick ? "+" : "-" : tick ? "┬" : "─"))
			return -1;
	}
	return buf_addc(b, '\n');
}

/* The numbers of the x axis, as far as they do not touch, and its name in the middle of the next line. */
static int add_numbers(struct buf *b, const struct canvas *v, const char *label)
{
	int at = 0, full = v->margin + v->w, columns = 0;
	for (int i = 0; i < v->x.nticks; i++) {
		char text[AXIS_LABEL];
		int n = (int)strlen(axis_label(&v->x, v->x.ticks[i], text)), from = v->margin + column_of(v, v->x.ticks[i]) - n / 2;
		if (from + n > full)
			from = full - n;
		if (at && from < at + 1)
			continue;
		if (add_blanks(b, from - at) || buf_adds(b, text))
			return -1;
		at = from + n;
	}
	return buf_addc(b, '\n') || add_blanks(b, v->margin + (v->w - (int)strlen(label)) / 2) || add_name(b, label, &columns) ||
	       buf_addc(b, '\n');
}

/* The panel's key and its curves' letters and names, over as many lines as they need. */
static int add_legend(struct buf *b, const struct plottext_form *form, const struct plot_panel *panel, int *rows)
{
	const struct plot_curve *now = NULL;
	int at = 0;
	*rows = 1;
	if ((panel->nkeys == 1 || !panel->legend) && (add_name(b, panel->label, &at) || buf_adds(b, panel->legend ? ":" : "")))
		return -1;
	at += panel->nkeys == 1 && panel->legend;
	for (int i = 0; i < panel->ncurves && panel->legend; i++) {
		const struct plot_curve *c = &panel->curves[i];
		struct buf name = {0};
		int columns = 2, rc = add_name(&name, c->name, &columns), between = at ? 2 : 0;
		if (at && at + between + columns > form->columns) {
			rc |= buf_addc(b, '\n');
			*rows += 1;
			at = between = 0;
		}
		rc |= add_blanks(b, between) || turn(b, form, c, &now) || buf_printf(b, "%c ", letters[c->style % LETTERS]) ||
		      turn(b, form, NULL, &now) || buf_add(b, name.p, name.n);
		buf_release(&name);
		if (rc)
			return -1;
		at += between + columns;
	}
	return buf_addc(b, '\n');
}

static int widest_label(const struct axis *y)
{
	char text[AXIS_LABEL];
	int most = 0;
	for (int k = 0; k < y->nticks; k++) {
		int n = (int)strlen(axis_label(y, y->ticks[k], text));
		most = n > most ? n : most;
	}
	return most;
}

static int add_panel(struct buf *b, const struct plot_panel *panel, struct canvas *v)
{
	v->cells = calloc((size_t)v->w * (size_t)v->h, sizeof *v->cells);
	if (!v->cells)
		return -1;
	for (int i = 0; i < panel->ncurves; i++)
		put_curve(v, &panel->curves[i]);
	for (int i = 0; i < panel->ncurves; i++)
		put_letters(v, &panel->curves[i]);
	int rc = add_rows(b, v) || add_axis(b, v);
	free(v->cells);
	return rc;
}

/* Rows that are left for the curves; the legends are written for it and taken back. */
static int rows_left(struct buf *b, const struct plot *p, const struct plottext_form *form)
{
	int rest = form->rows - (p->title != NULL) - 2 - p->npanels, rows;
	size_t n = b->n;
	for (int i = 0; i < p->npanels; i++) {
		if (add_legend(b, form, &p->panels[i], &rows))
			return -1;
		rest -= rows;
	}
	b->n = n;
	return rest < 3 * (p->npanels + 1) ? 3 * (p->npanels + 1) : rest;
}

static int add_title(struct buf *b, const char *title, int columns)
{
	struct buf name = {0};
	int width = 0, rc = add_name(&name, title, &width) || add_blanks(b, (columns - width) / 2) ||
	                    buf_add(b, name.p, name.n) || buf_addc(b, '\n');
	buf_release(&name);
	return rc;
}

int plottext_write(struct buf *b, const struct plot *p, const struct plottext_form *form)
{
	struct axis y[PLOT_PANELS];
	struct canvas v = {.form = form};
	int rest = rows_left(b, p, form), rows;
	if (rest < 0 || (p->title && add_title(b, p->title, form->columns)))
		return -1;
	for (int i = 0; i < p->npanels; i++) {
		y[i] = p->panels[i].y;
		axis_settle(&y[i], plot_share(p, i, rest) / 3 + 1, false);
		int n = widest_label(&y[i]) + 2;
		v.margin = n > v.margin ? n : v.margin;
	}
	v.w = form->columns - v.margin;
	v.w = v.w < 10 ? 10 : v.w;
	for (int i = 0; i < p->npanels; i++) {
		v.x = p->x;
		v.y = y[i];
		v.h = plot_share(p, i, rest);
		axis_settle(&v.x, v.w / 12, false);
		if (add_legend(b, form, &p->panels[i], &rows) || add_panel(b, &p->panels[i], &v))
			return -1;
	}
	return add_numbers(b, &v, p->label);
}
