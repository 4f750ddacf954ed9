/* jsonl-template - adds a field made from a record's other fields: the text to
 * be tokenized, from a template, a preset, or the column rule. */
#include "base/die.h"
#include "base/skip.h"
#include "base/utf8.h"
#include "io/jsonl.h"
#include "io/out.h"
#include "text/column.h"
#include "text/template.h"

#include <string.h>

static const char *text, *file, *preset, *key = "text", *output;
static int64_t head = -1;
static bool columns, raw, skip_bad, quiet;

static const struct opt opts[] = {
	{'t', "template", OPT_STR, &text, "TEXT", "the template, as Python's str.format reads it: {name} {a.b} {a[b]}", 0, 0, NULL},
	{'f', "template-file", OPT_STR, &file, "FILE", "read the template from FILE", 0, 0, NULL},
	{'p', "preset", OPT_STR, &preset, TEMPLATE_PRESETS, "a template of this name; with none of the three the column rule: question+answer, input+output or text", 0, 0, NULL},
	{'k', "key", OPT_STR, &key, "NAME", "the field to write (default text)", 0, 0, NULL},
	{'r', "raw", OPT_FLAG, &raw, NULL, "write the text alone, with a newline, instead of the record", 0, 0, NULL},
	{'n', "head", OPT_I64, &head, "N", "stop after N records without reading the rest", 0, 9e18, NULL},
	{0, "columns", OPT_FLAG, &columns, NULL, "records hold whole columns, {\"question\": {\"0\": ..., \"1\": ...}, ...}: make rows of them", 0, 0, NULL},
	{0, "skip-bad", OPT_FLAG, &skip_bad, NULL, "pass over bad records and say how many", 0, 0, NULL},
	{'o', "output", OPT_STR, &output, "FILE", "write to FILE instead of stdout", 0, 0, NULL},
	OPT_COMMON(&quiet),
	{0}
};
static const struct opt_prog prog = {"jsonl-template", "[-t TEXT | -f FILE | -p NAME] [options] [FILE ...]",
                                     "add a field made from a record's other fields", opts};

struct job {
	struct jsonl in;
	struct out *out;
	struct template *template; /* NULL: the column rule */
	struct arena row;          /* a row made from columns */
	struct buf text, line;
	uint64_t written;
	struct skip skip;
};

/* A template file's last line ends in a newline that the template has not. */
static void read_template(struct template **t, const char *path)
{
	struct buf b = {0};
	struct err e;
	if (in_slurp(path, &b, &e))
		die_err(&e);
	const char *p = b.p;
	size_t n = b.n;
	if (n >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0) {
		p += 3;
		n -= 3;
	}
	if (n && p[n - 1] == '\n')
		n -= 1 + (n > 1 && p[n - 2] == '\r');
	if (utf8_valid(p, n) != n)
		die_now("%s: the template is not valid UTF-8", path);
	if (template_parse(t, p, n, &e)) {
		err_prefix(&e, "%s: ", path);
		die_err(&e);
	}
	buf_release(&b);
}

static struct template *choose_template(void)
{
	struct template *t = NULL;
	struct err e;
	if (!!text + !!file + !!preset > 1)
		die_usage("only one of -t, -f and -p");
	if (utf8_valid(key, strlen(key)) != strlen(key) || (text && utf8_valid(text, strlen(text)) != strlen(text)))
		die_usage("an argument is not valid UTF-8");
	if (text && template_parse(&t, text, strlen(text), &e))
		die_usage("%s", e.msg);
	if (preset && template_preset(&t, preset, &e))
		die_err(&e);
	if (file)
		read_template(&t, file);
	return t;
}

static bool enough(const struct job *j)
{
	return head >= 0 && j->written >= (uint64_t)head;
}

/* The record with the text as its field, as a line. */
static int set_field(struct job *j, struct json *rec, const struct column *c, struct arena *a, struct err *e)
{
	struct json *v = json_string(a, c->text, c->n);
	return !v || json_set(a, rec, key, v) || json_write(&j->line, rec) ? err_mem(e) : 0;
}

/* Renders the record's text, sets the field, writes the record; with --raw, writes the text. */
static int put_record(struct job *j, struct json *rec, struct arena *a, struct err *e)
{
	struct column c;
	buf_reset(&j->text);
	if (j->template ? template_render(j->template, rec, &j->text, e) : column_text(a, rec, &c, e))
		return -1;
	if (j->template)
		c = (struct column){.text = j->text.p, .n = j->text.n};
	buf_reset(&j->line);
	if (raw ? buf_add(&j->line, c.text, c.n) && err_mem(e) : set_field(j, rec, &c, a, e))
		return -1;
	if (buf_addc(&j->line, '\n'))
		return err_mem(e);
	j->written++;
	return out_write(j->out, j->line.p, j->line.n, e);
}

