/* Whole models: logits against llama.cpp, and what a session promises about splits, copies and errors. */
#include <stdlib.h>

#include "base/memory.h"
#include "golden.h"
#include "test.h"

#define T 64
#define V 512

static const char *const MODELS[] = {"mamba-f32", "granitehybrid-moe-f32", "mamba2-q8_0", "mamba2-q4_0",
                                     "mamba2-q4_k_m"};
enum { MODEL_COUNT = sizeof MODELS / sizeof MODELS[0], FLOAT_MODELS = 2 };

static const char *path_of(const char *model, const char *file)
{
    static char path[128];
    snprintf(path, sizeof path, "llama.cpp/%s/%s", model, file);
    return path;
}

static int32_t *tokens_of(const char *model)
{
    size_t bytes;
    return (int32_t *)(void *)golden_read(path_of(model, "tokens.i32"), &bytes);
}

static float *floats_of(const char *model, const char *file)
{
    size_t bytes;
    return (float *)(void *)golden_read(path_of(model, file), &bytes);
}

/* Logits [n, V] of `n` tokens fed in pieces of `piece`; the caller frees. */
static float *feed(itera_model *model, const int32_t *tokens, size_t n, size_t piece)
{
    itera_error error = {""};
    itera_session *session = NULL;
    float *logits = calloc(n * V, sizeof *logits);
    itera_status status = itera_session_create(&session, model, n, &error);
    for (size_t i = 0; i < n && status == ITERA_OK; i += piece) {
        status = itera_session_feed(session, tokens + i, n - i < piece ? n - i : piece, logits + i * V, &error);
    }
    if (status != ITERA_OK) {
        printf("  %s\n", error.text);
    }
    itera_session_free(session);
    return logits;
}

/* Of the golden prompt. */
static float *run(itera_model *model, const int32_t *tokens, size_t piece)
{
    return feed(model, tokens, T, piece);
}

static float *load_and_run(const char *name, itera_variant variant, golden_order order, size_t piece)
{
    itera_model *model = golden_model(path_of(name, "model.gguf"), variant, order, 4099);
    if (model == NULL) {
        return NULL;
    }
    int32_t *tokens = tokens_of(name);
    float *logits = run(model, tokens, piece);
    free(tokens);
    itera_model_free(model);
    return logits;
}

/* The largest difference of an F32 file, in units of the reference's standard deviation. */
#define F32_TOLERANCE 2e-3
/* Quantized files: root mean square, in units of llama.cpp's own error. */
#define QUANTIZED_TOLERANCE 1.1

TEST(logits_agree_with_llama_cpp)
{
    for (int variant = ITERA_SCALAR; variant <= ITERA_RELAXED; variant++) {
        for (int i = 0; i < MODEL_COUNT; i++) {
            float *logits = load_and_run(MODELS[i], (itera_variant)variant, GOLDEN_WHOLE, T);
            REQUIRE(logits != NULL);
            float *exact = floats_of(MODELS[i], "logits.f32");
            const size_t n = (size_t)T * V;
            if (i < FLOAT_MODELS) {
                double error = golden_largest(logits, exact, n) / golden_deviation(exact, n);
                printf("  %s %s: largest error %.2e deviations\n", MODELS[i],
                       itera_kernels_get((itera_variant)variant)->name, error);
                CHECK(error <= F32_TOLERANCE);
            } else {
                float *native = floats_of(MODELS[i], "native.f32");
                double ours = golden_rms(logits, exact, n), theirs = golden_rms(native, exact, n);
                printf("  %s %s: error %.4f, llama.cpp's own %.4f\n", MODELS[i],
                       itera_kernels_get((itera_variant)variant)->name, ours, theirs);
                CHECK(ours <= QUANTIZED_TOLERANCE * theirs);
                free(native);
            }
            free(exact);
            free(logits);
        }
    }
}

TEST(simd128_equals_scalar_bit_for_bit)
{
    REQUIRE(itera_kernels_get(ITERA_SIMD128) != NULL);
    for (int i = 0; i < MODEL_COUNT; i++) {
        float *scalar = load_and_run(MODELS[i], ITERA_SCALAR, GOLDEN_WHOLE, T);
        float *simd = load_and_run(MODELS[i], ITERA_SIMD128, GOLDEN_WHOLE, T);
        REQUIRE(scalar != NULL && simd != NULL);
        CHECK(memcmp(scalar, simd, (size_t)T * V * sizeof(float)) == 0);
        free(scalar);
        free(simd);
    }
}

