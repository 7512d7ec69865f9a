/* Mamba-2, keys and tensor names as llama.cpp writes them. */
#include "arch/mamba2.h"

itera_status itera_mamba2_hparams(const itera_builder *builder, uint32_t D, float eps, itera_mamba2_params *p)
{
    p->D = D;
    p->eps = eps;
    ITERA_TRY(itera_hparam_u32(builder, "ssm.inner_size", 1, ITERA_MAX_WIDTH, &p->E));
    ITERA_TRY(itera_hparam_u32(builder, "ssm.state_size", 1, ITERA_MAX_WIDTH, &p->N));
    ITERA_TRY(itera_hparam_u32(builder, "ssm.time_step_rank", 1, ITERA_MAX_WIDTH, &p->heads));
    ITERA_TRY(itera_hparam_u32_or(builder, "ssm.group_count", 0, 1, 1024, 1, &p->groups));
    return itera_hparam_u32(builder, "ssm.conv_kernel", 1, ITERA_MAX_TAPS, &p->taps);
}

static itera_status build(const itera_builder *builder, itera_graph *graph)
{
    itera_mamba2_params p = {0};
    float eps;
    ITERA_TRY(itera_hparam_f32_or(builder, "attention.layer_norm_rms_epsilon", 1e-5f, &eps));
    ITERA_TRY(itera_graph_begin(builder, graph, 1, eps, false));
    ITERA_TRY(itera_mamba2_hparams(builder, graph->D, eps, &p));
    for (uint32_t layer = 0; layer < graph->L; layer++) {
        itera_block *mixer;
        ITERA_TRY(itera_mamba2_build(builder, &mixer, layer, &p));
        ITERA_TRY(itera_graph_add(builder, graph, layer, "attn_norm", eps, false, mixer, 1.0f));
    }
    return ITERA_OK;
}

const itera_arch itera_arch_mamba2 = {.name = "mamba2", .build = build};
