#include "text/table.h"
#include "text/cell.h"

#include <stdlib.h>
#include <string.h>

enum { PADDING = 2 }; /* a blank on either side of a cell */

/* --- widths ----------------------------------------------------------------------- */

static size_t sum(const size_t *v, size_t n)
{
	size_t total = 0;
	for (size_t i = 0; i < n; i++)
		total += v[i];
	return total;
}

/* total / parts to the nearest, halves to even, as Python rounds. */
static size_t nearest(size_t total, size_t parts)
{
	size_t whole = total / parts, twice = 2 * (total % parts);
	return whole + (twice > parts || (twice == parts && whole % 2));
}

/* Deals `excess` out evenly among the columns at least `from` wide, none losing more than `most`. */
static void reduce(size_t *v, size_t n, size_t excess, size_t from, size_t most)
{
	size_t parts = 0;
	for (size_t i = 0; i < n; i++)
		parts += v[i] >= from;
	for (size_t i = 0; i < n && parts; i++) {
		if (v[i] < from)
			continue;
		size_t less = nearest(excess, parts--);
		if (less > most)
			less = most;
		if (less > v[i])
			less = v[i];
		v[i] -= less;
		excess -= less;
	}
}

/* The widest columns shrink first, to the next widest; when all are alike, all. */
static void collapse(size_t *v, size_t n, size_t limit)
{
	for (size_t total; (total = sum(v, n)) > limit;) {
		size_t widest = 0, second = 0;
		for (size_t i = 0; i < n; i++)
			widest = v[i] > widest ? v[i] : widest;
		for (size_t i = 0; i < n; i++)
			if (v[i] < widest && v[i] > second)
				second = v[i];
		reduce(v, n, total - limit, widest, widest - second);
	}
}

/* Makes the sum of v[0..n) at most `limit`, as Rich does: columns that are not wrapped all lose the
 * same. Where that makes one of them empty, or the table too wide still (as Rich leaves it), they
 * shrink as those that are wrapped. `was` has room for n. */
static void share(size_t *v, size_t *was, size_t n, size_t limit, bool wrap)
{
	for (size_t i = 0; i < n; i++)
		was[i] = v[i] = v[i] < limit ? v[i] : limit;
	size_t total = sum(v, n);
	if (total <= limit)
		return;
	bool even = !wrap;
	if (even)
		reduce(v, n, total - limit, 0, total);
	for (size_t i = 0; i < n; i++)
		even = even && v[i] > PADDING;
	if (even && sum(v, n) <= limit)
		return;
	memcpy(v, was, n * sizeof *v);
	collapse(v, n, limit);
}

/* --- cells ------------------------------------------------------------------------ */

static struct table_text cell_at(const struct table *t, size_t k)
{
	const size_t *ends = (const size_t *)(const void *)t->ends.p;
	size_t from = k ? ends[k - 1] : 0;
	return (struct table_text){t->text.p + from, ends[k] - from};
}

/* Where one is in a cell that is taken line by line, as displayed. */
struct cursor {
	const char *s;     /* what is left of the cell */
	size_t n;
	size_t line, text; /* bytes up to the next newline, and up to the blanks before it */
	bool more;         /* a line is still due: behind a newline that ends the cell is an empty one */
	size_t wait;       /* empty lines before the first: a head stands at the bottom */
};

static void see_line(struct cursor *c)
{
	const char *end = c->n ? memchr(c->s, '\n', c->n) : NULL;
	c->line = end ? (size_t)(end - c->s) : c->n;
	c->text = cell_text(c->s, c->line);
}

static struct cursor cursor_at(struct table_text cell)
{
	struct cursor c = {.s = cell.s, .n = cell.n, .more = true};
	see_line(&c);
	return c;
}

/* Takes the next line; false where none is left. */
static bool next_line(struct cursor *c, bool wrap, size_t width, struct table_text *line)
{
	if (!c->more)
		return false;
	size_t n = c->line;
	if (wrap && c->text) {
		n = cell_break(c->s, c->text, width);
		if (n == c->text)
			n = c->line;
	}
	*line = (struct table_text){c->s, wrap ? cell_within(c->s, n, width) : n};
	bool ends = n == c->line;
	c->more = n < c->n;
	n += ends && c->more; /* the newline */
	c->s += n;
	c->n -= n;
	if (ends)
		see_line(c);
	else {
		c->line -= n;
		c->text -= n;
	}
	return true;
}

int table_add(struct table *t, const struct table_text *cells)
{
	for (size_t i = 0; i < t->n; i++) {
		size_t from = t->text.n;
		if (cell_clean(&t->text, cells[i].s, cells[i].n) || buf_add(&t->ends, &t->text.n, sizeof t->text.n))
			return -1;
		struct cursor c = cursor_at((struct table_text){t->text.p + from, t->text.n - from});
		for (struct table_text line; next_line(&c, false, 0, &line);) {
			size_t wide = cell_width(line.s, line.n) + PADDING;
			if (wide > t->widths[i])
				t->widths[i] = wide;
		}
	}
	return 0;
}

