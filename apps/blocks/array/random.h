/*
 * random.h - random numbers as a function of where they are wanted.
 *
 * The finaliser of SplitMix64 (Steele, Lea and Flood, 2014) over a key and two
 * counters: any task can have any number of the sequence.
 */
#ifndef BLOCKS_ARRAY_RANDOM_H
#define BLOCKS_ARRAY_RANDOM_H

#include <stdint.h>

static inline uint64_t blk_mix(uint64_t z)
{
    z += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline uint64_t blk_random_at(uint64_t key, uint64_t a, uint64_t b)
{
    return blk_mix(blk_mix(blk_mix(key) ^ a) ^ (b + 0x632be59bd9b4e019u));
}

/* In [0, 1). */
static inline double blk_random_real(uint64_t bits)
{
    return (double)(bits >> 11) * 0x1p-53;
}

#endif
