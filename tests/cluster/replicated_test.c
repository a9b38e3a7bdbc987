/*
 * A replicated task's body has run in each process before a task there reads
 * what it makes; also in a process that joins later, and after one has died.
 */
#include "cluster/party.h"
#include "harness/tap.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORKERS = 3, TASKS = 60, TABLE = 64, FACTOR = 7 };

#define GO(call)                                                               \
    do {                                                                       \
        if ((call) != CASTELL_OK)                                              \
            tap_bail(castell_error_text());                                    \
    } while (0)

/* What the bodies leave in their process. */
static int table[TABLE];
static int prepared;
static bool is_late;

struct found {
    int process;
    int wrong;
    int times; /* that the body of `prepare` ran there */
};

/* factor, token: the table of the process, and something to wait for. */
static int prepare_body(void *const *buffers, const void *argument)
{
    const int *factor = buffers[0];

    (void)argument;
    for (int i = 0; i < TABLE; i++)
        table[i] = i * *factor;
    prepared++;
    *(int *)buffers[1] = 1;
    return 0;
}

/* It adds to what `prepare` has left, and to the token. */
static int extend_body(void *const *buffers, const void *argument)
{
    (void)argument;
    if (!prepared)
        return 1;
    for (int i = 0; i < TABLE; i++)
        table[i]++;
    ++*(int *)buffers[0];
    return 0;
}

/* The first process but main's that has the file away dies. */
static int late_body(void *const *buffers, const void *argument)
{
    if (getpid() != *(const int *)buffers[0] && unlink(argument) == 0)
        (void)raise(SIGKILL);
    is_late = true;
    *(int *)buffers[1] = 2;
    return 0;
}

static int look_late_body(void *const *buffers, const void *argument)
{
    struct found *found = buffers[1];

    (void)argument;
    *found = (struct found){(int)getpid(), !is_late, prepared};
    (void)usleep(3000);
    return 0;
}

static int look_body(void *const *buffers, const void *argument)
{
    const int *token = buffers[0];
    struct found *found = buffers[1];

    (void)argument;
    *found = (struct found){.process = (int)getpid(), .times = prepared};
    found->wrong = *token != 2;
    for (int i = 0; i < TABLE; i++)
        found->wrong += table[i] != i * FACTOR + 1;
    (void)usleep(3000);
    return 0;
}

static int nest_body(void *const *buffers, const void *argument);

static struct castell_kind prepare_kind = {
    .name = "prepare", .body = prepare_body, .flags = CASTELL_REPLICATED};
static struct castell_kind extend_kind = {
    .name = "extend", .body = extend_body, .flags = CASTELL_REPLICATED};
static struct castell_kind look_kind = {
    .name = "look", .body = look_body, .flags = CASTELL_DISTRIBUTED};
static struct castell_kind late_kind = {
    .name = "late", .body = late_body, .flags = CASTELL_REPLICATED};
static struct castell_kind look_late_kind = {
    .name = "look late", .body = look_late_body, .flags = CASTELL_DISTRIBUTED};
static struct castell_kind nest_kind = {.name = "nest", .body = nest_body};
static struct castell_kind wide_kind = {.name = "wide",
                                        .body = prepare_body,
                                        .flags = CASTELL_REPLICATED,
                                        .constraint.nodes = 2,
                                        .device = CASTELL_MPI};

__attribute__((constructor)) static void declare(void)
{
    castell_must(castell_kind_declare(&prepare_kind), NULL);
    castell_must(castell_kind_declare(&extend_kind), NULL);
    castell_must(castell_kind_declare(&look_kind), NULL);
    castell_must(castell_kind_declare(&late_kind), NULL);
    castell_must(castell_kind_declare(&look_late_kind), NULL);
    castell_must(castell_kind_declare(&nest_kind), NULL);
    castell_must(castell_kind_declare(&wide_kind), NULL);
}

static enum castell_status submit(struct castell_kind *kind,
                                  const struct castell_access *accesses,
                                  size_t count)
{
    const struct castell_submission submission = {
        .kind = kind, .accesses = accesses, .accesses_count = count};

    return castell_task_submit(&submission, NULL);
}

static int nest_body(void *const *buffers, const void *argument)
{
    const struct castell_access access = {
        .base = buffers[0], .size = sizeof(int), .mode = CASTELL_INOUT};

    (void)argument;
    *(int *)buffers[0] =
        submit(&extend_kind, &access, 1) == CASTELL_ERR_INVALID;
    return 0;
}

/* ---- The run --------------------------------------------------------------- */

static int factor = FACTOR;
static int token;
static struct found found[TASKS];

