/* Snapshots and marks: what is restored goes on bit for bit, and what does not fit changes nothing. */
#include <stdlib.h>

#include "base/hash.h"
#include "golden.h"
#include "test.h"

#define V 512

/* One without a KV cache, one with. */
static const char *const MODELS[] = {"mamba2-q8_0", "granitehybrid-moe-f32"};
enum { MODEL_COUNT = sizeof MODELS / sizeof MODELS[0] };

static char path[128];

static const char *path_of(const char *model, const char *file)
{
    snprintf(path, sizeof path, "llama.cpp/%s/%s", model, file);
    return path;
}

typedef struct fixture {
    itera_model *model;
    int32_t *tokens; /* [64] */
} fixture;

static fixture open_model(const char *name, itera_variant variant)
{
    size_t bytes;
    fixture f = {.model = golden_model(path_of(name, "model.gguf"), variant, GOLDEN_WHOLE, 0)};
    f.tokens = (int32_t *)(void *)golden_read(path_of(name, "tokens.i32"), &bytes);
    return f;
}

static void close_model(fixture *f)
{
    itera_model_free(f->model);
    free(f->tokens);
}

static itera_session *session_of(itera_model *model, uint32_t context)
{
    itera_session *session = NULL;
    itera_error error = {""};
    if (itera_session_create(&session, model, context, &error) != ITERA_OK) {
        printf("  %s\n", error.text);
    }
    return session;
}

/* A snapshot in a block of exactly its size, so that a sanitizer sees every byte too far. */
static uint8_t *save(const itera_session *session, itera_snapshot_form form, size_t *n)
{
    itera_error error;
    *n = (size_t)itera_session_save_size(session, form);
    uint8_t *bytes = malloc(*n);
    CHECK_INT(itera_session_save(session, form, bytes, *n, &error), ITERA_OK);
    return bytes;
}

static bool same_logits(const itera_session *a, const itera_session *b)
{
    return memcmp(itera_session_logits(a), itera_session_logits(b), V * sizeof(float)) == 0;
}

TEST(a_restored_session_goes_on_bit_for_bit)
{
    itera_error error;
    for (int i = 0; i < MODEL_COUNT; i++) {
        fixture f = open_model(MODELS[i], itera_kernels_best());
        itera_session *one = session_of(f.model, 100), *smaller = session_of(f.model, 64),
                      *larger = session_of(f.model, 200);
        size_t n;
        itera_session_feed(one, f.tokens, 40, NULL, &error);
        uint8_t *bytes = save(one, ITERA_SNAPSHOT_F32, &n);
        itera_session_feed(smaller, f.tokens + 9, 20, NULL, &error); /* something to be replaced */
        CHECK_INT(itera_session_restore(smaller, bytes, n, &error), ITERA_OK);
        CHECK_INT(itera_session_restore(larger, bytes, n, &error), ITERA_OK);
        CHECK_INT(itera_session_position(smaller), 40);
        CHECK(same_logits(one, smaller) && same_logits(one, larger));
        itera_session_feed(one, f.tokens + 40, 24, NULL, &error);
        itera_session_feed(smaller, f.tokens + 40, 24, NULL, &error);
        itera_session_feed(larger, f.tokens + 40, 24, NULL, &error);
        CHECK(same_logits(one, smaller) && same_logits(one, larger));
        free(bytes);
        itera_session_free(one);
        itera_session_free(smaller);
        itera_session_free(larger);
        close_model(&f);
    }
}

TEST(a_session_reset_is_saved_as_a_new_one)
{
    itera_error error;
    for (int i = 0; i < MODEL_COUNT; i++) {
        fixture f = open_model(MODELS[i], itera_kernels_best());
        itera_session *fresh = session_of(f.model, 64), *used = session_of(f.model, 64);
        size_t n, m;
        itera_session_feed(used, f.tokens, 20, NULL, &error);
        itera_session_reset(used);
        uint8_t *one = save(fresh, ITERA_SNAPSHOT_F32, &n), *two = save(used, ITERA_SNAPSHOT_F32, &m);
        CHECK(n == m && memcmp(one, two, n) == 0);
        free(one);
        free(two);
        itera_session_free(fresh);
        itera_session_free(used);
        close_model(&f);
    }
}

