/* frames.c - encode and decode what processes say to each other. */
#include "conn/frames.h"

#include "base/fail.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

size_t cst_segment_begin(struct cst_writer *writer, enum cst_segment type)
{
    size_t begin = writer->size;

    cst_put_u32(writer, (uint32_t)type);
    cst_put_u32(writer, 0);
    return begin;
}

void cst_segment_end(struct cst_writer *writer, size_t begin)
{
    if (writer->bad)
        return;
    cst_store_u32(writer->bytes + begin + 4,
                  (uint32_t)(writer->size - begin - CST_SEGMENT_PREFIX));
}

void cst_segment_empty(struct cst_writer *writer, enum cst_segment type)
{
    cst_segment_end(writer, cst_segment_begin(writer, type));
}

int cst_segment_find(const uint8_t *bytes, size_t size, uint32_t max,
                     uint8_t *ret_type, uint32_t *ret_size)
{
    uint32_t type;
    uint32_t length;

    if (size < CST_SEGMENT_PREFIX)
        return 0;
    type = cst_load_u32(bytes);
    length = cst_load_u32(bytes + 4);
    if (type == 0 || type > CST_SEGMENT_PULL || length > max)
        return -1;
    if (size - CST_SEGMENT_PREFIX < length)
        return 0;
    *ret_type = (uint8_t)type;
    *ret_size = length;
    return 1;
}

void cst_put_where(struct cst_writer *writer, const struct cst_where *where)
{
    cst_put_u64(writer, where->host);
    cst_put_u64(writer, where->world);
    cst_put_u32(writer, where->rank);
    cst_put_u16(writer, where->port);
    cst_put_varint(writer, where->addresses_count);
    for (uint32_t i = 0; i < where->addresses_count; i++)
        cst_put_text(writer, where->addresses[i]);
}

/* Only what inet_pton() takes is an address. */
bool cst_is_address(const char *text)
{
    struct in6_addr address;

    return inet_pton(AF_INET, text, &address) == 1 ||
           inet_pton(AF_INET6, text, &address) == 1;
}

static void get_where(struct cst_reader *reader, struct cst_where *where)
{
    memset(where, 0, sizeof(*where));
    where->host = cst_get_u64(reader);
    where->world = cst_get_u64(reader);
    where->rank = cst_get_u32(reader);
    where->port = cst_get_u16(reader);
    where->addresses_count = cst_get_count(reader, CST_ADDRESSES_MAX);
    for (uint32_t i = 0; i < where->addresses_count; i++) {
        cst_get_text(reader, where->addresses[i], CST_ADDRESS_MAX);
        if (!reader->bad && !cst_is_address(where->addresses[i]))
            cst_reader_spoil(reader);
    }
    if (where->port == 0)
        cst_reader_spoil(reader);
}

void cst_put_shake_hello(struct cst_writer *writer,
                         const struct cst_shake_hello *hello)
{
    size_t begin = cst_segment_begin(writer, CST_SEGMENT_HELLO);

    cst_put_u32(writer, CST_NET_MAGIC);
    cst_put_u16(writer, hello->version);
    cst_put_u8(writer, hello->kind);
    cst_put_u32(writer, hello->from);
    cst_put_u32(writer, hello->to);
    cst_put_raw(writer, hello->nonce, CST_NONCE_SIZE);
    cst_segment_end(writer, begin);
}

bool cst_get_shake_hello(const uint8_t *bytes, size_t size,
                         struct cst_shake_hello *ret_hello)
{
    struct cst_reader reader;
    const uint8_t *nonce;

    cst_reader_init(&reader, bytes, size);
    memset(ret_hello, 0, sizeof(*ret_hello));
    if (cst_get_u32(&reader) != CST_NET_MAGIC)
        return false;
    ret_hello->version = cst_get_u16(&reader);
    /* What another version says behind that is not for us to judge. */
    if (!reader.bad && ret_hello->version != CST_NET_VERSION)
        return true;
    ret_hello->kind = cst_get_u8(&reader);
    ret_hello->from = cst_get_u32(&reader);
    ret_hello->to = cst_get_u32(&reader);
    nonce = cst_get_raw(&reader, CST_NONCE_SIZE);
    if (nonce)
        memcpy(ret_hello->nonce, nonce, CST_NONCE_SIZE);
    return cst_reader_done(&reader) && (ret_hello->kind == CST_LINK_CONTROL ||
                                        ret_hello->kind == CST_LINK_DATA);
}

