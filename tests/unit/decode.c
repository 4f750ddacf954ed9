/* nx/decode: the cache gives what the whole forward pass gives, however the ids come in. */
#include "test.h"
#include "tiny.h"

#include "nx/decode.h"
#include "nx/kernel.h"

enum { N = 1200, V = 97 };

static int32_t ids[N];
static float want[N * V];

static void sequence(void)
{
	for (int i = 0; i < N; i++)
		ids[i] = (int32_t)((tiny_u(tiny_name("decode"), (uint32_t)i) + 1) / 2 * V);
}

static int whole_pass(const struct model *m, struct err *e)
{
	const int start[2] = {0, N};
	struct batch b = {.nseq = 1, .start = start, .ids = ids, .labels = ids};
	struct work *ws = model_work(m, 1, e);
	int rc = ws ? model_logits(m, ws, &b, want, e) : -1;
	model_work_close(ws);
	return rc;
}

/* Largest distance of the logits behind token `at`, relative to their size. */
static double off(const struct decode *d, int at)
{
	const float *got = decode_logits(d), *w = want + (size_t)at * V;
	double worst = 0, size = 0;
	for (int j = 0; j < V; j++) {
		worst = fmax(worst, fabs((double)got[j] - w[j]));
		size = fmax(size, fabs((double)w[j]));
	}
	return worst / size;
}

/* Feeds ids[from..to) in pieces of `step`; the worst distance after each. */
static double feed(struct decode *d, int from, int to, int step)
{
	struct err e;
	double worst = 0;
	for (int at = from; at < to; at += step) {
		int n = to - at < step ? to - at : step;
		if (decode_feed(d, ids + at, n, &e))
			return 1e9;
		worst = fmax(worst, off(d, at + n - 1));
	}
	return worst;
}

static void near(double t, char which, const char *what)
{
	TEST(t < 2e-5, "%c: %s (%.1g)", which, what, t);
}

static void pieces(char which, int threads)
{
	struct model m;
	struct err e;
	tiny_model(&m, which);
	struct decode *d = decode_open(&m, threads, &e);
	TEST(d && whole_pass(&m, &e) == 0, "%c, %d threads: opened", which, threads);
	near(feed(d, 0, N, 1), which, "one by one, past where the cache grows");
	TEST(decode_length(d) == N, "%c: all are in the cache", which);
	decode_reset(d);
	TEST(decode_length(d) == 0, "%c: reset empties it", which);
	near(feed(d, 0, N, N), which, "all at once");
	decode_reset(d);
	near(feed(d, 0, N, 7), which, "seven at a time");
	decode_reset(d);
	near(feed(d, 0, 300, 300), which, "a prompt");
	near(feed(d, 300, 330, 1), which, "and tokens behind it");
	decode_close(d);
	model_release(&m);
}

static void bad_ids(void)
{
	struct model m;
	struct err e;
	tiny_model(&m, 'A');
	struct decode *d = decode_open(&m, 1, &e);
	int32_t wrong[] = {1, V}, neg[] = {-1};
	TEST(decode_feed(d, wrong, 2, &e) == -1 && e.kind == ERR_DATA && strstr(e.msg, "token id 97 is outside"), "an id too large is refused");
	TEST(decode_feed(d, neg, 1, &e) == -1 && e.kind == ERR_DATA, "and a negative one");
	TEST(decode_length(d) == 0, "nothing of it reached the cache");
	decode_close(d);
	model_release(&m);
}

/* The same bits on every run, and for decoding with any number of threads. */
static void bits(void)
{
	static float first[V];
	struct model m;
	struct err e;
	int same = 1;
	tiny_model(&m, 'B');
	for (int threads = 1; threads <= 3; threads++) {
		struct decode *d = decode_open(&m, threads, &e);
		for (int i = 0; i < 20; i++)
			same &= decode_feed(d, ids + i, 1, &e) == 0;
		if (threads == 1)
			memcpy(first, decode_logits(d), sizeof first);
		same &= memcmp(first, decode_logits(d), sizeof first) == 0;
		decode_close(d);
	}
	TEST(same, "one, two and three threads decode to the same bits");
	model_release(&m);
}

