#include "gguf/writer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/memory.h"
#include "gguf/format.h"

typedef struct byte_list {
    uint8_t *data;
    size_t length, capacity;
} byte_list;

/* A key or name inside one of the lists, to notice a second one. */
typedef struct placed_name {
    size_t at, length;
} placed_name;

struct itera_gguf_writer {
    byte_list kvs, infos, header; /* encoded; header is both of them with counts before and padding behind */
    placed_name *keys, *names;
    size_t key_count, key_capacity, name_count, name_capacity;
    uint64_t *offsets; /* [name_count] */
    size_t offset_capacity;
    uint64_t next_offset; /* of the tensor to come */
};

itera_gguf_writer *itera_gguf_writer_create(void)
{
    itera_gguf_writer *writer = itera_memory_resize(NULL, sizeof *writer);
    if (writer != NULL) {
        *writer = (itera_gguf_writer){0};
    }
    return writer;
}

void itera_gguf_writer_free(itera_gguf_writer *writer)
{
    if (writer != NULL) {
        free(writer->kvs.data);
        free(writer->infos.data);
        free(writer->header.data);
        free(writer->keys);
        free(writer->names);
        free(writer->offsets);
        free(writer);
    }
}

static itera_status out_of_memory(itera_error *error)
{
    return itera_fail(error, ITERA_ERR_MEMORY, "not enough memory for the header of the file");
}

/* Makes room first, so that the puts that follow cannot fail half-way. */
static bool reserve(byte_list *list, size_t extra)
{
    size_t length;
    if (!itera_add_size(list->length, extra, &length)) {
        return false;
    }
    uint8_t *grown = itera_memory_grow(list->data, &list->capacity, length, 1);
    if (grown == NULL) {
        return false;
    }
    list->data = grown;
    return true;
}

static void put(byte_list *list, const void *bytes, size_t n)
{
    if (n > 0) { /* an empty value may come with a null pointer */
        memcpy(list->data + list->length, bytes, n);
    }
    list->length += n;
}

static void put_u32(byte_list *list, uint32_t value)
{
    put(list, &value, sizeof value);
}

static void put_u64(byte_list *list, uint64_t value)
{
    put(list, &value, sizeof value);
}

static bool holds(const byte_list *list, const placed_name *names, size_t count, const char *text,
                  size_t length)
{
    for (size_t i = 0; i < count; i++) { /* a converter adds a few hundred */
        if (names[i].length == length && memcmp(list->data + names[i].at, text, length) == 0) {
            return true;
        }
    }
    return false;
}

/* Makes room for one more record in a list of names. */
static bool reserve_name(placed_name **names, size_t *capacity, size_t count)
{
    placed_name *grown = itera_memory_grow(*names, capacity, count + 1, sizeof **names);
    if (grown != NULL) {
        *names = grown;
    }
    return grown != NULL;
}

static itera_status wrong_value(itera_gguf_string key, const char *text, itera_error *error)
{
    return itera_fail(error, ITERA_ERR_ARGUMENT, "metadata '%.*s': %s", ITERA_GGUF_SHOWN(key), text);
}

static itera_status check_value(itera_gguf_string key, uint32_t type, uint32_t element_type, uint64_t count,
                                const uint8_t *data, size_t n, itera_error *error)
{
    if (type != ITERA_GGUF_ARRAY && (element_type != type || count != 1)) {
        return wrong_value(key, "a scalar has one element, of its own type", error);
    }
    if (count > ITERA_GGUF_MAX_ARRAY_COUNT) {
        return itera_fail(error, ITERA_ERR_CORRUPT,
                          "metadata '%.*s' has %" PRIu64 " elements, more than the %d allowed",
                          ITERA_GGUF_SHOWN(key), count, ITERA_GGUF_MAX_ARRAY_COUNT);
    }
    if (element_type == ITERA_GGUF_STRING) {
        return itera_gguf_check_strings(data, n, count, error);
    }
    size_t size = itera_gguf_value_bytes(element_type);
    if (size == 0) {
        return wrong_value(key, "no such value type, or an array of arrays", error);
    }
    if (n != count * size) {
        return wrong_value(key, "the bytes of the value do not fit its type and count", error);
    }
    if (element_type == ITERA_GGUF_BOOL) {
        for (size_t i = 0; i < n; i++) {
            if (data[i] > 1) {
                return wrong_value(key, "a bool is 0 or 1", error);
            }
        }
    }
    if (key.length == strlen("general.alignment") && memcmp(key.data, "general.alignment", key.length) == 0 &&
        (type != ITERA_GGUF_U32 || itera_load_u32(data) != ITERA_GGUF_DEFAULT_ALIGNMENT)) {
        return wrong_value(key, "the writer aligns to 32 bytes", error);
    }
    return ITERA_OK;
}

