/* Snapshots and marks of a session.
 *
 * A snapshot, little endian:
 *   magic "ITERASNP", version u32, form u32 (itera_snapshot_form)
 *   model identity u64, position u64, floats of recurrent state u64, floats of KV cache a position u64,
 *   vocabulary u64, length of the whole in bytes u64
 *   recurrent state of every block, one after another
 *   KV cache of every block, [position, width] each, one after another
 *   zeros up to a multiple of 8
 *   logits of the last token, f32 [V]
 *   zeros up to a multiple of 8
 *   checksum u64 over everything before it: itera_hash of each ITERA_SNAPSHOT_PIECE bytes, seeded with that before
 * State and cache are f32 or f16, as the form says. Lengths follow from the model and the position, so nothing that is
 * read decides how much is read. */
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "quant/to_half.h"
#include "runtime/session.h"

#define VERSION 1
#define CHECKSUM_BYTES 8

/* Beyond it a position could not be told to JavaScript; at a million tokens a second it lasts three centuries. */
#define MAX_POSITION (1ull << 53)

typedef struct header {
    char magic[8];
    uint32_t version, form;
    uint64_t identity, position, state_floats, cache_floats, V, bytes;
} header;

/* Written and read as it lies in memory. */
_Static_assert(sizeof(header) == 64, "the header has no padding");

static const char magic[8] = {'I', 'T', 'E', 'R', 'A', 'S', 'N', 'P'};

static uint64_t round_up(uint64_t bytes)
{
    return (bytes + 7) & ~(uint64_t)7;
}

/* Where the logits begin in a snapshot of a session at `position`. A session of that length exists or is about to, so
 * the products fit. */
static uint64_t logits_offset(const itera_model *model, uint64_t position, itera_snapshot_form form)
{
    uint64_t floats = model->state_floats + model->cache_floats * position;
    return sizeof(header) + round_up(floats * (form == ITERA_SNAPSHOT_F16 ? 2 : 4));
}

static uint64_t size_at(const itera_model *model, uint64_t position, itera_snapshot_form form)
{
    uint64_t logits = round_up((uint64_t)model->graph.V * sizeof(float));
    return logits_offset(model, position, form) + logits + CHECKSUM_BYTES;
}

static bool known(itera_snapshot_form form)
{
    return form == ITERA_SNAPSHOT_F32 || form == ITERA_SNAPSHOT_F16;
}

uint64_t itera_session_save_size(const itera_session *session, itera_snapshot_form form)
{
    return known(form) ? size_at(session->model, session->position, form) : 0;
}

/* Goes on with the checksum for the piece at `offset` of a snapshot of `bytes`, leaving out the checksum itself. */
static uint64_t hash_piece(uint64_t hash, const uint8_t *piece, uint64_t offset, size_t n, uint64_t bytes)
{
    return itera_hash(hash, piece, offset + n == bytes ? n - CHECKSUM_BYTES : n);
}

/* ---- Writing ---------------------------------------------------------------------------------- */

/* The part of a snapshot that is wanted: what is put passes by, and what lies inside is written. Both ends are
 * multiples of 8 and so never within a number. */
typedef struct window {
    uint8_t *out;
    uint64_t begin, end, at;
} window;

/* The items of an array of `n`, `each` bytes long, that lie inside: [*first, *last). Returns where the first of them
 * goes, and passes the array by. */
static uint8_t *clip(window *w, uint64_t n, size_t each, uint64_t *first, uint64_t *last)
{
    uint64_t before = w->begin > w->at ? (w->begin - w->at) / each : 0;
    uint64_t until = w->end > w->at ? (w->end - w->at) / each : 0;
    *last = until < n ? until : n;
    *first = before < *last ? before : *last;
    uint8_t *out = w->out + (w->at > w->begin ? w->at - w->begin : 0);
    w->at += n * each;
    return out;
}

static void put_bytes(window *w, const void *bytes, uint64_t n)
{
    uint64_t first, last;
    uint8_t *out = clip(w, n, 1, &first, &last);
    if (last > first) {
        memcpy(out, (const uint8_t *)bytes + first, (size_t)(last - first));
    }
}

static void put_zeros(window *w, uint64_t until)
{
    static const uint8_t zeros[8];
    put_bytes(w, zeros, until - w->at);
}

static uint16_t half_of(float value)
{
    /* An infinity would poison all that follows; the largest half is merely wrong. */
    float bounded = value > ITERA_LARGEST_HALF ? ITERA_LARGEST_HALF : value;
    return itera_f32_to_half(bounded < -ITERA_LARGEST_HALF ? -ITERA_LARGEST_HALF : bounded);
}