/* --- many sequences ------------------------------------------------------------------ */

enum { SEQS = 9, STEPS = 12 };

/* Feeds SEQS sequences at random raggedness, all that go on together in one call, and each of
 * them by itself in an engine of its own with the same division: the same bits. */
static int ragged(const struct model *m, int threads, int longest, uint32_t seed)
{
	struct err e;
	struct decode *all = decode_open(m, threads, &e), *one = decode_open(m, 1, &e);
	struct decode_seq *a[SEQS], *b[SEQS];
	int same = 1;
	for (int s = 0; s < SEQS; s++) {
		a[s] = decode_seq_open(all, &e);
		b[s] = decode_seq_open(one, &e);
	}
	for (int t = 0; t < STEPS && same; t++) {
		struct decode_part part[SEQS];
		int of[SEQS], n = 0;
		for (int s = 0; s < SEQS; s++) {
			double u = tiny_u(seed, (uint32_t)(t * SEQS + s)), v = tiny_u(seed + 1, (uint32_t)(t * SEQS + s));
			int k = u < -0.5 ? 0 : u < 0.3 ? 1 : 1 + (int)((v + 1) / 2 * longest), at = (7 * s + 31 * t) % (N / 2);
			if (k == 0)
				continue;
			of[n] = s;
			part[n++] = (struct decode_part){a[s], ids + at, k};
		}
		same &= decode_parts(all, part, n, &e) == 0;
		for (int i = 0; i < n; i++) {
			struct decode_part alone = {b[of[i]], part[i].ids, part[i].nids};
			same &= decode_parts(one, &alone, 1, &e) == 0;
			same &= memcmp(decode_row(all, i), decode_row(one, 0), V * sizeof(float)) == 0;
			same &= decode_seq_length(a[of[i]]) == decode_seq_length(b[of[i]]);
		}
	}
	for (int s = 0; s < SEQS; s++) {
		decode_seq_close(a[s]);
		decode_seq_close(b[s]);
	}
	decode_close(all);
	decode_close(one);
	return same;
}

static void many(char which)
{
	struct model m;
	tiny_model(&m, which);
	TEST(ragged(&m, 1, 6, 1) && ragged(&m, 3, 6, 2), "%c: %d ragged sequences together: each one's bits", which, SEQS);
	TEST(ragged(&m, 2, 590, 3), "%c: and with prompts longer than a piece among them", which);
	model_release(&m);
}

static void copies(void)
{
	static float first[V];
	struct model m;
	struct err e;
	tiny_model(&m, 'A');
	struct decode *d = decode_open(&m, 1, &e);
	struct decode_seq *a = decode_seq_open(d, &e), *b = decode_seq_open(d, &e);
	int ok = decode_seq_copy(b, a, &e) == 0 && decode_seq_length(b) == 0;
	ok &= decode_parts(d, &(struct decode_part){a, ids, 300}, 1, &e) == 0 && decode_seq_copy(b, a, &e) == 0;
	ok &= decode_seq_length(b) == 300 && decode_seq_copy(a, a, &e) == 0;
	ok &= decode_parts(d, &(struct decode_part){a, ids + 300, 1}, 1, &e) == 0;
	memcpy(first, decode_row(d, 0), sizeof first);
	ok &= decode_seq_length(b) == 300 && decode_parts(d, &(struct decode_part){b, ids + 300, 1}, 1, &e) == 0;
	TEST(ok && memcmp(first, decode_row(d, 0), sizeof first) == 0, "a copy goes on as the original, and by itself");
	decode_seq_reset(b);
	ok = decode_parts(d, &(struct decode_part){b, ids, 20}, 1, &e) == 0 && decode_seq_copy(a, b, &e) == 0;
	ok &= decode_parts(d, (struct decode_part[]){{a, ids + 20, 3}, {b, ids + 20, 3}}, 2, &e) == 0;
	TEST(ok && memcmp(decode_row(d, 0), decode_row(d, 1), sizeof first) == 0, "a shorter one over a longer one, too");
	decode_seq_close(a);
	decode_seq_close(b);
	decode_seq_close(NULL);
	decode_close(d);
	model_release(&m);
}

