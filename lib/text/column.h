/* column.h - which field of a record is its text, where nobody said so: the
 * guide's column rule.
 *
 *	struct column c;
 *	if (column_text(&arena, rec, &c, &e)) ...
 *	use(c.text, c.n);            the first c.prompt bytes of it are the prompt
 *
 * The rule: question + answer if the record has both; else input + output; else
 * text; and, which the guide has not, else prompt + completion. The two are joined
 * with nothing between. The prompt is the first of them; a lone text has none
 * (prompt 0).
 *
 * A field that is an object with one member, {"0": "..."}, counts as that
 * member's value: pandas and datasets write a column of one row so. One with more
 * members is a whole column in one record, and an error: taking the first would
 * lose the others unseen. */
#ifndef TEXT_COLUMN_H
#define TEXT_COLUMN_H

#include "base/arena.h"
#include "base/err.h"
#include "io/json.h"

#include <stddef.h>

struct column {
	const char *text; /* in the record or in the arena; may be empty, never NULL */
	size_t n;
	size_t prompt; /* leading bytes of text that are the prompt, at most n */
};

/* ERR_DATA if no rule fits or a field is no text. Messages name the field, not the file. */
int column_text(struct arena *a, const struct json *rec, struct column *c, struct err *e);

/* The field `name` of rec as a string; ERR_DATA if it is missing or no text. */
int column_field(const struct json *rec, const char *name, const char **s, size_t *n, struct err *e);

/* What a record is asked with: the field `name`, or where that is NULL its question, else its input,
 * else its text, else its prompt. */
int column_asked(const struct json *rec, const char *name, const char **s, size_t *n, struct err *e);

/* v itself, or what an object with one member stands for. NULL stays NULL;
 * of any type. An object with none or several members stays itself. */
const struct json *column_value(const struct json *v);

#endif