static void check_splits(const char *name, itera_variant variant)
{
    const size_t pieces[] = {1, 7, 63};
    itera_model *model = golden_model(path_of(name, "model.gguf"), variant, GOLDEN_WHOLE, 0);
    REQUIRE(model != NULL);
    int32_t *tokens = tokens_of(name);
    float *whole = run(model, tokens, T);
    for (size_t p = 0; p < sizeof pieces / sizeof pieces[0]; p++) {
        float *split = run(model, tokens, pieces[p]);
        CHECK(memcmp(whole, split, (size_t)T * V * sizeof(float)) == 0);
        free(split);
    }
    free(whole);
    free(tokens);
    itera_model_free(model);
}

TEST(any_split_of_the_tokens_gives_the_same_bits)
{
    for (int variant = ITERA_SCALAR; variant <= ITERA_RELAXED; variant++) {
        for (int i = 0; i < MODEL_COUNT; i++) {
            check_splits(MODELS[i], (itera_variant)variant);
        }
    }
}

TEST(a_prompt_longer_than_a_pass_gives_the_same_bits)
{
    enum { LONG = 5 * T };
    for (int i = 0; i < MODEL_COUNT; i++) {
        itera_model *model = golden_model(path_of(MODELS[i], "model.gguf"), itera_kernels_best(), GOLDEN_WHOLE, 0);
        REQUIRE(model != NULL);
        itera_model_info info;
        itera_model_get_info(model, &info);
        REQUIRE(info.batch < LONG);
        int32_t *tokens = tokens_of(MODELS[i]), all[LONG];
        for (int t = 0; t < LONG; t++) {
            all[t] = tokens[t % T];
        }
        float *whole = feed(model, all, LONG, LONG), *split = feed(model, all, LONG, 50);
        CHECK(memcmp(whole, split, (size_t)LONG * V * sizeof(float)) == 0);
        CHECK(whole[(size_t)LONG * V - 1] != 0.0f);
        free(split);
        free(whole);
        free(tokens);
        itera_model_free(model);
    }
}

TEST(any_order_of_the_file_gives_the_same_model)
{
    for (int i = 0; i < MODEL_COUNT; i++) {
        float *whole = load_and_run(MODELS[i], itera_kernels_best(), GOLDEN_WHOLE, T);
        float *pieces = load_and_run(MODELS[i], itera_kernels_best(), GOLDEN_PIECES, T);
        float *backwards = load_and_run(MODELS[i], itera_kernels_best(), GOLDEN_BACKWARDS, T);
        REQUIRE(whole != NULL && pieces != NULL && backwards != NULL);
        CHECK(memcmp(whole, pieces, (size_t)T * V * sizeof(float)) == 0);
        CHECK(memcmp(whole, backwards, (size_t)T * V * sizeof(float)) == 0);
        free(whole);
        free(pieces);
        free(backwards);
    }
}

TEST(bytes_after_the_headers_release_change_nothing)
{
    itera_error error;
    itera_model *model = golden_model(path_of("mamba-f32", "model.gguf"), itera_kernels_best(), GOLDEN_WHOLE, 0);
    REQUIRE(model != NULL);
    itera_model_release_header(model);
    size_t bytes;
    uint8_t *file = golden_read(path_of("mamba-f32", "model.gguf"), &bytes);
    memset(file + bytes / 2, 0xff, bytes / 2);
    CHECK_INT(itera_model_push(model, 0, file, bytes, &error), ITERA_OK);
    free(file);
    int32_t *tokens = tokens_of("mamba-f32");
    float *logits = run(model, tokens, T), *exact = floats_of("mamba-f32", "logits.f32");
    CHECK(golden_largest(logits, exact, (size_t)T * V) <= F32_TOLERANCE * golden_deviation(exact, (size_t)T * V));
    free(exact);
    free(logits);
    free(tokens);
    itera_model_free(model);
}

TEST(a_copied_session_continues_where_the_other_is)
{
    itera_error error;
    itera_model *model =
        golden_model(path_of("granitehybrid-moe-f32", "model.gguf"), itera_kernels_best(), GOLDEN_WHOLE, 0);
    int32_t *tokens = tokens_of("granitehybrid-moe-f32");
    itera_session *one, *two;
    CHECK_INT(itera_session_create(&one, model, 100, &error), ITERA_OK);
    CHECK_INT(itera_session_create(&two, model, 80, &error), ITERA_OK);
    CHECK_INT(itera_session_feed(one, tokens, 40, NULL, &error), ITERA_OK);
    CHECK_INT(itera_session_copy(two, one, &error), ITERA_OK);
    CHECK_INT(itera_session_position(two), 40);
    CHECK(memcmp(itera_session_logits(one), itera_session_logits(two), V * sizeof(float)) == 0);
    itera_session_feed(one, tokens + 40, 24, NULL, &error);
    itera_session_feed(two, tokens + 40, 24, NULL, &error);
    CHECK(memcmp(itera_session_logits(one), itera_session_logits(two), V * sizeof(float)) == 0);
    itera_session_feed(one, tokens, 30, NULL, &error);
    CHECK_INT(itera_session_copy(two, one, &error), ITERA_ERR_CONTEXT_FULL);
    itera_session_free(one);
    itera_session_free(two);
    free(tokens);
    itera_model_free(model);
}

