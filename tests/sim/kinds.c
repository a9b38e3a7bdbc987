/*
 * The kinds of tasks that programs are made of. They are declared once, for all
 * histories; each engine makes its own of them.
 */
#include "sim/sim.h"

#include <stdlib.h>

static void add_identity(void *into, size_t count)
{
    unsigned char *bytes = into;

    for (size_t i = 0; i < count; i++)
        bytes[i] = 0;
}

static void add_combine(void *into, const void *from, size_t count)
{
    unsigned char *sum = into;
    const unsigned char *bytes = from;

    for (size_t i = 0; i < count; i++)
        sum[i] = (unsigned char)(sum[i] + bytes[i]);
}

const struct castell_reduction sim_add = {1, add_identity, add_combine};

static const struct castell_reduction *const reductions[] = {&sim_add, NULL};

static struct castell_kind kinds[KINDS] = {
    [0] = {.name = "plain 0", .on_failure = CASTELL_CANCEL_SUCCESSORS},
    [1] = {.name = "plain 1", .on_failure = CASTELL_IGNORE, .retries = 1},
    [2] = {.name = "plain 2",
           .on_failure = CASTELL_CANCEL_SUCCESSORS,
           .retries = 2},
    [3] = {.name = "plain 3", .on_failure = CASTELL_CANCEL_SUCCESSORS},
    [4] = {.name = "plain 4",
           .on_failure = CASTELL_CANCEL_SUCCESSORS,
           .retries = 1},
    [5] = {.name = "plain 5", .on_failure = CASTELL_IGNORE},
    [KIND_TURNS] = {.name = "turns",
                    .on_failure = CASTELL_CANCEL_SUCCESSORS,
                    .retries = 1,
                    .flags = CASTELL_DISTRIBUTED},
    [KIND_ISOLATED] = {.name = "isolated",
                       .on_failure = CASTELL_CANCEL_SUCCESSORS,
                       .retries = 1,
                       .flags = CASTELL_ISOLATED},
    [KIND_LARGE] = {.name = "large",
                    .on_failure = CASTELL_CANCEL_SUCCESSORS,
                    .constraint = {.memory = UINT64_C(600) << 20}},
    [KIND_NESTED] = {.name = "nested",
                     .on_failure = CASTELL_CANCEL_SUCCESSORS,
                     .retries = 1},
    [KIND_PAIR] = {.name = "pair",
                   .on_failure = CASTELL_CANCEL_SUCCESSORS,
                   .retries = 1,
                   .device = CASTELL_MPI,
                   .constraint = {.nodes = 2}},
    [KIND_TRIPLE] = {.name = "triple",
                     .on_failure = CASTELL_IGNORE,
                     .device = CASTELL_MPI,
                     .constraint = {.nodes = 3}},
    [KIND_WIDE] = {.name = "wide",
                   .on_failure = CASTELL_CANCEL_SUCCESSORS,
                   .retries = 1,
                   .constraint = {.cores = 2}},
    [KIND_REPLICA] = {.name = "replica",
                      .on_failure = CASTELL_CANCEL_SUCCESSORS,
                      .retries = 1,
                      .flags = CASTELL_REPLICATED},
    [KIND_FATAL] = {.name = "fatal", .on_failure = CASTELL_FAIL},
    [KIND_CHILD] = {.name = "child", .on_failure = CASTELL_FAIL},
};

void sim_kinds_declare(void)
{
    for (uint32_t i = 0; i < KINDS; i++) {
        kinds[i].body = i == KIND_CHILD ? sim_child_body : sim_body;
        kinds[i].reductions = reductions;
        if (cst_kinds_declare(&kinds[i]) != CASTELL_OK)
            abort();
    }
}

void sim_kinds_forget(void)
{
    for (uint32_t i = 0; i < KINDS; i++)
        kinds[i].known = NULL;
}

const struct castell_kind *sim_kind(uint32_t number)
{
    return &kinds[number];
}

struct cst_kind *sim_kind_at(const struct sim_node *node, uint32_t number)
{
    return cst_map_find(&node->cluster->kinds,
                        cst_kind_hash(kinds[number].name));
}
