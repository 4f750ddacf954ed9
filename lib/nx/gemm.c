#include "nx/gemm.h"
#include "base/cpu.h"

#include <stddef.h>

extern const struct gemm gemm_isa_base;
#ifdef __x86_64__
extern const struct gemm gemm_isa_avx2, gemm_isa_avx512;
#endif

const struct gemm *gemm_at(int i)
{
	static const struct gemm *const tables[] = {
		&gemm_isa_base,
#ifdef __x86_64__
		&gemm_isa_avx2, &gemm_isa_avx512,
#endif
	};
	int n = sizeof tables / sizeof *tables;
	return i >= 0 && i < n && cpu_can(i) ? tables[i] : NULL;
}

const struct gemm *gemm_best(void)
{
	const struct gemm *best = NULL;
	for (int i = 0; gemm_at(i); i++)
		best = gemm_at(i);
	return best;
}
