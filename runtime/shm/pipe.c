/* pipe.c - a row of bytes each way, between two processes of a machine. */
#include "base/fail.h"
#include "base/memory.h"
#include "base/thread.h"
#include "shm/shm_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct cst_shm_pipe {
    struct cst_shm_ring *rings; /* two */
    struct cst_shm_ring *in;
    struct cst_shm_ring *out;
    uint64_t head; /* of `in`; ours */
    uint64_t tail; /* of `out` */
    uint64_t head_seen;
    struct cst_shm_page *page; /* of the other side's box */
    int bell;
};

enum { RINGS_SIZE = 2 * sizeof(struct cst_shm_ring) };

/* The maker writes to the first ring, the other one to the second. */
static struct cst_shm_pipe *pipe_new(int file, int mine)
{
    struct cst_shm_pipe *pipe = cst_zalloc(sizeof(*pipe));

    if (!pipe)
        return NULL;
    pipe->rings = cst_shm_map(file, RINGS_SIZE);
    if (!pipe->rings) {
        cst_free(pipe);
        return NULL;
    }
    pipe->out = &pipe->rings[mine];
    pipe->in = &pipe->rings[!mine];
    pipe->bell = -1;
    return pipe;
}

struct cst_shm_pipe *cst_shm_pipe_create(int *ret_file)
{
    int file = cst_shm_make_file("castell-pipe", RINGS_SIZE);
    struct cst_shm_pipe *pipe = file >= 0 ? pipe_new(file, 0) : NULL;

    if (!pipe) {
        (void)cst_fail(CASTELL_ERR_SYSTEM, "no memory to share: %s",
                       cst_reason(errno));
        if (file >= 0)
            close(file);
        return NULL;
    }
    *ret_file = file;
    return pipe;
}

struct cst_shm_pipe *cst_shm_pipe_open(int file)
{
    return pipe_new(file, 1);
}

bool cst_shm_pipe_meet(struct cst_shm_pipe *pipe, int box_file, int bell)
{
    CST_ASSERT(!pipe->page);
    pipe->page = cst_shm_map(box_file, sizeof(*pipe->page));
    if (!pipe->page)
        return false;
    pipe->bell = bell;
    return true;
}

void cst_shm_pipe_destroy(struct cst_shm_pipe *pipe)
{
    if (!pipe)
        return;
    atomic_store(&pipe->out->closed, 1);
    if (pipe->page)
        (void)munmap(pipe->page, sizeof(*pipe->page));
    (void)munmap(pipe->rings, RINGS_SIZE);
    if (pipe->bell >= 0)
        close(pipe->bell);
    cst_free(pipe);
}

bool cst_shm_pipe_is_closed(const struct cst_shm_pipe *pipe)
{
    atomic_thread_fence(memory_order_seq_cst);
    return atomic_load(&pipe->in->closed) != 0;
}

/* ---- Write ---------------------------------------------------------------- */

/* Room in `out`; SIZE_MAX when the other side's position makes no sense. */
static size_t look_for_room(struct cst_shm_pipe *pipe, bool ask)
{
    struct cst_shm_ring *out = pipe->out;
    uint64_t used;

    if (ask)
        atomic_store(&out->full, 1);
    pipe->head_seen = atomic_load(&out->head);
    used = pipe->tail - pipe->head_seen;
    if (used > CST_SHM_RING_SIZE)
        return SIZE_MAX;
    if (ask && used < CST_SHM_RING_SIZE)
        atomic_store_explicit(&out->full, 0, memory_order_relaxed);
    return CST_SHM_RING_SIZE - (size_t)used;
}

/* Copy to a ring, around its end. */
static void put(struct cst_shm_ring *ring, uint64_t at, const uint8_t *from,
                size_t size)
{
    size_t begin = (size_t)(at % CST_SHM_RING_SIZE);
    size_t first = CST_SHM_RING_SIZE - begin;

    if (first > size)
        first = size;
    memcpy(ring->bytes + begin, from, first);
    memcpy(ring->bytes, from + first, size - first);
}

static size_t all_of(const struct iovec *pieces, int count)
{
    size_t size = 0;

    for (int i = 0; i < count; i++)
        size += pieces[i].iov_len;
    return size;
}

ssize_t cst_shm_write(struct cst_shm_pipe *pipe, const struct iovec *pieces,
                      int count)
{
    size_t wanted = all_of(pieces, count);
    size_t room = CST_SHM_RING_SIZE - (size_t)(pipe->tail - pipe->head_seen);
    uint64_t at = pipe->tail;

    if (room < wanted)
        room = look_for_room(pipe, false);
    if (room == 0)
        room = look_for_room(pipe, true);
    if (room == 0 || room == SIZE_MAX) {
        errno = room == 0 ? EAGAIN : EPROTO;
        return -1;
    }
    for (int i = 0; i < count && room > 0; i++) {
        size_t size = pieces[i].iov_len < room ? pieces[i].iov_len : room;

        put(pipe->out, at, pieces[i].iov_base, size);
        at += size;
        room -= size;
    }
    wanted = (size_t)(at - pipe->tail);
    pipe->tail = at;
    atomic_store_explicit(&pipe->out->tail, at, memory_order_release);
    cst_shm_post(pipe->page, pipe->bell);
    return (ssize_t)wanted;
}

bool cst_shm_nudge(struct cst_shm_pipe *pipe)
{
    return pipe->page && cst_shm_ring(pipe->page, pipe->bell);
}

/* ---- Read ----------------------------------------------------------------- */

static void get(const struct cst_shm_ring *ring, uint64_t at, uint8_t *to,
                size_t size)
{
    size_t begin = (size_t)(at % CST_SHM_RING_SIZE);
    size_t first = CST_SHM_RING_SIZE - begin;

    if (first > size)
        first = size;
    memcpy(to, ring->bytes + begin, first);
    memcpy(to + first, ring->bytes, size - first);
}

ssize_t cst_shm_read(struct cst_shm_pipe *pipe, const struct iovec *pieces,
                     int count)
{
    struct cst_shm_ring *in = pipe->in;
    uint64_t come =
        atomic_load_explicit(&in->tail, memory_order_acquire) - pipe->head;
    uint64_t at = pipe->head;

    if (come == 0 || come > CST_SHM_RING_SIZE) {
        errno = come == 0 ? EAGAIN : EPROTO;
        return -1;
    }
    for (int i = 0; i < count && come > 0; i++) {
        size_t size =
            pieces[i].iov_len < come ? pieces[i].iov_len : (size_t)come;

        get(in, at, pieces[i].iov_base, size);
        at += size;
        come -= size;
    }
    come = at - pipe->head;
    pipe->head = at;
    atomic_store(&in->head, at);
    if (atomic_load(&in->full) != 0 && atomic_exchange(&in->full, 0) != 0)
        cst_shm_post(pipe->page, pipe->bell);
    return (ssize_t)come;
}
