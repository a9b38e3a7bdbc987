#include "checkpoint/state.h"

#include "harness/tap.h"

#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 256, FILES = 16, CORES = 2 };

void state_go(enum castell_status status)
{
    if (status != CASTELL_OK)
        tap_bail(castell_error_text());
}

/* ---- Tasks --------------------------------------------------------------- */

static int change_body(void *const *buffers, const void *argument)
{
    double *vector = buffers[0];
    int64_t nap;

    memcpy(&nap, argument, sizeof(nap));
    for (int i = 0; i < LENGTH; i++)
        vector[i] = vector[i] * 1.25 + i + 1;
    if (nap > 0)
        (void)usleep((useconds_t)nap);
    return 0;
}

static int turn_body(void *const *buffers, const void *argument)
{
    double *block = buffers[0];

    (void)argument;
    for (int i = 0; i < BLOCK; i++)
        for (int j = 0; j < BLOCK; j++)
            block[i * SIDE + j] = block[i * SIDE + j] * 0.5 + i - j;
    return 0;
}

static struct castell_kind change_kind = {.name = "state:change",
                                          .body = change_body};
static struct castell_kind turn_kind = {.name = "state:turn",
                                        .body = turn_body};

__attribute__((constructor)) static void declare(void)
{
    castell_must(castell_kind_declare(&change_kind), NULL);
    castell_must(castell_kind_declare(&turn_kind), NULL);
}

static struct castell_access vector_of(const struct state *state, int number)
{
    return (struct castell_access){.base = state->vectors[number],
                                   .size = LENGTH * sizeof(double),
                                   .mode = CASTELL_INOUT};
}

static struct castell_access block_of(const struct state *state)
{
    return (struct castell_access){.base = state->matrix + (size_t)EDGE * SIDE +
                                           EDGE,
                                   .size = BLOCK * sizeof(double),
                                   .rows = BLOCK,
                                   .pitch = SIDE * sizeof(double),
                                   .mode = CASTELL_INOUT};
}

static void submit(struct castell_kind *kind, struct castell_access access,
                   int64_t nap)
{
    const struct castell_submission submission = {.kind = kind,
                                                  .accesses = &access,
                                                  .accesses_count = 1,
                                                  .argument = &nap,
                                                  .argument_size = sizeof(nap)};

    state_go(castell_task_submit(&submission, NULL));
}

void state_step(struct state *state, int64_t microseconds)
{
    for (int i = 0; i < VECTORS; i++)
        submit(&change_kind, vector_of(state, i), microseconds);
    submit(&turn_kind, block_of(state), 0);
}

/* ---- Directories --------------------------------------------------------- */

const char *state_directory(void)
{
    static char directory[PATH_SIZE];

    if (!*directory) {
        const char *tmp = getenv("TMPDIR");

        (void)snprintf(directory, sizeof(directory), "%s/checkpoint.XXXXXX",
                       tmp ? tmp : "/tmp");
        if (!mkdtemp(directory))
            tap_bail("no directory");
    }
    return directory;
}

const char *state_path(const char *format, ...)
{
    static char path[2 * PATH_SIZE];
    size_t size =
        (size_t)snprintf(path, sizeof(path), "%s/", state_directory());
    va_list args;

    va_start(args, format);
    (void)vsnprintf(path + size, sizeof(path) - size, format, args);
    va_end(args);
    return path;
}

static int forget_one(const char *path, const struct stat *about, int type,
                      struct FTW *place)
{
    (void)about;
    (void)type;
    (void)place;
    return remove(path);
}

void state_forget(void)
{
    (void)nftw(state_path("saved"), forget_one, FILES, FTW_DEPTH | FTW_PHYS);
    (void)rmdir(state_directory());
}

/* ---- Runs ---------------------------------------------------------------- */

