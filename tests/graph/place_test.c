/*
 * Rules of the queues of places: who may share, who waits for whom, in which
 * order tasks become ready; what the pieces of a split place wait for; where
 * poison goes; that commutative tasks take all their places or none, and each
 * gets its turn. First by hand on the smallest shapes, then at random against
 * models too simple to be wrong.
 */
#include "data/random.h"
#include "graph/graph.h"
#include "graph/task.h"
#include "harness/tap.h"

#include <stdlib.h>
#include <string.h>

/* ---- by hand --------------------------------------------------------- */

/* A task with one hold, that of an access. */
struct one {
    struct cst_task task;
    struct cst_access access;
};

static bool joins(struct one *one, struct cst_place *place,
                  enum cst_epoch epoch)
{
    bool satisfied;

    *one = (struct one){.task.accesses_count = 1};
    one->access.hold = (struct cst_hold){
        .place = place,
        .task = &one->task,
        .epoch = (uint8_t)epoch,
        .reads = true,
        .writes = epoch != CST_EPOCH_READ,
    };
    satisfied = cst_place_join(place, &one->access.hold);
    one->task.waits_for = !satisfied;
    cst_place_check(place);
    return satisfied;
}

/* Leave; returns the tasks that became ready. */
static struct cst_task_list leaves(struct one *one, bool poison)
{
    struct cst_task_list ready = {NULL, NULL};

    cst_place_leave(one->access.hold.place, &one->access.hold, poison, &ready);
    cst_place_check(one->access.hold.place);
    return ready;
}

/* Are these, and no others, ready, in this order? */
static bool are(struct cst_task_list ready, struct one *const *ones,
                size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (cst_task_list_take(&ready) != &ones[i]->task)
            return false;
    return !cst_task_list_take(&ready);
}

static bool nobody(struct cst_task_list ready)
{
    return !ready.first;
}

static void test_epochs(void)
{
    struct cst_place place;
    struct one w1, r1, r2, w2, r3, c1, c2;

    cst_place_init(&place);
    ok(cst_place_idle(&place), "a new place is idle");
    ok(joins(&w1, &place, CST_EPOCH_WRITE), "who comes first is satisfied");
    ok(!cst_place_idle(&place) && place.recent, "and the place in use");
    ok(!joins(&r1, &place, CST_EPOCH_READ), "a reader waits for a writer");
    ok(!joins(&r2, &place, CST_EPOCH_READ), "another one too");
    ok(!joins(&w2, &place, CST_EPOCH_WRITE), "a writer for them");
    ok(!joins(&r3, &place, CST_EPOCH_READ), "a reader for that one");
    ok(!joins(&c1, &place, CST_EPOCH_CONCURRENT), "a concurrent one for it");
    ok(!joins(&c2, &place, CST_EPOCH_CONCURRENT), "and one more");
    ok(are(leaves(&w1, false), (struct one *[]){&r1, &r2}, 2),
       "both readers run when the writer has ended");
    ok(nobody(leaves(&r2, false)), "nothing happens when one ends");
    ok(are(leaves(&r1, false), (struct one *[]){&w2}, 1),
       "the writer runs when both have");
    ok(are(leaves(&w2, false), (struct one *[]){&r3}, 1), "then the reader");
    ok(are(leaves(&r3, false), (struct one *[]){&c1, &c2}, 2),
       "then the concurrent ones, together");
    ok(joins(&r1, &place, CST_EPOCH_CONCURRENT), "a third may join them");
    ok(nobody(leaves(&c1, false)) && nobody(leaves(&r1, false)) &&
           nobody(leaves(&c2, false)) && cst_place_idle(&place),
       "in the end the place is idle");
    ok(joins(&w1, &place, CST_EPOCH_WRITE) &&
           !joins(&w2, &place, CST_EPOCH_WRITE) &&
           !joins(&c1, &place, CST_EPOCH_WRITE),
       "writers wait for each other");
    ok(are(leaves(&w1, false), (struct one *[]){&w2}, 1) &&
           are(leaves(&w2, false), (struct one *[]){&c1}, 1) &&
           nobody(leaves(&c1, false)),
       "one by one");
}

