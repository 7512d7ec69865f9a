/* Muon: the directions it finds are those of the singular vectors, and a run with it resumes bit for bit. */
#include <stdlib.h>

#include "memory_file.h"
#include "test.h"
#include "train/muon.h"
#include "train/random.h"
#include "train/trainer.h"

/* y = (I - 2 v v^T / v.v) x for every column of x [n, columns]: an orthogonal matrix whose inverse is itself. */
static void reflect(const double *v, double *x, size_t n, size_t columns)
{
    double length = 0;
    for (size_t i = 0; i < n; i++) {
        length += v[i] * v[i];
    }
    for (size_t c = 0; c < columns; c++) {
        double along = 0;
        for (size_t i = 0; i < n; i++) {
            along += v[i] * x[i * columns + c];
        }
        for (size_t i = 0; i < n; i++) {
            x[i * columns + c] -= 2 * along / length * v[i];
        }
    }
}

static void turn(const double *x, double *y, size_t rows, size_t columns)
{
    for (size_t i = 0; i < rows * columns; i++) {
        y[i % columns * rows + i / columns] = x[i];
    }
}

/* x becomes U x V with the reflections u and v; twice is nothing. */
static void rotate(const double *u, const double *v, double *x, size_t rows, size_t columns)
{
    double *turned = calloc(rows * columns, sizeof *turned);
    reflect(u, x, rows, columns);
    turn(x, turned, rows, columns);
    reflect(v, turned, columns, rows);
    turn(turned, x, columns, rows);
    free(turned);
}

/* A gradient U diag(s) V with singular values from 1 to 1/20: the step must be U diag(about 1) V. */
static void check_directions(uint32_t rows, uint32_t cols, uint32_t stacked)
{
    itera_error error = {""};
    itera_params params = {0};
    itera_muon muon;
    const size_t offset =
        itera_params_add(&params, 0, "some.weight", cols, rows, stacked, ITERA_INIT_CONSTANT, 0);
    REQUIRE(itera_params_allocate(&params, &error) == ITERA_OK);
    REQUIRE(itera_muon_create(&muon, &params, &error) == ITERA_OK);
    const size_t count = (size_t)rows * cols, side = rows < cols ? rows : cols, n = stacked ? stacked : 1;
    double *u = calloc(rows, sizeof *u), *v = calloc(cols, sizeof *v), *x = calloc(count, sizeof *x);
    real *moments = calloc(params.total, sizeof *moments);
    for (size_t i = 0; i < rows; i++) {
        u[i] = itera_normal(1, i);
    }
    for (size_t i = 0; i < cols; i++) {
        v[i] = itera_normal(2, i);
    }
    for (size_t layer = 0; layer < n; layer++) {
        memset(x, 0, count * sizeof *x);
        for (size_t i = 0; i < side; i++) {
            x[i * cols + i] = 1 / (1 + 19.0 * (double)i / (double)side);
        }
        rotate(u, v, x, rows, cols);
        for (size_t i = 0; i < count; i++) {
            params.grad[offset + layer * count + i] = (real)(x[i] * (double)(layer + 1)); /* size does not matter */
        }
    }
    itera_muon_step(&muon, &params, moments, 1, 1);
    const double step = 0.2 * sqrt(rows > cols ? rows : cols);
    double least = INFINITY, most = 0, beside = 0;
    for (size_t layer = 0; layer < n; layer++) {
        for (size_t i = 0; i < count; i++) {
            x[i] = -(double)params.value[offset + layer * count + i] / step;
            CHECK(params.grad[offset + layer * count + i] == 0);
        }
        rotate(u, v, x, rows, cols);
        for (size_t i = 0; i < count; i++) {
            const double value = x[i];
            if (i / cols == i % cols) {
                least = value < least ? value : least;
                most = value > most ? value : most;
            } else if (fabs(value) > beside) {
                beside = fabs(value);
            }
        }
    }
    printf("  %u x %u: singular values %.3f to %.3f, %.1e beside the diagonal\n", rows, cols, least, most, beside);
    CHECK(least > 0.6 && most < 1.3);
    CHECK(beside < 1e-4);
    free(u), free(v), free(x), free(moments);
    itera_muon_free(&muon);
    itera_params_free(&params);
}

TEST(a_step_goes_along_all_singular_vectors_alike)
{
    check_directions(40, 40, 0);
    check_directions(96, 33, 0);
    check_directions(33, 96, 3);
}

