/*
 * Copies of pageable memory, by way of pinned pieces.
 *
 * The driver would copy such memory in the thread that asks, which has others to
 * serve. Here it only enqueues: each direction has a ring of pieces, and a stream in
 * which the host's part of each piece is done, by a thread of the driver's, beside
 * the device's part of the piece before. A queue goes on behind a copy as if it
 * were one: what is put in it later waits for all of it.
 */
#include "base/memory.h"
#include "device/cuda_internal.h"

#include <string.h>
#include <unistd.h>

enum { USUAL_MIN = 1 << 20, USUAL_PIECE = 2 << 20, MOVING_US = 100 };

/* The same for all devices; what tests set is for those opened later. */
static _Atomic(size_t) usual_min = USUAL_MIN;
static _Atomic(size_t) usual_piece = USUAL_PIECE;

/* What the host has to copy for one piece, rows packed on one side. */
struct move {
    struct cst_cuda_moves *of;
    char *to;
    const char *from;
    size_t to_pitch;
    size_t from_pitch;
    size_t size;
    size_t rows;
};

/* Those of one copy. */
struct cst_cuda_moves {
    struct cst_cuda_moves *next;
    struct cst_cuda_device *device;
    _Atomic(size_t) left; /* not done; 0: nobody uses this any more */
    struct move list[];
};

void cst_cuda_stage_sizes(size_t min, size_t piece)
{
    atomic_store(&usual_min, min ? min : USUAL_MIN);
    atomic_store(&usual_piece, piece ? piece : USUAL_PIECE);
}

/* ---- The ring ------------------------------------------------------------ */

void cst_cuda_ring_init(struct cst_cuda_ring *ring)
{
    (void)pthread_mutex_init(&ring->lock, NULL);
    ring->min = atomic_load(&usual_min);
    ring->piece = atomic_load(&usual_piece);
}

static void drop_moves(struct cst_cuda_ring *ring, bool all)
{
    while (ring->first && (all || atomic_load(&ring->first->left) == 0)) {
        struct cst_cuda_moves *moves = ring->first;

        ring->first = moves->next;
        cst_free(moves);
    }
    if (!ring->first)
        ring->last = NULL;
}

void cst_cuda_await_moves(struct cst_cuda_device *device)
{
    while (atomic_load(&device->moving) > 0)
        (void)usleep(MOVING_US);
}

void cst_cuda_await_rings(struct cst_cuda_device *device)
{
    for (int i = 0; i < 2; i++) {
        struct cst_cuda_ring *ring = &device->rings[i];
        struct CUstream_st *stream;

        (void)pthread_mutex_lock(&ring->lock);
        stream = ring->stream;
        (void)pthread_mutex_unlock(&ring->lock);
        if (stream)
            (void)device->cuda->cuStreamSynchronize(stream);
    }
}

/* Its context is current, unless it is broken: then these fail. */
static void drop_ring(struct cst_cuda_device *device,
                      struct cst_cuda_ring *ring)
{
    const struct cst_cuda *cuda = device->cuda;

    if (ring->stream) {
        (void)cuda->cuStreamSynchronize(ring->stream);
        (void)cuda->cuStreamDestroy_v2(ring->stream);
    }
    for (int i = 0; i < CST_CUDA_PIECES; i++) {
        if (ring->moved[i])
            (void)cuda->cuEventDestroy_v2(ring->moved[i]);
        if (ring->sent[i])
            (void)cuda->cuEventDestroy_v2(ring->sent[i]);
        ring->moved[i] = ring->sent[i] = NULL;
    }
    if (ring->memory)
        (void)cuda->cuMemFreeHost(ring->memory);
    ring->stream = NULL;
    ring->memory = NULL;
}

void cst_cuda_ring_release(struct cst_cuda_device *device,
                           struct cst_cuda_ring *ring)
{
    drop_ring(device, ring);
    cst_cuda_await_moves(device);
    drop_moves(ring, true);
    (void)pthread_mutex_destroy(&ring->lock);
}

/* Its memory and the like, at the first copy. */
static bool make_ring(struct cst_cuda_device *device,
                      struct cst_cuda_ring *ring)
{
    const struct cst_cuda *cuda = device->cuda;
    void *memory = NULL;
    int code;

