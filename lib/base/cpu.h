/* cpu.h - which of the instruction sets that *_isa.c files are compiled for this processor has.
 *
 *	if (cpu_can(CPU_AVX2)) ...
 *
 * The order is that of the tables the users of *_isa.c files keep: each set holds the one
 * before, so the first that is missing ends the list. What a set is, the Makefile says (ISA.*). */
#ifndef BASE_CPU_H
#define BASE_CPU_H

#include <stdbool.h>

enum cpu { CPU_BASE, CPU_AVX2, CPU_AVX512 };

bool cpu_can(int set); /* false for what is no set */
/* Beside CPU_AVX512: dot products of bfloat16. */
bool cpu_bf16_dots(void);
/* And of bytes (VNNI). */
bool cpu_byte_dots(void);
/* AVX-512 goes through units half as wide: no faster than AVX2 where that keeps them busy. */
bool cpu_halves_avx512(void);

#endif
