#include "nx/update.h"
#include "base/isa.h"

#include <stddef.h>

ISA_CHOICE(struct update, update_isa_, update_at)
ISA_BEST(struct update, update_at, update_best)
