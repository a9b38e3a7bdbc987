/*
 * Rules of castell.h that are broken: each is refused with a sentence, and
 * nothing has changed.
 */
#include "api/program.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static long value;
static long others[40];

static int nothing_body(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    return 0;
}

static struct castell_kind kind = {.name = "nothing", .body = nothing_body};

static enum castell_status call(const struct castell_access *accesses,
                                size_t count)
{
    struct castell_submission submission = {
        .kind = &kind, .accesses = accesses, .accesses_count = count};

    return castell_task_submit(&submission, NULL);
}

static void refused(enum castell_status status, const char *words,
                    const char *name)
{
    ok(failed_with(status, CASTELL_ERR_INVALID, words), "%s", name);
}

/* ---- before the start, and after the end ---------------------------------- */

static void test_not_running(const char *when)
{
    struct castell_access region = ACCESS(IN, value);
    struct castell_counters counters = {.submitted = 9};
    struct castell_task task = {0};
    char name[64];

    (void)snprintf(name, sizeof(name), "refused %s", when);
    refused(call(&region, 1), "castell_task_submit castell_start", name);
    refused(castell_barrier(), "castell_barrier castell_start", name);
    refused(castell_wait_on(&region, 1), "castell_wait_on castell_start", name);
    refused(castell_task_wait(task), "castell_task_wait castell_start", name);
    refused(castell_delete(&region, 1), "castell_delete castell_start", name);
    refused(castell_group_begin("g"), "castell_group_begin castell_start",
            name);
    refused(castell_group_end(), "castell_group_end castell_start", name);
    refused(castell_group_wait("g"), "castell_group_wait castell_start", name);
    refused(castell_group_cancel("g"), "castell_group_cancel castell_start",
            name);
    ok(!castell_alloc(10) && has_words(castell_error_text(), "castell_alloc"),
       "castell_alloc() %s", name);
    castell_free(NULL);
    castell_counters(&counters);
    ok(counters.submitted == 0 && castell_task_cores() == 1 &&
           castell_executor() == 0 && castell_executors_count() == 1 &&
           castell_task_attempt() == 0 && *castell_version(),
       "who looks sees nothing %s", when);
    catch_begin();
    ok(castell_stop() == 1 && has_words(catch_end(), "castell_stop"),
       "castell_stop() %s", name);
}

/* ---- submissions ------------------------------------------------------------ */

static void test_accesses(void)
{
    char *end = (char *)UINTPTR_MAX;
    struct castell_access empty = {.base = &value, .mode = CASTELL_IN};
    struct castell_access nowhere = {.size = 8, .mode = CASTELL_IN};
    struct castell_access modeless = {.base = &value, .size = 8};
    struct castell_access far = {
        .base = end - 4, .size = 8, .mode = CASTELL_IN};
    struct castell_access narrow = {
        .base = others, .size = 16, .rows = 2, .pitch = 8, .mode = CASTELL_IN};
    struct castell_access many = {.base = others,
                                  .size = 16,
                                  .rows = SIZE_MAX,
                                  .pitch = 32,
                                  .mode = CASTELL_IN};
    struct castell_access long_one = {.base = others,
                                      .size = 16,
                                      .rows = UINT32_MAX / 2,
                                      .pitch = (SIZE_MAX >> 31) - 1,
                                      .mode = CASTELL_IN};
    struct castell_access file = {.is_file = true, .mode = CASTELL_IN};
    struct castell_access sum = {
        .base = others, .size = 16, .mode = CASTELL_REDUCTION};

    refused(call(&nowhere, 1), "access 0 NULL", "a NULL region");
    refused(call(&empty, 1), "access 0 empty", "an empty region");
    refused(call(&modeless, 1), "access 0 mode", "no mode");
    modeless.mode = (enum castell_mode)8;
    refused(call(&modeless, 1), "access 0 mode 8", "a mode that is none");
    refused(call(&far, 1), "access 0 address space", "beyond all addresses");
    refused(call(&narrow, 1), "access 0 apart", "rows that overlap");
    refused(call(&many, 1), "access 0 rows", "too many rows");
    refused(call(&long_one, 1), "access 0 address space",
            "rows beyond all addresses");
    refused(call(&file, 1), "access 0 file name", "a file without a name");
    file.base = "";
    refused(call(&file, 1), "access 0 file name", "a file of an empty name");
    refused(call(&sum, 1), "access 0 reduction operation",
            "a reduction without an operation");
    file = (struct castell_access){
        .base = "a", .is_file = true, .mode = CASTELL_REDUCTION};
    refused(call(&file, 1), "access 0 reduc", "a reduction of a file");
}

static void no_identity(void *into, size_t count)
{
    memset(into, 0, count * 3);
}

static void no_combine(void *into, const void *from, size_t count)
{
    (void)into;
    (void)from;
    (void)count;
}

