/* link.c - what a pair of processes has said to each other, and not yet heard. */
#include "link/link.h"

#include "base/fail.h"
#include "base/memory.h"
#include "link/mpi.h"

enum {
    CST_STREAM_MIN = 4 << 10,
    CST_STREAM_KEPT = 1 << 20, /* an empty stream keeps no more memory */
    CST_RECORD_PREFIX = 4,
};

struct cst_link *cst_link_get(struct cst_peer *peer)
{
    struct cst_link *link = peer->link;

    if (link)
        return link;
    link = cst_zalloc(sizeof(*link));
    if (!link)
        return NULL;
    link->peer = peer;
    peer->link = link;
    return link;
}

static void undirty(struct cst_links *links, struct cst_link *link)
{
    struct cst_link **at = &links->dirty;

    if (!link->dirty)
        return;
    while (*at != link)
        at = &(*at)->next_dirty;
    *at = link->next_dirty;
    link->dirty = false;
}

void cst_link_destroy(struct cst_links *links, struct cst_link *link)
{
    const struct cst_net_owner *owner = &links->net.owner;
    uint32_t number = link->peer->number;

    undirty(links, link);
    cst_mpi_detach(links, link);
    if (link->conn)
        cst_conn_close(&links->conns, link->conn);
    if (link->attempt)
        cst_conn_close(&links->conns, link->attempt);
    link->peer->counts = link->counts;
    link->peer->counts.unacknowledged = 0;
    link->peer->link = NULL;
    for (unsigned int i = 0; i < CST_BULK_WINDOW; i++) {
        struct cst_bulk_in *in = &link->window[i];

        if (in->active && in->wanted && !links->over)
            owner->dropped(owner->owner, number, &in->into);
        cst_free(in->header);
    }
    while (link->bulk_first) {
        struct cst_bulk_out *bulk = link->bulk_first;

        link->bulk_first = bulk->next;
        if (!cst_mpi_leave_ghost(links, number, bulk, false) && !links->over)
            owner->sent(owner->owner, number, bulk->cookie, false);
        cst_free(bulk);
    }
    cst_free(link->out.bytes);
    cst_free(link);
}

/* ---- Out -------------------------------------------------------------------- */

/* Room for `more` bytes at the end of the stream. */
static bool stream_room(struct cst_stream *stream, size_t more)
{
    size_t used = (size_t)(stream->end - stream->acked);
    size_t capacity = stream->capacity;
    uint8_t *bytes;

    if (stream->begin + used + more <= capacity)
        return true;
    if (used + more <= capacity / 2) {
        memmove(stream->bytes, stream->bytes + stream->begin, used);
        stream->begin = 0;
        return true;
    }
    if (capacity < CST_STREAM_MIN)
        capacity = CST_STREAM_MIN;
    while (capacity < used + more)
        capacity *= 2;
    bytes = cst_alloc(capacity);
    if (!bytes)
        return false;
    if (used)
        memcpy(bytes, stream->bytes + stream->begin, used);
    cst_free(stream->bytes);
    stream->bytes = bytes;
    stream->capacity = capacity;
    stream->begin = 0;
    return true;
}

static enum castell_status send_bulk(struct cst_link *link, const void *header,
                                     size_t header_size,
                                     const struct cst_net_payload *payload)
{
    struct cst_bulk_out *bulk = cst_alloc(sizeof(*bulk) + header_size);

    if (!bulk)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a message");
    bulk->next = NULL;
    bulk->number = link->bulk_numbers++;
    bulk->from = payload->from;
    bulk->size = cst_rows_bytes(&payload->from);
    bulk->cookie = payload->cookie;
    bulk->transfer = NULL;
    bulk->ghost = NULL;
    bulk->header_size = header_size;
    if (header_size)
        memcpy(bulk->header, header, header_size);
    if (link->bulk_first)
        link->bulk_last->next = bulk;
    else
        link->bulk_first = bulk;
    link->bulk_last = bulk;
    if (!link->bulk_next) {
        link->bulk_next = bulk;
        link->bulk_offset = 0;
        link->bulk_headed = false;
    }
    link->counts.bytes_sent += bulk->size;
    return CASTELL_OK;
}

