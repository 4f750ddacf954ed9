/* nx/model: logits, loss and every parameter's gradient of the tiny models against
 * PyTorch (tests/reference/grads.py), and what does not show in numbers alone. */
#include "golden.h"
#include "test.h"
#include "tiny.h"

static struct err e;

/* --- goldens ------------------------------------------------------------------------- */

static void against_golden(const struct model *m, char which, int threads, double loss, const float *logits,
                           const float *grad)
{
	char path[64], what[100];
	double *want = NULL, nll = 0, worst = 0;
	int count = 0, seen = 0;
	size_t n;
	snprintf(path, sizeof path, "tests/golden/tiny_%c.txt", which);
	FILE *f = fopen(path, "r");
	TEST(f && fscanf(f, "loss %d %lf", &count, &nll) == 2, "%s is there", path);
	TEST_NEAR(loss, nll, 1e-6, "%c: loss, %d threads", which, threads);
	while ((n = golden_next(f, what, &want))) {
		const float *got = strcmp(what, "logits") ? golden_tensor(&m->lay, grad, what, n) : logits;
		double d = got ? golden_distance(got, want, n) : 1;
		TEST(d < 1e-5, "%c: %s, %zu numbers, is off by %.1e", which, what, n, d);
		worst = d > worst ? d : worst;
		seen++;
		free(want);
	}
	TEST(seen == m->lay.n + 1, "%c: logits and all %d tensors were compared, the worst off by %.1e", which, m->lay.n,
	     worst);
	fclose(f);
}

static void tiny(char which, int threads)
{
	struct model m;
	tiny_model(&m, which);
	struct batch b = tiny_batch(&m.cfg);
	struct work *ws = model_work(&m, threads, &e);
	float *grad = params_alloc(&m.lay), *again = params_alloc(&m.lay), *logits = malloc(TINY_ROWS * 97 * sizeof(float));
	double loss = 0, eval = 0, scale = 1.0 / (double)model_scored(&b);
	TEST(model_loss(&m, ws, &b, scale, grad, &loss, &e) == 0, "%c: forward and backward", which);
	TEST(model_loss(&m, ws, &b, scale, NULL, &eval, &e) == 0 && eval == loss, "%c: the same loss without gradients", which);
	TEST(model_logits(&m, ws, &b, logits, &e) == 0, "%c: logits", which);
	against_golden(&m, which, threads, loss, logits, grad);
	model_loss(&m, ws, &b, scale, again, &loss, &e);
	TEST(!memcmp(grad, again, m.lay.total * sizeof *grad), "%c: the same bits the second time", which);
	model_loss(&m, ws, &b, scale, again, &loss, &e);
	double worst = 0;
	for (size_t i = 0; i < m.lay.total; i++)
		worst = fmax(worst, fabs((double)again[i] - 2 * (double)grad[i]));
	TEST(worst < 1e-6, "%c: gradients add up, off by %.1e", which, worst);
	model_work_close(ws);
	model_release(&m);
	free(grad);
	free(again);
	free(logits);
}

/* --- less memory ------------------------------------------------------------------------ */

struct gathered {
	const struct params *lay;
	float *g;    /* the whole gradient */
	char *times; /* how often each tensor came */
	int left;    /* how many takes are granted */
};

static int gather(void *arg, int from, int to, float *g, struct err *err)
{
	struct gathered *a = arg;
	size_t off = a->lay->t[from].off, end = to < a->lay->n ? a->lay->t[to].off : a->lay->total;
	if (a->left-- == 0)
		return err_data(err, "enough");
	for (int i = from; i < to; i++)
		a->times[i]++;
	memcpy(a->g + off, g, (end - off) * sizeof *g);
	memset(g, 0, (end - off) * sizeof *g);
	return 0;
}