TEST(a_snapshot_of_one_variant_goes_on_under_another)
{
    itera_error error;
    for (int i = 0; i < MODEL_COUNT; i++) {
        fixture scalar = open_model(MODELS[i], ITERA_SCALAR), simd = open_model(MODELS[i], ITERA_SIMD128);
        CHECK(itera_model_identity(scalar.model) == itera_model_identity(simd.model));
        itera_session *one = session_of(scalar.model, 64), *two = session_of(simd.model, 64);
        size_t n;
        itera_session_feed(one, scalar.tokens, 30, NULL, &error);
        uint8_t *bytes = save(one, ITERA_SNAPSHOT_F32, &n);
        CHECK_INT(itera_session_restore(two, bytes, n, &error), ITERA_OK);
        itera_session_feed(one, scalar.tokens + 30, 30, NULL, &error);
        itera_session_feed(two, scalar.tokens + 30, 30, NULL, &error);
        CHECK(same_logits(one, two));
        free(bytes);
        itera_session_free(one);
        itera_session_free(two);
        close_model(&scalar);
        close_model(&simd);
    }
}

/* Root mean square of the logits' error after 24 more tokens, in their own deviations: rounding to 11 bits is off by
 * 2^-12 on average, and errors of many values do not all point the same way. */
#define F16_TOLERANCE 1e-3

TEST(half_precision_costs_little_and_takes_half)
{
    itera_error error;
    for (int i = 0; i < MODEL_COUNT; i++) {
        fixture f = open_model(MODELS[i], itera_kernels_best());
        itera_session *one = session_of(f.model, 64), *two = session_of(f.model, 64);
        size_t n, whole;
        itera_session_feed(one, f.tokens, 40, NULL, &error);
        free(save(one, ITERA_SNAPSHOT_F32, &whole));
        uint8_t *bytes = save(one, ITERA_SNAPSHOT_F16, &n);
        CHECK(n < whole / 2 + V * sizeof(float) + 128);
        CHECK_INT(itera_session_restore(two, bytes, n, &error), ITERA_OK);
        CHECK(same_logits(one, two));
        itera_session_feed(one, f.tokens + 40, 24, NULL, &error);
        itera_session_feed(two, f.tokens + 40, 24, NULL, &error);
        double miss = golden_rms(itera_session_logits(one), itera_session_logits(two), V) /
                      golden_deviation(itera_session_logits(one), V);
        printf("  %s: error %.1e deviations\n", MODELS[i], miss);
        CHECK(miss <= F16_TOLERANCE);
        free(bytes);
        itera_session_free(one);
        itera_session_free(two);
        close_model(&f);
    }
}

TEST(any_changed_byte_is_refused_and_changes_nothing)
{
    itera_error error;
    fixture f = open_model("mamba2-q8_0", itera_kernels_best());
    itera_session *one = session_of(f.model, 0), *two = session_of(f.model, 0);
    size_t n, untouched_n;
    itera_session_feed(one, f.tokens, 20, NULL, &error);
    itera_session_feed(two, f.tokens + 20, 20, NULL, &error);
    uint8_t *bytes = save(one, ITERA_SNAPSHOT_F32, &n), *untouched = save(two, ITERA_SNAPSHOT_F32, &untouched_n);
    /* Every byte of the header and the checksum, and a sample of the rest. */
    for (size_t at = 0; at < n; at += at < 64 || at + 8 >= n ? 1 : 4099) {
        for (int bit = 0; bit < 8; bit += 7) {
            bytes[at] ^= (uint8_t)(1 << bit);
            CHECK_INT(itera_session_restore(two, bytes, n, &error), ITERA_ERR_SNAPSHOT);
            bytes[at] ^= (uint8_t)(1 << bit);
        }
    }
    for (size_t length = 0; length < n; length += length < 80 ? 1 : 9973) {
        uint8_t *part = malloc(length ? length : 1);
        memcpy(part, bytes, length);
        CHECK_INT(itera_session_restore(two, part, length, &error), ITERA_ERR_SNAPSHOT);
        free(part);
    }
    uint8_t *after = save(two, ITERA_SNAPSHOT_F32, &untouched_n);
    CHECK(memcmp(untouched, after, untouched_n) == 0);
    free(after);
    free(untouched);
    free(bytes);
    itera_session_free(one);
    itera_session_free(two);
    close_model(&f);
}

