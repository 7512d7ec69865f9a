/* Attention of the queries that share a key-value head on vectors, a template. Queries (of several tokens and
 * heads) lie in the lanes while scores and their softmax are computed, so no sum crosses lanes; the
 * dimensions of a value lie in them while values add up. */

#define TILE_QUERIES 8     /* two vectors of them read a key together */
#define TILES 4            /* key-value heads that go through memory together */
#define TILE_DIMENSIONS 64 /* of the queries laid out for the lanes at a time */

typedef struct attention_tile {
    const float *q[TILE_QUERIES]; /* of each lane; lanes left over repeat the last query */
    float *out[TILE_QUERIES];
    int S[TILE_QUERIES]; /* positions that it sees */
    int queries, vectors;
    int laid_out;                                           /* first dimension in `lanes`, -1 for none */
    float lanes[TILE_DIMENSIONS * TILE_QUERIES];            /* [dimension, 4 vectors] */
    float scores[ITERA_ATTENTION_BLOCK * TILE_QUERIES];     /* [position, 4 vectors] */
    float largest[TILE_QUERIES], mass[TILE_QUERIES], faded[TILE_QUERIES];
} attention_tile;

static void lay_out(attention_tile *tile, int first, int n)
{
    if (tile->laid_out != first) {
        const int width = 4 * tile->vectors;
        for (int p = 0; p < n; p++) {
            for (int i = 0; i < width; i++) {
                tile->lanes[p * width + i] = tile->q[i][first + p];
            }
        }
        tile->laid_out = first;
    }
}

/* scores[position, lane] += sum over n dimensions of k q, for `positions` positions. */
ITERA_INLINE void add_products(float *scores, const float *lanes, const float *k, size_t kv_stride, int n,
                               int positions, int vectors)
{
    v128_t sum[8];
    ITERA_UNROLL
    for (int i = 0; i < positions * vectors; i++) {
        sum[i] = wasm_v128_load(scores + 4 * i);
    }
    for (int p = 0; p < n; p++, lanes += 4 * vectors) {
        v128_t q[2];
        ITERA_UNROLL
        for (int v = 0; v < vectors; v++) {
            q[v] = wasm_v128_load(lanes + 4 * v);
        }
        ITERA_UNROLL
        for (int s = 0; s < positions; s++) {
            v128_t key = wasm_v128_load32_splat(k + (size_t)s * kv_stride + p);
            ITERA_UNROLL
            for (int v = 0; v < vectors; v++) {
                sum[s * vectors + v] = ITERA_MADD(key, q[v], sum[s * vectors + v]);
                ITERA_PIN(sum[s * vectors + v]);
            }
        }
    }
    ITERA_UNROLL
    for (int i = 0; i < positions * vectors; i++) {
        wasm_v128_store(scores + 4 * i, sum[i]);
    }
}

/* scores = scale k . q for n positions from k on. */
ITERA_INLINE void score_block(attention_tile *tile, const float *k, size_t kv_stride, int n, int P, float scale,
                              int vectors)
{
    float *scores = tile->scores;
    for (int i = 0; i < n * vectors; i++) {
        wasm_v128_store(scores + 4 * i, wasm_f32x4_splat(0.0f));
    }
    for (int p = 0; p < P; p += TILE_DIMENSIONS) {
        const int dimensions = P - p < TILE_DIMENSIONS ? P - p : TILE_DIMENSIONS, each = 8 / vectors;
        int s = 0;
        lay_out(tile, p, dimensions);
        for (; s + each <= n; s += each) {
            add_products(scores + s * 4 * vectors, tile->lanes, k + (size_t)s * kv_stride + p, kv_stride, dimensions,
                         each, vectors);
        }
        for (; s < n; s++) {
            add_products(scores + s * 4 * vectors, tile->lanes, k + (size_t)s * kv_stride + p, kv_stride, dimensions,
                         1, vectors);
        }
    }
    for (int i = 0; i < n * vectors; i++) {
        wasm_v128_store(scores + 4 * i, wasm_f32x4_mul(wasm_v128_load(scores + 4 * i), wasm_f32x4_splat(scale)));
    }
}

