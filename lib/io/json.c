#include "io/json.h"
#include "base/num.h"
#include "base/utf8.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

/* --- reading ----------------------------------------------------------------- */

struct parse {
	struct arena *a;
	struct json *root;
	struct json *open[JSON_DEPTH]; /* arrays and objects not yet closed */
	struct json *last[JSON_DEPTH]; /* the newest child of each */
	int depth;
	const char *key;
	size_t keylen;
	yajl_handle h;
	size_t end; /* of the root, once it is closed */
	const char *why; /* what we refuse and yajl would not; NULL: out of memory */
};

static struct json *place(struct parse *p, enum json_type type)
{
	struct json *v = arena_zalloc(p->a, sizeof *v);
	if (!v)
		return NULL;
	v->type = type;
	v->key = p->key;
	v->keylen = p->keylen;
	p->key = NULL;
	p->keylen = 0;
	if (p->depth == 0) {
		p->root = v;
		p->end = yajl_get_bytes_consumed(p->h);
		return v;
	}
	struct json *up = p->open[p->depth - 1], **last = &p->last[p->depth - 1];
	if (*last)
		(*last)->next = v;
	else
		up->child = v;
	*last = v;
	up->n++;
	return v;
}

static int on_null(void *ctx)
{
	return place(ctx, JSON_NULL) != NULL;
}

static int on_bool(void *ctx, int b)
{
	return place(ctx, b ? JSON_TRUE : JSON_FALSE) != NULL;
}

static int text(struct parse *p, enum json_type type, const char *s, size_t n)
{
	char *copy = arena_dup(p->a, s, n);
	struct json *v = copy ? place(p, type) : NULL;
	if (!v)
		return 0;
	v->s = copy;
	v->n = n;
	return 1;
}

static int on_number(void *ctx, const char *s, size_t n)
{
	return text(ctx, JSON_NUMBER, s, n);
}

static int on_string(void *ctx, const unsigned char *s, size_t n)
{
	return text(ctx, JSON_STRING, (const char *)s, n);
}

static int on_key(void *ctx, const unsigned char *s, size_t n)
{
	struct parse *p = ctx;
	p->key = arena_dup(p->a, (const char *)s, n);
	p->keylen = n;
	return p->key != NULL;
}

static int push(struct parse *p, enum json_type type)
{
	if (p->depth == JSON_DEPTH) {
		p->why = "nested too deep";
		return 0;
	}
	struct json *v = place(p, type);
	if (!v)
		return 0;
	p->open[p->depth] = v;
	p->last[p->depth] = NULL;
	p->depth++;
	return 1;
}

static int on_map(void *ctx)
{
	return push(ctx, JSON_OBJECT);
}

static int on_array(void *ctx)
{
	return push(ctx, JSON_ARRAY);
}

static int on_close(void *ctx)
{
	struct parse *p = ctx;
	p->depth--;
	p->end = yajl_get_bytes_consumed(p->h);
	return 1;
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_bool,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_map,
	.yajl_map_key = on_key,
	.yajl_end_map = on_close,
	.yajl_start_array = on_array,
	.yajl_end_array = on_close,
};

/* The four hexadecimal digits behind a "\u" at s, or -1. */
static long hex4(const char *s, const char *end)
{
	long v = 0;
	if (end - s < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = s[i];
		int d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
		if (d < 0)
			return -1;
		v = v << 4 | d;
	}
	return v;
}

/* The first \u escape of half a surrogate pair, which yajl would turn into "?"; NULL if there is none. */
static const char *lone_surrogate(const char *s, size_t n)
{
	const char *end = s + n, *p = s;
	while ((p = memchr(p, '\\', (size_t)(end - p))) && end - p >= 2) {
		if (p[1] != 'u') {
			p += 2;
			continue;
		}
		long hi = hex4(p + 2, end);
		if (hi >= 0xDC00 && hi <= 0xDFFF)
			return p;
		if (hi >= 0xD800 && hi <= 0xDBFF) {
			long lo = end - p >= 12 && p[6] == '\\' && p[7] == 'u' ? hex4(p + 8, end) : -1;
			if (lo < 0xDC00 || lo > 0xDFFF)
				return p;
			p += 6;
		}
		p += 2;
	}
	return NULL;
}

static int refuse(struct err *e, const char *text, size_t at, const char *why)
{
	size_t column = 1;
	for (size_t i = 0; i < at; i++)
		column += ((unsigned char)text[i] & 0xC0) != 0x80; /* characters, not bytes */
	return err_data(e, "column %zu: %s", column, why);
}

