#include "nx/config.h"

#include "base/arena.h"
#include "base/buf.h"
#include "io/in.h"
#include "io/json.h"
#include "io/out.h"
#include "io/there.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const acts[] = {
	[CONFIG_GELU] = "gelu", [CONFIG_GELU_NEW] = "gelu_new", [CONFIG_GELU_FAST] = "gelu_fast", [CONFIG_RELU] = "relu"};
enum { ACTS = sizeof acts / sizeof *acts };

/* --- what the fields must agree on ---------------------------------------------- */

int config_derive(struct config *c, struct err *e)
{
	if (c->hidden % c->heads)
		return err_usage(e, "hidden size %d is no multiple of %d heads", c->hidden, c->heads);
	c->head_dim = c->hidden / c->heads;
	c->rotary_dims = (int)(c->head_dim * c->rotary_pct);
	if (c->rotary_dims % 2)
		return err_usage(e, "rotary fraction %g of a head's %d dimensions makes %d, which do not pair up", c->rotary_pct,
		                 c->head_dim, c->rotary_dims);
	return 0;
}

int config_set_act(struct config *c, const char *name, struct err *e)
{
	for (int i = 0; i < ACTS; i++)
		if (!strcmp(name, acts[i])) {
			c->act = (enum config_act)i;
			return 0;
		}
	return err_usage(e, "activation %s is not supported: there is gelu, gelu_new, gelu_fast and relu", name);
}

const char *config_act_name(const struct config *c)
{
	return acts[c->act];
}

/* --- reading ------------------------------------------------------------------ */

struct reader {
	const char *name; /* of the file, for messages */
	const struct json *top;
	struct err *e;
};

/* A key that is there and not null. */
static const struct json *member(const struct json *obj, const char *key)
{
	const struct json *v = json_get(obj, key);
	return v && v->type != JSON_NULL ? v : NULL;
}

static int want_int(struct reader *r, const char *key, int lo, int hi, int *out)
{
	int64_t n;
	const struct json *v = member(r->top, key);
	if (!v)
		return err_data(r->e, "%s: \"%s\" is missing", r->name, key);
	if (json_i64(v, &n) || n < lo || n > hi)
		return err_data(r->e, "%s: \"%s\" is no number from %d to %d", r->name, key, lo, hi);
	*out = (int)n;
	return 0;
}

static int may_int(struct reader *r, const char *key, int lo, int hi, int *out)
{
	return member(r->top, key) ? want_int(r, key, lo, hi, out) : 0;
}

static int may_num(struct reader *r, const struct json *obj, const char *key, double lo, double hi, double *out)
{
	double d;
	const struct json *v = member(obj, key);
	if (!v)
		return 0;
	if (json_f64(v, &d) || !(d >= lo && d <= hi))
		return err_data(r->e, "%s: \"%s\" is no number from %g to %g", r->name, key, lo, hi);
	*out = d;
	return 0;
}

static int may_bool(struct reader *r, const char *key, bool *out)
{
	const struct json *v = member(r->top, key);
	if (!v)
		return 0;
	if (v->type != JSON_TRUE && v->type != JSON_FALSE)
		return err_data(r->e, "%s: \"%s\" is neither true nor false", r->name, key);
	*out = v->type == JSON_TRUE;
	return 0;
}

/* A token id: a number, a list of one, null (none). Absent: left as it is. */
static int may_id(struct reader *r, const char *key, int *out)
{
	int64_t n;
	const struct json *v = json_get(r->top, key);
	if (!v)
		return 0;
	if (v->type == JSON_NULL || (v->type == JSON_ARRAY && v->n == 0)) {
		*out = -1;
		return 0;
	}
	if (v->type == JSON_ARRAY && v->n > 1)
		return err_data(r->e, "%s: more than one \"%s\" is not supported", r->name, key);
	if (v->type == JSON_ARRAY)
		v = v->child;
	if (json_i64(v, &n) || n < -1 || n > INT_MAX)
		return err_data(r->e, "%s: \"%s\" is no token id", r->name, key);
	*out = (int)n;
	return 0;
}

