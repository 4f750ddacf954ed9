/* nx/sample, nx/cut, nx/penalty, nx/stop: what HF's processors leave (tests/golden/sample.txt), and what is drawn from it. */
#include "test.h"
#include "tiny.h"

#include "nx/sample.h"
#include "nx/stop.h"

#include <math.h>

enum { MOST = 6000, LISTED = 40 };

struct shape {
	int vocab, seed, steps, gaps;
	double scale;
};

static void fill(float *x, const struct shape *s)
{
	char name[20];
	snprintf(name, sizeof name, "l%d", s->seed);
	for (int j = 0; j < s->vocab; j++) {
		double u = tiny_u(tiny_name(name), (uint32_t)j), v = s->scale * (u + u * u * u);
		if (s->steps > 0)
			v = floor(v * s->steps + 0.5) / s->steps;
		x[j] = s->gaps && j % s->gaps == s->gaps - 1 ? -INFINITY : (float)v;
	}
}

static void remember(int32_t *ids, int seed, size_t n, int limit)
{
	char name[20];
	snprintf(name, sizeof name, "h%d", seed);
	for (size_t j = 0; j < n; j++)
		ids[j] = (int32_t)((tiny_u(tiny_name(name), (uint32_t)j) + 1) / 2 * limit);
}

/* Whether the candidates are those of the golden file's second line. */
static bool as_wanted(const struct cut *c, const char *line, double *worst)
{
	char *at;
	long n = strtol(line, &at, 10), sum = strtol(at, &at, 10), got = 0;
	bool ok = c ? c->n == n : n == 0;
	for (int i = 0; c && i < c->n; i++)
		got += c->id[i];
	ok = ok && got == sum;
	for (int i = 0; ok && i < n && i < LISTED; i++) {
		long id = strtol(at, &at, 10);
		double p = strtod(at + 1, &at);
		ok = id == c->id[i];
		*worst = fmax(*worst, fabs((double)c->p[i] - p));
	}
	return ok;
}

static void golden(void)
{
	static float x[MOST];
	int32_t ids[100];
	char *rules = NULL, *left = NULL;
	size_t cap1 = 0, cap2 = 0;
	int cases = 0;
	double worst = 0;
	FILE *f = fopen("tests/golden/sample.txt", "r");
	while (f && getline(&rules, &cap1, f) > 0 && getline(&left, &cap2, f) > 0) {
		struct shape s;
		struct penalty_history h = {.ids = ids};
		struct sample_rules r = SAMPLE_GREEDY;
		struct penalty_rules *p = &r.penalty;
		int limit, min_new;
		int32_t eos;
		struct err e;
		int got = sscanf(rules, "%d %d %lf %d %d | %zu %zu %d | %d %d | %lf %ld %lf %lf %lf %lf %ld %lf %lf", &s.vocab,
		                 &s.seed, &s.scale, &s.steps, &s.gaps, &h.prompt, &h.n, &limit, &min_new, &eos, &r.temperature,
		                 &r.top_k, &r.top_p, &r.min_p, &r.typical_p, &p->repetition, &p->ngram, &p->presence, &p->frequency);
		if (got != 19)
			break;
		fill(x, &s);
		remember(ids, s.seed, h.n, limit);
		struct sample *w = sample_open(s.vocab, &e);
		bool early = (int64_t)(h.n - h.prompt) < min_new;
		const struct cut *c = sample_candidates(w, &r, x, &h, &eos, early, &e);
		if (!as_wanted(c, left, &worst))
			TEST(0, "%s# has %d left, HF %.60s", rules, c ? c->n : 0, left);
		sample_close(w);
		cases++;
	}
	TEST(cases == 282, "%d cases of HF's processors", cases);
	TEST(worst <= 1e-6, "probabilities within 1e-6 of HF's: %.3g", worst);
	free(rules);
	free(left);
	if (f)
		fclose(f);
}

/* 99.9 % of all seeds give less than this over `df` degrees (Wilson and Hilferty 1931). */
static double chi_limit(int df)
{
	double a = 2.0 / (9.0 * df), b = 1 - a + 3.09 * sqrt(a);
	return df * b * b * b;
}

