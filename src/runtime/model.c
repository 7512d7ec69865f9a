#include "runtime/model.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "blocks/linear.h"

/* Memory that the builder handed out, in a list so that one walk frees it. */
struct allocation {
    struct allocation *next;
    max_align_t memory[];
};

static void *builder_alloc(void *owner, size_t bytes)
{
    itera_model *model = owner;
    struct allocation *allocation = itera_memory_zeroed(1, sizeof *allocation + bytes);
    if (allocation == NULL) {
        return NULL;
    }
    allocation->next = model->allocations;
    model->allocations = allocation;
    return allocation->memory;
}

void itera_model_free(itera_model *model)
{
    if (model == NULL) {
        return;
    }
    while (model->allocations != NULL) {
        struct allocation *next = model->allocations->next;
        free(model->allocations);
        model->allocations = next;
    }
    itera_weights_free(model->weights);
    itera_gguf_free(model->gguf);
    free(model->scratch);
    free(model);
}

/* Over every "<architecture>.*" of the header, in any order: what the tokenizer or a licence says is no part of how
 * a state comes about. */
static uint64_t hash_hyperparameters(const itera_gguf *gguf, const char *architecture)
{
    size_t length = strlen(architecture);
    uint64_t sum = itera_hash(0, architecture, length);
    for (size_t i = 0; i < itera_gguf_kv_count(gguf); i++) {
        const itera_gguf_kv *kv = itera_gguf_kv_at(gguf, i);
        if (kv->key.length > length && memcmp(kv->key.data, architecture, length) == 0 &&
            kv->key.data[length] == '.') {
            uint64_t h = itera_hash((uint64_t)kv->type << 8 | (uint64_t)kv->element_type, kv->key.data, kv->key.length);
            sum += itera_hash(h, kv->value, kv->value_bytes);
        }
    }
    return sum;
}

static int batch_of(const itera_graph *graph)
{
    int batch = ITERA_BATCH;
    for (uint32_t i = 0; i < graph->residual_count; i++) {
        const itera_block *block = graph->residuals[i].block;
        const uint64_t visits = (uint64_t)ITERA_BATCH_EXPERT * block->experts;
        while (batch < ITERA_MAX_BATCH && (uint64_t)batch * block->experts_used < visits) {
            batch *= 2;
        }
    }
    return batch;
}

static itera_status build(itera_model *model, itera_error *error)
{
    ITERA_TRY(itera_arch_of(model->gguf, &model->arch, error));
    model->hyperparameters = hash_hyperparameters(model->gguf, model->arch->name);
    model->weights = itera_weights_create(model->gguf);
    if (model->weights == NULL) {
        return itera_fail(error, ITERA_ERR_MEMORY, "out of memory while planning the model");
    }
    itera_builder builder = {.weights = model->weights,
                             .gguf = model->gguf,
                             .error = error,
                             .alloc = builder_alloc,
                             .owner = model};
    ITERA_TRY(model->arch->build(&builder, &model->graph));
    for (uint32_t i = 0; i < model->graph.residual_count; i++) {
        const itera_block *block = model->graph.residuals[i].block;
        model->state_floats += block->state_floats;
        model->cache_floats += block->cache_floats;
    }
    model->batch = batch_of(&model->graph);
    return itera_weights_allocate(model->weights, error);
}

itera_status itera_model_create(itera_model **out, itera_gguf *gguf, itera_variant variant, itera_error *error)
{
    itera_model *model = itera_memory_zeroed(1, sizeof *model);
    if (model == NULL) {
        itera_gguf_free(gguf);
        return itera_fail(error, ITERA_ERR_MEMORY, "out of memory while creating the model");
    }
    model->gguf = gguf;
    model->kernels = itera_kernels_get(variant);
    itera_status status = model->kernels == NULL
                              ? itera_fail(error, ITERA_ERR_ARGUMENT, "this build does not hold that kernel variant")
                              : build(model, error);
    if (status < 0) {
        itera_model_free(model);
        return status;
    }
    *out = model;
    return ITERA_OK;
}

