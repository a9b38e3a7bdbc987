/*
 * A program for tests of checkpoints beside files that tasks write:
 *
 *   journal STEPS DIRECTORY TOLD [KILLED]
 *
 * Each step counts in memory, writes a file of its own (DIRECTORY/out.STEP), one
 * that each step overwrites (last) and one that each step adds a line to (log).
 * Every few steps it saves the count in DIRECTORY/saved, and goes on from what
 * is there. TOLD is "waits": it waits for the files before it saves, or "not".
 * KILLED: when so many steps are submitted and the checkpoints before are valid
 * it waits for the log, unless "not", and is killed. It prints where it begins
 * and, at the end, the count.
 */
#include <castell.h>
#include <castell_checkpoint.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EVERY = 5, PATH_SIZE = 256 };

/* ---- Tasks --------------------------------------------------------------- */

static int count_body(void *const *buffers, const void *argument)
{
    (void)argument;
    ++*(uint64_t *)buffers[0];
    return 0;
}

static int write_body(void *const *buffers, const void *argument)
{
    uint64_t step;
    FILE *file = fopen(buffers[0], "ae");

    memcpy(&step, argument, sizeof(step));
    if (!file)
        return 1;
    (void)fprintf(file, "%" PRIu64 "\n", step);
    return fclose(file);
}

static struct castell_kind count_kind = {.name = "journal:count",
                                         .body = count_body};
static struct castell_kind write_kind = {.name = "journal:write",
                                         .body = write_body};

static void submit(struct castell_kind *kind, struct castell_access access,
                   uint64_t step)
{
    const struct castell_submission submission = {.kind = kind,
                                                  .accesses = &access,
                                                  .accesses_count = 1,
                                                  .argument = &step,
                                                  .argument_size =
                                                      sizeof(step)};

    castell_must(castell_task_submit(&submission, NULL), "journal.c");
}

/* ---- Main ---------------------------------------------------------------- */

struct journal {
    const char *directory;
    uint64_t *count;
    struct castell_checkpoint *saved;
};

static struct castell_access file_of(const char *path, enum castell_mode mode)
{
    return (struct castell_access){.base = path, .is_file = true, .mode = mode};
}

static const char *path_of(const struct journal *journal, const char *name)
{
    static char path[PATH_SIZE];

    (void)snprintf(path, sizeof(path), "%s/%s", journal->directory, name);
    return path;
}

static void make_step(const struct journal *journal, uint64_t step)
{
    char name[32];

    submit(&count_kind,
           (struct castell_access){.base = journal->count,
                                   .size = sizeof(*journal->count),
                                   .mode = CASTELL_INOUT},
           step);
    (void)snprintf(name, sizeof(name), "out.%" PRIu64, step);
    submit(&write_kind, file_of(path_of(journal, name), CASTELL_OUT), step);
    submit(&write_kind, file_of(path_of(journal, "last"), CASTELL_OUT), step);
    submit(&write_kind, file_of(path_of(journal, "log"), CASTELL_INOUT), step);
}

static void wait_for(const char *path)
{
    const struct castell_access file = file_of(path, CASTELL_IN);

    castell_must(castell_wait_on(&file, 1), "journal.c");
}

/* What this step and those since the last checkpoint have written. */
static void wait_for_files(const struct journal *journal, uint64_t step)
{
    char name[32];

    for (uint64_t i = step - EVERY; i < step; i++) {
        (void)snprintf(name, sizeof(name), "out.%" PRIu64, i);
        wait_for(path_of(journal, name));
    }
    wait_for(path_of(journal, "last"));
    wait_for(path_of(journal, "log"));
}

static void begin(struct journal *journal, uint64_t *step)
{
    struct castell_access region;

    journal->count = castell_alloc(sizeof(*journal->count));
    if (!journal->count)
        castell_must(CASTELL_ERR_NO_MEMORY, "journal.c");
    *journal->count = 0;
    region = (struct castell_access){.base = journal->count,
                                     .size = sizeof(*journal->count)};
    castell_must(
        castell_checkpoint_create(path_of(journal, "saved"), &journal->saved),
        "journal.c");
    castell_must(castell_checkpoint_add(journal->saved, "count", &region,
                                        sizeof(*journal->count)),
                 "journal.c");
    castell_must(castell_checkpoint_restore(journal->saved, step), "journal.c");
    printf("from %" PRIu64 "\n", *step);
    (void)fflush(stdout);
}

int main(int argc, char **argv)
{
    struct journal journal;
    uint64_t killed = 0;
    uint64_t step = 0;
    uint64_t steps;
    bool waits;

    if (argc < 4)
        return 2;
    steps = strtoull(argv[1], NULL, 10);
    journal.directory = argv[2];
    waits = strcmp(argv[3], "waits") == 0;
    killed = argc > 4 ? strtoull(argv[4], NULL, 10) : 0;
    castell_must(castell_kind_declare(&count_kind), NULL);
    castell_must(castell_kind_declare(&write_kind), NULL);
    castell_start(&argc, &argv);
    begin(&journal, &step);
    while (step < steps) {
        make_step(&journal, step++);
        if (step % EVERY == 0) {
            if (waits)
                wait_for_files(&journal, step);
            castell_must(castell_checkpoint_save(journal.saved, step), NULL);
        }
        if (step != killed)
            continue;
        if (waits)
            wait_for(path_of(&journal, "log"));
        castell_must(castell_checkpoint_wait(journal.saved), NULL);
        (void)raise(SIGKILL);
    }
    castell_must(castell_barrier(), NULL);
    printf("count %" PRIu64 "\n", *journal.count);
    castell_checkpoint_destroy(journal.saved);
    castell_free(journal.count);
    return castell_stop();
}
