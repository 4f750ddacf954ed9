/* base/: numbers, bytes, arenas, UTF-8, hash, options, threads. */
#include "test.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/num.h"
#include "base/opt.h"
#include "base/pool.h"
#include "base/utf8.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

static int i64(const char *s, int64_t *v)
{
	return num_i64(s, strlen(s), v);
}

static int f64(const char *s, double *v)
{
	return num_f64(s, strlen(s), v);
}

static bool ends(const char *s, const char *tail)
{
	size_t n = strlen(s), k = strlen(tail);
	return n >= k && strcmp(s + n - k, tail) == 0;
}

/* Who and where stand at a message's beginning, why at its end: both are there, however long a name is. */
static void messages(void)
{
	enum { LONG = 20000 };
	static char name[LONG + 1];
	struct err e;
	for (int bytes = 1; bytes <= 3; bytes++) {
		for (int i = 0; i < LONG; i++)
			name[i] = bytes == 1 ? 'x' : bytes == 2 ? "\xc3\xa9"[i % 2] : "\xe2\x82\xac"[i % 3];
		name[LONG / 6 * 6] = '\0';
		for (int shift = 0; shift < bytes; shift++) {
			err_data(&e, "%.*sfile: tensor %s: no dtype", shift, "--", name);
			TEST(strncmp(e.msg + shift, "file: tensor ", 13) == 0 && ends(e.msg, ": no dtype") && strlen(e.msg) >= sizeof e.msg - 7 &&
			     utf8_valid(e.msg, strlen(e.msg)) == strlen(e.msg), "a long name of %d bytes a character, from %d, hides no reason", bytes, shift);
		}
	}
	errno = ENAMETOOLONG;
	err_io(&e, "%s", name);
	TEST(e.kind == ERR_IO && ends(e.msg, ": File name too long"), "nor that of the system");
	err_data(&e, "column 1: not valid JSON");
	err_prefix(&e, "%s: ", name);
	TEST(e.kind == ERR_DATA && ends(e.msg, ": column 1: not valid JSON"), "nor one that was there before");
	for (size_t n = sizeof e.msg - 3; n <= sizeof e.msg + 1; n++) {
		memset(name, 'y', n);
		name[n] = '\0';
		err_usage(&e, "%s", name);
		TEST(strlen(e.msg) == (n < sizeof e.msg ? n : sizeof e.msg - 1) && (strstr(e.msg, "...") != NULL) == (n >= sizeof e.msg), "%zu characters", n);
	}
}

static void numbers(void)
{
	int64_t i = 7;
	uint64_t u = 7;
	double d = 7;
	TEST(i64("-9223372036854775808", &i) == 0 && i == INT64_MIN, "the smallest int64");
	TEST(i64("9223372036854775808", &i) == -1 && i == INT64_MIN, "one above the largest int64 is refused, value kept");
	TEST(num_u64("18446744073709551615", 20, &u) == 0 && u == UINT64_MAX, "the largest uint64");
	TEST(num_u64("18446744073709551616", 20, &u) == -1, "2^64 is refused");
	TEST(i64("", &i) && i64("-", &i) && i64("+1", &i) && i64(" 1", &i) && i64("1 ", &i) && i64("0x1", &i), "no empty, sign alone, spaces, hex");
	TEST(f64("-1.5e3", &d) == 0 && d == -1500, "decimal with exponent");
	TEST(f64(".5", &d) == 0 && d == 0.5 && f64("5.", &d) == 0 && d == 5, ".5 and 5.");
	TEST(f64("nan", &d) && f64("inf", &d) && f64("0x1p3", &d) && f64("1e", &d) && f64("1e999", &d) && f64("", &d), "no nan, inf, hex, empty exponent, overflow");
	char big[101];
	memset(big, '1', 100);
	TEST(num_f64(big, 100, &d) == 0 && d > 1e99, "a number of 100 digits");
	char shown[80];
	snprintf(shown, sizeof shown, "%g %g %g %g", num_shown(NAN), num_shown(-(double)NAN), num_shown(-1.5), num_shown(-HUGE_VAL));
	TEST(strcmp(shown, "nan nan -1.5 -inf") == 0, "what is no number has no sign: %s", shown);
}