void cst_put_peer(struct cst_writer *writer, enum cst_segment type,
                  const struct cst_peer_text *peer)
{
    size_t begin = cst_segment_begin(writer, type);

    cst_put_u32(writer, peer->number);
    cst_put_where(writer, &peer->where);
    cst_put_bytes(writer, peer->hello, peer->hello_size);
    cst_segment_end(writer, begin);
}

bool cst_get_peer(const uint8_t *bytes, size_t size,
                  struct cst_peer_text *ret_peer)
{
    struct cst_reader reader;

    cst_reader_init(&reader, bytes, size);
    ret_peer->number = cst_get_u32(&reader);
    get_where(&reader, &ret_peer->where);
    ret_peer->hello = cst_get_bytes(&reader, &ret_peer->hello_size);
    return cst_reader_done(&reader) &&
           ret_peer->hello_size <= CST_NET_HELLO_MAX &&
           ret_peer->number < CST_NET_PEERS_MAX;
}

void cst_put_welcome(struct cst_writer *writer,
                     const struct cst_welcome *welcome)
{
    size_t begin = cst_segment_begin(writer, CST_SEGMENT_WELCOME);

    cst_put_u32(writer, welcome->number);
    cst_put_u64(writer, welcome->heartbeat_ns);
    cst_put_u64(writer, welcome->dead_ns);
    cst_segment_end(writer, begin);
}

bool cst_get_welcome(const uint8_t *bytes, size_t size,
                     struct cst_welcome *ret_welcome)
{
    struct cst_reader reader;

    cst_reader_init(&reader, bytes, size);
    ret_welcome->number = cst_get_u32(&reader);
    ret_welcome->heartbeat_ns = cst_get_u64(&reader);
    ret_welcome->dead_ns = cst_get_u64(&reader);
    return cst_reader_done(&reader) && ret_welcome->number > 0 &&
           ret_welcome->number < CST_NET_PEERS_MAX &&
           ret_welcome->heartbeat_ns > 0 &&
           ret_welcome->dead_ns > ret_welcome->heartbeat_ns;
}

void cst_put_news(struct cst_writer *writer, enum cst_segment type,
                  uint32_t number, uint8_t how, const char *why)
{
    size_t begin = cst_segment_begin(writer, type);

    cst_put_u32(writer, number);
    cst_put_u8(writer, how);
    cst_put_text(writer, why);
    cst_segment_end(writer, begin);
}

bool cst_get_news(const uint8_t *bytes, size_t size,
                  struct cst_news_of *ret_news)
{
    struct cst_reader reader;

    cst_reader_init(&reader, bytes, size);
    ret_news->number = cst_get_u32(&reader);
    ret_news->how = cst_get_u8(&reader);
    cst_get_text(&reader, ret_news->why, sizeof(ret_news->why));
    /* It is going to be printed: no control characters. */
    for (char *at = ret_news->why; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7F)
            *at = '?';
    return cst_reader_done(&reader) && ret_news->number < CST_NET_PEERS_MAX &&
           ret_news->how <= CST_NET_DIED;
}

void cst_put_marks(struct cst_writer *writer, enum cst_segment type,
                   const struct cst_marks *marks)
{
    size_t begin = cst_segment_begin(writer, type);

    cst_put_u64(writer, marks->stream);
    cst_put_u64(writer, marks->bulk);
    cst_put_u8(writer, marks->mpi);
    cst_segment_end(writer, begin);
}

bool cst_get_marks(const uint8_t *bytes, size_t size,
                   struct cst_marks *ret_marks)
{
    struct cst_reader reader;
    uint8_t mpi;