/* --- columns to rows ----------------------------------------------------------------- */

/* All columns must be alike: objects or arrays of as many cells as the first. */
static int check_columns(const struct json *rec, struct err *e)
{
	const struct json *first = rec->child;
	if (!json_is(rec, JSON_OBJECT))
		return err_data(e, "the record is no JSON object");
	for (const struct json *c = first; c; c = c->next) {
		if (c->type != JSON_OBJECT && c->type != JSON_ARRAY)
			return err_data(e, "field \"%s\" is no column", c->key);
		if (c->type != first->type || c->n != first->n)
			return err_data(e, "column \"%s\" has not the rows of column \"%s\"", c->key, first->key);
	}
	return 0;
}

/* The cell of column c in the row that `at` is the first column's cell of. *next is
 * where it stands if the columns name their rows in the same order. */
static const struct json *cell(const struct json *c, const struct json *at, const struct json **next)
{
	const struct json *v = *next;
	if (v && (!at->key || (v->keylen == at->keylen && memcmp(v->key, at->key, v->keylen) == 0)))
		*next = v->next;
	else
		v = json_getn(c, at->key, at->keylen);
	return v;
}

static int put_row(struct job *j, const struct json *rec, const struct json *at, const struct json **next, struct err *e)
{
	arena_reset(&j->row);
	struct json *row = json_object(&j->row);
	if (!row)
		return err_mem(e);
	for (const struct json *c = rec->child; c; c = c->next, next++) {
		const struct json *v = cell(c, at, next);
		if (!v)
			return err_data(e, "column \"%s\" has no row \"%s\"", c->key, at->key);
		struct json *copy = arena_alloc(&j->row, sizeof *copy);
		if (!copy)
			return err_mem(e);
		*copy = *v;
		copy->next = NULL;
		if (json_set(&j->row, row, c->key, copy))
			return err_mem(e);
	}
	return put_record(j, row, &j->row, e);
}

/* --- the stream ------------------------------------------------------------------------ */

/* Where a data error is; 0 if --skip-bad goes on behind it. */
static int bad(struct job *j, struct err *e)
{
	if (e->kind == ERR_DATA)
		jsonl_at(&j->in, e);
	return skip_pass(&j->skip, e);
}

static int put_rows(struct job *j, const struct json *rec, struct err *e)
{
	if (check_columns(rec, e))
		return bad(j, e);
	const struct json **next = arena_alloc(&j->in.arena, (rec->n + 1) * sizeof *next);
	if (!next)
		return err_mem(e);
	size_t i = 0, number = 0;
	for (const struct json *c = rec->child; c; c = c->next)
		next[i++] = c->child;
	for (const struct json *at = rec->child ? rec->child->child : NULL; at && !enough(j); at = at->next, number++) {
		if (put_row(j, rec, at, next, e) == 0)
			continue;
		if (e->kind == ERR_DATA)
			err_prefix(e, "row %zu: ", number);
		if (bad(j, e))
			return -1;
	}
	return 0;
}

static int run(struct job *j, struct err *e)
{
	struct json *rec;
	int rc;
	while (!enough(j) && (rc = jsonl_next(&j->in, &rec, e)) != 0) {
		if (rc < 0)
			rc = skip_pass(&j->skip, e);
		else if (columns)
			rc = put_rows(j, rec, e);
		else
			rc = put_record(j, rec, &j->in.arena, e) ? bad(j, e) : 0;
		if (rc)
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct job j = {0};
	struct err e;
	die_opts(&prog, &argc, &argv);
	j.skip.on = skip_bad;
	j.template = choose_template();
	if (jsonl_open(&j.in, argc, argv, &e) || out_open(&j.out, output, OUT_PLAIN, &e))
		die_err(&e);
	if (run(&j, &e)) {
		out_abort(j.out);
		die_err(&e);
	}
	if (out_commit(j.out, &e))
		die_err(&e);
	if (!quiet)
		die_skipped(&j.skip, "record");
	template_free(j.template);
	jsonl_close(&j.in);
	arena_release(&j.row);
	buf_release(&j.text);
	buf_release(&j.line);
	return 0;
}
