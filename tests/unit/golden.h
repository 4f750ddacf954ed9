/* golden.h - arrays in a golden file: "what n unit", then n whole numbers in that unit (tests/reference/grads.py). */
#ifndef GOLDEN_H
#define GOLDEN_H

#include "nx/params.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reads "what n unit" and n numbers in that unit into v; 0 where the file ends. */
static inline size_t golden_next(FILE *f, char what[100], double **v)
{
	size_t n;
	double unit;
	if (fscanf(f, " %99s %zu %lf", what, &n, &unit) != 3)
		return 0;
	*v = calloc(n, sizeof **v);
	for (size_t i = 0; i < n && unit > 0; i++) {
		if (fscanf(f, "%lf", &(*v)[i]) != 1)
			return 0;
		(*v)[i] *= unit;
	}
	return n;
}

/* The tensor called so, n floats of w. */
static inline const float *golden_tensor(const struct params *lay, const float *w, const char *name, size_t n)
{
	for (int i = 0; i < lay->n; i++)
		if (!strcmp(lay->t[i].name, name) && lay->t[i].n == n)
			return w + lay->t[i].off;
	return NULL;
}

/* Norm of the difference over the norm of what is wanted. */
static inline double golden_distance(const float *got, const double *want, size_t n)
{
	double d = 0, w = 0;
	for (size_t i = 0; i < n; i++) {
		d += (got[i] - want[i]) * (got[i] - want[i]);
		w += want[i] * want[i];
	}
	return sqrt(d / w);
}

#endif
