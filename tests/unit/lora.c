/* nx/lora: loss, logits and gradients against the peft library (tests/reference/lora.py),
 * finite differences, folding, and the adapter's directory. */
#include "golden.h"
#include "test.h"
#include "tiny.h"

#include "io/safetensors.h"
#include "nx/lora.h"
#include "nx/lorafile.h"
#include "nx/modelfile.h"

#include <sys/stat.h>

static struct err e;

static const char *targets_of(char which)
{
	return which == 'A' ? "query_key_value" : which == 'B' ? "query_key_value,dense,dense_h_to_4h,dense_4h_to_h" : "dense_4h_to_h,dense";
}

/* The tiny model with an adapter whose numbers are those of the reference. */
static void adapted(struct model *m, char which)
{
	tiny_model(m, which);
	if (lora_new(&m->lora, &m->cfg, &(struct lora_rule){3, 5, targets_of(which)}, 1, &e)) {
		printf("Bail out! %s\n", e.msg);
		exit(1);
	}
	for (int i = 0; i < m->lora->lay.n; i++) {
		const struct param *t = &m->lora->lay.t[i];
		for (size_t j = 0; j < t->n; j++)
			m->lora->w[t->off + j] = (float)(0.25 * tiny_u(tiny_name(t->name), (uint32_t)j));
	}
}

static void against_peft(char which, int threads)
{
	struct model m;
	adapted(&m, which);
	const struct params *lay = model_trained_lay(&m);
	struct batch b = tiny_batch(&m.cfg);
	struct work *ws = model_work(&m, threads, &e);
	float *grad = params_alloc(lay), *logits = malloc(TINY_ROWS * 97 * sizeof *logits);
	char path[64], what[100];
	double *want = NULL, nll = 0, loss = 0;
	int count = 0, seen = 0;
	size_t n;
	snprintf(path, sizeof path, "tests/golden/lora_%c.txt", which);
	FILE *f = fopen(path, "r");
	TEST(f && fscanf(f, "loss %d %lf", &count, &nll) == 2, "%s is there", path);
	TEST(model_loss(&m, ws, &b, 1.0 / count, grad, &loss, &e) == 0 && model_logits(&m, ws, &b, logits, &e) == 0, "forward and backward");
	TEST_NEAR(loss, nll, 1e-6, "%c: loss, %d threads", which, threads);
	while ((n = golden_next(f, what, &want))) {
		const float *got = strcmp(what, "logits") ? golden_tensor(lay, grad, what, n) : logits;
		double d = got ? golden_distance(got, want, n) : 1;
		TEST(d < 1e-5, "%c: %s, %zu numbers, is off by %.1e", which, what, n, d);
		seen++;
		free(want);
	}
	TEST(seen == lay->n + 1, "%c: all %d tensors were compared", which, lay->n);
	fclose(f);
	model_work_close(ws);
	model_release(&m);
	free(grad);
	free(logits);
}

/* The loss moves along the gradient as the gradient says; 4-point differences. */
static void differences(char which)
{
	struct model m;
	adapted(&m, which);
	const struct params *lay = model_trained_lay(&m);
	struct batch b = tiny_batch(&m.cfg);
	struct work *ws = model_work(&m, 2, &e);
	float *grad = params_alloc(lay), *was = params_alloc(lay);
	double loss, slope = 0, at[4];
	static const double step[4] = {-2, -1, 1, 2};
	model_loss(&m, ws, &b, 1, grad, &loss, &e);
	memcpy(was, m.lora->w, lay->total * sizeof *was);
	for (int i = 0; i < lay->n; i++) {
		const struct param *t = &lay->t[i];
		double h = 2e-2, size = 0;
		for (size_t j = 0; j < t->n; j++)
			size += (double)grad[t->off + j] * grad[t->off + j];
		for (int k = 0; k < 4; k++) {
			for (size_t j = 0; j < t->n; j++)
				m.lora->w[t->off + j] = (float)(was[t->off + j] + step[k] * h * grad[t->off + j] / sqrt(size));
			model_loss(&m, ws, &b, 1, NULL, &at[k], &e);
		}
		memcpy(m.lora->w, was, lay->total * sizeof *was);
		slope = (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * h);
		TEST_NEAR(slope, sqrt(size), 2e-3, "%c: the loss along the gradient of %s", which, t->name);
	}
	model_work_close(ws);
	model_release(&m);
	free(grad);
	free(was);
}

