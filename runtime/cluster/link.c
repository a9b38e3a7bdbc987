/* The owner of the net: what comes is an order, a report or data. */
#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "cluster/cluster_internal.h"
#include "trace/trace.h"

#include <stdio.h>
#include <string.h>

/* ---- Sending ------------------------------------------------------------- */

static void send_part(struct cst_cluster *cluster, uint32_t to,
                      const uint8_t *bytes, size_t size, bool last)
{
    struct cst_writer *part = &cluster->part;

    cst_writer_clear(part);
    cst_put_u8(part, CST_MESSAGE_PART);
    cst_put_u8(part, last);
    cst_put_raw(part, bytes, size);
    /* Who is not there any more is heard of in other ways. */
    if (!part->bad)
        (void)!cst_net_send(cluster->net, to, part->bytes, part->size, NULL);
}

void cst_cluster_send(struct cst_cluster *cluster, uint32_t to)
{
    const struct cst_writer *out = &cluster->out;
    size_t sent = 0;

    if (out->bad) {
        cst_engine_fail(cluster->engine, CASTELL_ERR_NO_MEMORY,
                        "no memory for a message to another node");
        return;
    }
    if (out->size <= CST_MESSAGE_PART_MAX) {
        (void)!cst_net_send(cluster->net, to, out->bytes, out->size, NULL);
        return;
    }
    while (sent < out->size) {
        size_t size = out->size - sent;

        if (size > CST_MESSAGE_PART_MAX)
            size = CST_MESSAGE_PART_MAX;
        send_part(cluster, to, out->bytes + sent, size,
                  sent + size == out->size);
        sent += size;
    }
}

void cst_cluster_report(struct cst_cluster *cluster, enum cst_message what,
                        uint64_t first, uint64_t second)
{
    struct cst_writer *out = cst_begin(cluster, what);

    cst_put_varint(out, first);
    cst_put_varint(out, second);
    cst_cluster_send(cluster, CST_NET_MASTER);
}

void cst_cluster_note_unsent(struct cst_cluster *cluster, uint64_t version)
{
    if (cluster->unsent_count == cluster->unsent_max) {
        size_t max = cluster->unsent_max ? 2 * cluster->unsent_max : 16;
        uint64_t *unsent =
            cst_realloc(cluster->unsent, max * sizeof(*cluster->unsent));

        if (!unsent)
            return; /* its memory is not reused; no more than that */
        cluster->unsent = unsent;
        cluster->unsent_max = max;
    }
    cluster->unsent[cluster->unsent_count++] = version;
}

/* A few bytes are copied: with others in one write, and acknowledged with them. */
static void send_small(struct cst_cluster *cluster, uint32_t to,
                       const struct cst_rows *rows)
{
    struct cst_writer *out = &cluster->out;
    size_t count = rows->rows > 0 ? rows->rows : 1;

    for (size_t i = 0; i < count; i++)
        cst_put_raw(out, (const char *)rows->base + i * rows->pitch,
                    rows->size);
    if (!out->bad)
        out->bytes[0] = CST_MESSAGE_SMALL;
    cst_cluster_send(cluster, to);
}

void cst_cluster_send_payload(struct cst_cluster *cluster, uint32_t to,
                              const struct cst_rows *rows, uint64_t version)
{
    struct cst_net_payload payload = {*rows,
                                      (void *)(uintptr_t)version}; /* NOLINT */

    cluster->went++;
    cluster->went_bytes += cst_rows_bytes(rows);
    if (cst_rows_bytes(rows) <= CST_MESSAGE_SMALL_MAX) {
        send_small(cluster, to, rows);
        cst_cluster_note_unsent(cluster, version);
        return;
    }
    if (cluster->out.bad ||
        cst_net_send(cluster->net, to, cluster->out.bytes, cluster->out.size,
                     &payload) != CASTELL_OK)
        cst_cluster_note_unsent(cluster, version);
}

/* ---- What comes ---------------------------------------------------------- */

static bool get_data(const void *header, size_t size,
                     struct cst_piece *ret_piece)
{
    struct cst_region nothing = {1, 1, 1, 1};
    struct cst_reader reader;
    bool mark;

    cst_reader_init(&reader, header, size);
    if (cst_get_u8(&reader) != CST_MESSAGE_DATA)
        return false;
    cst_get_piece(&reader, &nothing, ret_piece, &mark);
    return cst_reader_done(&reader);
}

