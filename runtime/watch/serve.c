/*
 * The run's side: a thread that waits for questions, and answers them.
 */
#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/parse.h"
#include "base/thread.h"
#include "watch/watch.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    CALLS_MAX = 32, /* at once; others wait in the kernel */
    BACKLOG = 128,
    PATIENCE_MS = 3000, /* with who does not ask, or does not listen */
    FRESH_MS = 50,      /* a picture serves for so long */
    PROGRAM_MAX = 40,
};

static const uint64_t ns_per_ms = 1000000;

/* Somebody who asks. */
struct call {
    int socket;
    uint64_t end_ns; /* when patience ends */
    size_t got;
    size_t sent;
    bool answers;
    struct cst_writer answer; /* with its head */
    uint8_t question[CST_WATCH_HEAD + CST_WATCH_ASK_MAX];
};

struct cst_watch {
    const struct cst_watch_ops *ops;
    void *owner;
    pthread_t thread;
    int listener;
    int stop; /* an eventfd */
    char path[CST_WATCH_PATH_MAX];

    /* Owner: the thread. */
    struct call calls[CALLS_MAX];
    size_t calls_count;
    struct cst_writer picture; /* the last one, encoded */
    uint64_t picture_ns;       /* when it was taken; 0: never */
};

/* ---- Answers ------------------------------------------------------------------- */

static void answer(struct call *call, enum cst_watch_answer what,
                   const void *bytes, size_t size)
{
    uint8_t head[CST_WATCH_HEAD];

    cst_watch_put_head(head, (uint8_t)what, size);
    cst_put_raw(&call->answer, head, sizeof(head));
    cst_put_raw(&call->answer, bytes, size);
    call->answers = true;
}

static void refuse(struct call *call)
{
    const char *why = castell_error_text();

    answer(call, CST_WATCH_REFUSED, why, strlen(why));
}

/* Several who ask at about the same time get the same. */
static bool take_picture(struct cst_watch *watch)
{
    struct cst_watch_picture picture = {.process = (uint32_t)getpid()};
    uint64_t now = cst_clock_ns();
    enum castell_status status;

    if (watch->picture_ns > 0 && now - watch->picture_ns < FRESH_MS * ns_per_ms)
        return true;
    watch->picture_ns = 0;
    cst_watch_name(picture.program, program_invocation_short_name);
    status = watch->ops->look(watch->owner, &picture);
    if (status == CASTELL_OK) {
        cst_watch_straighten(&picture);
        cst_writer_clear(&watch->picture);
        cst_watch_put_picture(&watch->picture, &picture);
        if (watch->picture.bad)
            status = cst_fail(CASTELL_ERR_NO_MEMORY, "no memory to tell");
    }
    cst_watch_picture_release(&picture);
    if (status == CASTELL_OK)
        watch->picture_ns = cst_clock_ns();
    return status == CASTELL_OK;
}

static void serve(struct cst_watch *watch, struct call *call,
                  enum cst_watch_order order, const char *text)
{
    if (order == CST_WATCH_LOOK && take_picture(watch))
        answer(call, CST_WATCH_PICTURE, watch->picture.bytes,
               watch->picture.size);
    else if (order != CST_WATCH_LOOK &&
             watch->ops->order(watch->owner, order, text) == CASTELL_OK)
        answer(call, CST_WATCH_DONE, "", 0);
    else
        refuse(call);
    watch->picture_ns = order == CST_WATCH_LOOK ? watch->picture_ns : 0;
}

/* What has come of a question: all of it, or none of sense? */
static void consider(struct cst_watch *watch, struct call *call)
{
    char text[CST_WATCH_ASK_MAX + 1];
    uint8_t what = 0;
    size_t size = 0;

    if (call->got < CST_WATCH_HEAD)
        return;
    if (cst_watch_get_head(call->question, CST_WATCH_ASK_MAX, &what, &size) !=
        CASTELL_OK) {
        refuse(call);
        return;
    }
    if (call->got < CST_WATCH_HEAD + size)
        return;
    memcpy(text, call->question + CST_WATCH_HEAD, size);
    text[size] = '\0';
    if (call->got > CST_WATCH_HEAD + size || what == 0 ||
        what >= CST_WATCH_ORDERS_END || strlen(text) != size) {
        cst_fail_text("that makes no sense");
        refuse(call);
        return;
    }
    serve(watch, call, (enum cst_watch_order)what, text);
}