/* Scores to weights e^(score - largest), in place; what was summed so far fades by e^(largest before - now). */
static void weigh_block(attention_tile *tile, int begin, int n)
{
    const int width = 4 * tile->vectors;
    for (int i = 0; i < width; i++) { /* positions that a query does not see: their weight becomes zero */
        for (int s = tile->S[i] > begin ? tile->S[i] - begin : 0; s < n; s++) {
            tile->scores[s * width + i] = -INFINITY;
        }
    }
    for (int at = 0; at < width; at += 4) {
        v128_t before = wasm_v128_load(tile->largest + at), largest = before, sum = wasm_f32x4_splat(0.0f);
        for (int s = 0; s < n; s++) {
            largest = wasm_f32x4_pmax(largest, wasm_v128_load(tile->scores + s * width + at));
        }
        for (int s = 0; s < n; s++) {
            float *score = tile->scores + s * width + at;
            v128_t weight = itera_exp4(wasm_f32x4_sub(wasm_v128_load(score), largest));
            wasm_v128_store(score, weight);
            sum = wasm_f32x4_add(sum, weight);
        }
        v128_t faded = itera_exp4(wasm_f32x4_sub(before, largest));
        wasm_v128_store(tile->largest + at, largest);
        wasm_v128_store(tile->faded + at, faded);
        wasm_v128_store(tile->mass + at, ITERA_MADD(wasm_v128_load(tile->mass + at), faded, sum));
    }
}

/* out = faded out + sum over n positions of weight v, for `queries` queries at out[0], out[1] whose weights lie side by
 * side, `vectors` vectors of dimensions. */
ITERA_INLINE void add_values(float *const *out, size_t p, const float *faded, const float *weights, int width,
                             const float *v, size_t kv_stride, int n, int queries, int vectors, size_t part)
{
    v128_t sum[8];
    ITERA_UNROLL
    for (int i = 0; i < queries * vectors; i++) {
        v128_t so_far = itera_load_part(out[i / vectors] + p + (size_t)(4 * (i % vectors)), part);
        sum[i] = wasm_f32x4_mul(so_far, wasm_f32x4_splat(faded[i / vectors]));
    }
    for (int s = 0; s < n; s++, weights += width) {
        const float *value = v + (size_t)s * kv_stride + p;
        v128_t weight[2];
        ITERA_UNROLL
        for (int i = 0; i < queries; i++) {
            weight[i] = wasm_v128_load32_splat(weights + i);
        }
        ITERA_UNROLL
        for (int j = 0; j < vectors; j++) {
            v128_t now = itera_load_part(value + 4 * j, part);
            ITERA_UNROLL
            for (int i = 0; i < queries; i++) {
                sum[i * vectors + j] = ITERA_MADD(weight[i], now, sum[i * vectors + j]);
            }
        }
    }
    ITERA_UNROLL
    for (int i = 0; i < queries * vectors; i++) {
        itera_store_part(out[i / vectors] + p + (size_t)(4 * (i % vectors)), sum[i], part);
    }
}

static void add_values_of(attention_tile *tile, int i, int queries, const float *faded, int begin, int n,
                          const float *v, size_t kv_stride, int P)
{
    const size_t dimensions = (size_t)P;
    const int width = 4 * tile->vectors;
    const float *weights = tile->scores + begin * width + i;
    size_t p = 0;
    v += (size_t)begin * kv_stride;
    for (; p + 16 <= dimensions; p += 16) {
        if (queries == 2) {
            add_values(tile->out + i, p, faded, weights, width, v, kv_stride, n, 2, 4, 4);
        } else {
            add_values(tile->out + i, p, faded, weights, width, v, kv_stride, n, 1, 4, 4);
        }
    }
    for (; p < dimensions; p += 4) {
        const size_t part = dimensions - p < 4 ? dimensions - p : 4;
        for (int one = 0; one < queries; one++) {
            add_values(tile->out + i + one, p, faded + one, weights + one, width, v, kv_stride, n, 1, 1, part);
        }
    }
}

