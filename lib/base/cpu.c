#include "base/cpu.h"

bool cpu_can(int set)
{
#ifdef __x86_64__
	/* every processor with FMA has F16C too, which not every compiler can ask for */
	if (set == CPU_AVX2)
		return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
	if (set == CPU_AVX512)
		return cpu_can(CPU_AVX2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
		       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#endif
	return set == CPU_BASE;
}
