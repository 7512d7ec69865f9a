/* The seed model: its own state-space mixer or attention, mixture of experts on some layers, LayerNorm,
 * exact GELU, learned positions where the file has them. Files are made by `itera convert`. */
#include <math.h>
#include <string.h>

#include "arch/arch.h"
#include "blocks/attention.h"
#include "blocks/ffn.h"
#include "blocks/ssm_seed.h"

static bool is_attention(const itera_builder *builder, uint32_t layer, itera_status *status)
{
    const itera_gguf_kv *kv = itera_gguf_find(builder->gguf, "itera-lite.mixer");
    *status = ITERA_OK;
    if (kv == NULL || kv->element_type != ITERA_GGUF_STRING || kv->count <= layer) {
        *status = itera_fail(builder->error, ITERA_ERR_CORRUPT, "itera-lite.mixer does not name a mixer for layer %u",
                             layer);
        return false;
    }
    itera_gguf_string name = itera_gguf_string_at(kv, layer);
    if (name.length == 9 && memcmp(name.data, "attention", 9) == 0) {
        return true;
    }
    if (!(name.length == 3 && memcmp(name.data, "ssm", 3) == 0)) {
        *status = itera_fail(builder->error, ITERA_ERR_UNSUPPORTED,
                             "mixer '%.*s' of layer %u is not supported; supported are ssm, attention",
                             (int)(name.length < 20 ? name.length : 20), name.data, layer);
    }
    return false;
}

static itera_status build_attention(const itera_builder *builder, itera_block **out, uint32_t layer, uint32_t D)
{
    uint32_t heads;
    ITERA_TRY(itera_hparam_u32(builder, "attention.head_count", 1, D, &heads));
    if (D % heads != 0) {
        return itera_fail(builder->error, ITERA_ERR_CORRUPT, "width %u does not divide into %u heads", D, heads);
    }
    uint32_t P = D / heads;
    itera_attention_params p = {
        .D = D, .heads = heads, .kv_heads = heads, .P = P, .scale = 1.0f / sqrtf((float)P), .fused_qkv = true};
    return itera_attention_build(builder, out, layer, &p);
}

static itera_status build_ssm(const itera_builder *builder, itera_block **out, uint32_t layer, uint32_t D)
{
    itera_seed_params p = {.D = D};
    ITERA_TRY(itera_hparam_u32(builder, "ssm.inner_size", 1, ITERA_MAX_WIDTH, &p.E));
    ITERA_TRY(itera_hparam_u32(builder, "ssm.state_size", 1, ITERA_MAX_WIDTH, &p.N));
    ITERA_TRY(itera_hparam_u32(builder, "ssm.conv_kernel", 1, ITERA_MAX_TAPS, &p.taps));
    return itera_seed_build(builder, out, layer, &p);
}

static itera_status build_ffn(const itera_builder *builder, itera_block **out, uint32_t layer, uint32_t D)
{
    char name[64];
    itera_moe_params p = {.D = D, .activation = ITERA_GELU};
    if (!itera_weights_has(builder->weights, itera_layer_name(name, layer, "ffn_gate_inp.weight"))) {
        return itera_dense_build(builder, out, layer, D, ITERA_GELU);
    }
    ITERA_TRY(itera_hparam_u32(builder, "expert_count", 1, ITERA_MAX_EXPERTS, &p.experts));
    ITERA_TRY(itera_hparam_u32(builder, "expert_used_count", 1, ITERA_MAX_EXPERTS_USED, &p.used));
    return itera_moe_build(builder, out, layer, &p);
}

static itera_status build(const itera_builder *builder, itera_graph *graph)
{
    float eps;
    ITERA_TRY(itera_hparam_f32_or(builder, "attention.layer_norm_epsilon", 1e-5f, &eps));
    ITERA_TRY(itera_graph_begin(builder, graph, 2, eps, true));
    if (itera_weights_has(builder->weights, "position_embd.weight")) {
        graph->max_positions = itera_weights_dim(builder->weights, "position_embd.weight", 1);
        ITERA_TRY(itera_weights_vector(builder->weights, &graph->positions, "position_embd.weight",
                                       (uint64_t)graph->max_positions * graph->D, builder->error));
    }
    for (uint32_t layer = 0; layer < graph->L; layer++) {
        itera_block *mixer, *ffn;
        itera_status status;
        bool attention = is_attention(builder, layer, &status);
        ITERA_TRY(status);
        ITERA_TRY(attention ? build_attention(builder, &mixer, layer, graph->D)
                            : build_ssm(builder, &mixer, layer, graph->D));
        ITERA_TRY(itera_graph_add(builder, graph, layer, "attn_norm", eps, true, mixer, 1.0f));
        ITERA_TRY(build_ffn(builder, &ffn, layer, graph->D));
        ITERA_TRY(itera_graph_add(builder, graph, layer, "ffn_norm", eps, true, ffn, 1.0f));
    }
    return ITERA_OK;
}

const itera_arch itera_arch_itera_lite = {.name = "itera-lite", .build = build};
