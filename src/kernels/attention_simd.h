/* Attention on vectors, a template. A tile is a few queries of one key-value head: they read its keys and values
 * together. */

#define TILES 4        /* key-value heads that go through memory together */
#define TILE_QUERIES 8 /* two at a time stay in registers */

typedef struct attention_tile {
    const float *q[TILE_QUERIES];
    float *out[TILE_QUERIES];
    int S[TILE_QUERIES]; /* positions that each sees, ascending */
    int queries;
    float scores[TILE_QUERIES][ITERA_ATTENTION_BLOCK];
    float largest[TILE_QUERIES], denominator[TILE_QUERIES], faded[TILE_QUERIES]; /* of the softmax */
} attention_tile;

/* Lane l: the lanes of rows[l] as (0+1)+(2+3). */
ITERA_INLINE v128_t sum_rows(const v128_t rows[4])
{
    v128_t low01 = wasm_i32x4_shuffle(rows[0], rows[1], 0, 4, 1, 5);
    v128_t low23 = wasm_i32x4_shuffle(rows[2], rows[3], 0, 4, 1, 5);
    v128_t high01 = wasm_i32x4_shuffle(rows[0], rows[1], 2, 6, 3, 7);
    v128_t high23 = wasm_i32x4_shuffle(rows[2], rows[3], 2, 6, 3, 7);
    v128_t lanes0 = wasm_i32x4_shuffle(low01, low23, 0, 1, 4, 5), lanes1 = wasm_i32x4_shuffle(low01, low23, 2, 3, 6, 7);
    v128_t lanes2 = wasm_i32x4_shuffle(high01, high23, 0, 1, 4, 5);
    v128_t lanes3 = wasm_i32x4_shuffle(high01, high23, 2, 3, 6, 7);
    return wasm_f32x4_add(wasm_f32x4_add(lanes0, lanes1), wasm_f32x4_add(lanes2, lanes3));
}

ITERA_INLINE void add_products(v128_t sum[2][4], const float *const *q, const float *const k[4], size_t p, int queries,
                               size_t part)
{
    v128_t query[2];
    ITERA_UNROLL
    for (int i = 0; i < queries; i++) {
        query[i] = itera_load_part(q[i] + p, part);
    }
    ITERA_UNROLL
    for (int s = 0; s < 4; s++) {
        v128_t key = itera_load_part(k[s] + p, part);
        ITERA_UNROLL
        for (int i = 0; i < queries; i++) {
            sum[i][s] = ITERA_MADD(key, query[i], sum[i][s]);
            ITERA_PIN(sum[i][s]);
        }
    }
}

/* scores[i][0..3] = scale q[i] . k[0..3] */
ITERA_INLINE void score_four(float (*scores)[ITERA_ATTENTION_BLOCK], const float *const *q, const float *const k[4],
                             size_t P, float scale, int queries)
{
    v128_t sum[2][4];
    size_t p = 0;
    ITERA_UNROLL
    for (int i = 0; i < queries; i++) {
        ITERA_UNROLL
        for (int s = 0; s < 4; s++) {
            sum[i][s] = wasm_f32x4_splat(0.0f);
        }
    }
    for (; p + 4 <= P; p += 4) {
        add_products(sum, q, k, p, queries, 4);
    }
    if (p < P) {
        add_products(sum, q, k, p, queries, P - p);
    }
    ITERA_UNROLL
    for (int i = 0; i < queries; i++) {
        wasm_v128_store(scores[i], wasm_f32x4_mul(sum_rows(sum[i]), wasm_f32x4_splat(scale)));
    }
}

/* Scores of n positions, in fours: of the last four, some may be the last position over again. */
static void score_block(attention_tile *tile, const float *keys, size_t kv_stride, int n, int P, float scale)
{
    for (int s = 0; s < n; s += 4) {
        const float *k[4];
        for (int j = 0; j < 4; j++) {
            k[j] = keys + (size_t)(s + j < n ? s + j : n - 1) * kv_stride;
        }
        for (int i = 0; i < tile->queries; i += 2) {
            float(*scores)[ITERA_ATTENTION_BLOCK] = (float(*)[ITERA_ATTENTION_BLOCK])(tile->scores[i] + s);
            if (tile->queries - i >= 2) {
                score_four(scores, tile->q + i, k, (size_t)P, scale, 2);
            } else {
                score_four(scores, tile->q + i, k, (size_t)P, scale, 1);
            }
        }
    }
}

