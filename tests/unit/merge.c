/* text/merge: short and long words are joined as the plain method joins them;
 * a long word costs little more than its length; so are many at a time, whatever the instructions. */
#include "test.h"

#include "base/hash.h"
#include "text/merge.h"

#include <time.h>

static struct vocab v;
static struct merge m;

/* Of all merges that apply anywhere the first in the list, at its first place; again and again. */
static size_t plain(const struct vocab *w, const char *s, size_t n, int32_t *id)
{
	for (size_t i = 0; i < n; i++)
		id[i] = w->byte[(unsigned char)s[i]];
	for (size_t k = 0; k < w->nmerge;) {
		size_t at = 0;
		while (at + 1 < n && (id[at] != w->merge[k].a || id[at + 1] != w->merge[k].b))
			at++;
		if (at + 1 >= n) {
			k++;
			continue;
		}
		id[at] = w->merge[k].id;
		n--;
		memmove(id + at + 1, id + at + 2, (n - at - 1) * sizeof *id);
		k = 0;
	}
	return n;
}

static uint32_t below(uint64_t *h, uint32_t n)
{
	*h = hash_word(*h, 1);
	return (uint32_t)(*h >> 32) % n;
}

static void drawn_words(void)
{
	static const char *const letters[] = {"a", "ab", "the ri", "tokenizers ", "\xE2\x80\x99\xC3\xA9", "aeinorst"};
	char s[200];
	int32_t got[200], want[200];
	uint64_t draw = HASH_SEED;
	int bad = 0, count = 0;
	for (size_t n = 1; n <= sizeof s; n += n < 90 ? 1 : 11)
		for (int k = 0; k < 20; k++, count++) {
			const char *set = letters[below(&draw, 6)];
			for (size_t i = 0; i < n; i++)
				s[i] = set[below(&draw, (uint32_t)strlen(set))];
			size_t len = 0, have = plain(&v, s, n, want);
			bad += merge_word(&m, s, n, got, &len) || len != have || memcmp(got, want, len * sizeof *got) != 0;
		}
	TEST(bad == 0, "%d drawn words of 1 to 200 bytes, %d joined otherwise than by the plain method", count, bad);
}

/* Nothing that could be joined is left, and the tokens spell the word. */
static int is_done(const char *s, size_t n, const int32_t *id, size_t count)
{
	size_t at = 0;
	for (size_t i = 0; i < count; i++) {
		const struct vocab_token *t = &v.tok[id[i]];
		if (t->nbytes > n - at || memcmp(t->bytes, s + at, t->nbytes) != 0)
			return 0;
		at += t->nbytes;
		for (size_t k = 0; i + 1 < count && i < 1000 && k < v.nmerge; k++)
			if (v.merge[k].a == id[i] && v.merge[k].b == id[i + 1])
				return 0;
	}
	return at == n;
}

enum { N = 1000000 };

static void drawn_long_words(char *s, int32_t *id)
{
	static const char *const letters[] = {"to", "e rtoken"};
	uint64_t draw = HASH_SEED;
	for (int k = 0; k < 2; k++) {
		size_t count = 0;
		for (size_t i = 0; i < N; i++)
			s[i] = letters[k][below(&draw, (uint32_t)strlen(letters[k]))];
		clock_t start = clock();
		int rc = merge_word(&m, s, N, id, &count);
		double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
		TEST(rc == 0 && is_done(s, N, id, count), "a million of \"%s\": %zu tokens", letters[k], count);
		TEST(seconds < 10, "in %.2f s, sanitized or not less than 10", seconds);
	}
}

/* One letter a million times, with a token for each power of two of it: every
 * place is joined, and again, until 64 or more of them are one. */
static void doubling(char *s, int32_t *id)
{
	struct vocab w = {0};
	struct vocab_merge pairs[6];
	struct merge all;
	struct err e;
	size_t count = 0;
	for (int b = 0; b < 256; b++)
		w.byte[b] = b;
	for (int k = 0; k < 6; k++)
		pairs[k] = (struct vocab_merge){k ? 255 + k : 'a', k ? 255 + k : 'a', 256 + k};
	w.merge = pairs;
	w.nmerge = 6;
	if (merge_init(&all, &w, &e))
		abort();
	memset(s, 'a', N);
	clock_t start = clock();
	int rc = merge_word(&all, s, N - 1, id, &count);
	double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
	/* 999999 = 15624 * 64 + 32 + 16 + 8 + 4 + 2 + 1 */
	int right = rc == 0 && count == 15624 + 6;
	for (size_t i = 0; right && i < count; i++)
		right = id[i] == (i < 15624 ? 261 : i < 15629 ? 260 - (int)(i - 15624) : 'a');
	TEST(right, "a million of one letter, doubled six times: %zu tokens", count);
	TEST(seconds < 10, "in %.2f s, sanitized or not less than 10", seconds);
	merge_release(&all);
}

/* --- lists of merges in any order --------------------------------------------------------- */

enum { MADE = 24, SYMBOLS = 4 };

