/* The incremental parser. It is a chain of steps: each one names the number of bytes it needs and is called
 * once they have all arrived. A call that brings too few only stores them, so any piece size costs linear
 * time, inside the longest array as well. */
#include "gguf/reader.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "gguf/format.h"

/* Bytes copied before the parser looks again; a caller may feed a whole file, of which we keep the header. */
enum { COPY_BYTES = 64 << 10 };

static itera_gguf_step read_magic, read_version, read_counts;
static itera_gguf_step read_key_length, read_key, read_value, read_array, read_string_length, read_string;
static itera_gguf_step read_name_length, read_name, read_shape;

itera_gguf *itera_gguf_create(void)
{
    itera_gguf *gguf = itera_memory_resize(NULL, sizeof *gguf);
    if (gguf != NULL) {
        *gguf = (itera_gguf){.step = read_magic, .need = 4};
    }
    return gguf;
}

void itera_gguf_free(itera_gguf *gguf)
{
    if (gguf != NULL) {
        free(gguf->header);
        free(gguf->kvs);
        free(gguf->tensors);
        free(gguf->kv_names);
        free(gguf->tensor_names);
        free(gguf);
    }
}

static itera_status out_of_memory(itera_error *error)
{
    return itera_fail(error, ITERA_ERR_MEMORY, "not enough memory for the header of the file");
}

static itera_status append(itera_gguf *gguf, const uint8_t *bytes, size_t n, itera_error *error)
{
    uint8_t *grown = itera_memory_grow(gguf->header, &gguf->header_capacity, gguf->header_bytes + n, 1);
    if (grown == NULL) {
        return out_of_memory(error);
    }
    gguf->header = grown;
    memcpy(gguf->header + gguf->header_bytes, bytes, n);
    gguf->header_bytes += n;
    return ITERA_OK;
}

/* Takes every step whose bytes are there. */
static itera_status advance(itera_gguf *gguf, itera_error *error)
{
    while (gguf->step != NULL) {
        if (gguf->header_bytes - gguf->at < gguf->need) {
            return ITERA_NEED_MORE;
        }
        const uint8_t *bytes = gguf->header + gguf->at;
        gguf->at += gguf->need;
        ITERA_TRY(gguf->step(gguf, bytes, error));
    }
    return ITERA_OK;
}

itera_status itera_gguf_feed(itera_gguf *gguf, const uint8_t *bytes, size_t n, itera_error *error)
{
    if (gguf->failed) {
        return itera_fail(error, ITERA_ERR_ARGUMENT, "the header was refused before; it cannot be read on");
    }
    itera_status status = gguf->step == NULL ? ITERA_OK : ITERA_NEED_MORE;
    while (status == ITERA_NEED_MORE && n > 0) {
        size_t piece = n < COPY_BYTES ? n : COPY_BYTES;
        status = append(gguf, bytes, piece, error);
        if (status == ITERA_OK) {
            status = advance(gguf, error);
        }
        bytes += piece;
        n -= piece;
    }
    gguf->failed = status < 0;
    return status;
}

/* Sets the next step. The size of the whole header is bounded here: `need` may come from the file. */
static itera_status expect(itera_gguf *gguf, uint64_t need, itera_gguf_step *step, itera_error *error)
{
    if (need > ITERA_GGUF_MAX_HEADER_BYTES - gguf->at) {
        return itera_fail(error, ITERA_ERR_CORRUPT, "the header is larger than the %d MB allowed",
                          ITERA_GGUF_MAX_HEADER_BYTES >> 20);
    }
    gguf->need = (size_t)need;
    gguf->step = step;
    return ITERA_OK;
}

/* ---- Magic, version, counts ---- */

