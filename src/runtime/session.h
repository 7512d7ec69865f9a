/* What the runtime's files know of a session. */
#ifndef ITERA_RUNTIME_SESSION_H
#define ITERA_RUNTIME_SESSION_H

#include "runtime/model.h"

typedef struct itera_trace itera_trace;

struct itera_session {
    itera_model *model;
    uint64_t position;
    uint64_t context; /* positions the KV cache holds; 0 without one */
    float *state;     /* recurrent state of every block, one after another */
    float *cache;     /* KV cache of every block, [context, cache_floats] each, one after another */
    float *logits;    /* [V] of the last token */
    itera_trace *trace; /* NULL: nobody looks */
};

#endif
