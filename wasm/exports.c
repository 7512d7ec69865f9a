/* The whole boundary between C and JavaScript: a flat ABI of 32-bit integers, pointers and doubles.
 *
 * Conventions. A status is 0 (done), 1 (more to come) or negative. A function that makes an object returns 0 on
 * failure. After a failure itera_last_status and itera_error_text tell what happened; they belong to the instance,
 * which runs one call at a time. Sizes and offsets that may pass 2^32 travel as doubles. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "gguf/writer.h"
#include "itera.h"

#define EXPORT(name) __attribute__((used, export_name(#name)))

#define LARGEST_OFFSET 9007199254740992.0 /* 2^53: every whole double below is exact */

static itera_error last_error;
static itera_status last_status;

/* Remembers a failure; passes the status on. */
static int32_t report(itera_status status)
{
    if (status < 0) {
        last_status = status;
    }
    return (int32_t)status;
}

/* ---- Memory and errors -------------------------------------------------------------------------- */

EXPORT(itera_alloc) void *wasm_alloc(uint32_t bytes)
{
    return malloc(bytes ? bytes : 1);
}

EXPORT(itera_free) void wasm_free(void *memory)
{
    free(memory);
}

EXPORT(itera_variant) int32_t wasm_variant(void)
{
    return (int32_t)itera_kernels_best();
}

EXPORT(itera_error_text) const char *wasm_error_text(void)
{
    return last_error.text;
}

EXPORT(itera_last_status) int32_t wasm_last_status(void)
{
    return (int32_t)last_status;
}

EXPORT(itera_status_code) const char *wasm_status_code(int32_t status)
{
    return itera_status_code((itera_status)status);
}

/* ---- Threads ------------------------------------------------------------------------------------ */

/* Made once, before the first model; every model works on it. JavaScript starts the other threads: instances of the
 * same module on the same memory, each with a stack of its own. */
static itera_pool *pool;

