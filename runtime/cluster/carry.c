/*
 * Contents of files go from node to node. Who has one offers it by name; the
 * other takes it where it is, when it sees the very same file, else under a name
 * of its own (a link), and else asks for the bytes: a piece at a time, so that
 * nobody needs memory for a file.
 */
#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "cluster/cluster_internal.h"
#include "files/files.h"
#include "files/place.h"
#include "files/stream.h"
#include "files/tree.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PIECE_SIZE = 512 << 10 };

/* To another node. */
struct cst_sending {
    struct cst_sending *next;
    uint32_t to;
    uint64_t version;
    struct cst_content *content;
    struct cst_stream *stream; /* NULL: it has not asked for it */
};

/* From another node. */
struct cst_receiving {
    struct cst_receiving *next;
    uint32_t from;
    uint64_t version;
    uint64_t begin_ns;
    struct cst_unstream *unstream;
    char *path; /* the file's own */
    char *name; /* where it goes */
    bool scratch;
    bool is_directory;
};

/* ---- Both ends ------------------------------------------------------------- */

static void send_word(struct cst_cluster *cluster, enum cst_message what,
                      uint32_t to, uint64_t version)
{
    cst_put_varint(cst_begin(cluster, what), version);
    cst_cluster_send(cluster, to);
}

static void sending_end(struct cst_cluster *cluster, struct cst_sending **link)
{
    struct cst_sending *sending = *link;
    uint64_t version = sending->version;

    *link = sending->next;
    cst_stream_close(sending->stream);
    cst_content_unref(sending->content);
    cst_free(sending);
    cst_store_sent(cluster->store, version, true);
}

static struct cst_sending **find_sending(struct cst_cluster *cluster,
                                         uint32_t to, uint64_t version)
{
    struct cst_sending **link = &cluster->sending;

    while (*link && ((*link)->to != to || (*link)->version != version))
        link = &(*link)->next;
    return link;
}

static struct cst_receiving **find_receiving(struct cst_cluster *cluster,
                                             uint32_t from, uint64_t version)
{
    struct cst_receiving **link = &cluster->receiving;

    while (*link && ((*link)->from != from || (*link)->version != version))
        link = &(*link)->next;
    return link;
}

static void receiving_free(struct cst_receiving *receiving)
{
    (void)cst_unstream_close(receiving->unstream);
    if (receiving->name)
        cst_tree_remove(receiving->name);
    cst_free(receiving->name);
    cst_free(receiving->path);
    cst_free(receiving);
}

void cst_carry_gone(struct cst_cluster *cluster, uint32_t peer)
{
    struct cst_sending **link = &cluster->sending;
    struct cst_receiving **from = &cluster->receiving;

    while (*link)
        if ((*link)->to == peer)
            sending_end(cluster, link);
        else
            link = &(*link)->next;
    while (*from) {
        struct cst_receiving *receiving = *from;

        if (receiving->from != peer) {
            from = &receiving->next;
            continue;
        }
        *from = receiving->next;
        if (cst_store_received(cluster->store, receiving->version, false))
            cst_cluster_tell_not_come(cluster, receiving->version);
        receiving_free(receiving);
    }
}

void cst_carry_release(struct cst_cluster *cluster)
{
    while (cluster->sending) {
        struct cst_sending *sending = cluster->sending;

        cluster->sending = sending->next;
        cst_stream_close(sending->stream);
        cst_content_unref(sending->content);
        cst_free(sending);
    }
    while (cluster->receiving) {
        struct cst_receiving *receiving = cluster->receiving;

        cluster->receiving = receiving->next;
        receiving_free(receiving);
    }
}

/* ---- Who has it -------------------------------------------------------------- */

/* What is there, for the other to find the same. */
static void describe(const struct cst_held *held,
                     struct cst_message_offer *ret_offer, char **ret_name)
{
    bool is_directory;

