/* mpi.c - carry links over MPI: which links, and batches. */
#include "link/mpi.h"

#include "base/fail.h"
#include "base/memory.h"

/* ---- Links ---------------------------------------------------------------------- */

bool cst_mpi_hope(struct cst_links *links, struct cst_link *link)
{
    const struct cst_where *where = &link->peer->about->where;
    struct cst_mpi *mpi = links->mpi;

    if (!mpi || link->mpi_spent || where->world != mpi->world.id ||
        where->rank >= mpi->world.size || where->rank == mpi->world.rank ||
        (mpi->links[where->rank] && mpi->links[where->rank] != link))
        return false;
    mpi->links[where->rank] = link;
    return true;
}

bool cst_mpi_attach(struct cst_links *links, struct cst_link *link)
{
    link->mpi = cst_zalloc(sizeof(*link->mpi));
    if (!link->mpi)
        return false;
    link->mpi->rank = link->peer->about->where.rank;
    link->mpi->moved_ns = links->conns.now_ns;
    links->mpi->untold++;
    link->carrier = &cst_mpi_carrier;
    link->counts.carrier = cst_mpi_carrier.name;
    return true;
}

void cst_mpi_detach(struct cst_links *links, struct cst_link *link)
{
    struct cst_mpi_link *own = link->mpi;
    struct cst_mpi *mpi = links->mpi;

    if (!mpi)
        return;
    link->mpi_spent = true;
    if (link->peer->about->where.world == mpi->world.id &&
        link->peer->about->where.rank < mpi->world.size &&
        mpi->links[link->peer->about->where.rank] == link)
        mpi->links[link->peer->about->where.rank] = NULL;
    if (!own)
        return;
    if (!own->told)
        mpi->untold--;
    if (own->batches_in < own->rung_for)
        mpi->awaited--;
    link->mpi = NULL;
    link->carrier = NULL;
    cst_mpi_orphan_bulk(links, link);
    cst_free(own);
}

/* Tell how far we are, so that the rest is sent again. */
static void leave(struct cst_links *links, struct cst_link *link)
{
    struct cst_marks marks;

    cst_mpi_detach(links, link);
    if (!link->conn)
        return;
    marks = cst_link_marks(link);
    cst_put_marks(&link->conn->out, CST_SEGMENT_CLOSED, &marks);
}

void cst_mpi_close(struct cst_links *links, struct cst_link *link)
{
    if (!link->mpi)
        return;
    cst_conns_tell(&links->conns, CST_TELL_MPI,
                   "messages to process %u go by TCP, for MPI failed: %s",
                   link->peer->number, links->conns.why);
    cst_mpi_never_finish();
    leave(links, link);
    if (link->conn)
        cst_tcp_push(links, link);
}

bool cst_mpi_closed(struct cst_links *links, struct cst_link *link,
                    const struct cst_marks *marks)
{
    if (!link->conn || !link->conn->linked || link->carrier == &cst_tcp_carrier)
        return false;
    if (link->mpi)
        leave(links, link);
    cst_mpi_never_finish();
    if (!cst_link_acknowledge(links, link, marks))
        return false;
    cst_link_rewind(link);
    link->carrier = &cst_tcp_carrier;
    link->counts.carrier = cst_tcp_carrier.name;
    cst_link_touch(links, link);
    return true;
}

/* ---- Batches out ------------------------------------------------------------------ */

static bool has_stream(const struct cst_link *link)
{
    return link->out.sent < link->out.end &&
           link->out.sent - link->out.acked < CST_MPI_WINDOW;
}

static bool has_bulk(const struct cst_link *link)
{
    return link->bulk_next &&
           link->bulk_next->number - link->bulk_first->number < CST_BULK_WINDOW;
}

static bool has_news(const struct cst_link *link)
{
    return link->bulk_in != link->bulk_told ||
           link->stream_in - link->stream_told >= CST_MPI_ACK_EVERY;
}

static struct cst_mpi_buffer *get_buffer(struct cst_mpi *mpi)
{
    struct cst_mpi_buffer *buffer = mpi->spare;

    if (!buffer)
        return cst_alloc(sizeof(*buffer));
    mpi->spare = buffer->next;
    return buffer;
}

