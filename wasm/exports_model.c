/* A model, and the threads that it works on. */
#include "exports.h"
#include "itera.h"

/* ---- Threads ------------------------------------------------------------------------------------ */

/* Made once, before the first model; every model works on it. JavaScript starts the other threads: instances of the
 * same module on the same memory, each with a stack of its own. */
static itera_pool *pool;

#if ITERA_HAVE_THREADS
EXPORT(itera_pool_create) int32_t wasm_pool_create(uint32_t threads)
{
    return wasm_report(itera_pool_create(&pool, (int)threads, &wasm_last_error));
}

/* Never returns. */
EXPORT(itera_pool_serve) void wasm_pool_serve(uint32_t thread)
{
    itera_pool_serve(pool, (int)thread);
}

EXPORT(itera_pool_fail) void wasm_pool_fail(uint32_t thread)
{
    itera_pool_fail(pool, (int)thread);
}
#endif

/* ---- Model -------------------------------------------------------------------------------------- */

/* Takes the header in every case. */
EXPORT(itera_model_create) itera_model *wasm_model_create(itera_gguf *gguf)
{
    itera_model *model = NULL;
    itera_status status = itera_model_create(&model, gguf, itera_kernels_best(), &wasm_last_error);
    if (status == ITERA_OK) {
        status = itera_model_use_pool(model, pool, &wasm_last_error);
    }
    wasm_report(status);
    return model;
}

EXPORT(itera_model_push)
int32_t wasm_model_push(itera_model *model, double file_offset, const uint8_t *bytes, uint32_t n)
{
    if (!(file_offset >= 0.0 && file_offset <= LARGEST_OFFSET)) {
        return wasm_report(itera_fail(&wasm_last_error, ITERA_ERR_ARGUMENT, "not an offset in a file"));
    }
    return wasm_report(itera_model_push(model, (uint64_t)file_offset, bytes, n, &wasm_last_error));
}

EXPORT(itera_model_ready) int32_t wasm_model_ready(const itera_model *model)
{
    return wasm_report(itera_model_ready(model, &wasm_last_error));
}

EXPORT(itera_model_release_header) void wasm_model_release_header(itera_model *model)
{
    itera_model_release_header(model);
}

EXPORT(itera_model_free) void wasm_model_free(itera_model *model)
{
    itera_model_free(model);
}

EXPORT(itera_model_info) double wasm_model_info(const itera_model *model, int32_t which)
{
    itera_model_info info;
    itera_model_get_info(model, &info);
    const double values[] = {
        (double)info.vocabulary,    (double)info.layers,
        (double)info.width,         (double)info.context_length,
        (double)info.weight_bytes,  (double)info.parameters,
        (double)info.active_parameters, (double)info.embedding_parameters,
        (double)info.state_bytes,   (double)info.cache_bytes,
        (double)info.scratch_bytes, (double)info.flops,
        (double)info.batch,
    };
    return which >= 0 && (size_t)which < sizeof values / sizeof values[0] ? values[which] : -1.0;
}