int table_begin(struct table *t, const struct table_text *heads)
{
	t->widths = calloc(2 * t->n, sizeof *t->widths);
	/* cells point into the text, empty ones too */
	return t->widths && buf_reserve(&t->text, 1) == 0 ? table_add(t, heads) : -1;
}

void table_release(struct table *t)
{
	free(t->widths);
	buf_release(&t->text);
	buf_release(&t->ends);
}

/* --- drawing ---------------------------------------------------------------------- */

/* A line of the box: its left end, the stroke, what crosses a column's border, the right end. */
static int rule(const struct table *t, struct buf *b, const char *const part[4])
{
	int rc = buf_adds(b, part[0]);
	for (size_t i = 0; i < t->n && !rc; i++) {
		for (size_t k = 0; k < t->widths[i] && !rc; k++)
			rc = buf_adds(b, part[1]);
		rc = rc || buf_adds(b, i + 1 < t->n ? part[2] : part[3]);
	}
	return rc || buf_addc(b, '\n') ? -1 : 0;
}

static size_t inner(const struct table *t, size_t i)
{
	return t->widths[i] > PADDING ? t->widths[i] - PADDING : 0;
}

static size_t height(const struct table *t, size_t row)
{
	size_t most = 1;
	for (size_t i = 0; i < t->n; i++) {
		struct cursor c = cursor_at(cell_at(t, row * t->n + i));
		size_t lines = 0;
		for (struct table_text line; next_line(&c, t->wrap, inner(t, i), &line);)
			lines++;
		if (lines > most)
			most = lines;
	}
	return most;
}

/* Escapes around what is shown; nothing without colour. */
static int styled(const struct table *t, struct buf *b, const char *style)
{
	return t->colour ? buf_adds(b, style) : 0;
}

static int draw_cell(const struct table *t, struct buf *b, size_t i, struct table_text line, bool head)
{
	size_t wide = t->widths[i], in = inner(t, i);
	int rc = styled(t, b, head ? "\033[1m" : "\033[36m");
	if (in == 0)
		rc = rc || cell_fit(b, "", 0, wide);
	else
		rc = rc || buf_addc(b, ' ') || cell_fit(b, line.s, line.n, in) || buf_addc(b, ' ');
	return rc || styled(t, b, "\033[0m") ? -1 : 0;
}

static int draw_row(const struct table *t, struct buf *b, size_t row, struct cursor *at)
{
	const char *bar = row ? "│" : "┃";
	size_t lines = height(t, row);
	for (size_t i = 0; i < t->n; i++) {
		at[i] = cursor_at(cell_at(t, row * t->n + i));
		struct cursor c = at[i];
		size_t have = 0;
		for (struct table_text line; next_line(&c, t->wrap, inner(t, i), &line);)
			have++;
		if (row == 0)
			at[i].wait = lines - have;
	}
	for (size_t k = 0; k < lines; k++) {
		if (buf_adds(b, bar))
			return -1;
		for (size_t i = 0; i < t->n; i++) {
			struct table_text line = {"", 0};
			if (k >= at[i].wait)
				next_line(&at[i], t->wrap, inner(t, i), &line);
			if (draw_cell(t, b, i, line, row == 0) || buf_adds(b, bar))
				return -1;
		}
		if (buf_addc(b, '\n'))
			return -1;
	}
	return 0;
}

/* Centred above a table of `wide` columns, wrapped where it is wider. */
static int draw_title(const struct table *t, struct buf *b, const char *title, size_t wide)
{
	struct buf clean = {0};
	int rc = cell_clean(&clean, title, strlen(title));
	struct cursor c = cursor_at((struct table_text){clean.p, rc ? 0 : clean.n});
	for (struct table_text line; !rc && next_line(&c, true, wide, &line);) {
		line.n = cell_text(line.s, line.n);
		size_t cells = cell_width(line.s, line.n), left = cells < wide ? (wide - cells) / 2 : 0;
		rc = styled(t, b, "\033[3m") || cell_fit(b, "", 0, left) || cell_fit(b, line.s, line.n, wide - left) ||
		     styled(t, b, "\033[0m") || buf_addc(b, '\n');
	}
	buf_release(&clean);
	return rc ? -1 : 0;
}

int table_print(struct table *t, const char *title, struct buf *b)
{
	static const char *const top[] = {"┏", "━", "┳", "┓"}, *const below[] = {"┡", "━", "╇", "┩"},
	                         *const between[] = {"├", "─", "┼", "┤"}, *const bottom[] = {"└", "─", "┴", "┘"};
	size_t rows = t->ends.n / sizeof(size_t) / t->n, border = t->n + 1;
	struct cursor *at = malloc(t->n * sizeof *at);
	if (!at)
		return -1;
	share(t->widths, t->widths + t->n, t->n, t->width > border ? t->width - border : 0, t->wrap);
	int rc = title ? draw_title(t, b, title, sum(t->widths, t->n) + border) : 0;
	rc = rc || rule(t, b, top) || draw_row(t, b, 0, at) || rule(t, b, below);
	for (size_t row = 1; row < rows && !rc; row++)
		rc = (row > 1 && rule(t, b, between)) || draw_row(t, b, row, at);
	rc = rc || rule(t, b, bottom);
	free(at);
	return rc ? -1 : 0;
}
