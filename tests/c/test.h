/* The whole test framework. A test is a function whose name is the claim it checks:
 *
 *     TEST(two_halves_equal_the_whole) { CHECK(a == b); CHECK_INT(f(), 3); CHECK_NEAR(x, 1.5, 1e-6); }
 *     int main(int argc, char **argv) { test_begin(argc, argv); RUN(two_halves_...); return test_end(); }
 *
 * Each prints "ok NAME" or "not ok NAME"; the program ends with "N passed, N failed", and exit status 1 when
 * one failed. Arguments choose tests: those whose name contains one of them. */
#ifndef ITERA_TESTS_TEST_H
#define ITERA_TESTS_TEST_H

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static struct {
    int passed, failed, broken; /* broken: failed checks of the test that runs now */
    int argc;
    char **argv;
} test_now;

/* A test that nobody runs is an error. */
#pragma GCC diagnostic error "-Wunused-function"
#define TEST(name) static void name(void)
#define RUN(name) test_run(#name, name)

/* A failed check is reported and the test goes on; REQUIRE leaves the test instead. */
#define CHECK(condition) ((void)((condition) || test_broken(__FILE__, __LINE__, "%s", #condition)))
#define REQUIRE(condition) \
    do { if (!(condition)) { test_broken(__FILE__, __LINE__, "%s", #condition); return; } } while (0)
#define CHECK_INT(actual, expected) \
    test_int(__FILE__, __LINE__, #actual, (long long)(actual), (long long)(expected))
/* |actual - expected| <= tolerance; NaN on either side fails. */
#define CHECK_NEAR(actual, expected, tolerance) \
    test_near(__FILE__, __LINE__, #actual, (double)(actual), (double)(expected), (double)(tolerance))

static inline int test_broken(const char *file, int line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    test_now.broken++;
    printf("  %s:%d: ", file, line), vprintf(format, arguments), printf("\n");
    va_end(arguments);
    return 0;
}

static inline void test_int(const char *file, int line, const char *what, long long actual, long long wanted)
{
    if (actual != wanted) test_broken(file, line, "%s is %lld, expected %lld", what, actual, wanted);
}

static inline void test_near(const char *file, int line, const char *what, double actual, double wanted,
                             double tolerance)
{
    if (!(fabs(actual - wanted) <= tolerance)) {
        test_broken(file, line, "%s is %.9g, expected %.9g within %.3g", what, actual, wanted, tolerance);
    }
}

static inline void test_begin(int argc, char **argv)
{
    test_now.argc = argc;
    test_now.argv = argv;
}

static inline void test_run(const char *name, void (*body)(void))
{
    int wanted = test_now.argc <= 1;
    for (int i = 1; i < test_now.argc; i++) wanted |= strstr(name, test_now.argv[i]) != NULL;
    if (!wanted) return;
    test_now.broken = 0;
    body();
    printf(test_now.broken ? "not ok %s\n" : "ok %s\n", name);
    fflush(stdout);
    *(test_now.broken ? &test_now.failed : &test_now.passed) += 1;
}

static inline int test_end(void)
{
    printf("%d passed, %d failed\n", test_now.passed, test_now.failed);
    return test_now.failed > 0;
}

#endif
