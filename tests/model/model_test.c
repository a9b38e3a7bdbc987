/*
 * A program's result is its sequential result, always: random programs run on
 * the rooms graph and data alone, in one thread that at each step advances any
 * body that can go on, so that every order the queues allow may happen. Bodies
 * read in one step and write in a later one, so that it shows, too, when two
 * that must not overlap in time do.
 */
#include "data/data.h"
#include "data/random.h"
#include "graph/task.h"
#include "model/options.h"
#include "model/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAIN = MODEL_TASKS_MAX, /* the number of main among the bodies */
    PROGRAMS = 12000,
    FRESH_AFTER = 50, /* programs on one struct cst_data */
    CHECK_EVERY = 64, /* submissions */
};

enum state { UNBORN, WAITS, WANTS, READS, WRITES, STEPS, RETURNED, ENDED };

struct body {
    struct cst_task task;
    struct cst_task signal; /* by which a MODEL_WAIT_ON waits */
    bool signalling;
    bool signalled;
    bool cancelled;
    enum state state;
    int number; /* of its task; MAIN for main */
    int parent;
    int step;
    int awaits;   /* the undeferred task that it waits for; -1: none */
    int children; /* submitted and not ended */
    int group;
    void *buffers[MODEL_ACCESSES_MAX];
    struct model_read read;
};

struct run {
    const struct model_program *program;
    struct model_outcome outcome;
    struct cst_data *data;
    uint64_t state;
    int group; /* open in main; -1: none */
    struct cst_task_list ready;
    int active[MODEL_TASKS_MAX + 1]; /* bodies that have begun, unordered */
    int active_count;
    struct body bodies[MODEL_TASKS_MAX + 1];
};

static _Noreturn void give_up(const struct run *run, const char *what)
{
    printf("# seed %llu: %s\n", (unsigned long long)run->program->seed, what);
    model_print(run->program);
    tap_bail(what);
}

/* ---- places ---------------------------------------------------------- */

static uint64_t domain_of(const struct run *run, int number)
{
    (void)run;
    return number == MAIN ? 0 : (uint64_t)number + 1;
}

static struct cst_region region_of(const struct run *run,
                                   const struct model_access *access)
{
    return (struct cst_region){(uintptr_t)run->outcome.bytes + access->offset,
                               access->size, access->rows, access->pitch};
}

static enum cst_epoch epoch_of(const struct model_access *access)
{
    switch (access->mode) {
    case CASTELL_IN:
    case CASTELL_IN_DELETE:
        return CST_EPOCH_READ;
    case CASTELL_CONCURRENT:
        return CST_EPOCH_CONCURRENT;
    case CASTELL_COMMUTATIVE:
        return CST_EPOCH_COMMUTATIVE;
    case CASTELL_REDUCTION: /* in place here, so of one operation only */
        return access->operation == MODEL_ADD ? CST_EPOCH_REDUCTION
                                              : CST_EPOCH_WRITE;
    case CASTELL_OUT:
    case CASTELL_INOUT:
    default:
        return CST_EPOCH_WRITE;
    }
}

/* Let the task join the queues of all fragments of an access. */
static void join(struct run *run, struct cst_task *task, uint64_t domain,
                 const struct model_access *access)
{
    struct cst_region region = region_of(run, access);
    enum cst_epoch epoch = epoch_of(access);
    struct cst_fragment *const *fragments;
    struct cst_hold_chunk *chunk;
    size_t count, bytes = 0;

    if (cst_data_resolve(run->data, domain, &region, &fragments, &count) !=
        CASTELL_OK)
        give_up(run, "no memory");
    chunk = malloc(sizeof(*chunk) + count * sizeof(chunk->holds[0]));
    if (!chunk)
        give_up(run, "no memory");
    chunk->count = (uint32_t)count;
    chunk->next = task->more;
    task->more = chunk;
    for (size_t i = 0; i < count; i++) {
        bytes += cst_region_bytes(&fragments[i]->region);
        chunk->holds[i] = (struct cst_hold){
            .place = &fragments[i]->place,
            .task = task,
            .epoch = (uint8_t)epoch,
            .reads = access->mode != CASTELL_OUT,
            .writes = epoch != CST_EPOCH_READ,
        };
        task->waits_for +=
            !cst_place_join(&fragments[i]->place, &chunk->holds[i]);
    }
    if (bytes != cst_region_bytes(&region))
        give_up(run, "the fragments are not the region");
}

