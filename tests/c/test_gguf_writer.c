/* The GGUF writer: what it writes reads back, and what could not be read is not written. */
#include <stdlib.h>

#include "base/memory.h"
#include "gguf/format.h"
#include "gguf/writer.h"
#include "quant/types.h"
#include "raw_gguf.h"
#include "test.h"

static itera_error error;

static itera_status add(itera_gguf_writer *writer, const char *key, uint32_t type, uint32_t element_type,
                        uint64_t count, const void *data, size_t n)
{
    return itera_gguf_writer_add(writer, key, strlen(key), type, element_type, count, data, n, &error);
}

static itera_status add_u32(itera_gguf_writer *writer, const char *key, uint32_t value)
{
    return add(writer, key, ITERA_GGUF_U32, ITERA_GGUF_U32, 1, &value, 4);
}

static itera_status add_tensor(itera_gguf_writer *writer, const char *name, uint32_t n_dims,
                               const uint64_t *dims, uint32_t type)
{
    return itera_gguf_writer_tensor(writer, name, strlen(name), n_dims, dims, type, &error);
}

TEST(an_empty_header_is_the_least_file)
{
    itera_gguf_writer *writer = itera_gguf_writer_create();
    const uint8_t *header;
    CHECK_INT(itera_gguf_writer_header(writer, &header), 32);
    raw_file expected;
    raw_begin(&expected, 0, 0);
    CHECK(memcmp(header, expected.bytes, expected.n) == 0);
    CHECK_INT(itera_gguf_writer_tensor_offset(writer, 0), 0);
    itera_gguf_writer_free(writer);
    itera_gguf_writer_free(NULL);
}

TEST(output_is_laid_out_byte_for_byte_as_the_format_says)
{
    raw_file words = {.n = 0}, expected;
    raw_string(&words, "one"), raw_string(&words, "");
    itera_gguf_writer *writer = itera_gguf_writer_create();
    CHECK_INT(add_u32(writer, "n", 7), ITERA_OK);
    CHECK_INT(add(writer, "words", ITERA_GGUF_ARRAY, ITERA_GGUF_STRING, 2, words.bytes, words.n), ITERA_OK);
    CHECK_INT(add(writer, "none", ITERA_GGUF_ARRAY, ITERA_GGUF_F32, 0, NULL, 0), ITERA_OK);
    CHECK_INT(add_tensor(writer, "a", 2, (uint64_t[]){32, 3}, ITERA_TYPE_Q8_0), ITERA_OK);
    CHECK_INT(add_tensor(writer, "b", 1, (uint64_t[]){5}, ITERA_TYPE_F32), ITERA_OK);

    raw_begin(&expected, 2, 3);
    raw_key(&expected, "n", ITERA_GGUF_U32), raw_u32(&expected, 7);
    raw_array(&expected, "words", ITERA_GGUF_STRING, 2), raw_put(&expected, words.bytes, words.n);
    raw_array(&expected, "none", ITERA_GGUF_F32, 0);
    raw_tensor(&expected, "a", 2, (uint64_t[]){32, 3}, ITERA_TYPE_Q8_0, 0);
    raw_tensor(&expected, "b", 1, (uint64_t[]){5}, ITERA_TYPE_F32, 128); /* 102 bytes, padded */
    while (expected.n % 32 != 0) {
        raw_u8(&expected, 0);
    }
    const uint8_t *header;
    size_t length = itera_gguf_writer_header(writer, &header);
    CHECK(length == expected.n && memcmp(header, expected.bytes, length) == 0);
    CHECK_INT(itera_gguf_writer_tensor_offset(writer, 1), 128);
    CHECK_INT(itera_gguf_writer_tensor_offset(writer, 2), 160);
    CHECK(itera_gguf_writer_tensor_offset(writer, 3) == UINT64_MAX);
    itera_gguf_writer_free(writer);
}

/* Many entries, so that every list inside grows; the header is built half-way as well. */
TEST(output_reads_back)
{
    itera_gguf_writer *writer = itera_gguf_writer_create();
    const uint8_t *header;
    char name[32];
    for (uint32_t i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "key.%u", i);
        CHECK_INT(add_u32(writer, name, i * i), ITERA_OK);
        snprintf(name, sizeof name, "blk.%u.weight", i);
        CHECK_INT(add_tensor(writer, name, 2, (uint64_t[]){i + 1, 3}, ITERA_TYPE_F32), ITERA_OK);
        CHECK(i != 250 || itera_gguf_writer_header(writer, &header) > 0);
    }
    size_t length = itera_gguf_writer_header(writer, &header);
    itera_gguf *gguf = itera_gguf_create();
    CHECK_INT(itera_gguf_feed(gguf, header, length, &error), ITERA_OK);
    CHECK_INT(itera_gguf_data_offset(gguf), length);
    CHECK_INT(itera_gguf_kv_count(gguf), 500);
    for (uint32_t i = 0; i < 500; i++) {
        uint32_t value = 0;
        snprintf(name, sizeof name, "key.%u", i);
        CHECK(itera_gguf_get_u32(gguf, name, &value) && value == i * i);
        snprintf(name, sizeof name, "blk.%u.weight", i);
        const itera_gguf_tensor *tensor = itera_gguf_find_tensor(gguf, name);
        REQUIRE(tensor != NULL);
        CHECK_INT(tensor->bytes, (i + 1) * 12);
        CHECK_INT(tensor->offset, length + itera_gguf_writer_tensor_offset(writer, i));
    }
    itera_gguf_free(gguf);
    itera_gguf_writer_free(writer);
}

