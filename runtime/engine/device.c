/*
 * Tasks for devices with memory of their own: which implementation and which
 * device end first, and what waits in line for each.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "depot/depot.h"
#include "engine/engine_internal.h"
#include "files/files.h"

enum {
    DEPTH = 8,      /* tasks laid on a device's desk ahead */
    USES_HERE = 16, /* looked at to tell what has to come */
};

enum castell_status cst_engine_init_lines(struct cst_engine *engine,
                                          struct cst_depot *depot)
{
    uint32_t count = cst_depot_count(depot);

    engine->depot = depot;
    if (count == 0)
        return CASTELL_OK;
    engine->lines = cst_zalloc(count * sizeof(*engine->lines));
    if (!engine->lines)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for devices");
    engine->devices = count;
    for (uint32_t i = 0; i < count; i++)
        cst_ready_init(&engine->lines[i].ready);
    cst_ready_init(&engine->of_several);
    return CASTELL_OK;
}

void cst_engine_release_lines(struct cst_engine *engine)
{
    for (uint32_t i = 0; i < engine->devices; i++)
        cst_ready_release(&engine->lines[i].ready);
    if (engine->lines)
        cst_ready_release(&engine->of_several);
    cst_free(engine->lines);
    engine->lines = NULL;
}

struct cst_depot *cst_engine_depot(struct cst_engine *engine)
{
    return engine->depot;
}

/* ---- Which -------------------------------------------------------------- */

bool cst_engine_may_inline(const struct cst_kind *kind)
{
    uint32_t count = atomic_load(&kind->choices_count);

    for (uint32_t i = 0; i < count; i++)
        if (kind->choices[i].possible &&
            !cst_device_has_memory(kind->choices[i].device))
            return true;
    return false;
}

static bool is_for(const struct cst_depot_device *device,
                   const struct cst_choice *choice)
{
    return device->ops->kind == choice->device && !atomic_load(&device->lost) &&
           choice->constraint.gpu_memory <= device->capacity;
}

static const struct castell_constraint *
constraint_of(const struct cst_task *task, const struct cst_choice *choice)
{
    return task->extra && task->extra->has_constraint ? &task->extra->constraint
                                                      : &choice->constraint;
}

/* How many devices that body of the task is to have. */
static uint32_t wanted_by(const struct cst_task *task,
                          const struct cst_choice *choice)
{
    return cst_constraint_devices(constraint_of(task, choice));
}

/* Private copies of reductions, and what several write at one time, are in main
   memory. */
static bool is_shared(struct cst_task *task)
{
    struct cst_access *accesses = cst_task_accesses(task);

    for (uint32_t i = 0; i < task->accesses_count; i++)
        if (accesses[i].hold.epoch == CST_EPOCH_REDUCTION ||
            accesses[i].hold.epoch == CST_EPOCH_CONCURRENT)
            return true;
    return false;
}

static bool may_run(struct cst_engine *engine, const struct cst_task *task,
                    uint32_t index)
{
    const struct cst_choice *choice = &task->kind->choices[index];
    uint32_t there = 0;

    if (!choice->possible || (task->extra && task->extra->refused >> index & 1))
        return false;
    if (!cst_device_has_memory(choice->device))
        return true;
    for (uint32_t i = 0; i < engine->devices; i++)
        there += is_for(cst_depot_at(engine->depot, i), choice);
    return there >= wanted_by(task, choice);
}

bool cst_engine_may_choose(struct cst_engine *engine,
                           const struct cst_task *task)
{
    uint32_t count = atomic_load(&task->kind->choices_count);

    for (uint32_t i = 0; i < count; i++)
        if (may_run(engine, task, i))
            return true;
    return false;
}

/* How long what it reads would take to get there. */
static uint64_t coming_ns(struct cst_engine *engine, struct cst_task *task,
                          const struct cst_depot_device *device)
{
    struct cst_depot_use uses[USES_HERE];
    struct cst_access *accesses = cst_task_accesses(task);
    uint32_t count =
        task->accesses_count < USES_HERE ? task->accesses_count : USES_HERE;

    for (uint32_t i = 0; i < count; i++) {
        cst_access_region(&accesses[i], &uses[i].region);
        uses[i].reads = accesses[i].hold.reads;
        uses[i].passed =
            (task->flags & CST_TASK_FILES) && task->extra->uses[i].path;
    }
    return cst_depot_missing(engine->depot, device, uses, count) * 1000 /
           atomic_load_explicit(&device->bytes_per_us, memory_order_relaxed);
}

/* Devices that a task may get. */
struct team {
    uint32_t lead; /* the best of them; it runs the body */
    uint32_t set;  /* all, by number */
    uint64_t wait_ns;
};

/* Those on which it would start first, or the first of those that nobody keeps;
   false: there are not so many. */
static bool find_team(struct cst_engine *engine, struct cst_task *task,
                      const struct cst_choice *choice, bool free_only,
                      struct team *ret_team)
{
    uint32_t wanted = wanted_by(task, choice);
    uint64_t waits_ns[CST_DEPOT_DEVICES_MAX];
    struct team team = {0, 0, 0};

