/* Fuzzer of the GGUF reader and writer. For any input it must hold that
 *   - a file read in pieces gives what the same file gives in one piece, errors included;
 *   - a failed allocation is reported as one, and nothing leaks;
 *   - everything a complete header offers can be looked at, and every name finds its entry;
 *   - what was read can be written, and reads back the same.
 *
 * Input: byte 0 = size of the pieces (0: all at once), byte 1 = allocations that succeed (128 and more: all),
 * then the file. With libFuzzer, `make fuzz`. Without it, compile with -DITERA_FUZZ_PLAIN for a main() that
 * mutates: fuzz_gguf_plain RUNS CORPUS_FILE...      (RUNS = 0 only runs the files themselves) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "gguf/gguf.h"
#include "gguf/writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition, const char *claim)
{
    if (!condition) {
        fprintf(stderr, "violated: %s\n", claim);
        abort();
    }
}

/* A reader that has got the whole file, or NULL where there was no memory for one. */
static itera_gguf *read_file(const uint8_t *file, size_t n, size_t piece, itera_status *status,
                             itera_error *error)
{
    itera_gguf *gguf = itera_gguf_create();
    *status = gguf == NULL ? ITERA_ERR_MEMORY : ITERA_NEED_MORE;
    for (size_t at = 0; at < n && *status == ITERA_NEED_MORE; at += piece) {
        *status = itera_gguf_feed(gguf, file + at, n - at < piece ? n - at : piece, error);
    }
    return gguf;
}

static bool same_string(itera_gguf_string a, itera_gguf_string b)
{
    return a.length == b.length && memcmp(a.data, b.data, a.length) == 0;
}

static bool same_kv(const itera_gguf_kv *a, const itera_gguf_kv *b)
{
    return same_string(a->key, b->key) && a->type == b->type && a->element_type == b->element_type &&
           a->count == b->count && a->value_bytes == b->value_bytes &&
           memcmp(a->value, b->value, a->value_bytes) == 0;
}

/* All but the place. */
static bool same_tensor(const itera_gguf_tensor *a, const itera_gguf_tensor *b)
{
    return same_string(a->name, b->name) && a->type == b->type && a->n_dims == b->n_dims &&
           a->bytes == b->bytes && memcmp(a->dims, b->dims, sizeof a->dims) == 0;
}

/* A name as the text that look-ups take; false when it has a NUL inside, so that none can find it. */
static bool as_text(itera_gguf_string name, char *text)
{
    memcpy(text, name.data, name.length);
    text[name.length] = '\0';
    return strlen(text) == name.length;
}

static void look_at_value(const itera_gguf *gguf, const itera_gguf_kv *kv, const char *key)
{
    double sum = 0;
    for (size_t i = 0; i <= kv->count; i++) { /* one beyond the end as well */
        uint32_t whole;
        sum += itera_gguf_number(kv, i);
        require(!itera_gguf_get_u32_at(gguf, key, i, &whole) || kv->type != ITERA_GGUF_ARRAY ||
                    (double)whole == itera_gguf_number(kv, i),
                "a whole number is the number");
    }
    uint32_t u;
    float f;
    bool b;
    itera_gguf_string s;
    itera_gguf_get_u32(gguf, key, &u);
    itera_gguf_get_f32(gguf, key, &f);
    itera_gguf_get_bool(gguf, key, &b);
    if (itera_gguf_get_string(gguf, key, &s)) {
        require(s.length == kv->value_bytes - 8, "a string fills its value");
    }
    if (kv->element_type == ITERA_GGUF_STRING) {
        uint32_t *spans = malloc((size_t)kv->count * 8 + 1);
        itera_gguf_strings(kv, spans);
        size_t end = 0;
        for (size_t i = 0; i < kv->count; i++) {
            require(spans[2 * i] == end + 8, "strings lie one behind the other");
            end = (size_t)spans[2 * i] + spans[2 * i + 1];
        }
        require(end == kv->value_bytes, "strings fill their array");
        free(spans);
    }
    (void)sum;
}