/* ---- Calls --------------------------------------------------------------------- */

static void hang_up(struct cst_watch *watch, size_t index)
{
    struct call *call = &watch->calls[index];

    (void)close(call->socket);
    cst_writer_release(&call->answer);
    *call = watch->calls[--watch->calls_count];
}

static void take_call(struct cst_watch *watch)
{
    int socket =
        accept4(watch->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (socket < 0)
        return;
    if (!cst_watch_is_ours(socket)) {
        (void)close(socket);
        return;
    }
    watch->calls[watch->calls_count++] = (struct call){
        .socket = socket,
        .end_ns = cst_clock_ns() + PATIENCE_MS * ns_per_ms,
    };
}

/* False: it is over. */
static bool hear(struct cst_watch *watch, struct call *call)
{
    size_t room = sizeof(call->question) - call->got;
    ssize_t got = recv(call->socket, call->question + call->got, room, 0);

    if (got <= 0)
        return got < 0 && (errno == EAGAIN || errno == EINTR);
    call->got += (size_t)got;
    consider(watch, call);
    return true;
}

static bool tell(struct call *call)
{
    size_t left = call->answer.size - call->sent;
    ssize_t sent;

    if (call->answer.bad)
        return false;
    sent =
        send(call->socket, call->answer.bytes + call->sent, left, MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR;
    call->sent += (size_t)sent;
    return call->sent < call->answer.size;
}

/* Go on with a call; false: it is over. */
static bool go_on(struct cst_watch *watch, struct call *call, short events)
{
    if (cst_clock_ns() > call->end_ns)
        return false;
    if (events == 0)
        return true;
    if (!call->answers && !hear(watch, call))
        return false;
    return !call->answers || tell(call);
}

/* Until when somebody's patience lasts, for poll(). */
static int timeout_ms(const struct cst_watch *watch)
{
    uint64_t now = cst_clock_ns();
    uint64_t end = UINT64_MAX;

    for (size_t i = 0; i < watch->calls_count; i++)
        if (watch->calls[i].end_ns < end)
            end = watch->calls[i].end_ns;
    if (end == UINT64_MAX)
        return -1;
    return end < now ? 0 : (int)((end - now) / ns_per_ms) + 1;
}

static void *watch_until_stopped(void *argument)
{
    enum { STOP, LISTENER, CALLS };
    struct cst_watch *watch = argument;
    struct pollfd polled[CALLS + CALLS_MAX];

    for (;;) {
        size_t count = watch->calls_count;

        polled[STOP] = (struct pollfd){.fd = watch->stop, .events = POLLIN};
        polled[LISTENER] = (struct pollfd){
            .fd = count < CALLS_MAX ? watch->listener : -1, .events = POLLIN};
        for (size_t i = 0; i < count; i++)
            polled[CALLS + i] = (struct pollfd){
                .fd = watch->calls[i].socket,
                .events = watch->calls[i].answers ? POLLOUT : POLLIN};
        if (poll(polled, (nfds_t)(CALLS + count), timeout_ms(watch)) < 0 &&
            errno != EINTR)
            break;
        if (polled[STOP].revents)
            break;
        /* The last first: who is over is replaced by the last. */
        for (size_t i = count; i-- > 0;)
            if (!go_on(watch, &watch->calls[i], polled[CALLS + i].revents))
                hang_up(watch, i);
        if (polled[LISTENER].revents)
            take_call(watch);
    }
    while (watch->calls_count > 0)
        hang_up(watch, 0);
    cst_writer_release(&watch->picture);
    return NULL;
}

/* ---- The socket ---------------------------------------------------------------- */

/* "/run/user/1/castell/PROGRAM.PID", or with a point before PROGRAM. */
static bool name_socket(const char *directory, const char *point, char *path)
{
    char program[PROGRAM_MAX];
    int length;

    (void)snprintf(program, sizeof(program), "%s",
                   program_invocation_short_name);
    for (char *c = program; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '-' && *c != '_')
            *c = *c == '.' && c > program ? '.' : '_';
    length = snprintf(path, CST_WATCH_PATH_MAX, "%s/%s%s.%ld", directory, point,
                      program, (long)getpid());
    return length < CST_WATCH_PATH_MAX;
}

/* It has its name when somebody listens, so that it never seems abandoned. */
static enum castell_status listen_in(struct cst_watch *watch,
                                     const char *directory)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int made;

    if ((mkdir(directory, S_IRWXU) != 0 && errno != EEXIST) ||
        !name_socket(directory, "", watch->path) ||
        !name_socket(directory, ".", address.sun_path))
        return cst_fail(CASTELL_ERR_SYSTEM, "%s: %s", directory,
                        cst_reason(errno));
    if (!cst_watch_is_private(directory))
        return CASTELL_ERR_SYSTEM;
    made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)unlink(address.sun_path);
    if (made >= 0 &&
        bind(made, (struct sockaddr *)&address, sizeof(address)) == 0 &&
        listen(made, BACKLOG) == 0 &&
        rename(address.sun_path, watch->path) == 0) {
        watch->listener = made;
        return CASTELL_OK;
    }
    cst_fail_text("%s: %s", watch->path, cst_reason(errno));
    if (made >= 0)
        (void)close(made);
    (void)unlink(address.sun_path);
    return CASTELL_ERR_SYSTEM;
}

