/* tcp.c - carry a link over its TCP connection. */
#include "base/fail.h"
#include "base/thread.h"
#include "link/link.h"
#include "link/mpi.h"
#include "link/near.h"

#include <errno.h>
#include <sys/socket.h>

enum {
    CST_BURST_STREAM = 128 << 10,
    CST_BURST_BULK = 512 << 10,
    CST_PUSH_MAX = 4 << 20, /* bytes by one push, or one read, of one link */
    CST_READ_COUNTS = 16 << 10, /* a read of small things, against the above */
    CST_ACK_EVERY = 64 << 10,   /* bytes of stream */
};

/* ---- Write -------------------------------------------------------------------- */

static bool burst_is_done(const struct cst_burst *burst)
{
    return burst->first_done == burst->first.size &&
           burst->second_done == burst->second.size &&
           burst->stream_from == burst->stream_to &&
           burst->bulk_from == burst->bulk_to;
}

/* What the link has to send, where this pair uses TCP for it. */
static void add_messages(struct cst_link *link, struct cst_burst *burst)
{
    struct cst_stream *out = &link->out;
    struct cst_bulk_out *bulk = link->bulk_next;

    if (out->sent < out->end) {
        uint64_t to = cst_stream_cut(out, out->sent, CST_BURST_STREAM);

        cst_put_u32(&burst->first, CST_SEGMENT_STREAM);
        cst_put_u32(&burst->first, (uint32_t)(8 + to - out->sent));
        cst_put_u64(&burst->first, out->sent);
        burst->stream_from = out->sent;
        burst->stream_to = to;
        out->sent = to;
    }
    if (!bulk)
        return;
    if (link->conn->pulls && link->conn->writes_pipe && !link->bulk_headed) {
        cst_pull_put(link, &burst->second);
        return;
    }
    if (!link->bulk_headed) {
        size_t begin = cst_segment_begin(&burst->second, CST_SEGMENT_BULK);

        cst_put_bulk_head(&burst->second, bulk->number, bulk->size,
                          bulk->header, bulk->header_size);
        cst_segment_end(&burst->second, begin);
        link->bulk_headed = true;
    }
    burst->bulk_from = link->bulk_offset;
    burst->bulk_to = bulk->size - link->bulk_offset > CST_BURST_BULK
                         ? link->bulk_offset + CST_BURST_BULK
                         : bulk->size;
    cst_put_u32(&burst->second, CST_SEGMENT_DATA);
    cst_put_u32(&burst->second, (uint32_t)(burst->bulk_to - burst->bulk_from));
}

static void acknowledge(struct cst_link *link, struct cst_conn *conn)
{
    struct cst_marks marks;

    if (!link->probed &&
        (link->carrier != &cst_tcp_carrier ||
         (link->bulk_in == link->bulk_told &&
          link->stream_in - link->stream_told < CST_ACK_EVERY)))
        return;
    marks = cst_link_marks(link);
    cst_put_marks(&conn->out, CST_SEGMENT_ACK, &marks);
}

/* What to write next, or false: nothing. */
static bool fill_burst(struct cst_link *link, struct cst_conn *conn)
{
    struct cst_burst *burst = &conn->burst;
    struct cst_writer empty = burst->first;

    if (conn->linked)
        acknowledge(link, conn);
    burst->first = conn->out;
    burst->first_done = conn->out_done;
    conn->out_done = 0;
    cst_writer_clear(&empty);
    conn->out = empty;
    cst_writer_clear(&burst->second);
    burst->second_done = 0;
    burst->bulk_from = burst->bulk_to = 0;
    burst->stream_from = burst->stream_to = 0;
    if (conn->linked && link->carrier == &cst_tcp_carrier)
        add_messages(link, burst);
    if (conn->linked && link->probes && burst_is_done(burst)) {
        link->probes = false;
        cst_segment_empty(&burst->first, CST_SEGMENT_PROBE);
    }
    return !burst_is_done(burst);
}

