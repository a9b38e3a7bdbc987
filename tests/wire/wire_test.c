/* wire_test.c - what is written is what is read, and nothing else is read. */
#include "base/memory.h"
#include "harness/tap.h"
#include "wire/wire.h"

#include <math.h>
#include <stdlib.h>

enum { STEPS = 200, ROUNDS = 300 };

/* Small numbers often, and every width. */
static uint64_t any_number(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (*state >> 7) >> (*state >> 58);
}

static void write_step(struct cst_writer *writer, uint64_t kind, uint64_t value)
{
    static const char text[] = "the quick brown fox jumps over the lazy dog";

    switch (kind % 7) {
    case 0:
        cst_put_u8(writer, (uint8_t)value);
        break;
    case 1:
        cst_put_u16(writer, (uint16_t)value);
        break;
    case 2:
        cst_put_u32(writer, (uint32_t)value);
        break;
    case 3:
        cst_put_u64(writer, value);
        break;
    case 4:
        cst_put_varint(writer, value);
        break;
    case 5:
        cst_put_double(writer, (double)value);
        break;
    default:
        cst_put_bytes(writer, text, value % sizeof(text));
        break;
    }
}

static bool read_step(struct cst_reader *reader, uint64_t kind, uint64_t value)
{
    char text[64];

    switch (kind % 7) {
    case 0:
        return cst_get_u8(reader) == (uint8_t)value;
    case 1:
        return cst_get_u16(reader) == (uint16_t)value;
    case 2:
        return cst_get_u32(reader) == (uint32_t)value;
    case 3:
        return cst_get_u64(reader) == value;
    case 4:
        return cst_get_varint(reader) == value;
    case 5:
        return fabs(cst_get_double(reader) - (double)value) <= 0;
    default:
        cst_get_text(reader, text, sizeof(text));
        return strlen(text) == value % 44;
    }
}

static void test_round_trips(void)
{
    struct cst_writer writer = {0};
    unsigned int wrong = 0;

    for (uint64_t round = 0; round < ROUNDS; round++) {
        struct cst_reader reader;
        uint64_t state = round;

        cst_writer_clear(&writer);
        for (unsigned int i = 0; i < STEPS; i++) {
            uint64_t kind = any_number(&state);

            write_step(&writer, kind, any_number(&state) % ((uint64_t)1 << 50));
        }
        state = round;
        cst_reader_init(&reader, writer.bytes, writer.size);
        for (unsigned int i = 0; i < STEPS; i++) {
            uint64_t kind = any_number(&state);

            wrong += !read_step(&reader, kind,
                                any_number(&state) % ((uint64_t)1 << 50));
        }
        wrong += !cst_reader_done(&reader);
    }
    ok(wrong == 0, "%d messages of %d fields come back", ROUNDS, STEPS);
    cst_writer_release(&writer);
}

/* Every beginning of a message is bad, and is read to its end and no further:
   each lies in memory of exactly its size, where a sanitizer sees more. */
static void test_cut_short(void)
{
    struct cst_writer writer = {0};
    unsigned int good = 0;

    cst_put_u8(&writer, 1);
    cst_put_varint(&writer, UINT64_MAX);
    cst_put_text(&writer, "abc");
    cst_put_u64(&writer, 7);
    for (size_t size = 0; size < writer.size; size++) {
        uint8_t *bytes = malloc(size ? size : 1);
        struct cst_reader reader;
        char text[8];

        if (!bytes)
            tap_bail("no memory");
        memcpy(bytes, writer.bytes, size);
        cst_reader_init(&reader, bytes, size);
        (void)cst_get_u8(&reader);
        (void)cst_get_varint(&reader);
        cst_get_text(&reader, text, sizeof(text));
        good += cst_get_u64(&reader) != 0 || !reader.bad;
        good += cst_reader_left(&reader) != 0;
        free(bytes);
    }
    ok(good == 0, "no beginning of a message is one");
    cst_writer_release(&writer);
}

static bool varint_is_bad(const char *bytes, size_t size)
{
    struct cst_reader reader;

    cst_reader_init(&reader, bytes, size);
    return cst_get_varint(&reader) == 0 && reader.bad;
}

static void test_bad(void)
{
    static const uint8_t zero_inside[] = {3, 'a', 0, 'b'};
    struct cst_reader reader;
    char text[4];
    size_t size;

    ok(varint_is_bad("\x80", 1), "a varint that does not end is bad");
    ok(varint_is_bad("\x80\x00", 2), "one longer than needed is bad");
    ok(varint_is_bad("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10),
       "one of 65 bits is bad");
    ok(varint_is_bad("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11),
       "one of eleven bytes is bad");

    cst_reader_init(&reader, zero_inside, sizeof(zero_inside));
    cst_get_text(&reader, text, sizeof(text));
    ok(reader.bad && !*text, "a text with a zero in it is bad");
    cst_reader_init(&reader, "\004abcd", 5);
    cst_get_text(&reader, text, sizeof(text));
    ok(reader.bad && !*text, "a text that does not fit is bad");
    cst_reader_init(&reader, "\xff\xff\xff\xff\x0f", 5);
    ok(!cst_get_bytes(&reader, &size) && size == 0 && reader.bad,
       "a length beyond the end is bad");
    cst_reader_init(&reader, "\x05", 1);
    ok(cst_get_count(&reader, 4) == 0 && reader.bad,
       "a count above the limit is bad");
    cst_reader_init(&reader, NULL, 0);
    ok(cst_reader_done(&reader) && cst_get_u32(&reader) == 0 && reader.bad,
       "nothing is a whole message of nothing");
}

static void test_memory(void)
{
    struct cst_writer writer = {0};
    uint8_t room[8] = {0};

    cst_alloc_fail_after(1);
    cst_put_u64(&writer, 1);
    cst_put_u8(&writer, 2);
    ok(writer.bad && writer.size == 0, "without memory nothing is written");
    cst_writer_clear(&writer);
    cst_put_u64(&writer, 1);
    ok(!writer.bad && writer.size == 8, "and cleared it works again");
    cst_writer_release(&writer);

    cst_writer_init_fixed(&writer, room, 7);
    cst_put_u32(&writer, UINT32_MAX);
    cst_put_u32(&writer, UINT32_MAX);
    ok(writer.bad && writer.size == 4 && room[4] == 0,
       "fixed memory is not exceeded");
    cst_writer_release(&writer);

    cst_writer_init_fixed(&writer, room, sizeof(room));
    cst_put_u32(&writer, 0x01020304);
    ok(room[0] == 4 && room[3] == 1, "numbers are little-endian");
}

int main(void)
{
    test_round_trips();
    test_cut_short();
    test_bad();
    test_memory();
    return tap_done();
}
