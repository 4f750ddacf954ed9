/* nx-info - what a model is and what it costs. */
#include "base/buf.h"
#include "base/die.h"
#include "base/pool.h"
#include "io/hub.h"
#include "io/json.h"
#include "io/out.h"
#include "io/there.h"
#include "nx/config.h"
#include "nx/count.h"
#include "nx/modelfile.h"
#include "nx/params.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char *size, *output;
static int64_t max_length, accum = 1, batch = 1;
static bool as_json, quiet;

static const struct opt opts[] = {
	{'S', "size", OPT_STR, &size, "NAME", "tell of a Pythia by name, pythia-14m to -12b", 0, 0, NULL},
	{'n', "max-length", OPT_I64, &max_length, "N", "tokens of a sequence (default: the model's positions)", 1, 1e9, NULL},
	{'b', "batch-size", OPT_I64, &batch, "N", "sequences of a batch (default 1)", 1, 1e6, NULL},
	{'a', "grad-accum", OPT_I64, &accum, "N", "batches of a training step (default 1)", 1, 1e9, NULL},
	{'j', "json", OPT_FLAG, &as_json, NULL, "write one JSON object", 0, 0, NULL},
	{'o', "output", OPT_STR, &output, "FILE", "write to FILE instead of stdout", 0, 0, NULL},
	OPT_COMMON(&quiet),
	{0}
};
static const struct opt_prog prog = {"nx-info", "[options] [DIR | config.json]\n--size NAME [options]",
                                     "tell what a model is and what it costs", opts};

/* --- lines --------------------------------------------------------------------- */

/* One fact as "name: VALUE UNIT", or as the JSON member name_unit, in lower case and with '_' for spaces.
 * A value that begins with a digit is a JSON number, "true", "false" and "null" are themselves. */
struct fact {
	const char *name, *unit;
	char value[100];
};

enum { FACTS_MAX = 40 };
struct facts {
	struct fact v[FACTS_MAX];
	int n;
};

__attribute__((format(printf, 4, 5))) static void tell(struct facts *f, const char *name, const char *unit,
                                                       const char *fmt, ...)
{
	struct fact *x = &f->v[f->n++];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(x->value, sizeof x->value, fmt, ap);
	va_end(ap);
	x->name = name;
	x->unit = unit;
}

static int add_line(struct buf *b, const struct fact *f)
{
	return buf_printf(b, "%s: %s%s%s\n", f->name, f->value, f->unit ? " " : "", f->unit ? f->unit : "");
}

static int add_member(struct buf *b, const struct fact *f, bool first)
{
	struct buf key = {0};
	bool plain = isdigit((unsigned char)f->value[0]) || !strcmp(f->value, "true") || !strcmp(f->value, "false") ||
	             !strcmp(f->value, "null");
	int rc = buf_printf(&key, "%s%s%s", f->name, f->unit ? "_" : "", f->unit ? f->unit : "");
	for (size_t i = 0; i < key.n; i++)
		key.p[i] = key.p[i] == ' ' ? '_' : (char)tolower((unsigned char)key.p[i]);
	rc = rc || buf_adds(b, first ? "{" : ", ") || json_quote(b, key.p, key.n) || buf_adds(b, ": ") ||
	     (plain ? buf_adds(b, f->value) : json_quote(b, f->value, strlen(f->value)));
	buf_release(&key);
	return rc;
}

static void write_facts(const struct facts *f)
{
	struct buf text = {0};
	struct out *out;
	struct err e;
	for (int i = 0; i < f->n; i++)
		if (as_json ? add_member(&text, &f->v[i], i == 0) : add_line(&text, &f->v[i]))
			die_mem();
	if (as_json && buf_adds(&text, "}\n"))
		die_mem();
	if (out_open(&out, output, OUT_PLAIN, &e))
		die_err(&e);
	if (out_write(out, text.p, text.n, &e)) {
		out_abort(out);
		die_err(&e);
	}
	if (out_commit(out, &e))
		die_err(&e);
	buf_release(&text);
}

/* --- what there is to tell ------------------------------------------------------- */

