#include "nx/update.h"
#include "base/isa.h"

#include <stddef.h>

ISA_CHOICE(struct update, update_isa_, update_at)

const struct update *update_best(void)
{
	const struct update *best = NULL;
	for (int i = 0; update_at(i); i++)
		best = update_at(i);
	return best;
}
