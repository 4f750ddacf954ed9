#include "base/cpu.h"

bool cpu_can(int set)
{
#ifdef __x86_64__
	/* every processor with FMA has F16C too, which not every compiler can ask for */
	if (set == CPU_AVX2)
		return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
	if (set == CPU_AVX512)
		return cpu_can(CPU_AVX2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
		       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#endif
	return set == CPU_BASE;
}

bool cpu_bf16_dots(void)
{
#ifdef __x86_64__
	return cpu_can(CPU_AVX512) && __builtin_cpu_supports("avx512bf16");
#else
	return false;
#endif
}

bool cpu_byte_dots(void)
{
#ifdef __x86_64__
	return cpu_can(CPU_AVX512) && __builtin_cpu_supports("avx512vnni");
#else
	return false;
#endif
}

bool cpu_halves_avx512(void)
{
#ifdef __x86_64__
	return __builtin_cpu_is("amdfam19h"); /* Zen 4; Zen 3 has none */
#else
	return false;
#endif
}
