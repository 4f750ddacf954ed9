#include "nx/gemv.h"
#include "base/cpu.h"

#include <stddef.h>

extern const struct gemv gemv_isa_base;
#ifdef __x86_64__
extern const struct gemv gemv_isa_avx2, gemv_isa_avx512;
#endif

const struct gemv *gemv_at(int i)
{
	static const struct gemv *const tables[] = {
		&gemv_isa_base,
#ifdef __x86_64__
		&gemv_isa_avx2, &gemv_isa_avx512,
#endif
	};
	int n = sizeof tables / sizeof *tables;
	return i >= 0 && i < n && cpu_can(i) ? tables[i] : NULL;
}

const struct gemv *gemv_best(void)
{
	const struct gemv *best = NULL;
	for (int i = 0; gemv_at(i); i++)
		best = gemv_at(i);
	return best;
}
