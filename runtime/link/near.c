/* near.c - share memory with processes of the same machine. */
#include "link/near.h"

#include "base/fail.h"
#include "base/thread.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CST_NEAR_WASTE = 256,
    CST_NEAR_TEXT = 64, /* bytes of a struct cst_near_text, at most */
};

void cst_near_start(struct cst_links *links)
{
    if (cst_conn_listen_near(&links->conns))
        links->box = cst_shm_box_create(links->bell);
    links->conns.shares = links->box != NULL;
    randombytes_buf(links->token, sizeof(links->token));
}

void cst_near_stop(struct cst_links *links)
{
    cst_shm_box_destroy(links->box);
    links->box = NULL;
    links->conns.shares = false;
}

/* ---- Who says what ----------------------------------------------------------- */

void cst_near_linked(struct cst_links *links, struct cst_conn *conn)
{
    struct cst_link *link = conn->peer->link;

    if (!conn->near || !conn->outgoing || !links->box || conn->pipe ||
        link->carrier != &cst_tcp_carrier)
        return;
    conn->pipe = cst_shm_pipe_create(&conn->pipe_file);
    if (!conn->pipe)
        return; /* by the socket */
    conn->next_piped = links->piped;
    links->piped = conn;
    conn->say = CST_NEAR_OFFER;
}

/* The descriptors that go with it. */
static size_t files_of(const struct cst_links *links,
                       const struct cst_conn *conn, int *files)
{
    size_t count = 0;

    if (conn->say == CST_NEAR_OFFER)
        files[count++] = conn->pipe_file;
    if (conn->say != CST_NEAR_GO) {
        files[count++] = cst_shm_box_file(links->box);
        files[count++] = cst_shm_box_bell(links->box);
    }
    return count;
}

static ssize_t send_with(int fd, const struct cst_writer *writer,
                         const int *files, size_t count)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(CST_CONN_FILES * sizeof(int))];
    } control;
    struct iovec piece = {writer->bytes, writer->size};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};

    if (count > 0) {
        memset(&control, 0, sizeof(control));
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(&control.head), files, count * sizeof(int));
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    }
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

