#include "text/template.h"
#include "base/utf8.h"
#include "text/column.h"
#include "text/pyrepr.h"
#include "text/pyspec.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* One step of a field's path: the record's field itself, .member or [element]. */
struct step {
	enum { MEMBER, ELEMENT } kind;
	const char *s; /* in the template's text */
	size_t n;
};

/* A piece of the result: literal text, or a field with nsteps > 0. */
struct piece {
	const char *s; /* the literal, or the field's path as written */
	size_t n;
	size_t step, nsteps; /* of template.step */
	char conversion;     /* 'r', 's', 'a' or 0 */
	struct pyspec spec;
};

struct template {
	char *text;
	size_t n;
	struct piece *piece;
	size_t npieces;
	struct step *step;
	size_t nsteps;
	struct template *when_empty; /* instead of this one where the field `unless` is empty */
	char *unless;
	bool may_lack; /* and where the record has no such field */
};

/* --- parsing ----------------------------------------------------------------------- */

struct parser {
	struct template *t;
	const char *p, *end;
	struct err *e;
};

static int wrong(struct parser *s, const char *at, const char *what)
{
	return err_data(s->e, "column %zu of the template: %s", (size_t)(at - s->t->text) + 1, what);
}

/* Room is made for one piece and one step a byte of the text: there are never more. */
static void add_piece(struct template *t, const char *s, size_t n, size_t nsteps)
{
	if (n || nsteps)
		t->piece[t->npieces++] = (struct piece){s, n, t->nsteps - nsteps, nsteps, 0, {0}};
}

static void add_step(struct template *t, int kind, const char *s, const char *end)
{
	t->step[t->nsteps++] = (struct step){kind, s, (size_t)(end - s)};
}

/* The path of a field, p[0] being the first byte behind the name: .member and [element]. */
static int parse_path(struct parser *s, const char *p, const char *end)
{
	while (p < end) {
		const char *from = p + 1;
		if (*p == '.') {
			for (p = from; p < end && *p != '.' && *p != '['; p++)
				;
			add_step(s->t, MEMBER, from, p);
		} else if (*p == '[') {
			p = memchr(from, ']', (size_t)(end - from));
			if (!p)
				return wrong(s, from - 1, "a \"[\" without its \"]\"");
			add_step(s->t, ELEMENT, from, p++);
		} else {
			return wrong(s, p, "only \".\" or \"[\" may follow \"]\"");
		}
		if (s->t->step[s->t->nsteps - 1].n == 0)
			return wrong(s, from, "an empty name");
	}
	return 0;
}

/* What may follow a field's path: !r, !s or !a, a colon with a format specification,
 * and the closing brace; s->p stands there. */
static int parse_form(struct parser *s, struct piece *piece)
{
	const char *p = s->p, *why;
	if (*p == '!') {
		if (s->end - p < 2 || !memchr("rsa", p[1], 3))
			return wrong(s, p, "only the conversions !r, !s and !a are known");
		piece->conversion = p[1];
		p += 2;
		if (p == s->end || (*p != ':' && *p != '}'))
			return wrong(s, p, "only \":\" or \"}\" may follow a conversion");
	}
	if (*p == ':') {
		const char *from = ++p;
		while (p < s->end && *p != '}' && *p != '{')
			p++;
		if (p == s->end)
			return wrong(s, from - 1, "a format specification without its \"}\"");
		if (*p == '{')
			return wrong(s, p, "a field within a format specification is not supported");
		if (pyspec_parse(&piece->spec, from, (size_t)(p - from), &why))
			return wrong(s, from, why);
	}
	s->p = p + 1;
	return 0;
}

/* A field, s->p standing behind its "{". What stands in [] is the element's name,
 * whatever it holds, as in Python. */