static bool is_by_mpi(const struct cst_cluster *cluster, uint32_t peer)
{
    struct cst_net_counts counts;

    return cst_net_counts(cluster->net, peer, &counts) &&
           strcmp(counts.carrier, "mpi") == 0;
}

void cst_cluster_tell_not_come(struct cst_cluster *cluster, uint64_t version)
{
    if (cluster->is_master)
        cst_master_not_come(cluster, 0, version);
    else
        cst_cluster_report(cluster, CST_MESSAGE_NOT_COME, version, 0);
}

/* What MPI was to bring from a node that is gone, or brings another way now, may
   be on its way for ever. version 0: all. */
static void abandon(struct cst_cluster *cluster, uint32_t peer,
                    uint64_t version)
{
    struct cst_incoming **link = &cluster->incoming;

    while (*link) {
        struct cst_incoming *incoming = *link;

        if (incoming->peer != peer || !incoming->by_mpi ||
            (version != 0 && incoming->version != version)) {
            link = &incoming->next;
            continue;
        }
        *link = incoming->next;
        /* One that comes again right now is not waited for. */
        if (cst_store_abandon(cluster->store, incoming->version) &&
            version == 0)
            cst_cluster_tell_not_come(cluster, incoming->version);
        cst_free(incoming);
    }
}

static bool payload_into(void *owner, uint32_t peer, const void *header,
                         size_t header_size, size_t payload_size,
                         struct cst_rows *ret_into)
{
    struct cst_cluster *cluster = owner;
    struct cst_incoming *incoming;
    struct cst_piece piece;
    bool by_mpi;

    if (!get_data(header, header_size, &piece) ||
        cst_region_bytes(&piece.region) != payload_size)
        return false;
    incoming = cst_alloc(sizeof(*incoming));
    if (!incoming)
        return false;
    cst_node_catch_up(cluster);
    by_mpi = is_by_mpi(cluster, peer);
    abandon(cluster, peer, piece.version);
    if (!cst_store_receive(cluster->store, &piece, !by_mpi, ret_into)) {
        cst_free(incoming);
        return false;
    }
    *incoming = (struct cst_incoming){
        cluster->incoming, ret_into->base, piece.version, cst_clock_ns(),
        payload_size,      peer,           by_mpi};
    cluster->incoming = incoming;
    return true;
}

/* Forget what is coming there; returns false when nothing was. */
static bool take_incoming(struct cst_cluster *cluster, const void *base,
                          struct cst_incoming *ret_incoming)
{
    struct cst_incoming **link = &cluster->incoming;
    struct cst_incoming *found;

    while (*link && (*link)->base != base)
        link = &(*link)->next;
    found = *link;
    if (!found)
        return false;
    *link = found->next;
    *ret_incoming = *found;
    cst_free(found);
    return true;
}

static void dropped(void *owner, uint32_t peer, const struct cst_rows *into)
{
    struct cst_cluster *cluster = owner;
    struct cst_incoming incoming;

    (void)peer;
    if (take_incoming(cluster, into->base, &incoming) &&
        cst_store_received(cluster->store, incoming.version, false))
        cst_cluster_tell_not_come(cluster, incoming.version);
}

static void sent(void *owner, uint32_t peer, void *cookie, bool arrived)
{
    cst_store_sent(((struct cst_cluster *)owner)->store, (uintptr_t)cookie,
                   true);
}

static void haunted(void *owner, uint32_t peer, void *cookie, bool arrived)
{
    cst_store_sent(((struct cst_cluster *)owner)->store, (uintptr_t)cookie,
                   false);
}

void cst_cluster_tell_arrived(struct cst_cluster *cluster, uint64_t version,
                              uint64_t duration_ns)
{
    if (cluster->is_master)
        cst_master_arrived(cluster, 0, version, duration_ns);
    else
        cst_cluster_report(cluster, CST_MESSAGE_ARRIVED, version, duration_ns);
}

