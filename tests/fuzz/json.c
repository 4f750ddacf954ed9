/* Any text: parsed or refused; what was parsed is written and read back the same. */
#include "fuzz.h"

#include "io/json.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct arena a = {0};
	struct buf once = {0}, twice = {0};
	struct json *v;
	struct err e;
	if (json_parse(&a, (const char *)p, n, &v, &e) == 0) {
		if (json_write(&once, v) || json_parse(&a, once.p, once.n, &v, &e) || json_write(&twice, v))
			abort();
		if (once.n != twice.n || memcmp(once.p, twice.p, once.n))
			abort();
	}
	buf_release(&once);
	buf_release(&twice);
	arena_release(&a);
	return 0;
}
