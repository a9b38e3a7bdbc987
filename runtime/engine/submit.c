/*
 * A task was submitted: find its places and let it join their queues.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "engine/engine_internal.h"

#include <string.h>

static void join_place(struct cst_task *task, struct cst_fragment *fragment,
                       struct cst_hold *hold)
{
    hold->place = &fragment->place;
    hold->task = task;
    if (!cst_place_join(&fragment->place, hold))
        task->waits_for++;
}

/* Join further fragments of an access, by holds of their own. */
static bool join_more(struct cst_task *task, const struct cst_access *access,
                      struct cst_fragment *const *fragments, size_t count)
{
    uint32_t index = (uint32_t)(access - cst_task_accesses(task));
    struct cst_hold_chunk *chunk =
        cst_alloc(sizeof(*chunk) + count * sizeof(chunk->holds[0]));

    if (!chunk)
        return false;
    chunk->count = (uint32_t)count;
    chunk->next = task->more;
    task->more = chunk;
    for (size_t i = 0; i < count; i++) {
        chunk->holds[i] = access->hold;
        chunk->holds[i].user = index;
        join_place(task, fragments[i], &chunk->holds[i]);
    }
    return true;
}

/*
 * The fragments of a region, once no reduction is open at any of them but
 * `number`. Closing one may split fragments, so they are looked up again.
 */
static bool resolve(struct cst_engine *engine, const struct cst_task *task,
                    const struct cst_region *region, uint32_t number,
                    struct cst_fragment *const **ret_fragments,
                    size_t *ret_count)
{
    for (;;) {
        uint32_t other = 0;

        if (cst_data_resolve(engine->data, cst_task_domain(task), region,
                             ret_fragments, ret_count) != CASTELL_OK)
            return false;
        for (size_t i = 0; i < *ret_count && other == 0; i++) {
            other = (*ret_fragments)[i]->place.reduction;
            other = other == number ? 0 : other;
        }
        if (other == 0)
            return true;
        if (!cst_engine_close(engine, other))
            return false;
    }
}

bool cst_engine_join_slowly(struct cst_engine *engine, struct cst_task *task,
                            struct cst_access *access,
                            const struct cst_region *region, uint32_t number)
{
    struct cst_fragment *const *fragments;
    size_t count;

    if (!resolve(engine, task, region, number, &fragments, &count))
        return false;
    if (count > 1 && !join_more(task, access, fragments + 1, count - 1))
        return false;
    join_place(task, fragments[0], &access->hold);
    return true;
}

void cst_access_region(const struct cst_access *access,
                       struct cst_region *ret_region)
{
    ret_region->base = (uintptr_t)access->base;
    ret_region->size = access->size;
    ret_region->rows = access->hold.user;
    ret_region->pitch = access->pitch;
}

bool cst_engine_join(struct cst_engine *engine, struct cst_task *task,
                     struct cst_access *access)
{
    struct cst_region region;
    struct cst_fragment *fragment;

    cst_access_region(access, &region);
    fragment = cst_data_find_one(engine->data, cst_task_domain(task), &region);
    if (!fragment || fragment->place.reduction != 0)
        return cst_engine_join_slowly(engine, task, access, &region, 0);
    join_place(task, fragment, &access->hold);
    return true;
}

/* ---- The trace ---------------------------------------------------------- */

/* The records of a task, on their way in groups. */
struct telling {
    struct cst_engine *engine;
    const struct cst_task *task;
    size_t count;
    struct cst_trace_record records[CST_TRACE_GROUP_MAX];
};

static void flush_telling(struct telling *telling)
{
    telling->records[0].value = (int32_t)telling->count - 1;
    cst_trace_write_group(telling->engine->trace, telling->records,
                          telling->count);
    telling->records[0].event = CST_TRACE_MORE;
    telling->count = 1;
}