static void test_reductions(void)
{
    static const struct castell_reduction threes = {3, no_identity, no_combine};
    static const struct castell_reduction halves[] = {
        {0, no_identity, no_combine},
        {3, NULL, no_combine},
        {3, no_identity, NULL},
    };
    struct castell_access sum = {.base = others,
                                 .size = 16,
                                 .mode = CASTELL_REDUCTION,
                                 .reduction = &threes};

    refused(call(&sum, 1), "access 0 elements 16 3",
            "a reduction of a part of an element");
    for (int i = 0; i < 3; i++) {
        sum.reduction = &halves[i];
        refused(call(&sum, 1), "access 0 operation",
                "a reduction with half an operation");
    }
    GO(castell_barrier());
}

static void test_overlaps(void)
{
    struct castell_access pair[2] = {ACCESS(INOUT, others),
                                     ACCESS(IN, others[3])};
    struct castell_access files[2] = {
        {.base = "x", .is_file = true, .mode = CASTELL_IN},
        {.base = "./x", .is_file = true, .mode = CASTELL_OUT},
    };
    struct castell_access blocks[2] = {
        {.base = others,
         .size = 16,
         .rows = 4,
         .pitch = 64,
         .mode = CASTELL_OUT},
        {.base = others + 2,
         .size = 16,
         .rows = 4,
         .pitch = 64,
         .mode = CASTELL_OUT},
    };
    struct castell_access crowd[30];

    refused(call(pair, 2), "accesses 0 1 overlap", "one written, one in it");
    pair[0].mode = CASTELL_IN;
    ok(call(pair, 2) == CASTELL_OK, "both only read may overlap");
    pair[1].mode = CASTELL_CONCURRENT;
    refused(call(pair, 2), "accesses 0 1 overlap", "one concurrent");
    refused(call(files, 2), "accesses 0 1 overlap", "one file by two names");
    ok(call(blocks, 2) == CASTELL_OK, "blocks side by side do not overlap");
    blocks[1].base = others + 1;
    refused(call(blocks, 2), "accesses 0 1 overlap", "blocks that do");
    for (int i = 0; i < 30; i++)
        crowd[i] = (struct castell_access)ACCESS(OUT, others[i]);
    ok(call(crowd, 30) == CASTELL_OK, "thirty that do not");
    crowd[29].base = &others[13];
    refused(call(crowd, 30), "accesses 13 29 overlap", "two of thirty");
}

static void test_submissions(void)
{
    static char argument[CASTELL_ARGUMENT_SIZE_MAX + 1];
    struct castell_kind nameless = {.body = nothing_body};
    struct castell_kind bodiless = {.name = "bodiless"};
    struct castell_kind strange = {
        .name = "strange", .body = nothing_body, .flags = 1u << 20};
    struct castell_kind hopeless = {.name = "hopeless",
                                    .body = nothing_body,
                                    .on_failure = (enum castell_failure)9};
    static struct castell_kind cuda = {
        .name = "gpu", .body = nothing_body, .device = CASTELL_CUDA};
    struct castell_kind abacus = {.name = "bead",
                                  .body = nothing_body,
                                  .device = (enum castell_device)99};
    struct castell_submission submission = {0};

    refused(castell_task_submit(NULL, NULL), "submission", "no submission");
    refused(castell_task_submit(&submission, NULL), "kind", "no kind");
    submission.kind = &nameless;
    refused(castell_task_submit(&submission, NULL), "name", "no name");
    submission.kind = &bodiless;
    refused(castell_task_submit(&submission, NULL), "bodiless body", "no body");
    submission.kind = &strange;
    refused(castell_task_submit(&submission, NULL), "strange flags",
            "flags that do not exist");
    submission.kind = &hopeless;
    refused(castell_task_submit(&submission, NULL), "hopeless policy",
            "a policy that does not exist");
    submission.kind = &cuda;
    ok(castell_task_submit(&submission, NULL) == CASTELL_ERR_UNSATISFIABLE &&
           strstr(castell_error_text(), "task gpu needs a device of CUDA"),
       "a device that is not there: %s", castell_error_text());
    submission.kind = &abacus;
    refused(castell_task_submit(&submission, NULL), "bead device build",
            "a device that is not in this build");
    submission.kind = &kind;
    submission.accesses_count = 1;
    refused(castell_task_submit(&submission, NULL), "NULL", "NULL accesses");
    submission.accesses_count = 0;
    submission.argument_size = 4;
    refused(castell_task_submit(&submission, NULL), "NULL", "a NULL argument");
    submission.argument = argument;
    submission.argument_size = CASTELL_ARGUMENT_SIZE_MAX;
    ok(castell_task_submit(&submission, NULL) == CASTELL_OK,
       "the largest argument");
    submission.argument_size++;
    ok(failed_with(castell_task_submit(&submission, NULL), CASTELL_ERR_LIMIT,
                   "1048577 1048576"),
       "one larger");
    submission.argument_size = 0;
    submission.accesses = (struct castell_access[]){ACCESS(IN, value)};
    submission.accesses_count = CASTELL_ACCESSES_MAX + 1;
    ok(failed_with(castell_task_submit(&submission, NULL), CASTELL_ERR_LIMIT,
                   "1048577 1048576"),
       "too many accesses");
}

