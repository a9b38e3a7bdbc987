/* Making random programs, from a seed. */
#include "data/random.h"
#include "model/program.h"

#include <stdio.h>
#include <string.h>

enum { FAVOURITES = 8, MAIN_STEPS_MIN = 5, MAIN_STEPS_MORE = 56, GROUPS = 3 };

/* The list of steps of main or of a body, while it is made. */
struct list {
    int task; /* whose body; -1: main */
    int left; /* steps to come */
    int last; /* step; -1: none yet */
    int submitted[MODEL_TASKS_MAX];
    int submitted_count;
};

struct making {
    struct model_program *program;
    uint64_t state;
    struct cst_region favourites[FAVOURITES]; /* named again and again */
    bool undefined[MODEL_BYTES];              /* deleted and not yet written */
    int group;                                /* that is open; -1: none */
    bool grouped[GROUPS];                     /* a task has been in it */
    bool plain; /* no mode in which tasks share what they write */
    int depth;
    struct list lists[MODEL_DEPTH_MAX + 1];
};

static uint32_t below(struct making *making, uint32_t limit)
{
    return random_below(&making->state, limit);
}

static bool chance(struct making *making, uint32_t percent)
{
    return below(making, 100) < percent;
}

/* ---- regions --------------------------------------------------------- */

static struct cst_region region_of(const struct model_access *access)
{
    return (struct cst_region){access->offset, access->size, access->rows,
                               access->pitch};
}

static void set_region(struct model_access *access, struct cst_region region)
{
    cst_region_normalise(&region);
    access->offset = (uint32_t)region.base;
    access->size = (uint32_t)region.size;
    access->rows = (uint32_t)region.rows;
    access->pitch = (uint32_t)region.pitch;
}

/* A rectangle of another access's region, all of it now and then. */
static void set_part(struct making *making, const struct model_access *whole,
                     struct model_access *part)
{
    struct cst_region region = region_of(whole);

    if (chance(making, 70)) {
        size_t first_row = below(making, whole->rows);
        size_t first = below(making, whole->size);

        region.base += first_row * region.pitch + first;
        region.rows = 1 + below(making, (uint32_t)(whole->rows - first_row));
        region.size = 1 + below(making, (uint32_t)(whole->size - first));
    }
    set_region(part, region);
}

static void set_any(struct making *making, struct model_access *access)
{
    set_region(access, chance(making, 60)
                           ? making->favourites[below(making, FAVOURITES)]
                           : random_region(&making->state, 0, MODEL_BYTES));
}

static bool is_undefined(const struct making *making,
                         const struct model_access *access)
{
    for (uint32_t row = 0; row < access->rows; row++)
        for (uint32_t i = 0; i < access->size; i++)
            if (making->undefined[access->offset + row * access->pitch + i])
                return true;
    return false;
}

static void set_undefined(struct making *making,
                          const struct model_access *access, bool value)
{
    for (uint32_t row = 0; row < access->rows; row++)
        memset(making->undefined + access->offset + (size_t)row * access->pitch,
               value, access->size);
}

/* ---- accesses -------------------------------------------------------- */

static bool only_reads(enum castell_mode mode)
{
    return mode == CASTELL_IN || mode == CASTELL_IN_DELETE;
}

static enum castell_mode any_mode(struct making *making)
{
    static const enum castell_mode modes[] = {
        CASTELL_IN,         CASTELL_IN,          CASTELL_IN,
        CASTELL_INOUT,      CASTELL_INOUT,       CASTELL_OUT,
        CASTELL_IN_DELETE,  CASTELL_COMMUTATIVE, CASTELL_COMMUTATIVE,
        CASTELL_CONCURRENT, CASTELL_CONCURRENT,  CASTELL_REDUCTION,
    };
    enum castell_mode mode = modes[below(making, making->plain ? 7 : 12)];

    /* What is deleted must be written before it is read: keep that rare. */
    return mode == CASTELL_IN_DELETE && chance(making, 70) ? CASTELL_IN : mode;
}

/* May the task have this access beside those that it has? */
static bool fits(const struct model_task *task,
                 const struct model_access *access)
{
    struct cst_region region = region_of(access);

    for (uint32_t a = 0; a < task->accesses_count; a++) {
        struct cst_region other = region_of(&task->accesses[a]);

        if (cst_region_overlap(&region, &other) &&
            !(only_reads(access->mode) && only_reads(task->accesses[a].mode)))
            return false;
    }
    return true;
}

