#include "nx/kernel.h"
#include "base/cpu.h"

extern const struct kernel kernel_isa_base;
#ifdef __x86_64__
extern const struct kernel kernel_isa_avx2, kernel_isa_avx512;
#endif

const struct kernel *kernel_at(int i)
{
	static const struct kernel *const tables[] = {
		&kernel_isa_base,
#ifdef __x86_64__
		&kernel_isa_avx2, &kernel_isa_avx512,
#endif
	};
	int n = sizeof tables / sizeof *tables;
	return i >= 0 && i < n && cpu_can(i) ? tables[i] : NULL;
}

const struct kernel *kernel_best(void)
{
	const struct kernel *k = kernel_at(0);
	for (int i = 1; kernel_at(i); i++)
		k = kernel_at(i);
	return k;
}
