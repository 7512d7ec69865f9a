#include "blocks/ssm_mamba2.h"

#include "blocks/linear.h"

/* Recurrent state: the convolution window [taps-1, E + 2GN], then the scan state [H, N, P] and its scales [H]. */
typedef struct mamba2 {
    itera_block block;
    itera_mamba2_params p;
    itera_matrix in;         /* [2E + 2GN + H, D]: gate z, then x | B | C, then dt */
    itera_matrix out;        /* [D, E] */
    const float *conv;       /* [taps, E + 2GN] */
    const float *conv_bias;  /* [E + 2GN] */
    const float *dt_bias;    /* [H] */
    const float *A;          /* [H], negative */
    const float *skip;       /* [H] */
    const float *norm;       /* [E], or NULL */
} mamba2;

static uint32_t conv_width(const itera_mamba2_params *p)
{
    return p->E + 2 * p->groups * p->N;
}

static uint32_t in_width(const itera_mamba2_params *p)
{
    return p->E + conv_width(p) + p->heads;
}

typedef struct buffers {
    float *zxbcdt; /* [T, in_width] */
    float *xbc;    /* [T, conv_width] */
    float *dt;     /* [T, H] */
    float *y;      /* [T, E] */
    itera_act_block *blocks;
} buffers;

static buffers layout(const mamba2 *m, itera_arena *scratch, int T)
{
    uint64_t rows = (uint64_t)T;
    buffers b;
    b.zxbcdt = itera_arena_floats(scratch, rows * in_width(&m->p));
    b.xbc = itera_arena_floats(scratch, rows * conv_width(&m->p));
    b.dt = itera_arena_floats(scratch, rows * m->p.heads);
    b.y = itera_arena_floats(scratch, rows * m->p.E);
    b.blocks = itera_input_take(scratch, rows, m->p.D > m->p.E ? m->p.D : m->p.E);
    return b;
}

static void measure(const itera_block *block, itera_arena *scratch, int T, uint64_t context)
{
    (void)context;
    layout((const mamba2 *)block, scratch, T);
}

static void forward(const itera_block *block, const itera_run *run, float *y, const float *x)
{
    const mamba2 *m = (const mamba2 *)block;
    const itera_kernels *k = run->kernels;
    const itera_mamba2_params *p = &m->p;
    const int T = run->T, H = (int)p->heads, E = (int)p->E, N = (int)p->N, G = (int)p->groups;
    const int P = E / H, C = (int)conv_width(p), W = (int)in_width(p);
    float *conv_state = run->state;
    float *scan_state = run->state + (size_t)(p->taps - 1) * (size_t)C;
    float *scales = scan_state + (size_t)E * (size_t)N;
    buffers b = layout(m, run->scratch, T);

    /* [z, xBC, dt] = W_in u */
    itera_input u = itera_input_of(x, b.blocks, T, (int)p->D);
    itera_linear(run, b.zxbcdt, (size_t)W, &m->in, &u);

    /* xBC = silu(conv(xBC)) */
    k->conv1d_silu(b.xbc, conv_state, b.zxbcdt + E, (size_t)W, m->conv, m->conv_bias, T, C, (int)p->taps);

    /* dt = softplus(dt + bias) */
    for (int t = 0; t < T; t++) {
        k->add(b.dt + (size_t)t * H, b.zxbcdt + (size_t)t * W + E + C, m->dt_bias, (size_t)H);
    }
    k->softplus(b.dt, b.dt, (size_t)T * H);

    /* h = exp(dt A) h + dt B x;  y = C h + D x */
    k->scan_mamba2(b.y, scan_state, scales, b.xbc, b.xbc + E, b.xbc + E + G * N, (size_t)C, b.dt, m->A, m->skip, T,
                   H, P, N, G, 0, H);

    /* y = norm(y * silu(z)), over each group on its own; out = W_out y */
    for (int t = 0; t < T; t++) {
        float *row = b.y + (size_t)t * E;
        k->silu_mul(row, b.zxbcdt + (size_t)t * W, row, (size_t)E);
    }
    if (m->norm != NULL) {
        for (int g = 0; g < G; g++) {
            k->rms_norm(b.y + g * (E / G), b.y + g * (E / G), m->norm + g * (E / G), T, E / G, (size_t)E, p->eps);
        }
    }
    itera_input gated = itera_input_of(b.y, b.blocks, T, E);
    itera_linear(run, y, (size_t)p->D, &m->out, &gated);
}

static const itera_block_ops ops = {.name = "mamba2", .forward = forward, .measure = measure};

itera_status itera_mamba2_build(const itera_builder *builder, itera_block **out, uint32_t layer,
                                const itera_mamba2_params *p)
{
    if (p->E % p->heads != 0 || p->heads % p->groups != 0 || p->E % p->groups != 0) {
        return itera_fail(builder->error, ITERA_ERR_CORRUPT,
                          "a Mamba-2 layer of inner size %u does not divide into %u heads in %u groups", p->E,
                          p->heads, p->groups);
    }
    void *memory;
    ITERA_TRY(itera_build_alloc(builder, &memory, sizeof(mamba2)));
    mamba2 *m = memory;
    m->p = *p;
    uint32_t width = conv_width(p);
    uint64_t scan_floats = (uint64_t)p->E * p->N;
    m->block = (itera_block){.ops = &ops,
                             .state_floats = (uint64_t)(p->taps - 1) * width + scan_floats + p->heads,
                             .state_macs = 3 * scan_floats + (uint64_t)p->taps * width};
    ITERA_TRY(itera_build_matrix(builder, &m->in, layer, "ssm_in.weight", in_width(p), p->D));
    char name[64];
    ITERA_TRY(itera_weights_transposed(builder->weights, &m->conv, itera_layer_name(name, layer, "ssm_conv1d.weight"),
                                       width, p->taps, builder->error));
    if (itera_weights_has(builder->weights, itera_layer_name(name, layer, "ssm_conv1d.bias"))) {
        ITERA_TRY(itera_build_vector(builder, &m->conv_bias, layer, "ssm_conv1d.bias", width));
    }
    ITERA_TRY(itera_build_vector(builder, &m->dt_bias, layer, "ssm_dt.bias", p->heads));
    ITERA_TRY(itera_build_vector(builder, &m->A, layer, "ssm_a", p->heads));
    ITERA_TRY(itera_build_vector(builder, &m->skip, layer, "ssm_d", p->heads));
    if (itera_weights_has(builder->weights, itera_layer_name(name, layer, "ssm_norm.weight"))) {
        ITERA_TRY(itera_build_vector(builder, &m->norm, layer, "ssm_norm.weight", p->E));
    }
    ITERA_TRY(itera_build_matrix(builder, &m->out, layer, "ssm_out.weight", p->D, p->E));
    *out = &m->block;
    return ITERA_OK;
}