/* Only the layers' inputs kept, gradients taken one by one, both: the same bits as the plain way. */
static void frugal(char which)
{
	struct model m;
	tiny_model(&m, which);
	struct batch b = tiny_batch(&m.cfg);
	struct work *ws = model_work(&m, 2, &e);
	float *want = params_alloc(&m.lay), *got = params_alloc(&m.lay);
	size_t bytes = m.lay.total * sizeof *want;
	struct gathered a = {&m.lay, got, calloc((size_t)m.lay.n, 1), -1};
	struct model_taker t = {gather, &a};
	double loss = 0, again = 0;
	model_loss(&m, ws, &b, 0.1, want, &loss, &e);
	for (int round = 0; round < 4; round++) {
		if (round == 2)
			model_work_checkpoint(ws);
		memset(got, 0, bytes);
		memset(a.times, 0, (size_t)m.lay.n);
		int rc = round % 2 ? model_loss(&m, ws, &b, 0.1, got, &again, &e) : model_loss_taken(&m, ws, &b, 0.1, &t, &again, &e);
		TEST(rc == 0 && loss == again && !memcmp(want, got, bytes), "%c: the same loss and gradient, %d", which, round);
		for (int i = 0; i < m.lay.n; i++)
			rc |= a.times[i] != (round % 2 == 0);
		TEST(rc == 0, "%c: each tensor is taken once", which);
	}
	a.left = 2;
	TEST(model_loss_taken(&m, ws, &b, 0.1, &t, &again, &e) == -1 && !strcmp(e.msg, "enough"), "%c: the taker may end it", which);
	TEST(model_work_bytes(&m.cfg, 100, 20, 1, true) < model_work_bytes(&m.cfg, 100, 20, 1, false), "%c: less memory", which);
	TEST(model_taken_bytes(&m.lay) < bytes, "%c: less of it for gradients", which);
	model_work_close(ws);
	model_release(&m);
	free(want);
	free(got);
	free(a.times);
}

/* --- batches ---------------------------------------------------------------------------- */

/* Sequences do not see each other: each by itself gives the same sum and gradient. */
static void one_by_one(char which)
{
	struct model m;
	tiny_model(&m, which);
	struct batch b = tiny_batch(&m.cfg);
	struct work *ws = model_work(&m, 2, &e);
	float *all = params_alloc(&m.lay), *each = params_alloc(&m.lay);
	double loss = 0, sum = 0, worst = 0;
	model_loss(&m, ws, &b, 1, all, &loss, &e);
	for (int s = 0; s < b.nseq; s++) {
		int start[2] = {0, b.start[s + 1] - b.start[s]};
		struct batch one = {1, start, b.ids + b.start[s], b.labels + b.start[s]};
		double part;
		if (model_loss(&m, ws, &one, 1, each, &part, &e) == 0)
			sum += part;
	}
	for (size_t i = 0; i < m.lay.total; i++)
		worst = fmax(worst, fabs((double)all[i] - (double)each[i]));
	TEST_NEAR(sum, loss, 1e-6, "%c: sequences one by one give the same loss", which);
	TEST(worst < 1e-4, "%c: and the same gradient, off by %.1e", which, worst);
	model_work_close(ws);
	model_release(&m);
	free(all);
	free(each);
}

/* 150 tokens are three strips of queries; what comes behind cannot change what comes before. */
static void causal(void)
{
	enum { LONG = 150, SHORT = 70 };
	struct model m;
	tiny_model(&m, 'B');
	int32_t ids[LONG];
	int start[2] = {0, SHORT};
	for (int i = 0; i < LONG; i++)
		ids[i] = (i * i + 7 * i) % 97;
	struct work *ws = model_work(&m, 2, &e);
	float *part = malloc(LONG * 97 * sizeof *part), *whole = malloc(LONG * 97 * sizeof *whole);
	struct batch b = {1, start, ids, ids};
	model_logits(&m, ws, &b, part, &e);
	start[1] = LONG;
	model_logits(&m, ws, &b, whole, &e);
	double worst = 0;
	for (int i = 0; i < SHORT * 97; i++)
		worst = fmax(worst, fabs((double)part[i] - (double)whole[i]));
	TEST(worst < 1e-5, "a longer text changes no earlier logits: %.1e", worst);
	free(part);
	free(whole);
	model_work_close(ws);
	model_release(&m);
}