static void test_poison(void)
{
    struct cst_place place;
    struct one one;

    cst_place_init(&place);
    (void)joins(&one, &place, CST_EPOCH_WRITE);
    (void)leaves(&one, false);
    ok(!place.poisoned, "a writer that succeeds leaves no poison");
    (void)joins(&one, &place, CST_EPOCH_WRITE);
    (void)leaves(&one, true);
    ok(place.poisoned, "one that fails does");
    (void)joins(&one, &place, CST_EPOCH_READ);
    (void)leaves(&one, true);
    ok(place.poisoned, "a reader changes nothing about it");
    (void)joins(&one, &place, CST_EPOCH_WRITE);
    (void)leaves(&one, false);
    ok(place.poisoned, "nor one that reads and writes");
    (void)joins(&one, &place, CST_EPOCH_WRITE);
    one.access.hold.reads = false;
    (void)leaves(&one, false);
    ok(!place.poisoned, "one that only writes takes it away");
    (void)joins(&one, &place, CST_EPOCH_READ);
    (void)leaves(&one, true);
    ok(!place.poisoned, "a failed reader leaves none");
}

static void test_following(void)
{
    struct cst_place whole, piece, part;
    struct cst_hold follower, second;
    struct one w1, w2, w3, r1;

    cst_place_init(&whole);
    cst_place_init(&piece);
    cst_place_init(&part);
    (void)joins(&w1, &whole, CST_EPOCH_WRITE);
    (void)joins(&r1, &whole, CST_EPOCH_READ);
    cst_place_follow(&whole, &piece, &follower);
    cst_place_check(&whole);
    cst_place_check(&piece);
    ok(!joins(&w2, &piece, CST_EPOCH_WRITE), "a piece waits for the whole");
    cst_place_follow(&piece, &part, &second);
    ok(!joins(&w3, &part, CST_EPOCH_WRITE), "so does a piece of the piece");
    ok(are(leaves(&w1, true), (struct one *[]){&r1}, 1),
       "the whole's reader is first");
    ok(are(leaves(&r1, false), (struct one *[]){&w2}, 1) &&
           cst_place_idle(&whole),
       "then the piece");
    ok(piece.poisoned && !part.poisoned, "which has the poison of the whole");
    ok(are(leaves(&w2, false), (struct one *[]){&w3}, 1),
       "then the piece's piece");
    ok(part.poisoned, "which inherits it");
    ok(nobody(leaves(&w3, false)) && cst_place_idle(&part) &&
           cst_place_idle(&piece),
       "and all are idle");

    cst_place_init(&part);
    piece.reduction = 7;
    cst_place_follow(&piece, &part, &second);
    ok(cst_place_idle(&part) && part.poisoned && part.reduction == 7,
       "one that follows what is idle only inherits");
}

/* Pieces of pieces, nobody waiting between: all end at once. */
static void test_chain_of_followers(void)
{
    enum { LENGTH = 100 };
    static struct cst_place places[LENGTH];
    static struct cst_hold followers[LENGTH];
    struct one first, last;
    bool idle = true;

    for (int i = 0; i < LENGTH; i++)
        cst_place_init(&places[i]);
    (void)joins(&first, &places[0], CST_EPOCH_WRITE);
    for (int i = 1; i < LENGTH; i++)
        cst_place_follow(&places[i - 1], &places[i], &followers[i]);
    ok(!joins(&last, &places[LENGTH - 1], CST_EPOCH_WRITE),
       "the last of a chain of pieces waits");
    ok(are(leaves(&first, true), (struct one *[]){&last}, 1),
       "for the first only");
    for (int i = 0; i < LENGTH; i++) {
        cst_place_check(&places[i]);
        idle = idle && places[i].poisoned &&
               cst_place_idle(&places[i]) == (i < LENGTH - 1);
    }
    ok(idle, "the others are idle, and all have the poison");
}

static void test_reading_along(void)
{
    struct cst_place whole, piece, part;
    struct cst_hold follower, second;
    struct one w1, r1, r2, r3, w2;

    cst_place_init(&whole);
    cst_place_init(&piece);
    cst_place_init(&part);
    (void)joins(&w1, &whole, CST_EPOCH_WRITE);
    (void)joins(&r1, &whole, CST_EPOCH_READ);
    cst_place_follow(&whole, &piece, &follower);
    ok(!joins(&r2, &piece, CST_EPOCH_READ), "a reader of a piece waits");
    cst_place_follow(&piece, &part, &second);
    ok(!joins(&r3, &part, CST_EPOCH_READ), "and one of its piece");
    ok(!joins(&w2, &part, CST_EPOCH_WRITE), "and a writer");
    ok(are(leaves(&w1, false), (struct one *[]){&r1, &r2, &r3}, 3),
       "all readers run when the whole's writer has ended");
    ok(nobody(leaves(&r3, false)) && nobody(leaves(&r1, false)),
       "the writer waits for the whole's reader");
    ok(are(leaves(&r2, false), (struct one *[]){&w2}, 1), "and the piece's");
    (void)leaves(&w2, false);

    cst_place_init(&piece);
    (void)joins(&r1, &whole, CST_EPOCH_READ);
    cst_place_follow(&whole, &piece, &follower);
    ok(joins(&r2, &piece, CST_EPOCH_READ),
       "where the whole is being read, a reader of a piece runs at once");
    ok(!joins(&w2, &piece, CST_EPOCH_WRITE) && nobody(leaves(&r2, false)),
       "a writer does not");
    ok(are(leaves(&r1, false), (struct one *[]){&w2}, 1), "but then");
}