static itera_status not_gguf(const uint8_t *magic, itera_error *error)
{
    static const struct {
        char magic[5];
        const char *text;
    } familiar[] = {
        {"<!DO", "it is a web page, perhaps the error page of a server"},
        {"<!do", "it is a web page, perhaps the error page of a server"},
        {"<htm", "it is a web page, perhaps the error page of a server"},
        {"vers", "it looks like a Git LFS pointer, which stands for the real file"},
        {"PK\3\4", "it is a zip archive, perhaps a PyTorch checkpoint"},
        {"lmgg", "it is a GGML file from before GGUF"},
        {"fmgg", "it is a GGML file from before GGUF"},
        {"tjgg", "it is a GGJT file from before GGUF"},
        {"FUGG", "its bytes are swapped"},
    };
    for (size_t i = 0; i < sizeof familiar / sizeof familiar[0]; i++) {
        if (memcmp(magic, familiar[i].magic, 4) == 0) {
            return itera_fail(error, ITERA_ERR_NOT_GGUF, "this is not a GGUF file: %s", familiar[i].text);
        }
    }
    return itera_fail(error, ITERA_ERR_NOT_GGUF,
                      "this is not a GGUF file: it begins with %02x %02x %02x %02x", magic[0], magic[1],
                      magic[2], magic[3]);
}

static itera_status read_magic(itera_gguf *gguf, const uint8_t *bytes, itera_error *error)
{
    if (memcmp(bytes, "GGUF", 4) != 0) {
        return not_gguf(bytes, error);
    }
    return expect(gguf, 4, read_version, error);
}

static itera_status read_version(itera_gguf *gguf, const uint8_t *bytes, itera_error *error)
{
    gguf->version = itera_load_u32(bytes);
    if (gguf->version != 0 && (gguf->version & 0xffff) == 0) {
        return itera_fail(error, ITERA_ERR_NOT_GGUF,
                          "this GGUF file is big-endian; only little-endian files are read");
    }
    if (gguf->version != 2 && gguf->version != 3) { /* version 1 had 32-bit counts; 2 and 3 look the same */
        return itera_fail(error, ITERA_ERR_NOT_GGUF,
                          "GGUF version %" PRIu32 " is not supported, only 2 and 3", gguf->version);
    }
    return expect(gguf, 16, read_counts, error);
}

static itera_status next_kv(itera_gguf *gguf, itera_error *error);
static itera_status next_tensor(itera_gguf *gguf, itera_error *error);

static itera_status read_counts(itera_gguf *gguf, const uint8_t *bytes, itera_error *error)
{
    gguf->tensors_declared = itera_load_u64(bytes);
    gguf->kvs_declared = itera_load_u64(bytes + 8);
    if (gguf->tensors_declared > ITERA_GGUF_MAX_TENSORS) {
        return itera_fail(error, ITERA_ERR_CORRUPT, "%" PRIu64 " tensors are more than the %d allowed",
                          gguf->tensors_declared, ITERA_GGUF_MAX_TENSORS);
    }
    if (gguf->kvs_declared > ITERA_GGUF_MAX_KVS) {
        return itera_fail(error, ITERA_ERR_CORRUPT,
                          "%" PRIu64 " metadata entries are more than the %d allowed", gguf->kvs_declared,
                          ITERA_GGUF_MAX_KVS);
    }
    return next_kv(gguf, error);
}

/* ---- Metadata ---- */

static itera_gguf_kv_record *current_kv(itera_gguf *gguf)
{
    return &gguf->kvs[gguf->kv_count - 1];
}

static itera_gguf_string current_key(itera_gguf *gguf)
{
    itera_gguf_kv_record *record = current_kv(gguf);
    return (itera_gguf_string){(const char *)gguf->header + record->key_at, record->kv.key.length};
}

static itera_status next_kv(itera_gguf *gguf, itera_error *error)
{
    if (gguf->kv_count == gguf->kvs_declared) {
        return next_tensor(gguf, error);
    }
    return expect(gguf, 8, read_key_length, error);
}