static void seal(uint8_t *bytes, size_t n)
{
    uint64_t checksum = 0;
    for (size_t at = 0; at < n; at += ITERA_SNAPSHOT_PIECE) {
        size_t piece = n - at < ITERA_SNAPSHOT_PIECE ? n - at : ITERA_SNAPSHOT_PIECE;
        checksum = itera_hash(checksum, bytes + at, at + piece == n ? piece - 8 : piece);
    }
    memcpy(bytes + n - 8, &checksum, 8);
}

/* Somebody who knows the format can make the checksum right. What is in the fields must not be believed either, and
 * numbers without sense give logits without sense. */
TEST(a_forged_snapshot_does_no_harm)
{
    itera_error error;
    fixture f = open_model("granitehybrid-moe-f32", itera_kernels_best());
    itera_session *session = session_of(f.model, 64);
    size_t n;
    itera_session_feed(session, f.tokens, 20, NULL, &error);
    uint8_t *bytes = save(session, ITERA_SNAPSHOT_F32, &n);
    const uint64_t values[] = {0, 1, 21, 65, 1u << 31, 1ull << 32, 1ull << 53, UINT64_MAX / 4, UINT64_MAX};
    for (size_t field = 8; field < 64; field += 8) {
        for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
            uint64_t kept;
            memcpy(&kept, bytes + field, 8);
            memcpy(bytes + field, &values[i], 8);
            seal(bytes, n);
            if (kept != values[i]) {
                itera_status status = itera_session_restore(session, bytes, n, &error);
                /* A cache of 64 has no room for 65 positions, whoever says so. */
                CHECK(status == ITERA_ERR_SNAPSHOT || (status == ITERA_ERR_CONTEXT_FULL && field == 24));
            }
            memcpy(bytes + field, &kept, 8);
        }
    }
    for (size_t at = 64; at + 12 <= n; at += 4) {
        const uint32_t wild[] = {0x7fc00000u, 0xff800000u, 0x7f7fffffu}; /* NaN, -infinity, the largest */
        memcpy(bytes + at, &wild[at / 4 % 3], 4);
    }
    seal(bytes, n);
    CHECK_INT(itera_session_restore(session, bytes, n, &error), ITERA_OK);
    CHECK_INT(itera_session_feed(session, f.tokens, 10, NULL, &error), ITERA_OK);
    itera_sampler *sampler = itera_sampler_create(V);
    int32_t token = itera_sampler_sample(sampler, itera_session_logits(session));
    CHECK(token >= 0 && token < V);
    itera_sampler_free(sampler);
    free(bytes);
    itera_session_free(session);
    close_model(&f);
}

