#include "fake_device.h"

#include "base/fail.h"

#include <stdlib.h>
#include <string.h>

enum { COMMANDS_MAX = 256, BLOCKS_MAX = 8, ARGUMENT_MAX = 64 };

struct event {
    bool over;
    bool failed;
};

enum what { COPY_IN, COPY_OUT, COPY_PEER, KERNEL, WAIT, EVENT };

struct command {
    enum what what;
    struct cst_device_rows rows;
    struct event *event;
    void *from;
    size_t size;
    fake_kernel *kernel;
    unsigned char *blocks[BLOCKS_MAX];
    _Alignas(16) char argument[ARGUMENT_MAX];
};

struct queue {
    struct command commands[COMMANDS_MAX];
    uint32_t first, count;
};

struct device {
    struct queue queues[CST_DEVICE_QUEUES];
    uint32_t calls_left; /* until it is lost; 0: never */
    bool lost;
};

static uint64_t state;
static struct device *devices[FAKE_DEVICES];
static uint32_t blocks_now;

static uint32_t draw(uint32_t below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % below;
}

void fake_begin(uint64_t seed)
{
    state = seed;
}

uint32_t fake_blocks(void)
{
    return blocks_now;
}

void fake_lose_after(void *handle, uint32_t calls)
{
    ((struct device *)handle)->calls_left = calls;
}

/* Every call counts. */
static enum castell_status count_call(struct device *device)
{
    if (device->calls_left > 0 && --device->calls_left == 0)
        device->lost = true;
    return device->lost
               ? cst_fail(CASTELL_ERR_NODE_LOST, "fake: fallen off the bus")
               : CASTELL_OK;
}

static struct command *put(struct device *device, enum cst_device_queue queue,
                           enum what what)
{
    struct queue *to = &device->queues[queue];
    struct command *command =
        &to->commands[(to->first + to->count) % COMMANDS_MAX];

    CST_ASSERT(to->count < COMMANDS_MAX);
    to->count++;
    memset(command, 0, sizeof(*command));
    command->what = what;
    return command;
}

static void copy(const struct cst_device_rows *rows, bool in)
{
    for (size_t i = 0; i < rows->rows; i++) {
        char *here =
            (char *)rows->memory + rows->offset + i * rows->memory_pitch;
        char *host = (char *)rows->host + i * rows->host_pitch;

        memcpy(in ? here : host, in ? host : here, rows->size);
    }
}

/* Do the next of a queue; false: it is empty, or waits. */
static bool run_one(struct device *device, struct queue *queue)
{
    struct command *command = &queue->commands[queue->first];

    if (queue->count == 0 || (command->what == WAIT && !command->event->over))
        return false;
    if (command->event && command->what == EVENT) {
        command->event->over = true;
        command->event->failed = device->lost;
    } else if (!device->lost && command->what == KERNEL) {
        command->kernel(command->blocks, command->argument);
    } else if (!device->lost && command->what == COPY_PEER) {
        memcpy(command->rows.memory, command->from, command->size);
    } else if (!device->lost &&
               (command->what == COPY_IN || command->what == COPY_OUT)) {
        copy(&command->rows, command->what == COPY_IN);
    }
    queue->first = (queue->first + 1) % COMMANDS_MAX;
    queue->count--;
    return true;
}

/* Do something somewhere; false: there is nothing that can be done. */
static bool run_some(void)
{
    uint32_t all = FAKE_DEVICES * CST_DEVICE_QUEUES;
    uint32_t start = draw(all);

    for (uint32_t i = 0; i < all; i++) {
        uint32_t at = (start + i) % all;
        struct device *device = devices[at / CST_DEVICE_QUEUES];

        if (device && run_one(device, &device->queues[at % CST_DEVICE_QUEUES]))
            return true;
    }
    return false;
}

/* ---- The table ----------------------------------------------------------- */

static enum castell_status discover(void **ret_driver, uint32_t *ret_count)
{
    *ret_driver = devices;
    *ret_count = FAKE_DEVICES;
    return CASTELL_OK;
}

static void driver_release(void *driver)
{
    (void)driver;
}

static enum castell_status describe(void *driver, uint32_t index,
                                    struct cst_device_info *ret_info)
{
    (void)driver, (void)index;
    memset(ret_info, 0, sizeof(*ret_info));
    memcpy(ret_info->name, "fake", sizeof("fake"));
    ret_info->memory = 1 << 20;
    return CASTELL_OK;
}

static enum castell_status device_open(void *driver, uint32_t index,
                                       void **ret_device)
{
    (void)driver;
    devices[index] = calloc(1, sizeof(struct device));
    *ret_device = devices[index];
    return devices[index] ? CASTELL_OK
                          : cst_fail(CASTELL_ERR_NO_MEMORY, "no memory");
}

static void device_close(void *handle)
{
    while (run_some())
        continue;
    for (int i = 0; i < FAKE_DEVICES; i++)
        if (devices[i] == handle)
            devices[i] = NULL;
    free(handle);
}

