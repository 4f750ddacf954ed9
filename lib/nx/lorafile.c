#include "nx/lorafile.h"

#include "base/buf.h"
#include "io/in.h"
#include "io/json.h"
#include "io/out.h"
#include "io/there.h"
#include "io/weights.h"
#include "nx/modelfile.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char config_name[] = "adapter_config.json", weights_name[] = "adapter_model.safetensors",
                  pickled_name[] = "adapter_model.bin";

static int join(struct buf *path, const char *dir, const char *name, struct err *e)
{
	buf_reset(path);
	return buf_printf(path, "%s/%s", dir, name) || !buf_str(path) ? err_mem(e) : 0;
}

static int exists(const char *dir, const char *name, struct err *e)
{
	struct buf path = {0};
	int rc = join(&path, dir, name, e) ? -1 : there_is_file(path.p, e);
	buf_release(&path);
	return rc;
}

int lorafile_is(const char *dir, struct err *e)
{
	return exists(dir, config_name, e);
}

/* --- the config ------------------------------------------------------------------------ */

/* Keys that change nothing about an adapter that has been trained. */
static bool is_idle(const char *key)
{
	static const char *const idle[] = {
		"auto_mapping", "base_model_name_or_path", "inference_mode", "layers_pattern", "lora_dropout", "megatron_core",
		"peft_type", "peft_version", "qalora_group_size", "revision", "target_modules", "task_type",
		/* read elsewhere */
		"lora_alpha", "r", "use_rslora", "init_lora_weights",
	};
	for (size_t i = 0; i < sizeof idle / sizeof *idle; i++)
		if (!strcmp(key, idle[i]))
			return true;
	return false;
}

/* null, false, 0, "none", "" and what is empty ask for nothing. */
static bool asks_nothing(const struct json *v)
{
	double n;
	switch (v->type) {
	case JSON_NULL: case JSON_FALSE: return true;
	case JSON_STRING: return v->n == 0 || json_streq(v, "none");
	case JSON_NUMBER: return json_f64(v, &n) == 0 && n == 0;
	case JSON_ARRAY: case JSON_OBJECT: return v->n == 0;
	default: return false;
	}
}

/* Some ways to begin change the model's own weights as well. */
static bool begins_plainly(const struct json *v)
{
	return !v || v->type == JSON_NULL || v->type == JSON_TRUE || v->type == JSON_FALSE || json_streq(v, "gaussian");
}

static int read_config(const struct json *root, const char *path, int64_t *rank, double *alpha, bool *rslora, struct err *e)
{
	if (root->type != JSON_OBJECT || !json_streq(json_get(root, "peft_type"), "LORA"))
		return err_data(e, "%s: no adapter of \"peft_type\" LORA, which is the supported one", path);
	for (const struct json *v = root->child; v; v = v->next)
		if (!is_idle(v->key) && !asks_nothing(v))
			return err_data(e, "%s: \"%s\" is not supported", path, v->key);
	if (!begins_plainly(json_get(root, "init_lora_weights")))
		return err_data(e, "%s: \"init_lora_weights\" of this kind changes the model, too, and is not supported", path);
	const struct json *rs = json_get(root, "use_rslora");
	*rslora = json_is(rs, JSON_TRUE);
	*rank = 8; /* peft's defaults */
	*alpha = 8;
	if ((json_get(root, "r") && json_i64(json_get(root, "r"), rank)) || *rank < 1 || *rank > 1 << 20)
		return err_data(e, "%s: \"r\" is no rank", path);
	if ((json_get(root, "lora_alpha") && json_f64(json_get(root, "lora_alpha"), alpha)) || !isfinite(*alpha))
		return err_data(e, "%s: \"lora_alpha\" is no number", path);
	return 0;
}

/* The config as a tree in the arena; path is filled for messages. */
static int parse_config(struct arena *a, const char *dir, struct buf *path, struct json **root, struct err *e)
{
	struct buf text = {0};
	int rc = join(path, dir, config_name, e) || there_is_file(path->p, e) < 0 || in_slurp(path->p, &text, e) ? -1 : 0;
	if (rc == 0 && json_parse(a, text.p, text.n, root, e))
		rc = err_prefix(e, "%s: ", path->p);
	buf_release(&text);
	return rc;
}

static int load_config(const char *dir, int64_t *rank, double *alpha, bool *rslora, struct err *e)
{
	struct buf path = {0};
	struct arena a = {0};
	struct json *root = NULL;
	int rc = parse_config(&a, dir, &path, &root, e) || read_config(root, path.p, rank, alpha, rslora, e) ? -1 : 0;
	buf_release(&path);
	arena_release(&a);
	return rc;
}

int lorafile_base(const char *dir, struct buf *base, struct err *e)
{
	struct buf path = {0};
	struct arena a = {0};
	struct json *root = NULL;
	int rc = parse_config(&a, dir, &path, &root, e);
	const struct json *v = rc ? NULL : json_get(root, "base_model_name_or_path");
	buf_reset(base);
	if (json_is(v, JSON_STRING) && strlen(v->s) != v->n)
		rc = err_data(e, "%s: \"base_model_name_or_path\" holds a NUL", path.p);
	else if (json_is(v, JSON_STRING) && buf_add(base, v->s, v->n))
		rc = err_mem(e);
	if (rc == 0 && !buf_str(base))
		rc = err_mem(e);
	buf_release(&path);
	arena_release(&a);
	return rc;
}

