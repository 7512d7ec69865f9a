#include "train/model.h"

#include <stdlib.h>
#include <string.h>

#include "train/pages.h"

enum { SITE_EMBEDDING = 1, SITES_PER_BLOCK = 2 };

itera_train_config itera_train_config_default(itera_train_arch arch)
{
    itera_train_config c = {.arch = arch, .V = 4096, .taps = 4, .groups = 1, .chunk = 128, .eps = 1e-5f};
    switch (arch) {
    case ITERA_TRAIN_ITERA2:
        c.D = 384, c.L = 8, c.E = 768, c.N = 64, c.heads = 12, c.experts = 8, c.used = 2, c.F = 384;
        c.router_weight = 0.01f;
        break;
    case ITERA_TRAIN_ITERA_LITE:
        c.D = 128, c.L = 4, c.E = 256, c.N = 8, c.experts = 4, c.used = 2, c.F = 64, c.P = 256;
        c.router_weight = 0.01f, c.dropout = 0.1f;
        break;
    case ITERA_TRAIN_TRANSFORMER:
        c.D = 128, c.L = 4, c.heads = 4, c.F = 512, c.P = 256, c.dropout = 0.1f;
        break;
    }
    return c;
}

static itera_status model_check(const itera_train_config *c, itera_error *error)
{
    const uint32_t wide[] = {c->D, c->E + 2 * c->groups * c->N, c->F, c->shared_F};
    for (int i = 0; i < 4; i++) {
        if (wide[i] > ITERA_MAX_ROW) {
            return itera_fail(error, ITERA_ERR_ARGUMENT, "a width of %u is beyond the trainer's limit of %d",
                              wide[i], ITERA_MAX_ROW);
        }
    }
    if (c->V == 0 || c->D == 0 || c->L == 0 || c->F == 0) {
        return itera_fail(error, ITERA_ERR_ARGUMENT,
                          "vocabulary, width, layers and feed-forward must not be 0");
    }
    if (c->taps > 8 || c->chunk == 0 || c->chunk > 256) {
        return itera_fail(error, ITERA_ERR_ARGUMENT,
                          "at most 8 convolution taps, and chunks of 1 to 256 steps");
    }
    if (c->arch == ITERA_TRAIN_ITERA2 && (c->heads == 0 || c->groups == 0 || c->E % c->heads ||
                                          c->heads % c->groups || c->E == 0 || c->N == 0)) {
        return itera_fail(error, ITERA_ERR_ARGUMENT,
                          "inner width %u does not divide into %u heads in %u groups", c->E, c->heads,
                          c->groups);
    }
    if (c->arch == ITERA_TRAIN_TRANSFORMER && (c->heads == 0 || c->D % c->heads)) {
        return itera_fail(error, ITERA_ERR_ARGUMENT, "width %u does not divide into %u heads", c->D,
                          c->heads);
    }
    if (c->experts > 256 || c->used > c->experts || c->used > 16 || (c->experts > 0 && c->used == 0) ||
        c->experts == 1) {
        return itera_fail(error, ITERA_ERR_ARGUMENT, "%u of %u experts cannot be used", c->used, c->experts);
    }
    return ITERA_OK;
}

static itera_train_block *model_mixer(itera_train_model *model, int layer)
{
    const itera_train_config *c = &model->config;
    if (c->arch == ITERA_TRAIN_ITERA2) {
        return itera_train_mamba2(
            &model->params, layer,
            &(itera_train_mamba2_params){.D = c->D,
                                         .E = c->E,
                                         .N = c->N,
                                         .heads = c->heads,
                                         .groups = c->groups,
                                         .taps = c->taps,
                                         .chunk = c->chunk,
                                         .eps = (real)c->eps,
                                         .out_scale = 1 / real_sqrt((real)(6 * c->E * c->L))});
    }
    if (c->arch == ITERA_TRAIN_ITERA_LITE) {
        return itera_train_seed(&model->params, layer,
                                &(itera_train_seed_params){.D = c->D, .E = c->E, .N = c->N, .taps = c->taps});
    }
    return itera_train_attention(&model->params, layer,
                                 &(itera_train_attention_params){.D = c->D, .heads = c->heads});
}

