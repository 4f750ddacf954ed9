/* config.json and, behind a NUL, model.safetensors: a model that can be run, or refused. */
#include "unit/tiny.h"
#include "fuzz.h"

#include "nx/modelfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct config c;
	struct model m;
	struct err e;
	size_t len;
	const uint8_t *config = fuzz_part(&p, &n, &len);
	fuzz_file("config.json", config, len);
	fuzz_file("model.safetensors", p, n);
	if (model_load(&m, fuzz_dir(), &e) == 0) {
		fuzz_must(m.lay.count * 2 <= n); /* no weight without a byte of the file */
		model_release(&m);
	} else {
		fuzz_must(e.msg[0] != 0);
	}
	(void)config_load(&c, fuzz_dir(), &e);
	return 0;
}
