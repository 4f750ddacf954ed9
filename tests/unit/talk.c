/* nx/talk: each answer is the one that the whole conversation, or what is left of it, gets from a
 * fresh engine; what is forgotten, and when. */
#include "test.h"
#include "tiny.h"

#include "nx/talk.h"

enum { MOST = 1000, WINDOW = 60 };

/* What was said and answered, turn by turn, kept by the test. */
struct said {
	int32_t ids[MOST];
	int n, turn[MOST], turns;
};

/* The answer of a fresh engine to the ids. */
static int fresh(const struct model *m, const struct generate_rules *r, const int32_t *ids, int n, uint64_t number, struct generate *g)
{
	struct err e;
	struct decode *d = decode_open(m, 1, &e);
	struct sample *s = sample_open(decode_vocab(d), &e);
	int rc = generate_begin(g, r, ids, (size_t)n, number, 0, &e);
	while (rc == 0 && g->end == GENERATE_ON) {
		int fed = decode_length(d);
		rc = decode_feed(d, g->ids + fed, (int)g->n - fed, &e) || generate_next(g, s, decode_logits(d), &e);
	}
	sample_close(s);
	decode_close(d);
	return rc;
}

/* Takes the first turns out of h. */
static void lose(struct said *h, int turns)
{
	int from = turns == h->turns ? h->n : h->turn[turns];
	h->turns -= turns;
	memmove(h->turn, h->turn + turns, sizeof(int) * (size_t)h->turns);
	for (int i = 0; i < h->turns; i++)
		h->turn[i] -= from;
	h->n -= from;
	memmove(h->ids, h->ids + from, sizeof *h->ids * (size_t)h->n);
}

/* One turn of n tokens, broken off behind `stop` of them if that is not 0. */
static bool turn(struct talk *t, struct said *h, const struct model *m, int n, int stop, int forgotten)
{
	static int32_t prompt[MOST];
	struct generate want = {0};
	struct generate_rules r = t->rules;
	struct err e;
	uint64_t number = t->asked;
	for (int i = 0; i < n; i++)
		prompt[i] = (int32_t)((number * 31 + (uint64_t)i * 7) % 90 + 1);
	if (talk_ask(t, prompt, (size_t)n, &e))
		return false;
	while (t->g.end == GENERATE_ON && !(stop && t->g.n - t->g.prompt == (size_t)stop))
		if (talk_next(t, &e))
			return false;
	lose(h, h->turns - (int)t->nturns + 1);
	h->turn[h->turns++] = h->n;
	memcpy(h->ids + h->n, prompt, sizeof *prompt * (size_t)n);
	h->n += n;
	r.max_new = WINDOW - h->n < t->most_new ? WINDOW - h->n : t->most_new;
	bool ok = fresh(m, &r, h->ids, h->n, number, &want) == 0;
	if (stop && want.n > want.prompt + (size_t)stop)
		want.n = want.prompt + (size_t)stop;
	ok = ok && want.n == t->g.n && memcmp(want.ids, t->g.ids, want.n * sizeof *want.ids) == 0;
	ok = ok && (int)t->forgotten == forgotten && t->g.n <= WINDOW;
	memcpy(h->ids, want.ids, want.n * sizeof *want.ids);
	h->n = (int)want.n;
	if (r.neos && h->ids[h->n - 1] != r.eos[0])
		h->ids[h->n++] = r.eos[0];
	generate_release(&want);
	return ok;
}

static void talks(char which, bool random)
{
	struct model m;
	struct err e;
	struct talk t;
	struct said h = {.n = 0};
	tiny_model(&m, which);
	struct decode *d = decode_open(&m, 2, &e);
	struct sample *s = sample_open(decode_vocab(d), &e);
	struct generate_rules r = {.max_new = 8, .neos = 1, .eos = {0}, .sample = SAMPLE_GREEDY, .seed = 5};
	r.sample.random = random;
	talk_open(&t, d, s, &r, WINDOW, -1);
	TEST(talk_most(&t) == WINDOW - 8, "a prompt leaves room for an answer");
	TEST(turn(&t, &h, &m, 5, 0, 0) && h.turns == 1, "%c: the first turn", which);
	TEST(turn(&t, &h, &m, 9, 0, 0) && h.turns == 2, "%c: the second sees the first", which);
	TEST(turn(&t, &h, &m, 1, 3, 0) && h.turns == 3, "%c: the third is broken off", which);
	int before = decode_length(d);
	TEST(turn(&t, &h, &m, 4, 0, 0) && decode_length(d) > before, "%c: the fourth sees what was said of it", which);
	TEST(turn(&t, &h, &m, 30, 0, 4) && h.turns == 1, "%c: a long one drives out all", which);
	TEST(turn(&t, &h, &m, WINDOW - 8, 0, 1) && h.turns == 1, "%c: and that one is driven out", which);
	talk_reset(&t);
	lose(&h, h.turns);
	TEST(turn(&t, &h, &m, 2, 1, 0) && turn(&t, &h, &m, 2, 1, 0) && h.turns == 2, "%c: a new beginning", which);
	for (int i = 0; i < 9; i++)
		TEST(turn(&t, &h, &m, 2, 1, 0), "%c: short turns, number %d", which, i);
	TEST(h.turns == 11 && turn(&t, &h, &m, 13, 1, 8) && h.turns == 4, "%c: half the window is freed of the oldest", which);
	t.most_turns = 1;
	TEST(turn(&t, &h, &m, 2, 0, 0) && h.turns == 2, "%c: one turn is remembered", which);
	t.most_turns = 0;
	TEST(turn(&t, &h, &m, 2, 0, 0) && h.turns == 1, "%c: or none", which);
	talk_release(&t);
	sample_close(s);
	decode_close(d);
	model_release(&m);
}

/* Windows so small that hardly anything fits. */
static void narrow(void)
{
	struct model m;
	struct err e;
	tiny_model(&m, 'A');
	struct decode *d = decode_open(&m, 1, &e);
	struct sample *s = sample_open(decode_vocab(d), &e);
	struct generate_rules r = {.max_new = 256, .sample = SAMPLE_GREEDY};
	int bad = 0;
	for (int window = 1; window < 9; window++) {
		struct talk t;
		static const int32_t prompt[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
		talk_open(&t, d, s, &r, window, -1);
		for (int i = 0; i < 5; i++) {
			size_t n = (size_t)(1 + i % talk_most(&t));
			bad += talk_ask(&t, prompt, n, &e) != 0;
			while (t.g.end == GENERATE_ON)
				bad += talk_next(&t, &e) != 0;
			bad += t.g.n > (size_t)window || t.g.end != GENERATE_LENGTH;
		}
		talk_release(&t);
	}
	TEST(bad == 0, "no window is too small");
	sample_close(s);
	decode_close(d);
	model_release(&m);
}

int main(void)
{
	talks('A', false);
	talks('B', true);
	narrow();
	return test_done();
}