    *ret_offer = (struct cst_message_offer){
        .path = held->path,
        .path_size = strlen(held->path),
        .flags = held->is_directory ? CST_MESSAGE_DIRECTORY : 0,
    };
    if (cst_content_find(held->content, ret_name) != CASTELL_OK) {
        ret_offer->flags |= CST_MESSAGE_BROKEN;
        *ret_name = cst_strdup(castell_error_text());
    } else if (!*ret_name) {
        ret_offer->flags |= CST_MESSAGE_NOTHING;
    } else if (!cst_content_look(*ret_name, &ret_offer->mark, &is_directory)) {
        /* Not there, or a device: who reads it will see. */
        ret_offer->flags |= CST_MESSAGE_IN_PLACE | CST_MESSAGE_NOTHING;
    } else {
        ret_offer->flags &= ~(uint32_t)CST_MESSAGE_DIRECTORY;
        ret_offer->flags |= is_directory ? CST_MESSAGE_DIRECTORY : 0;
        if (!cst_content_is_private(held->content))
            ret_offer->flags |= CST_MESSAGE_IN_PLACE;
    }
    if (cst_places_shared())
        ret_offer->flags |= CST_MESSAGE_SEEN;
    ret_offer->name = *ret_name ? *ret_name : "";
    ret_offer->name_size = strlen(ret_offer->name);
}

bool cst_carry_offer(struct cst_cluster *cluster, uint32_t to,
                     const struct cst_piece *piece)
{
    const struct cst_held *held =
        cluster->held.count > 0 ? cst_map_find(&cluster->held, piece->version)
                                : NULL;
    struct cst_message_offer offer;
    struct cst_sending *sending;
    char *name = NULL;

    if (!held)
        return false;
    sending = cst_zalloc(sizeof(*sending));
    if (!sending) {
        cst_engine_fail(cluster->engine, CASTELL_ERR_NO_MEMORY,
                        "no memory to send a file");
        return true;
    }
    describe(held, &offer, &name);
    offer.piece = *piece;
    cst_put_offer(cst_begin(cluster, CST_MESSAGE_OFFER), &offer);
    cst_free(name);
    if (cluster->out.bad ||
        cst_net_send(cluster->net, to, cluster->out.bytes, cluster->out.size,
                     NULL) != CASTELL_OK) {
        cst_free(sending);
        cst_cluster_note_unsent(cluster, piece->version);
        return true;
    }
    *sending = (struct cst_sending){cluster->sending, to, piece->version,
                                    cst_content_ref(held->content), NULL};
    cluster->sending = sending;
    return true;
}

static void send_failure(struct cst_cluster *cluster, uint32_t to,
                         uint64_t version)
{
    char why[CST_MESSAGE_TEXT_MAX];

    (void)snprintf(why, sizeof(why), "%s", castell_error_text());
    cst_put_varint(cst_begin(cluster, CST_MESSAGE_PIECE), version);
    cst_put_u8(&cluster->out, CST_MESSAGE_BROKEN);
    cst_put_raw(&cluster->out, why, strlen(why));
    cst_cluster_send(cluster, to);
}

static enum castell_status open_stream(struct cst_sending *sending)
{
    enum castell_status status;
    char *path = NULL;

    if (sending->stream)
        return CASTELL_OK;
    status = cst_content_find(sending->content, &path);
    if (status == CASTELL_OK)
        status = cst_stream_open(path ? path : "", &sending->stream);
    cst_free(path);
    return status;
}

static void send_piece(struct cst_cluster *cluster, uint32_t to,
                       uint64_t version)
{
    struct cst_sending *sending = *find_sending(cluster, to, version);
    struct cst_writer *out;
    bool last = false;
    size_t size = 0;
    uint8_t *flag;
    uint8_t *room;

    if (!sending)
        return;
    out = cst_begin(cluster, CST_MESSAGE_PIECE);
    cst_put_varint(out, version);
    flag = cst_put_room(out, 1 + PIECE_SIZE);
    if (!flag) {
        cst_cluster_send(cluster, to); /* says so */
        return;
    }
    room = flag + 1;
    if (open_stream(sending) != CASTELL_OK ||
        cst_stream_read(sending->stream, room, PIECE_SIZE, &size, &last) !=
            CASTELL_OK) {
        send_failure(cluster, to, version);
        return;
    }
    *flag = last ? CST_MESSAGE_ENDS : 0;
    out->size -= PIECE_SIZE - size;
    cst_cluster_send(cluster, to);
}

