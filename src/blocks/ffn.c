#include "blocks/ffn.h"

#include "base/format.h"

void itera_ffn_prepare(const itera_run *run, const itera_ffn *ffn, itera_input *input)
{
    itera_input_prepare(run, input, ffn->up.type);
    if (ffn->activation == ITERA_SWIGLU) {
        itera_input_prepare(run, input, ffn->gate.type);
    }
}

void itera_ffn_hidden_share(const itera_run *run, itera_team team, const itera_ffn *ffn, float *hidden, float *gate,
                            const itera_input *input)
{
    const itera_kernels *k = run->kernels;
    const size_t F = (size_t)ffn->up.rows;
    itera_range rows = itera_linear_share(run, team, hidden, F, &ffn->up, input);
    const size_t n = (size_t)(rows.end - rows.begin);
    if (ffn->activation == ITERA_SWIGLU) {
        itera_linear_share(run, team, gate, F, &ffn->gate, input);
    }
    for (int t = 0; t < input->T; t++) {
        float *row = hidden + (size_t)t * F + rows.begin;
        if (ffn->activation == ITERA_SWIGLU) {
            k->silu_mul(row, gate + (size_t)t * F + rows.begin, row, n);
        } else {
            k->gelu_erf(row, row, n);
        }
    }
}

itera_status itera_ffn_build(const itera_builder *builder, itera_ffn *ffn, uint32_t layer, const char *suffix,
                             uint32_t D, itera_activation activation)
{
    char gate[32], up[32], down[32], name[64];
    itera_format(gate, sizeof gate, "ffn_gate%s.weight", suffix);
    itera_format(up, sizeof up, "ffn_up%s.weight", suffix);
    itera_format(down, sizeof down, "ffn_down%s.weight", suffix);
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
    itera_act_block *blocks; /* of the input, then of the hidden layer */
    float *hidden;           /* [T, F] */
    float *gate;             /* [T, F] */
} buffers;

static buffers layout(const dense *m, itera_arena *scratch, int T)
{
    const uint64_t rows = (uint64_t)T;
    return (buffers){.blocks = itera_input_take(scratch, rows, m->D > m->F ? m->D : m->F),
                     .hidden = itera_arena_floats(scratch, rows * m->F),
                     .gate = itera_arena_floats(scratch, rows * m->F)};
}

static void measure(const itera_block *block, const itera_run *most)
{
    layout((const dense *)block, most->scratch, most->T);
}

typedef struct phase {
    const dense *m;
    const itera_run *run;
    buffers b;
    itera_input input;
} phase;

static void hide(void *context, itera_team team)
{
    const phase *f = context;
    itera_ffn_hidden_share(f->run, team, &f->m->ffn, f->b.hidden, f->b.gate, &f->input);
}

static void forward(const itera_block *block, const itera_run *run, float *y, const float *x)
{
    const dense *m = (const dense *)block;
    phase f = {.m = m, .run = run, .b = layout(m, run->scratch, run->T)};
    f.input = itera_input_of(x, f.b.blocks, run->T, (int)m->D);
    itera_ffn_prepare(run, &m->ffn, &f.input);
    itera_parallel_split(itera_pool_for(run, 2 * itera_linear_work(&m->ffn.up, run->T)), (int)m->F,
                         itera_linear_least(run->T), hide, &f);
    itera_input hidden = itera_input_of(f.b.hidden, f.b.blocks, run->T, (int)m->F);
    itera_linear(run, y, m->D, &m->ffn.down, &hidden);
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
