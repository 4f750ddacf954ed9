/* jsonl-table - columns of JSON lines as a table: for the terminal, in Markdown, HTML, CSV or TSV. */
#include "base/arena.h"
#include "base/die.h"
#include "base/skip.h"
#include "base/utf8.h"
#include "io/jsonl.h"
#include "io/out.h"
#include "text/strset.h"
#include "text/table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum format { TEXT, MARKDOWN, HTML, CSV, TSV };
enum colour { AUTO, ALWAYS, NEVER };
enum { FILES = 16 };

static const char *title, *output;
static struct opt_list chosen;
static int format, colour;
static int64_t width, head = -1, max_rows = -1;
static bool wrap, number, join, skip_bad, quiet;

static const struct opt opts[] = {
	{'c', "columns", OPT_LIST, &chosen, "FIELD[=TITLE],...", "the columns (default all fields of the first record); may be given again", 0, 0, NULL},
	{'f', "format", OPT_WORD, &format, "text|markdown|html|csv|tsv", "the form of the table (default text)", 0, 0, NULL},
	{'t', "title", OPT_STR, &title, "TEXT", "a title above the table", 0, 0, NULL},
	{'w', "wrap", OPT_FLAG, &wrap, NULL, "wrap cells that are too wide instead of cropping them", 0, 0, NULL},
	{0, "width", OPT_I64, &width, "N", "columns of the terminal (default COLUMNS, the terminal's, 80)", 1, 1e6, NULL},
	{0, "color", OPT_WORD, &colour, "auto|always|never", "colour (default auto: on a terminal, without NO_COLOR)", 0, 0, NULL},
	{'N', "number", OPT_FLAG, &number, NULL, "number the rows in a column # of their own", 0, 0, NULL},
	{'n', "head", OPT_I64, &head, "N", "stop after N rows without reading the rest", 0, 9e18, NULL},
	{0, "max-rows", OPT_I64, &max_rows, "N", "print at most N rows, read all and say how many more there are", 0, 9e18, NULL},
	{'j', "join", OPT_FLAG, &join, NULL, "set the FILEs side by side, as paste does; the column 2:FIELD is of the second", 0, 0, NULL},
	{0, "skip-bad", OPT_FLAG, &skip_bad, NULL, "pass over bad records and say how many", 0, 0, NULL},
	{'o', "output", OPT_STR, &output, "FILE", "write to FILE instead of stdout", 0, 0, NULL},
	OPT_COMMON(&quiet),
	{0}
};
static const struct opt_prog prog = {"jsonl-table", "[-c FIELD,...] [options] [FILE ...]", "print columns of JSON lines as a table", opts};

struct col {
	size_t file;    /* the input that it is of, from 0 */
	char *field;    /* NULL: the row's number */
	uint32_t index; /* of the field among those shown of that file */
	char *title;
	bool seen; /* some record has the field */
};

struct job {
	struct jsonl in[FILES];
	struct json *rec[FILES]; /* of the present row; NULL: the file has ended */
	size_t files;
	struct col *cols;
	size_t cap;
	struct arena names; /* of the columns */
	size_t n;
	struct strset shown[FILES]; /* the fields that columns are of */
	struct buf values[FILES];   /* const struct json *: what they are in the present row */
	struct table_text *cells; /* of the present row, as many as columns, in `text` */
	size_t *from;
	struct buf text, line;
	struct table table;
	struct out *out;
	uint64_t rows, left_out;
	struct skip skip;
};

/* --- columns ------------------------------------------------------------------------ */

/* The number of a field among those shown of the file, old or new. */
static uint32_t show_field(struct job *j, size_t file, const char *field, size_t n)
{
	struct strset *set = &j->shown[file];
	uint32_t before = set->n, index = strset_put(set, field, n);
	const struct json *none = NULL;
	if (index == STRSET_NONE || (set->n > before && buf_add(&j->values[file], &none, sizeof none)))
		die_mem();
	return index;
}

static const struct json **values(struct job *j, size_t file)
{
	return (const struct json **)(void *)j->values[file].p;
}

/* field: of n bytes; NULL: the column is the row's number. */
static void add_column(struct job *j, size_t file, const char *field, size_t n, const char *name)
{
	if (j->n == j->cap) {
		j->cap = 2 * j->cap + 16;
		struct col *v = realloc(j->cols, j->cap * sizeof *v);
		if (!v)
			die_mem();
		j->cols = v;
	}
	struct col *c = &j->cols[j->n++];
	*c = (struct col){.file = file, .title = arena_dup(&j->names, name, strlen(name))};
	if (field) {
		c->field = arena_dup(&j->names, field, n);
		c->index = show_field(j, file, field, n);
	}
	if ((field && !c->field) || !c->title)
		die_mem();
}

