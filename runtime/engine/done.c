/*
 * A task is done: release what it holds, and end it when its children are done
 * too.
 */
#include "base/fail.h"
#include "engine/engine_internal.h"
#include "files/files.h"

#include <stdlib.h>

static void add(_Atomic(uint64_t) *counter)
{
    /* Only the baton's holder writes. */
    atomic_store_explicit(
        counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
        memory_order_release);
}

static void leave_places(struct cst_engine *engine, struct cst_task *task)
{
    struct cst_access *accesses = cst_task_accesses(task);
    bool poison = (task->flags & CST_TASK_POISONS) != 0;

    if (poison) {
        engine->poisoned_once = true;
        cst_blame_note(engine, task);
    }
    for (uint32_t i = 0; i < task->accesses_count; i++)
        cst_place_leave(accesses[i].hold.place, &accesses[i].hold, poison,
                        &engine->woken);
    for (struct cst_hold_chunk *chunk = task->more; chunk; chunk = chunk->next)
        for (uint32_t i = 0; i < chunk->count; i++)
            cst_place_leave(chunk->holds[i].place, &chunk->holds[i], poison,
                            &engine->woken);
}

static void forget_deleted(struct cst_engine *engine, struct cst_task *task)
{
    struct cst_access *accesses = cst_task_accesses(task);

    for (uint32_t i = 0; i < task->accesses_count; i++) {
        struct cst_region region = {(uintptr_t)accesses[i].base,
                                    accesses[i].size, accesses[i].hold.user,
                                    accesses[i].pitch};

        if (accesses[i].hold.mode == CASTELL_IN_DELETE)
            (void)cst_data_forget(engine->data, cst_task_domain(task), &region);
    }
}

static enum cst_task_end end_of(const struct cst_task *task)
{
    if (task->flags & CST_TASK_FAILED)
        return task->flags & CST_TASK_POISONS ? CST_TASK_ENDED_FAILED
                                              : CST_TASK_ENDED_IGNORED;
    return task->flags & CST_TASK_CANCELLED ? CST_TASK_ENDED_CANCELLED
                                            : CST_TASK_ENDED;
}

static void count_end(struct cst_engine *engine, const struct cst_task *task)
{
    struct cst_ends *ends;

    if (task->flags & CST_TASK_INTERNAL)
        return;
    ends = &engine->ends[cst_tally_index(task)];
    add(&engine->finished);
    if (task->flags & CST_TASK_FAILED) {
        cst_engine_event(engine, CST_TRACE_FAILED, task);
        add(&engine->failed);
        add(&ends->failed);
    } else if (task->flags & CST_TASK_CANCELLED) {
        cst_engine_event(engine, CST_TRACE_CANCELLED, task);
        add(&engine->cancelled);
        add(&ends->cancelled);
    } else {
        add(&ends->done);
    }
}

void cst_engine_leave(struct cst_engine *engine, struct cst_task *task)
{
    leave_places(engine, task);
}

void cst_engine_delete(struct cst_engine *engine, struct cst_task *task)
{
    forget_deleted(engine, task);
    task->flags &= ~(uint32_t)CST_TASK_DELETES;
}

/* What an end does beside leaving places and memory, and telling. */
static void prepare_end(struct cst_engine *engine, struct cst_task *task)
{
    if (task->flags & CST_TASK_FILES)
        cst_file_uses_end(task->extra->uses, task->accesses_count);
    if (task->flags & CST_TASK_DELETES)
        forget_deleted(engine, task);
    if (__builtin_expect(engine->picture != NULL, 0) &&
        !(task->flags & CST_TASK_INTERNAL))
        cst_picture_end(engine->picture, task);
    count_end(engine, task);
}

/* Who is told that it has ended, and how; the memory may be another's then. */
struct ending {
    struct cst_task *parent; /* NULL: signals and the like are no one's; folds
                                are */
    struct cst_group *group;
    uint64_t generation;
};

static struct ending ending_of(const struct cst_task *task)
{
    bool counts = !(task->flags & CST_TASK_INTERNAL) || task->kind;

