/* nx/dataset and nx/trainer: losses, norms and rates of HF's Trainer on the tiny
 * models. The golden is made by tests/reference/trainer.py, of the same records. */
#include "test.h"
#include "tiny.h"

#include "base/cpu.h"
#include "nx/dataset.h"
#include "nx/trainer.h"

#include <stdbool.h>

enum { RECORDS = 11, MOST = 64 };

static struct err e;
static const int lengths[RECORDS] = {9, 1, 17, 4, 12, 0, 23, 6, 2, 14, 3};

/* --- records ------------------------------------------------------------------------- */

static int add(struct dataset *d, int n, const int32_t *ids, const int32_t *labels, const uint8_t *attn)
{
	static int32_t i[MOST], l[MOST];
	static uint8_t a[MOST];
	memset(a, 1, sizeof a);
	memcpy(i, ids, (size_t)n * sizeof *i);
	memcpy(l, labels ? labels : ids, (size_t)n * sizeof *l);
	if (attn)
		memcpy(a, attn, (size_t)n);
	struct record r = {.n = (size_t)n, .ids = i, .labels = l, .attn = a, .has_ids = true};
	return dataset_add(d, &r, 97, &e);
}

/* As trainer.py makes them: labels are the ids, but -100 where (place + record) mod 4 is 3, and in all of record 3. */
static struct dataset records(void)
{
	struct dataset d = {0};
	uint32_t at = 0;
	for (int s = 0; s < RECORDS; s++) {
		int32_t ids[MOST] = {0}, labels[MOST] = {0};
		for (int i = 0; i < lengths[s]; i++) {
			ids[i] = (int32_t)((tiny_u(tiny_name("ids"), at++) + 1) / 2 * 97);
			labels[i] = s == 3 || (i + s) % 4 == 3 ? -100 : ids[i];
		}
		if (add(&d, lengths[s], ids, labels, NULL))
			abort();
	}
	return d;
}

static void data(void)
{
	struct dataset d = records();
	size_t scored = 0;
	for (size_t i = 0; i < d.n; i++)
		scored += dataset_scored(&d, i);
	TEST(d.n == RECORDS && d.start[d.n] == 91 && d.longest == 23 && d.silent == 3 && d.scored == scored,
	     "records, tokens, the longest, those without a token in the loss: %zu %zu %zu %zu", d.n, d.start[d.n], d.longest,
	     d.silent);
	dataset_release(&d);

	static const int32_t ids[] = {5, 6, 7, 8}, others[] = {-100, 6, 9, 8};
	static const uint8_t left[] = {0, 1, 1, 1}, both[] = {0, 1, 1, 0}, hole[] = {1, 0, 1, 1}, none[] = {0, 0, 0, 0};
	TEST(add(&d, 4, ids, NULL, NULL) == 0 && d.labels == NULL, "labels that are the ids take no memory");
	TEST(add(&d, 4, ids, others, NULL) == 0 && d.labels && dataset_labels(&d, 0)[2] == 7 && dataset_labels(&d, 1)[2] == 9,
	     "labels of their own, and those before them stay the ids");
	TEST(add(&d, 4, ids, others, left) == 0 && dataset_len(&d, 2) == 3 && d.ids[d.start[2]] == 6 &&
	         dataset_labels(&d, 2)[1] == 9 && d.padding == 1 && d.padding_labels == 0,
	     "padding on the left is dropped");
	TEST(add(&d, 4, ids, others, both) == 0 && dataset_len(&d, 3) == 2 && d.padding == 3 && d.padding_labels == 1,
	     "on both sides, and a label on it is counted");
	TEST(add(&d, 4, ids, NULL, none) == 0 && dataset_len(&d, 4) == 0 && d.n == 5, "a record of padding keeps its place");
	TEST(add(&d, 4, ids, NULL, hole) == -1 && e.kind == ERR_DATA && strstr(e.msg, "token 2"), "a hole is refused: %s", e.msg);
	static const int32_t big[] = {1, 97}, minus[] = {1, -1};
	TEST(add(&d, 2, big, NULL, NULL) == -1 && strstr(e.msg, "97"), "an id beyond the vocabulary: %s", e.msg);
	TEST(add(&d, 2, ids, big, NULL) == -1 && add(&d, 2, ids, minus, NULL) == -1, "a label beyond it: %s", e.msg);
	TEST(d.n == 5 && d.start[5] == 4 + 4 + 3 + 2, "what was refused is not there");
	dataset_release(&d);
}

