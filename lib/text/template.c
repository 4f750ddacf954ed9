#include "text/template.h"
#include "text/column.h"

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
};

struct template {
	char *text;
	size_t n;
	struct piece *piece;
	size_t npieces;
	struct step *step;
	size_t nsteps;
	struct template *when_empty; /* instead of this one where the field `unless` is empty */
	const char *unless;
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
		t->piece[t->npieces++] = (struct piece){s, n, t->nsteps - nsteps, nsteps};
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
	if (*p == ':' || *p == '!')
		return wrong(s, p, "conversions and format specifications are not supported");
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
	s->p = p + 1;
	return 0;
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
	free(t->text);
	free(t->piece);
	free(t->step);
	free(t);
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
		(*out)->unless = other ? "input" : NULL;
		if (other && template_parse(&(*out)->when_empty, other, strlen(other), e)) {
			template_free(*out);
			return -1;
		}
		return 0;
	}
	return err_usage(e, "there is no preset \"%s\", but %s", name, TEMPLATE_PRESETS);
}

/* --- rendering ----------------------------------------------------------------------------- */

static const struct json *element(const struct json *v, const char *s, size_t n)
{
	size_t at = 0;
	if (v->type != JSON_ARRAY)
		return json_getn(v, s, n);
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9' || at >= v->n)
			return NULL;
		at = at * 10 + (size_t)(s[i] - '0');
	}
	const struct json *c = v->child;
	while (c && at--)
		c = c->next;
	return c;
}

static const struct json *find(const struct template *t, const struct piece *p, const struct json *v)
{
	for (size_t i = 0; i < p->nsteps && v; i++) {
		const struct step *s = &t->step[p->step + i];
		v = s->kind == ELEMENT ? element(v, s->s, s->n) : json_getn(v, s->s, s->n);
	}
	return v;
}

static int put_field(const struct piece *p, const struct json *v, struct buf *out, struct err *e)
{
	static const char *const words[] = {[JSON_NULL] = "None", [JSON_FALSE] = "False", [JSON_TRUE] = "True"};
	int name = p->n > 100 ? 100 : (int)p->n;
	if (!v)
		return err_data(e, "field \"%.*s\" is missing", name, p->s);
	v = column_value(v);
	switch (v->type) {
	case JSON_STRING: case JSON_NUMBER:
		return buf_add(out, v->s, v->n) ? err_mem(e) : 0;
	case JSON_ARRAY:
		return json_write(out, v) ? err_mem(e) : 0;
	case JSON_OBJECT:
		return err_data(e, "field \"%.*s\" is an object of %zu members, no text", name, p->s, v->n);
	default:
		return buf_adds(out, words[v->type]) ? err_mem(e) : 0;
	}
}

static int render(const struct template *t, const struct json *rec, struct buf *out, struct err *e)
{
	for (const struct piece *p = t->piece; p < t->piece + t->npieces; p++) {
		int rc = p->nsteps ? put_field(p, find(t, p, rec), out, e) : buf_add(out, p->s, p->n) ? err_mem(e) : 0;
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
		if (!v)
			return err_data(e, "field \"%s\" is missing", t->unless);
		if (is_empty(v))
			t = t->when_empty;
	}
	int rc = render(t, rec, out, e);
	if (rc)
		out->n = before;
	return rc;
}
