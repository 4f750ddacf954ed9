#include "nx/update.h"

extern const struct update update_isa_base;
#ifdef __x86_64__
extern const struct update update_isa_avx2, update_isa_avx512;
#endif

const struct update *update_at(int i)
{
	if (i == 0)
		return &update_isa_base;
#ifdef __x86_64__
	int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
	if (i == 1 && avx2)
		return &update_isa_avx2;
	if (i == 2 && avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
		return &update_isa_avx512;
#endif
	return NULL;
}

const struct update *update_best(void)
{
	const struct update *best = NULL;
	for (int i = 0; update_at(i); i++)
		best = update_at(i);
	return best;
}
