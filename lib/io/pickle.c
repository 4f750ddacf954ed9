#include "io/pickle.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct machine {
	struct arena *a;
	const unsigned char *p;
	size_t at, len;
	const struct pickle_name *names;
	int nnames;
	const char *file;
	struct err *e;
	/* NULL on the stack is a mark. Each byte of the pickle pushes one value at most. */
	struct pickle **stack;
	size_t n, cap;
	struct pickle **memo; /* by number; NULL: never set */
	size_t memos;
};

static int damaged(struct machine *m, const char *what)
{
	return err_data(m->e, "%s: byte %zu: %s", m->file, m->at, what);
}

/* --- bytes ------------------------------------------------------------------------- */

static int need(struct machine *m, size_t n)
{
	return m->len - m->at < n ? damaged(m, "the pickle is cut off") : 0;
}

static int number(struct machine *m, int bytes, uint64_t *v)
{
	if (need(m, (size_t)bytes))
		return -1;
	*v = 0;
	for (int i = bytes - 1; i >= 0; i--)
		*v = *v << 8 | m->p[m->at + (size_t)i];
	m->at += (size_t)bytes;
	return 0;
}

/* --- the stack ----------------------------------------------------------------------- */

static struct pickle *value(struct machine *m, enum pickle_type t)
{
	struct pickle *v = arena_zalloc(m->a, sizeof *v);
	if (v)
		v->type = t;
	else
		err_mem(m->e);
	return v;
}

static int push(struct machine *m, struct pickle *v)
{
	if (m->n == m->cap) {
		size_t cap = m->cap ? m->cap * 2 : 64;
		struct pickle **s = realloc(m->stack, cap * sizeof *s);
		if (!s)
			return err_mem(m->e);
		m->stack = s;
		m->cap = cap;
	}
	m->stack[m->n++] = v;
	return 0;
}

static int push_new(struct machine *m, enum pickle_type t, int64_t i)
{
	struct pickle *v = value(m, t);
	if (!v)
		return -1;
	v->i = i;
	return push(m, v);
}

/* The top value, taken away, or NULL. */
static struct pickle *pop(struct machine *m)
{
	if (m->n && m->stack[m->n - 1])
		return m->stack[--m->n];
	damaged(m, "nothing is on the stack");
	return NULL;
}

static struct pickle *top(struct machine *m)
{
	struct pickle *v = pop(m);
	if (v)
		m->n++;
	return v;
}

/* How many values stand above the last mark, or -1. */
static int64_t above_mark(struct machine *m)
{
	for (size_t i = m->n; i-- > 0;)
		if (!m->stack[i])
			return (int64_t)(m->n - i - 1);
	return damaged(m, "no mark is on the stack");
}

/* --- containers ------------------------------------------------------------------------ */

static int append(struct machine *m, struct pickle *to, const struct pickle *const *v, size_t n)
{
	if (n > to->cap - to->n) {
		size_t cap = to->cap * 2 > to->n + n ? to->cap * 2 : to->n + n;
		const struct pickle **item = arena_alloc(m->a, cap * sizeof *item);
		if (!item)
			return err_mem(m->e);
		if (to->n)
			memcpy(item, to->item, to->n * sizeof *item);
		to->item = item;
		to->cap = cap;
	}
	if (n)
		memcpy(to->item + to->n, v, n * sizeof *v);
	to->n += n;
	return 0;
}

/* The n top values become one tuple. */
static int tuple(struct machine *m, size_t n)
{
	struct pickle *v = value(m, PICKLE_LIST);
	if (!v)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (i >= m->n || !m->stack[m->n - 1 - i])
			return damaged(m, "a tuple has too few values");
	if (append(m, v, (const struct pickle *const *)m->stack + m->n - n, n))
		return -1;
	m->n -= n;
	return push(m, v);
}

static int tuple_from_mark(struct machine *m)
{
	int64_t n = above_mark(m);
	if (n < 0 || tuple(m, (size_t)n))
		return -1;
	m->stack[m->n - 2] = m->stack[m->n - 1]; /* over the mark */
	m->n--;
	return 0;
}