static void data_came(struct cst_cluster *cluster, const void *header,
                      size_t header_size, const struct cst_rows *into)
{
    struct cst_incoming incoming;
    struct cst_piece piece;

    if (!into) {
        /* It was here already; but the master may expect it from this sender. */
        if (get_data(header, header_size, &piece) &&
            cst_store_has(cluster->store, piece.version))
            cst_cluster_tell_arrived(cluster, piece.version, 0);
        return;
    }
    if (!take_incoming(cluster, into->base, &incoming))
        return;
    cst_node_catch_up(cluster);
    cst_story_came(cluster, &incoming);
    (void)cst_store_received(cluster->store, incoming.version, true);
    cst_trace_event(cluster->trace, CST_TRACE_FIRED, 0, 0, 0);
    cst_cluster_tell_arrived(cluster, incoming.version,
                             cst_clock_ns() - incoming.begin_ns);
}

/* A version whose bytes are in the message. */
static bool small_came(struct cst_cluster *cluster, uint32_t peer,
                       const void *bytes, size_t size)
{
    struct cst_region nothing = {1, 1, 1, 1};
    struct cst_incoming incoming = {.peer = peer, .begin_ns = cst_clock_ns()};
    struct cst_reader reader;
    struct cst_piece piece;
    struct cst_rows rows;
    bool mark;

    cst_reader_init(&reader, bytes, size);
    (void)cst_get_u8(&reader);
    cst_get_piece(&reader, &nothing, &piece, &mark);
    incoming.bytes = cst_reader_left(&reader);
    if (reader.bad || incoming.bytes > CST_MESSAGE_SMALL_MAX ||
        cst_region_bytes(&piece.region) != incoming.bytes)
        return false;
    cst_node_catch_up(cluster);
    abandon(cluster, peer, piece.version);
    if (cst_store_receive(cluster->store, &piece, true, &rows)) {
        cst_rows_unpack(&rows, cst_get_raw(&reader, incoming.bytes));
        incoming.version = piece.version;
        cst_story_came(cluster, &incoming);
        (void)cst_store_received(cluster->store, piece.version, true);
        cst_trace_event(cluster->trace, CST_TRACE_FIRED, 0, 0, 0);
        cst_cluster_tell_arrived(cluster, piece.version,
                                 0); /* too short to be measured */
    } else if (cst_store_has(cluster->store, piece.version)) {
        cst_cluster_tell_arrived(cluster, piece.version, 0);
    }
    return true;
}

static bool is_of_gang(uint8_t what)
{
    return what == CST_MESSAGE_FIRED || what == CST_MESSAGE_BERTHED ||
           what == CST_MESSAGE_STRAYED;
}

static bool is_report(uint8_t what)
{
    return what == CST_MESSAGE_DONE || what == CST_MESSAGE_ARRIVED ||
           what == CST_MESSAGE_RECALLED || what == CST_MESSAGE_NOT_COME ||
           is_of_gang(what);
}

/* A whole message without payload. */
static bool take(struct cst_cluster *cluster, uint32_t peer, const void *bytes,
                 size_t size)
{
    struct cst_reader reader;

    cst_reader_init(&reader, bytes, size);
    if (size == 0)
        return false;
    if (*reader.at == CST_MESSAGE_CLOCK)
        return cst_story_clock(cluster, peer, &reader);
    if (*reader.at == CST_MESSAGE_LOOK)
        return cst_look_message(cluster, peer, &reader);
    if (*reader.at >= CST_MESSAGE_OFFER && *reader.at <= CST_MESSAGE_PIECE)
        return cst_carry_message(cluster, peer, &reader);
    if (cluster->is_master && is_of_gang(*reader.at))
        return cst_gang_report(cluster, peer, &reader);
    if (cluster->is_master && *reader.at == CST_MESSAGE_LEAVE)
        return cst_leave_asked(cluster, peer);
    if (cluster->is_master && is_report(*reader.at))
        return cst_master_report(cluster, peer, &reader);
    return peer == CST_NET_MASTER && !is_report(*reader.at) &&
           cst_node_order(cluster, &reader);
}

/* One more part of a message; the whole when it was the last. */
static bool take_part(struct cst_cluster *cluster, uint32_t peer,
                      const uint8_t *bytes, size_t size)
{
    struct cst_parts *parts = cluster->parts;
    bool good = true;

    while (parts && parts->peer != peer)
        parts = parts->next;
    if (!parts) {
        parts = cst_zalloc(sizeof(*parts));
        if (!parts)
            return false;
        parts->peer = peer;
        parts->next = cluster->parts;
        cluster->parts = parts;
    }
    cst_put_raw(&parts->bytes, bytes + 2, size - 2);
    if (!bytes[1])
        return !parts->bytes.bad;
    good = !parts->bytes.bad &&
           take(cluster, peer, parts->bytes.bytes, parts->bytes.size);
    cst_writer_clear(&parts->bytes);
    return good;
}