/* yajl's message is "parse error: WHAT\n" or "lexical error: WHAT\n" and a drawing. */
static int yajl_refused(yajl_handle h, struct parse *p, const char *text, size_t n, struct err *e)
{
	size_t at = yajl_get_bytes_consumed(h);
	if (at > n)
		at = n;
	unsigned char *msg = yajl_get_error(h, 0, (const unsigned char *)text, n);
	if (p->why || strstr((char *)msg, "client cancel")) {
		int rc = p->why ? refuse(e, text, at, p->why) : err_mem(e);
		yajl_free_error(h, msg);
		return rc;
	}
	char why[200];
	const char *colon = strstr((char *)msg, ": ");
	const char *what = colon ? colon + 2 : (char *)msg;
	snprintf(why, sizeof why, "not valid JSON: %.*s", (int)strcspn(what, "\n"), what);
	size_t w = strlen(why);
	while (w && (why[w - 1] == ' ' || why[w - 1] == '.'))
		why[--w] = 0;
	/* yajl has consumed the character its lexer stumbled over */
	at -= at > 0 && strncmp((char *)msg, "lexical", 7) == 0;
	yajl_free_error(h, msg);
	return refuse(e, text, at, why);
}

/* yajl uses what its allocator returns without a look at it. So ours does not return where
 * memory runs out: it leaves yajl, and all that yajl held is given back. */
struct block {
	alignas(16) struct block *next;
	struct block *before;
};

struct memory {
	struct block head;
	jmp_buf out;
};

static void *memory_get(void *ctx, void *old, size_t n)
{
	struct memory *m = ctx;
	struct block *was = old ? (struct block *)old - 1 : NULL;
	struct block *b = n > SIZE_MAX - sizeof *b ? NULL : realloc(was, sizeof *b + n);
	if (!b)
		longjmp(m->out, 1); /* `was` is in the list still */
	if (!old) {
		b->before = &m->head;
		b->next = m->head.next;
	}
	b->before->next = b;
	if (b->next)
		b->next->before = b;
	return b + 1;
}

static void *memory_new(void *ctx, size_t n)
{
	return memory_get(ctx, NULL, n);
}

static void memory_free(void *ctx, void *p)
{
	struct block *b = p ? (struct block *)p - 1 : NULL;
	(void)ctx;
	if (!b)
		return;
	b->before->next = b->next;
	if (b->next)
		b->next->before = b->before;
	free(b);
}

/* What stands behind the root, n if nothing does. yajl takes half a string there for an end of input. */
static size_t behind(const struct parse *p, const char *text, size_t n)
{
	size_t at = p->root && !p->depth ? p->end : n;
	while (at < n && (text[at] == ' ' || text[at] == '\t' || text[at] == '\r' || text[at] == '\n'))
		at++;
	return at;
}

static int parse_all(struct parse *p, const char *text, size_t n, struct err *e)
{
	if (yajl_parse(p->h, (const unsigned char *)text, n) != yajl_status_ok)
		return yajl_refused(p->h, p, text, n, e);
	size_t at = behind(p, text, n);
	if (at < n)
		return refuse(e, text, at, "not valid JSON: trailing garbage");
	return yajl_complete_parse(p->h) == yajl_status_ok ? 0 : yajl_refused(p->h, p, text, n, e);
}

