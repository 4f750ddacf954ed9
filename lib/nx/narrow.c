#include "nx/narrow.h"
#include "base/isa.h"

ISA_CHOICE(struct narrow, narrow_isa_, narrow_at)
ISA_BEST(struct narrow, narrow_at, narrow_best)
