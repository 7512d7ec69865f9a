/* The sampler: greedy, distributions, each filter on its own, penalties, bias and the seed. */
#include <math.h>
#include <stdlib.h>

#include "itera.h"
#include "test.h"

#define V 8

/* Probabilities 1/2, 1/4, 1/8, ... under a plain softmax, shuffled over the ids. */
static const int ORDER[V] = {3, 0, 5, 1, 7, 2, 6, 4};
static float logits[V];

static void fill(void)
{
    for (int i = 0; i < V; i++) {
        logits[ORDER[i]] = -(float)i * (float)log(2.0);
    }
}

/* How often each id comes in 20,000 draws. */
static void draw(const itera_sampling *options, int counts[V])
{
    itera_sampler *sampler = itera_sampler_create(V);
    itera_sampler_configure(sampler, options);
    memset(counts, 0, V * sizeof counts[0]);
    for (int i = 0; i < 20000; i++) {
        counts[itera_sampler_sample(sampler, logits)]++;
    }
    itera_sampler_free(sampler);
}

static itera_sampling plain(void)
{
    return (itera_sampling){.temperature = 1.0f, .top_p = 1.0f, .repetition_penalty = 1.0f, .seed = 7};
}

/* Chi-squared of the ids `ORDER[0..n)` against weights 2^-i, the others must never come. */
static double chi_squared(const int counts[V], int n)
{
    double mass = 0.0, sum = 0.0;
    for (int i = 0; i < n; i++) {
        mass += pow(0.5, i);
    }
    for (int i = 0; i < V; i++) {
        double expected = i < n ? 20000.0 * pow(0.5, i) / mass : 0.0;
        double difference = counts[ORDER[i]] - expected;
        sum += i < n ? difference * difference / expected : (counts[ORDER[i]] ? 1e9 : 0.0);
    }
    return sum;
}

#define CHI_LIMIT 26.0 /* seven degrees of freedom exceed it once in 2,000 seeds; the seed is fixed */

TEST(greedy_takes_the_best_and_the_lower_of_equals)
{
    itera_sampling o = plain();
    o.temperature = 0.0f;
    itera_sampler *sampler = itera_sampler_create(V);
    itera_sampler_configure(sampler, &o);
    CHECK_INT(itera_sampler_sample(sampler, logits), 3);
    float equal[V] = {0, 1, 1, 0, 1, 0, 0, 0};
    CHECK_INT(itera_sampler_sample(sampler, equal), 1);
    float broken[V] = {NAN, -INFINITY, 2, NAN, INFINITY, 0, 0, 0};
    CHECK_INT(itera_sampler_sample(sampler, broken), 4);
    itera_sampler_free(sampler);
}

TEST(temperature_one_draws_the_softmax)
{
    int counts[V];
    itera_sampling o = plain();
    draw(&o, counts);
    CHECK(chi_squared(counts, V) < CHI_LIMIT);
}

TEST(top_k_keeps_k)
{
    int counts[V];
    itera_sampling o = plain();
    o.top_k = 3;
    draw(&o, counts);
    CHECK(chi_squared(counts, 3) < CHI_LIMIT);
}

TEST(top_p_keeps_the_fewest_that_reach_p)
{
    int counts[V];
    itera_sampling o = plain();
    o.top_p = 0.7f; /* 1/2 + 1/4 of about one */
    draw(&o, counts);
    CHECK(chi_squared(counts, 2) < CHI_LIMIT);
}

TEST(top_p_is_measured_within_top_k)
{
    int counts[V];
    itera_sampling o = plain();
    o.top_k = 2; /* two thirds and one third */
    o.top_p = 0.65f;
    draw(&o, counts);
    CHECK(chi_squared(counts, 1) < CHI_LIMIT);
}

TEST(min_p_drops_what_is_far_below_the_best)
{
    int counts[V];
    itera_sampling o = plain();
    o.min_p = 0.2f; /* of the best's: keeps 1, 1/2, 1/4 */
    draw(&o, counts);
    CHECK(chi_squared(counts, 3) < CHI_LIMIT);
}

TEST(a_low_temperature_sharpens)
{
    int counts[V];
    itera_sampling o = plain();
    o.temperature = 0.5f; /* odds of neighbours 4 to 1 */
    draw(&o, counts);
    CHECK_NEAR((double)counts[3] / counts[0], 4.0, 0.2);
}

TEST(the_same_seed_draws_the_same_tokens)
{
    itera_sampling o = plain();
    itera_sampler *one = itera_sampler_create(V), *two = itera_sampler_create(V), *other = itera_sampler_create(V);
    itera_sampler_configure(one, &o);
    itera_sampler_configure(two, &o);
    o.seed = 8;
    itera_sampler_configure(other, &o);
    int differ = 0;
    for (int i = 0; i < 100; i++) {
        int32_t token = itera_sampler_sample(one, logits);
        CHECK_INT(itera_sampler_sample(two, logits), token);
        differ += itera_sampler_sample(other, logits) != token;
    }
    CHECK(differ > 20);
    itera_sampler_free(one);
    itera_sampler_free(two);
    itera_sampler_free(other);
}

