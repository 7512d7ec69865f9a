/* Gradients of every block and of whole models against finite differences. The trainer's source is compiled
 * into this program once more, in double precision, where differences can be trusted to many digits. */
#define ITERA_TRAIN_DOUBLE
#define ITERA_MOE_TILE 8 /* small tiles, so that experts fill several */

#include "../../src/train/attention.c"
#include "../../src/train/conv.c"
#include "../../src/train/ffn.c"
#include "../../src/train/gemm.c"
#include "../../src/train/head.c"
#include "../../src/train/model.c"
#include "../../src/train/moe.c"
#include "../../src/train/norm.c"
#include "../../src/train/params.c"
#include "../../src/train/scan.c"
#include "../../src/train/ssm_mamba2.c"
#include "../../src/train/ssm_seed.c"
#include "base/bytes.h"
#include "golden.h"
#include "test.h"

/* Differences over four points have an error of STEP^4 times the fifth derivative; the step is as wide as
 * that allows, because rounding of the loss, some 1e-16, is divided by it. */
#define STEP 2e-4
#define TOLERANCE 1e-5

/* |a - b| relative to the larger of the two and to the gradient's own scale: a component that happens to be
 * nearly zero has no digits of its own. */
static double relative(double a, double b, double scale)
{
    double size = fabs(a) > fabs(b) ? fabs(a) : fabs(b);
    return fabs(a - b) / (size > 1e-3 * scale ? size : 1e-3 * scale);
}

static double rms_of(const real *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += x[i] * x[i];
    }
    return sqrt(sum / (double)(n ? n : 1)) + 1e-12;
}

/* A loss that some values decide. */
typedef double (*loss_function)(void *context);

/* The largest relative error over at most `samples` components of value [n], whose gradient is `grad`. */
static double differ(real *value, const real *grad, size_t n, size_t samples, loss_function loss,
                     void *context)
{
    double worst = 0;
    const double scale = rms_of(grad, n);
    for (size_t s = 0; s < samples && s < n; s++) {
        size_t i = n <= samples ? s : itera_hash(n, s) % n;
        const real kept = value[i];
        double at[4];
        for (int j = 0; j < 4; j++) {
            value[i] = kept + STEP * (j < 2 ? j - 2 : j - 1);
            at[j] = loss(context);
        }
        value[i] = kept;
        double error = relative((at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * STEP), grad[i], scale);
        worst = error > worst ? error : worst;
    }
    return worst;
}

/* Moves every parameter off its initial value, so that no bias is zero and no two heads are alike. */
static void stir(itera_params *params, double amount)
{
    for (size_t i = 0; i < params->total; i++) {
        params->value[i] += amount * itera_normal(77, i);
    }
}

/* ---- Blocks ----------------------------------------------------------------------------------- */

/* loss = sum of r * block(u), r fixed random numbers, plus the router's loss */
typedef struct bench {
    itera_params params;
    itera_train_block *block;
    itera_train_run run;
    real *u, *out, *r, *du;
    size_t n;
    void *memory;
} bench;

static double bench_loss(void *context)
{
    bench *b = context;
    double loss = 0;
    b->run.router_loss = 0;
    b->block->ops->forward(b->block, &b->run, b->out, b->u, b->u);
    for (size_t i = 0; i < b->n; i++) {
        loss += b->r[i] * b->out[i];
    }
    return loss + b->run.router_weight * b->run.router_loss;
}

