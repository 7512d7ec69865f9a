/* The check of a header as a whole, once all of its bytes are there. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/memory.h"
#include "gguf/format.h"
#include "gguf/reader.h"

static itera_status out_of_memory(itera_error *error)
{
    return itera_fail(error, ITERA_ERR_MEMORY, "not enough memory to index the header of the file");
}

/* Gives back what was fed beyond the header, and turns positions into pointers: from now on nothing moves. */
static void settle(itera_gguf *gguf)
{
    gguf->header_bytes = gguf->at;
    uint8_t *shrunk = itera_memory_resize(gguf->header, gguf->at);
    if (shrunk != NULL) { /* otherwise the larger block serves as well */
        gguf->header = shrunk;
        gguf->header_capacity = gguf->at;
    }
    for (size_t i = 0; i < gguf->kv_count; i++) {
        itera_gguf_kv_record *record = &gguf->kvs[i];
        record->kv.key.data = (const char *)gguf->header + record->key_at;
        record->kv.value = gguf->header + record->value_at;
    }
    for (size_t i = 0; i < gguf->tensor_count; i++) {
        itera_gguf_tensor_record *record = &gguf->tensors[i];
        record->tensor.name.data = (const char *)gguf->header + record->name_at;
    }
}

static itera_status index_names(itera_gguf *gguf, itera_error *error)
{
    gguf->kv_names = itera_memory_resize(NULL, gguf->kv_count * sizeof *gguf->kv_names);
    gguf->tensor_names = itera_memory_resize(NULL, gguf->tensor_count * sizeof *gguf->tensor_names);
    if (gguf->kv_names == NULL || gguf->tensor_names == NULL) {
        return out_of_memory(error);
    }
    for (size_t i = 0; i < gguf->kv_count; i++) {
        gguf->kv_names[i] = (itera_gguf_name){gguf->kvs[i].kv.key, i};
    }
    for (size_t i = 0; i < gguf->tensor_count; i++) {
        gguf->tensor_names[i] = (itera_gguf_name){gguf->tensors[i].tensor.name, i};
    }
    const itera_gguf_name *twice = itera_gguf_names_sort(gguf->kv_names, gguf->kv_count);
    if (twice != NULL) {
        return itera_fail(error, ITERA_ERR_CORRUPT, "metadata '%.*s' occurs twice",
                          ITERA_GGUF_SHOWN(twice->text));
    }
    twice = itera_gguf_names_sort(gguf->tensor_names, gguf->tensor_count);
    if (twice != NULL) {
        return itera_fail(error, ITERA_ERR_CORRUPT, "tensor '%.*s' occurs twice",
                          ITERA_GGUF_SHOWN(twice->text));
    }
    return ITERA_OK;
}

static itera_status find_alignment(const itera_gguf *gguf, uint32_t *out, itera_error *error)
{
    *out = ITERA_GGUF_DEFAULT_ALIGNMENT;
    const itera_gguf_kv *kv = itera_gguf_find(gguf, "general.alignment");
    if (kv == NULL) {
        return ITERA_OK;
    }
    if (kv->type != ITERA_GGUF_U32) {
        return itera_fail(error, ITERA_ERR_CORRUPT, "general.alignment is not an unsigned 32-bit number");
    }
    *out = itera_load_u32(kv->value);
    if (*out == 0 || *out > ITERA_GGUF_MAX_ALIGNMENT || (*out & (*out - 1)) != 0) {
        return itera_fail(error, ITERA_ERR_CORRUPT,
                          "general.alignment is %" PRIu32 ", not a power of two up to %d", *out,
                          ITERA_GGUF_MAX_ALIGNMENT);
    }
    return ITERA_OK;
}

/* Turns offsets into positions in the file, and finds the end of the last tensor. */
static itera_status place_tensors(itera_gguf *gguf, itera_error *error)
{
    uint32_t alignment;
    ITERA_TRY(find_alignment(gguf, &alignment, error));
    gguf->file_size = gguf->at;
    if (!itera_align_u64(gguf->at, alignment, &gguf->data_offset)) {
        return itera_fail(error, ITERA_ERR_CORRUPT, "the header is larger than any file");
    }
    for (size_t i = 0; i < gguf->tensor_count; i++) {
        itera_gguf_tensor *tensor = &gguf->tensors[i].tensor;
        if (tensor->offset % alignment != 0) {
            return itera_fail(error, ITERA_ERR_CORRUPT,
                              "tensor '%.*s' lies at offset %" PRIu64
                              ", not a multiple of the alignment %" PRIu32,
                              ITERA_GGUF_SHOWN(tensor->name), tensor->offset, alignment);
        }
        uint64_t end;
        if (!itera_add_u64(tensor->offset, gguf->data_offset, &tensor->offset) ||
            !itera_add_u64(tensor->offset, tensor->bytes, &end) || end > ITERA_GGUF_MAX_FILE_BYTES) {
            return itera_fail(error, ITERA_ERR_CORRUPT, "tensor '%.*s' lies beyond the end of any file",
                              ITERA_GGUF_SHOWN(tensor->name));
        }
        if (end > gguf->file_size) {
            gguf->file_size = end;
        }
    }
    return ITERA_OK;
}

static int by_offset(const void *left, const void *right)
{
    uint64_t a = (*(const itera_gguf_tensor *const *)left)->offset;
    uint64_t b = (*(const itera_gguf_tensor *const *)right)->offset;
    return (a > b) - (a < b);
}

static itera_status refuse_overlaps(const itera_gguf *gguf, itera_error *error)
{
    const itera_gguf_tensor **order = itera_memory_resize(NULL, gguf->tensor_count * sizeof *order);
    if (order == NULL) {
        return out_of_memory(error);
    }
    for (size_t i = 0; i < gguf->tensor_count; i++) {
        order[i] = &gguf->tensors[i].tensor;
    }
    qsort(order, gguf->tensor_count, sizeof *order, by_offset);
    itera_status status = ITERA_OK;
    for (size_t i = 1; i < gguf->tensor_count && status == ITERA_OK; i++) {
        const itera_gguf_tensor *before = order[i - 1], *after = order[i];
        if (after->offset - before->offset < before->bytes) {
            status = itera_fail(error, ITERA_ERR_CORRUPT, "tensors '%.*s' and '%.*s' overlap",
                                ITERA_GGUF_SHOWN(before->name), ITERA_GGUF_SHOWN(after->name));
        }
    }
    free(order);
    return status;
}

itera_status itera_gguf_finish(itera_gguf *gguf, itera_error *error)
{
    settle(gguf);
    ITERA_TRY(index_names(gguf, error));
    ITERA_TRY(place_tensors(gguf, error));
    return refuse_overlaps(gguf, error);
}
