/* What tokens do to one head of a Mamba-2 state, worked out before the state is touched: one rounding order for
 * every variant. kernels.h tells what the scale of a head is. */
#ifndef ITERA_KERNELS_SCAN_STEPS_H
#define ITERA_KERNELS_SCAN_STEPS_H

#include "kernels/math_scalar.h"

/* The scale of a head stays between these. Powers of two, so that only products of decays ever round; a factor
 * of 256 apart, because what is stored is the state over the scale and a snapshot may round it to 16 bits. */
#define ITERA_SCAN_SCALE_LOW 0.25f
#define ITERA_SCAN_SCALE_HIGH 64.0f

typedef struct itera_scan_step {
    float factor; /* of the stored state before anything is added: 1 unless the scale left its range */
    float in;     /* of x: dt / scale */
    float out;    /* of the sum over C: scale */
} itera_scan_step;

static inline itera_scan_step itera_scan_next(float *scale, float dt, float A)
{
    float next = *scale * itera_exp1(dt * A), factor = 1.0f;
    if (!(next >= ITERA_SCAN_SCALE_LOW && next <= ITERA_SCAN_SCALE_HIGH)) {
        factor = next / ITERA_SCAN_SCALE_HIGH;
        next = ITERA_SCAN_SCALE_HIGH;
    }
    *scale = next;
    return (itera_scan_step){.factor = factor, .in = dt / next, .out = next};
}

#endif