static void packs(void)
{
	struct dataset d = records();
	struct dataset_pack p = {0};
	for (int round = 0; round < 2; round++) {
		int bad = 0, n = 0;
		dataset_pack_reset(&p);
		for (int k = 0; k < 100; k++) {
			size_t i = (size_t)(k * 7) % d.n;
			bad += dataset_pack_add(&p, &d, i, &e) != 0;
			bad += p.b.start[k] != n || p.b.nseq != k + 1;
			n += lengths[i];
			bad += p.b.start[k + 1] != n;
			bad += lengths[i] && memcmp(p.b.labels + p.b.start[k], dataset_labels(&d, i), (size_t)lengths[i] * 4) != 0;
		}
		TEST(bad == 0, "a hundred records in one pack");
	}
	dataset_pack_release(&p);
	dataset_release(&d);
}

/* --- packed records ------------------------------------------------------------------- */

/* The records of `from`, each `per` of them packed into one, with `left` tokens of padding before them. */
static struct dataset packed(const struct dataset *from, size_t per, size_t left)
{
	struct dataset d = {0};
	for (size_t i = 0; i < from->n; i += per) {
		int32_t ids[4 * MOST] = {0}, labels[4 * MOST];
		uint8_t attn[4 * MOST] = {0};
		uint32_t starts[RECORDS];
		struct record r = {.n = left, .ids = ids, .labels = labels, .attn = attn, .starts = starts, .has_ids = true};
		for (size_t k = 0; k < left; k++)
			labels[k] = -100;
		for (size_t k = i; k < i + per && k < from->n; k++) {
			size_t n = dataset_len(from, k);
			if (n && r.n > left)
				starts[r.nstarts++] = (uint32_t)r.n;
			for (size_t j = 0; j < n; j++, r.n++) {
				ids[r.n] = from->ids[from->start[k] + j];
				labels[r.n] = j == 0 && k > i ? -100 : dataset_labels(from, k)[j];
				attn[r.n] = 1;
			}
		}
		if (dataset_add(&d, &r, 97, &e))
			abort();
	}
	return d;
}

/* Losses and last weights of training on d, its records in order, so many an update. */
static int train_on(const struct dataset *d, int64_t batch, struct model *m, double *loss)
{
	struct trainer_rule r = trainer_defaults();
	struct trainer *t;
	struct trainer_step s;
	int steps = 0;
	r.batch = batch;
	r.max_steps = 4;
	r.sampler = SAMPLER_SEQUENTIAL;
	r.rate = 1e-3;
	tiny_model(m, 'A');
	if (trainer_open(&t, m, d, &r, 1, &e))
		abort();
	while (trainer_step(t, &s, &e) == 1)
		loss[steps++] = s.loss + s.grad_norm;
	trainer_close(t);
	return steps;
}

/* records() that have a token in the loss: the others are left out of a batch, but not of a
 * pack, and how many rows a product has moves its last bits. */
static struct dataset loud_records(void)
{
	struct dataset all = records(), d = {0};
	for (size_t i = 0; i < all.n; i++)
		if (dataset_scored(&all, i) && add(&d, (int)dataset_len(&all, i), all.ids + all.start[i], dataset_labels(&all, i), NULL))
			abort();
	dataset_release(&all);
	return d;
}