itera_status itera_model_push(itera_model *model, uint64_t file_offset, const uint8_t *bytes, size_t n,
                              itera_error *error)
{
    return itera_weights_push(model->weights, model->pool, file_offset, bytes, n, error);
}

itera_status itera_model_ready(const itera_model *model, itera_error *error)
{
    return itera_weights_ready(model->weights, error);
}

void itera_model_release_header(itera_model *model)
{
    if (itera_weights_ready(model->weights, NULL) == ITERA_OK) {
        itera_gguf_free(model->gguf);
        model->gguf = NULL;
    }
}

uint64_t itera_model_identity(const itera_model *model)
{
    return model->hyperparameters ^ itera_weights_identity(model->weights);
}

itera_status itera_model_use_pool(itera_model *model, itera_pool *pool, itera_error *error)
{
    if (model->scratch != NULL) {
        return itera_fail(error, ITERA_ERR_ARGUMENT, "a model takes its threads before its first session");
    }
    model->pool = pool;
    return ITERA_OK;
}

const itera_gguf *itera_model_header(const itera_model *model)
{
    return model->gguf;
}

/* ---- Scratch: the residual stream, a normed copy, a block's output, then the block's own buffers. ---- */

static uint64_t scratch_size(const itera_model *model)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < model->graph.residual_count; i++) {
        const itera_block *block = model->graph.residuals[i].block;
        itera_arena arena = {0};
        itera_run run = {.pool = model->pool, .scratch = &arena, .T = model->batch};
        block->ops->measure(block, &run);
        most = arena.used > most ? arena.used : most;
    }
    itera_arena head = {0}; /* quantized input of the head */
    itera_input_take(&head, (uint64_t)model->batch, model->graph.D);
    most = head.used > most ? head.used : most;
    itera_arena arena = {0};
    for (int i = 0; i < 3; i++) {
        itera_arena_floats(&arena, (uint64_t)model->batch * model->graph.D);
    }
    itera_arena_take(&arena, most, 1);
    return itera_arena_block_bytes(&arena);
}

itera_status itera_model_reserve(itera_model *model, itera_error *error)
{
    if (model->scratch != NULL) {
        return ITERA_OK;
    }
    const uint64_t bytes = scratch_size(model);
    model->scratch = itera_memory_alloc(bytes);
    if (model->scratch == NULL) {
        return itera_fail(error, ITERA_ERR_MEMORY, "not enough memory for %llu MB of scratch",
                          (unsigned long long)(bytes >> 20));
    }
    model->scratch_bytes = bytes;
    return ITERA_OK;
}

void itera_model_get_info(const itera_model *model, itera_model_info *info)
{
    const itera_graph *graph = &model->graph;
    itera_weight_counts counts = itera_weights_counts(model->weights);
    uint64_t embedding = (uint64_t)graph->V * graph->D;
    uint64_t macs = counts.matrix_macs;
    bool tied = graph->head == &graph->embedding;
    for (uint32_t i = 0; i < graph->residual_count; i++) {
        macs += graph->residuals[i].block->state_macs + graph->residuals[i].block->macs_per_position;
    }
    uint64_t limit = graph->max_positions;
    if (limit == 0 && model->cache_floats > 0) {
        limit = graph->context_length;
    }
    *info = (itera_model_info){
        .architecture = model->arch->name,
        .vocabulary = graph->V,
        .layers = graph->L,
        .width = graph->D,
        .context_length = (uint32_t)limit,
        .weight_bytes = counts.bytes,
        .parameters = counts.parameters,
        .active_parameters = counts.active_parameters,
        .embedding_parameters = embedding + (uint64_t)graph->max_positions * graph->D,
        .state_bytes = model->state_floats * sizeof(float),
        .cache_bytes = model->cache_floats * sizeof(float),
        .scratch_bytes = scratch_size(model),
        /* An untied embedding is looked up, not multiplied. */
        .flops = 2 * (macs - (tied ? 0 : embedding)),
        .batch = (uint32_t)model->batch,
    };
}