/* The n top values go into the container under them (and under the mark, if there is one). */
static int extend(struct machine *m, enum pickle_type t, size_t n, size_t mark)
{
	struct pickle *to = m->n > n + mark ? m->stack[m->n - n - mark - 1] : NULL;
	if (!to || to->type != t || (t == PICKLE_DICT && n % 2))
		return damaged(m, t == PICKLE_DICT ? "what is set is no member of a dictionary" : "what is added is no element of a list");
	for (size_t i = m->n - n; i < m->n; i++)
		if (!m->stack[i])
			return damaged(m, "a mark is where a value should be");
	if (append(m, to, (const struct pickle *const *)m->stack + m->n - n, n))
		return -1;
	m->n -= n + mark;
	return 0;
}

static int extend_from_mark(struct machine *m, enum pickle_type t)
{
	int64_t n = above_mark(m);
	return n < 0 ? -1 : extend(m, t, (size_t)n, 1);
}

/* --- text and names ----------------------------------------------------------------------- */

static int text(struct machine *m, int bytes)
{
	uint64_t n;
	if (number(m, bytes, &n) || need(m, n))
		return -1;
	struct pickle *v = value(m, PICKLE_TEXT);
	if (!v)
		return -1;
	if (!(v->s = arena_dup(m->a, (const char *)m->p + m->at, n)))
		return err_mem(m->e);
	v->n = n;
	m->at += n;
	return push(m, v);
}

/* Up to the next newline, which is passed over. */
static int line(struct machine *m, const char **s, size_t *n)
{
	const unsigned char *end = memchr(m->p + m->at, '\n', m->len - m->at);
	if (!end)
		return damaged(m, "the pickle is cut off");
	*s = (const char *)m->p + m->at;
	*n = (size_t)(end - m->p) - m->at;
	m->at += *n + 1;
	return 0;
}

static bool is(const char *s, size_t n, const char *name)
{
	return strlen(name) == n && !memcmp(s, name, n);
}

/* At most 100 of the bytes, without what a terminal might obey. */
static void printable(char out[101], const char *s, size_t n)
{
	size_t i = 0;
	for (; i < n && i < 100; i++)
		out[i] = s[i] > ' ' && s[i] < 127 ? s[i] : '?';
	out[i] = '\0';
}

static int name(struct machine *m)
{
	const char *module, *what;
	size_t nm, nw;
	char a[101], b[101];
	if (line(m, &module, &nm) || line(m, &what, &nw))
		return -1;
	for (int i = 0; i < m->nnames; i++)
		if (is(module, nm, m->names[i].module) && is(what, nw, m->names[i].name))
			return push_new(m, PICKLE_NAME, i);
	printable(a, module, nm);
	printable(b, what, nw);
	return err_data(m->e, "%s: it wants to call %s.%s, which a file of tensors has no use for: refused", m->file, a, b);
}

/* Function and arguments become the call, which nobody makes. */
static int call(struct machine *m)
{
	struct pickle *args = pop(m), *f = args ? pop(m) : NULL;
	if (!f)
		return -1;
	if (f->type != PICKLE_NAME || args->type != PICKLE_LIST || m->names[f->i].call == PICKLE_NONE)
		return damaged(m, "a call of what is no function");
	enum pickle_type t = m->names[f->i].call;
	if (t == PICKLE_DICT && args->n)
		return damaged(m, "a dictionary made from arguments is not supported");
	struct pickle *v = value(m, t);
	if (!v)
		return -1;
	v->i = f->i;
	const struct pickle *one = args;
	return (t == PICKLE_CALL && append(m, v, &one, 1)) || push(m, v) ? -1 : 0;
}

/* An object's attributes: nothing here has any that count. */
static int build(struct machine *m)
{
	return pop(m) && top(m) ? 0 : -1;
}

static int persistent(struct machine *m)
{
	const struct pickle *id = pop(m);
	struct pickle *v = id ? value(m, PICKLE_REF) : NULL;
	return !v || append(m, v, &id, 1) || push(m, v) ? -1 : 0;
}

/* --- memo ------------------------------------------------------------------------------------ */

static int put(struct machine *m, int bytes)
{
	uint64_t i;
	struct pickle *v;
	if (number(m, bytes, &i) || !(v = top(m)))
		return -1;
	if (i >= m->len) /* numbers are given one after the other */
		return damaged(m, "a memo's number is too large");
	if (i >= m->memos) {
		size_t want = m->memos * 2 > i + 1 ? m->memos * 2 : i + 1;
		struct pickle **memo = realloc(m->memo, want * sizeof *memo);
		if (!memo)
			return err_mem(m->e);
		memset(memo + m->memos, 0, (want - m->memos) * sizeof *memo);
		m->memo = memo;
		m->memos = want;
	}
	m->memo[i] = v;
	return 0;
}

