/* Threads: the pool itself, and models whose logits must not show how many there are. Built under the address and
 * under the thread sanitizer. */
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/memory.h"
#include "base/pool.h"
#include "blocks/weights.h"
#include "golden.h"
#include "quant/pack.h"
#include "raw_gguf.h"
#include "test.h"

/* ---- The pool --------------------------------------------------------------------------------- */

static void check_shares(int parts, int threads, int count, int grain)
{
    int at = 0;
    for (int i = 0; i < parts; i++) {
        itera_range range = itera_share((itera_team){.part = i, .parts = parts, .threads = threads}, count, grain);
        CHECK_INT(range.begin, at);
        CHECK(range.begin % grain == 0 || range.begin == count);
        CHECK(range.end >= range.begin);
        at = range.end;
    }
    CHECK_INT(at, count);
}

TEST(shares_cover_everything_once)
{
    for (int parts = 1; parts <= 8 * ITERA_MAX_THREADS; parts++) {
        for (int count = 0; count < 200; count += 7) {
            for (int grain = 1; grain <= 16; grain *= 4) {
                check_shares(parts, parts, count, grain); /* one a thread: even */
                check_shares(parts, 1, count, grain);     /* several: smaller and smaller */
            }
        }
    }
}

typedef struct counting {
    int visits[4 * ITERA_MAX_THREADS]; /* of each part; not atomic: a race here is one of the pool */
    int parts, seen;
} counting;

static void count_visit(void *context, itera_team team)
{
    counting *c = context;
    c->visits[team.part]++;
    if (team.part == 0) {
        c->parts = team.parts;
    }
}

/* Who does the last part reads what all wrote in the task before. */
static void sum_visits(void *context, itera_team team)
{
    counting *c = context;
    int sum = 0;
    for (int i = 0; i < team.parts; i++) {
        sum += c->visits[i];
    }
    if (team.part == team.parts - 1) {
        c->seen = sum;
    }
}

TEST(every_part_of_every_task_is_done_once_and_sees_the_last_one)
{
    for (int threads = 2; threads <= 5; threads++) {
        itera_pool *pool = NULL;
        itera_error error;
        REQUIRE(itera_pool_create(&pool, threads, &error) == ITERA_OK);
        CHECK_INT(itera_pool_threads(pool), threads);
        for (int parts = threads; parts <= 4 * threads; parts += threads + 1) {
            counting c = {.seen = 0};
            for (int i = 1; i <= 300; i++) {
                itera_parallel_parts(pool, parts, count_visit, &c);
                itera_parallel_parts(pool, parts, sum_visits, &c);
                CHECK_INT(c.seen, parts * i);
            }
            CHECK_INT(c.parts, parts);
        }
        itera_pool_free(pool);
    }
}

/* Which thread gets a part is chance; where it matters, thread 0 and the others wait for each other. */
typedef struct meeting {
    counting count;
    atomic_int begun; /* parts that others than thread 0 have begun */
    atomic_int done;
    int by_others;
} meeting;

static void nap(long milliseconds)
{
    nanosleep(&(struct timespec){.tv_nsec = milliseconds * 1000000}, NULL);
}

/* The others take longer than thread 0 spins. */
static void slow_workers(void *context, itera_team team)
{
    meeting *m = context;
    if (team.thread > 0) {
        atomic_fetch_add(&m->begun, 1);
        nap(40);
    }
    while (atomic_load(&m->begun) == 0) {
        nap(1);
    }
    count_visit(&m->count, team);
}

/* A part of the others lasts until all parts but theirs are done. */
static void stuck_worker(void *context, itera_team team)
{
    meeting *m = context;
    while (team.thread > 0 && atomic_load(&m->done) < team.parts - 1) {
        nap(1);
    }
    m->by_others += team.thread > 0; /* one thread only */
    atomic_fetch_add(&m->done, 1);
}