/* A packed record is trained as its pieces are in one batch: to the bit. */
static void pieces(void)
{
	struct dataset d = loud_records();
	for (size_t per = 2; per <= 4; per++) {
		struct dataset p = packed(&d, per, per % 2 * 5);
		double want[4] = {0}, got[4] = {1};
		struct model a, b;
		TEST(p.n == (d.n + per - 1) / per && p.scored == d.scored && p.longest_piece == d.longest && p.longest > d.longest,
		     "%zu to a record: %zu records, the same %zu tokens in the loss", per, p.n, p.scored);
		int steps = train_on(&d, (int64_t)per, &a, want) + train_on(&p, 1, &b, got);
		TEST(steps == 8 && !memcmp(want, got, sizeof want),
		     "%zu to a record: the same losses and norms, %.9g and %.9g", per, want[3], got[3]);
		TEST(!memcmp(a.w, b.w, a.lay.total * sizeof *a.w), "%zu to a record: the same weights", per);
		model_release(&a);
		model_release(&b);
		dataset_release(&p);
	}
	dataset_release(&d);
}

/* --- the Trainer ------------------------------------------------------------------------ */

struct run {
	char model, title[200];
	struct trainer_rule rule;
};

/* "run A adamw hf token 2 4 10 linear 1.0 0.01 0.001" */
static bool parse_run(const char *line, struct run *r)
{
	char optim[20], sampler[20], reduction[20], sched[30];
	long long batch, accum, steps;
	double clip, decay, rate;
	if (sscanf(line, "run %c %19s %19s %19s %lld %lld %lld %29s %lf %lf %lf", &r->model, optim, sampler, reduction, &batch,
	           &accum, &steps, sched, &clip, &decay, &rate) != 11)
		return false;
	r->rule = trainer_defaults();
	r->rule.optim.kind = test_word(OPTIM_WORDS, optim);
	r->rule.optim.weight_decay = decay;
	r->rule.sampler = test_word(SAMPLER_WORDS, sampler);
	r->rule.reduction = test_word(TRAINER_REDUCTION_WORDS, reduction);
	for (char *c = sched; (c = strchr(c, '_'));)
		*c = '-'; /* option tables spell it so */
	r->rule.sched = test_word(SCHED_WORDS, sched);
	r->rule.sched_floor = 0.1;
	r->rule.batch = batch;
	r->rule.accum = accum;
	r->rule.max_steps = steps;
	r->rule.max_norm = clip;
	r->rule.rate = rate;
	r->rule.warmup_steps = 1;
	snprintf(r->title, sizeof r->title, "%c %s %s %s %s", r->model, optim, sampler, reduction, sched);
	return true;
}

static void compare_step(const struct run *r, const struct trainer_step *s, const char *line)
{
	double loss, norm, rate, epoch;
	if (sscanf(line, "step %lf %lf %lf %lf", &loss, &norm, &rate, &epoch) != 4)
		abort();
	TEST_NEAR(s->loss, loss, 1e-4, "%s step %lld: loss", r->title, (long long)s->step);
	TEST_NEAR(s->grad_norm, norm, 1e-3, "%s step %lld: norm", r->title, (long long)s->step);
	TEST(fabs(s->rate - rate) <= 1e-8 * rate && fabs(s->epoch - epoch) < 1e-7, "%s step %lld: rate %g, epoch %g", r->title,
	     (long long)s->step, s->rate, s->epoch);
}

/* A run of the golden, whose first line has been read; the weights it ends with stay in m. */
static void follow(FILE *f, const struct run *r, const struct dataset *d, int threads, struct model *m)
{
	char line[300];
	struct trainer *t;
	struct trainer_step s;
	struct trainer_loss l;
	tiny_model(m, r->model);
	if (trainer_open(&t, m, d, &r->rule, threads, &e))
		abort();
	for (int64_t k = 1; k <= r->rule.max_steps; k++) {
		TEST(trainer_step(t, &s, &e) == 1 && s.step == k, "%s step %lld", r->title, (long long)k);
		if (!fgets(line, sizeof line, f))
			abort();
		compare_step(r, &s, line);
	}
	TEST(trainer_step(t, &s, &e) == 0 && trainer_step(t, &s, &e) == 0, "%s is over", r->title);
	long at = ftell(f);
	double want;
	if (fgets(line, sizeof line, f) && sscanf(line, "eval %lf", &want) == 1) {
		TEST(trainer_eval(t, d, 2, &l, &e) == 0 && l.records == RECORDS && l.batches == 6, "%s: evaluation", r->title);
		TEST_NEAR(l.loss, want, 1e-4, "%s: eval_loss", r->title);
	} else {
		fseek(f, at, SEEK_SET);
	}
	trainer_close(t);
}