    cst_reader_init(&reader, bytes, size);
    ret_marks->stream = cst_get_u64(&reader);
    ret_marks->bulk = cst_get_u64(&reader);
    mpi = cst_get_u8(&reader);
    ret_marks->mpi = mpi == 1;
    return cst_reader_done(&reader) && mpi <= 1;
}

void cst_put_bulk_head(struct cst_writer *writer, uint64_t number,
                       uint64_t payload_size, const void *header,
                       size_t header_size)
{
    cst_put_u64(writer, number);
    cst_put_u64(writer, payload_size);
    cst_put_bytes(writer, header, header_size);
}

bool cst_get_next_bulk_head(struct cst_reader *reader,
                            struct cst_bulk_head *ret_head)
{
    ret_head->number = cst_get_u64(reader);
    ret_head->payload_size = cst_get_u64(reader);
    ret_head->header = cst_get_bytes(reader, &ret_head->header_size);
    return !reader->bad && ret_head->payload_size > 0 &&
           ret_head->payload_size <= SIZE_MAX / 2 &&
           ret_head->header_size <= CST_NET_HEADER_MAX;
}

bool cst_get_bulk_head(const uint8_t *bytes, size_t size,
                       struct cst_bulk_head *ret_head)
{
    struct cst_reader reader;

    cst_reader_init(&reader, bytes, size);
    return cst_get_next_bulk_head(&reader, ret_head) &&
           cst_reader_done(&reader);
}

void cst_put_bell(struct cst_writer *writer, enum cst_segment type,
                  const struct cst_bell *bell)
{
    size_t begin = cst_segment_begin(writer, type);

    cst_put_u64(writer, bell->marks.stream);
    cst_put_u64(writer, bell->marks.bulk);
    cst_put_u64(writer, bell->batches);
    cst_segment_end(writer, begin);
}

bool cst_get_bell(const uint8_t *bytes, size_t size, struct cst_bell *ret_bell)
{
    struct cst_reader reader;

    cst_reader_init(&reader, bytes, size);
    ret_bell->marks.stream = cst_get_u64(&reader);
    ret_bell->marks.bulk = cst_get_u64(&reader);
    ret_bell->marks.mpi = false;
    ret_bell->batches = cst_get_u64(&reader);
    return cst_reader_done(&reader);
}

void cst_put_near(struct cst_writer *writer, const struct cst_near_text *text)
{
    size_t begin = cst_segment_begin(writer, CST_SEGMENT_NEAR);

    cst_put_u8(writer, text->near);
    cst_put_u8(writer, text->pulls);
    cst_put_u64(writer, text->address);
    cst_put_raw(writer, text->token, sizeof(text->token));
    cst_segment_end(writer, begin);
}

bool cst_get_near(const uint8_t *bytes, size_t size,
                  struct cst_near_text *ret_text)
{
    struct cst_reader reader;

    memset(ret_text, 0, sizeof(*ret_text));
    cst_reader_init(&reader, bytes, size);
    ret_text->near = cst_get_u8(&reader);
    ret_text->pulls = cst_get_u8(&reader) != 0;
    ret_text->address = cst_get_u64(&reader);
    if (cst_reader_left(&reader) == sizeof(ret_text->token))
        memcpy(ret_text->token, cst_get_raw(&reader, sizeof(ret_text->token)),
               sizeof(ret_text->token));
    return cst_reader_done(&reader) && ret_text->near >= CST_NEAR_OFFER &&
           ret_text->near <= CST_NEAR_GO;
}

void cst_put_pull(struct cst_writer *writer, const struct cst_pull *pull)
{
    size_t begin = cst_segment_begin(writer, CST_SEGMENT_PULL);
    const struct cst_bulk_head *head = &pull->head;

    cst_put_u64(writer, (uintptr_t)pull->from.base);
    cst_put_u64(writer, pull->from.size);
    cst_put_u64(writer, pull->from.rows);
    cst_put_u64(writer, pull->from.pitch);
    cst_put_bulk_head(writer, head->number, head->payload_size, head->header,
                      head->header_size);
    cst_segment_end(writer, begin);
}