TEST(a_slow_thread_leaves_its_parts_to_the_others)
{
    itera_pool *pool = NULL;
    itera_error error;
    REQUIRE(itera_pool_create(&pool, 2, &error) == ITERA_OK);
    meeting m = {.by_others = 0};
    itera_parallel_parts(pool, 8, stuck_worker, &m);
    CHECK_INT(m.done, 8);
    CHECK(m.by_others <= 1);
    itera_pool_free(pool);
}

TEST(parts_are_as_many_as_shares_are_large_enough)
{
    CHECK_INT(itera_pool_parts(NULL, 1000, 100), 8);
    itera_pool *pool = NULL;
    itera_error error;
    REQUIRE(itera_pool_create(&pool, 3, &error) == ITERA_OK);
    CHECK_INT(itera_pool_parts(pool, 100, 100), 3);
    CHECK_INT(itera_pool_parts(pool, 700, 100), 6);
    CHECK_INT(itera_pool_parts(pool, 100000, 100), 24);
    itera_pool_free(pool);
}

TEST(threads_that_fell_asleep_wake_up)
{
    itera_pool *pool = NULL;
    itera_error error;
    REQUIRE(itera_pool_create(&pool, 3, &error) == ITERA_OK);
    meeting m = {.by_others = 0};
    for (int i = 0; i < 5; i++) {
        nap(40);
        itera_parallel(pool, count_visit, &m.count);
        m.begun = 0;
        itera_parallel(pool, slow_workers, &m);
    }
    itera_parallel(pool, sum_visits, &m.count);
    CHECK_INT(m.count.seen, 30);
    nap(40);
    itera_pool_free(pool); /* while they sleep */
}

TEST(no_pool_is_one_thread)
{
    counting c = {.seen = 0};
    itera_parallel(NULL, count_visit, &c);
    CHECK_INT(itera_pool_threads(NULL), 1);
    CHECK_INT(c.visits[0], 1);
    CHECK_INT(c.parts, 1);
}

TEST(pools_of_no_use_are_refused)
{
    itera_pool *pool = NULL;
    itera_error error;
    CHECK_INT(itera_pool_create(&pool, 1, &error), ITERA_ERR_ARGUMENT);
    CHECK_INT(itera_pool_create(&pool, ITERA_MAX_THREADS + 1, &error), ITERA_ERR_ARGUMENT);
    for (long granted = 0; granted < 3; granted++) { /* the pool itself, then each thread's start */
        itera_memory_fail_after(granted);
        CHECK_INT(itera_pool_create(&pool, 3, &error), ITERA_ERR_MEMORY);
        itera_memory_fail_after(-1);
    }
    CHECK(pool == NULL);
}

/* ---- Loading ---------------------------------------------------------------------------------- */

/* Shapes with a rest of rows, stacked ones, ones of many batches and one of which four rows are more than a batch. */
static const struct { const char *name; itera_type type; uint32_t matrices, rows, cols; } TENSORS[] = {
    {"f32", ITERA_TYPE_F32, 1, 301, 256},    {"f16", ITERA_TYPE_F16, 3, 255, 512},
    {"bf16", ITERA_TYPE_BF16, 1, 7, 32},     {"q8_0", ITERA_TYPE_Q8_0, 1, 2051, 160},
    {"wide", ITERA_TYPE_Q8_0, 1, 10, 65536}, {"q4_0", ITERA_TYPE_Q4_0, 1, 2048, 320},
    {"q4_1", ITERA_TYPE_Q4_1, 2, 6, 64},     {"q5_0", ITERA_TYPE_Q5_0, 1, 1, 32},
    {"q5_1", ITERA_TYPE_Q5_1, 1, 2050, 192}, {"q4_k", ITERA_TYPE_Q4_K, 5, 411, 256},
    {"q5_k", ITERA_TYPE_Q5_K, 1, 4000, 256}, {"q6_k", ITERA_TYPE_Q6_K, 2, 1030, 256},
};
enum { TENSOR_COUNT = sizeof TENSORS / sizeof TENSORS[0] };

