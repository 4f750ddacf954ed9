/* nx/frozen: weights as files hold them decode to the bits of the model in memory, narrowed ones to those of
 * the narrowed model, and how far that is from the model. */
#include "test.h"
#include "tiny.h"

#include "nx/decode.h"
#include "nx/frozen.h"

enum { N = 40, V = 97 };

static const char dir[] = "build/frozen.dir";
static float want[V], got[V];

/* Logits behind N ids: a prompt, and some tokens one by one. */
static int logits(struct decode *d, float *to)
{
	struct err e;
	int32_t ids[N];
	int ok = d != NULL;
	for (int i = 0; i < N; i++)
		ids[i] = (int32_t)((tiny_u(tiny_name("frozen"), (uint32_t)i) + 1) / 2 * V);
	ok = ok && decode_feed(d, ids, N - 3, &e) == 0;
	for (int i = N - 3; ok && i < N; i++)
		ok = decode_feed(d, ids + i, 1, &e) == 0;
	if (ok)
		memcpy(to, decode_logits(d), V * sizeof *to);
	decode_close(d);
	return ok;
}

static int from_dir(enum frozen_dtype as, float *to)
{
	struct frozen f;
	struct err e;
	if (frozen_load(&f, dir, as, 2, &e)) {
		printf("# %s\n", e.msg);
		return 0;
	}
	int ok = logits(decode_over(&f, 2, &e), to);
	frozen_release(&f);
	return ok;
}

/* The model's matrices, but for the embeddings, as bfloat16 or q8 would have them. A tied head is the
 * embeddings: those models are not compared. */
static void narrow(struct model *m, enum frozen_dtype as)
{
	static char room[1 << 16] __attribute__((aligned(64)));
	for (int i = 0; i < m->lay.n; i++) {
		const struct param *p = &m->lay.t[i];
		struct gemm_matrix r = {as == FROZEN_Q8 ? GEMM_Q8 : GEMM_BF16, 1, p->cols, room};
		for (int k = 0; k < p->rows && p->cols && p->off != m->lay.embed; k++) {
			float *w = m->w + p->off + (size_t)k * (size_t)p->cols;
			gemm_best()->pack(&r, 0, 0, w, p->cols, 1, p->cols);
			for (int j = 0; j < p->cols; j++)
				w[j] = gemm_weight(&r, 0, j);
		}
	}
}

/* Largest difference relative to the largest logit. */
static double apart(void)
{
	double worst = 0, size = 0;
	for (int i = 0; i < V; i++) {
		worst = fmax(worst, fabs((double)got[i] - want[i]));
		size = fmax(size, fabs((double)want[i]));
	}
	return worst / size;
}

static void types(char which)
{
	static const char *const names[] = {"f32", "bf16", "q8"};
	static const double most[] = {0, 0.02, 0.05};
	struct model m;
	struct err e;
	TEST(tiny_dir(dir, which) == 0, "%c: a model", which);
	for (int as = FROZEN_F32; as <= FROZEN_Q8; as++) {
		tiny_model(&m, which);
		int ok = logits(decode_open(&m, 1, &e), want) && from_dir((enum frozen_dtype)as, got);
		TEST(ok && apart() <= most[as], "%c, %s: near the model (%.2g)", which, names[as], apart());
		if (as != FROZEN_F32 && !m.cfg.tied) {
			narrow(&m, (enum frozen_dtype)as);
			ok = logits(decode_open(&m, 1, &e), want);
			if (as == FROZEN_BF16)
				TEST(ok && memcmp(want, got, sizeof want) == 0, "%c, bf16: the bits of the narrowed model", which);
			else /* what is multiplied by eight bits is rounded, too */
				TEST(ok && apart() < 0.02, "%c, q8: near the narrowed model (%.2g)", which, apart());
		}
		model_release(&m);
	}
}

/* Files of sixteen bits: as model_load widens them. */
static void files(char which, enum tensor_dtype as, const char *name)
{
	struct model m;
	struct err e;
	tiny_model(&m, which);
	int ok = model_save_as(&m, dir, as, &e) == 0;
	model_release(&m);
	ok = ok && model_load(&m, dir, &e) == 0 && logits(decode_open(&m, 1, &e), want) && from_dir(FROZEN_F32, got);
	TEST(ok && memcmp(want, got, sizeof want) == 0, "%c: a file of %s gives the bits of its widened weights", which, name);
	model_release(&m);
}

static void refused(void)
{
	struct model m;
	struct frozen f;
	struct err e;
	tiny_model(&m, 'A');
	m.w[m.lay.layer[1].up_w + 5] = INFINITY;
	int ok = model_save(&m, dir, &e) == 0;
	for (int as = FROZEN_F32; as <= FROZEN_Q8; as++)
		ok = ok && frozen_load(&f, dir, (enum frozen_dtype)as, 2, &e) == -1 && strstr(e.msg, "dense_h_to_4h.weight: element 5 is inf");
	TEST(ok, "a weight that is not finite is named");
	TEST(frozen_load(&f, "build/nowhere", FROZEN_F32, 1, &e) == -1, "a directory that is not there is an error");
	model_release(&m);
}

int main(void)
{
	for (const char *w = "ABC"; *w; w++) {
		types(*w);
		files(*w, TENSOR_BF16, "bfloat16");
		files(*w, TENSOR_F16, "float16");
	}
	refused();
	return test_done();
}
