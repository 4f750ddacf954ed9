/* nx-plot - the curves of training logs as a picture, or in the terminal. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/die.h"
#include "base/num.h"
#include "io/child.h"
#include "io/out.h"
#include "nx/curves.h"
#include "nx/plot.h"
#include "nx/plotsvg.h"
#include "nx/plottext.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { AUTO, SVG, PNG, TEXT }; /* --format */

static const char *output, *title;
static struct opt_list panels, labels;
static int format = AUTO, x_key;
static bool x_given, log_scale, skip_bad, quiet;
static double smooth, scale;
static int64_t width, height;

static const struct opt opts[] = {
	{'y', "y", OPT_LIST, &panels, "KEY,...", "a panel of these keys; again for another panel (default: loss,eval_loss and learning_rate)", 0, 0, NULL},
	{'x', "x", OPT_WORD, &x_key, "step|epoch|tokens", "what to draw them over (default: step; epoch in logs without it)", 0, 0, &x_given},
	{'l', "log-scale", OPT_FLAG, &log_scale, NULL, "logarithmic y axes", 0, 0, NULL},
	{'s', "smooth", OPT_F64, &smooth, "ALPHA", "moving average that gives the past the weight ALPHA; not of rates and evaluations", 0, 0.9999, NULL},
	{'t', "title", OPT_STR, &title, "TEXT", "heading", 0, 0, NULL},
	{0, "label", OPT_LIST, &labels, "FILE=NAME", "call FILE so (default: its name without directory and ending)", 0, 0, NULL},
	{'f', "format", OPT_WORD, &format, "auto|svg|png|text", "a picture, or lines of text (default auto: as FILE is named; else text on a terminal, svg elsewhere)", 0, 0, NULL},
	{'W', "width", OPT_I64, &width, "N", "pixels, or columns of text (default 720, or the terminal's)", 30, 20000, NULL},
	{'H', "height", OPT_I64, &height, "N", "pixels, or lines of text (default 480, or 24)", 10, 20000, NULL},
	{0, "scale", OPT_F64, &scale, "X", "X pixels of a PNG for each of --width and --height (default 2)", 0.5, 16, NULL},
	{0, "skip-bad", OPT_FLAG, &skip_bad, NULL, "pass over and count lines that are no JSON objects", 0, 0, NULL},
	{'o', "output", OPT_STR, &output, "FILE", "write to FILE instead of stdout", 0, 0, NULL},
	OPT_COMMON(&quiet),
	{0}
};
static const struct opt_prog prog = {"nx-plot", "[options] [LOG ...]", "draw the curves of training logs", opts};

/* --- keys and names ------------------------------------------------------------- */

static int key_index(struct curves *c, const char *key, int from)
{
	for (int i = from; i < c->nkeys; i++)
		if (!strcmp(c->keys[i], key))
			return i;
	return -1;
}

/* One panel: the keys of "a,b,c"; the list is taken apart in place. */
static void read_panel(struct curves *c, struct plot_want *w, char *list)
{
	int first = c->nkeys;
	if (w->npanels == PLOT_PANELS)
		die_usage("at most %d panels can be drawn", PLOT_PANELS);
	for (char *key; (key = strsep(&list, ","));) {
		if (!*key)
			die_usage("--y wants keys with a comma between two");
		if (c->nkeys == CURVES_KEYS)
			die_usage("at most %d keys can be drawn", CURVES_KEYS);
		if (key_index(c, key, first) < 0)
			c->keys[c->nkeys++] = key;
	}
	w->panels[w->npanels].first = first;
	w->panels[w->npanels++].n = c->nkeys - first;
}

static void read_panels(struct curves *c, struct plot_want *w)
{
	static const char *const usual[] = {"loss,eval_loss", "learning_rate"};
	static struct arena text; /* of the keys, kept to the end */
	for (int i = 0; i < (panels.n ? panels.n : 2); i++) {
		const char *given = panels.n ? panels.v[i] : usual[i];
		char *list = arena_dup(&text, given, strlen(given));
		if (!list)
			die_mem();
		read_panel(c, w, list);
	}
}

