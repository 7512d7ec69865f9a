#include "blocks/attention.h"

#include <string.h>

#include "base/elementary.h"
#include "blocks/linear.h"

/* KV cache, a position: keys [kv_heads, P], then values [kv_heads, P]. */
typedef struct attention {
    itera_block block;
    itera_attention_params p;
    itera_matrix qkv;                            /* [(heads + 2 kv_heads) P, D] when fused */
    itera_matrix q, k, v;                        /* otherwise: [heads P, D], [kv_heads P, D] twice */
    itera_matrix out;                            /* [D, heads P] */
    const float *q_bias, *k_bias, *v_bias, *out_bias; /* or NULL */
} attention;

typedef struct buffers {
    float *qkv;    /* [T, (heads + 2 kv_heads) P] */
    float *y;      /* [T, heads P] */
    float *angles; /* [threads, rope]: cosine and sine of every pair */
    itera_act_block *blocks;
} buffers;

static uint64_t qkv_width(const itera_attention_params *p)
{
    return ((uint64_t)p->heads + 2 * (uint64_t)p->kv_heads) * p->P;
}

static buffers layout(const attention *m, const itera_run *run)
{
    itera_arena *scratch = run->scratch;
    uint64_t rows = (uint64_t)run->T, threads = (uint64_t)itera_pool_threads(run->pool);
    uint64_t wide = (uint64_t)m->p.heads * m->p.P;
    buffers b;
    b.qkv = itera_arena_floats(scratch, rows * qkv_width(&m->p));
    b.y = itera_arena_floats(scratch, rows * wide);
    b.angles = itera_arena_floats(scratch, threads * m->p.rope);
    b.blocks = itera_input_take(scratch, rows, m->p.D > wide ? m->p.D : wide);
    return b;
}

static void measure(const itera_block *block, const itera_run *most)
{
    layout((const attention *)block, most);
}

/* Rotates neighbouring pairs (2i, 2i+1) of the first `rope` dimensions of each head (Su et al. 2021). */
static void rotate(float *heads, int count, int P, const float *angles, int rope)
{
    for (int h = 0; h < count; h++) {
        float *x = heads + h * P;
        for (int i = 0; i < rope; i += 2) {
            float a = x[i], b = x[i + 1], c = angles[i], s = angles[i + 1];
            x[i] = a * c - b * s;
            x[i + 1] = a * s + b * c;
        }
    }
}

static void fill_angles(float *angles, uint64_t position, int rope, float base)
{
    const double log_base = itera_log((double)base);
    for (int i = 0; i < rope; i += 2) {
        itera_cos_sin((double)position * itera_exp(-log_base * i / rope), &angles[i], &angles[i + 1]);
    }
}

static void add_bias(const itera_kernels *k, float *y, const float *bias, int n)
{
    if (bias != NULL) {
        k->add(y, y, bias, (size_t)n);
    }
}

/* What a phase of forward, split over threads, needs. */
typedef struct phase {
    const attention *m;
    const itera_run *run;
    buffers b;
    itera_input input;
} phase;

static int query_width(const attention *m)
{
    return (int)(m->p.heads * m->p.P);
}

static int key_width(const attention *m)
{
    return (int)(m->p.kv_heads * m->p.P);
}

/* q, k and v, by rows of the three matrices */
static void project(void *context, itera_team team)
{
    const phase *f = context;
    const attention *m = f->m;
    const int QW = query_width(m), KW = key_width(m);
    const size_t W = (size_t)(QW + 2 * KW);
    if (m->p.fused_qkv) {
        itera_linear_share(f->run, team, f->b.qkv, W, &m->qkv, &f->input);
    } else {
        itera_linear_share(f->run, team, f->b.qkv, W, &m->q, &f->input);
        itera_linear_share(f->run, team, f->b.qkv + QW, W, &m->k, &f->input);
        itera_linear_share(f->run, team, f->b.qkv + QW + KW, W, &m->v, &f->input);
    }
}

/* Biases, rotation and the way into the cache, by tokens */
static void place(void *context, itera_team team)
{
    const phase *f = context;
    const attention *m = f->m;
    const itera_attention_params *p = &m->p;
    const int QW = query_width(m), KW = key_width(m);
    const size_t W = (size_t)(QW + 2 * KW), kv_stride = (size_t)(2 * KW);
    float *angles = f->b.angles + (size_t)team.thread * p->rope;
    itera_range tokens = itera_share(team, f->run->T, 1);
    for (int t = tokens.begin; t < tokens.end; t++) {
        const uint64_t position = f->run->position + (uint64_t)t;
        float *row = f->b.qkv + (size_t)t * W;
        add_bias(f->run->kernels, row, m->q_bias, QW);
        add_bias(f->run->kernels, row + QW, m->k_bias, KW);
        add_bias(f->run->kernels, row + QW + KW, m->v_bias, KW);
        if (p->rope > 0) {
            fill_angles(angles, position, (int)p->rope, p->rope_base);
            rotate(row, (int)(p->heads + p->kv_heads), (int)p->P, angles, (int)p->rope);
        }
        memcpy(f->run->cache + (size_t)position * kv_stride, row + QW, kv_stride * sizeof(float));
    }
}

