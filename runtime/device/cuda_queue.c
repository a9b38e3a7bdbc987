/*
 * Queues and events of CUDA: streams, and what is in them is over.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "device/cuda_internal.h"

#include <math.h>
#include <string.h>

void cst_cuda_drop_events(struct cst_cuda_device *device)
{
    while (device->spare) {
        struct cst_cuda_event *event = device->spare;

        device->spare = event->next;
        (void)device->cuda->cuEventDestroy_v2(event->event);
        cst_free(event);
    }
}

static struct cst_cuda_event *take_spare(struct cst_cuda_device *device)
{
    struct cst_cuda_event *event;

    (void)pthread_mutex_lock(&device->lock);
    event = device->spare;
    if (event)
        device->spare = event->next;
    (void)pthread_mutex_unlock(&device->lock);
    return event;
}

void cst_cuda_event_destroy(void *handle, void *given)
{
    struct cst_cuda_device *device = handle;
    struct cst_cuda_event *event = given;

    (void)pthread_mutex_lock(&device->lock);
    event->next = device->spare;
    device->spare = event;
    (void)pthread_mutex_unlock(&device->lock);
}

static enum castell_status make_event(struct cst_cuda_device *device,
                                      struct cst_cuda_event **ret_event)
{
    struct cst_cuda_event *event = cst_zalloc(sizeof(*event));
    int code;

    if (!event)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for an event");
    code =
        device->cuda->cuEventCreate(&event->event, CST_CU_EVENT_BLOCKING_SYNC);
    if (code != CST_CU_SUCCESS) {
        cst_free(event);
        return cst_cuda_fail(device, "an event", code);
    }
    *ret_event = event;
    return CASTELL_OK;
}

enum castell_status cst_cuda_lane(void *handle, enum cst_device_queue queue)
{
    struct cst_cuda_device *device = handle;
    struct CUstream_st *stream = NULL;
    enum castell_status status;

    if (device->streams[queue])
        return CASTELL_OK;
    status = cst_cuda_enter(device);
    if (status < 0)
        return status;
    status = cst_cuda_done(
        device, "one more queue",
        device->cuda->cuStreamCreate(&stream, CST_CU_STREAM_NON_BLOCKING));
    if (status < 0)
        return status;
    (void)pthread_mutex_lock(&device->lock);
    device->streams[queue] = stream;
    (void)pthread_mutex_unlock(&device->lock);
    return CASTELL_OK;
}

enum castell_status cst_cuda_record(void *handle, enum cst_device_queue queue,
                                    void **ret_event)
{
    struct cst_cuda_device *device = handle;
    enum castell_status status = cst_cuda_enter(device);
    struct cst_cuda_event *event;

    if (status < 0)
        return status;
    event = take_spare(device);
    if (!event)
        status = make_event(device, &event);
    if (status < 0) {
        cst_cuda_leave(device);
        return status;
    }
    status = cst_cuda_done(
        device, "an event",
        device->cuda->cuEventRecord(event->event, device->streams[queue]));
    if (status < 0)
        cst_cuda_event_destroy(device, event);
    else
        *ret_event = event;
    return status;
}

enum castell_status
cst_cuda_queue_wait(void *handle, enum cst_device_queue queue, void *given)
{
    struct cst_cuda_device *device = handle;
    struct cst_cuda_event *event = given;
    enum castell_status status = cst_cuda_enter(device);

    if (status < 0)
        return status;
    return cst_cuda_done(device, "a wait in a queue",
                         device->cuda->cuStreamWaitEvent(device->streams[queue],
                                                         event->event, 0));
}

/*
 * Of what is in a queue. All that can befall a kernel or a copy breaks the
 * context. With any other code it is not known what is over and what is not: no
 * block of that device can be used any more, once what runs there has ended.
 */
enum castell_status cst_cuda_judge(struct cst_cuda_device *device, int code)
{
    struct CUstream_st *streams[CST_DEVICE_QUEUES];

    if (code != CST_CU_SUCCESS && !cst_cuda_is_fatal(code)) {
        (void)pthread_mutex_lock(&device->lock);
        memcpy(streams, device->streams, sizeof(streams));
        (void)pthread_mutex_unlock(&device->lock);
        for (int i = 0; i < CST_DEVICE_QUEUES; i++)
            if (streams[i])
                (void)device->cuda->cuStreamSynchronize(streams[i]);
        cst_cuda_await_rings(device);
        atomic_store(&device->lost, code);
    }
    cst_cuda_leave(device);
    if (code != CST_CU_SUCCESS && !cst_cuda_is_fatal(code))
        return cst_cuda_say(device->cuda, CASTELL_ERR_NODE_LOST,
                            "a kernel or a copy", code);
    return cst_cuda_check(device, "a kernel or a copy", code);
}

enum castell_status cst_cuda_event_query(void *handle, void *given,
                                         bool *ret_over)
{
    struct cst_cuda_device *device = handle;
    struct cst_cuda_event *event = given;
    enum castell_status status = cst_cuda_enter(device);
    int code;

    if (status < 0)
        return status;
    code = device->cuda->cuEventQuery(event->event);
    if (code == CST_CU_NOT_READY) {
        cst_cuda_leave(device);
        *ret_over = false;
        return CASTELL_OK;
    }
    status = cst_cuda_judge(device, code);
    if (status == CASTELL_OK)
        *ret_over = true;
    return status;
}

enum castell_status cst_cuda_event_wait(void *handle, void *given)
{
    struct cst_cuda_device *device = handle;
    struct cst_cuda_event *event = given;
    enum castell_status status = cst_cuda_enter(device);

    if (status < 0)
        return status;
    return cst_cuda_judge(device,
                          device->cuda->cuEventSynchronize(event->event));
}

uint64_t cst_cuda_event_elapsed_ns(void *handle, void *from, void *to)
{
    struct cst_cuda_device *device = handle;
    struct cst_cuda_event *begin = from;
    struct cst_cuda_event *end = to;
    float milliseconds = 0;
    int code;

    if (cst_cuda_enter(device) < 0)
        return 0;
    code = device->cuda->cuEventElapsedTime(&milliseconds, begin->event,
                                            end->event);
    cst_cuda_leave(device);
    return code == CST_CU_SUCCESS && milliseconds > 0
               ? (uint64_t)llround((double)milliseconds * 1e6)
               : 0;
}

enum castell_status cst_cuda_finish(void *handle, enum cst_device_queue queue)
{
    struct cst_cuda_device *device = handle;
    enum castell_status status = cst_cuda_enter(device);

    if (status < 0)
        return status;
    return cst_cuda_judge(
        device, device->cuda->cuStreamSynchronize(device->streams[queue]));
}
