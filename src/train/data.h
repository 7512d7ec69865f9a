/* Token streams and the order in which training sees them.
 *
 * A stream is one array of ids, u16 or u32 little-endian, documents set apart by a separator token. An epoch
 * cuts it into windows of T tokens from a random offset and visits them in a random order; both are functions
 * of seed and sample number, so the position in the data is one number. A window moves back to where its
 * first document begins when that is near, because that is how the finished model meets text. */
#ifndef ITERA_TRAIN_DATA_H
#define ITERA_TRAIN_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct itera_tokens {
    const uint8_t *bytes; /* the caller's, as long as the stream is used */
    size_t n;             /* tokens */
    bool wide;            /* u32; else u16 */
    int32_t separator;    /* that opens a document (BOS), or -1 when there is none */
    int32_t end;          /* that closes one (EOS), often the same; or -1 */
} itera_tokens;

int32_t itera_tokens_at(const itera_tokens *tokens, size_t index);
/* ITERA_ERR_TOKEN when an id is not below `vocabulary`, ITERA_ERR_ARGUMENT when there are not T + 2 of them.
 */
itera_status itera_tokens_check(const itera_tokens *tokens, uint32_t vocabulary, int T, itera_error *error);

/* Windows an epoch has. */
size_t itera_tokens_windows(const itera_tokens *tokens, int T);
/* Fills B sequences of inputs and their successors, samples first .. first + B - 1. */
void itera_tokens_batch(const itera_tokens *tokens, uint64_t seed, uint64_t first, int B, int T,
                        int32_t *inputs, int32_t *targets);

/* Evaluation: one document a sequence, from *at on; longer ones go on in the next sequence without their
 * past. Targets after a document's end are -1. Returns false when nothing is left. */
bool itera_tokens_documents(const itera_tokens *tokens, size_t *at, int B, int T, int32_t *inputs,
                            int32_t *targets);

#endif