itera_status itera_gguf_writer_add(itera_gguf_writer *writer, const char *key, size_t key_length,
                                   uint32_t type, uint32_t element_type, uint64_t count, const uint8_t *data,
                                   size_t n, itera_error *error)
{
    itera_gguf_string shown = {key, key_length};
    ITERA_TRY(itera_gguf_check_name_length("metadata key", key_length, ITERA_GGUF_MAX_KEY_BYTES, error));
    ITERA_TRY(check_value(shown, type, element_type, count, data, n, error));
    if (writer->key_count == ITERA_GGUF_MAX_KVS || n > ITERA_GGUF_MAX_HEADER_BYTES) {
        return itera_fail(error, ITERA_ERR_CORRUPT, "the metadata is more than a file may have");
    }
    if (holds(&writer->kvs, writer->keys, writer->key_count, key, key_length)) {
        return wrong_value(shown, "the key is there already", error);
    }
    if (!reserve_name(&writer->keys, &writer->key_capacity, writer->key_count) ||
        !reserve(&writer->kvs, 8 + key_length + 4 + 4 + 8 + n)) {
        return out_of_memory(error);
    }
    put_u64(&writer->kvs, key_length);
    writer->keys[writer->key_count++] = (placed_name){writer->kvs.length, key_length};
    put(&writer->kvs, key, key_length);
    put_u32(&writer->kvs, type);
    if (type == ITERA_GGUF_ARRAY) {
        put_u32(&writer->kvs, element_type);
        put_u64(&writer->kvs, count);
    }
    put(&writer->kvs, data, n);
    return ITERA_OK;
}

itera_status itera_gguf_writer_tensor(itera_gguf_writer *writer, const char *name, size_t name_length,
                                      uint32_t n_dims, const uint64_t *dims, uint32_t type,
                                      itera_error *error)
{
    itera_gguf_tensor tensor = {.name = {name, name_length}, .n_dims = n_dims, .type = type};
    ITERA_TRY(itera_gguf_check_name_length("tensor name", name_length, ITERA_GGUF_MAX_NAME_BYTES, error));
    for (uint32_t d = 0; d < n_dims && d < ITERA_GGUF_MAX_DIMS; d++) {
        tensor.dims[d] = dims[d];
    }
    ITERA_TRY(itera_gguf_measure_tensor(&tensor, error));
    uint64_t end, next;
    if (writer->name_count == ITERA_GGUF_MAX_TENSORS ||
        !itera_add_u64(writer->next_offset, tensor.bytes, &end) ||
        !itera_align_u64(end, ITERA_GGUF_DEFAULT_ALIGNMENT, &next) ||
        next > ITERA_GGUF_MAX_FILE_BYTES - ITERA_GGUF_MAX_HEADER_BYTES) {
        return itera_fail(error, ITERA_ERR_CORRUPT, "the tensors are more than a file may have");
    }
    if (holds(&writer->infos, writer->names, writer->name_count, name, name_length)) {
        return itera_fail(error, ITERA_ERR_ARGUMENT, "tensor '%.*s' is there already",
                          ITERA_GGUF_SHOWN(tensor.name));
    }
    uint64_t *offsets =
        itera_memory_grow(writer->offsets, &writer->offset_capacity, writer->name_count + 1, sizeof *offsets);
    if (offsets == NULL) {
        return out_of_memory(error);
    }
    writer->offsets = offsets;
    if (!reserve_name(&writer->names, &writer->name_capacity, writer->name_count) ||
        !reserve(&writer->infos, 8 + name_length + 4 + 8 * ITERA_GGUF_MAX_DIMS + 4 + 8)) {
        return out_of_memory(error);
    }
    put_u64(&writer->infos, name_length);
    writer->offsets[writer->name_count] = writer->next_offset;
    writer->names[writer->name_count++] = (placed_name){writer->infos.length, name_length};
    put(&writer->infos, name, name_length);
    put_u32(&writer->infos, n_dims);
    for (uint32_t d = 0; d < n_dims; d++) {
        put_u64(&writer->infos, dims[d]);
    }
    put_u32(&writer->infos, type);
    put_u64(&writer->infos, writer->next_offset);
    writer->next_offset = next;
    return ITERA_OK;
}

size_t itera_gguf_writer_header(itera_gguf_writer *writer, const uint8_t **out)
{
    byte_list *header = &writer->header;
    header->length = 0;
    size_t total;
    if (!itera_add_size(writer->kvs.length, writer->infos.length, &total) ||
        total > (size_t)ITERA_GGUF_MAX_HEADER_BYTES - 24 ||
        !reserve(header, 24 + total + ITERA_GGUF_DEFAULT_ALIGNMENT)) {
        return 0;
    }
    put(header, "GGUF", 4);
    put_u32(header, 3);
    put_u64(header, writer->name_count);
    put_u64(header, writer->key_count);
    put(header, writer->kvs.data, writer->kvs.length);
    put(header, writer->infos.data, writer->infos.length);
    while (header->length % ITERA_GGUF_DEFAULT_ALIGNMENT != 0) {
        put(header, "", 1);
    }
    *out = header->data;
    return header->length;
}

uint64_t itera_gguf_writer_tensor_offset(const itera_gguf_writer *writer, size_t index)
{
    if (index < writer->name_count) {
        return writer->offsets[index];
    }
    return index == writer->name_count ? writer->next_offset : UINT64_MAX;
}
