#include "base/elementary.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* 2^n, n from -1022 to 1023. */
static double power_of_two(int n)
{
    const uint64_t bits = (uint64_t)(n + 1023) << 52;
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Powers of two are taken off first, by a logarithm in two parts: the product of the first and n is exact (Cody and
 * Waite). What remains is at most ln(2) / 2, where 14 terms of the series are enough. */
double itera_exp(double x)
{
    static const double coefficients[] = {1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800,
                                          1.0 / 362880,     1.0 / 40320,     1.0 / 5040,     1.0 / 720,
                                          1.0 / 120,        1.0 / 24,        1.0 / 6,        1.0 / 2,
                                          1.0,              1.0};
    if (!(x >= -708.0 && x <= 709.0)) {
        return x < 0.0 ? 0.0 : x > 0.0 ? INFINITY : x;
    }
    const double n = floor(x * 0x1.71547652b82fep+0 + 0.5);
    const double r = (x - n * 0x1.62e42fefa38p-1) - n * 0x1.ef35793c7673p-45;
    double sum = 0.0;
    for (size_t i = 0; i < sizeof coefficients / sizeof coefficients[0]; i++) {
        sum = sum * r + coefficients[i];
    }
    return sum * power_of_two((int)n);
}

/* Halley's method on e^y = x, whose error is cubed in each step, from what exponent and mantissa say: 0.06 at most,
 * then 2e-5, then rounding. */
double itera_log(double x)
{
    int64_t bits;
    memcpy(&bits, &x, sizeof bits);
    double y = (double)(bits - INT64_C(0x3ff0000000000000)) * (0x1.62e42fefa39efp-1 * 0x1p-52);
    for (int step = 0; step < 2; step++) {
        const double power = itera_exp(y);
        y += 2.0 * (x - power) / (x + power);
    }
    return y;
}

/* Quarter turns are taken off first, by a half pi in two parts: the product of the first and a number below 2^20 is
 * exact (Cody and Waite). What remains is at most pi / 4, where few terms of the series are enough. */
void itera_cos_sin(double angle, float *cosine, float *sine)
{
    const double turns = floor(angle * 0x1.45f306dc9c883p-1 + 0.5);
    const double r = (angle - turns * 0x1.921fb544p+0) - turns * 0x1.0b4611a626331p-34, z = r * r;
    const double c = 1.0 - z / 2 * (1.0 - z / 12 * (1.0 - z / 30 * (1.0 - z / 56 * (1.0 - z / 90 * (1.0 - z / 132)))));
    const double tail = 1.0 - z / 42 * (1.0 - z / 72 * (1.0 - z / 110 * (1.0 - z / 156)));
    const double s = r * (1.0 - z / 6 * (1.0 - z / 20 * tail));
    switch ((int)(turns - 4.0 * floor(turns / 4.0))) {
    case 0: *cosine = (float)c, *sine = (float)s; break;
    case 1: *cosine = (float)-s, *sine = (float)c; break;
    case 2: *cosine = (float)-c, *sine = (float)-s; break;
    default: *cosine = (float)s, *sine = (float)-c; break;
    }
}
