/*
 * A program's result is its sequential result, always: random programs run by
 * the whole runtime, through the public interface, with 1, 2 and 7 executors.
 */
#include "castell.h"
#include "data/random.h"
#include "model/options.h"
#include "model/program.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    PROGRAMS = 3500,  /* for each number of executors */
    SECONDS = 60,     /* for one program: then it hangs */
    SECONDS_ALL = 60, /* after so long no further one begins */
    WRONG_MAX = 3,
};

struct run {
    const struct model_program *program;
    const struct model_outcome *expected;
    struct model_outcome outcome; /* but for its bytes: */
    unsigned char *bytes;
    struct castell_task handles[MODEL_TASKS_MAX];
    int groups[MODEL_TASKS_MAX]; /* of main's tasks; -1: in none */
    int group;                   /* open in main */
    _Atomic(int) wrong;          /* calls that returned what they must not */
};

struct argument {
    struct run *run;
    int task;
};

/* ---- reductions and kinds -------------------------------------------- */

static void zero(void *into, size_t count)
{
    memset(into, 0, count);
}

static void combine(enum model_operation operation, void *into,
                    const void *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ((unsigned char *)into)[i] =
            model_combine(operation, ((unsigned char *)into)[i],
                          ((const unsigned char *)from)[i]);
}

static void combine_add(void *into, const void *from, size_t count)
{
    combine(MODEL_ADD, into, from, count);
}

static void combine_xor(void *into, const void *from, size_t count)
{
    combine(MODEL_XOR, into, from, count);
}

static void combine_max(void *into, const void *from, size_t count)
{
    combine(MODEL_MAX, into, from, count);
}

static const struct castell_reduction reductions[MODEL_OPERATIONS] = {
    [MODEL_ADD] = {1, zero, combine_add},
    [MODEL_XOR] = {1, zero, combine_xor},
    [MODEL_MAX] = {1, zero, combine_max},
};

static castell_body run_body;
static castell_body run_start;

static struct castell_kind kinds[] = {
    [MODEL_SUCCEEDS] = {.name = "model_succeeds", .body = run_body},
    [MODEL_IGNORED] = {.name = "model_ignored",
                       .body = run_body,
                       .on_failure = CASTELL_IGNORE},
    [MODEL_CANCELS] = {.name = "model_cancels",
                       .body = run_body,
                       .on_failure = CASTELL_CANCEL_SUCCESSORS},
    [MODEL_RETRIED] = {.name = "model_retried", .body = run_body, .retries = 2},
};

static struct castell_kind start_kind = {.name = "model_start",
                                         .body = run_start};

/* ---- steps ----------------------------------------------------------- */

static void expect(struct run *run, bool right, const char *what, int number)
{
    if (right)
        return;
    printf("# seed %llu: %s %d: %s\n", (unsigned long long)run->program->seed,
           what, number, castell_error_text());
    run->wrong++;
}

static struct castell_access public_access(const struct run *run,
                                           const struct model_access *access)
{
    return (struct castell_access){
        .base = run->bytes + access->offset,
        .size = access->size,
        .rows = access->rows,
        .pitch = access->pitch,
        .mode = access->mode,
        .reduction = access->mode == CASTELL_REDUCTION
                         ? &reductions[access->operation]
                         : NULL,
    };
}

static void submit(struct run *run, int number)
{
    const struct model_task *task = &run->program->tasks[number];
    struct castell_access accesses[MODEL_ACCESSES_MAX];
    struct argument argument = {run, number};
    struct castell_constraint constraint = {.cores = task->cores};
    struct castell_submission submission = {
        .kind = &kinds[task->fate],
        .accesses = accesses,
        .accesses_count = task->accesses_count,
        .argument = &argument,
        .argument_size = sizeof(argument),
        .priority = task->priority,
        .deadline_ns = task->deadline ? 1000000 : 0,
        .undeferred = task->undeferred,
        .final = task->final,
        .where = "model.c:1",
    };

    for (uint32_t a = 0; a < task->accesses_count; a++)
        accesses[a] = public_access(run, &task->accesses[a]);
    if (task->cores > 0 && task->cores <= castell_executors_count())
        submission.constraint = &constraint;
    if (castell_task_attempt() == 0) /* else it is a body's, in no group */
        run->groups[number] = run->group;
    expect(run,
           castell_task_submit(&submission, &run->handles[number]) ==
               CASTELL_OK,
           "submitting task", number);
}

