/* retry: what may heal, what Retry-After says, how long the waits are. */
#include "io/retry.h"
#include "test.h"

static void after(const char *value, int64_t now, double want)
{
	double s = -1;
	bool ok = retry_after(value, now, &s);
	if (want < 0)
		TEST(!ok, "\"%s\" says nothing", value ? value : "(none)");
	else
		TEST(ok && s == want, "\"%s\" says %g seconds: %g", value, want, s);
}

int main(void)
{
	static const int heal[] = {408, 425, 429, 500, 502, 503, 504, 529}, stay[] = {200, 301, 400, 401, 403, 404, 409, 413, 422};
	for (size_t i = 0; i < sizeof heal / sizeof *heal; i++)
		TEST(retry_heals(heal[i]), "%d may heal", heal[i]);
	for (size_t i = 0; i < sizeof stay / sizeof *stay; i++)
		TEST(!retry_heals(stay[i]), "%d will not", stay[i]);

	enum { AT = 784111777 }; /* the date of RFC 9110, 5.6.7 */
	after("120", AT, 120);
	after("0", AT, 0);
	after("1.5", AT, 1.5);
	after("Sun, 06 Nov 1994 08:49:37 GMT", AT - 30, 30);
	after("Sunday, 06-Nov-94 08:49:37 GMT", AT - 30, 30);
	after("Sun Nov  6 08:49:37 1994", AT - 30, 30);
	after("Sun, 06 Nov 1994 08:49:37 GMT", AT + 30, 0);
	after(NULL, AT, -1);
	after("", AT, -1);
	after("-1", AT, -1);
	after("soon", AT, -1);
	after("Sun, 06 Nov 1994 08:49:37 GMT!", AT, -1);
	after("Sun, 06 Nov 1994", AT, -1);

	struct xoshiro r;
	xoshiro_seed(&r, 1, 0);
	double low = 1e9, high = 0;
	for (int i = 0; i < 1000; i++) {
		double d = retry_delay(3, 0.5, &r);
		low = d < low ? d : low;
		high = d > high ? d : high;
	}
	TEST(low >= 1 && low < 1.01 && high <= 2 && high > 1.99, "the third wait is between 1 and 2 seconds: %g to %g", low, high);
	for (int again = 1; again < 100; again++) {
		double d = retry_delay(again, 0.5, &r);
		if (d > 60 || d < 0.25)
			TEST(false, "wait %d is %g", again, d);
	}
	double last = retry_delay(99, 0.5, &r);
	TEST(last >= 30 && last <= 60, "no wait is longer than a minute");
	TEST(retry_delay(5, 0, &r) == 0, "a first wait of 0 stays 0");
	return test_done();
}
