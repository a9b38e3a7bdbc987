/*
 * Workers die, hang and come while a program runs; its result stays the same.
 * SEED repeats a history, as far as time allows.
 */
#include "cluster/party.h"
#include "harness/tap.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BLOCKS = 10, SIZE = 4096, STEPS = 60, VICTIMS = 5 };

#define GO(call)                                                               \
    do {                                                                       \
        if ((call) != CASTELL_OK)                                              \
            tap_bail(castell_error_text());                                    \
    } while (0)

/* middle = a mix of itself and its neighbours: each step needs all before. */
static int mix_body(void *const *buffers, const void *argument)
{
    uint32_t *middle = buffers[0];
    const uint32_t *left = buffers[1], *right = buffers[2];
    struct timespec nap = {0, 1000000};
    int step;

    memcpy(&step, argument, sizeof(step));
    for (int i = 0; i < SIZE; i++)
        middle[i] =
            middle[i] * 1664525u + (left[i] ^ (right[i] >> 3)) + (uint32_t)step;
    (void)nanosleep(&nap, NULL);
    return 0;
}

static void count_zero(void *into, size_t count)
{
    memset(into, 0, count * sizeof(uint64_t));
}

static void count_plus(void *into, const void *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ((uint64_t *)into)[i] += ((const uint64_t *)from)[i];
}

static const struct castell_reduction count_reduction = {
    sizeof(uint64_t), count_zero, count_plus};
static const struct castell_reduction *const reductions[] = {&count_reduction,
                                                             NULL};

static int sum_body(void *const *buffers, const void *argument)
{
    const uint32_t *block = buffers[0];

    (void)argument;
    for (int i = 0; i < SIZE; i++)
        *(uint64_t *)buffers[1] += block[i];
    return 0;
}

static struct castell_kind mix_kind = {.name = "mix", .body = mix_body};
static struct castell_kind sum_kind = {
    .name = "sum", .body = sum_body, .reductions = reductions};

__attribute__((constructor)) static void declare(void)
{
    castell_must(castell_kind_declare(&mix_kind), NULL);
    castell_must(castell_kind_declare(&sum_kind), NULL);
}

/* ---- The program ----------------------------------------------------------- */

struct state {
    uint32_t blocks[2][BLOCKS][SIZE];
    uint64_t sum;
};

static void fill(struct state *state)
{
    memset(state, 0, sizeof(*state));
    for (uint32_t b = 0; b < BLOCKS; b++)
        for (uint32_t i = 0; i < SIZE; i++)
            state->blocks[0][b][i] = state->blocks[1][b][i] = b * 7919 + i;
}

static struct castell_access access_of(const void *base, size_t size,
                                       enum castell_mode mode)
{
    return (struct castell_access){.base = base, .size = size, .mode = mode};
}

static void mix(struct state *state, int step, uint32_t b)
{
    uint32_t(*now)[SIZE] = state->blocks[step % 2];
    uint32_t(*before)[SIZE] = state->blocks[(step + 1) % 2];
    const size_t size = sizeof(now[0]);
    struct castell_access accesses[] = {
        access_of(now[b], size, CASTELL_INOUT),
        access_of(before[(b + BLOCKS - 1) % BLOCKS], size, CASTELL_IN),
        access_of(before[(b + 1) % BLOCKS], size, CASTELL_IN),
    };
    struct castell_submission submission = {.kind = &mix_kind,
                                            .accesses = accesses,
                                            .accesses_count = 3,
                                            .argument = &step,
                                            .argument_size = sizeof(step)};

    GO(castell_task_submit(&submission, NULL));
}

static void sum(struct state *state, uint32_t b)
{
    struct castell_access accesses[] = {
        access_of(state->blocks[1][b], sizeof(state->blocks[1][b]), CASTELL_IN),
        access_of(&state->sum, sizeof(state->sum), CASTELL_REDUCTION),
    };
    struct castell_submission submission = {
        .kind = &sum_kind, .accesses = accesses, .accesses_count = 2};

    accesses[1].reduction = &count_reduction;
    GO(castell_task_submit(&submission, NULL));
}