TEST(what_could_not_be_read_is_not_written)
{
    itera_gguf_writer *writer = itera_gguf_writer_create();
    const uint32_t one = 1, many[2] = {1, 2};
    const uint64_t too_long = 100;
    CHECK_INT(add_u32(writer, "k", 1), ITERA_OK);
    CHECK_INT(add_u32(writer, "k", 1), ITERA_ERR_ARGUMENT);
    CHECK_INT(add_u32(writer, "", 1), ITERA_ERR_CORRUPT);
    CHECK_INT(add_u32(writer, "general.alignment", 64), ITERA_ERR_ARGUMENT);
    CHECK_INT(add_u32(writer, "general.alignment", 32), ITERA_OK);
    CHECK_INT(add(writer, "x", ITERA_GGUF_U32, ITERA_GGUF_U32, 1, many, 8), ITERA_ERR_ARGUMENT);
    CHECK_INT(add(writer, "x", ITERA_GGUF_U32, ITERA_GGUF_U32, 2, many, 8), ITERA_ERR_ARGUMENT);
    CHECK_INT(add(writer, "x", ITERA_GGUF_U32, ITERA_GGUF_I32, 1, &one, 4), ITERA_ERR_ARGUMENT);
    CHECK_INT(add(writer, "x", 13, 13, 1, &one, 4), ITERA_ERR_ARGUMENT);
    CHECK_INT(add(writer, "x", ITERA_GGUF_ARRAY, ITERA_GGUF_ARRAY, 1, &one, 4), ITERA_ERR_ARGUMENT);
    CHECK_INT(add(writer, "x", ITERA_GGUF_ARRAY, ITERA_GGUF_U32, UINT64_MAX / 4 + 2, &one, 4),
              ITERA_ERR_CORRUPT);
    CHECK_INT(add(writer, "x", ITERA_GGUF_BOOL, ITERA_GGUF_BOOL, 1, "\2", 1), ITERA_ERR_ARGUMENT);
    CHECK_INT(add(writer, "x", ITERA_GGUF_STRING, ITERA_GGUF_STRING, 1, &too_long, 8), ITERA_ERR_CORRUPT);
    CHECK_INT(add(writer, "x", ITERA_GGUF_STRING, ITERA_GGUF_STRING, 1, "1234567", 7), ITERA_ERR_CORRUPT);
    CHECK_INT(add(writer, "x", ITERA_GGUF_STRING, ITERA_GGUF_STRING, 1, "\0\0\0\0\0\0\0\0x", 9),
              ITERA_ERR_CORRUPT);

    CHECK_INT(add_tensor(writer, "t", 1, (uint64_t[]){4}, ITERA_TYPE_F32), ITERA_OK);
    CHECK_INT(add_tensor(writer, "t", 1, (uint64_t[]){4}, ITERA_TYPE_F32), ITERA_ERR_ARGUMENT);
    CHECK_INT(add_tensor(writer, "u", 0, NULL, ITERA_TYPE_F32), ITERA_ERR_CORRUPT);
    CHECK_INT(add_tensor(writer, "u", 5, (uint64_t[]){1, 1, 1, 1, 1}, ITERA_TYPE_F32), ITERA_ERR_CORRUPT);
    CHECK_INT(add_tensor(writer, "u", 1, (uint64_t[]){0}, ITERA_TYPE_F32), ITERA_ERR_CORRUPT);
    CHECK_INT(add_tensor(writer, "u", 1, (uint64_t[]){31}, ITERA_TYPE_Q8_0), ITERA_ERR_CORRUPT);
    CHECK_INT(add_tensor(writer, "u", 1, (uint64_t[]){256}, 10), ITERA_ERR_UNSUPPORTED);
    char name[ITERA_GGUF_MAX_NAME_BYTES + 2];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    CHECK_INT(add_tensor(writer, name, 1, (uint64_t[]){1}, ITERA_TYPE_F32), ITERA_ERR_CORRUPT);

    /* None of it left a trace. */
    const uint8_t *header;
    size_t length = itera_gguf_writer_header(writer, &header);
    itera_gguf *gguf = itera_gguf_create();
    CHECK_INT(itera_gguf_feed(gguf, header, length, &error), ITERA_OK);
    CHECK_INT(itera_gguf_kv_count(gguf), 2);
    CHECK_INT(itera_gguf_tensor_count(gguf), 1);
    itera_gguf_free(gguf);
    itera_gguf_writer_free(writer);
}

TEST(every_failed_allocation_is_survived)
{
    long allowed = 0;
    size_t length = 0;
    for (; length == 0 && allowed < 100; allowed++) {
        const uint8_t *header;
        itera_memory_fail_after(allowed);
        itera_gguf_writer *writer = itera_gguf_writer_create();
        if (writer != NULL) {
            itera_status status = add_u32(writer, "k", 1);
            CHECK(status == ITERA_OK || status == ITERA_ERR_MEMORY);
            itera_status second = add_tensor(writer, "t", 1, (uint64_t[]){4}, ITERA_TYPE_F32);
            CHECK(second == ITERA_OK || second == ITERA_ERR_MEMORY);
            length = itera_gguf_writer_header(writer, &header);
            CHECK(length == 0 || (status == ITERA_OK && second == ITERA_OK));
        }
        itera_gguf_writer_free(writer);
    }
    itera_memory_fail_after(-1);
    CHECK(allowed > 5 && allowed < 100);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    RUN(an_empty_header_is_the_least_file);
    RUN(output_is_laid_out_byte_for_byte_as_the_format_says);
    RUN(output_reads_back);
    RUN(what_could_not_be_read_is_not_written);
    RUN(every_failed_allocation_is_survived);
    return test_end();
}
