/* Half-precision numbers to f32: exact, by integer operations and one multiplication. */
#ifndef ITERA_QUANT_HALF_H
#define ITERA_QUANT_HALF_H

#include <stdint.h>
#include <string.h>

static inline float itera_bits_to_f32(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t itera_f32_to_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* A half whose exponent is not all ones. Exponent and mantissa are moved to their places in an f32, where
 * they stand for a number 2^112 times too small (the biases differ by 127 - 15); the multiplication repairs
 * that exactly, subnormal halves included. Kernels use this form: an infinite or NaN weight reads as a
 * finite number of 65536 or more there. */
static inline float itera_finite_half_to_f32(uint16_t half)
{
    uint32_t sign_and_rest = ((uint32_t)(half & 0x8000u) << 16) | ((uint32_t)(half & 0x7fffu) << 13);
    return itera_bits_to_f32(sign_and_rest) * 0x1p112f;
}

/* Any half: infinities and NaNs keep their meaning. */
static inline float itera_half_to_f32(uint16_t half)
{
    if ((half & 0x7c00u) == 0x7c00u) {
        return itera_bits_to_f32(((uint32_t)(half & 0x8000u) << 16) | 0x7f800000u |
                                 ((uint32_t)(half & 0x3ffu) << 13));
    }
    return itera_finite_half_to_f32(half);
}

static inline float itera_bf16_to_f32(uint16_t brain) { return itera_bits_to_f32((uint32_t)brain << 16); }

#endif