static itera_train_block *model_ffn(itera_train_model *model, int layer)
{
    const itera_train_config *c = &model->config;
    const bool second = c->arch == ITERA_TRAIN_ITERA2;
    /* Itera-Lite 2 begins with 1 / sqrt(3 inputs), what leaves the layer less by sqrt(2 L); the seed with
     * 0.02. */
    const real scale = second ? 1 / real_sqrt(3 * (real)c->D) : (real)0.02;
    const real out_scale = second ? 1 / real_sqrt((real)(6 * c->F * c->L)) : (real)0.02;
    if (c->experts > 0 && (second || (c->arch == ITERA_TRAIN_ITERA_LITE && layer % 2 == 1))) {
        return itera_train_moe(
            &model->params, layer,
            &(itera_train_moe_params){.D = c->D,
                                      .F = c->F,
                                      .experts = c->experts,
                                      .used = c->used,
                                      .shared_F = second ? c->shared_F : 0,
                                      .activation = second ? ITERA_TRAIN_SWIGLU : ITERA_TRAIN_GELU,
                                      .balance = second ? ITERA_BALANCE_SWITCH : ITERA_BALANCE_SEED,
                                      .scale = scale,
                                      .out_scale = out_scale});
    }
    return itera_train_ffn(
        &model->params, layer,
        &(itera_train_ffn_params){.D = c->D,
                                  .F = c->F,
                                  .activation = second ? ITERA_TRAIN_SWIGLU : ITERA_TRAIN_GELU,
                                  .suffix = "",
                                  .scale = scale,
                                  .out_scale = out_scale});
}

static itera_status model_add(itera_train_model *model, int layer, const char *norm, bool mixer,
                              itera_error *error)
{
    const itera_train_config *c = &model->config;
    itera_train_residual *r = &model->residuals[model->n];
    itera_train_norm_make(&r->norm, &model->params, layer, norm, c->D, (real)c->eps,
                          c->arch != ITERA_TRAIN_ITERA2);
    r->block = mixer ? model_mixer(model, layer) : model_ffn(model, layer);
    if (r->block == NULL) {
        return itera_fail(error, ITERA_ERR_MEMORY, "no memory for layer %d", layer);
    }
    model->n++;
    r->block->site = SITE_EMBEDDING + SITES_PER_BLOCK * model->n;
    return ITERA_OK;
}

static itera_status model_build(itera_train_model *model, itera_error *error)
{
    const itera_train_config *c = &model->config;
    itera_params *params = &model->params;
    model->head = (itera_train_head){.V = c->V, .D = c->D, .P = c->arch == ITERA_TRAIN_ITERA2 ? 0 : c->P};
    model->head.embedding =
        itera_params_add(params, -1, "token_embd.weight", c->D, c->V, 0, ITERA_INIT_NORMAL, (real)0.02);
    if (model->head.P > 0) {
        model->head.positions = itera_params_add(params, -1, "position_embd.weight", c->D, c->P, 0,
                                                 ITERA_INIT_NORMAL, (real)0.02);
    }
    model->residuals = calloc(2 * (size_t)c->L, sizeof *model->residuals);
    if (model->residuals == NULL) {
        return itera_fail(error, ITERA_ERR_MEMORY, "no memory for %u layers", c->L);
    }
    for (int layer = 0; layer < (int)c->L; layer++) {
        ITERA_TRY(model_add(model, layer, "attn_norm", true, error));
        ITERA_TRY(model_add(model, layer, "ffn_norm", false, error));
    }
    itera_train_norm_make(&model->out_norm, params, -1, "output_norm", c->D, (real)c->eps,
                          c->arch != ITERA_TRAIN_ITERA2);
    return itera_params_allocate(params, error);
}

itera_status itera_train_model_create(itera_train_model **out, const itera_train_config *config,
                                      itera_error *error)
{
    *out = NULL;
    ITERA_TRY(model_check(config, error));
    itera_train_model *model = calloc(1, sizeof *model);
    if (model == NULL) {
        return itera_fail(error, ITERA_ERR_MEMORY, "no memory for a model");
    }
    model->config = *config;
    itera_status status = model_build(model, error);
    if (status != ITERA_OK) {
        itera_train_model_free(model);
        return status;
    }
    *out = model;
    return ITERA_OK;
}

void itera_train_model_free(itera_train_model *model)
{
    if (model == NULL) {
        return;
    }
    for (size_t i = 0; i < model->n; i++) {
        itera_train_block_free(model->residuals[i].block);
    }
    free(model->residuals);
    free(model->memory);
    itera_params_free(&model->params);
    free(model);
}

/* ---- Memory ----------------------------------------------------------------------------------- */

/* One round over everything that takes memory. Scratch begins at `scratch_begin` for every block anew; the
 * most that one takes goes to *scratch_end. */
static uint64_t model_lay_blocks(itera_train_model *model, itera_arena saved, uint64_t scratch_begin,
                                 uint64_t *scratch_end)
{
    const size_t R = (size_t)model->B * (size_t)model->T;
    *scratch_end = scratch_begin;
    for (size_t i = 0; i <= model->n; i++) {
        itera_arena scratch = {.base = saved.base, .used = scratch_begin, .capacity = saved.capacity};
        if (i < model->n) {
            itera_train_block *block = model->residuals[i].block;
            itera_train_norm_layout(&model->residuals[i].norm, &saved, &scratch, R);
            block->ops->layout(block, &saved, &scratch, model->B, model->T);
        } else {
            itera_train_norm_layout(&model->out_norm, &saved, &scratch, R);
            itera_train_head_layout(&model->head, &scratch, R);
        }
        *scratch_end = scratch.used > *scratch_end ? scratch.used : *scratch_end;
    }
    return saved.used;
}

