/* Any bytes as a command line, words ending with NUL: read into a table with every kind
 * of option, within bounds, or refused; nothing is lost and nothing invented. */
#include "fuzz.h"

#include "base/opt.h"

enum { WORDS = 64 };

static bool quiet, clear;
static const char *text;
static struct opt_list list;
static int64_t number, wide;
static uint64_t seed;
static double real, any;
static int word;
static const struct opt opts[] = {
	{'o', "output", OPT_STR, &text, "FILE", "a text", 0, 0, NULL},
	{0, NULL, OPT_GROUP, NULL, NULL, "Numbers", 0, 0, NULL},
	{'n', "max-length", OPT_I64, &number, "N", "a whole number", -5, 1e9, NULL},
	{0, "max-steps", OPT_I64, &wide, "N", "any whole number", 0, 0, NULL},
	{'s', "seed", OPT_U64, &seed, "N", "a large one", 0, 0, NULL},
	{'r', "learning-rate", OPT_F64, &real, "X", "a number", 0, 1, NULL},
	{0, "scale", OPT_F64, &any, "X", "any number", 0, 0, NULL},
	{'w', "optim", OPT_WORD, &word, "adamw|adafactor|sgd", "a word", 0, 0, NULL},
	{'f', "field", OPT_LIST, &list, "NAME", "many", 0, 0, NULL},
	{'c', NULL, OPT_CLEAR, &clear, NULL, "off", 0, 0, NULL},
	OPT_COMMON(&quiet),
	{0, NULL, OPT_END, NULL, NULL, NULL, 0, 0, NULL},
};
static const struct opt_prog prog = {"fuzz", "[options] [FILE ...]", "reads options", opts};

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char *argv[WORDS + 2] = {(char *)"fuzz"}, **rest = argv;
	int argc = 1, words;
	struct err e;
	while (n && argc <= WORDS) {
		size_t len;
		const uint8_t *s = fuzz_part(&p, &n, &len);
		argv[argc] = strndup((const char *)s, len);
		fuzz_must(argv[argc++] != NULL);
	}
	char *all[WORDS + 2];
	memcpy(all, argv, sizeof all);
	words = argc;
	list.n = 0;
	word = 0;
	number = 0;
	real = 0;
	text = NULL;
	enum opt_verdict v = opt_parse(&prog, &argc, &rest, &e);
	if (v == OPT_OK) {
		fuzz_must(argc >= 0 && argc < words && rest[argc] == NULL);
		for (int i = 0, k = 1; i < argc; i++, k++) { /* the operands are words of the line, in their order */
			while (k < words && all[k] != rest[i])
				k++;
			fuzz_must(k < words);
		}
	}
	fuzz_must(v != OPT_BAD || (e.kind == ERR_USAGE && e.msg[0]));
	fuzz_must(number >= -5 && number <= 1000000000 && real >= 0 && real <= 1 && word >= 0 && word < 3);
	fuzz_must(list.n >= 0 && list.n <= OPT_LIST_MAX);
	for (int i = 1; i < words; i++)
		free(all[i]);
	return 0;
}