    for (uint32_t i = 0; i < engine->devices; i++) {
        struct cst_depot_device *device = cst_depot_at(engine->depot, i);

        waits_ns[i] = UINT64_MAX;
        if (is_for(device, choice) && !(free_only && engine->lines[i].kept))
            waits_ns[i] =
                engine->lines[i].expected_ns + coming_ns(engine, task, device);
    }
    for (uint32_t n = 0; n < wanted; n++) {
        uint32_t best = UINT32_MAX;

        for (uint32_t i = 0; i < engine->devices; i++)
            if (waits_ns[i] < UINT64_MAX &&
                (best == UINT32_MAX || waits_ns[i] < waits_ns[best]))
                best = i;
        if (best == UINT32_MAX)
            return false;
        if (n == 0)
            team.lead = best;
        team.set |= UINT32_C(1) << best;
        team.wait_ns = waits_ns[best];
        waits_ns[best] = UINT64_MAX;
    }
    *ret_team = team;
    return true;
}

/* What it was thought to take counts in the lines of all that it gets. */
static void expect(struct cst_engine *engine, const struct cst_task *task,
                   uint64_t ns)
{
    uint32_t set = task->extra->devices
                       ? task->extra->devices
                       : UINT32_C(1) << (task->extra->device - 1);

    for (uint32_t i = 0; i < engine->devices; i++)
        if (set >> i & 1)
            engine->lines[i].expected_ns += ns;
}

static void join_team(struct cst_engine *engine, struct cst_task *task,
                      const struct team *team)
{
    bool several = (team->set & (team->set - 1)) != 0;

    task->extra->device = team->lead + 1;
    task->extra->devices = several ? team->set : 0;
    expect(engine, task, task->extra->expected_ns);
}

/* All that devices can do with a task; false: they have no part in it. */
static bool has_device(const struct cst_kind *kind, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (cst_device_has_memory(kind->choices[i].device))
            return true;
    return false;
}

bool cst_engine_choose_device(struct cst_engine *engine, struct cst_task *task)
{
    struct cst_kind *kind = task->kind;
    struct cst_task_extra *extra = task->extra;
    uint32_t count = atomic_load(&kind->choices_count);
    struct team teams[CST_CHOICES_MAX];
    struct cst_offer offers[CST_CHOICES_MAX];
    bool on_core;
    bool any = false;

    if (!has_device(kind, count))
        return false;
    on_core = (task->flags & CST_TASK_INLINE) || is_shared(task);
    for (uint32_t i = 0; i < count; i++) {
        bool has_memory = cst_device_has_memory(kind->choices[i].device);

        offers[i].possible =
            may_run(engine, task, i) && !(has_memory && on_core);
        offers[i].wait_ns = engine->cores_line_ns / engine->limits->cores;
        if (offers[i].possible && has_memory)
            offers[i].possible =
                find_team(engine, task, &kind->choices[i], false, &teams[i]);
        if (offers[i].possible && has_memory)
            offers[i].wait_ns = teams[i].wait_ns;
        any = any || offers[i].possible;
    }
    if (!any) /* since it was submitted; who runs it will say so */
        offers[0] = (struct cst_offer){true, 0};
    task->choice = (uint8_t)cst_kind_choose_among(kind, extra->size, offers);
    task->flags |= CST_TASK_CHOSEN;
    extra->device = 0;
    extra->devices = 0;
    extra->expected_ns =
        cst_kind_expected_ns(kind, task->choice, extra->size, extra->cost);
    extra->constraint = *constraint_of(task, &kind->choices[task->choice]);
    if (any && cst_device_has_memory(kind->choices[task->choice].device)) {
        uint32_t share = cst_constraint_share(&extra->constraint);

        if (share > 0)
            extra->expected_ns = extra->expected_ns * share / CST_SHARES;
        join_team(engine, task, &teams[task->choice]);
    } else {
        engine->cores_line_ns += extra->expected_ns;
    }
    if (extra->device > 0)
        extra->constraint.cores = 1;
    return true;
}

static void keep(struct cst_engine *engine, uint32_t set, bool kept)
{
    for (uint32_t i = 0; i < engine->devices; i++)
        if (set >> i & 1)
            engine->lines[i].kept = kept;
}

void cst_engine_leave_line(struct cst_engine *engine, struct cst_task *task)
{
    struct cst_task_extra *extra = task->extra;

    if (extra->device > 0)
        expect(engine, task, -extra->expected_ns);
    else
        engine->cores_line_ns -= extra->expected_ns;
    if (extra->laid) {
        engine->lines[extra->device - 1].laid--;
        keep(engine, extra->devices, false);
    }
    extra->expected_ns = 0;
    extra->device = 0;
    extra->devices = 0;
    extra->laid = false;
}

/* ---- In line ------------------------------------------------------------ */

