/* What the tests of kernels share: random numbers, buffers that see a byte too much, and the comparison of variants, equal
 * bits for simd128 and a tolerance stated at each check for relaxed.
 *
 * Outputs stand between canaries; inputs are allocated to the byte, so that AddressSanitizer sees a read past their ends.
 * ITERA_SEED=n sets the seed, which is printed first. */
#ifndef ITERA_TESTS_KERNEL_CHECKS_H
#define ITERA_TESTS_KERNEL_CHECKS_H

#include <stdint.h>
#include <stdlib.h>

#include "kernels/math_scalar.h"
#include "kernels/variants.h"
#include "test.h"

static uint64_t random_state;

static inline uint32_t random_bits(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32);
}

static inline float uniform(float low, float high) { return low + (high - low) * (float)(random_bits() >> 8) * 0x1p-24f; }

static inline float *floats(size_t n, float low, float high)
{
    float *x = malloc(n * sizeof *x);
    for (size_t i = 0; i < n; i++) {
        x[i] = uniform(low, high);
    }
    return x;
}

static inline float *copy_of(const float *x, size_t n)
{
    float *copy = malloc(n * sizeof *copy);
    memcpy(copy, x, n * sizeof *copy);
    return copy;
}

#define CANARY 0x7fa5c3e1u
#define CANARIES 8

/* Room for n floats between canaries, itself filled with them: what a kernel leaves out stays recognizable. */
static inline float *guarded(size_t n)
{
    float *block = malloc((n + 2 * CANARIES) * sizeof *block);
    for (size_t i = 0; i < n + 2 * CANARIES; i++) {
        block[i] = itera_bits_to_f32(CANARY);
    }
    return block + CANARIES;
}

static inline int is_canary(float x) { return itera_f32_to_bits(x) == CANARY; }

static inline void guarded_free(float *x, size_t n)
{
    for (size_t i = 0; i < CANARIES; i++) {
        CHECK(is_canary(x[-1 - (int)i]) && is_canary(x[n + i]));
    }
    free(x - CANARIES);
}

/* What a check allows a variant: nothing but equal bits for simd128, absolute + relative error for relaxed. */
typedef struct tolerance {
    double absolute, relative;
} tolerance;

static const itera_kernels *scalar;

static inline void compare(const itera_kernels *variant, const char *what, const float *expected, const float *actual,
                    size_t n, tolerance allowed)
{
    int exact = strcmp(variant->name, "relaxed") != 0;
    size_t wrong = 0;
    for (size_t i = 0; i < n && wrong < 3; i++) {
        int same = itera_f32_to_bits(expected[i]) == itera_f32_to_bits(actual[i]) ||
                   (isnan(expected[i]) && isnan(actual[i]));
        double error = fabs((double)expected[i] - (double)actual[i]);
        if (!same && (exact || !(error <= allowed.absolute + allowed.relative * fabs((double)expected[i])))) {
            wrong++;
            test_broken(__FILE__, __LINE__, "%s %s [%zu of %zu]: %.9g, expected %.9g", variant->name, what, i, n,
                        (double)actual[i], (double)expected[i]);
        }
    }
}

/* The vector variants of this build. */
static inline void each_variant(void (*check)(const itera_kernels *))
{
    for (int v = ITERA_SIMD128; v <= ITERA_RELAXED; v++) {
        const itera_kernels *variant = itera_kernels_get((itera_variant)v);
        if (variant != NULL) {
            check(variant);
        }
    }
}

/* q of a block's column i. */
static inline int q_of(const itera_act_block *block, int i) { return 128 * block->high[i] + block->low[i]; }

static inline void kernel_checks_begin(void)
{
    const char *seed = getenv("ITERA_SEED");
    random_state = seed != NULL ? strtoull(seed, NULL, 10) : 1;
    printf("seed %llu\n", (unsigned long long)random_state);
    random_state = random_state * 0x9e3779b97f4a7c15u + 1;
    scalar = itera_kernels_get(ITERA_SCALAR);
}

#endif
