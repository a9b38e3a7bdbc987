/* conn.c - sockets that never block. */
#include "conn/conn.h"

#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/thread.h"
#include "shm/shm.h"

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
static struct cst_conn *conn_create(struct cst_conns *conns, int fd,
                                    enum cst_conn_what what, bool connecting)
{
    struct cst_conn *conn = cst_zalloc(sizeof(*conn));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};

    if (connecting)
        event.events |= EPOLLOUT;
    if (!conn || epoll_ctl(conns->epoll, EPOLL_CTL_ADD, fd, &event)) {
        cst_free(conn);
        close(fd);
        return NULL;
    }
    conn->what = what;
    conn->fd = fd;
    conn->connecting = connecting;
    conn->wants_write = connecting;
    conn->pipe_file = -1;
    conn->heard_ns = conns->now_ns;
    conn->spoke_ns = conns->now_ns;
    conn->next = conns->first;
    if (conns->first)
        conns->first->previous = conn;
    conns->first = conn;
    if (what == CST_CONN_STRANGER) {
        conns->strangers++;
        conn->deadline_ns = conns->now_ns + conns->shake_ns;
        cst_conns_timer(conns, conn->deadline_ns);
    }
    return conn;
}

struct cst_conn *cst_conn_adopt_listener(struct cst_conns *conns, int fd)
{
    return conn_create(conns, fd, CST_CONN_LISTENER, false);
}

void cst_conn_close(struct cst_conns *conns, struct cst_conn *conn)
{
    if (conn->what == CST_CONN_CLOSED)
        return;
    if (conn->what == CST_CONN_STRANGER)
        conns->strangers--;
    if (conn->next)
        conn->next->previous = conn->previous;
    if (conn->previous)
        conn->previous->next = conn->next;
    else
        conns->first = conn->next;
    if (conns->closing)
        conns->closing(conns, conn);
    /* A forked child may hold the socket too: closing alone would neither end the
       connection nor take it out of epoll. */
    (void)epoll_ctl(conns->epoll, EPOLL_CTL_DEL, conn->fd, NULL);
    (void)shutdown(conn->fd, SHUT_RDWR);
    close(conn->fd);
    conn->what = CST_CONN_CLOSED;
    conn->previous = NULL;
    conn->next = conns->closed;
    conns->closed = conn;
}

void cst_conn_sweep(struct cst_conns *conns)
{
    while (conns->closed) {
        struct cst_conn *conn = conns->closed;

        conns->closed = conn->next;
        cst_free(conn->in);
        cst_writer_release(&conn->out);
        cst_writer_release(&conn->burst.first);
        cst_writer_release(&conn->burst.second);
        cst_free(conn);
    }
}

