/*
 * The streams and events of a libcuda.so.1 without a GPU; see fake_cuda.h.
 */
#include "device/fake_internal.h"

#include <stdlib.h>
#include <string.h>

enum what { WHAT_COPY, WHAT_RECORD, WHAT_WAIT, WHAT_CALL, WHAT_HOST };

/* One recording of an event: who was told to wait for it does not mind when the
 * event is recorded once more, or destroyed. */
struct mark {
    int users;
    bool done;
};

struct piece {
    struct piece *next;
    enum what what;
    char *to;
    const char *from;
    size_t to_pitch, from_pitch, size, rows;
    struct mark *mark; /* NULL: a wait for nothing */
    int (*function)(void *);
    void (*host)(void *);
    void *argument;
};

struct CUstream_st {
    struct CUstream_st *next;
    struct CUctx_st *context;
    struct piece *first, *last;
};

struct CUevent_st {
    struct mark *last; /* or NULL: never recorded */
};

static struct CUstream_st *streams;

/* ---- What streams do ----------------------------------------------------- */

static void unref(struct mark *mark)
{
    if (mark && --mark->users == 0)
        free(mark);
}

static bool is_ready(const struct piece *piece)
{
    return piece->what != WHAT_WAIT || !piece->mark || piece->mark->done;
}

static bool is_over(const struct CUevent_st *event)
{
    return !event->last || event->last->done;
}

static void act(struct CUstream_st *stream, const struct piece *piece)
{
    int code;

    if (stream->context->fatal && piece->what != WHAT_RECORD)
        return;
    if (piece->what == WHAT_RECORD)
        piece->mark->done = true;
    for (size_t i = 0; piece->what == WHAT_COPY && i < piece->rows; i++)
        memcpy(piece->to + i * piece->to_pitch,
               piece->from + i * piece->from_pitch, piece->size);
    if (piece->what == WHAT_HOST)
        piece->host(piece->argument);
    code = piece->what == WHAT_CALL ? piece->function(piece->argument) : 0;
    if (code != 0)
        stream->context->fatal = code;
}

/* Streams do not wait for one another, unless they are told to. */
static bool is_late(void)
{
    static uint32_t chance = 1;

    chance = chance * 1664525 + 1013904223;
    return chance >> 30 != 0;
}

/* One piece of some streams, or of all; false when there is none that can be
   done. */
static bool step(bool all)
{
    bool moved = false;

    for (struct CUstream_st *stream = streams; stream; stream = stream->next) {
        struct piece *piece = stream->first;

        if (!piece || !is_ready(piece) || (!all && is_late()))
            continue;
        act(stream, piece);
        stream->first = piece->next;
        unref(piece->mark);
        free(piece);
        moved = true;
    }
    return moved;
}

bool fake_step(void)
{
    return step(false) || step(true);
}

static int put(struct CUstream_st *stream, const struct piece *from)
{
    struct piece *piece;

    if (!stream || stream->context != fake_current())
        return INVALID_HANDLE;
    piece = malloc(sizeof(*piece));
    if (!piece)
        abort();
    *piece = *from;
    piece->next = NULL;
    if (stream->first)
        stream->last->next = piece;
    else
        stream->first = piece;
    stream->last = piece;
    return 0;
}

bool fake_is_copied(const char *base, size_t size)
{
    for (const struct CUstream_st *stream = streams; stream;
         stream = stream->next)
        for (const struct piece *piece = stream->first; piece;
             piece = piece->next) {
            const char *const ends[] = {piece->from, piece->to};
            const size_t pitches[] = {piece->from_pitch, piece->to_pitch};

            for (int i = 0; piece->what == WHAT_COPY && i < 2; i++)
                if (!stream->context->fatal && ends[i] < base + size &&
                    base <
                        ends[i] + (piece->rows - 1) * pitches[i] + piece->size)
                    return true;
        }
    return false;
}

/* ---- What is put in streams ------------------------------------------------ */

static void *at(uint64_t address)
{
    return (void *)(uintptr_t)address; /* NOLINT(performance-no-int-to-ptr) */
}

int cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t size,
                         struct CUstream_st *stream)
{
    int code = fake_begin("cuMemcpyHtoDAsync_v2");

    if (code == 0)
        code = fake_host_copy(from, size);
    if (code == 0)
        code = put(stream, &(struct piece){.what = WHAT_COPY,
                                           .to = at(to),
                                           .from = from,
                                           .size = size,
                                           .rows = 1});
    return fake_end(code);
}

int cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t size,
                         struct CUstream_st *stream)
{
    int code = fake_begin("cuMemcpyDtoHAsync_v2");

    if (code == 0)
        code = fake_host_copy(to, size);
    if (code == 0)
        code = put(stream, &(struct piece){.what = WHAT_COPY,
                                           .to = to,
                                           .from = at(from),
                                           .size = size,
                                           .rows = 1});
    return fake_end(code);
}

int cuMemcpy2DAsync_v2(const struct cst_cu_copy_2d *copy,
                       struct CUstream_st *stream)
{
    int code = fake_begin("cuMemcpy2DAsync_v2");
    bool in = copy->to_type == CST_CU_MEMORY_DEVICE;

