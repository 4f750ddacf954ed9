#include "text/wordchar.h"
#include "text/unicode.h"
#include "text/wordchar_tables.h"

#include <stddef.h>

bool wordchar_is(uint32_t cp)
{
	size_t lo = 0, hi = sizeof wordchar_runs / sizeof *wordchar_runs;
	if (unicode_class(cp) == UNICODE_LETTER)
		return true;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (cp > wordchar_runs[mid][1])
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < sizeof wordchar_runs / sizeof *wordchar_runs && cp >= wordchar_runs[lo][0];
}