/* What helps a connection; nothing of it is needed. */
static void tune(const struct cst_conns *conns, int fd)
{
    int one = 1;
    int not_sent = CST_NOT_SENT;
    unsigned int patience = (unsigned int)(conns->dead_ns / CST_NS_PER_MS);

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
static void evict_stranger(struct cst_conns *conns)
{
    struct cst_conn *oldest = NULL;

    for (struct cst_conn *conn = conns->first; conn; conn = conn->next)
        if (conn->what == CST_CONN_STRANGER && !conn->outgoing)
            oldest = conn;
    cst_conns_tell(conns, CST_TELL_FLOOD,
                   "more than %d strangers are connected at once, the last one "
                   "from %s: the oldest are closed",
                   CST_STRANGERS, oldest ? oldest->who : "nowhere");
    if (oldest)
        cst_conn_close(conns, oldest);
}

/* No descriptors: let the listener rest, or epoll would report it for ever. */
static void rest_listener(struct cst_conns *conns, struct cst_conn *listener,
                          int error)
{
    struct epoll_event event = {.events = 0, .data.ptr = listener};

    if (error == EMFILE || error == ENFILE)
        cst_conns_tell(conns, CST_TELL_FILES,
                       "a connection cannot be taken for a moment: %s",
                       cst_reason(error));
    (void)epoll_ctl(conns->epoll, EPOLL_CTL_MOD, listener->fd, &event);
    conns->listen_again_ns = conns->now_ns + 100 * CST_NS_PER_MS;
    cst_conns_timer(conns, conns->listen_again_ns);
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

void cst_conn_accept(struct cst_conns *conns, struct cst_conn *listener)
{
    for (unsigned int i = 0; i < CST_ACCEPTS; i++) {
        struct sockaddr_storage from = {0};
        socklen_t size = sizeof(from);
        struct cst_conn *conn;
        int fd = accept4(listener->fd, (struct sockaddr *)&from, &size,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
            continue;
        if (fd < 0) {
            if (errno != EAGAIN)
                rest_listener(conns, listener, errno);
            return;
        }
        if (conns->strangers >= CST_STRANGERS)
            evict_stranger(conns);
        if (listener == conns->listener)
            tune(conns, fd);
        conn = conn_create(conns, fd, CST_CONN_STRANGER, false);
        if (!conn)
            continue;
        conn->near = listener == conns->near_listener;
        if (conn->near)
            (void)snprintf(conn->who, sizeof(conn->who), "this machine");
        else
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

/* A socket that is connected to that address, or will be; -1 with errno. */
static int begin_connecting(const struct cst_conns *conns, const char *text,
                            uint16_t port)
{
    struct sockaddr_storage address;
    socklen_t size = make_address(text, port, &address);
    int error;
    int fd;

    CST_ASSERT(size > 0);
    fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                0);
    if (fd < 0)
        return -1;
    tune(conns, fd);
    if (connect(fd, (struct sockaddr *)&address, size) == 0 ||
        errno == EINPROGRESS)
        return fd;
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

struct cst_conn *cst_conn_connect(struct cst_conns *conns,
                                  const struct cst_where *where, uint32_t turn,
                                  enum cst_link_kind kind, uint32_t to)
{
    bool here = where->host == conns->where.host;
    bool near = here && conns->shares && kind == CST_LINK_DATA;
    const char *text = "127.0.0.1";
    struct cst_conn *conn;
    char port[8];
    int fd;

    turn %= where->addresses_count + here + near;
    near = near && turn-- == 0;
    if (!near && (!here || turn > 0))
        text = where->addresses[turn - here];
    fd = near ? cst_conn_connect_near(where)
              : begin_connecting(conns, text, where->port);
    if (fd < 0)
        return NULL;
    conn = conn_create(conns, fd, CST_CONN_STRANGER, true);
    if (!conn) {
        errno = ENOMEM;
        return NULL;
    }
    conn->outgoing = true;
    conn->near = near;
    conn->shake.hello.kind = (uint8_t)kind;
    conn->shake.hello.from = conns->self;
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

int cst_conn_received(struct cst_conns *conns, struct cst_conn *conn,
                      ssize_t got)
{
    if (got > 0) {
        conn->heard_ns = conns->now_ns;
        return 1;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (got == 0)
        cst_conns_why(conns, "its connection closed");
    else
        cst_conns_why(conns, "its connection broke: %s", cst_reason(errno));
    return -1;
}

static ssize_t receive(struct cst_conn *conn, void *bytes, size_t size)
{
    struct iovec piece = {bytes, size};

    if (conn->reads_pipe)
        return cst_shm_read(conn->pipe, &piece, 1);
    if (conn->near && conn->what == CST_CONN_DATA)
        return cst_conn_receive_near(conn, bytes, size);
    return recv(conn->fd, bytes, size, 0);
}

int cst_conn_read(struct cst_conns *conns, struct cst_conn *conn)
{
    ssize_t got;

    if (conn->in_begin == conn->in_end)
        conn->in_begin = conn->in_end = 0;
    if (!cst_conn_room(conn, CST_IN_MIN / 2)) {
        cst_conns_why(conns, "no memory to read from %s", conn->who);
        return -1;
    }
    got = receive(conn, conn->in + conn->in_end,
                  conn->in_capacity - conn->in_end);
    if (got > 0)
        conn->in_end += (size_t)got;
    return cst_conn_received(conns, conn, got);
}

int cst_conn_segment(struct cst_conns *conns, struct cst_conn *conn,
                     uint32_t max, uint8_t *ret_type, const uint8_t **ret_body,
                     uint32_t *ret_size)
{
    int found = cst_segment_find(conn->in + conn->in_begin,
                                 conn->in_end - conn->in_begin, max, ret_type,
                                 ret_size);

    if (found < 0)
        cst_conns_why(conns, "%s sent garbage", conn->who);
    if (found <= 0)
        return found;
    *ret_body = conn->in + conn->in_begin + CST_SEGMENT_PREFIX;
    conn->in_begin += CST_SEGMENT_PREFIX + *ret_size;
    return 1;
}

void cst_conn_want_write(struct cst_conns *conns, struct cst_conn *conn,
                         bool wants)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};

    if (conn->wants_write == wants)
        return;
    if (wants)
        event.events |= EPOLLOUT;
    if (epoll_ctl(conns->epoll, EPOLL_CTL_MOD, conn->fd, &event) == 0)
        conn->wants_write = wants;
}

bool cst_conn_flush(struct cst_conns *conns, struct cst_conn *conn)
{
    if (conn->connecting || conn->what == CST_CONN_CLOSED)
        return true;
    if (conn->out.bad) {
        cst_conns_why(conns, "no memory to write to %s", conn->who);
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
            cst_conns_why(conns, "its connection broke: %s", cst_reason(errno));
            return false;
        }
        conn->out_done += (size_t)put;
        conn->spoke_ns = conns->now_ns;
    }
    cst_conn_want_write(conns, conn, conn->out_done < conn->out.size);
    if (conn->out_done == conn->out.size) {
        cst_writer_clear(&conn->out);
        conn->out_done = 0;
    }
    return true;
}

void cst_conn_admit(struct cst_conns *conns, struct cst_conn *conn,
                    enum cst_conn_what what, struct cst_peer *peer)
{
    if (conn->what == CST_CONN_STRANGER)
        conns->strangers--;
    conn->what = what;
    conn->peer = peer;
    conn->deadline_ns = 0;
}
