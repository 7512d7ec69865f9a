/* The Mamba-2 mixer (blocks/ssm_mamba2.c with a backward pass). */
#include <stdlib.h>
#include <string.h>

#include "train/conv.h"
#include "train/norm.h"
#include "train/scan.h"

typedef struct train_mamba2 {
    itera_train_block block;
    itera_train_mamba2_params p;
    size_t in, conv, conv_bias, dt_bias, a_log, skip, norm, out; /* parameters */
    /* saved */
    real *zxbcdt; /* [R, W] */
    real *y;      /* [R, E] of the scan */
    void *gated;  /* operand [R, E] */
    /* scratch */
    real *xbc, *dxbc; /* [R, C] */
    real *dt, *ddt;   /* [R, H] */
    real *dy;         /* [R, E] */
    void *dout;       /* operand [R, D] */
    void *dzxbcdt;    /* operand [R, W] */
    real *A;          /* [H] */
    real *partial;    /* of the convolution and the norm */
    real *dA, *dskip; /* [B, H] */
    real *scan;
} train_mamba2;

static size_t mamba2_conv_width(const itera_train_mamba2_params *p)
{
    return p->E + 2 * (size_t)p->groups * p->N;
}
static size_t mamba2_in_width(const itera_train_mamba2_params *p)
{
    return p->E + mamba2_conv_width(p) + p->heads;
}

static itera_scan_shape mamba2_shape(const train_mamba2 *m, int B, int T)
{
    const itera_train_mamba2_params *p = &m->p;
    return (itera_scan_shape){.B = B,
                              .T = T,
                              .chunk = (int)p->chunk < T ? (int)p->chunk : T,
                              .H = p->heads,
                              .P = p->E / p->heads,
                              .N = p->N,
                              .G = p->groups};
}

static itera_conv_shape mamba2_conv_shape(const train_mamba2 *m, int B, int T)
{
    return (itera_conv_shape){.B = B,
                              .T = T,
                              .C = (uint32_t)mamba2_conv_width(&m->p),
                              .taps = m->p.taps,
                              .x_stride = mamba2_in_width(&m->p)};
}

static void mamba2_layout(itera_train_block *block, itera_arena *saved, itera_arena *scratch, int B, int T)
{
    train_mamba2 *m = (train_mamba2 *)block;
    const itera_train_mamba2_params *p = &m->p;
    const size_t R = (size_t)B * (size_t)T, C = mamba2_conv_width(p), W = mamba2_in_width(p);
    const itera_scan_shape shape = mamba2_shape(m, B, T);
    m->zxbcdt = itera_take_reals(saved, R * W);
    m->y = itera_take_reals(saved, R * p->E);
    m->gated = itera_take_operand(saved, R * p->E);
    m->xbc = itera_take_reals(scratch, R * C);
    m->dxbc = itera_take_reals(scratch, R * C);
    m->dt = itera_take_reals(scratch, R * p->heads);
    m->ddt = itera_take_reals(scratch, R * p->heads);
    m->dy = itera_take_reals(scratch, R * p->E);
    m->dout = itera_take_operand(scratch, R * p->D);
    m->dzxbcdt = itera_take_operand(scratch, R * W);
    m->A = itera_take_reals(scratch, p->heads);
    size_t conv = (size_t)B * (p->taps + 1) * C, norm = (size_t)ITERA_PARTS * p->E;
    m->partial = itera_take_reals(scratch, conv > norm ? conv : norm);
    m->dA = itera_take_reals(scratch, (size_t)B * p->heads);
    m->dskip = itera_take_reals(scratch, (size_t)B * p->heads);
    m->scan = itera_take_reals(scratch, (size_t)itera_threads() * itera_scan_scratch(&shape));
}

/* xBC = silu(conv(.)), dt = softplus(. + bias), A = -exp(A_log): cheap, so backward computes them again. */
static void mamba2_inputs(train_mamba2 *m, const itera_train_run *run)
{
    const itera_train_mamba2_params *p = &m->p;
    const size_t R = (size_t)run->B * (size_t)run->T, H = p->heads, C = mamba2_conv_width(p),
                 W = mamba2_in_width(p);
    const real *value = run->params->value;
    const itera_conv_shape conv = mamba2_conv_shape(m, run->B, run->T);
    itera_conv_silu_forward(m->xbc, m->zxbcdt + p->E, value + m->conv, value + m->conv_bias, &conv);
    for (size_t r = 0; r < R; r++) {
        for (size_t h = 0; h < H; h++) {
            m->dt[r * H + h] = real_softplus(m->zxbcdt[r * W + p->E + C + h] + value[m->dt_bias + h]);
        }
    }
    for (size_t h = 0; h < H; h++) {
        m->A[h] = -real_exp(value[m->a_log + h]);
    }
}

static void mamba2_forward(itera_train_block *block, itera_train_run *run, real *out, const real *u,
                           const void *operand)
{
    train_mamba2 *m = (train_mamba2 *)block;
    const itera_train_mamba2_params *p = &m->p;
    const size_t R = (size_t)run->B * (size_t)run->T, W = mamba2_in_width(p);
    const real *value = run->params->value;
    const itera_scan_shape shape = mamba2_shape(m, run->B, run->T);
    (void)u;
    itera_linear_forward(m->zxbcdt, operand, itera_weight(run->params, m->in), R, W, p->D);
    mamba2_inputs(m, run);
    itera_scan_forward(m->y, m->xbc, m->dt, m->A, value + m->skip, m->scan, &shape);
    itera_gated_norm_forward(m->gated, m->y, m->zxbcdt, W, value + m->norm, R, p->E, p->groups, p->eps);
    itera_linear_forward(out, m->gated, itera_weight(run->params, m->out), R, p->D, p->E);
}