static int run_yajl(struct parse *p, const char *text, size_t n, struct err *e)
{
	struct memory m = {.head = {0}};
	yajl_alloc_funcs funcs = {memory_new, memory_get, memory_free, &m};
	int rc;
	if (setjmp(m.out)) {
		rc = err_mem(e);
	} else {
		p->h = yajl_alloc(&callbacks, &funcs, p);
		yajl_config(p->h, yajl_dont_validate_strings, 1); /* done before, and stricter */
		rc = parse_all(p, text, n, e);
	}
	for (struct block *b = m.head.next, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	return rc;
}

/* Form feed and vertical tab: JSON has them nowhere, yajl takes them for white space. */
static const char *no_blank(const char *text, size_t n)
{
	const char *hit = memchr(text, '\f', n);
	return hit ? hit : memchr(text, '\v', n);
}

int json_parse(struct arena *a, const char *text, size_t n, struct json **v, struct err *e)
{
	/* yajl doubles the sizes of its buffers without a look at whether they can be doubled */
	if (n > SIZE_MAX / 8)
		return err_mem(e);
	size_t good = utf8_valid(text, n);
	if (good < n)
		return refuse(e, text, good, "not valid UTF-8");
	const char *half = lone_surrogate(text, n);
	if (half)
		return refuse(e, text, (size_t)(half - text), "half a surrogate pair");
	const char *odd = no_blank(text, n);
	if (odd)
		return refuse(e, text, (size_t)(odd - text), "not valid JSON: a control character");
	struct parse *p = arena_alloc(a, sizeof *p);
	if (!p)
		return err_mem(e);
	p->a = a;
	p->root = NULL;
	p->depth = 0;
	p->key = NULL;
	p->keylen = 0;
	p->end = 0;
	p->why = NULL;
	int bad = run_yajl(p, text, n, e);
	if (bad == 0 && !p->root)
		bad = err_data(e, "not valid JSON: empty");
	*v = p->root;
	return bad;
}

/* --- looking --------------------------------------------------------------- */

struct json *json_getn(const struct json *v, const char *key, size_t keylen)
{
	struct json *hit = NULL;
	if (!v || v->type != JSON_OBJECT)
		return NULL;
	for (struct json *c = v->child; c; c = c->next)
		if (c->keylen == keylen && memcmp(c->key, key, keylen) == 0)
			hit = c;
	return hit;
}

struct json *json_get(const struct json *v, const char *key)
{
	return json_getn(v, key, strlen(key));
}

int json_i64(const struct json *v, int64_t *out)
{
	return v && v->type == JSON_NUMBER ? num_i64(v->s, v->n, out) : -1;
}

int json_f64(const struct json *v, double *out)
{
	return v && v->type == JSON_NUMBER ? num_f64(v->s, v->n, out) : -1;
}

bool json_streq(const struct json *v, const char *s)
{
	return json_is(v, JSON_STRING) && v->n == strlen(s) && memcmp(v->s, s, v->n) == 0;
}

/* --- making ---------------------------------------------------------------- */

static struct json *new_value(struct arena *a, enum json_type type)
{
	struct json *v = arena_zalloc(a, sizeof *v);
	if (v)
		v->type = type;
	return v;
}

struct json *json_string(struct arena *a, const char *s, size_t n)
{
	struct json *v = new_value(a, JSON_STRING);
	if (!v || !(v->s = arena_dup(a, s, n)))
		return NULL;
	v->n = n;
	return v;
}

struct json *json_number(struct arena *a, const char *fmt, ...)
{
	char text[400];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	struct json *v = new_value(a, JSON_NUMBER);
	if (!v || n < 0 || n >= (int)sizeof text || !(v->s = arena_dup(a, text, (size_t)n)))
		return NULL;
	v->n = (size_t)n;
	return v;
}

/* A node a number would take twenty times the memory of the numbers, and most of the time of writing them. */
struct json *json_ints(struct arena *a, const int32_t *v, size_t n)
{
	struct json *top = new_value(a, JSON_ARRAY);
	if (!top || !(top->s = arena_alloc(a, (n + 1) * sizeof *v)))
		return NULL;
	if (n)
		memcpy((char *)top->s, v, n * sizeof *v);
	top->n = n;
	return top;
}

struct json *json_bool(struct arena *a, bool b)
{
	return new_value(a, b ? JSON_TRUE : JSON_FALSE);
}

struct json *json_null(struct arena *a)
{
	return new_value(a, JSON_NULL);
}

struct json *json_object(struct arena *a)
{
	return new_value(a, JSON_OBJECT);
}

struct json *json_array(struct arena *a)
{
	return new_value(a, JSON_ARRAY);
}

int json_set(struct arena *a, struct json *obj, const char *key, struct json *v)
{
	size_t n = strlen(key);
	struct json *was = json_getn(obj, key, n), **link = &obj->child;
	if (!v || !(v->key = arena_dup(a, key, n)))
		return -1;
	v->keylen = n;
	while (*link && *link != was)
		link = &(*link)->next;
	v->next = was ? was->next : NULL;
	*link = v;
	obj->n += !was;
	return 0;
}

void json_drop(struct json *obj, const char *key)
{
	size_t n = strlen(key);
	for (struct json **link = &obj->child; *link;) {
		if ((*link)->keylen == n && memcmp((*link)->key, key, n) == 0) {
			*link = (*link)->next;
			obj->n--;
		} else {
			link = &(*link)->next;
		}
	}
}

void json_push(struct json *array, struct json *v)
{
	struct json **link = &array->child;
	while (*link)
		link = &(*link)->next;
	*link = v;
	v->next = NULL;
	array->n++;
}

/* --- writing --------------------------------------------------------------- */

/* Not 0 if one of the eight bytes is a control character, '"' or '\\'; the lowest bit
 * that is set is then the highest of such a byte. (A byte above it may be marked wrongly.) */
static uint64_t wants_escape(uint64_t w)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), quote = w ^ (ones * '"'), slash = w ^ (ones * '\\');
	return (((w - ones * 0x20) & ~w) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash)) & (ones * 0x80);
}

