/* The header of a GGUF file to be written. Left out of the modules of several threads, on which nobody writes
 * files. */
#include "exports.h"
#include "gguf/writer.h"

EXPORT(itera_gguf_writer_create) itera_gguf_writer *wasm_writer_create(void)
{
    itera_gguf_writer *writer = itera_gguf_writer_create();
    if (writer == NULL) {
        wasm_report(itera_fail(&wasm_last_error, ITERA_ERR_MEMORY, "out of memory while writing a file"));
    }
    return writer;
}

EXPORT(itera_gguf_writer_free) void wasm_writer_free(itera_gguf_writer *writer)
{
    itera_gguf_writer_free(writer);
}

EXPORT(itera_gguf_writer_add)
int32_t wasm_writer_add(itera_gguf_writer *writer, const char *key, uint32_t key_length, uint32_t type,
                        uint32_t element_type, uint32_t count, const uint8_t *data, uint32_t n)
{
    return wasm_report(itera_gguf_writer_add(writer, key, key_length, type, element_type, count, data, n,
                                             &wasm_last_error));
}

EXPORT(itera_gguf_writer_tensor)
int32_t wasm_writer_tensor(itera_gguf_writer *writer, const char *name, uint32_t name_length, uint32_t n_dims,
                           const double *dims, uint32_t type)
{
    uint64_t whole_dims[ITERA_GGUF_MAX_DIMS] = {0};
    for (uint32_t i = 0; i < n_dims && i < ITERA_GGUF_MAX_DIMS; i++) {
        whole_dims[i] = dims[i] >= 0.0 && dims[i] <= LARGEST_OFFSET ? (uint64_t)dims[i] : 0;
    }
    return wasm_report(itera_gguf_writer_tensor(writer, name, name_length, n_dims, whole_dims, type, &wasm_last_error));
}

/* Length of the header, *out its first byte; 0 on failure. */
EXPORT(itera_gguf_writer_header) uint32_t wasm_writer_header(itera_gguf_writer *writer, const uint8_t **out)
{
    size_t length = itera_gguf_writer_header(writer, out);
    if (length == 0) {
        wasm_report(itera_fail(&wasm_last_error, ITERA_ERR_MEMORY, "the header is too large to write"));
    }
    return (uint32_t)length;
}

EXPORT(itera_gguf_writer_tensor_offset)
double wasm_writer_tensor_offset(const itera_gguf_writer *writer, uint32_t i)
{
    return (double)itera_gguf_writer_tensor_offset(writer, i);
}
