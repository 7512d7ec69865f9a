/* The tables of kernels: one for each variant that this build holds. */
#include "kernels/variants.h"

#define ITERA_MATMUL(TYPE, name) .matmul[ITERA_TYPE_##TYPE] = itera_matmul_##name##_scalar,
#define ITERA_KERNEL(kernel) .kernel = itera_##kernel##_scalar,
static const itera_kernels scalar_kernels = {
    .name = "scalar",
#include "kernels/kernels.inc"
};
#undef ITERA_MATMUL
#undef ITERA_KERNEL

itera_variant itera_kernels_best(void) { return ITERA_SCALAR; }

const itera_kernels *itera_kernels_get(itera_variant variant)
{
    switch (variant) {
    case ITERA_SCALAR: return &scalar_kernels;
    default: return NULL;
    }
}