static bool reads_poison(const struct cst_task *task)
{
    for (const struct cst_hold_chunk *chunk = task->more; chunk;
         chunk = chunk->next)
        for (uint32_t i = 0; i < chunk->count; i++)
            if (chunk->holds[i].reads && chunk->holds[i].place->poisoned)
                return true;
    return false;
}

static void leave(struct run *run, struct cst_task *task, bool poison)
{
    while (task->more) {
        struct cst_hold_chunk *chunk = task->more;

        for (uint32_t i = 0; i < chunk->count; i++)
            cst_place_leave(chunk->holds[i].place, &chunk->holds[i], poison,
                            &run->ready);
        task->more = chunk->next;
        free(chunk);
    }
}

/* ---- the life of a body ---------------------------------------------- */

static void begin(struct run *run, struct body *body)
{
    body->state = READS;
    run->active[run->active_count++] = body->number;
}

/* A body has returned: end it and what only waited for that. */
static void end(struct run *run, struct body *body)
{
    while (body->state == RETURNED && body->children == 0) {
        const struct model_task *task = &run->program->tasks[body->number];

        body->state = ENDED;
        cst_data_drop_domain(run->data, domain_of(run, body->number));
        if (body->number == MAIN)
            return;
        leave(run, &body->task, body->cancelled || task->fate == MODEL_CANCELS);
        for (uint32_t a = 0; a < task->accesses_count; a++) {
            struct cst_region region = region_of(run, &task->accesses[a]);

            if (task->accesses[a].mode == CASTELL_IN_DELETE)
                (void)cst_data_forget(run->data, domain_of(run, body->parent),
                                      &region);
        }
        body = &run->bodies[body->parent];
        body->children--;
    }
}

/* A task waits for nothing any more, or did not get its places before. */
static void make_ready(struct run *run, struct body *body)
{
    if (body->task.waits_for > 0 || body->state > WANTS)
        give_up(run, "a task is ready that is not");
    if (reads_poison(&body->task)) {
        body->cancelled = true;
        body->state = RETURNED;
        end(run, body);
    } else if (cst_task_take_places(&body->task, &run->ready)) {
        begin(run, body);
    } else {
        body->state = WANTS;
    }
}

static void settle(struct run *run)
{
    struct cst_task *task;

    while ((task = cst_task_list_take(&run->ready))) {
        if (task->flags & CST_TASK_SIGNAL)
            ((struct body *)(void *)((char *)task -
                                     offsetof(struct body, signal)))
                ->signalled = true;
        else
            make_ready(run, (struct body *)(void *)task);
    }
}

static void submit(struct run *run, struct body *parent, int number)
{
    const struct model_task *task = &run->program->tasks[number];
    struct body *body = &run->bodies[number];

    *body = (struct body){
        .state = WAITS,
        .number = number,
        .parent = parent->number,
        .step = task->steps,
        .awaits = -1,
        .group = parent->number == MAIN ? run->group : -1,
    };
    parent->children++;
    for (uint32_t a = 0; a < task->accesses_count; a++) {
        body->buffers[a] = run->outcome.bytes + task->accesses[a].offset;
        join(run, &body->task, domain_of(run, parent->number),
             &task->accesses[a]);
    }
    if (random_below(&run->state, CHECK_EVERY) == 0)
        cst_data_check(run->data);
    if (task->undeferred)
        parent->awaits = number;
    if (body->task.waits_for == 0)
        cst_task_list_append(&run->ready, &body->task);
}

/* ---- steps ----------------------------------------------------------- */

/* Returns whether the region may be read now; if so, it has been. */
static bool wait_on(struct run *run, struct body *body, int number)
{
    const struct model_access *access = &run->program->all_steps[number].access;

    if (!body->signalling) {
        body->signal = (struct cst_task){.flags = CST_TASK_SIGNAL};
        join(run, &body->signal, domain_of(run, body->number), access);
        body->signalling = true;
        body->signalled = body->signal.waits_for == 0;
    }
    if (!body->signalled)
        return false;
    run->outcome.cancelled[number] = reads_poison(&body->signal);
    run->outcome.seen[number] =
        model_look(access, run->outcome.bytes + access->offset);
    leave(run, &body->signal, false);
    body->signalling = false;
    return true;
}

static bool group_ended(const struct run *run, int group)
{
    for (int i = 0; i < run->program->tasks_count; i++)
        if (run->bodies[i].group == group && run->bodies[i].state != UNBORN &&
            run->bodies[i].state != ENDED)
            return false;
    return true;
}

