/* opt.h - one table drives parsing, --help and the check against the man page.
 *
 *	static bool quiet;
 *	static int64_t max = 512;
 *	static const struct opt opts[] = {
 *		{'n', "max-length", OPT_I64, &max, "N", "cut records to N tokens", .lo = 0, .hi = 1e9},
 *		OPT_COMMON(&quiet),
 *		{0}
 *	};
 *	static const struct opt_prog prog = {"pad-trunc", "[options] [FILE ...]", "pads and cuts token records", opts};
 *	int main(int argc, char **argv)
 *	{
 *		die_opts(&prog, &argc, &argv);      (base/die.h) ends for --help, --version and wrong usage
 *		...argv[0] .. argv[argc-1] are the operands
 *
 * Options and operands may mix; "--" ends options; "-" is an operand.
 * --name=VALUE, --name VALUE, -nVALUE and -n VALUE are the same; flags without
 * a value may be bundled (-qv). '_' in a long name is read as '-', so the
 * Hugging Face spelling works. A long name may be shortened to a unique prefix.
 */
#ifndef BASE_OPT_H
#define BASE_OPT_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum opt_kind {
	OPT_END = 0,
	OPT_GROUP, /* a heading of --help: only `help` is used */
	OPT_FLAG,  /* bool *: set to true */
	OPT_CLEAR, /* bool *: set to false */
	OPT_STR,   /* const char **: points into argv */
	OPT_I64,   /* int64_t *: lo <= value <= hi */
	OPT_U64,   /* uint64_t *: the whole range */
	OPT_F64,   /* double *: lo <= value <= hi */
	OPT_WORD,  /* int *: index of the value in `arg`, which reads "one|two|three" */
	OPT_LIST,  /* struct opt_list *: may be given more than once */
	OPT_HELP,
	OPT_VERSION
};

enum { OPT_LIST_MAX = 64 };
struct opt_list {
	int n;
	const char *v[OPT_LIST_MAX];
};

struct opt {
	char key;         /* one letter, or 0 */
	const char *name; /* long name, kebab-case, or NULL */
	enum opt_kind kind;
	void *dst;
	const char *arg; /* what --help calls the value; the words of OPT_WORD */
	const char *help;
	double lo, hi; /* bounds of OPT_I64 and OPT_F64, not looked at when both are 0 */
	bool *given;   /* set when the option occurs, or NULL */
};

/* What every program has; -o is added by those that write one file. */
#define OPT_COMMON(quiet) \
	{'q', "quiet", OPT_FLAG, quiet, NULL, "say nothing on stderr but errors", 0, 0, NULL}, \
	{'h', "help", OPT_HELP, NULL, NULL, "print this help", 0, 0, NULL}, \
	{0, "version", OPT_VERSION, NULL, NULL, "print the version", 0, 0, NULL}

struct opt_prog {
	const char *name;
	const char *usage;   /* what follows the name; more forms separated by '\n' */
	const char *summary; /* one line, as in the man page's NAME */
	const struct opt *opts;
};

enum opt_verdict { OPT_OK, OPT_WANTS_HELP, OPT_WANTS_VERSION, OPT_BAD };

/* Reads argv[1..], moves the operands to the front: afterwards (*argv)[0..*argc) are they.
 * On OPT_BAD e says what is wrong. */
enum opt_verdict opt_parse(const struct opt_prog *p, int *argc, char ***argv, struct err *e);
/* Writes the text of --help. */
void opt_print_help(const struct opt_prog *p, FILE *f);

#endif
