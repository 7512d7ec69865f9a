#include "blocks/weights.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/memory.h"
#include "blocks/intervals.h"
#include "quant/pack.h"

/* Raw bytes that are packed at once: within the second-level cache, and enough for threads to meet over. */
#define BATCH_BYTES ((size_t)256 << 10)

/* How the raw bytes of a tensor become what the kernels read. */
typedef enum form {
    FORM_PACKED,     /* matrices, rows interleaved by four */
    FORM_F32,        /* values expanded to f32 */
    FORM_TRANSPOSED, /* values expanded to f32, [rows, cols] to [cols, rows] */
} form;

/* One tensor asked for. */
typedef struct placement {
    const itera_gguf_tensor *tensor;
    const itera_type_info *type;
    form form;
    uint32_t matrices, rows, cols;
    uint64_t packed_bytes;  /* of the final form */
    uint8_t *data;          /* its region, max(raw, packed) bytes */
    itera_matrix *matrix;   /* filled at allocation; one of these three is set */
    itera_experts *experts;
    const float **vector;
    itera_intervals arrived; /* byte ranges of the raw tensor */
    bool complete;
} placement;

struct itera_weights {
    const itera_gguf *gguf;
    placement *items; /* in the order asked; sorted by file offset at allocation */
    size_t count, capacity;
    size_t incomplete;
    uint8_t *block;        /* the one allocation */
    uint8_t *scratch;      /* raw bytes on the way to their final form; NULL once all are there */
    itera_weight_counts counts;
    uint64_t identity;     /* sum of the complete tensors' hashes */
};

itera_weights *itera_weights_create(const itera_gguf *gguf)
{
    itera_weights *weights = itera_memory_zeroed(1, sizeof *weights);
    if (weights != NULL) {
        weights->gguf = gguf;
    }
    return weights;
}

void itera_weights_free(itera_weights *weights)
{
    if (weights == NULL) {
        return;
    }
    for (size_t i = 0; i < weights->count; i++) {
        itera_intervals_free(&weights->items[i].arrived);
    }
    free(weights->items);
    free(weights->block);
    free(weights->scratch);
    free(weights);
}

bool itera_weights_has(const itera_weights *weights, const char *name)
{
    return itera_gguf_find_tensor(weights->gguf, name) != NULL;
}

uint32_t itera_weights_dim(const itera_weights *weights, const char *name, int index)
{
    const itera_gguf_tensor *tensor = itera_gguf_find_tensor(weights->gguf, name);
    if (tensor == NULL || tensor->dims[index] > UINT32_MAX) {
        return 0;
    }
    return (uint32_t)tensor->dims[index];
}

itera_weight_counts itera_weights_counts(const itera_weights *weights)
{
    return weights->counts;
}

uint64_t itera_weights_identity(const itera_weights *weights)
{
    return weights->identity;
}

/* ---- Asking ---------------------------------------------------------------------------------- */

static itera_status find(const itera_weights *weights, const char *name, const itera_gguf_tensor **tensor,
                         itera_error *error)
{
    *tensor = itera_gguf_find_tensor(weights->gguf, name);
    if (*tensor == NULL) {
        return itera_fail(error, ITERA_ERR_CORRUPT, "the file has no tensor %s, which its architecture needs", name);
    }
    return ITERA_OK;
}

static itera_status append(itera_weights *weights, const placement *item, itera_error *error)
{
    assert(weights->block == NULL);
    placement *items = itera_memory_grow(weights->items, &weights->capacity, weights->count + 1, sizeof *items);
    if (items == NULL) {
        return itera_fail(error, ITERA_ERR_MEMORY, "out of memory while planning the weights");
    }
    weights->items = items;
    weights->items[weights->count++] = *item;
    return ITERA_OK;
}

