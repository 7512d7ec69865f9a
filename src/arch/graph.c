#include "arch/graph.h"

#include <math.h>

#include "arch/arch.h"
#include "base/format.h"

#define KEY_BYTES 128

static const char *key_of(const itera_builder *builder, char *key, const char *suffix)
{
    itera_gguf_string arch = {.data = "", .length = 0};
    itera_gguf_get_string(builder->gguf, "general.architecture", &arch);
    itera_format(key, KEY_BYTES, "%.*s.%s", (int)arch.length, arch.data, suffix);
    return key;
}

itera_status itera_hparam_u32_or(const itera_builder *builder, const char *suffix, uint32_t layer, uint32_t low,
                                 uint32_t high, uint32_t fallback, uint32_t *out)
{
    char key[KEY_BYTES];
    key_of(builder, key, suffix);
    if (itera_gguf_find(builder->gguf, key) == NULL) {
        *out = fallback;
        return ITERA_OK;
    }
    uint32_t value;
    if (!itera_gguf_get_u32_at(builder->gguf, key, layer, &value)) {
        return itera_fail(builder->error, ITERA_ERR_CORRUPT, "%s is not a whole number for layer %u", key, layer);
    }
    if (value < low || value > high) {
        return itera_fail(builder->error, ITERA_ERR_CORRUPT, "%s is %u, outside %u to %u", key, value, low, high);
    }
    *out = value;
    return ITERA_OK;
}

itera_status itera_hparam_u32(const itera_builder *builder, const char *suffix, uint32_t low, uint32_t high,
                              uint32_t *out)
{
    char key[KEY_BYTES];
    if (itera_gguf_find(builder->gguf, key_of(builder, key, suffix)) == NULL) {
        return itera_fail(builder->error, ITERA_ERR_CORRUPT, "the file has no %s", key);
    }
    return itera_hparam_u32_or(builder, suffix, 0, low, high, 0, out);
}

itera_status itera_hparam_f32_or(const itera_builder *builder, const char *suffix, float fallback, float *out)
{
    char key[KEY_BYTES];
    *out = fallback;
    bool found = itera_gguf_get_f32(builder->gguf, key_of(builder, key, suffix), out);
    if ((!found && itera_gguf_find(builder->gguf, key) != NULL) || !isfinite(*out)) {
        return itera_fail(builder->error, ITERA_ERR_CORRUPT, "%s is not a finite number", key);
    }
    return ITERA_OK;
}

itera_status itera_hparam_flag(const itera_builder *builder, const char *suffix, bool *out)
{
    char key[KEY_BYTES];
    *out = false;
    if (!itera_gguf_get_bool(builder->gguf, key_of(builder, key, suffix), out) &&
        itera_gguf_find(builder->gguf, key) != NULL) {
        return itera_fail(builder->error, ITERA_ERR_CORRUPT, "%s is neither true nor false", key);
    }
    return ITERA_OK;
}

itera_status itera_graph_begin(const itera_builder *builder, itera_graph *graph, uint32_t per_layer, float eps,
                               bool layer_norm)
{
    itera_weights *weights = builder->weights;
    ITERA_TRY(itera_hparam_u32(builder, "embedding_length", 1, ITERA_MAX_WIDTH, &graph->D));
    ITERA_TRY(itera_hparam_u32(builder, "block_count", 1, ITERA_MAX_LAYERS, &graph->L));
    ITERA_TRY(itera_hparam_u32_or(builder, "context_length", 0, 0, UINT32_MAX, 0, &graph->context_length));
    graph->embedding_scale = 1.0f;
    graph->logit_scale = 1.0f;
    graph->V = itera_weights_dim(weights, "token_embd.weight", 1);
    if (graph->V > ITERA_MAX_VOCAB) {
        return itera_fail(builder->error, ITERA_ERR_CORRUPT, "a vocabulary of %u tokens is beyond the limit of %u",
                          graph->V, ITERA_MAX_VOCAB);
    }
    ITERA_TRY(itera_weights_matrix(weights, &graph->embedding, "token_embd.weight", graph->V, graph->D,
                                   builder->error));
    graph->head = &graph->embedding;
    if (itera_weights_has(weights, "output.weight")) {
        ITERA_TRY(itera_weights_matrix(weights, &graph->output, "output.weight", graph->V, graph->D, builder->error));
        graph->head = &graph->output;
    }
    ITERA_TRY(itera_norm_build(builder, &graph->output_norm, "output_norm", graph->D, eps, layer_norm));
    void *residuals;
    graph->residual_capacity = graph->L * per_layer;
    ITERA_TRY(itera_build_alloc(builder, &residuals, graph->residual_capacity * sizeof *graph->residuals));
    graph->residuals = residuals;
    return ITERA_OK;
}

itera_status itera_graph_add(const itera_builder *builder, itera_graph *graph, uint32_t layer, const char *norm,
                             float eps, bool layer_norm, itera_block *block, float scale)
{
    char name[64];
    if (graph->residual_count == graph->residual_capacity) {
        return itera_fail(builder->error, ITERA_ERR_ARGUMENT, "more blocks than the architecture announced");
    }
    itera_residual *residual = &graph->residuals[graph->residual_count++];
    residual->block = block;
    residual->scale = scale;
    residual->layer = layer;
    return itera_norm_build(builder, &residual->norm, itera_layer_name(name, layer, norm), graph->D, eps, layer_norm);
}