/* ---- Who wants it -------------------------------------------------------------- */

/* The content is here; NULL: no memory. */
static void came(struct cst_cluster *cluster, uint32_t from, uint64_t version,
                 const struct cst_held *held, const struct cst_receiving *how)
{
    struct cst_incoming incoming = {
        .peer = from,
        .version = version,
        .begin_ns = how ? how->begin_ns : cst_clock_ns(),
        .bytes = how && how->unstream ? cst_unstream_bytes(how->unstream) : 1};
    uint64_t now = cst_clock_ns();

    send_word(cluster, CST_MESSAGE_TAKEN, from, version);
    if (!cst_held_add(cluster, version, held->content, held->path,
                      held->is_directory)) {
        (void)cst_store_received(cluster->store, version, false);
        return;
    }
    cst_story_came(cluster, &incoming);
    (void)cst_store_received(cluster->store, version, true);
    cst_cluster_tell_arrived(cluster, version, now - incoming.begin_ns);
}

static bool is_same(const struct cst_content_mark *a,
                    const struct cst_content_mark *b)
{
    return a->inode == b->inode && a->size == b->size &&
           a->changed_ns == b->changed_ns;
}

/* The same under a name of this node's; NULL: that cannot be. */
static struct cst_content *take_link(const char *path, const char *name)
{
    struct cst_content *content;
    char *own = NULL;
    bool scratch;

    if (cst_place_name(path, &own, &scratch) != CASTELL_OK)
        return NULL;
    if (scratch || link(name, own) != 0) {
        cst_free(own);
        return NULL;
    }
    content = cst_content_private(own, false, 0);
    if (!content)
        cst_free(own);
    return content;
}

/* What need not be sent, for this node sees it; or NULL. */
static struct cst_content *take_as_is(const struct cst_message_offer *offer,
                                      const char *path, const char *name)
{
    struct cst_content_mark mark;
    bool is_directory;

    if (offer->flags & CST_MESSAGE_BROKEN)
        return cst_content_broken(name);
    if (offer->flags & CST_MESSAGE_NOTHING)
        return offer->flags & CST_MESSAGE_IN_PLACE
                   ? cst_content_in_place(path, 0)
                   : cst_content_nothing();
    if (!(offer->flags & CST_MESSAGE_SEEN) || !cst_places_shared() ||
        !cst_content_look(name, &mark, &is_directory) ||
        !is_same(&mark, &offer->mark))
        return NULL;
    if (offer->flags & CST_MESSAGE_IN_PLACE)
        return cst_content_in_place(name, is_directory ? 0 : mark.inode);
    return is_directory ? NULL : take_link(path, name);
}

/* Ask for the bytes. */
static enum castell_status ask(struct cst_cluster *cluster, uint32_t from,
                               const struct cst_message_offer *offer,
                               const char *path)
{
    struct cst_receiving *receiving = cst_zalloc(sizeof(*receiving));
    enum castell_status status;

    if (!receiving)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a file");
    receiving->from = from;
    receiving->version = offer->piece.version;
    receiving->begin_ns = cst_clock_ns();
    receiving->is_directory = (offer->flags & CST_MESSAGE_DIRECTORY) != 0;
    receiving->path = cst_strdup(path);
    status = receiving->path ? CASTELL_OK
                             : cst_fail(CASTELL_ERR_NO_MEMORY,
                                        "no memory for a file's name");
    if (status == CASTELL_OK)
        status = cst_place_name(path, &receiving->name, &receiving->scratch);
    if (status == CASTELL_OK)
        status = cst_unstream_open(receiving->name, path, &receiving->unstream);
    if (status != CASTELL_OK) {
        receiving_free(receiving);
        return status;
    }
    receiving->next = cluster->receiving;
    cluster->receiving = receiving;
    send_word(cluster, CST_MESSAGE_MORE, from, offer->piece.version);
    return CASTELL_OK;
}

