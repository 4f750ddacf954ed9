/* Any bytes as the log of a run: points that can be taken, or refused. */
#include "fuzz.h"

#include "nx/curves.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct curves c = {.nkeys = 2, .keys = {"loss", "eval_loss"}};
	struct skip skip = {0};
	struct err e;
	char path[32];
	int fd = fuzz_open(p, n, path);
	if (curves_read(&c, path, &skip, &e) == 0) {
		size_t entries = c.logs[0].n;
		double *xs = malloc((entries + 1) * sizeof *xs), *ys = malloc((entries + 1) * sizeof *ys);
		fuzz_must(xs && ys);
		for (int key = 0; key < 2; key++) {
			size_t k = curves_take(&c, 0, key, curves_best_x(&c), xs, ys);
			fuzz_must(k <= entries);
			curves_smooth(ys, k, 0.9, xs);
		}
		free(xs);
		free(ys);
	}
	curves_release(&c);
	close(fd);
	return 0;
}
