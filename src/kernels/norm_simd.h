/* Norms and softmax on vectors, a template. Sums go in the order that kernels.h states: partial
 * sums i % 16 are lanes i % 4 of vectors i / 4 % 4. */

typedef struct sum_vectors {
    v128_t part[4];
} sum_vectors;

ITERA_INLINE sum_vectors sum_zero(void)
{
    v128_t zero = wasm_f32x4_splat(0.0f);
    return (sum_vectors){{zero, zero, zero, zero}};
}

ITERA_INLINE float sum_total(const sum_vectors *sum)
{
    return itera_sum_lanes(wasm_f32x4_add(wasm_f32x4_add(sum->part[0], sum->part[1]),
                                          wasm_f32x4_add(sum->part[2], sum->part[3])));
}

static float sum_squares(const float *x, size_t n, float shift)
{
    sum_vectors sum = sum_zero();
    v128_t shift4 = wasm_f32x4_splat(shift);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        for (int part = 0; part < 4; part++) {
            v128_t centered = wasm_f32x4_sub(wasm_v128_load(x + i + 4 * part), shift4);
            sum.part[part] = ITERA_MADD(centered, centered, sum.part[part]);
        }
    }
    float total = sum_total(&sum);
    for (; i < n; i++) {
        float centered = x[i] - shift;
        total = total + centered * centered;
    }
    return total;
}

static float sum_all(const float *x, size_t n)
{
    sum_vectors sum = sum_zero();
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        for (int part = 0; part < 4; part++) {
            sum.part[part] = wasm_f32x4_add(sum.part[part], wasm_v128_load(x + i + 4 * part));
        }
    }
    float total = sum_total(&sum);
    for (; i < n; i++) {
        total = total + x[i];
    }
    return total;
}

void ITERA_NAME(rms_norm)(float *y, const float *x, const float *weight, int T, int D, size_t stride,
                          float eps)
{
    for (int t = 0; t < T; t++, x += stride, y += stride) {
        float inverse = 1.0f / sqrtf(sum_squares(x, (size_t)D, 0.0f) / (float)D + eps);
        v128_t inverse4 = wasm_f32x4_splat(inverse);
        int d = 0;
        for (; d + 4 <= D; d += 4) {
            v128_t value = wasm_f32x4_mul(wasm_v128_load(x + d), inverse4);
            wasm_v128_store(y + d,
                            weight != NULL ? wasm_f32x4_mul(value, wasm_v128_load(weight + d)) : value);
        }
        for (; d < D; d++) {
            float value = x[d] * inverse;
            y[d] = weight != NULL ? value * weight[d] : value;
        }
    }
}

void ITERA_NAME(layer_norm)(float *y, const float *x, const float *weight, const float *bias, int T, int D,
                            float eps)
{
    for (int t = 0; t < T; t++, x += D, y += D) {
        float mean = sum_all(x, (size_t)D) / (float)D;
        float inverse = 1.0f / sqrtf(sum_squares(x, (size_t)D, mean) / (float)D + eps);
        v128_t mean4 = wasm_f32x4_splat(mean), inverse4 = wasm_f32x4_splat(inverse);
        int d = 0;
        for (; d + 4 <= D; d += 4) {
            v128_t value = wasm_f32x4_mul(wasm_f32x4_sub(wasm_v128_load(x + d), mean4), inverse4);
            value = weight != NULL ? wasm_f32x4_mul(value, wasm_v128_load(weight + d)) : value;
            wasm_v128_store(y + d, bias != NULL ? wasm_f32x4_add(value, wasm_v128_load(bias + d)) : value);
        }
        for (; d < D; d++) {
            float value = (x[d] - mean) * inverse;
            value = weight != NULL ? value * weight[d] : value;
            y[d] = bias != NULL ? value + bias[d] : value;
        }
    }
}

void ITERA_NAME(softmax)(float *x, size_t n)
{
    float largest = x[0];
    size_t i = 0;
    if (n >= 4) { /* a maximum is the same in any order */
        v128_t largest4 = wasm_v128_load(x);
        for (i = 4; i + 4 <= n; i += 4) {
            largest4 = wasm_f32x4_pmax(largest4, wasm_v128_load(x + i));
        }
        float lanes[4];
        wasm_v128_store(lanes, largest4);
        for (int l = 0; l < 4; l++) {
            largest = largest < lanes[l] ? lanes[l] : largest;
        }
    }
    for (; i < n; i++) {
        largest = largest < x[i] ? x[i] : largest;
    }

    v128_t shift = wasm_f32x4_splat(largest);
    for (i = 0; i + 4 <= n; i += 4) {
        wasm_v128_store(x + i, itera_exp4(wasm_f32x4_sub(wasm_v128_load(x + i), shift)));
    }
    if (i < n) {
        itera_store_part(x + i, itera_exp4(wasm_f32x4_sub(itera_load_part(x + i, n - i), shift)), n - i);
    }
    ITERA_NAME(scale)(x, x, 1.0f / sum_all(x, n), n);
}
