/* Any bytes as the pickle of a torch file, without the zip around it. */
#include "fuzz.h"

#include "io/pickle.h"

/* Reads what a value holds, not following it deeper than `depth`: it may hold itself. */
static size_t look(const struct pickle *v, int depth)
{
	size_t sum = (size_t)v->type + v->n;
	if (v->type == PICKLE_TEXT)
		for (size_t i = 0; i < v->n; i++)
			sum += (unsigned char)v->s[i];
	for (size_t i = 0; v->item && i < v->n && i < 4 && depth > 0; i++)
		sum += look(v->item[i], depth - 1);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct pickle_name names[] = {
		{"collections", "OrderedDict", PICKLE_DICT},
		{"torch._utils", "_rebuild_tensor_v2", PICKLE_CALL},
		{"torch", "FloatStorage", PICKLE_NONE},
	};
	struct arena a = {0};
	const struct pickle *root;
	struct err e;
	if (pickle_parse(&a, p, n, names, 3, "fuzz", &root, &e) == 0)
		look(root, 6);
	arena_release(&a);
	return 0;
}
