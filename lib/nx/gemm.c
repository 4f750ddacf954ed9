#include "nx/gemm.h"
#include "base/isa.h"

#include <stddef.h>
#include <string.h>

ISA_CHOICE(struct gemm, gemm_isa_, gemm_at)
ISA_BEST(struct gemm, gemm_at, gemm_best)

static size_t up(int n, int to)
{
	return ((size_t)n + (size_t)to - 1) / (size_t)to;
}

static size_t panel_bytes(enum gemm_type type, int cols)
{
	if (type == GEMM_F32)
		return (size_t)cols * GEMM_PANEL * sizeof(float);
	if (type == GEMM_BF16)
		return up(cols, 2) * GEMM_PANEL * sizeof(uint32_t);
	return up(cols, GEMM_BLOCK) * GEMM_PANEL * (sizeof(uint16_t) + GEMM_BLOCK);
}

size_t gemm_bytes(enum gemm_type type, int rows, int cols)
{
	return up(rows, GEMM_PANEL) * panel_bytes(type, cols);
}

size_t gemm_prepared(enum gemm_type type, int n, int cols)
{
	size_t row = type == GEMM_Q8 ? up(cols, GEMM_BLOCK) * (GEMM_BLOCK + sizeof(float) + sizeof(int32_t)) : up(cols, 16) * 16 * sizeof(float);
	return ((size_t)n * row + 63) / 64 * 64;
}

static float widen(uint32_t high)
{
	float f;
	memcpy(&f, &high, sizeof f);
	return f;
}

float gemm_weight(const struct gemm_matrix *m, int row, int col)
{
	const char *panel = (const char *)m->v + (size_t)(row / GEMM_PANEL) * panel_bytes(m->type, m->cols);
	size_t o = (size_t)(row % GEMM_PANEL), j = (size_t)col;
	if (m->type == GEMM_F32)
		return ((const float *)(const void *)panel)[j * GEMM_PANEL + o];
	if (m->type == GEMM_BF16) {
		uint32_t two = ((const uint32_t *)(const void *)panel)[j / 2 * GEMM_PANEL + o];
		return widen(j % 2 ? two & 0xFFFF0000 : two << 16);
	}
	panel += j / GEMM_BLOCK * GEMM_PANEL * (sizeof(uint16_t) + GEMM_BLOCK);
	uint16_t scale = ((const uint16_t *)(const void *)panel)[o];
	const int8_t *q = (const int8_t *)panel + GEMM_PANEL * sizeof scale;
	return (float)q[(j % GEMM_BLOCK / 4 * GEMM_PANEL + o) * 4 + j % 4] * widen((uint32_t)scale << 16);
}
