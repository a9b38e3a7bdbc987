/*
 * What a task is, of several records in a row on one track.
 */
#include "history/pass.h"

#include <stdio.h>

/* What has not come will not. */
void cst_history_end_told(struct cst_history_pass *pass)
{
    struct cst_history_stack *stack = pass->stack;

    if (stack->told != CST_HISTORY_NONE && stack->told_left > 0)
        pass->history->tasks[stack->told].flags |= CST_HISTORY_PARTIAL;
    stack->told = CST_HISTORY_NONE;
    stack->told_left = 0;
}

uint32_t cst_history_kind_at(const struct cst_history_pass *pass, uint16_t kind)
{
    enum { NAME_SIZE = 16 };
    char name[NAME_SIZE];
    int size;

    if (kind < pass->file->content.kinds_count &&
        pass->file->kinds[kind] != CST_HISTORY_NONE)
        return pass->file->kinds[kind];
    size = snprintf(name, sizeof(name), "kind %u", kind);
    return cst_history_kind_of(pass->history, name, (size_t)size);
}

bool cst_history_tell(struct cst_history_pass *pass,
                      const struct cst_trace_record *record)
{
    uint32_t index = cst_history_task_of(pass->history, record->task);

    if (index == CST_HISTORY_NONE)
        return false;
    cst_history_end_told(pass);
    pass->stack->told = index;
    pass->stack->told_left = record->value;
    return true;
}

bool cst_history_submitted(struct cst_history_pass *pass,
                           const struct cst_trace_record *record)
{
    struct cst_history_task *task;

    if (!cst_history_tell(pass, record))
        return false;
    task = &pass->history->tasks[pass->stack->told];
    task->flags |= CST_HISTORY_SUBMITTED;
    task->node = pass->file->node;
    task->submitted_ns = pass->ns;
    task->kind = cst_history_kind_at(pass, record->kind);
    return true;
}

/* The accesses of a task lie together: move those that do not. */
static bool gather(struct cst_history *history, struct cst_history_task *task)
{
    uint32_t count = task->accesses_count;
    uint32_t first = task->accesses;

    if (count == 0 || first + count == history->accesses_count) {
        task->accesses = (uint32_t)history->accesses_count - count;
        return true;
    }
    task->accesses = (uint32_t)history->accesses_count;
    for (uint32_t i = 0; i < count; i++) {
        struct cst_history_access *to = CST_HISTORY_PUSH(history, accesses);

        if (!to)
            return false;
        *to = history->accesses[first + i];
    }
    return true;
}

static bool add_access(struct cst_history_pass *pass,
                       const struct cst_trace_record *record)
{
    struct cst_history *history = pass->history;
    struct cst_history_task *task = &history->tasks[pass->stack->told];
    struct cst_history_access *access;

    if (!gather(history, task))
        return false;
    access = CST_HISTORY_PUSH(history, accesses);
    if (!access)
        return false;
    task->accesses_count++;
    *access = (struct cst_history_access){
        .region = {record->ticks, record->task > 0 ? record->task : 1, 1,
                   record->task > 0 ? record->task : 1},
        .mode = record->kind >= CASTELL_IN && record->kind <= CASTELL_IN_DELETE
                    ? (enum castell_mode)record->kind
                    : CASTELL_INOUT,
    };
    if (record->value > 1) {
        access->region.rows = (size_t)record->value;
        pass->stack->pitched = (uint32_t)history->accesses_count - 1;
    }
    /* Nothing ends beyond memory, whatever the file says. */
    if (access->region.base > UINTPTR_MAX / 2)
        access->region.base = UINTPTR_MAX / 2;
    if (access->region.size > UINT32_MAX * (size_t)1024)
        access->region.size = access->region.pitch = 1;
    return true;
}

static void set_pitch(struct cst_history_pass *pass, uint64_t pitch)
{
    struct cst_region *region =
        &pass->history->accesses[pass->stack->pitched].region;

    pass->stack->pitched = CST_HISTORY_NONE;
    if (pitch < region->size || pitch > UINT32_MAX * (size_t)1024 ||
        region->rows > UINTPTR_MAX / 4 / pitch)
        region->rows = 1;
    else
        region->pitch = pitch;
    cst_region_normalise(region);
}

/* A record that goes with the one before. */
bool cst_history_go_on(struct cst_history_pass *pass,
                       const struct cst_trace_record *record)
{
    struct cst_history_stack *stack = pass->stack;
    struct cst_history *history = pass->history;

    if (record->event == CST_TRACE_HOLDS && stack->held != CST_HISTORY_NONE) {
        struct cst_history_attempt *attempt = &history->attempts[stack->held];

        attempt->memory = record->ticks;
        attempt->storage = record->task;
        attempt->cores = record->value > 0 ? (uint32_t)record->value : 1;
        stack->held = CST_HISTORY_NONE;
    }
    if (record->event == CST_TRACE_SIZE && stack->sized != CST_HISTORY_NONE) {
        struct cst_history_transfer *transfer =
            &history->transfers[stack->sized];
        uint64_t took = record->task;

        transfer->bytes = record->ticks;
        transfer->begin_ns =
            took < transfer->end_ns ? transfer->end_ns - took : 0;
        stack->sized = CST_HISTORY_NONE;
    }
    cst_history_lasted(pass, record);
    if (stack->told == CST_HISTORY_NONE || stack->told_left <= 0)
        return true;
    stack->told_left--;
    if (record->event == CST_TRACE_PARENT) {
        uint32_t parent = cst_history_task_of(history, record->ticks);

        if (parent != stack->told)
            history->tasks[stack->told].parent = parent;
        return parent != CST_HISTORY_NONE;
    }
    if (record->event == CST_TRACE_ACCESS)
        return add_access(pass, record);
    if (record->event == CST_TRACE_PITCH && stack->pitched != CST_HISTORY_NONE)
        set_pitch(pass, record->ticks);
    return true;
}