#if ITERA_HAVE_THREADS
EXPORT(itera_pool_create) int32_t wasm_pool_create(uint32_t threads)
{
    return report(itera_pool_create(&pool, (int)threads, &last_error));
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

/* ---- GGUF header -------------------------------------------------------------------------------- */

EXPORT(itera_gguf_create) itera_gguf *wasm_gguf_create(void)
{
    itera_gguf *gguf = itera_gguf_create();
    if (gguf == NULL) {
        report(itera_fail(&last_error, ITERA_ERR_MEMORY, "out of memory while opening the file"));
    }
    return gguf;
}

EXPORT(itera_gguf_free) void wasm_gguf_free(itera_gguf *gguf)
{
    itera_gguf_free(gguf);
}

EXPORT(itera_gguf_push) int32_t wasm_gguf_push(itera_gguf *gguf, const uint8_t *bytes, uint32_t n)
{
    return report(itera_gguf_feed(gguf, bytes, n, &last_error));
}

EXPORT(itera_gguf_data_offset_f64) double wasm_gguf_data_offset(const itera_gguf *gguf)
{
    return (double)itera_gguf_data_offset(gguf);
}

EXPORT(itera_gguf_file_size_f64) double wasm_gguf_file_size(const itera_gguf *gguf)
{
    return (double)itera_gguf_file_size(gguf);
}

EXPORT(itera_gguf_kv_count) uint32_t wasm_gguf_kv_count(const itera_gguf *gguf)
{
    return (uint32_t)itera_gguf_kv_count(gguf);
}

EXPORT(itera_gguf_kv_key) const char *wasm_gguf_kv_key(const itera_gguf *gguf, uint32_t i)
{
    return itera_gguf_kv_at(gguf, i)->key.data;
}

EXPORT(itera_gguf_kv_key_length) uint32_t wasm_gguf_kv_key_length(const itera_gguf *gguf, uint32_t i)
{
    return (uint32_t)itera_gguf_kv_at(gguf, i)->key.length;
}

EXPORT(itera_gguf_kv_type) int32_t wasm_gguf_kv_type(const itera_gguf *gguf, uint32_t i)
{
    return (int32_t)itera_gguf_kv_at(gguf, i)->type;
}

EXPORT(itera_gguf_kv_element_type) int32_t wasm_gguf_kv_element_type(const itera_gguf *gguf, uint32_t i)
{
    return (int32_t)itera_gguf_kv_at(gguf, i)->element_type;
}

EXPORT(itera_gguf_kv_length) uint32_t wasm_gguf_kv_length(const itera_gguf *gguf, uint32_t i)
{
    return (uint32_t)itera_gguf_kv_at(gguf, i)->count;
}

EXPORT(itera_gguf_kv_number) double wasm_gguf_kv_number(const itera_gguf *gguf, uint32_t i, uint32_t index)
{
    return itera_gguf_number(itera_gguf_kv_at(gguf, i), index);
}

EXPORT(itera_gguf_kv_data) const uint8_t *wasm_gguf_kv_data(const itera_gguf *gguf, uint32_t i)
{
    return itera_gguf_kv_at(gguf, i)->value;
}

EXPORT(itera_gguf_kv_strings) void wasm_gguf_kv_strings(const itera_gguf *gguf, uint32_t i, uint32_t *out)
{
    itera_gguf_strings(itera_gguf_kv_at(gguf, i), out);
}

EXPORT(itera_gguf_tensors) uint32_t wasm_gguf_tensors(const itera_gguf *gguf)
{
    return (uint32_t)itera_gguf_tensor_count(gguf);
}

EXPORT(itera_gguf_tensor_name) const char *wasm_gguf_tensor_name(const itera_gguf *gguf, uint32_t i)
{
    return itera_gguf_tensor_at(gguf, i)->name.data;
}

EXPORT(itera_gguf_tensor_name_length) uint32_t wasm_gguf_tensor_name_length(const itera_gguf *gguf, uint32_t i)
{
    return (uint32_t)itera_gguf_tensor_at(gguf, i)->name.length;
}

EXPORT(itera_gguf_tensor_type) uint32_t wasm_gguf_tensor_type(const itera_gguf *gguf, uint32_t i)
{
    return itera_gguf_tensor_at(gguf, i)->type;
}

EXPORT(itera_gguf_tensor_type_name) const char *wasm_gguf_tensor_type_name(const itera_gguf *gguf, uint32_t i)
{
    return itera_type_lookup(itera_gguf_tensor_at(gguf, i)->type)->name;
}

EXPORT(itera_gguf_tensor_dims) uint32_t wasm_gguf_tensor_dims(const itera_gguf *gguf, uint32_t i)
{
    return itera_gguf_tensor_at(gguf, i)->n_dims;
}

EXPORT(itera_gguf_tensor_dim) double wasm_gguf_tensor_dim(const itera_gguf *gguf, uint32_t i, uint32_t d)
{
    return d < ITERA_GGUF_MAX_DIMS ? (double)itera_gguf_tensor_at(gguf, i)->dims[d] : 0.0;
}

EXPORT(itera_gguf_tensor_offset_f64) double wasm_gguf_tensor_offset(const itera_gguf *gguf, uint32_t i)
{
    return (double)itera_gguf_tensor_at(gguf, i)->offset;
}

EXPORT(itera_gguf_tensor_bytes_f64) double wasm_gguf_tensor_bytes(const itera_gguf *gguf, uint32_t i)
{
    return (double)itera_gguf_tensor_at(gguf, i)->bytes;
}

/* ---- Model -------------------------------------------------------------------------------------- */

/* Takes the header in every case. */
EXPORT(itera_model_create) itera_model *wasm_model_create(itera_gguf *gguf)
{
    itera_model *model = NULL;
    itera_status status = itera_model_create(&model, gguf, itera_kernels_best(), &last_error);
    if (status == ITERA_OK) {
        status = itera_model_use_pool(model, pool, &last_error);
    }
    report(status);
    return model;
}

EXPORT(itera_model_push)
int32_t wasm_model_push(itera_model *model, double file_offset, const uint8_t *bytes, uint32_t n)
{
    if (!(file_offset >= 0.0 && file_offset <= LARGEST_OFFSET)) {
        return report(itera_fail(&last_error, ITERA_ERR_ARGUMENT, "not an offset in a file"));
    }
    return report(itera_model_push(model, (uint64_t)file_offset, bytes, n, &last_error));
}

EXPORT(itera_model_ready) int32_t wasm_model_ready(const itera_model *model)
{
    return report(itera_model_ready(model, &last_error));
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
    };
    return which >= 0 && (size_t)which < sizeof values / sizeof values[0] ? values[which] : -1.0;
}

