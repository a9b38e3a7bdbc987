/*
 * Tasks that need several cores, memory or storage get them, or wait for them.
 */
#include "body/threads.h"
#include "engine/engine_internal.h"

enum {
    SCAN_MAX = 64,     /* tasks looked at for one that fits */
    BYPASSED_MAX = 256 /* times that the first may be passed over */
};

/* Those that go on after a wait are first; then comes the order of ready.h. */
static bool is_before(const struct cst_task *a, const struct cst_task *b)
{
    if ((a->flags ^ b->flags) & CST_TASK_LENDS)
        return a->flags & CST_TASK_LENDS;
    if (a->extra->deadline_ns != b->extra->deadline_ns)
        return a->extra->deadline_ns < b->extra->deadline_ns;
    return a->priority > b->priority;
}

void cst_engine_constrain(struct cst_engine *engine, struct cst_task *task)
{
    struct cst_task_list *list = &engine->constrained;
    struct cst_task **link = &list->first;

    if (!list->last || !is_before(task, list->last)) {
        cst_task_list_append(list, task);
        return;
    }
    while (!is_before(task, *link))
        link = &(*link)->next;
    task->next = *link;
    *link = task;
}

/* Can the desk's core be given to a task of several? */
static bool may_claim(struct cst_port *port)
{
    return !(atomic_load_explicit(&port->desk.serves, memory_order_acquire) &
             CST_CLAIMED);
}

static bool is_block(struct cst_engine *engine, uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++)
        if (!may_claim(engine->ports[i]))
            return false;
    return true;
}

/* Is a thread to lead that is no executor? */
static bool leads_from_outside(struct cst_engine *engine,
                               const struct cst_task *task)
{
    return (task->flags & CST_TASK_LENDS) &&
           task->extra->claim.leader >= engine->limits->cores;
}

/* Must no body of one core run beside one of so many? */
static bool is_alone(uint32_t cores)
{
    return !cst_threads_may_mix(1, cores);
}

/* A run of desks, aligned to its length where that divides the node. */
static bool find_block(struct cst_engine *engine, struct cst_task *task)
{
    struct cst_claim *claim = &task->extra->claim;
    uint32_t executors = engine->limits->cores;
    uint32_t cores = task->extra->constraint.cores;
    uint32_t count = is_alone(cores) ? executors : cores;
    bool outside = leads_from_outside(engine, task);

    claim->count = count;
    if ((task->flags & CST_TASK_LENDS) && !outside) {
        /* Its thread has said which cores. */
        claim->first = count == cores ? claim->core : 0;
        return is_block(engine, claim->first, count);
    }
    for (uint32_t first = 0; first + count <= executors; first += count)
        if (is_block(engine, first, count)) {
            claim->first = claim->core = first;
            /* Not the first desk of all: its thread may be away. */
            if (!outside)
                claim->leader = first == 0 ? 1 : first;
            return true;
        }
    return false;
}

static void claim(struct cst_engine *engine, struct cst_task *task)
{
    struct cst_claim *claim = &task->extra->claim;
    uint32_t first = claim->first;
    uint32_t end = first + claim->count;

    claim->task = task;
    atomic_store_explicit(&claim->arrived, 0, memory_order_relaxed);
    for (uint32_t i = first; i < end; i++) {
        struct cst_desk *desk = &engine->ports[i]->desk;

        /* In this order: when the last has arrived the claim may end. */
        if (atomic_fetch_or(&desk->serves, CST_CLAIMED) == CST_AWAY) {
            atomic_fetch_add(&claim->arrived, 1);
            continue;
        }
        atomic_store(&desk->claim, claim);
        cst_desk_ring(desk);
    }
}

/* What a body on cores counts for; those of devices wait in their lines. What
   there never was nobody waits for: who runs it will say so. */
static uint32_t gpus_of(const struct cst_engine *engine,
                        const struct cst_task *task)
{
    uint32_t most = 1000 * engine->limits->gpus;
    float wanted = task->extra->constraint.gpus * 1000 + 0.5f;

    if (task->extra->device > 0)
        return 0;
    return wanted < (float)most ? (uint32_t)wanted : most;
}

static bool has_resources(struct cst_engine *engine,
                          const struct cst_task *task)
{
    const struct castell_constraint *needs = &task->extra->constraint;

    return needs->memory <= engine->memory_free &&
           needs->storage <= engine->storage_free &&
           gpus_of(engine, task) <= engine->gpus_free;
}

