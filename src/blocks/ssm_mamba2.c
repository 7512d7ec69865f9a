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

static void measure(const itera_block *block, const itera_run *most)
{
    layout((const mamba2 *)block, most->scratch, most->T);
}

/* What a phase of forward, split over threads, needs. */
typedef struct phase {
    const mamba2 *m;
    const itera_run *run;
    buffers b;
} phase;

/* xBC = silu(conv(xBC)), by channels */
static void convolve(void *context, itera_team team)
{
    const phase *f = context;
    const mamba2 *m = f->m;
    const int C = (int)conv_width(&m->p);
    itera_range channels = itera_share(team, C, 16);
    f->run->kernels->conv1d_silu(f->b.xbc, f->run->state, f->b.zxbcdt + m->p.E, in_width(&m->p), m->conv, m->conv_bias,
                                 f->run->T, C, (int)m->p.taps, channels.begin, channels.end);
}

/* dt = softplus(dt + bias);  h = exp(dt A) h + dt B x;  y = C h + D x;  y = y * silu(z), by heads */
static void scan(void *context, itera_team team)
{
    const phase *f = context;
    const mamba2 *m = f->m;
    const itera_kernels *k = f->run->kernels;
    const itera_mamba2_params *p = &m->p;
    const int T = f->run->T, H = (int)p->heads, E = (int)p->E, N = (int)p->N, G = (int)p->groups;
    const int P = E / H, C = (int)conv_width(p), W = (int)in_width(p);
    float *scan_state = f->run->state + (size_t)(p->taps - 1) * (size_t)C;
    float *scales = scan_state + (size_t)E * (size_t)N;
    const buffers b = f->b;
    const itera_range heads = itera_share(team, H, 1);
    const size_t count = (size_t)(heads.end - heads.begin);
    for (int t = 0; t < T; t++) {
        float *dt = b.dt + (size_t)t * H + heads.begin;
        k->add(dt, b.zxbcdt + (size_t)t * W + E + C + heads.begin, m->dt_bias + heads.begin, count);
        k->softplus(dt, dt, count);
    }
    k->scan_mamba2(b.y, scan_state, scales, b.xbc, b.xbc + E, b.xbc + E + G * N, (size_t)C, b.dt, m->A, m->skip, T,
                   H, P, N, G, heads.begin, heads.end);
    for (int t = 0; t < T; t++) {
        float *row = b.y + (size_t)t * E + heads.begin * P;
        k->silu_mul(row, b.zxbcdt + (size_t)t * W + heads.begin * P, row, count * (size_t)P);
    }
}

/* y = norm(y), over each group on its own, by tokens */
static void normalize(void *context, itera_team team)
{
    const phase *f = context;
    const mamba2 *m = f->m;
    const int E = (int)m->p.E, width = E / (int)m->p.groups;
    const itera_range tokens = itera_share(team, f->run->T, 1);
    float *first = f->b.y + (size_t)tokens.begin * E;
    for (int g = 0; g < (int)m->p.groups; g++) {
        f->run->kernels->rms_norm(first + g * width, first + g * width, m->norm + g * width, tokens.end - tokens.begin,
                                  width, (size_t)E, m->p.eps);
    }
}

static void forward(const itera_block *block, const itera_run *run, float *y, const float *x)
{
    const mamba2 *m = (const mamba2 *)block;
    const itera_mamba2_params *p = &m->p;
    const uint64_t tokens = (uint64_t)run->T;
    phase f = {.m = m, .run = run, .b = layout(m, run->scratch, run->T)};

    /* [z, xBC, dt] = W_in u */
    itera_input u = itera_input_of(x, f.b.blocks, run->T, (int)p->D);
    itera_linear(run, f.b.zxbcdt, in_width(p), &m->in, &u);

    const int channels = (int)conv_width(p), heads = (int)p->heads;
    itera_parallel_split(itera_pool_for(run, tokens * conv_width(p) * 20), channels,
                         itera_least_share(run, 128, channels), convolve, &f);
    itera_parallel_split(itera_pool_for(run, tokens * p->E * 2 * p->N), heads, itera_least_share(run, 4, heads), scan,
                         &f);
    if (m->norm != NULL) {
        itera_parallel_split(itera_pool_for(run, tokens * p->E * 2), run->T, ITERA_LEAST_TOKENS, normalize, &f);
    }

    /* out = W_out y */
    itera_input gated = itera_input_of(f.b.y, f.b.blocks, run->T, (int)p->E);
    itera_linear(run, y, (size_t)p->D, &m->out, &gated);
}

/* Heads are stored without their scales. */
static double energy(const itera_block *block, const float *state)
{
    const itera_mamba2_params *p = &((const mamba2 *)block)->p;
    const uint64_t window = (uint64_t)(p->taps - 1) * conv_width(p), head = (uint64_t)p->E / p->heads * p->N;
    const float *heads = state + window, *scales = heads + head * p->heads;
    double sum = itera_sum_squares(state, window);
    for (uint32_t h = 0; h < p->heads; h++) {
        sum += (double)scales[h] * (double)scales[h] * itera_sum_squares(heads + h * head, head);
    }
    return sum;
}

static const itera_block_ops ops = {.name = "mamba2", .forward = forward, .measure = measure, .energy = energy};

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
