/* A look inside a session: it shows what the layers did and changes nothing. */
#include <stdlib.h>

#include "golden.h"
#include "runtime/session.h"
#include "test.h"

#define MODEL "llama.cpp/granitehybrid-moe-f32/model.gguf"
#define TOKENS 9
static const int32_t tokens[TOKENS] = {5, 17, 300, 2, 44, 45, 46, 511, 1};

static itera_session *session_of(itera_model *model)
{
    itera_error error = {""};
    itera_session *session = NULL;
    if (itera_session_create(&session, model, 0, &error) != ITERA_OK) {
        printf("  %s\n", error.text);
        exit(1);
    }
    return session;
}

TEST(a_traced_session_gives_the_same_bits)
{
    itera_error error = {""};
    itera_model *model = golden_model(MODEL, ITERA_SCALAR, GOLDEN_WHOLE, 4099);
    REQUIRE(model != NULL);
    itera_model_info info;
    itera_model_get_info(model, &info);
    itera_session *plain = session_of(model), *traced = session_of(model);
    CHECK_INT(itera_session_trace(traced, true, &error), ITERA_OK);
    CHECK_INT(itera_session_feed(plain, tokens, TOKENS, NULL, &error), ITERA_OK);
    CHECK_INT(itera_session_feed(traced, tokens, TOKENS, NULL, &error), ITERA_OK);
    CHECK(memcmp(itera_session_logits(plain), itera_session_logits(traced), info.vocabulary * sizeof(float)) == 0);
    CHECK(itera_session_trace_values(plain) == NULL);
    CHECK(itera_session_trace_values(traced) != NULL);
    itera_session_reset(traced);
    CHECK(itera_session_trace_values(traced) == NULL);
    CHECK_INT(itera_session_feed(traced, tokens, TOKENS, NULL, &error), ITERA_OK);
    CHECK_INT(itera_session_trace(traced, true, &error), ITERA_OK);
    CHECK(itera_session_trace_values(traced) == NULL);
    CHECK_INT(itera_session_trace(traced, false, &error), ITERA_OK);
    CHECK(itera_session_trace_values(traced) == NULL);
    itera_session_free(plain);
    itera_session_free(traced);
    itera_model_free(model);
}

/* The mixers of the model: a window of 3 inputs of 320 channels, then 8 heads of 32 x 32 numbers, each head to be
 * multiplied by its own of the 8 scales at the end. */
enum { WINDOW = 3 * 320, HEADS = 8, HEAD = 32 * 32, MIXER = WINDOW + HEADS * HEAD + HEADS };

static double norm_of(const float *state)
{
    double squares = 0.0;
    for (int i = 0; i < WINDOW + HEADS * HEAD; i++) {
        const double scale = i < WINDOW ? 1.0 : (double)state[WINDOW + HEADS * HEAD + (i - WINDOW) / HEAD];
        squares += scale * scale * (double)state[i] * (double)state[i];
    }
    return sqrt(squares);
}

TEST(it_shows_the_choice_of_experts_and_the_norms_of_the_states)
{
    itera_error error = {""};
    itera_model *model = golden_model(MODEL, ITERA_SCALAR, GOLDEN_WHOLE, 4099);
    REQUIRE(model != NULL);
    itera_session *session = session_of(model);
    CHECK_INT(itera_session_trace(session, true, &error), ITERA_OK);
    CHECK(itera_session_trace_values(session) == NULL);
    CHECK_INT(itera_session_feed(session, tokens, TOKENS, NULL, &error), ITERA_OK);
    const float *values = itera_session_trace_values(session);
    REQUIRE(values != NULL);
    const float *state = session->state;
    uint32_t choices = 0, states = 0, last_layer = 0;
    for (uint32_t i = 0; i < itera_model_trace_blocks(model); i++) {
        itera_trace_block block = itera_model_trace_block(model, i);
        CHECK(block.layer >= last_layer);
        last_layer = block.layer;
        CHECK(block.state_bytes == 0 || block.state_bytes == MIXER * sizeof(float));
        const double norm = block.state_bytes > 0 ? norm_of(state) : 0.0;
        CHECK_NEAR(*values++, norm, 1e-4 * norm);
        state += block.state_bytes / sizeof(float);
        states += norm > 0.0;
        double gates = 0.0;
        float before = -1.0f;
        for (uint32_t k = 0; k < block.used; k++, values += 2) {
            CHECK(values[0] > before && values[0] < (float)block.experts);
            before = values[0];
            gates += (double)values[1];
        }
        if (block.used > 0) {
            choices++;
            CHECK_NEAR(gates, 1.0, 1e-5);
        }
    }
    CHECK(choices > 0);
    CHECK(states > 0);
    CHECK_INT(itera_model_trace_block(model, 1000).layer, 0);
    itera_session_free(session);
    itera_model_free(model);
}

TEST(the_last_token_counts_however_the_tokens_were_fed)
{
    itera_error error = {""};
    itera_model *model = golden_model(MODEL, ITERA_SCALAR, GOLDEN_WHOLE, 4099);
    REQUIRE(model != NULL);
    itera_session *whole = session_of(model), *single = session_of(model);
    itera_session_trace(whole, true, &error);
    itera_session_trace(single, true, &error);
    itera_session_feed(whole, tokens, TOKENS, NULL, &error);
    for (int i = 0; i < TOKENS; i++) {
        itera_session_feed(single, tokens + i, 1, NULL, &error);
    }
    uint32_t floats = 0;
    for (uint32_t i = 0; i < itera_model_trace_blocks(model); i++) {
        floats += 1 + 2 * itera_model_trace_block(model, i).used;
    }
    CHECK(memcmp(itera_session_trace_values(whole), itera_session_trace_values(single), floats * sizeof(float)) == 0);
    itera_session_free(whole);
    itera_session_free(single);
    itera_model_free(model);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    RUN(a_traced_session_gives_the_same_bits);
    RUN(it_shows_the_choice_of_experts_and_the_norms_of_the_states);
    RUN(the_last_token_counts_however_the_tokens_were_fed);
    return test_end();
}