    return (struct ending){
        counts ? task->parent : NULL, task->group,
        (atomic_load_explicit(&task->generation, memory_order_relaxed) |
         CST_TASK_END_MASK) +
            1 + end_of(task)};
}

static void tell_end(struct cst_task *task, const struct ending *ending)
{
    if (ending->group)
        atomic_fetch_add_explicit(&ending->group->finished, 1,
                                  memory_order_release);
    if (ending->parent)
        add(&ending->parent->children_finished);
    atomic_store_explicit(&task->generation, ending->generation,
                          memory_order_release);
}

void cst_engine_end(struct cst_engine *engine, struct cst_task *task)
{
    struct ending ending = ending_of(task);

    prepare_end(engine, task);
    cst_engine_publish_regions(engine);
    tell_end(task, &ending);
}

void cst_engine_free(struct cst_engine *engine, struct cst_task *task)
{
    cst_pool_free(engine, task);
}

/*
 * A task whose children are done ends. Returns its parent if that ends too.
 * Who waited looks as soon as the task counts as ended, and that comes last.
 */
static struct cst_task *end_one(struct cst_engine *engine,
                                struct cst_task *task)
{
    struct ending ending = ending_of(task);
    struct cst_task *parent = ending.parent;

    if (task->flags & CST_TASK_GUEST) {
        if (engine->lines)
            cst_engine_bring_home(engine, task);
        engine->many->guest_done(engine->many->context, task);
        cst_pool_free(engine, task);
        return NULL;
    }
    leave_places(engine, task);
    prepare_end(engine, task);
    cst_pool_free(engine, task); /* for others when the baton is let go */
    cst_engine_publish_regions(engine);
    tell_end(task, &ending);
    if (!parent || parent->state != CST_TASK_RETURNED ||
        atomic_load_explicit(&parent->children_finished, memory_order_relaxed) <
            parent->children_submitted + parent->folds_submitted)
        return NULL;
    return parent;
}

void cst_engine_complete(struct cst_engine *engine, struct cst_task *task)
{
    while (task) {
        if (task->children_submitted > 0)
            cst_data_drop_domain(engine->data, task->id);
        task = end_one(engine, task);
    }
}

/* What the failure of a body means for others. */
static void judge(struct cst_task *task)
{
    if (task->flags & CST_TASK_CANCELLED) {
        task->flags |= CST_TASK_POISONS;
        return;
    }
    if (!(task->flags & CST_TASK_FAILED))
        return;
    switch (task->kind->on_failure) {
    case CASTELL_IGNORE:
        break;
    case CASTELL_FAIL: /* the run has failed when that was told */
    case CASTELL_CANCEL_SUCCESSORS:
        task->flags |= CST_TASK_POISONS;
        break;
    }
}

void cst_engine_done_news(struct cst_engine *engine, struct cst_task *task)
{
    if ((task->flags & (CST_TASK_CANCELLED | CST_TASK_FAILED)) &&
        !(task->flags & CST_TASK_GUEST))
        judge(task);
    if (task->flags & CST_TASK_CHOSEN)
        cst_kind_measured(task->kind, task->choice, task->extra->size,
                          task->extra->duration_ns, task->extra->cost);
    if (engine->lines && task->extra)
        cst_engine_leave_line(engine, task);
    if (task->flags & CST_TASK_ADMITTED)
        cst_engine_unadmit(engine, task);
    task->state = CST_TASK_RETURNED;
    if (task->children_submitted > 0) {
        if (!cst_engine_close_all(engine, task))
            cst_engine_fail(engine, CASTELL_ERR_NO_MEMORY,
                            "no memory to end a reduction");
        if (atomic_load_explicit(&task->children_finished,
                                 memory_order_relaxed) <
            task->children_submitted + task->folds_submitted)
            return;
    }
    cst_engine_complete(engine, task);
}

bool cst_engine_settle(struct cst_engine *engine)
{
    bool any = engine->woken.first != NULL;
    struct cst_task *task;

    while ((task = cst_task_list_take(&engine->woken)))
        cst_engine_make_ready(engine, task);
    return any;
}
