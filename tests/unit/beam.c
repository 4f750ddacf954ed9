/* nx/beam: the ways HF's beam search finds on the tiny models (tests/golden/beam.txt). */
#include "test.h"
#include "tiny.h"

#include "nx/beam.h"

enum { MOST = 400 };

/* Numbers up to the next '|'; moves *s behind it. */
static int numbers(char **s, int32_t *v)
{
	int n = 0;
	for (;;) {
		char *end;
		long x = strtol(*s, &end, 10);
		if (end == *s)
			break;
		v[n++] = (int32_t)x;
		*s = end;
	}
	*s += strspn(*s, " ");
	*s += **s == '|';
	return n;
}

/* Whether the beams are those of the rest of a line; worst: of the scores' distances. */
static bool as_wanted(const struct beam *b, const struct generate_rules *r, char *s, double *worst)
{
	int32_t ids[MOST];
	for (int i = 0; i < b->br->beams; i++) {
		const struct beam_way *w = &b->best[i];
		double score = strtod(s, &s);
		int n = numbers(&s, ids);
		*worst = fmax(*worst, fabs((double)w->score - score) / fabs(score));
		if (w->n != n || memcmp(w->ids, ids, (size_t)n * sizeof *ids)) {
			printf("# beam %d of %d: score %g, HF's %g\n", i, b->br->beams, (double)w->score, score);
			return false;
		}
		if ((w->end == GENERATE_EOS) != generate_is_eos(r, ids[n - 1]))
			return false;
	}
	return true;
}

struct engine {
	char which;
	struct model m;
	struct decode *d;
	struct sample *s;
	struct beam b;
};

static void engine_close(struct engine *g)
{
	beam_release(&g->b);
	decode_close(g->d);
	sample_close(g->s);
	if (g->which)
		model_release(&g->m);
	*g = (struct engine){0};
}

static void engine_of(struct engine *g, char which)
{
	struct err e;
	if (g->which == which)
		return;
	engine_close(g);
	tiny_model(&g->m, g->which = which);
	g->d = decode_open(&g->m, 1, &e);
	g->s = sample_open(g->m.cfg.vocab, &e);
}

static void golden(void)
{
	static int32_t prompt[MOST];
	FILE *f = fopen("tests/golden/beam.txt", "r");
	char *line = NULL;
	size_t cap = 0;
	int cases = 0;
	double worst = 0;
	struct engine g = {0};
	while (f && getline(&line, &cap, f) > 0) {
		char which, *s = strchr(line, '|');
		struct beam_rules br = {0};
		struct generate_rules r = {.sample = SAMPLE_GREEDY};
		int early;
		struct err e;
		if (!s || sscanf(line, "%c %d %lf %d %ld %ld %lf %ld", &which, &br.beams, &br.length_penalty, &early, &r.max_new,
		                 &r.min_new, &r.sample.penalty.repetition, &r.sample.penalty.ngram) != 8)
			break;
		br.early = (enum beam_early)early;
		s++;
		r.neos = numbers(&s, r.eos);
		int n = numbers(&s, prompt);
		engine_of(&g, which);
		bool ok = beam_run(&g.b, &br, &r, g.s, g.d, prompt, n, &e) == 0 && as_wanted(&g.b, &r, s, &worst);
		*strchr(line, '|') = '\0';
		TEST(ok, "as HF: %s", line);
		cases++;
	}
	TEST(cases == 78, "%d cases", cases);
	TEST(worst < 1e-5, "scores within 1e-5: %.3g", worst);
	engine_close(&g);
	free(line);
	if (f)
		fclose(f);
}

static void limits(void)
{
	struct engine g = {0};
	struct beam_rules br = {.beams = 60, .length_penalty = 1};
	struct generate_rules r = {.max_length = 2, .sample = SAMPLE_GREEDY};
	int32_t prompt[] = {1, 2};
	struct err e;
	engine_of(&g, 'A');
	TEST(beam_run(&g.b, &br, &r, g.s, g.d, prompt, 2, &e) == 0 && g.b.best[0].n == 0 && g.b.best[0].end == GENERATE_LENGTH,
	     "no room, no answer");
	r.max_new = 3;
	TEST(beam_run(&g.b, &br, &r, g.s, g.d, prompt, 2, &e) == 0 && g.b.best[59].n == 3, "more candidates than the vocabulary has");
	prompt[0] = 97;
	TEST(beam_run(&g.b, &br, &r, g.s, g.d, prompt, 2, &e) == -1 && e.kind == ERR_DATA, "an id outside of it");
	g.m.w[g.m.lay.lnf_b] = NAN;
	prompt[0] = 1;
	TEST(beam_run(&g.b, &br, &r, g.s, g.d, prompt, 2, &e) == -1 && strstr(e.msg, "NaN"), "NaN logits");
	engine_close(&g);
}

int main(void)
{
	golden();
	limits();
	return test_done();
}
