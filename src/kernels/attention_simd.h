/* Attention of one head-query on vectors, a template. */

ITERA_INLINE void weighted_values(float *out, const float *v, size_t kv_stride, const float *scores, int S,
                                  int vectors, size_t part)
{
    v128_t sum[4];
    for (int i = 0; i < vectors; i++) {
        sum[i] = wasm_f32x4_splat(0.0f);
    }
    for (int s = 0; s < S; s++, v += kv_stride) {
        v128_t score = wasm_v128_load32_splat(scores + s);
        for (int i = 0; i < vectors; i++) {
            sum[i] = ITERA_MADD(score, itera_load_part(v + 4 * i, part), sum[i]);
        }
    }
    for (int i = 0; i < vectors; i++) {
        itera_store_part(out + 4 * i, sum[i], part);
    }
}

void ITERA_NAME(attention)(float *out, const float *q, const float *k, const float *v, size_t kv_stride,
                           float *scores, int S, int P, float scale)
{
    for (int s = 0; s < S; s++) {
        scores[s] = scale * ITERA_NAME(dot)(q, k + (size_t)s * kv_stride, (size_t)P);
    }
    ITERA_NAME(softmax)(scores, (size_t)S);
    size_t width = (size_t)P, p = 0;
    for (; p + 16 <= width; p += 16) {
        weighted_values(out + p, v + p, kv_stride, scores, S, 4, 4);
    }
    for (; p < width; p += 4) {
        weighted_values(out + p, v + p, kv_stride, scores, S, 1, width - p < 4 ? width - p : 4);
    }
}