static void look_at_everything(const itera_gguf *gguf, char *text)
{
    for (size_t i = 0; i < itera_gguf_kv_count(gguf); i++) {
        const itera_gguf_kv *kv = itera_gguf_kv_at(gguf, i);
        if (as_text(kv->key, text)) {
            require(itera_gguf_find(gguf, text) == kv, "a key finds its entry");
            look_at_value(gguf, kv, text);
        }
    }
    for (size_t i = 0; i < itera_gguf_tensor_count(gguf); i++) {
        const itera_gguf_tensor *tensor = itera_gguf_tensor_at(gguf, i);
        if (as_text(tensor->name, text)) {
            require(itera_gguf_find_tensor(gguf, text) == tensor, "a name finds its tensor");
        }
        require(tensor->offset >= itera_gguf_data_offset(gguf), "tensors lie behind the header");
        require(tensor->offset + tensor->bytes <= itera_gguf_file_size(gguf), "tensors lie inside the file");
    }
    require(itera_gguf_find(gguf, "no such key, surely") == NULL, "absent keys are absent");
}

static void write_and_read_back(const itera_gguf *gguf)
{
    itera_error error;
    itera_gguf_writer *writer = itera_gguf_writer_create();
    itera_status status = ITERA_OK;
    for (size_t i = 0; i < itera_gguf_kv_count(gguf) && status == ITERA_OK; i++) {
        const itera_gguf_kv *kv = itera_gguf_kv_at(gguf, i);
        status = itera_gguf_writer_add(writer, kv->key.data, kv->key.length, kv->type, kv->element_type,
                                       kv->count, kv->value, kv->value_bytes, &error);
    }
    for (size_t i = 0; i < itera_gguf_tensor_count(gguf) && status == ITERA_OK; i++) {
        const itera_gguf_tensor *tensor = itera_gguf_tensor_at(gguf, i);
        status = itera_gguf_writer_tensor(writer, tensor->name.data, tensor->name.length, tensor->n_dims,
                                          tensor->dims, tensor->type, &error);
    }
    /* A file of another alignment cannot be written, and padding may push the tensors beyond the largest
     * file. */
    if (status == ITERA_OK) {
        const uint8_t *header;
        size_t n = itera_gguf_writer_header(writer, &header);
        itera_gguf *copy = read_file(header, n, n, &status, &error);
        require(n > 0 && status == ITERA_OK, "what was written reads back");
        require(itera_gguf_data_offset(copy) == n || itera_gguf_data_offset(copy) == 32,
                "data begins after it");
        require(itera_gguf_kv_count(copy) == itera_gguf_kv_count(gguf), "all entries were written");
        require(itera_gguf_tensor_count(copy) == itera_gguf_tensor_count(gguf), "all tensors were written");
        for (size_t i = 0; i < itera_gguf_kv_count(gguf); i++) {
            require(same_kv(itera_gguf_kv_at(gguf, i), itera_gguf_kv_at(copy, i)),
                    "an entry is copied whole");
        }
        for (size_t i = 0; i < itera_gguf_tensor_count(gguf); i++) {
            const itera_gguf_tensor *tensor = itera_gguf_tensor_at(copy, i);
            require(same_tensor(itera_gguf_tensor_at(gguf, i), tensor), "a tensor is copied whole");
            require(tensor->offset == n + itera_gguf_writer_tensor_offset(writer, i),
                    "offsets are as announced");
        }
        itera_gguf_free(copy);
    }
    itera_gguf_writer_free(writer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    const uint8_t *file = data + 2;
    size_t n = size - 2;
    itera_status status, status_in_pieces;
    itera_error error = {""}, error_in_pieces = {""};
    itera_gguf *gguf = read_file(file, n, n, &status, &error);

    bool limited = data[1] < 128;
    itera_memory_fail_after(limited ? data[1] : -1);
    itera_gguf *pieces = read_file(file, n, data[0] > 0 ? data[0] : n, &status_in_pieces, &error_in_pieces);
    itera_memory_fail_after(-1);

    if (!limited || status_in_pieces != ITERA_ERR_MEMORY) {
        require(status == status_in_pieces, "pieces give the same status");
        require(status >= 0 || strcmp(error.text, error_in_pieces.text) == 0, "and the same error");
    }
    require(status >= 0 || error.text[0] != '\0', "an error has a text");
    require(strlen(error.text) < sizeof error.text, "a text that ends");

    char *text = malloc(n + 1);
    look_at_everything(gguf, text); /* of an incomplete header: nothing */
    if (status == ITERA_OK && status_in_pieces == ITERA_OK) {
        look_at_everything(pieces, text);
        require(itera_gguf_file_size(gguf) == itera_gguf_file_size(pieces), "pieces give the same size");
        write_and_read_back(pieces);
    }
    free(text);
    itera_gguf_free(gguf);
    itera_gguf_free(pieces);
    return 0;
}

#ifdef ITERA_FUZZ_PLAIN
enum { LARGEST = 4096 };

static uint64_t random_state = 1;

static uint64_t random_below(uint64_t bound) /* xorshift64*, good enough for mutations */
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (random_state * 0x2545f4914f6cdd1du >> 32) % bound;
}