/* ---- at random ------------------------------------------------------- */

enum { PLACES = 24, ROOTS = 3, TASKS = 32, HOLDS = 3, NO_PLACE = -1 };

/* What the model knows of a place: what it is a piece of, and its poison. */
struct model_place {
    struct cst_place real;
    struct cst_hold follower;
    int parent;    /* or NO_PLACE */
    bool split;    /* has pieces, and will have no more */
    bool inherits; /* its parent has not ended */
    bool poisoned; /* meaningful when it does not inherit */
};

struct model_task {
    struct cst_task real;
    struct cst_hold holds[HOLDS];
    int places[HOLDS];
    int holds_count; /* 0: a free slot */
    int announced;   /* how often the graph said that it is ready */
    uint64_t age;
};

struct model {
    uint64_t state;
    uint64_t ages;
    int places_count;
    struct model_place places[PLACES];
    struct model_task tasks[TASKS];
};

static void model_reset(struct model *model)
{
    for (int i = 0; i < ROOTS; i++) {
        model->places[i] = (struct model_place){.parent = NO_PLACE};
        cst_place_init(&model->places[i].real);
    }
    model->places_count = ROOTS;
}

/* Must `later` wait for `earlier`, which is older and unfinished? */
static bool conflict(const struct model *model, const struct model_task *later,
                     int l, const struct model_task *earlier, int e)
{
    enum cst_epoch epoch = later->holds[l].epoch;
    int place = later->places[l];

    if (place == earlier->places[e])
        return epoch == CST_EPOCH_WRITE || epoch != earlier->holds[e].epoch;
    while (place != NO_PLACE && place != earlier->places[e])
        place = model->places[place].parent;
    return place != NO_PLACE && (epoch != CST_EPOCH_READ ||
                                 earlier->holds[e].epoch != CST_EPOCH_READ);
}

static bool model_ready(const struct model *model,
                        const struct model_task *later)
{
    for (int t = 0; t < TASKS; t++) {
        const struct model_task *earlier = &model->tasks[t];

        if (earlier->age >= later->age)
            continue;
        for (int e = 0; e < earlier->holds_count; e++)
            for (int l = 0; l < later->holds_count; l++)
                if (conflict(model, later, l, earlier, e))
                    return false;
    }
    return true;
}

static bool model_idle(const struct model *model, int place)
{
    for (int t = 0; t < TASKS; t++)
        for (int h = 0; h < model->tasks[t].holds_count; h++)
            if (model->tasks[t].places[h] == place)
                return false;
    return !model->places[place].inherits;
}

/* A piece is younger than its place, so one pass is enough. */
static void model_inherit(struct model *model)
{
    for (int i = 0; i < model->places_count; i++) {
        struct model_place *place = &model->places[i];

        if (!place->inherits || !model_idle(model, place->parent))
            continue;
        place->inherits = false;
        place->poisoned = model->places[place->parent].poisoned;
    }
}

static bool model_poison(const struct model *model, int place)
{
    while (model->places[place].inherits)
        place = model->places[place].parent;
    return model->places[place].poisoned;
}

/* Is everything as the model says? */
static bool agrees(const struct model *model)
{
    bool right = true;

    for (int i = 0; i < model->places_count; i++) {
        cst_place_check(&model->places[i].real);
        right = right &&
                cst_place_idle(&model->places[i].real) == model_idle(model, i);
        if (!model->places[i].inherits)
            right = right &&
                    model->places[i].real.poisoned == model->places[i].poisoned;
    }
    for (int t = 0; t < TASKS; t++) {
        const struct model_task *task = &model->tasks[t];
        bool ready = task->real.waits_for == 0;

        if (task->holds_count == 0)
            continue;
        right = right && ready == model_ready(model, task) &&
                task->announced == ready;
        for (int h = 0; ready && h < task->holds_count; h++)
            right = right && task->holds[h].place->poisoned ==
                                 model_poison(model, task->places[h]);
    }
    return right;
}