static const char *yes(bool b)
{
	return b ? "true" : "false";
}

static void tell_shape(struct facts *f, const struct config *c)
{
	tell(f, "architecture", NULL, "GPTNeoXForCausalLM");
	tell(f, "vocabulary", NULL, "%d", c->vocab);
	tell(f, "hidden size", NULL, "%d", c->hidden);
	tell(f, "layers", NULL, "%d", c->layers);
	tell(f, "heads", NULL, "%d", c->heads);
	tell(f, "head size", NULL, "%d", c->head_dim);
	tell(f, "mlp size", NULL, "%d", c->ffn);
	tell(f, "positions", NULL, "%d", c->max_pos);
	tell(f, "activation", NULL, "%s", config_act_name(c));
	tell(f, "rotary dimensions", NULL, "%d", c->rotary_dims);
	tell(f, "rotary base", NULL, "%.15g", c->rope_theta);
	tell(f, "layernorm eps", NULL, "%.15g", c->ln_eps);
	tell(f, "parallel residual", NULL, "%s", yes(c->parallel));
	tell(f, "tied head", NULL, "%s", yes(c->tied));
	tell(f, "attention biases", NULL, "%s", yes(c->attn_bias));
}

/* A directory's files are held against its config; elsewhere there are none to look at. */
static void tell_weights(struct facts *f, const struct config *c, const char *path)
{
	struct params lay;
	struct err e;
	char types[40];
	int rc = path ? there_is_dir(path, &e) : 0;
	if (rc == 0)
		return;
	if (rc < 0 || params_layout(&lay, c, &e))
		die_err(&e);
	if ((rc = modelfile_check(&lay, path, types, &e)) < 0)
		die_err(&e);
	tell(f, "weights", NULL, "%s", rc ? types : as_json ? "null" : "none");
	params_release(&lay);
}

static void tell_cost(struct facts *f, const struct config *c)
{
	struct count n;
	struct err e;
	int64_t length = max_length ? max_length : c->max_pos;
	if (count_of(&n, c, &e))
		die_err(&e);
	double tokens = (double)length * (double)batch, bytes = 4 * (double)n.params;
	tell(f, "parameters", NULL, "%llu", (unsigned long long)n.params);
	tell(f, "parameters without input embedding", NULL, "%llu", (unsigned long long)(n.params - n.embedding));
	tell(f, "parameter memory", "GB", "%.9f", bytes / 1e9);
	tell(f, "parameter memory with the buffers of old transformers", "GB", "%.9f", (bytes + n.buffers) / 1e9);
	tell(f, "sequence length", NULL, "%lld", (long long)length);
	tell(f, "batch size", NULL, "%lld", (long long)batch);
	tell(f, "gradient accumulation", NULL, "%lld", (long long)accum);
	tell(f, "training step", "GFLOPs", "%.9f", count_flops(&n, tokens * (double)accum) / 1e9);
	tell(f, "training memory with adamw", "GB", "%.9f", (2 * bytes + (double)n.adamw) / 1e9);
	tell(f, "training memory with adafactor", "GB", "%.9f", (2 * bytes + (double)n.adafactor) / 1e9);
	if (length <= INT32_MAX / batch)
		tell(f, "activation memory", "GB", "%.9f", count_activations(c, (int)batch, (int)length, pool_cpus()) / 1e9);
}

int main(int argc, char **argv)
{
	struct config c;
	struct facts f = {0};
	struct err e;
	die_opts(&prog, &argc, &argv);
	if (argc > 1)
		die_usage("one model at a time: what is \"%s\"?", argv[1]);
	if (size && argc)
		die_usage("--size and \"%s\" are two models: give one", argv[0]);
	char *path = hub_model(argc ? argv[0] : "-", &e);
	if (!path)
		die_err(&e);
	if (size ? config_named(&c, size, &e) : config_load(&c, path, &e))
		die_err(&e);
	tell_shape(&f, &c);
	tell_weights(&f, &c, size ? NULL : path);
	tell_cost(&f, &c);
	write_facts(&f);
	free(path);
	return 0;
}
