/*
 * options.h - the command line of the model tests.
 *
 *     --seed N    the first program; alone: only that one, and print it
 *     --count N   how many
 *     --cores N   executors, where they matter; else 1, 2 and 7 in turn
 */
#ifndef CST_TEST_MODEL_OPTIONS_H
#define CST_TEST_MODEL_OPTIONS_H

#include "harness/tap.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct model_options {
    uint64_t seed;
    uint64_t count;
    uint32_t cores;
    bool print;
};

/* What is not given stays as it was; seed alone sets count to 1. */
static inline void model_options(int argc, char **argv,
                                 struct model_options *options)
{
    bool counted = false;

    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seed") == 0) {
            options->seed = strtoull(argv[i + 1], NULL, 10);
            options->print = true;
        } else if (strcmp(argv[i], "--count") == 0) {
            options->count = strtoull(argv[i + 1], NULL, 10);
            counted = true;
        } else if (strcmp(argv[i], "--cores") == 0) {
            options->cores = (uint32_t)strtoul(argv[i + 1], NULL, 10);
        } else {
            tap_bail("usage: [--seed N] [--count N] [--cores N]");
        }
    }
    if (options->print && !counted)
        options->count = 1;
    options->print = options->count == 1;
}

#endif