static void put_heads(struct cst_links *links, struct cst_link *link,
                      struct cst_writer *writer)
{
    while (has_bulk(link)) {
        struct cst_bulk_out *bulk = link->bulk_next;
        size_t size = bulk->header_size + 16 + 2 * (size_t)CST_VARINT_MAX;

        if (writer->capacity - writer->size < size)
            return;
        if (!cst_mpi_send_bulk(links, link, bulk))
            return; /* no memory: with a later batch */
        cst_put_bulk_head(writer, bulk->number, bulk->size, bulk->header,
                          bulk->header_size);
        link->bulk_next = bulk->next;
    }
}

/* Send one; false when MPI failed, or there is no memory for it now. */
static bool send_batch(struct cst_links *links, struct cst_link *link)
{
    struct cst_mpi *mpi = links->mpi;
    struct cst_stream *out = &link->out;
    struct cst_mpi_buffer *buffer = get_buffer(mpi);
    struct cst_mpi_piece piece = {0};
    struct cst_batch batch = {.position = out->sent};
    struct cst_writer writer;
    uint32_t rank;
    size_t size;

    if (!buffer)
        return false;
    if (!cst_link_busy(link) || out->acked == out->sent)
        cst_mpi_moved(links, link);
    batch.number = link->mpi->batches_out;
    batch.marks = cst_link_marks(link);
    if (has_stream(link)) {
        uint64_t to = cst_stream_cut(out, out->sent, CST_MPI_BATCH_STREAM);

        batch.stream = cst_stream_at(out, out->sent);
        batch.stream_size = (size_t)(to - out->sent);
        out->sent = to;
    }
    cst_writer_init_fixed(&writer, buffer->bytes, CST_MPI_BATCH);
    cst_put_batch(&writer, &batch);
    put_heads(links, link, &writer);
    CST_ASSERT(!writer.bad);
    piece.first = (char *)buffer->bytes;
    piece.first_size = writer.size;
    buffer->peer = link->peer->number;
    link->mpi->batches_out++;
    if (mpi->ops->send(link->mpi->rank, CST_MPI_TAG_BATCH, &piece,
                       &buffer->request)) {
        buffer->next = mpi->spare;
        mpi->spare = buffer;
        cst_conns_why(&links->conns, "a message failed");
        cst_mpi_close(links, link);
        return false;
    }
    cst_mpi_ring(link);
    if (mpi->ops->test(&buffer->request, &rank, &size) == CST_MPI_DONE) {
        buffer->next = mpi->spare;
        mpi->spare = buffer;
    } else {
        buffer->next = mpi->out;
        mpi->out = buffer;
    }
    return true;
}

static void mpi_push(struct cst_links *links, struct cst_link *link)
{
    while (has_stream(link) || has_bulk(link) || has_news(link))
        if (!send_batch(links, link)) {
            if (link->mpi)
                cst_link_touch(links, link); /* no memory: again, later */
            break;
        }
    /* What goes by TCP: bells, probes and answers to them. */
    if (link->conn &&
        (link->probes || link->probed || link->conn->out.size > 0))
        cst_tcp_push(links, link);
    if (link->mpi && cst_link_busy(link))
        cst_conns_timer(&links->conns,
                        links->conns.now_ns + links->silent_ns / 4);
}

const struct cst_carrier cst_mpi_carrier = {
    .name = "mpi",
    .push = mpi_push,
};

/* ---- Batches in -------------------------------------------------------------------- */

/* Post a receive, behind the others. False when MPI refuses. */
static bool post_receive(struct cst_mpi *mpi, struct cst_mpi_buffer *buffer)
{
    struct cst_mpi_piece piece = {.first = (char *)buffer->bytes,
                                  .first_size = CST_MPI_BATCH};

    buffer->kept = false;
    if (mpi->ops->receive(CST_MPI_ANY_RANK, CST_MPI_TAG_BATCH, &piece,
                          &buffer->request))
        return false;
    buffer->next = NULL;
    *mpi->in_last = buffer;
    mpi->in_last = &buffer->next;
    return true;
}

bool cst_mpi_add_receive(struct cst_mpi *mpi)
{
    struct cst_mpi_buffer *buffer = cst_alloc(sizeof(*buffer));

    if (buffer && post_receive(mpi, buffer))
        return true;
    cst_free(buffer);
    return false;
}

static bool take_heads(struct cst_links *links, struct cst_link *link,
                       struct cst_reader *rest)
{
    while (cst_reader_left(rest) > 0) {
        struct cst_bulk_head head;
        struct cst_bulk_in *in;

        if (!cst_get_next_bulk_head(rest, &head))
            return false;
        in = cst_link_bulk_begin(links, link, &head);
        if (!in || in->transfer ||
            !cst_mpi_receive_bulk(links, link, head.number, in))
            return false;
    }
    return true;
}