/* Its device is lost, or has not the memory; it says that others may do. */
void cst_engine_returned_news(struct cst_engine *engine, struct cst_task *task)
{
    cst_kind_measured(task->kind, task->choice, task->extra->size, 0, 0);
    cst_engine_leave_line(engine, task);
    if (task->flags & CST_TASK_ADMITTED)
        cst_engine_unadmit(engine, task);
    task->flags &=
        ~(uint32_t)(CST_TASK_CHOSEN | CST_TASK_CONSTRAINED | CST_TASK_GATHERS);
    cst_engine_set_ready(engine, task);
}

void cst_engine_line_up(struct cst_engine *engine, struct cst_task *task)
{
    struct cst_ready *ready =
        task->extra->devices > 0
            ? &engine->of_several
            : &engine->lines[task->extra->device - 1].ready;

    if (task->flags & CST_TASK_ORDERED)
        cst_ready_add_ordered(ready, task, task->extra->deadline_ns);
    else
        cst_ready_add_plain(ready, task);
}

static void lay(struct cst_engine *engine, struct cst_task *task)
{
    uint32_t number = task->extra->device - 1;
    struct cst_desk *desk =
        &engine->ports[engine->limits->cores + number]->desk;

    task->state = CST_TASK_RUNNING;
    task->extra->laid = true;
    engine->lines[number].laid++;
    cst_desk_put(desk, task);
    if (engine->fences)
        atomic_thread_fence(memory_order_seq_cst);
    if (cst_desk_is_asleep(desk))
        engine->rings = true;
}

/* ---- Several for one ---------------------------------------------------- */

/* Is one of them lost? And: has each ended what it was given? */
static bool any_is_lost(struct cst_engine *engine, uint32_t set)
{
    for (uint32_t i = 0; i < engine->devices; i++)
        if (set >> i & 1 && atomic_load(&cst_depot_at(engine->depot, i)->lost))
            return true;
    return false;
}

static bool are_idle(const struct cst_engine *engine, uint32_t set)
{
    for (uint32_t i = 0; i < engine->devices; i++)
        if (set >> i & 1 && engine->lines[i].laid > 0)
            return false;
    return true;
}

/* Choose devices that no other keeps, and keep them; false: not now. */
static bool gather(struct cst_engine *engine, struct cst_task *task)
{
    struct team team;

    if (!find_team(engine, task, &task->kind->choices[task->choice], true,
                   &team))
        return false;
    expect(engine, task, -task->extra->expected_ns);
    join_team(engine, task, &team);
    keep(engine, team.set, true);
    return true;
}

/*
 * The first task that wants several gets them one after the other as they end
 * what they have, and starts when it has all. The next one waits for that: so
 * no two wait for each other.
 */
static void dispatch_several(struct cst_engine *engine)
{
    for (;;) {
        struct cst_task *task = engine->gathering;

        if (!task) {
            if (cst_ready_count(&engine->of_several) == 0)
                return;
            task = engine->gathering = cst_ready_take(&engine->of_several);
        }
        if (engine->gathered && any_is_lost(engine, task->extra->devices)) {
            keep(engine, task->extra->devices, false);
            engine->gathered = false;
        }
        if (!engine->gathered && !may_run(engine, task, task->choice)) {
            engine->gathering = NULL; /* too few are left */
            cst_engine_returned_news(engine, task);
            continue;
        }
        if (!engine->gathered)
            engine->gathered = gather(engine, task);
        if (!engine->gathered || !are_idle(engine, task->extra->devices))
            return;
        engine->gathering = NULL;
        engine->gathered = false;
        lay(engine, task);
    }
}

void cst_engine_dispatch_devices(struct cst_engine *engine)
{
    dispatch_several(engine);
    for (uint32_t i = 0; i < engine->devices; i++) {
        struct cst_desk *desk = &engine->ports[engine->limits->cores + i]->desk;
        struct cst_ready *ready = &engine->lines[i].ready;

        while (!engine->lines[i].kept && cst_ready_count(ready) > 0 &&
               cst_desk_work_count(desk) < DEPTH)
            lay(engine, cst_ready_take(ready));
    }
}

void cst_engine_bring_home(struct cst_engine *engine, struct cst_task *task)
{
    struct cst_access *accesses = cst_task_accesses(task);

    for (uint32_t i = 0; i < task->accesses_count; i++) {
        struct cst_region region;

        if (cst_depot_is_empty(engine->depot))
            return;
        cst_access_region(&accesses[i], &region);
        cst_region_normalise(&region);
        if (region.size == 0 ||
            ((task->flags & CST_TASK_FILES) && task->extra->uses[i].path))
            continue;
        /* What is lost fails who was to leave it. */
        if (cst_depot_to_main(engine->depot, &region, true, true) !=
                CASTELL_OK &&
            task->extra) {
            task->flags |= CST_TASK_FAILED;
            if (!task->extra->how)
                task->extra->how = cst_strdup(castell_error_text());
        }
    }
}
