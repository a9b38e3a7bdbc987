// sources: runtime/conn/frames.c runtime/wire/wire.c runtime/base/rows.c runtime/base/memory.c runtime/base/fail.c
// libs: -lm
/*
 * net_fuzz.c - whatever comes over a connection is understood within its limits
 * or not at all; and what is understood is the same when it is said again.
 */
#include "base/fail.h"
#include "conn/frames.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was encoded again must be what came. */
static void same(struct cst_writer *writer, const uint8_t *data, size_t size)
{
    CST_ASSERT(!writer->bad && writer->size == CST_SEGMENT_PREFIX + size);
    CST_ASSERT(memcmp(writer->bytes + CST_SEGMENT_PREFIX, data, size) == 0);
    cst_writer_release(writer);
}

static void fuzz_control(const uint8_t *data, size_t size)
{
    struct cst_writer writer = {0};
    struct cst_shake_hello hello;
    struct cst_peer_text peer;
    struct cst_welcome welcome;
    struct cst_news_of news;

    if (cst_get_shake_hello(data, size, &hello) &&
        hello.version == CST_NET_VERSION) {
        cst_put_shake_hello(&writer, &hello);
        same(&writer, data, size);
    }
    if (cst_get_peer(data, size, &peer)) {
        CST_ASSERT(peer.where.addresses_count <= CST_ADDRESSES_MAX);
        CST_ASSERT(peer.hello >= data &&
                   peer.hello + peer.hello_size == data + size);
        cst_put_peer(&writer, CST_SEGMENT_PEER, &peer);
        same(&writer, data, size);
    }
    if (cst_get_welcome(data, size, &welcome)) {
        cst_put_welcome(&writer, &welcome);
        same(&writer, data, size);
    }
    if (cst_get_news(data, size, &news)) {
        CST_ASSERT(news.how <= CST_NET_DIED &&
                   strlen(news.why) < sizeof(news.why));
        cst_put_news(&writer, CST_SEGMENT_GONE, news.number, news.how,
                     news.why);
        CST_ASSERT(writer.size == CST_SEGMENT_PREFIX + size);
        cst_writer_release(&writer);
    }
}

static void fuzz_data(const uint8_t *data, size_t size)
{
    struct cst_writer writer = {0};
    struct cst_marks marks;
    struct cst_bulk_head head;

    if (cst_get_marks(data, size, &marks)) {
        cst_put_marks(&writer, CST_SEGMENT_ACK, &marks);
        same(&writer, data, size);
    }
    if (cst_get_bulk_head(data, size, &head)) {
        CST_ASSERT(head.header >= data &&
                   head.header + head.header_size == data + size);
        CST_ASSERT(head.header_size <= CST_NET_HEADER_MAX &&
                   head.payload_size > 0);
    }
}

static void fuzz_near(const uint8_t *data, size_t size)
{
    struct cst_near_text text;
    struct cst_pull pull;

    if (cst_get_near(data, size, &text))
        CST_ASSERT(text.near >= CST_NEAR_OFFER && text.near <= CST_NEAR_GO);
    if (cst_get_pull(data, size, &pull)) {
        CST_ASSERT(pull.head.header >= data &&
                   pull.head.header + pull.head.header_size == data + size);
        CST_ASSERT(cst_rows_valid(&pull.from) &&
                   cst_rows_bytes(&pull.from) == pull.head.payload_size);
    }
}

static void fuzz_mpi(const uint8_t *data, size_t size)
{
    struct cst_writer writer = {0};
    struct cst_bulk_head head;
    struct cst_bell bell;
    struct cst_batch batch;

    if (cst_get_bell(data, size, &bell)) {
        cst_put_bell(&writer, CST_SEGMENT_RING, &bell);
        same(&writer, data, size);
    }
    if (!cst_get_batch(data, size, &batch))
        return;
    CST_ASSERT(batch.stream >= data &&
               batch.stream_size <= (size_t)(data + size - batch.stream));
    cst_put_batch(&writer, &batch);
    while (cst_reader_left(&batch.rest) > 0 &&
           cst_get_next_bulk_head(&batch.rest, &head))
        cst_put_bulk_head(&writer, head.number, head.payload_size, head.header,
                          head.header_size);
    CST_ASSERT(!writer.bad && writer.size <= size);
    CST_ASSERT(memcmp(writer.bytes, data, writer.size) == 0);
    cst_writer_release(&writer);
}

static void fuzz_where(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    struct cst_where where;
    struct cst_where again;
    char printed[1024];

    if (!text)
        return;
    memcpy(text, data, size);
    text[size] = '\0';
    if (cst_parse_where(text, &where)) {
        cst_print_where(&where, printed, sizeof(printed));
        CST_ASSERT(cst_parse_where(printed, &again));
        CST_ASSERT(memcmp(&where, &again, sizeof(where)) == 0);
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t length;
    uint8_t type;

    if (cst_segment_find(data, size, CST_CONTROL_MAX, &type, &length) == 1)
        CST_ASSERT(type > 0 && type <= CST_SEGMENT_PULL &&
                   length <= size - CST_SEGMENT_PREFIX);
    fuzz_control(data, size);
    fuzz_data(data, size);
    fuzz_near(data, size);
    fuzz_mpi(data, size);
    fuzz_where(data, size);
    return 0;
}
