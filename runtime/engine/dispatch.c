/*
 * Tasks that wait for nothing any more get what they need, and go to the desks
 * of executors.
 */
#include "base/fail.h"
#include "engine/engine_internal.h"

enum {
    DEPTH = 32,        /* tasks laid on a desk ahead */
    SCAN_MAX = 64,     /* tasks looked at for one that fits */
    BYPASSED_MAX = 256 /* times that the first may be passed over */
};

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

/* Tell whoever waits for a signal how it went. */
static void signal(struct cst_engine *engine, struct cst_task *task)
{
    if (task->extra && task->extra->outcome && engine->poisoned_once &&
        reads_poison(task))
        *task->extra->outcome = CASTELL_ERR_CANCELLED;
    cst_engine_complete(engine, task);
}

static void make_internal_ready(struct cst_engine *engine,
                                struct cst_task *task)
{
    if (task->flags & CST_TASK_SIGNAL)
        signal(engine, task);
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

static void add_constrained(struct cst_engine *engine, struct cst_task *task)
{
    struct cst_task_list *list = &engine->constrained;
    struct cst_task **link = &list->first;

    if (!list->last || list->last->priority >= task->priority) {
        cst_task_list_append(list, task);
        return;
    }
    while ((*link)->priority >= task->priority)
        link = &(*link)->next;
    task->next = *link;
    *link = task;
}

static void add_ready(struct cst_engine *engine, struct cst_task *task)
{
    task->state = CST_TASK_READY;
    cst_engine_event(engine, CST_TRACE_READY, task);
    if (task->flags & CST_TASK_ORDERED)
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

    task->choice = (uint8_t)cst_kind_choose(kind, task->extra->size, crowded);
    task->chosen = true;
    if (!task->extra->has_constraint)
        task->extra->constraint = kind->choices[task->choice].constraint;
    if (cst_constraint_counts(&task->extra->constraint))
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
    if (is_off(engine, task)) {
        task->flags |= CST_TASK_CANCELLED | CST_TASK_POISONS;
        cst_engine_event(engine, CST_TRACE_CANCELLED, task);
        if (task->flags & CST_TASK_INLINE)
            atomic_fetch_add_explicit(&task->go, 1, memory_order_release);
        else
            cst_engine_complete(engine, task);
        return;
    }
    if ((task->flags & CST_TASK_EXCLUSIVE) &&
        !cst_task_take_places(task, &engine->woken))
        return;
    if (task->flags & CST_TASK_INLINE) {
        if (task->extra && !task->kind->simple) {
            choose(engine, task);
            task->flags &=
                (uint16_t) ~(CST_TASK_CONSTRAINED | CST_TASK_GATHERS);
        }
        atomic_fetch_add_explicit(&task->go, 1, memory_order_release);
        return;
    }
    if (task->extra && !task->kind->simple)
        choose(engine, task);
    else if (task->extra && task->extra->has_constraint &&
             cst_constraint_counts(&task->extra->constraint)) {
        task->flags |= CST_TASK_CONSTRAINED;
        if (task->extra->constraint.cores > 1)
            task->flags |= CST_TASK_GATHERS;
    }
    if (task->flags & CST_TASK_CONSTRAINED)
        add_constrained(engine, task);
    else
        add_ready(engine, task);
}

/* ---- Resources ---------------------------------------------------------- */

/* Can the desk's executor take part in a task of several cores? */
static bool may_claim(struct cst_port *port)
{
    return atomic_load_explicit(&port->desk.claim, memory_order_relaxed) ==
           NULL;
}

static bool is_block(struct cst_engine *engine, uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++)
        if (!may_claim(engine->ports[i]))
            return false;
    return true;
}

/* A run of desks, aligned to its length where that divides the node. */
static bool find_block(struct cst_engine *engine, uint32_t count,
                       uint32_t *ret_first)
{
    uint32_t executors = engine->limits->cores;

    for (uint32_t first = 0; first + count <= executors; first += count)
        if (is_block(engine, first, count)) {
            *ret_first = first;
            return true;
        }
    return false;
}

static void claim(struct cst_engine *engine, struct cst_task *task,
                  uint32_t first)
{
    struct cst_claim *claim = &task->extra->claim;

    claim->first = first;
    claim->count = task->extra->constraint.cores;
    claim->leader = first == 0 ? 1 : first; /* not main's: it may be away */
    claim->task = task;
    atomic_store_explicit(&claim->arrived, 0, memory_order_relaxed);
    for (uint32_t i = first; i < first + claim->count; i++) {
        struct cst_desk *desk = &engine->ports[i]->desk;
        uint32_t number = atomic_fetch_add(&desk->claims, 1) + 1;

        atomic_store_explicit(&desk->claim, claim, memory_order_seq_cst);
        if (cst_desk_stand_in(desk) && cst_desk_join(desk, number))
            atomic_fetch_add_explicit(&claim->arrived, 1, memory_order_acq_rel);
        cst_desk_ring(desk);
    }
}