/* From the scan's gradients to those of dt's inputs, A_log and the skip. */
static void mamba2_backward_dt(train_mamba2 *m, const itera_train_run *run)
{
    const itera_train_mamba2_params *p = &m->p;
    const size_t H = p->heads, C = mamba2_conv_width(p), W = mamba2_in_width(p);
    real *grad = run->params->grad;
    const real *bias = run->params->value + m->dt_bias;
    for (size_t r = 0; r < (size_t)run->B * (size_t)run->T; r++) {
        real *row = m->ddt + r * H;
        for (size_t h = 0; h < H; h++) {
            row[h] *= real_sigmoid(m->zxbcdt[r * W + p->E + C + h] + bias[h]);
            grad[m->dt_bias + h] += row[h];
        }
        itera_operand_store(m->dzxbcdt, r * W + p->E + C, row, H);
    }
    for (size_t b = 0; b < (size_t)run->B; b++) {
        for (size_t h = 0; h < H; h++) {
            grad[m->a_log + h] += m->dA[b * H + h] * m->A[h]; /* dA / dA_log = A */
            grad[m->skip + h] += m->dskip[b * H + h];
        }
    }
}

static void mamba2_backward(itera_train_block *block, itera_train_run *run, real *du, const real *dout,
                            const void *operand)
{
    train_mamba2 *m = (train_mamba2 *)block;
    const itera_train_mamba2_params *p = &m->p;
    const size_t R = (size_t)run->B * (size_t)run->T, W = mamba2_in_width(p);
    const real *value = run->params->value;
    real *grad = run->params->grad;
    const itera_scan_shape shape = mamba2_shape(m, run->B, run->T);
    const itera_conv_shape conv = mamba2_conv_shape(m, run->B, run->T);

    itera_operand_rows(m->dout, dout, R, p->D);
    itera_linear_backward(m->dy, m->dout, itera_weight(run->params, m->out), R, p->D, p->E);
    itera_linear_gradient(grad + m->out, m->dout, m->gated, R, p->D, p->E);
    itera_gated_norm_backward(m->dy, m->dzxbcdt, W, grad + m->norm, m->partial, m->y, m->zxbcdt, W,
                              value + m->norm, R, p->E, p->groups, p->eps);
    mamba2_inputs(m, run);
    itera_scan_backward(m->dxbc, m->ddt, m->dA, m->dskip, m->dy, m->xbc, m->dt, m->A, value + m->skip,
                        m->scan, &shape);
    itera_conv_silu_backward(m->dxbc, itera_operand_at(m->dzxbcdt, p->E), W, grad + m->conv,
                             grad + m->conv_bias, m->partial, m->zxbcdt + p->E, value + m->conv,
                             value + m->conv_bias, &conv);
    mamba2_backward_dt(m, run);
    itera_linear_backward(du, m->dzxbcdt, itera_weight(run->params, m->in), R, W, p->D);
    itera_linear_gradient(grad + m->in, m->dzxbcdt, operand, R, W, p->D);
}

static const itera_train_ops mamba2_ops = {
    .name = "mamba2", .layout = mamba2_layout, .forward = mamba2_forward, .backward = mamba2_backward};

itera_train_block *itera_train_mamba2(itera_params *params, int layer, const itera_train_mamba2_params *p)
{
    train_mamba2 *m = calloc(1, sizeof *m);
    if (m == NULL) {
        return NULL;
    }
    const uint32_t C = (uint32_t)mamba2_conv_width(p), D = p->D;
    const real scale = 1 / real_sqrt(3 * (real)D);
    m->block = (itera_train_block){.ops = &mamba2_ops, .D = D};
    m->p = *p;
    m->in = itera_params_add(params, layer, "ssm_in.weight", D, (uint32_t)mamba2_in_width(p), 0,
                             ITERA_INIT_NORMAL, scale);
    m->conv = itera_params_add(params, layer, "ssm_conv1d.weight", p->taps, C, 0, ITERA_INIT_UNIFORM,
                               1 / real_sqrt((real)p->taps));
    m->conv_bias = itera_params_add(params, layer, "ssm_conv1d.bias", C, 0, 0, ITERA_INIT_CONSTANT, 0);
    m->dt_bias = itera_params_add(params, layer, "ssm_dt.bias", p->heads, 0, 0, ITERA_INIT_DT, 0);
    /* The file has these two as columns, and the norm as a matrix of groups: llama.cpp's shapes. */
    m->a_log = itera_params_add(params, layer, "ssm_a", 1, p->heads, 0, ITERA_INIT_A, 0);
    m->skip = itera_params_add(params, layer, "ssm_d", 1, p->heads, 0, ITERA_INIT_CONSTANT, 1);
    m->norm = itera_params_add(params, layer, "ssm_norm.weight", p->E / p->groups, p->groups, 0,
                               ITERA_INIT_CONSTANT, 1);
    m->out = itera_params_add(params, layer, "ssm_out.weight", p->E, D, 0, ITERA_INIT_NORMAL, p->out_scale);
    return &m->block;
}
