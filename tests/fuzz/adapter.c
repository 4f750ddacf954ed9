/* adapter_config.json and, behind a NUL, adapter_model.safetensors: an adapter for the tiny
 * model, or refused. */
#include "unit/tiny.h"
#include "fuzz.h"

#include "nx/lora.h"
#include "nx/lorafile.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct config c = tiny_config('B');
	struct lora *a;
	struct buf base = {0};
	struct err e;
	size_t len;
	const uint8_t *config = fuzz_part(&p, &n, &len);
	fuzz_file("adapter_config.json", config, len);
	fuzz_file("adapter_model.safetensors", p, n);
	(void)lorafile_base(fuzz_dir(), &base, &e);
	if (lorafile_load(&a, &c, fuzz_dir(), &e) == 0)
		lora_close(a);
	buf_release(&base);
	return 0;
}