/* How often each id of 0 .. vocab-1 is drawn, against its probability. */
static void frequencies(const float *x, int vocab, const struct sample_rules *r, uint64_t streams, const char *what)
{
	enum { DRAWS = 40000 };
	int count[64] = {0}, df = -1;
	double chi = 0;
	struct err e;
	struct xoshiro rng;
	struct penalty_history none = {0};
	struct sample *s = sample_open(vocab, &e);
	xoshiro_seed(&rng, 1, 0);
	for (int i = 0; i < DRAWS; i++) {
		int32_t id;
		if (streams) /* the first number of a stream each, as the first tokens of records are drawn */
			xoshiro_seed(&rng, 1, (uint64_t)i * streams);
		if (sample_token(s, r, x, &none, NULL, 0, &rng, &id, &e) == 0)
			count[id]++;
	}
	const struct cut *c = sample_candidates(s, r, x, &none, NULL, 0, &e);
	int in = 0;
	for (int i = 0; i < c->n; i++) {
		double want = DRAWS * (double)c->p[i], d = count[c->id[i]] - want;
		in += count[c->id[i]];
		chi += want > 0 ? d * d / want : 0;
		df += want > 0;
	}
	TEST(in == DRAWS, "%s: nothing but candidates is drawn", what);
	TEST(chi < chi_limit(df), "%s: chi-square %.1f of %d degrees is below %.1f", what, chi, df, chi_limit(df));
	sample_close(s);
}

static void distribution(void)
{
	float x[50];
	struct shape s = {50, 11, 0, 0, 1.0};
	struct sample_rules r = SAMPLE_GREEDY;
	r.random = true;
	fill(x, &s);
	frequencies(x, 50, &r, 0, "one stream");
	frequencies(x, 50, &r, 1, "a stream a record");
	frequencies(x, 50, &r, UINT64_C(1) << 40, "a stream a sequence");
	r.temperature = 0.6;
	r.top_k = 20;
	r.top_p = 0.9;
	frequencies(x, 50, &r, 1, "temperature, top-k, top-p");
}

/* The draw is part of the interface: seeds must go on giving what they gave. */
static void frozen(void)
{
	static const int32_t want[] = {33, 3, 44, 21, 5, 2, 33, 35, 11, 19, 12, 12};
	float x[50];
	struct shape s = {50, 11, 0, 0, 1.0};
	struct sample_rules r = SAMPLE_GREEDY;
	struct penalty_history none = {0};
	struct err e;
	struct xoshiro rng;
	int32_t id;
	bool same = true;
	r.random = true;
	fill(x, &s);
	struct sample *w = sample_open(50, &e);
	xoshiro_seed(&rng, 42, 0);
	for (int i = 0; i < 12; i++) {
		sample_token(w, &r, x, &none, NULL, 0, &rng, &id, &e);
		same = same && id == want[i];
		if (id != want[i])
			printf("# draw %d is %d, not %d\n", i, id, want[i]);
	}
	TEST(same, "twelve draws of seed 42 are what they were");
	for (int i = 0; i < 50; i++)
		x[i] = i < 25 ? -INFINITY : 0;
	xoshiro_seed(&rng, 42, 0);
	double u = xoshiro_f64(&rng);
	xoshiro_seed(&rng, 42, 0);
	sample_token(w, &r, x, &none, NULL, 0, &rng, &id, &e);
	TEST(id == 25 + (int)(u * 25), "of equal ones the u-th part, -inf never");
	sample_close(w);
}

static void failures(void)
{
	struct sample_rules r = SAMPLE_GREEDY;
	struct penalty_history none = {0};
	struct err e;
	struct xoshiro rng;
	int32_t id, both[] = {0, 1};
	struct sample *s = sample_open(2, &e);
	xoshiro_seed(&rng, 1, 0);
	TEST(sample_token(s, &r, (float[]){1, NAN}, &none, NULL, 0, NULL, &id, &e) == -1 && e.kind == ERR_IO, "greedy: NaN");
	TEST(sample_token(s, &r, (float[]){1, 2}, &none, both + 1, 1, NULL, &id, &e) == 0 && id == 0, "greedy: banned ids are no choice");
	enum { LONG = 1300 };
	float v[LONG];
	for (int i = 0; i < LONG; i++)
		v[i] = (float)(i % 7) - 10;
	TEST(sample_greedy(v, LONG) == 6, "greedy: the first of the largest");
	v[1290] = v[1295] = 0;
	TEST(sample_greedy(v, LONG) == 1290, "greedy: in the last numbers, too");
	v[600] = NAN;
	TEST(sample_greedy(v, LONG) == -1, "greedy: NaN in the middle");
	TEST(sample_greedy((float[]){-INFINITY, -INFINITY}, 2) == 0, "greedy: nothing but minus infinity");
	r.random = true;
	TEST(sample_token(s, &r, (float[]){1, NAN}, &none, NULL, 0, &rng, &id, &e) == -1 && e.kind == ERR_IO, "drawn: NaN");
	TEST(sample_token(s, &r, (float[]){1, INFINITY}, &none, NULL, 0, &rng, &id, &e) == -1 && e.kind == ERR_IO, "drawn: infinity");
	TEST(sample_token(s, &r, (float[]){1, 2}, &none, both, 2, &rng, &id, &e) == -1 && e.kind == ERR_DATA, "drawn: nothing left");
	TEST(sample_token(s, &r, (float[]){-1e30f, 1e30f}, &none, NULL, 0, &rng, &id, &e) == 0 && id == 1, "drawn: as far apart as floats are");
	sample_close(s);
}