enum castell_status cst_link_send(struct cst_links *links,
                                  struct cst_link *link, const void *header,
                                  size_t header_size,
                                  const struct cst_net_payload *payload)
{
    struct cst_stream *out = &link->out;
    enum castell_status status;
    uint8_t *room;

    if (payload) {
        status = send_bulk(link, header, header_size, payload);
        if (status)
            return status;
    } else {
        if (!stream_room(out, CST_RECORD_PREFIX + header_size))
            return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a message");
        room = cst_stream_at(out, out->end);
        cst_store_u32(room, (uint32_t)header_size);
        if (header_size)
            memcpy(room + CST_RECORD_PREFIX, header, header_size);
        out->end += CST_RECORD_PREFIX + header_size;
    }
    link->counts.messages_sent++;
    link->counts.bytes_sent += header_size;
    cst_link_touch(links, link);
    return CASTELL_OK;
}

uint64_t cst_stream_cut(const struct cst_stream *stream, uint64_t from,
                        size_t max)
{
    uint64_t to = from;

    if (stream->end - from <= max)
        return stream->end;
    while (to < stream->end) {
        uint32_t size = cst_load_u32(cst_stream_at(stream, to));
        uint64_t behind = to + CST_RECORD_PREFIX + size;

        if (behind - from > max && to > from)
            break;
        to = behind;
    }
    return to;
}

bool cst_link_busy(const struct cst_link *link)
{
    return link->out.acked < link->out.end || link->bulk_first;
}

void cst_link_touch(struct cst_links *links, struct cst_link *link)
{
    if (link->dirty)
        return;
    link->dirty = true;
    link->next_dirty = links->dirty;
    links->dirty = link;
}

void cst_link_push_all(struct cst_links *links)
{
    struct cst_link *link = links->dirty;

    links->dirty = NULL;
    while (link) {
        struct cst_link *next = link->next_dirty;

        link->dirty = false;
        if (link->carrier)
            link->carrier->push(links, link);
        else
            cst_connect_want(links, link);
        link = next;
    }
}

struct cst_marks cst_link_marks(struct cst_link *link)
{
    link->stream_told = link->stream_in;
    link->bulk_told = link->bulk_in;
    link->probed = false;
    return (struct cst_marks){.stream = link->stream_in, .bulk = link->bulk_in};
}

bool cst_link_acknowledge(struct cst_links *links, struct cst_link *link,
                          const struct cst_marks *marks)
{
    const struct cst_net_owner *owner = &links->net.owner;
    struct cst_stream *out = &link->out;
    uint32_t number = link->peer->number;

    if (marks->stream > out->sent ||
        marks->bulk >
            (link->bulk_next ? link->bulk_next->number : link->bulk_numbers)) {
        cst_conns_why(&links->conns,
                      "process %u acknowledges what it was not sent", number);
        return false;
    }
    /* Marks that come by different ways may overtake each other. */
    if (marks->stream > out->acked) {
        out->begin += (size_t)(marks->stream - out->acked);
        out->acked = marks->stream;
        cst_mpi_moved(links, link);
    }
    if (out->acked == out->end) {
        out->begin = 0;
        if (out->capacity > CST_STREAM_KEPT) {
            cst_free(out->bytes);
            out->bytes = NULL;
            out->capacity = 0;
        }
    }
    while (link->bulk_first && link->bulk_first->number < marks->bulk) {
        struct cst_bulk_out *bulk = link->bulk_first;

        link->bulk_first = bulk->next;
        cst_mpi_moved(links, link);
        if (bulk->transfer) {
            bulk->transfer->bulk = NULL; /* sent() when MPI says so too */
        } else if (!cst_mpi_leave_ghost(links, number, bulk, true)) {
            links->net.told++;
            owner->sent(owner->owner, number, bulk->cookie, true);
        }
        cst_free(bulk);
    }
    if ((link->mpi || (link->conn && link->conn->pulls)) &&
        (out->sent < out->end || link->bulk_next))
        cst_link_touch(links, link);
    if (links->leaves && cst_link_busy(link)) {
        link->probes = true;
        cst_link_touch(links, link);
    } else if (links->leaves) {
        links->hooks->settled(links);
    }
    return true;
}

