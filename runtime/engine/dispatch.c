/*
 * Tasks that wait for nothing any more get what they need, and go to the desks
 * of executors.
 */
#include "base/fail.h"
#include "engine/engine_internal.h"

enum { DEPTH = 32 }; /* tasks laid on a desk ahead */

/* ---- Waiting for nothing ------------------------------------------------ */

static bool reads_poison(struct cst_task *task)
{
    struct cst_access *accesses = cst_task_accesses(task);

    for (uint32_t i = 0; i < task->accesses_count; i++)
        if (accesses[i].hold.reads && accesses[i].hold.place->poisoned)
            return true;
    for (struct cst_hold_chunk *chunk = task->more; chunk; chunk = chunk->next)
        for (uint32_t i = 0; i < chunk->count; i++)
            if (chunk->holds[i].reads && chunk->holds[i].place->poisoned)
                return true;
    return false;
}

/* Tell whoever waits for a signal how it went; on several nodes, of what was
   cancelled before a node was found for it. */
static void say_poison(struct cst_engine *engine, struct cst_task *task)
{
    if (task->extra && task->extra->outcome && engine->poisoned_once &&
        reads_poison(task))
        cst_blame_find(engine, task, task->extra->outcome);
}

/* Is it a task of the program's that some node is to be found for? */
static bool is_to_be_placed(const struct cst_engine *engine,
                            const struct cst_task *task)
{
    return __builtin_expect(engine->many != NULL, 0) &&
           task->parent == &engine->root && engine->many->place;
}

static void make_internal_ready(struct cst_engine *engine,
                                struct cst_task *task)
{
    bool far = is_to_be_placed(engine, task);

    if (task->flags & CST_TASK_SIGNAL)
        say_poison(engine, task);
    if ((task->flags & CST_TASK_SIGNAL) && far &&
        (task->accesses_count > 0 || (task->flags & CST_TASK_HOME)))
        engine->many->signal(engine->many->context, task);
    else if (task->flags & CST_TASK_SIGNAL)
        /* NOLINTNEXTLINE(bugprone-branch-clone): the order says when */
        cst_engine_complete(engine, task);
    else if (task->kind && far)
        engine->many->place(engine->many->context, task);
    else if (task->kind) /* a fold, or the end of memory */
        cst_ready_add_first(&engine->ready, task);
    else if (task->flags & CST_TASK_CANCELLED) /* a closed reduction's */
        cst_engine_complete(engine, task);
}

/* Is a task that may run not to run after all? */
static bool is_off(struct cst_engine *engine, struct cst_task *task)
{
    if (atomic_load_explicit(&engine->status, memory_order_relaxed) !=
            CASTELL_OK ||
        cst_task_is_off(task))
        return true;
    return engine->poisoned_once && reads_poison(task);
}

void cst_engine_add_ready(struct cst_engine *engine, struct cst_task *task)
{
    task->state = CST_TASK_READY;
    cst_engine_event(engine, CST_TRACE_READY, task);
    if (task->extra && task->extra->device > 0)
        cst_engine_line_up(engine, task);
    else if (task->flags & CST_TASK_ORDERED)
        cst_ready_add_ordered(&engine->ready, task,
                              task->extra ? task->extra->deadline_ns
                                          : UINT64_MAX);
    else if (task->depth > 1)
        cst_ready_add_first(&engine->ready, task); /* depth first */
    else
        cst_ready_add_plain(&engine->ready, task);
}

static void choose(struct cst_engine *engine, struct cst_task *task)
{
    struct cst_kind *kind = task->kind;
    bool crowded = cst_ready_count(&engine->ready) >= engine->limits->cores;

    if (engine->depot && cst_engine_choose_device(engine, task))
        return;
    task->choice = (uint8_t)cst_kind_choose(kind, task->extra->size, crowded);
    task->flags |= CST_TASK_CHOSEN;
    if (!task->extra->has_constraint)
        task->extra->constraint = kind->choices[task->choice].constraint;
}