static uint64_t raw_row_bytes(int i)
{
    const itera_type_info *info = itera_type_lookup(TENSORS[i].type);
    return (uint64_t)TENSORS[i].cols / info->block_elements * info->block_bytes;
}

/* Is it, group by group, what packing the rows where they lie in the file gives? */
static bool is_packed(int i, const uint8_t *packed, const uint8_t *raw)
{
    const size_t row_bytes = raw_row_bytes(i), group_bytes = itera_pack_group_bytes(TENSORS[i].type, TENSORS[i].cols);
    uint8_t *group = malloc(group_bytes);
    bool same = true;
    for (uint32_t matrix = 0; matrix < TENSORS[i].matrices; matrix++) {
        for (uint32_t row = 0; row < TENSORS[i].rows; row += 4, packed += group_bytes) {
            const void *rows[4] = {NULL, NULL, NULL, NULL};
            for (uint32_t j = 0; j < 4 && row + j < TENSORS[i].rows; j++, raw += row_bytes) {
                rows[j] = raw;
            }
            itera_pack_group(group, TENSORS[i].type, TENSORS[i].cols, rows);
            same = same && memcmp(group, packed, group_bytes) == 0;
        }
    }
    free(group);
    return same;
}

/* Loads the file, `piece` bytes at a time, and looks at every tensor. Returns the identity. */
static uint64_t load(const uint8_t *file, size_t bytes, size_t piece, bool backwards, itera_pool *pool)
{
    itera_error error = {""};
    itera_gguf *gguf = itera_gguf_create();
    CHECK_INT(itera_gguf_feed(gguf, file, bytes, &error), ITERA_OK);
    itera_weights *weights = itera_weights_create(gguf);
    itera_experts out[TENSOR_COUNT];
    for (int i = 0; i < TENSOR_COUNT; i++) {
        CHECK_INT(itera_weights_experts(weights, &out[i], TENSORS[i].name, TENSORS[i].matrices, 1, TENSORS[i].rows,
                                        TENSORS[i].cols, &error), ITERA_OK);
    }
    CHECK_INT(itera_weights_allocate(weights, &error), ITERA_OK);
    itera_status status = ITERA_NEED_MORE;
    const size_t count = (bytes + piece - 1) / piece;
    for (size_t i = 0; i < count; i++) {
        const size_t at = (backwards ? count - 1 - i : i) * piece;
        status = itera_weights_push(weights, pool, at, file + at, bytes - at < piece ? bytes - at : piece, &error);
    }
    CHECK_INT(status, ITERA_OK);
    for (int i = 0; i < TENSOR_COUNT; i++) {
        const itera_gguf_tensor *tensor = itera_gguf_find_tensor(gguf, TENSORS[i].name);
        CHECK(is_packed(i, out[i].first.data, file + tensor->offset));
    }
    const uint64_t identity = itera_weights_identity(weights);
    itera_weights_free(weights);
    itera_gguf_free(gguf);
    return identity;
}

TEST(weights_do_not_depend_on_the_number_of_threads_that_pack_them)
{
    static raw_file header;
    uint64_t offset = 0;
    raw_begin(&header, TENSOR_COUNT, 0);
    for (int i = 0; i < TENSOR_COUNT; i++) {
        const uint64_t dims[] = {TENSORS[i].cols, TENSORS[i].rows, TENSORS[i].matrices};
        raw_tensor(&header, TENSORS[i].name, 3, dims, TENSORS[i].type, offset);
        offset += (raw_row_bytes(i) * TENSORS[i].rows * TENSORS[i].matrices + 31) / 32 * 32;
    }
    while (header.n % 32 != 0) {
        raw_u8(&header, 0);
    }
    const size_t bytes = header.n + (size_t)offset;
    uint8_t *file = malloc(bytes);
    memcpy(file, header.bytes, header.n);
    uint32_t state = 1;
    for (size_t i = header.n; i < bytes; i++) {
        state = state * 1664525u + 1013904223u;
        file[i] = (uint8_t)(state >> 24);
    }
    const uint64_t identity = load(file, bytes, bytes, false, NULL);
    CHECK(load(file, bytes, 100003, true, NULL) == identity);
    for (int threads = 2; threads <= 3; threads++) {
        itera_pool *pool = NULL;
        itera_error error;
        REQUIRE(itera_pool_create(&pool, threads, &error) == ITERA_OK);
        CHECK(load(file, bytes, 100003, false, pool) == identity);
        CHECK(load(file, bytes, 1 << 20, true, pool) == identity);
        itera_pool_free(pool);
    }
    free(file);
}

