/* mpi_bulk.c - payloads over MPI, straight between the owners' rows. */
#include "base/fail.h"
#include "base/memory.h"
#include "link/mpi.h"

/* Bytes [from, to) of some rows, as MPI is told of them. */
static struct cst_mpi_piece cut_piece(const struct cst_rows *rows, size_t from,
                                      size_t to)
{
    struct cst_mpi_piece piece = {0};
    char *base = rows->base;
    size_t head;

    if (rows->rows <= 1 || rows->pitch == rows->size) {
        piece.first = base + from;
        piece.first_size = to - from;
        return piece;
    }
    head = from % rows->size;
    if (head > 0) {
        head = rows->size - head;
        if (head > to - from)
            head = to - from;
    }
    piece.first = base + from / rows->size * rows->pitch + from % rows->size;
    piece.first_size = head;
    from += head;
    piece.rows_count = (to - from) / rows->size;
    piece.rows = base + from / rows->size * rows->pitch;
    piece.row_size = rows->size;
    piece.pitch = rows->pitch;
    from += piece.rows_count * rows->size;
    piece.last = base + from / rows->size * rows->pitch;
    piece.last_size = to - from;
    return piece;
}

static struct cst_mpi_transfer *transfer_create(struct cst_links *links,
                                                struct cst_link *link,
                                                uint64_t number, size_t size)
{
    struct cst_mpi_transfer *transfer = cst_zalloc(sizeof(*transfer));

    if (!transfer)
        return NULL;
    transfer->link = link;
    transfer->peer = link->peer->number;
    transfer->rank = link->mpi->rank;
    transfer->tag = CST_MPI_TAG_BULK + (int)(number % CST_BULK_WINDOW);
    transfer->size = size;
    transfer->next = links->mpi->transfers;
    links->mpi->transfers = transfer;
    return transfer;
}

/* Have as many pieces under way as may be. */
static void post_pieces(struct cst_mpi *mpi, struct cst_mpi_transfer *transfer)
{
    for (unsigned int i = 0; i < CST_MPI_PIECES; i++) {
        size_t size = transfer->size - transfer->posted;
        struct cst_mpi_piece piece;
        int error;

        if (size == 0 || transfer->failed || !transfer->link)
            return;
        if (transfer->request_size[i] > 0)
            continue;
        if (size > CST_MPI_PIECE)
            size = CST_MPI_PIECE;
        if (transfer->waste)
            piece = (struct cst_mpi_piece){.first = (char *)transfer->waste,
                                           .first_size = size};
        else
            piece = cut_piece(&transfer->rows, transfer->posted,
                              transfer->posted + size);
        if (transfer->incoming)
            error = mpi->ops->receive((int)transfer->rank, transfer->tag,
                                      &piece, &transfer->request[i]);
        else
            error = mpi->ops->send(transfer->rank, transfer->tag, &piece,
                                   &transfer->request[i]);
        if (error) {
            transfer->failed = true;
            return;
        }
        transfer->request_size[i] = size;
        transfer->posted += size;
        transfer->active++;
    }
}

bool cst_mpi_send_bulk(struct cst_links *links, struct cst_link *link,
                       struct cst_bulk_out *bulk)
{
    struct cst_mpi_transfer *transfer =
        transfer_create(links, link, bulk->number, bulk->size);

    if (!transfer)
        return false;
    transfer->bulk = bulk;
    transfer->rows = bulk->from;
    transfer->cookie = bulk->cookie;
    bulk->transfer = transfer;
    post_pieces(links->mpi, transfer);
    return true;
}

bool cst_mpi_receive_bulk(struct cst_links *links, struct cst_link *link,
                          uint64_t number, struct cst_bulk_in *in)
{
    struct cst_mpi_transfer *transfer;
    uint8_t *waste = NULL;

    if (!in->wanted)
        waste = cst_alloc(in->size < CST_MPI_PIECE ? in->size : CST_MPI_PIECE);
    transfer = in->wanted || waste
                   ? transfer_create(links, link, number, in->size)
                   : NULL;
    if (!transfer) {
        cst_free(waste);
        cst_conns_why(&links->conns, "no memory for a message");
        return false;
    }
    transfer->incoming = true;
    transfer->in = in;
    transfer->wanted = in->wanted;
    transfer->rows = in->into;
    transfer->waste = waste;
    in->transfer = transfer;
    post_pieces(links->mpi, transfer);
    return true;
}