/* Two queries read the values together; of the later token, the second sees a position more at the end. */
static void add_block_of_values(attention_tile *tile, int begin, int n, const float *v, size_t kv_stride, int P)
{
    static const float unchanged = 1.0f;
    int seen[TILE_QUERIES];
    for (int i = 0; i < tile->queries; i++) {
        seen[i] = tile->S[i] <= begin ? 0 : tile->S[i] - begin < n ? tile->S[i] - begin : n;
    }
    int i = 0;
    for (; i + 2 <= tile->queries; i += 2) {
        add_values_of(tile, i, 2, tile->faded + i, 0, seen[i], v, kv_stride, P);
        if (seen[i + 1] > seen[i]) {
            add_values_of(tile, i + 1, 1, &unchanged, seen[i], seen[i + 1] - seen[i], v, kv_stride, P);
        }
    }
    if (i < tile->queries) {
        add_values_of(tile, i, 1, tile->faded + i, 0, seen[i], v, kv_stride, P);
    }
}

/* Reads every cache line of n rows before any is used: asked for at once, lines come together from far away. */
static void touch(const float *rows, size_t stride, int n, int P)
{
    v128_t any = wasm_i32x4_splat(0);
    for (int s = 0; s < n; s++, rows += stride) {
        for (int p = 0; p < P; p += 16) {
            any = wasm_v128_or(any, wasm_v128_load32_splat(rows + p));
        }
    }
    volatile int32_t kept = wasm_i32x4_extract_lane(any, 0); /* or the loads would be dropped */
    (void)kept;
}

/* One block of positions for one tile. */
static void attend_block(attention_tile *tile, int begin, int n, const float *keys, const float *values,
                         size_t kv_stride, int P, float scale)
{
    if (tile->vectors == 2) {
        score_block(tile, keys, kv_stride, n, P, scale, 2);
    } else {
        score_block(tile, keys, kv_stride, n, P, scale, 1);
    }
    weigh_block(tile, begin, n);
    add_block_of_values(tile, begin, n, values, kv_stride, P);
}

/* The same queries of `kv_heads` key-value heads, whose keys lie side by side. */
static void attend(attention_tile *tiles, int kv_heads, const float *k, const float *v, size_t kv_stride, int P,
                   float scale)
{
    const int S = tiles->S[tiles->queries - 1]; /* the last sees most */
    for (int begin = 0; begin < S; begin += ITERA_ATTENTION_BLOCK) {
        const int n = S - begin < ITERA_ATTENTION_BLOCK ? S - begin : ITERA_ATTENTION_BLOCK;
        const float *keys = k + (size_t)begin * kv_stride, *values = v + (size_t)begin * kv_stride;
        touch(keys, kv_stride, n, kv_heads * P);
        touch(values, kv_stride, n, kv_heads * P);
        for (int g = 0; g < kv_heads; g++) {
            attend_block(&tiles[g], begin, n, keys + (size_t)g * (size_t)P, values + (size_t)g * (size_t)P, kv_stride, P,
                         scale);
        }
    }
    for (int g = 0; g < kv_heads; g++) {
        for (int i = 0; i < tiles->queries; i++) {
            ITERA_NAME(scale)(tiles[g].out[i], tiles[g].out[i], 1.0f / tiles[g].mass[i], (size_t)P);
        }
    }
}

/* Queries first ... of the T * heads that one key-value head has. */
static void attention_tile_begin(attention_tile *tile, float *out, size_t out_stride, const float *q, size_t q_stride,
                                 int first, int T, int heads, int S, int P)
{
    const int left = T * heads - first;
    tile->queries = left < TILE_QUERIES ? left : TILE_QUERIES;
    tile->vectors = tile->queries > 4 ? 2 : 1;
    tile->laid_out = -1;
    for (int i = 0; i < TILE_QUERIES; i++) {
        const int query = first + (i < tile->queries ? i : tile->queries - 1), t = query / heads;
        const size_t head = (size_t)(query % heads) * (size_t)P;
        tile->q[i] = q + (size_t)t * q_stride + head;
        tile->out[i] = out + (size_t)t * out_stride + head;
        tile->S[i] = S + t;
        tile->largest[i] = -INFINITY;
        tile->mass[i] = 0.0f;
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
#undef TILE_DIMENSIONS