/* ---- Session ------------------------------------------------------------------------------------ */

EXPORT(itera_session_create) itera_session *wasm_session_create(itera_model *model, uint32_t context)
{
    itera_session *session = NULL;
    report(itera_session_create(&session, model, context, &last_error));
    return session;
}

EXPORT(itera_session_free) void wasm_session_free(itera_session *session)
{
    itera_session_free(session);
}

EXPORT(itera_session_reset) void wasm_session_reset(itera_session *session)
{
    itera_session_reset(session);
}

EXPORT(itera_session_copy) int32_t wasm_session_copy(itera_session *to, const itera_session *from)
{
    return report(itera_session_copy(to, from, &last_error));
}

EXPORT(itera_session_position) double wasm_session_position(const itera_session *session)
{
    return (double)itera_session_position(session);
}

EXPORT(itera_session_bytes) double wasm_session_bytes(const itera_session *session)
{
    return (double)itera_session_bytes(session);
}

EXPORT(itera_session_feed) int32_t wasm_session_feed(itera_session *session, const int32_t *tokens, uint32_t n)
{
    return report(itera_session_feed(session, tokens, n, NULL, &last_error));
}

EXPORT(itera_session_feed_all)
int32_t wasm_session_feed_all(itera_session *session, const int32_t *tokens, uint32_t n, float *logits)
{
    return report(itera_session_feed(session, tokens, n, logits, &last_error));
}

EXPORT(itera_session_score)
int32_t wasm_session_score(itera_session *session, const int32_t *tokens, uint32_t n, float *nll)
{
    return report(itera_session_score(session, tokens, n, nll, &last_error));
}

EXPORT(itera_session_logits) const float *wasm_session_logits(const itera_session *session)
{
    return itera_session_logits(session);
}

/* ---- Trace -------------------------------------------------------------------------------------- */

EXPORT(itera_model_trace_blocks) uint32_t wasm_model_trace_blocks(const itera_model *model)
{
    return itera_model_trace_blocks(model);
}

EXPORT(itera_model_trace_block) double wasm_model_trace_block(const itera_model *model, uint32_t i, int32_t which)
{
    itera_trace_block block = itera_model_trace_block(model, i);
    const double values[] = {(double)block.layer, (double)block.experts, (double)block.used,
                             (double)block.state_bytes};
    return which >= 0 && (size_t)which < sizeof values / sizeof values[0] ? values[which] : -1.0;
}

EXPORT(itera_session_trace) int32_t wasm_session_trace(itera_session *session, int32_t on)
{
    return report(itera_session_trace(session, on != 0, &last_error));
}

EXPORT(itera_session_trace_values) const float *wasm_session_trace_values(const itera_session *session)
{
    return itera_session_trace_values(session);
}

/* ---- Snapshots ---------------------------------------------------------------------------------- */

/* Two numbers of 32 bits that tell this model from others. */
EXPORT(itera_model_identity) void wasm_model_identity(const itera_model *model, uint64_t *out)
{
    *out = itera_model_identity(model);
}

EXPORT(itera_session_save_size) double wasm_session_save_size(const itera_session *session, int32_t form)
{
    return (double)itera_session_save_size(session, (itera_snapshot_form)form);
}

EXPORT(itera_session_save_piece)
int32_t wasm_session_save_piece(const itera_session *session, int32_t form, double offset, uint8_t *out, uint32_t n,
                                uint64_t *checksum)
{
    if (!(offset >= 0.0 && offset <= LARGEST_OFFSET)) {
        return report(itera_fail(&last_error, ITERA_ERR_ARGUMENT, "not an offset in a snapshot"));
    }
    return report(itera_session_save_piece(session, (itera_snapshot_form)form, (uint64_t)offset, out, n, checksum,
                                           &last_error));
}