static int fetch(struct machine *m, int bytes)
{
	uint64_t i;
	if (number(m, bytes, &i))
		return -1;
	return i < m->memos && m->memo[i] ? push(m, m->memo[i]) : damaged(m, "a memo was never set");
}

/* --- the machine -------------------------------------------------------------------------------- */

/* An int of `bytes` bytes, of which 4 and 8 are signed. */
static int push_int(struct machine *m, int bytes)
{
	uint64_t v;
	if (number(m, bytes, &v))
		return -1;
	return push_new(m, PICKLE_INT, bytes == 4 ? (int32_t)v : (int64_t)v);
}

/* Two's complement of at most 8 bytes: beyond that it measures nothing of a tensor. */
static int push_long(struct machine *m)
{
	uint64_t n, v;
	if (number(m, 1, &n))
		return -1;
	if (n > 8)
		return damaged(m, "a number of more than 64 bits");
	if (number(m, (int)n, &v))
		return -1;
	if (n && n < 8 && v >> (8 * n - 1))
		v |= ~(uint64_t)0 << 8 * n;
	return push_new(m, PICKLE_INT, (int64_t)v);
}

static int unknown(struct machine *m, unsigned op)
{
	return err_data(m->e, "%s: byte %zu: opcode 0x%02x is none that a file of tensors has a use for: refused", m->file,
	                m->at - 1, op);
}

static int step(struct machine *m, unsigned op)
{
	switch (op) {
	case '(': return push(m, NULL);
	case ')': case ']': return push_new(m, PICKLE_LIST, 0);
	case '}': return push_new(m, PICKLE_DICT, 0);
	case 'N': return push_new(m, PICKLE_NONE, 0);
	case 0x88: case 0x89: return push_new(m, PICKLE_BOOL, op == 0x88);
	case 'K': return push_int(m, 1);
	case 'M': return push_int(m, 2);
	case 'J': return push_int(m, 4);
	case 0x8a: return push_long(m);
	case 'X': return text(m, 4);
	case 'U': return text(m, 1);
	case 't': return tuple_from_mark(m);
	case 0x85: case 0x86: case 0x87: return tuple(m, op - 0x84);
	case 's': return extend(m, PICKLE_DICT, 2, 0);
	case 'u': return extend_from_mark(m, PICKLE_DICT);
	case 'a': return extend(m, PICKLE_LIST, 1, 0);
	case 'e': return extend_from_mark(m, PICKLE_LIST);
	case 'q': return put(m, 1);
	case 'r': return put(m, 4);
	case 'h': return fetch(m, 1);
	case 'j': return fetch(m, 4);
	case 'c': return name(m);
	case 'R': return call(m);
	case 'b': return build(m);
	case 'Q': return persistent(m);
	default: return unknown(m, op);
	}
}

static int run(struct machine *m, const struct pickle **root)
{
	if (m->len > PICKLE_MAX)
		return err_data(m->e, "%s: a pickle of %zu bytes: more than %d hold no tensors", m->file, m->len, PICKLE_MAX);
	if (m->len < 2 || m->p[0] != 0x80)
		return err_data(m->e, "%s: no pickle", m->file);
	if (m->p[1] != 2)
		return err_data(m->e, "%s: a pickle of protocol %d; torch.save writes 2, and only that is read", m->file, m->p[1]);
	for (m->at = 2; m->at < m->len;) {
		unsigned op = m->p[m->at++];
		if (op == '.') {
			if (!(*root = pop(m)))
				return -1;
			return m->n == 0 && m->at == m->len ? 0 : damaged(m, "the pickle ends with something left over");
		}
		if (step(m, op))
			return -1;
	}
	return damaged(m, "the pickle is cut off");
}

int pickle_parse(struct arena *a, const unsigned char *p, size_t n, const struct pickle_name *names, int nnames,
                 const char *file, const struct pickle **root, struct err *e)
{
	struct machine m = {.a = a, .p = p, .len = n, .names = names, .nnames = nnames, .file = file, .e = e};
	int rc = run(&m, root);
	free(m.stack);
	free(m.memo);
	return rc;
}

const struct pickle *pickle_at(const struct pickle *v, size_t i, enum pickle_type t)
{
	return v && i < v->n && v->item[i]->type == t ? v->item[i] : NULL;
}
