#include "train/gemm_dnnl.h"

#ifdef ITERA_HAVE_DNNL

#include <oneapi/dnnl/dnnl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "train/gemm.h"

/* Creating a primitive costs as much as running a small one a thousand times, so every thread keeps those it
 * has used, until the process ends. Shapes are few: the trainer pads what varies, the tokens of an expert. */
typedef struct dnnl_key {
    size_t M, N, K, lda, ldb, ldc;
    int flags, bf16, nested;
} dnnl_key;

typedef struct dnnl_entry {
    dnnl_key key;
    dnnl_primitive_t primitive;
    dnnl_memory_t a, b, c, scratch;
    void *scratch_bytes;
} dnnl_entry;

enum {
    DNNL_SLOTS = 4096
}; /* some hundred are used; were it full, products would fall back to the plain ones */

static _Thread_local dnnl_entry *dnnl_table;
static _Thread_local dnnl_stream_t dnnl_thread_stream;
static dnnl_engine_t dnnl_process_engine;

bool itera_dnnl_has_bf16(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx512bf16");
#else
    return false;
#endif
}

static dnnl_engine_t engine(void)
{
    dnnl_engine_t made = __atomic_load_n(&dnnl_process_engine, __ATOMIC_ACQUIRE);
    if (made == NULL) {
#pragma omp critical(itera_dnnl_engine)
        {
            if (dnnl_process_engine == NULL) {
                dnnl_engine_t fresh = NULL;
                dnnl_engine_create(&fresh, dnnl_cpu, 0);
                __atomic_store_n(&dnnl_process_engine, fresh, __ATOMIC_RELEASE);
            }
        }
        made = dnnl_process_engine;
    }
    return made;
}

static bool describe(dnnl_memory_desc_t *desc, size_t rows, size_t cols, size_t ld, bool turned, bool bf16)
{
    dnnl_dims_t dims = {(dnnl_dim_t)rows, (dnnl_dim_t)cols};
    dnnl_dims_t strides = {turned ? 1 : (dnnl_dim_t)ld, turned ? (dnnl_dim_t)ld : 1};
    return dnnl_memory_desc_init_by_strides(desc, 2, dims, bf16 ? dnnl_bf16 : dnnl_f32, strides) ==
           dnnl_success;
}

static bool create(dnnl_entry *entry, const dnnl_key *key)
{
    dnnl_memory_desc_t a, b, c;
    dnnl_matmul_desc_t desc;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_post_ops_t ops = NULL;
    memset(entry, 0, sizeof *entry);
    bool ok = describe(&a, key->M, key->K, key->lda, key->flags & ITERA_A_TURNED, key->bf16) &&
              describe(&b, key->K, key->N, key->ldb, key->flags & ITERA_B_TURNED, key->bf16) &&
              describe(&c, key->M, key->N, key->ldc, false, false) &&
              dnnl_primitive_attr_create(&attr) == dnnl_success &&
              dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user) == dnnl_success;
    if (ok && key->flags & ITERA_ACCUMULATE) {
        ok = dnnl_post_ops_create(&ops) == dnnl_success &&
             dnnl_post_ops_append_sum(ops, 1.0f) == dnnl_success &&
             dnnl_primitive_attr_set_post_ops(attr, ops) == dnnl_success;
    }
    ok = ok && dnnl_matmul_desc_init(&desc, &a, &b, NULL, &c) == dnnl_success &&
         dnnl_primitive_desc_create(&pd, &desc, attr, engine(), NULL) == dnnl_success &&
         dnnl_primitive_create(&entry->primitive, pd) == dnnl_success;
    if (ok) {
        const dnnl_memory_desc_t *scratch = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
        size_t bytes = dnnl_memory_desc_get_size(scratch);
        entry->scratch_bytes = aligned_alloc(64, (bytes + 127) & ~(size_t)63);
        ok = entry->scratch_bytes != NULL &&
             dnnl_memory_create(&entry->a, &a, engine(), DNNL_MEMORY_NONE) == dnnl_success &&
             dnnl_memory_create(&entry->b, &b, engine(), DNNL_MEMORY_NONE) == dnnl_success &&
             dnnl_memory_create(&entry->c, &c, engine(), DNNL_MEMORY_NONE) == dnnl_success &&
             dnnl_memory_create(&entry->scratch, scratch, engine(), entry->scratch_bytes) == dnnl_success;
    }
    if (ops != NULL) {
        dnnl_post_ops_destroy(ops);
    }
    if (attr != NULL) {
        dnnl_primitive_attr_destroy(attr);
    }
    if (pd != NULL) {
        dnnl_primitive_desc_destroy(pd);
    }
    entry->key = *key;
    return ok;
}

static dnnl_entry *find(const dnnl_key *key)
{
    if (dnnl_table == NULL) {
        dnnl_table = calloc(DNNL_SLOTS, sizeof *dnnl_table);
        if (dnnl_table == NULL ||
            dnnl_stream_create(&dnnl_thread_stream, engine(), dnnl_stream_default_flags) != dnnl_success) {
            return NULL;
        }
    }
    uint64_t hash = 1469598103934665603u;
    for (size_t i = 0; i < sizeof *key; i++) {
        hash = (hash ^ ((const uint8_t *)key)[i]) * 1099511628211u;
    }
    for (size_t step = 0; step < DNNL_SLOTS; step++) {
        dnnl_entry *entry = &dnnl_table[(hash + step) % DNNL_SLOTS];
        if (entry->primitive == NULL) {
            return create(entry, key) ? entry : NULL;
        }
        if (memcmp(&entry->key, key, sizeof *key) == 0) {
            return entry;
        }
    }
    return NULL;
}

bool itera_dnnl_gemm(float *C, size_t ldc, const void *A, size_t lda, const void *B, size_t ldb, size_t M,
                     size_t N, size_t K, int flags, bool bf16)
{
    dnnl_key key;
    memset(&key, 0, sizeof key); /* padding takes part in the comparison */
    key.M = M, key.N = N, key.K = K, key.lda = lda, key.ldb = ldb, key.ldc = ldc;
    key.flags = flags, key.bf16 = bf16;
    /* A primitive is planned for the threads it may use. */
#ifdef _OPENMP
    key.nested = omp_in_parallel();
#endif
    dnnl_entry *entry = find(&key);
    if (entry == NULL) {
        return false;
    }
    dnnl_memory_set_data_handle(entry->a, (void *)(size_t)A);
    dnnl_memory_set_data_handle(entry->b, (void *)(size_t)B);
    dnnl_memory_set_data_handle(entry->c, C);
    dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, entry->a},
                                   {DNNL_ARG_WEIGHTS, entry->b},
                                   {DNNL_ARG_DST, entry->c},
                                   {DNNL_ARG_SCRATCHPAD, entry->scratch}};
    return dnnl_primitive_execute(entry->primitive, dnnl_thread_stream, 4, arguments) == dnnl_success;
}

#else
typedef int itera_dnnl_absent; /* ISO C wants a declaration in every file */
#endif