TEST(a_session_that_is_given_more_room_goes_on_as_if_it_had_it)
{
    itera_error error;
    itera_model *model =
        golden_model(path_of("granitehybrid-moe-f32", "model.gguf"), itera_kernels_best(), GOLDEN_WHOLE, 0);
    int32_t *tokens = tokens_of("granitehybrid-moe-f32");
    itera_session *large, *grown;
    CHECK_INT(itera_session_create(&large, model, 100, &error), ITERA_OK);
    CHECK_INT(itera_session_create(&grown, model, 1, &error), ITERA_OK);
    CHECK_INT(itera_session_feed(large, tokens, 60, NULL, &error), ITERA_OK);
    for (int at = 0; at < 60; at += 10) {
        CHECK_INT(itera_session_feed(grown, tokens + at, 10, NULL, &error), ITERA_ERR_CONTEXT_FULL);
        itera_memory_fail_after(0);
        CHECK_INT(itera_session_reserve(grown, (uint32_t)at + 10, &error), ITERA_ERR_MEMORY);
        itera_memory_fail_after(-1);
        CHECK_INT(itera_session_reserve(grown, (uint32_t)at + 10, &error), ITERA_OK);
        CHECK_INT(itera_session_reserve(grown, 1, &error), ITERA_OK); /* never less */
        CHECK_INT(itera_session_feed(grown, tokens + at, 10, NULL, &error), ITERA_OK);
    }
    CHECK_INT(itera_session_position(grown), 60);
    CHECK(memcmp(itera_session_logits(large), itera_session_logits(grown), V * sizeof(float)) == 0);
    /* A mark from before holds no rows: they moved along. */
    uint8_t *mark = malloc((size_t)itera_session_mark_size(grown));
    itera_session_mark(grown, mark);
    CHECK_INT(itera_session_reserve(grown, 100, &error), ITERA_OK);
    float first[V];
    CHECK_INT(itera_session_feed(grown, tokens, 4, NULL, &error), ITERA_OK);
    memcpy(first, itera_session_logits(grown), sizeof first);
    CHECK_INT(itera_session_rewind(grown, mark, &error), ITERA_OK);
    CHECK_INT(itera_session_feed(grown, tokens, 4, NULL, &error), ITERA_OK);
    CHECK(memcmp(first, itera_session_logits(grown), sizeof first) == 0);
    CHECK_INT(itera_session_feed(large, tokens, 4, NULL, &error), ITERA_OK);
    CHECK(memcmp(first, itera_session_logits(large), sizeof first) == 0);
    free(mark);
    itera_session_free(large);
    itera_session_free(grown);
    free(tokens);
    itera_model_free(model);
}

TEST(a_refused_call_leaves_the_session_as_it_was)
{
    itera_error error;
    itera_model *model =
        golden_model(path_of("granitehybrid-moe-f32", "model.gguf"), itera_kernels_best(), GOLDEN_WHOLE, 0);
    int32_t *tokens = tokens_of("granitehybrid-moe-f32");
    itera_session *session;
    CHECK_INT(itera_session_create(&session, model, 20, &error), ITERA_OK);
    CHECK(itera_session_logits(session) == NULL);
    CHECK_INT(itera_session_feed(session, tokens, 15, NULL, &error), ITERA_OK);
    float before[V];
    memcpy(before, itera_session_logits(session), sizeof before);
    int32_t bad[] = {1, V, 2}, negative[] = {-1};
    CHECK_INT(itera_session_feed(session, bad, 3, NULL, &error), ITERA_ERR_TOKEN);
    CHECK_INT(itera_session_feed(session, negative, 1, NULL, &error), ITERA_ERR_TOKEN);
    CHECK_INT(itera_session_feed(session, tokens, 6, NULL, &error), ITERA_ERR_CONTEXT_FULL);
    CHECK_INT(itera_session_position(session), 15);
    CHECK(memcmp(before, itera_session_logits(session), sizeof before) == 0);
    CHECK_INT(itera_session_feed(session, tokens, 5, NULL, &error), ITERA_OK);
    itera_session_reset(session);
    CHECK_INT(itera_session_feed(session, tokens, 15, NULL, &error), ITERA_OK);
    CHECK(memcmp(before, itera_session_logits(session), sizeof before) == 0);
    itera_session_free(session);
    free(tokens);
    itera_model_free(model);
}

