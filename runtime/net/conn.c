/* conn.c - sockets that never block. */
#include "net/conn.h"

#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/thread.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CST_ACCEPTS = 16,   /* by one poll */
    CST_STRANGERS = 64, /* at a time */
    CST_IN_MIN = 16 << 10,
    CST_NOT_SENT = 512 << 10, /* bytes that wait in the system */
};

/* An address and a port as a person reads them. */
static void name_conn(struct cst_conn *conn, const char *address,
                      const char *port)
{
    static const char mapped[] = "::ffff:";

    if (strncmp(address, mapped, sizeof(mapped) - 1) == 0)
        address += sizeof(mapped) - 1;
    (void)snprintf(conn->who, sizeof(conn->who), "%s port %s", address, port);
}

/* Register a socket; closes it when that fails. */
static struct cst_conn *conn_create(struct cst_mesh *mesh, int fd,
                                    enum cst_conn_what what, bool connecting)
{
    struct cst_conn *conn = cst_zalloc(sizeof(*conn));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};

    if (connecting)
        event.events |= EPOLLOUT;
    if (!conn || epoll_ctl(mesh->epoll, EPOLL_CTL_ADD, fd, &event)) {
        cst_free(conn);
        close(fd);
        return NULL;
    }
    conn->what = what;
    conn->fd = fd;
    conn->connecting = connecting;
    conn->wants_write = connecting;
    conn->heard_ns = mesh->now_ns;
    conn->spoke_ns = mesh->now_ns;
    conn->next = mesh->conns;
    if (mesh->conns)
        mesh->conns->previous = conn;
    mesh->conns = conn;
    if (what == CST_CONN_STRANGER) {
        mesh->strangers++;
        conn->deadline_ns = mesh->now_ns + mesh->shake_ns;
        cst_mesh_timer(mesh, conn->deadline_ns);
    }
    return conn;
}

struct cst_conn *cst_conn_adopt_listener(struct cst_mesh *mesh, int fd)
{
    return conn_create(mesh, fd, CST_CONN_LISTENER, false);
}

void cst_conn_close(struct cst_mesh *mesh, struct cst_conn *conn)
{
    if (conn->what == CST_CONN_CLOSED)
        return;
    if (conn->what == CST_CONN_STRANGER)
        mesh->strangers--;
    if (conn->next)
        conn->next->previous = conn->previous;
    if (conn->previous)
        conn->previous->next = conn->next;
    else
        mesh->conns = conn->next;
    /* A forked child may hold the socket too: closing alone would neither end the
       connection nor take it out of epoll. */
    (void)epoll_ctl(mesh->epoll, EPOLL_CTL_DEL, conn->fd, NULL);
    (void)shutdown(conn->fd, SHUT_RDWR);
    close(conn->fd);
    conn->what = CST_CONN_CLOSED;
    conn->previous = NULL;
    conn->next = mesh->closed;
    mesh->closed = conn;
}

void cst_conn_sweep(struct cst_mesh *mesh)
{
    while (mesh->closed) {
        struct cst_conn *conn = mesh->closed;

        mesh->closed = conn->next;
        cst_free(conn->in);
        cst_writer_release(&conn->out);
        cst_writer_release(&conn->burst.first);
        cst_writer_release(&conn->burst.second);
        cst_free(conn);
    }
}

/* What helps a connection; nothing of it is needed. */
static void tune(const struct cst_mesh *mesh, int fd)
{
    int one = 1;
    int not_sent = CST_NOT_SENT;
    unsigned int patience = (unsigned int)(mesh->dead_ns / CST_NS_PER_MS);

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &not_sent,
                     sizeof(not_sent));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience,
                     sizeof(patience));
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &one, sizeof(one));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &one, sizeof(one));
}

/* A flood: the oldest stranger makes room for a new one. */
static void evict_stranger(struct cst_mesh *mesh)
{
    struct cst_conn *oldest = NULL;

    for (struct cst_conn *conn = mesh->conns; conn; conn = conn->next)
        if (conn->what == CST_CONN_STRANGER && !conn->outgoing)
            oldest = conn;
    cst_mesh_tell(mesh, CST_TELL_FLOOD,
                  "more than %d strangers are connected at once, the last one "
                  "from %s: the oldest are closed",
                  CST_STRANGERS, oldest ? oldest->who : "nowhere");
    if (oldest)
        cst_conn_close(mesh, oldest);
}