TEST(penalties_lower_what_was_said_within_the_window)
{
    itera_sampling o = plain();
    o.temperature = 0.0f;
    o.presence_penalty = 1.0f;
    o.penalty_window = 2;
    itera_sampler *sampler = itera_sampler_create(V);
    itera_sampler_configure(sampler, &o);
    itera_sampler_accept(sampler, 3);
    CHECK_INT(itera_sampler_sample(sampler, logits), 0);
    itera_sampler_accept(sampler, 6);
    itera_sampler_accept(sampler, 6);
    CHECK_INT(itera_sampler_sample(sampler, logits), 3); /* 3 has left the window */
    itera_sampler_forget(sampler);
    o.presence_penalty = 0.0f;
    o.repetition_penalty = 2.0f;
    itera_sampler_configure(sampler, &o);
    float positive[V] = {1.5f, 0, 0, 2.0f, 0, 0, 0, 0}, negative[V] = {-1.5f, -9, -9, -1.0f, -9, -9, -9, -9};
    itera_sampler_accept(sampler, 3);
    CHECK_INT(itera_sampler_sample(sampler, positive), 0);
    CHECK_INT(itera_sampler_sample(sampler, negative), 0);
    itera_sampler_free(sampler);
}

TEST(bias_moves_a_token_and_refuses_others_vocabulary)
{
    itera_sampling o = plain();
    o.temperature = 0.0f;
    itera_sampler *sampler = itera_sampler_create(V);
    itera_sampler_configure(sampler, &o);
    CHECK_INT(itera_sampler_bias(sampler, 4, 100.0f), ITERA_OK);
    CHECK_INT(itera_sampler_bias(sampler, V, 1.0f), ITERA_ERR_TOKEN);
    CHECK_INT(itera_sampler_bias(sampler, -1, 1.0f), ITERA_ERR_TOKEN);
    CHECK_INT(itera_sampler_sample(sampler, logits), 4);
    itera_sampler_clear_bias(sampler);
    CHECK_INT(itera_sampler_sample(sampler, logits), 3);
    itera_sampler_free(sampler);
}

TEST(the_top_list_is_sorted_and_its_logprobs_add_up)
{
    itera_sampler *sampler = itera_sampler_create(V);
    int32_t tokens[V + 2];
    float logprobs[V + 2];
    double mass = 0.0;
    CHECK_INT(itera_sampler_top(sampler, logits, V + 2, tokens, logprobs), V);
    for (int i = 0; i < V; i++) {
        CHECK_INT(tokens[i], ORDER[i]);
        CHECK_NEAR(logprobs[i], itera_logprob(logits, V, tokens[i]), 1e-6);
        mass += exp(logprobs[i]);
    }
    CHECK_NEAR(mass, 1.0, 1e-6);
    itera_sampler_free(sampler);
}

#define MANY 1003 /* blocks of the sampler's heap, the last not a whole one */
static float many[MANY];

static int by_logit_then_token(const void *left, const void *right)
{
    const int32_t a = *(const int32_t *)left, b = *(const int32_t *)right;
    const float x = isnan(many[a]) ? -INFINITY : many[a], y = isnan(many[b]) ? -INFINITY : many[b];
    return x != y ? (x < y ? 1 : -1) : a - b;
}

TEST(a_large_vocabulary_comes_in_the_order_of_a_sort)
{
    static int32_t order[MANY], tokens[MANY];
    static float logprobs[MANY];
    itera_sampler *sampler = itera_sampler_create(MANY);
    itera_sampling o = plain();
    o.temperature = 0.0f;
    itera_sampler_configure(sampler, &o);
    uint32_t random = 1;
    for (int trial = 0; trial < 20; trial++) {
        for (int i = 0; i < MANY; i++) {
            random = random * 1664525u + 1013904223u;
            const uint32_t kind = random >> 24, level = random >> 16 & 255; /* few levels: many ties */
            many[i] = kind < 8 ? (kind < 4 ? NAN : -INFINITY) : (float)level * (trial % 2 ? 0.125f : 1e-4f) - 9.0f;
            order[i] = i;
        }
        qsort(order, MANY, sizeof order[0], by_logit_then_token);
        int possible = 0;
        while (possible < MANY && many[order[possible]] > -INFINITY) {
            possible++;
        }
        CHECK(possible < MANY);
        CHECK_INT(itera_sampler_sample(sampler, many), order[0]);
        CHECK_INT(itera_sampler_top(sampler, many, MANY, tokens, logprobs), possible);
        CHECK(memcmp(tokens, order, (size_t)possible * sizeof order[0]) == 0);
    }
    for (int i = 0; i < MANY; i++) {
        many[i] = -INFINITY; /* as where a mask allows nothing */
    }
    CHECK_INT(itera_sampler_sample(sampler, many), 0);
    itera_sampler_free(sampler);
}

int main(int argc, char **argv)
{
    fill();
    test_begin(argc, argv);
    RUN(greedy_takes_the_best_and_the_lower_of_equals);
    RUN(temperature_one_draws_the_softmax);
    RUN(top_k_keeps_k);
    RUN(top_p_keeps_the_fewest_that_reach_p);
    RUN(top_p_is_measured_within_top_k);
    RUN(min_p_drops_what_is_far_below_the_best);
    RUN(a_low_temperature_sharpens);
    RUN(the_same_seed_draws_the_same_tokens);
    RUN(penalties_lower_what_was_said_within_the_window);
    RUN(bias_moves_a_token_and_refuses_others_vocabulary);
    RUN(a_large_vocabulary_comes_in_the_order_of_a_sort);
    RUN(the_top_list_is_sorted_and_its_logprobs_add_up);
    return test_end();
}
