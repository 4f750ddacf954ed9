#include "io/retry.h"

#include "base/num.h"

#include <string.h>
#include <time.h>

bool retry_heals(int status)
{
	return status == 408 || status == 425 || status == 429 || status >= 500;
}

bool retry_after(const char *value, int64_t now, double *seconds)
{
	static const char *const dates[] = {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"};
	if (!value)
		return false;
	if (num_f64(value, strlen(value), seconds) == 0)
		return *seconds >= 0;
	for (size_t i = 0; i < sizeof dates / sizeof *dates; i++) {
		struct tm t = {0};
		const char *end = strptime(value, dates[i], &t);
		if (!end || *end)
			continue;
		int64_t then = (int64_t)timegm(&t);
		*seconds = then > now ? (double)(then - now) : 0;
		return true;
	}
	return false;
}

double retry_delay(int again, double first, struct xoshiro *random)
{
	enum { MOST = 60 };
	double d = first;
	for (int i = 1; i < again && d < MOST; i++)
		d *= 2;
	if (d > MOST)
		d = MOST;
	return d * (0.5 + 0.5 * xoshiro_f64(random));
}