/* Which body, and what it needs. */
static void set_needs(struct cst_engine *engine, struct cst_task *task)
{
    if (!task->extra)
        return;
    if (!task->kind->simple)
        choose(engine, task);
    else if (!task->extra->has_constraint)
        return;
    if (cst_constraint_counts(&task->extra->constraint) ||
        (task->extra->device == 0 && task->extra->constraint.gpus > 0))
        task->flags |= CST_TASK_CONSTRAINED;
    if (task->extra->constraint.cores > 1)
        task->flags |= CST_TASK_GATHERS;
}

void cst_engine_make_ready(struct cst_engine *engine, struct cst_task *task)
{
    if (task->flags & CST_TASK_INTERNAL) {
        make_internal_ready(engine, task);
        return;
    }
    /* A guest has no places. */
    if (!(task->flags & CST_TASK_GUEST) && is_off(engine, task)) {
        task->flags |= CST_TASK_CANCELLED | CST_TASK_POISONS;
        if (task->flags & CST_TASK_INLINE)
            atomic_fetch_add_explicit(&task->go, 1, memory_order_release);
        else
            cst_engine_complete(engine, task);
        return;
    }
    if ((task->flags & CST_TASK_EXCLUSIVE) && !(task->flags & CST_TASK_GUEST) &&
        !cst_task_take_places(task, &engine->woken))
        return;
    if (is_to_be_placed(engine, task)) {
        engine->many->place(engine->many->context, task);
        return;
    }
    if (task->flags & CST_TASK_INLINE) {
        /* Its thread asks for what it needs when it has come back to it. */
        set_needs(engine, task);
        atomic_fetch_add_explicit(&task->go, 1, memory_order_release);
        return;
    }
    cst_engine_set_ready(engine, task);
}

void cst_engine_set_ready(struct cst_engine *engine, struct cst_task *task)
{
    set_needs(engine, task);
    if (task->flags & CST_TASK_CONSTRAINED)
        cst_engine_constrain(engine, task);
    else
        cst_engine_add_ready(engine, task);
}

/* ---- To the desks ------------------------------------------------------- */

static void lay(struct cst_engine *engine, struct cst_port *port,
                struct cst_task *task)
{
    task->state = CST_TASK_RUNNING;
    cst_desk_put(&port->desk, task);
    if (engine->fences)
        atomic_thread_fence(memory_order_seq_cst);
    /* Not yet: on our core, it would look for work while we have the baton. */
    if (cst_desk_is_asleep(&port->desk))
        engine->rings = true;
}

static bool serves(struct cst_port *port)
{
    return atomic_load_explicit(&port->desk.serves, memory_order_relaxed) ==
           CST_SERVES;
}

static void add_again(struct cst_engine *engine, struct cst_task *task)
{
    task->state = CST_TASK_READY;
    if (task->flags & CST_TASK_ORDERED)
        cst_ready_add_again(&engine->ready, task,
                            task->extra ? task->extra->deadline_ns
                                        : UINT64_MAX);
    else
        cst_ready_add_first(&engine->ready, task);
}

/* Take back what lies on the desks: something may be more urgent. */
void cst_engine_recall(struct cst_engine *engine)
{
    struct cst_task *back = NULL;
    struct cst_task *task;

    for (uint32_t i = 0; i < engine->limits->cores; i++)
        while ((task = cst_desk_take(&engine->ports[i]->desk))) {
            task->next = back;
            back = task;
        }
    while ((task = back)) { /* the youngest first */
        back = task->next;
        add_again(engine, task);
    }
}

/* Where order matters, only who has nothing to do gets a task. */
static void dispatch_ordered(struct cst_engine *engine,
                             struct cst_port *favoured)
{
    uint32_t executors = engine->limits->cores;
    uint32_t start =
        favoured->desk.index < executors ? favoured->desk.index : 0;