static enum castell_status open_socket(struct cst_watch *watch)
{
    enum castell_status status = CASTELL_ERR_SYSTEM;
    char directory[CST_WATCH_PATH_MAX];

    for (size_t n = 0;
         status != CASTELL_OK && cst_watch_directory(n, directory); n++) {
        status = listen_in(watch, directory);
        if (status == CASTELL_OK)
            cst_watch_clean(directory);
    }
    return status;
}

static void close_socket(struct cst_watch *watch)
{
    (void)unlink(watch->path);
    (void)close(watch->listener);
}

/* ---- Start and stop ------------------------------------------------------------ */

static enum castell_status find_wanted(bool *ret_wanted, bool *ret_must)
{
    const char *choice = cst_parse_environment("CASTELL_WATCH");

    *ret_wanted = !choice || strcmp(choice, "1") == 0;
    *ret_must = choice && *ret_wanted;
    if (*ret_wanted || strcmp(choice, "0") == 0)
        return CASTELL_OK;
    return cst_fail(CASTELL_ERR_INVALID, "CASTELL_WATCH is \"%s\": give 0 or 1",
                    choice);
}

static enum castell_status start(struct cst_watch *watch)
{
    enum castell_status status = open_socket(watch);

    if (status != CASTELL_OK)
        return status;
    watch->stop = eventfd(0, EFD_CLOEXEC);
    if (watch->stop < 0)
        status =
            cst_fail(CASTELL_ERR_SYSTEM, "no eventfd: %s", cst_reason(errno));
    if (status == CASTELL_OK)
        status = cst_thread_start("castell-watch", watch_until_stopped, watch,
                                  &watch->thread);
    if (status != CASTELL_OK) {
        close_socket(watch);
        if (watch->stop >= 0)
            (void)close(watch->stop);
    }
    return status;
}

enum castell_status cst_watch_start(const struct cst_watch_ops *ops,
                                    void *owner, struct cst_watch **ret_watch)
{
    bool wanted = false;
    bool must = false;
    enum castell_status status = find_wanted(&wanted, &must);
    struct cst_watch *watch;

    *ret_watch = NULL;
    if (status != CASTELL_OK || !wanted)
        return status;
    watch = cst_zalloc(sizeof(*watch));
    if (watch) {
        watch->ops = ops;
        watch->owner = owner;
        status = start(watch);
    } else {
        status = cst_fail(CASTELL_ERR_NO_MEMORY, "no memory to be watched");
    }
    if (status == CASTELL_OK) {
        *ret_watch = watch;
        return status;
    }
    cst_free(watch);
    return must || status == CASTELL_ERR_NO_MEMORY ? status : CASTELL_OK;
}

void cst_watch_stop(struct cst_watch *watch)
{
    uint64_t one = 1;
    ssize_t written;

    if (!watch)
        return;
    (void)unlink(watch->path);
    written = write(watch->stop, &one, sizeof(one));
    CST_ASSERT(written == sizeof(one));
    (void)pthread_join(watch->thread, NULL);
    (void)close(watch->listener);
    (void)close(watch->stop);
    cst_free(watch);
}
