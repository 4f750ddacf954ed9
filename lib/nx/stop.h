/* stop.h - stop strings in a text that grows.
 *
 *	size_t at = stop_find(stop, n, text, len, fresh, &held);
 *	if (at < len) the text ends at `at`
 *	else the last `held` bytes may be the beginning of a stop string: do not show them yet
 */
#ifndef NX_STOP_H
#define NX_STOP_H

#include <stddef.h>

/* Where the first stop string begins in text[0..len), len if there is none: then *held is
 * the length of the longest end of the text that a stop string begins with. The first `old` bytes
 * have been searched before. Empty stop strings never match. */
size_t stop_find(const char *const *stop, int n, const char *text, size_t len, size_t old, size_t *held);

#endif