    cst_engine_recall(engine);
    for (uint32_t i = 0; i < executors; i++) {
        struct cst_port *port = engine->ports[(start + i) % executors];

        if (!serves(port) || cst_desk_work_count(&port->desk) > 0 ||
            !atomic_load_explicit(&port->desk.hungry, memory_order_relaxed))
            continue;
        if (cst_ready_count(&engine->ready) == 0)
            return;
        lay(engine, port, cst_ready_take(&engine->ready));
    }
}

/* Is there nobody at the desk but one who has nothing to do? */
static bool is_idle(struct cst_port *port, bool ends_one)
{
    struct cst_desk *desk = &port->desk;

    return serves(port) && cst_desk_work_count(desk) == 0 &&
           (atomic_load_explicit(&desk->hungry, memory_order_relaxed) ||
            (ends_one &&
             atomic_load_explicit(&desk->running, memory_order_relaxed) == 0));
}

/* Few tasks go to those who have none, whoever found them first. */
static void dispatch_few(struct cst_engine *engine, uint32_t start)
{
    uint32_t executors = engine->limits->cores;

    for (uint32_t i = 0; i < executors && engine->ready.plain_count > 0; i++) {
        struct cst_port *port = engine->ports[(start + i) % executors];

        if (is_idle(port, i == 0))
            lay(engine, port, cst_ready_take(&engine->ready));
    }
}

/* Fill the desks with equal shares. */
static void dispatch_plain(struct cst_engine *engine, struct cst_port *favoured)
{
    uint32_t executors = engine->limits->cores;
    uint32_t start =
        favoured->desk.index < executors ? favoured->desk.index : 0;

    if (engine->ready.plain_count <= executors)
        dispatch_few(engine, start);
    for (uint32_t i = 0; i < executors && engine->ready.plain_count > 0; i++) {
        struct cst_port *port = engine->ports[(start + i) % executors];
        size_t share = engine->ready.plain_count / (executors - i);
        uint32_t there;

        if (!serves(port))
            continue;
        there = cst_desk_work_count(&port->desk);
        if (share == 0)
            share = 1;
        for (; share > 0 && there < DEPTH && engine->ready.plain_count > 0;
             share--, there++)
            lay(engine, port, cst_ready_take(&engine->ready));
    }
}

void cst_engine_dispatch(struct cst_engine *engine, struct cst_port *favoured)
{
    if (engine->constrained.first)
        cst_engine_admit(engine);
    if (engine->lines)
        cst_engine_dispatch_devices(engine);
    if (cst_ready_count(&engine->ready) == 0)
        return;
    if (cst_ready_is_ordered(&engine->ready))
        dispatch_ordered(engine, favoured);
    else
        dispatch_plain(engine, favoured);
}

void cst_engine_ring(struct cst_engine *engine)
{
    for (uint32_t i = 0; i < engine->limits->cores + engine->devices; i++) {
        struct cst_desk *desk = &engine->ports[i]->desk;

        if (cst_desk_is_asleep(desk) && cst_desk_work_count(desk) > 0)
            cst_desk_ring(desk);
    }
}

/* ---- Other desks --------------------------------------------------------- */

struct cst_task *cst_engine_steal(struct cst_engine *engine,
                                  struct cst_port *thief)
{
    uint32_t executors = engine->limits->cores;

    for (uint32_t i = 1; i < executors; i++) {
        struct cst_port *victim =
            engine->ports[(thief->desk.index + i) % executors];
        struct cst_task *task = cst_desk_work_count(&victim->desk) > 0
                                    ? cst_desk_take(&victim->desk)
                                    : NULL;

        if (task)
            return task;
    }
    return NULL;
}

struct cst_task *cst_engine_steal_spare(struct cst_engine *engine,
                                        struct cst_port *thief)
{
    enum { SPARE = 4 };
    uint32_t executors = engine->limits->cores;

    for (uint32_t i = 1; i < executors; i++) {
        struct cst_port *victim =
            engine->ports[(thief->desk.index + i) % executors];

        if (cst_desk_work_count(&victim->desk) > SPARE)
            return cst_desk_take(&victim->desk);
    }
    return NULL;
}
