/* Itera-Lite: the public C API.
 *
 * A *model* is immutable weights made from the bytes of a GGUF file. A *session* is the state of one conversation;
 * many sessions may share one model. A *sampler* turns logits into a token. Nothing here opens files, prints or
 * exits; every failure is a status and, where an itera_error is passed, a sentence.
 *
 * Shape letters used throughout: T tokens, D width, E inner width, N state, K conv taps, R dt rank, L layers,
 * H heads, P head width, G groups, X experts, F expert width, V vocabulary. */
#ifndef ITERA_H
#define ITERA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"
#include "base/status.h"
#include "gguf/gguf.h"
#include "kernels/kernels.h"

typedef struct itera_model itera_model;
typedef struct itera_session itera_session;
typedef struct itera_sampler itera_sampler;

/* ---- Model ------------------------------------------------------------------------------------ */

/* Plans a model from a complete header and allocates its weights. Takes `gguf` in every case: on failure it is
 * freed. ITERA_ERR_UNSUPPORTED for an unknown architecture, ITERA_ERR_CORRUPT for a file that contradicts itself,
 * ITERA_ERR_MEMORY. On success *out must be freed with itera_model_free. */
itera_status itera_model_create(itera_model **out, itera_gguf *gguf, itera_variant variant, itera_error *error);
void itera_model_free(itera_model *model); /* NULL is allowed; its sessions must be freed before */

/* Lets the model's sessions work on a pool of threads (base/pool.h), which must outlive it; NULL for one thread, as
 * at first. Logits do not depend on it, bit for bit. ITERA_ERR_ARGUMENT once a session has been made. */
itera_status itera_model_use_pool(itera_model *model, itera_pool *pool, itera_error *error);

/* Bytes `file_offset`.. of the file, any order, pieces of any size. ITERA_OK when all tensors are complete, else
 * ITERA_NEED_MORE; `bytes` stays the caller's. ITERA_ERR_MEMORY, and ITERA_ERR_ARGUMENT for bytes beyond any file's
 * end. */
itera_status itera_model_push(itera_model *model, uint64_t file_offset, const uint8_t *bytes, size_t n,
                              itera_error *error);
/* ITERA_OK, or ITERA_ERR_INCOMPLETE naming what is missing. */
itera_status itera_model_ready(const itera_model *model, itera_error *error);
/* Frees the file's header once its metadata has been read; needs a complete model. */
void itera_model_release_header(itera_model *model);
/* The header, or NULL after its release. */
const itera_gguf *itera_model_header(const itera_model *model);

/* A hash over architecture, hyperparameters and weights: equal for the same model, whichever kernels run it and
 * however its file is laid out. Needs a complete model. */
uint64_t itera_model_identity(const itera_model *model);

typedef struct itera_model_info {
    const char *architecture;
    uint32_t vocabulary, layers, width;
    uint32_t context_length;      /* 0: no limit, as for pure state-space models */
    uint64_t weight_bytes;        /* packed */
    uint64_t parameters;          /* all */
    uint64_t active_parameters;   /* that one token touches */
    uint64_t embedding_parameters;
    uint64_t state_bytes;         /* recurrent state of one session */
    uint64_t cache_bytes;         /* KV cache a position */
    uint64_t scratch_bytes;       /* shared by all sessions */
    uint64_t flops;               /* a token at position 0, two a multiply-add */
    uint32_t batch;               /* tokens that pass through the layers at once: fewer in one call are slower */
} itera_model_info;
void itera_model_get_info(const itera_model *model, itera_model_info *info);

/* ---- Session ---------------------------------------------------------------------------------- */

/* `context` bounds the positions of a model with attention (0: the lesser of its own length and
 * ITERA_DEFAULT_CONTEXT); models without keep a fixed state and ignore it. Sessions of one model share scratch
 * memory: only one of them may run at a time. ITERA_ERR_INCOMPLETE before the model is, ITERA_ERR_MEMORY; *out is only
 * set on success and must be freed with itera_session_free, before the model. */
#define ITERA_DEFAULT_CONTEXT 4096
itera_status itera_session_create(itera_session **out, itera_model *model, uint32_t context, itera_error *error);
void itera_session_free(itera_session *session); /* NULL is allowed */
void itera_session_reset(itera_session *session); /* as new */
/* Makes room for `context` positions, which means what it does above; never less than there was. What was fed stays,
 * and marks stay good. ITERA_ERR_MEMORY: the session is as before. */
