#include "base/skip.h"

#include <stdio.h>

int skip_pass(struct skip *s, const struct err *e)
{
	if (!s->on || e->kind != ERR_DATA)
		return -1;
	if (s->n++ == 0)
		s->first = *e;
	return 0;
}

const char *skip_text(const struct skip *s, const char *what, char *buf, size_t cap)
{
	snprintf(buf, cap, "skipped %llu bad %s%s, the first: %s", (unsigned long long)s->n, what, s->n == 1 ? "" : "s",
	         s->first.msg);
	return buf;
}
