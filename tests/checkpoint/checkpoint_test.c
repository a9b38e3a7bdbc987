/*
 * Saving and restoring on one node and on several, while the run goes on and
 * while nodes die.
 */
#include "checkpoint/state.h"
#include "harness/tap.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAP_US = 20000, SAVES = 5, WORKERS = 3 };

/* Entries of the directory, without hidden ones. */
static int count_entries(const char *path)
{
    DIR *listing = opendir(path);
    const struct dirent *entry;
    int count = 0;

    if (!listing)
        return -1;
    while ((entry = readdir(listing)) != NULL) /* NOLINT */
        count += entry->d_name[0] != '.';
    (void)closedir(listing);
    return count;
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

/* What is saved is the state at that place of the program, not a later one. */
static void test_place(int workers)
{
    struct state state;

    state_forget();
    (void)mkdir(state_directory(), 0700);
    ok(state_comes_back(workers, 0), "%d workers: nothing is there at first",
       workers);
    state_begin(&state, workers);
    state_step(&state, NAP_US / 4);
    state_step(&state, NAP_US / 4);
    state_go(castell_checkpoint_save(state.saved, 2));
    state_step(&state, 0);
    ok(castell_checkpoint_wait(state.saved) == CASTELL_OK,
       "%d workers: a checkpoint is written", workers);
    ok(state_is(&state, 3), "%d workers: the run goes on meanwhile", workers);
    ok(count_entries(state_path("saved")) == 1 &&
           is_there(state_path("saved/000001/manifest")),
       "%d workers: there is one", workers);
    ok(state_end(&state), "%d workers: it ends", workers);
    ok(state_comes_back(0, 2), "%d workers: one process has it back", workers);
    ok(state_comes_back(2, 2), "%d workers: two workers have it back", workers);
    ok(state_comes_back(WORKERS, 2), "%d workers: three have", workers);
}

/* How many lines with checksums, and how many processes wrote the parts? */
static int count_sums(const char *manifest, int *ret_processes)
{
    FILE *from = fopen(manifest, "re");
    long seen[VECTORS + 1];
    char line[256];
    int sums = 0;

    *ret_processes = 0;
    while (from && fgets(line, sizeof(line), from)) {
        int i = 0;

        if (strncmp(line, "sum ", 4) != 0 || sums > VECTORS)
            continue;
        seen[sums] = strtol(strrchr(line, ' '), NULL, 10);
        while (seen[i] != seen[sums])
            i++;
        *ret_processes += i == sums++;
    }
    if (from)
        (void)fclose(from);
    return sums;
}

static void test_in_flight(int workers)
{
    struct state state;
    int processes = 0;
    int sums;

    state_forget();
    (void)mkdir(state_directory(), 0700);
    state_begin(&state, workers);
    castell_checkpoint_keep(state.saved, 2);
    for (int step = 1; step <= SAVES; step++) {
        state_step(&state, NAP_US / 10);
        state_go(castell_checkpoint_save(state.saved, (uint64_t)step));
    }
    ok(castell_checkpoint_wait(state.saved) == CASTELL_OK,
       "%d workers: several at once", workers);
    ok(count_entries(state_path("saved")) == 2 &&
           is_there(state_path("saved/000005")) &&
           is_there(state_path("saved/000004")),
       "%d workers: the last two are kept", workers);
    sums = count_sums(state_path("saved/000005/manifest"), &processes);
    ok(sums == VECTORS + 1, "%d workers: all have a checksum", workers);
    /* How many is the planner's choice, and that of who came first. */
    ok(processes >= 1 && processes <= (workers ? workers : 1),
       "%d workers: %d processes have written them", workers, processes);
    ok(state_end(&state), "%d workers: it ends", workers);
    ok(state_comes_back(workers, SAVES), "%d workers: the last comes back",
       workers);
    (void)unlink(state_path("saved/000005/manifest"));
    ok(state_comes_back(workers, SAVES - 1),
       "%d workers: without its manifest, the one before", workers);
}

/* A run goes on from a checkpoint, and that one stays until it ends. */
static void test_go_on(void)
{
    struct state state;

    state_make(3, 1);
    ok(count_entries(state_path("saved")) == 1, "one is kept");
    state_begin(&state, 2);
    castell_checkpoint_keep(state.saved, 1);
    ok(state_restore(&state) == 3, "a run on two workers begins with it");
    for (int step = 4; step <= 6; step++) {
        state_step(&state, 0);
        state_go(castell_checkpoint_save(state.saved, (uint64_t)step));
    }
    ok(castell_checkpoint_wait(state.saved) == CASTELL_OK, "and goes on");
    ok(count_entries(state_path("saved")) == 2 &&
           is_there(state_path("saved/000003")) &&
           is_there(state_path("saved/000006")),
       "what it began with is not removed");
    ok(state_restore(&state) == 6 && state_is(&state, 6),
       "it may go back in the same run");
    ok(state_end(&state), "it ends");
    ok(state_comes_back(0, 6), "its last one is whole");
}

/* Workers die while a checkpoint is written; nothing is lost. */
static void test_death(int victim)
{
    struct state state;

    state_forget();
    (void)mkdir(state_directory(), 0700);
    state_begin(&state, WORKERS);
    state_step(&state, 0);
    must(state_save(&state, 1), "the first is written");
    for (int step = 2; step <= 4; step++) {
        state_step(&state, NAP_US);
        state_go(castell_checkpoint_save(state.saved, (uint64_t)step));
    }
    (void)usleep((useconds_t)(NAP_US * (1 + 2 * victim)));
    (void)kill(state.party.workers[victim], SIGKILL);
    ok(castell_checkpoint_wait(state.saved) == CASTELL_OK,
       "worker %d dies: all are written", victim);
    ok(state_is(&state, 4), "worker %d dies: nothing is lost", victim);
    ok(count_entries(state_path("saved")) == 2,
       "worker %d dies: two are kept, nothing is left over", victim);
    castell_checkpoint_destroy(state.saved);
    ok(castell_stop() == 0 && party_end(&state.party) == 1,
       "worker %d dies: the others end", victim);
    ok(state_comes_back(2, 4), "worker %d dies: the last comes back", victim);
}

/* Files may not become large: as on a disk that is full. */
static void test_no_room(void)
{
    struct rlimit before;
    struct rlimit small;
    struct state state;

    state_make(1, 2);
    state_begin(&state, 0);
    state_step(&state, 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    (void)getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = LENGTH;
    (void)setrlimit(RLIMIT_FSIZE, &small);
    ok(!state_save(&state, 2) && strstr(castell_error_text(), "too large"),
       "no room: the wait says so: %s", castell_error_text());
    (void)setrlimit(RLIMIT_FSIZE, &before);
    ok(state_is(&state, 1), "no room: the run goes on");
    ok(count_entries(state_path("saved")) == 1,
       "no room: nothing is left over");
    ok(state_restore(&state) == 1, "no room: the one before is used");
    state_step(&state, 0);
    ok(state_save(&state, 2), "no room: the next is written");
    ok(state_end(&state), "no room: the run ends well");
    ok(state_comes_back(0, 2), "no room: and comes back");
}

/* The directory cannot be made: it is a file. */
static void test_no_directory(void)
{
    struct state state;
    int file;

    state_forget();
    (void)mkdir(state_directory(), 0700);
    file = open(state_path("saved"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    (void)close(file);
    state_begin(&state, 0);
    state_step(&state, 0);
    ok(!state_save(&state, 1), "no directory: %s", castell_error_text());
    ok(state_is(&state, 1) && state_end(&state), "no directory: it goes on");
    (void)unlink(state_path("saved"));
}

static void test_misuse(void)
{
    const struct castell_access nothing = {0};
    const struct castell_access file = {.base = "x", .is_file = true};
    struct castell_checkpoint *saved;
    struct state state;
    struct castell_access region;
    uint64_t step = 17;

    ok(castell_checkpoint_create("x", &saved) == CASTELL_ERR_INVALID,
       "before castell_start(): %s", castell_error_text());
    state_begin(&state, 0);
    region = (struct castell_access){.base = state.matrix, .size = 12};
    ok(castell_checkpoint_create("", &saved) == CASTELL_ERR_INVALID,
       "no path: %s", castell_error_text());
    state_go(castell_checkpoint_create("x", &saved));
    ok(castell_checkpoint_save(saved, 1) == CASTELL_ERR_INVALID,
       "nothing to save: %s", castell_error_text());
    ok(castell_checkpoint_restore(saved, &step) == CASTELL_ERR_INVALID,
       "nothing to restore: %s", castell_error_text());
    ok(castell_checkpoint_add(saved, "x", &nothing, 1) == CASTELL_ERR_INVALID,
       "no region: %s", castell_error_text());
    ok(castell_checkpoint_add(saved, "x", &file, 1) == CASTELL_ERR_INVALID,
       "a file: %s", castell_error_text());
    ok(castell_checkpoint_add(saved, "x", &region, 8) == CASTELL_ERR_INVALID,
       "half an element: %s", castell_error_text());
    ok(castell_checkpoint_add(saved, "a\nb", &region, 4) == CASTELL_ERR_INVALID,
       "a line end: %s", castell_error_text());
    state_go(castell_checkpoint_add(saved, "x", &region, 4));
    ok(castell_checkpoint_add(saved, "x", &region, 4) == CASTELL_ERR_INVALID,
       "twice: %s", castell_error_text());
    ok(state_end(&state) && step == 17, "nothing was done");
    ok(castell_checkpoint_save(saved, 1) == CASTELL_ERR_INVALID,
       "after castell_stop(): %s", castell_error_text());
    castell_checkpoint_destroy(saved);
}

static void test_stop(void)
{
    ok(!castell_stop_requested(), "nobody asks to stop");
    (void)raise(SIGUSR1);
    ok(castell_stop_requested(), "a signal does");
}

int main(void)
{
    party_attend();
    test_misuse();
    test_place(0);
    test_place(WORKERS);
    test_in_flight(0);
    test_in_flight(WORKERS);
    test_go_on();
    test_death(0);
    test_death(1);
    test_no_room();
    test_no_directory();
    test_stop();
    state_forget();
    return tap_done();
}
