#include "train/params.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "train/pages.h"
#include "train/random.h"

enum { PARAM_ALIGN = 16 }; /* elements: a cache line of f32 */

size_t itera_params_add(itera_params *params, int layer, const char *suffix, uint32_t d0, uint32_t d1,
                        uint32_t d2, itera_init init, real scale)
{
    itera_param *grown =
        itera_memory_grow(params->list, &params->capacity, params->n + 1, sizeof *params->list);
    if (grown == NULL) {
        params->failed = true;
        return 0;
    }
    params->list = grown;
    itera_param *p = &grown[params->n++];
    *p = (itera_param){.dims = {d0, d1, d2}, .offset = params->total, .init = init, .scale = scale};
    p->n_dims = d1 == 0 ? 1 : d2 == 0 ? 2 : 3;
    p->count = (size_t)d0 * (d1 ? d1 : 1) * (d2 ? d2 : 1);
    if (layer < 0) {
        snprintf(p->name, sizeof p->name, "%s", suffix);
    } else {
        snprintf(p->name, sizeof p->name, "blk.%d.%s", layer, suffix);
    }
    p->decays = d0 > 1 && d1 > 1 && strstr(suffix, "conv1d") == NULL && strstr(suffix, "norm") == NULL;
    p->negated_exp = strcmp(suffix, "ssm_a") == 0;
    params->total = (params->total + p->count + PARAM_ALIGN - 1) / PARAM_ALIGN * PARAM_ALIGN;
    return p->offset;
}

itera_status itera_params_allocate(itera_params *params, itera_error *error)
{
    params->value = itera_pages_alloc(params->total * sizeof(real));
    params->grad = itera_pages_alloc(params->total * sizeof(real));
    /* Where operands are reals, a copy would be waste. */
    params->operand = itera_operand_bytes() == sizeof(real)
                          ? params->value
                          : itera_pages_alloc(params->total * itera_operand_bytes());
    if (params->failed || params->value == NULL || params->grad == NULL || params->operand == NULL) {
        return itera_fail(error, ITERA_ERR_MEMORY, "no memory for %zu parameters and their gradients",
                          params->total);
    }
    return ITERA_OK;
}

void itera_params_free(itera_params *params)
{
    if (params->operand != params->value) {
        free(params->operand);
    }
    free(params->value);
    free(params->grad);
    free(params->list);
    *params = (itera_params){0};
}

static double params_draw(const itera_param *p, uint64_t key, size_t i)
{
    switch (p->init) {
    case ITERA_INIT_NORMAL: return p->scale * itera_normal(key, i);
    case ITERA_INIT_UNIFORM: return p->scale * (2.0 * itera_uniform(key, i) - 1.0);
    case ITERA_INIT_DT: {
        double dt = exp(log(0.001) + itera_uniform(key, i) * (log(0.1) - log(0.001)));
        return dt + log(-expm1(-dt)); /* the inverse of softplus */
    }
    case ITERA_INIT_A: return log(1.0 + 15.0 * itera_uniform(key, i));
    case ITERA_INIT_CONSTANT: break;
    }
    return p->scale;
}

void itera_params_init(itera_params *params, uint64_t seed)
{
    for (size_t j = 0; j < params->n; j++) {
        const itera_param *p = &params->list[j];
        uint64_t key = itera_hash(seed, j);
        ITERA_PARALLEL
        for (int part = 0; part < ITERA_PARTS; part++) {
            for (size_t i = itera_part_begin(p->count, part); i < itera_part_begin(p->count, part + 1); i++) {
                /* Through float, so that both precisions begin at the same point. */
                params->value[p->offset + i] = (real)(float)params_draw(p, key, i);
            }
        }
    }
    itera_params_refresh(params);
}

void itera_params_refresh(itera_params *params)
{
    if (params->operand != params->value) {
        ITERA_PARALLEL
        for (int part = 0; part < ITERA_PARTS; part++) {
            size_t begin = itera_part_begin(params->total, part),
                   end = itera_part_begin(params->total, part + 1);
            itera_operand_store(params->operand, begin, params->value + begin, end - begin);
        }
    }
}

itera_param *itera_params_find(const itera_params *params, const char *name)
{
    for (size_t i = 0; i < params->n; i++) {
        if (strcmp(params->list[i].name, name) == 0) {
            return &params->list[i];
        }
    }
    return NULL;
}

size_t itera_params_count(const itera_params *params)
{
    size_t count = 0;
    for (size_t i = 0; i < params->n; i++) {
        count += params->list[i].count;
    }
    return count;
}
