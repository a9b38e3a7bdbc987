/* pull.c - payloads between processes of one machine: who wants one reads it
   from the memory of who has it. */
#include "base/thread.h"
#include "link/near.h"

#include <errno.h>

enum { CST_PULL_MAX = 4 << 20 }; /* bytes by one look at a link */

void cst_pull_put(struct cst_link *link, struct cst_writer *writer)
{
    struct cst_bulk_out *bulk = link->bulk_next;

    while (bulk && bulk->number - link->bulk_first->number < CST_BULK_WINDOW) {
        struct cst_pull pull = {.head = {.number = bulk->number,
                                         .payload_size = bulk->size,
                                         .header = bulk->header,
                                         .header_size = bulk->header_size},
                                .from = bulk->from};

        cst_put_pull(writer, &pull);
        bulk = bulk->next;
    }
    link->bulk_next = bulk;
}

bool cst_pull_take(struct cst_links *links, struct cst_conn *conn,
                   const uint8_t *body, uint32_t size)
{
    struct cst_bulk_in *in;
    struct cst_pull pull;

    if (!conn->reach || !conn->reads_pipe || !cst_get_pull(body, size, &pull))
        return false;
    in = cst_link_bulk_begin(links, conn->peer->link, &pull.head);
    if (!in)
        return false;
    in->pulls = true;
    in->from = pull.from;
    return true;
}

/* Read some of it; false: that cannot be, says links->conns.why. */
static bool pull_some(struct cst_links *links, const struct cst_conn *conn,
                      struct cst_bulk_in *in, size_t most)
{
    struct iovec *into = links->iovecs;
    struct iovec *from = links->iovecs + CST_IOVECS_MAX;
    size_t size = in->size - in->received;
    size_t others;
    int into_count;
    int from_count;
    ssize_t got;

    if (size > most)
        size = most;
    into_count = cst_rows_pieces(&in->into, in->received, in->received + size,
                                 into, CST_IOVECS_MAX, &others);
    from_count = cst_rows_pieces(&in->from, in->received, in->received + size,
                                 from, CST_IOVECS_MAX, &size);
    got = cst_shm_reach_read(conn->reach, into, into_count, from, from_count);
    /* What was closed meanwhile may have been used for other things. */
    if (got > 0 && !cst_shm_pipe_is_closed(conn->pipe)) {
        in->received += (size_t)got;
        return true;
    }
    cst_conns_why(&links->conns, "its memory cannot be read: %s",
                  got < 0 ? cst_reason(errno) : "it has closed");
    return false;
}

/* The next one to be read, or NULL. */
static struct cst_bulk_in *next_pull(struct cst_link *link)
{
    struct cst_bulk_in *in = cst_link_bulk_expected(link);

    return in->active && in->pulls ? in : NULL;
}

bool cst_pull_go(struct cst_links *links, struct cst_conn *conn)
{
    struct cst_link *link = conn->peer->link;
    size_t all = 0;
    struct cst_bulk_in *in;

    while (all < CST_PULL_MAX && (in = next_pull(link))) {
        size_t before = in->received;

        if (!in->wanted)
            in->received = in->size;
        else if (!pull_some(links, conn, in, CST_PULL_MAX - all))
            return false;
        all += in->received - before;
        if (in->received < in->size)
            continue;
        in->pulls = false;
        cst_link_bulk_arrived(links, link, in);
        if (conn->what != CST_CONN_DATA || conn->peer->link != link)
            return true; /* it was closed by who was told */
    }
    if (next_pull(link))
        cst_shm_box_put(links->box);
    return true;
}

void cst_pull_forget(struct cst_link *link)
{
    for (unsigned int i = 0; i < CST_BULK_WINDOW; i++)
        link->window[i].pulls = false;
}
