/*
 * A program to be looked at: `slow DIR COUNT`. It submits COUNT tasks "hold",
 * which wait for the file DIR/go, as many "then", each of which reads what one
 * of them wrote, and as many "spare" in a group of that name. Says in
 * DIR/submitted that all are there. When all are done it waits for DIR/end.
 */
#include "castell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { COUNT_MAX = 1000, PATH_SIZE = 512 };

static char go[PATH_SIZE], end[PATH_SIZE];

static void wait_for(const char *path)
{
    static const struct timespec nap = {.tv_nsec = 2000000};

    while (access(path, F_OK) != 0)
        (void)nanosleep(&nap, NULL);
}

static int hold(void *const *buffers, const void *argument)
{
    wait_for(argument);
    *(int *)buffers[0] = 1;
    return 0;
}

static int then(void *const *buffers, const void *argument)
{
    (void)argument;
    *(int *)buffers[1] = *(const int *)buffers[0] + 1;
    return 0;
}

static struct castell_kind hold_kind = {
    .name = "hold", .body = hold, .where = "slow.c:hold"};
static struct castell_kind then_kind = {.name = "then", .body = then};
static struct castell_kind spare_kind = {
    .name = "spare",
    .body = then,
    .on_failure = CASTELL_CANCEL_SUCCESSORS,
};

static int holds[COUNT_MAX], thens[COUNT_MAX], spares[COUNT_MAX];

static void submit(struct castell_kind *kind, const int *from, const int *to)
{
    const struct castell_access accesses[] = {
        {.base = from, .size = sizeof(*from), .mode = CASTELL_IN},
        {.base = to, .size = sizeof(*to), .mode = CASTELL_OUT},
    };
    struct castell_submission submission = {.kind = kind,
                                            .accesses = accesses,
                                            .accesses_count = 2,
                                            .argument = go,
                                            .argument_size = strlen(go) + 1};

    if (from == to) {
        submission.accesses++;
        submission.accesses_count--;
    }
    castell_must(castell_task_submit(&submission, NULL), NULL);
}

static void say_submitted(const char *directory)
{
    char path[PATH_SIZE];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/submitted", directory);
    file = fopen(path, "w");
    if (file)
        (void)fclose(file);
}

int main(int argc, char **argv)
{
    int count = argc > 2 ? atoi(argv[2]) : 0; /* NOLINT(cert-err34-c) */
    int good = 0;

    if (count < 1 || count > COUNT_MAX)
        return 2;
    (void)snprintf(go, sizeof(go), "%s/go", argv[1]);
    (void)snprintf(end, sizeof(end), "%s/end", argv[1]);
    castell_must(castell_kind_declare(&hold_kind), NULL);
    castell_must(castell_kind_declare(&then_kind), NULL);
    castell_must(castell_kind_declare(&spare_kind), NULL);
    castell_start(&argc, &argv);
    for (int i = 0; i < count; i++)
        submit(&hold_kind, &holds[i], &holds[i]);
    for (int i = 0; i < count; i++)
        submit(&then_kind, &holds[i], &thens[i]);
    castell_must(castell_group_begin("spare"), NULL);
    for (int i = 0; i < count; i++)
        submit(&spare_kind, &holds[i], &spares[i]);
    castell_must(castell_group_end(), NULL);
    say_submitted(argv[1]);
    castell_must(castell_barrier(), NULL);
    wait_for(end);
    for (int i = 0; i < count; i++)
        good += holds[i] == 1 && thens[i] == 2;
    if (castell_stop() != 0 || good != count)
        return 1;
    (void)printf("%d are right\n", good);
    return 0;
}
