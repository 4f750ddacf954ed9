/* retry.h - when to ask a server again, and after how long.
 *
 *	if (retry_heals(status) && tries < most) {
 *		double wait = retry_delay(tries, first, &random);                 seconds
 *		if (retry_after(header, time(NULL), &asked)) wait = asked;     the server said so
 *	}
 */
#ifndef IO_RETRY_H
#define IO_RETRY_H

#include "base/xoshiro.h"

#include <stdbool.h>
#include <stdint.h>

/* Statuses that may be others next time: 408, 425, 429, and from 500 on. */
bool retry_heals(int status);
/* The seconds that the value of a Retry-After header says (RFC 9110, 10.2.3): a number of
 * them, or a date in one of the three forms of HTTP, seen from `now` (never below 0).
 * False where the value is NULL or neither. */
bool retry_after(const char *value, int64_t now, double *seconds);
/* Before try 1, 2, ...: first * 2^(try-1), at most a minute, and of that a part of 1/2 to 1
 * drawn at random, so that those who failed together do not come back together. */
double retry_delay(int again, double first, struct xoshiro *random);

#endif