/* --- the numbers ---------------------------------------------------------------------------- */

/* A target has an adapter if any tensor of it is there; then all must be. */
static void find_targets(const struct tensor_set *s, bool on[LORA_TARGETS])
{
	for (int t = 0; t < LORA_TARGETS; t++) {
		char part[40];
		snprintf(part, sizeof part, ".%s.lora_", lora_target((enum lora_target)t));
		on[t] = false;
		for (size_t i = 0; i < s->n && !on[t]; i++)
			on[t] = strstr(s->t[i].name, part) != NULL;
	}
}

static int read_numbers(struct lora **a, const struct config *c, const char *dir, int rank, double alpha, bool rslora,
                        struct tensor_set *s, struct err *e)
{
	struct buf path = {0};
	bool on[LORA_TARGETS];
	int plain = exists(dir, weights_name, e), pickled = plain ? plain : exists(dir, pickled_name, e);
	if (pickled < 0)
		return -1;
	int rc = join(&path, dir, !plain && pickled ? pickled_name : weights_name, e) || weights_read(s, path.p, e) || tensor_sort(s, e) ? -1 : 0;
	buf_release(&path);
	if (rc)
		return -1;
	find_targets(s, on);
	if (lora_open(a, c, rank, alpha, rslora, on, e))
		return -1;
	if (modelfile_take((*a)->w, &(*a)->lay, s, dir, e)) {
		lora_close(*a);
		return -1;
	}
	return 0;
}

int lorafile_load(struct lora **a, const struct config *c, const char *dir, struct err *e)
{
	struct tensor_set s = {0};
	int64_t rank = 0;
	double alpha = 0;
	bool rslora = false;
	if (load_config(dir, &rank, &alpha, &rslora, e))
		return -1;
	if (rank > c->hidden && rank > c->ffn)
		return err_data(e, "%s: the adapter's rank of %lld is above the model's width", dir, (long long)rank);
	int rc = read_numbers(a, c, dir, (int)rank, alpha, rslora, &s, e);
	tensor_release(&s);
	return rc;
}

/* --- writing ---------------------------------------------------------------------------------- */

static int put(struct arena *a, struct json *o, const char *key, struct json *v)
{
	return v ? json_set(a, o, key, v) : -1;
}

static int put_text(struct arena *a, struct json *o, const char *key, const char *s)
{
	return put(a, o, key, json_string(a, s, strlen(s)));
}

/* What peft needs to know; all else has its defaults. */
static struct json *config_of(struct arena *a, const struct lora *l)
{
	struct json *o = json_object(a), *names = json_array(a);
	struct json *base = l->base ? json_string(a, l->base, strlen(l->base)) : json_null(a);
	if (!o || !names)
		return NULL;
	for (int t = 0; t < LORA_TARGETS; t++) {
		const char *name = lora_target((enum lora_target)t);
		struct json *v = json_string(a, name, strlen(name));
		if (!v)
			return NULL;
		if (l->layer[0].a[t] != SIZE_MAX)
			json_push(names, v);
	}
	int bad = put(a, o, "base_model_name_or_path", base) | put_text(a, o, "bias", "none") |
	          put(a, o, "fan_in_fan_out", json_bool(a, false)) | put(a, o, "inference_mode", json_bool(a, true)) |
	          put(a, o, "init_lora_weights", json_bool(a, true)) | put(a, o, "lora_alpha", json_number(a, "%.17g", l->alpha)) |
	          put(a, o, "lora_dropout", json_number(a, "0.0")) | put_text(a, o, "peft_type", "LORA") |
	          put(a, o, "r", json_number(a, "%d", l->rank)) | put(a, o, "target_modules", names) |
	          put_text(a, o, "task_type", "CAUSAL_LM") | put(a, o, "use_rslora", json_bool(a, l->rslora));
	return bad ? NULL : o;
}

static int save_config(const struct lora *l, const char *dir, struct err *e)
{
	struct arena a = {0};
	struct buf path = {0}, text = {0};
	struct out *out;
	struct json *o = config_of(&a, l);
	int rc = join(&path, dir, config_name, e);
	if (rc == 0 && (!o || json_write_pretty(&text, o) || buf_addc(&text, '\n')))
		rc = err_mem(e);
	if (rc == 0)
		rc = out_open(&out, path.p, OUT_PLAIN, e);
	if (rc == 0)
		rc = out_write(out, text.p, text.n, e) ? (out_abort(out), -1) : out_commit(out, e);
	buf_release(&path);
	buf_release(&text);
	arena_release(&a);
	return rc;
}

int lorafile_save(const struct lora *l, const char *dir, enum tensor_dtype as, struct err *e)
{
	return modelfile_put(l->w, &l->lay, dir, weights_name, as, e) || save_config(l, dir, e) ? -1 : 0;
}