void state_begin(struct state *state, int workers)
{
    const struct castell_options options = {.cores = workers ? 0 : CORES};
    char name[32];

    memset(state, 0, sizeof(*state));
    state->workers = workers;
    if (workers > 0)
        party_begin(&state->party, workers, 1, 0);
    else
        (void)(unsetenv("CASTELL_ROLE") + unsetenv("CASTELL_CORES"));
    state_go(castell_start_with(&options));
    state_go(castell_checkpoint_create(state_path("saved"), &state->saved));
    for (int i = 0; i < VECTORS; i++) {
        struct castell_access access;

        state->vectors[i] = castell_alloc(LENGTH * sizeof(double));
        memset(state->vectors[i], 0, LENGTH * sizeof(double));
        (void)snprintf(name, sizeof(name), "vector %d", i);
        access = vector_of(state, i);
        state_go(castell_checkpoint_add(state->saved, name, &access,
                                        sizeof(double)));
    }
    state->matrix = castell_alloc((size_t)SIDE * SIDE * sizeof(double));
    memset(state->matrix, 0, (size_t)SIDE * SIDE * sizeof(double));
    {
        const struct castell_access access = block_of(state);

        state_go(castell_checkpoint_add(state->saved, "block", &access,
                                        sizeof(double)));
    }
}

bool state_end(struct state *state)
{
    int bad;

    castell_checkpoint_destroy(state->saved);
    bad = castell_stop();
    return (state->workers == 0 || party_end(&state->party) == 0) && bad == 0;
}

static bool is_same(double a, double b)
{
    return memcmp(&a, &b, sizeof(a)) == 0;
}

static bool vectors_are(const struct state *state, int steps)
{
    for (int i = 0; i < LENGTH; i++) {
        double want = 0;

        for (int step = 0; step < steps; step++)
            want = want * 1.25 + i + 1;
        for (int v = 0; v < VECTORS; v++)
            if (!is_same(state->vectors[v][i], want))
                return false;
    }
    return true;
}

/* All of the matrix: nothing outside of the block has changed. */
static bool matrix_is(const struct state *state, int steps)
{
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            bool inside =
                i >= EDGE && i < EDGE + BLOCK && j >= EDGE && j < EDGE + BLOCK;
            double want = 0;

            for (int step = 0; step < steps && inside; step++)
                want = want * 0.5 + i - j;
            if (!is_same(state->matrix[i * SIDE + j], want))
                return false;
        }
    return true;
}

bool state_is(struct state *state, int steps)
{
    struct castell_access all[VECTORS + 1];

    for (int i = 0; i < VECTORS; i++)
        all[i] = vector_of(state, i);
    all[VECTORS] = block_of(state);
    if (castell_wait_on(all, VECTORS + 1) != CASTELL_OK)
        return false;
    return vectors_are(state, steps) && matrix_is(state, steps);
}

bool state_save(struct state *state, uint64_t step)
{
    state_go(castell_checkpoint_save(state->saved, step));
    return castell_checkpoint_wait(state->saved) == CASTELL_OK;
}

int state_restore(struct state *state)
{
    uint64_t step = (uint64_t)-1;

    if (castell_checkpoint_restore(state->saved, &step) != CASTELL_OK)
        return -2;
    return (int)step;
}

bool state_comes_back(int workers, int steps)
{
    struct state state;
    int found;
    bool same;

    state_begin(&state, workers);
    found = state_restore(&state);
    same = state_is(&state, found > 0 ? steps : 0);
    if (steps == 0)
        return state_end(&state) && same && found == -1;
    return state_end(&state) && same && found == steps;
}

void state_make(int steps, uint32_t keep)
{
    struct state state;

    state_forget();
    (void)mkdir(state_directory(), 0700);
    state_begin(&state, 0);
    castell_checkpoint_keep(state.saved, keep);
    for (int step = 1; step <= steps; step++) {
        state_step(&state, 0);
        must(state_save(&state, (uint64_t)step), "step %d is saved", step);
    }
    must(state_end(&state), "the run that saves ends");
}