/* The loss of the last update, and the weights behind it in m. */
static double last_loss(const struct run *r, const struct dataset *d, int threads, struct model *m)
{
	struct trainer *t;
	struct trainer_step s = {0};
	tiny_model(m, r->model);
	if (trainer_open(&t, m, d, &r->rule, threads, &e))
		abort();
	while (trainer_step(t, &s, &e) == 1)
		;
	trainer_close(t);
	return s.loss;
}

/* Any number of threads gives the same bits. Where OpenBLAS multiplies only the same number does, and others
 * the same losses to 1e-5. */
static void again(const struct run *r, const struct dataset *d, const struct model *want, int threads)
{
	struct model m;
	double loss = last_loss(r, d, threads, &m);
	int same = memcmp(m.w, want->w, m.lay.total * sizeof *m.w) == 0;
	model_release(&m);
	TEST(same && isfinite(loss), "%s: the same bits again", r->title);
	for (int more = 3; more <= 8 - threads; more += 5 - threads) {
		double other = last_loss(r, d, threads + more, &m);
		TEST_NEAR(other, loss, 1e-5, "%s: %d threads more", r->title, more);
		same = memcmp(m.w, want->w, m.lay.total * sizeof *m.w) == 0;
		TEST(same || !cpu_can(CPU_AVX2), "%s: the same bits with %d threads more", r->title, more);
		model_release(&m);
	}
}

/* With clipping that never clips the whole gradient is there before the step; without, the step is
 * part of the way back. Both learn the same, and checkpointing changes no bit of either. */
static void in_the_way_back(const struct run *golden_run, const struct dataset *d)
{
	struct run r = *golden_run;
	struct model whole, inner, lean;
	size_t bytes[4];
	double worst = 0, most = 0;
	r.rule.max_norm = 1e30;
	double a = last_loss(&r, d, 2, &whole);
	bytes[0] = trainer_bytes(&whole, d, &r.rule, 2);
	r.rule.checkpoint = true;
	double b = last_loss(&r, d, 2, &lean);
	bytes[1] = trainer_bytes(&lean, d, &r.rule, 2);
	TEST(a == b && !memcmp(whole.w, lean.w, whole.lay.total * sizeof *whole.w), "%s: the same bits with checkpointing", r.title);
	model_release(&lean);
	r.rule.max_norm = 0;
	b = last_loss(&r, d, 2, &lean);
	bytes[3] = trainer_bytes(&lean, d, &r.rule, 2);
	r.rule.checkpoint = false;
	a = last_loss(&r, d, 2, &inner);
	bytes[2] = trainer_bytes(&inner, d, &r.rule, 2);
	TEST(a == b && !memcmp(inner.w, lean.w, inner.lay.total * sizeof *inner.w), "%s: and in the way back", r.title);
	for (size_t i = 0; i < whole.lay.total; i++) {
		worst = fmax(worst, fabs((double)inner.w[i] - (double)whole.w[i]));
		most = fmax(most, fabs((double)whole.w[i]));
	}
	TEST(worst <= 1e-5 * most, "%s: a step in the way back is the same step, off by %.1e of %.1e", r.title, worst, most);
	TEST(bytes[1] < bytes[0] && bytes[3] < bytes[2] && bytes[2] < bytes[0], "%s: memory %zu %zu %zu %zu", r.title, bytes[0],
	     bytes[1], bytes[2], bytes[3]);
	model_release(&whole);
	model_release(&inner);
	model_release(&lean);
}

