/* isa.h - kernels compiled once for each instruction set, in files *_isa.c, and chosen at run time.
 *
 * Such a file exports one table of functions, and its neighbour chooses among them:
 *
 *	ISA_TABLE(struct gemm, gemm_isa_) = {ISA_NAME, run, ...};     in gemm_isa.c
 *	ISA_CHOICE(struct gemm, gemm_isa_, gemm_at)                   in gemm.c
 *	ISA_BEST(struct gemm, gemm_at, gemm_best)                     where the fastest is always wanted
 *
 * The sets are base/cpu.h's; ISA is the one that is compiled for. */
#ifndef BASE_ISA_H
#define BASE_ISA_H

#include "base/cpu.h"

#include <stddef.h>

#define ISA_JOIN2(a, b) a##b
#define ISA_JOIN(a, b) ISA_JOIN2(a, b)
#define ISA_TEXT2(a) #a
#define ISA_TEXT(a) ISA_TEXT2(a)
#define ISA_NAME ISA_TEXT(ISA)
#define ISA_TABLE(type, stem) \
	extern const type ISA_JOIN(stem, ISA); \
	const type ISA_JOIN(stem, ISA)

/* Defines at(i): every table this CPU can run, slowest first; NULL for i beyond them. */
#ifdef __x86_64__
#define ISA_CHOICE(type, stem, at) \
	extern const type stem##base, stem##avx2, stem##avx512; \
	const type *at(int i) \
	{ \
		static const type *const tables[] = {&stem##base, &stem##avx2, &stem##avx512}; \
		return i >= CPU_BASE && i <= CPU_AVX512 && cpu_can(i) ? tables[i] : NULL; \
	}
#else
#define ISA_CHOICE(type, stem, at) \
	extern const type stem##base; \
	const type *at(int i) \
	{ \
		return i == CPU_BASE ? &stem##base : NULL; \
	}
#endif

/* Defines best(): the last of the tables of at(). */
#define ISA_BEST(type, at, best) \
	const type *best(void) \
	{ \
		const type *last = NULL; \
		for (int i = 0; at(i); i++) \
			last = at(i); \
		return last; \
	}

#define INLINE static inline __attribute__((always_inline))

/* For functions of one use that would be large together: with a sanitizer's checks in them
 * compilers take several times as long over all of them in one. */
#ifdef __SANITIZE_ADDRESS__
#define APART __attribute__((noinline)) static
#else
#define APART INLINE
#endif

/* In front of a loop over an array of registers, of at most 16 turns: they stay registers only where it is
 * unrolled before anything else is decided. */
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#endif