static void bytes(void)
{
	struct buf b = {0};
	for (int i = 0; i < 1000; i++)
		buf_printf(&b, "%d,", i);
	TEST(b.n == 3890 && memcmp(b.p + b.n - 4, "999,", 4) == 0, "1000 formatted pieces");
	TEST(buf_add(&b, NULL, 0) == 0, "adding nothing");
	TEST(buf_reserve(&b, SIZE_MAX) == -1 && b.n == 3890, "an absurd reserve fails and changes nothing");
	buf_reset(&b);
	TEST(strcmp(buf_str(&b), "") == 0 && b.n == 0, "empty as a string");
	buf_release(&b);

	struct arena a = {0};
	int bad = 0;
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < 3000; i++) {
			char *p = arena_alloc(&a, i);
			bad += !p || (uintptr_t)p % 16;
			if (p)
				memset(p, (int)i, i);
		}
		arena_reset(&a);
	}
	TEST(bad == 0, "arena blocks are aligned and writable");
	TEST(arena_alloc(&a, SIZE_MAX - 3) == NULL, "an absurd arena request is NULL");
	arena_release(&a);
}

static void utf8(void)
{
	static const struct { const char *s; size_t good; const char *what; } t[] = {
		{"plain", 5, "ASCII"}, {"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 9, "2, 3 and 4 bytes"},
		{"a\xC0\x80", 1, "overlong NUL"}, {"a\xE0\x80\x80", 1, "overlong 3 bytes"}, {"a\xED\xA0\x80", 1, "a surrogate"},
		{"a\xF4\x90\x80\x80", 1, "above U+10FFFF"}, {"a\xF5", 1, "F5"}, {"abcdefgh\xE2\x82", 8, "cut off"},
		{"a\x80", 1, "a lone continuation"},
	};
	for (size_t i = 0; i < sizeof t / sizeof *t; i++)
		TEST(utf8_valid(t[i].s, strlen(t[i].s)) == t[i].good, "UTF-8: %s", t[i].what);
	int bad = 0;
	for (uint32_t c = 0, back; c < 0x110000; c++) {
		char s[4];
		if (c >= 0xD800 && c < 0xE000)
			continue;
		int n = utf8_encode(c, s);
		bad += utf8_decode(s, (size_t)n, &back) != n || back != c;
	}
	TEST(bad == 0, "every scalar value survives encode and decode");
}

static void options(void)
{
	static bool flag, given;
	static const char *str;
	static int64_t n;
	static double x;
	static int word;
	static struct opt_list list;
	static const struct opt opts[] = {
		{'v', "verbose", OPT_FLAG, &flag, NULL, "say more", 0, 0, NULL},
		{'s', "string", OPT_STR, &str, "S", "a string", 0, 0, NULL},
		{'n', "max-length", OPT_I64, &n, "N", "a number", 0, 100, &given},
		{0, "max-steps", OPT_F64, &x, "X", "another", 0, 1, NULL},
		{0, "side", OPT_WORD, &word, "left|right", "a word", 0, 0, NULL},
		{0, "special", OPT_LIST, &list, "TOKEN", "many", 0, 0, NULL},
		{0},
	};
	static const struct opt_prog prog = {"prog", "[options] [FILE ...]", "a test", opts};
	struct err e;
	const char *ok[] = {"prog", "a", "-vn5", "--string=x y", "-", "--max_steps", "0.5", "--side", "right", "--sp", "1", "--special=", "--", "-z", NULL};
	char **argv = (char **)ok;
	int argc = 14;
	TEST(opt_parse(&prog, &argc, &argv, &e) == OPT_OK, "a line with every form of option");
	TEST(argc == 3 && !strcmp(argv[0], "a") && !strcmp(argv[1], "-") && !strcmp(argv[2], "-z"), "operands in order");
	TEST(flag && given && n == 5 && !strcmp(str, "x y") && x == 0.5 && word == 1 && list.n == 2 && !*list.v[1], "values arrive");
	static const struct { const char *a, *b, *says; } bad[] = {
		{"--nope", NULL, "unknown option --nope"}, {"-z", NULL, "unknown option -z"}, {"--max", "3", "ambiguous"},
		{"-n", NULL, "-n wants a value"}, {"--max-length", "101", "must be from 0 to 100"}, {"--max-length", "x", "whole number"},
		{"--max-steps", "nan", "wants a number"}, {"--side", "up", "one of left|right"}, {"--verbose=1", NULL, "takes no value"},
		{"--side", "lef", "one of left|right"},
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		const char *line[] = {"prog", bad[i].a, bad[i].b, NULL};
		argv = (char **)line;
		argc = bad[i].b ? 3 : 2;
		TEST(opt_parse(&prog, &argc, &argv, &e) == OPT_BAD && strstr(e.msg, bad[i].says), "refused: %s %s", bad[i].a, bad[i].b ? bad[i].b : "");
	}
}

static void twice(void *arg, int i)
{
	((int *)arg)[i] = 2 * i;
}

static void threads(void)
{
	for (int n = 1; n <= 4; n++) {
		struct pool *p = pool_open(n);
		int v[1000] = {0}, bad = 0;
		for (int round = 0; round < 200; round++) {
			memset(v, 0, sizeof v);
			pool_run(p, 1000, twice, v);
			for (int i = 0; i < 1000; i++)
				bad += v[i] != 2 * i;
		}
		TEST(bad == 0, "200 loops over %d threads", n);
		pool_close(p);
	}
}

enum { CALLS = 4 };
struct meeting {
	atomic_int came; /* calls that have begun */
	pthread_t by[CALLS];
};

/* Returns when all have begun, so that each is another thread's. */
static void meet(void *arg, int i)
{
	struct meeting *m = arg;
	m->by[i] = pthread_self();
	atomic_fetch_add(&m->came, 1);
	while (atomic_load(&m->came) < CALLS)
		sched_yield();
}

static void parts(void)
{
	struct pool *p = pool_open(CALLS);
	struct meeting first = {0}, m;
	int moved = 0;
	pool_run(p, CALLS, meet, &first);
	for (int round = 0; round < 200; round++) {
		m = (struct meeting){0};
		pool_run(p, CALLS, meet, &m);
		for (int i = 0; i < CALLS; i++)
			moved += !pthread_equal(m.by[i], first.by[i]);
	}
	TEST(moved == 0 && pthread_equal(first.by[0], pthread_self()), "each thread begins with its own part of a loop: %d calls moved", moved);
	pool_close(p);
}

/* As nx-shard(5) has it: word i belongs to lane i % 4. */
static uint64_t lanes_of(const unsigned char *p, size_t n)
{
	uint64_t lane[4], h = HASH_SEED;
	for (unsigned i = 0; i < 4; i++)
		lane[i] = HASH_SEED + i;
	for (size_t i = 0; i < n / 4; i++)
		lane[i % 4] = hash_word(lane[i % 4], p[4 * i] | (uint32_t)p[4 * i + 1] << 8 | (uint32_t)p[4 * i + 2] << 16 | (uint32_t)p[4 * i + 3] << 24);
	for (int i = 0; i < 4; i++)
		h = hash_word(hash_word(h, (uint32_t)lane[i]), (uint32_t)(lane[i] >> 32));
	return h;
}

static void test_lanes(void)
{
	unsigned char p[400];
	int bad = 0;
	for (size_t i = 0; i < sizeof p; i++)
		p[i] = (unsigned char)(i * 151 + i / 7);
	for (size_t n = 0; n <= sizeof p; n += 4)
		for (size_t step = 4; step <= 44; step += 4) {
			struct hash_lanes l;
			hash_lanes_begin(&l);
			for (size_t at = 0; at < n; at += step)
				hash_lanes_words(&l, p + at, step < n - at ? step : n - at);
			bad += hash_lanes_end(&l) != lanes_of(p, n);
		}
	TEST(bad == 0, "words in four lanes, however many at a time, have the hash of the page: %d have not", bad);
	TEST(lanes_of(p, sizeof p) == UINT64_C(0x6b1116bb0636af1), "the hash in four lanes is frozen: shards hold it");
}

int main(void)
{
	messages();
	numbers();
	bytes();
	utf8();
	TEST(hash_bytes(HASH_SEED, "abcde", 5) != hash_bytes(HASH_SEED, "abcde\0", 6), "the hash tells lengths apart");
	/* both values from a second implementation, in Python integers */
	TEST(hash_word(HASH_SEED, 1) == UINT64_C(0x7fe5774ab875c5ba), "the hash of a word is frozen: shards hold it");
	TEST(hash_bytes(HASH_SEED, "abcde", 5) == UINT64_C(0xd7678ca48a292717), "the hash of bytes is frozen");
	test_lanes();
	options();
	threads();
	parts();
	return test_done();
}