itera_status itera_session_reserve(itera_session *session, uint32_t context, itera_error *error);
/* Makes `to` continue where `from` is. ITERA_ERR_SNAPSHOT unless both are of one model, ITERA_ERR_CONTEXT_FULL where
 * `to` has no room for from's positions; `to` then stays as it was. */
itera_status itera_session_copy(itera_session *to, const itera_session *from, itera_error *error);

uint64_t itera_session_position(const itera_session *session); /* tokens fed */
uint64_t itera_session_bytes(const itera_session *session);    /* state and KV cache */

/* Feeds `n` tokens. `logits` is NULL or [n, V] and gets a row a token. A bad token or a full context is refused as
 * a whole (ITERA_ERR_TOKEN, ITERA_ERR_CONTEXT_FULL): the session stays as it was. Any split of a token sequence into
 * calls gives the same logits. */
itera_status itera_session_feed(itera_session *session, const int32_t *tokens, size_t n, float *logits,
                                itera_error *error);
/* Feeds tokens[0 .. n-2] and writes -ln p(tokens[i + 1] | tokens[0 .. i]) to nll[i]: n - 1 values, n at least 2.
 * Refuses what itera_session_feed does; ITERA_ERR_ARGUMENT for fewer tokens, ITERA_ERR_MEMORY. */
itera_status itera_session_score(itera_session *session, const int32_t *tokens, size_t n, float *nll,
                                 itera_error *error);
/* [V] logits of the last token fed; valid until the next call on this session; NULL before the first token. */
const float *itera_session_logits(const itera_session *session);

/* ---- Trace ------------------------------------------------------------------------------------ */

/* What a look inside shows of one residual block. */
typedef struct itera_trace_block {
    uint32_t layer;
    uint32_t experts, used; /* 0 where there are none to choose from */
    uint64_t state_bytes;   /* 0 for blocks that keep nothing between tokens */
} itera_trace_block;
uint32_t itera_model_trace_blocks(const itera_model *model);
itera_trace_block itera_model_trace_block(const itera_model *model, uint32_t i); /* zeros beyond the last */

/* Begins (anew) or ends looking; not part of copies and snapshots. ITERA_ERR_MEMORY. */
itera_status itera_session_trace(itera_session *session, bool on, itera_error *error);
/* Of the last token fed, block by block: the L2 norm of the block's state, then for each expert it chose, ascending,
 * the expert and its gate: 1 + 2 * used floats a block. NULL without a trace and before a token was fed under it. */
const float *itera_session_trace_values(const itera_session *session);

/* ---- Snapshots -------------------------------------------------------------------------------- */

/* How numbers are written. F32: exactly. F16: half the bytes; recurrent state and KV cache are rounded, each stored
 * number by at most 2^-11 of itself (2^-25 below 2^-14; beyond 65504 it becomes 65504), the logits are exact. A Mamba-2
 * state is stored divided by a scale of 0.25 to 64 for each head, so for its values these bounds are that many times as
 * large. */
typedef enum itera_snapshot_form { ITERA_SNAPSHOT_F32 = 0, ITERA_SNAPSHOT_F16 = 1 } itera_snapshot_form;

/* Bytes of a snapshot now; of the KV cache only what is in use counts. 0 for an unknown form. */
uint64_t itera_session_save_size(const itera_session *session, itera_snapshot_form form);
/* Writes the snapshot to `out` [n], n as itera_session_save_size says: one block that describes itself, for any
 * session of the same model, in any build. runtime/snapshot.c describes its bytes. */
itera_status itera_session_save(const itera_session *session, itera_snapshot_form form, uint8_t *out, size_t n,
                                itera_error *error);
/* The same piece by piece, for those who have no place for the whole: the next ITERA_SNAPSHOT_PIECE bytes from `offset`
 * or, at the end, the `n` that are left. Pieces are taken in order; *checksum is 0 before the first and then stays the
 * caller's, who keeps the session as it is meanwhile. */
