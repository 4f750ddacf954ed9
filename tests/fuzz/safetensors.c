/* Any bytes as model.safetensors: every tensor that is shown can be read. */
#include "fuzz.h"

#include "io/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static char dir[] = "build/fuzz/model-XXXXXX";
	static char path[64];
	struct safetensors *st;
	struct err e;
	if (!path[0]) {
		if (!mkdtemp(dir))
			abort();
		snprintf(path, sizeof path, "%s/model.safetensors", dir);
	}
	FILE *f = fopen(path, "wb");
	if (!f || fwrite(p, 1, n, f) != n || fclose(f))
		abort();
	if (safetensors_open(&st, dir, &e) == 0) {
		for (size_t i = 0; i < safetensors_count(st); i++) {
			const struct safetensors_tensor *t = safetensors_at(st, i);
			if (safetensors_find(st, t->name) != t || t->dtype == SAFETENSORS_OTHER)
				continue;
			float *v = malloc(t->count * sizeof *v + 1);
			if (v)
				safetensors_to_f32(t, v);
			free(v);
		}
		safetensors_close(st);
	}
	return 0;
}
