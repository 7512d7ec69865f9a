/* Matrix products, reference. */
#include "kernels/variants.h"
#include "quant/half.h"
#include "quant/packed.h"

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

/* Columns begin .. end - 1 of a row of an expanded block by as many activations. */
static int32_t dot(const int8_t *w, const itera_act_block *x, int begin, int end)
{
    int32_t sum = 0;
    for (int i = begin; i < end; i++) {
        sum += w[i] * (128 * x->high[i] + x->low[i]);
    }
    return sum;
}

/* One row of an expanded block onto acc. */
static float add_block(float acc, int row, const itera_expanded *w, const itera_act_block *x, int has_min)
{
    acc = acc + (w->scale[row] * x->fine.d) * (float)dot(w->q[row], x, 0, ITERA_PACK_COLS);
    return has_min ? acc + w->min[row] * x->fine.dsum : acc;
}

/* One row of all sub-blocks of a block whose halves have integer factors, onto acc. */
static float add_halves(float acc, int row, const itera_expanded *w, const itera_act_block *x, int subs)
{
    float sum = 0.0f;
    for (int sub = 0; sub < subs; sub++, x++) {
        const int8_t *q = w[sub].q[row], *half = w[sub].half[row];
        sum = sum + x->fine.d * (float)(half[0] * dot(q, x, 0, 16) + half[1] * dot(q, x, 16, 32));
    }
    return acc + w->scale[row] * sum;
}

/* One row of a packed block onto acc; w: its sub-blocks, or itself. */
static float add_packed(float acc, int row, const itera_expanded *w, const itera_act_block *x, int subs,
                        const itera_packing *packing)
{
    if (packing->has_halves) {
        return add_halves(acc, row, w, x, subs);
    }
    for (int sub = 0; sub < subs; sub++) {
        acc = add_block(acc, row, &w[sub], &x[sub], packing->has_min);
    }
    return acc;
}

/* Block outermost, so that each is expanded once; y holds the running sums. */
static void matmul_quantized(float *y, size_t y_stride, const itera_matrix *w, const itera_act_block *x,
                             int T, int row_begin, int row_end)
{
    const itera_packing *packing = itera_packing_of(w->type);
    size_t blocks = (size_t)w->cols / ITERA_PACK_COLS;
    int subs = (int)packing->block_elements / ITERA_PACK_COLS;

    for (int row = row_begin; row < row_end; row += ITERA_PACK_ROWS) {
        const uint8_t *block = w->data + (size_t)(row / ITERA_PACK_ROWS) * w->group_bytes;
        int rows = row_end - row < ITERA_PACK_ROWS ? row_end - row : ITERA_PACK_ROWS;
        for (int t = 0; t < T; t++) {
            memset(y + (size_t)t * y_stride + row, 0, (size_t)rows * sizeof *y);
        }
        for (size_t begin = 0; begin < blocks; begin += (size_t)subs, block += packing->block_bytes) {
            itera_expanded expanded[ITERA_PACK_MAX_SUBS];
            for (int sub = 0; sub < subs; sub++) {
                packing->expand(&expanded[sub], block, sub);
            }
            for (int t = 0; t < T; t++) {
                float *acc = y + (size_t)t * y_stride + row;
                for (int r = 0; r < rows; r++) {
                    acc[r] = add_packed(acc[r], r, expanded, x + (size_t)t * blocks + begin, subs, packing);
                }
            }
        }
    }
}

static float weight_at(const uint8_t *group, size_t index, itera_type type)
{
    float value;
    uint16_t half;
    if (type == ITERA_TYPE_F32) {
        memcpy(&value, group + 4 * index, 4);
        return value;
    }
    memcpy(&half, group + 2 * index, 2);
    return type == ITERA_TYPE_F16 ? itera_finite_half_to_f32(half) : itera_bf16_to_f32(half);
}

static void matmul_float(float *y, size_t y_stride, const itera_matrix *w, const float *x, int T,
                         int row_begin, int row_end)
{
    size_t cols = (size_t)w->cols;
    for (int row = row_begin; row < row_end; row++) {
        const uint8_t *group = w->data + (size_t)(row / ITERA_PACK_ROWS) * w->group_bytes;
        size_t lane = (size_t)(row % ITERA_PACK_ROWS);
        for (int t = 0; t < T; t++) {
            const float *xt = x + (size_t)t * cols;
            float acc = 0.0f;
            for (size_t begin = 0; begin < cols; begin += ITERA_FLOAT_BLOCK) {
                size_t end = cols - begin < ITERA_FLOAT_BLOCK ? cols : begin + ITERA_FLOAT_BLOCK;
                float part = 0.0f;
                for (size_t k = begin; k < end; k++) {
                    part = part + weight_at(group, 4 * k + lane, w->type) * xt[k];
                }
                acc = acc + part;
            }
            y[(size_t)t * y_stride + (size_t)row] = acc;
        }
    }
}

#define DEFINE_MATMUL(name, body)                                                                            \
    void itera_matmul_##name##_scalar(float *y, size_t y_stride, const itera_matrix *w, const void *x,       \
                                      int T, int row_begin, int row_end)                                     \
    {                                                                                                        \
        body(y, y_stride, w, x, T, row_begin, row_end);                                                      \
    }

DEFINE_MATMUL(f32, matmul_float)
DEFINE_MATMUL(f16, matmul_float)
DEFINE_MATMUL(bf16, matmul_float)
DEFINE_MATMUL(q8_0, matmul_quantized)
DEFINE_MATMUL(q4_0, matmul_quantized)
DEFINE_MATMUL(q4_1, matmul_quantized)
DEFINE_MATMUL(q5_0, matmul_quantized)
DEFINE_MATMUL(q5_1, matmul_quantized)
DEFINE_MATMUL(q4_k, matmul_quantized)
DEFINE_MATMUL(q5_k, matmul_quantized)
DEFINE_MATMUL(q6_k, matmul_quantized)
