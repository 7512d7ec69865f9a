/* Dense feed-forward: W2 gelu(W1 u), or SwiGLU W_down (silu(W_gate u) * W_up u). Dropout falls on the hidden
 * row. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train/norm.h"

typedef struct train_ffn {
    itera_train_block block;
    itera_train_ffn_params p;
    size_t gate, up, down;
    real *gates, *ups; /* saved [R, F] before the activation; gates only of SwiGLU */
    void *hidden;      /* saved operand [R, F] */
    real *d;           /* scratch [R, F] */
    void *dout, *d_gate, *d_up;
} train_ffn;

static void ffn_layout(itera_train_block *block, itera_arena *saved, itera_arena *scratch, int B, int T)
{
    train_ffn *m = (train_ffn *)block;
    const size_t R = (size_t)B * (size_t)T, F = m->p.F;
    const size_t gated = m->p.activation == ITERA_TRAIN_SWIGLU ? R * F : 0;
    m->gates = itera_take_reals(saved, gated);
    m->ups = itera_take_reals(saved, R * F);
    m->hidden = itera_take_operand(saved, R * F);
    m->d = itera_take_reals(scratch, R * F);
    m->dout = itera_take_operand(scratch, R * m->p.D);
    m->d_gate = itera_take_operand(scratch, gated);
    m->d_up = itera_take_operand(scratch, R * F);
}

static void ffn_drop(const itera_train_run *run, uint64_t site, real *row, size_t r, size_t F)
{
    for (size_t f = 0; f < F && run->dropout > 0; f++) {
        row[f] *= itera_keep(run, site, r * F + f);
    }
}

static void ffn_forward(itera_train_block *block, itera_train_run *run, real *out, const real *u,
                        const void *operand)
{
    train_ffn *m = (train_ffn *)block;
    const size_t R = (size_t)run->B * (size_t)run->T, F = m->p.F, D = m->p.D;
    const bool gated = m->p.activation == ITERA_TRAIN_SWIGLU;
    (void)u;
    itera_linear_forward(m->ups, operand, itera_weight(run->params, m->up), R, F, D);
    if (gated) {
        itera_linear_forward(m->gates, operand, itera_weight(run->params, m->gate), R, F, D);
    }
    ITERA_PARALLEL
    for (size_t r = 0; r < R; r++) {
        real row[ITERA_MAX_ROW];
        const real *restrict up = m->ups + r * F, *restrict gate = m->gates + (gated ? r * F : 0);
        for (size_t f = 0; f < F; f++) {
            row[f] = gated ? real_silu(gate[f]) * up[f] : real_gelu(up[f]);
        }
        ffn_drop(run, block->site, row, r, F);
        itera_operand_store(m->hidden, r * F, row, F);
    }
    itera_linear_forward(out, m->hidden, itera_weight(run->params, m->down), R, D, F);
}

static void ffn_backward(itera_train_block *block, itera_train_run *run, real *du, const real *dout,
                         const void *operand)
{
    train_ffn *m = (train_ffn *)block;
    const size_t R = (size_t)run->B * (size_t)run->T, F = m->p.F, D = m->p.D;
    const bool gated = m->p.activation == ITERA_TRAIN_SWIGLU;
    real *grad = run->params->grad;
    itera_operand_rows(m->dout, dout, R, D);
    itera_linear_backward(m->d, m->dout, itera_weight(run->params, m->down), R, D, F);
    itera_linear_gradient(grad + m->down, m->dout, m->hidden, R, D, F);
    ITERA_PARALLEL
    for (size_t r = 0; r < R; r++) {
        real row[ITERA_MAX_ROW];
        const real *restrict up = m->ups + r * F, *restrict gate = m->gates + (gated ? r * F : 0);
        real *restrict d = m->d + r * F;
        ffn_drop(run, block->site, d, r, F);
        for (size_t f = 0; f < F && gated; f++) {
            row[f] = d[f] * up[f] * real_silu_slope(gate[f]);
            d[f] *= real_silu(gate[f]);
        }
        for (size_t f = 0; f < F && !gated; f++) {
            d[f] *= real_gelu_slope(up[f]);
        }
        if (gated) {
            itera_operand_store(m->d_gate, r * F, row, F);
        }
        itera_operand_store(m->d_up, r * F, d, F);
    }
    itera_linear_backward(du, m->d_up, itera_weight(run->params, m->up), R, F, D);
    itera_linear_gradient(grad + m->up, m->d_up, operand, R, F, D);
    if (gated) {
        itera_gemm(du, D, m->d_gate, F, itera_weight(run->params, m->gate), D, R, D, F, ITERA_ACCUMULATE);
        itera_linear_gradient(grad + m->gate, m->d_gate, operand, R, F, D);
    }
}

static const itera_train_ops ffn_ops = {
    .name = "feed-forward", .layout = ffn_layout, .forward = ffn_forward, .backward = ffn_backward};

itera_train_block *itera_train_ffn(itera_params *params, int layer, const itera_train_ffn_params *p)
{
    train_ffn *m = calloc(1, sizeof *m);
    char name[64];
    if (m == NULL) {
        return NULL;
    }
    m->block = (itera_train_block){.ops = &ffn_ops, .D = p->D};
    m->p = *p;
    if (p->activation == ITERA_TRAIN_SWIGLU) {
        snprintf(name, sizeof name, "ffn_gate%s.weight", p->suffix);
        m->gate = itera_params_add(params, layer, name, p->D, p->F, 0, ITERA_INIT_NORMAL, p->scale);
    }
    snprintf(name, sizeof name, "ffn_up%s.weight", p->suffix);
    m->up = itera_params_add(params, layer, name, p->D, p->F, 0, ITERA_INIT_NORMAL, p->scale);
    snprintf(name, sizeof name, "ffn_down%s.weight", p->suffix);
    m->down = itera_params_add(params, layer, name, p->F, p->D, 0, ITERA_INIT_NORMAL, p->out_scale);
    return &m->block;
}
