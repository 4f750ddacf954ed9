#include "nx/stop.h"

#include <stdbool.h>
#include <string.h>

/* The longest proper beginning of s[0..n) that the text ends with. */
static size_t begun(const char *s, size_t n, const char *text, size_t len)
{
	for (size_t k = n - 1 < len ? n - 1 : len; k > 0; k--)
		if (memcmp(text + len - k, s, k) == 0)
			return k;
	return 0;
}

size_t stop_find(const char *const *stop, int n, const char *text, size_t len, size_t old, size_t *held)
{
	size_t first = len;
	*held = 0;
	for (int i = 0; i < n; i++) {
		size_t k = strlen(stop[i]);
		if (k == 0)
			continue;
		size_t from = old >= k ? old - k + 1 : 0;
		const char *hit = from < len ? memmem(text + from, len - from, stop[i], k) : NULL;
		if (hit && (size_t)(hit - text) < first)
			first = (size_t)(hit - text);
		size_t b = begun(stop[i], k, text, len);
		if (b > *held)
			*held = b;
	}
	return first;
}