static void check_block(bench *b, int B, int T)
{
    itera_error error = {""};
    const size_t R = (size_t)B * (size_t)T;
    REQUIRE(b->block != NULL);
    REQUIRE(itera_params_allocate(&b->params, &error) == ITERA_OK);
    itera_params_init(&b->params, 5);
    stir(&b->params, 0.1);
    b->n = R * b->block->D;
    b->run.params = &b->params;
    b->run.B = B;
    b->run.T = T;
    b->block->site = 9;
    itera_arena saved = {0}, scratch = {0};
    b->block->ops->layout(b->block, &saved, &scratch, B, T);
    b->memory = aligned_alloc(64, saved.used + scratch.used + 64);
    saved = (itera_arena){.base = b->memory, .capacity = saved.used};
    scratch = (itera_arena){.base = (uint8_t *)b->memory + saved.capacity, .capacity = scratch.used};
    b->block->ops->layout(b->block, &saved, &scratch, B, T);
    b->u = calloc(4 * b->n, sizeof(real));
    b->out = b->u + b->n, b->r = b->out + b->n, b->du = b->r + b->n;
    for (size_t i = 0; i < b->n; i++) {
        b->u[i] = itera_normal(1, i);
        b->r[i] = itera_normal(2, i);
    }
    bench_loss(b);
    b->block->ops->backward(b->block, &b->run, b->du, b->r, b->u);
    double worst = differ(b->u, b->du, b->n, 200, bench_loss, b);
    printf("  %s: input %.1e", b->block->ops->name, worst);
    CHECK(worst < TOLERANCE);
    for (size_t i = 0; i < b->params.n; i++) {
        itera_param *p = &b->params.list[i];
        worst = differ(b->params.value + p->offset, b->params.grad + p->offset, p->count, 60, bench_loss, b);
        printf(", %s %.1e", p->name + 6, worst);
        CHECK(worst < TOLERANCE);
    }
    printf("\n");
    free(b->u);
    free(b->memory);
    itera_train_block_free(b->block);
    itera_params_free(&b->params);
}

TEST(mamba2_over_whole_and_broken_chunks)
{
    bench b = {0};
    b.block = itera_train_mamba2(&b.params, 0,
                                 &(itera_train_mamba2_params){.D = 6,
                                                              .E = 12,
                                                              .N = 5,
                                                              .heads = 4,
                                                              .groups = 2,
                                                              .taps = 4,
                                                              .chunk = 4,
                                                              .eps = 1e-5,
                                                              .out_scale = 0.3});
    check_block(&b, 2, 11);
}

TEST(mamba2_in_one_chunk)
{
    bench b = {0};
    b.block = itera_train_mamba2(&b.params, 0,
                                 &(itera_train_mamba2_params){.D = 7,
                                                              .E = 10,
                                                              .N = 3,
                                                              .heads = 2,
                                                              .groups = 1,
                                                              .taps = 3,
                                                              .chunk = 64,
                                                              .eps = 1e-5,
                                                              .out_scale = 0.3});
    check_block(&b, 3, 5);
}

TEST(seed_mixer)
{
    bench b = {0};
    b.block = itera_train_seed(&b.params, 0, &(itera_train_seed_params){.D = 6, .E = 10, .N = 4, .taps = 4});
    check_block(&b, 2, 7);
}

TEST(attention)
{
    bench b = {0};
    b.block = itera_train_attention(&b.params, 0, &(itera_train_attention_params){.D = 8, .heads = 2});
    check_block(&b, 2, 7);
}

TEST(dense_gelu_with_dropout)
{
    bench b = {.run = {.dropout = 0.25, .dropout_key = 3}};
    b.block = itera_train_ffn(
        &b.params, 0,
        &(itera_train_ffn_params){
            .D = 6, .F = 9, .activation = ITERA_TRAIN_GELU, .suffix = "", .scale = 0.5, .out_scale = 0.5});
    check_block(&b, 2, 5);
}

TEST(dense_swiglu)
{
    bench b = {0};
    b.block = itera_train_ffn(
        &b.params, 0,
        &(itera_train_ffn_params){
            .D = 6, .F = 9, .activation = ITERA_TRAIN_SWIGLU, .suffix = "", .scale = 0.5, .out_scale = 0.5});
    check_block(&b, 2, 5);
}

TEST(experts_swiglu_with_a_shared_one)
{
    bench b = {.run = {.router_weight = 0.7}};
    b.block = itera_train_moe(&b.params, 0,
                              &(itera_train_moe_params){.D = 6,
                                                        .F = 7,
                                                        .experts = 4,
                                                        .used = 2,
                                                        .shared_F = 5,
                                                        .activation = ITERA_TRAIN_SWIGLU,
                                                        .balance = ITERA_BALANCE_SWITCH,
                                                        .scale = 0.5,
                                                        .out_scale = 0.5});
    check_block(&b, 2, 9);
}