/* "2:answer=Base": with --join a number and a colon name the file. */
static void choose_column(struct job *j, char *word)
{
	char *is = strchr(word, '='), *field = word;
	size_t file = 0;
	if (is)
		*is++ = '\0';
	size_t digits = strspn(word, "0123456789");
	if (join && digits && word[digits] == ':') {
		file = strtoul(word, NULL, 10) - 1;
		field = word + digits + 1;
		if (file >= j->files)
			die_usage("--columns %s: there are %zu files", word, j->files);
	}
	add_column(j, file, field, strlen(field), is ? is : field);
}

static void choose_columns(struct job *j)
{
	if (number)
		add_column(j, 0, NULL, 0, "#");
	for (int i = 0; i < chosen.n; i++) {
		char *copy = strdup(chosen.v[i]), *rest = copy;
		if (!copy)
			die_mem();
		if (utf8_valid(copy, strlen(copy)) != strlen(copy))
			die_usage("--columns: not valid UTF-8");
		for (char *word; (word = strsep(&rest, ",")) != NULL;)
			choose_column(j, word);
		free(copy);
	}
}

/* Finds the fields shown in the file's present record; of two members of one name the last counts. */
static void find_values(struct job *j, size_t file)
{
	const struct json **found = values(j, file);
	for (uint32_t i = 0; i < j->shown[file].n; i++)
		found[i] = NULL;
	for (const struct json *v = j->rec[file] ? j->rec[file]->child : NULL; v && j->shown[file].n; v = v->next) {
		uint32_t i = strset_find(&j->shown[file], v->key, v->keylen);
		if (i != STRSET_NONE)
			found[i] = v;
	}
}

/* Without -c: all fields of the first row's records. */
static void default_columns(struct job *j)
{
	for (size_t f = 0; f < j->files; f++) {
		const struct json *first = j->rec[f] ? j->rec[f]->child : NULL;
		for (const struct json *v = first; v; v = v->next)
			show_field(j, f, v->key, v->keylen);
		find_values(j, f);
		for (const struct json *v = first; v; v = v->next) {
			if (values(j, f)[strset_find(&j->shown[f], v->key, v->keylen)] != v)
				continue;
			buf_reset(&j->line);
			if ((join && buf_printf(&j->line, "%zu:", f + 1)) || buf_add(&j->line, v->key, v->keylen) || !buf_str(&j->line))
				die_mem();
			add_column(j, f, v->key, v->keylen, j->line.p);
		}
	}
}

/* --- a row -------------------------------------------------------------------------- */

static int fill_cells(struct job *j, struct err *e)
{
	buf_reset(&j->text);
	for (size_t f = 0; f < j->files; f++)
		find_values(j, f);
	for (size_t i = 0; i < j->n; i++) {
		struct col *c = &j->cols[i];
		const struct json *v = c->field ? values(j, c->file)[c->index] : NULL;
		c->seen |= v || !c->field;
		int rc = 0;
		j->from[i] = j->text.n;
		if (!c->field)
			rc = buf_printf(&j->text, "%llu", (unsigned long long)j->rows + 1);
		else if (json_is(v, JSON_STRING))
			rc = buf_add(&j->text, v->s, v->n);
		else if (v)
			rc = json_write(&j->text, v);
		if (rc)
			return err_mem(e);
	}
	for (size_t i = 0; i < j->n; i++) {
		size_t to = i + 1 < j->n ? j->from[i + 1] : j->text.n;
		j->cells[i] = (struct table_text){j->text.p ? j->text.p + j->from[i] : "", to - j->from[i]};
	}
	return 0;
}

/* --- the formats that stream ---------------------------------------------------------- */

static const char *html_of(int c)
{
	switch (c) {
	case '&': return "&amp;";
	case '<': return "&lt;";
	case '>': return "&gt;";
	case '"': return "&quot;";
	case '\n': return "<br>";
	case '\r': return "";
	default: return (unsigned char)c < ' ' && c != '\t' ? "\xEF\xBF\xBD" : NULL; /* no control character is HTML */
	}
}

/* Markdown takes HTML and its own marks in cells: what is text is escaped. */
static const char *markdown_of(int c)
{
	static const char *const marks[] = {"\\|", "\\\\", "\\*", "\\_", "\\`", "\\[", "\\]", "\\~", "\\#"};
	for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
		if (c == marks[i][1])
			return marks[i];
	return c == '"' ? NULL : c == '\t' ? " " : html_of(c);
}