static int parse_field(struct parser *s)
{
	const char *from = s->p, *p = from;
	while (p < s->end && !memchr("{}:!", *p, 4)) {
		if (*p == '[') {
			const char *close = memchr(p, ']', (size_t)(s->end - p));
			if (!close)
				return wrong(s, p, "a \"[\" without its \"]\"");
			p = close;
		}
		p++;
	}
	if (p == s->end)
		return wrong(s, from - 1, "a \"{\" without its \"}\" (a brace of the text is written twice)");
	if (*p == '{')
		return wrong(s, p, "a \"{\" in a field's name");
	const char *name = from;
	while (name < p && *name != '.' && *name != '[')
		name++;
	if (name == from)
		return wrong(s, from - 1, "a field without a name");
	size_t before = s->t->nsteps;
	add_step(s->t, MEMBER, from, name);
	if (parse_path(s, name, p))
		return -1;
	add_piece(s->t, from, (size_t)(p - from), s->t->nsteps - before);
	s->p = p;
	return parse_form(s, &s->t->piece[s->t->npieces - 1]);
}

static int parse_all(struct parser *s)
{
	const char *from = s->p;
	while (s->p < s->end) {
		char c = *s->p;
		if (c != '{' && c != '}') {
			s->p++;
			continue;
		}
		bool twice = s->p + 1 < s->end && s->p[1] == c;
		/* the first of two braces is the one that is kept */
		add_piece(s->t, from, (size_t)(s->p - from) + twice, 0);
		s->p += 1 + twice;
		if (!twice && c == '}')
			return wrong(s, s->p - 1, "a \"}\" without its \"{\" (a brace of the text is written twice)");
		if (!twice && parse_field(s))
			return -1;
		from = s->p;
	}
	add_piece(s->t, from, (size_t)(s->p - from), 0);
	return 0;
}

int template_parse(struct template **out, const char *text, size_t n, struct err *e)
{
	struct template *t = calloc(1, sizeof *t);
	if (!t)
		return err_mem(e);
	t->text = malloc(n + 1);
	t->piece = calloc(n + 1, sizeof *t->piece);
	t->step = calloc(n + 1, sizeof *t->step);
	if (!t->text || !t->piece || !t->step) {
		template_free(t);
		return err_mem(e);
	}
	memcpy(t->text, text, n);
	t->text[n] = 0;
	struct parser s = {t, t->text, t->text + n, e};
	if (parse_all(&s)) {
		template_free(t);
		return -1;
	}
	*out = t;
	return 0;
}

void template_free(struct template *t)
{
	if (!t)
		return;
	template_free(t->when_empty);
	free(t->unless);
	free(t->text);
	free(t->piece);
	free(t->step);
	free(t);
}

int template_else(struct template *t, const char *field, const char *text, size_t n, struct err *e)
{
	if (t->unless)
		return err_usage(e, "the template has a form for an empty \"%s\" already", t->unless);
	if (template_parse(&t->when_empty, text, n, e))
		return -1;
	t->may_lack = true;
	return (t->unless = strdup(field)) ? 0 : err_mem(e);
}

/* --- presets ---------------------------------------------------------------------------- */

#define QA_PROMPT "### Question:\n{question}\n\n### Answer:"
#define ALPACA_INPUT \
	"Below is an instruction that describes a task, paired with an input that provides further context. " \
	"Write a response that appropriately completes the request.\n\n" \
	"### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:"
#define ALPACA_ALONE \
	"Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n" \
	"### Instruction:\n{instruction}\n\n### Response:"

static const struct {
	const char *name, *text, *when_empty; /* the last where "input" is empty */
} presets[] = {
	{"qa", QA_PROMPT "\n{answer}", NULL},
	{"qa-prompt", QA_PROMPT, NULL},
	{"alpaca", ALPACA_INPUT "{output}", ALPACA_ALONE "{output}"},
	{"alpaca-prompt", ALPACA_INPUT, ALPACA_ALONE},
	{"concat", "{question} {answer}", NULL},
};

