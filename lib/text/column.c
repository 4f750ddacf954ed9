#include "text/column.h"

#include <string.h>

const struct json *column_value(const struct json *v)
{
	return json_is(v, JSON_OBJECT) && v->n == 1 ? v->child : v;
}

static const char *type_name(const struct json *v)
{
	static const char *const names[] = {
		[JSON_NULL] = "null",       [JSON_FALSE] = "false",     [JSON_TRUE] = "true",        [JSON_NUMBER] = "a number",
		[JSON_STRING] = "a string", [JSON_ARRAY] = "an array", [JSON_OBJECT] = "an object"};
	return names[v->type];
}

int column_field(const struct json *rec, const char *name, const char **s, size_t *n, struct err *e)
{
	if (!json_is(rec, JSON_OBJECT))
		return err_data(e, "the record is %s, no JSON object", type_name(rec));
	const struct json *v = json_get(rec, name);
	if (!v)
		return err_data(e, "field \"%s\" is missing", name);
	v = column_value(v);
	if (v->type == JSON_OBJECT && v->n > 1)
		return err_data(e, "field \"%s\" holds %zu rows, not one text", name, v->n);
	if (v->type != JSON_STRING)
		return err_data(e, "field \"%s\" is %s, no text", name, type_name(v));
	*s = v->s;
	*n = v->n;
	return 0;
}

int column_asked(const struct json *rec, const char *name, const char **s, size_t *n, struct err *e)
{
	static const char *const rule[] = {"question", "input", "text", "prompt"};
	if (name || !json_is(rec, JSON_OBJECT))
		return column_field(rec, name ? name : rule[0], s, n, e);
	for (size_t i = 0; i < sizeof rule / sizeof *rule; i++)
		if (json_get(rec, rule[i]))
			return column_field(rec, rule[i], s, n, e);
	return err_data(e, "no \"question\", \"input\", \"text\" or \"prompt\" to answer: name a field with --field");
}

/* first + second in the arena; the first is the prompt. */
static int join(struct arena *a, const struct json *rec, const char *first, const char *second, struct column *c,
                struct err *e)
{
	const char *s[2];
	size_t n[2];
	if (column_field(rec, first, &s[0], &n[0], e) || column_field(rec, second, &s[1], &n[1], e))
		return -1;
	char *text = arena_alloc(a, n[0] + n[1] + 1);
	if (!text)
		return err_mem(e);
	memcpy(text, s[0], n[0]);
	memcpy(text + n[0], s[1], n[1]);
	text[n[0] + n[1]] = 0;
	*c = (struct column){.text = text, .n = n[0] + n[1], .prompt = n[0]};
	return 0;
}

int column_text(struct arena *a, const struct json *rec, struct column *c, struct err *e)
{
	static const char *const pair[][2] = {{"question", "answer"}, {"input", "output"}};
	*c = (struct column){.text = ""};
	for (size_t i = 0; i < sizeof pair / sizeof *pair; i++)
		if (json_get(rec, pair[i][0]) && json_get(rec, pair[i][1]))
			return join(a, rec, pair[i][0], pair[i][1], c, e);
	if (!json_get(rec, "text") && json_get(rec, "prompt") && json_get(rec, "completion"))
		return join(a, rec, "prompt", "completion", c, e);
	if (json_is(rec, JSON_OBJECT) && !json_get(rec, "text"))
		return err_data(e, "no field \"question\" and \"answer\", \"input\" and \"output\", \"text\", or \"prompt\" and \"completion\"");
	return column_field(rec, "text", &c->text, &c->n, e);
}
