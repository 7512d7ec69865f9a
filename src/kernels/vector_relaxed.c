/* Every kernel but the matrix products, with fused multiply-adds where the engine has them. */
#include "kernels/simd.h"

#if ITERA_HAVE_RELAXED

#include <math.h>
#include <string.h>

#include "kernels/variants.h"

#define ITERA_NAME(kernel) itera_##kernel##_relaxed
#define ITERA_MADD(a, b, c) itera_relaxed_madd(a, b, c)

#include "kernels/math_simd.h"

#include "kernels/act_simd.h"
#include "kernels/elementwise_simd.h"
#include "kernels/norm_simd.h"
#include "kernels/conv_simd.h"
#include "kernels/scan_simd.h"
#include "kernels/attention_simd.h"

#if !defined(__wasm__)
int itera_native_dot = ITERA_DOT_UNSIGNED;
#endif

#endif
