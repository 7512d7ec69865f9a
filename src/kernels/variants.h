/* The functions behind the tables, private to src/kernels and its test. kernels.h documents them. */
#ifndef ITERA_KERNELS_VARIANTS_H
#define ITERA_KERNELS_VARIANTS_H

#include "kernels/kernels.h"
#include "kernels/simd.h"

/* itera_<kernel>_<variant>, each of the type that its entry of the table has. */
#define ITERA_DECLARE_MATMUL(name, variant) __typeof__(*(itera_matmul_fn)NULL) itera_matmul_##name##_##variant;
#define ITERA_DECLARE(kernel, variant) __typeof__(*((itera_kernels *)NULL)->kernel) itera_##kernel##_##variant;

#define ITERA_MATMUL(TYPE, name) ITERA_DECLARE_MATMUL(name, scalar)
#define ITERA_KERNEL(kernel) ITERA_DECLARE(kernel, scalar)
#include "kernels/kernels.inc"
#undef ITERA_MATMUL
#undef ITERA_KERNEL

#if ITERA_HAVE_SIMD128
#define ITERA_MATMUL(TYPE, name) ITERA_DECLARE_MATMUL(name, simd128)
#define ITERA_KERNEL(kernel) ITERA_DECLARE(kernel, simd128)
#include "kernels/kernels.inc"
#undef ITERA_MATMUL
#undef ITERA_KERNEL
#endif

#if ITERA_HAVE_RELAXED
#define ITERA_MATMUL(TYPE, name) ITERA_DECLARE_MATMUL(name, relaxed)
#define ITERA_KERNEL(kernel) ITERA_DECLARE(kernel, relaxed)
#include "kernels/kernels.inc"
#undef ITERA_MATMUL
#undef ITERA_KERNEL
/* The forms between which the relaxed products of Q8_0 and Q4_K choose for the engine at hand. */
ITERA_DECLARE_MATMUL(q8_0_unsigned, relaxed)
ITERA_DECLARE_MATMUL(q8_0_signed, relaxed)
ITERA_DECLARE_MATMUL(q4_k_shifted, relaxed)
#endif

/* Reads every cache line of what will be used next: asked for at once, lines come together from far away. */
void itera_touch(const void *from, size_t bytes);

/* Finds the wide blocks of one row; the same in all variants. */
void itera_mark_wide(itera_act_block *row, size_t blocks);

#endif