static void step_join(struct model *model, struct model_task *task)
{
    static const enum cst_epoch epochs[] = {
        CST_EPOCH_READ,       CST_EPOCH_READ,        CST_EPOCH_WRITE,
        CST_EPOCH_CONCURRENT, CST_EPOCH_COMMUTATIVE, CST_EPOCH_REDUCTION};

    *task = (struct model_task){.age = ++model->ages};
    for (int h = 0; h < HOLDS; h++) {
        int place =
            (int)random_below(&model->state, (uint32_t)model->places_count);
        enum cst_epoch epoch = epochs[random_below(&model->state, 6)];
        bool named = model->places[place].split;

        for (int i = 0; i < task->holds_count; i++)
            named = named || task->places[i] == place;
        if (named)
            continue;
        task->places[task->holds_count] = place;
        task->holds[task->holds_count] = (struct cst_hold){
            .place = &model->places[place].real,
            .next = task->holds, /* as left by an earlier use */
            .later = task->holds,
            .task = &task->real,
            .epoch = (uint8_t)epoch,
            .reads = epoch != CST_EPOCH_WRITE || random_below(&model->state, 2),
            .writes = epoch != CST_EPOCH_READ,
        };
        task->real.waits_for += !cst_place_join(
            &model->places[place].real, &task->holds[task->holds_count]);
        task->holds_count++;
    }
    task->announced = task->real.waits_for == 0;
}

static void step_leave(struct model *model, struct model_task *task)
{
    struct cst_task_list ready = {NULL, NULL};
    struct cst_task *next;
    bool poison = random_below(&model->state, 4) == 0;

    for (int h = 0; h < task->holds_count; h++) {
        struct model_place *place = &model->places[task->places[h]];

        if (task->holds[h].writes)
            place->poisoned =
                poison || (place->poisoned && task->holds[h].reads);
        cst_place_leave(&place->real, &task->holds[h], poison, &ready);
    }
    task->holds_count = 0;
    model_inherit(model);
    while ((next = cst_task_list_take(&ready)))
        ((struct model_task *)(void *)next)->announced++;
}

static void step_split(struct model *model)
{
    int old = (int)random_below(&model->state, (uint32_t)model->places_count);
    int pieces = 1 + (int)random_below(&model->state, 3);

    if (model->places[old].split || model->places_count + pieces > PLACES)
        return;
    model->places[old].split = true;
    for (; pieces > 0; pieces--) {
        struct model_place *piece = &model->places[model->places_count++];

        *piece = (struct model_place){.parent = old, .inherits = true};
        cst_place_init(&piece->real);
        cst_place_follow(&model->places[old].real, &piece->real,
                         &piece->follower);
    }
    model_inherit(model);
}

static bool everything_ended(const struct model *model)
{
    for (int t = 0; t < TASKS; t++)
        if (model->tasks[t].holds_count > 0)
            return false;
    return true;
}

static void test_random(uint64_t seed)
{
    enum { STEPS = 20000 };
    struct model *model = calloc(1, sizeof(*model));
    int wrong = 0, resets = 0;

    if (!model)
        tap_bail("no memory");
    model->state = random_start(seed);
    model_reset(model);
    for (int step = 0; step < STEPS && wrong == 0; step++) {
        uint32_t what = random_below(&model->state, 100);
        struct model_task *task =
            &model->tasks[random_below(&model->state, TASKS)];

        /* In turns: fill the queues, and let all end to start afresh. */
        if (what < 8)
            step_split(model);
        else if (task->holds_count > 0 && task->real.waits_for == 0)
            step_leave(model, task);
        else if (task->holds_count == 0 && step % 800 < 400)
            step_join(model, task);
        wrong += !agrees(model);
        if (model->places_count + 2 > PLACES && everything_ended(model)) {
            model_reset(model);
            resets++;
        }
    }
    ok(wrong == 0, "%d random steps are as the model says (seed %d)", STEPS,
       (int)seed);
    ok(resets > 5, "with %d fresh starts", resets);
    free(model);
}

int main(void)
{
    test_epochs();
    test_poison();
    test_following();
    test_chain_of_followers();
    test_reading_along();
    for (uint64_t seed = 1; seed <= 6; seed++)
        test_random(seed);
    return tap_done();
}