/* softmax(scale q k) v, by key-value heads: all queries of a head read the same keys and values */
static void attend(void *context, itera_team team)
{
    const phase *f = context;
    const itera_run *run = f->run;
    const itera_attention_params *p = &f->m->p;
    const int P = (int)p->P, QW = query_width(f->m), KW = key_width(f->m), W = QW + 2 * KW;
    const int queries = (int)(p->heads / p->kv_heads);
    const itera_range heads = itera_share(team, (int)p->kv_heads, 1);
    if (heads.begin < heads.end) {
        const size_t q = (size_t)heads.begin * (size_t)queries * (size_t)P, kv = (size_t)heads.begin * (size_t)P;
        run->kernels->attention(f->b.y + q, (size_t)QW, f->b.qkv + q, (size_t)W, run->cache + kv, run->cache + KW + kv,
                                (size_t)(2 * KW), run->T, heads.end - heads.begin, queries, (int)run->position + 1, P,
                                p->scale);
    }
}

static void forward(const itera_block *block, const itera_run *run, float *y, const float *x)
{
    const attention *m = (const attention *)block;
    const itera_attention_params *p = &m->p;
    const int T = run->T, QW = query_width(m);
    const uint64_t tokens = (uint64_t)T, wide = (uint64_t)QW;
    phase f = {.m = m, .run = run, .b = layout(m, run)};
    f.input = itera_input_of(x, f.b.blocks, T, (int)p->D);
    if (p->fused_qkv) {
        itera_input_prepare(run, &f.input, m->qkv.type);
    } else {
        itera_input_prepare(run, &f.input, m->q.type);
        itera_input_prepare(run, &f.input, m->k.type);
        itera_input_prepare(run, &f.input, m->v.type);
    }
    itera_parallel_split(itera_pool_for(run, tokens * qkv_width(p) * p->D), QW, itera_linear_least(T), project, &f);
    itera_parallel(T > 1 ? itera_pool_for(run, tokens * (2 * wide + 32 * p->rope)) : NULL, place, &f);
    const int kv_heads = (int)p->kv_heads;
    itera_parallel_split(itera_pool_for(run, tokens * wide * 2 * (run->position + tokens)), kv_heads,
                         itera_least_share(run, 1, kv_heads), attend, &f);

    itera_input heads = itera_input_of(f.b.y, f.b.blocks, T, QW);
    itera_linear(run, y, (size_t)p->D, &m->out, &heads);
    for (int t = 0; t < T; t++) {
        add_bias(run->kernels, y + (size_t)t * p->D, m->out_bias, (int)p->D);
    }
}

static const itera_block_ops ops = {.name = "attention", .forward = forward, .measure = measure};

static itera_status optional_bias(const itera_builder *builder, const float **out, uint32_t layer,
                                  const char *suffix, uint64_t n)
{
    char name[64];
    if (!itera_weights_has(builder->weights, itera_layer_name(name, layer, suffix))) {
        return ITERA_OK;
    }
    return itera_build_vector(builder, out, layer, suffix, n);
}

itera_status itera_attention_build(const itera_builder *builder, itera_block **out, uint32_t layer,
                                   const itera_attention_params *p)
{
    if (p->heads == 0 || p->kv_heads == 0 || p->heads % p->kv_heads != 0 || p->rope % 2 != 0 || p->rope > p->P) {
        return itera_fail(builder->error, ITERA_ERR_CORRUPT,
                          "attention layer %u has %u query heads, %u key-value heads and %u rotated dimensions", layer,
                          p->heads, p->kv_heads, p->rope);
    }
    void *memory;
    ITERA_TRY(itera_build_alloc(builder, &memory, sizeof(attention)));
    attention *m = memory;
    m->p = *p;
    uint32_t QW = p->heads * p->P, KW = p->kv_heads * p->P;
    m->block = (itera_block){.ops = &ops, .cache_floats = 2 * (uint64_t)KW, .macs_per_position = 2 * (uint64_t)QW};
    if (p->fused_qkv) {
        ITERA_TRY(itera_build_matrix(builder, &m->qkv, layer, "attn_qkv.weight", QW + 2 * KW, p->D));
    } else {
        ITERA_TRY(itera_build_matrix(builder, &m->q, layer, "attn_q.weight", QW, p->D));
        ITERA_TRY(itera_build_matrix(builder, &m->k, layer, "attn_k.weight", KW, p->D));
        ITERA_TRY(itera_build_matrix(builder, &m->v, layer, "attn_v.weight", KW, p->D));
        ITERA_TRY(optional_bias(builder, &m->q_bias, layer, "attn_q.bias", QW));
        ITERA_TRY(optional_bias(builder, &m->k_bias, layer, "attn_k.bias", KW));
        ITERA_TRY(optional_bias(builder, &m->v_bias, layer, "attn_v.bias", KW));
    }
    ITERA_TRY(itera_build_matrix(builder, &m->out, layer, "attn_output.weight", p->D, QW));
    ITERA_TRY(optional_bias(builder, &m->out_bias, layer, "attn_output.bias", p->D));
    *out = &m->block;
    return ITERA_OK;
}