/* Tokens are words of the letters a to d; token k joins two of those before it. -1: it would be another's word. */
static int draw_token(char (*word)[64], struct vocab_merge *pair, int k, uint64_t *draw)
{
	int a = (int)below(draw, (uint32_t)k), b = (int)below(draw, (uint32_t)k);
	if (strlen(word[a]) + strlen(word[b]) >= sizeof *word)
		return -1;
	strcpy(stpcpy(word[k], word[a]), word[b]);
	for (int i = 0; i < k; i++)
		if (strcmp(word[i], word[k]) == 0)
			return -1;
	*pair = (struct vocab_merge){a, b, k};
	return 0;
}

static void draw_list(struct vocab *w, struct vocab_merge *pairs, uint64_t *draw)
{
	static char word[SYMBOLS + MADE][64] = {"a", "b", "c", "d"};
	*w = (struct vocab){.merge = pairs};
	for (int b = 0; b < 256; b++)
		w->byte[b] = b >= 'a' && b < 'a' + SYMBOLS ? b - 'a' : -1;
	for (int k = SYMBOLS; k < SYMBOLS + MADE; k++) {
		int tries = 0;
		while (draw_token(word, &pairs[w->nmerge], k, draw) && ++tries < 1000)
			;
		if (tries == 1000)
			break;
		w->nmerge++;
	}
	for (size_t i = w->nmerge; i > 1; i--) {
		size_t k = below(draw, (uint32_t)i);
		struct vocab_merge other = pairs[k];
		pairs[k] = pairs[i - 1];
		pairs[i - 1] = other;
	}
}

/* A list may name a pair before the one that a part of it comes from. */
static void any_order(void)
{
	uint64_t draw = HASH_SEED;
	int bad = 0, count = 0;
	for (int list = 0; list < 400; list++) {
		struct vocab w;
		struct vocab_merge pairs[MADE];
		struct merge all;
		struct err e;
		draw_list(&w, pairs, &draw);
		if (merge_init(&all, &w, &e))
			abort();
		for (int k = 0; k < 20; k++, count++) {
			char s[150];
			int32_t got[150], want[150];
			size_t n = 1 + below(&draw, sizeof s), len = 0;
			uint32_t letters = 1 + below(&draw, SYMBOLS), first = below(&draw, SYMBOLS + 1 - letters);
			for (size_t i = 0; i < n; i++)
				s[i] = (char)('a' + first + below(&draw, letters));
			size_t have = plain(&w, s, n, want);
			bad += merge_word(&all, s, n, got, &len) || len != have || memcmp(got, want, len * sizeof *got) != 0;
		}
		merge_release(&all);
	}
	TEST(bad == 0, "%d words with lists of merges in any order, %d joined otherwise than by the plain method", count, bad);
}

/* Jobs of all lengths side by side, of words drawn and of what no token has, with a set's own way if it has one. */
static void many_words(struct merge *w, const char *what, uint32_t letters, uint32_t first)
{
	static int32_t got[MERGE_JOBS][MERGE_TOGETHER], want[MERGE_TOGETHER];
	char s[MERGE_JOBS][MERGE_TOGETHER];
	size_t len[MERGE_JOBS];
	uint64_t draw = HASH_SEED;
	int bad = 0, count = 0;
	for (int round = 0; round < 150; round++) {
		struct merge_job job[MERGE_JOBS];
		size_t n = below(&draw, MERGE_JOBS + 1), longest = 1 + below(&draw, MERGE_TOGETHER);
		for (size_t i = 0; i < n; i++) {
			job[i] = (struct merge_job){.s = s[i], .n = 1 + below(&draw, (uint32_t)longest), .ids = got[i], .count = &len[i]};
			for (size_t k = 0; k < job[i].n; k++)
				s[i][k] = (char)(below(&draw, 40) ? first + below(&draw, letters) : below(&draw, 256));
		}
		bad += merge_words(w, job, n);
		for (size_t i = 0; i < n; i++, count++) {
			size_t have = plain(w->v, s[i], job[i].n, want);
			bad += len[i] != have || memcmp(got[i], want, have * sizeof *want) != 0;
		}
	}
	TEST(bad == 0, "%s, %s: %d words many at a time, %d joined otherwise than by the plain method", what, w->isa->name, count, bad);
}

static void each_set(void)
{
	struct vocab w;
	struct vocab_merge pairs[MADE];
	struct merge all;
	struct err e;
	uint64_t draw = HASH_SEED;
	draw_list(&w, pairs, &draw);
	if (merge_init(&all, &w, &e))
		abort();
	for (int i = 0; merge_at(i); i++) {
		m.isa = all.isa = merge_at(i);
		many_words(&m, "letters", 20, 'a');
		many_words(&all, "a list in any order", SYMBOLS, 'a');
		all.steady = false;
		many_words(&all, "its merges looked up", SYMBOLS, 'a');
	}
	merge_release(&all);
}

int main(void)
{
	struct err e;
	if (vocab_load(&v, "tests/golden/bpe-small.json", &e) || merge_init(&m, &v, &e)) {
		printf("# %s\n", e.msg);
		return 1;
	}
	char *s = malloc(N);
	int32_t *id = malloc(N * sizeof *id);
	if (!s || !id)
		return 1;
	drawn_words();
	drawn_long_words(s, id);
	doubling(s, id);
	any_order();
	each_set();
	free(s);
	free(id);
	merge_release(&m);
	vocab_release(&v);
	return test_done();
}