/* No descriptors: let the listener rest, or epoll would report it for ever. */
static void rest_listener(struct cst_mesh *mesh, int error)
{
    struct epoll_event event = {.events = 0, .data.ptr = mesh->listener};

    if (error == EMFILE || error == ENFILE)
        cst_mesh_tell(mesh, CST_TELL_FILES,
                      "a connection cannot be taken for a moment: %s",
                      cst_reason(error));
    (void)epoll_ctl(mesh->epoll, EPOLL_CTL_MOD, mesh->listener->fd, &event);
    mesh->listen_again_ns = mesh->now_ns + 100 * CST_NS_PER_MS;
    cst_mesh_timer(mesh, mesh->listen_again_ns);
}

static void describe(struct cst_conn *conn, const struct sockaddr_storage *from,
                     socklen_t size)
{
    char address[INET6_ADDRSTRLEN + 16]; /* and a scope */
    char port[8];

    if (getnameinfo((const struct sockaddr *)from, size, address,
                    sizeof(address), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV))
        name_conn(conn, "?", "?");
    else
        name_conn(conn, address, port);
}

void cst_conn_accept(struct cst_mesh *mesh)
{
    for (unsigned int i = 0; i < CST_ACCEPTS; i++) {
        struct sockaddr_storage from = {0};
        socklen_t size = sizeof(from);
        struct cst_conn *conn;
        int fd = accept4(mesh->listener->fd, (struct sockaddr *)&from, &size,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
            continue;
        if (fd < 0) {
            if (errno != EAGAIN)
                rest_listener(mesh, errno);
            return;
        }
        if (mesh->strangers >= CST_STRANGERS)
            evict_stranger(mesh);
        tune(mesh, fd);
        conn = conn_create(mesh, fd, CST_CONN_STRANGER, false);
        if (conn)
            describe(conn, &from, size);
    }
}

/* A numeric address and a port as the system wants them. */
static socklen_t make_address(const char *text, uint16_t port,
                              struct sockaddr_storage *ret_address)
{
    struct sockaddr_in *four = (void *)ret_address;
    struct sockaddr_in6 *six = (void *)ret_address;

    memset(ret_address, 0, sizeof(*ret_address));
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(port);
        return sizeof(*four);
    }
    if (inet_pton(AF_INET6, text, &six->sin6_addr) != 1)
        return 0;
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(port);
    return sizeof(*six);
}

struct cst_conn *cst_conn_connect(struct cst_mesh *mesh,
                                  const struct cst_where *where, uint32_t turn,
                                  enum cst_link_kind kind, uint32_t to)
{
    bool near = where->host == mesh->where.host;
    const char *text = "127.0.0.1";
    struct sockaddr_storage address;
    struct cst_conn *conn;
    socklen_t size;
    char port[8];
    int fd;

    turn %= where->addresses_count + near;
    if (!near || turn > 0)
        text = where->addresses[turn - near];
    size = make_address(text, where->port, &address);
    CST_ASSERT(size > 0);
    fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                0);
    if (fd < 0)
        return NULL;
    tune(mesh, fd);
    if (connect(fd, (struct sockaddr *)&address, size) &&
        errno != EINPROGRESS) {
        int error = errno;

        close(fd);
        errno = error;
        return NULL;
    }
    conn = conn_create(mesh, fd, CST_CONN_STRANGER, true);
    if (!conn) {
        errno = ENOMEM;
        return NULL;
    }
    conn->outgoing = true;
    conn->shake.hello.kind = (uint8_t)kind;
    conn->shake.hello.from = mesh->net.self;
    conn->shake.hello.to = to;
    (void)snprintf(port, sizeof(port), "%u", where->port);
    name_conn(conn, text, port);
    return conn;
}

bool cst_conn_room(struct cst_conn *conn, size_t more)
{
    size_t size = conn->in_end - conn->in_begin;
    size_t capacity = conn->in_capacity ? conn->in_capacity : CST_IN_MIN;
    uint8_t *in;

    if (conn->in_capacity - conn->in_end >= more)
        return true;
    if (conn->in_begin > 0) {
        memmove(conn->in, conn->in + conn->in_begin, size);
        conn->in_begin = 0;
        conn->in_end = size;
    }
    while (capacity - size < more)
        capacity *= 2;
    if (capacity == conn->in_capacity)
        return true;
    in = cst_realloc(conn->in, capacity);
    if (!in)
        return false;
    conn->in = in;
    conn->in_capacity = capacity;
    return true;
}