/* "runs/a.jsonl.zst" is "a". */
static char *stem_of(const char *path)
{
	static const char *const endings[] = {".zst", ".jsonl", ".json"};
	const char *slash = strrchr(path, '/');
	char *name = strdup(!strcmp(path, "-") ? "stdin" : slash && slash[1] ? slash + 1 : path);
	if (!name)
		die_mem();
	for (int i = 0; i < 3; i++) {
		size_t n = strlen(name), e = strlen(endings[i]);
		if (n > e && !strcmp(name + n - e, endings[i]))
			name[n - e] = 0;
	}
	return name;
}

/* Names from the files, by their paths where two would be called alike; then what --label says. */
static void name_logs(struct plot_want *w, char **paths, int n)
{
	static char *stems[CURVES_LOGS]; /* kept to the end, also where another name takes their place */
	bool twice[CURVES_LOGS] = {false};
	for (int i = 0; i < n; i++)
		w->names[i] = stems[i] = stem_of(paths[i]);
	for (int i = 0; i < n; i++)
		for (int k = 0; k < n; k++)
			twice[i] |= i != k && !strcmp(stems[i], stems[k]);
	for (int i = 0; i < n; i++)
		if (twice[i])
			w->names[i] = paths[i];
	for (int l = 0; l < labels.n; l++) {
		bool used = false;
		for (int i = 0; i < n; i++) {
			size_t len = strlen(paths[i]);
			if (strncmp(labels.v[l], paths[i], len) || labels.v[l][len] != '=')
				continue;
			w->names[i] = labels.v[l] + len + 1;
			used = true;
		}
		if (!used)
			die_usage("--label %s names no log: it is FILE=NAME with FILE as among the operands", labels.v[l]);
	}
}

/* --- writing -------------------------------------------------------------------- */

/* Braille needs a terminal that is told to be UTF-8, in the order in which the C library looks. */
static bool is_utf8(void)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
	for (int i = 0; i < 3; i++) {
		const char *v = getenv(names[i]);
		if (v && *v)
			return strcasestr(v, "utf-8") || strcasestr(v, "utf8");
	}
	return false;
}

static int terminal_columns(void)
{
	struct winsize size;
	int64_t n;
	const char *columns = getenv("COLUMNS");
	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col)
		return size.ws_col;
	return columns && !num_i64(columns, strlen(columns), &n) && n > 0 && n < 10000 ? (int)n : 80;
}

static int at_least(int64_t given, int usual, int least)
{
	int n = given ? (int)given : usual;
	return n < least ? least : n;
}

static void draw_text(struct buf *b, const struct plot *p, bool terminal)
{
	struct plottext_form form = {
		.columns = at_least(width, terminal ? terminal_columns() : 80, PLOTTEXT_LEAST_COLUMNS),
		.rows = at_least(height, 24, PLOTTEXT_LEAST_ROWS),
		.ascii = !is_utf8(),
		.colour = terminal && !getenv("NO_COLOR"),
	};
	if (plottext_write(b, p, &form))
		die_mem();
}

static int picture_width(void)
{
	return at_least(width, 720, PLOTSVG_LEAST_WIDTH);
}

static int picture_height(void)
{
	return at_least(height, 480, PLOTSVG_LEAST_HEIGHT);
}

static void draw_svg(struct buf *b, const struct plot *p)
{
	if (plotsvg_write(b, p, picture_width(), picture_height()))
		die_mem();
}

/* The same drawing in pixels, which librsvg's program makes of it. */
static void draw_png(struct buf *b, const struct plot *p)
{
	static const char signature[] = "\x89PNG\r\n\x1a\n";
	static char name[] = "rsvg-convert", form[] = "--format=png", w[32], h[32];
	char *const argv[] = {name, form, w, h, NULL};
	struct buf svg = {0};
	struct err e;
	double x = scale > 0 ? scale : 2;
	snprintf(w, sizeof w, "--width=%ld", lround(picture_width() * x));
	snprintf(h, sizeof h, "--height=%ld", lround(picture_height() * x));
	draw_svg(&svg, p);
	if (child_filter(argv, "librsvg2-bin", svg.p, svg.n, b, &e))
		die_err(&e);
	if (b->n < sizeof signature - 1 || memcmp(b->p, signature, sizeof signature - 1) != 0)
		die_now("%s wrote no PNG", name);
	buf_release(&svg);
}