#define ITERA_SNAPSHOT_PIECE (1u << 20)
itera_status itera_session_save_piece(const itera_session *session, itera_snapshot_form form, uint64_t offset,
                                      uint8_t *out, size_t n, uint64_t *checksum, itera_error *error);
/* Makes the session continue where the saved one was. `bytes` may be anything: ITERA_ERR_SNAPSHOT for another model
 * or version and for damage, ITERA_ERR_CONTEXT_FULL where this session is too small; it then stays as it was. */
itera_status itera_session_restore(itera_session *session, const uint8_t *bytes, size_t n, itera_error *error);

/* Marks: places to go back to within one session and its copies, without the cost of a snapshot. A mark holds no KV
 * cache: the rows before it stay where they are. So it is good as long as no other tokens have been fed at positions
 * before it; after that, going back gives wrong logits (and nothing worse). */
uint64_t itera_session_mark_size(const itera_session *session);
/* Writes to `out`, itera_session_mark_size bytes, 8-byte aligned. */
void itera_session_mark(const itera_session *session, void *out);
/* Back to where the mark was made; `mark` comes from this process and is not checked. ITERA_ERR_SNAPSHOT for one of
 * another model, ITERA_ERR_CONTEXT_FULL where it lies beyond this session's context. */
itera_status itera_session_rewind(itera_session *session, const void *mark, itera_error *error);

/* ---- Sampler ---------------------------------------------------------------------------------- */

typedef struct itera_sampling {
    float temperature;        /* 0: greedy */
    int32_t top_k;            /* 0: off */
    float top_p;              /* 1: off */
    float min_p;              /* 0: off */
    float repetition_penalty; /* 1: off */
    float presence_penalty;   /* 0: off */
    float frequency_penalty;  /* 0: off */
    int32_t penalty_window;   /* last tokens that the penalties look at, at most ITERA_MAX_WINDOW */
    uint64_t seed;
} itera_sampling;
#define ITERA_MAX_WINDOW 4096

/* Temperature 0.8, top-k 40, top-p 0.95, min-p 0.05, no penalties, window 64, seed 0. */
itera_sampling itera_sampling_default(void);

/* NULL when out of memory. */
itera_sampler *itera_sampler_create(uint32_t vocabulary);
void itera_sampler_free(itera_sampler *sampler); /* NULL is allowed */
/* Takes new options and restarts the random sequence from their seed. */
void itera_sampler_configure(itera_sampler *sampler, const itera_sampling *options);
/* The random sequence's place, for going on with it elsewhere. All zeros is no such place and is left alone. */
void itera_sampler_get_random(const itera_sampler *sampler, uint64_t out[4]);
void itera_sampler_set_random(itera_sampler *sampler, const uint64_t state[4]);
/* Adds to one token's logit, in the order set. ITERA_ERR_TOKEN outside the vocabulary, ITERA_ERR_MEMORY. */
itera_status itera_sampler_bias(itera_sampler *sampler, int32_t token, float bias);
void itera_sampler_clear_bias(itera_sampler *sampler);
/* Lets only some tokens be sampled, as a grammar asks: a bit a token, token 32 i + j in bit j of mask[i]. The mask
 * stays the caller's, who may change its bits between two calls; NULL allows every token. */
void itera_sampler_mask(itera_sampler *sampler, const uint32_t *mask);
/* What that does: the logits [V] of tokens whose bit is 0 become -INFINITY. */
void itera_mask_logits(float *logits, uint32_t vocabulary, const uint32_t *mask);
/* Records a token, of the prompt or sampled, for the penalties. */
void itera_sampler_accept(itera_sampler *sampler, int32_t token);
void itera_sampler_forget(itera_sampler *sampler); /* all recorded tokens */
/* Picks a token from logits [V], in llama.cpp's order: bias, penalties, mask, top-k, top-p, min-p,
 * temperature. */
int32_t itera_sampler_sample(itera_sampler *sampler, const float *logits);
/* ln p of `token` under the plain softmax of logits [V]. */
double itera_logprob(const float *logits, uint32_t vocabulary, int32_t token);
/* The n most probable tokens, best first, with their ln p; returns how many: at most V, and none that cannot come. */
uint32_t itera_sampler_top(itera_sampler *sampler, const float *logits, uint32_t n, int32_t *tokens, float *logprobs);

#endif
