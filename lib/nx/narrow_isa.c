/* Compiled once for each instruction set; narrow.c chooses. Plain loops over the rows of a panel, which the
 * compiler makes vectors of. */
#include "nx/narrow.h"
#include "base/isa.h"

#include <math.h>
#include <string.h>

#ifdef ISA

#define SIMD _Pragma("omp simd")

enum { PANEL = GEMM_PANEL, BLOCK = GEMM_BLOCK, FOURS = BLOCK / 4, SCALES = PANEL * sizeof(uint16_t) };
_Static_assert(BLOCK % 4 == 0, "columns lie in fours");

INLINE float from_bits(uint32_t u)
{
	float f;
	memcpy(&f, &u, sizeof f);
	return f;
}

/* Column j of a panel. */
INLINE void column(float v[PANEL], const uint32_t *panel, int j, const enum gemm_type type)
{
	const uint32_t *from = panel + (ptrdiff_t)(type == GEMM_F32 ? j : j / 2) * PANEL;
	SIMD for (int o = 0; o < PANEL; o++)
		v[o] = from_bits(type == GEMM_F32 ? from[o] : j % 2 ? from[o] & 0xFFFF0000 : from[o] << 16);
}

/* The columns of a block, of which there are n; the others are zeros. */
static void columns(float v[FOURS][4][PANEL], const struct gemm_matrix *m, const void *panel, int j, int n)
{
	for (int k = 0; k < BLOCK; k++)
		if (k >= n)
			memset(v[k / 4][k % 4], 0, sizeof v[0][0]);
		else if (m->type == GEMM_F32)
			column(v[k / 4][k % 4], panel, j + k, GEMM_F32);
		else
			column(v[k / 4][k % 4], panel, j + k, GEMM_BF16);
}

/* A unit for each row, upwards: 127 of them must not be less than the largest weight. And its inverse, or 0 where
 * the unit is next to nothing, as the weights become then. */
static void units(uint16_t scale[PANEL], float unit[PANEL], float inverse[PANEL], float v[FOURS][4][PANEL])
{
	float most[PANEL] = {0};
	for (int k = 0; k < BLOCK; k++)
		SIMD for (int o = 0; o < PANEL; o++) {
			float w = __builtin_fabsf(v[k / 4][k % 4][o]);
			most[o] = w > most[o] ? w : most[o];
		}
	for (int o = 0; o < PANEL; o++) {
		float up = most[o] / 127;
		uint32_t u;
		memcpy(&u, &up, sizeof u);
		scale[o] = (uint16_t)((u + 0xFFFF) >> 16);
		unit[o] = from_bits((uint32_t)scale[o] << 16);
		inverse[o] = unit[o] > 1e-37f ? 1 / unit[o] : 0;
	}
}

/* Four columns in whole numbers of the units; squares of what they lost and of what they became are added. */
INLINE void four_columns(uint32_t four[PANEL], float v[4][PANEL], const float *unit, const float *inverse, float *lost, float *size)
{
	SIMD for (int o = 0; o < PANEL; o++) {
		uint32_t all = 0;
		UNROLL for (int k = 0; k < 4; k++) {
			float w = v[k][o] * inverse[o];
			int q = (int)(w + (w < 0 ? -0.5f : 0.5f));
			float is = (float)q * unit[o], less = v[k][o] - is;
			all |= ((uint32_t)q & 0xFF) << 8 * k;
			lost[o] += less * less;
			size[o] += is * is;
		}
		four[o] = all;
	}
}

/* A norm not less than the largest of those whose squares were summed in float over n numbers; squares of less
 * than 1e-19 are nothing there. */
static float norm(const float squares[PANEL], int n)
{
	double most = 0;
	for (int o = 0; o < PANEL; o++)
		most = (double)squares[o] > most ? (double)squares[o] : most;
	return (float)((sqrt(most) + 1e-17) * (1 + (n + 16) * 0x1p-23));
}

static void panel(const struct gemm_matrix *to, const struct gemm_matrix *from, int row, float *lost, float *size)
{
	const char *w = (const char *)from->v + (size_t)(row / PANEL) * gemm_bytes(from->type, PANEL, from->cols);
	char *block = (char *)to->v + (size_t)(row / PANEL) * gemm_bytes(GEMM_Q8, PANEL, to->cols);
	float v[FOURS][4][PANEL], unit[PANEL], inverse[PANEL], loss[PANEL] = {0}, sizes[PANEL] = {0};
	uint32_t four[PANEL];
	uint16_t scale[PANEL];
	for (int j = 0; j < from->cols; j += BLOCK, block += SCALES + PANEL * BLOCK) {
		columns(v, from, w, j, from->cols - j);
		units(scale, unit, inverse, v);
		memcpy(block, scale, sizeof scale);
		for (int g = 0; g < FOURS; g++) {
			four_columns(four, v[g], unit, inverse, loss, sizes);
			memcpy(block + SCALES + (size_t)g * sizeof four, four, sizeof four);
		}
	}
	*lost = norm(loss, from->cols);
	*size = norm(sizes, from->cols);
}

ISA_TABLE(struct narrow, narrow_isa_) = {ISA_NAME, panel};
#endif
