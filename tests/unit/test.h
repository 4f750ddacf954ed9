/* test.h - what every unit test uses: prints TAP, exits 1 if a check failed.
 *
 *	int main(void)
 *	{
 *		TEST(num_u64("12", 2, &v) == 0 && v == 12, "u64 reads 12");
 *		TEST_NEAR(got, want, 1e-4, "loss of the tiny model");
 *		return test_done();
 *	}
 */
#ifndef TEST_H
#define TEST_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int test_count, test_bad;

#define TEST(cond, ...) test_result((cond), __FILE__, __LINE__, #cond, __VA_ARGS__)
/* |got - want| <= tol * max(1e-30, |want|) */
#define TEST_NEAR(got, want, tol, ...) test_near((got), (want), (tol), __FILE__, __LINE__, __VA_ARGS__)

__attribute__((format(printf, 5, 6), unused)) static void test_result(int ok, const char *file, int line,
                                                                      const char *cond, const char *fmt, ...)
{
	char name[400];
	__builtin_va_list ap;
	__builtin_va_start(ap, fmt);
	vsnprintf(name, sizeof name, fmt, ap);
	__builtin_va_end(ap);
	printf("%sok %d - %s\n", ok ? "" : "not ", ++test_count, name);
	if (!ok) {
		test_bad++;
		printf("# %s:%d: %s\n", file, line, cond);
	}
	fflush(stdout);
}

__attribute__((format(printf, 6, 7), unused)) static void test_near(double got, double want, double tol,
                                                                    const char *file, int line, const char *fmt, ...)
{
	char name[400], why[200];
	__builtin_va_list ap;
	__builtin_va_start(ap, fmt);
	vsnprintf(name, sizeof name, fmt, ap);
	__builtin_va_end(ap);
	double size = fabs(want) > 1e-30 ? fabs(want) : 1e-30;
	snprintf(why, sizeof why, "got %.9g, want %.9g, relative %.3g > %.3g", got, want, fabs(got - want) / size, tol);
	test_result(fabs(got - want) <= tol * size, file, line, why, "%s", name);
}

/* Makes an empty directory of the test's own ($TMPDIR, else /tmp) and goes there; ends the test if it cannot. */
static inline const char *test_dir(void)
{
	static char dir[4096];
	const char *tmp = getenv("TMPDIR");
	snprintf(dir, sizeof dir, "%s/nxtools-test.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (mkdtemp(dir) && chdir(dir) == 0)
		return dir;
	perror(dir);
	exit(1);
}

/* Leaves that directory and removes it with all that is in it. */
static inline void test_dir_done(const char *dir)
{
	char rm[4200];
	snprintf(rm, sizeof rm, "rm -rf '%s'", dir);
	TEST(chdir("/") == 0 && system(rm) == 0, "the test's directory is removed");
}

/* Index of w in "a|b|c", as option tables have their words; -1 if it is not there. */
static inline int test_word(const char *words, const char *w)
{
	size_t n = strlen(w);
	for (int i = 0;; i++) {
		size_t k = strcspn(words, "|");
		if (k == n && strncmp(words, w, n) == 0)
			return i;
		if (!words[k])
			return -1;
		words += k + 1;
	}
}

static inline int test_done(void)
{
	printf("1..%d\n", test_count);
	return test_bad || !test_count;
}

#endif
