/* The GGUF reader: what it reads, and what it refuses. */
#include <stdlib.h>
#include <time.h>

#include "base/checked.h"
#include "base/memory.h"
#include "gguf/format.h"
#include "quant/types.h"
#include "raw_gguf.h"
#include "test.h"

static raw_file file;
static itera_error error;

/* One entry of every kind, and four tensors, one of them 4-dimensional and one with a gap behind it. */
static void build_rich_file(void)
{
    raw_begin(&file, 4, 16);
    raw_key(&file, "general.architecture", ITERA_GGUF_STRING), raw_string(&file, "mamba");
    raw_key(&file, "u8", ITERA_GGUF_U8), raw_u8(&file, 200);
    raw_key(&file, "i8", ITERA_GGUF_I8), raw_u8(&file, (uint8_t)-5);
    raw_key(&file, "u16", ITERA_GGUF_U16), raw_put(&file, &(uint16_t){60000}, 2);
    raw_key(&file, "i16", ITERA_GGUF_I16), raw_put(&file, &(int16_t){-300}, 2);
    raw_key(&file, "u32", ITERA_GGUF_U32), raw_u32(&file, UINT32_MAX);
    raw_key(&file, "i32", ITERA_GGUF_I32), raw_u32(&file, 77);
    raw_key(&file, "f32", ITERA_GGUF_F32), raw_put(&file, &(float){0.5f}, 4);
    raw_key(&file, "bool", ITERA_GGUF_BOOL), raw_u8(&file, 1);
    raw_key(&file, "u64", ITERA_GGUF_U64), raw_u64(&file, (uint64_t)UINT32_MAX + 1);
    raw_key(&file, "i64", ITERA_GGUF_I64), raw_put(&file, &(int64_t){-1}, 8);
    raw_key(&file, "f64", ITERA_GGUF_F64), raw_put(&file, &(double){1e300}, 8);
    raw_array(&file, "words", ITERA_GGUF_STRING, 3);
    raw_string(&file, "one"), raw_string(&file, ""), raw_string(&file, "three");
    raw_array(&file, "numbers", ITERA_GGUF_I32, 3);
    raw_u32(&file, 1), raw_u32(&file, (uint32_t)-2), raw_u32(&file, 3);
    raw_array(&file, "nothing", ITERA_GGUF_STRING, 0);
    raw_array(&file, "flags", ITERA_GGUF_BOOL, 2), raw_u8(&file, 0), raw_u8(&file, 1);
    raw_tensor(&file, "a", 2, (uint64_t[]){32, 3}, ITERA_TYPE_Q8_0, 0); /* 102 bytes, padded to 128 */
    raw_tensor(&file, "b", 1, (uint64_t[]){5}, ITERA_TYPE_F32, 512);
    raw_tensor(&file, "c", 4, (uint64_t[]){2, 3, 4, 5}, ITERA_TYPE_F16, 544);
    raw_tensor(&file, "d", 2, (uint64_t[]){256, 2}, ITERA_TYPE_Q6_K, 128); /* 420 bytes do not fit in 384 */
}

static void build_good_rich_file(void)
{
    build_rich_file();
    uint64_t offset = 800; /* behind c, which ends at 784 */
    memcpy(file.bytes + file.n - 8, &offset, 8);
}

/* Feeds the file in pieces of `piece` bytes, each in a block of its own size: reads beyond it show. */
static itera_status read_in_pieces(itera_gguf **out, size_t piece)
{
    itera_gguf *gguf = itera_gguf_create();
    itera_status status = ITERA_NEED_MORE;
    *out = gguf;
    error.text[0] = '\0';
    for (size_t at = 0; at < file.n && status == ITERA_NEED_MORE; at += piece) {
        size_t n = file.n - at < piece ? file.n - at : piece;
        uint8_t *block = malloc(n);
        memcpy(block, file.bytes + at, n);
        status = itera_gguf_feed(gguf, block, n, &error);
        free(block);
    }
    return status;
}

static itera_status read_whole(void)
{
    itera_gguf *gguf;
    itera_status status = read_in_pieces(&gguf, sizeof file.bytes);
    itera_gguf_free(gguf);
    return status;
}

