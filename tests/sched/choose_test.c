/*
 * The choice of a body: each is tried before one is preferred; then the median
 * of its last durations counts, by the time until it ends or by the core time;
 * and now and then another is tried again.
 */
#include "harness/tap.h"
#include "sched/kind.h"

#include <string.h>

enum { TRIES = 3, AGAIN = 64, BODIES = 3, SIZE = 1000, SIZE_CLASS = 9 };

static struct cst_measure measures[BODIES][CST_SIZE_CLASSES];

static const struct cst_limits limits = {.name = "here", .cores = 4};

static int body(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    return 0;
}

/* A kind of BODIES bodies, of so many cores each; 0: there is none. */
static struct cst_kind make_kind(const uint32_t cores[BODIES])
{
    struct cst_kind kind = {.name = "kind"};

    memset(measures, 0, sizeof(measures));
    for (uint32_t i = 0; i < BODIES && cores[i] > 0; i++) {
        kind.choices[i] = (struct cst_choice){
            .body = body,
            .constraint = {.cores = cores[i]},
            .possible = cores[i] <= limits.cores,
            .measures = measures[i],
        };
        kind.choices_count++;
    }
    return kind;
}

static void measure(struct cst_kind *kind, uint32_t choice, uint64_t duration)
{
    /* As if it had been chosen. */
    kind->choices[choice].measures[SIZE_CLASS].running++;
    cst_kind_measured(kind, choice, SIZE, duration, 0);
}

static void measure_often(struct cst_kind *kind, uint32_t choice,
                          uint64_t duration, int times)
{
    for (int i = 0; i < times; i++)
        measure(kind, choice, duration);
}

static void test_exploration(void)
{
    struct cst_kind kind = make_kind((const uint32_t[BODIES]){1, 1, 9});
    int chosen[BODIES] = {0};

    for (int i = 0; i < 2 * TRIES; i++)
        chosen[cst_kind_choose(&kind, SIZE, false)]++;
    ok(chosen[0] == TRIES && chosen[1] == TRIES,
       "each is given out %d times before any has ended", TRIES);
    ok(chosen[2] == 0, "but not what the node cannot run");
    ok(cst_kind_choose(&kind, SIZE, false) == 0,
       "while nothing is known the least tried goes on");
    for (int i = 0; i < TRIES; i++) {
        cst_kind_measured(&kind, 0, SIZE, 200, 0);
        cst_kind_measured(&kind, 1, SIZE, 100, 0);
    }
    ok(cst_kind_choose(&kind, SIZE, false) == 1, "then the quicker one is");
    ok(measures[1][SIZE_CLASS].running == 1, "and counts as running");
    cst_kind_measured(&kind, 1, SIZE, 0, 0);
    ok(measures[1][SIZE_CLASS].running == 0 &&
           measures[1][SIZE_CLASS].count == TRIES,
       "one that did not run after all is no measure");
}

static void test_sizes(void)
{
    struct cst_kind kind = make_kind((const uint32_t[BODIES]){1, 1, 0});
    int other = 0;

    measure_often(&kind, 0, 100, TRIES);
    measure_often(&kind, 1, 200, TRIES);
    ok(cst_kind_choose(&kind, SIZE, false) == 0 &&
           cst_kind_choose(&kind, 513, false) == 0,
       "what is known of a size is known of like ones");
    for (int i = 0; i < 2 * TRIES; i++)
        other += (int)cst_kind_choose(&kind, 2 * SIZE, false);
    ok(other == TRIES, "of twice the size nothing is known");
    (void)cst_kind_choose(&kind, 0, false);
    (void)cst_kind_choose(&kind, UINT64_MAX, false);
    ok(measures[0][0].running == 1 &&
           measures[0][CST_SIZE_CLASSES - 1].running == 1,
       "the smallest and the greatest have a class as well");
}

static void test_median(void)
{
    static const uint64_t durations[] = {90, 10, 80, 20, 70, 30, 60, 40, 50};
    static const uint64_t medians[] = {90, 90, 80, 80, 70, 70, 60, 60, 50};
    struct cst_kind kind = make_kind((const uint32_t[BODIES]){1, 1, 0});
    const struct cst_measure *first = &measures[0][SIZE_CLASS];
    int wrong = 0;

    for (int i = 0; i < CST_SAMPLES; i++) {
        measure(&kind, 0, durations[i]);
        wrong += first->median != medians[i];
    }
    ok(wrong == 0, "the median of up to %d durations", CST_SAMPLES);
    measure(&kind, 0, 1000); /* the oldest, 90, goes */
    ok(first->median == 50, "the oldest makes room for the newest");
    measure_often(&kind, 0, 1000, CST_SAMPLES / 2 - 1);
    ok(first->median < 100, "fewer than half of them cannot move it far: %d",
       (int)first->median);
    measure(&kind, 0, 1000);
    ok(first->median == 1000, "more than half do");
    kind.choices[1].measures[SIZE_CLASS].running = 1;
    cst_kind_measured(&kind, 1, SIZE, 1000, 4.0);
    ok(measures[1][SIZE_CLASS].median == 250,
       "a duration is one of a cost of 1");
}

