/*
 * The table for devices of OpenCL.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "castell_opencl.h"
#include "device/opencl_bus.h"
#include "device/opencl_internal.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

enum { PLATFORMS_MAX = 16, DEVICES_MAX = 64 };

/* ---- Failures ----------------------------------------------------------- */

const char *cst_opencl_words(cl_int code)
{
    static const struct {
        cl_int code;
        const char *words;
    } known[] = {
        {CL_DEVICE_NOT_FOUND, "device not found"},
        {CL_DEVICE_NOT_AVAILABLE, "device not available"},
        {CL_COMPILER_NOT_AVAILABLE, "compiler not available"},
        {CL_MEM_OBJECT_ALLOCATION_FAILURE, "memory object allocation failure"},
        {CL_OUT_OF_RESOURCES, "out of resources"},
        {CL_OUT_OF_HOST_MEMORY, "out of host memory"},
        {CL_BUILD_PROGRAM_FAILURE, "build program failure"},
        {CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST,
         "what it had to wait for has failed"},
        {CL_INVALID_VALUE, "invalid value"},
        {CL_INVALID_DEVICE, "invalid device"},
        {CL_INVALID_CONTEXT, "invalid context"},
        {CL_INVALID_COMMAND_QUEUE, "invalid command queue"},
        {CL_INVALID_MEM_OBJECT, "invalid memory object"},
        {CL_INVALID_BUFFER_SIZE, "invalid buffer size"},
        {CL_INVALID_KERNEL_NAME, "invalid kernel name"},
        {CL_INVALID_KERNEL_ARGS, "invalid kernel arguments"},
        {CL_INVALID_ARG_INDEX, "invalid argument index"},
        {CL_INVALID_ARG_VALUE, "invalid argument value"},
        {CL_INVALID_ARG_SIZE, "invalid argument size"},
        {CL_INVALID_WORK_DIMENSION, "invalid work dimension"},
        {CL_INVALID_WORK_GROUP_SIZE, "invalid work group size"},
        {CL_INVALID_WORK_ITEM_SIZE, "invalid work item size"},
        {CL_INVALID_GLOBAL_WORK_SIZE, "invalid global work size"},
        {CL_INVALID_EVENT, "invalid event"},
        {CL_INVALID_OPERATION, "invalid operation"},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (known[i].code == code)
            return known[i].words;
    return "a failure of its own";
}

/* Whom does a failure hit? */
static enum castell_status fail(const char *what, cl_int code)
{
    enum castell_status status = CASTELL_ERR_SYSTEM;

    switch (code) {
    case CL_MEM_OBJECT_ALLOCATION_FAILURE:
    case CL_OUT_OF_HOST_MEMORY:
    case CL_INVALID_BUFFER_SIZE:
        status = CASTELL_ERR_NO_MEMORY;
        break;
    case CL_DEVICE_NOT_AVAILABLE:
    case CL_INVALID_CONTEXT:
    case CL_INVALID_COMMAND_QUEUE:
    case CL_INVALID_DEVICE:
        status = CASTELL_ERR_NODE_LOST;
        break;
    default:
        break;
    }
    return cst_fail(status, "OpenCL: %s: %s (%d)", what, cst_opencl_words(code),
                    code);
}

static enum castell_status check(const char *what, cl_int code)
{
    return code == CL_SUCCESS ? CASTELL_OK : fail(what, code);
}

/* ---- The driver --------------------------------------------------------- */

/* NOLINTNEXTLINE(readability-function-cognitive-complexity): one line a call */
static bool load_calls(struct cst_opencl *cl, const char **ret_missing)
{
#define FIND(name)                                                             \
    do {                                                                       \
        void *symbol = dlsym(cl->library, #name);                              \
                                                                               \
        *ret_missing = #name;                                                  \
        if (symbol)                                                            \
            memcpy(&cl->name, &symbol, sizeof(symbol));                        \
        complete = complete && symbol;                                         \
    } while (0)
    bool complete = true;

    CST_OPENCL_CALLS(FIND);
#undef FIND
    return complete;
}

/* Those of a type, of all platforms; processors that run our own executors are
   worth it only where there is nothing else. */
static void list_devices(struct cst_opencl *cl, cl_device_type type)
{
    cl_platform_id platforms[PLATFORMS_MAX];
    cl_uint platforms_count = 0;

    if (cl->clGetPlatformIDs(PLATFORMS_MAX, platforms, &platforms_count) !=
        CL_SUCCESS)
        return;
    if (platforms_count > PLATFORMS_MAX)
        platforms_count = PLATFORMS_MAX;
    for (cl_uint i = 0; i < platforms_count; i++) {
        cl_uint room = DEVICES_MAX - cl->count;
        cl_uint found = 0;

        if (room > 0 &&
            cl->clGetDeviceIDs(platforms[i], type, room,
                               cl->devices + cl->count, &found) == CL_SUCCESS)
            cl->count += found < room ? found : room;
    }
}

static void driver_release(void *driver)
{
    struct cst_opencl *cl = driver;

    if (!cl)
        return;
    /* The library stays: drivers have threads, and handlers for exit(). */
    cst_free(cl->devices);
    cst_free(cl);
}

static enum castell_status discover(void **ret_driver, uint32_t *ret_count)
{
    struct cst_opencl *cl = cst_zalloc(sizeof(*cl));
    const char *missing = NULL;

    if (!cl)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for OpenCL");
    cl->devices = cst_zalloc(DEVICES_MAX * sizeof(*cl->devices));
    if (!cl->devices) {
        driver_release(cl);
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for OpenCL");
    }
    cl->library = dlopen("libOpenCL.so.1", RTLD_NOW);
    if (!cl->library) {
        driver_release(cl);
        return cst_fail(CASTELL_ERR_UNSATISFIABLE,
                        "there is no libOpenCL.so.1");
    }
    if (!load_calls(cl, &missing)) {
        driver_release(cl);
        return cst_fail(CASTELL_ERR_UNSATISFIABLE,
                        "libOpenCL.so.1 is older than OpenCL 1.2");
    }
    list_devices(cl, CL_DEVICE_TYPE_GPU | CL_DEVICE_TYPE_ACCELERATOR);
    if (cl->count == 0)
        list_devices(cl, CL_DEVICE_TYPE_CPU);
    *ret_driver = cl;
    *ret_count = cl->count;
    return CASTELL_OK;
}

static enum castell_status describe(void *driver, uint32_t index,
                                    struct cst_device_info *ret_info)
{
    const struct cst_opencl *cl = driver;
    cl_device_id id = cl->devices[index];
    cl_ulong memory = 0;
    cl_ulong largest = 0;
    cl_uint units = 0;
    cl_bool shares = CL_FALSE;
    char version[CST_DEVICE_NAME_SIZE] = "";
    cl_int code;

    memset(ret_info, 0, sizeof(*ret_info));
    code = cl->clGetDeviceInfo(id, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof(memory),
                               &memory, NULL);
    if (code == CL_SUCCESS)
        code = cl->clGetDeviceInfo(id, CL_DEVICE_MAX_MEM_ALLOC_SIZE,
                                   sizeof(largest), &largest, NULL);
    if (code != CL_SUCCESS)
        return fail("a device does not say what it is", code);
    (void)cl->clGetDeviceInfo(id, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof(units),
                              &units, NULL);
    (void)cl->clGetDeviceInfo(id, CL_DEVICE_HOST_UNIFIED_MEMORY, sizeof(shares),
                              &shares, NULL);
    (void)cl->clGetDeviceInfo(id, CL_DEVICE_NAME, sizeof(ret_info->name) - 1,
                              ret_info->name, NULL);
    /* "OpenCL 3.0 ..." */
    (void)cl->clGetDeviceInfo(id, CL_DEVICE_VERSION, sizeof(version) - 1,
                              version, NULL);
    (void)sscanf(version, "OpenCL %31[0-9.]", ret_info->version);
    cst_opencl_find_bus(cl->clGetDeviceInfo, id, ret_info->bus);
    ret_info->memory = memory;
    ret_info->allocation_max = largest;
    ret_info->units = units;
    ret_info->shares_memory = shares == CL_TRUE;
    return CASTELL_OK;
}

/* ---- A device ----------------------------------------------------------- */

static void device_close(void *handle)
{
    struct cst_opencl_device *device = handle;

    if (!device)
        return;
    cst_opencl_drop_programs(device);
    for (int i = 0; i < CST_DEVICE_QUEUES; i++)
        if (device->queues[i])
            (void)device->cl->clReleaseCommandQueue(device->queues[i]);
    if (device->context)
        (void)device->cl->clReleaseContext(device->context);
    (void)pthread_mutex_destroy(&device->lock);
    cst_free(device);
}

static enum castell_status device_open(void *driver, uint32_t index,
                                       void **ret_device)
{
    struct cst_opencl *cl = driver;
    struct cst_opencl_device *device = cst_zalloc(sizeof(*device));
    cl_int code = CL_SUCCESS;

    if (!device)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a device");
    device->cl = cl;
    device->id = cl->devices[index];
    (void)pthread_mutex_init(&device->lock, NULL);
    device->context =
        cl->clCreateContext(NULL, 1, &device->id, NULL, NULL, &code);
    for (int i = 0; i < CST_DEVICE_LANE && code == CL_SUCCESS; i++)
        device->queues[i] = cl->clCreateCommandQueue(
            device->context, device->id, CL_QUEUE_PROFILING_ENABLE, &code);
    if (code != CL_SUCCESS) {
        device_close(device);
        return fail("a device cannot be used", code);
    }
    *ret_device = device;
    return CASTELL_OK;
}

static enum castell_status allocate(void *handle, size_t size,
                                    void **ret_memory)
{
    struct cst_opencl_device *device = handle;
    cl_int code = CL_SUCCESS;
    cl_mem memory = device->cl->clCreateBuffer(
        device->context, CL_MEM_READ_WRITE, size, NULL, &code);

    if (!memory)
        return fail("no block of memory", code);
    *ret_memory = memory;
    return CASTELL_OK;
}

static void release(void *handle, void *memory)
{
    struct cst_opencl_device *device = handle;

    (void)device->cl->clReleaseMemObject(memory);
}

/* ---- Queues and events -------------------------------------------------- */

static enum castell_status copy_in(void *handle,
                                   const struct cst_device_rows *rows)
{
    struct cst_opencl_device *device = handle;
    cl_command_queue queue = device->queues[CST_DEVICE_IN];
    cl_mem memory = rows->memory;
    const size_t origin[3] = {rows->offset, 0, 0};
    const size_t host_origin[3] = {0, 0, 0};
    const size_t region[3] = {rows->size, rows->rows, 1};

    if (rows->rows == 1)
        return check("a copy to it",
                     device->cl->clEnqueueWriteBuffer(
                         queue, memory, CL_FALSE, rows->offset, rows->size,
                         rows->host, 0, NULL, NULL));
    return check("a copy to it",
                 device->cl->clEnqueueWriteBufferRect(
                     queue, memory, CL_FALSE, origin, host_origin, region,
                     rows->memory_pitch, 0, rows->host_pitch, 0, rows->host, 0,
                     NULL, NULL));
}

static enum castell_status copy_out(void *handle,
                                    const struct cst_device_rows *rows)
{
    struct cst_opencl_device *device = handle;
    cl_command_queue queue = device->queues[CST_DEVICE_OUT];
    cl_mem memory = rows->memory;
    const size_t origin[3] = {rows->offset, 0, 0};
    const size_t host_origin[3] = {0, 0, 0};
    const size_t region[3] = {rows->size, rows->rows, 1};

    if (rows->rows == 1)
        return check("a copy from it",
                     device->cl->clEnqueueReadBuffer(
                         queue, memory, CL_FALSE, rows->offset, rows->size,
                         rows->host, 0, NULL, NULL));
    return check("a copy from it",
                 device->cl->clEnqueueReadBufferRect(
                     queue, memory, CL_FALSE, origin, host_origin, region,
                     rows->memory_pitch, 0, rows->host_pitch, 0, rows->host, 0,
                     NULL, NULL));
}

static enum castell_status lane(void *handle, enum cst_device_queue queue)
{
    struct cst_opencl_device *device = handle;
    cl_int code = CL_SUCCESS;

    if (!device->queues[queue])
        device->queues[queue] = device->cl->clCreateCommandQueue(
            device->context, device->id, CL_QUEUE_PROFILING_ENABLE, &code);
    return check("one more queue", code);
}

static enum castell_status record(void *handle, enum cst_device_queue queue,
                                  void **ret_event)
{
    struct cst_opencl_device *device = handle;
    cl_event event = NULL;
    cl_int code = device->cl->clEnqueueMarkerWithWaitList(device->queues[queue],
                                                          0, NULL, &event);

    if (code == CL_SUCCESS)
        code = device->cl->clFlush(device->queues[queue]);
    if (code != CL_SUCCESS && event)
        (void)device->cl->clReleaseEvent(event);
    if (code != CL_SUCCESS)
        return fail("an event", code);
    *ret_event = event;
    return CASTELL_OK;
}

static void event_destroy(void *handle, void *event)
{
    struct cst_opencl_device *device = handle;

    (void)device->cl->clReleaseEvent(event);
}

static enum castell_status queue_wait(void *handle, enum cst_device_queue queue,
                                      void *event)
{
    struct cst_opencl_device *device = handle;
    cl_event wanted = event;

    return check("a wait in a queue",
                 device->cl->clEnqueueBarrierWithWaitList(device->queues[queue],
                                                          1, &wanted, NULL));
}

/* What a command came to that has ended badly. */
static enum castell_status judge(cl_int state)
{
    enum castell_status status = fail("a kernel or a copy", state);

    return status == CASTELL_ERR_SYSTEM ? CASTELL_ERR_TASK_FAILED : status;
}

static enum castell_status event_query(void *handle, void *event,
                                       bool *ret_over)
{
    struct cst_opencl_device *device = handle;
    cl_int state = CL_QUEUED;
    cl_int code = device->cl->clGetEventInfo(
        event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(state), &state, NULL);

    if (code != CL_SUCCESS)
        return fail("an event", code);
    if (state < 0)
        return judge(state);
    *ret_over = state == CL_COMPLETE;
    return CASTELL_OK;
}

static enum castell_status event_wait(void *handle, void *event)
{
    struct cst_opencl_device *device = handle;
    cl_event wanted = event;
    bool over;

    (void)device->cl->clWaitForEvents(1, &wanted);
    return event_query(handle, event, &over);
}

static uint64_t event_elapsed_ns(void *handle, void *from, void *to)
{
    struct cst_opencl_device *device = handle;
    cl_ulong begin = 0;
    cl_ulong end = 0;

    if (device->cl->clGetEventProfilingInfo(from, CL_PROFILING_COMMAND_END,
                                            sizeof(begin), &begin,
                                            NULL) != CL_SUCCESS ||
        device->cl->clGetEventProfilingInfo(to, CL_PROFILING_COMMAND_END,
                                            sizeof(end), &end,
                                            NULL) != CL_SUCCESS ||
        end < begin)
        return 0;
    return end - begin;
}

/* ---- Bodies ------------------------------------------------------------- */

static enum castell_status enter(void *handle)
{
    (void)handle;
    return CASTELL_OK;
}

static enum castell_status leave(void *handle)
{
    struct cst_opencl_device *device = handle;

    return check("what the body enqueued",
                 device->cl->clFlush(device->queues[CST_DEVICE_RUN]));
}

static enum castell_status finish(void *handle, enum cst_device_queue queue)
{
    struct cst_opencl_device *device = handle;
    cl_int code = device->cl->clFinish(device->queues[queue]);

    return code == CL_SUCCESS ? CASTELL_OK : judge(code);
}

struct cst_opencl_device *cst_opencl_here(void)
{
    const struct cst_device_here *here = cst_device_here();

    return here && here->ops == &cst_device_opencl ? here->now.device : NULL;
}

const struct cst_device_ops cst_device_opencl = {
    .name = "opencl",
    .kind = CASTELL_OPENCL,
    .discover = discover,
    .release = driver_release,
    .describe = describe,
    .open = device_open,
    .close = device_close,
    .allocate = allocate,
    .free = release,
    .copy_in = copy_in,
    .copy_out = copy_out,
    .lane = lane,
    .record = record,
    .event_destroy = event_destroy,
    .queue_wait = queue_wait,
    .event_query = event_query,
    .event_wait = event_wait,
    .event_elapsed_ns = event_elapsed_ns,
    .enter = enter,
    .leave = leave,
    .finish = finish,
};
