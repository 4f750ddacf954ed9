#include "base/num.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int is_digit(char c)
{
	return c >= '0' && c <= '9';
}

int num_u64(const char *s, size_t n, uint64_t *v)
{
	uint64_t x = 0;
	if (n == 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (!is_digit(s[i]))
			return -1;
		if (__builtin_mul_overflow(x, 10u, &x) || __builtin_add_overflow(x, (uint64_t)(s[i] - '0'), &x))
			return -1;
	}
	*v = x;
	return 0;
}

int num_i64(const char *s, size_t n, int64_t *v)
{
	int neg = n > 0 && s[0] == '-';
	uint64_t x;
	if (num_u64(s + neg, n - (size_t)neg, &x))
		return -1;
	if (x > (uint64_t)INT64_MAX + (uint64_t)neg)
		return -1;
	*v = neg ? (int64_t)(0 - x) : (int64_t)x;
	return 0;
}

/* [-]digits[.digits][e[+-]digits] or [-].digits: strtod alone would also take "0x1p3" and "nan". */
static int looks_decimal(const char *s, size_t n)
{
	size_t i = 0, digits = 0;
	if (i < n && (s[i] == '-' || s[i] == '+'))
		i++;
	for (; i < n && is_digit(s[i]); i++)
		digits++;
	if (i < n && s[i] == '.')
		for (i++; i < n && is_digit(s[i]); i++)
			digits++;
	if (digits == 0)
		return 0;
	if (i < n && (s[i] == 'e' || s[i] == 'E')) {
		i++;
		if (i < n && (s[i] == '-' || s[i] == '+'))
			i++;
		if (i == n)
			return 0;
		while (i < n && is_digit(s[i]))
			i++;
	}
	return i == n;
}

int num_f64(const char *s, size_t n, double *v)
{
	char small[64], *text = small, *end;
	if (!looks_decimal(s, n))
		return -1;
	if (n >= sizeof small && !(text = malloc(n + 1)))
		return -1;
	memcpy(text, s, n);
	text[n] = 0;
	double x = strtod(text, &end);
	int whole = end == text + n;
	if (text != small)
		free(text);
	if (!whole || !isfinite(x))
		return -1;
	*v = x;
	return 0;
}

double num_shown(double v)
{
	return isnan(v) ? fabs(v) : v;
}