/* Returns whether the step is done, or has to wait. */
static bool do_step(struct run *run, struct body *body)
{
    const struct model_step *step = &run->program->all_steps[body->step];
    struct cst_region region;

    switch (step->kind) {
    case MODEL_SUBMIT:
        submit(run, body, step->task);
        return true;
    case MODEL_BARRIER:
        return body->children == 0;
    case MODEL_WAIT_ON:
        return wait_on(run, body, body->step);
    case MODEL_WAIT_TASK:
        return run->bodies[step->task].state == ENDED;
    case MODEL_DELETE:
        region = region_of(run, &step->access);
        (void)cst_data_forget(run->data, domain_of(run, body->number), &region);
        return true;
    case MODEL_GROUP_BEGIN:
        run->group = step->group;
        return true;
    case MODEL_GROUP_END:
        run->group = -1;
        return true;
    case MODEL_GROUP_WAIT:
        return group_ended(run, step->group);
    case MODEL_TOUCH:
    default:
        model_touch(run->program, body->number, body->buffers);
        return true;
    }
}

/* Advance a body that has begun. Returns false when it has to wait. */
static bool advance(struct run *run, struct body *body)
{
    if (body->awaits >= 0 && run->bodies[body->awaits].state != ENDED)
        return false;
    body->awaits = -1;
    if (body->state == READS) {
        model_read(run->program, body->number, body->buffers, &body->read);
        body->state = WRITES;
    } else if (body->state == WRITES) {
        model_write(run->program, body->number, body->buffers, &body->read);
        run->outcome.ran[body->number]++;
        body->state = STEPS;
    } else if (body->step >= 0) {
        int next = run->program->all_steps[body->step].next;

        if (!do_step(run, body))
            return false;
        body->step = next;
    } else {
        body->state = RETURNED;
        end(run, body);
    }
    settle(run);
    return true;
}

/* ---- programs -------------------------------------------------------- */

/* Advance any body that can go on. Returns false when there is none. */
static bool advance_any(struct run *run)
{
    int count = run->active_count;
    int first = count > 0 ? (int)random_below(&run->state, (uint32_t)count) : 0;

    for (int i = 0; i < count; i++) {
        int at = (first + i) % count;
        struct body *body = &run->bodies[run->active[at]];

        if (!advance(run, body))
            continue;
        if (body->state == RETURNED || body->state == ENDED)
            run->active[at] = run->active[--run->active_count];
        return true;
    }
    return false;
}

static void run_program(struct run *run, const struct model_program *program)
{
    struct body *main_body = &run->bodies[MAIN];

    run->program = program;
    run->state = random_start(program->seed + 1000003);
    run->group = -1;
    for (int i = 0; i < program->tasks_count; i++)
        run->bodies[i].state = UNBORN;
    memset(&run->outcome, 0, sizeof(run->outcome));
    model_start_bytes(run->outcome.bytes);
    *main_body = (struct body){
        .state = STEPS,
        .number = MAIN,
        .step = program->steps,
        .awaits = -1,
    };
    run->active[0] = MAIN;
    run->active_count = 1;
    while (advance_any(run))
        ;
    if (main_body->state != ENDED)
        give_up(run, "some task never ends");
}

/* Returns whether the program came out as it must. */
static bool test_program(struct run *run, uint64_t seed, bool print)
{
    static struct model_program program;
    static struct model_outcome expected;

    model_generate(seed, &program);
    if (print)
        model_print(&program);
    model_sequential(&program, &expected);
    run_program(run, &program);
    return model_same(&program, &expected, &run->outcome);
}

int main(int argc, char **argv)
{
    struct model_options options = {.seed = 1, .count = PROGRAMS};
    struct run *run = calloc(1, sizeof(*run));
    uint64_t wrong = 0;

    model_options(argc, argv, &options);
    for (uint64_t i = 0; i < options.count && wrong < 3; i++) {
        if (i % FRESH_AFTER == 0) {
            if (run)
                cst_data_destroy(run->data);
            if (!run || cst_data_create(&run->data) != CASTELL_OK)
                tap_bail("no memory");
        }
        wrong += !test_program(run, options.seed + i, options.print);
        cst_data_check(run->data);
    }
    ok(wrong == 0, "%llu programs from seed %llu on, %llu wrong",
       (unsigned long long)options.count, (unsigned long long)options.seed,
       (unsigned long long)wrong);
    cst_data_destroy(run->data);
    free(run);
    return tap_done();
}
