/* f32 to half precision and to bfloat16, rounded to the nearest, ties to even. */
#ifndef ITERA_QUANT_TO_HALF_H
#define ITERA_QUANT_TO_HALF_H

#include "quant/half.h"

#define ITERA_LARGEST_HALF 65504.0f

/* Values of 65520 and beyond become infinite; every NaN becomes the plain quiet one. */
static inline uint16_t itera_f32_to_half(float value)
{
    uint32_t bits = itera_f32_to_bits(value);
    uint32_t sign = (bits >> 16) & 0x8000u, magnitude = bits & 0x7fffffffu;

    if (magnitude > 0x7f800000u) {
        return (uint16_t)(sign | 0x7e00u);
    }
    if (magnitude >= 0x477ff000u) {
        return (uint16_t)(sign | 0x7c00u);
    }
    if (magnitude < 0x38800000u) {
        /* Below 2^-14 halves lie 2^-24 apart, and so do the f32 from a half to one: the addition rounds. */
        float sum = itera_bits_to_f32(magnitude) + 0.5f;
        return (uint16_t)(sign | (itera_f32_to_bits(sum) - 0x3f000000u));
    }
    /* The exponents' biases differ by 112; a carry out of the mantissa raises the exponent, as it should. */
    uint32_t rounded = magnitude - (112u << 23) + 0xfffu + ((magnitude >> 13) & 1);
    return (uint16_t)(sign | (rounded >> 13));
}

static inline uint16_t itera_f32_to_bf16(float value)
{
    uint32_t bits = itera_f32_to_bits(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) {
        return (uint16_t)((bits >> 16) | 0x40u); /* stays a NaN when its payload is cut off */
    }
    return (uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1)) >> 16);
}

#endif