static const char *csv_of(int c)
{
	return c == '"' ? "\"\"" : NULL;
}

static const char *tsv_of(int c)
{
	switch (c) {
	case '\t': return "\\t";
	case '\n': return "\\n";
	case '\r': return "\\r";
	case '\\': return "\\\\";
	default: return NULL;
	}
}

static int escaped(struct buf *b, struct table_text t, const char *(*of)(int))
{
	for (size_t i = 0; i < t.n; i++) {
		const char *s = of(t.s[i]);
		if (s ? buf_adds(b, s) : buf_addc(b, t.s[i]))
			return -1;
	}
	return 0;
}

static bool needs_quotes(struct table_text t)
{
	for (size_t i = 0; i < t.n; i++)
		if (strchr(",\"\r\n", t.s[i]) && t.s[i])
			return true;
	return t.n && (t.s[0] == ' ' || t.s[t.n - 1] == ' ');
}

static int put_cell(struct buf *b, struct table_text t, size_t i, bool is_head)
{
	switch (format) {
	case MARKDOWN:
		return buf_adds(b, i ? " | " : "| ") || escaped(b, t, markdown_of);
	case HTML:
		return buf_adds(b, is_head ? "<th>" : "<td>") || escaped(b, t, html_of) || buf_adds(b, is_head ? "</th>" : "</td>");
	case CSV:
		if (i && buf_addc(b, ','))
			return -1;
		return needs_quotes(t) ? buf_addc(b, '"') || escaped(b, t, csv_of) || buf_addc(b, '"') : buf_add(b, t.s, t.n);
	default:
		return (i && buf_addc(b, '\t')) || escaped(b, t, tsv_of);
	}
}

static int put_row(struct job *j, const struct table_text *cells, bool is_head, struct err *e)
{
	static const char *const before[] = {"", "", "<tr>", "", ""}, *const after[] = {"", " |\n", "</tr>\n", "\r\n", "\n"};
	buf_reset(&j->line);
	int rc = buf_adds(&j->line, before[format]);
	for (size_t i = 0; i < j->n && !rc; i++)
		rc = put_cell(&j->line, cells[i], i, is_head);
	rc = rc || buf_adds(&j->line, after[format]);
	if (is_head && format == MARKDOWN) {
		for (size_t i = 0; i < j->n && !rc; i++)
			rc = buf_adds(&j->line, i ? " | ---" : "| ---");
		rc = rc || buf_adds(&j->line, " |\n");
	}
	return rc ? err_mem(e) : out_write(j->out, j->line.p, j->line.n, e);
}

/* What stands before the head of a document. */
static int put_opening(struct job *j, struct err *e)
{
	struct table_text t = {title, title ? strlen(title) : 0};
	struct buf *b = &j->line;
	buf_reset(b);
	int rc = 0;
	if (format == MARKDOWN && title)
		rc = buf_adds(b, "**") || escaped(b, t, markdown_of) || buf_adds(b, "**\n\n");
	if (format == HTML) {
		rc = buf_adds(b, "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>") || escaped(b, t, html_of) ||
		     buf_adds(b, "</title>\n<style>\ntable { border-collapse: collapse; font-family: sans-serif }\n"
		                 "caption { font-style: italic; padding: 0.5em }\nth, td { border: 1px solid #999; padding: 0.3em 0.6em; "
		                 "text-align: left; vertical-align: top }\nth { border-bottom: 3px solid #333 }\n</style></head><body>\n<table>\n");
		if (title)
			rc = rc || buf_adds(b, "<caption>") || escaped(b, t, html_of) || buf_adds(b, "</caption>\n");
	}
	return rc ? err_mem(e) : out_write(j->out, b->p, b->n, e);
}

/* --- the stream ----------------------------------------------------------------------- */

static bool is_coloured(void)
{
	const char *no = getenv("NO_COLOR");
	if (colour != AUTO)
		return colour == ALWAYS;
	return (!output || strcmp(output, "-") == 0) && isatty(STDOUT_FILENO) && !(no && *no);
}

static size_t terminal_width(void)
{
	const char *s = getenv("COLUMNS");
	struct winsize ws;
	if (width)
		return (size_t)width;
	if (s && *s && strspn(s, "0123456789") == strlen(s) && strlen(s) < 7 && strtoul(s, NULL, 10) > 0)
		return strtoul(s, NULL, 10);
	return isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col ? ws.ws_col : 80;
}

