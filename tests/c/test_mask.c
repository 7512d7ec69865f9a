/* Masks over the vocabulary: what is forbidden never comes, what is allowed comes as it did. */
#include <math.h>
#include <stdlib.h>

#include "itera.h"
#include "test.h"

#define V 71 /* two words of a mask and a part of a third */

static float logits[V];

static void fill(void)
{
    for (int i = 0; i < V; i++) {
        logits[i] = (float)(i * 37 % V) / 20.0f;
    }
}

static itera_sampler *sampler_with(float temperature, uint64_t seed)
{
    itera_sampling o = {.temperature = temperature, .top_p = 1.0f, .repetition_penalty = 1.0f, .seed = seed};
    itera_sampler *sampler = itera_sampler_create(V);
    itera_sampler_configure(sampler, &o);
    return sampler;
}

static bool allowed(const uint32_t *mask, int token)
{
    return mask[token / 32] >> (token % 32) & 1;
}

TEST(forbidden_tokens_are_never_sampled_and_all_others_are)
{
    const uint32_t mask[3] = {0xa5a50001u, 0u, 0x41u}; /* bit 6 of the last word is token 70, the very last */
    bool seen[V] = {false};
    itera_sampler *sampler = sampler_with(1.0f, 3);
    itera_sampler_mask(sampler, mask);
    for (int i = 0; i < 20000; i++) {
        int32_t token = itera_sampler_sample(sampler, logits);
        REQUIRE(token >= 0 && token < V);
        seen[token] = true;
    }
    for (int i = 0; i < V; i++) {
        CHECK_INT(seen[i], allowed(mask, i));
    }
    itera_sampler_free(sampler);
}

TEST(greedy_takes_the_best_that_is_allowed)
{
    itera_sampler *sampler = sampler_with(0.0f, 0);
    for (int only = 0; only < V; only++) {
        uint32_t mask[3] = {0};
        mask[only / 32] = UINT32_C(1) << (only % 32);
        itera_sampler_mask(sampler, mask);
        CHECK_INT(itera_sampler_sample(sampler, logits), only);
    }
    itera_sampler_free(sampler);
}

TEST(a_mask_that_allows_all_and_a_mask_taken_away_change_nothing)
{
    const uint32_t all[3] = {UINT32_MAX, UINT32_MAX, UINT32_MAX}, one[3] = {1u, 0u, 0u};
    itera_sampler *plain = sampler_with(0.9f, 11), *masked = sampler_with(0.9f, 11);
    itera_sampler_mask(masked, one);
    CHECK_INT(itera_sampler_sample(masked, logits), 0);
    (void)itera_sampler_sample(plain, logits);
    for (int i = 0; i < 2000; i++) {
        itera_sampler_mask(masked, i % 2 ? all : NULL);
        CHECK_INT(itera_sampler_sample(masked, logits), itera_sampler_sample(plain, logits));
    }
    itera_sampler_free(plain);
    itera_sampler_free(masked);
}

TEST(masking_leaves_the_allowed_bits_and_what_lies_behind_alone)
{
    const uint32_t mask[3] = {0x0000ffffu, 0xffff0000u, 0x0fu};
    float row[V + 8];
    for (int n = 1; n <= V; n++) {
        for (int i = 0; i < V + 8; i++) {
            row[i] = (float)i + 0.5f;
        }
        itera_mask_logits(row, (uint32_t)n, mask);
        for (int i = 0; i < V + 8; i++) {
            float expected = i < n && !allowed(mask, i) ? -INFINITY : (float)i + 0.5f;
            CHECK(row[i] == expected);
        }
    }
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    fill();
    RUN(forbidden_tokens_are_never_sampled_and_all_others_are);
    RUN(greedy_takes_the_best_that_is_allowed);
    RUN(a_mask_that_allows_all_and_a_mask_taken_away_change_nothing);
    RUN(masking_leaves_the_allowed_bits_and_what_lies_behind_alone);
    return test_end();
}