static void put_floats(window *w, const float *values, uint64_t n, itera_snapshot_form form)
{
    if (form == ITERA_SNAPSHOT_F32) {
        put_bytes(w, values, n * sizeof(float));
        return;
    }
    uint64_t first, last;
    uint8_t *out = clip(w, n, 2, &first, &last);
    for (uint64_t i = first; i < last; i++, out += 2) {
        itera_store_u16(out, half_of(values[i]));
    }
}

itera_status itera_session_save_piece(const itera_session *session, itera_snapshot_form form, uint64_t offset,
                                      uint8_t *out, size_t n, uint64_t *checksum, itera_error *error)
{
    const itera_model *model = session->model;
    const uint64_t bytes = itera_session_save_size(session, form);
    const uint64_t left = offset < bytes ? bytes - offset : 0;
    if (offset % ITERA_SNAPSHOT_PIECE != 0 || n == 0 ||
        n != (left < ITERA_SNAPSHOT_PIECE ? left : ITERA_SNAPSHOT_PIECE)) {
        return itera_fail(error, ITERA_ERR_ARGUMENT, "a snapshot of form %d has no piece of %zu bytes at %llu",
                          (int)form, n, (unsigned long long)offset);
    }
    window w = {.out = out, .begin = offset, .end = offset + n};
    header head = {.version = VERSION,
                   .form = (uint32_t)form,
                   .identity = itera_model_identity(model),
                   .position = session->position,
                   .state_floats = model->state_floats,
                   .cache_floats = model->cache_floats,
                   .V = model->graph.V,
                   .bytes = bytes};
    memcpy(head.magic, magic, sizeof magic);
    put_bytes(&w, &head, sizeof head);
    put_floats(&w, session->state, model->state_floats, form);
    const float *cache = session->cache;
    for (uint32_t i = 0; i < model->graph.residual_count; i++) {
        uint64_t width = model->graph.residuals[i].block->cache_floats;
        put_floats(&w, cache, width * session->position, form);
        cache += width * session->context;
    }
    put_zeros(&w, logits_offset(model, session->position, form));
    put_floats(&w, session->logits, model->graph.V, ITERA_SNAPSHOT_F32);
    put_zeros(&w, bytes - CHECKSUM_BYTES);
    *checksum = hash_piece(*checksum, out, offset, n, bytes);
    put_bytes(&w, checksum, CHECKSUM_BYTES);
    return ITERA_OK;
}

itera_status itera_session_save(const itera_session *session, itera_snapshot_form form, uint8_t *out, size_t n,
                                itera_error *error)
{
    if (n != itera_session_save_size(session, form)) {
        return itera_fail(error, ITERA_ERR_ARGUMENT, "%zu bytes do not fit a snapshot of form %d", n, (int)form);
    }
    uint64_t checksum = 0;
    for (size_t at = 0; at < n; at += ITERA_SNAPSHOT_PIECE) {
        size_t piece = n - at < ITERA_SNAPSHOT_PIECE ? n - at : ITERA_SNAPSHOT_PIECE;
        ITERA_TRY(itera_session_save_piece(session, form, at, out + at, piece, &checksum, error));
    }
    return ITERA_OK;
}

/* ---- Reading ---------------------------------------------------------------------------------- */

static const uint8_t *read_floats(float *values, const uint8_t *in, size_t n, itera_snapshot_form form)
{
    if (form == ITERA_SNAPSHOT_F32) {
        memcpy(values, in, n * sizeof(float));
        return in + n * sizeof(float);
    }
    for (size_t i = 0; i < n; i++, in += 2) {
        values[i] = itera_half_to_f32(itera_load_u16(in));
    }
    return in;
}

static itera_status check_position(const itera_session *session, uint64_t position, itera_error *error)
{
    const itera_graph *graph = &session->model->graph;
    if (position > MAX_POSITION || (graph->max_positions > 0 && position > graph->max_positions)) {
        return itera_fail(error, ITERA_ERR_SNAPSHOT, "the snapshot is of %llu tokens, more than the model can read",
                          (unsigned long long)position);
    }
    if (session->model->cache_floats > 0 && position > session->context) {
        return itera_fail(error, ITERA_ERR_CONTEXT_FULL, "the snapshot is of %llu tokens, and there is room for %llu",
                          (unsigned long long)position, (unsigned long long)session->context);
    }
    return ITERA_OK;
}

/* Everything is checked before anything is written. What stands before the checksum needs no trust; what stands after
 * it, such as "made with another model", is only said of a snapshot that is whole. */
