#include "nx/modelfile.h"

#include "base/buf.h"
#include "base/pool.h"
#include "base/xoshiro.h"
#include "io/safetensors.h"
#include "io/weights.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- reading ------------------------------------------------------------------- */

static bool ends_in(const char *s, const char *tail)
{
	size_t n = strlen(s), m = strlen(tail);
	return n >= m && !strcmp(s + n - m, tail);
}

/* Buffers that transformers kept in files once; they hold nothing that was learnt. */
static bool is_buffer(const char *name)
{
	return ends_in(name, ".attention.bias") || ends_in(name, ".attention.masked_bias") ||
	       ends_in(name, "rotary_emb.inv_freq");
}

static const struct param *in_table(const struct params *lay, const char *name)
{
	for (int i = 0; i < lay->n; i++)
		if (!strcmp(lay->t[i].name, name))
			return &lay->t[i];
	return NULL;
}

/* The head has two names: what transformers 5 calls lm_head in memory, and so in files of its state_dict(), is
 * embed_out in the files it writes itself, as in all from before. */
static const char head_name[] = "embed_out.weight", head_in_memory[] = "lm_head.weight";

static bool is_head(const char *name)
{
	return !strcmp(name, head_name) || !strcmp(name, head_in_memory);
}

const struct tensor *modelfile_find(const struct tensor_set *s, const char *name)
{
	const struct tensor *f = tensor_find(s, name);
	return f || strcmp(name, head_name) != 0 ? f : tensor_find(s, head_in_memory);
}

static bool same_shape(const struct tensor *f, const struct param *t)
{
	return f->shape[0] == t->rows && (t->cols ? f->ndim == 2 && f->shape[1] == t->cols : f->ndim == 1);
}

static int wrong_shape(const struct tensor *f, const struct param *t, struct err *e)
{
	char got[128] = "";
	for (int i = 0; i < f->ndim; i++)
		snprintf(got + strlen(got), sizeof got - strlen(got), "%s%lld", i ? ", " : "", (long long)f->shape[i]);
	if (t->cols)
		return err_data(e, "%s: tensor %s is (%s) where the config says (%d, %d)", f->file, f->name, got, t->rows, t->cols);
	return err_data(e, "%s: tensor %s is (%s) where the config says (%d)", f->file, f->name, got, t->rows);
}

/* The file's tensor for t, of a type and shape that can be read; NULL and e otherwise. */
static const struct tensor *find(const struct param *t, const struct tensor_set *s, const char *dir,
                                             struct err *e)
{
	const struct tensor *f = modelfile_find(s, t->name);
	if (!f)
		err_data(e, "%s: tensor %s is missing", dir, t->name);
	else if (f->dtype == TENSOR_OTHER)
		err_data(e, "%s: tensor %s has type %s; F32, F16 and BF16 are supported", f->file, f->name, f->dtype_name);
	else if (!same_shape(f, t))
		wrong_shape(f, t, e);
	else
		return f;
	return NULL;
}

/* A weight that is no finite number makes all that the model says none. v: n of f's elements from `at` on. */
static int check_finite(const float *v, size_t n, size_t at, const struct tensor *f, struct err *e)
{
	float zero = 0; /* times 0 all but infinities and NaN are 0 */
	for (size_t i = 0; i < n; i++)
		zero += v[i] * 0.0f;
	if (zero == 0)
		return 0;
	size_t bad = 0;
	while (isfinite(v[bad]))
		bad++;
	return err_data(e, "%s: tensor %s: element %zu is %g", f->file, f->name, at + bad, (double)v[bad]);
}

int modelfile_finite(const struct tensor *f, struct err *e)
{
	enum { STRETCH = 4096 };
	float v[STRETCH];
	for (size_t at = 0; at < f->count; at += STRETCH) {
		struct tensor part = *f;
		part.data = (const char *)f->data + at * tensor_bytes(f->dtype);
		part.count = f->count - at < STRETCH ? f->count - at : STRETCH;
		tensor_to_f32(&part, v);
		if (check_finite(v, part.count, at, f, e))
			return -1;
	}
	return 0;
}

