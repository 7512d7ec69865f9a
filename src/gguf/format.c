#include "gguf/format.h"

#include <inttypes.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/format.h"
#include "quant/types.h"

size_t itera_gguf_value_bytes(uint32_t value_type)
{
    switch (value_type) {
    case ITERA_GGUF_U8:
    case ITERA_GGUF_I8:
    case ITERA_GGUF_BOOL: return 1;
    case ITERA_GGUF_U16:
    case ITERA_GGUF_I16: return 2;
    case ITERA_GGUF_U32:
    case ITERA_GGUF_I32:
    case ITERA_GGUF_F32: return 4;
    case ITERA_GGUF_U64:
    case ITERA_GGUF_I64:
    case ITERA_GGUF_F64: return 8;
    default: return 0;
    }
}

itera_status itera_gguf_check_name_length(const char *what, uint64_t length, uint64_t limit,
                                          itera_error *error)
{
    if (length == 0) {
        return itera_fail(error, ITERA_ERR_CORRUPT, "a %s is empty", what);
    }
    if (length > limit) {
        return itera_fail(error, ITERA_ERR_CORRUPT,
                          "a %s of %" PRIu64 " bytes is longer than the %" PRIu64 " allowed", what, length,
                          limit);
    }
    return ITERA_OK;
}

itera_status itera_gguf_check_strings(const uint8_t *bytes, size_t n, uint64_t count, itera_error *error)
{
    size_t at = 0;
    for (uint64_t i = 0; i < count; i++) {
        if (n - at < 8) {
            return itera_fail(error, ITERA_ERR_CORRUPT, "string %" PRIu64 " of %" PRIu64 " has no length", i,
                              count);
        }
        uint64_t length = itera_load_u64(bytes + at);
        at += 8;
        if (length > n - at || length > ITERA_GGUF_MAX_STRING_BYTES) {
            return itera_fail(error, ITERA_ERR_CORRUPT,
                              "string %" PRIu64 " of %" PRIu64 " is too long: %" PRIu64 " bytes", i, count,
                              length);
        }
        at += (size_t)length;
    }
    if (at != n) {
        return itera_fail(error, ITERA_ERR_CORRUPT, "%zu bytes follow the last of %" PRIu64 " strings",
                          n - at, count);
    }
    return ITERA_OK;
}

/* Names of the types that exist but that we do not read, so that the error can say which one it met. */
static const char *foreign_type_name(uint32_t type)
{
    static const char *const names[] = {
        [9] = "Q8_1",     [10] = "Q2_K",  [11] = "Q3_K",   [15] = "Q8_K",  [16] = "IQ2_XXS", [17] = "IQ2_XS",
        [18] = "IQ3_XXS", [19] = "IQ1_S", [20] = "IQ4_NL", [21] = "IQ3_S", [22] = "IQ2_S",   [23] = "IQ4_XS",
        [24] = "I8",      [25] = "I16",   [26] = "I32",    [27] = "I64",   [28] = "F64",     [29] = "IQ1_M",
        [34] = "TQ1_0",   [35] = "TQ2_0", [39] = "MXFP4",
    };
    const char *name = type < sizeof names / sizeof names[0] ? names[type] : NULL;
    return name != NULL ? name : "unknown";
}

static itera_status unknown_type(const itera_gguf_tensor *tensor, itera_error *error)
{
    char known[128];
    size_t used = 0;
    known[0] = '\0';
    for (uint32_t id = 0; id < 64 && used < sizeof known; id++) {
        const itera_type_info *info = itera_type_lookup(id);
        if (info != NULL) {
            int length = itera_format(known + used, sizeof known - used, " %s", info->name);
            used += length > 0 ? (size_t)length : 0;
        }
    }
    return itera_fail(error, ITERA_ERR_UNSUPPORTED,
                      "tensor '%.*s' has type %" PRIu32 " (%s); supported types are%s",
                      ITERA_GGUF_SHOWN(tensor->name), tensor->type, foreign_type_name(tensor->type), known);
}

itera_status itera_gguf_measure_tensor(itera_gguf_tensor *tensor, itera_error *error)
{
    if (tensor->n_dims < 1 || tensor->n_dims > ITERA_GGUF_MAX_DIMS) {
        return itera_fail(error, ITERA_ERR_CORRUPT, "tensor '%.*s' has %" PRIu32 " dimensions, not 1 to %d",
                          ITERA_GGUF_SHOWN(tensor->name), tensor->n_dims, ITERA_GGUF_MAX_DIMS);
    }
    uint64_t elements = 1;
    for (uint32_t d = 0; d < ITERA_GGUF_MAX_DIMS; d++) {
        if (d >= tensor->n_dims) {
            tensor->dims[d] = 1;
        }
        if (tensor->dims[d] < 1 || tensor->dims[d] > ITERA_GGUF_MAX_DIM) {
            return itera_fail(error, ITERA_ERR_CORRUPT, "dimension %" PRIu32 " of tensor '%.*s' is %" PRIu64,
                              d, ITERA_GGUF_SHOWN(tensor->name), tensor->dims[d]);
        }
        if (!itera_mul_u64(elements, tensor->dims[d], &elements)) {
            return itera_fail(error, ITERA_ERR_CORRUPT, "tensor '%.*s' has more elements than can be counted",
                              ITERA_GGUF_SHOWN(tensor->name));
        }
    }
    const itera_type_info *info = itera_type_lookup(tensor->type);
    if (info == NULL) {
        return unknown_type(tensor, error);
    }
    if (tensor->dims[0] % info->block_elements != 0) {
        return itera_fail(error, ITERA_ERR_CORRUPT,
                          "rows of tensor '%.*s' have %" PRIu64 " elements, not a multiple of the %" PRIu32
                          " in a %s block",
                          ITERA_GGUF_SHOWN(tensor->name), tensor->dims[0], info->block_elements, info->name);
    }
    if (!itera_mul_u64(elements / info->block_elements, info->block_bytes, &tensor->bytes) ||
        tensor->bytes > ITERA_GGUF_MAX_FILE_BYTES) {
        return itera_fail(error, ITERA_ERR_CORRUPT, "tensor '%.*s' is larger than any file",
                          ITERA_GGUF_SHOWN(tensor->name));
    }
    return ITERA_OK;
}