TEST(scores_are_the_logprobs_of_the_logits)
{
    itera_error error;
    itera_model *model = golden_model(path_of("mamba-f32", "model.gguf"), itera_kernels_best(), GOLDEN_WHOLE, 0);
    int32_t *tokens = tokens_of("mamba-f32");
    float *logits = run(model, tokens, T), nll[T - 1];
    itera_session *session;
    CHECK_INT(itera_session_create(&session, model, 0, &error), ITERA_OK);
    CHECK_INT(itera_session_score(session, tokens, T, nll, &error), ITERA_OK);
    for (int t = 0; t + 1 < T; t++) {
        CHECK_NEAR(nll[t], -itera_logprob(logits + (size_t)t * V, V, tokens[t + 1]), 1e-6);
    }
    CHECK_INT(itera_session_score(session, tokens, 1, nll, &error), ITERA_ERR_ARGUMENT);
    itera_session_free(session);
    free(logits);
    free(tokens);
    itera_model_free(model);
}

TEST(an_incomplete_model_makes_no_session)
{
    itera_error error;
    size_t bytes;
    uint8_t *file = golden_read(path_of("mamba-f32", "model.gguf"), &bytes);
    itera_gguf *gguf = itera_gguf_create();
    itera_model *model;
    CHECK_INT(itera_gguf_feed(gguf, file, bytes, &error), ITERA_OK);
    CHECK_INT(itera_model_create(&model, gguf, ITERA_SCALAR, &error), ITERA_OK);
    CHECK_INT(itera_model_push(model, 0, file, bytes - 1, &error), ITERA_NEED_MORE);
    itera_session *session;
    CHECK_INT(itera_session_create(&session, model, 0, &error), ITERA_ERR_INCOMPLETE);
    CHECK_INT(itera_model_push(model, bytes - 1, file + bytes - 1, 1, &error), ITERA_OK);
    CHECK_INT(itera_session_create(&session, model, 0, &error), ITERA_OK);
    itera_session_free(session);
    itera_model_free(model);
    free(file);
}

/* A model, a session and a sampler, or the status of what could not be had. */
static itera_status whole_life(const uint8_t *file, size_t bytes, const int32_t *tokens)
{
    itera_error error;
    itera_model *model = NULL;
    itera_session *session = NULL;
    itera_sampler *sampler = NULL;
    itera_gguf *gguf = itera_gguf_create();
    itera_status status = gguf == NULL ? ITERA_ERR_MEMORY : itera_gguf_feed(gguf, file, bytes, &error);
    if (status < 0) {
        itera_gguf_free(gguf);
        return status;
    }
    status = itera_model_create(&model, gguf, itera_kernels_best(), &error);
    for (size_t at = 0; at < bytes && status >= 0; at += 100003) { /* far apart pieces first and last */
        size_t n = bytes - at < 100003 ? bytes - at : 100003;
        status = itera_model_push(model, at, file + at, n, &error);
    }
    if (status == ITERA_OK) {
        status = itera_session_create(&session, model, 16, &error);
    }
    if (status == ITERA_OK) {
        float nll[7];
        status = itera_session_score(session, tokens, 8, nll, &error);
    }
    if (status == ITERA_OK) {
        sampler = itera_sampler_create(V);
        status = sampler == NULL ? ITERA_ERR_MEMORY : itera_sampler_bias(sampler, 3, 1.0f);
    }
    itera_sampler_free(sampler);
    itera_session_free(session);
    itera_model_free(model);
    return status;
}

TEST(every_failing_allocation_is_reported_and_nothing_leaks)
{
    size_t bytes;
    uint8_t *file = golden_read(path_of("mamba2-q4_k_m", "model.gguf"), &bytes);
    int32_t *tokens = tokens_of("mamba2-q4_k_m");
    long allowed = 0;
    for (; allowed < 1000; allowed++) {
        itera_memory_fail_after(allowed);
        itera_status status = whole_life(file, bytes, tokens);
        if (status == ITERA_OK) {
            break;
        }
        CHECK_INT(status, ITERA_ERR_MEMORY);
    }
    itera_memory_fail_after(-1);
    CHECK(allowed > 20 && allowed < 1000);
    free(tokens);
    free(file);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    RUN(logits_agree_with_llama_cpp);
    RUN(simd128_equals_scalar_bit_for_bit);
    RUN(any_split_of_the_tokens_gives_the_same_bits);
    RUN(a_prompt_longer_than_a_pass_gives_the_same_bits);
    RUN(any_order_of_the_file_gives_the_same_model);
    RUN(bytes_after_the_headers_release_change_nothing);
    RUN(a_copied_session_continues_where_the_other_is);
    RUN(a_session_that_is_given_more_room_goes_on_as_if_it_had_it);
    RUN(a_refused_call_leaves_the_session_as_it_was);
    RUN(scores_are_the_logprobs_of_the_logits);
    RUN(an_incomplete_model_makes_no_session);
    RUN(every_failing_allocation_is_reported_and_nothing_leaks);
    return test_end();
}