/* The same of a list, of any length up to CONFIG_EOS_MAX. */
static int may_eos(struct reader *r, struct config *c)
{
	static const char key[] = "eos_token_id";
	const struct json *v = json_get(r->top, key);
	int64_t n;
	if (!v || v->type != JSON_ARRAY || v->n < 2) {
		c->neos = may_id(r, key, &c->eos[0]) ? -1 : c->eos[0] >= 0;
		return c->neos < 0 ? -1 : 0;
	}
	if (v->n > CONFIG_EOS_MAX)
		return err_data(r->e, "%s: more than %d ids of \"%s\"", r->name, CONFIG_EOS_MAX, key);
	c->neos = 0;
	for (v = v->child; v; v = v->next) {
		if (json_i64(v, &n) || n < 0 || n > INT_MAX)
			return err_data(r->e, "%s: \"%s\" is no token id or list of them", r->name, key);
		c->eos[c->neos++] = (int)n;
	}
	return 0;
}

static int read_act(struct reader *r, struct config *c)
{
	const struct json *v = member(r->top, "hidden_act");
	if (!v)
		return 0;
	if (v->type != JSON_STRING || strlen(v->s) != v->n)
		return err_data(r->e, "%s: \"hidden_act\" is no string of text", r->name);
	if (config_set_act(c, v->s, r->e) == 0)
		return 0;
	r->e->kind = ERR_DATA;
	return err_prefix(r->e, "%s: ", r->name);
}

/* Only angles that grow linearly with the position are computed here. */
static int plain_rope(struct reader *r, const struct json *rope, const char *where)
{
	const struct json *type = member(rope, "rope_type");
	if (!type)
		type = member(rope, "type");
	if (!type || json_streq(type, "default"))
		return 0;
	return err_data(r->e, "%s: \"%s\" of type %s is not supported", r->name, where,
	                type->type == JSON_STRING ? type->s : "unknown");
}

static int read_rotary(struct reader *r, struct config *c)
{
	const struct json *scaling = member(r->top, "rope_scaling"), *rope = member(r->top, "rope_parameters");
	if ((scaling && plain_rope(r, scaling, "rope_scaling")) || (rope && plain_rope(r, rope, "rope_parameters")))
		return -1;
	if (may_num(r, r->top, "rotary_pct", 0, 1, &c->rotary_pct) ||
	    may_num(r, r->top, "rotary_emb_base", 1e-3, 1e15, &c->rope_theta))
		return -1;
	if (rope && (may_num(r, rope, "partial_rotary_factor", 0, 1, &c->rotary_pct) ||
	             may_num(r, rope, "rope_theta", 1e-3, 1e15, &c->rope_theta)))
		return -1;
	return 0;
}

static int read_sizes(struct reader *r, struct config *c)
{
	if (want_int(r, "vocab_size", 1, 1 << 27, &c->vocab) || want_int(r, "hidden_size", 1, 1 << 20, &c->hidden) ||
	    want_int(r, "num_hidden_layers", 1, 1 << 14, &c->layers) ||
	    want_int(r, "num_attention_heads", 1, 1 << 16, &c->heads) ||
	    want_int(r, "intermediate_size", 1, 1 << 22, &c->ffn) ||
	    may_int(r, "max_position_embeddings", 1, 1 << 28, &c->max_pos))
		return -1;
	return 0;
}

/* Named because ignoring them would give another model than the file describes. */
static int refuse(struct reader *r)
{
	const struct json *type = member(r->top, "model_type");
	double d = 0;
	if (!type || !json_streq(type, "gpt_neox"))
		return err_data(r->e, "%s: \"model_type\" is %s%s, supported is gpt_neox", r->name, type ? "" : "missing",
		                !type ? "" : type->type == JSON_STRING ? type->s : "no string");
	if (member(r->top, "quantization_config"))
		return err_data(r->e, "%s: \"quantization_config\" is not supported", r->name);
	static const char *const drop[] = {"attention_dropout", "hidden_dropout"};
	for (int i = 0; i < 2; i++) {
		if (may_num(r, r->top, drop[i], 0, 1, &d))
			return -1;
		if (d > 0)
			return err_data(r->e, "%s: \"%s\" %g is not supported, only 0", r->name, drop[i], d);
	}
	return 0;
}

