/* A fixed pool of threads that work on one task at a time, together with the thread that asks for it.
 *
 * Starting a task and waiting for its end costs about a microsecond, because the threads spin for a while before
 * they sleep. Who asks is thread 0; a pool of one thread is NULL, and its tasks are plain calls. Nothing that is
 * computed may depend on the number of threads or parts: a task splits its output, and each element is made by one
 * thread in the order of operations that a single thread would use. */
#ifndef ITERA_BASE_POOL_H
#define ITERA_BASE_POOL_H

#include <stddef.h>

#include "base/status.h"

/* WebAssembly has threads only in modules made for shared memory; there the host brings them. */
#if !defined(__wasm__) || defined(__wasm_atomics__)
#define ITERA_HAVE_THREADS 1
#else
#define ITERA_HAVE_THREADS 0
#endif

#define ITERA_MAX_THREADS 16 /* more do not pay: decoding is bound by memory long before */

typedef struct itera_pool itera_pool;

/* One call of a task does `part` of `parts`. It runs on `thread` of `threads`: for memory that each has of its own. */
typedef struct itera_team {
    int part, parts, thread, threads;
} itera_team;

typedef struct itera_range {
    int begin, end;
} itera_range;

typedef void (*itera_task)(void *context, itera_team team);

#if ITERA_HAVE_THREADS
/* This part of [0, count), in multiples of `grain` but for the end. Where threads take several parts they are the
 * smaller the later. Empty for some where there is little. Without threads all of it. */
itera_range itera_share(itera_team team, int count, int grain);
/* A pool of 2 to ITERA_MAX_THREADS threads, the caller's among them. Natively it starts the others; in wasm each
 * of them has to call itera_pool_serve. ITERA_ERR_ARGUMENT or ITERA_ERR_MEMORY. */
itera_status itera_pool_create(itera_pool **out, int threads, itera_error *error);
/* Ends the other threads and, natively, waits until they have ended. NULL is allowed. */
void itera_pool_free(itera_pool *pool);
/* The life of thread 1, 2, ...: works until the pool is freed. */
void itera_pool_serve(itera_pool *pool, int thread);
/* Says that a thread has died in the midst of a task, so that nobody waits for it: the task, or the next one,
 * traps instead of returning. */
void itera_pool_fail(itera_pool *pool, int thread);
/* The threads of a pool of at least two. */
int itera_pool_size(const itera_pool *pool);
/* Runs all parts of a task: a thread that is done with one takes the next that nobody has. What they wrote is seen by
 * the caller and by all threads of the next task. */
void itera_pool_run(itera_pool *pool, int parts, itera_task task, void *context);
#else
static inline itera_range itera_share(itera_team team, int count, int grain)
{
    (void)team, (void)grain;
    return (itera_range){.begin = 0, .end = count};
}
#endif

static inline int itera_pool_threads(const itera_pool *pool)
{
#if ITERA_HAVE_THREADS
    return pool != NULL ? itera_pool_size(pool) : 1;
#else
    (void)pool;
    return 1;
#endif
}

/* Into how many parts to split a task whose shares of `count` should be at least `least`: one to eight a thread. */
static inline int itera_pool_parts(const itera_pool *pool, int count, int least)
{
    const int threads = itera_pool_threads(pool), each = count / least / threads;
    return threads * (each < 1 ? 1 : each > 8 ? 8 : each);
}

/* Runs `parts` parts of the task on the pool, or all of it here where there is none. */
static inline void itera_parallel_parts(itera_pool *pool, int parts, itera_task task, void *context)
{
#if ITERA_HAVE_THREADS
    if (pool != NULL) {
        itera_pool_run(pool, parts, task, context);
        return;
    }
#endif
    (void)pool, (void)parts;
    task(context, (itera_team){.part = 0, .parts = 1, .thread = 0, .threads = 1});
}

/* The same with parts of at least `least` of `count`, several a thread, so that others take what a slower or
 * interrupted thread would have done. */
static inline void itera_parallel_split(itera_pool *pool, int count, int least, itera_task task, void *context)
{
    itera_parallel_parts(pool, itera_pool_parts(pool, count, least), task, context);
}

/* The same with a part a thread. */
static inline void itera_parallel(itera_pool *pool, itera_task task, void *context)
{
    itera_parallel_parts(pool, itera_pool_threads(pool), task, context);
}

#endif