bool cst_get_pull(const uint8_t *bytes, size_t size, struct cst_pull *ret_pull)
{
    struct cst_rows *from = &ret_pull->from;
    struct cst_reader reader;

    cst_reader_init(&reader, bytes, size);
    from->base = (void *)(uintptr_t)cst_get_u64(&reader); /* NOLINT */
    from->size = (size_t)cst_get_u64(&reader);
    from->rows = (size_t)cst_get_u64(&reader);
    from->pitch = (size_t)cst_get_u64(&reader);
    return cst_get_next_bulk_head(&reader, &ret_pull->head) &&
           cst_reader_done(&reader) && cst_rows_valid(from) &&
           cst_rows_bytes(from) == ret_pull->head.payload_size;
}

void cst_put_batch(struct cst_writer *writer, const struct cst_batch *batch)
{
    cst_put_u64(writer, batch->number);
    cst_put_u64(writer, batch->position);
    cst_put_u64(writer, batch->marks.stream);
    cst_put_u64(writer, batch->marks.bulk);
    cst_put_bytes(writer, batch->stream, batch->stream_size);
}

bool cst_get_batch(const uint8_t *bytes, size_t size,
                   struct cst_batch *ret_batch)
{
    struct cst_reader *reader = &ret_batch->rest;

    cst_reader_init(reader, bytes, size);
    ret_batch->number = cst_get_u64(reader);
    ret_batch->position = cst_get_u64(reader);
    ret_batch->marks.stream = cst_get_u64(reader);
    ret_batch->marks.bulk = cst_get_u64(reader);
    ret_batch->marks.mpi = false;
    ret_batch->stream = cst_get_bytes(reader, &ret_batch->stream_size);
    return !reader->bad;
}

void cst_print_where(const struct cst_where *where, char *text, size_t capacity)
{
    size_t size;
    int printed = snprintf(text, capacity,
                           "castell %d\nhost %" PRIx64 "\nport %" PRIu16 "\n",
                           CST_NET_VERSION, where->host, where->port);

    CST_ASSERT(printed > 0 && (size_t)printed < capacity);
    size = (size_t)printed;
    for (uint32_t i = 0; i < where->addresses_count; i++) {
        printed = snprintf(text + size, capacity - size, "address %s\n",
                           where->addresses[i]);
        CST_ASSERT(printed > 0 && (size_t)printed < capacity - size);
        size += (size_t)printed;
    }
}

/* `word`, a blank and a number, to the end of the line; moves behind it. */
static bool parse_line(const char **at, const char *word, int base,
                       uint64_t *ret_value)
{
    size_t length = strlen(word);
    char *end;

    if (strncmp(*at, word, length) != 0 || (*at)[length] != ' ')
        return false;
    *ret_value = strtoull(*at + length + 1, &end, base);
    if (end == *at + length + 1 || *end != '\n')
        return false;
    *at = end + 1;
    return true;
}

bool cst_parse_where(const char *text, struct cst_where *ret_where)
{
    static const char word[] = "address ";
    uint64_t version;
    uint64_t port;

    memset(ret_where, 0, sizeof(*ret_where));
    if (!parse_line(&text, "castell", 10, &version) ||
        version != CST_NET_VERSION ||
        !parse_line(&text, "host", 16, &ret_where->host) ||
        !parse_line(&text, "port", 10, &port) || port == 0 || port > UINT16_MAX)
        return false;
    ret_where->port = (uint16_t)port;
    while (strncmp(text, word, sizeof(word) - 1) == 0) {
        const char *from = text + sizeof(word) - 1;
        size_t length = strcspn(from, "\n");
        char *to;

        if (ret_where->addresses_count == CST_ADDRESSES_MAX ||
            length >= CST_ADDRESS_MAX || from[length] != '\n')
            return false;
        to = ret_where->addresses[ret_where->addresses_count++];
        memcpy(to, from, length);
        if (!cst_is_address(to))
            return false;
        text = from + length + 1;
    }
    return *text == '\0' && ret_where->addresses_count > 0;
}
