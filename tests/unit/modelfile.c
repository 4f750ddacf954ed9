/* nx/modelfile: what a model's files may hold and what is refused, by name. */
#include "test.h"
#include "tiny.h"

#include "base/xoshiro.h"
#include "io/safetensors.h"
#include "nx/modelfile.h"

#include <unistd.h>

static struct err e;
static const char dir[] = "modelfile.tmp", file[] = "modelfile.tmp/model.safetensors";

/* The tensors of m, to be changed before they are written. */
static struct safetensors_src src[60];
static size_t nsrc;

static void list(const struct model *m)
{
	nsrc = 0;
	for (int i = 0; i < m->lay.n; i++) {
		const struct param *t = &m->lay.t[i];
		src[nsrc++] = (struct safetensors_src){.name = t->name, .ndim = t->cols ? 2 : 1, .shape = {t->rows, t->cols},
		                                       .data = m->w + t->off};
	}
}

static struct safetensors_src *entry(const char *name)
{
	for (size_t i = 0; i < nsrc; i++)
		if (!strcmp(src[i].name, name))
			return &src[i];
	return NULL;
}

static void add(const char *name, int ndim, int64_t rows, int64_t cols, const float *data)
{
	src[nsrc++] = (struct safetensors_src){.name = name, .ndim = ndim, .shape = {rows, cols}, .data = data};
}

static int write_and_load(struct model *m, enum tensor_dtype as)
{
	if (safetensors_write(file, src, nsrc, as, &e))
		return -2;
	return model_load(m, dir, &e);
}

static void refused(const char *says)
{
	struct model m;
	int rc = write_and_load(&m, TENSOR_F32);
	TEST(rc == -1 && strstr(e.msg, says), "%s", rc == -1 ? e.msg : says);
	if (rc == 0)
		model_release(&m);
}

/* Numbers exact in 8 bits survive every type. */
static void types(void)
{
	static const enum tensor_dtype as[] = {TENSOR_F32, TENSOR_F16, TENSOR_BF16};
	static const char *const name[] = {"F32", "F16", "BF16"};
	struct model m, n;
	char found[40];
	tiny_model(&m, 'A');
	for (size_t i = 0; i < m.lay.total; i++)
		m.w[i] = roundf(m.w[i] * 64) / 64;
	config_save(&m.cfg, dir, "float32", &e);
	for (int t = 0; t < 3; t++) {
		list(&m);
		TEST(write_and_load(&n, as[t]) == 0, "%s is read", name[t]);
		TEST(!memcmp(m.w, n.w, m.lay.total * sizeof *m.w), "%s: the same weights", name[t]);
		TEST(modelfile_check(&n.lay, dir, found, &e) == 1 && !strcmp(found, name[t]), "%s is told", found);
		model_release(&n);
	}
	model_release(&m);
}

static void others(void)
{
	struct model m, n;
	float some[16] = {0};
	tiny_model(&m, 'A');
	list(&m);
	add("gpt_neox.layers.0.attention.bias", 1, 16, 0, some);
	add("gpt_neox.layers.1.attention.masked_bias", 0, 0, 0, some);
	add("gpt_neox.layers.1.attention.rotary_emb.inv_freq", 1, 2, 0, some);
	add("gpt_neox.rotary_emb.inv_freq", 1, 2, 0, some);
	TEST(write_and_load(&n, TENSOR_F32) == 0, "old buffers are passed over");
	TEST(!memcmp(m.w, n.w, m.lay.total * sizeof *m.w), "and change nothing");
	model_release(&n);
	list(&m);
	add("gpt_neox.layers.2.attention.dense.bias", 1, 16, 0, some);
	refused("model.safetensors: tensor gpt_neox.layers.2.attention.dense.bias is none of this model's");
	float *weight = m.w + m.lay.layer[1].dense_b + 3, was = *weight;
	list(&m);
	*weight = NAN;
	refused("tensor gpt_neox.layers.1.attention.dense.bias: element 3 is ");
	*weight = -INFINITY;
	refused("element 3 is -inf");
	*weight = was;
	list(&m);
	add("gpt_neox.layers.2.attention.dense.bias", 1, 16, 0, some);
	write_and_load(&n, TENSOR_F32);
	char found[40];
	TEST(modelfile_check(&m.lay, dir, found, &e) == -1 && strstr(e.msg, "is none of this"), "by the check, too");
	list(&m);
	nsrc--;
	refused("tensor embed_out.weight is missing");
	list(&m);
	entry("gpt_neox.final_layer_norm.bias")->shape[0] = 31;
	refused("tensor gpt_neox.final_layer_norm.bias is (31) where the config says (32)");
	list(&m);
	entry("embed_out.weight")->shape[0] = 32;
	entry("embed_out.weight")->shape[1] = 97;
	refused("tensor embed_out.weight is (32, 97) where the config says (97, 32)");
	list(&m);
	entry("embed_out.weight")->shape[1] = 31;
	refused("tensor embed_out.weight is (97, 31) where the config says (97, 32)");
	list(&m);
	entry("gpt_neox.layers.1.mlp.dense_h_to_4h.bias")->ndim = 2;
	entry("gpt_neox.layers.1.mlp.dense_h_to_4h.bias")->shape[1] = 1;
	refused("dense_h_to_4h.bias is (48, 1) where the config says (48)");
	model_release(&m);
}