/* The pieces of memory that make up what is left of a burst. */
static int burst_pieces(const struct cst_links *links,
                        const struct cst_link *link,
                        const struct cst_burst *burst)
{
    struct iovec *pieces = links->iovecs;
    int count = 0;
    size_t size;

    if (burst->first_done < burst->first.size)
        pieces[count++] = (struct iovec){burst->first.bytes + burst->first_done,
                                         burst->first.size - burst->first_done};
    if (burst->stream_from < burst->stream_to)
        pieces[count++] =
            (struct iovec){cst_stream_at(&link->out, burst->stream_from),
                           (size_t)(burst->stream_to - burst->stream_from)};
    if (burst->second_done < burst->second.size)
        pieces[count++] =
            (struct iovec){burst->second.bytes + burst->second_done,
                           burst->second.size - burst->second_done};
    if (burst->bulk_from < burst->bulk_to)
        count += cst_rows_pieces(&link->bulk_next->from, burst->bulk_from,
                                 burst->bulk_to, pieces + count,
                                 CST_IOVECS_MAX - count, &size);
    return count;
}

static size_t take(size_t *put, size_t left)
{
    size_t taken = *put < left ? *put : left;

    *put -= taken;
    return taken;
}

/* So many bytes of it are written. */
static void advance(struct cst_link *link, struct cst_burst *burst, size_t put)
{
    size_t bulk;

    burst->first_done += take(&put, burst->first.size - burst->first_done);
    burst->stream_from +=
        take(&put, (size_t)(burst->stream_to - burst->stream_from));
    burst->second_done += take(&put, burst->second.size - burst->second_done);
    bulk = take(&put, burst->bulk_to - burst->bulk_from);
    if (bulk == 0)
        return;
    burst->bulk_from += bulk;
    link->bulk_offset += bulk;
    if (link->bulk_offset == link->bulk_next->size) {
        link->bulk_next = link->bulk_next->next;
        link->bulk_offset = 0;
        link->bulk_headed = false;
        burst->bulk_from = burst->bulk_to = 0;
    }
}

/* Say something of shared memory; false: nothing more can be said now. */
static bool say(struct cst_links *links, struct cst_conn *conn)
{
    int said = cst_near_say(links, conn);

    if (said == 0)
        cst_conn_want_write(&links->conns, conn, true);
    else if (said < 0)
        cst_connect_broken(links, conn);
    return said > 0;
}

void cst_tcp_push(struct cst_links *links, struct cst_link *link)
{
    struct cst_conn *conn = link->conn;
    struct cst_burst *burst = &conn->burst;
    size_t all = 0;

    while (all < CST_PUSH_MAX) {
        struct msghdr message = {.msg_iov = links->iovecs};
        ssize_t put;

        if (burst_is_done(burst) && conn->say && !say(links, conn))
            return;
        if (burst_is_done(burst) && !fill_burst(link, conn)) {
            cst_conn_want_write(&links->conns, conn, false);
            return;
        }
        if (burst->first.bad || burst->second.bad || conn->out.bad) {
            cst_conns_why(&links->conns, "no memory to write to %s", conn->who);
            cst_connect_broken(links, conn);
            return;
        }
        message.msg_iovlen = (size_t)burst_pieces(links, link, burst);
        put = conn->writes_pipe ? cst_shm_write(conn->pipe, message.msg_iov,
                                                (int)message.msg_iovlen)
                                : sendmsg(conn->fd, &message, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0 && errno == EAGAIN)
            break;
        if (put < 0) {
            cst_conns_why(&links->conns, "its connection broke: %s",
                          cst_reason(errno));
            cst_connect_broken(links, conn);
            return;
        }
        advance(link, burst, (size_t)put);
        all += (size_t)put;
    }
    if (!conn->writes_pipe) {
        cst_conn_want_write(&links->conns, conn, true);
        return;
    }
    conn->blocked = true; /* until there is room: then there is mail */
    if (all >= CST_PUSH_MAX)
        cst_shm_box_put(links->box);
}

const struct cst_carrier cst_tcp_carrier = {
    .name = "tcp",
    .push = cst_tcp_push,
};

/* ---- Read ---------------------------------------------------------------------- */

/* Payload that came along with other things: from `in` to where it belongs. */
static void copy_payload(struct cst_links *links, struct cst_conn *conn,
                         struct cst_bulk_in *bulk)
{
    size_t size = conn->in_end - conn->in_begin;

