#include "nx/kernel.h"
#include "base/isa.h"

ISA_CHOICE(struct kernel, kernel_isa_, kernel_at)

const struct kernel *kernel_best(void)
{
	const struct kernel *k = kernel_at(0);
	for (int i = 1; kernel_at(i); i++)
		k = kernel_at(i);
	return k;
}