/* Weight decay is for matrices; every tensor begins on a cache line. */
static void table(void)
{
	struct model m;
	int decayed = 0, aligned = 0;
	tiny_model(&m, 'A');
	for (int i = 0; i < m.lay.n; i++) {
		const struct param *t = &m.lay.t[i];
		decayed += t->decay;
		aligned += t->off % 16 == 0;
		if (strstr(t->name, "bias") || strstr(t->name, "norm"))
			TEST(!t->decay, "%s does not decay", t->name);
	}
	TEST(decayed == 2 + 4 * m.cfg.layers, "the embedding, the head and four matrices a layer do");
	TEST(aligned == m.lay.n && (uintptr_t)m.w % 64 == 0, "tensors begin on cache lines");
	model_release(&m);
}

/* The head under the name that transformers 5 has for it in memory. */
static void head_in_memory(void)
{
	struct model m, n;
	char found[40];
	tiny_model(&m, 'A');
	config_save(&m.cfg, dir, "float32", &e);
	list(&m);
	entry("embed_out.weight")->name = "lm_head.weight";
	TEST(write_and_load(&n, TENSOR_F32) == 0 && !memcmp(m.w, n.w, m.lay.total * sizeof *m.w), "lm_head.weight is the head");
	TEST(modelfile_check(&n.lay, dir, found, &e) == 1, "for the check, too");
	model_release(&n);
	entry("lm_head.weight")->shape[1] = 31;
	refused("tensor lm_head.weight is (97, 31) where the config says (97, 32)");
	/* both: the one of files it is, and the other could be */
	float *other = calloc(97 * 32, sizeof *other);
	list(&m);
	add("lm_head.weight", 2, 97, 32, other);
	TEST(write_and_load(&n, TENSOR_F32) == 0 && !memcmp(m.w, n.w, m.lay.total * sizeof *m.w), "embed_out.weight comes first");
	model_release(&n);
	entry("lm_head.weight")->shape[0] = 96;
	refused("tensor lm_head.weight is (96, 32) where the config says (97, 32)");
	entry("lm_head.weight")->name = "lm_head.bias";
	refused("tensor lm_head.bias is none of this model's");
	free(other);
	model_release(&m);
}

/* A tied model's file may hold the head once more, if it is the same. */
static void tied(void)
{
	struct model m, n;
	tiny_model(&m, 'C');
	config_save(&m.cfg, dir, "float32", &e);
	list(&m);
	float *copy = malloc(97 * 40 * sizeof *copy);
	memcpy(copy, m.w + m.lay.embed, 97 * 40 * sizeof *copy);
	add("embed_out.weight", 2, 97, 40, copy);
	TEST(write_and_load(&n, TENSOR_F32) == 0, "a tied head that is repeated");
	model_release(&n);
	entry("embed_out.weight")->name = "lm_head.weight";
	TEST(write_and_load(&n, TENSOR_F32) == 0, "by its other name, too");
	model_release(&n);
	copy[5] += 1;
	refused("tensor lm_head.weight differs from it");
	entry("lm_head.weight")->name = "embed_out.weight";
	refused("tensor embed_out.weight differs from it");
	free(copy);
	model_release(&m);
}

