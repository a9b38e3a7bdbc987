/*
 * shm_test.c - a pipe moves every byte once and in order, wakes who sleeps, and
 * does not leave its memory whatever the other side writes there.
 */
#include "base/thread.h"
#include "harness/tap.h"
#include "shm/shm_internal.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    BYTES = 8 << 20,
    PIECES = 3,
    PIECE_MAX = 3000,
    LARGE = 200000, /* more than fits */
};

struct end {
    struct cst_shm_box *box;
    struct cst_shm_pipe *pipe;
    int bell;
    uint64_t random;
    uint64_t slept;
};

static struct end ends[2];

static uint64_t draw(struct end *end, uint64_t limit)
{
    end->random = end->random * 6364136223846793005u + 1442695040888963407u;
    return (end->random >> 33) % limit;
}

static uint8_t pattern(uint64_t at)
{
    return (uint8_t)((at * 0x9E3779B97F4A7C15u) >> 56);
}

/* As a process does that has been told of a pipe: all descriptors are copies. */
static void connect_ends(void)
{
    int file = -1;

    for (int i = 0; i < 2; i++) {
        ends[i] = (struct end){.random = 5u + (uint64_t)i};
        ends[i].bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        ends[i].box = cst_shm_box_create(ends[i].bell);
        if (!ends[i].box)
            tap_bail(castell_error_text());
    }
    ends[0].pipe = cst_shm_pipe_create(&file);
    ends[1].pipe = cst_shm_pipe_open(file);
    must(ends[0].pipe && ends[1].pipe, "a pipe has two ends");
    close(file);
    for (int i = 0; i < 2; i++)
        must(cst_shm_pipe_meet(ends[i].pipe, cst_shm_box_file(ends[!i].box),
                               dup(cst_shm_box_bell(ends[!i].box))),
             "end %d knows the box of the other", i);
}

static void disconnect_ends(void)
{
    for (int i = 0; i < 2; i++) {
        cst_shm_pipe_destroy(ends[i].pipe);
        cst_shm_box_destroy(ends[i].box);
        close(ends[i].bell);
    }
}

/* Until there is mail; who says that it sleeps must be rung. */
static void wait_for_mail(struct end *end)
{
    struct pollfd file = {.fd = end->bell, .events = POLLIN};
    uint64_t count;

    if (!cst_shm_box_take(end->box) && cst_shm_box_doze(end->box)) {
        end->slept++;
        if (poll(&file, 1, 10000) != 1)
            tap_bail("nobody rang for 10 s");
        if (read(end->bell, &count, sizeof(count)) < 0)
            tap_bail("no bell");
    }
    cst_shm_box_rouse(end->box);
    (void)cst_shm_box_take(end->box);
}

static void *write_all(void *argument)
{
    struct end *end = argument;
    static uint8_t bytes[PIECES][PIECE_MAX];
    struct iovec pieces[PIECES];
    uint64_t at = 0;

    while (at < BYTES) {
        uint64_t to = at;
        ssize_t put;

        for (int i = 0; i < PIECES; i++) {
            pieces[i] = (struct iovec){bytes[i], draw(end, PIECE_MAX)};
            for (size_t j = 0; j < pieces[i].iov_len; j++)
                bytes[i][j] = pattern(to++);
        }
        put = cst_shm_write(end->pipe, pieces, PIECES);
        if (put >= 0)
            at += (uint64_t)put;
        else if (to > at)
            wait_for_mail(end);
    }
    return NULL;
}

static void test_stream(void)
{
    static uint8_t bytes[2][PIECE_MAX];
    uint64_t wrong = 0;
    uint64_t at = 0;
    pthread_t writer;

    if (cst_thread_start("writer", write_all, &ends[0], &writer))
        tap_bail("no thread");
    while (at < BYTES) {
        struct iovec pieces[2] = {{bytes[0], 1 + draw(&ends[1], PIECE_MAX - 1)},
                                  {bytes[1], draw(&ends[1], PIECE_MAX)}};
        ssize_t got = cst_shm_read(ends[1].pipe, pieces, 2);
        size_t first;

        if (got < 0) {
            wait_for_mail(&ends[1]);
            continue;
        }
        first = pieces[0].iov_len;
        for (size_t i = 0; i < (size_t)got; i++, at++)
            wrong +=
                pattern(at) != (i < first ? bytes[0][i] : bytes[1][i - first]);
    }
    (void)pthread_join(writer, NULL);
    ok(wrong == 0, "%d bytes come through, in order", BYTES);
    ok(ends[0].slept + ends[1].slept > 0, "the sides slept %llu times",
       (unsigned long long)(ends[0].slept + ends[1].slept));
}