static void test_one_spike(void)
{
    struct cst_kind kind = make_kind((const uint32_t[BODIES]){1, 1, 0});

    measure_often(&kind, 0, 100, CST_SAMPLES);
    measure_often(&kind, 1, 110, CST_SAMPLES);
    ok(cst_kind_choose(&kind, SIZE, false) == 0, "the quicker one is chosen");
    measure(&kind, 0, UINT64_C(10000000000));
    ok(cst_kind_choose(&kind, SIZE, false) == 0,
       "a single spike changes nothing");
    measure(&kind, 1, 1);
    ok(cst_kind_choose(&kind, SIZE, false) == 0,
       "nor does a single short one of the other");
    measure_often(&kind, 0, 120, CST_SAMPLES / 2 + 1);
    ok(cst_kind_choose(&kind, SIZE, false) == 1, "a lasting change does");
}

/* Among those for devices: what ends first, what is in line for each counted;
   and the others now and then, if that does not take too long. */
static void test_among(void)
{
    struct cst_kind kind = make_kind((const uint32_t[BODIES]){1, 1, 1});
    struct cst_offer offers[BODIES] = {{true, 0}, {true, 0}, {true, 0}};
    int chosen[BODIES] = {0};

    for (int i = 0; i < BODIES * TRIES; i++)
        chosen[cst_kind_choose_among(&kind, SIZE, offers)]++;
    ok(chosen[0] == TRIES && chosen[1] == TRIES && chosen[2] == TRIES,
       "each is tried at first");
    kind = make_kind((const uint32_t[BODIES]){1, 1, 1});
    measure_often(&kind, 0, 100, TRIES);
    measure_often(&kind, 1, 150, TRIES);
    measure_often(&kind, 2, 100000, TRIES);
    ok(cst_kind_choose_among(&kind, SIZE, offers) == 0, "the quickest");
    offers[0].wait_ns = 60;
    ok(cst_kind_choose_among(&kind, SIZE, offers) == 1, "if it is free");
    offers[1].possible = false;
    ok(cst_kind_choose_among(&kind, SIZE, offers) == 0, "and the next can");
    offers[0].wait_ns = 0;
    offers[1].possible = true;
    memset(chosen, 0, sizeof(chosen));
    for (int i = 0; i < 100 * AGAIN; i++) {
        uint32_t which = cst_kind_choose_among(&kind, SIZE, offers);

        chosen[which]++;
        cst_kind_measured(&kind, which, SIZE,
                          kind.choices[which].measures[SIZE_CLASS].median, 0);
    }
    ok(chosen[1] > 80 && chosen[1] <= 100,
       "another is tried again, once in %d: %d times", AGAIN, chosen[1]);
    ok(chosen[2] == 0, "but not one that would take longer than all the rest");
}

static void test_crowded(void)
{
    struct cst_kind kind = make_kind((const uint32_t[BODIES]){1, 4, 0});

    measure_often(&kind, 0, 300, TRIES);
    measure_often(&kind, 1, 100, TRIES);
    ok(cst_kind_choose(&kind, SIZE, false) == 1,
       "with cores to spare what ends first is chosen");
    ok(cst_kind_choose(&kind, SIZE, true) == 0,
       "with more tasks than cores what takes least of them");
    measure_often(&kind, 1, 70, CST_SAMPLES);
    ok(cst_kind_choose(&kind, SIZE, true) == 1,
       "which may be the one of several cores");
}

/* One in AGAIN goes to what was measured least. */
static void test_again(void)
{
    struct cst_kind kind = make_kind((const uint32_t[BODIES]){1, 1, 0});
    int others = 0;

    measure_often(&kind, 0, 100, TRIES);
    measure_often(&kind, 1, 500, TRIES);
    for (int i = 0; i < 3 * AGAIN; i++) {
        uint32_t choice = cst_kind_choose(&kind, SIZE, false);

        others += choice == 1;
        cst_kind_measured(&kind, choice, SIZE, choice == 1 ? 500 : 100, 0);
        if (choice == 1) /* as the winner would have, or it would stay there */
            measure(&kind, 0, 100);
    }
    ok(others == 3, "a worse one is tried again once in %d: %d of %d", AGAIN,
       others, 3 * AGAIN);
}

int main(void)
{
    test_exploration();
    test_sizes();
    test_median();
    test_one_spike();
    test_among();
    test_crowded();
    test_again();
    return tap_done();
}