/* Give a task what it needs, if it is there now. */
static bool admit_one(struct cst_engine *engine, struct cst_task *task)
{
    const struct castell_constraint *needs = &task->extra->constraint;
    uint32_t first = 0;

    if (needs->memory > engine->memory_free ||
        needs->storage > engine->storage_free)
        return false;
    if (task->flags & CST_TASK_LENDS) {
        first = task->extra->claim.first;
        if ((task->flags & CST_TASK_GATHERS) &&
            !is_block(engine, first, needs->cores))
            return false;
    } else if ((task->flags & CST_TASK_GATHERS) &&
               !find_block(engine, needs->cores, &first)) {
        return false;
    }
    engine->memory_free -= needs->memory;
    engine->storage_free -= needs->storage;
    task->flags |= CST_TASK_ADMITTED;
    if (task->flags & CST_TASK_LENDS) { /* it goes on after a wait */
        task->flags &= (uint16_t)~CST_TASK_LENDS;
        if (task->flags & CST_TASK_GATHERS)
            claim(engine, task, first);
        else
            atomic_fetch_add_explicit(&task->go, 1, memory_order_release);
    } else if (task->flags & CST_TASK_GATHERS) {
        task->state = CST_TASK_READY;
        claim(engine, task, first);
    } else {
        add_ready(engine, task);
    }
    return true;
}

void cst_engine_unadmit(struct cst_engine *engine, struct cst_task *task)
{
    const struct castell_constraint *needs = &task->extra->constraint;

    engine->memory_free += needs->memory;
    engine->storage_free += needs->storage;
    task->flags &= (uint16_t)~CST_TASK_ADMITTED;
}

void cst_engine_readmit(struct cst_engine *engine, struct cst_task *task)
{
    /* Before all others: its thread waits, and it holds its places. */
    task->flags |= CST_TASK_LENDS;
    task->next = engine->constrained.first;
    engine->constrained.first = task;
    if (!task->next)
        engine->constrained.last = task;
}

/*
 * Admit the tasks that fit, in order. Later ones may pass the first, so that
 * no core is idle for its sake, but not without end.
 */
static void admit(struct cst_engine *engine)
{
    struct cst_task *before = NULL;
    struct cst_task *task = engine->constrained.first;

    for (int scanned = 0; task && scanned < SCAN_MAX; scanned++) {
        struct cst_task *next = task->next;
        struct cst_task *first = engine->constrained.first;

        if (!admit_one(engine, task)) {
            if (task == first && task->extra->bypassed > BYPASSED_MAX)
                return;
            before = task;
            task = next;
            continue;
        }
        /* task->next now belongs to the list that it went to. */
        if (before) {
            before->next = next;
            first->extra->bypassed++;
        } else {
            engine->constrained.first = next;
        }
        if (!next)
            engine->constrained.last = before;
        task = next;
    }
}

/* ---- To the desks ------------------------------------------------------- */

static void lay(struct cst_engine *engine, struct cst_port *port,
                struct cst_task *task)
{
    task->state = CST_TASK_RUNNING;
    cst_desk_put(&port->desk, task);
    if (engine->fences)
        atomic_thread_fence(memory_order_seq_cst);
    if (cst_desk_is_asleep(&port->desk))
        cst_desk_ring(&port->desk);
}

static bool serves(struct cst_port *port)
{
    return atomic_load_explicit(&port->desk.serves, memory_order_relaxed) ==
               CST_SERVES &&
           may_claim(port);
}

/* Take back what lies on the desks: something may be more urgent. */
static void recall(struct cst_engine *engine)
{
    struct cst_task_list back = {NULL, NULL};
    struct cst_task *task;
    uint32_t count = 0;

    for (uint32_t i = 0; i < engine->limits->cores; i++)
        while ((task = cst_desk_take(&engine->ports[i]->desk))) {
            cst_task_list_append(&back, task);
            count++;
        }
    if (!back.first)
        return;
    back.last->next = engine->ready.plain.first;
    engine->ready.plain.first = back.first;
    if (!engine->ready.plain.last)
        engine->ready.plain.last = back.last;
    engine->ready.plain_count += count;
}

/* Where order matters, only who has nothing to do gets a task. */
static void dispatch_ordered(struct cst_engine *engine,
                             struct cst_port *favoured)
{
    uint32_t executors = engine->limits->cores;
    uint32_t start =
        favoured->desk.index < executors ? favoured->desk.index : 0;

    recall(engine);
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

/* Fill the desks, whoever found the tasks first, with equal shares. */
static void dispatch_plain(struct cst_engine *engine, struct cst_port *favoured)
{
    uint32_t executors = engine->limits->cores;
    uint32_t start =
        favoured->desk.index < executors ? favoured->desk.index : 0;

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
        admit(engine);
    if (cst_ready_count(&engine->ready) == 0)
        return;
    if (cst_ready_is_ordered(&engine->ready))
        dispatch_ordered(engine, favoured);
    else
        dispatch_plain(engine, favoured);
}