/* What the golden file's numbers do not come upon. */
static void borders(void)
{
	float x[] = {0, 1, 2, 3}, y[4];
	int32_t run[] = {2, 2}, count[4] = {0};
	struct penalty_rules twice = {.repetition = 1, .ngram = 2};
	struct penalty_history h = {run, 2, 1};
	struct err e;
	struct cut c;
	memcpy(y, x, sizeof y);
	penalty_apply(&twice, &h, y, x, count, 4);
	TEST(y[2] == -INFINITY && y[1] == 1 && y[3] == 3, "a run's own end is a repeated n-gram");
	if (cut_open(&c, 4, &e))
		return;
	cut_fill(&c, x, 4);
	cut_softmax(&c);
	double best = (double)c.p[2]; /* the nearest to the entropy here */
	cut_typical(&c, best);
	TEST(c.n == 1 && c.id[0] == 2, "typical: a mass reached exactly is enough");
	cut_fill(&c, x, 4);
	cut_typical(&c, best + 1e-6);
	TEST(c.n == 2, "typical: one not reached takes another");
	cut_close(&c);
}

static void logprobs(void)
{
	float x[] = {0, 3, 1, 3, -INFINITY, 2};
	double lse = log(exp(0) + 2 * exp(3) + exp(1) + exp(2));
	struct sample_logprob v[7];
	static const int order[] = {1, 3, 5, 2, 0, 4};
	struct err e;
	struct sample *s = sample_open(6, &e);
	sample_logprobs(s, x, 2, 6, v);
	bool sorted = true;
	for (int i = 0; i < 6; i++)
		sorted = sorted && v[1 + i].id == order[i];
	TEST(v[0].id == 2 && sorted, "the likeliest first, of equal ones the smaller id");
	TEST_NEAR(v[0].logprob, 1 - lse, 1e-6, "the chosen token's");
	TEST_NEAR(v[1].logprob, 3 - lse, 1e-6, "the best one's");
	TEST(v[6].logprob == -INFINITY, "minus infinity stays it");
	sample_logprobs(s, x, 0, 2, v);
	TEST(v[0].id == 0 && v[1].id == 1 && v[2].id == 3, "two of them");
	sample_close(s);
}

static size_t found(const char *text, size_t old, size_t *held)
{
	static const char *const stop[] = {"###", "", "aab", "b\n\n"};
	return stop_find(stop, 4, text, strlen(text), old, held);
}

static void stops(void)
{
	size_t held;
	TEST(found("one ### two", 0, &held) == 4, "found");
	TEST(found("one ###", 6, &held) == 4, "found where its end is new");
	TEST(found("x aab ###", 0, &held) == 2, "the first in the text, whichever it is");
	TEST(found("one", 0, &held) == 3 && held == 0, "nothing, nothing begun");
	TEST(found("one ##", 0, &held) == 6 && held == 2, "two characters begun");
	TEST(found("aa", 0, &held) == 2 && held == 2, "all of it begun");
	TEST(found("aaaa", 0, &held) == 4 && held == 2, "begun within a run");
	TEST(found("aab", 2, &held) == 0, "a run's end");
	TEST(found("b\n", 0, &held) == 2 && held == 2, "of two begun the longer");
	TEST(found("", 0, &held) == 0 && held == 0, "an empty text");
	TEST(stop_find(NULL, 0, "abc", 3, 0, &held) == 3 && held == 0, "no stop strings");
}

int main(void)
{
	golden();
	distribution();
	frozen();
	failures();
	borders();
	logprobs();
	stops();
	return test_done();
}