/* ---- the rest ------------------------------------------------------------------ */

static enum castell_status in_body[2];
static int stop_result;
static struct castell_task own_task;
static struct gate gate;

static int waiting_body(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    gate_pass(&gate);
    in_body[0] = castell_task_wait(own_task);
    in_body[1] = castell_start_with(NULL);
    stop_result = castell_stop();
    return 0;
}

static struct castell_kind waiting_kind = {.name = "waiting",
                                           .body = waiting_body};

static void test_in_body(void)
{
    gate_shut(&gate);
    own_task = submit(&waiting_kind, NULL, 0, NULL, 0);
    catch_begin();
    gate_open(&gate);
    GO(castell_barrier());
    ok(has_words(catch_end(), "castell_stop main"),
       "castell_stop() in a body is refused");
    ok(in_body[0] == CASTELL_ERR_INVALID, "a task does not wait for itself");
    ok(in_body[1] == CASTELL_ERR_INVALID && stop_result == 1,
       "and starts and stops nothing");
}

static void test_others(void)
{
    static const struct castell_implementation bodiless = {.name = "none"};
    static const struct castell_implementation opencl = {
        .name = "cl", .body = nothing_body, .device = (enum castell_device)99};
    struct castell_access unknown = ACCESS(IN, own_task);
    char *block = castell_alloc(100);
    struct castell_access freed = ELEMENTS(IN, block + 10, (size_t)10);

    refused(castell_start_with(NULL), "castell_start again", "a second start");
    refused(castell_delete(&unknown, 1), "no task named", "an unknown datum");
    refused(castell_delete(NULL, 1), "NULL", "NULL regions to delete");
    refused(castell_wait_on(NULL, 1), "NULL", "NULL regions to wait on");
    ok(castell_wait_on(NULL, 0) == CASTELL_OK &&
           castell_delete(NULL, 0) == CASTELL_OK,
       "none is fine");
    refused(castell_task_wait((struct castell_task){0}), "no task", "no task");
    refused(castell_kind_implement("x", &bodiless), "x body",
            "an implementation without a body");
    refused(castell_kind_implement("x", &opencl), "cl x device",
            "one for a device that is not here");
    refused(castell_kind_implement(NULL, &opencl), "body", "one of no kind");
    ok(call(&freed, 1) == CASTELL_OK, "memory of castell_alloc() is fine");
    castell_free(block);
    refused(call(&freed, 1), "access 0 castell_free", "freed memory");
    refused(castell_wait_on(&freed, 1), "castell_free", "also to wait on");
}

/* ---- variables of the environment: another process each --------------------- */

static void try_start(const char *name, const char *text, const char *words)
{
    char said[512];
    int pipe_ends[2];
    ssize_t size;
    int status = 0;
    pid_t child;

    NEED(pipe(pipe_ends) == 0, "no pipe");
    child = fork();
    if (child == 0) {
        (void)dup2(pipe_ends[1], STDERR_FILENO);
        (void)setenv(name, text, 1);
        castell_start(NULL, NULL);
        _exit(0);
    }
    (void)close(pipe_ends[1]);
    size = read(pipe_ends[0], said, sizeof(said) - 1);
    said[size > 0 ? size : 0] = '\0';
    (void)close(pipe_ends[0]);
    (void)waitpid(child, &status, 0);
    ok(WIFEXITED(status) && WEXITSTATUS(status) == 2 &&
           has_words(said, words) && has_words(said, "castell: cannot start"),
       "%s=%s: a sentence, and exit status 2", name, text);
}

static void test_environment(void)
{
    static const char *const numbers[] = {"CASTELL_CORES", "CASTELL_TASKS_MAX",
                                          "CASTELL_MEMORY", "CASTELL_STORAGE",
                                          "CASTELL_TASKS_MEMORY"};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        try_start(numbers[i], "many", numbers[i]);
        try_start(numbers[i], "-1", numbers[i]);
        try_start(numbers[i], "99999999999999999999999", numbers[i]);
    }
    try_start("CASTELL_CORES", "0", "CASTELL_CORES");
    try_start("CASTELL_CORES", "100000", "CASTELL_CORES");
    try_start("CASTELL_MEMORY", "8 cats", "CASTELL_MEMORY");
    try_start("CASTELL_FEATURES", "a,,b/c", "CASTELL_FEATURES");
    try_start("CASTELL_PROGRESS", "perhaps", "CASTELL_PROGRESS");
    try_start("CASTELL_GRAPH", "/nonexistent/directory/graph.dot", "graph.dot");
    try_start("CASTELL_TRACE", "/proc/nonexistent/trace",
              "/proc/nonexistent/trace");
}

int main(void)
{
    test_environment();
    test_not_running("before the start");
    start(2);
    test_accesses();
    test_reductions();
    test_overlaps();
    test_submissions();
    test_in_body();
    test_others();
    GO(castell_barrier());
    stop();
    test_not_running("after the end");
    return tap_done();
}