/* Two shards with an index; a directory without weights. */
static void shards(void)
{
	struct model m, n;
	char found[40];
	tiny_model(&m, 'B');
	config_save(&m.cfg, dir, "float32", &e);
	list(&m);
	FILE *f = fopen("modelfile.tmp/model.safetensors.index.json", "w");
	fprintf(f, "{\"metadata\": {}, \"weight_map\": {");
	for (size_t i = 0; i < nsrc; i++)
		fprintf(f, "%s\"%s\": \"model-%d-of-2.safetensors\"", i ? ", " : "", src[i].name, i < 9 ? 1 : 2);
	fprintf(f, "}}\n");
	fclose(f);
	unlink(file);
	safetensors_write("modelfile.tmp/model-1-of-2.safetensors", src, 9, TENSOR_F32, &e);
	safetensors_write("modelfile.tmp/model-2-of-2.safetensors", src + 9, nsrc - 9, TENSOR_F32, &e);
	TEST(model_load(&n, dir, &e) == 0, "shards are read");
	TEST(!memcmp(m.w, n.w, m.lay.total * sizeof *m.w), "and are the same weights");
	TEST(modelfile_check(&n.lay, dir, found, &e) == 1 && !strcmp(found, "F32"), "and are told");
	unlink("modelfile.tmp/model-1-of-2.safetensors");
	unlink("modelfile.tmp/model-2-of-2.safetensors");
	unlink("modelfile.tmp/model.safetensors.index.json");
	TEST(modelfile_check(&n.lay, dir, found, &e) == 0, "no weights are no error to be told of");
	model_release(&n);
	TEST(model_load(&n, dir, &e) == -1 && strstr(e.msg, "model.safetensors: No such file"), "but to load: %s", e.msg);
	model_release(&m);
}

static void random_weights(void)
{
	struct model m;
	struct config c = tiny_config('A');
	c.vocab = 20000; /* more than one block of a stream */
	c.init_range = 0.02;
	TEST(model_init(&m, &c, 7, &e) == 0, "random weights");
	const float *v = m.w + m.lay.embed, *b = m.w + m.lay.layer[1].qkv_b, *w = m.w + m.lay.lnf_w;
	int n = c.vocab * c.hidden, inside = 0;
	double sum = 0, square = 0;
	for (int i = 0; i < n; i++) {
		sum += v[i];
		square += (double)v[i] * v[i];
		inside += fabsf(v[i]) < 0.02f;
	}
	TEST(fabs(sum / n) < 1e-4, "around 0: %g", sum / n);
	TEST_NEAR(sqrt(square / n), 0.02, 0.005, "with their deviation");
	TEST_NEAR((double)inside / n, 0.682689, 0.005, "normally distributed");
	TEST(b[0] == 0 && b[95] == 0 && w[0] == 1 && w[31] == 1, "biases 0, LayerNorm 1");
	TEST(memcmp(v, v + (1 << 16), 1000 * sizeof *v) != 0, "blocks differ");
	model_release(&m);
}

static void streams(void)
{
	struct xoshiro a, b;
	xoshiro_seed(&a, 0, 1);
	xoshiro_seed(&b, 1, 0);
	TEST(xoshiro_u64(&a) != xoshiro_u64(&b), "stream 1 of seed 0 is not stream 0 of seed 1");
	/* From the definition, worked out by hand for the state 1, 2, 3, 4. */
	struct xoshiro r = {{1, 2, 3, 4}};
	TEST(xoshiro_u64(&r) == 41943041 && xoshiro_u64(&r) == 58720359, "xoshiro256++ from 1, 2, 3, 4");
	double f = 0;
	for (int i = 0; i < 1000; i++)
		f = fmax(f, xoshiro_f64(&r));
	TEST(f < 1 && f > 0.98, "numbers below 1");
}

int main(void)
{
	mkdir(dir, 0777);
	types();
	others();
	table();
	head_in_memory();
	tied();
	shards();
	random_weights();
	streams();
	unlink("modelfile.tmp/config.json");
	unlink("modelfile.tmp/generation_config.json");
	TEST(rmdir(dir) == 0, "nothing is left");
	return test_done();
}
