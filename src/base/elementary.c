#include "base/elementary.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* Halley's method on e^y = x, whose error is cubed in each step, from what exponent and mantissa say: 0.06 at most,
 * then 2e-5, then rounding. */
double itera_log(double x)
{
    int64_t bits;
    memcpy(&bits, &x, sizeof bits);
    double y = (double)(bits - INT64_C(0x3ff0000000000000)) * (0x1.62e42fefa39efp-1 * 0x1p-52);
    for (int step = 0; step < 2; step++) {
        double power = exp(y);
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
