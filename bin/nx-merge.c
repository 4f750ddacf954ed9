/* nx-merge - a model's directory with adapters folded into its weights. */
#include "base/buf.h"
#include "base/die.h"
#include "io/hub.h"
#include "io/outdir.h"
#include "nx/lorafile.h"
#include "nx/model.h"
#include "text/prompt.h"

#include <stdlib.h>

static const char *output, *base;
static int save_dtype;
static bool force, quiet;

static const struct opt opts[] = {
	{'o', "output", OPT_STR, &output, "DIR", "make this directory", 0, 0, NULL},
	{'m', "model", OPT_STR, &base, "DIR", "the model (default: the one the first adapter names, or $NX_MODEL)", 0, 0, NULL},
	{0, "save-dtype", OPT_WORD, &save_dtype, TENSOR_WORDS, "the type of the weights in the file (default f32)", 0, 0, NULL},
	{0, "force", OPT_FLAG, &force, NULL, "write into a directory that is not empty", 0, 0, NULL},
	OPT_COMMON(&quiet),
	{0}
};
static const struct opt_prog prog = {"nx-merge", "-o DIR [-m DIR] [--save-dtype TYPE] [ADAPTER ...]",
                                     "fold adapters into a model's weights", opts};

/* Which model: -m, what the first adapter names, the environment's. To be freed. */
static char *find_base(int n, char **adapters)
{
	struct buf named = {0};
	struct err e;
	const char *env = getenv("NX_MODEL"), *given = base ? base : env && *env ? env : NULL;
	char *dir = NULL;
	if (!base && n && lorafile_base(adapters[0], &named, &e))
		die_err(&e);
	if (named.n)
		dir = hub_named(named.p, &e);
	if (!dir && given && !(dir = hub_model(given, &e)))
		die_err(&e);
	if (!dir && named.n)
		die_now("%s: the model \"%s\" that it is for is not here: give -m DIR", adapters[0], named.p);
	if (!dir)
		die_usage("no model: give -m DIR or set NX_MODEL");
	buf_release(&named);
	return dir;
}

/* The tokenizer goes along: the model's, or where it has none the first adapter's; and the template of
 * prompts, of which the last adapter knows best. */
static int copy_tokenizer(const struct outdir *d, const char *model, int n, char **adapters, struct err *e)
{
	static const char *const files[] = {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"};
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		int rc = outdir_copy(d, model, files[i], e);
		if (rc == 0 && n)
			rc = outdir_copy(d, adapters[0], files[i], e);
		if (rc < 0)
			return -1;
	}
	int rc = n ? outdir_copy(d, adapters[n - 1], PROMPT_FILE, e) : 0;
	return rc < 0 || (rc == 0 && outdir_copy(d, model, PROMPT_FILE, e) < 0) ? -1 : 0;
}

static void merge(const char *model, int n, char **adapters)
{
	struct err e;
	struct model m;
	struct outdir *d;
	if (outdir_check(output, force, &e) || model_load(&m, model, &e))
		die_err(&e);
	for (int i = 0; i < n; i++)
		if (model_fold(&m, adapters[i], &e))
			die_err(&e);
	if (outdir_open(&d, output, force, &e))
		die_err(&e);
	int rc = model_save_as(&m, outdir_path(d), (enum tensor_dtype)save_dtype, &e) || copy_tokenizer(d, model, n, adapters, &e);
	size_t count = m.lay.count;
	model_release(&m);
	if (rc) {
		outdir_abort(d);
		die_err(&e);
	}
	if (outdir_commit(d, &e))
		die_err(&e);
	if (!quiet)
		die_warn("%s: %zu parameters of %s as %s, %d adapter%s folded in", output, count, model,
		         tensor_name((enum tensor_dtype)save_dtype), n, die_s(n));
}

int main(int argc, char **argv)
{
	die_opts(&prog, &argc, &argv);
	if (!output)
		die_usage("no directory: give -o DIR");
	char *dir = find_base(argc, argv);
	merge(dir, argc, argv);
	free(dir);
	return 0;
}