/* The file is refused with this status and a sentence that holds `text`, in one piece and byte by byte. */
static void refused(const char *test_file, int line, itera_status expected, const char *text)
{
    for (size_t piece = 1; piece <= sizeof file.bytes; piece *= sizeof file.bytes) {
        itera_gguf *gguf;
        itera_status status = read_in_pieces(&gguf, piece);
        itera_gguf_free(gguf);
        if (status != expected || strstr(error.text, text) == NULL) {
            test_broken(test_file, line, "got %s, \"%s\"; expected %s, \"%s\"", itera_status_code(status),
                        error.text, itera_status_code(expected), text);
        }
    }
}
#define REFUSED(status, text) refused(__FILE__, __LINE__, status, text)

/* ---- What is read ---- */

TEST(every_kind_of_value_is_read)
{
    build_good_rich_file();
    itera_gguf *gguf;
    CHECK_INT(read_in_pieces(&gguf, sizeof file.bytes), ITERA_OK);
    CHECK_INT(itera_gguf_version(gguf), 3);
    CHECK_INT(itera_gguf_kv_count(gguf), 16);
    const struct {
        const char *key;
        double number;
    } numbers[] = {{"u8", 200},           {"i8", -5},  {"u16", 60000}, {"i16", -300},
                   {"u32", UINT32_MAX},   {"i32", 77}, {"f32", 0.5},   {"bool", 1},
                   {"u64", 4294967296.0}, {"i64", -1}, {"f64", 1e300}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        const itera_gguf_kv *kv = itera_gguf_find(gguf, numbers[i].key);
        REQUIRE(kv != NULL);
        CHECK_NEAR(itera_gguf_number(kv, 0), numbers[i].number, 0);
        CHECK_INT(kv->count, 1);
        CHECK_INT(kv->type, kv->element_type);
    }
    const itera_gguf_kv *words = itera_gguf_find(gguf, "words");
    REQUIRE(words != NULL && words->count == 3);
    uint32_t spans[6];
    itera_gguf_strings(words, spans);
    CHECK(spans[1] == 3 && memcmp(words->value + spans[0], "one", 3) == 0);
    CHECK(spans[3] == 0);
    CHECK(spans[5] == 5 && memcmp(words->value + spans[4], "three", 5) == 0);
    CHECK_INT(words->value_bytes, 8 + 3 + 8 + 8 + 5);
    CHECK_INT(itera_gguf_find(gguf, "nothing")->count, 0);
    CHECK_NEAR(itera_gguf_number(itera_gguf_find(gguf, "numbers"), 1), -2, 0);
    CHECK(isnan(itera_gguf_number(itera_gguf_find(gguf, "numbers"), 3)));
    CHECK(isnan(itera_gguf_number(words, 0)));
    itera_gguf_free(gguf);
}

TEST(typed_lookups_convert_what_fits_and_nothing_else)
{
    build_good_rich_file();
    itera_gguf *gguf;
    CHECK_INT(read_in_pieces(&gguf, 100), ITERA_OK);
    uint32_t u = 0;
    CHECK(itera_gguf_get_u32(gguf, "u8", &u) && u == 200);
    CHECK(itera_gguf_get_u32(gguf, "u32", &u) && u == UINT32_MAX);
    CHECK(itera_gguf_get_u32(gguf, "i32", &u) && u == 77);
    const char *wrong[] = {"i8", "u64", "i64", "f32", "bool", "numbers", "general.architecture", "absent"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CHECK(!itera_gguf_get_u32(gguf, wrong[i], &u) && u == 77);
    }
    CHECK(itera_gguf_get_u32_at(gguf, "numbers", 2, &u) && u == 3);
    CHECK(itera_gguf_get_u32_at(gguf, "u8", 9, &u) && u == 200);
    CHECK(!itera_gguf_get_u32_at(gguf, "numbers", 1, &u));
    CHECK(!itera_gguf_get_u32_at(gguf, "numbers", 3, &u));
    CHECK(!itera_gguf_get_u32_at(gguf, "words", 0, &u));
    float f = 0;
    CHECK(itera_gguf_get_f32(gguf, "f32", &f) && f == 0.5f);
    CHECK(!itera_gguf_get_f32(gguf, "f64", &f) && !itera_gguf_get_f32(gguf, "u8", &f) && f == 0.5f);
    bool b = false;
    CHECK(itera_gguf_get_bool(gguf, "bool", &b) && b);
    CHECK(!itera_gguf_get_bool(gguf, "u8", &b) && !itera_gguf_get_bool(gguf, "flags", &b));
    itera_gguf_string s;
    CHECK(itera_gguf_get_string(gguf, "general.architecture", &s));
    CHECK(s.length == 5 && memcmp(s.data, "mamba", 5) == 0);
    CHECK(!itera_gguf_get_string(gguf, "words", &s));
    itera_gguf_free(gguf);
}