static void draw(struct buf *b, const struct plot *p, bool terminal)
{
	if (format == PNG)
		draw_png(b, p);
	else if (format == TEXT || (format == AUTO && terminal))
		draw_text(b, p, terminal);
	else
		draw_svg(b, p);
}

/* Also /dev/stdout and its like. */
static bool is_terminal(const char *path)
{
	struct stat st;
	if (!path || !strcmp(path, "-"))
		return isatty(STDOUT_FILENO);
	int fd = stat(path, &st) == 0 && S_ISCHR(st.st_mode) ? open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC) : -1;
	bool is = fd >= 0 && isatty(fd);
	if (fd >= 0)
		close(fd);
	return is;
}

/* A name that ends as a PNG's asks for one; one that promises another kind of picture would be a lie. */
static void check_form(void)
{
	static const char *const others[] = {"pdf", "jpg", "jpeg", "gif", "webp", "ps", "eps"};
	const char *dot = output ? strrchr(output, '.') : NULL;
	if (dot && format == AUTO && strcasecmp(dot, ".png") == 0)
		format = PNG;
	for (size_t i = 0; dot && format == AUTO && i < sizeof others / sizeof *others; i++)
		if (strcasecmp(dot + 1, others[i]) == 0)
			die_usage("%s: pictures are SVG or PNG, which other programs make %s of (--format writes them under any name)",
			          output, others[i]);
	if (format == PNG && is_terminal(output))
		die_usage("a PNG is nothing for a terminal: name a file with -o, or send it through a pipe");
	if (scale > 0 && format != PNG)
		die_usage("--scale is for PNG alone");
}

static void write_plot(const struct buf *b)
{
	struct out *out;
	struct err e;
	if (out_open(&out, output, OUT_PLAIN, &e))
		die_err(&e);
	if (out_write(out, b->p, b->n, &e)) {
		out_abort(out);
		die_err(&e);
	}
	if (out_commit(out, &e))
		die_err(&e);
}

/* A log without a point, and a key that was asked for and is nowhere, are told of. */
static void tell_missing(const struct curves *c, char **paths)
{
	for (int log = 0; log < c->nlogs; log++) {
		size_t n = 0;
		for (int key = 0; key < c->nkeys; key++)
			n += curves_take(c, log, key, CURVES_NUMBER, NULL, NULL);
		if (!n)
			die_warn("%s: none of the keys is in it", !strcmp(paths[log], "-") ? "stdin" : paths[log]);
	}
	for (int key = 0; panels.n && key < c->nkeys; key++) {
		size_t n = 0;
		for (int log = 0; log < c->nlogs; log++)
			n += curves_take(c, log, key, CURVES_NUMBER, NULL, NULL);
		if (!n)
			die_warn("no log has the key \"%s\"", c->keys[key]);
	}
}

int main(int argc, char **argv)
{
	static struct curves c;
	static struct plot_want w;
	static char dash[] = "-", *only[] = {dash, NULL};
	struct skip skip = {0};
	struct plot p;
	struct buf b = {0};
	struct err e;
	die_opts(&prog, &argc, &argv);
	skip.on = skip_bad;
	check_form();
	if (!argc)
		argc = 1, argv = only;
	if (argc > CURVES_LOGS)
		die_usage("at most %d logs can be drawn", CURVES_LOGS);
	read_panels(&c, &w);
	name_logs(&w, argv, argc);
	for (int i = 0; i < argc; i++)
		if (curves_read(&c, argv[i], &skip, &e))
			die_err(&e);
	w.x = x_given ? (enum curves_x)x_key : curves_best_x(&c);
	w.title = title;
	w.log = log_scale;
	w.smooth = smooth;
	if (plot_make(&p, &c, &w, &e))
		die_err(&e);
	if (!quiet)
		tell_missing(&c, argv);
	draw(&b, &p, (!output || !strcmp(output, "-")) && isatty(STDOUT_FILENO));
	write_plot(&b);
	if (!quiet)
		die_skipped(&skip, "line");
	plot_release(&p);
	curves_release(&c);
	buf_release(&b);
	return 0;
}
