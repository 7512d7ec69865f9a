/* What the core needs of mathematics once a token, in double precision. libm's exp, log, pow, cos and sin bring 20 kB
 * of code and tables into a module of 200. */
#ifndef ITERA_BASE_ELEMENTARY_H
#define ITERA_BASE_ELEMENTARY_H

/* e^x to some 4e-16 of it; 0 below -708, infinity above 709; NaN of NaN. */
double itera_exp(double x);

/* The natural logarithm of a positive, normal, finite x, to some 1e-15; NaN of NaN. */
double itera_log(double x);

/* Cosine and sine of 0 <= angle (radians), each to some 1e-12 and the rounding of the angle itself. */
void itera_cos_sin(double angle, float *cosine, float *sine);

#endif
