/* Granite 4 hybrids, and Itera-Lite 2: Mamba-2 or attention mixers, dense or mixture-of-experts SwiGLU
 * feed-forward with an optional shared expert, and Granite's four multipliers. Keys and tensor names as
 * llama.cpp writes them; a layer without key-value heads is a Mamba-2 layer. */
#include <math.h>
#include <string.h>

#include "arch/mamba2.h"
#include "blocks/attention.h"
#include "blocks/ffn.h"

typedef struct hparams {
    float eps, residual_scale, attention_scale, rope_base;
    uint32_t rope_dims; /* 0 for no positions */
    uint32_t experts, experts_used;
} hparams;

/* llama.cpp rotates only where rope.scaling.finetuned is set, which Granite's converter uses for "has positions". */
static itera_status read_rope(const itera_builder *builder, hparams *h)
{
    ITERA_TRY(itera_hparam_f32_or(builder, "rope.freq_base", 10000.0f, &h->rope_base));
    bool rotates;
    ITERA_TRY(itera_hparam_flag(builder, "rope.scaling.finetuned", &rotates));
    if (!rotates) {
        return ITERA_OK;
    }
    if (h->rope_base < 1.0f) {
        return itera_fail(builder->error, ITERA_ERR_CORRUPT, "granitehybrid.rope.freq_base is below 1");
    }
    itera_gguf_string kind;
    if (itera_gguf_get_string(builder->gguf, "granitehybrid.rope.scaling.type", &kind) &&
        !(kind.length == 4 && memcmp(kind.data, "none", 4) == 0)) {
        return itera_fail(builder->error, ITERA_ERR_UNSUPPORTED, "rotary scaling of type '%.*s' is not supported",
                          (int)(kind.length < 20 ? kind.length : 20), kind.data);
    }
    return itera_hparam_u32(builder, "rope.dimension_count", 2, ITERA_MAX_WIDTH, &h->rope_dims);
}

static itera_status read_hparams(const itera_builder *builder, hparams *h, itera_graph *graph)
{
    float logit_scale;
    ITERA_TRY(itera_hparam_f32_or(builder, "embedding_scale", 1.0f, &graph->embedding_scale));
    ITERA_TRY(itera_hparam_f32_or(builder, "residual_scale", 1.0f, &h->residual_scale));
    ITERA_TRY(itera_hparam_f32_or(builder, "attention.scale", 0.0f, &h->attention_scale));
    ITERA_TRY(itera_hparam_f32_or(builder, "logit_scale", 1.0f, &logit_scale));
    /* Zero means "not set" for all four, as in llama.cpp. */
    graph->embedding_scale = graph->embedding_scale == 0.0f ? 1.0f : graph->embedding_scale;
    h->residual_scale = h->residual_scale == 0.0f ? 1.0f : h->residual_scale;
    graph->logit_scale = logit_scale == 0.0f ? 1.0f : 1.0f / logit_scale;
    ITERA_TRY(itera_hparam_u32_or(builder, "expert_count", 0, 0, ITERA_MAX_EXPERTS, 0, &h->experts));
    ITERA_TRY(itera_hparam_u32_or(builder, "expert_used_count", 0, 0, ITERA_MAX_EXPERTS_USED, 0, &h->experts_used));
    return read_rope(builder, h);
}

static itera_status build_attention(const itera_builder *builder, itera_block **out, uint32_t layer,
                                    const hparams *h, uint32_t D, uint32_t kv_heads)
{
    uint32_t heads, P;
    ITERA_TRY(itera_hparam_u32_or(builder, "attention.head_count", layer, 1, 65536, 1, &heads));
    ITERA_TRY(itera_hparam_u32_or(builder, "attention.key_length", layer, 1, 65536, D / heads, &P));
    itera_attention_params p = {.D = D,
                                .heads = heads,
                                .kv_heads = kv_heads,
                                .P = P,
                                .scale = h->attention_scale == 0.0f ? 1.0f / sqrtf((float)P) : h->attention_scale,
                                .rope = h->rope_dims,
                                .rope_base = h->rope_base};
    if (P == 0 || (uint64_t)heads * P > ITERA_MAX_WIDTH) {
        return itera_fail(builder->error, ITERA_ERR_CORRUPT, "attention layer %u has %u heads of width %u", layer,
                          heads, P);
    }
    return itera_attention_build(builder, out, layer, &p);
}

static itera_status build_ffn(const itera_builder *builder, itera_block **out, uint32_t layer, const hparams *h,
                              uint32_t D)
{
    if (h->experts == 0) {
        return itera_dense_build(builder, out, layer, D, ITERA_SWIGLU);
    }
    itera_moe_params p = {.D = D, .experts = h->experts, .used = h->experts_used, .activation = ITERA_SWIGLU};
    return itera_moe_build(builder, out, layer, &p);
}

static itera_status build(const itera_builder *builder, itera_graph *graph)
{
    hparams h = {0};
    ITERA_TRY(itera_hparam_f32_or(builder, "attention.layer_norm_rms_epsilon", 1e-5f, &h.eps));
    ITERA_TRY(itera_graph_begin(builder, graph, 2, h.eps, false));
    ITERA_TRY(read_hparams(builder, &h, graph));
    for (uint32_t layer = 0; layer < graph->L; layer++) {
        itera_block *mixer, *ffn;
        uint32_t kv_heads;
        ITERA_TRY(itera_hparam_u32_or(builder, "attention.head_count_kv", layer, 0, 65536, 0, &kv_heads));
        if (kv_heads == 0) {
            itera_mamba2_params p;
            ITERA_TRY(itera_mamba2_hparams(builder, graph->D, h.eps, &p));
            ITERA_TRY(itera_mamba2_build(builder, &mixer, layer, &p));
        } else {
            ITERA_TRY(build_attention(builder, &mixer, layer, &h, graph->D, kv_heads));
        }
        ITERA_TRY(itera_graph_add(builder, graph, layer, "attn_norm", h.eps, false, mixer, h.residual_scale));
        ITERA_TRY(build_ffn(builder, &ffn, layer, &h, graph->D));
        ITERA_TRY(itera_graph_add(builder, graph, layer, "ffn_norm", h.eps, false, ffn, h.residual_scale));
    }
    return ITERA_OK;
}

const itera_arch itera_arch_granitehybrid = {.name = "granitehybrid", .build = build};
