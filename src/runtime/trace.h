/* A look inside the last pass: which experts the last token went to, and how large each block's state is. Off unless
 * asked for; a session without a trace pays one comparison a block. */
#ifndef ITERA_RUNTIME_TRACE_H
#define ITERA_RUNTIME_TRACE_H

#include <stdbool.h>

#include "runtime/session.h"

struct itera_trace {
    float *values;    /* of every block: norm of its state, then its choices, each an expert and a gate */
    int32_t *experts; /* of the block at hand */
    float *gates;
    bool seen; /* a pass has gone by since looking began */
};

/* Floats a block takes in `values`. */
uint32_t itera_trace_block_floats(const itera_block *block);
void itera_trace_free(itera_trace *trace); /* NULL is allowed */

/* Before a block runs: where it leaves its choice. */
void itera_trace_before(itera_trace *trace, itera_run *run);
/* After it: writes to `values`; returns how many floats. */
uint32_t itera_trace_after(const itera_trace *trace, float *values, const itera_block *block, const itera_run *run);

#endif
