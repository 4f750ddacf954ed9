/* template.h - text from a record's fields, by a subset of Python's str.format.
 *
 *	struct template *t;
 *	if (template_parse(&t, "Q: {question} A: {answer[0]}", n, &e)) ...
 *	if (template_preset(&t, "qa", &e)) ...           instead
 *	if (template_render(t, rec, &buf, &e)) ...       appends to buf
 *	template_free(t);
 *
 * {name} is the field of that name, {a.b} and {a[b]} the member b of the object a,
 * {a[0]} the first element of the array a or character of the text a (or the member
 * called 0 of an object); {{ and }} are braces. The conversions !r !s !a and the
 * format specifications of text/pyspec.h may follow. {} and other fields without a
 * name are refused, and so is a field within a specification.
 *
 * Values print as Python prints what json.loads makes of them (text/pyrepr.h). An
 * object whose one member is called by a number, {"0": "text"}, is a column of one
 * row and counts as that member's value, as in text/column.h. */
#ifndef TEXT_TEMPLATE_H
#define TEXT_TEMPLATE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "io/json.h"

#include <stdbool.h>
#include <stddef.h>

struct template;

/* ERR_DATA with the column (in bytes, from 1) of what is wrong; text is copied. */
int template_parse(struct template **t, const char *text, size_t n, struct err *e);

/* Where `field` is missing or empty (null, false, 0, or nothing in it) t gives the template
 * `text` instead of its own. ERR_USAGE if t has such a form already. */
int template_else(struct template *t, const char *field, const char *text, size_t n, struct err *e);

/* The guide's templates:
 *	qa             "### Question:\n{question}\n\n### Answer:\n{answer}"
 *	qa-prompt      the same up to and with "### Answer:"
 *	alpaca-prompt  instruction and input, or where input is empty the instruction
 *	               alone; ends in "### Response:"
 *	alpaca         that, and the output right behind it
 *	concat         "{question} {answer}"
 * ERR_USAGE for any other name. */
int template_preset(struct template **t, const char *name, struct err *e);
#define TEMPLATE_PRESETS "qa|qa-prompt|alpaca|alpaca-prompt|concat"

/* A preset's name or, where it has a "{", a template: what an option or a file gives. */
int template_given(struct template **t, const char *given, size_t n, struct err *e);

/* Makes of a template of whole texts that of their prompts: cuts it before the last field called answer,
 * output, completion or response. false: it has none, and is one of prompts already. *end, *n: the
 * text behind that field up to the next one, in t. */
bool template_prompt(struct template *t, const char **end, size_t *n);
/* A record for t of one text: that is its first field, all others are empty. NULL: t has no field,
 * or memory ran out. */
struct json *template_record(const struct template *t, struct arena *a, const char *text, size_t n, struct err *e);

/* ERR_DATA if a field is missing or cannot be put in; out is as it was then. */
int template_render(const struct template *t, const struct json *rec, struct buf *out, struct err *e);

void template_free(struct template *t); /* NULL is fine */

#endif