int modelfile_stays_finite(const float *w, const struct params *lay, const char *file, struct err *e)
{
	for (int i = 0; i < lay->n; i++) {
		const struct param *t = &lay->t[i];
		struct tensor f = {.name = t->name, .file = file};
		if (check_finite(w + t->off, t->n, 0, &f, e))
			return -1;
	}
	return 0;
}

static int read_one(float *w, const struct param *t, const struct tensor_set *s, const char *dir, struct err *e)
{
	const struct tensor *f = find(t, s, dir, e);
	if (!f)
		return -1;
	tensor_to_f32(f, w + t->off);
	tensor_drop(f);
	return check_finite(w + t->off, f->count, 0, f, e);
}

/* A tied model's file may repeat the embedding as the head, but only as it is: t says its (rows, cols) floats. */
static int check_repeated_head(const float *embed, const struct param *t, const struct tensor *f, struct err *e)
{
	if (f->dtype == TENSOR_OTHER || !same_shape(f, t))
		return wrong_shape(f, t, e);
	if (!embed)
		return 0;
	float *head = malloc(t->n * sizeof *head);
	if (!head)
		return err_mem(e);
	tensor_to_f32(f, head);
	int differ = memcmp(head, embed, t->n * sizeof *head);
	free(head);
	return differ ? err_data(e, "%s: the head is tied to the embedding, yet tensor %s differs from it", f->file, f->name)
	              : 0;
}

/* A head's tensor by a name that is not in the table: of a tied model, or by the other name than the table's, which
 * is then the head or, beside embed_out.weight, not looked at but for its shape. */
static int check_head(const float *embed, const struct params *lay, const struct tensor *f, struct err *e)
{
	const struct param *head = in_table(lay, head_name), *tied = in_table(lay, "gpt_neox.embed_in.weight");
	if (!head && !tied) /* an adapter's table */
		return err_data(e, "%s: tensor %s is none of this model's", f->file, f->name);
	if (!head)
		return check_repeated_head(embed, tied, f, e);
	return same_shape(f, head) ? 0 : wrong_shape(f, head, e);
}

/* embed: the embeddings' floats; NULL: only names are looked at. */
static int refuse_others(const float *embed, const struct params *lay, const struct tensor_set *s, struct err *e)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct tensor *f = &s->t[i];
		if (in_table(lay, f->name) || is_buffer(f->name))
			continue;
		if (!is_head(f->name))
			return err_data(e, "%s: tensor %s is none of this model's", f->file, f->name);
		if (check_head(embed, lay, f, e))
			return -1;
	}
	return 0;
}

int modelfile_take(float *w, const struct params *lay, const struct tensor_set *s, const char *dir, struct err *e)
{
	for (int i = 0; i < lay->n; i++)
		if (read_one(w, &lay->t[i], s, dir, e))
			return -1;
	return refuse_others(w + lay->embed, lay, s, e);
}

int modelfile_read(float *w, const struct params *lay, const char *dir, struct err *e)
{
	struct tensor_set s = {0};
	int rc = weights_open(&s, dir, e) || modelfile_take(w, lay, &s, dir, e) ? -1 : 0;
	tensor_release(&s);
	return rc;
}

/* Names, and of a tied model whose file repeats the embedding that it does. */
static int check_names(const struct params *lay, const struct tensor_set *s, struct err *e)
{
	const struct tensor *f = tensor_find(s, "gpt_neox.embed_in.weight");
	if (lay->head != lay->embed || !modelfile_find(s, head_name))
		return refuse_others(NULL, lay, s, e);
	float *embed = malloc(f->count * sizeof *embed);
	if (!embed)
		return err_mem(e);
	tensor_to_f32(f, embed);
	int rc = refuse_others(embed, lay, s, e);
	free(embed);
	return rc;
}

int modelfile_open(struct tensor_set *s, const struct params *lay, const char *dir, struct err *e)
{
	if (weights_open(s, dir, e))
		return -1;
	for (int i = 0; i < lay->n; i++)
		if (!find(&lay->t[i], s, dir, e))
			return -1;
	return check_names(lay, s, e);
}

