/* nx-init - a model directory of a given shape, with random weights. */
#include "base/buf.h"
#include "base/die.h"
#include "io/json.h"
#include "io/out.h"
#include "io/outdir.h"
#include "io/in.h"
#include "nx/config.h"
#include "nx/model.h"
#include "text/bpe.h"

#include <string.h>

static const char *output, *config, *size, *tokenizer, *act;
static uint64_t seed = 42;
static int64_t vocab, hidden, layers, heads, ffn, max_pos;
static double rotary_pct = -1, rotary_base = -1, range = -1;
static int save_dtype;
static bool tied, sequential, force, quiet;

static const struct opt opts[] = {
	{'o', "output", OPT_STR, &output, "DIR", "make this directory", 0, 0, NULL},
	{'c', "config", OPT_STR, &config, "FILE", "take the shape of this config.json", 0, 0, NULL},
	{'S', "size", OPT_STR, &size, "NAME", "take the shape of a Pythia, pythia-14m to -12b", 0, 0, NULL},
	{'T', "tokenizer", OPT_STR, &tokenizer, "FILE", "put this tokenizer.json in the directory", 0, 0, NULL},
	{'s', "seed", OPT_U64, &seed, "N", "seed of the random weights (default 42)", 0, 0, NULL},
	{0, "save-dtype", OPT_WORD, &save_dtype, TENSOR_WORDS, "the type of the weights in the file (default f32)", 0, 0, NULL},
	{0, "force", OPT_FLAG, &force, NULL, "write into a directory that is not empty", 0, 0, NULL},
	{0, NULL, OPT_GROUP, NULL, NULL, "Other than in the shape taken", 0, 0, NULL},
	{'V', "vocab-size", OPT_I64, &vocab, "N", "rows of the embeddings", 1, 1 << 27, NULL},
	{0, "hidden", OPT_I64, &hidden, "N", "width of the model", 1, 1 << 20, NULL},
	{0, "layers", OPT_I64, &layers, "N", "layers", 1, 1 << 14, NULL},
	{0, "heads", OPT_I64, &heads, "N", "attention heads a layer", 1, 1 << 16, NULL},
	{0, "ffn", OPT_I64, &ffn, "N", "inner width of the mlp (4 hidden, if that is given)", 1, 1 << 22, NULL},
	{0, "max-position", OPT_I64, &max_pos, "N", "longest text it is meant for", 1, 1 << 28, NULL},
	{0, "rotary-pct", OPT_F64, &rotary_pct, "X", "part of a head that rotary embedding turns", 0, 1, NULL},
	{0, "rotary-emb-base", OPT_F64, &rotary_base, "X", "base of its angles", 1e-3, 1e15, NULL},
	{0, "activation", OPT_STR, &act, "NAME", "gelu, gelu_new, gelu_fast or relu", 0, 0, NULL},
	{0, "init-range", OPT_F64, &range, "X", "deviation of the random weights", 0, 1e3, NULL},
	{0, "tied", OPT_FLAG, &tied, NULL, "the embedding is the head, too", 0, 0, NULL},
	{0, "sequential", OPT_FLAG, &sequential, NULL, "mlp behind attention instead of beside it", 0, 0, NULL},
	OPT_COMMON(&quiet),
	{0}
};
static const struct opt_prog prog = {"nx-init", "-o DIR [--size NAME | --config FILE] [options]",
                                     "make a model with random weights", opts};

/* --- shape --------------------------------------------------------------------- */

static void override(int *field, int64_t given)
{
	if (given)
		*field = (int)given;
}

static void read_shape(struct config *c)
{
	struct err e;
	if (config ? config_load(c, config, &e) : config_named(c, size ? size : "pythia-14m", &e))
		die_err(&e);
	override(&c->vocab, vocab);
	override(&c->hidden, hidden);
	override(&c->layers, layers);
	override(&c->heads, heads);
	override(&c->ffn, ffn ? ffn : 4 * hidden);
	override(&c->max_pos, max_pos);
	if (rotary_pct >= 0)
		c->rotary_pct = rotary_pct;
	if (rotary_base >= 0)
		c->rope_theta = rotary_base;
	if (range >= 0)
		c->init_range = range;
	c->tied |= tied;
	c->parallel &= !sequential;
	if ((act && config_set_act(c, act, &e)) || config_derive(c, &e))
		die_err(&e);
}

