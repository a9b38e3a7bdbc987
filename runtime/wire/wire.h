/*
 * wire.h - small messages into bytes and back.
 *
 * Layer: wire. May include base. Pure.
 *
 * Owner: the caller, of each struct.
 *
 * Numbers are little-endian, whatever the machine, and of fixed width; a count
 * that is nearly always small is a varint (7 bits a byte, the low ones first,
 * at most 10 bytes). A byte string is a varint of its length, then its bytes.
 *
 * Nothing here has to be checked call by call. A writer that gets no memory
 * and a reader that comes to the end, or to bytes that mean nothing, goes bad
 * and stays so: what is written is dropped, what is read is 0 or empty. Look
 * once, at the end. A reader never looks outside its bytes, whatever they are.
 */
#ifndef CST_WIRE_WIRE_H
#define CST_WIRE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { CST_VARINT_MAX = 10 }; /* bytes */

/*
 * Bytes that grow as they are written. All zero is an empty writer; it may be
 * given fixed memory instead.
 */
struct cst_writer {
    uint8_t *bytes;
    size_t size; /* written */
    size_t capacity;
    bool fixed; /* the memory is the caller's, and must do */
    bool bad;   /* something did not fit */
};

/* Bytes that are the caller's, and as many as are left. */
struct cst_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool bad;
};

/* Write to the caller's memory, and nowhere else. */
static inline void cst_writer_init_fixed(struct cst_writer *writer, void *bytes,
                                         size_t capacity)
{
    *writer = (struct cst_writer){
        .bytes = bytes, .capacity = capacity, .fixed = true};
}

/* Free what the writer grew; it is then empty and good. */
void cst_writer_release(struct cst_writer *writer);

/* Empty it, but keep its memory. */
static inline void cst_writer_clear(struct cst_writer *writer)
{
    writer->size = 0;
    writer->bad = false;
}

/* Make room for `more` bytes; false, and bad, when there is none. */
bool cst_writer_grow(struct cst_writer *writer, size_t more);

/* Room for `size` bytes, counted as written, or NULL when the writer is bad. */
static inline uint8_t *cst_put_room(struct cst_writer *writer, size_t size)
{
    uint8_t *room;

    if (writer->bad || (writer->capacity - writer->size < size &&
                        !cst_writer_grow(writer, size)))
        return NULL;
    room = writer->bytes + writer->size;
    writer->size += size;
    return room;
}

static inline void cst_store_u16(uint8_t *to, uint16_t value)
{
    to[0] = (uint8_t)value;
    to[1] = (uint8_t)(value >> 8);
}

static inline void cst_store_u32(uint8_t *to, uint32_t value)
{
    cst_store_u16(to, (uint16_t)value);
    cst_store_u16(to + 2, (uint16_t)(value >> 16));
}

static inline void cst_store_u64(uint8_t *to, uint64_t value)
{
    cst_store_u32(to, (uint32_t)value);
    cst_store_u32(to + 4, (uint32_t)(value >> 32));
}

static inline uint16_t cst_load_u16(const uint8_t *from)
{
    return (uint16_t)(from[0] | (uint16_t)from[1] << 8);
}

static inline uint32_t cst_load_u32(const uint8_t *from)
{
    return cst_load_u16(from) | (uint32_t)cst_load_u16(from + 2) << 16;
}

static inline uint64_t cst_load_u64(const uint8_t *from)
{
    return cst_load_u32(from) | (uint64_t)cst_load_u32(from + 4) << 32;
}

static inline void cst_put_u8(struct cst_writer *writer, uint8_t value)
{
    uint8_t *room = cst_put_room(writer, sizeof(value));

    if (room)
        *room = value;
}

static inline void cst_put_u16(struct cst_writer *writer, uint16_t value)
{
    uint8_t *room = cst_put_room(writer, sizeof(value));

    if (room)
        cst_store_u16(room, value);
}

static inline void cst_put_u32(struct cst_writer *writer, uint32_t value)
{
    uint8_t *room = cst_put_room(writer, sizeof(value));

    if (room)
        cst_store_u32(room, value);
}

static inline void cst_put_u64(struct cst_writer *writer, uint64_t value)
{
    uint8_t *room = cst_put_room(writer, sizeof(value));

    if (room)
        cst_store_u64(room, value);
}

/* The bits of a double, as IEEE 754 has them. */
static inline void cst_put_double(struct cst_writer *writer, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    cst_put_u64(writer, bits);
}

