#include "api/program.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void go(enum castell_status status, const char *call, const char *file,
        int line)
{
    if (status == CASTELL_OK)
        return;
    printf("# %s:%d: %s: %d, %s\n", file, line, call, (int)status,
           castell_error_text());
    tap_bail("a call failed that must not");
}

struct castell_task submit(struct castell_kind *kind, const void *argument,
                           size_t argument_size,
                           const struct castell_access *accesses,
                           size_t accesses_count)
{
    struct castell_submission submission = {
        .kind = kind,
        .accesses = accesses,
        .accesses_count = accesses_count,
        .argument = argument,
        .argument_size = argument_size,
    };
    struct castell_task task;

    GO(castell_task_submit(&submission, &task));
    return task;
}

void start(uint32_t cores)
{
    GO(castell_start_with(&(struct castell_options){.cores = cores}));
}

void stop(void)
{
    NEED(castell_stop() == 0, "the run did not stop well");
}

bool has_words(const char *text, const char *words)
{
    char copy[256];
    char *rest = NULL;
    bool good = true;

    (void)snprintf(copy, sizeof(copy), "%s", words);
    for (char *word = strtok_r(copy, " ", &rest); word;
         word = strtok_r(NULL, " ", &rest))
        good = good && strstr(text, word);
    if (!good)
        printf("# wanted \"%s\" in \"%s\"\n", words, text);
    return good;
}

bool failed_with(enum castell_status status, enum castell_status wanted,
                 const char *words)
{
    if (status != wanted)
        printf("# status %d, not %d: %s\n", (int)status, (int)wanted,
               castell_error_text());
    return status == wanted && has_words(castell_error_text(), words);
}

/* ---- standard error ------------------------------------------------------ */

enum { CAUGHT_SIZE = 1 << 16 };

static char caught[CAUGHT_SIZE];
static int catcher = -1;
static int caught_from = -1;

void catch_begin(void)
{
    (void)fflush(stderr);
    catcher = memfd_create("stderr", MFD_CLOEXEC);
    caught_from = dup(STDERR_FILENO);
    NEED(catcher >= 0 && caught_from >= 0 && dup2(catcher, STDERR_FILENO) >= 0,
         "standard error cannot be caught");
}

const char *catch_end(void)
{
    ssize_t size;

    (void)fflush(stderr);
    NEED(dup2(caught_from, STDERR_FILENO) >= 0, "standard error is lost");
    size = pread(catcher, caught, sizeof(caught) - 1, 0);
    caught[size > 0 ? size : 0] = '\0';
    (void)close(catcher);
    (void)close(caught_from);
    return caught;
}

void pass_time(void)
{
    (void)sched_yield();
}

void gate_pass(struct gate *gate)
{
    atomic_fetch_add(&gate->waiting, 1);
    while (atomic_load(&gate->open) == 0)
        pass_time();
}

void gate_open(struct gate *gate)
{
    atomic_store(&gate->open, 1);
}

void gate_shut(struct gate *gate)
{
    atomic_store(&gate->open, 0);
    atomic_store(&gate->waiting, 0);
}

void gate_await(struct gate *gate, unsigned count)
{
    while (atomic_load(&gate->waiting) < count)
        pass_time();
}

void level_raise(struct level *level, long by)
{
    long now = atomic_fetch_add(&level->now, by) + by;
    long highest = atomic_load(&level->highest);

    while (now > highest &&
           !atomic_compare_exchange_weak(&level->highest, &highest, now))
        continue;
}

void level_lower(struct level *level, long by)
{
    atomic_fetch_sub(&level->now, by);
}

bool may_fork(void)
{
#if defined(__SANITIZE_ADDRESS__)
    return false;
#else
    return true;
#endif
}

bool is_slow(void)
{
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    return true;
#else
    return false;
#endif
}
