/*
 * Rules of commutative places: a task has all that it named while it runs or
 * none; no task waits while all of its places are free; each gets its turn,
 * also when some are cancelled before they have taken theirs. By hand, then
 * random tasks on few places.
 */
#include "data/random.h"
#include "graph/graph.h"
#include "graph/task.h"
#include "harness/tap.h"

#include <stdlib.h>
#include <string.h>

enum { PLACES = 5, TASKS = 24, ACCESSES = 2, EXTRA = 2 };

enum state { FREE, WAITS, WANTS, RUNS };

/* Two accesses in the task itself and up to two in a chunk behind it. */
struct call {
    struct cst_task task;
    struct cst_access accesses[ACCESSES];
    enum state state;
    _Alignas(
        struct cst_hold_chunk) char memory[sizeof(struct cst_hold_chunk) +
                                           EXTRA * sizeof(struct cst_hold)];
};

_Static_assert(offsetof(struct call, accesses) == sizeof(struct cst_task),
               "accesses stand behind the task");

struct run {
    uint64_t state;
    struct cst_place places[PLACES];
    struct call calls[TASKS];
    int wrong;
    int ran;
};

static struct cst_hold_chunk *chunk_of(struct call *call)
{
    return (struct cst_hold_chunk *)(void *)call->memory;
}

static struct cst_hold *hold_of(struct call *call, uint32_t i)
{
    if (i < call->task.accesses_count)
        return &call->accesses[i].hold;
    return &chunk_of(call)->holds[i - call->task.accesses_count];
}

static uint32_t holds_count(struct call *call)
{
    return call->task.accesses_count +
           (call->task.more ? call->task.more->count : 0);
}

static void join(struct run *run, struct call *call, struct cst_hold *hold,
                 uint32_t place)
{
    bool reads = random_below(&run->state, 8) == 0;

    *hold = (struct cst_hold){
        .place = &run->places[place],
        .task = &call->task,
        .epoch = reads ? CST_EPOCH_READ : CST_EPOCH_COMMUTATIVE,
        .reads = true,
        .writes = !reads,
    };
    call->task.waits_for += !cst_place_join(&run->places[place], hold);
}

static void give_up(struct run *run, struct call *call,
                    struct cst_task_list *ready)
{
    for (uint32_t i = 0; i < holds_count(call); i++) {
        struct cst_hold *hold = hold_of(call, i);

        cst_place_leave(hold->place, hold, false, ready);
        cst_place_check(hold->place);
    }
    call->state = FREE;
    run->ran++;
}

/* Try, or cancel, each task that the graph says may go on. */
static void go_on(struct run *run, struct cst_task_list *ready)
{
    struct cst_task *task;

    while ((task = cst_task_list_take(ready))) {
        struct call *call = (struct call *)(void *)task;

        run->wrong += task->waits_for > 0 || call->state == RUNS;
        if (random_below(&run->state, 6) == 0)
            give_up(run, call, ready);
        else
            call->state = cst_task_take_places(task, ready) ? RUNS : WANTS;
    }
}

static void submit(struct run *run, struct call *call)
{
    struct cst_task_list ready = {NULL, NULL};
    uint32_t place = random_below(&run->state, PLACES);
    uint32_t count = 1 + random_below(&run->state, ACCESSES + EXTRA);

    memset(call, 0, sizeof(*call));
    call->state = WAITS;
    for (uint32_t i = 0; i < count; i++, place = (place + 1) % PLACES) {
        if (i < ACCESSES) {
            call->task.accesses_count++;
        } else {
            call->task.more = chunk_of(call);
            call->task.more->count++;
        }
        join(run, call, hold_of(call, i), place);
    }
    if (call->task.waits_for > 0)
        return;
    cst_task_list_append(&ready, &call->task);
    go_on(run, &ready);
}

/* Does a running task have a commutative hold of the place? */
static int takers(struct run *run, const struct cst_place *place)
{
    int count = 0;

    for (int t = 0; t < TASKS; t++)
        for (uint32_t i = 0;
             run->calls[t].state == RUNS && i < holds_count(&run->calls[t]);
             i++)
            count += hold_of(&run->calls[t], i)->place == place &&
                     hold_of(&run->calls[t], i)->epoch == CST_EPOCH_COMMUTATIVE;
    return count;
}

/* Nobody shares a place; who wants one misses one. */
static bool is_right(struct run *run)
{
    for (int p = 0; p < PLACES; p++) {
        cst_place_check(&run->places[p]);
        if (takers(run, &run->places[p]) != run->places[p].taken)
            return false;
    }
    for (int t = 0; t < TASKS; t++) {
        struct call *call = &run->calls[t];
        bool misses = false;

        for (uint32_t i = 0; i < holds_count(call); i++)
            misses =
                misses || (hold_of(call, i)->epoch == CST_EPOCH_COMMUTATIVE &&
                           hold_of(call, i)->place->taken);
        if (call->state == WANTS && !misses)
            return false;
    }
    return true;
}

static void test_random(uint64_t seed)
{
    enum { STEPS = 50000 };
    struct run *run = calloc(1, sizeof(*run));
    int left = 0;

    if (!run)
        tap_bail("no memory");
    run->state = random_start(seed);
    for (int i = 0; i < PLACES; i++)
        cst_place_init(&run->places[i]);
    for (int step = 0; step < STEPS && run->wrong == 0; step++) {
        struct call *call = &run->calls[random_below(&run->state, TASKS)];
        struct cst_task_list ready = {NULL, NULL};

        if (call->state == FREE && step < STEPS - 1000)
            submit(run, call);
        else if (call->state == RUNS)
            give_up(run, call, &ready);
        go_on(run, &ready);
        run->wrong += !is_right(run);
    }
    for (int t = 0; t < TASKS; t++)
        left += run->calls[t].state != FREE;
    ok(run->wrong == 0 && left == 0,
       "%d tasks on commutative places, %d stuck (seed %d)", run->ran, left,
       (int)seed);
    free(run);
}

static void test_by_hand(void)
{
    struct cst_task_list ready = {NULL, NULL};
    struct run *run = calloc(1, sizeof(*run));
    struct call *calls;

    if (!run)
        tap_bail("no memory");
    calls = run->calls;
    for (int i = 0; i < 3; i++) {
        struct cst_access *access = &calls[i].accesses[0];

        calls[i].task.accesses_count = 1;
        access->hold = (struct cst_hold){.place = &run->places[0],
                                         .task = &calls[i].task,
                                         .epoch = CST_EPOCH_COMMUTATIVE,
                                         .reads = true,
                                         .writes = true};
        ok(cst_place_join(&run->places[0], &access->hold),
           "commutative task %d is satisfied at once", i);
    }
    ok(cst_task_take_places(&calls[0].task, &ready), "the first has the place");
    ok(!cst_task_take_places(&calls[1].task, &ready), "the second has not");
    ok(!cst_task_take_places(&calls[2].task, &ready), "nor the third");
    ok(!ready.first, "and none can go on");
    cst_place_leave(&run->places[0], hold_of(&calls[0], 0), false, &ready);
    ok(ready.first && ready.first == ready.last,
       "when the first has ended, one may try");
    {
        struct call *next = (struct call *)(void *)cst_task_list_take(&ready);

        cst_place_leave(&run->places[0], hold_of(next, 0), false, &ready);
        ok(ready.first && ready.first != &next->task,
           "when that one is cancelled, the other");
    }
    free(run);
}

int main(void)
{
    test_by_hand();
    for (uint64_t seed = 1; seed <= 4; seed++)
        test_random(seed);
    return tap_done();
}
