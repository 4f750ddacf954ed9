#include "nx/gemv.h"

#include <stddef.h>

extern const struct gemv gemv_isa_base;
#ifdef __x86_64__
extern const struct gemv gemv_isa_avx2, gemv_isa_avx512;
#endif

const struct gemv *gemv_at(int i)
{
	if (i == 0)
		return &gemv_isa_base;
#ifdef __x86_64__
	bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
	if (i == 1 && avx2)
		return &gemv_isa_avx2;
	if (i == 2 && avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
		return &gemv_isa_avx512;
#endif
	return NULL;
}

const struct gemv *gemv_best(void)
{
	const struct gemv *best = NULL;
	for (int i = 0; gemv_at(i); i++)
		best = gemv_at(i);
	return best;
}