/* Add an access, for main's tasks any, else one that the parent has. */
static void add_access(struct making *making, struct model_task *task)
{
    static const enum model_operation operations[MODEL_OPERATIONS] = {
        MODEL_ADD, MODEL_XOR, MODEL_MAX};
    struct list *list = &making->lists[making->depth];
    struct model_access access = {.mode = any_mode(making)};

    access.operation = operations[below(making, MODEL_OPERATIONS)];
    if (list->task < 0) {
        set_any(making, &access);
    } else {
        const struct model_task *parent = &making->program->tasks[list->task];
        const struct model_access *whole =
            &parent->accesses[below(making, parent->accesses_count)];

        if (whole->mode == CASTELL_IN)
            access.mode = CASTELL_IN;
        else if (whole->mode != CASTELL_OUT && whole->mode != CASTELL_INOUT)
            return;
        set_part(making, whole, &access);
    }
    if (access.mode != CASTELL_OUT && is_undefined(making, &access)) {
        if (list->task >= 0 && access.mode == CASTELL_IN)
            return;
        access.mode = CASTELL_OUT;
    }
    if (fits(task, &access))
        task->accesses[task->accesses_count++] = access;
}

static void settle_undefined(struct making *making,
                             const struct model_task *task)
{
    for (uint32_t a = 0; a < task->accesses_count; a++)
        if (task->accesses[a].mode == CASTELL_IN_DELETE)
            set_undefined(making, &task->accesses[a], true);
        else if (task->accesses[a].mode == CASTELL_OUT)
            set_undefined(making, &task->accesses[a], false);
}

/* ---- tasks ----------------------------------------------------------- */

static bool is_plain(const struct model_task *task)
{
    for (uint32_t a = 0; a < task->accesses_count; a++)
        if (task->accesses[a].mode >= CASTELL_CONCURRENT &&
            task->accesses[a].mode <= CASTELL_REDUCTION)
            return false;
    return true;
}

static void set_fate(struct making *making, struct model_task *task)
{
    if (making->program->fails && making->depth == 0 && chance(making, 15))
        task->fate = chance(making, 60) ? MODEL_CANCELS : MODEL_IGNORED;
    else if (is_plain(task) && chance(making, 3))
        task->fate = MODEL_RETRIED;
}

static int make_task(struct making *making)
{
    struct model_program *program = making->program;
    int number = program->tasks_count++;
    struct model_task *task = &program->tasks[number];
    uint32_t tries = 1 + below(making, chance(making, 10) ? 12 : 4);

    *task = (struct model_task){.steps = -1};
    while (tries-- > 0 && task->accesses_count < MODEL_ACCESSES_MAX)
        add_access(making, task);
    settle_undefined(making, task);
    set_fate(making, task);
    if (chance(making, 10))
        task->priority = (int32_t)below(making, 5) - 2;
    if (chance(making, 5))
        task->cores = 1 + below(making, 3);
    task->undeferred = chance(making, 3);
    task->final = chance(making, 5);
    task->deadline = chance(making, 3);
    return number;
}

static struct model_step *add_step(struct making *making,
                                   enum model_step_kind kind)
{
    struct model_program *program = making->program;
    struct list *list = &making->lists[making->depth];
    int number = program->steps_count++;
    struct model_step *step = &program->all_steps[number];

    *step = (struct model_step){.kind = kind, .next = -1};
    if (list->last >= 0)
        program->all_steps[list->last].next = number;
    else if (list->task >= 0)
        program->tasks[list->task].steps = number;
    else
        program->steps = number;
    list->last = number;
    return step;
}

static void open_list(struct making *making, int task, int left)
{
    struct list *list = &making->lists[making->depth];

    list->task = task;
    list->left = left;
    list->last = -1;
    list->submitted_count = 0;
}

static void add_submit(struct making *making)
{
    struct list *list = &making->lists[making->depth];
    struct model_program *program = making->program;
    struct model_step *step;
    int task;

    if (program->tasks_count == MODEL_TASKS_MAX)
        return;
    task = make_task(making);
    step = add_step(making, MODEL_SUBMIT);
    step->task = task;
    list->submitted[list->submitted_count++] = task;
    if (making->group >= 0 && making->depth == 0)
        making->grouped[making->group] = true;
    if (making->depth < MODEL_DEPTH_MAX && chance(making, 12) &&
        program->tasks[task].accesses_count > 0 &&
        program->tasks[task].fate == MODEL_SUCCEEDS) {
        /* No body that waits has several cores: see tests/model/README.md. */
        program->tasks[task].cores = 0;
        making->depth++;
        open_list(making, task, 1 + (int)below(making, 6));
    }
}

/* ---- other steps ----------------------------------------------------- */

static void add_wait_on(struct making *making)
{
    struct list *list = &making->lists[making->depth];
    struct model_access access = {.mode = CASTELL_IN};

    if (list->task < 0) {
        set_any(making, &access);
    } else {
        const struct model_task *task = &making->program->tasks[list->task];
        const struct model_access *whole =
            &task->accesses[below(making, task->accesses_count)];

        if (whole->mode > CASTELL_INOUT)
            return;
        set_part(making, whole, &access);
    }
    if (!is_undefined(making, &access))
        add_step(making, MODEL_WAIT_ON)->access = access;
}