static void take_offer(struct cst_cluster *cluster, uint32_t from,
                       const struct cst_message_offer *offer, char *path,
                       char *name)
{
    struct cst_held held = {
        .path = path, .is_directory = offer->flags & CST_MESSAGE_DIRECTORY};
    uint64_t version = offer->piece.version;
    struct cst_rows rows;

    cst_node_catch_up(cluster);
    if (!cst_store_receive(cluster->store, &offer->piece, false, &rows)) {
        send_word(cluster, CST_MESSAGE_TAKEN, from, version);
        if (cst_store_has(cluster->store, version))
            cst_cluster_tell_arrived(cluster, version, 0);
        return;
    }
    *(char *)rows.base = 0;
    held.content = take_as_is(offer, path, name);
    if (!held.content) {
        if (ask(cluster, from, offer, path) == CASTELL_OK)
            return;
        held.content = cst_content_broken(castell_error_text());
    }
    came(cluster, from, version, &held, NULL);
}

static bool get_offer(struct cst_cluster *cluster, uint32_t from,
                      struct cst_reader *message)
{
    struct cst_message_offer offer;
    char *path;
    char *name;

    cst_get_offer(message, &offer);
    if (!cst_reader_done(message))
        return false;
    path = cst_format("%.*s", (int)offer.path_size, offer.path);
    name = cst_format("%.*s", (int)offer.name_size, offer.name);
    if (path && name)
        take_offer(cluster, from, &offer, path, name);
    else
        cst_engine_fail(cluster->engine, CASTELL_ERR_NO_MEMORY,
                        "no memory for a file's name");
    cst_free(path);
    cst_free(name);
    return true;
}

/* All of it is here, or it will not be, which the thread's error text says. */
static void end_receiving(struct cst_cluster *cluster,
                          struct cst_receiving **link, bool good)
{
    struct cst_receiving *receiving = *link;
    struct cst_held held = {.path = receiving->path,
                            .is_directory = receiving->is_directory};
    uint64_t bytes = cst_unstream_bytes(receiving->unstream);

    *link = receiving->next;
    if (good && receiving->scratch)
        good = cst_scratch_take(bytes) == CASTELL_OK;
    if (good) {
        held.content =
            cst_content_private(receiving->name, receiving->is_directory,
                                receiving->scratch ? bytes : 0);
        receiving->name = held.content ? NULL : receiving->name;
    } else {
        held.content = cst_content_broken(castell_error_text());
    }
    cst_node_catch_up(cluster);
    came(cluster, receiving->from, receiving->version, &held, receiving);
    receiving_free(receiving);
}

static bool get_piece(struct cst_cluster *cluster, uint32_t from,
                      struct cst_reader *message)
{
    uint64_t version = cst_get_varint(message);
    uint8_t flag = cst_get_u8(message);
    size_t size = cst_reader_left(message);
    const uint8_t *bytes = cst_get_raw(message, size);
    struct cst_receiving **link = find_receiving(cluster, from, version);
    enum castell_status status;

    if (message->bad ||
        (flag != 0 && flag != CST_MESSAGE_ENDS && flag != CST_MESSAGE_BROKEN))
        return false;
    if (!*link)
        return true;
    if (flag == CST_MESSAGE_BROKEN)
        status = cst_fail(CASTELL_ERR_SYSTEM, "%.*s", (int)size,
                          (const char *)bytes);
    else
        status = cst_unstream_write((*link)->unstream, bytes, size);
    if (status != CASTELL_OK || flag == CST_MESSAGE_ENDS)
        end_receiving(cluster, link, status == CASTELL_OK);
    else
        send_word(cluster, CST_MESSAGE_MORE, from, version);
    return true;
}

bool cst_carry_message(struct cst_cluster *cluster, uint32_t peer,
                       struct cst_reader *message)
{
    uint8_t what = cst_get_u8(message);
    struct cst_sending **link;
    uint64_t version;

    if (what == CST_MESSAGE_OFFER)
        return get_offer(cluster, peer, message);
    if (what == CST_MESSAGE_PIECE)
        return get_piece(cluster, peer, message);
    version = cst_get_varint(message);
    if (!cst_reader_done(message))
        return false;
    link = find_sending(cluster, peer, version);
    if (what == CST_MESSAGE_MORE)
        send_piece(cluster, peer, version);
    else if (*link)
        sending_end(cluster, link);
    return true;
}