/* Folded into the weights it gives the same logits; at first it changes nothing. */
static void folded(char which)
{
	struct model m;
	adapted(&m, which);
	struct batch b = tiny_batch(&m.cfg);
	enum { N = TINY_ROWS * 97 };
	static float beside[N], within[N], before[N], fresh[N];
	struct work *ws = model_work(&m, 2, &e);
	model_logits(&m, ws, &b, beside, &e);
	model_work_close(ws);
	struct lora *a = m.lora;
	m.lora = NULL;
	ws = model_work(&m, 2, &e);
	model_logits(&m, ws, &b, before, &e);
	lora_fold(a, &m.lay, m.w);
	model_logits(&m, ws, &b, within, &e);
	double worst = 0, moved = 0;
	for (int i = 0; i < N; i++) {
		worst = fmax(worst, fabs((double)beside[i] - (double)within[i]));
		moved = fmax(moved, fabs((double)before[i] - (double)within[i]));
	}
	TEST(worst < 2e-5 && moved > 0.1, "%c: folded, logits are off by %.1e of %.1e moved", which, worst, moved);
	model_work_close(ws);
	lora_close(a);
	model_release(&m);
	tiny_model(&m, which);
	lora_new(&m.lora, &m.cfg, &(struct lora_rule){4, 8, targets_of(which)}, 42, &e);
	ws = model_work(&m, 2, &e);
	model_logits(&m, ws, &b, fresh, &e);
	TEST(!memcmp(fresh, before, sizeof fresh), "%c: a new adapter changes no bit", which);
	model_work_close(ws);
	model_release(&m);
}

/* A is uniform in +-1/sqrt(in), B is 0; the seed says which numbers. */
static void beginning(void)
{
	struct config c = tiny_config('A');
	struct lora_rule r = {16, 8, "query_key_value,dense_4h_to_h"};
	struct lora *a = NULL, *b = NULL, *o = NULL;
	c.layers = 40;
	lora_new(&a, &c, &r, 42, &e);
	lora_new(&b, &c, &r, 42, &e);
	lora_new(&o, &c, &r, 43, &e);
	double sum = 0, squares = 0, most = 0, zero = 0;
	size_t n = 0;
	for (int i = 0; i < a->lay.n; i++) {
		const struct param *t = &a->lay.t[i];
		for (size_t j = 0; j < t->n; j++) {
			double x = a->w[t->off + j] * sqrt((double)t->cols);
			if (i % 2) {
				zero += fabs(x);
				continue;
			}
			sum += x;
			squares += x * x;
			most = fmax(most, fabs(x));
			n++;
		}
	}
	TEST(zero == 0 && most <= 1 && most > 0.999, "B is 0, A within its bound: %.4f", most);
	TEST(fabs(sum / (double)n) < 0.01 && fabs(squares / (double)n - 1.0 / 3) < 0.01, "uniformly: %.4f, %.4f", sum / (double)n, squares / (double)n);
	TEST(!memcmp(a->w, b->w, a->lay.total * sizeof *a->w) && memcmp(a->w, o->w, a->lay.total * sizeof *a->w), "the seed decides");
	TEST(a->lay.count == 40 * (16 * 32 + 96 * 16 + 16 * 48 + 32 * 16), "its size");
	TEST(a->lay.t[0].decay && a->lay.t[1].decay, "weight decay applies");
	lora_close(a);
	lora_close(b);
	lora_close(o);
	static const struct lora_rule bad[] = {{0, 8, "dense"}, {33, 8, "dense"}, {1, 8, "q_proj"}, {1, 8, ""}, {1, 8, "dense,"}};
	static const char *const says[] = {"rank 0", "rank 33", "\"q_proj\" has no adapter", "\"\" has no adapter", "\"\" has no adapter"};
	for (int i = 0; i < 5; i++)
		TEST(lora_new(&a, &c, &bad[i], 1, &e) == -1 && e.kind == ERR_USAGE && strstr(e.msg, says[i]), "%s", e.msg);
}

/* --- its directory ----------------------------------------------------------------------- */

static int same_numbers(const struct lora *a, const struct lora *b)
{
	return a->rank == b->rank && a->scale == b->scale && a->lay.n == b->lay.n && a->lay.total == b->lay.total &&
	       !memcmp(a->w, b->w, a->lay.total * sizeof *a->w);
}

