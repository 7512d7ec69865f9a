/* Exponential, logarithm, cosine and sine without tables, beside libm's. */
#include <math.h>

#include "base/elementary.h"
#include "test.h"

static int near(double got, double expected, double tolerance)
{
    return fabs(got - expected) <= tolerance * fmax(1.0, fabs(expected));
}

TEST(the_exponential_is_that_of_libm)
{
    for (double x = -708.0; x <= 709.0; x += 0.00317) {
        REQUIRE(fabs(itera_exp(x) - exp(x)) <= 5e-16 * exp(x));
    }
    for (double x = 0x1p-60; x < 1.0; x *= 1.01) {
        REQUIRE(near(itera_exp(x), exp(x), 5e-16) && near(itera_exp(-x), exp(-x), 5e-16));
    }
    REQUIRE(itera_exp(0.0) == 1.0);
    REQUIRE(itera_exp(-709.0) == 0.0 && itera_exp(-(double)INFINITY) == 0.0);
    REQUIRE(isinf(itera_exp(710.0)) && isnan(itera_exp((double)NAN)));
}

TEST(the_logarithm_is_that_of_libm)
{
    for (double x = 0x1p-149; x < 0x1p200; x *= 1.0009765) {
        REQUIRE(near(itera_log(x), log(x), 1e-15));
    }
    REQUIRE(itera_log(1.0) == 0.0);
    REQUIRE(isnan(itera_log((double)NAN)));
}

TEST(a_short_turn_is_that_of_libm)
{
    for (int i = 0; i < 100000; i++) {
        double angle = (double)i * 0.0001;
        float cosine, sine;
        itera_cos_sin(angle, &cosine, &sine);
        REQUIRE(near((double)cosine, cos(angle), 6e-8) && near((double)sine, sin(angle), 6e-8));
    }
}

/* As many positions as a session can have. */
TEST(so_are_many_turns)
{
    for (double angle = 10.0; angle < 0x1p31; angle *= 1.00037) {
        float cosine, sine;
        itera_cos_sin(angle, &cosine, &sine);
        REQUIRE(near((double)cosine, cos(angle), 1e-6) && near((double)sine, sin(angle), 1e-6));
    }
}

TEST(quarter_turns_fall_on_the_axes)
{
    for (int quarter = 0; quarter < 9; quarter++) {
        float cosine, sine;
        itera_cos_sin(quarter * 0x1.921fb54442d18p+0, &cosine, &sine);
        REQUIRE(near((double)cosine, quarter % 2 ? 0.0 : 1.0 - quarter % 4, 1e-7));
        REQUIRE(near((double)sine, quarter % 2 ? 2.0 - quarter % 4 : 0.0, 1e-7));
    }
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    RUN(the_exponential_is_that_of_libm);
    RUN(the_logarithm_is_that_of_libm);
    RUN(a_short_turn_is_that_of_libm);
    RUN(so_are_many_turns);
    RUN(quarter_turns_fall_on_the_axes);
    return test_end();
}
