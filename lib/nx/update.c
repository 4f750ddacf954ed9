#include "nx/update.h"
#include "base/cpu.h"

#include <stddef.h>

extern const struct update update_isa_base;
#ifdef __x86_64__
extern const struct update update_isa_avx2, update_isa_avx512;
#endif

const struct update *update_at(int i)
{
	static const struct update *const tables[] = {
		&update_isa_base,
#ifdef __x86_64__
		&update_isa_avx2, &update_isa_avx512,
#endif
	};
	int n = sizeof tables / sizeof *tables;
	return i >= 0 && i < n && cpu_can(i) ? tables[i] : NULL;
}

const struct update *update_best(void)
{
	const struct update *best = NULL;
	for (int i = 0; update_at(i); i++)
		best = update_at(i);
	return best;
}
