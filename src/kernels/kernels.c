/* The tables of kernels: one for each variant that this build holds. A wasm module holds its best only,
 * because JavaScript chooses among modules and pays for every byte of them; native builds, which test, hold
 * all. */
#include "kernels/variants.h"

#if ITERA_HAVE_RELAXED && defined(__wasm__)
#define BEST ITERA_RELAXED
#elif ITERA_HAVE_SIMD128 /* natively the relaxed instructions are stand-ins that exist for tests */
#define BEST ITERA_SIMD128
#else
#define BEST ITERA_SCALAR
#endif

#if defined(__wasm__) && !defined(ITERA_ALL_VARIANTS)
#define HOLDS_SCALAR (!ITERA_HAVE_SIMD128)
#define HOLDS_SIMD128 (ITERA_HAVE_SIMD128 && !ITERA_HAVE_RELAXED)
#else
#define HOLDS_SCALAR 1
#define HOLDS_SIMD128 ITERA_HAVE_SIMD128
#endif

#if HOLDS_SCALAR
#define ITERA_MATMUL(TYPE, name) .matmul[ITERA_TYPE_##TYPE] = itera_matmul_##name##_scalar,
#define ITERA_KERNEL(kernel) .kernel = itera_##kernel##_scalar,
static const itera_kernels scalar_kernels = {
    .name = "scalar",
#include "kernels/kernels.inc"
};
#undef ITERA_MATMUL
#undef ITERA_KERNEL
#endif

#if HOLDS_SIMD128
#define ITERA_MATMUL(TYPE, name) .matmul[ITERA_TYPE_##TYPE] = itera_matmul_##name##_simd128,
#define ITERA_KERNEL(kernel) .kernel = itera_##kernel##_simd128,
static const itera_kernels simd128_kernels = {
    .name = "simd128",
#include "kernels/kernels.inc"
};
#undef ITERA_MATMUL
#undef ITERA_KERNEL
#endif

#if ITERA_HAVE_RELAXED
#define ITERA_MATMUL(TYPE, name) .matmul[ITERA_TYPE_##TYPE] = itera_matmul_##name##_relaxed,
#define ITERA_KERNEL(kernel) .kernel = itera_##kernel##_relaxed,
static const itera_kernels relaxed_kernels = {
    .name = "relaxed",
#include "kernels/kernels.inc"
};
#undef ITERA_MATMUL
#undef ITERA_KERNEL
#endif

itera_variant itera_kernels_best(void) { return BEST; }

const itera_kernels *itera_kernels_get(itera_variant variant)
{
    switch (variant) {
#if HOLDS_SCALAR
    case ITERA_SCALAR: return &scalar_kernels;
#endif
#if HOLDS_SIMD128
    case ITERA_SIMD128: return &simd128_kernels;
#endif
#if ITERA_HAVE_RELAXED
    case ITERA_RELAXED: return &relaxed_kernels;
#endif
    default: return NULL;
    }
}