/* nseq sequences, which go on with the likeliest token each, in an engine that is asked for all logits and in one
 * that is asked for the largest alone until the last call. */
static void largest(char which, int nseq, int threads)
{
	enum { CALLS = 30, ASKED = 3 };
	struct model m;
	struct err e;
	int same = 1;
	tiny_model(&m, which);
	struct decode *all = decode_open(&m, threads, &e), *most = decode_open(&m, threads, &e);
	struct decode_seq *a[SEQS], *b[SEQS];
	int32_t next[SEQS][ASKED];
	for (int s = 0; s < nseq; s++) {
		a[s] = decode_seq_open(all, &e);
		b[s] = decode_seq_open(most, &e);
		memcpy(next[s], ids + 7 * s, sizeof next[s]);
	}
	for (int t = 0; t < CALLS && same; t++) {
		struct decode_part of_all[SEQS], of_most[SEQS];
		for (int s = 0; s < nseq; s++) {
			of_all[s] = (struct decode_part){a[s], next[s], t == 0 ? ASKED : 1};
			of_most[s] = (struct decode_part){b[s], next[s], t == 0 ? ASKED : 1};
		}
		decode_only_largest(most, t + 1 < CALLS);
		same &= decode_parts(all, of_all, nseq, &e) == 0 && decode_parts(most, of_most, nseq, &e) == 0;
		for (int s = 0; s < nseq; s++) {
			next[s][0] = kernel_best()->argmax(decode_row(all, s), decode_vocab(all));
			same &= decode_largest(all, s) == next[s][0] && decode_largest(most, s) == next[s][0];
			if (t + 1 == CALLS)
				same &= memcmp(decode_row(all, s), decode_row(most, s), (size_t)decode_vocab(all) * sizeof(float)) == 0;
		}
	}
	TEST(same, "%c, %d sequences, %d threads: the largest logit is that of all", which, nseq, threads);
	for (int s = 0; s < nseq; s++) {
		decode_seq_close(a[s]);
		decode_seq_close(b[s]);
	}
	decode_close(all);
	decode_close(most);
	model_release(&m);
}

/* Without a number among the logits there is no largest. */
static void damaged(void)
{
	struct model m;
	struct err e;
	int ok = 1;
	tiny_model(&m, 'E');
	m.w[m.lay.layer[1].down_b] = m.w[m.lay.layer[1].dense_b] = 3e38f; /* each of them finite */
	struct decode *d = decode_open(&m, 1, &e);
	decode_only_largest(d, true);
	for (int i = 0; i < 20; i++)
		ok &= decode_feed(d, ids + i, 1, &e) == 0 && decode_largest(d, 0) == kernel_best()->argmax(decode_row(d, 0), m.cfg.vocab);
	TEST(ok && decode_largest(d, 0) == -1, "where numbers run over the largest is looked for among all logits, and is none");
	decode_close(d);
	model_release(&m);
}

int main(void)
{
	sequence();
	largest('E', 1, 1);
	largest('E', 3, 2);
	largest('E', SEQS, 2);
	largest('A', 2, 1); /* so small a head that lists are most of it */
	largest('C', 1, 2);
	damaged();
	for (const char *w = "ABCD"; *w; w++)
		many(*w);
	copies();
	for (const char *w = "ABCD"; *w; w++)
		pieces(*w, *w == 'B' ? 2 : 1);
	bad_ids();
	bits();
	return test_done();
}
