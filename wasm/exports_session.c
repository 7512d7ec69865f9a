/* A session: feeding it, looking inside it, keeping its state and going back. */
#include "base/hash.h"
#include "exports.h"
#include "itera.h"

/* ---- Session ------------------------------------------------------------------------------------ */

EXPORT(itera_session_create) itera_session *wasm_session_create(itera_model *model, uint32_t context)
{
    itera_session *session = NULL;
    wasm_report(itera_session_create(&session, model, context, &wasm_last_error));
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

EXPORT(itera_session_reserve) int32_t wasm_session_reserve(itera_session *session, uint32_t context)
{
    return wasm_report(itera_session_reserve(session, context, &wasm_last_error));
}

EXPORT(itera_session_copy) int32_t wasm_session_copy(itera_session *to, const itera_session *from)
{
    return wasm_report(itera_session_copy(to, from, &wasm_last_error));
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
    return wasm_report(itera_session_feed(session, tokens, n, NULL, &wasm_last_error));
}

EXPORT(itera_session_feed_all)
int32_t wasm_session_feed_all(itera_session *session, const int32_t *tokens, uint32_t n, float *logits)
{
    return wasm_report(itera_session_feed(session, tokens, n, logits, &wasm_last_error));
}

EXPORT(itera_session_score)
int32_t wasm_session_score(itera_session *session, const int32_t *tokens, uint32_t n, float *nll)
{
    return wasm_report(itera_session_score(session, tokens, n, nll, &wasm_last_error));
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
    return wasm_report(itera_session_trace(session, on != 0, &wasm_last_error));
}

EXPORT(itera_session_trace_values) const float *wasm_session_trace_values(const itera_session *session)
{
    return itera_session_trace_values(session);
}

/* ---- Snapshots ---------------------------------------------------------------------------------- */

EXPORT(itera_session_save_size) double wasm_session_save_size(const itera_session *session, int32_t form)
{
    return (double)itera_session_save_size(session, (itera_snapshot_form)form);
}

EXPORT(itera_session_save_piece)
int32_t wasm_session_save_piece(const itera_session *session, int32_t form, double offset, uint8_t *out, uint32_t n,
                                uint64_t *checksum)
{
    if (!(offset >= 0.0 && offset <= LARGEST_OFFSET)) {
        return wasm_report(itera_fail(&wasm_last_error, ITERA_ERR_ARGUMENT, "not an offset in a snapshot"));
    }
    return wasm_report(itera_session_save_piece(session, (itera_snapshot_form)form, (uint64_t)offset, out, n, checksum,
                                                &wasm_last_error));
}

EXPORT(itera_session_restore)
int32_t wasm_session_restore(itera_session *session, const uint8_t *bytes, uint32_t n)
{
    return wasm_report(itera_session_restore(session, bytes, n, &wasm_last_error));
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
    return wasm_report(itera_session_rewind(session, mark, &wasm_last_error));
}

/* The checksum of what JavaScript puts around a snapshot. */
EXPORT(itera_hash) void wasm_hash(const uint8_t *bytes, uint32_t n, uint64_t *out)
{
    *out = itera_hash(0, bytes, n);
}