static int read_all(struct reader *r, struct config *c)
{
	*c = (struct config){.max_pos = 2048, .rotary_pct = 0.25, .rope_theta = 10000, .ln_eps = 1e-5, .init_range = 0.02,
	                     .parallel = true, .attn_bias = true, .bos = 0, .eos = {2}, .neos = 1};
	if (r->top->type != JSON_OBJECT)
		return err_data(r->e, "%s: no JSON object", r->name);
	if (refuse(r) || read_sizes(r, c) || read_act(r, c) || read_rotary(r, c) ||
	    may_num(r, r->top, "layer_norm_eps", 0, 1, &c->ln_eps) ||
	    may_num(r, r->top, "initializer_range", 0, 1e3, &c->init_range) ||
	    may_bool(r, "use_parallel_residual", &c->parallel) || may_bool(r, "tie_word_embeddings", &c->tied) ||
	    may_bool(r, "attention_bias", &c->attn_bias) || may_id(r, "bos_token_id", &c->bos) ||
	    may_eos(r, c))
		return -1;
	if (config_derive(c, r->e) == 0)
		return 0;
	r->e->kind = ERR_DATA;
	return err_prefix(r->e, "%s: ", r->name);
}

int config_load(struct config *c, const char *path, struct err *e)
{
	struct buf file = {0}, text = {0};
	struct arena a = {0};
	struct json *top = NULL;
	int rc = -1, dir = there_is_dir(path, e);
	if (dir < 0)
		return -1;
	if (buf_printf(&file, "%s%s", path, dir ? "/config.json" : "") || !buf_str(&file))
		err_mem(e);
	else if ((dir && there_is_file(file.p, e) < 0) || in_slurp(file.p, &text, e))
		;
	else if (json_parse(&a, text.p, text.n, &top, e))
		err_prefix(e, "%s: ", strcmp(file.p, "-") ? file.p : "stdin");
	else
		rc = read_all(&(struct reader){strcmp(file.p, "-") ? file.p : "stdin", top, e}, c);
	arena_release(&a);
	buf_release(&text);
	buf_release(&file);
	return rc;
}

/* --- the named ones ------------------------------------------------------------ */

#define NAMED(X) \
	X("14m", 50304, 128, 6, 4) X("31m", 50304, 256, 6, 8) X("70m", 50304, 512, 6, 8) X("160m", 50304, 768, 12, 12) \
	X("410m", 50304, 1024, 24, 16) X("1b", 50304, 2048, 16, 8) X("1.4b", 50304, 2048, 24, 16) \
	X("2.8b", 50304, 2560, 32, 32) X("6.9b", 50432, 4096, 32, 32) X("12b", 50688, 5120, 36, 40)

static const struct {
	const char *name;
	int vocab, hidden, layers, heads;
} named[] = {
#define ROW(n, v, h, l, k) {"pythia-" n, v, h, l, k},
	NAMED(ROW)
};

const char *config_names(void)
{
#define NAME(n, v, h, l, k) "|pythia-" n
	static const char names[] = NAMED(NAME);
	return names + 1;
}

int config_named(struct config *c, const char *name, struct err *e)
{
	for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
		if (strcmp(named[i].name, name) != 0)
			continue;
		int hd = named[i].hidden / named[i].heads;
		*c = (struct config){.vocab = named[i].vocab, .hidden = named[i].hidden, .layers = named[i].layers,
		                     .heads = named[i].heads, .head_dim = hd, .ffn = 4 * named[i].hidden, .max_pos = 2048,
		                     .rotary_dims = hd / 4, .rotary_pct = 0.25, .rope_theta = 10000, .ln_eps = 1e-5,
		                     .init_range = 0.02, .parallel = true, .attn_bias = true, .act = CONFIG_GELU,
		                     .neos = 1}; /* both ids are 0 */
		return 0;
	}
	return err_usage(e, "no model is called %s: there is %s", name, config_names());
}

/* --- writing ------------------------------------------------------------------- */

static int put_id(struct arena *a, struct json *o, const char *key, int id)
{
	static const struct json null = {.type = JSON_NULL};
	struct json *v = id >= 0 ? json_number(a, "%d", id) : arena_alloc(a, sizeof null);
	if (v && id < 0)
		*v = null;
	return v ? json_set(a, o, key, v) : -1;
}

static int put_int(struct arena *a, struct json *o, const char *key, int n)
{
	struct json *v = json_number(a, "%d", n);
	return v ? json_set(a, o, key, v) : -1;
}