TEST(experts_gelu_with_dropout_and_the_seed_balance)
{
    bench b = {.run = {.router_weight = 0.7, .dropout = 0.25, .dropout_key = 3}};
    b.block = itera_train_moe(&b.params, 0,
                              &(itera_train_moe_params){.D = 6,
                                                        .F = 7,
                                                        .experts = 5,
                                                        .used = 2,
                                                        .activation = ITERA_TRAIN_GELU,
                                                        .balance = ITERA_BALANCE_SEED,
                                                        .scale = 0.5,
                                                        .out_scale = 0.5});
    check_block(&b, 2, 9);
}

/* ---- Whole models ----------------------------------------------------------------------------- */

typedef struct whole {
    itera_train_model *model;
    int32_t tokens[64], targets[64];
} whole;

/* -sum of p ln q over rows with a target, p being the mean distribution of the student's teachers at the last batch
 * and q its own. */
static double cross_entropy(itera_train_model *student, const int32_t *targets)
{
    enum { V = 13, ROWS = 64 };
    static real p[ROWS * V], q[ROWS * V];
    double sum = 0;
    itera_train_model_logits(student, q);
    for (int k = 0; k < student->n_teachers; k++) {
        itera_train_model_logits(student->teachers[k], p);
        for (int r = 0; r < student->B * student->T; r++) {
            double all_p = 0, all_q = 0;
            for (int v = 0; v < V && targets[r] >= 0; v++) {
                all_p += exp(p[r * V + v]);
                all_q += exp(q[r * V + v]);
            }
            for (int v = 0; v < V && targets[r] >= 0; v++) {
                sum -= exp(p[r * V + v]) / all_p * (q[r * V + v] - log(all_q));
            }
        }
    }
    return sum / student->n_teachers;
}

/* The training loss itself, dropout included: the gradient call computes it, and its gradients are not looked
 * at. */
static double whole_loss(void *context)
{
    whole *w = context;
    itera_train_result result = itera_train_gradient(w->model, w->tokens, w->targets, 1, 11);
    const double share = w->model->n_teachers > 0 ? (double)w->model->teacher_share : 0;
    const double taught = share > 0 ? cross_entropy(w->model, w->targets) : 0;
    return ((1 - share) * result.nll + share * taught) / (double)result.targets +
           (double)w->model->config.router_weight * result.router_loss;
}

static void check_taught_model(const itera_train_config *config, itera_train_model *const *teachers, int n, int B, int T)
{
    itera_error error = {""};
    whole w;
    REQUIRE(itera_train_model_create(&w.model, config, &error) == ITERA_OK);
    REQUIRE(itera_train_model_reserve(w.model, B, T, &error) == ITERA_OK);
    REQUIRE(itera_train_model_teach(w.model, teachers, n, 0.75f, &error) == ITERA_OK);
    itera_params *params = &w.model->params;
    itera_params_init(params, 5);
    stir(params, 0.1);
    for (int i = 0; i < B * T; i++) {
        w.tokens[i] = (int32_t)(itera_hash(4, (uint64_t)i) % config->V);
        w.targets[i] = i % 5 == 4 ? -1 : (int32_t)(itera_hash(5, (uint64_t)i) % config->V);
    }
    whole_loss(&w);
    real *grad = malloc(params->total * sizeof(real));
    memcpy(grad, params->grad, params->total * sizeof(real));
    double worst = 0;
    for (size_t i = 0; i < params->n; i++) {
        itera_param *p = &params->list[i];
        double error_here = differ(params->value + p->offset, grad + p->offset, p->count, 12, whole_loss, &w);
        if (!(error_here < TOLERANCE)) {
            printf("  %s: %.1e\n", p->name, error_here);
        }
        worst = error_here > worst ? error_here : worst;
    }
    printf("  %zu parameters: largest relative error %.1e\n", itera_params_count(params), worst);
    CHECK(worst < TOLERANCE);
    free(grad);
    itera_train_model_free(w.model);
}