static void test_edges(void)
{
    static uint8_t bytes[LARGE];
    struct iovec piece = {bytes, sizeof(bytes)};
    struct iovec one = {bytes, 1};

    ok(cst_shm_read(ends[0].pipe, &one, 1) == -1 && errno == EAGAIN,
       "nothing has come the other way");
    ok(cst_shm_write(ends[1].pipe, &piece, 1) == CST_SHM_RING_SIZE,
       "as much is written as there is room");
    ok(cst_shm_write(ends[1].pipe, &one, 1) == -1 && errno == EAGAIN,
       "then it is full");
    ok(!cst_shm_box_take(ends[1].box), "and nothing happens");
    ok(cst_shm_box_take(ends[0].box) && !cst_shm_box_take(ends[0].box),
       "the reader has mail, once");
    ok(cst_shm_read(ends[0].pipe, &one, 1) == 1, "a byte is read");
    ok(cst_shm_box_take(ends[1].box), "the writer hears that there is room");
    ok(cst_shm_write(ends[1].pipe, &piece, 1) == 1, "for one byte");
    (void)cst_shm_box_take(ends[0].box);
    piece.iov_len = CST_SHM_RING_SIZE;
    ok(cst_shm_read(ends[0].pipe, &piece, 1) == CST_SHM_RING_SIZE,
       "all is read");
    ok(cst_shm_box_doze(ends[0].box), "a reader without mail may sleep");
    (void)cst_shm_write(ends[1].pipe, &one, 1);
    ok(eventfd_read(ends[0].bell, &(eventfd_t){0}) == 0, "and is rung");
    (void)cst_shm_write(ends[1].pipe, &one, 1);
    ok(eventfd_read(ends[0].bell, &(eventfd_t){0}) != 0, "once");
    ok(!cst_shm_box_doze(ends[0].box), "with mail nobody sleeps");
    (void)cst_shm_box_take(ends[0].box);
    ok(!cst_shm_nudge(ends[1].pipe), "who is awake is not nudged");
    ok(cst_shm_box_doze(ends[0].box) && cst_shm_nudge(ends[1].pipe) &&
           eventfd_read(ends[0].bell, &(eventfd_t){0}) == 0,
       "who sleeps is rung");
    ok(!cst_shm_nudge(ends[1].pipe) && !cst_shm_box_take(ends[0].box),
       "once, and without mail");
}

/* The other side is spoilt: both positions are anywhere. */
static void test_garbage(void)
{
    static uint8_t bytes[LARGE];
    struct iovec piece = {bytes, sizeof(bytes)};
    int file = -1;
    struct cst_shm_pipe *pipe = cst_shm_pipe_create(&file);
    struct cst_shm_ring *rings =
        file < 0 ? NULL : cst_shm_map(file, 2 * sizeof(*rings));
    FILE *plain = tmpfile();

    must(pipe && rings && plain, "a pipe, and another map of it");
    must(cst_shm_pipe_meet(pipe, cst_shm_box_file(ends[1].box),
                           dup(cst_shm_box_bell(ends[1].box))),
         "which can be written");
    atomic_store(&rings[1].tail, CST_SHM_RING_SIZE + 1);
    ok(cst_shm_read(pipe, &piece, 1) == -1 && errno == EPROTO,
       "more than fits has come");
    atomic_store(&rings[1].tail, UINT64_MAX);
    ok(cst_shm_read(pipe, &piece, 1) == -1 && errno == EPROTO,
       "less than nothing has come");
    atomic_store(&rings[0].head, 1);
    ok(cst_shm_write(pipe, &piece, 1) == -1 && errno == EPROTO,
       "more was read than written");
    ok(!cst_shm_pipe_open(cst_shm_box_file(ends[0].box)), "a box is no pipe");
    ok(ftruncate(file, 1) != 0, "a pipe cannot be cut");
    ok(ftruncate(fileno(plain), 2 * sizeof(*rings)) == 0 &&
           !cst_shm_pipe_open(fileno(plain)),
       "a file that could be is no pipe");
    (void)munmap(rings, 2 * sizeof(*rings));
    (void)fclose(plain);
    close(file);
    cst_shm_pipe_destroy(pipe);
}

int main(void)
{
    connect_ends();
    test_edges();
    test_garbage();
    disconnect_ends();
    connect_ends();
    test_stream();
    disconnect_ends();
    return tap_done();
}