/* How many bytes at s, of n, stand in JSON as they are. */
static size_t plain_span(const char *s, size_t n)
{
	size_t i = 0;
	for (uint64_t w; n - i >= 8; i += 8) {
		memcpy(&w, s + i, 8);
		w = wants_escape(w);
		if (w && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
			return i + (size_t)__builtin_ctzll(w) / 8;
		if (w)
			break;
	}
	while (i < n && (unsigned char)s[i] >= 0x20 && s[i] != '"' && s[i] != '\\')
		i++;
	return i;
}

static int put_escape(struct buf *b, unsigned char c)
{
	static const char short_form[32] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
	char two[2] = {'\\', c >= 32 ? (char)c : short_form[c]};
	return two[1] ? buf_add(b, two, 2) : buf_printf(b, "\\u%04x", c);
}

int json_quote(struct buf *b, const char *s, size_t n)
{
	if (buf_reserve(b, n + 2))
		return -1;
	buf_addc(b, '"');
	for (size_t i = 0; i < n; i++) {
		size_t plain = plain_span(s + i, n - i);
		if (buf_add(b, s + i, plain))
			return -1;
		i += plain;
		if (i < n && put_escape(b, (unsigned char)s[i]))
			return -1;
	}
	return buf_addc(b, '"');
}

static int write_scalar(struct buf *b, const struct json *v)
{
	switch (v->type) {
	case JSON_NULL: return buf_adds(b, "null");
	case JSON_FALSE: return buf_adds(b, "false");
	case JSON_TRUE: return buf_adds(b, "true");
	case JSON_NUMBER: return buf_add(b, v->s, v->n);
	default: return json_quote(b, v->s, v->n);
	}
}

static int new_line(struct buf *b, int level)
{
	if (level < 0)
		return 0;
	if (buf_addc(b, '\n'))
		return -1;
	for (int i = 0; i < level; i++)
		if (buf_add(b, "  ", 2))
			return -1;
	return 0;
}

/* Each number of json_ints; `inner` as write_value has it. */
static int write_ints(struct buf *b, const int32_t *v, size_t n, int inner)
{
	for (size_t i = 0; i < n; i++) {
		char text[12], *p = text + sizeof text;
		uint32_t u = v[i] < 0 ? 0 - (uint32_t)v[i] : (uint32_t)v[i];
		do
			*--p = (char)('0' + u % 10);
		while (u /= 10);
		if (v[i] < 0)
			*--p = '-';
		if ((i && buf_adds(b, inner < 0 ? ", " : ",")) || new_line(b, inner) ||
		    buf_add(b, p, (size_t)(text + sizeof text - p)))
			return -1;
	}
	return 0;
}

/* level < 0: compact. Depth is bounded by JSON_DEPTH and by what programs build. */
static int write_value(struct buf *b, const struct json *v, int level)
{
	if (v->type != JSON_ARRAY && v->type != JSON_OBJECT)
		return write_scalar(b, v);
	bool object = v->type == JSON_OBJECT;
	int inner = level < 0 ? -1 : level + 1;
	if (buf_addc(b, object ? '{' : '['))
		return -1;
	for (const struct json *c = v->child; c; c = c->next) {
		if ((c != v->child && buf_adds(b, level < 0 ? ", " : ",")) || new_line(b, inner))
			return -1;
		if (object && (json_quote(b, c->key, c->keylen) || buf_adds(b, ": ")))
			return -1;
		if (write_value(b, c, inner))
			return -1;
	}
	if (!object && v->s && write_ints(b, (const int32_t *)(const void *)v->s, v->n, inner))
		return -1;
	if (v->n && new_line(b, level))
		return -1;
	return buf_addc(b, object ? '}' : ']');
}

int json_write(struct buf *b, const struct json *v)
{
	return write_value(b, v, -1);
}

int json_write_pretty(struct buf *b, const struct json *v)
{
	return write_value(b, v, 0);
}