static void check_model(const itera_train_config *config, int B, int T)
{
    check_taught_model(config, NULL, 0, B, T);
}

TEST(a_model_with_teachers)
{
    itera_error error = {""};
    itera_train_config c = itera_train_config_default(ITERA_TRAIN_ITERA2);
    itera_train_model *teachers[2];
    c.V = 13, c.D = 12, c.L = 1, c.E = 12, c.N = 4, c.heads = 3, c.chunk = 4, c.experts = 0, c.used = 0, c.F = 6;
    for (int k = 0; k < 2; k++) {
        REQUIRE(itera_train_model_create(&teachers[k], &c, &error) == ITERA_OK);
        REQUIRE(itera_train_model_reserve(teachers[k], 3, 10, &error) == ITERA_OK);
        itera_params_init(&teachers[k]->params, (uint64_t)(20 + k));
        stir(&teachers[k]->params, 0.4);
        c.D = 8;
        check_taught_model(&c, teachers, k + 1, 3, 10);
    }
    itera_train_model *other;
    c.V = 14;
    REQUIRE(itera_train_model_create(&other, &c, &error) == ITERA_OK);
    CHECK_INT(itera_train_model_teach(other, teachers, 2, 0.5f, &error), ITERA_ERR_ARGUMENT);
    itera_train_model_free(other);
    itera_train_model_free(teachers[0]);
    itera_train_model_free(teachers[1]);
}

TEST(itera_lite_2_as_a_whole)
{
    itera_train_config c = itera_train_config_default(ITERA_TRAIN_ITERA2);
    c.V = 13, c.D = 8, c.L = 2, c.E = 12, c.N = 4, c.heads = 3, c.chunk = 4, c.experts = 3, c.used = 2,
    c.F = 6;
    c.shared_F = 4, c.router_weight = 0.3f;
    check_model(&c, 3, 10);
}

TEST(itera_lite_2_without_experts)
{
    itera_train_config c = itera_train_config_default(ITERA_TRAIN_ITERA2);
    c.V = 13, c.D = 8, c.L = 1, c.E = 12, c.N = 4, c.heads = 3, c.chunk = 4, c.experts = 0, c.used = 0,
    c.F = 6;
    check_model(&c, 2, 6);
}

TEST(seed_model_with_dropout_as_a_whole)
{
    itera_train_config c = itera_train_config_default(ITERA_TRAIN_ITERA_LITE);
    c.V = 13, c.D = 6, c.L = 2, c.E = 8, c.N = 4, c.experts = 3, c.used = 2, c.F = 6, c.P = 8;
    c.router_weight = 0.3f;
    check_model(&c, 3, 7);
}

TEST(transformer_with_dropout_as_a_whole)
{
    itera_train_config c = itera_train_config_default(ITERA_TRAIN_TRANSFORMER);
    c.V = 13, c.D = 8, c.L = 2, c.heads = 2, c.F = 10, c.P = 8;
    check_model(&c, 3, 7);
}

/* ---- Against PyTorch -------------------------------------------------------------------------- */

/* tests/golden/train/reference.py describes the file. */
static const uint8_t *take(const uint8_t **at, size_t n)
{
    const uint8_t *from = *at;
    *at += n;
    return from;
}

static itera_train_config read_config(const uint8_t **at, int *B, int *T)
{
    uint32_t n[16];
    float weights[2];
    memcpy(n, take(at, sizeof n), sizeof n);
    memcpy(weights, take(at, sizeof weights), sizeof weights);
    *B = (int)n[14], *T = (int)n[15];
    return (itera_train_config){.arch = (itera_train_arch)n[0],
                                .V = n[1],
                                .D = n[2],
                                .L = n[3],
                                .E = n[4],
                                .N = n[5],
                                .taps = n[6],
                                .heads = n[7],
                                .groups = n[8],
                                .experts = n[9],
                                .used = n[10],
                                .F = n[11],
                                .shared_F = n[12],
                                .P = n[13],
                                .chunk = 8,
                                .eps = weights[0],
                                .router_weight = weights[1]};
}

