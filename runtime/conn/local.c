/* local.c - connections between processes of one machine. */
#include "conn/conn.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CST_NEAR_BACKLOG = 1024 };

/* A name that is no file, and goes with the socket. */
static socklen_t make_name(const struct cst_where *where,
                           struct sockaddr_un *ret_name)
{
    int size;

    memset(ret_name, 0, sizeof(*ret_name));
    ret_name->sun_family = AF_UNIX;
    size = snprintf(ret_name->sun_path + 1, sizeof(ret_name->sun_path) - 1,
                    "castell-%016llx-%u", (unsigned long long)where->host,
                    where->port);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
                       (size_t)size);
}

static int near_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

bool cst_conn_listen_near(struct cst_conns *conns)
{
    struct sockaddr_un name;
    socklen_t size = make_name(&conns->where, &name);
    int fd = near_socket();

    if (fd < 0)
        return false;
    if (bind(fd, (struct sockaddr *)&name, size) ||
        listen(fd, CST_NEAR_BACKLOG)) {
        close(fd);
        return false;
    }
    conns->near_listener = cst_conn_adopt_listener(conns, fd);
    return conns->near_listener != NULL;
}

int cst_conn_connect_near(const struct cst_where *where)
{
    struct sockaddr_un name;
    socklen_t size = make_name(where, &name);
    int fd = near_socket();
    int error;

    if (fd < 0 || connect(fd, (struct sockaddr *)&name, size) == 0)
        return fd;
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

ssize_t cst_conn_receive_near(struct cst_conn *conn, void *bytes, size_t size)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(CST_CONN_FILES * sizeof(int))];
    } control;
    struct iovec piece = {bytes, size};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    ssize_t got = recvmsg(conn->fd, &message, MSG_CMSG_CLOEXEC);
    struct cmsghdr *head = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    size_t count;

    if (!head || head->cmsg_level != SOL_SOCKET ||
        head->cmsg_type != SCM_RIGHTS)
        return got;
    count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
        int fd;

        memcpy(&fd, CMSG_DATA(head) + i * sizeof(fd), sizeof(fd));
        if (conn->passed_count < CST_CONN_FILES)
            conn->passed[conn->passed_count++] = fd;
        else
            close(fd);
    }
    return got;
}
