/* The trainer's plain matrix products against sums written out, and the rounding of its operands. */
#include <stdlib.h>

#include "test.h"
#include "train/gemm.h"
#include "train/random.h"

enum { MOST = 140 };

static void check_product(size_t M, size_t N, size_t K, int flags)
{
    const size_t lda = (flags & ITERA_A_TURNED ? M : K) + 3, ldb = (flags & ITERA_B_TURNED ? K : N) + 2,
                 ldc = N + 1;
    static real A[(MOST + 3) * MOST], B[(MOST + 3) * MOST], C[(MOST + 1) * MOST];
    for (size_t i = 0; i < sizeof A / sizeof A[0]; i++) {
        A[i] = (real)itera_normal(1, i);
        B[i] = (real)itera_normal(2, i);
    }
    for (size_t i = 0; i < sizeof C / sizeof C[0]; i++) {
        C[i] = 100;
    }
    itera_gemm_reals(C, ldc, A, lda, B, ldb, M, N, K, flags);
    double worst = 0;
    for (size_t i = 0; i < M; i++) {
        for (size_t j = 0; j < N; j++) {
            double sum = flags & ITERA_ACCUMULATE ? 100 : 0;
            for (size_t k = 0; k < K; k++) {
                double a = flags & ITERA_A_TURNED ? A[k * lda + i] : A[i * lda + k];
                double b = flags & ITERA_B_TURNED ? B[j * ldb + k] : B[k * ldb + j];
                sum += a * b;
            }
            double wrong = fabs(sum - (double)C[i * ldc + j]);
            worst = wrong > worst || wrong != wrong ? wrong : worst;
        }
        CHECK(i + 1 == M || C[i * ldc + N] == 100); /* between rows nothing is written */
    }
    CHECK_NEAR(worst, 0, 1e-4);
}

TEST(products_of_all_forms_and_sizes_around_the_tiles)
{
    const size_t sizes[] = {1, 3, 63, 64, 65, 129, 140};
    for (int flags = 0; flags < 8; flags++) {
        for (size_t i = 0; i < 7; i++) {
            for (size_t j = 0; j < 7; j += 2) {
                check_product(sizes[i], sizes[j], sizes[(i + j) % 7], flags);
            }
        }
    }
}

TEST(an_empty_sum_is_zero_or_what_was_there)
{
    check_product(5, 7, 0, 0);
    check_product(5, 7, 0, ITERA_ACCUMULATE);
    check_product(0, 7, 3, 0);
}

TEST(operands_come_back_as_they_were_stored)
{
    real rows[4 * 10], back[4 * 10];
    for (size_t i = 0; i < 40; i++) {
        rows[i] = (real)itera_normal(3, i);
    }
    void *operand = malloc(40 * itera_operand_bytes());
    itera_operand_rows(operand, rows, 4, 10);
    itera_operand_load(back, operand, 0, 40);
    CHECK(memcmp(rows, back, sizeof rows) == 0); /* without the library operands are reals */
    free(operand);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    RUN(products_of_all_forms_and_sizes_around_the_tiles);
    RUN(an_empty_sum_is_zero_or_what_was_there);
    RUN(operands_come_back_as_they_were_stored);
    return test_end();
}
