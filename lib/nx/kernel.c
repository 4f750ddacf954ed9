#include "nx/kernel.h"

#include <stdbool.h>

extern const struct kernel kernel_isa_base;
#ifdef __x86_64__
extern const struct kernel kernel_isa_avx2, kernel_isa_avx512;
#endif

static bool can(int i)
{
#ifdef __x86_64__
	if (i == 1)
		return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
	if (i == 2)
		return can(1) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
		       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#endif
	return i == 0;
}

const struct kernel *kernel_at(int i)
{
	static const struct kernel *const tables[] = {
		&kernel_isa_base,
#ifdef __x86_64__
		&kernel_isa_avx2, &kernel_isa_avx512,
#endif
	};
	int n = sizeof tables / sizeof *tables;
	/* Each set contains the one before: the first that cannot be run ends the list. */
	return i >= 0 && i < n && can(i) ? tables[i] : NULL;
}

const struct kernel *kernel_best(void)
{
	const struct kernel *k = kernel_at(0);
	for (int i = 1; kernel_at(i); i++)
		k = kernel_at(i);
	return k;
}