TEST(tensors_are_placed_in_the_file)
{
    build_good_rich_file();
    itera_gguf *gguf;
    CHECK_INT(read_in_pieces(&gguf, 7), ITERA_OK);
    uint64_t data = (file.n + 31) / 32 * 32;
    CHECK_INT(itera_gguf_data_offset(gguf), data);
    CHECK_INT(itera_gguf_file_size(gguf), data + 800 + 420);
    CHECK_INT(itera_gguf_tensor_count(gguf), 4);
    const itera_gguf_tensor *a = itera_gguf_find_tensor(gguf, "a");
    const itera_gguf_tensor *c = itera_gguf_find_tensor(gguf, "c");
    REQUIRE(a != NULL && c != NULL);
    CHECK(a == itera_gguf_tensor_at(gguf, 0) && c == itera_gguf_tensor_at(gguf, 2));
    CHECK_INT(a->offset, data);
    CHECK_INT(a->bytes, 3 * 34);
    CHECK(a->dims[0] == 32 && a->dims[1] == 3 && a->dims[2] == 1 && a->dims[3] == 1);
    CHECK_INT(c->offset, data + 544);
    CHECK_INT(c->bytes, 2 * 3 * 4 * 5 * 2);
    CHECK(itera_gguf_find_tensor(gguf, "e") == NULL && itera_gguf_tensor_at(gguf, 4) == NULL);
    itera_gguf_free(gguf);
}

static bool same_text(itera_gguf_string a, itera_gguf_string b)
{
    return a.length == b.length && memcmp(a.data, b.data, a.length) == 0;
}

TEST(header_in_pieces_of_any_size_equals_header_in_one_piece)
{
    build_good_rich_file();
    itera_gguf *whole;
    CHECK_INT(read_in_pieces(&whole, sizeof file.bytes), ITERA_OK);
    for (size_t piece = 1; piece < file.n; piece++) {
        itera_gguf *pieces;
        CHECK_INT(read_in_pieces(&pieces, piece), ITERA_OK);
        REQUIRE(itera_gguf_kv_count(pieces) == itera_gguf_kv_count(whole));
        for (size_t i = 0; i < itera_gguf_kv_count(whole); i++) {
            const itera_gguf_kv *a = itera_gguf_kv_at(whole, i), *b = itera_gguf_kv_at(pieces, i);
            CHECK(same_text(a->key, b->key) && a->type == b->type && a->element_type == b->element_type);
            CHECK(a->count == b->count && a->value_bytes == b->value_bytes);
            CHECK(memcmp(a->value, b->value, a->value_bytes) == 0);
        }
        REQUIRE(itera_gguf_tensor_count(pieces) == itera_gguf_tensor_count(whole));
        for (size_t i = 0; i < itera_gguf_tensor_count(whole); i++) {
            const itera_gguf_tensor *a = itera_gguf_tensor_at(whole, i), *b = itera_gguf_tensor_at(pieces, i);
            CHECK(same_text(a->name, b->name) && a->type == b->type && a->n_dims == b->n_dims);
            CHECK(memcmp(a->dims, b->dims, sizeof a->dims) == 0 && a->offset == b->offset &&
                  a->bytes == b->bytes);
        }
        itera_gguf_free(pieces);
    }
    itera_gguf_free(whole);
}

TEST(every_truncation_asks_for_more)
{
    build_good_rich_file();
    for (size_t n = 0; n < file.n; n++) {
        itera_gguf *gguf = itera_gguf_create();
        CHECK_INT(itera_gguf_feed(gguf, file.bytes, n, &error), ITERA_NEED_MORE);
        CHECK(itera_gguf_kv_count(gguf) == 0 && itera_gguf_find(gguf, "u8") == NULL);
        CHECK(itera_gguf_tensor_at(gguf, 0) == NULL && itera_gguf_find_tensor(gguf, "a") == NULL);
        itera_gguf_free(gguf);
    }
}