static itera_status check(const itera_session *session, const header *head, const uint8_t *bytes, size_t n,
                          itera_error *error)
{
    const itera_model *model = session->model;
    if (n < sizeof *head + CHECKSUM_BYTES || memcmp(head->magic, magic, sizeof magic) != 0) {
        return itera_fail(error, ITERA_ERR_SNAPSHOT, "this is not a snapshot");
    }
    if (head->version != VERSION || !known((itera_snapshot_form)head->form)) {
        return itera_fail(error, ITERA_ERR_SNAPSHOT, "the snapshot has version %u, form %u; this build reads version"
                          " %d", (unsigned)head->version, (unsigned)head->form, VERSION);
    }
    if (head->bytes != n || n % 8 != 0) {
        return itera_fail(error, ITERA_ERR_SNAPSHOT, "the snapshot should have %llu bytes and has %zu",
                          (unsigned long long)head->bytes, n);
    }
    uint64_t checksum = 0;
    for (size_t at = 0; at < n; at += ITERA_SNAPSHOT_PIECE) {
        size_t piece = n - at < ITERA_SNAPSHOT_PIECE ? n - at : ITERA_SNAPSHOT_PIECE;
        checksum = hash_piece(checksum, bytes + at, at, piece, n);
    }
    if (checksum != itera_load_u64(bytes + n - CHECKSUM_BYTES)) {
        return itera_fail(error, ITERA_ERR_SNAPSHOT, "the snapshot is damaged: its checksum does not match");
    }
    if (head->identity != itera_model_identity(model) || head->state_floats != model->state_floats ||
        head->cache_floats != model->cache_floats || head->V != model->graph.V) {
        return itera_fail(error, ITERA_ERR_SNAPSHOT, "the snapshot was made with another model");
    }
    ITERA_TRY(check_position(session, head->position, error));
    if (n != size_at(model, head->position, (itera_snapshot_form)head->form)) {
        return itera_fail(error, ITERA_ERR_SNAPSHOT, "the snapshot's length does not fit its %llu tokens",
                          (unsigned long long)head->position);
    }
    return ITERA_OK;
}

itera_status itera_session_restore(itera_session *session, const uint8_t *bytes, size_t n, itera_error *error)
{
    header head = {.version = 0};
    if (n >= sizeof head) {
        memcpy(&head, bytes, sizeof head);
    }
    ITERA_TRY(check(session, &head, bytes, n, error));
    const itera_model *model = session->model;
    const itera_snapshot_form form = (itera_snapshot_form)head.form;
    const uint8_t *at = read_floats(session->state, bytes + sizeof head, (size_t)model->state_floats, form);
    float *cache = session->cache;
    for (uint32_t i = 0; i < model->graph.residual_count; i++) {
        size_t width = (size_t)model->graph.residuals[i].block->cache_floats;
        at = read_floats(cache, at, width * (size_t)head.position, form);
        cache += width * (size_t)session->context;
    }
    at = bytes + logits_offset(model, head.position, form);
    read_floats(session->logits, at, model->graph.V, ITERA_SNAPSHOT_F32);
    session->position = head.position;
    return ITERA_OK;
}

/* ---- Marks ------------------------------------------------------------------------------------ */

typedef struct mark {
    uint64_t identity, position;
    float floats[]; /* recurrent state, then logits */
} mark;

uint64_t itera_session_mark_size(const itera_session *session)
{
    const itera_model *model = session->model;
    return sizeof(mark) + (model->state_floats + model->graph.V) * sizeof(float);
}

void itera_session_mark(const itera_session *session, void *out)
{
    const itera_model *model = session->model;
    mark *m = out;
    m->identity = itera_model_identity(model);
    m->position = session->position;
    memcpy(m->floats, session->state, (size_t)model->state_floats * sizeof(float));
    memcpy(m->floats + model->state_floats, session->logits, model->graph.V * sizeof(float));
}

itera_status itera_session_rewind(itera_session *session, const void *from, itera_error *error)
{
    const itera_model *model = session->model;
    const mark *m = from;
    if (m->identity != itera_model_identity(model)) {
        return itera_fail(error, ITERA_ERR_SNAPSHOT, "the mark was made with another model");
    }
    ITERA_TRY(check_position(session, m->position, error));
    memcpy(session->state, m->floats, (size_t)model->state_floats * sizeof(float));
    memcpy(session->logits, m->floats + model->state_floats, model->graph.V * sizeof(float));
    session->position = m->position;
    return ITERA_OK;
}