static void golden(void)
{
	struct dataset d = records();
	FILE *f = fopen("tests/golden/trainer.txt", "r");
	char line[300];
	struct run r;
	int runs = 0;
	if (!f)
		abort();
	while (fgets(line, sizeof line, f)) {
		struct model m;
		if (!parse_run(line, &r))
			continue;
		follow(f, &r, &d, 1 + runs % 3, &m);
		again(&r, &d, &m, 1 + runs % 3);
		in_the_way_back(&r, &d);
		model_release(&m);
		runs++;
	}
	TEST(runs == 19, "%d runs compared", runs);
	fclose(f);
	dataset_release(&d);
}

/* Numbers of steps as HF's Trainer counts them. */
static void plans(void)
{
	static const struct {
		size_t n;
		int64_t batch, accum, max_steps;
		double epochs;
		enum sampler_kind sampler;
		int64_t batches, per_epoch, steps, epochs_begun;
	} want[] = {
		{1260, 1, 4, 3, 1, SAMPLER_HF_425, 1260, 315, 3, 1}, /* the guide's */
		{1260, 8, 1, -1, 3, SAMPLER_HF, 158, 158, 474, 3},
		{10, 1, 4, -1, 3, SAMPLER_HF, 10, 3, 9, 3},
		{10, 1, 4, -1, 3, SAMPLER_HF_425, 10, 2, 6, 3},
		{3, 1, 4, -1, 2, SAMPLER_HF_425, 3, 1, 2, 2},
		{3, 8, 4, -1, 0.5, SAMPLER_SEQUENTIAL, 1, 1, 1, 1},
		{100, 10, 3, -1, 2.5, SAMPLER_HF, 10, 4, 10, 3},
		{1, 1, 1, 7, 1, SAMPLER_HF, 1, 1, 7, 7},
	};
	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		struct trainer_rule r = trainer_defaults();
		struct trainer_plan p;
		r.batch = want[i].batch;
		r.accum = want[i].accum;
		r.max_steps = want[i].max_steps;
		r.epochs = want[i].epochs;
		r.sampler = want[i].sampler;
		r.warmup_ratio = 0.1;
		int rc = trainer_plan(&p, &r, want[i].n, &e);
		TEST(rc == 0 && p.batches == want[i].batches &&
		         p.steps_per_epoch == want[i].per_epoch && p.steps == want[i].steps && p.epochs == want[i].epochs_begun &&
		         p.warmup == (p.steps + 9) / 10,
		     "plan %zu: %lld batches, %lld updates an epoch, %lld in all", i, (long long)p.batches,
		     (long long)p.steps_per_epoch, (long long)p.steps);
	}
	struct trainer_rule r = trainer_defaults();
	struct trainer_plan p;
	r.epochs = 1e18;
	int rc = trainer_plan(&p, &r, 1260, &e);
	TEST(rc == -1 && e.kind == ERR_USAGE, "more steps than can be counted: %s", e.msg);
}

/* Records without a token in the loss: no NaN, and no step left out. */
static void silence(void)
{
	struct dataset d = {0};
	static const int32_t ids[] = {5, 6, 7}, out[] = {-100, -100, -100};
	for (int i = 0; i < 5; i++)
		add(&d, i == 2 ? 0 : 3, ids, i == 4 ? ids : out, NULL);
	for (int kind = 0; kind < 4; kind++) {
		struct trainer_rule r = trainer_defaults();
		struct trainer *t;
		struct trainer_step s;
		struct model m;
		double sum = 0;
		int steps = 0, silent = 0;
		r.batch = 1;
		r.accum = 1 + kind / 2;
		r.epochs = 1;
		r.optim.kind = kind % 2 ? OPTIM_ADAFACTOR : OPTIM_ADAMW;
		r.reduction = kind / 2 ? TRAINER_SEQUENCE : TRAINER_TOKEN;
		tiny_model(&m, 'A');
		if (trainer_open(&t, &m, &d, &r, 1, &e))
			abort();
		while (trainer_step(t, &s, &e) == 1) {
			steps++;
			silent += s.scored == 0 && s.loss == 0 && s.grad_norm == 0;
		}
		for (size_t i = 0; i < m.lay.total; i++)
			sum += (double)m.w[i];
		TEST(steps == (kind / 2 ? 3 : 5) && silent == steps - 1 && isfinite(sum), "updates of nothing: %d of %d", silent, steps);
		trainer_close(t);
		model_release(&m);
	}
	struct dataset none = {0};
	struct trainer_rule r = trainer_defaults();
	struct trainer *t;
	struct trainer_loss l;
	struct model m;
	tiny_model(&m, 'A');
	TEST(trainer_open(&t, &m, &none, &r, 1, &e) == -1 && e.kind == ERR_DATA, "no record: %s", e.msg);
	if (trainer_open(&t, &m, &d, &r, 1, &e))
		abort();
	TEST(trainer_eval(t, &none, 8, &l, &e) == -1, "nothing to evaluate: %s", e.msg);
	TEST(trainer_eval(t, &d, 5, &l, &e) == 0 && isfinite(l.loss) && l.batches == 1, "one batch of all");
	double whole = l.loss;
	TEST(trainer_eval(t, &d, 1, &l, &e) == 0 && l.batches == 5, "a batch a record");
	TEST_NEAR(l.loss, whole, 1e-6, "batches without a token in the loss weigh nothing");
	trainer_close(t);
	model_release(&m);
	dataset_release(&d);
}