int cst_conn_received(struct cst_mesh *mesh, struct cst_conn *conn, ssize_t got)
{
    if (got > 0) {
        conn->heard_ns = mesh->now_ns;
        return 1;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (got == 0)
        cst_mesh_why(mesh, "its connection closed");
    else
        cst_mesh_why(mesh, "its connection broke: %s", cst_reason(errno));
    return -1;
}

int cst_conn_read(struct cst_mesh *mesh, struct cst_conn *conn)
{
    ssize_t got;

    if (conn->in_begin == conn->in_end)
        conn->in_begin = conn->in_end = 0;
    if (!cst_conn_room(conn, CST_IN_MIN / 2)) {
        cst_mesh_why(mesh, "no memory to read from %s", conn->who);
        return -1;
    }
    got = recv(conn->fd, conn->in + conn->in_end,
               conn->in_capacity - conn->in_end, 0);
    if (got > 0)
        conn->in_end += (size_t)got;
    return cst_conn_received(mesh, conn, got);
}

int cst_conn_segment(struct cst_mesh *mesh, struct cst_conn *conn, uint32_t max,
                     uint8_t *ret_type, const uint8_t **ret_body,
                     uint32_t *ret_size)
{
    int found = cst_segment_find(conn->in + conn->in_begin,
                                 conn->in_end - conn->in_begin, max, ret_type,
                                 ret_size);

    if (found < 0)
        cst_mesh_why(mesh, "%s sent garbage", conn->who);
    if (found <= 0)
        return found;
    *ret_body = conn->in + conn->in_begin + CST_SEGMENT_PREFIX;
    conn->in_begin += CST_SEGMENT_PREFIX + *ret_size;
    return 1;
}

bool cst_conn_read_control(struct cst_mesh *mesh, struct cst_conn *conn,
                           cst_conn_take_fn *take)
{
    const uint8_t *body;
    uint32_t size;
    uint8_t type;
    int found = 0;
    int got;

    do {
        got = cst_conn_read(mesh, conn);
        while (conn->what == CST_CONN_CONTROL &&
               (found = cst_conn_segment(mesh, conn, CST_CONTROL_MAX, &type,
                                         &body, &size)) > 0)
            if (!take(mesh, conn, type, body, size)) {
                cst_mesh_why(mesh, "%s sent garbage", conn->who);
                found = -1;
                break;
            }
        if (conn->what != CST_CONN_CONTROL)
            return true;
    } while (got > 0 && found >= 0);
    return found >= 0 && got == 0;
}

void cst_conn_want_write(struct cst_mesh *mesh, struct cst_conn *conn,
                         bool wants)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};

    if (conn->wants_write == wants)
        return;
    if (wants)
        event.events |= EPOLLOUT;
    if (epoll_ctl(mesh->epoll, EPOLL_CTL_MOD, conn->fd, &event) == 0)
        conn->wants_write = wants;
}

bool cst_conn_flush(struct cst_mesh *mesh, struct cst_conn *conn)
{
    if (conn->connecting || conn->what == CST_CONN_CLOSED)
        return true;
    if (conn->out.bad) {
        cst_mesh_why(mesh, "no memory to write to %s", conn->who);
        return false;
    }
    while (conn->out_done < conn->out.size) {
        ssize_t put = send(conn->fd, conn->out.bytes + conn->out_done,
                           conn->out.size - conn->out_done, MSG_NOSIGNAL);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0 && errno == EAGAIN)
            break;
        if (put < 0) {
            cst_mesh_why(mesh, "its connection broke: %s", cst_reason(errno));
            return false;
        }
        conn->out_done += (size_t)put;
        conn->spoke_ns = mesh->now_ns;
    }
    cst_conn_want_write(mesh, conn, conn->out_done < conn->out.size);
    if (conn->out_done == conn->out.size) {
        cst_writer_clear(&conn->out);
        conn->out_done = 0;
    }
    return true;
}

void cst_conn_admit(struct cst_mesh *mesh, struct cst_conn *conn,
                    enum cst_conn_what what, struct cst_peer *peer)
{
    if (conn->what == CST_CONN_STRANGER)
        mesh->strangers--;
    conn->what = what;
    conn->peer = peer;
    conn->deadline_ns = 0;
}
