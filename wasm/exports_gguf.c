/* The header of a GGUF file: read as its bytes come, then asked for metadata and tensors. */
#include "exports.h"
#include "gguf/gguf.h"
#include "quant/types.h"

EXPORT(itera_gguf_create) itera_gguf *wasm_gguf_create(void)
{
    itera_gguf *gguf = itera_gguf_create();
    if (gguf == NULL) {
        wasm_report(itera_fail(&wasm_last_error, ITERA_ERR_MEMORY, "out of memory while opening the file"));
    }
    return gguf;
}

EXPORT(itera_gguf_free) void wasm_gguf_free(itera_gguf *gguf)
{
    itera_gguf_free(gguf);
}

EXPORT(itera_gguf_push) int32_t wasm_gguf_push(itera_gguf *gguf, const uint8_t *bytes, uint32_t n)
{
    return wasm_report(itera_gguf_feed(gguf, bytes, n, &wasm_last_error));
}

EXPORT(itera_gguf_data_offset_f64) double wasm_gguf_data_offset(const itera_gguf *gguf)
{
    return (double)itera_gguf_data_offset(gguf);
}

EXPORT(itera_gguf_file_size_f64) double wasm_gguf_file_size(const itera_gguf *gguf)
{
    return (double)itera_gguf_file_size(gguf);
}

EXPORT(itera_gguf_kv_count) uint32_t wasm_gguf_kv_count(const itera_gguf *gguf)
{
    return (uint32_t)itera_gguf_kv_count(gguf);
}

EXPORT(itera_gguf_kv_key) const char *wasm_gguf_kv_key(const itera_gguf *gguf, uint32_t i)
{
    return itera_gguf_kv_at(gguf, i)->key.data;
}

EXPORT(itera_gguf_kv_key_length) uint32_t wasm_gguf_kv_key_length(const itera_gguf *gguf, uint32_t i)
{
    return (uint32_t)itera_gguf_kv_at(gguf, i)->key.length;
}

EXPORT(itera_gguf_kv_type) int32_t wasm_gguf_kv_type(const itera_gguf *gguf, uint32_t i)
{
    return (int32_t)itera_gguf_kv_at(gguf, i)->type;
}

EXPORT(itera_gguf_kv_element_type) int32_t wasm_gguf_kv_element_type(const itera_gguf *gguf, uint32_t i)
{
    return (int32_t)itera_gguf_kv_at(gguf, i)->element_type;
}

EXPORT(itera_gguf_kv_length) uint32_t wasm_gguf_kv_length(const itera_gguf *gguf, uint32_t i)
{
    return (uint32_t)itera_gguf_kv_at(gguf, i)->count;
}

EXPORT(itera_gguf_kv_number) double wasm_gguf_kv_number(const itera_gguf *gguf, uint32_t i, uint32_t index)
{
    return itera_gguf_number(itera_gguf_kv_at(gguf, i), index);
}

EXPORT(itera_gguf_kv_data) const uint8_t *wasm_gguf_kv_data(const itera_gguf *gguf, uint32_t i)
{
    return itera_gguf_kv_at(gguf, i)->value;
}

EXPORT(itera_gguf_kv_strings) void wasm_gguf_kv_strings(const itera_gguf *gguf, uint32_t i, uint32_t *out)
{
    itera_gguf_strings(itera_gguf_kv_at(gguf, i), out);
}

EXPORT(itera_gguf_tensors) uint32_t wasm_gguf_tensors(const itera_gguf *gguf)
{
    return (uint32_t)itera_gguf_tensor_count(gguf);
}

EXPORT(itera_gguf_tensor_name) const char *wasm_gguf_tensor_name(const itera_gguf *gguf, uint32_t i)
{
    return itera_gguf_tensor_at(gguf, i)->name.data;
}

EXPORT(itera_gguf_tensor_name_length) uint32_t wasm_gguf_tensor_name_length(const itera_gguf *gguf, uint32_t i)
{
    return (uint32_t)itera_gguf_tensor_at(gguf, i)->name.length;
}

EXPORT(itera_gguf_tensor_type) uint32_t wasm_gguf_tensor_type(const itera_gguf *gguf, uint32_t i)
{
    return itera_gguf_tensor_at(gguf, i)->type;
}

EXPORT(itera_gguf_tensor_type_name) const char *wasm_gguf_tensor_type_name(const itera_gguf *gguf, uint32_t i)
{
    return itera_type_lookup(itera_gguf_tensor_at(gguf, i)->type)->name;
}

EXPORT(itera_gguf_tensor_dims) uint32_t wasm_gguf_tensor_dims(const itera_gguf *gguf, uint32_t i)
{
    return itera_gguf_tensor_at(gguf, i)->n_dims;
}

EXPORT(itera_gguf_tensor_dim) double wasm_gguf_tensor_dim(const itera_gguf *gguf, uint32_t i, uint32_t d)
{
    return d < ITERA_GGUF_MAX_DIMS ? (double)itera_gguf_tensor_at(gguf, i)->dims[d] : 0.0;
}

EXPORT(itera_gguf_tensor_offset_f64) double wasm_gguf_tensor_offset(const itera_gguf *gguf, uint32_t i)
{
    return (double)itera_gguf_tensor_at(gguf, i)->offset;
}

EXPORT(itera_gguf_tensor_bytes_f64) double wasm_gguf_tensor_bytes(const itera_gguf *gguf, uint32_t i)
{
    return (double)itera_gguf_tensor_at(gguf, i)->bytes;
}