void cst_link_rewind(struct cst_link *link)
{
    link->out.sent = link->out.acked;
    link->bulk_next = link->bulk_first;
    link->bulk_offset = 0;
    link->bulk_headed = false;
}

/* ---- In ---------------------------------------------------------------------- */

bool cst_link_deliver(struct cst_links *links, struct cst_link *link,
                      const uint8_t *bytes, size_t size, size_t *ret_used)
{
    const struct cst_net_owner *owner = &links->net.owner;
    const struct cst_peer *peer = link->peer;
    size_t used = 0;

    *ret_used = 0;
    while (size - used >= CST_RECORD_PREFIX) {
        uint32_t header_size = cst_load_u32(bytes + used);
        const uint8_t *header = bytes + used + CST_RECORD_PREFIX;

        if (header_size > CST_NET_HEADER_MAX) {
            cst_conns_why(&links->conns, "process %u sent garbage",
                          peer->number);
            return false;
        }
        if (size - used - CST_RECORD_PREFIX < header_size)
            break;
        used += CST_RECORD_PREFIX + header_size;
        *ret_used = used;
        link->stream_in += CST_RECORD_PREFIX + header_size;
        link->counts.messages_received++;
        link->counts.bytes_received += header_size;
        links->net.told++;
        owner->message(owner->owner, peer->number, header, header_size, NULL);
    }
    return true;
}

struct cst_bulk_in *cst_link_bulk_begin(struct cst_links *links,
                                        struct cst_link *link,
                                        const struct cst_bulk_head *head)
{
    const struct cst_net_owner *owner = &links->net.owner;
    struct cst_bulk_in *in = &link->window[head->number % CST_BULK_WINDOW];

    if (head->number - link->bulk_in >= CST_BULK_WINDOW ||
        (in->active && in->size != head->payload_size)) {
        cst_conns_why(&links->conns, "process %u sent garbage",
                      link->peer->number);
        return NULL;
    }
    in->received = 0;
    in->arrived = false;
    in->pulls = false;
    if (in->active)
        return in;
    in->header = cst_alloc(head->header_size ? head->header_size : 1);
    if (!in->header) {
        cst_conns_why(&links->conns, "no memory for a message");
        return NULL;
    }
    if (head->header_size)
        memcpy(in->header, head->header, head->header_size);
    in->header_size = head->header_size;
    in->size = (size_t)head->payload_size;
    in->arrived = false;
    in->active = true;
    links->net.told++;
    in->wanted =
        owner->payload_into(owner->owner, link->peer->number, in->header,
                            in->header_size, in->size, &in->into);
    CST_ASSERT(!in->wanted || (cst_rows_valid(&in->into) &&
                               cst_rows_bytes(&in->into) == in->size));
    return in;
}

void cst_link_bulk_arrived(struct cst_links *links, struct cst_link *link,
                           struct cst_bulk_in *in)
{
    const struct cst_net_owner *owner = &links->net.owner;
    const struct cst_peer *peer = link->peer;

    in->arrived = true;
    for (;;) {
        struct cst_bulk_in now;

        in = cst_link_bulk_expected(link);
        if (!in->active || !in->arrived)
            break;
        now = *in;
        memset(in, 0, sizeof(*in));
        link->bulk_in++;
        link->counts.messages_received++;
        link->counts.bytes_received += now.header_size + now.size;
        cst_link_touch(links, link);
        links->net.told++;
        owner->message(owner->owner, peer->number, now.header, now.header_size,
                       now.wanted ? &now.into : NULL);
        cst_free(now.header);
    }
}

int cst_rows_pieces(const struct cst_rows *rows, size_t from, size_t to,
                    struct iovec *pieces, int max, size_t *ret_size)
{
    size_t begin = from;
    int count = 0;

    if (rows->rows <= 1) {
        pieces[0] = (struct iovec){(char *)rows->base + from, to - from};
        *ret_size = to - from;
        return 1;
    }
    while (from < to && count < max) {
        size_t row = from / rows->size;
        size_t at = from % rows->size;
        size_t size = rows->size - at;

        if (size > to - from)
            size = to - from;
        pieces[count++] =
            (struct iovec){(char *)rows->base + row * rows->pitch + at, size};
        from += size;
    }
    *ret_size = from - begin;
    return count;
}
