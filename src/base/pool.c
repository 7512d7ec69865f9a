#include "base/pool.h"

#if ITERA_HAVE_THREADS

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/memory.h"

#ifndef __wasm__
#include <pthread.h>
#endif

#define LINE ITERA_ARENA_ALIGN /* bytes of a cache line: what one thread writes lies apart from what others read */

/* Looks at a word before a thread goes to sleep: some tenths of a millisecond, longer than the caller needs between
 * two tasks or two tokens, much shorter than anybody would notice a busy core. A look of wasm's, which has no word
 * for "this is a waiting loop", takes about a nanosecond, one of a native build some tens. */
#ifdef __wasm__
#define SPINS 200000
#else
#define SPINS 10000
#endif
/* How long thread 0, done with its own part, waits for the others'. Parts take milliseconds. It looks once a second, so
 * that the time in which the whole process was stopped counts as one look. */
#define PATIENCE_SECONDS 60

typedef struct worker {
    _Alignas(LINE) _Atomic uint32_t done; /* the last task that this thread has finished */
} worker;

struct itera_pool {
    /* Written by thread 0 only. */
    _Alignas(LINE) _Atomic uint32_t task; /* number of the current task; 0 before the first */
    itera_task run;
    void *context;
    int threads, parts;
    bool stopping;
    _Atomic uint32_t waiting; /* thread 0 sleeps until a worker is done */
    /* Written by all. */
    _Alignas(LINE) _Atomic int next; /* the first part of the task that nobody has taken */
    /* Written by the others. */
    _Alignas(LINE) _Atomic uint32_t sleepers;
    _Atomic uint32_t failed;
    worker workers[ITERA_MAX_THREADS];
    void *block; /* what was allocated: the pool is a cache line's multiple within */
#ifndef __wasm__
    pthread_t handles[ITERA_MAX_THREADS];
    pthread_mutex_t mutex;
    pthread_cond_t changed;
#endif
};

/* ---- Sleeping --------------------------------------------------------------------------------- */

#ifdef __wasm__

static void relax(void) {}

/* Functions of their own, whose address is a plain parameter: V8 11 (Node 20), in its first compiler, adds the offset
 * of a wait or a notify to the register that holds its address, and whoever uses that register next is astray. */
#define APART __attribute__((noinline))

/* Sleeps while the word is `old`, a second at most unless forever. False when that second has passed. */
static APART bool sleep_while(itera_pool *pool, _Atomic uint32_t *word, uint32_t old, bool forever)
{
    (void)pool;
    int64_t nanoseconds = forever ? -1 : 1000000000;
    return __builtin_wasm_memory_atomic_wait32((int *)word, (int)old, nanoseconds) != 2;
}

static APART void wake(itera_pool *pool, _Atomic uint32_t *word)
{
    (void)pool;
    __builtin_wasm_memory_atomic_notify((int *)word, ITERA_MAX_THREADS);
}

static _Noreturn void die(void)
{
    __builtin_trap();
}

#else

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Here threads do not vanish one by one, so nobody gives up. */
static bool sleep_while(itera_pool *pool, _Atomic uint32_t *word, uint32_t old, bool forever)
{
    (void)forever;
    pthread_mutex_lock(&pool->mutex);
    while (atomic_load(word) == old) {
        pthread_cond_wait(&pool->changed, &pool->mutex);
    }
    pthread_mutex_unlock(&pool->mutex);
    return true;
}

static void wake(itera_pool *pool, _Atomic uint32_t *word)
{
    (void)word;
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->mutex);
}

static _Noreturn void die(void)
{
    abort();
}

#endif

static bool spin_while(const _Atomic uint32_t *word, uint32_t old)
{
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load_explicit(word, memory_order_acquire) != old) {
            return true;
        }
        relax();
    }
    return false;
}

/* ---- Tasks ------------------------------------------------------------------------------------ */

/* Either side first says what it has done and then looks whether the other sleeps; the other first says that it
 * will sleep and then looks. In one order for all (sequential consistency), so at least one of them sees. */

static void await_task(itera_pool *pool, uint32_t seen)
{
    if (!spin_while(&pool->task, seen)) {
        atomic_fetch_add(&pool->sleepers, 1);
        while (atomic_load(&pool->task) == seen) {
            sleep_while(pool, &pool->task, seen, true);
        }
        atomic_fetch_sub(&pool->sleepers, 1);
    }
}

/* Of several parts a thread, sizes fall from twice the mean to next to nothing: whoever is done first waits for a small
 * one (trapezoid self-scheduling, Tzen and Ni 1993, by a fixed rule). */
static int64_t share_begin(itera_team team, int64_t grains, int64_t part)
{
    const int64_t parts = team.parts;
    return parts <= team.threads ? grains * part / parts : grains * part * (2 * parts - part) / (parts * parts);
}

