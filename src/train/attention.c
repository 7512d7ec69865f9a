/* Causal attention of the Transformer baseline: fused qkv, no biases, no rotary positions. */
#include <stdlib.h>
#include <string.h>

#include "train/block.h"

typedef struct train_attention {
    itera_train_block block;
    itera_train_attention_params p;
    size_t qkv_weight, out;
    real *qkv;  /* saved [R, 3D] */
    void *y;    /* saved operand [R, D] */
    real *rows; /* scratch [R, D]: y, then dy */
    real *dqkv; /* scratch [R, 3D] */
    void *dout, *dqkv_operand;
    real *pairs; /* scratch, two [T, T] a thread: probabilities, and their gradients */
} train_attention;

static void attention_layout(itera_train_block *block, itera_arena *saved, itera_arena *scratch, int B, int T)
{
    train_attention *m = (train_attention *)block;
    const size_t R = (size_t)B * (size_t)T, D = m->p.D;
    m->qkv = itera_take_reals(saved, R * 3 * D);
    m->y = itera_take_operand(saved, R * D);
    m->rows = itera_take_reals(scratch, R * D);
    m->dqkv = itera_take_reals(scratch, R * 3 * D);
    m->dout = itera_take_operand(scratch, R * D);
    m->dqkv_operand = itera_take_operand(scratch, R * 3 * D);
    m->pairs = itera_take_reals(scratch, (size_t)itera_threads() * 2 * (size_t)T * (size_t)T);
}

/* p [T, T] = softmax(scale Q K^T) over the past */
static void attention_pairs(real *p, const real *q, const real *k, size_t stride, size_t T, size_t P)
{
    const real scale = 1 / real_sqrt((real)P);
    itera_gemm_reals(p, T, q, stride, k, stride, T, T, P, ITERA_B_TURNED);
    for (size_t t = 0; t < T; t++) {
        real *restrict row = p + t * T;
        real most = row[0], sum = 0;
        ITERA_MAX(most)
        for (size_t j = 0; j <= t; j++) {
            most = row[j] > most ? row[j] : most;
        }
        ITERA_SUM(sum)
        for (size_t j = 0; j <= t; j++) {
            row[j] = real_exp(scale * (row[j] - most));
            sum += row[j];
        }
        for (size_t j = 0; j <= t; j++) {
            row[j] /= sum;
        }
        memset(row + t + 1, 0, (T - t - 1) * sizeof(real));
    }
}

static void attention_forward(itera_train_block *block, itera_train_run *run, real *out, const real *u,
                              const void *operand)
{
    train_attention *m = (train_attention *)block;
    const size_t T = (size_t)run->T, R = (size_t)run->B * T, D = m->p.D, H = m->p.heads, P = D / H;
    (void)u;
    itera_linear_forward(m->qkv, operand, itera_weight(run->params, m->qkv_weight), R, 3 * D, D);
    ITERA_PARALLEL
    for (int i = 0; i < run->B * (int)H; i++) {
        const real *q = m->qkv + (size_t)i / H * T * 3 * D + (size_t)i % H * P;
        real *p = m->pairs + (size_t)itera_thread() * 2 * T * T;
        attention_pairs(p, q, q + D, 3 * D, T, P);
        itera_gemm_reals(m->rows + (size_t)i / H * T * D + (size_t)i % H * P, D, p, T, q + 2 * D, 3 * D, T, P,
                         T, 0);
    }
    itera_operand_rows(m->y, m->rows, R, D);
    itera_linear_forward(out, m->y, itera_weight(run->params, m->out), R, D, D);
}

static void attention_backward_head(const real *dy, const real *q, real *dq, real *p, size_t T, size_t D,
                                    size_t P)
{
    real *dp = p + T * T;
    const real scale = 1 / real_sqrt((real)P);
    attention_pairs(p, q, q + D, 3 * D, T, P);
    /* dv = p^T dy;  dp = dy v^T */
    itera_gemm_reals(dq + 2 * D, 3 * D, p, T, dy, D, T, P, T, ITERA_A_TURNED);
    itera_gemm_reals(dp, T, dy, D, q + 2 * D, 3 * D, T, T, P, ITERA_B_TURNED);
    for (size_t t = 0; t < T; t++) {
        const real *row = p + t * T;
        real *d = dp + t * T, along = real_dot(row, d, t + 1);
        for (size_t j = 0; j <= t; j++) {
            d[j] = scale * row[j] * (d[j] - along);
        }
        memset(d + t + 1, 0, (T - t - 1) * sizeof(real));
    }
    /* dq = dp k;  dk = dp^T q */
    itera_gemm_reals(dq, 3 * D, dp, T, q + D, 3 * D, T, P, T, 0);
    itera_gemm_reals(dq + D, 3 * D, dp, T, q, 3 * D, T, P, T, ITERA_A_TURNED);
}

static void attention_backward(itera_train_block *block, itera_train_run *run, real *du, const real *dout,
                               const void *operand)
{
    train_attention *m = (train_attention *)block;
    const size_t T = (size_t)run->T, R = (size_t)run->B * T, D = m->p.D, H = m->p.heads, P = D / H;
    real *grad = run->params->grad;
    itera_operand_rows(m->dout, dout, R, D);
    itera_linear_backward(m->rows, m->dout, itera_weight(run->params, m->out), R, D, D);
    itera_linear_gradient(grad + m->out, m->dout, m->y, R, D, D);
    ITERA_PARALLEL
    for (int i = 0; i < run->B * (int)H; i++) {
        const size_t at = (size_t)i / H * T * 3 * D + (size_t)i % H * P;
        attention_backward_head(m->rows + (size_t)i / H * T * D + (size_t)i % H * P, m->qkv + at,
                                m->dqkv + at, m->pairs + (size_t)itera_thread() * 2 * T * T, T, D, P);
    }
    itera_operand_rows(m->dqkv_operand, m->dqkv, R, 3 * D);
    itera_linear_backward(du, m->dqkv_operand, itera_weight(run->params, m->qkv_weight), R, 3 * D, D);
    itera_linear_gradient(grad + m->qkv_weight, m->dqkv_operand, operand, R, 3 * D, D);
}

static const itera_train_ops attention_ops = {.name = "attention",
                                              .layout = attention_layout,
                                              .forward = attention_forward,
                                              .backward = attention_backward};

itera_train_block *itera_train_attention(itera_params *params, int layer,
                                         const itera_train_attention_params *p)
{
    train_attention *m = calloc(1, sizeof *m);
    if (m == NULL) {
        return NULL;
    }
    m->block = (itera_train_block){.ops = &attention_ops, .D = p->D, .out_dropout = 1};
    m->p = *p;
    m->qkv_weight =
        itera_params_add(params, layer, "attn_qkv.weight", p->D, 3 * p->D, 0, ITERA_INIT_NORMAL, (real)0.02);
    m->out =
        itera_params_add(params, layer, "attn_output.weight", p->D, p->D, 0, ITERA_INIT_NORMAL, (real)0.02);
    return &m->block;
}