static size_t mutate(uint8_t *input, size_t n)
{
    static const uint64_t edges[] = {0,
                                     1,
                                     2,
                                     31,
                                     32,
                                     127,
                                     255,
                                     256,
                                     65535,
                                     1 << 16,
                                     1u << 31,
                                     UINT32_MAX,
                                     (uint64_t)1 << 53,
                                     (uint64_t)1 << 63,
                                     UINT64_MAX - 31,
                                     UINT64_MAX};
    for (uint64_t rounds = 1 + random_below(4); rounds > 0 && n > 0; rounds--) {
        size_t at = (size_t)random_below(n), length = (size_t)random_below(16) + 1;
        uint64_t edge = edges[random_below(sizeof edges / sizeof edges[0])];
        switch (random_below(6)) {
        case 0: input[at] ^= (uint8_t)(1u << random_below(8)); break;
        case 1: input[at] = (uint8_t)random_below(256); break;
        case 2: memcpy(input + at, &edge, n - at < 8 ? n - at : 8); break;
        case 3: /* cut bytes out */
            length = length < n - at ? length : n - at;
            memmove(input + at, input + at + length, n - at - length);
            n -= length;
            break;
        case 4: /* double some */
            length = length < n - at ? length : n - at;
            if (n + length <= LARGEST) {
                memmove(input + at + length, input + at, n - at);
                n += length;
            }
            break;
        default: n = random_below(8) == 0 ? at : n; break; /* end early, now and then */
        }
    }
    return n;
}

int main(int argc, char **argv)
{
    static uint8_t seeds[64][LARGEST];
    size_t sizes[64], count = 0;
    unsigned long long runs = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
    for (int i = 2; i < argc && count < 64; i++) {
        FILE *in = fopen(argv[i], "rb");
        if (in == NULL) {
            perror(argv[i]);
            return 1;
        }
        sizes[count] = fread(seeds[count], 1, LARGEST, in);
        fclose(in);
        LLVMFuzzerTestOneInput(seeds[count], sizes[count]);
        count++;
    }
    for (unsigned long long run = 0; run < runs && count > 0; run++) {
        size_t seed = (size_t)random_below(count);
        uint8_t input[LARGEST];
        memcpy(input, seeds[seed], sizes[seed]);
        size_t n = mutate(input, sizes[seed]);
        uint8_t *exact = malloc(n > 0 ? n : 1); /* so that a read beyond the end shows */
        memcpy(exact, input, n);
        LLVMFuzzerTestOneInput(exact, n);
        free(exact);
    }
    printf("%zu files, %llu mutations: no finding\n", count, runs);
    return 0;
}
#endif