/* ---- Models ----------------------------------------------------------------------------------- */

#define T 64

static const char *const MODELS[] = {"mamba-f32", "granitehybrid-moe-f32", "mamba2-q8_0", "mamba2-q4_k_m"};
enum { MODEL_COUNT = sizeof MODELS / sizeof MODELS[0] };

static const char *path_of(const char *model, const char *file)
{
    static char path[128];
    snprintf(path, sizeof path, "llama.cpp/%s/%s", model, file);
    return path;
}

/* Logits of all tokens: most in one batch, the rest one by one. */
static float *run(const char *name, itera_variant variant, itera_pool *pool)
{
    itera_error error = {""};
    itera_model *model = golden_model(path_of(name, "model.gguf"), variant, GOLDEN_WHOLE, 0);
    itera_session *session = NULL;
    size_t bytes;
    int32_t *tokens = (int32_t *)(void *)golden_read(path_of(name, "tokens.i32"), &bytes);
    itera_model_info info;
    itera_model_get_info(model, &info);
    const size_t V = info.vocabulary, first = 50;
    float *logits = calloc((size_t)T * V, sizeof *logits);
    itera_status status = itera_model_use_pool(model, pool, &error);
    if (status == ITERA_OK) status = itera_session_create(&session, model, 0, &error);
    if (status == ITERA_OK) status = itera_session_feed(session, tokens, first, logits, &error);
    for (size_t t = first; t < T && status == ITERA_OK; t++) {
        status = itera_session_feed(session, tokens + t, 1, logits + t * V, &error);
    }
    CHECK_INT(status, ITERA_OK);
    CHECK_INT(itera_model_use_pool(model, NULL, &error), ITERA_ERR_ARGUMENT); /* too late */
    itera_session_free(session);
    itera_model_free(model);
    free(tokens);
    return logits;
}

static void check_threads(const char *name, itera_variant variant)
{
    size_t bytes;
    free(golden_read(path_of(name, "logits.f32"), &bytes));
    float *one = run(name, variant, NULL);
    for (int threads = 2; threads <= 4; threads++) {
        itera_pool *pool = NULL;
        itera_error error;
        REQUIRE(itera_pool_create(&pool, threads, &error) == ITERA_OK);
        float *many = run(name, variant, pool);
        CHECK(memcmp(one, many, bytes) == 0);
        free(many);
        itera_pool_free(pool);
    }
    free(one);
}

TEST(logits_do_not_depend_on_the_number_of_threads)
{
    for (int variant = ITERA_SIMD128; variant <= ITERA_RELAXED; variant++) {
        for (int i = 0; i < MODEL_COUNT; i++) {
            check_threads(MODELS[i], (itera_variant)variant);
        }
    }
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    RUN(shares_cover_everything_once);
    RUN(every_part_of_every_task_is_done_once_and_sees_the_last_one);
    RUN(threads_that_fell_asleep_wake_up);
    RUN(a_slow_thread_leaves_its_parts_to_the_others);
    RUN(parts_are_as_many_as_shares_are_large_enough);
    RUN(no_pool_is_one_thread);
    RUN(pools_of_no_use_are_refused);
    RUN(weights_do_not_depend_on_the_number_of_threads_that_pack_them);
    RUN(logits_do_not_depend_on_the_number_of_threads);
    return test_end();
}