/* Which of its pieces are done? */
static void test_pieces(struct cst_links *links,
                        struct cst_mpi_transfer *transfer)
{
    for (unsigned int i = 0; i < CST_MPI_PIECES; i++) {
        uint32_t rank = 0;
        size_t size = 0;
        int state;

        if (transfer->request_size[i] == 0)
            continue;
        state = links->mpi->ops->test(&transfer->request[i], &rank, &size);
        if (state == CST_MPI_PENDING)
            continue;
        if (state == CST_MPI_FAILED)
            transfer->failed = true;
        else
            transfer->done += transfer->request_size[i];
        transfer->request_size[i] = 0;
        transfer->active--;
        if (transfer->link)
            cst_mpi_moved(links, transfer->link);
    }
}

/* Its memory has to stay, for all that MPI may do to it. */
static void tell_haunted(struct cst_links *links, uint32_t peer, void *cookie,
                         bool arrived)
{
    const struct cst_net_owner *owner = &links->net.owner;

    if (links->over)
        return;
    links->net.told++;
    if (owner->haunted)
        owner->haunted(owner->owner, peer, cookie, arrived);
    else
        owner->sent(owner->owner, peer, cookie, arrived);
}

bool cst_mpi_leave_ghost(struct cst_links *links, uint32_t peer,
                         struct cst_bulk_out *bulk, bool arrived)
{
    if (!bulk->ghost)
        return false;
    bulk->ghost->haunts = NULL;
    bulk->ghost = NULL;
    tell_haunted(links, peer, bulk->cookie, arrived);
    return true;
}

/* Nothing more will be done with its memory: tell who waits for that. */
static void finish_transfer(struct cst_links *links,
                            struct cst_mpi_transfer *transfer)
{
    const struct cst_net_owner *owner = &links->net.owner;

    if (transfer->haunts)
        transfer->haunts->ghost = NULL;
    if (transfer->told)
        return;
    transfer->told = true;
    if (transfer->bulk) {
        transfer->bulk->transfer = NULL; /* not acknowledged so far */
    } else if (!transfer->incoming) {
        links->net.told++;
        owner->sent(owner->owner, transfer->peer, transfer->cookie, true);
    } else if (transfer->in) {
        transfer->in->transfer = NULL;
        cst_link_bulk_arrived(links, transfer->link, transfer->in);
    } else if (transfer->wanted) {
        links->net.told++;
        owner->dropped(owner->owner, transfer->peer, &transfer->rows);
    }
}

void cst_mpi_poll_bulk(struct cst_links *links)
{
    struct cst_mpi *mpi = links->mpi;
    struct cst_mpi_transfer **at = &mpi->transfers;

    while (*at) {
        struct cst_mpi_transfer *transfer = *at;
        bool whole;

        test_pieces(links, transfer);
        post_pieces(mpi, transfer);
        if (transfer->failed && transfer->link) {
            cst_conns_why(&links->conns, "a payload failed");
            cst_mpi_close(links, transfer->link);
        }
        if (!transfer->link && !transfer->incoming && !transfer->told &&
            transfer->active > 0) {
            /* The peer has all of it, but MPI need not ever say so. */
            transfer->told = true;
            tell_haunted(links, transfer->peer, transfer->cookie, true);
        }
        whole = transfer->done == transfer->size;
        /* Of an orphan too: who only hung may go on, and MPI with it. */
        if (transfer->active > 0 || (transfer->link && !whole)) {
            at = &transfer->next;
            continue;
        }
        /* Who is called back may queue messages, but begins no transfer. */
        *at = transfer->next;
        finish_transfer(links, transfer);
        cst_free(transfer->waste);
        cst_free(transfer);
    }
}

void cst_mpi_orphan_bulk(struct cst_links *links, const struct cst_link *link)
{
    struct cst_mpi_transfer *transfer;

    for (transfer = links->mpi->transfers; transfer;
         transfer = transfer->next) {
        struct cst_bulk_in *in = transfer->in;

        if (transfer->link != link)
            continue;
        transfer->link = NULL;
        for (unsigned int i = 0; i < CST_MPI_PIECES; i++)
            if (transfer->request_size[i] > 0)
                links->mpi->ops->cancel(&transfer->request[i]);
        if (transfer->active > 0)
            cst_mpi_never_finish();
        if (transfer->bulk) {
            /* It is sent again another way, or lost: the link tells. */
            transfer->told = true;
            transfer->bulk->transfer = NULL;
            if (transfer->active > 0) {
                transfer->haunts = transfer->bulk;
                transfer->bulk->ghost = transfer;
            }
            transfer->bulk = NULL;
        }
        if (!in)
            continue;
        /* Its header comes again, and another place is asked for. */
        transfer->in = NULL;
        cst_free(in->header);
        memset(in, 0, sizeof(*in));
    }
}

void cst_mpi_forget_bulk(struct cst_mpi *mpi)
{
    while (mpi->transfers) {
        struct cst_mpi_transfer *transfer = mpi->transfers;

        mpi->transfers = transfer->next;
        if (transfer->active == 0)
            cst_free(transfer->waste);
        cst_free(transfer);
    }
}