float *modelfile_load(const struct params *lay, const char *dir, struct err *e)
{
	struct tensor_set s = {0};
	float *w = NULL;
	int rc = weights_open(&s, dir, e);
	for (int i = 0; i < lay->n && !rc; i++)
		rc = find(&lay->t[i], &s, dir, e) ? 0 : -1;
	if (!rc && !(w = params_alloc(lay)))
		rc = err_mem(e);
	if (!rc && modelfile_take(w, lay, &s, dir, e)) {
		free(w);
		w = NULL;
	}
	tensor_release(&s);
	return w;
}

/* Adds a type to the list, once. */
static void note_type(char types[40], const char *name)
{
	size_t n = strlen(types);
	if (!strstr(types, name))
		snprintf(types + n, 40 - n, "%s%s", n ? ", " : "", name);
}

int modelfile_check(const struct params *lay, const char *dir, char types[40], struct err *e)
{
	struct tensor_set s = {0};
	types[0] = '\0';
	int rc = weights_there(dir, e);
	if (rc > 0 && weights_open(&s, dir, e))
		rc = -1;
	for (int i = 0; i < lay->n && rc == 1; i++) {
		const struct tensor *f = find(&lay->t[i], &s, dir, e);
		if (!f || modelfile_finite(f, e)) {
			rc = -1;
		} else {
			note_type(types, f->dtype_name);
			tensor_drop(f);
		}
	}
	if (rc == 1 && refuse_others(NULL, lay, &s, e))
		rc = -1;
	tensor_release(&s);
	return rc;
}

/* --- writing ------------------------------------------------------------------- */

int modelfile_put(const float *w, const struct params *lay, const char *dir, const char *name, enum tensor_dtype as,
                  struct err *e)
{
	struct safetensors_src *src = calloc((size_t)lay->n, sizeof *src);
	struct buf path = {0};
	int rc = -1;
	if (!src || buf_printf(&path, "%s/%s", dir, name) || !buf_str(&path)) {
		err_mem(e);
		goto done;
	}
	for (int i = 0; i < lay->n; i++) {
		const struct param *t = &lay->t[i];
		src[i] = (struct safetensors_src){.name = t->name, .ndim = t->cols ? 2 : 1, .shape = {t->rows, t->cols},
		                                  .data = w + t->off};
	}
	rc = safetensors_write(path.p, src, (size_t)lay->n, as, e);
done:
	free(src);
	buf_release(&path);
	return rc;
}

int modelfile_write(const float *w, const struct params *lay, const char *dir, enum tensor_dtype as, struct err *e)
{
	return modelfile_put(w, lay, dir, "model.safetensors", as, e);
}

/* --- random weights ------------------------------------------------------------ */

/* A tensor is filled in blocks, each from a stream of its own: (tensor << 32) + block. */
enum { RANDOM_BLOCK = 1 << 16 };

struct fill {
	float *v;
	size_t n;
	double sigma;
	uint64_t seed, stream;
};

static void fill_block(void *arg, int i)
{
	const struct fill *f = arg;
	struct xoshiro r;
	size_t from = (size_t)i * RANDOM_BLOCK, n = f->n - from < RANDOM_BLOCK ? f->n - from : RANDOM_BLOCK;
	xoshiro_seed(&r, f->seed, f->stream + (uint64_t)i);
	xoshiro_normals(&r, f->v + from, n, f->sigma);
}

int modelfile_random(float *w, const struct params *lay, double sigma, uint64_t seed, struct err *e)
{
	struct pool *p = pool_open(pool_cpus());
	if (!p)
		return err_mem(e);
	for (int i = 0; i < lay->n; i++) {
		const struct param *t = &lay->t[i];
		struct fill f = {w + t->off, t->n, sigma, seed, (uint64_t)i << 32};
		if (t->init == PARAMS_NORMAL)
			pool_run(p, (int)((t->n + RANDOM_BLOCK - 1) / RANDOM_BLOCK), fill_block, &f);
		for (size_t j = 0; j < t->n && t->init != PARAMS_NORMAL; j++)
			f.v[j] = t->init == PARAMS_ONE;
	}
	pool_close(p);
	return 0;
}
