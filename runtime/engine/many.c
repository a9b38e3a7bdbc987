/*
 * What the engine does for a run on several nodes: it lets tasks go to be
 * placed, and runs guests.
 */
#include "base/clock.h"
#include "base/fail.h"
#include "engine/engine_internal.h"

void cst_engine_set_many(struct cst_engine *engine,
                         const struct cst_engine_many *many)
{
    engine->many = many;
}

bool cst_engine_is_many(const struct cst_engine *engine)
{
    return engine->many != NULL;
}

struct cst_data *cst_engine_data(struct cst_engine *engine)
{
    return engine->data;
}

void cst_engine_end_unplaced(struct cst_engine *engine, struct cst_task *task)
{
    cst_engine_complete(engine, task);
}

struct cst_task *cst_engine_guest_new(struct cst_engine *engine,
                                      uint32_t accesses_count,
                                      size_t argument_size, bool reduces)
{
    struct cst_task *task =
        cst_engine_task_new(engine, &engine->internal, accesses_count,
                            argument_size, reduces ? accesses_count : 0);

    if (!task)
        return NULL;
    task->flags = CST_TASK_GUEST | (reduces ? CST_TASK_REDUCES : 0u);
    task->parent = &engine->guests;
    task->depth = 1;
    return task;
}

void cst_engine_guest_ready(struct cst_engine *engine, struct cst_task *task)
{
    task->state = CST_TASK_WAITING;
    cst_engine_make_ready(engine, task);
}

void cst_engine_guest_discard(struct cst_engine *engine, struct cst_task *task)
{
    cst_engine_task_discard(engine, &engine->internal, task);
}

/* Take it out of those that wait for cores or memory. */
static bool unconstrain(struct cst_engine *engine, struct cst_task *task)
{
    struct cst_task *before = NULL;

    for (struct cst_task *here = engine->constrained.first; here;
         before = here, here = here->next) {
        if (here != task)
            continue;
        if (before)
            before->next = task->next;
        else
            engine->constrained.first = task->next;
        if (engine->constrained.last == task)
            engine->constrained.last = before;
        return true;
    }
    return false;
}

bool cst_engine_guest_recall(struct cst_engine *engine, struct cst_task *task)
{
    struct cst_task_list list = {NULL, NULL};

    if (task->state == CST_TASK_WAITING)
        return unconstrain(engine, task);
    cst_engine_recall(engine); /* it may lie on a desk */
    if (task->state != CST_TASK_READY || (task->flags & CST_TASK_GATHERS))
        return false;
    task->flags |= CST_TASK_RECALLED;
    cst_ready_take_flagged(&engine->ready, CST_TASK_RECALLED, &list);
    task->flags &= ~(uint32_t)CST_TASK_RECALLED;
    if (!list.first)
        return false;
    if (task->flags & CST_TASK_ADMITTED)
        cst_engine_unadmit(engine, task);
    return true;
}

void cst_many_step(struct cst_engine *engine)
{
    engine->many->step(engine->many->context);
    atomic_store_explicit(&engine->stepped_ns, cst_clock_ns(),
                          memory_order_relaxed);
}

bool cst_many_has_paused(struct cst_engine *engine)
{
    enum { PAUSE_NS = 30000 };

    return cst_clock_ns() -
               atomic_load_explicit(&engine->stepped_ns, memory_order_relaxed) >
           PAUSE_NS;
}

bool cst_many_is_urgent(struct cst_engine *engine, const struct cst_port *port,
                        enum cst_news what)
{
    /* Others may wait for what was done; but with who ends short tasks, and has
       more of them, they wait for several at once. So with what is submitted:
       the first after a pause goes to its node while the next are made, unless
       somebody is at it, who will look again. */
    return __builtin_expect(engine->many != NULL, 0) &&
           (what == CST_NEWS_DONE ||
            (what == CST_NEWS_SUBMITTED && port->desk.since_poke == 1 &&
             atomic_load_explicit(&engine->baton, memory_order_relaxed) ==
                 0)) &&
           cst_many_has_paused(engine);
}

bool cst_engine_has_mail(const struct cst_engine *engine)
{
    return __builtin_expect(engine->many != NULL, 0) && engine->many->mail &&
           atomic_load_explicit(engine->many->mail, memory_order_relaxed) != 0;
}

bool cst_engine_is_due(struct cst_engine *engine)
{
    enum { LOOK_NS = 2000 };

    return __builtin_expect(engine->many != NULL, 0) &&
           cst_clock_ns() - atomic_load_explicit(&engine->stepped_ns,
                                                 memory_order_relaxed) >
               LOOK_NS;
}

void cst_engine_sleep(struct cst_engine *engine, struct cst_port *port,
                      struct cst_desk *desk)
{
    const struct cst_engine_many *many = engine->many;

    if (__builtin_expect(many != NULL, 0) && many->sleep &&
        many->sleep(many->context, port, desk))
        cst_desk_rouse(desk);
    else
        cst_desk_sleep(desk);
}

void cst_engine_sleep_deaf(struct cst_engine *engine, struct cst_desk *desk)
{
    if (__builtin_expect(engine->many != NULL, 0) && engine->many->asleep)
        engine->many->asleep(engine->many->context);
    cst_desk_sleep(desk);
}