static enum castell_status allocate(void *handle, size_t size,
                                    void **ret_memory)
{
    enum castell_status status = count_call(handle);

    if (status != CASTELL_OK)
        return status;
    *ret_memory = malloc(size);
    if (!*ret_memory)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory");
    memset(*ret_memory, 0xEE, size);
    blocks_now++;
    return CASTELL_OK;
}

static void release(void *handle, void *memory)
{
    (void)handle;
    while (run_some()) /* what is under way may use it */
        continue;
    free(memory);
    blocks_now--;
}

static enum castell_status copy_in(void *handle,
                                   const struct cst_device_rows *rows)
{
    enum castell_status status = count_call(handle);

    if (status == CASTELL_OK)
        put(handle, CST_DEVICE_IN, COPY_IN)->rows = *rows;
    return status;
}

static enum castell_status copy_out(void *handle,
                                    const struct cst_device_rows *rows)
{
    enum castell_status status = count_call(handle);

    if (status == CASTELL_OK)
        put(handle, CST_DEVICE_OUT, COPY_OUT)->rows = *rows;
    return status;
}

static enum castell_status copy_peer(void *handle, void *memory, void *from,
                                     void *from_memory, size_t size)
{
    enum castell_status status = count_call(handle);
    struct command *command;

    (void)from;
    if (status != CASTELL_OK)
        return status;
    if (draw(4) == 0)
        return cst_fail(CASTELL_ERR_SYSTEM, "fake: these two cannot");
    command = put(handle, CST_DEVICE_IN, COPY_PEER);
    command->rows.memory = memory;
    command->from = from_memory;
    command->size = size;
    return CASTELL_OK;
}

static enum castell_status record(void *handle, enum cst_device_queue queue,
                                  void **ret_event)
{
    enum castell_status status = count_call(handle);
    struct event *event;

    if (status != CASTELL_OK)
        return status;
    event = calloc(1, sizeof(*event));
    if (!event)
        return cst_fail(CASTELL_ERR_SYSTEM, "no memory");
    put(handle, queue, EVENT)->event = event;
    *ret_event = event;
    return CASTELL_OK;
}

static void event_destroy(void *handle, void *event)
{
    (void)handle;
    while (!((struct event *)event)->over && run_some())
        continue;
    /* A queue may still wait for it: that is over too. */
    for (int i = 0; i < FAKE_DEVICES; i++)
        for (int j = 0; devices[i] && j < CST_DEVICE_QUEUES; j++)
            for (uint32_t k = 0; k < devices[i]->queues[j].count; k++) {
                struct queue *queue = &devices[i]->queues[j];
                struct command *command =
                    &queue->commands[(queue->first + k) % COMMANDS_MAX];

                if (command->what == WAIT && command->event == event) {
                    command->what = EVENT;
                    command->event = NULL;
                }
            }
    free(event);
}

static enum castell_status queue_wait(void *handle, enum cst_device_queue queue,
                                      void *event)
{
    enum castell_status status = count_call(handle);

    if (status == CASTELL_OK)
        put(handle, queue, WAIT)->event = event;
    return status;
}

static enum castell_status end_of(struct device *device,
                                  const struct event *event)
{
    return event->failed || device->lost
               ? cst_fail(CASTELL_ERR_NODE_LOST, "fake: fallen off the bus")
               : CASTELL_OK;
}

static enum castell_status event_query(void *handle, void *event,
                                       bool *ret_over)
{
    const struct event *looked = event;

    if (draw(2) == 0)
        (void)run_some();
    *ret_over = looked->over;
    return looked->over ? end_of(handle, looked) : CASTELL_OK;
}

static enum castell_status event_wait(void *handle, void *event)
{
    const struct event *looked = event;

    while (!looked->over)
        if (!run_some())
            CST_BUG("nothing can be done for an event");
    return end_of(handle, looked);
}

uint64_t fake_elapsed_ns;

static uint64_t event_elapsed_ns(void *handle, void *from, void *to)
{
    (void)handle;
    CST_ASSERT(((struct event *)from)->over && ((struct event *)to)->over);
    return fake_elapsed_ns;
}

static enum castell_status finish(void *handle, enum cst_device_queue queue)
{
    struct device *device = handle;

    while (device->queues[queue].count > 0)
        if (!run_some())
            CST_BUG("nothing can be done for a queue");
    return count_call(device);
}

void fake_launch(void *handle, fake_kernel *kernel, void *const *blocks,
                 uint32_t blocks_count, const void *argument,
                 size_t argument_size)
{
    struct command *command = put(handle, CST_DEVICE_RUN, KERNEL);

    CST_ASSERT(blocks_count <= BLOCKS_MAX && argument_size <= ARGUMENT_MAX);
    command->kernel = kernel;
    for (uint32_t i = 0; i < blocks_count; i++)
        command->blocks[i] = blocks[i];
    memcpy(command->argument, argument, argument_size);
}

const struct cst_device_ops fake_ops = {
    .name = "fake",
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
    .copy_peer = copy_peer,
    .record = record,
    .event_destroy = event_destroy,
    .queue_wait = queue_wait,
    .event_query = event_query,
    .event_wait = event_wait,
    .event_elapsed_ns = event_elapsed_ns,
    .finish = finish,
};
