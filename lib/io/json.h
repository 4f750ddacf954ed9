/* json.h - JSON values as a tree in an arena. The only user of yajl.
 *
 *	struct json *v;
 *	if (json_parse(&arena, text, n, &v, &e)) ...
 *	const struct json *q = json_get(v, "question");
 *	if (q && q->type == JSON_STRING) use(q->s, q->n);
 *	json_write(&buf, v);
 *
 * Members and elements keep their order; numbers keep their spelling; strings
 * are decoded UTF-8 and may hold NUL (each is also NUL-terminated). Stricter
 * than yajl: the text must be valid UTF-8, an unpaired surrogate escape is an
 * error (yajl would make it "?"), and so is nesting deeper than JSON_DEPTH. */
#ifndef IO_JSON_H
#define IO_JSON_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JSON_DEPTH = 1000 };

enum json_type { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
	enum json_type type;
	const char *s;      /* JSON_STRING: decoded text; JSON_NUMBER: as written; else NULL, but see json_ints */
	size_t n;           /* bytes of s; for arrays and objects the number of children */
	const char *key;    /* of a member of an object, else NULL */
	size_t keylen;
	struct json *child; /* first element or member */
	struct json *next;  /* sibling */
};

/* One value and nothing behind it but white space. Messages tell the column ("column 17: ..."). */
int json_parse(struct arena *a, const char *text, size_t n, struct json **v, struct err *e);

/* The member called key; of several the last, as Python takes it. NULL if there is none or v is no object. */
struct json *json_get(const struct json *v, const char *key);
struct json *json_getn(const struct json *v, const char *key, size_t keylen);
/* Numbers: 0, or -1 if v is NULL, no number, not whole or out of range. */
int json_i64(const struct json *v, int64_t *out);
int json_f64(const struct json *v, double *out);
/* false for NULL */
static inline bool json_is(const struct json *v, enum json_type t)
{
	return v && v->type == t;
}
bool json_streq(const struct json *v, const char *s); /* v is the string s */

/* New values in the arena; NULL when memory runs out. Strings are copied. */
struct json *json_string(struct arena *a, const char *s, size_t n);
struct json *json_number(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* An array of n numbers, to be written: it has no children, and `s` points to a copy of v. */
struct json *json_ints(struct arena *a, const int32_t *v, size_t n);
struct json *json_bool(struct arena *a, bool b);
struct json *json_null(struct arena *a);
struct json *json_object(struct arena *a);
struct json *json_array(struct arena *a);
/* Sets obj[key] to v (v is linked in, so it must stand nowhere else): replaces in place or appends. */
int json_set(struct arena *a, struct json *obj, const char *key, struct json *v);
void json_drop(struct json *obj, const char *key);
void json_push(struct json *array, struct json *v); /* walks to the end: not for long arrays */

/* One line, spaced as Python's json.dumps does it: UTF-8 as it is, only '"', '\\' and control characters escaped. */
int json_write(struct buf *b, const struct json *v);
/* The same with each member and element on a line of its own, indented by 2 a level, as HF writes files. */
int json_write_pretty(struct buf *b, const struct json *v);
/* "text" with its quotes. */
int json_quote(struct buf *b, const char *s, size_t n);

#endif
