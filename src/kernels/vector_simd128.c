/* Every kernel but the matrix products, on simd128: the bits of the scalar reference. */
#include "kernels/simd.h"

#if ITERA_HAVE_SIMD128

#include <math.h>
#include <string.h>

#include "kernels/variants.h"

#define ITERA_NAME(kernel) itera_##kernel##_simd128
#define ITERA_MADD(a, b, c) wasm_f32x4_add(wasm_f32x4_mul(a, b), c)

#include "kernels/math_simd.h"

#include "kernels/act_simd.h"
#include "kernels/elementwise_simd.h"
#include "kernels/norm_simd.h"
#include "kernels/conv_simd.h"
#include "kernels/scan_simd.h"
#include "kernels/attention_simd.h"

#endif
