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