int template_preset(struct template **out, const char *name, struct err *e)
{
	for (size_t i = 0; i < sizeof presets / sizeof *presets; i++) {
		const char *other = presets[i].when_empty;
		if (strcmp(presets[i].name, name) != 0)
			continue;
		if (template_parse(out, presets[i].text, strlen(presets[i].text), e))
			return -1;
		if (other && template_else(*out, "input", other, strlen(other), e)) {
			template_free(*out);
			return -1;
		}
		(*out)->may_lack = false; /* the guide's record without an input is an error */
		return 0;
	}
	return err_usage(e, "there is no preset \"%s\", but %s", name, TEMPLATE_PRESETS);
}

int template_given(struct template **t, const char *given, size_t n, struct err *e)
{
	if (memchr(given, '{', n))
		return template_parse(t, given, n, e);
	char *name = strndup(given, n);
	int rc = name ? template_preset(t, name, e) : err_mem(e);
	free(name);
	return rc;
}

/* --- prompts ------------------------------------------------------------------------------- */

static bool is_answer(const struct piece *p)
{
	static const char *const names[] = {"answer", "output", "completion", "response"};
	for (size_t i = 0; i < sizeof names / sizeof *names && p->nsteps == 1; i++)
		if (p->n == strlen(names[i]) && memcmp(p->s, names[i], p->n) == 0)
			return true;
	return false;
}

bool template_prompt(struct template *t, const char **end, size_t *n)
{
	bool cut = t->when_empty && template_prompt(t->when_empty, end, n);
	const struct piece *last = NULL;
	for (const struct piece *p = t->piece; p < t->piece + t->npieces; p++)
		last = is_answer(p) ? p : last;
	if (!last)
		return cut;
	const struct piece *behind = last + 1;
	bool literal = behind < t->piece + t->npieces && behind->nsteps == 0;
	*end = literal ? behind->s : "";
	*n = literal ? behind->n : 0;
	t->npieces = (size_t)(last - t->piece);
	return true;
}

/* Fields that the template wants and the record has not: the first of all gets its text. */
static int add_fields(const struct template *t, struct arena *a, struct json *rec, struct json *first, struct err *e)
{
	for (const struct piece *p = t->piece; p < t->piece + t->npieces; p++) {
		if (p->nsteps == 0)
			continue;
		const struct step *name = &t->step[p->step];
		char *key = strndup(name->s, name->n);
		bool known = key && json_get(rec, key);
		int rc = !key || (!known && json_set(a, rec, key, rec->n ? json_string(a, "", 0) : first)) ? err_mem(e) : 0;
		free(key);
		if (rc)
			return -1;
	}
	return 0;
}

struct json *template_record(const struct template *t, struct arena *a, const char *text, size_t n, struct err *e)
{
	struct json *rec = json_object(a), *first = json_string(a, text, n);
	if (!rec || !first)
		return err_mem(e), NULL;
	if (add_fields(t, a, rec, first, e) || (t->when_empty && add_fields(t->when_empty, a, rec, first, e)))
		return NULL;
	if (rec->n == 0)
		return err_usage(e, "the template has no field for a prompt"), NULL;
	if (t->unless && !json_get(rec, t->unless) && json_set(a, rec, t->unless, json_string(a, "", 0)))
		return err_mem(e), NULL;
	return rec;
}

/* --- rendering ----------------------------------------------------------------------------- */

/* What {"0": "text"}, a column of one row, stands for. Any other object is one. */
static const struct json *cell(const struct json *v)
{
	if (!json_is(v, JSON_OBJECT) || v->n != 1 || v->child->keylen == 0)
		return v;
	for (size_t i = 0; i < v->child->keylen; i++)
		if (v->child->key[i] < '0' || v->child->key[i] > '9')
			return v;
	return v->child;
}