static itera_status ask_packed(itera_weights *weights, placement *item, const char *name, uint32_t used,
                               itera_error *error)
{
    const itera_gguf_tensor *tensor;
    ITERA_TRY(find(weights, name, &tensor, error));
    if (tensor->dims[0] != item->cols || tensor->dims[1] != item->rows || tensor->dims[2] != item->matrices ||
        tensor->dims[3] != 1) {
        return itera_fail(error, ITERA_ERR_CORRUPT, "tensor %s is %llu x %llu x %llu, expected %u x %u x %u", name,
                          (unsigned long long)tensor->dims[0], (unsigned long long)tensor->dims[1],
                          (unsigned long long)tensor->dims[2], item->cols, item->rows, item->matrices);
    }
    item->tensor = tensor;
    item->type = itera_type_lookup(tensor->type);
    item->form = FORM_PACKED;
    uint64_t groups = (uint64_t)item->matrices * ((item->rows + 3) / 4);
    const uint64_t group_bytes = itera_pack_group_bytes(item->type->type, item->cols);
    if (group_bytes > SIZE_MAX / 2) {
        return itera_fail(error, ITERA_ERR_MEMORY, "the rows of tensor %s are longer than any memory", name);
    }
    item->packed_bytes = groups * group_bytes;
    uint64_t elements = (uint64_t)item->rows * item->cols * item->matrices;
    weights->counts.parameters += elements;
    weights->counts.active_parameters += elements / item->matrices * used;
    weights->counts.matrix_macs += elements / item->matrices * used;
    return append(weights, item, error);
}

itera_status itera_weights_matrix(itera_weights *weights, itera_matrix *out, const char *name, uint32_t rows,
                                  uint32_t cols, itera_error *error)
{
    placement item = {.matrix = out, .matrices = 1, .rows = rows, .cols = cols};
    return ask_packed(weights, &item, name, 1, error);
}

itera_status itera_weights_experts(itera_weights *weights, itera_experts *out, const char *name, uint32_t count,
                                   uint32_t used, uint32_t rows, uint32_t cols, itera_error *error)
{
    placement item = {.experts = out, .matrices = count, .rows = rows, .cols = cols};
    return ask_packed(weights, &item, name, used, error);
}

static itera_status ask_f32(itera_weights *weights, placement *item, const char *name, uint64_t n,
                            itera_error *error)
{
    const itera_gguf_tensor *tensor;
    ITERA_TRY(find(weights, name, &tensor, error));
    uint64_t elements = tensor->dims[0] * tensor->dims[1] * tensor->dims[2] * tensor->dims[3];
    if (elements != n) {
        return itera_fail(error, ITERA_ERR_CORRUPT, "tensor %s has %llu values, expected %llu", name,
                          (unsigned long long)elements, (unsigned long long)n);
    }
    item->tensor = tensor;
    item->type = itera_type_lookup(tensor->type);
    item->packed_bytes = n * sizeof(float);
    weights->counts.parameters += n;
    weights->counts.active_parameters += n;
    return append(weights, item, error);
}

itera_status itera_weights_vector(itera_weights *weights, const float **out, const char *name, uint64_t n,
                                  itera_error *error)
{
    placement item = {.vector = out, .form = FORM_F32, .matrices = 1, .rows = 1, .cols = 0};
    return ask_f32(weights, &item, name, n, error);
}

itera_status itera_weights_transposed(itera_weights *weights, const float **out, const char *name, uint32_t rows,
                                      uint32_t cols, itera_error *error)
{
    if (itera_weights_has(weights, name) && itera_weights_dim(weights, name, 0) != cols) {
        return itera_fail(error, ITERA_ERR_CORRUPT, "tensor %s has rows of %u values, expected %u", name,
                          itera_weights_dim(weights, name, 0), cols);
    }
    placement item = {.vector = out, .form = FORM_TRANSPOSED, .matrices = 1, .rows = rows, .cols = cols};
    return ask_f32(weights, &item, name, (uint64_t)rows * cols, error);
}

/* ---- Allocation ------------------------------------------------------------------------------ */

static int by_offset(const void *a, const void *b)
{
    uint64_t left = ((const placement *)a)->tensor->offset, right = ((const placement *)b)->tensor->offset;
    return left < right ? -1 : left > right;
}

static void fill_outputs(placement *item)
{
    if (item->vector != NULL) {
        *item->vector = (const float *)item->data;
        return;
    }
    itera_matrix matrix = {.data = item->data,
                           .type = item->type->type,
                           .rows = (int32_t)item->rows,
                           .cols = (int32_t)item->cols,
                           .group_bytes = (size_t)itera_pack_group_bytes(item->type->type, item->cols)};
    if (item->matrix != NULL) {
        *item->matrix = matrix;
    } else {
        *item->experts = (itera_experts){
            .first = matrix, .stride = matrix.group_bytes * ((item->rows + 3) / 4), .count = (int32_t)item->matrices};
    }
}

static void take_regions(itera_weights *weights, itera_arena *arena)
{
    for (size_t i = 0; i < weights->count; i++) {
        placement *item = &weights->items[i];
        uint64_t raw = item->tensor->bytes;
        item->data = itera_arena_take(arena, raw > item->packed_bytes ? raw : item->packed_bytes, 1);
    }
}