EXPORT(itera_session_restore)
int32_t wasm_session_restore(itera_session *session, const uint8_t *bytes, uint32_t n)
{
    return report(itera_session_restore(session, bytes, n, &last_error));
}

EXPORT(itera_session_mark_size) double wasm_session_mark_size(const itera_session *session)
{
    return (double)itera_session_mark_size(session);
}

EXPORT(itera_session_mark) void wasm_session_mark(const itera_session *session, void *out)
{
    itera_session_mark(session, out);
}

EXPORT(itera_session_rewind) int32_t wasm_session_rewind(itera_session *session, const void *mark)
{
    return report(itera_session_rewind(session, mark, &last_error));
}

/* The checksum of what JavaScript puts around a snapshot. */
EXPORT(itera_hash) void wasm_hash(const uint8_t *bytes, uint32_t n, uint64_t *out)
{
    *out = itera_hash(0, bytes, n);
}

/* ---- Sampler ------------------------------------------------------------------------------------ */

/* The options as JavaScript sets them, one by one, beside the sampler that they configure. */
typedef struct wasm_sampler {
    itera_sampler *sampler;
    itera_sampling options;
    uint32_t vocabulary;
    int32_t sampled;
} wasm_sampler;

EXPORT(itera_sampler_create) wasm_sampler *wasm_sampler_create(uint32_t vocabulary)
{
    wasm_sampler *s = calloc(1, sizeof *s);
    itera_sampler *sampler = itera_sampler_create(vocabulary);
    if (s == NULL || sampler == NULL) {
        free(s);
        itera_sampler_free(sampler);
        report(itera_fail(&last_error, ITERA_ERR_MEMORY, "out of memory while creating a sampler"));
        return NULL;
    }
    *s = (wasm_sampler){.sampler = sampler, .options = itera_sampling_default(), .vocabulary = vocabulary};
    return s;
}

EXPORT(itera_sampler_free) void wasm_sampler_free(wasm_sampler *s)
{
    if (s != NULL) {
        itera_sampler_free(s->sampler);
        free(s);
    }
}

/* A double as an int32 in [0, most]; NaN and negatives are 0. */
static int32_t whole(double value, int32_t most)
{
    return value >= 0.0 ? (value < (double)most ? (int32_t)value : most) : 0;
}

EXPORT(itera_sampler_set) void wasm_sampler_set(wasm_sampler *s, int32_t which, double value)
{
    itera_sampling *o = &s->options;
    switch (which) {
    case 0: o->temperature = (float)value; break;
    case 1: o->top_k = whole(value, INT32_MAX); break;
    case 2: o->top_p = (float)value; break;
    case 3: o->min_p = (float)value; break;
    case 4: o->repetition_penalty = (float)value; break;
    case 5: o->presence_penalty = (float)value; break;
    case 6: o->frequency_penalty = (float)value; break;
    case 7: o->seed = value >= 0.0 && value <= LARGEST_OFFSET ? (uint64_t)value : 0; break;
    case 8: o->penalty_window = whole(value, ITERA_MAX_WINDOW); break;
    default: return;
    }
    itera_sampler_configure(s->sampler, o);
}

EXPORT(itera_sampler_get_random) void wasm_sampler_get_random(const wasm_sampler *s, uint64_t *out)
{
    itera_sampler_get_random(s->sampler, out);
}

EXPORT(itera_sampler_set_random) void wasm_sampler_set_random(wasm_sampler *s, const uint64_t *state)
{
    itera_sampler_set_random(s->sampler, state);
}

EXPORT(itera_sampler_bias) int32_t wasm_sampler_bias(wasm_sampler *s, int32_t token, double value)
{
    itera_status status = itera_sampler_bias(s->sampler, token, (float)value);
    return status < 0 ? report(itera_fail(&last_error, status, "token %d cannot be biased", (int)token)) : status;
}

EXPORT(itera_sampler_bias_clear) void wasm_sampler_bias_clear(wasm_sampler *s)
{
    itera_sampler_clear_bias(s->sampler);
}

EXPORT(itera_sampler_mask) void wasm_sampler_mask(wasm_sampler *s, const uint32_t *mask)
{
    itera_sampler_mask(s->sampler, mask);
}

