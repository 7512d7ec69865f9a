#include "runtime/trace.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

uint32_t itera_trace_block_floats(const itera_block *block)
{
    return 1 + 2 * block->experts_used;
}

void itera_trace_free(itera_trace *trace)
{
    if (trace != NULL) {
        free(trace->values);
        free(trace->experts);
        free(trace->gates);
        free(trace);
    }
}

itera_status itera_session_trace(itera_session *session, bool on, itera_error *error)
{
    if (on && session->trace != NULL) {
        session->trace->seen = false;
        return ITERA_OK;
    }
    itera_trace_free(session->trace);
    session->trace = NULL;
    if (!on) {
        return ITERA_OK;
    }
    const itera_graph *graph = &session->model->graph;
    uint64_t floats = 0;
    uint32_t most = 1;
    for (uint32_t i = 0; i < graph->residual_count; i++) {
        const itera_block *block = graph->residuals[i].block;
        floats += itera_trace_block_floats(block);
        most = block->experts_used > most ? block->experts_used : most;
    }
    itera_trace *trace = itera_memory_zeroed(1, sizeof *trace);
    if (trace != NULL) {
        trace->values = itera_memory_zeroed(floats, sizeof(float));
        trace->experts = itera_memory_zeroed(most, sizeof(int32_t));
        trace->gates = itera_memory_zeroed(most, sizeof(float));
    }
    if (trace == NULL || trace->values == NULL || trace->experts == NULL || trace->gates == NULL) {
        itera_trace_free(trace);
        return itera_fail(error, ITERA_ERR_MEMORY, "out of memory for a trace");
    }
    session->trace = trace;
    return ITERA_OK;
}

const float *itera_session_trace_values(const itera_session *session)
{
    return session->trace != NULL && session->trace->seen ? session->trace->values : NULL;
}

uint32_t itera_model_trace_blocks(const itera_model *model)
{
    return model->graph.residual_count;
}

itera_trace_block itera_model_trace_block(const itera_model *model, uint32_t i)
{
    if (i >= model->graph.residual_count) {
        return (itera_trace_block){0};
    }
    const itera_residual *residual = &model->graph.residuals[i];
    const itera_block *block = residual->block;
    return (itera_trace_block){.layer = residual->layer,
                               .experts = block->experts,
                               .used = block->experts_used,
                               .state_bytes = block->state_floats * sizeof(float)};
}

void itera_trace_before(itera_trace *trace, itera_run *run)
{
    trace->seen = true;
    run->chosen_experts = trace->experts;
    run->chosen_gates = trace->gates;
}

uint32_t itera_trace_after(const itera_trace *trace, float *values, const itera_block *block, const itera_run *run)
{
    const double energy = block->ops->energy != NULL ? block->ops->energy(block, run->state)
                                                     : itera_sum_squares(run->state, block->state_floats);
    values[0] = (float)sqrt(energy);
    for (uint32_t i = 0; i < block->experts_used; i++) {
        values[1 + 2 * i] = (float)trace->experts[i];
        values[2 + 2 * i] = trace->gates[i];
    }
    return itera_trace_block_floats(block);
}
