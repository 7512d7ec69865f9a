/* State-space scans on vectors, a template. */

/* One head, `vectors` (1..4) vectors of p beginning at the given pointers, all T tokens: the sums of y stay
 * in registers while n runs, and the slice of the state (N rows of at most 64 bytes) stays in the first-level
 * cache while t runs. */
ITERA_INLINE void scan_head_slice(float *y, size_t y_stride, float *state, const float *x, const float *B,
                                  const float *C, size_t stride, const float *dt, size_t H, float A,
                                  float Dskip, int T, size_t P, int N, int vectors, size_t part)
{
    for (int t = 0; t < T; t++) {
        float step = dt[(size_t)t * H];
        v128_t decay = wasm_f32x4_splat(itera_exp1(step * A));
        v128_t value[4], input[4], sum[4];
        ITERA_UNROLL
        for (int v = 0; v < vectors; v++) {
            value[v] = itera_load_part(x + 4 * v, part);
            input[v] = wasm_f32x4_mul(wasm_f32x4_splat(step), value[v]);
            sum[v] = wasm_f32x4_splat(0.0f);
        }
        float *s = state;
        for (int n = 0; n < N; n++, s += P) {
            v128_t b = wasm_v128_load32_splat(B + n), c = wasm_v128_load32_splat(C + n);
            ITERA_UNROLL
            for (int v = 0; v < vectors; v++) {
                v128_t now = wasm_f32x4_mul(itera_load_part(s + 4 * v, part), decay);
                now = ITERA_MADD(b, input[v], now);
                itera_store_part(s + 4 * v, now, part);
                sum[v] = ITERA_MADD(c, now, sum[v]);
            }
        }
        ITERA_UNROLL
        for (int v = 0; v < vectors; v++) {
            itera_store_part(y + 4 * v, ITERA_MADD(wasm_f32x4_splat(Dskip), value[v], sum[v]), part);
        }
        x += stride;
        B += stride;
        C += stride;
        y += y_stride;
    }
}

void ITERA_NAME(scan_mamba2)(float *y, float *state, const float *x, const float *B, const float *C,
                             size_t stride, const float *dt, const float *A, const float *Dskip, int T, int H,
                             int P, int N, int G, int head_begin, int head_end)
{
    size_t heads = (size_t)H, width = (size_t)P;
    for (int h = head_begin; h < head_end; h++) {
        size_t group = (size_t)(h / (H / G)) * (size_t)N;
        size_t p = 0;
        while (p < width) {
            float *yp = y + (size_t)h * width + p;
            float *sp = state + (size_t)h * (size_t)N * width + p;
            const float *xp = x + (size_t)h * width + p;
            if (width - p >= 16) {
                scan_head_slice(yp, heads * width, sp, xp, B + group, C + group, stride, dt + h, heads, A[h],
                                Dskip[h], T, width, N, 4, 4);
                p += 16;
            } else {
                size_t part = width - p < 4 ? width - p : 4;
                scan_head_slice(yp, heads * width, sp, xp, B + group, C + group, stride, dt + h, heads, A[h],
                                Dskip[h], T, width, N, 1, part);
                p += part;
            }
        }
    }
}

/* `vectors` vectors of channels, all tokens: their slice of the state stays in the first-level cache. */
ITERA_INLINE void scan_channels(float *y, float *state, const float *x, const float *B, const float *C,
                                size_t bc_stride, const float *dt, const float *A, const float *Dskip, int T,
                                size_t E, int N, int vectors, size_t part)
{
    for (int t = 0; t < T; t++, B += bc_stride, C += bc_stride, x += E, y += E, dt += E) {
        v128_t step[4], value[4], input[4], sum[4];
        ITERA_UNROLL
        for (int v = 0; v < vectors; v++) {
            step[v] = itera_load_part(dt + 4 * v, part);
            value[v] = itera_load_part(x + 4 * v, part);
            input[v] = wasm_f32x4_mul(step[v], value[v]);
            sum[v] = wasm_f32x4_splat(0.0f);
        }
        float *s = state;
        const float *a = A;
        for (int n = 0; n < N; n++, s += E, a += E) {
            v128_t b = wasm_v128_load32_splat(B + n), c = wasm_v128_load32_splat(C + n);
            ITERA_UNROLL
            for (int v = 0; v < vectors; v++) {
                v128_t decay = itera_exp4(wasm_f32x4_mul(step[v], itera_load_part(a + 4 * v, part)));
                v128_t now = wasm_f32x4_mul(itera_load_part(s + 4 * v, part), decay);
                now = ITERA_MADD(b, input[v], now);
                itera_store_part(s + 4 * v, now, part);
                sum[v] = ITERA_MADD(c, now, sum[v]);
            }
        }
        ITERA_UNROLL
        for (int v = 0; v < vectors; v++) {
            itera_store_part(y + 4 * v, ITERA_MADD(itera_load_part(Dskip + 4 * v, part), value[v], sum[v]),
                             part);
        }
    }
}

void ITERA_NAME(scan_mamba1)(float *y, float *state, const float *x, const float *B, const float *C,
                             size_t bc_stride, const float *dt, const float *A, const float *Dskip, int T,
                             int E, int N, int e_begin, int e_end)
{
    int e = e_begin;
    for (; e_end - e >= 16; e += 16) {
        scan_channels(y + e, state + e, x + e, B, C, bc_stride, dt + e, A + e, Dskip + e, T, (size_t)E, N, 4,
                      4);
    }
    for (; e < e_end; e += 4) {
        scan_channels(y + e, state + e, x + e, B, C, bc_stride, dt + e, A + e, Dskip + e, T, (size_t)E, N, 1,
                      (size_t)(e_end - e));
    }
}
