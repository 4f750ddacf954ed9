#include "base/opt.h"
#include "base/num.h"

#include <string.h>

static bool takes_value(const struct opt *o)
{
	switch (o->kind) {
	case OPT_STR: case OPT_I64: case OPT_U64: case OPT_F64: case OPT_WORD: case OPT_LIST:
		return true;
	default:
		return false;
	}
}

/* Compares a name of the command line with a table's: '_' reads as '-'.
 * 2: equal, 1: a proper prefix, 0: neither. */
static int match(const char *given, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		char c = given[i] == '_' ? '-' : given[i];
		if (name[i] != c || !name[i])
			return 0;
	}
	return name[n] ? 1 : 2;
}

static const struct opt *find_long(const struct opt_prog *p, const char *s, size_t n, struct err *e)
{
	const struct opt *hit = NULL;
	for (const struct opt *o = p->opts; o->kind; o++) {
		int m = o->name ? match(s, n, o->name) : 0;
		if (m == 2)
			return o;
		if (m == 0)
			continue;
		if (hit) {
			err_usage(e, "option --%.*s is ambiguous: --%s or --%s", (int)n, s, hit->name, o->name);
			return NULL;
		}
		hit = o;
	}
	if (!hit)
		err_usage(e, "unknown option --%.*s", (int)n, s);
	return hit;
}

static const struct opt *find_short(const struct opt_prog *p, char c, struct err *e)
{
	for (const struct opt *o = p->opts; o->kind; o++)
		if (o->key && o->key == c)
			return o;
	err_usage(e, "unknown option -%c", c);
	return NULL;
}

static const char *spelled(const struct opt *o, char *out, size_t cap)
{
	if (o->name)
		snprintf(out, cap, "--%s", o->name);
	else
		snprintf(out, cap, "-%c", o->key);
	return out;
}

static int find_word(const char *words, const char *v)
{
	size_t n = strlen(v);
	for (int i = 0; *words; i++) {
		size_t w = strcspn(words, "|");
		if (match(v, n, words) && w == n)
			return i;
		words += w + (words[w] == '|');
	}
	return -1;
}

static int set_number(const struct opt *o, const char *as, const char *v, struct err *e)
{
	double x;
	int bad;
	if (o->kind == OPT_U64) {
		bad = num_u64(v, strlen(v), o->dst);
		return bad ? err_usage(e, "%s wants a whole number from 0 to 2^64-1, not \"%s\"", as, v) : 0;
	}
	if (o->kind == OPT_I64) {
		int64_t i = 0;
		if (num_i64(v, strlen(v), &i))
			return err_usage(e, "%s wants a whole number, not \"%s\"", as, v);
		x = (double)i;
		if (o->lo == o->hi || (x >= o->lo && x <= o->hi))
			return *(int64_t *)o->dst = i, 0;
	} else {
		if (num_f64(v, strlen(v), &x))
			return err_usage(e, "%s wants a number, not \"%s\"", as, v);
		if (o->lo == o->hi || (x >= o->lo && x <= o->hi))
			return *(double *)o->dst = x, 0;
	}
	return err_usage(e, "%s must be from %.10g to %.10g, not %s", as, o->lo, o->hi, v);
}

static void set_flag(const struct opt *o)
{
	if (o->given)
		*o->given = true;
	*(bool *)o->dst = o->kind == OPT_FLAG;
}

static int set(const struct opt *o, const char *v, struct err *e)
{
	char as[64];
	spelled(o, as, sizeof as);
	if (o->given)
		*o->given = true;
	switch (o->kind) {
	case OPT_STR:
		*(const char **)o->dst = v;
		return 0;
	case OPT_LIST: {
		struct opt_list *l = o->dst;
		if (l->n == OPT_LIST_MAX)
			return err_usage(e, "%s is given more than %d times", as, OPT_LIST_MAX);
		l->v[l->n++] = v;
		return 0;
	}
	case OPT_WORD: {
		int i = find_word(o->arg, v);
		if (i < 0)
			return err_usage(e, "%s is one of %s, not \"%s\"", as, o->arg, v);
		*(int *)o->dst = i;
		return 0;
	}
	default:
		return set_number(o, as, v, e);
	}
}