    if (size > conn->data_left)
        size = conn->data_left;
    conn->data_left -= (uint32_t)size;
    while (size > 0) {
        size_t part = size;
        int count = 0;

        if (bulk->wanted)
            count = cst_rows_pieces(&bulk->into, bulk->received,
                                    bulk->received + size, links->iovecs,
                                    CST_IOVECS_MAX, &part);
        for (int i = 0; i < count; i++) {
            memcpy(links->iovecs[i].iov_base, conn->in + conn->in_begin,
                   links->iovecs[i].iov_len);
            conn->in_begin += links->iovecs[i].iov_len;
        }
        if (!bulk->wanted)
            conn->in_begin += part;
        bulk->received += part;
        size -= part;
    }
}

/* Read payload straight to where it belongs. As cst_conn_read(). */
static int read_payload(struct cst_links *links, struct cst_conn *conn,
                        struct cst_bulk_in *bulk)
{
    struct msghdr message = {.msg_iov = links->iovecs};
    size_t size = conn->data_left;
    ssize_t got;

    if (bulk->wanted) {
        message.msg_iovlen = (size_t)cst_rows_pieces(
            &bulk->into, bulk->received, bulk->received + size, links->iovecs,
            CST_IOVECS_MAX, &size);
    } else {
        size = size < CST_WASTE_SIZE ? size : CST_WASTE_SIZE;
        links->iovecs[0] = (struct iovec){links->waste, size};
        message.msg_iovlen = 1;
    }
    got = conn->reads_pipe ? cst_shm_read(conn->pipe, message.msg_iov,
                                          (int)message.msg_iovlen)
                           : recvmsg(conn->fd, &message, 0);
    if (got > 0) {
        bulk->received += (size_t)got;
        conn->data_left -= (uint32_t)got;
    }
    return cst_conn_received(&links->conns, conn, got);
}

/* A segment that is whole. */
static bool take_segment(struct cst_links *links, struct cst_conn *conn,
                         uint8_t type, const uint8_t *body, uint32_t size)
{
    struct cst_link *link = conn->peer->link;
    struct cst_bulk_head head;
    struct cst_news_of news;
    struct cst_marks marks;

    switch (type) {
    case CST_SEGMENT_LINK:
        return cst_get_marks(body, size, &marks) &&
               cst_connect_linked(links, conn, &marks);
    case CST_SEGMENT_ACK:
        cst_mpi_answered(link);
        return conn->linked && cst_get_marks(body, size, &marks) &&
               cst_link_acknowledge(links, link, &marks);
    case CST_SEGMENT_CLOSED:
        return cst_get_marks(body, size, &marks) &&
               cst_mpi_closed(links, link, &marks);
    case CST_SEGMENT_SLEEP:
    case CST_SEGMENT_RING:
        return cst_mpi_bell(links, link, type, body, size);
    case CST_SEGMENT_PULL:
        return cst_pull_take(links, conn, body, size);
    case CST_SEGMENT_NEAR:
        return cst_near_take(links, conn, body, size);
    case CST_SEGMENT_PROBE:
        link->probed = true;
        cst_link_touch(links, link);
        return true;
    case CST_SEGMENT_BULK:
        return cst_get_bulk_head(body, size, &head) &&
               head.number == link->bulk_in &&
               cst_link_bulk_begin(links, link, &head);
    case CST_SEGMENT_REFUSED:
        if (cst_get_news(body, size, &news))
            cst_conns_why(&links->conns, "process %u refused: %s",
                          conn->peer->number, news.why);
        return false;
    default:
        return false;
    }
}

/* The beginning of a segment of which the rest is taken as it comes. Returns
   as cst_conn_segment(). */