TEST(bytes_after_the_header_are_ignored)
{
    build_good_rich_file();
    itera_gguf *gguf = itera_gguf_create();
    CHECK_INT(itera_gguf_feed(gguf, file.bytes, file.n + 5000, &error), ITERA_OK);
    CHECK_INT(itera_gguf_feed(gguf, file.bytes, file.n, &error), ITERA_OK);
    CHECK_INT(itera_gguf_kv_count(gguf), 16);
    itera_gguf_free(gguf);
}

TEST(a_refused_reader_stays_refused)
{
    raw_begin(&file, 0, 0);
    file.bytes[0] = 'X';
    itera_gguf *gguf = itera_gguf_create();
    CHECK_INT(itera_gguf_feed(gguf, file.bytes, file.n, &error), ITERA_ERR_NOT_GGUF);
    CHECK_INT(itera_gguf_feed(gguf, file.bytes, file.n, &error), ITERA_ERR_ARGUMENT);
    CHECK_INT(itera_gguf_feed(gguf, file.bytes, file.n, NULL), ITERA_ERR_ARGUMENT);
    CHECK(itera_gguf_tensor_count(gguf) == 0 && itera_gguf_find(gguf, "a") == NULL);
    itera_gguf_free(gguf);
    itera_gguf_free(NULL);
}

TEST(version_2_and_a_file_without_anything_are_read)
{
    raw_begin(&file, 0, 0);
    file.bytes[4] = 2;
    itera_gguf *gguf;
    CHECK_INT(read_in_pieces(&gguf, 1), ITERA_OK);
    CHECK_INT(itera_gguf_version(gguf), 2);
    CHECK_INT(itera_gguf_data_offset(gguf), 32);
    CHECK_INT(itera_gguf_file_size(gguf), 24);
    itera_gguf_free(gguf);
}

TEST(alignment_of_the_file_is_obeyed)
{
    raw_begin(&file, 1, 1);
    raw_key(&file, "general.alignment", ITERA_GGUF_U32), raw_u32(&file, 256);
    raw_tensor(&file, "t", 1, (uint64_t[]){1}, ITERA_TYPE_F32, 256);
    itera_gguf *gguf;
    CHECK_INT(read_in_pieces(&gguf, 9), ITERA_OK);
    CHECK_INT(itera_gguf_data_offset(gguf), 256);
    CHECK_INT(itera_gguf_tensor_at(gguf, 0)->offset, 512);
    itera_gguf_free(gguf);
}

TEST(names_of_any_length_are_found)
{
    raw_begin(&file, 0, 200);
    char key[256];
    memset(key, 'k', sizeof key);
    for (uint32_t i = 0; i < 200; i++) { /* k, kk, kkk, ... each with its length */
        key[i + 1] = '\0';
        raw_key(&file, key, ITERA_GGUF_U32), raw_u32(&file, i + 1);
        key[i + 1] = 'k';
    }
    itera_gguf *gguf;
    CHECK_INT(read_in_pieces(&gguf, 1000), ITERA_OK);
    for (uint32_t i = 0; i < 200; i++) {
        uint32_t length = 0;
        key[i + 1] = '\0';
        CHECK(itera_gguf_get_u32(gguf, key, &length) && length == i + 1);
        key[0] = 'x';
        CHECK(!itera_gguf_get_u32(gguf, key, &length));
        key[0] = key[i + 1] = 'k';
    }
    itera_gguf_free(gguf);
}

/* ---- What is refused ---- */