/* The columns are known: the head. */
static int begin(struct job *j, struct err *e)
{
	if (j->n == (number ? 1u : 0u))
		default_columns(j);
	j->cells = calloc(j->n + 1, sizeof *j->cells);
	j->from = calloc(j->n + 1, sizeof *j->from);
	if (!j->cells || !j->from)
		return err_mem(e);
	for (size_t i = 0; i < j->n; i++)
		j->cells[i] = (struct table_text){j->cols[i].title, strlen(j->cols[i].title)};
	if (j->n == 0)
		return 0;
	if (format != TEXT)
		return put_opening(j, e) ? -1 : put_row(j, j->cells, true, e);
	j->table = (struct table){.n = j->n, .width = terminal_width(), .wrap = wrap, .colour = is_coloured()};
	return table_begin(&j->table, j->cells) ? err_mem(e) : 0;
}

/* The next record of each file. 1, 0 where all have ended, or -1. */
static int read_row(struct job *j, struct err *e)
{
	bool any = false;
	for (size_t f = 0; f < j->files; f++) {
		int rc;
		while ((rc = jsonl_next(&j->in[f], &j->rec[f], e)) != 0) {
			if (rc > 0 && !json_is(j->rec[f], JSON_OBJECT)) {
				err_data(e, "the record is no JSON object");
				rc = jsonl_at(&j->in[f], e);
			}
			if (rc > 0)
				break;
			if (skip_pass(&j->skip, e))
				return -1;
		}
		if (rc == 0)
			j->rec[f] = NULL;
		any |= rc > 0;
	}
	return any;
}

static int run(struct job *j, struct err *e)
{
	bool begun = false;
	int rc = 0;
	while ((head < 0 || j->rows < (uint64_t)head) && (rc = read_row(j, e)) > 0) {
		if (!begun && begin(j, e))
			return -1;
		begun = true;
		if (max_rows >= 0 && j->rows >= (uint64_t)max_rows) {
			j->left_out++;
			continue;
		}
		if (fill_cells(j, e))
			return -1;
		j->rows++;
		if (format != TEXT ? j->n && put_row(j, j->cells, false, e) : j->n && table_add(&j->table, j->cells) && err_mem(e))
			return -1;
	}
	return rc < 0 || (!begun && begin(j, e)) ? -1 : 0;
}

static int finish(struct job *j, struct err *e)
{
	buf_reset(&j->line);
	if (j->n == 0)
		return 0;
	if (format == TEXT ? table_print(&j->table, title, &j->line) : format == HTML ? buf_adds(&j->line, "</table>\n</body></html>\n") : 0)
		return err_mem(e);
	return out_write(j->out, j->line.p, j->line.n, e);
}

static void open_inputs(struct job *j, int argc, char **argv)
{
	struct err e;
	j->files = join && argc > 1 ? (size_t)argc : 1;
	if (j->files > FILES)
		die_usage("--join takes at most %d files", FILES);
	for (size_t f = 0; f < j->files; f++)
		if (j->files > 1 ? jsonl_open(&j->in[f], 1, argv + f, &e) : jsonl_open(&j->in[f], argc, argv, &e))
			die_err(&e);
}

static void release(struct job *j)
{
	for (size_t f = 0; f < j->files; f++) {
		jsonl_close(&j->in[f]);
		strset_release(&j->shown[f]);
		buf_release(&j->values[f]);
	}
	free(j->cols);
	arena_release(&j->names);
	free(j->cells);
	free(j->from);
	table_release(&j->table);
	buf_release(&j->text);
	buf_release(&j->line);
}

int main(int argc, char **argv)
{
	static struct job j;
	struct err e;
	die_opts(&prog, &argc, &argv);
	if (title && utf8_valid(title, strlen(title)) != strlen(title))
		die_usage("--title: not valid UTF-8");
	j.skip.on = skip_bad;
	open_inputs(&j, argc, argv);
	choose_columns(&j);
	if (out_open(&j.out, output, OUT_PLAIN, &e))
		die_err(&e);
	if (run(&j, &e) || finish(&j, &e)) {
		out_abort(j.out);
		die_err(&e);
	}
	if (out_commit(j.out, &e))
		die_err(&e);
	if (!quiet) {
		die_skipped(&j.skip, "record");
		if (j.left_out)
			die_warn("%llu more row%s", (unsigned long long)j.left_out, die_s(j.left_out));
		for (size_t i = 0; j.rows && i < j.n; i++)
			if (!j.cols[i].seen)
				die_warn("none of the rows printed has the field \"%s\"", j.cols[i].field);
	}
	release(&j);
	return 0;
}