TEST(it_takes_the_matrices_of_layers_only)
{
    itera_error error = {""};
    itera_train_config config = itera_train_config_default(ITERA_TRAIN_ITERA2);
    itera_train_model *model;
    itera_muon muon;
    config.V = 61, config.D = 40, config.L = 1, config.F = 36, config.E = 64, config.N = 8, config.heads = 4;
    config.experts = 4;
    REQUIRE(itera_train_model_create(&model, &config, &error) == ITERA_OK);
    REQUIRE(itera_muon_create(&muon, &model->params, &error) == ITERA_OK);
    CHECK(itera_params_find(&model->params, "blk.0.ssm_in.weight")->orthogonal);
    CHECK(itera_params_find(&model->params, "blk.0.ffn_up_exps.weight")->orthogonal);
    CHECK(!itera_params_find(&model->params, "token_embd.weight")->orthogonal);
    CHECK(!itera_params_find(&model->params, "blk.0.ffn_gate_inp.weight")->orthogonal);
    CHECK(!itera_params_find(&model->params, "blk.0.ssm_conv1d.weight")->orthogonal);
    CHECK_INT(muon.n, 2 + 3 * 4);
    itera_muon_free(&muon);
    itera_train_model_free(model);
}

/* ---- Runs ------------------------------------------------------------------------------------- */

enum { TEXT = 3000 };
static uint8_t text[2 * TEXT];

static itera_trainer *start(void)
{
    itera_error error = {""};
    itera_train_config config = itera_train_config_default(ITERA_TRAIN_ITERA2);
    config.V = 61, config.D = 40, config.L = 2, config.F = 36, config.E = 64, config.N = 8, config.heads = 4;
    config.experts = 4;
    for (size_t i = 0; i < TEXT; i++) { /* a token mostly follows from the one before */
        text[2 * i] = (uint8_t)(i == 0 || itera_uniform(1, i) < 0.2 ? itera_hash(1, i) % 61 : text[2 * i - 2] * 7u % 61);
    }
    itera_trainer_options options = itera_trainer_options_default();
    options.B = 4, options.T = 24, options.steps = 40, options.warmup = 4, options.rate = 0.01, options.muon = true;
    const itera_tokens tokens = {.bytes = text, .n = TEXT, .separator = -1, .end = -1};
    itera_train_model *model;
    itera_trainer *trainer = NULL;
    if (itera_train_model_create(&model, &config, &error) != ITERA_OK ||
        itera_trainer_create(&trainer, model, &options, &tokens, &error) != ITERA_OK) {
        printf("  %s\n", error.text);
    }
    return trainer;
}

TEST(a_run_learns)
{
    itera_trainer *trainer = start();
    REQUIRE(trainer != NULL);
    const double first = itera_trainer_step(trainer).loss;
    double last = first;
    while (trainer->step < trainer->options.steps) {
        last = itera_trainer_step(trainer).loss;
    }
    printf("  %.3f nats, after %d steps %.3f\n", first, (int)trainer->step, last);
    CHECK(last < 0.7 * first);
    itera_trainer_free(trainer);
}

TEST(a_resumed_run_is_bit_for_bit_the_one_that_never_stopped)
{
    memory_file file = {0};
    itera_error error = {""};
    itera_trainer *whole = start(), *resumed = start();
    REQUIRE(whole != NULL && resumed != NULL);
    for (int step = 0; step < 6; step++) {
        if (step == 3) {
            CHECK_INT(itera_trainer_save(whole, memory_file_write, &file, &error), ITERA_OK);
        }
        itera_trainer_step(whole);
    }
    CHECK_INT(itera_trainer_load(resumed, memory_file_read, &file, &error), ITERA_OK);
    while (resumed->step < whole->step) {
        itera_trainer_step(resumed);
    }
    const size_t bytes = whole->model->params.total * sizeof(real);
    CHECK(memcmp(whole->model->params.value, resumed->model->params.value, bytes) == 0);
    CHECK(memcmp(whole->adamw.m, resumed->adamw.m, bytes) == 0);
    itera_trainer_free(whole);
    itera_trainer_free(resumed);
    free(file.bytes);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    RUN(a_step_goes_along_all_singular_vectors_alike);
    RUN(it_takes_the_matrices_of_layers_only);
    RUN(a_run_learns);
    RUN(a_resumed_run_is_bit_for_bit_the_one_that_never_stopped);
    return test_end();
}