static itera_status read_key_length(itera_gguf *gguf, const uint8_t *bytes, itera_error *error)
{
    uint64_t length = itera_load_u64(bytes);
    ITERA_TRY(itera_gguf_check_name_length("metadata key", length, ITERA_GGUF_MAX_KEY_BYTES, error));
    void *grown = itera_memory_grow(gguf->kvs, &gguf->kv_capacity, gguf->kv_count + 1, sizeof *gguf->kvs);
    if (grown == NULL) {
        return out_of_memory(error);
    }
    gguf->kvs = grown;
    gguf->kvs[gguf->kv_count++] = (itera_gguf_kv_record){.kv.key.length = (size_t)length, .key_at = gguf->at};
    return expect(gguf, length + 4, read_key, error);
}

static itera_status bad_value_type(itera_gguf *gguf, uint32_t type, itera_error *error)
{
    return itera_fail(error, ITERA_ERR_CORRUPT,
                      "metadata '%.*s' has value type %" PRIu32 ", which does not exist",
                      ITERA_GGUF_SHOWN(current_key(gguf)), type);
}

/* The key, and the type of its value. */
static itera_status read_key(itera_gguf *gguf, const uint8_t *bytes, itera_error *error)
{
    itera_gguf_kv_record *record = current_kv(gguf);
    uint32_t type = itera_load_u32(bytes + record->kv.key.length);
    record->kv.type = record->kv.element_type = (itera_gguf_value_type)type;
    record->kv.count = 1;
    record->value_at = gguf->at;
    if (type == ITERA_GGUF_ARRAY) {
        return expect(gguf, 4 + 8, read_array, error);
    }
    if (type == ITERA_GGUF_STRING) {
        gguf->strings_left = 1;
        return expect(gguf, 8, read_string_length, error);
    }
    size_t size = itera_gguf_value_bytes(type);
    return size > 0 ? expect(gguf, size, read_value, error) : bad_value_type(gguf, type, error);
}

/* All bytes of a scalar or of an array of fixed-size elements; also the end of a string or of many. */
static itera_status read_value(itera_gguf *gguf, const uint8_t *bytes, itera_error *error)
{
    itera_gguf_kv_record *record = current_kv(gguf);
    record->kv.value_bytes = gguf->at - record->value_at;
    if (record->kv.element_type == ITERA_GGUF_BOOL) {
        for (uint64_t i = 0; i < record->kv.count; i++) {
            if (bytes[i] > 1) {
                return itera_fail(error, ITERA_ERR_CORRUPT, "metadata '%.*s' holds a bool of value %d",
                                  ITERA_GGUF_SHOWN(current_key(gguf)), bytes[i]);
            }
        }
    }
    return next_kv(gguf, error);
}

static itera_status next_string(itera_gguf *gguf, itera_error *error)
{
    return gguf->strings_left > 0 ? expect(gguf, 8, read_string_length, error)
                                  : read_value(gguf, NULL, error);
}

static itera_status read_array(itera_gguf *gguf, const uint8_t *bytes, itera_error *error)
{
    uint32_t type = itera_load_u32(bytes);
    uint64_t count = itera_load_u64(bytes + 4);
    itera_gguf_kv_record *record = current_kv(gguf);
    size_t size = itera_gguf_value_bytes(type);
    if (type == ITERA_GGUF_ARRAY) {
        return itera_fail(error, ITERA_ERR_CORRUPT,
                          "metadata '%.*s' is an array of arrays, which is not allowed",
                          ITERA_GGUF_SHOWN(current_key(gguf)));
    }
    if (size == 0 && type != ITERA_GGUF_STRING) {
        return bad_value_type(gguf, type, error);
    }
    if (count > ITERA_GGUF_MAX_ARRAY_COUNT) {
        return itera_fail(error, ITERA_ERR_CORRUPT,
                          "metadata '%.*s' has %" PRIu64 " elements, more than the %d allowed",
                          ITERA_GGUF_SHOWN(current_key(gguf)), count, ITERA_GGUF_MAX_ARRAY_COUNT);
    }
    record->kv.element_type = (itera_gguf_value_type)type;
    record->kv.count = count;
    record->value_at = gguf->at;
    if (type == ITERA_GGUF_STRING) {
        gguf->strings_left = count;
        return next_string(gguf, error);
    }
    return expect(gguf, count * size, read_value, error);
}