int cst_near_say(struct cst_links *links, struct cst_conn *conn)
{
    struct cst_near_text text = {.near = conn->say,
                                 .pulls = conn->reach != NULL,
                                 .address = (uintptr_t)links->token};
    uint8_t bytes[CST_SEGMENT_PREFIX + CST_NEAR_TEXT];
    struct cst_writer writer;
    int files[CST_CONN_FILES] = {-1, -1, -1};
    ssize_t put;

    memcpy(text.token, links->token, sizeof(text.token));
    cst_writer_init_fixed(&writer, bytes, sizeof(bytes));
    cst_put_near(&writer, &text);
    CST_ASSERT(!writer.bad);
    put = send_with(conn->fd, &writer, files, files_of(links, conn, files));
    if (put < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (put != (ssize_t)writer.size) {
        cst_conns_why(&links->conns, "its connection broke: %s",
                      put < 0 ? cst_reason(errno) : "it takes nothing more");
        return -1;
    }
    if (conn->say == CST_NEAR_OFFER) {
        close(conn->pipe_file);
        conn->pipe_file = -1;
    } else {
        conn->writes_pipe = true;
        cst_conn_want_write(&links->conns, conn, false);
        conn->peer->link->counts.carrier = "shm";
    }
    conn->say = 0;
    return 1;
}

static void close_passed(struct cst_conn *conn)
{
    while (conn->passed_count > 0)
        close(conn->passed[--conn->passed_count]);
}

/* Map what was offered; without memory the socket does. */
static void take_offer(struct cst_links *links, struct cst_conn *conn,
                       const struct cst_near_text *text)
{
    struct cst_shm_pipe *pipe = cst_shm_pipe_open(conn->passed[0]);

    if (!pipe || !cst_shm_pipe_meet(pipe, conn->passed[1], conn->passed[2])) {
        cst_shm_pipe_destroy(pipe);
        return;
    }
    conn->passed_count--; /* the bell is the pipe's */
    conn->pipe = pipe;
    conn->next_piped = links->piped;
    links->piped = conn;
    conn->reach = cst_shm_reach_create(conn->fd, text->address, text->token);
    conn->say = CST_NEAR_ACCEPT;
    cst_link_touch(links, conn->peer->link);
}

static bool take_accept(struct cst_links *links, struct cst_conn *conn,
                        const struct cst_near_text *text)
{
    if (!cst_shm_pipe_meet(conn->pipe, conn->passed[0], conn->passed[1]))
        return false;
    conn->passed_count--;
    conn->reach = cst_shm_reach_create(conn->fd, text->address, text->token);
    conn->pulls = text->pulls;
    conn->say = CST_NEAR_GO;
    cst_link_touch(links, conn->peer->link);
    return true;
}

/* What comes from now on comes through the pipe. */
static bool read_pipe(struct cst_links *links, struct cst_conn *conn)
{
    conn->reads_pipe = true;
    links->far--;
    cst_shm_box_put(links->box);
    return conn->in_begin == conn->in_end;
}

bool cst_near_take(struct cst_links *links, struct cst_conn *conn,
                   const uint8_t *body, uint32_t size)
{
    struct cst_near_text text;
    bool good = false;

    if (!cst_get_near(body, size, &text) || !conn->near || !conn->linked ||
        conn->reads_pipe)
        return false;
    if (text.near == CST_NEAR_OFFER) {
        good = !conn->outgoing && !conn->pipe &&
               conn->passed_count == CST_CONN_FILES;
        if (good && links->box)
            take_offer(links, conn, &text);
    } else if (text.near == CST_NEAR_ACCEPT) {
        good = conn->outgoing && conn->pipe && conn->say == 0 &&
               conn->passed_count == 2 && take_accept(links, conn, &text) &&
               read_pipe(links, conn);
    } else {
        conn->pulls = text.pulls;
        good = !conn->outgoing && conn->writes_pipe && read_pipe(links, conn);
    }
    close_passed(conn);
    return good;
}

/* ---- Poll -------------------------------------------------------------------- */

void cst_near_event(struct cst_links *links, struct cst_conn *conn)
{
    uint8_t waste[CST_NEAR_WASTE];
    ssize_t got = recv(conn->fd, waste, sizeof(waste), 0);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    /* What it had said before is heard. */
    cst_tcp_read(links, conn);
    if (conn->what != CST_CONN_DATA)
        return;
    (void)cst_conn_received(&links->conns, conn, got);
    if (got > 0)
        cst_conns_why(&links->conns, "process %u sent garbage",
                      conn->peer->number);
    cst_connect_broken(links, conn);
}

void cst_near_poll(struct cst_links *links)
{
    struct cst_conn *next;

    for (struct cst_conn *conn = links->piped; conn; conn = next) {
        next = conn->next_piped;
        if (conn->blocked) {
            conn->blocked = false;
            cst_link_touch(links, conn->peer->link);
        }
        if (conn->reads_pipe)
            cst_tcp_read(links, conn);
        if (links->over)
            return;
        /* Closing one may have closed others: begin anew. */
        if (next && next->what != CST_CONN_DATA)
            next = links->piped;
    }
}

void cst_near_close(struct cst_conns *conns, struct cst_conn *conn)
{
    struct cst_links *links =
        (void *)((char *)conns - offsetof(struct cst_links, conns));
    struct cst_conn **at = &links->piped;

    if (conn->what == CST_CONN_DATA && !conn->reads_pipe)
        links->far--;
    close_passed(conn);
    if (!conn->pipe)
        return;
    while (*at != conn)
        at = &(*at)->next_piped;
    *at = conn->next_piped;
    if (conn->pipe_file >= 0)
        close(conn->pipe_file);
    cst_shm_pipe_destroy(conn->pipe);
    cst_shm_reach_destroy(conn->reach);
    conn->pipe = NULL;
    conn->reach = NULL;
    if (conn->peer->link && conn->peer->link->conn == conn)
        cst_pull_forget(conn->peer->link);
}