static enum opt_verdict one_long(const struct opt_prog *p, char *arg, char ***next, struct err *e)
{
	size_t n = strcspn(arg, "=");
	const struct opt *o = find_long(p, arg, n, e);
	if (!o)
		return OPT_BAD;
	if (o->kind == OPT_HELP || o->kind == OPT_VERSION)
		return o->kind == OPT_HELP ? OPT_WANTS_HELP : OPT_WANTS_VERSION;
	const char *v = arg[n] == '=' ? arg + n + 1 : NULL;
	if (v && !takes_value(o)) {
		err_usage(e, "--%s takes no value", o->name);
		return OPT_BAD;
	}
	if (!takes_value(o)) {
		set_flag(o);
		return OPT_OK;
	}
	if (!v) {
		if (!**next) {
			err_usage(e, "--%s wants a value", o->name);
			return OPT_BAD;
		}
		v = *(*next)++;
	}
	return set(o, v, e) ? OPT_BAD : OPT_OK;
}

static enum opt_verdict bundle(const struct opt_prog *p, char *arg, char ***next, struct err *e)
{
	while (*arg) {
		const struct opt *o = find_short(p, *arg++, e);
		if (!o)
			return OPT_BAD;
		if (o->kind == OPT_HELP || o->kind == OPT_VERSION)
			return o->kind == OPT_HELP ? OPT_WANTS_HELP : OPT_WANTS_VERSION;
		if (takes_value(o)) {
			if (!*arg && !**next) {
				err_usage(e, "-%c wants a value", o->key);
				return OPT_BAD;
			}
			return set(o, *arg ? arg : *(*next)++, e) ? OPT_BAD : OPT_OK;
		}
		set_flag(o);
	}
	return OPT_OK;
}

enum opt_verdict opt_parse(const struct opt_prog *p, int *argc, char ***argv, struct err *e)
{
	char **out = *argv, **next = *argv + (*argc > 0);
	while (*next) {
		char *a = *next++;
		enum opt_verdict v = OPT_OK;
		if (strcmp(a, "--") == 0) {
			while (*next)
				*out++ = *next++;
			break;
		}
		if (a[0] == '-' && a[1] == '-')
			v = one_long(p, a + 2, &next, e);
		else if (a[0] == '-' && a[1])
			v = bundle(p, a + 1, &next, e);
		else
			*out++ = a;
		if (v != OPT_OK)
			return v;
	}
	*out = NULL;
	*argc = (int)(out - *argv);
	return OPT_OK;
}

enum { COLUMN = 30, WIDTH = 79 };

/* The value's name behind n characters; one of many words goes on below where it is too long. */
static int print_value(const char *arg, int n, FILE *f)
{
	enum { INDENT = 10 };
	n += fprintf(f, " ");
	while (*arg) {
		size_t len = strcspn(arg, "|") + (strchr(arg, '|') != NULL);
		if ((size_t)n + len > WIDTH && n > INDENT) {
			fprintf(f, "\n%*s", INDENT, "");
			n = INDENT;
		}
		n += fprintf(f, "%.*s", (int)len, arg);
		arg += len;
	}
	return n;
}

static void print_option(const struct opt *o, FILE *f)
{
	char head[256];
	int n = 0;
	n += o->key ? snprintf(head, sizeof head, "  -%c%s", o->key, o->name ? ", " : "") : snprintf(head, sizeof head, "      ");
	if (o->name)
		n += snprintf(head + n, sizeof head - (size_t)n, "--%s", o->name);
	fputs(head, f);
	if (takes_value(o))
		n = print_value(o->arg, n, f);
	if (n >= COLUMN - 1) {
		fputc('\n', f);
		n = 0;
	}
	/* the text is wrapped at words, each line from the same column */
	const char *s = o->help;
	while (*s) {
		size_t room = WIDTH - COLUMN, len = strlen(s), cut = len;
		if (len > room) {
			for (cut = room; cut > 0 && s[cut] != ' '; cut--)
				;
			if (cut == 0)
				cut = strcspn(s, " ");
		}
		fprintf(f, "%*s%.*s\n", COLUMN - n, "", (int)cut, s);
		n = 0;
		s += cut + (s[cut] == ' ');
	}
}

void opt_print_help(const struct opt_prog *p, FILE *f)
{
	const char *u = p->usage;
	for (int first = 1; first || *u; first = 0) {
		size_t n = strcspn(u, "\n");
		fprintf(f, "%s %s %.*s\n", first ? "usage:" : "      ", p->name, (int)n, u);
		u += n + (u[n] == '\n');
	}
	fprintf(f, "%s\n\n", p->summary);
	for (const struct opt *o = p->opts; o->kind; o++) {
		if (o->kind == OPT_GROUP)
			fprintf(f, "%s%s:\n", o == p->opts ? "" : "\n", o->help);
		else
			print_option(o, f);
	}
	fprintf(f, "\nThe manual page %s(1) tells the rest; nxtools(7) the record formats.\n", p->name);
}
