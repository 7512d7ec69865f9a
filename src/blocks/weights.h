/* Weights: which tensors a model wants, where each goes, and the bytes as they arrive.
 *
 * While an architecture is read, every block asks for its tensors here. Afterwards all of them get one
 * allocation. A tensor's raw bytes are written to their final place in any order and in pieces of any size;
 * when the last byte is there the tensor is packed in place (rows interleaved by four, see
 * kernels/kernels.h), a batch of rows at a time, so the peak is the packed model plus the most of a quarter of a
 * megabyte, four rows and the largest vector, and that once more where it is transposed. */
#ifndef ITERA_BLOCKS_WEIGHTS_H
#define ITERA_BLOCKS_WEIGHTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/pool.h"
#include "base/status.h"
#include "gguf/gguf.h"
#include "kernels/kernels.h"

/* Equal matrices stacked along the slowest dimension: the experts of a layer. */
typedef struct itera_experts {
    itera_matrix first;   /* expert 0 */
    size_t stride;        /* bytes from one expert's packed data to the next's */
    int32_t count;        /* X; 0 when the layer has none */
} itera_experts;

static inline itera_matrix itera_expert(const itera_experts *experts, int index)
{
    itera_matrix matrix = experts->first;
    matrix.data += (size_t)index * experts->stride;
    return matrix;
}

typedef struct itera_weights itera_weights;

/* Returns NULL when out of memory. `gguf` is borrowed and must outlive the weights' loading. */
itera_weights *itera_weights_create(const itera_gguf *gguf);
void itera_weights_free(itera_weights *weights);

/* ---- Asking, before itera_weights_allocate. `out` is filled at allocation, so it must not move.
 * A missing tensor or another shape is ITERA_ERR_CORRUPT and names the tensor. */

bool itera_weights_has(const itera_weights *weights, const char *name);
/* A [rows, cols] matrix (GGUF dimensions cols, rows). */
itera_status itera_weights_matrix(itera_weights *weights, itera_matrix *out, const char *name, uint32_t rows,
                                  uint32_t cols, itera_error *error);
/* `count` stacked [rows, cols] matrices, of which `used` are active a token. */
itera_status itera_weights_experts(itera_weights *weights, itera_experts *out, const char *name, uint32_t count,
                                   uint32_t used, uint32_t rows, uint32_t cols, itera_error *error);
/* `n` values expanded to f32, whatever the shape they are written in. */
itera_status itera_weights_vector(itera_weights *weights, const float **out, const char *name, uint64_t n,
                                  itera_error *error);
/* A [rows, cols] tensor expanded to f32 and transposed to [cols, rows]. */
itera_status itera_weights_transposed(itera_weights *weights, const float **out, const char *name, uint32_t rows,
                                      uint32_t cols, itera_error *error);
/* Length of dimension `index` of a tensor, 0 when the tensor is absent or that does not fit 32 bits. */
uint32_t itera_weights_dim(const itera_weights *weights, const char *name, int index);

/* ---- Loading. */

/* Allocates all that was asked for and fills every `out`. Afterwards nothing can be asked. */
itera_status itera_weights_allocate(itera_weights *weights, itera_error *error);
/* Bytes `file_offset`.. of the file. Bytes outside the tensors asked for are ignored, bytes that came before are
 * harmless. Large tensors are packed on the pool, NULL for this thread alone. ITERA_OK when every tensor is complete,
 * else ITERA_NEED_MORE; ITERA_ERR_MEMORY, and ITERA_ERR_ARGUMENT for bytes beyond any file's end. */
itera_status itera_weights_push(itera_weights *weights, itera_pool *pool, uint64_t file_offset, const uint8_t *bytes,
                                size_t n, itera_error *error);
/* ITERA_OK, or ITERA_ERR_INCOMPLETE naming a tensor that is missing bytes. */
itera_status itera_weights_ready(const itera_weights *weights, itera_error *error);

/* A hash over name, type, shape and file bytes of every tensor asked for, whatever their order in the file and the
 * order in which they came. Needs complete weights. */
uint64_t itera_weights_identity(const itera_weights *weights);

/* ---- Figures. */
typedef struct itera_weight_counts {
    uint64_t parameters;        /* elements of all tensors asked for */
    uint64_t active_parameters; /* the same without the experts that a token does not visit */
    uint64_t matrix_macs;       /* multiply-adds a token in the active matrices, embedding look-up included */
    uint64_t bytes;             /* the one allocation */
} itera_weight_counts;
itera_weight_counts itera_weights_counts(const itera_weights *weights);

#endif