static void tell_access(struct telling *telling,
                        const struct cst_access *access)
{
    uint32_t rows = access->hold.user;
    struct cst_trace_record *record = &telling->records[telling->count];

    record[0] = (struct cst_trace_record){
        .ticks = (uintptr_t)access->base,
        .task = access->size,
        .event = CST_TRACE_ACCESS,
        .kind = access->hold.mode,
        .value = rows > INT32_MAX ? INT32_MAX : (int32_t)rows};
    telling->count++;
    if (rows > 1) {
        record[1] = (struct cst_trace_record){.ticks = access->pitch,
                                              .event = CST_TRACE_PITCH};
        telling->count++;
    }
    if (telling->count + 2 > CST_TRACE_GROUP_MAX)
        flush_telling(telling);
}

/*
 * Here and not where it was submitted: the order in which tasks come here is
 * what their dependences follow from.
 */
static void tell_trace(struct cst_engine *engine, struct cst_task *task)
{
    struct telling telling;

    telling.engine = engine;
    telling.task = task;
    telling.count = 1;
    telling.records[0] = (struct cst_trace_record){
        .task = task->id,
        .event = CST_TRACE_SUBMITTED,
        .kind = task->kind->id < CST_TRACE_KIND_MAX ? (uint16_t)task->kind->id
                                                    : CST_TRACE_KIND_MAX};
    if (task->parent->depth > 0) {
        telling.records[1] = (struct cst_trace_record){
            .ticks = task->parent->id, .event = CST_TRACE_PARENT};
        telling.count = 2;
    }
    for (uint32_t i = 0; i < task->accesses_count; i++)
        tell_access(&telling, &cst_task_accesses(task)[i]);
    if (telling.count > 1 || telling.records[0].event == CST_TRACE_SUBMITTED)
        flush_telling(&telling);
}

/* ---- The news ----------------------------------------------------------- */

/* The system refused memory for a place: the run cannot go on as asked. */
static void give_up(struct cst_engine *engine, struct cst_task *task,
                    uint32_t joined)
{
    cst_engine_fail(engine, CASTELL_ERR_NO_MEMORY,
                    "no memory for the dependences of a task");
    task->accesses_count = joined;
    task->flags |= CST_TASK_CANCELLED | CST_TASK_POISONS;
}

/* castell_delete(): nothing is waited for. */
static void forget(struct cst_engine *engine, struct cst_task *task)
{
    for (uint32_t i = 0; i < task->accesses_count; i++) {
        struct cst_region region;

        cst_access_region(&cst_task_accesses(task)[i], &region);
        if (!cst_data_forget(engine->data, cst_task_domain(task), &region))
            task->extra->outcome->status = CASTELL_ERR_INVALID;
    }
    task->accesses_count = 0;
    task->flags &= (uint32_t)~CST_TASK_DELETES;
}

void cst_engine_submitted_news(struct cst_engine *engine, struct cst_task *task)
{
    struct cst_access *accesses = cst_task_accesses(task);
    uint32_t count = task->accesses_count;

    task->state = CST_TASK_WAITING;
    if ((task->flags & (CST_TASK_SIGNAL | CST_TASK_DELETES)) ==
        (CST_TASK_SIGNAL | CST_TASK_DELETES)) {
        forget(engine, task);
        count = 0;
    } else if ((task->flags & CST_TASK_SIGNAL) && count == 0 &&
               !cst_engine_close_all(engine, task->parent))
        cst_engine_fail(engine, CASTELL_ERR_NO_MEMORY,
                        "no memory to end a reduction");
    if (__builtin_expect(engine->picture != NULL, 0) &&
        !(task->flags & CST_TASK_INTERNAL))
        cst_picture_task(engine->picture, task);
    if (__builtin_expect(engine->trace != NULL, 0) &&
        !(task->flags & CST_TASK_INTERNAL))
        tell_trace(engine, task);
    for (uint32_t i = 0; i < count; i++) {
        bool joined =
            accesses[i].hold.epoch == CST_EPOCH_REDUCTION
                ? cst_engine_join_reduction(engine, task, &accesses[i])
                : cst_engine_join(engine, task, &accesses[i]);

        if (!joined) {
            give_up(engine, task, i);
            break;
        }
    }
    if (task->waits_for == 0)
        cst_engine_make_ready(engine, task);
}