static float largest_lane(v128_t v)
{
    v = wasm_f32x4_pmax(v, wasm_i32x4_shuffle(v, v, 2, 3, 0, 1));
    v = wasm_f32x4_pmax(v, wasm_i32x4_shuffle(v, v, 1, 0, 3, 2));
    return wasm_f32x4_extract_lane(v, 0);
}

/* Scores to weights e^(score - largest), in place; what was summed so far fades by e^(largest before - now).
 * `seen` positions count, the weights of the others up to the next four are zero. */
static void weigh(attention_tile *tile, int i, int seen)
{
    float *scores = tile->scores[i], before = tile->largest[i];
    v128_t largest4 = wasm_f32x4_splat(before), sum = wasm_f32x4_splat(0.0f);
    for (int s = seen; s % 4 != 0; s++) {
        scores[s] = -INFINITY;
    }
    for (int s = 0; s < seen; s += 4) {
        largest4 = wasm_f32x4_pmax(largest4, wasm_v128_load(scores + s));
    }
    float largest = largest_lane(largest4);
    largest4 = wasm_f32x4_splat(largest);
    for (int s = 0; s < seen; s += 4) {
        v128_t weight = itera_exp4(wasm_f32x4_sub(wasm_v128_load(scores + s), largest4));
        wasm_v128_store(scores + s, weight);
        sum = wasm_f32x4_add(sum, weight);
    }
    tile->largest[i] = largest;
    tile->faded[i] = itera_exp1(before - largest);
    tile->denominator[i] = tile->denominator[i] * tile->faded[i] + itera_sum_lanes(sum);
}

/* out = faded out + sum over n positions of weight v, for `queries` queries, `vectors` vectors of dimensions. */
ITERA_INLINE void add_values(float *const *out, size_t p, const float *faded, const float *weights, const float *v,
                             size_t kv_stride, int n, int queries, int vectors, size_t part)
{
    v128_t sum[8];
    ITERA_UNROLL
    for (int i = 0; i < queries * vectors; i++) {
        v128_t so_far = itera_load_part(out[i / vectors] + p + (size_t)(4 * (i % vectors)), part);
        sum[i] = wasm_f32x4_mul(so_far, wasm_f32x4_splat(faded[i / vectors]));
    }
    v += p;
    for (int s = 0; s < n; s++, weights++, v += kv_stride) {
        v128_t weight[2];
        ITERA_UNROLL
        for (int i = 0; i < queries; i++) {
            weight[i] = wasm_v128_load32_splat(weights + i * ITERA_ATTENTION_BLOCK);
        }
        ITERA_UNROLL
        for (int j = 0; j < vectors; j++) {
            v128_t value = itera_load_part(v + 4 * j, part);
            ITERA_UNROLL
            for (int i = 0; i < queries; i++) {
                sum[i * vectors + j] = ITERA_MADD(weight[i], value, sum[i * vectors + j]);
            }
        }
    }
    ITERA_UNROLL
    for (int i = 0; i < queries * vectors; i++) {
        itera_store_part(out[i / vectors] + p + (size_t)(4 * (i % vectors)), sum[i], part);
    }
}

/* Positions [begin, end) of the block for query i, and for the next one as well if `queries` is 2. */
static void add_values_of(attention_tile *tile, int i, int queries, const float *faded, int begin, int end,
                          const float *v, size_t kv_stride, int P)
{
    const size_t dimensions = (size_t)P;
    const float *weights = tile->scores[i] + begin;
    size_t p = 0;
    v += (size_t)begin * kv_stride;
    for (; p + 16 <= dimensions; p += 16) {
        if (queries == 2) {
            add_values(tile->out + i, p, faded, weights, v, kv_stride, end - begin, 2, 4, 4);
        } else {
            add_values(tile->out + i, p, faded, weights, v, kv_stride, end - begin, 1, 4, 4);
        }
    }
    for (; p < dimensions; p += 4) {
        const size_t part = dimensions - p < 4 ? dimensions - p : 4;
        for (int one = 0; one < queries; one++) {
            add_values(tile->out + i + one, p, faded + one, weights + one * ITERA_ATTENTION_BLOCK, v, kv_stride,
                       end - begin, 1, 1, part);
        }
    }
}

/* One block of n positions for one tile. Two queries read the values together; where the second is of a later token, it
 * sees positions more at the end. */