static void refusals(void)
{
	struct model m;
	int start[2] = {0, 3};
	int32_t ids[3] = {1, 97, 2}, labels[3] = {1, 2, 97}, none[3] = {-100, -100, -100};
	double nll = 1;
	tiny_model(&m, 'A');
	struct work *ws = model_work(&m, 1, &e);
	float *grad = params_alloc(&m.lay);
	struct batch b = {1, start, ids, labels};
	TEST(model_loss(&m, ws, &b, 1, grad, &nll, &e) && strstr(e.msg, "token 97 is not"), "%s", e.msg);
	ids[1] = 96;
	TEST(model_loss(&m, ws, &b, 1, grad, &nll, &e) && strstr(e.msg, "label 97 is neither"), "%s", e.msg);
	b.labels = none;
	TEST(model_loss(&m, ws, &b, 1, grad, &nll, &e) == 0 && nll == 0 && model_scored(&b) == 0, "nothing scored: loss 0");
	start[1] = 0;
	TEST(model_loss(&m, ws, &b, 1, grad, &nll, &e) == 0 && nll == 0, "an empty sequence");
	float any = 0;
	for (size_t i = 0; i < m.lay.total; i++)
		any += fabsf(grad[i]);
	TEST(any == 0, "and no gradient");
	free(grad);
	model_work_close(ws);
	model_release(&m);
}

/* Mixed precision beside PyTorch's with operands rounded (tests/reference/grads.py). A number that lies next to
 * the middle of two bfloat16 may go the other way there, so the two are not as near as in float32; but far nearer
 * than they are to float32's. */
static void mixed(int threads)
{
	struct model m;
	tiny_model(&m, 'A');
	struct batch b = tiny_batch(&m.cfg);
	struct work *ws = model_work(&m, threads, &e);
	float *exact = params_alloc(&m.lay), *grad = params_alloc(&m.lay);
	double loss = 0, full = 0, nll = 0, *want, scale = 1.0 / (double)model_scored(&b), worst = 0, least = 1;
	char what[100];
	int count;
	size_t n;
	model_loss(&m, ws, &b, scale, exact, &full, &e);
	TEST(model_work_bf16(ws, &e) == 0 && model_loss(&m, ws, &b, scale, grad, &loss, &e) == 0, "mixed precision, %d threads", threads);
	FILE *f = fopen("tests/golden/tiny_A_bf16.txt", "r");
	TEST(f && fscanf(f, "loss %d %lf", &count, &nll) == 2, "its golden is there");
	TEST_NEAR(loss, nll, 2e-6, "loss, which in float32 is %.1e of it off", (full - nll) / nll);
	while ((n = golden_next(f, what, &want))) {
		const float *got = golden_tensor(&m.lay, grad, what, n);
		if (got) {
			double d = golden_distance(got, want, n), from = golden_distance(golden_tensor(&m.lay, exact, what, n), want, n);
			worst = fmax(worst, d);
			least = fmin(least, from);
		}
		free(want);
	}
	TEST(worst < 3e-4 && least > 10 * worst, "gradients are off by %.1e at most, float32's by at least %.1e", worst, least);
	fclose(f);
	free(exact);
	free(grad);
	model_work_close(ws);
	model_release(&m);
}

int main(void)
{
	for (const char *w = "ABC"; *w; w++)
		for (int threads = 1; threads <= 3; threads++)
			tiny(*w, threads);
	frugal('A');
	frugal('B');
	frugal('C');
	one_by_one('A');
	one_by_one('B');
	one_by_one('C');
	mixed(1);
	mixed(3);
	causal();
	refusals();
	return test_done();
}