TEST(what_is_not_gguf_is_named)
{
    const struct {
        const char *bytes, *text;
    } cases[] = {{"<!DOCTYPE html>", "web page"},
                 {"version https://git-lfs", "Git LFS"},
                 {"PK\3\4", "zip"},
                 {"tjgg", "before GGUF"},
                 {"ELF!", "45 4c 46 21"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        file.n = 0;
        raw_put(&file, cases[i].bytes, strlen(cases[i].bytes));
        REFUSED(ITERA_ERR_NOT_GGUF, cases[i].text);
    }
}

TEST(other_versions_and_big_endian_files_are_refused)
{
    for (uint32_t version = 0; version < 6; version++) {
        raw_begin(&file, 0, 0);
        memcpy(file.bytes + 4, &version, 4);
        if (version == 2 || version == 3) {
            CHECK_INT(read_whole(), ITERA_OK);
        } else {
            REFUSED(ITERA_ERR_NOT_GGUF, "only 2 and 3");
        }
    }
    raw_begin(&file, 0, 0);
    memcpy(file.bytes + 4, "\0\0\0\3", 4);
    REFUSED(ITERA_ERR_NOT_GGUF, "big-endian");
}

TEST(absurd_counts_are_refused)
{
    const uint64_t absurd[] = {ITERA_GGUF_MAX_KVS + 1, UINT32_MAX, (uint64_t)1 << 62, UINT64_MAX};
    for (size_t i = 0; i < 4; i++) {
        raw_begin(&file, absurd[i], 0);
        REFUSED(ITERA_ERR_CORRUPT, "tensors are more than");
        raw_begin(&file, 0, absurd[i]);
        REFUSED(ITERA_ERR_CORRUPT, "metadata entries are more than");
        raw_begin(&file, 0, 1), raw_array(&file, "k", ITERA_GGUF_U64, absurd[i] * 512);
        if (absurd[i] * 512 != 0) {
            REFUSED(ITERA_ERR_CORRUPT, "elements, more than");
        }
    }
    /* The largest allowed are only the beginning of more to come. */
    raw_begin(&file, ITERA_GGUF_MAX_TENSORS, ITERA_GGUF_MAX_KVS);
    CHECK_INT(read_whole(), ITERA_NEED_MORE);
}

TEST(absurd_lengths_are_refused)
{
    const uint64_t absurd[] = {ITERA_GGUF_MAX_STRING_BYTES + 1, (uint64_t)1 << 33, UINT64_MAX - 3,
                               UINT64_MAX};
    for (size_t i = 0; i < 4; i++) {
        raw_begin(&file, 0, 1), raw_u64(&file, absurd[i]);
        REFUSED(ITERA_ERR_CORRUPT, "longer than");
        raw_begin(&file, 1, 0), raw_u64(&file, absurd[i]);
        REFUSED(ITERA_ERR_CORRUPT, "longer than");
        raw_begin(&file, 0, 1), raw_key(&file, "k", ITERA_GGUF_STRING), raw_u64(&file, absurd[i]);
        REFUSED(ITERA_ERR_CORRUPT, "more than the 64 MB");
        raw_begin(&file, 0, 1), raw_array(&file, "k", ITERA_GGUF_STRING, 9), raw_u64(&file, absurd[i]);
        REFUSED(ITERA_ERR_CORRUPT, "more than the 64 MB");
    }
    raw_begin(&file, 0, 1), raw_u64(&file, 0);
    REFUSED(ITERA_ERR_CORRUPT, "empty");
    raw_begin(&file, 1, 0), raw_u64(&file, 0);
    REFUSED(ITERA_ERR_CORRUPT, "empty");
}

/* Strings of the largest allowed length, one after another. */
TEST(the_header_as_a_whole_is_bounded)
{
    enum { PIECE = 1 << 20 };
    uint8_t *zeros = calloc(PIECE, 1);
    itera_gguf *gguf = itera_gguf_create();
    raw_begin(&file, 0, 1), raw_array(&file, "k", ITERA_GGUF_STRING, 100);
    itera_status status = itera_gguf_feed(gguf, file.bytes, file.n, &error);
    int strings = 0;
    while (status == ITERA_NEED_MORE && strings < 100) {
        uint64_t length = ITERA_GGUF_MAX_STRING_BYTES;
        status = itera_gguf_feed(gguf, (const uint8_t *)&length, 8, &error);
        for (size_t fed = 0; fed < length && status == ITERA_NEED_MORE; fed += PIECE) {
            status = itera_gguf_feed(gguf, zeros, PIECE, &error);
        }
        strings++;
    }
    CHECK_INT(status, ITERA_ERR_CORRUPT);
    CHECK_INT(strings, ITERA_GGUF_MAX_HEADER_BYTES / ITERA_GGUF_MAX_STRING_BYTES);
    CHECK(strstr(error.text, "256 MB") != NULL);
    itera_gguf_free(gguf);
    free(zeros);
}

TEST(value_types_that_do_not_exist_are_refused)
{
    for (uint32_t type = 13; type < 40; type += 13) {
        raw_begin(&file, 0, 1), raw_key(&file, "k", type);
        REFUSED(ITERA_ERR_CORRUPT, "does not exist");
        raw_begin(&file, 0, 1), raw_array(&file, "k", type, 1);
        REFUSED(ITERA_ERR_CORRUPT, "does not exist");
    }
    raw_begin(&file, 0, 1), raw_array(&file, "k", ITERA_GGUF_ARRAY, 1);
    REFUSED(ITERA_ERR_CORRUPT, "array of arrays");
    raw_begin(&file, 0, 1), raw_key(&file, "k", ITERA_GGUF_BOOL), raw_u8(&file, 2);
    REFUSED(ITERA_ERR_CORRUPT, "bool of value 2");
    raw_begin(&file, 0, 1), raw_array(&file, "k", ITERA_GGUF_BOOL, 2), raw_u8(&file, 1), raw_u8(&file, 255);
    REFUSED(ITERA_ERR_CORRUPT, "bool of value 255");
}

TEST(a_second_key_or_tensor_of_the_same_name_is_refused)
{
    raw_begin(&file, 0, 3);
    raw_key(&file, "same", ITERA_GGUF_U8), raw_u8(&file, 1);
    raw_key(&file, "other", ITERA_GGUF_U8), raw_u8(&file, 1);
    raw_key(&file, "same", ITERA_GGUF_U8), raw_u8(&file, 1);
    REFUSED(ITERA_ERR_CORRUPT, "metadata 'same' occurs twice");
    raw_begin(&file, 2, 0);
    raw_tensor(&file, "t", 1, (uint64_t[]){1}, ITERA_TYPE_F32, 0);
    raw_tensor(&file, "t", 1, (uint64_t[]){1}, ITERA_TYPE_F32, 32);
    REFUSED(ITERA_ERR_CORRUPT, "tensor 't' occurs twice");
}

TEST(alignments_that_make_no_sense_are_refused)
{
    const uint32_t wrong[] = {0, 3, 48, 131072, 0x80000000u, UINT32_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        raw_begin(&file, 0, 1), raw_key(&file, "general.alignment", ITERA_GGUF_U32), raw_u32(&file, wrong[i]);
        REFUSED(ITERA_ERR_CORRUPT, "power of two");
    }
    raw_begin(&file, 0, 1), raw_key(&file, "general.alignment", ITERA_GGUF_U64), raw_u64(&file, 32);
    REFUSED(ITERA_ERR_CORRUPT, "unsigned 32-bit");
}

TEST(unknown_tensor_types_are_named_with_what_is_supported)
{
    const struct {
        uint32_t type;
        const char *text;
    } cases[] = {{10, "(Q2_K)"},
                 {23, "type 23 (IQ4_XS)"},
                 {4, "type 4 (unknown)"},
                 {31, "unknown"},
                 {UINT32_MAX, "type 4294967295 (unknown)"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        raw_begin(&file, 1, 0), raw_tensor(&file, "blk.0.x", 1, (uint64_t[]){256}, cases[i].type, 0);
        REFUSED(ITERA_ERR_UNSUPPORTED, cases[i].text);
        REFUSED(ITERA_ERR_UNSUPPORTED, "'blk.0.x'");
        REFUSED(ITERA_ERR_UNSUPPORTED, " F32 F16 Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q4_K Q5_K Q6_K BF16");
    }
}

TEST(shapes_that_make_no_sense_are_refused)
{
    const uint64_t ones[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    const uint32_t wrong_counts[] = {0, 5, 8};
    for (size_t i = 0; i < 3; i++) {
        raw_begin(&file, 1, 0), raw_tensor(&file, "t", wrong_counts[i], ones, ITERA_TYPE_F32, 0);
        REFUSED(ITERA_ERR_CORRUPT, "dimensions, not 1 to 4");
    }
    raw_begin(&file, 1, 0), raw_string(&file, "t"), raw_u32(&file, UINT32_MAX);
    REFUSED(ITERA_ERR_CORRUPT, "4294967295 dimensions");

    const uint64_t wrong_dims[] = {0, ITERA_GGUF_MAX_DIM + 1, (uint64_t)1 << 63, UINT64_MAX};
    for (size_t i = 0; i < 4; i++) {
        raw_begin(&file, 1, 0), raw_tensor(&file, "t", 2, (uint64_t[]){1, wrong_dims[i]}, ITERA_TYPE_F32, 0);
        REFUSED(ITERA_ERR_CORRUPT, "dimension 1 of tensor 't'");
    }
    const uint64_t most = ITERA_GGUF_MAX_DIM;
    raw_begin(&file, 1, 0),
        raw_tensor(&file, "t", 4, (uint64_t[]){most, most, most, most}, ITERA_TYPE_F32, 0);
    REFUSED(ITERA_ERR_CORRUPT, "more elements than can be counted");
    raw_begin(&file, 1, 0), raw_tensor(&file, "t", 2, (uint64_t[]){most, most}, ITERA_TYPE_F32, 0);
    REFUSED(ITERA_ERR_CORRUPT, "larger than any file");
    raw_begin(&file, 1, 0), raw_tensor(&file, "t", 2, (uint64_t[]){33, 32}, ITERA_TYPE_Q8_0, 0);
    REFUSED(ITERA_ERR_CORRUPT, "33 elements, not a multiple of the 32");
    raw_begin(&file, 1, 0), raw_tensor(&file, "t", 1, (uint64_t[]){128}, ITERA_TYPE_Q4_K, 0);
    REFUSED(ITERA_ERR_CORRUPT, "not a multiple of the 256");
}

TEST(tensors_that_overlap_or_lie_outside_are_refused)
{
    build_rich_file();
    REFUSED(ITERA_ERR_CORRUPT, "tensors 'd' and 'b' overlap");
    const uint64_t dims[] = {16};
    raw_begin(&file, 2, 0);
    raw_tensor(&file, "t", 1, dims, ITERA_TYPE_F32, 64), raw_tensor(&file, "u", 1, dims, ITERA_TYPE_F32, 64);
    REFUSED(ITERA_ERR_CORRUPT, "overlap");
    raw_begin(&file, 1, 0), raw_tensor(&file, "t", 1, dims, ITERA_TYPE_F32, 4);
    REFUSED(ITERA_ERR_CORRUPT, "not a multiple of the alignment");
    const uint64_t outside[] = {UINT64_MAX - 31, (uint64_t)1 << 53, (uint64_t)1 << 63};
    for (size_t i = 0; i < 3; i++) {
        raw_begin(&file, 1, 0), raw_tensor(&file, "t", 1, dims, ITERA_TYPE_F32, outside[i]);
        REFUSED(ITERA_ERR_CORRUPT, "beyond the end of any file");
    }
}

TEST(names_in_errors_are_short_and_printable)
{
    char name[201];
    memset(name, 'n', sizeof name - 1);
    name[200] = '\0';
    memcpy(name, "\x1b[31m\n\xc3\xa9", 8);
    raw_begin(&file, 1, 0), raw_tensor(&file, name, 1, (uint64_t[]){1}, 10, 0);
    REFUSED(ITERA_ERR_UNSUPPORTED, "tensor '?[31m???n");
    CHECK(strlen(error.text) < sizeof error.text);
    for (const char *c = error.text; *c != '\0'; c++) {
        CHECK(*c >= 0x20 && *c <= 0x7e);
    }
}

/* ---- What it costs ---- */

TEST(every_failed_allocation_is_survived)
{
    build_good_rich_file();
    itera_status status = ITERA_ERR_MEMORY;
    long allowed = 0;
    for (; status != ITERA_OK && allowed < 1000; allowed++) {
        itera_memory_fail_after(allowed);
        itera_gguf *gguf = itera_gguf_create();
        status = ITERA_ERR_MEMORY;
        if (gguf != NULL) {
            status = ITERA_NEED_MORE;
            for (size_t i = 0; i < file.n && status == ITERA_NEED_MORE; i++) {
                status = itera_gguf_feed(gguf, file.bytes + i, 1, &error);
            }
        }
        CHECK(status == ITERA_OK || status == ITERA_ERR_MEMORY);
        itera_gguf_free(gguf);
    }
    itera_memory_fail_after(-1);
    CHECK(allowed > 10 && allowed < 1000);
}

/* A vocabulary byte by byte: quadratic work would take minutes. */
TEST(a_long_array_in_single_bytes_takes_linear_time)
{
    enum { WORDS = 300000, WORD_BYTES = 8 + 3 };
    uint8_t *words = malloc(WORDS * WORD_BYTES);
    for (size_t i = 0; i < WORDS; i++) {
        memcpy(words + i * WORD_BYTES, &(uint64_t){3}, 8);
        memcpy(words + i * WORD_BYTES + 8, "abc", 3);
    }
    raw_begin(&file, 0, 1), raw_array(&file, "tokens", ITERA_GGUF_STRING, WORDS);
    clock_t start = clock();
    itera_gguf *gguf = itera_gguf_create();
    CHECK_INT(itera_gguf_feed(gguf, file.bytes, file.n, &error), ITERA_NEED_MORE);
    itera_status status = ITERA_NEED_MORE;
    for (size_t i = 0; i < WORDS * WORD_BYTES; i++) {
        status = itera_gguf_feed(gguf, words + i, 1, &error);
    }
    CHECK_INT(status, ITERA_OK);
    CHECK_INT(itera_gguf_find(gguf, "tokens")->value_bytes, WORDS * WORD_BYTES);
    CHECK((double)(clock() - start) / CLOCKS_PER_SEC < 10);
    itera_gguf_free(gguf);
    free(words);
}

TEST(checked_arithmetic_notices_every_overflow)
{
    size_t s = 7;
    uint64_t u = 7;
    CHECK(itera_add_size(SIZE_MAX - 1, 1, &s) && s == SIZE_MAX);
    CHECK(!itera_add_size(SIZE_MAX, 1, &s) && !itera_mul_size(SIZE_MAX, 2, &s) && s == SIZE_MAX);
    CHECK(itera_mul_size(SIZE_MAX, 1, &s) && itera_mul_size(SIZE_MAX, 0, &s) && s == 0);
    CHECK(itera_add_u64(UINT64_MAX, 0, &u) && !itera_add_u64(UINT64_MAX, 1, &u) && u == UINT64_MAX);
    CHECK(itera_mul_u64(1u << 31, (uint64_t)1 << 32, &u) &&
          !itera_mul_u64((uint64_t)1 << 32, (uint64_t)1 << 32, &u));
    CHECK(itera_align_u64(33, 32, &u) && u == 64 && itera_align_u64(64, 32, &u) && u == 64);
    CHECK(!itera_align_u64(UINT64_MAX, 32, &u) && u == 64);
}

TEST(every_status_has_a_code)
{
    CHECK(strcmp(itera_status_code(ITERA_OK), "ok") == 0);
    CHECK(strcmp(itera_status_code(ITERA_NEED_MORE), "need-more") == 0);
    CHECK(strcmp(itera_status_code(ITERA_ERR_NOT_GGUF), "not-gguf") == 0);
    CHECK(strcmp(itera_status_code((itera_status)-99), "unknown") == 0);
    for (int status = -9; status < 0; status++) {
        CHECK(strcmp(itera_status_code((itera_status)status), "unknown") != 0);
    }
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    RUN(every_kind_of_value_is_read);
    RUN(typed_lookups_convert_what_fits_and_nothing_else);
    RUN(tensors_are_placed_in_the_file);
    RUN(header_in_pieces_of_any_size_equals_header_in_one_piece);
    RUN(every_truncation_asks_for_more);
    RUN(bytes_after_the_header_are_ignored);
    RUN(a_refused_reader_stays_refused);
    RUN(version_2_and_a_file_without_anything_are_read);
    RUN(alignment_of_the_file_is_obeyed);
    RUN(names_of_any_length_are_found);
    RUN(what_is_not_gguf_is_named);
    RUN(other_versions_and_big_endian_files_are_refused);
    RUN(absurd_counts_are_refused);
    RUN(absurd_lengths_are_refused);
    RUN(the_header_as_a_whole_is_bounded);
    RUN(value_types_that_do_not_exist_are_refused);
    RUN(a_second_key_or_tensor_of_the_same_name_is_refused);
    RUN(alignments_that_make_no_sense_are_refused);
    RUN(unknown_tensor_types_are_named_with_what_is_supported);
    RUN(shapes_that_make_no_sense_are_refused);
    RUN(tensors_that_overlap_or_lie_outside_are_refused);
    RUN(names_in_errors_are_short_and_printable);
    RUN(every_failed_allocation_is_survived);
    RUN(a_long_array_in_single_bytes_takes_linear_time);
    RUN(checked_arithmetic_notices_every_overflow);
    RUN(every_status_has_a_code);
    return test_end();
}
