#include "nx/sample.h"

int32_t sample_greedy(const float *logits, int n)
{
	int best = 0;
	for (int i = 0; i < n; i++) {
		if (logits[i] != logits[i])
			return -1;
		if (logits[i] > logits[best])
			best = i;
	}
	return n > 0 ? best : -1;
}