static void not_finite(void)
{
	struct dataset d = records();
	struct trainer_rule r = trainer_defaults();
	struct trainer *t;
	struct trainer_step s;
	struct model m;
	r.rate = 1e30;
	r.batch = 2;
	tiny_model(&m, 'A');
	if (trainer_open(&t, &m, &d, &r, 1, &e))
		abort();
	int rc;
	while ((rc = trainer_step(t, &s, &e)) == 1)
		;
	TEST(rc == -1 && e.kind == ERR_DATA && strstr(e.msg, "step "), "a loss that is no number ends it: %s", e.msg);
	trainer_close(t);
	model_release(&m);
	dataset_release(&d);
}

/* A token whose embedding is no number stands in record 6 alone: it is named, or passed over. */
static void whence(void)
{
	struct dataset d = records();
	struct trainer_rule r = trainer_defaults();
	struct trainer_step s;
	struct trainer *t;
	struct model m;
	r.batch = 4;
	r.epochs = 2;
	int32_t *id = d.ids + d.start[6] + 3;
	for (size_t i = 0; i < d.start[d.n]; i++)
		d.ids[i] = d.ids[i] == 5 ? 6 : d.ids[i];
	*id = 5;
	for (int64_t spare = 0; spare < 3; spare++) {
		int skipped = 0, rc, steps = 0;
		r.skip_nan = spare;
		tiny_model(&m, 'A');
		m.w[m.lay.embed + 5 * (size_t)m.cfg.hidden] = spare ? -NAN : NAN;
		if (trainer_open(&t, &m, &d, &r, 2, &e))
			abort();
		while ((rc = trainer_step(t, &s, &e)) == 1) {
			steps++;
			skipped += s.skipped;
			if (s.skipped)
				TEST(strstr(s.why, "the loss is nan; it comes from record 7 of the input") && s.loss == 0 && s.grad_norm == 0, "%s", s.why);
			else
				TEST(isfinite(s.loss) && s.loss > 0, "step %d is as any other", steps);
		}
		TEST(skipped == spare && rc == (spare < 2 ? -1 : 0), "%d of %d may be skipped", skipped, (int)spare);
		if (rc < 0)
			TEST(e.kind == ERR_DATA && strstr(e.msg, "the loss is nan; it comes from record 7 of the input"), "%s", e.msg);
		TEST(!trainer_is_sound(t), "weights that are no numbers are seen");
		m.w[m.lay.embed + 5 * (size_t)m.cfg.hidden] = 0;
		TEST(trainer_is_sound(t), "and no others");
		trainer_close(t);
		model_release(&m);
	}
	dataset_release(&d);
}

int main(void)
{
	whence();
	data();
	packs();
	pieces();
	plans();
	silence();
	not_finite();
	golden();
	return test_done();
}