static void attend_block(attention_tile *tile, int begin, int n, const float *keys, const float *values,
                         size_t kv_stride, int P, float scale)
{
    static const float unchanged = 1.0f;
    int seen[TILE_QUERIES];
    score_block(tile, keys, kv_stride, n, P, scale);
    for (int i = 0; i < tile->queries; i++) {
        seen[i] = tile->S[i] <= begin ? 0 : tile->S[i] - begin < n ? tile->S[i] - begin : n;
        weigh(tile, i, seen[i]);
    }
    int i = 0;
    for (; i + 2 <= tile->queries; i += 2) {
        add_values_of(tile, i, 2, tile->faded + i, 0, seen[i], values, kv_stride, P);
        if (seen[i + 1] > seen[i]) {
            add_values_of(tile, i + 1, 1, &unchanged, seen[i], seen[i + 1], values, kv_stride, P);
        }
    }
    if (i < tile->queries) {
        add_values_of(tile, i, 1, tile->faded + i, 0, seen[i], values, kv_stride, P);
    }
}

/* The same queries of `kv_heads` key-value heads, whose keys lie side by side. */
static void attend(attention_tile *tiles, int kv_heads, const float *k, const float *v, size_t kv_stride, int P,
                   float scale)
{
    const int S = tiles->S[tiles->queries - 1]; /* the last sees most */
    for (int begin = 0; begin < S; begin += ITERA_ATTENTION_BLOCK) {
        const int n = S - begin < ITERA_ATTENTION_BLOCK ? S - begin : ITERA_ATTENTION_BLOCK;
        const float *keys = k + (size_t)begin * kv_stride, *values = v + (size_t)begin * kv_stride;
        for (int s = 0; s < n; s++) {
            itera_touch(keys + (size_t)s * kv_stride, (size_t)(kv_heads * P) * sizeof *keys);
            itera_touch(values + (size_t)s * kv_stride, (size_t)(kv_heads * P) * sizeof *values);
        }
        for (int g = 0; g < kv_heads; g++) {
            attend_block(&tiles[g], begin, n, keys + (size_t)g * (size_t)P, values + (size_t)g * (size_t)P, kv_stride,
                         P, scale);
        }
    }
    for (int g = 0; g < kv_heads; g++) {
        for (int i = 0; i < tiles->queries; i++) {
            ITERA_NAME(scale)(tiles[g].out[i], tiles[g].out[i], 1.0f / tiles[g].denominator[i], (size_t)P);
        }
    }
}

/* Queries first ... of the T * heads that one key-value head has. */
static void attention_tile_begin(attention_tile *tile, float *out, size_t out_stride, const float *q, size_t q_stride,
                                 int first, int T, int heads, int S, int P)
{
    const int left = T * heads - first;
    tile->queries = left < TILE_QUERIES ? left : TILE_QUERIES;
    for (int i = 0; i < tile->queries; i++) {
        const int query = first + i, t = query / heads;
        const size_t head = (size_t)(query % heads) * (size_t)P;
        tile->q[i] = q + (size_t)t * q_stride + head;
        tile->out[i] = out + (size_t)t * out_stride + head;
        tile->S[i] = S + t;
        tile->largest[i] = -INFINITY;
        tile->denominator[i] = 0.0f;
        memset(tile->out[i], 0, (size_t)P * sizeof(float));
    }
}

void ITERA_NAME(attention)(float *out, size_t out_stride, const float *q, size_t q_stride, const float *k,
                           const float *v, size_t kv_stride, int T, int kv_heads, int heads, int S, int P,
                           float scale)
{
    const size_t group = (size_t)heads * (size_t)P;
    for (int g = 0; g < kv_heads; g += TILES) {
        const int n = kv_heads - g < TILES ? kv_heads - g : TILES;
        const size_t kv = (size_t)g * (size_t)P;
        for (int first = 0; first < T * heads; first += TILE_QUERIES) {
            attention_tile tiles[TILES];
            for (int i = 0; i < n; i++) {
                const size_t at = (size_t)(g + i) * group;
                attention_tile_begin(&tiles[i], out + at, out_stride, q + at, q_stride, first, T, heads, S, P);
            }
            attend(tiles, n, k + kv, v + kv, kv_stride, P, scale);
        }
    }
}

#undef TILES
#undef TILE_QUERIES
