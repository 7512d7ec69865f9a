/* What the runtime's files know of a model. */
#ifndef ITERA_RUNTIME_MODEL_H
#define ITERA_RUNTIME_MODEL_H

#include "arch/arch.h"
#include "itera.h"

/* Tokens of one pass through the graph. Larger amortizes weights over more tokens, smaller needs less scratch;
 * 128 keeps a 1,024-wide layer's activations within a second-level cache. */
#define ITERA_BATCH 128

/* Experts share a pass among them: it grows until each has so many tokens to amortize its weights over. */
#define ITERA_MAX_BATCH 256
#define ITERA_BATCH_EXPERT 16

struct itera_model {
    itera_gguf *gguf;
    const itera_arch *arch;
    const itera_kernels *kernels;
    itera_weights *weights;
    itera_graph graph;
    int batch;                      /* most tokens of one pass */
    struct allocation *allocations; /* of the builder, freed with the model */
    uint64_t state_floats;          /* recurrent state of a session, all blocks */
    uint64_t cache_floats;          /* KV cache a position, all blocks */
    itera_pool *pool;               /* borrowed; NULL for one thread */
    uint8_t *scratch;               /* of the first session, shared by all */
    uint64_t scratch_bytes;
    uint64_t hyperparameters;       /* hash of the architecture's metadata */
};

/* Makes the scratch, enough for any pass, unless it is there. ITERA_ERR_MEMORY. */
itera_status itera_model_reserve(itera_model *model, itera_error *error);

#endif