static int begin_segment(struct cst_links *links, struct cst_conn *conn)
{
    struct cst_link *link = conn->peer->link;
    const uint8_t *at = conn->in + conn->in_begin;
    size_t size = conn->in_end - conn->in_begin;
    uint32_t type;
    uint32_t length;

    if (size < CST_SEGMENT_PREFIX)
        return 0;
    type = cst_load_u32(at);
    length = cst_load_u32(at + 4);
    if (type == CST_SEGMENT_DATA) {
        struct cst_bulk_in *bulk = cst_link_bulk_expected(link);

        if (!bulk->active || length == 0 ||
            bulk->size - bulk->received < length)
            return -1;
        conn->data_left = length;
        conn->in_begin += CST_SEGMENT_PREFIX;
        return 1;
    }
    if (size < CST_SEGMENT_PREFIX + 8)
        return 0;
    if (type != CST_SEGMENT_STREAM || length <= 8 || length > CST_SEGMENT_MAX ||
        cst_load_u64(at + CST_SEGMENT_PREFIX) != link->stream_in)
        return -1;
    conn->segment_left = length - 8;
    conn->in_begin += CST_SEGMENT_PREFIX + 8;
    return 1;
}

/* A piece of a STREAM segment. Returns as cst_conn_segment(). */
static int take_stream(struct cst_links *links, struct cst_conn *conn)
{
    struct cst_link *link = conn->peer->link;
    size_t size = conn->in_end - conn->in_begin;
    bool whole = size >= conn->segment_left;
    size_t used;

    if (whole)
        size = conn->segment_left;
    if (!cst_link_deliver(links, link, conn->in + conn->in_begin, size, &used))
        return -1;
    conn->in_begin += used;
    conn->segment_left -= (uint32_t)used;
    if (whole && conn->segment_left > 0)
        return -1; /* a message that goes beyond its segment */
    if (link->stream_in - link->stream_told >= CST_ACK_EVERY)
        cst_link_touch(links, link);
    return used > 0;
}

/* Understand what has come. False when it makes no sense. */
static bool parse(struct cst_links *links, struct cst_conn *conn)
{
    int taken = 1;

    while (taken > 0 && conn->what == CST_CONN_DATA) {
        struct cst_link *link = conn->peer->link;
        const uint8_t *body;
        uint32_t size;
        uint8_t type;

        if (conn->data_left > 0) {
            struct cst_bulk_in *bulk = cst_link_bulk_expected(link);

            copy_payload(links, conn, bulk);
            if (conn->data_left > 0)
                return true;
            if (bulk->received == bulk->size)
                cst_link_bulk_arrived(links, link, bulk);
        } else if (conn->segment_left > 0) {
            taken = take_stream(links, conn);
        } else if (conn->in_end > conn->in_begin &&
                   (conn->in[conn->in_begin] == CST_SEGMENT_DATA ||
                    conn->in[conn->in_begin] == CST_SEGMENT_STREAM)) {
            taken = begin_segment(links, conn);
        } else {
            taken = cst_conn_segment(&links->conns, conn, CST_CONTROL_MAX,
                                     &type, &body, &size);
            if (taken > 0 && !take_segment(links, conn, type, body, size))
                taken = -1;
        }
    }
    return taken >= 0;
}

void cst_tcp_read(struct cst_links *links, struct cst_conn *conn)
{
    struct cst_link *link = conn->peer->link;
    struct cst_bulk_in *bulk;
    size_t all = 0;
    int got = 1;

    for (;;) {
        *links->conns.why = '\0';
        if (!parse(links, conn)) {
            if (!*links->conns.why)
                cst_conns_why(&links->conns, "process %u sent garbage",
                              conn->peer->number);
            got = -1;
            break;
        }
        if (conn->what != CST_CONN_DATA)
            return;
        if (got > 0 && all >= CST_PUSH_MAX && conn->reads_pipe)
            cst_shm_box_put(links->box);
        if (got <= 0 || all >= CST_PUSH_MAX)
            break;
        if (conn->data_left == 0) {
            got = cst_conn_read(&links->conns, conn);
            all += CST_READ_COUNTS;
            continue;
        }
        bulk = cst_link_bulk_expected(link);
        all += conn->data_left;
        got = read_payload(links, conn, bulk);
        if (bulk->received == bulk->size)
            cst_link_bulk_arrived(links, link, bulk);
    }
    if (got >= 0 && conn->reach && !cst_pull_go(links, conn))
        got = -1;
    if (got < 0)
        cst_connect_broken(links, conn);
}