/* Working rows, what blocks save, then scratch that they take turns in. Returns all bytes. */
static uint64_t model_layout(itera_train_model *model, void *base, uint64_t scratch_begin,
                             uint64_t *saved_end)
{
    const size_t R = (size_t)model->B * (size_t)model->T, D = model->config.D;
    itera_arena arena = {.base = base, .capacity = model->memory_bytes};
    uint64_t end;
    model->x = itera_take_reals(&arena, R * D);
    model->x_operand = itera_take_operand(&arena, R * D);
    model->u = itera_take_reals(&arena, R * D);
    model->out = itera_take_reals(&arena, R * D);
    model->dx = itera_take_reals(&arena, R * D);
    model->du = itera_take_reals(&arena, R * D);
    model->nll = itera_take_reals(&arena, R);
    for (size_t i = 0; i < model->n; i++) {
        model->residuals[i].x = itera_take_reals(&arena, R * D);
        model->residuals[i].operand = itera_take_operand(&arena, R * D);
    }
    *saved_end = model_lay_blocks(model, arena, scratch_begin, &end);
    return end;
}

itera_status itera_train_model_reserve(itera_train_model *model, int B, int T, itera_error *error)
{
    const itera_train_config *c = &model->config;
    if (B < 1 || T < 1 || (c->arch != ITERA_TRAIN_ITERA2 && (uint32_t)T > c->P)) {
        return itera_fail(error, ITERA_ERR_ARGUMENT,
                          "batches of %d sequences of %d tokens: the model has %u positions", B, T, c->P);
    }
    free(model->memory);
    model->memory = NULL;
    model->B = B;
    model->T = T;
    /* Three rounds: where saved memory ends, where scratch ends that follows it, and the pointers. */
    uint64_t saved_end;
    model_layout(model, NULL, 0, &saved_end);
    const uint64_t scratch_begin = saved_end;
    model->memory_bytes = model_layout(model, NULL, scratch_begin, &saved_end);
    if (model->memory_bytes < SIZE_MAX / 2) {
        model->memory = itera_pages_alloc((size_t)model->memory_bytes);
    }
    if (model->memory == NULL) {
        return itera_fail(error, ITERA_ERR_MEMORY, "no memory for %llu MB of activations",
                          (unsigned long long)(model->memory_bytes >> 20));
    }
    model_layout(model, model->memory, scratch_begin, &saved_end);
    return ITERA_OK;
}

itera_status itera_train_model_teach(itera_train_model *model, itera_train_model *const *teachers, int n,
                                     float share, itera_error *error)
{
    if (n < 0 || n > ITERA_MAX_TEACHERS || !(share >= 0 && share <= 1)) {
        return itera_fail(error, ITERA_ERR_ARGUMENT, "0 to %d teachers with a share of 0 .. 1, not %d with %g",
                          ITERA_MAX_TEACHERS, n, (double)share);
    }
    for (int k = 0; k < n; k++) {
        if (teachers[k]->config.V != model->config.V) {
            return itera_fail(error, ITERA_ERR_ARGUMENT, "a teacher of %u tokens for a model of %u",
                              teachers[k]->config.V, model->config.V);
        }
        if (teachers[k]->B != model->B || teachers[k]->T != model->T) {
            return itera_fail(error, ITERA_ERR_ARGUMENT, "the teacher is reserved for other batches");
        }
    }
    for (int k = 0; k < n; k++) {
        model->teachers[k] = teachers[k];
    }
    model->n_teachers = n;
    model->teacher_share = share;
    return ITERA_OK;
}

/* ---- Passes ----------------------------------------------------------------------------------- */

/* to = x + out, some of out dropped */
static void model_join(const itera_train_run *run, const itera_train_block *block, real *to, const real *x,
                       const real *out, size_t R, size_t D)
{
    const bool drops = run->dropout > 0 && block->out_dropout > 0;
    ITERA_PARALLEL
    for (size_t r = 0; r < R; r++) {
        real *restrict row = to + r * D;
        const real *restrict a = x + r * D, *restrict b = out + r * D;
        if (drops) {
            for (size_t d = 0; d < D; d++) {
                row[d] = a[d] + b[d] * itera_keep(run, block->site + 1, r * D + d);
            }
        } else {
            for (size_t d = 0; d < D; d++) {
                row[d] = a[d] + b[d];
            }
        }
    }
}