    if (ring->memory || ring->refused)
        return !ring->refused;
    code = cuda->cuMemHostAlloc(&memory, ring->piece * CST_CUDA_PIECES,
                                CST_CU_HOST_PORTABLE);
    ring->memory = code == CST_CU_SUCCESS ? memory : NULL;
    if (code == CST_CU_SUCCESS)
        code = cuda->cuStreamCreate(&ring->stream, CST_CU_STREAM_NON_BLOCKING);
    for (int i = 0; i < CST_CUDA_PIECES && code == CST_CU_SUCCESS; i++) {
        code = cuda->cuEventCreate(&ring->moved[i], CST_CU_EVENT_NO_TIMING);
        if (code == CST_CU_SUCCESS)
            code = cuda->cuEventCreate(&ring->sent[i], CST_CU_EVENT_NO_TIMING);
    }
    if (code == CST_CU_SUCCESS)
        return true;
    drop_ring(device, ring);
    ring->refused = true;
    return false;
}

/* ---- Pieces -------------------------------------------------------------- */

/* Where a copy has come to. */
struct at {
    size_t row;
    size_t column;
};

/* Some whole rows, or a part of one. */
struct piece {
    struct at at;
    size_t size;
    size_t rows;
};

static struct piece next_piece(const struct cst_device_rows *rows, size_t most,
                               struct at *at)
{
    struct piece piece = {*at, rows->size - at->column, 1};

    if (at->column == 0 && rows->size <= most) {
        piece.rows = most / rows->size;
        if (piece.rows > rows->rows - at->row)
            piece.rows = rows->rows - at->row;
    } else if (piece.size > most) {
        piece.size = most;
        at->column += most;
        return piece;
    }
    at->row += piece.rows;
    at->column = 0;
    return piece;
}

static struct cst_cuda_moves *new_moves(struct cst_cuda_device *device,
                                        const struct cst_device_rows *rows,
                                        size_t most)
{
    struct at at = {0, 0};
    struct cst_cuda_moves *moves;
    size_t count = 0;

    for (; at.row < rows->rows; count++)
        (void)next_piece(rows, most, &at);
    moves = cst_alloc(sizeof(*moves) + count * sizeof(moves->list[0]));
    if (!moves)
        return NULL;
    moves->next = NULL;
    moves->device = device;
    atomic_init(&moves->left, count);
    return moves;
}

/* By a thread of the driver's, which must not call it. */
static void do_move(void *argument)
{
    const struct move *move = argument;
    struct cst_cuda_moves *moves = move->of;
    struct cst_cuda_device *device = moves->device;

    (void)atomic_fetch_add(&device->moving, 1);
    for (size_t i = 0; i < move->rows; i++)
        memcpy(move->to + i * move->to_pitch, move->from + i * move->from_pitch,
               move->size);
    (void)atomic_fetch_sub(&moves->left, 1);
    (void)atomic_fetch_sub(&device->moving, 1);
}

/* ---- Copies -------------------------------------------------------------- */

struct copy {
    struct cst_cuda_device *device;
    struct cst_cuda_ring *ring;
    enum cst_device_queue queue;
    const struct cst_device_rows *rows;
};

static int move_piece(const struct copy *copy, struct move *move, uint32_t slot)
{
    const struct cst_cuda *cuda = copy->device->cuda;
    struct cst_cuda_ring *ring = copy->ring;
    int code = cuda->cuStreamWaitEvent(ring->stream, ring->sent[slot], 0);

    if (code == CST_CU_SUCCESS)
        code = cuda->cuLaunchHostFunc(ring->stream, do_move, move);
    if (code == CST_CU_SUCCESS)
        code = cuda->cuEventRecord(ring->moved[slot], ring->stream);
    return code;
}

