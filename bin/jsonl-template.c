/* jsonl-template - adds fields made from a record's other fields: the text to be
 * tokenized, from a template, a preset, or the column rule; prompt and completion;
 * any others. Takes fields away. */
#include "base/die.h"
#include "base/skip.h"
#include "base/utf8.h"
#include "io/jsonl.h"
#include "io/out.h"
#include "text/column.h"
#include "text/strset.h"
#include "text/template.h"

#include <stdlib.h>
#include <string.h>

static const char *text, *file, *preset, *key, *when, *other, *prompt, *completion, *output;
static struct opt_list sets, drops, onlys;
static int64_t head = -1;
static bool columns, raw, skip_bad, quiet;

static const struct opt opts[] = {
	{'t', "template", OPT_STR, &text, "TEXT", "the template, as Python's str.format reads it: {name} {a.b} {a[b]}", 0, 0, NULL},
	{'f', "template-file", OPT_STR, &file, "FILE", "read the template from FILE", 0, 0, NULL},
	{'p', "preset", OPT_STR, &preset, TEMPLATE_PRESETS, "a template of this name; with none of the three the column rule: question+answer, input+output or text", 0, 0, NULL},
	{'k', "key", OPT_STR, &key, "NAME", "the field to write (default text)", 0, 0, NULL},
	{0, "if", OPT_STR, &when, "FIELD", "where FIELD is missing or empty, take the template of --else", 0, 0, NULL},
	{0, "else", OPT_STR, &other, "TEXT", "the template for such records, instead of that of -t, -f, -p or --prompt", 0, 0, NULL},
	{0, "prompt", OPT_STR, &prompt, "TEXT", "make the field prompt by this template", 0, 0, NULL},
	{0, "completion", OPT_STR, &completion, "TEXT", "make the field completion by this template", 0, 0, NULL},
	{0, "set", OPT_LIST, &sets, "NAME=TEXT", "make the field NAME by the template TEXT; may be given again", 0, 0, NULL},
	{0, "drop", OPT_LIST, &drops, "NAME,...", "leave these fields out; may be given again", 0, 0, NULL},
	{0, "only", OPT_LIST, &onlys, "NAME,...", "leave all other fields out; may be given again", 0, 0, NULL},
	{'r', "raw", OPT_FLAG, &raw, NULL, "write the text alone, with a newline, instead of the record", 0, 0, NULL},
	{'n', "head", OPT_I64, &head, "N", "stop after N records without reading the rest", 0, 9e18, NULL},
	{0, "columns", OPT_FLAG, &columns, NULL, "records hold whole columns, {\"question\": {\"0\": ..., \"1\": ...}, ...}: make rows of them", 0, 0, NULL},
	{0, "skip-bad", OPT_FLAG, &skip_bad, NULL, "pass over bad records and say how many", 0, 0, NULL},
	{'o', "output", OPT_STR, &output, "FILE", "write to FILE instead of stdout", 0, 0, NULL},
	OPT_COMMON(&quiet),
	{0}
};
static const struct opt_prog prog = {"jsonl-template", "[-t TEXT | -f FILE | -p NAME] [options] [FILE ...]",
                                     "add fields made from a record's other fields", opts};

enum { FIELDS = OPT_LIST_MAX + 3 };

/* A field to be made. */
struct made {
	char *name;
	struct template *t; /* NULL: the column rule */
	size_t from, n;     /* of the present record, in job.text; c for the column rule */
	struct column c;
};