/* rows *= the dropout of one site */
static void model_drop(const itera_train_run *run, uint64_t site, real *to, const real *from, size_t R,
                       size_t D)
{
    ITERA_PARALLEL
    for (size_t i = 0; i < R * D; i++) {
        to[i] = from[i] * itera_keep(run, site, i);
    }
}

static void model_forward(itera_train_model *model, itera_train_run *run, const int32_t *tokens)
{
    const size_t R = (size_t)run->B * (size_t)run->T, D = model->config.D;
    real *first = model->residuals[0].x;
    itera_train_embed(&model->head, run, first, tokens);
    if (run->dropout > 0) {
        model_drop(run, SITE_EMBEDDING, first, first, R, D);
    }
    for (size_t i = 0; i < model->n; i++) {
        itera_train_residual *r = &model->residuals[i];
        real *next = i + 1 < model->n ? model->residuals[i + 1].x : model->x;
        real *u = r->block->wants_reals ? model->u : NULL;
        itera_train_norm_forward(&r->norm, run->params, u, r->operand, r->x, R);
        r->block->ops->forward(r->block, run, model->out, u, r->operand);
        model_join(run, r->block, next, r->x, model->out, R, D);
    }
    itera_train_norm_forward(&model->out_norm, run->params, NULL, model->x_operand, model->x, R);
}

static void model_backward(itera_train_model *model, itera_train_run *run, const int32_t *tokens)
{
    const size_t R = (size_t)run->B * (size_t)run->T, D = model->config.D;
    memset(model->dx, 0, R * D * sizeof(real));
    itera_train_norm_backward(&model->out_norm, run->params, model->dx, model->du, model->x, R);
    for (size_t i = model->n; i-- > 0;) {
        itera_train_residual *r = &model->residuals[i];
        const real *dout = model->dx;
        if (run->dropout > 0 && r->block->out_dropout > 0) {
            model_drop(run, r->block->site + 1, model->out, model->dx, R, D);
            dout = model->out;
        }
        r->block->ops->backward(r->block, run, model->du, dout, r->operand);
        itera_train_norm_backward(&r->norm, run->params, model->dx, model->du, r->x, R);
    }
    if (run->dropout > 0) {
        model_drop(run, SITE_EMBEDDING, model->dx, model->dx, R, D);
    }
    itera_train_embed_backward(&model->head, run, model->dx, tokens);
}

static itera_train_result model_result(const itera_train_model *model, const itera_train_run *run,
                                       const int32_t *targets)
{
    itera_train_result result = {.router_loss = run->router_loss};
    for (size_t r = 0; r < (size_t)run->B * (size_t)run->T; r++) {
        result.targets += targets[r] >= 0;
        result.nll += (double)model->nll[r];
    }
    return result;
}

itera_train_result itera_train_evaluate(itera_train_model *model, const int32_t *tokens,
                                        const int32_t *targets)
{
    itera_train_run run = {.params = &model->params, .B = model->B, .T = model->T};
    model_forward(model, &run, tokens);
    itera_train_loss(&model->head, &run, model->nll, NULL, model->x_operand, targets, 0, NULL);
    return model_result(model, &run, targets);
}

itera_train_result itera_train_gradient(itera_train_model *model, const int32_t *tokens,
                                        const int32_t *targets, double weight, uint64_t dropout_key)
{
    itera_train_run run = {.params = &model->params,
                           .B = model->B,
                           .T = model->T,
                           .dropout = (real)model->config.dropout,
                           .dropout_key = dropout_key,
                           .router_weight = (real)(model->config.router_weight * weight)};
    size_t count = 0;
    for (size_t r = 0; r < (size_t)model->B * (size_t)model->T; r++) {
        count += targets[r] >= 0;
    }
    itera_train_teacher teachers[ITERA_MAX_TEACHERS];
    for (int k = 0; k < model->n_teachers; k++) {
        itera_train_model *teacher = model->teachers[k];
        itera_train_run teaching = {.params = &teacher->params, .B = model->B, .T = model->T};
        model_forward(teacher, &teaching, tokens);
        teachers[k] = (itera_train_teacher){&teacher->head, &teacher->params, teacher->x_operand};
    }
    const itera_train_lesson lesson = {teachers, model->n_teachers, (real)model->teacher_share};
    model_forward(model, &run, tokens);
    itera_train_loss(&model->head, &run, model->nll, model->du, model->x_operand, targets,
                     (real)(weight / (double)(count > 0 ? count : 1)), model->n_teachers > 0 ? &lesson : NULL);
    model_backward(model, &run, tokens);
    return model_result(model, &run, targets);
}

void itera_train_model_logits(itera_train_model *model, real *logits)
{
    itera_train_run run = {.params = &model->params, .B = model->B, .T = model->T};
    itera_train_logits(&model->head, &run, logits, model->x_operand);
}