static void refused(const struct config *c, const char *json, const char *says)
{
	struct lora *a;
	FILE *f = fopen("d/adapter_config.json", "w");
	fputs(json, f);
	fclose(f);
	int rc = lorafile_load(&a, c, "d", &e);
	TEST(rc == -1 && strstr(e.msg, says), "%s", rc ? e.msg : says);
	if (rc == 0)
		lora_close(a);
}

static void directory(const char *golden)
{
	struct model m, other;
	struct lora *a = NULL;
	char path[5000];
	adapted(&m, 'B');
	snprintf(path, sizeof path, "%s/peft_B", golden);
	TEST(lorafile_is(path, &e) == 1 && lorafile_is(".", &e) == 0, "an adapter is known by its config");
	TEST(lorafile_load(&a, &m.cfg, path, &e) == 0 && same_numbers(a, m.lora), "peft's adapter is read");
	lora_close(a);
	mkdir("d", 0777);
	m.lora->base = "my \"model\"";
	TEST(lorafile_save(m.lora, "d", TENSOR_F32, &e) == 0, "written");
	TEST(lorafile_load(&a, &m.cfg, "d", &e) == 0 && same_numbers(a, m.lora), "read again");
	struct buf base = {0};
	TEST(lorafile_base("d", &base, &e) == 0 && !strcmp(base.p, m.lora->base), "the model is named");
	buf_release(&base);
	lora_close(a);
	tiny_model(&other, 'A');
	TEST(lorafile_load(&a, &other.cfg, "d", &e) == -1 && strstr(e.msg, "where the config says"), "of another model: %s", e.msg);
	model_release(&other);
#define LORA "{\"peft_type\":\"LORA\","
	refused(&m.cfg, LORA "\"r\":4}", "is (3, 36) where the config says (4, 36)");
	refused(&m.cfg, LORA "\"r\":0}", "\"r\" is no rank");
	refused(&m.cfg, LORA "\"r\":100000}", "above the model's width");
	refused(&m.cfg, LORA "\"lora_alpha\":\"x\"}", "\"lora_alpha\" is no number");
	refused(&m.cfg, LORA "\"use_dora\":true}", "\"use_dora\" is not supported");
	refused(&m.cfg, LORA "\"bias\":\"all\"}", "\"bias\" is not supported");
	refused(&m.cfg, LORA "\"rank_pattern\":{\"dense\":4}}", "\"rank_pattern\" is not supported");
	refused(&m.cfg, LORA "\"modules_to_save\":[\"embed_out\"]}", "\"modules_to_save\" is not supported");
	refused(&m.cfg, LORA "\"fan_in_fan_out\":true}", "\"fan_in_fan_out\" is not supported");
	refused(&m.cfg, LORA "\"of_tomorrow\":1}", "\"of_tomorrow\" is not supported");
	refused(&m.cfg, LORA "\"init_lora_weights\":\"pissa\"}", "changes the model, too");
	refused(&m.cfg, "{\"peft_type\":\"IA3\"}", "no adapter of \"peft_type\" LORA");
	refused(&m.cfg, "[]", "no adapter of \"peft_type\" LORA");
	refused(&m.cfg, "{", "adapter_config.json: ");
	struct safetensors_src src = {.name = "base_model.model.gpt_neox.layers.0.attention.dense.lora_A.weight", .ndim = 2,
	                              .shape = {3, 36}, .data = m.w};
	safetensors_write("d/adapter_model.safetensors", &src, 1, TENSOR_F32, &e);
	refused(&m.cfg, LORA "\"r\":3}", "dense.lora_B.weight is missing");
	src.name = "base_model.model.gpt_neox.embed_in.lora_embedding_A";
	safetensors_write("d/adapter_model.safetensors", &src, 1, TENSOR_F32, &e);
	refused(&m.cfg, LORA "\"r\":3}", "lora_embedding_A is none of this model's");
	TEST(lora_open(&a, &m.cfg, 4, 6, true, (bool[]){true, false, false, false}, &e) == 0 && a->scale == 3, "rslora divides by the root of the rank");
	lora_close(a);
	model_release(&m);
}

int main(void)
{
	char golden[4096];
	if (!realpath("tests/golden", golden))
		return 1;
	for (const char *w = "ABC"; *w; w++) {
		against_peft(*w, 1);
		against_peft(*w, 2);
		differences(*w);
		folded(*w);
	}
	beginning();
	const char *dir = test_dir();
	directory(golden);
	test_dir_done(dir);
	return test_done();
}
