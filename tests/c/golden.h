/* Golden models for the C tests: whole files, raw arrays, and models loaded from them. */
#ifndef ITERA_TESTS_GOLDEN_H
#define ITERA_TESTS_GOLDEN_H

#include "itera.h"

/* Bytes of tests/golden/<path>; exits with a message when it cannot be read. The caller frees. */
uint8_t *golden_read(const char *path, size_t *bytes);

/* How the bytes of the file reach the model. */
typedef enum golden_order { GOLDEN_WHOLE, GOLDEN_PIECES, GOLDEN_BACKWARDS } golden_order;

/* The model tests/golden/<path>, ready; NULL (with a message) on failure. `piece` bytes at a time. */
itera_model *golden_model(const char *path, itera_variant variant, golden_order order, size_t piece);

/* Root of the mean squared difference, and of the mean squared deviation from the mean. */
double golden_rms(const float *a, const float *b, size_t n);
double golden_deviation(const float *a, size_t n);
double golden_largest(const float *a, const float *b, size_t n);

#endif