    if (code == 0 && (copy->from_pitch < copy->width ||
                      copy->to_pitch < copy->width || copy->height == 0))
        code = INVALID_VALUE;
    if (code == 0)
        code = fake_host_copy(in ? copy->from_host : copy->to_host,
                              (copy->height - 1) *
                                      (in ? copy->from_pitch : copy->to_pitch) +
                                  copy->width);
    if (code == 0)
        code = put(stream,
                   &(struct piece){
                       .what = WHAT_COPY,
                       .to = in ? at(copy->to_device) : copy->to_host,
                       .to_pitch = copy->to_pitch,
                       .from = in ? copy->from_host : at(copy->from_device),
                       .from_pitch = copy->from_pitch,
                       .size = copy->width,
                       .rows = copy->height});
    return fake_end(code);
}

int cuMemcpyPeerAsync(uint64_t to, struct CUctx_st *to_context, uint64_t from,
                      struct CUctx_st *from_context, size_t size,
                      struct CUstream_st *stream)
{
    int code = fake_begin("cuMemcpyPeerAsync");

    if (code == 0 &&
        (to_context != fake_current() || from_context == to_context))
        code = INVALID_VALUE;
    if (code == 0)
        code = put(stream, &(struct piece){.what = WHAT_COPY,
                                           .to = at(to),
                                           .from = at(from),
                                           .size = size,
                                           .rows = 1});
    return fake_end(code);
}

int cuLaunchHostFunc(struct CUstream_st *stream, void (*function)(void *),
                     void *argument)
{
    int code = fake_begin("cuLaunchHostFunc");

    if (code == 0)
        code = put(stream, &(struct piece){.what = WHAT_HOST,
                                           .host = function,
                                           .argument = argument});
    return fake_end(code);
}

int cuStreamCreate(struct CUstream_st **stream, unsigned int flags)
{
    int code = fake_begin("cuStreamCreate");

    if (code == 0 && flags != CST_CU_STREAM_NON_BLOCKING)
        code = INVALID_VALUE;
    if (code == 0) {
        *stream = calloc(1, sizeof(**stream));
        (*stream)->context = fake_current();
        (*stream)->next = streams;
        streams = *stream;
        fake_left++;
    }
    return fake_end(code);
}

int cuStreamDestroy_v2(struct CUstream_st *stream)
{
    struct CUstream_st **at = &streams;

    (void)pthread_mutex_lock(&fake_lock);
    while (stream->first && fake_step())
        continue;
    while (*at != stream)
        at = &(*at)->next;
    *at = stream->next;
    free(stream);
    fake_left--;
    return fake_end(0);
}

int cuStreamSynchronize(struct CUstream_st *stream)
{
    int code = fake_begin("cuStreamSynchronize");

    while (code == 0 && stream->first && fake_step())
        continue;
    return fake_end(code ? code : fake_current()->fatal);
}

int cuStreamWaitEvent(struct CUstream_st *stream, struct CUevent_st *event,
                      unsigned int flags)
{
    int code = fake_begin("cuStreamWaitEvent");

    (void)flags;
    if (code == 0)
        code = put(stream,
                   &(struct piece){.what = WHAT_WAIT, .mark = event->last});
    if (code == 0 && event->last)
        event->last->users++;
    return fake_end(code);
}

int cuEventCreate(struct CUevent_st **event, unsigned int flags)
{
    int code = fake_begin("cuEventCreate");

    (void)flags;
    if (code == 0) {
        *event = calloc(1, sizeof(**event));
        fake_left++;
    }
    return fake_end(code);
}

int cuEventDestroy_v2(struct CUevent_st *event)
{
    (void)pthread_mutex_lock(&fake_lock);
    unref(event->last);
    free(event);
    fake_left--;
    return fake_end(0);
}

int cuEventRecord(struct CUevent_st *event, struct CUstream_st *stream)
{
    int code = fake_begin("cuEventRecord");
    struct mark *mark = calloc(1, sizeof(*mark));

    if (!mark)
        abort();
    if (code == 0)
        code = put(stream, &(struct piece){.what = WHAT_RECORD, .mark = mark});
    if (code != 0) {
        free(mark);
        return fake_end(code);
    }
    mark->users = 2;
    unref(event->last);
    event->last = mark;
    return fake_end(code);
}

int cuEventQuery(struct CUevent_st *event)
{
    int code = fake_begin("cuEventQuery");
    bool over = is_over(event);

    if (code == 0 && !over)
        (void)fake_step();
    if (code == 0)
        code = fake_current()->fatal;
    return fake_end(code != 0 ? code : over ? 0 : CST_CU_NOT_READY);
}

int cuEventSynchronize(struct CUevent_st *event)
{
    int code = fake_begin("cuEventSynchronize");

    while (code == 0 && !is_over(event) && fake_step())
        continue;
    return fake_end(code ? code : fake_current()->fatal);
}

int cuEventElapsedTime(float *milliseconds, struct CUevent_st *from,
                       struct CUevent_st *to)
{
    int code = fake_begin("cuEventElapsedTime");

    *milliseconds = from == to ? 0.0f : 0.25f;
    return fake_end(code);
}

PUBLIC int fake_cuda_launch(struct CUstream_st *stream, int (*function)(void *),
                            void *argument)
{
    int code = fake_begin("fake_cuda_launch");

    if (code == 0)
        code = put(stream, &(struct piece){.what = WHAT_CALL,
                                           .function = function,
                                           .argument = argument});
    return fake_end(code);
}
