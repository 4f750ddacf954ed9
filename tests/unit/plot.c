/* Axes and curves of plots. */
#include "nx/axis.h"
#include "nx/curves.h"
#include "test.h"

/* The ticks of lo..hi as "0 0.5 1", to text. */
static const char *ticks(struct axis a, double lo, double hi, int want, bool round, char *text)
{
	char label[AXIS_LABEL];
	axis_see(&a, lo);
	axis_see(&a, hi);
	axis_settle(&a, want, round);
	*text = 0;
	for (int i = 0; i < a.nticks; i++)
		strcat(strcat(text, i ? " " : ""), axis_label(&a, a.ticks[i], label));
	return text;
}

static void check(const char *name, struct axis a, double lo, double hi, int want, bool round, const char *expected)
{
	char text[AXIS_TICKS * AXIS_LABEL];
	TEST(!strcmp(ticks(a, lo, hi, want, round, text), expected), "%s: %s", name, text);
}

static void test_ticks(void)
{
	struct axis plain = {0}, log = {.log = true}, whole = {.whole = true};
	check("0 to 1", plain, 0, 1, 5, true, "0 0.2 0.4 0.6 0.8 1.0");
	check("the range grows to ticks", plain, 0.3, 9.7, 5, true, "0 2 4 6 8 10");
	check("or it stays", plain, 0.3, 9.7, 5, false, "2 4 6 8");
	check("rates", plain, 0, 5e-5, 3, true, "0 2e-5 4e-5 6e-5");
	check("rates between powers of ten", plain, 8e-6, 1.6e-5, 4, true, "8e-6 1e-5 1.2e-5 1.4e-5 1.6e-5");
	check("tokens", plain, 0, 3e6, 3, true, "0 1e6 2e6 3e6");
	check("steps", plain, 1, 720, 4, false, "200 400 600");
	check("below zero", plain, -1, 1, 4, true, "-1.0 -0.5 0 0.5 1.0");
	check("steps have no halves", whole, 1, 3, 6, false, "1 2 3");
	check("one value", plain, 2.5, 2.5, 4, true, "2.2 2.4 2.6 2.8");
	check("the largest", plain, 1e300, 1e300, 2, false, "9.99999999e299 1e300 1.000000001e300");
	check("next to nothing", plain, -5e-324, 5e-324, 2, true, "0 0.5 1.0");
	check("zero only", plain, 0, 0, 2, true, "0 0.5 1.0");
	check("decades", log, 1e-3, 1e3, 7, true, "0.001 0.01 0.1 1 10 100 1000");
	check("1, 2, 5", log, 1, 100, 7, false, "1 2 5 10 20 50 100");
	check("every second decade and on", log, 1e-12, 1, 6, false, "1e-12 1e-10 1e-8 1e-6 1e-4 0.01 1");
	check("less than a decade", log, 2.1, 3.9, 4, false, "2.5 3.0 3.5");
}

static void test_place(void)
{
	struct axis a = {.log = true}, none = {0};
	axis_see(&a, 1);
	axis_see(&a, 0);
	axis_see(&a, -5);
	axis_see(&a, 10000);
	axis_see(&a, INFINITY);
	axis_settle(&a, 5, true);
	TEST(a.lo == 1 && a.hi == 10000, "what has no place on a logarithmic axis is not seen: %g to %g", a.lo, a.hi);
	TEST_NEAR(axis_place(&a, 100), 0.5, 1e-12, "the middle of four decades");
	TEST(!axis_takes(&none, 1e308) && !axis_takes(&a, 5e-324), "what would overflow has none");
	TEST(!axis_takes(&a, 0) && axis_takes(&none, 0) && !axis_takes(&none, NAN), "zero has a place on plain axes only");
	axis_settle(&none, 5, true);
	TEST(none.lo < none.hi, "an axis that saw nothing has a range");
}

static void test_smooth(void)
{
	double y[] = {4, NAN, 2, 1}, s[4];
	curves_smooth(y, 4, 0.5, s);
	/* m = 2, (2+2)/2 = 2, (2+1)/2 = 1.5; over 1 - 1/2, 1 - 1/4, 1 - 1/8 */
	TEST_NEAR(s[0], 4, 1e-12, "the first point is itself");
	TEST(isnan(s[1]), "a gap stays one");
	TEST_NEAR(s[2], 2 / 0.75, 1e-12, "the second point");
	TEST_NEAR(s[3], 1.5 / 0.875, 1e-12, "the third point");
	curves_smooth(y, 4, 0, s);
	TEST(s[0] == 4 && s[2] == 2 && s[3] == 1, "alpha 0 changes nothing");
}

int main(void)
{
	test_ticks();
	test_place();
	test_smooth();
	return test_done();
}
