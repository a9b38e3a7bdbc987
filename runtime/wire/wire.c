/* wire.c - the parts of wire.h that are rarely run. */
#include "wire/wire.h"

#include "base/memory.h"

enum { CST_WRITER_MIN = 256 };

void cst_writer_release(struct cst_writer *writer)
{
    if (!writer->fixed)
        cst_free(writer->bytes);
    *writer = (struct cst_writer){0};
}

bool cst_writer_grow(struct cst_writer *writer, size_t more)
{
    size_t capacity =
        writer->capacity ? writer->capacity : (size_t)CST_WRITER_MIN;
    uint8_t *bytes;

    if (writer->capacity - writer->size >= more)
        return true;
    writer->bad = true;
    if (writer->fixed || more > SIZE_MAX / 4 - writer->size)
        return false;
    while (capacity - writer->size < more)
        capacity *= 2;
    bytes = cst_realloc(writer->bytes, capacity);
    if (!bytes)
        return false;
    writer->bytes = bytes;
    writer->capacity = capacity;
    writer->bad = false;
    return true;
}

uint64_t cst_get_varint_long(struct cst_reader *reader)
{
    uint64_t value = 0;

    for (unsigned int shift = 0; shift < 64; shift += 7) {
        uint8_t byte = cst_get_u8(reader);

        /* The tenth byte has one bit; the last one is not 0. */
        if (reader->bad || (shift == 63 && byte > 1) || (shift && byte == 0))
            break;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80)
            return value;
    }
    cst_reader_spoil(reader);
    return 0;
}

void cst_get_text(struct cst_reader *reader, char *text, size_t capacity)
{
    size_t size;
    const uint8_t *bytes = cst_get_bytes(reader, &size);

    *text = '\0';
    if (!bytes)
        return;
    if (size >= capacity || memchr(bytes, 0, size)) {
        cst_reader_spoil(reader);
        return;
    }
    memcpy(text, bytes, size);
    text[size] = '\0';
}
