/* mpi_bell.c - wake a process that sleeps while MPI has something for it, and
   notice when MPI has fallen silent. */
#include "link/mpi.h"

static void put_bell(struct cst_link *link, enum cst_segment type,
                     uint64_t batches)
{
    struct cst_bell bell = {.marks = cst_link_marks(link), .batches = batches};

    cst_put_bell(&link->conn->out, type, &bell);
}

void cst_mpi_doze(struct cst_links *links)
{
    struct cst_mpi *mpi = links->mpi;

    for (uint32_t rank = 0; mpi->untold > 0 && rank < mpi->world.size; rank++) {
        struct cst_link *link = mpi->links[rank];

        if (!link || !link->mpi || link->mpi->told)
            continue;
        link->mpi->told = true;
        mpi->untold--;
        put_bell(link, CST_SEGMENT_SLEEP, link->mpi->batches_in);
        cst_tcp_push(links, link);
    }
}

void cst_mpi_ring(struct cst_link *link)
{
    if (!link->mpi->peer_sleeps)
        return;
    link->mpi->peer_sleeps = false;
    put_bell(link, CST_SEGMENT_RING, link->mpi->batches_out);
}

void cst_mpi_heard(struct cst_links *links, struct cst_link *link)
{
    link->mpi->batches_in++;
    if (link->mpi->batches_in == link->mpi->rung_for)
        links->mpi->awaited--;
}

bool cst_mpi_bell(struct cst_links *links, struct cst_link *link, uint8_t type,
                  const uint8_t *body, uint32_t size)
{
    struct cst_bell bell;
    bool waits;

    if (!cst_get_bell(body, size, &bell))
        return false;
    if (!link->mpi) /* we have left MPI; it will hear */
        return true;
    if (!cst_link_acknowledge(links, link, &bell.marks))
        return false;
    if (type == CST_SEGMENT_SLEEP) {
        /* What it has not got was sent before it slept, or since. */
        link->mpi->peer_sleeps = true;
        if (bell.batches < link->mpi->batches_out)
            cst_mpi_ring(link);
        cst_link_touch(links, link);
        return true;
    }
    waits = link->mpi->batches_in < link->mpi->rung_for;
    if (link->mpi->told) {
        link->mpi->told = false;
        links->mpi->untold++;
    }
    if (bell.batches > link->mpi->rung_for)
        link->mpi->rung_for = bell.batches;
    if (!waits && link->mpi->batches_in < link->mpi->rung_for)
        links->mpi->awaited++;
    return true;
}

void cst_mpi_moved(struct cst_links *links, struct cst_link *link)
{
    if (!link->mpi)
        return;
    link->mpi->moved_ns = links->conns.now_ns;
    link->mpi->answers = 0;
}

void cst_mpi_answered(struct cst_link *link)
{
    if (link->mpi)
        link->mpi->answers++;
}

void cst_mpi_timer(struct cst_links *links, struct cst_link *link)
{
    struct cst_mpi_link *own = link->mpi;
    uint64_t step_ns = links->silent_ns / 4;
    uint64_t silent_ns;

    if (!own || !cst_link_busy(link))
        return;
    silent_ns = links->conns.now_ns - own->moved_ns;
    if (silent_ns > links->silent_ns && own->answers >= 2) {
        cst_conns_why(&links->conns, "nothing came through for %.1f s",
                      (double)silent_ns / 1e9);
        cst_mpi_close(links, link);
        return;
    }
    if (silent_ns >= step_ns &&
        links->conns.now_ns - own->probe_ns >= step_ns) {
        own->probe_ns = links->conns.now_ns;
        link->probes = true;
        cst_link_touch(links, link);
    }
    cst_conns_timer(&links->conns, links->conns.now_ns + step_ns);
}
