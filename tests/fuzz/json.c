/* Any text: parsed or refused; what was parsed is written and read back the same.
 * What jsonfast takes is an object to the parser, too. */
#include "fuzz.h"

#include "io/json.h"
#include "io/jsonfast.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct arena a = {0};
	struct buf once = {0}, twice = {0};
	struct json *v;
	struct err e;
	int rc = json_parse(&a, (const char *)p, n, &v, &e);
	if (jsonfast_object((const char *)p, n) && (rc || v->type != JSON_OBJECT))
		abort();
	if (rc == 0) {
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