/* False when it makes no sense, and MPI is not to be trusted any more. */
static bool take_batch(struct cst_links *links, struct cst_link *link,
                       const uint8_t *bytes, size_t size)
{
    struct cst_batch batch;
    size_t used;

    cst_conns_why(&links->conns, "what came made no sense");
    if (!cst_get_batch(bytes, size, &batch) ||
        batch.number != link->mpi->batches_in ||
        batch.position != link->stream_in)
        return false;
    cst_mpi_heard(links, link);
    if (!cst_link_deliver(links, link, batch.stream, batch.stream_size,
                          &used) ||
        used != batch.stream_size)
        return false;
    if (!cst_link_acknowledge(links, link, &batch.marks) ||
        !take_heads(links, link, &batch.rest))
        return false;
    if (has_news(link))
        cst_link_touch(links, link);
    return true;
}

/*
 * Look at one receive. False when it has nothing for us now. A short batch may
 * be there before a longer one that was sent earlier: it is kept until its turn
 * has come, and while the link is not ready for any.
 */
static bool look(struct cst_links *links, struct cst_mpi_buffer *buffer)
{
    struct cst_mpi *mpi = links->mpi;
    struct cst_link *link;
    bool early;

    if (!buffer->kept) {
        int state =
            mpi->ops->test(&buffer->request, &buffer->rank, &buffer->size);

        if (state == CST_MPI_PENDING)
            return false;
        if (state == CST_MPI_FAILED)
            buffer->rank = UINT32_MAX;
    }
    link = buffer->rank < mpi->world.size ? mpi->links[buffer->rank] : NULL;
    early = link && (!link->mpi ||
                     (buffer->size >= sizeof(uint64_t) &&
                      cst_load_u64(buffer->bytes) > link->mpi->batches_in));
    if (early != buffer->kept)
        mpi->kept += early ? 1 : UINT32_MAX;
    buffer->kept = early;
    if (early)
        return false;
    if (link && !take_batch(links, link, buffer->bytes, buffer->size))
        cst_mpi_close(links, link);
    return true;
}

/* What has come? Normally it is in the oldest receive. */
static void poll_in(struct cst_links *links)
{
    struct cst_mpi *mpi = links->mpi;
    struct cst_mpi_buffer **at = &mpi->in;
    bool all = mpi->kept > 0 || mpi->polls++ % CST_MPI_LOOK_EVERY == 0;

    for (unsigned int i = 0; i < 2 * CST_MPI_RECEIVES && *at; i++) {
        struct cst_mpi_buffer *buffer = *at;

        if (!look(links, buffer)) {
            if (!all)
                break;
            at = &buffer->next;
            continue;
        }
        *at = buffer->next;
        if (!*at)
            mpi->in_last = at;
        if (!post_receive(mpi, buffer))
            CST_BUG("MPI refuses to receive");
    }
}

/* Batches on their way: which are done? */
static void poll_out(struct cst_links *links)
{
    struct cst_mpi *mpi = links->mpi;
    struct cst_mpi_buffer **at = &mpi->out;

    while (*at) {
        struct cst_mpi_buffer *buffer = *at;
        uint32_t rank;
        size_t size;
        int state = mpi->ops->test(&buffer->request, &rank, &size);
        struct cst_peer *peer;

        if (state == CST_MPI_PENDING) {
            at = &buffer->next;
            continue;
        }
        *at = buffer->next;
        buffer->next = mpi->spare;
        mpi->spare = buffer;
        peer = cst_link_peer(links, buffer->peer);
        if (state == CST_MPI_FAILED && peer && peer->link) {
            cst_conns_why(&links->conns, "a message failed");
            cst_mpi_close(links, peer->link);
        }
    }
}

void cst_mpi_poll(struct cst_links *links)
{
    poll_in(links);
    poll_out(links);
    cst_mpi_poll_bulk(links);
}

bool cst_mpi_restless(const struct cst_mpi *mpi)
{
    if (mpi->out || mpi->awaited > 0)
        return true;
    for (const struct cst_mpi_transfer *transfer = mpi->transfers; transfer;
         transfer = transfer->next)
        if (transfer->link)
            return true;
    return false;
}