static itera_status read_string_length(itera_gguf *gguf, const uint8_t *bytes, itera_error *error)
{
    uint64_t length = itera_load_u64(bytes);
    if (length > ITERA_GGUF_MAX_STRING_BYTES) {
        return itera_fail(error, ITERA_ERR_CORRUPT,
                          "metadata '%.*s' has a string of %" PRIu64 " bytes, more than the %d MB allowed",
                          ITERA_GGUF_SHOWN(current_key(gguf)), length, ITERA_GGUF_MAX_STRING_BYTES >> 20);
    }
    gguf->strings_left--;
    return expect(gguf, length, read_string, error);
}

static itera_status read_string(itera_gguf *gguf, const uint8_t *bytes, itera_error *error)
{
    (void)bytes; /* any bytes will do */
    return next_string(gguf, error);
}

/* ---- Tensor infos ---- */

static itera_status next_tensor(itera_gguf *gguf, itera_error *error)
{
    if (gguf->tensor_count == gguf->tensors_declared) {
        gguf->step = NULL;
        return itera_gguf_finish(gguf, error);
    }
    return expect(gguf, 8, read_name_length, error);
}

static itera_status read_name_length(itera_gguf *gguf, const uint8_t *bytes, itera_error *error)
{
    uint64_t length = itera_load_u64(bytes);
    ITERA_TRY(itera_gguf_check_name_length("tensor name", length, ITERA_GGUF_MAX_NAME_BYTES, error));
    void *grown = itera_memory_grow(gguf->tensors, &gguf->tensor_capacity, gguf->tensor_count + 1,
                                    sizeof *gguf->tensors);
    if (grown == NULL) {
        return out_of_memory(error);
    }
    gguf->tensors = grown;
    gguf->tensors[gguf->tensor_count++] =
        (itera_gguf_tensor_record){.tensor.name.length = (size_t)length, .name_at = gguf->at};
    return expect(gguf, length + 4, read_name, error);
}

/* The name, and the number of dimensions. */
static itera_status read_name(itera_gguf *gguf, const uint8_t *bytes, itera_error *error)
{
    itera_gguf_tensor *tensor = &gguf->tensors[gguf->tensor_count - 1].tensor;
    tensor->n_dims = itera_load_u32(bytes + tensor->name.length);
    if (tensor->n_dims < 1 || tensor->n_dims > ITERA_GGUF_MAX_DIMS) {
        tensor->name.data = (const char *)bytes;
        return itera_gguf_measure_tensor(tensor, error); /* says what is wrong */
    }
    return expect(gguf, tensor->n_dims * 8 + 4 + 8, read_shape, error);
}

/* Dimensions, type and offset. */
static itera_status read_shape(itera_gguf *gguf, const uint8_t *bytes, itera_error *error)
{
    itera_gguf_tensor_record *record = &gguf->tensors[gguf->tensor_count - 1];
    itera_gguf_tensor *tensor = &record->tensor;
    for (uint32_t d = 0; d < tensor->n_dims; d++) {
        tensor->dims[d] = itera_load_u64(bytes + 8 * d);
    }
    tensor->type = itera_load_u32(bytes + 8 * tensor->n_dims);
    tensor->offset = itera_load_u64(bytes + 8 * tensor->n_dims + 4);
    tensor->name.data = (const char *)gguf->header + record->name_at; /* for messages; set again at the end */
    ITERA_TRY(itera_gguf_measure_tensor(tensor, error));
    return next_tensor(gguf, error);
}
