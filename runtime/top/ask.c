/*
 * One question to a run, and its answer.
 */
#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/thread.h"
#include "top/top.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 5000, AGAIN_NS = 5000000 };

static enum castell_status is_over(const struct cst_top_run *run)
{
    return cst_fail(CASTELL_ERR_NODE_LOST, "the run %s.%ld has ended",
                    run->program, run->process);
}

static enum castell_status is_silent(const struct cst_top_run *run)
{
    return cst_fail(CASTELL_ERR_SYSTEM,
                    "the run %s.%ld does not answer: is it stopped?",
                    run->program, run->process);
}

/* Others may ask as well. */
static enum castell_status call(const struct cst_top_run *run, uint64_t end_ns,
                                int *ret_socket)
{
    static const struct timespec again = {.tv_nsec = AGAIN_NS};
    enum castell_status status;
    int error = 0;

    for (;;) {
        status = cst_watch_connect(run->path, ret_socket, &error);
        if (status == CASTELL_OK)
            return status;
        if (error == ECONNREFUSED || error == ENOENT)
            return is_over(run);
        if (error != EAGAIN)
            return status;
        if (cst_clock_ns() > end_ns)
            return is_silent(run);
        (void)nanosleep(&again, NULL);
    }
}

static enum castell_status read_all(const struct cst_top_run *run, int socket,
                                    uint64_t end_ns, uint8_t *bytes,
                                    size_t size)
{
    size_t got = 0;

    while (got < size) {
        struct pollfd polled = {.fd = socket, .events = POLLIN};
        uint64_t now = cst_clock_ns();
        ssize_t more;

        if (now >= end_ns ||
            poll(&polled, 1, (int)((end_ns - now) / 1000000) + 1) == 0)
            return is_silent(run);
        more = recv(socket, bytes + got, size - got, 0);
        if (more < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (more <= 0)
            return is_over(run);
        got += (size_t)more;
    }
    return CASTELL_OK;
}

static enum castell_status understand(uint8_t what, const uint8_t *bytes,
                                      size_t size,
                                      struct cst_watch_picture *ret_picture)
{
    if (what == CST_WATCH_DONE && !ret_picture)
        return CASTELL_OK;
    if (what == CST_WATCH_REFUSED)
        return cst_fail(CASTELL_ERR_INVALID, "%.*s", (int)size,
                        (const char *)bytes);
    if (what == CST_WATCH_PICTURE && ret_picture &&
        cst_watch_get_picture(bytes, size, ret_picture))
        return CASTELL_OK;
    return cst_fail(CASTELL_ERR_INVALID, "the run's answer makes no sense");
}

static enum castell_status hear(const struct cst_top_run *run, int socket,
                                uint64_t end_ns,
                                struct cst_watch_picture *ret_picture)
{
    uint8_t head[CST_WATCH_HEAD];
    uint8_t *bytes = NULL;
    size_t size = 0;
    uint8_t what = 0;
    enum castell_status status =
        read_all(run, socket, end_ns, head, sizeof(head));

    if (status == CASTELL_OK)
        status = cst_watch_get_head(head, CST_WATCH_ANSWER_MAX, &what, &size);
    if (status != CASTELL_OK)
        return status;
    bytes = cst_alloc(size + 1);
    if (!bytes)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for the answer");
    status = read_all(run, socket, end_ns, bytes, size);
    if (status == CASTELL_OK)
        status = understand(what, bytes, size, ret_picture);
    cst_free(bytes);
    return status;
}

enum castell_status cst_top_ask(const struct cst_top_run *run,
                                enum cst_watch_order order, const char *text,
                                struct cst_watch_picture *ret_picture)
{
    uint64_t end_ns = cst_clock_ns() + (uint64_t)PATIENCE_MS * 1000000;
    uint8_t question[CST_WATCH_HEAD + CST_WATCH_ASK_MAX];
    size_t size = strlen(text);
    enum castell_status status;
    ssize_t sent;
    int socket;

    if (size > CST_WATCH_ASK_MAX)
        return cst_fail(CASTELL_ERR_INVALID, "\"%.20s...\" is too long a name",
                        text);
    status = call(run, end_ns, &socket);
    if (status != CASTELL_OK)
        return status;
    cst_watch_put_head(question, (uint8_t)order, size);
    for (size_t i = 0; i < size; i++) /* without its end */
        question[CST_WATCH_HEAD + i] = (uint8_t)text[i];
    /* A new socket has room for it. */
    sent = send(socket, question, CST_WATCH_HEAD + size, MSG_NOSIGNAL);
    status = sent < 0 ? is_over(run) : hear(run, socket, end_ns, ret_picture);
    (void)close(socket);
    return status;
}
