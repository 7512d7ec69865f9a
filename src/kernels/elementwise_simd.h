/* Element-wise kernels on vectors, a template: ITERA_NAME(kernel) names the functions of a variant.
 * The last, incomplete vector goes through the same instructions as the others, so an element's bits never
 * depend on where it stands. */

/* Four vectors at a time: engines load the constants of a polynomial anew in each turn of a loop. */
#define ITERA_DEFINE_UNARY(kernel, body)                                                                     \
    void ITERA_NAME(kernel)(float *y, const float *x, size_t n)                                              \
    {                                                                                                        \
        for (; n >= 16; n -= 16, x += 16, y += 16) {                                                         \
            ITERA_UNROLL for (int v = 0; v < 4; v++)                                                         \
            {                                                                                                \
                wasm_v128_store(y + 4 * v, body(wasm_v128_load(x + 4 * v)));                                 \
            }                                                                                                \
        }                                                                                                    \
        for (; n > 0; n -= n < 4 ? n : 4, x += 4, y += 4) {                                                  \
            itera_store_part(y, body(itera_load_part(x, n)), n);                                             \
        }                                                                                                    \
    }

ITERA_DEFINE_UNARY(gelu_erf, itera_gelu4)
ITERA_DEFINE_UNARY(softplus, itera_softplus4)
ITERA_DEFINE_UNARY(exp, itera_exp4)

#undef ITERA_DEFINE_UNARY

void ITERA_NAME(silu_mul)(float *y, const float *gate, const float *up, size_t n)
{
    for (; n >= 16; n -= 16, gate += 16, up += 16, y += 16) {
        ITERA_UNROLL
        for (int v = 0; v < 4; v++) {
            v128_t gated = itera_silu4(wasm_v128_load(gate + 4 * v));
            wasm_v128_store(y + 4 * v, wasm_f32x4_mul(gated, wasm_v128_load(up + 4 * v)));
        }
    }
    for (; n > 0; n -= n < 4 ? n : 4, gate += 4, up += 4, y += 4) {
        v128_t gated = itera_silu4(itera_load_part(gate, n));
        itera_store_part(y, wasm_f32x4_mul(gated, itera_load_part(up, n)), n);
    }
}

void ITERA_NAME(add)(float *y, const float *a, const float *b, size_t n)
{
    for (; n >= 4; n -= 4, a += 4, b += 4, y += 4) {
        wasm_v128_store(y, wasm_f32x4_add(wasm_v128_load(a), wasm_v128_load(b)));
    }
    for (size_t i = 0; i < n; i++) {
        y[i] = a[i] + b[i];
    }
}

void ITERA_NAME(axpy)(float *y, float scale, const float *x, size_t n)
{
    v128_t factor = wasm_f32x4_splat(scale);
    for (; n >= 4; n -= 4, x += 4, y += 4) {
        wasm_v128_store(y, ITERA_MADD(factor, wasm_v128_load(x), wasm_v128_load(y)));
    }
    if (n > 0) {
        itera_store_part(y, ITERA_MADD(factor, itera_load_part(x, n), itera_load_part(y, n)), n);
    }
}

void ITERA_NAME(scale)(float *y, const float *x, float scale, size_t n)
{
    v128_t factor = wasm_f32x4_splat(scale);
    for (; n >= 4; n -= 4, x += 4, y += 4) {
        wasm_v128_store(y, wasm_f32x4_mul(factor, wasm_v128_load(x)));
    }
    for (size_t i = 0; i < n; i++) {
        y[i] = scale * x[i];
    }
}
