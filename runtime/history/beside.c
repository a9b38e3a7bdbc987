/*
 * What happens beside cores: on devices, and to nodes that were asked for.
 */
#include "base/memory.h"
#include "history/pass.h"

#include <string.h>

enum { DEVICE_BITS = 16, DEVICES_MAX = 1 << 12, CLASSES_MAX = 1 << 10 };

/* ---- Devices ------------------------------------------------------------- */

uint32_t cst_history_device_of(struct cst_history *history, uint32_t node,
                               uint32_t number)
{
    struct cst_history_device *device;

    for (size_t i = 0; i < history->devices_count; i++)
        if (history->devices[i].node == node &&
            history->devices[i].number == number)
            return (uint32_t)i;
    if (history->devices_count >= DEVICES_MAX)
        return CST_HISTORY_NONE;
    device = CST_HISTORY_PUSH(history, devices);
    if (!device)
        return CST_HISTORY_NONE;
    *device = (struct cst_history_device){.node = node, .number = number};
    device->name = cst_strdup("");
    if (!device->name) {
        history->devices_count--;
        return CST_HISTORY_NONE;
    }
    return (uint32_t)(device - history->devices);
}

static char *text_behind(const struct cst_history_reader *reader, size_t head)
{
    size_t size = reader->chunk.size - head;
    char *text = cst_zalloc(size + 1);

    if (text && size > 0)
        memcpy(text, (const char *)reader->body + head, size);
    return text;
}

static bool describe_device(struct cst_history_pass *pass)
{
    const struct cst_history_reader *reader = &pass->file->reader;
    uint32_t index = cst_history_device_of(pass->history, pass->file->node,
                                           (uint16_t)reader->chunk.number);
    struct cst_history_device *device;
    struct cst_trace_device from;
    char *name = text_behind(reader, sizeof(from));

    if (index == CST_HISTORY_NONE || !name) {
        cst_free(name);
        return name != NULL; /* there are too many */
    }
    memcpy(&from, reader->body, sizeof(from));
    device = &pass->history->devices[index];
    cst_free(device->name);
    device->name = name;
    device->memory = from.memory;
    device->kind = from.kind;
    return true;
}

static bool copied(struct cst_history_pass *pass, uint32_t device,
                   const struct cst_trace_record *record)
{
    static const enum cst_history_way ways[] = {
        CST_HISTORY_TO_DEVICE, CST_HISTORY_TO_MAIN, CST_HISTORY_BETWEEN};
    struct cst_history *history = pass->history;
    struct cst_history_copy *copy = CST_HISTORY_PUSH(history, copies);

    if (!copy)
        return false;
    *copy = (struct cst_history_copy){
        .begin_ns = pass->ns,
        .end_ns = pass->ns,
        .base = record->task,
        .device = device,
        .from = CST_HISTORY_NONE,
        .way = ways[record->event - CST_TRACE_COPY_IN],
    };
    pass->stack->copied = (uint32_t)(copy - history->copies);
    if (copy->way != CST_HISTORY_BETWEEN)
        return true;
    copy->from = cst_history_device_of(history, pass->file->node,
                                       (uint32_t)record->value >> DEVICE_BITS);
    return copy->from != CST_HISTORY_NONE ||
           history->devices_count >= DEVICES_MAX;
}

static bool ran(struct cst_history_pass *pass, uint32_t device,
                const struct cst_trace_record *record)
{
    struct cst_history *history = pass->history;
    uint32_t task = cst_history_task_of(history, record->task);
    struct cst_history_kernel *kernel;

    if (task == CST_HISTORY_NONE)
        return false;
    kernel = CST_HISTORY_PUSH(history, kernels);
    if (!kernel)
        return false;
    *kernel = (struct cst_history_kernel){pass->ns, pass->ns, task, device};
    pass->stack->ran = (uint32_t)(kernel - history->kernels);
    return true;
}

bool cst_history_on_device(struct cst_history_pass *pass,
                           const struct cst_trace_record *record)
{
    struct cst_history *history = pass->history;
    uint32_t device = cst_history_device_of(history, pass->file->node,
                                            (uint16_t)record->value);
    struct cst_history_memory *memory;

    if (device == CST_HISTORY_NONE)
        return history->devices_count >= DEVICES_MAX;
    if (record->event == CST_TRACE_KERNEL)
        return ran(pass, device, record);
    if (record->event != CST_TRACE_DEVICE_MEMORY)
        return copied(pass, device, record);
    memory = CST_HISTORY_PUSH(history, memory);
    if (!memory)
        return false;
    *memory = (struct cst_history_memory){pass->ns, record->task,
                                          pass->file->node, device};
    return true;
}

static void set_size(uint64_t took, uint64_t *begin_ns, const uint64_t *end_ns)
{
    *begin_ns = took < *end_ns ? *end_ns - took : 0;
}

/* Its length stays as it is; but it was over when that was told. */
static void move_to(uint64_t ns, uint64_t told_ns, uint64_t *begin_ns,
                    uint64_t *end_ns)
{
    uint64_t took = *end_ns - *begin_ns;

    *begin_ns = ns < told_ns ? ns : told_ns;
    *end_ns = took < told_ns - *begin_ns ? *begin_ns + took : told_ns;
}

