/* What `itera quantize` needs beyond a writer. Linked into the scalar module only: pages never quantize, so
 * the modules that they load do not carry it. Conventions are those of exports.h, but failures have a text
 * of their own here. */
#include "exports.h"
#include "gguf/gguf.h"
#include "gguf/writer.h"
#include "quant/quantize.h"

#define PIECE 2048 /* values expanded at a time: whole blocks of every type, little enough for the stack */

static itera_error last_error;

EXPORT(itera_quantize_error_text) const char *wasm_quantize_error_text(void)
{
    return last_error.text;
}

/* Values and bytes of one block of a type, 0 for a type that is not supported. */
EXPORT(itera_type_elements) uint32_t wasm_type_elements(uint32_t type)
{
    const itera_type_info *info = itera_type_lookup(type);
    return info != NULL ? info->block_elements : 0;
}

EXPORT(itera_type_bytes) uint32_t wasm_type_bytes(uint32_t type)
{
    const itera_type_info *info = itera_type_lookup(type);
    return info != NULL ? info->block_bytes : 0;
}

/* Writes `n` values of type `from` as type `to`; n is a multiple of both blocks. Adds to sums[0] the squares
 * of the errors and to sums[1] the squares of the values. Status. */
EXPORT(itera_quantize)
int32_t wasm_quantize(uint8_t *out, uint32_t to, const uint8_t *in, uint32_t from, uint32_t n, double *sums)
{
    const itera_type_info *source = itera_type_lookup(from), *target = itera_type_lookup(to);
    if (source == NULL || target == NULL || n % source->block_elements != 0 ||
        n % target->block_elements != 0) {
        return itera_fail(&last_error, ITERA_ERR_ARGUMENT, "not a conversion between types of ours");
    }
    for (uint32_t done = 0; done < n; done += PIECE) {
        float values[PIECE], written[PIECE];
        uint32_t count = n - done < PIECE ? n - done : PIECE;
        source->dequantize(values, in, count);
        ITERA_TRY(itera_quantize(out, target->type, values, count, &last_error));
        target->dequantize(written, out, count);
        for (uint32_t i = 0; i < count; i++) {
            double value = values[i], miss = (double)written[i] - value;
            sums[0] += miss * miss;
            sums[1] += value * value;
        }
        in += (size_t)(count / source->block_elements) * source->block_bytes;
        out += (size_t)(count / target->block_elements) * target->block_bytes;
    }
    return ITERA_OK;
}

/* Adds metadata entry i of a file to a header in the making, as it is. Status. */
EXPORT(itera_gguf_writer_copy)
int32_t wasm_writer_copy(itera_gguf_writer *writer, const itera_gguf *gguf, uint32_t i)
{
    const itera_gguf_kv *kv = itera_gguf_kv_at(gguf, i);
    if (kv == NULL) {
        return itera_fail(&last_error, ITERA_ERR_ARGUMENT, "no such metadata");
    }
    return itera_gguf_writer_add(writer, kv->key.data, kv->key.length, kv->type, kv->element_type, kv->count,
                                 kv->value, kv->value_bytes, &last_error);
}