EXPORT(itera_sampler_accept) void wasm_sampler_accept(wasm_sampler *s, int32_t token)
{
    itera_sampler_accept(s->sampler, token);
}

EXPORT(itera_sampler_reset) void wasm_sampler_reset(wasm_sampler *s)
{
    itera_sampler_forget(s->sampler);
}

static const float *logits_of(const itera_session *session)
{
    const float *logits = itera_session_logits(session);
    if (logits == NULL) {
        report(itera_fail(&last_error, ITERA_ERR_ARGUMENT, "nothing has been fed to this session yet"));
    }
    return logits;
}

EXPORT(itera_sampler_sample) int32_t wasm_sampler_sample(wasm_sampler *s, const itera_session *session)
{
    const float *logits = logits_of(session);
    if (logits == NULL) {
        return ITERA_ERR_ARGUMENT;
    }
    s->sampled = itera_sampler_sample(s->sampler, logits);
    return s->sampled;
}

/* ln p of the token sampled last, under the plain softmax of the session's logits. */
EXPORT(itera_sampler_logprob) double wasm_sampler_logprob(const wasm_sampler *s, const itera_session *session)
{
    const float *logits = logits_of(session);
    return logits == NULL ? 0.0 : itera_logprob(logits, s->vocabulary, s->sampled);
}

EXPORT(itera_sampler_top)
uint32_t wasm_sampler_top(wasm_sampler *s, const itera_session *session, uint32_t n, int32_t *tokens, float *logprobs)
{
    const float *logits = logits_of(session);
    return logits == NULL ? 0 : itera_sampler_top(s->sampler, logits, n, tokens, logprobs);
}

/* ---- GGUF writer -------------------------------------------------------------------------------- */

#if !ITERA_HAVE_THREADS /* nobody writes files on several threads: those modules do without */

EXPORT(itera_gguf_writer_create) itera_gguf_writer *wasm_writer_create(void)
{
    itera_gguf_writer *writer = itera_gguf_writer_create();
    if (writer == NULL) {
        report(itera_fail(&last_error, ITERA_ERR_MEMORY, "out of memory while writing a file"));
    }
    return writer;
}

EXPORT(itera_gguf_writer_free) void wasm_writer_free(itera_gguf_writer *writer)
{
    itera_gguf_writer_free(writer);
}

EXPORT(itera_gguf_writer_add)
int32_t wasm_writer_add(itera_gguf_writer *writer, const char *key, uint32_t key_length, uint32_t type,
                        uint32_t element_type, uint32_t count, const uint8_t *data, uint32_t n)
{
    return report(itera_gguf_writer_add(writer, key, key_length, type, element_type, count, data, n, &last_error));
}

EXPORT(itera_gguf_writer_tensor)
int32_t wasm_writer_tensor(itera_gguf_writer *writer, const char *name, uint32_t name_length, uint32_t n_dims,
                           const double *dims, uint32_t type)
{
    uint64_t whole_dims[ITERA_GGUF_MAX_DIMS] = {0};
    for (uint32_t i = 0; i < n_dims && i < ITERA_GGUF_MAX_DIMS; i++) {
        whole_dims[i] = dims[i] >= 0.0 && dims[i] <= LARGEST_OFFSET ? (uint64_t)dims[i] : 0;
    }
    return report(itera_gguf_writer_tensor(writer, name, name_length, n_dims, whole_dims, type, &last_error));
}

/* Length of the header, *out its first byte; 0 on failure. */
EXPORT(itera_gguf_writer_header) uint32_t wasm_writer_header(itera_gguf_writer *writer, const uint8_t **out)
{
    size_t length = itera_gguf_writer_header(writer, out);
    if (length == 0) {
        report(itera_fail(&last_error, ITERA_ERR_MEMORY, "the header is too large to write"));
    }
    return (uint32_t)length;
}

EXPORT(itera_gguf_writer_tensor_offset)
double wasm_writer_tensor_offset(const itera_gguf_writer *writer, uint32_t i)
{
    return (double)itera_gguf_writer_tensor_offset(writer, i);
}

#endif