TEST(another_model_and_too_small_a_session_are_told_apart)
{
    itera_error error;
    fixture f = open_model("mamba2-q8_0", itera_kernels_best()), g = open_model("mamba2-q4_0", itera_kernels_best()),
            h = open_model("granitehybrid-moe-f32", itera_kernels_best());
    itera_session *one = session_of(f.model, 0), *other = session_of(g.model, 0), *wide = session_of(h.model, 64),
                  *narrow = session_of(h.model, 30);
    size_t n;
    itera_session_feed(one, f.tokens, 20, NULL, &error);
    uint8_t *bytes = save(one, ITERA_SNAPSHOT_F32, &n);
    /* The same shape, other weights. */
    CHECK_INT(itera_session_restore(other, bytes, n, &error), ITERA_ERR_SNAPSHOT);
    CHECK(strstr(error.text, "another model") != NULL);
    free(bytes);
    itera_session_feed(wide, h.tokens, 40, NULL, &error);
    bytes = save(wide, ITERA_SNAPSHOT_F32, &n);
    CHECK_INT(itera_session_restore(narrow, bytes, n, &error), ITERA_ERR_CONTEXT_FULL);
    CHECK_INT(itera_session_position(narrow), 0);
    free(bytes);
    itera_session_free(one);
    itera_session_free(other);
    itera_session_free(wide);
    itera_session_free(narrow);
    close_model(&f);
    close_model(&g);
    close_model(&h);
}

TEST(identity_is_of_the_content_not_of_its_arrival)
{
    itera_model *whole = golden_model(path_of("mamba2-q4_0", "model.gguf"), ITERA_SCALAR, GOLDEN_WHOLE, 0);
    itera_model *backwards = golden_model(path_of("mamba2-q4_0", "model.gguf"), ITERA_SCALAR, GOLDEN_BACKWARDS, 4099);
    itera_model *other = golden_model(path_of("mamba2-q4_k_m", "model.gguf"), ITERA_SCALAR, GOLDEN_WHOLE, 0);
    CHECK(itera_model_identity(whole) == itera_model_identity(backwards));
    CHECK(itera_model_identity(whole) != itera_model_identity(other));
    itera_model_free(whole);
    itera_model_free(backwards);
    itera_model_free(other);
}

TEST(going_back_to_a_mark_is_never_having_left)
{
    itera_error error;
    for (int i = 0; i < MODEL_COUNT; i++) {
        fixture f = open_model(MODELS[i], itera_kernels_best());
        itera_session *one = session_of(f.model, 100), *copy = session_of(f.model, 80), *fresh = session_of(f.model, 64);
        itera_session_feed(one, f.tokens, 30, NULL, &error);
        void *mark = malloc((size_t)itera_session_mark_size(one));
        itera_session_mark(one, mark);
        itera_session_feed(one, f.tokens, 25, NULL, &error);
        CHECK_INT(itera_session_copy(copy, one, &error), ITERA_OK);
        CHECK_INT(itera_session_rewind(one, mark, &error), ITERA_OK);
        CHECK_INT(itera_session_rewind(copy, mark, &error), ITERA_OK); /* a copy has the same rows before it */
        CHECK_INT(itera_session_position(one), 30);
        itera_session_feed(fresh, f.tokens, 30, NULL, &error);
        CHECK(same_logits(one, fresh));
        itera_session_feed(one, f.tokens + 30, 30, NULL, &error);
        itera_session_feed(copy, f.tokens + 30, 30, NULL, &error);
        itera_session_feed(fresh, f.tokens + 30, 30, NULL, &error);
        CHECK(same_logits(one, fresh) && same_logits(copy, fresh));
        free(mark);
        itera_session_free(one);
        itera_session_free(copy);
        itera_session_free(fresh);
        close_model(&f);
    }
}

TEST(a_random_sequence_goes_on_where_it_was)
{
    float logits[V];
    for (int i = 0; i < V; i++) {
        logits[i] = (float)(i % 7);
    }
    itera_sampler *one = itera_sampler_create(V), *two = itera_sampler_create(V);
    itera_sampling options = itera_sampling_default();
    options.seed = 5;
    itera_sampler_configure(one, &options);
    for (int i = 0; i < 10; i++) {
        itera_sampler_sample(one, logits);
    }
    uint64_t state[4], zeros[4] = {0}, kept[4];
    itera_sampler_get_random(one, state);
    itera_sampler_set_random(two, state);
    for (int i = 0; i < 20; i++) {
        CHECK_INT(itera_sampler_sample(one, logits), itera_sampler_sample(two, logits));
    }
    itera_sampler_get_random(two, state);
    itera_sampler_set_random(two, zeros);
    itera_sampler_get_random(two, kept);
    CHECK(memcmp(state, kept, sizeof state) == 0);
    itera_sampler_free(one);
    itera_sampler_free(two);
}