static bool has_cores(struct cst_engine *engine, struct cst_task *task)
{
    uint32_t cores = task->extra->constraint.cores;

    if (!(task->flags & CST_TASK_GATHERS))
        return !task->extra->outside || engine->wide == 0 ||
               !is_alone(engine->wide_cores);
    if (engine->wide > 0 && !cst_threads_may_mix(cores, engine->wide_cores))
        return false;
    if (engine->outside > 0 && is_alone(cores))
        return false;
    return find_block(engine, task);
}

/* Give a task what it needs, if it is there now. */
static bool admit_one(struct cst_engine *engine, struct cst_task *task)
{
    const struct castell_constraint *needs = &task->extra->constraint;
    bool gathers = (task->flags & CST_TASK_GATHERS) != 0;
    bool outside = leads_from_outside(engine, task);

    if (!has_resources(engine, task) || !has_cores(engine, task))
        return false;
    engine->memory_free -= needs->memory;
    engine->storage_free -= needs->storage;
    task->extra->gpus_held = gpus_of(engine, task);
    engine->gpus_free -= task->extra->gpus_held;
    if (gathers) {
        engine->wide++;
        engine->wide_cores = needs->cores;
    } else if (task->extra->outside) {
        engine->outside++;
    }
    task->flags |= CST_TASK_ADMITTED;
    if (task->flags & CST_TASK_LENDS) { /* it goes on after a wait */
        task->flags &= (uint32_t)~CST_TASK_LENDS;
        engine->lenders--;
        if (!gathers)
            atomic_fetch_add_explicit(&task->go, 1, memory_order_release);
    } else if (gathers) {
        task->state = CST_TASK_READY;
        cst_engine_event(engine, CST_TRACE_READY, task);
    } else {
        cst_engine_add_ready(engine, task);
    }
    if (gathers)
        claim(engine, task);
    if (gathers && outside) /* its thread is in no desk of the block */
        atomic_fetch_add_explicit(&task->go, 1, memory_order_release);
    return true;
}

void cst_engine_unadmit(struct cst_engine *engine, struct cst_task *task)
{
    const struct castell_constraint *needs = &task->extra->constraint;

    engine->memory_free += needs->memory;
    engine->storage_free += needs->storage;
    engine->gpus_free += task->extra->gpus_held;
    task->extra->gpus_held = 0;
    if (task->flags & CST_TASK_GATHERS)
        engine->wide--;
    else if (task->extra->outside)
        engine->outside--;
    task->flags &= (uint32_t)~CST_TASK_ADMITTED;
}

/* It is older than what waits: before that, but after those that go on. */
void cst_engine_put_back(struct cst_engine *engine, struct cst_task *task)
{
    struct cst_task_list *list = &engine->constrained;
    struct cst_task **link = &list->first;

    cst_engine_unadmit(engine, task);
    while (*link && ((*link)->flags & CST_TASK_LENDS))
        link = &(*link)->next;
    task->next = *link;
    *link = task;
    if (!task->next)
        list->last = task;
}

/* Get back what is held by tasks that have not started. */
static void take_back(struct cst_engine *engine)
{
    struct cst_task_list list = {NULL, NULL};
    struct cst_task *task;

    cst_engine_recall(engine);
    cst_ready_take_flagged(&engine->ready, CST_TASK_ADMITTED, &list);
    while ((task = cst_task_list_take(&list)))
        cst_engine_put_back(engine, task);
}

/*
 * Its thread runs nothing until it may go on: what ran on top of it would have
 * to end first, and might itself need what this one was given. So all that is
 * held must be held by bodies that do go on: those end, or lend it too. Only
 * then no wait is for ever.
 */
void cst_engine_readmit(struct cst_engine *engine, struct cst_task *task)
{
    task->flags |= CST_TASK_LENDS;
    engine->lenders++;
    cst_engine_constrain(engine, task);
    if (!has_resources(engine, task))
        take_back(engine);
}

/*
 * Admit the tasks that fit, in order. Later ones may pass the first, so that
 * no core is idle for its sake, but not without end.
 */
void cst_engine_admit(struct cst_engine *engine)
{
    struct cst_task *before = NULL;
    struct cst_task *task = engine->constrained.first;

    for (int scanned = 0; task && scanned < SCAN_MAX; scanned++) {
        struct cst_task *next = task->next;
        struct cst_task *first = engine->constrained.first;

        if (engine->lenders > 0 && !(task->flags & CST_TASK_LENDS))
            return;
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