/* --- tokenizer ------------------------------------------------------------------- */

/* The end of a text that the tokenizer knows is the model's too, unless a config says otherwise. */
static struct bpe *read_tokenizer(struct config *c)
{
	struct err e;
	struct bpe *t;
	if (!tokenizer)
		return NULL;
	if (bpe_load(&t, tokenizer, &e))
		die_err(&e);
	if (bpe_vocab(t) > (uint32_t)c->vocab)
		die_now("%s: the tokenizer has %u ids, the model's vocabulary only %d: give --vocab-size", tokenizer, bpe_vocab(t),
		        c->vocab);
	if (!config && bpe_eos(t) >= 0)
		c->bos = c->eos[0] = bpe_eos(t), c->neos = 1;
	return t;
}

static int write_text(const char *dir, const char *name, const struct buf *text, struct err *e)
{
	struct buf path = {0};
	struct out *out;
	int rc = -1;
	if (buf_printf(&path, "%s/%s", dir, name) || !buf_str(&path))
		err_mem(e);
	else if (out_open(&out, path.p, OUT_PLAIN, e) == 0)
		rc = out_write(out, text->p, text->n, e) ? (out_abort(out), -1) : out_commit(out, e);
	buf_release(&path);
	return rc;
}

static int set_text(struct arena *a, struct json *o, const char *key, const char *s, size_t n)
{
	struct json *v = json_string(a, s, n);
	return v ? json_set(a, o, key, v) : -1;
}

/* What AutoTokenizer wants to see beside tokenizer.json. */
static int tokenizer_config(struct buf *text, const struct bpe *t, const struct config *c, struct err *e)
{
	struct arena a = {0};
	struct buf end = {0};
	struct json *o = json_object(&a), *max = json_number(&a, "%d", c->max_pos);
	int32_t eos = bpe_eos(t);
	int rc = !o || !max || set_text(&a, o, "tokenizer_class", "PreTrainedTokenizerFast", 23) ||
	                 json_set(&a, o, "model_max_length", max)
	             ? err_mem(e)
	             : 0;
	if (!rc && eos >= 0) {
		rc = bpe_decode(t, &eos, 1, false, &end, e);
		if (!rc && (set_text(&a, o, "bos_token", end.p, end.n) || set_text(&a, o, "eos_token", end.p, end.n) ||
		            set_text(&a, o, "unk_token", end.p, end.n)))
			rc = err_mem(e);
	}
	if (!rc && (json_write_pretty(text, o) || buf_addc(text, '\n')))
		rc = err_mem(e);
	buf_release(&end);
	arena_release(&a);
	return rc;
}

static int write_tokenizer(const char *dir, const struct bpe *t, const struct config *c, struct err *e)
{
	struct buf text = {0};
	int rc = in_slurp(tokenizer, &text, e) || write_text(dir, "tokenizer.json", &text, e);
	buf_reset(&text);
	rc = rc || tokenizer_config(&text, t, c, e) || write_text(dir, "tokenizer_config.json", &text, e) ? -1 : 0;
	buf_release(&text);
	return rc;
}

/* --- all of it -------------------------------------------------------------------- */

static void make(const struct config *c, const struct bpe *t)
{
	struct err e;
	struct model m;
	struct outdir *d;
	if (outdir_open(&d, output, force, &e))
		die_err(&e);
	if (model_init(&m, c, seed, &e)) {
		outdir_abort(d);
		die_err(&e);
	}
	size_t count = m.lay.count;
	int rc = model_save_as(&m, outdir_path(d), (enum tensor_dtype)save_dtype, &e) || (t && write_tokenizer(outdir_path(d), t, c, &e));
	model_release(&m);
	if (rc) {
		outdir_abort(d);
		die_err(&e);
	}
	if (outdir_commit(d, &e))
		die_err(&e);
	if (!quiet)
		die_warn("%s: %zu random parameters, seed %llu", output, count, (unsigned long long)seed);
}

int main(int argc, char **argv)
{
	struct config c;
	die_opts(&prog, &argc, &argv);
	if (argc)
		die_usage("nothing is read: what is \"%s\"?", argv[0]);
	if (!output)
		die_usage("no directory: give -o DIR");
	if (config && size)
		die_usage("--config and --size are two shapes: give one");
	read_shape(&c);
	struct bpe *t = read_tokenizer(&c);
	make(&c, t);
	bpe_close(t);
	return 0;
}