static int put_eos(struct arena *a, struct json *o, const struct config *c)
{
	static const char key[] = "eos_token_id";
	if (c->neos < 2)
		return put_id(a, o, key, c->neos ? c->eos[0] : -1);
	struct json *list = json_array(a);
	for (int i = 0; list && i < c->neos; i++) {
		struct json *v = json_number(a, "%d", c->eos[i]);
		if (!v)
			return -1;
		json_push(list, v);
	}
	return list ? json_set(a, o, key, list) : -1;
}

/* The fewest digits that read back as the same double; whole numbers without an exponent. */
static int put_num(struct arena *a, struct json *o, const char *key, double d)
{
	char text[40];
	bool whole = d < 1e15 && d == (double)(int64_t)d;
	for (int digits = whole ? 15 : 1; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, d);
		if (strtod(text, NULL) == d)
			break;
	}
	struct json *v = json_number(a, "%s", text);
	return v ? json_set(a, o, key, v) : -1;
}

static int put_bool(struct arena *a, struct json *o, const char *key, bool b)
{
	struct json *v = json_bool(a, b);
	return v ? json_set(a, o, key, v) : -1;
}

static int put_str(struct arena *a, struct json *o, const char *key, const char *s)
{
	struct json *v = json_string(a, s, strlen(s));
	return v ? json_set(a, o, key, v) : -1;
}

static int put_all(struct arena *a, struct json *o, const struct config *c, const char *dtype)
{
	struct json *list = json_array(a), *arch = json_string(a, "GPTNeoXForCausalLM", 18);
	if (!list || !arch)
		return -1;
	json_push(list, arch);
	return json_set(a, o, "architectures", list) || put_bool(a, o, "attention_bias", c->attn_bias) ||
	       put_num(a, o, "attention_dropout", 0) || put_id(a, o, "bos_token_id", c->bos) ||
	       put_eos(a, o, c) || put_str(a, o, "hidden_act", config_act_name(c)) ||
	       put_num(a, o, "hidden_dropout", 0) || put_int(a, o, "hidden_size", c->hidden) ||
	       put_num(a, o, "initializer_range", c->init_range) || put_int(a, o, "intermediate_size", c->ffn) ||
	       put_num(a, o, "layer_norm_eps", c->ln_eps) || put_int(a, o, "max_position_embeddings", c->max_pos) ||
	       put_str(a, o, "model_type", "gpt_neox") || put_int(a, o, "num_attention_heads", c->heads) ||
	       put_int(a, o, "num_hidden_layers", c->layers) || put_num(a, o, "rotary_emb_base", c->rope_theta) ||
	       put_num(a, o, "rotary_pct", c->rotary_pct) || put_bool(a, o, "tie_word_embeddings", c->tied) ||
	       put_str(a, o, "torch_dtype", dtype) || put_bool(a, o, "use_cache", true) ||
	       put_bool(a, o, "use_parallel_residual", c->parallel) || put_int(a, o, "vocab_size", c->vocab);
}

static int put_generation(struct arena *a, struct json *o, const struct config *c)
{
	return put_bool(a, o, "_from_model_config", true) || put_id(a, o, "bos_token_id", c->bos) ||
	       put_eos(a, o, c);
}

static int write_file(const char *dir, const char *name, const struct json *v, struct err *e)
{
	struct buf path = {0}, text = {0};
	struct out *out = NULL;
	int rc = -1;
	if (buf_printf(&path, "%s/%s", dir, name) || !buf_str(&path) || json_write_pretty(&text, v) ||
	    buf_addc(&text, '\n'))
		err_mem(e);
	else if (out_open(&out, path.p, OUT_PLAIN, e) == 0)
		rc = out_write(out, text.p, text.n, e) ? (out_abort(out), -1) : out_commit(out, e);
	buf_release(&path);
	buf_release(&text);
	return rc;
}

int config_save(const struct config *c, const char *dir, const char *dtype, struct err *e)
{
	struct arena a = {0};
	struct json *config = json_object(&a), *generation = json_object(&a);
	int rc;
	if (!config || !generation || put_all(&a, config, c, dtype) || put_generation(&a, generation, c))
		rc = err_mem(e);
	else
		rc = write_file(dir, "config.json", config, e) || write_file(dir, "generation_config.json", generation, e) ? -1 : 0;
	arena_release(&a);
	return rc;
}