static void look_around(struct castell_kind *kind)
{
    for (int i = 0; i < TASKS; i++) {
        const struct castell_access accesses[] = {
            {.base = &token, .size = sizeof(token), .mode = CASTELL_IN},
            {.base = &found[i], .size = sizeof(found[i]), .mode = CASTELL_OUT},
        };

        found[i].wrong = TABLE;
        GO(submit(kind, accesses, 2));
    }
    GO(castell_barrier());
}

static int wrong_ones(void)
{
    int wrong = 0;

    for (int i = 0; i < TASKS; i++)
        wrong += found[i].wrong > 0;
    return wrong;
}

static int most_times(void)
{
    int most = 0;

    for (int i = 0; i < TASKS; i++)
        most = found[i].times > most ? found[i].times : most;
    return most;
}

static int processes(void)
{
    int count = 0;

    for (int i = 0; i < TASKS; i++) {
        int k = 0;

        while (k < i && found[k].process != found[i].process)
            k++;
        count += k == i;
    }
    return count;
}

static bool saw(int process)
{
    for (int i = 0; i < TASKS; i++)
        if (found[i].process == process)
            return true;
    return false;
}

static void prepare(void)
{
    const struct castell_access accesses[] = {
        {.base = &factor, .size = sizeof(factor), .mode = CASTELL_IN},
        {.base = &token, .size = sizeof(token), .mode = CASTELL_OUT},
    };
    const struct castell_access more = {
        .base = &token, .size = sizeof(token), .mode = CASTELL_INOUT};

    GO(submit(&prepare_kind, accesses, 2));
    GO(submit(&extend_kind, &more, 1));
}

/* What was under way where a process died is run with care elsewhere, which is
   in a child process: that would prepare nothing. */
static void prepare_late(struct party *party)
{
    static char path[] = "/tmp/castell-replicated-XXXXXX";
    int file = mkstemp(path);
    int main_process = (int)getpid();
    const struct castell_access accesses[] = {
        {.base = &main_process,
         .size = sizeof(main_process),
         .mode = CASTELL_IN},
        {.base = &token, .size = sizeof(token), .mode = CASTELL_OUT},
    };
    const struct castell_submission submission = {
        .kind = &late_kind,
        .accesses = accesses,
        .accesses_count = 2,
        .argument = path,
        .argument_size = sizeof(path),
    };

    if (file < 0)
        tap_bail("no file");
    (void)close(file);
    GO(castell_task_submit(&submission, NULL));
    GO(castell_barrier());
    ok(access(path, F_OK) != 0, "a process died of a replicated task");
    party_add(party, 1);
    for (int i = 0; i < 50 && !saw((int)party->workers[WORKERS + 1]); i++)
        look_around(&look_late_kind);
    ok(saw((int)party->workers[WORKERS + 1]) && wrong_ones() == 0,
       "which one that joins has run, in the process (%d did not)",
       wrong_ones());
}

static void refuse(void)
{
    const struct castell_access reduction = {
        .base = &token, .size = sizeof(token), .mode = CASTELL_REDUCTION};
    const struct castell_access access = {
        .base = &token, .size = sizeof(token), .mode = CASTELL_INOUT};

    ok(submit(&extend_kind, &reduction, 1) == CASTELL_ERR_INVALID &&
           strstr(castell_error_text(), "reduction"),
       "with a reduction it is refused: %s", castell_error_text());
    ok(submit(&wide_kind, &access, 1) == CASTELL_ERR_INVALID &&
           strstr(castell_error_text(), "several nodes"),
       "and on several nodes: %s", castell_error_text());
    token = 0;
    GO(submit(&nest_kind, &access, 1));
    GO(castell_barrier());
    ok(token == 1, "and in a task");
}

int main(int argc, char **argv)
{
    struct party party;

    (void)argc;
    (void)argv;
    party_attend();
    party_begin(&party, WORKERS, 1, 1);
    GO(castell_start_with(NULL));
    prepare();
    look_around(&look_kind);
    ok(wrong_ones() == 0, "each reader finds what the bodies left (%d do not)",
       wrong_ones());
    ok(processes() == WORKERS + 1, "in %d processes", processes());
    ok(most_times() == 1, "where they ran once (%d)", most_times());

    /* What it read then is what a process that joins gets. */
    factor = 1000;
    party_add(&party, 1);
    for (int i = 0; i < 50 && !saw((int)party.workers[WORKERS]); i++)
        look_around(&look_kind);
    ok(saw((int)party.workers[WORKERS]), "a process that joins gets tasks");
    ok(wrong_ones() == 0, "and has run the bodies before (%d did not)",
       wrong_ones());

    (void)kill(party.workers[0], SIGKILL);
    look_around(&look_kind);
    ok(wrong_ones() == 0, "so with one that dies (%d)", wrong_ones());
    prepare_late(&party);
    refuse();
    ok(castell_stop() == 0, "and it ends well");
    ok(party_end(&party) == 2, "for all processes but two");
    return tap_done();
}
