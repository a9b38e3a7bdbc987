#include "base/fail.h"
#include "sched/kind.h"

#include <string.h>

enum {
    EXPLORE = 3,        /* measures of each implementation before choosing */
    EXPLORE_AGAIN = 64, /* once in so many, one that is not the best */
    EXPLORE_PART = 16,  /* of the time; of implementations that differ much */
};

static uint32_t size_class(uint64_t size)
{
    uint32_t class = 0;

    while (size > 1 && class < CST_SIZE_CLASSES - 1) {
        size >>= 1;
        class ++;
    }
    return class;
}

static uint64_t score(const struct cst_choice *choice,
                      const struct cst_measure *measure, bool crowded)
{
    return crowded ? measure->median * choice->constraint.cores
                   : measure->median;
}

/* The one that was measured least, if that is too little to choose. */
static uint32_t least_explored(const struct cst_kind *kind, uint32_t count,
                               uint32_t class, uint32_t *ret_taken)
{
    uint32_t least = 0;
    uint32_t taken_least = UINT32_MAX;

    for (uint32_t i = 0; i < count; i++) {
        const struct cst_measure *measure = &kind->choices[i].measures[class];
        uint32_t taken = measure->count + measure->running;

        if (kind->choices[i].possible && taken < taken_least) {
            least = i;
            taken_least = taken;
        }
    }
    *ret_taken = taken_least;
    return least;
}

static uint32_t best(const struct cst_kind *kind, uint32_t count,
                     uint32_t class, bool crowded)
{
    uint32_t chosen = 0;
    uint64_t lowest = UINT64_MAX;

    for (uint32_t i = 0; i < count; i++) {
        const struct cst_choice *choice = &kind->choices[i];
        const struct cst_measure *measure = &choice->measures[class];

        if (!choice->possible || measure->count == 0 ||
            score(choice, measure, crowded) >= lowest)
            continue;
        chosen = i;
        lowest = score(choice, measure, crowded);
    }
    return lowest == UINT64_MAX ? UINT32_MAX : chosen;
}

uint32_t cst_kind_choose(struct cst_kind *kind, uint64_t size, bool crowded)
{
    uint32_t count = atomic_load(&kind->choices_count);
    uint32_t class = size_class(size);
    uint32_t taken;
    uint32_t chosen = least_explored(kind, count, class, &taken);

    if (taken >= EXPLORE) {
        uint32_t winner = best(kind, count, class, crowded);
        uint32_t turn = winner == UINT32_MAX
                            ? 1
                            : kind->choices[winner].measures[class].count;

        /* A machine changes while a run goes on: look again now and then. */
        if (winner != UINT32_MAX && turn % EXPLORE_AGAIN != 0)
            chosen = winner;
    }
    kind->choices[chosen].measures[class].running++;
    return chosen;
}

/* The possible one that was measured least, if that is too little. */
static uint32_t least_offered(const struct cst_kind *kind, uint32_t class,
                              const struct cst_offer *offers)
{
    uint32_t count = atomic_load(&kind->choices_count);
    uint32_t least = UINT32_MAX;
    uint32_t taken_least = EXPLORE;

    for (uint32_t i = 0; i < count; i++) {
        const struct cst_measure *measure = &kind->choices[i].measures[class];
        uint32_t taken = measure->count + measure->running;

        if (offers[i].possible && taken < taken_least) {
            least = i;
            taken_least = taken;
        }
    }
    return least;
}

static double taken_of(const struct cst_measure *measure)
{
    return (double)measure->count + (double)measure->running;
}

/*
 * A machine changes while a run goes on, as in cst_kind_choose(). But a core may
 * take a thousand times what a device takes: no more than some part of the time
 * goes for that.
 */
static uint32_t once_more(const struct cst_kind *kind, uint32_t class,
                          const struct cst_offer *offers, uint32_t best)
{
    const struct cst_measure *first = &kind->choices[best].measures[class];
    uint32_t count = atomic_load(&kind->choices_count);

    for (uint32_t i = 0; i < count; i++) {
        const struct cst_measure *other = &kind->choices[i].measures[class];

        if (i != best && offers[i].possible &&
            taken_of(other) < taken_of(first) / EXPLORE_AGAIN &&
            taken_of(other) * (double)other->median * EXPLORE_PART <
                taken_of(first) * (double)first->median)
            return i;
    }
    return best;
}

uint32_t cst_kind_choose_among(struct cst_kind *kind, uint64_t size,
                               const struct cst_offer *offers)
{
    uint32_t count = atomic_load(&kind->choices_count);
    uint32_t class = size_class(size);
    uint32_t chosen = least_offered(kind, class, offers);
    bool explores = chosen != UINT32_MAX;
    uint64_t lowest = UINT64_MAX;

    for (uint32_t i = 0; i < count && !explores; i++) {
        uint64_t ends =
            offers[i].wait_ns + kind->choices[i].measures[class].median;

        if (!offers[i].possible || ends >= lowest)
            continue;
        lowest = ends;
        chosen = i;
    }
    CST_ASSERT(chosen != UINT32_MAX);
    if (!explores)
        chosen = once_more(kind, class, offers, chosen);
    kind->choices[chosen].measures[class].running++;
    return chosen;
}

uint64_t cst_kind_expected_ns(const struct cst_kind *kind, uint32_t choice,
                              uint64_t size, double cost)
{
    uint64_t median = kind->choices[choice].measures[size_class(size)].median;

    return cost > 0 ? (uint64_t)((double)median * cost) : median;
}

static uint64_t median_of(const struct cst_measure *measure)
{
    uint64_t sorted[CST_SAMPLES] = {0};
    uint32_t count =
        measure->count < CST_SAMPLES ? measure->count : CST_SAMPLES;

    CST_ASSERT(count > 0);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = i;

        for (; at > 0 && sorted[at - 1] > measure->sample[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = measure->sample[i];
    }
    return sorted[count / 2];
}

void cst_measure_settle(struct cst_measure *measure)
{
    measure->median = median_of(measure);
}

void cst_kind_measured(struct cst_kind *kind, uint32_t choice, uint64_t size,
                       uint64_t duration_ns, double cost)
{
    struct cst_measure *measure =
        &kind->choices[choice].measures[size_class(size)];

    measure->running--;
    if (duration_ns == 0)
        return;
    if (cost > 0)
        duration_ns = (uint64_t)((double)duration_ns / cost);
    measure->sample[measure->count % CST_SAMPLES] = duration_ns;
    measure->count++;
    cst_measure_settle(measure);
}