static int send_piece(const struct copy *copy, const struct piece *piece,
                      uint32_t slot)
{
    const struct cst_cuda *cuda = copy->device->cuda;
    const struct cst_device_rows *rows = copy->rows;
    struct cst_cuda_ring *ring = copy->ring;
    struct CUstream_st *stream = copy->device->streams[copy->queue];
    const struct cst_device_rows staged = {
        .memory = rows->memory,
        .offset = rows->offset + piece->at.row * rows->memory_pitch +
                  piece->at.column,
        .memory_pitch = rows->memory_pitch,
        .host = ring->memory + slot * ring->piece,
        .host_pitch = piece->size,
        .size = piece->size,
        .rows = piece->rows,
    };
    int code = cuda->cuStreamWaitEvent(stream, ring->moved[slot], 0);

    if (code == CST_CU_SUCCESS)
        code = cst_cuda_put_copy(copy->device, copy->queue, &staged);
    if (code == CST_CU_SUCCESS)
        code = cuda->cuEventRecord(ring->sent[slot], stream);
    return code;
}

static void describe_move(const struct copy *copy, const struct piece *piece,
                          uint32_t slot, struct move *move)
{
    char *here = copy->ring->memory + slot * copy->ring->piece;
    char *there = (char *)copy->rows->host +
                  piece->at.row * copy->rows->host_pitch + piece->at.column;
    bool in = copy->queue == CST_DEVICE_IN;

    move->to = in ? here : there;
    move->from = in ? there : here;
    move->to_pitch = in ? piece->size : copy->rows->host_pitch;
    move->from_pitch = in ? copy->rows->host_pitch : piece->size;
    move->size = piece->size;
    move->rows = piece->rows;
}

/* All pieces; what has failed may have left some behind. */
static int put_pieces(const struct copy *copy, struct cst_cuda_moves *moves)
{
    const struct cst_cuda *cuda = copy->device->cuda;
    struct cst_cuda_ring *ring = copy->ring;
    int code = CST_CU_SUCCESS;
    struct at at = {0, 0};
    uint32_t slot = 0;

    for (size_t i = 0; at.row < copy->rows->rows && code == 0; i++) {
        struct piece piece = next_piece(copy->rows, ring->piece, &at);
        struct move *move = &moves->list[i];

        slot = ring->next++ % CST_CUDA_PIECES;
        describe_move(copy, &piece, slot, move);
        move->of = moves;
        if (copy->queue == CST_DEVICE_IN) {
            code = move_piece(copy, move, slot);
            if (code == CST_CU_SUCCESS)
                code = send_piece(copy, &piece, slot);
        } else {
            code = send_piece(copy, &piece, slot);
            if (code == CST_CU_SUCCESS)
                code = move_piece(copy, move, slot);
        }
    }
    if (code == CST_CU_SUCCESS && copy->queue == CST_DEVICE_OUT)
        code = cuda->cuStreamWaitEvent(copy->device->streams[copy->queue],
                                       ring->moved[slot], 0);
    return code;
}

static int put_locked(const struct copy *copy, bool *ret_put)
{
    const struct cst_cuda *cuda = copy->device->cuda;
    struct cst_cuda_ring *ring = copy->ring;
    struct cst_cuda_moves *moves;
    int code;

    drop_moves(ring, false);
    if (!make_ring(copy->device, ring))
        return CST_CU_SUCCESS;
    moves = new_moves(copy->device, copy->rows, ring->piece);
    if (!moves)
        return CST_CU_SUCCESS;
    if (ring->last)
        ring->last->next = moves;
    else
        ring->first = moves;
    ring->last = moves;
    code = put_pieces(copy, moves);
    *ret_put = code == CST_CU_SUCCESS;
    if (code == CST_CU_SUCCESS || cst_cuda_is_fatal(code))
        return code;
    /* Nothing of it may be on its way when it is tried in another way. */
    code = cuda->cuStreamSynchronize(ring->stream);
    if (code == CST_CU_SUCCESS)
        code = cuda->cuStreamSynchronize(copy->device->streams[copy->queue]);
    if (code == CST_CU_SUCCESS)
        drop_moves(ring, true);
    return code;
}

int cst_cuda_stage(struct cst_cuda_device *device, enum cst_device_queue queue,
                   const struct cst_device_rows *rows, bool *ret_put)
{
    struct cst_cuda_ring *ring = &device->rings[queue == CST_DEVICE_OUT];
    const struct copy copy = {device, ring, queue, rows};
    int code;

    *ret_put = false;
    (void)pthread_mutex_lock(&ring->lock);
    code = put_locked(&copy, ret_put);
    (void)pthread_mutex_unlock(&ring->lock);
    return code;
}