struct job {
	struct jsonl in;
	struct out *out;
	struct made made[FIELDS];
	size_t nmade;
	struct arena row; /* a row made from columns */
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

/* The template of the main field; NULL: the column rule. */
static struct template *choose_template(void)
{
	struct template *t = NULL;
	struct err e;
	if (text && template_parse(&t, text, strlen(text), &e))
		die_value(&e);
	if (preset && template_preset(&t, preset, &e))
		die_err(&e);
	if (file)
		read_template(&t, file);
	// cppcheck-suppress CastIntegerToAddressAtReturn ; t is no integer: "template" is a keyword of another language
	return t;
}

static void add_field(struct job *j, const char *name, size_t n, struct template *t)
{
	char *copy = strndup(name, n);
	if (!copy)
		die_mem();
	for (size_t i = 0; i < j->nmade; i++)
		if (strcmp(j->made[i].name, copy) == 0)
			die_usage("the field \"%s\" is made twice", copy);
	j->made[j->nmade++] = (struct made){.name = copy, .t = t};
}

/* The option's text is the template. */
static void add_template(struct job *j, const char *option, const char *name, size_t n, const char *from)
{
	struct template *t;
	struct err e;
	if (template_parse(&t, from, strlen(from), &e)) {
		err_prefix(&e, "%s: ", option);
		die_value(&e);
	}
	add_field(j, name, n, t);
}

static void add_else(struct job *j)
{
	struct err e;
	if (!when != !other)
		die_usage("--if and --else belong together");
	if (!when)
		return;
	if (!text && !file && !preset && (!prompt || key))
		die_usage("--if and --else need a template: -t, -f, -p or --prompt");
	if (template_else(j->made[0].t, when, other, strlen(other), &e)) {
		if (e.kind != ERR_USAGE)
			err_prefix(&e, "--else: ");
		die_value(&e);
	}
}

static void check_options(void)
{
	const char *args[] = {text, key, when, other, prompt, completion};
	bool valid = true;
	for (size_t i = 0; i < sizeof args / sizeof *args; i++)
		valid &= !args[i] || utf8_valid(args[i], strlen(args[i])) == strlen(args[i]);
	const struct opt_list *lists[] = {&sets, &drops, &onlys};
	for (size_t l = 0; l < sizeof lists / sizeof *lists; l++)
		for (int i = 0; i < lists[l]->n; i++)
			valid &= utf8_valid(lists[l]->v[i], strlen(lists[l]->v[i])) == strlen(lists[l]->v[i]);
	if (!valid)
		die_usage("an argument is not valid UTF-8");
	if (!!text + !!file + !!preset > 1)
		die_usage("only one of -t, -f and -p");
	if (raw && (prompt || completion || sets.n || drops.n || onlys.n))
		die_usage("--raw writes one text: no --prompt, --completion, --set, --drop or --only");
}

/* The text is made unless other fields are asked for and it is not. */
static void choose_fields(struct job *j)
{
	bool main_text = text || file || preset || key || !(prompt || completion || sets.n || drops.n || onlys.n);
	check_options();
	if (main_text)
		add_field(j, key ? key : "text", strlen(key ? key : "text"), choose_template());
	if (prompt)
		add_template(j, "--prompt", "prompt", strlen("prompt"), prompt);
	if (completion)
		add_template(j, "--completion", "completion", strlen("completion"), completion);
	add_else(j);
	for (int i = 0; i < sets.n; i++) {
		const char *is = strchr(sets.v[i], '=');
		if (!is)
			die_usage("--set %s: no \"=\" between name and template", sets.v[i]);
		add_template(j, "--set", sets.v[i], (size_t)(is - sets.v[i]), is + 1);
	}
}

static bool enough(const struct job *j)
{
	return head >= 0 && j->written >= (uint64_t)head;
}

/* The texts of all fields, each from the record as it was read. */
static int render(struct job *j, struct json *rec, struct arena *a, struct err *e)
{
	buf_reset(&j->text);
	for (struct made *m = j->made; m < j->made + j->nmade; m++) {
		m->from = j->text.n;
		if (m->t ? template_render(m->t, rec, &j->text, e) : column_text(a, rec, &m->c, e))
			return -1;
		m->n = j->text.n - m->from;
	}
	for (struct made *m = j->made; m < j->made + j->nmade; m++)
		if (m->t)
			m->c = (struct column){.text = j->text.p + m->from, .n = m->n};
	return 0;
}

/* One of the names in the lists, which are separated by commas. */
static bool is_listed(const struct opt_list *l, const char *name, size_t n)
{
	for (int i = 0; i < l->n; i++)
		for (const char *p = l->v[i];; p++) {
			size_t len = strcspn(p, ",");
			if (len == n && memcmp(p, name, n) == 0)
				return true;
			p += len;
			if (!*p)
				break;
		}
	return false;
}

static bool is_made(const struct job *j, const char *name, size_t n)
{
	for (size_t i = 0; i < j->nmade; i++)
		if (strlen(j->made[i].name) == n && memcmp(j->made[i].name, name, n) == 0)
			return true;
	return false;
}

/* What the column rule would take before prompt and completion. */
static bool is_raw_material(const char *name, size_t n)
{
	static const char *const names[] = {"question", "answer", "input", "output", "text"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strlen(names[i]) == n && memcmp(names[i], name, n) == 0)
			return true;
	return false;
}

static bool is_kept(const struct job *j, const struct json *v)
{
	if (onlys.n && !is_listed(&onlys, v->key, v->keylen))
		return false;
	if (is_listed(&drops, v->key, v->keylen))
		return false;
	return !prompt || !completion || onlys.n || is_made(j, v->key, v->keylen) || !is_raw_material(v->key, v->keylen);
}

static int set_fields(struct job *j, struct json *rec, struct arena *a, struct err *e)
{
	for (struct made *m = j->made; m < j->made + j->nmade; m++) {
		struct json *v = json_string(a, m->c.text, m->c.n);
		if (!v || json_set(a, rec, m->name, v))
			return err_mem(e);
	}
	if (!drops.n && !onlys.n && !(prompt && completion))
		return 0;
	for (struct json **link = &rec->child; *link;) {
		if (is_kept(j, *link)) {
			link = &(*link)->next;
			continue;
		}
		*link = (*link)->next;
		rec->n--;
	}
	return 0;
}

/* Makes the fields, writes the record; with --raw, writes the text. */
static int put_record(struct job *j, struct json *rec, struct arena *a, struct err *e)
{
	const struct column *c = &j->made[0].c;
	if (!json_is(rec, JSON_OBJECT))
		return err_data(e, "the record is no JSON object");
	buf_reset(&j->line);
	if (render(j, rec, a, e) || (!raw && set_fields(j, rec, a, e)))
		return -1;
	if ((raw ? buf_add(&j->line, c->text, c->n) : json_write(&j->line, rec)) || buf_addc(&j->line, '\n'))
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

/* Where one is in a column. */
struct walk {
	const struct json *next; /* the present row's cell if the columns name their rows in the same order */
	struct strset names;     /* made where they do not: of the rows */
	const struct json **of;  /* their cells, by the number of the name */
};

static int index_rows(struct job *j, const struct json *c, struct walk *w, struct err *e)
{
	if (!(w->of = arena_alloc(&j->in.arena, (c->n + 1) * sizeof *w->of)))
		return err_mem(e);
	for (const struct json *v = c->child; v; v = v->next) {
		uint32_t i = strset_put(&w->names, v->key, v->keylen);
		if (i == STRSET_NONE)
			return err_mem(e);
		w->of[i] = v;
	}
	return 0;
}

/* The cell of column c in the row that `at` is the first column's cell of. */
static int find_cell(struct job *j, const struct json *c, const struct json *at, struct walk *w, const struct json **cell,
                     struct err *e)
{
	const struct json *v = w->next;
	if (!v || (at->key && (v->keylen != at->keylen || memcmp(v->key, at->key, v->keylen) != 0))) {
		if (!w->of && index_rows(j, c, w, e))
			return -1;
		uint32_t i = strset_find(&w->names, at->key, at->keylen);
		if (i == STRSET_NONE)
			return err_data(e, "column \"%s\" has no row \"%s\"", c->key, at->key);
		v = w->of[i];
	}
	w->next = v->next;
	*cell = v;
	return 0;
}

static int put_row(struct job *j, const struct json *rec, const struct json *at, struct walk *w, struct err *e)
{
	arena_reset(&j->row);
	struct json *row = json_object(&j->row), **link = row ? &row->child : NULL;
	if (!row)
		return err_mem(e);
	for (const struct json *c = rec->child; c; c = c->next, w++) {
		const struct json *v;
		struct json *copy = arena_alloc(&j->row, sizeof *copy);
		if (!copy)
			return err_mem(e);
		if (find_cell(j, c, at, w, &v, e))
			return -1;
		*copy = *v;
		copy->key = c->key;
		copy->keylen = c->keylen;
		copy->next = NULL;
		*link = copy;
		link = &copy->next;
		row->n++;
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
	struct walk *w = arena_zalloc(&j->in.arena, (rec->n + 1) * sizeof *w);
	if (!w)
		return err_mem(e);
	size_t i = 0, number = 0;
	int rc = 0;
	for (const struct json *c = rec->child; c; c = c->next)
		w[i++].next = c->child;
	for (const struct json *at = rec->child ? rec->child->child : NULL; at && !enough(j) && !rc; at = at->next, number++) {
		if (put_row(j, rec, at, w, e) == 0)
			continue;
		if (e->kind == ERR_DATA)
			err_prefix(e, "row %zu: ", number);
		rc = bad(j, e);
	}
	while (i-- > 0)
		strset_release(&w[i].names);
	return rc ? -1 : 0;
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
	static struct job j;
	struct err e;
	die_opts(&prog, &argc, &argv);
	j.skip.on = skip_bad;
	choose_fields(&j);
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
	for (size_t i = 0; i < j.nmade; i++) {
		template_free(j.made[i].t);
		free(j.made[i].name);
	}
	jsonl_close(&j.in);
	arena_release(&j.row);
	buf_release(&j.text);
	buf_release(&j.line);
	return 0;
}