itera_status itera_weights_allocate(itera_weights *weights, itera_error *error)
{
    qsort(weights->items, weights->count, sizeof *weights->items, by_offset);
    uint64_t widest = 0;
    for (size_t i = 0; i < weights->count; i++) {
        const placement *item = &weights->items[i];
        if (i > 0 && item->tensor == weights->items[i - 1].tensor) {
            return itera_fail(error, ITERA_ERR_ARGUMENT, "tensor %.*s was asked for twice",
                              (int)item->tensor->name.length, item->tensor->name.data);
        }
        uint64_t bytes = item->tensor->bytes; /* at once: a vector, or a batch of at least a group */
        if (item->form == FORM_PACKED && bytes > BATCH_BYTES) {
            uint64_t group = bytes / ((uint64_t)item->rows * item->matrices) * 4;
            bytes = group > BATCH_BYTES ? group : BATCH_BYTES;
        }
        widest = bytes > widest ? bytes : widest;
    }
    itera_arena arena = {0};
    take_regions(weights, &arena);
    const uint64_t total = itera_arena_block_bytes(&arena);
    weights->block = itera_memory_alloc(total);
    weights->scratch = itera_memory_alloc(widest);
    if (weights->block == NULL || weights->scratch == NULL) {
        return itera_fail(error, ITERA_ERR_MEMORY, "not enough memory for %llu MB of weights",
                          (unsigned long long)(total >> 20));
    }
    arena = itera_arena_over(weights->block, total);
    take_regions(weights, &arena);
    for (size_t i = 0; i < weights->count; i++) {
        fill_outputs(&weights->items[i]);
    }
    weights->incomplete = weights->count;
    weights->counts.bytes = total;
    return ITERA_OK;
}

/* ---- Arrival --------------------------------------------------------------------------------- */

/* Where the rows of a group of the whole tensor (matrices stacked) begin among the raw bytes; of the group behind the
 * last: their end. */
static size_t raw_offset(const placement *item, uint64_t group, size_t row_bytes)
{
    uint64_t groups = (item->rows + 3) / 4;
    return (size_t)((group / groups * item->rows + group % groups * 4) * row_bytes);
}

/* Some groups of a tensor, their raw rows in the scratch. */
typedef struct batch {
    const placement *item;
    const uint8_t *raw;
    uint64_t first;
    int count;
    size_t row_bytes, group_bytes;
} batch;

static void pack_share(void *context, itera_team team)
{
    const batch *b = context;
    const itera_range share = itera_share(team, b->count, 1);
    const size_t begin = raw_offset(b->item, b->first, b->row_bytes);
    for (int i = share.begin; i < share.end; i++) {
        const uint64_t group = b->first + (uint64_t)i;
        const uint8_t *raw = b->raw + (raw_offset(b->item, group, b->row_bytes) - begin);
        const uint8_t *end = b->raw + (raw_offset(b->item, group + 1, b->row_bytes) - begin);
        const void *rows[4] = {NULL, NULL, NULL, NULL};
        for (int row = 0; raw < end; row++, raw += b->row_bytes) {
            rows[row] = raw;
        }
        itera_pack_group(b->item->data + group * b->group_bytes, b->item->type->type, b->item->cols, rows);
    }
}

/* In place, from the end: no type packs smaller than it is stored, so that the packed groups of a batch lie on its own
 * raw rows, which were copied, and on those of groups that are done. */
static void pack(const itera_weights *weights, const placement *item, itera_pool *pool)
{
    const size_t row_bytes = (size_t)(item->tensor->bytes / ((uint64_t)item->rows * item->matrices));
    batch b = {.item = item,
               .raw = weights->scratch,
               .first = (uint64_t)item->matrices * ((item->rows + 3) / 4),
               .row_bytes = row_bytes,
               .group_bytes = (size_t)itera_pack_group_bytes(item->type->type, item->cols)};
    assert(b.group_bytes >= 4 * row_bytes);
    const uint64_t most = 4 * row_bytes < BATCH_BYTES ? BATCH_BYTES / (4 * row_bytes) : 1;
    while (b.first > 0) {
        const uint64_t end = b.first;
        b.count = (int)(end < most ? end : most);
        b.first -= (uint64_t)b.count;
        const size_t begin = raw_offset(item, b.first, row_bytes);
        memcpy(weights->scratch, item->data + begin, raw_offset(item, end, row_bytes) - begin);
        itera_parallel(item->tensor->bytes < BATCH_BYTES ? NULL : pool, pack_share, &b);
    }
}