void cst_history_lasted(struct cst_history_pass *pass,
                        const struct cst_trace_record *record)
{
    const struct cst_history_stack *stack = pass->stack;
    struct cst_history_copy *copy = stack->copied == CST_HISTORY_NONE
                                        ? NULL
                                        : &pass->history->copies[stack->copied];
    struct cst_history_kernel *kernel =
        stack->ran == CST_HISTORY_NONE ? NULL
                                       : &pass->history->kernels[stack->ran];
    uint64_t ns;

    if (record->event == CST_TRACE_SIZE && copy) {
        copy->bytes = record->ticks;
        set_size(record->task, &copy->begin_ns, &copy->end_ns);
    } else if (record->event == CST_TRACE_SIZE && kernel) {
        set_size(record->task, &kernel->begin_ns, &kernel->end_ns);
    } else if (record->event == CST_TRACE_BEGAN && (copy || kernel)) {
        ns = cst_history_time_at(pass->loader, pass->file, record->ticks);
        if (copy)
            move_to(ns, pass->ns, &copy->begin_ns, &copy->end_ns);
        else
            move_to(ns, pass->ns, &kernel->begin_ns, &kernel->end_ns);
    }
}

/* ---- Nodes that were asked for -------------------------------------------- */

static bool name_class(struct cst_history_pass *pass)
{
    const struct cst_history_reader *reader = &pass->file->reader;
    struct cst_history *history = pass->history;
    uint64_t number = reader->chunk.number;
    char *name = text_behind(reader, 0);

    while (name && number < CLASSES_MAX && number >= history->classes_count) {
        char **class = CST_HISTORY_PUSH(history, classes);

        if (!class) {
            cst_free(name);
            return false;
        }
        *class = NULL;
    }
    if (!name || number >= CLASSES_MAX) {
        cst_free(name);
        return name != NULL;
    }
    cst_free(history->classes[number]);
    history->classes[number] = name;
    return true;
}

static uint32_t request_of(struct cst_history *history,
                           const struct cst_trace_request *from, uint64_t ns)
{
    struct cst_history_request *request;

    for (size_t i = history->requests_count; i-- > 0;)
        if (history->requests[i].ticket == from->ticket)
            return (uint32_t)i;
    request = CST_HISTORY_PUSH(history, requests);
    if (!request)
        return CST_HISTORY_NONE;
    *request = (struct cst_history_request){
        .ticket = from->ticket,
        .class = from->class,
        .node = CST_HISTORY_NONE,
        .asked_ns = ns,
        .started_ns = CST_HISTORY_NEVER,
        .came_ns = CST_HISTORY_NEVER,
        .leaves_ns = CST_HISTORY_NEVER,
        .over_ns = CST_HISTORY_NEVER,
    };
    return (uint32_t)(request - history->requests);
}

static bool set_state(struct cst_history *history, uint32_t index, uint64_t ns,
                      const struct cst_trace_request *from)
{
    struct cst_history_request *request = &history->requests[index];
    uint32_t node = CST_HISTORY_NONE;

    request->state = (enum cst_trace_request_state)from->state;
    switch (request->state) {
    case CST_TRACE_REQUEST_STARTED:
        request->started_ns = ns;
        break;
    case CST_TRACE_REQUEST_CAME:
        request->came_ns = ns;
        node = cst_history_node_of(history, (uint16_t)from->node);
        history->requests[index].node = node;
        return node != CST_HISTORY_NONE;
    case CST_TRACE_REQUEST_LEAVES:
        request->leaves_ns = ns;
        break;
    case CST_TRACE_REQUEST_CANCELLED:
        request->cancelled = true;
        break;
    case CST_TRACE_REQUEST_REFUSED:
    case CST_TRACE_REQUEST_ENDED:
        request->over_ns = ns;
        break;
    case CST_TRACE_REQUEST_SAID:
    case CST_TRACE_REQUEST_ASKED:
    case CST_TRACE_REQUEST_PENDING:
    case CST_TRACE_REQUEST_SUSPENDED:
    case CST_TRACE_REQUEST_RESUMED:
    case CST_TRACE_REQUEST_STATES:
        break;
    }
    return true;
}

static bool take_request(struct cst_history_pass *pass)
{
    const struct cst_history_reader *reader = &pass->file->reader;
    struct cst_history *history = pass->history;
    struct cst_history_notice *notice;
    struct cst_trace_request from;
    uint32_t request = CST_HISTORY_NONE;
    uint64_t ns;
    char *text;

    memcpy(&from, reader->body, sizeof(from));
    if (from.state >= CST_TRACE_REQUEST_STATES)
        return true;
    ns = cst_history_time(pass->loader, pass->file, from.ticks);
    if (from.ticket > 0) {
        request = request_of(history, &from, ns);
        if (request == CST_HISTORY_NONE ||
            !set_state(history, request, ns, &from))
            return false;
    }
    text = text_behind(reader, sizeof(from));
    notice = text ? CST_HISTORY_PUSH(history, notices) : NULL;
    if (!notice) {
        cst_free(text);
        return false;
    }
    *notice = (struct cst_history_notice){
        ns, request, (enum cst_trace_request_state)from.state, text};
    return true;
}

bool cst_history_beside(struct cst_history_pass *pass)
{
    uint16_t type = pass->file->reader.chunk.type;

    if (type == CST_TRACE_CHUNK_DEVICE)
        return describe_device(pass);
    if (type == CST_TRACE_CHUNK_CLASS)
        return name_class(pass);
    return type != CST_TRACE_CHUNK_REQUEST || take_request(pass);
}
