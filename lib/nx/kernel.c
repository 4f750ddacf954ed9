#include "nx/kernel.h"
#include "base/isa.h"

ISA_CHOICE(struct kernel, kernel_isa_, kernel_at)
ISA_BEST(struct kernel, kernel_at, kernel_best)
