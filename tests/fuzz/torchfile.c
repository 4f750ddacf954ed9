/* Any bytes as pytorch_model.bin: every tensor that is shown can be read. */
#include "fuzz.h"
#include "tensors.h"

#include "io/torchfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char path[32];
	int fd = fuzz_open(p, n, path);
	struct tensor_set s = {0};
	struct err e;
	if (torchfile_read(&s, path, &e) == 0 && tensor_sort(&s, &e) == 0)
		fuzz_read_all(&s);
	tensor_release(&s);
	close(fd);
	return 0;
}