/* A task that was waited for: has its body run as often as it must? */
static void expect_ran(struct run *run, int task)
{
    expect(run, run->outcome.ran[task] == run->expected->ran[task],
           "a wait too short for task", task);
}

static bool is_failing(const struct run *run, int task)
{
    enum model_fate fate = run->program->tasks[task].fate;

    return fate == MODEL_CANCELS || fate == MODEL_IGNORED;
}

/* How a task ended is told only as long as no other has taken its slot. */
static void wait_task(struct run *run, int task)
{
    enum castell_status status = castell_task_wait(run->handles[task]);

    expect_ran(run, task);
    expect(run,
           status == CASTELL_OK || is_failing(run, task) ||
               (status == CASTELL_ERR_CANCELLED && !run->expected->ran[task]),
           "waiting for task", task);
}

static void group_step(struct run *run, const struct model_step *step)
{
    char name[32];
    enum castell_status status = CASTELL_OK;

    (void)snprintf(name, sizeof(name), "model %d", step->group);
    if (step->kind == MODEL_GROUP_BEGIN) {
        run->group = step->group;
        status = castell_group_begin(name);
    } else if (step->kind == MODEL_GROUP_END) {
        run->group = -1;
        status = castell_group_end();
    } else {
        status = castell_group_wait(name);
        for (int i = 0; i < run->program->tasks_count; i++)
            if (run->groups[i] == step->group)
                expect_ran(run, i);
    }
    expect(run, status == CASTELL_OK, "group", step->group);
}

static void wait_on(struct run *run, int number)
{
    const struct model_access *access = &run->program->all_steps[number].access;
    struct castell_access region = public_access(run, access);
    enum castell_status status = castell_wait_on(&region, 1);

    expect(run, status == CASTELL_OK || status == CASTELL_ERR_CANCELLED,
           "waiting on the region of step", number);
    run->outcome.cancelled[number] = status == CASTELL_ERR_CANCELLED;
    run->outcome.seen[number] = model_look(access, run->bytes + access->offset);
}

/* Run main's steps, or a body's; task is -1 for main. */
static void run_steps(struct run *run, int task, int first,
                      void *const *buffers)
{
    const struct model_step *steps = run->program->all_steps;
    struct castell_access region;
    enum castell_status status;

    for (int i = first; i >= 0; i = steps[i].next) {
        switch (steps[i].kind) {
        case MODEL_SUBMIT:
            submit(run, steps[i].task);
            break;
        case MODEL_BARRIER:
            expect(run, castell_barrier() == CASTELL_OK, "barrier", i);
            break;
        case MODEL_WAIT_ON:
            wait_on(run, i);
            break;
        case MODEL_WAIT_TASK:
            wait_task(run, steps[i].task);
            break;
        case MODEL_DELETE:
            region = public_access(run, &steps[i].access);
            status = castell_delete(&region, 1);
            expect(run, status == CASTELL_OK || status == CASTELL_ERR_INVALID,
                   "delete", i);
            break;
        case MODEL_GROUP_BEGIN:
        case MODEL_GROUP_END:
        case MODEL_GROUP_WAIT:
            group_step(run, &steps[i]);
            break;
        case MODEL_TOUCH:
            model_touch(run->program, task, buffers);
            break;
        }
    }
}

/* ---- bodies ---------------------------------------------------------- */

/* Take a while, now and then by letting other threads run. */
static void dawdle(uint64_t *state)
{
    uint32_t what = random_below(state, 512);

    if (what == 0)
        (void)sched_yield();
    for (volatile uint32_t i = 0; what < 128 && i < what * 4; i++)
        ;
}

static int run_body(void *const *buffers, const void *memory)
{
    const struct argument *argument = memory;
    struct run *run = argument->run;
    const struct model_task *task = &run->program->tasks[argument->task];
    uint64_t state =
        random_start(run->program->seed + (uint64_t)argument->task);
    struct model_read read;

    model_read(run->program, argument->task, buffers, &read);
    dawdle(&state);
    model_write(run->program, argument->task, buffers, &read);
    if (task->fate == MODEL_RETRIED && castell_task_attempt() <= 2)
        return 1;
    run->outcome.ran[argument->task]++;
    run_steps(run, argument->task, task->steps, buffers);
    return task->fate == MODEL_IGNORED || task->fate == MODEL_CANCELS;
}