static itera_status expand(const itera_weights *weights, placement *item, itera_error *error)
{
    size_t n = (size_t)(item->packed_bytes / sizeof(float));
    memcpy(weights->scratch, item->data, (size_t)item->tensor->bytes);
    float *out = (float *)(void *)item->data;
    if (item->form == FORM_F32) {
        item->type->dequantize(out, weights->scratch, n);
        return ITERA_OK;
    }
    float *values = itera_memory_alloc((uint64_t)n * sizeof(float));
    if (values == NULL) {
        return itera_fail(error, ITERA_ERR_MEMORY, "out of memory while transposing a tensor");
    }
    item->type->dequantize(values, weights->scratch, n);
    for (uint32_t row = 0; row < item->rows; row++) {
        for (uint32_t col = 0; col < item->cols; col++) {
            out[(size_t)col * item->rows + row] = values[(size_t)row * item->cols + col];
        }
    }
    free(values);
    return ITERA_OK;
}

/* Of the raw bytes, before they are packed. */
static uint64_t hash_tensor(const placement *item)
{
    const itera_gguf_tensor *tensor = item->tensor;
    uint64_t h = itera_hash(tensor->type, tensor->name.data, tensor->name.length);
    h = itera_hash(h, tensor->dims, sizeof tensor->dims);
    return itera_hash(h, item->data, (size_t)tensor->bytes);
}

static itera_status complete(itera_weights *weights, placement *item, itera_pool *pool, itera_error *error)
{
    uint64_t hash = hash_tensor(item);
    if (item->form == FORM_PACKED) {
        pack(weights, item, pool);
    } else {
        ITERA_TRY(expand(weights, item, error));
    }
    item->complete = true;
    itera_intervals_free(&item->arrived);
    weights->identity += hash; /* a sum: tensors complete in any order */
    if (--weights->incomplete == 0) {
        free(weights->scratch);
        weights->scratch = NULL;
    }
    return ITERA_OK;
}

/* Index of the first placement that ends after `offset`. */
static size_t first_after(const itera_weights *weights, uint64_t offset)
{
    size_t low = 0, high = weights->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const itera_gguf_tensor *tensor = weights->items[middle].tensor;
        if (tensor->offset + tensor->bytes <= offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

itera_status itera_weights_push(itera_weights *weights, itera_pool *pool, uint64_t file_offset, const uint8_t *bytes,
                                size_t n, itera_error *error)
{
    assert(weights->block != NULL);
    if (weights->incomplete == 0) { /* and the header, which says where tensors are, may have been released */
        return ITERA_OK;
    }
    if (file_offset > UINT64_MAX - n) {
        return itera_fail(error, ITERA_ERR_ARGUMENT, "a piece of the file beyond any file's end");
    }
    uint64_t end = file_offset + n;
    for (size_t i = first_after(weights, file_offset); i < weights->count; i++) {
        placement *item = &weights->items[i];
        uint64_t begin = item->tensor->offset, limit = begin + item->tensor->bytes;
        if (begin >= end) {
            break;
        }
        if (item->complete) {
            continue;
        }
        uint64_t from = file_offset > begin ? file_offset : begin, to = end < limit ? end : limit;
        memcpy(item->data + (from - begin), bytes + (from - file_offset), (size_t)(to - from));
        if (!itera_intervals_add(&item->arrived, from - begin, to - begin)) {
            return itera_fail(error, ITERA_ERR_MEMORY, "out of memory while loading");
        }
        if (itera_intervals_cover(&item->arrived, item->tensor->bytes)) {
            ITERA_TRY(complete(weights, item, pool, error));
        }
    }
    return weights->incomplete == 0 ? ITERA_OK : ITERA_NEED_MORE;
}

itera_status itera_weights_ready(const itera_weights *weights, itera_error *error)
{
    for (size_t i = 0; i < weights->count; i++) {
        const placement *item = &weights->items[i];
        if (!item->complete) {
            return itera_fail(error, ITERA_ERR_INCOMPLETE, "the file ends before tensor %.*s is complete (%zu missing)",
                              (int)(item->tensor->name.length < 80 ? item->tensor->name.length : 80),
                              item->tensor->name.data, weights->incomplete);
        }
    }
    return ITERA_OK;
}