/* The character number `at` of the text v, in *room. */
static const struct json *character(const struct json *v, size_t at, struct json *room)
{
	for (size_t i = 0, len; i < v->n; i += len, at--) {
		uint32_t cp;
		len = (size_t)utf8_decode(v->s + i, v->n - i, &cp);
		if (at == 0) {
			*room = (struct json){.type = JSON_STRING, .s = v->s + i, .n = len};
			return room;
		}
	}
	return NULL;
}

static const struct json *element(const struct json *v, const char *s, size_t n, struct json *room)
{
	size_t at = 0;
	if (v->type != JSON_ARRAY && v->type != JSON_STRING)
		return json_getn(v, s, n);
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9' || at >= v->n)
			return NULL;
		at = at * 10 + (size_t)(s[i] - '0');
	}
	if (v->type == JSON_STRING)
		return character(v, at, room);
	const struct json *c = v->child;
	while (c && at--)
		c = c->next;
	return c;
}

/* The value at the path, or NULL; room holds it where it is a part of a text. */
static const struct json *find(const struct template *t, const struct piece *p, const struct json *v, struct json *room)
{
	for (size_t i = 0; i < p->nsteps && v; i++) {
		const struct step *s = &t->step[p->step + i];
		v = s->kind == ELEMENT ? element(v, s->s, s->n, room) : json_getn(v, s->s, s->n);
	}
	return v;
}

static int put_formatted(const struct piece *p, const struct json *v, struct buf *out, const char **why)
{
	struct buf text = {0};
	if (!p->conversion)
		return pyspec_value(out, &p->spec, v, why);
	*why = NULL;
	int rc = p->conversion == 's' ? pyrepr_str(&text, v) : pyrepr_repr(&text, v, p->conversion == 'a');
	if (rc == 0)
		rc = p->spec.any ? pyspec_text(out, &p->spec, text.p, text.n, why) : buf_add(out, text.p, text.n);
	buf_release(&text);
	return rc;
}

static int put_field(const struct piece *p, const struct json *v, struct buf *out, struct err *e)
{
	const char *why = NULL;
	int name = p->n > 100 ? 100 : (int)p->n, rc;
	if (!v)
		return err_data(e, "field \"%.*s\" is missing", name, p->s);
	v = cell(v);
	if (v->type == JSON_STRING && !p->conversion && !p->spec.any)
		rc = buf_add(out, v->s, v->n);
	else
		rc = put_formatted(p, v, out, &why);
	if (rc && why)
		return err_data(e, "field \"%.*s\": %s", name, p->s, why);
	return rc ? err_mem(e) : 0;
}

static int render(const struct template *t, const struct json *rec, struct buf *out, struct err *e)
{
	struct json room;
	for (const struct piece *p = t->piece; p < t->piece + t->npieces; p++) {
		int rc = p->nsteps ? put_field(p, find(t, p, rec, &room), out, e) : buf_add(out, p->s, p->n) ? err_mem(e) : 0;
		if (rc)
			return -1;
	}
	return 0;
}

/* What Python takes for false: the guide asks `if not record["input"]`. */
static bool is_empty(const struct json *v)
{
	v = column_value(v);
	switch (v->type) {
	case JSON_NULL: case JSON_FALSE:
		return true;
	case JSON_STRING: case JSON_ARRAY: case JSON_OBJECT:
		return v->n == 0;
	case JSON_NUMBER:
		return pyrepr_double(v) == 0;
	default:
		return false;
	}
}

int template_render(const struct template *t, const struct json *rec, struct buf *out, struct err *e)
{
	size_t before = out->n;
	if (!json_is(rec, JSON_OBJECT))
		return err_data(e, "the record is no JSON object");
	if (t->unless) {
		const struct json *v = json_get(rec, t->unless);
		if (!v && !t->may_lack)
			return err_data(e, "field \"%s\" is missing", t->unless);
		if (!v || is_empty(v))
			t = t->when_empty;
	}
	int rc = render(t, rec, out, e);
	if (rc)
		out->n = before;
	return rc;
}