static int run_start(void *const *buffers, const void *memory)
{
    (void)memory;
    model_start_bytes(buffers[0]);
    return 0;
}

/* ---- programs -------------------------------------------------------- */

/* In a task, so that what a program before has poisoned is written anew. */
static void start_bytes(struct run *run)
{
    struct castell_access all = {
        .base = run->bytes, .size = MODEL_BYTES, .mode = CASTELL_OUT};
    struct castell_submission submission = {
        .kind = &start_kind, .accesses = &all, .accesses_count = 1};

    expect(run, castell_task_submit(&submission, NULL) == CASTELL_OK, "start",
           0);
}

/* Returns whether the program came out as it must. */
static bool test_program(uint64_t seed, bool print)
{
    static unsigned char memory[MODEL_BYTES];
    static struct model_program program;
    static struct model_outcome expected;
    static struct run run;
    bool own = seed % 4 == 0;

    model_generate(seed, &program);
    model_sequential(&program, &expected);
    if (print)
        model_print(&program);
    memset(&run.outcome, 0, sizeof(run.outcome));
    run.program = &program;
    run.expected = &expected;
    run.group = -1;
    run.wrong = 0;
    run.bytes = own ? castell_alloc(MODEL_BYTES) : memory;
    for (int i = 0; i < MODEL_TASKS_MAX; i++)
        run.groups[i] = -1;
    if (!run.bytes)
        tap_bail(castell_error_text());
    start_bytes(&run);
    run_steps(&run, -1, program.steps, NULL);
    expect(&run, castell_barrier() == CASTELL_OK, "the last barrier", 0);
    memcpy(run.outcome.bytes, run.bytes, MODEL_BYTES);
    if (own)
        castell_free(run.bytes);
    return model_same(&program, &expected, &run.outcome) && run.wrong == 0;
}

static volatile uint64_t running_seed;

/* An alarm, or an abort whose message --seed shows. */
static void say_which(int number)
{
    char text[64];
    /* NOLINTNEXTLINE(bugprone-signal-handler): the program ends here */
    int length = snprintf(text, sizeof(text), "# seed %llu %s\n",
                          (unsigned long long)running_seed,
                          number == SIGALRM ? "hangs" : "aborts");

    (void)!write(STDOUT_FILENO, text, (size_t)length);
    _exit(EXIT_FAILURE);
}

static void test_cores(uint32_t cores, const struct model_options *options)
{
    struct castell_options with = {.cores = cores};
    time_t end = time(NULL) + SECONDS_ALL;
    uint64_t wrong = 0;
    uint64_t i;

    if (castell_start_with(&with) != CASTELL_OK)
        tap_bail(castell_error_text());
    for (i = 0; i < options->count && wrong < WRONG_MAX && time(NULL) < end;
         i++) {
        running_seed = options->seed + i;
        (void)alarm(SECONDS);
        wrong += !test_program(options->seed + i, options->print);
    }
    (void)alarm(SECONDS);
    ok(castell_stop() == 0 || options->count == 0, "%u executors stop", cores);
    (void)alarm(0);
    ok(wrong == 0, "%llu programs from seed %llu on, %u executors, %llu wrong",
       (unsigned long long)i, (unsigned long long)options->seed, cores,
       (unsigned long long)wrong);
}

int main(int argc, char **argv)
{
    struct model_options options = {.seed = 1, .count = PROGRAMS};

    model_options(argc, argv, &options);
    (void)signal(SIGALRM, say_which);
    (void)signal(SIGABRT, say_which);
    /* The runtime says of each failed task that it has failed. */
    if (!options.print && !freopen("/dev/null", "w", stderr))
        tap_bail("no /dev/null");
    if (options.cores > 0) {
        test_cores(options.cores, &options);
        return tap_done();
    }
    test_cores(1, &options);
    test_cores(2, &options);
    test_cores(7, &options);
    return tap_done();
}
