/* Fuzzer of everything behind the header: hyperparameters, planning and packing of weights, the blocks
 * themselves. A header that is accepted gets made-up tensor data, in pieces and out of order, and the model
 * runs some tokens. For any input it must hold that
 *   - a model is either refused with a sentence or complete once all bytes of its file were pushed;
 *   - a complete model runs: any split of the tokens, any variant, whatever its weights;
 *   - a sampler picks a token of the vocabulary, whatever the logits;
 *   - a failed allocation is reported as one, and nothing leaks.
 *
 * Input: byte 0 = kernel variant (low 2 bits) and kind of data (next 2), byte 1 = allocations that succeed
 * (128 and more: all), byte 2 = order of the pieces, then the header. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "itera.h"

/* Files and models beyond these are left alone: not wrong, only slow. */
enum { LARGEST_FILE = 1 << 18, LARGEST_MODEL = 1 << 24, PIECE = 5000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition, const char *claim)
{
    if (!condition) {
        fprintf(stderr, "violated: %s\n", claim);
        abort();
    }
}

static uint64_t random_state;

static uint64_t next_random(void) /* xorshift64* */
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * 0x2545f4914f6cdd1du;
}

enum data_kind {
    ZEROS,
    SMALL_FLOATS,
    NOISE,
    ONES
}; /* noise and ones hold NaNs and infinities of every type */

static void make_data(uint8_t *file, size_t from, size_t to, enum data_kind kind)
{
    random_state = 88172645463325252u;
    memset(file + from, kind == ONES ? 0xff : 0, to - from);
    for (size_t i = from; i + 4 <= to && (kind == SMALL_FLOATS || kind == NOISE); i += 4) {
        uint32_t bits = (uint32_t)(next_random() >> 32);
        float small = (float)(int32_t)bits * 0x1p-32f;
        memcpy(file + i, kind == NOISE ? (const void *)&bits : &small, 4);
    }
}

/* Pushes the whole file, the pieces in one of several orders. */
static itera_status push_all(itera_model *model, const uint8_t *file, size_t n, int order, itera_error *error)
{
    size_t count = (n + PIECE - 1) / PIECE;
    itera_status status = ITERA_NEED_MORE;
    for (size_t i = 0; i < count && status >= 0; i++) {
        size_t piece = order % 3 == 0   ? i
                       : order % 3 == 1 ? count - 1 - i
                       : i % 2 == 0     ? i / 2
                                        : count - 1 - i / 2;
        size_t at = piece * PIECE;
        status = itera_model_push(model, at, file + at, n - at < PIECE ? n - at : PIECE, error);
    }
    return status;
}

static void run(itera_model *model, itera_error *error)
{
    itera_model_info info;
    itera_model_get_info(model, &info);
    itera_session *session = NULL;
    if (info.scratch_bytes + info.state_bytes + 8 * info.cache_bytes > LARGEST_MODEL ||
        itera_session_create(&session, model, 8, error) < 0) {
        return;
    }
    int32_t tokens[6];
    for (int i = 0; i < 6; i++) {
        tokens[i] = (int32_t)(next_random() % info.vocabulary);
    }
    itera_status status = itera_session_feed(session, tokens, 5, NULL, error);
    if (status == ITERA_OK) { /* a model with few positions may refuse */
        require(itera_session_position(session) == 5, "tokens are counted");
        itera_session_feed(session, tokens + 5, 1, NULL, error);
        float nll[5];
        itera_session_reset(session);
        itera_session_score(session, tokens, 6, nll, error);
    }
    require(itera_session_feed(session, &(int32_t){-1}, 1, NULL, error) == ITERA_ERR_TOKEN, "no token -1");
    itera_sampler *sampler = itera_sampler_create(info.vocabulary);
    const float *logits = itera_session_logits(session);
    if (sampler != NULL && logits != NULL) {
        int32_t token = itera_sampler_sample(sampler, logits);
        require(token >= 0 && (uint32_t)token < info.vocabulary, "a token of the vocabulary is sampled");
        int32_t best[4];
        float logprobs[4];
        uint32_t found = itera_sampler_top(sampler, logits, 4, best, logprobs);
        require(found <= 4 && found <= info.vocabulary, "no more than asked for");
    }
    itera_sampler_free(sampler);
    itera_session_free(session);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    itera_error error = {""};
    itera_gguf *gguf = size < 3 ? NULL : itera_gguf_create();
    if (gguf == NULL) {
        return 0;
    }
    if (itera_gguf_feed(gguf, data + 3, size - 3, &error) != ITERA_OK ||
        itera_gguf_file_size(gguf) > LARGEST_FILE) {
        itera_gguf_free(gguf);
        return 0;
    }
    size_t header_end = (size_t)itera_gguf_data_offset(gguf), n = (size_t)itera_gguf_file_size(gguf);
    n = n > header_end ? n : header_end;
    uint8_t *file = malloc(n);
    make_data(file, header_end, n, (enum data_kind)(data[0] >> 2 & 3));
    memset(file, 0, header_end); /* what stands there does not matter any more */

    itera_model *model = NULL;
    itera_memory_fail_after(data[1] < 128 ? data[1] : -1);
    itera_status status = itera_model_create(&model, gguf, (itera_variant)((data[0] & 3) % 3), &error);
    if (status == ITERA_OK) {
        status = push_all(model, file, n, data[2], &error);
        require(status == ITERA_OK || status < 0, "all bytes are enough");
        if (status == ITERA_OK) {
            require(itera_model_ready(model, &error) == ITERA_OK, "a complete model is ready");
            itera_model_release_header(model);
            run(model, &error);
        }
    }
    itera_memory_fail_after(-1);
    require(status >= 0 || error.text[0] != '\0', "an error has a text");
    itera_model_free(model);
    free(file);
    return 0;
}
