/* Access to a complete header. */
#include "gguf/gguf.h"

#include <float.h>
#include <math.h>

#include "base/bytes.h"
#include "gguf/format.h"
#include "gguf/reader.h"

static bool complete(const itera_gguf *gguf)
{
    return gguf->step == NULL && !gguf->failed;
}

uint32_t itera_gguf_version(const itera_gguf *gguf)
{
    return complete(gguf) ? gguf->version : 0;
}

uint64_t itera_gguf_data_offset(const itera_gguf *gguf)
{
    return complete(gguf) ? gguf->data_offset : 0;
}

uint64_t itera_gguf_file_size(const itera_gguf *gguf)
{
    return complete(gguf) ? gguf->file_size : 0;
}

size_t itera_gguf_kv_count(const itera_gguf *gguf)
{
    return complete(gguf) ? gguf->kv_count : 0;
}

const itera_gguf_kv *itera_gguf_kv_at(const itera_gguf *gguf, size_t index)
{
    return index < itera_gguf_kv_count(gguf) ? &gguf->kvs[index].kv : NULL;
}

const itera_gguf_kv *itera_gguf_find(const itera_gguf *gguf, const char *key)
{
    const itera_gguf_name *name = itera_gguf_names_find(gguf->kv_names, itera_gguf_kv_count(gguf), key);
    return name != NULL ? &gguf->kvs[name->position].kv : NULL;
}

size_t itera_gguf_tensor_count(const itera_gguf *gguf)
{
    return complete(gguf) ? gguf->tensor_count : 0;
}

const itera_gguf_tensor *itera_gguf_tensor_at(const itera_gguf *gguf, size_t index)
{
    return index < itera_gguf_tensor_count(gguf) ? &gguf->tensors[index].tensor : NULL;
}

const itera_gguf_tensor *itera_gguf_find_tensor(const itera_gguf *gguf, const char *name)
{
    const itera_gguf_name *found =
        itera_gguf_names_find(gguf->tensor_names, itera_gguf_tensor_count(gguf), name);
    return found != NULL ? &gguf->tensors[found->position].tensor : NULL;
}

/* ---- Values ---- */

double itera_gguf_number(const itera_gguf_kv *kv, size_t index)
{
    if (index >= kv->count) {
        return NAN;
    }
    const uint8_t *at = kv->value + index * itera_gguf_value_bytes(kv->element_type);
    switch (kv->element_type) {
    case ITERA_GGUF_U8:
    case ITERA_GGUF_BOOL: return *at;
    case ITERA_GGUF_I8: return (int8_t)*at;
    case ITERA_GGUF_U16: return itera_load_u16(at);
    case ITERA_GGUF_I16: return (int16_t)itera_load_u16(at);
    case ITERA_GGUF_U32: return itera_load_u32(at);
    case ITERA_GGUF_I32: return (int32_t)itera_load_u32(at);
    case ITERA_GGUF_U64: return (double)itera_load_u64(at);
    case ITERA_GGUF_I64: return (double)(int64_t)itera_load_u64(at);
    case ITERA_GGUF_F32: return itera_load_f32(at);
    case ITERA_GGUF_F64: return itera_load_f64(at);
    default: return NAN;
    }
}

itera_gguf_string itera_gguf_string_at(const itera_gguf_kv *kv, size_t index)
{
    const uint8_t *at = kv->value;
    for (size_t i = 0; i < index; i++) {
        at += 8 + itera_load_u64(at);
    }
    return (itera_gguf_string){.data = (const char *)at + 8, .length = (size_t)itera_load_u64(at)};
}

void itera_gguf_strings(const itera_gguf_kv *kv, uint32_t *out)
{
    if (kv->element_type != ITERA_GGUF_STRING) {
        return;
    }
    size_t at = 0;
    for (uint64_t i = 0; i < kv->count; i++) {
        uint32_t length =
            (uint32_t)itera_load_u64(kv->value + at); /* the limit on strings keeps it in 32 bits */
        at += 8;
        out[2 * i] = (uint32_t)at; /* as does the limit on the header */
        out[2 * i + 1] = length;
        at += length;
    }
}

static bool is_integer(itera_gguf_value_type type)
{
    return type != ITERA_GGUF_F32 && type != ITERA_GGUF_F64 && type != ITERA_GGUF_BOOL &&
           itera_gguf_value_bytes(type) > 0;
}

static bool u32_of(const itera_gguf_kv *kv, size_t index, uint32_t *out)
{
    if (!is_integer(kv->element_type) || index >= kv->count) {
        return false;
    }
    double value = itera_gguf_number(kv, index); /* exact wherever the answer is yes */
    if (!(value >= 0 && value <= (double)UINT32_MAX)) {
        return false;
    }
    *out = (uint32_t)value;
    return true;
}

bool itera_gguf_get_u32(const itera_gguf *gguf, const char *key, uint32_t *out)
{
    const itera_gguf_kv *kv = itera_gguf_find(gguf, key);
    return kv != NULL && kv->type != ITERA_GGUF_ARRAY && u32_of(kv, 0, out);
}

bool itera_gguf_get_u32_at(const itera_gguf *gguf, const char *key, size_t index, uint32_t *out)
{
    const itera_gguf_kv *kv = itera_gguf_find(gguf, key);
    return kv != NULL && u32_of(kv, kv->type == ITERA_GGUF_ARRAY ? index : 0, out);
}

bool itera_gguf_get_f32(const itera_gguf *gguf, const char *key, float *out)
{
    const itera_gguf_kv *kv = itera_gguf_find(gguf, key);
    if (kv == NULL || (kv->type != ITERA_GGUF_F32 && kv->type != ITERA_GGUF_F64)) {
        return false;
    }
    double value = itera_gguf_number(kv, 0);
    if (isfinite(value) && fabs(value) > (double)FLT_MAX) {
        return false;
    }
    *out = (float)value;
    return true;
}

bool itera_gguf_get_bool(const itera_gguf *gguf, const char *key, bool *out)
{
    const itera_gguf_kv *kv = itera_gguf_find(gguf, key);
    if (kv == NULL || kv->type != ITERA_GGUF_BOOL) {
        return false;
    }
    *out = *kv->value != 0;
    return true;
}

bool itera_gguf_get_string(const itera_gguf *gguf, const char *key, itera_gguf_string *out)
{
    const itera_gguf_kv *kv = itera_gguf_find(gguf, key);
    if (kv == NULL || kv->type != ITERA_GGUF_STRING) {
        return false;
    }
    out->data = (const char *)kv->value + 8;
    out->length = kv->value_bytes - 8;
    return true;
}