/* Values into the model; their gradients' place in the file into from[parameter]. */
static bool read_tensors(itera_params *params, const uint8_t **at, const uint8_t **from)
{
    uint32_t count, length;
    size_t found = 0;
    memcpy(&count, take(at, 4), 4);
    for (uint32_t j = 0; j < count; j++) {
        char name[64] = {0};
        memcpy(&length, take(at, 4), 4);
        memcpy(name, take(at, length), length);
        memcpy(&length, take(at, 4), 4);
        itera_param *p = itera_params_find(params, name);
        if (p == NULL || p->count != length) {
            printf("  %s: not in the model, or of another size\n", name);
            return false;
        }
        for (size_t i = 0; i < length; i++) {
            params->value[p->offset + i] = (real)itera_load_f32(*at + 4 * i);
        }
        from[p - params->list] = *at + 4 * (size_t)length;
        take(at, 8 * (size_t)length);
        found++;
    }
    return found == params->n;
}

static void check_golden(const char *path)
{
    itera_error error = {""};
    size_t bytes;
    int B, T;
    double loss, balance;
    uint8_t *file = golden_read(path, &bytes);
    const uint8_t *at = file + 8, *from[128];
    const itera_train_config config = read_config(&at, &B, &T);
    memcpy(&loss, take(&at, 8), 8);
    memcpy(&balance, take(&at, 8), 8);
    int32_t tokens[128], targets[128];
    memcpy(tokens, take(&at, (size_t)(B * T) * 4), (size_t)(B * T) * 4);
    memcpy(targets, take(&at, (size_t)(B * T) * 4), (size_t)(B * T) * 4);
    itera_train_model *model;
    REQUIRE(itera_train_model_create(&model, &config, &error) == ITERA_OK);
    REQUIRE(itera_train_model_reserve(model, B, T, &error) == ITERA_OK);
    REQUIRE(read_tensors(&model->params, &at, from));
    itera_train_result result = itera_train_gradient(model, tokens, targets, 1, 0);
    CHECK_NEAR(result.nll / (double)result.targets, loss, 1e-8);
    CHECK_NEAR(result.router_loss, balance, 1e-8);
    double worst = 0;
    for (size_t j = 0; j < model->params.n; j++) {
        const itera_param *p = &model->params.list[j];
        const real *grad = model->params.grad + p->offset;
        const double scale = rms_of(grad, p->count);
        for (size_t i = 0; i < p->count; i++) {
            double wrong = relative((double)itera_load_f32(from[j] + 4 * i), grad[i], scale);
            worst = wrong > worst || wrong != wrong ? wrong : worst;
        }
    }
    printf("  %s: %zu gradients, largest relative error %.1e\n", path, itera_params_count(&model->params),
           worst);
    CHECK(worst < 1e-5);
    itera_train_model_free(model);
    free(file);
}

TEST(gradients_are_those_of_pytorch)
{
    check_golden("train/itera2.bin");
    check_golden("train/itera-lite.bin");
    check_golden("train/transformer.bin");
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    RUN(mamba2_over_whole_and_broken_chunks);
    RUN(mamba2_in_one_chunk);
    RUN(seed_mixer);
    RUN(attention);
    RUN(dense_gelu_with_dropout);
    RUN(dense_swiglu);
    RUN(experts_swiglu_with_a_shared_one);
    RUN(experts_gelu_with_dropout_and_the_seed_balance);
    RUN(a_model_with_teachers);
    RUN(itera_lite_2_as_a_whole);
    RUN(itera_lite_2_without_experts);
    RUN(seed_model_with_dropout_as_a_whole);
    RUN(transformer_with_dropout_as_a_whole);
    RUN(gradients_are_those_of_pytorch);
    return test_end();
}