static void run(struct state *state)
{
    for (int step = 0; step < STEPS; step++) {
        for (uint32_t b = 0; b < BLOCKS; b++)
            mix(state, step, b);
        for (uint32_t b = 0; b < BLOCKS && step % 10 == 9; b++)
            sum(state, b);
    }
    GO(castell_barrier());
}

static void by_hand(struct state *state)
{
    for (int step = 0; step < STEPS; step++) {
        uint32_t(*now)[SIZE] = state->blocks[step % 2];
        uint32_t(*before)[SIZE] = state->blocks[(step + 1) % 2];

        for (uint32_t b = 0; b < BLOCKS; b++)
            for (int i = 0; i < SIZE; i++)
                now[b][i] = now[b][i] * 1664525u +
                            (before[(b + BLOCKS - 1) % BLOCKS][i] ^
                             (before[(b + 1) % BLOCKS][i] >> 3)) +
                            (uint32_t)step;
        for (uint32_t b = 0; b < BLOCKS && step % 10 == 9; b++)
            for (int i = 0; i < SIZE; i++)
                state->sum += state->blocks[1][b][i];
    }
}

/* ---- The chaos --------------------------------------------------------------- */

struct chaos {
    struct party *party;
    uint64_t random;
    bool hangs; /* some victims are stopped instead */
    int stopped[PARTY_MAX];
    int stopped_count;
    int killed;
    _Atomic(bool) over;
};

static uint32_t draw(struct chaos *chaos, uint32_t below)
{
    chaos->random =
        chaos->random * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(chaos->random >> 33) % below;
}

static void *wreak(void *argument)
{
    struct chaos *chaos = argument;

    for (int i = 0; i < VICTIMS && !atomic_load(&chaos->over); i++) {
        struct timespec pause = {0,
                                 30000000L + (long)draw(chaos, 50) * 1000000};
        pid_t victim = chaos->party->workers[i];

        (void)nanosleep(&pause, NULL);
        if (chaos->hangs && draw(chaos, 2)) {
            (void)kill(victim, SIGSTOP);
            chaos->stopped[chaos->stopped_count++] = victim;
        } else {
            (void)kill(victim, SIGKILL);
        }
        chaos->killed++;
        party_add(chaos->party, 1);
    }
    return NULL;
}

static void test(uint64_t seed, bool hangs)
{
    struct state *state = malloc(sizeof(*state));
    struct state *want = malloc(sizeof(*want));
    struct party party;
    struct chaos chaos = {.party = &party, .random = seed, .hangs = hangs};
    pthread_t thread;

    if (!state || !want)
        tap_bail("no memory");
    fill(state);
    fill(want);
    by_hand(want);
    party_begin(&party, 3, 1, 1);
    if (castell_start_with(NULL) != CASTELL_OK)
        tap_bail(castell_error_text());
    if (pthread_create(&thread, NULL, wreak, &chaos) != 0)
        tap_bail("no thread");
    run(state);
    atomic_store(&chaos.over, true);
    (void)pthread_join(thread, NULL);
    ok(memcmp(state->blocks, want->blocks, sizeof(state->blocks)) == 0,
       "%d workers %s, and the result is the same (seed %d)", chaos.killed,
       hangs ? "killed or stopped" : "killed", (int)seed);
    ok(state->sum == want->sum, "and so is a sum");
    for (int i = 0; i < chaos.stopped_count; i++)
        (void)kill(chaos.stopped[i], SIGCONT);
    ok(castell_stop() == 0, "it stops well");
    (void)party_end(&party);
    free(state);
    free(want);
}

int main(void)
{
    const char *text = getenv("SEED");
    uint64_t seed = text ? strtoull(text, NULL, 10) : 1;

    party_attend();
    /* Dead after half a second of silence, for the sake of the test. */
    (void)setenv("CASTELL_DEAD_MS", "500", 1);
    for (uint64_t i = 0; i < 3; i++)
        test(seed + i, false);
    test(seed + 3, true);
    return tap_done();
}
