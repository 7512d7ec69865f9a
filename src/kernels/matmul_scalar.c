/* Matrix products, reference. */
#include "kernels/variants.h"
#include "quant/half.h"
#include "quant/packed.h"

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

/* One expanded block of 4 rows times one block of activations, onto acc[4]. */
static void add_block(float *acc, int rows, const itera_expanded *w, const itera_act_block *x, int halves,
                      int has_min)
{
    int width = ITERA_PACK_COLS / halves;
    for (int row = 0; row < rows; row++) {
        float value[2];
        for (int half = 0; half < halves; half++) {
            int32_t idot = 0;
            for (int i = half * width; i < (half + 1) * width; i++) {
                idot += w->q[row][i] * (128 * x->high[i] + x->low[i]);
            }
            value[half] = (float)idot;
        }
        if (halves == 2) {
            acc[row] = acc[row] + x->fine.d * (w->scale[row][0] * value[0] + w->scale[row][1] * value[1]);
        } else {
            acc[row] = acc[row] + (w->scale[row][0] * x->fine.d) * value[0];
        }
        if (has_min) {
            acc[row] = acc[row] + w->min[row] * x->fine.dsum;
        }
    }
}

/* Block outermost, so that each is expanded once; y holds the running sums. */
static void matmul_quantized(float *y, size_t y_stride, const itera_matrix *w, const itera_act_block *x,
                             int T, int row_begin, int row_end)
{
    const itera_packing *packing = itera_packing_of(w->type);
    size_t blocks = (size_t)w->cols / ITERA_PACK_COLS;
    int subs = (int)packing->block_elements / ITERA_PACK_COLS;
    int halves = w->type == ITERA_TYPE_Q6_K ? 2 : 1;

    for (int row = row_begin; row < row_end; row += ITERA_PACK_ROWS) {
        const uint8_t *group = w->data + (size_t)(row / ITERA_PACK_ROWS) * w->group_bytes;
        int rows = row_end - row < ITERA_PACK_ROWS ? row_end - row : ITERA_PACK_ROWS;
        for (int t = 0; t < T; t++) {
            memset(y + (size_t)t * y_stride + row, 0, (size_t)rows * sizeof *y);
        }
        for (size_t block = 0; block < blocks; block++) {
            itera_expanded expanded;
            packing->expand(&expanded, group + block / subs * packing->block_bytes, (int)(block % subs));
            for (int t = 0; t < T; t++) {
                add_block(y + (size_t)t * y_stride + row, rows, &expanded, x + (size_t)t * blocks + block,
                          halves, packing->has_min);
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
