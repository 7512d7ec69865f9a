#include "blocks/ffn.h"

#include <stdio.h>

itera_ffn_buffers itera_ffn_layout(itera_arena *scratch, uint64_t T, uint64_t F)
{
    return (itera_ffn_buffers){.gate = itera_arena_floats(scratch, T * F),
                               .up = itera_arena_floats(scratch, T * F),
                               .blocks = itera_input_take(scratch, T, F)};
}

void itera_ffn_apply(const itera_run *run, const itera_ffn *ffn, const itera_ffn_buffers *b, float *y,
                     itera_input *input)
{
    const itera_kernels *k = run->kernels;
    const int F = ffn->up.rows;
    const size_t n = (size_t)input->T * (size_t)F;
    itera_linear(run, b->up, (size_t)F, &ffn->up, input);
    if (ffn->activation == ITERA_SWIGLU) {
        itera_linear(run, b->gate, (size_t)F, &ffn->gate, input);
        k->silu_mul(b->up, b->gate, b->up, n);
    } else {
        k->gelu_erf(b->up, b->up, n);
    }
    itera_input hidden = itera_input_of(b->up, b->blocks, input->T, F);
    itera_linear(run, y, (size_t)ffn->down.rows, &ffn->down, &hidden);
}

itera_status itera_ffn_build(const itera_builder *builder, itera_ffn *ffn, uint32_t layer, const char *suffix,
                             uint32_t D, itera_activation activation)
{
    char gate[32], up[32], down[32], name[64];
    snprintf(gate, sizeof gate, "ffn_gate%s.weight", suffix);
    snprintf(up, sizeof up, "ffn_up%s.weight", suffix);
    snprintf(down, sizeof down, "ffn_down%s.weight", suffix);
    uint32_t F = itera_weights_dim(builder->weights, itera_layer_name(name, layer, up), 1);
    ffn->activation = activation;
    if (activation == ITERA_SWIGLU) {
        ITERA_TRY(itera_build_matrix(builder, &ffn->gate, layer, gate, F, D));
    }
    ITERA_TRY(itera_build_matrix(builder, &ffn->up, layer, up, F, D));
    return itera_build_matrix(builder, &ffn->down, layer, down, D, F);
}

typedef struct dense {
    itera_block block;
    itera_ffn ffn;
    uint32_t D, F;
} dense;

typedef struct buffers {
    itera_act_block *blocks; /* of the input */
    itera_ffn_buffers ffn;
} buffers;

static buffers layout(const dense *m, itera_arena *scratch, int T)
{
    return (buffers){.blocks = itera_input_take(scratch, (uint64_t)T, m->D),
                     .ffn = itera_ffn_layout(scratch, (uint64_t)T, m->F)};
}

static void measure(const itera_block *block, itera_arena *scratch, int T, uint64_t context)
{
    (void)context;
    layout((const dense *)block, scratch, T);
}

static void forward(const itera_block *block, const itera_run *run, float *y, const float *x)
{
    const dense *m = (const dense *)block;
    buffers b = layout(m, run->scratch, run->T);
    itera_input input = itera_input_of(x, b.blocks, run->T, (int)m->D);
    itera_ffn_apply(run, &m->ffn, &b.ffn, y, &input);
}

static const itera_block_ops ops = {.name = "feed-forward", .forward = forward, .measure = measure};

itera_status itera_dense_build(const itera_builder *builder, itera_block **out, uint32_t layer, uint32_t D,
                               itera_activation activation)
{
    void *memory;
    char name[64];
    ITERA_TRY(itera_build_alloc(builder, &memory, sizeof(dense)));
    dense *m = memory;
    m->block.ops = &ops;
    m->D = D;
    m->F = itera_weights_dim(builder->weights, itera_layer_name(name, layer, "ffn_up.weight"), 1);
    ITERA_TRY(itera_ffn_build(builder, &m->ffn, layer, "", D, activation));
    *out = &m->block;
    return ITERA_OK;
}