itera_range itera_share(itera_team team, int count, int grain)
{
    const int64_t grains = ((int64_t)count + grain - 1) / grain;
    const int64_t begin = share_begin(team, grains, team.part) * grain;
    const int64_t end = share_begin(team, grains, team.part + 1) * grain;
    return (itera_range){.begin = (int)(begin < count ? begin : count), .end = (int)(end < count ? end : count)};
}

static void take_parts(itera_pool *pool, int thread)
{
    for (int part; (part = atomic_fetch_add(&pool->next, 1)) < pool->parts;) {
        const itera_team team = {.part = part, .parts = pool->parts, .thread = thread, .threads = pool->threads};
        pool->run(pool->context, team);
    }
}

static void report_done(itera_pool *pool, int thread, uint32_t task)
{
    atomic_store(&pool->workers[thread].done, task);
    if (atomic_load(&pool->waiting)) {
        wake(pool, &pool->workers[thread].done);
    }
}

void itera_pool_serve(itera_pool *pool, int thread)
{
    for (uint32_t task = 1;; task++) {
        await_task(pool, task - 1);
        if (pool->stopping) {
            return;
        }
        take_parts(pool, thread);
        report_done(pool, thread, task);
    }
}

static void wait_for(itera_pool *pool, worker *other, uint32_t task)
{
    if (spin_while(&other->done, task - 1)) {
        return;
    }
    atomic_store(&pool->waiting, 1);
    for (int seconds = 0; atomic_load(&other->done) != task;) {
        if (!sleep_while(pool, &other->done, task - 1, false) && ++seconds == PATIENCE_SECONDS) {
            die();
        }
    }
    atomic_store(&pool->waiting, 0);
}

static uint32_t announce(itera_pool *pool)
{
    uint32_t task = atomic_fetch_add(&pool->task, 1) + 1;
    if (atomic_load(&pool->sleepers)) {
        wake(pool, &pool->task);
    }
    return task;
}

void itera_pool_run(itera_pool *pool, int parts, itera_task run, void *context)
{
    pool->run = run;
    pool->context = context;
    pool->parts = parts;
    atomic_store(&pool->next, 0); /* nobody looks: all have said that they are done */
    uint32_t task = announce(pool);
    take_parts(pool, 0);
    for (int i = 1; i < pool->threads; i++) {
        wait_for(pool, &pool->workers[i], task);
    }
    if (atomic_load_explicit(&pool->failed, memory_order_relaxed)) {
        die();
    }
}

void itera_pool_fail(itera_pool *pool, int thread)
{
    worker *me = &pool->workers[thread];
    atomic_store(&pool->failed, 1);
    atomic_store(&me->done, atomic_load(&pool->task));
    wake(pool, &me->done);
}

int itera_pool_size(const itera_pool *pool)
{
    return pool->threads;
}

/* ---- Lifetime --------------------------------------------------------------------------------- */

#ifndef __wasm__

typedef struct birth {
    itera_pool *pool;
    int thread;
} birth;

static void *live(void *argument)
{
    birth born = *(birth *)argument;
    free(argument);
    itera_pool_serve(born.pool, born.thread);
    return NULL;
}

/* Starts thread `thread`; false when that fails. */
static bool start(itera_pool *pool, int thread)
{
    birth *born = itera_memory_alloc(sizeof *born);
    if (born == NULL) {
        return false;
    }
    *born = (birth){.pool = pool, .thread = thread};
    if (pthread_create(&pool->handles[thread], NULL, live, born) != 0) {
        free(born);
        return false;
    }
    return true;
}

#endif

itera_status itera_pool_create(itera_pool **out, int threads, itera_error *error)
{
    if (threads < 2 || threads > ITERA_MAX_THREADS) {
        return itera_fail(error, ITERA_ERR_ARGUMENT, "a pool has 2 to %d threads, not %d", ITERA_MAX_THREADS, threads);
    }
    const uint64_t bytes = sizeof(itera_pool) + LINE;
    uint8_t *block = itera_memory_zeroed(1, bytes);
    if (block == NULL) {
        return itera_fail(error, ITERA_ERR_MEMORY, "out of memory while creating threads");
    }
    itera_pool *pool = (itera_pool *)(void *)itera_arena_over(block, bytes).base;
    pool->block = block;
    pool->threads = threads;
#ifndef __wasm__
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->changed, NULL);
    for (int i = 1; i < threads; i++) {
        if (!start(pool, i)) {
            pool->threads = i; /* those that must be ended */
            itera_pool_free(pool);
            return itera_fail(error, ITERA_ERR_MEMORY, "no more than %d threads could be started", i);
        }
    }
#endif
    *out = pool;
    return ITERA_OK;
}

void itera_pool_free(itera_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    pool->stopping = true;
    announce(pool);
#ifndef __wasm__
    for (int i = 1; i < pool->threads; i++) {
        pthread_join(pool->handles[i], NULL);
    }
    pthread_mutex_destroy(&pool->mutex);
    pthread_cond_destroy(&pool->changed);
    free(pool->block);
#endif
    /* In wasm nobody can tell when the last thread has looked at it: its few hundred bytes go with the memory. */
}

#endif
