/*
 * random.h - random numbers that are the same on every machine, and random
 * regions of a small arena, for the tests of data/ and the model.
 */
#ifndef CST_TEST_DATA_RANDOM_H
#define CST_TEST_DATA_RANDOM_H

#include "data/region.h"

#include <stdint.h>

/* xorshift64*; a state of 0 is not allowed. */
static inline uint32_t random_below(uint64_t *state, uint32_t below)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (uint32_t)((*state * UINT64_C(0x2545f4914f6cdd1d)) >> 33) % below;
}

/* Neighbouring seeds give unrelated numbers. */
static inline uint64_t random_start(uint64_t seed)
{
    uint64_t state = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);

    for (int i = 0; i < 4; i++)
        (void)random_below(&state, 2);
    return state;
}

/*
 * A normal region of the `size` bytes from base on: half are ranges, the others
 * have rows at one of three pitches.
 */
static inline struct cst_region random_region(uint64_t *state, uintptr_t base,
                                              uint32_t size)
{
    static const uint32_t pitches[] = {16, 16, 16, 24, 10};
    struct cst_region region = {.rows = 1};
    uint32_t offset = random_below(state, size);
    uint32_t left = size - offset;

    region.base = base + offset;
    if (random_below(state, 2)) {
        region.size = 1 + random_below(state, left < 48 ? left : 48);
    } else {
        uint32_t pitch = pitches[random_below(state, 5)];
        uint32_t width = pitch < left ? pitch : left;
        uint32_t rows;

        region.size = 1 + random_below(state, width);
        rows = 1 + (left - (uint32_t)region.size) / pitch;
        region.rows = 1 + random_below(state, rows < 8 ? rows : 8);
        region.pitch = pitch;
    }
    cst_region_normalise(&region);
    return region;
}

#endif
