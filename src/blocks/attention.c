#include "blocks/attention.h"

#include <math.h>
#include <string.h>

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
    float *angles; /* [rope]: cosine and sine of every pair */
    itera_act_block *blocks;
} buffers;

static uint64_t qkv_width(const itera_attention_params *p)
{
    return ((uint64_t)p->heads + 2 * (uint64_t)p->kv_heads) * p->P;
}

static buffers layout(const attention *m, itera_arena *scratch, int T)
{
    uint64_t rows = (uint64_t)T, wide = (uint64_t)m->p.heads * m->p.P;
    buffers b;
    b.qkv = itera_arena_floats(scratch, rows * qkv_width(&m->p));
    b.y = itera_arena_floats(scratch, rows * wide);
    b.angles = itera_arena_floats(scratch, m->p.rope);
    b.blocks = itera_input_take(scratch, rows, m->p.D > wide ? m->p.D : wide);
    return b;
}

static void measure(const itera_block *block, itera_arena *scratch, int T, uint64_t context)
{
    (void)context;
    layout((const attention *)block, scratch, T);
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
    for (int i = 0; i < rope; i += 2) {
        double angle = (double)position * pow((double)base, -(double)i / rope);
        angles[i] = (float)cos(angle);
        angles[i + 1] = (float)sin(angle);
    }
}

static void add_bias(const itera_kernels *k, float *y, const float *bias, int n)
{
    if (bias != NULL) {
        k->add(y, y, bias, (size_t)n);
    }
}

static void project(const attention *m, const itera_run *run, const buffers *b, const float *x)
{
    const itera_attention_params *p = &m->p;
    const int QW = (int)(p->heads * p->P), KW = (int)(p->kv_heads * p->P), W = QW + 2 * KW;
    itera_input u = itera_input_of(x, b->blocks, run->T, (int)p->D);
    if (p->fused_qkv) {
        itera_linear(run, b->qkv, (size_t)W, &m->qkv, &u);
    } else {
        itera_linear(run, b->qkv, (size_t)W, &m->q, &u);
        itera_linear(run, b->qkv + QW, (size_t)W, &m->k, &u);
        itera_linear(run, b->qkv + QW + KW, (size_t)W, &m->v, &u);
    }
    for (int t = 0; t < run->T; t++) {
        float *row = b->qkv + (size_t)t * (size_t)W;
        add_bias(run->kernels, row, m->q_bias, QW);
        add_bias(run->kernels, row + QW, m->k_bias, KW);
        add_bias(run->kernels, row + QW + KW, m->v_bias, KW);
        if (p->rope > 0) {
            fill_angles(b->angles, run->position + (uint64_t)t, (int)p->rope, p->rope_base);
            rotate(row, (int)(p->heads + p->kv_heads), (int)p->P, b->angles, (int)p->rope);
        }
    }
}

static void forward(const itera_block *block, const itera_run *run, float *y, const float *x)
{
    const attention *m = (const attention *)block;
    const itera_attention_params *p = &m->p;
    const int T = run->T, P = (int)p->P, QW = (int)p->heads * P, KW = (int)p->kv_heads * P, W = QW + 2 * KW;
    const size_t kv_stride = (size_t)(2 * KW);
    buffers b = layout(m, run->scratch, T);

    project(m, run, &b, x);
    for (int t = 0; t < T; t++) {
        float *kept = run->cache + (size_t)(run->position + (uint64_t)t) * kv_stride;
        memcpy(kept, b.qkv + (size_t)t * (size_t)W + QW, kv_stride * sizeof(float));
    }
    run->kernels->attention(b.y, (size_t)QW, b.qkv, (size_t)W, run->cache, run->cache + KW, kv_stride, T,
                            (int)p->kv_heads, (int)(p->heads / p->kv_heads), (int)run->position + 1, P, p->scale);
    itera_input heads = itera_input_of(b.y, b.blocks, T, QW);
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
