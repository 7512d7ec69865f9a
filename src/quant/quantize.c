#include "quant/quantize.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "quant/encoders.h"
#include "quant/to_half.h"

typedef void encoder(uint8_t *out, const float *x);

/* NULL for the float types. */
static encoder *encoder_of(itera_type type)
{
    switch (type) {
    case ITERA_TYPE_Q8_0: return itera_encode_q8_0;
    case ITERA_TYPE_Q4_0: return itera_encode_q4_0;
    case ITERA_TYPE_Q4_1: return itera_encode_q4_1;
    case ITERA_TYPE_Q5_0: return itera_encode_q5_0;
    case ITERA_TYPE_Q5_1: return itera_encode_q5_1;
    case ITERA_TYPE_Q4_K: return itera_encode_q4_k;
    case ITERA_TYPE_Q5_K: return itera_encode_q5_k;
    case ITERA_TYPE_Q6_K: return itera_encode_q6_k;
    default: return NULL;
    }
}

static itera_status too_large(float weight, const char *what_for, itera_error *error)
{
    char number[32];
    snprintf(number, sizeof number, "%g", (double)weight);
    return itera_fail(error, ITERA_ERR_CORRUPT, "a weight of %s is too large %s", number, what_for);
}

static itera_status encode_halves(uint8_t *out, const float *in, size_t n, itera_error *error)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t half = itera_f32_to_half(in[i]);
        if ((half & 0x7fffu) == 0x7c00u && isfinite(in[i])) {
            return too_large(in[i], "for half precision", error);
        }
        itera_store_u16(out + 2 * i, half);
    }
    return ITERA_OK;
}

static itera_status check_values(const float *in, size_t n, itera_error *error)
{
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(in[i])) {
            return itera_fail(error, ITERA_ERR_CORRUPT, "a weight is %s and cannot be quantized",
                              isnan(in[i]) ? "not a number" : "infinite");
        }
        if (fabsf(in[i]) > ITERA_LARGEST_HALF) {
            return too_large(in[i], "to be quantized", error);
        }
    }
    return ITERA_OK;
}

itera_status itera_quantize(void *out, itera_type type, const float *in, size_t n, itera_error *error)
{
    const itera_type_info *info = itera_type_lookup((uint32_t)type);
    if (info == NULL || n % info->block_elements != 0) {
        return itera_fail(error, ITERA_ERR_ARGUMENT, "the values do not fill whole blocks");
    }
    uint8_t *to = out;
    switch (type) {
    case ITERA_TYPE_F32:
        memcpy(to, in, n * sizeof *in);
        return ITERA_OK;
    case ITERA_TYPE_F16:
        return encode_halves(to, in, n, error);
    case ITERA_TYPE_BF16:
        for (size_t i = 0; i < n; i++) {
            itera_store_u16(to + 2 * i, itera_f32_to_bf16(in[i]));
        }
        return ITERA_OK;
    default:
        break;
    }
    ITERA_TRY(check_values(in, n, error));
    encoder *encode = encoder_of(type);
    for (size_t i = 0; i < n; i += info->block_elements, to += info->block_bytes) {
        encode(to, in + i);
    }
    return ITERA_OK;
}