static void message(void *owner, uint32_t peer, const void *header,
                    size_t header_size, const struct cst_rows *into)
{
    struct cst_cluster *cluster = owner;
    const uint8_t *bytes = header;
    bool good = header_size > 0;

    if (good && bytes[0] == CST_MESSAGE_DATA)
        data_came(cluster, header, header_size, into);
    else if (good && bytes[0] == CST_MESSAGE_SMALL)
        good = small_came(cluster, peer, header, header_size);
    else if (good && bytes[0] == CST_MESSAGE_PART)
        good = header_size >= 2 && take_part(cluster, peer, bytes, header_size);
    else
        good = take(cluster, peer, header, header_size);
    if (good)
        return;
    /* Peers are authenticated and of the same program: this is a bug. */
    (void)fprintf(stderr,
                  "castell: node %u sent a message that makes no sense; it is "
                  "taken out of the run\n",
                  peer);
    if (cluster->is_master)
        cst_net_expel(cluster->net, peer, "it sent a message without sense");
    else
        cst_net_leave(cluster->net);
}

/* ---- Who is there -------------------------------------------------------- */

static bool admit(void *owner, const void *bytes, size_t size, char *why)
{
    struct cst_message_hello hello;

    (void)owner;
    if (!cst_get_hello(bytes, size, &hello)) {
        (void)snprintf(why, CST_NET_WHY_MAX,
                       "it is of another version of castell");
        return false;
    }
    if (hello.table != cst_kinds_table_hash()) {
        (void)snprintf(why, CST_NET_WHY_MAX,
                       "its program has other tasks: build all from the same "
                       "source");
        return false;
    }
    return true;
}

static void joined(void *owner, uint32_t peer, const void *bytes, size_t size)
{
    struct cst_cluster *cluster = owner;
    struct cst_message_hello hello;

    if (cluster->is_master && cst_get_hello(bytes, size, &hello))
        cst_master_joined(cluster, peer, &hello);
}

static void gone(void *owner, uint32_t peer, enum cst_net_end how,
                 const char *why)
{
    struct cst_cluster *cluster = owner;
    struct cst_parts **link = &cluster->parts;

    cst_store_forget_node(cluster->store, peer);
    abandon(cluster, peer, 0);
    cst_carry_gone(cluster, peer);
    while (*link && (*link)->peer != peer)
        link = &(*link)->next;
    if (*link) {
        struct cst_parts *parts = *link;

        *link = parts->next;
        cst_writer_release(&parts->bytes);
        cst_free(parts);
    }
    if (!cluster->is_master)
        return;
    cst_story_gone(cluster, peer, how, why);
    cst_look_gone(cluster, peer, how);
    cluster->lost += how != CST_NET_LEFT;
    cst_master_gone(cluster, peer);
}

static void over(void *owner, enum cst_net_over how, const char *why)
{
    struct cst_cluster *cluster = owner;

    cluster->left_well = how != CST_NET_OVER_MASTER_LOST;
    (void)snprintf(cluster->why, sizeof(cluster->why), "%s", why ? why : "");
    atomic_store(&cluster->over, 1);
}

static void log_line(void *owner, const char *sentence)
{
    (void)owner;
    (void)fprintf(stderr, "castell: %s\n", sentence);
}

struct cst_net_owner cst_cluster_owner(struct cst_cluster *cluster)
{
    return (struct cst_net_owner){
        .owner = cluster,
        .admit = admit,
        .joined = joined,
        .gone = gone,
        .over = over,
        .message = message,
        .payload_into = payload_into,
        .dropped = dropped,
        .sent = sent,
        .haunted = haunted,
        .log = log_line,
    };
}

void cst_cluster_release(struct cst_cluster *cluster)
{
    while (cluster->incoming) {
        struct cst_incoming *incoming = cluster->incoming;

        cluster->incoming = incoming->next;
        cst_free(incoming);
    }
    while (cluster->parts) {
        struct cst_parts *parts = cluster->parts;

        cluster->parts = parts->next;
        cst_writer_release(&parts->bytes);
        cst_free(parts);
    }
}