/* One piece and a bit, whose cut lies within the cache; and less than one. */
TEST(pieces_are_the_whole)
{
    itera_error error;
    fixture f = open_model("granitehybrid-moe-f32", itera_kernels_best());
    itera_session *session = session_of(f.model, 2000);
    for (int i = 0; i < 30; i++) {
        itera_session_feed(session, f.tokens, 64, NULL, &error);
    }
    for (int form = ITERA_SNAPSHOT_F32; form <= ITERA_SNAPSHOT_F16; form++) {
        size_t n;
        uint8_t *whole = save(session, (itera_snapshot_form)form, &n);
        CHECK(form == ITERA_SNAPSHOT_F16 || n > ITERA_SNAPSHOT_PIECE);
        uint64_t checksum = 0;
        for (size_t at = 0; at < n; at += ITERA_SNAPSHOT_PIECE) {
            size_t length = n - at < ITERA_SNAPSHOT_PIECE ? n - at : ITERA_SNAPSHOT_PIECE;
            uint8_t *piece = malloc(length);
            CHECK_INT(itera_session_save_piece(session, (itera_snapshot_form)form, at, piece, length, &checksum, &error),
                      ITERA_OK);
            CHECK(memcmp(piece, whole + at, length) == 0);
            free(piece);
        }
        uint8_t byte;
        CHECK_INT(itera_session_save_piece(session, (itera_snapshot_form)form, 0, &byte, 1, &checksum, &error),
                  ITERA_ERR_ARGUMENT);
        CHECK_INT(itera_session_restore(session, whole, n, &error), ITERA_OK);
        free(whole);
    }
    itera_session_free(session);
    close_model(&f);
}

TEST(a_hash_sees_every_bit)
{
    uint8_t bytes[100];
    for (int i = 0; i < 100; i++) {
        bytes[i] = (uint8_t)(i * 7);
    }
    for (size_t n = 0; n < 100; n++) {
        uint64_t h = itera_hash(0, bytes, n);
        CHECK(h != itera_hash(1, bytes, n) && h != itera_hash(0, bytes, n + 1));
        for (size_t bit = 0; bit < 8 * n; bit++) {
            bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            CHECK(h != itera_hash(0, bytes, n));
            /* Two changes at a distance of one stripe must not cancel: signs of neighbouring rows do flip together. */
            if (bit / 8 + 32 < n) {
                bytes[bit / 8 + 32] ^= (uint8_t)(1 << bit % 8);
                CHECK(h != itera_hash(0, bytes, n));
                bytes[bit / 8 + 32] ^= (uint8_t)(1 << bit % 8);
            }
            bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    RUN(a_restored_session_goes_on_bit_for_bit);
    RUN(a_session_reset_is_saved_as_a_new_one);
    RUN(a_snapshot_of_one_variant_goes_on_under_another);
    RUN(half_precision_costs_little_and_takes_half);
    RUN(any_changed_byte_is_refused_and_changes_nothing);
    RUN(a_forged_snapshot_does_no_harm);
    RUN(another_model_and_too_small_a_session_are_told_apart);
    RUN(identity_is_of_the_content_not_of_its_arrival);
    RUN(going_back_to_a_mark_is_never_having_left);
    RUN(a_random_sequence_goes_on_where_it_was);
    RUN(pieces_are_the_whole);
    RUN(a_hash_sees_every_bit);
    return test_end();
}