static void add_group_step(struct making *making)
{
    int group = (int)below(making, GROUPS);

    if (making->depth > 0)
        return;
    if (making->group >= 0) {
        add_step(making, MODEL_GROUP_END)->group = making->group;
        making->group = -1;
    } else if (making->grouped[group] && chance(making, 50)) {
        add_step(making, MODEL_GROUP_WAIT)->group = group;
    } else {
        add_step(making, MODEL_GROUP_BEGIN)->group = group;
        making->group = group;
    }
}

static void add_delete(struct making *making)
{
    struct model_access access = {.mode = CASTELL_IN_DELETE};

    if (making->depth > 0)
        return;
    set_any(making, &access);
    add_step(making, MODEL_DELETE)->access = access;
    set_undefined(making, &access, true);
}

static void add_some_step(struct making *making)
{
    struct list *list = &making->lists[making->depth];
    uint32_t what = below(making, 100);

    list->left--;
    if (what < 84 || list->submitted_count == 0) {
        add_submit(making);
    } else if (what < 88) {
        add_wait_on(making);
    } else if (what < 91) {
        add_step(making, MODEL_BARRIER);
        if (list->task >= 0)
            add_step(making, MODEL_TOUCH);
    } else if (what < 93) {
        add_step(making, MODEL_WAIT_TASK)->task =
            list->submitted[below(making, (uint32_t)list->submitted_count)];
    } else if (what < 94) {
        add_delete(making);
    } else {
        add_group_step(making);
    }
}

void model_generate(uint64_t seed, struct model_program *program)
{
    struct making making = {.program = program, .group = -1};

    program->seed = seed;
    program->steps = -1;
    program->steps_count = 0;
    program->tasks_count = 0;
    making.state = random_start(seed);
    program->fails = chance(&making, 25);
    making.plain = program->fails;
    for (int i = 0; i < FAVOURITES; i++)
        making.favourites[i] = random_region(&making.state, 0, MODEL_BYTES);
    open_list(&making, -1,
              MAIN_STEPS_MIN + (int)below(&making, MAIN_STEPS_MORE));
    while (making.depth >= 0) {
        if (making.lists[making.depth].left > 0 &&
            program->steps_count + 4 < MODEL_STEPS_MAX)
            add_some_step(&making);
        else
            making.depth--;
    }
    making.depth = 0;
    if (making.group >= 0)
        add_step(&making, MODEL_GROUP_END)->group = making.group;
}

/* ---- printing -------------------------------------------------------- */

static void print_access(const struct model_access *access)
{
    static const char *const modes[] = {
        "?",          "in",          "out",       "inout",
        "concurrent", "commutative", "reduction", "in_delete"};

    printf(" %s(%u:%u", modes[access->mode], access->offset, access->size);
    if (access->rows > 1)
        printf(" x%u /%u", access->rows, access->pitch);
    printf(")");
}

static void print_step(const struct model_program *program,
                       const struct model_step *step)
{
    static const char *const kinds[] = {
        "submit", "barrier",      "wait_on",    "wait for task", "delete",
        "group",  "end of group", "wait group", "touch"};
    const struct model_task *task = &program->tasks[step->task];

    printf("%s", kinds[step->kind]);
    if (step->kind == MODEL_SUBMIT || step->kind == MODEL_WAIT_TASK)
        printf(" %d", step->task);
    if (step->kind >= MODEL_GROUP_BEGIN && step->kind <= MODEL_GROUP_WAIT)
        printf(" %d", step->group);
    if (step->kind == MODEL_WAIT_ON || step->kind == MODEL_DELETE)
        print_access(&step->access);
    if (step->kind == MODEL_SUBMIT) {
        for (uint32_t a = 0; a < task->accesses_count; a++)
            print_access(&task->accesses[a]);
        printf("%s%s", task->undeferred ? " undeferred" : "",
               task->final ? " final" : "");
        if (task->fate != MODEL_SUCCEEDS)
            printf(" fate %d", (int)task->fate);
    }
    printf("\n");
}

void model_print(const struct model_program *program)
{
    int steps[MODEL_DEPTH_MAX + 2] = {program->steps};
    int depth = 0;

    while (depth >= 0) {
        const struct model_step *step = &program->all_steps[steps[depth]];

        if (steps[depth] < 0) {
            depth--;
            continue;
        }
        printf("# %3d: %*s", steps[depth], 4 * depth, "");
        print_step(program, step);
        steps[depth] = step->next;
        if (step->kind == MODEL_SUBMIT)
            steps[++depth] = program->tasks[step->task].steps;
    }
}
