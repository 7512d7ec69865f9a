/* One block of f32 to its bytes in the file, private to src/quant. Every value is finite and at most 65504 in
 * size, so that scales fit half precision. */
#ifndef ITERA_QUANT_ENCODERS_H
#define ITERA_QUANT_ENCODERS_H

#include <stdint.h>

/* x: [32] */
void itera_encode_q8_0(uint8_t *out, const float *x);
void itera_encode_q4_0(uint8_t *out, const float *x);
void itera_encode_q4_1(uint8_t *out, const float *x);
void itera_encode_q5_0(uint8_t *out, const float *x);
void itera_encode_q5_1(uint8_t *out, const float *x);

/* x: [256] */
void itera_encode_q4_k(uint8_t *out, const float *x);
void itera_encode_q5_k(uint8_t *out, const float *x);
void itera_encode_q6_k(uint8_t *out, const float *x);

#endif
