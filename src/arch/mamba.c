/* Mamba-1, keys and tensor names as llama.cpp writes them. */
#include "arch/arch.h"
#include "blocks/ssm_mamba1.h"

static itera_status build(const itera_builder *builder, itera_graph *graph)
{
    itera_mamba1_params p = {0};
    ITERA_TRY(itera_hparam_f32_or(builder, "attention.layer_norm_rms_epsilon", 1e-5f, &p.eps));
    ITERA_TRY(itera_graph_begin(builder, graph, 1, p.eps, false));
    p.D = graph->D;
    ITERA_TRY(itera_hparam_u32(builder, "ssm.inner_size", 1, ITERA_MAX_WIDTH, &p.E));
    ITERA_TRY(itera_hparam_u32(builder, "ssm.state_size", 1, ITERA_MAX_WIDTH, &p.N));
    ITERA_TRY(itera_hparam_u32(builder, "ssm.time_step_rank", 1, ITERA_MAX_WIDTH, &p.R));
    ITERA_TRY(itera_hparam_u32(builder, "ssm.conv_kernel", 1, ITERA_MAX_TAPS, &p.taps));
    ITERA_TRY(itera_hparam_flag(builder, "ssm.dt_b_c_rms", &p.dt_b_c_norm));
    for (uint32_t layer = 0; layer < graph->L; layer++) {
        itera_block *mixer;
        ITERA_TRY(itera_mamba1_build(builder, &mixer, layer, &p));
        ITERA_TRY(itera_graph_add(builder, graph, layer, "attn_norm", p.eps, false, mixer, 1.0f));
    }
    return ITERA_OK;
}

const itera_arch itera_arch_mamba = {.name = "mamba", .build = build};
