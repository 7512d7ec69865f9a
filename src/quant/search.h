/* The search for scales, private to src/quant.
 *
 * A block stores w = step q (+ base) with small integers q. Given step and base, every q is the nearest one;
 * given all q, the best step and base are a least-squares fit. What is searched is the assignment of q, of
 * which only a few hundred can be the best. */
#ifndef ITERA_QUANT_SEARCH_H
#define ITERA_QUANT_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

#define ITERA_SEARCH_MAX 32 /* values of a block or sub-block */

/* The step that leaves the least sum of squared errors for x [n], n <= ITERA_SEARCH_MAX, with q from
 * `lowest` to `highest`, where -lowest is highest or one more. The step may be negative: the side with one
 * more level is then that of the positive values. Exact: every assignment of q that any step leads to is
 * tried. 0 for a block of zeros. */
float itera_search_step(const float *x, int n, int lowest, int highest);

/* The same by trial of a few dozen steps, for ranges so wide that exactness no longer pays. */
float itera_search_step_near(const float *x, int n, int highest);

typedef struct itera_affine {
    float step, base; /* w = step q + base, step >= 0 */
} itera_affine;

/* Step and base for q from 0 to `highest`; close to the best, not exact. negative_base: the base must be 0 or
 * below, as the K types have it. */
itera_affine itera_search_affine(const float *x, int n, int highest, bool negative_base);

/* Nearest q of each value; returns the sum of squared errors of step q + base. A step of 0 gives q = 0, or
 * `lowest` where that is above. */
double itera_assign(int8_t *q, const float *x, int n, float step, float base, int lowest, int highest);

/* The half-precision number at or beside `step` whose sum of squared errors is the least. Rounding to half
 * moves a step by up to 1/2048 of itself, subnormal ones by far more; then a neighbour may serve better. */
uint16_t itera_settle_step(float step, const float *x, int n, int lowest, int highest);

#endif