static inline void cst_put_varint(struct cst_writer *writer, uint64_t value)
{
    uint8_t bytes[CST_VARINT_MAX];
    uint8_t *room;
    size_t size = 0;

    if (value < 0x80) {
        cst_put_u8(writer, (uint8_t)value);
        return;
    }
    while (value >= 0x80) {
        bytes[size++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    bytes[size++] = (uint8_t)value;
    room = cst_put_room(writer, size);
    if (room)
        memcpy(room, bytes, size);
}

/* Bytes alone: the reader must know how many. */
static inline void cst_put_raw(struct cst_writer *writer, const void *bytes,
                               size_t size)
{
    uint8_t *room = cst_put_room(writer, size);

    if (room && size)
        memcpy(room, bytes, size);
}

static inline void cst_put_bytes(struct cst_writer *writer, const void *bytes,
                                 size_t size)
{
    cst_put_varint(writer, size);
    cst_put_raw(writer, bytes, size);
}

/* A string, without its end. */
static inline void cst_put_text(struct cst_writer *writer, const char *text)
{
    cst_put_bytes(writer, text, strlen(text));
}

/* `bytes` may be NULL when size is 0. */
static inline void cst_reader_init(struct cst_reader *reader, const void *bytes,
                                   size_t size)
{
    static const uint8_t nothing[1];

    reader->at = size ? bytes : nothing;
    reader->end = reader->at + size;
    reader->bad = false;
}

static inline size_t cst_reader_left(const struct cst_reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

/* Was everything good, and is nothing left? */
static inline bool cst_reader_done(const struct cst_reader *reader)
{
    return !reader->bad && reader->at == reader->end;
}

/* What was read makes no sense: be bad. */
static inline void cst_reader_spoil(struct cst_reader *reader)
{
    reader->bad = true;
    reader->at = reader->end;
}

/* The next `size` bytes, where they lie, or NULL when there are not as many. */
static inline const uint8_t *cst_get_raw(struct cst_reader *reader, size_t size)
{
    const uint8_t *here = reader->at;

    if (cst_reader_left(reader) < size) {
        cst_reader_spoil(reader);
        return NULL;
    }
    reader->at += size;
    return here;
}

static inline uint8_t cst_get_u8(struct cst_reader *reader)
{
    const uint8_t *from = cst_get_raw(reader, 1);

    return from ? *from : 0;
}

static inline uint16_t cst_get_u16(struct cst_reader *reader)
{
    const uint8_t *from = cst_get_raw(reader, 2);

    return from ? cst_load_u16(from) : 0;
}

static inline uint32_t cst_get_u32(struct cst_reader *reader)
{
    const uint8_t *from = cst_get_raw(reader, 4);

    return from ? cst_load_u32(from) : 0;
}

static inline uint64_t cst_get_u64(struct cst_reader *reader)
{
    const uint8_t *from = cst_get_raw(reader, 8);

    return from ? cst_load_u64(from) : 0;
}

static inline double cst_get_double(struct cst_reader *reader)
{
    uint64_t bits = cst_get_u64(reader);
    double value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* A varint of more than one byte; for cst_get_varint(). */
uint64_t cst_get_varint_long(struct cst_reader *reader);

/* Only the shortest form of a number is good. */
static inline uint64_t cst_get_varint(struct cst_reader *reader)
{
    if (reader->at != reader->end && *reader->at < 0x80)
        return *reader->at++;
    return cst_get_varint_long(reader);
}

/* A varint that must not exceed `max`. */
static inline uint32_t cst_get_count(struct cst_reader *reader, uint32_t max)
{
    uint64_t value = cst_get_varint(reader);

    if (value > max) {
        cst_reader_spoil(reader);
        return 0;
    }
    return (uint32_t)value;
}

/* A byte string, where it lies; NULL and 0 when the reader is bad. */
static inline const uint8_t *cst_get_bytes(struct cst_reader *reader,
                                           size_t *ret_size)
{
    uint64_t size = cst_get_varint(reader);
    const uint8_t *bytes;

    if (size > cst_reader_left(reader)) {
        cst_reader_spoil(reader);
        size = 0;
    }
    bytes = cst_get_raw(reader, (size_t)size);
    *ret_size = reader->bad ? 0 : (size_t)size;
    return reader->bad ? NULL : bytes;
}

/*
 * A string, copied with an end to `text` of `capacity` bytes (at least 1). One
 * that does not fit, or has a zero byte in it, is bad; then it is empty.
 */
void cst_get_text(struct cst_reader *reader, char *text, size_t capacity);

#endif
