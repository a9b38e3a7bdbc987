/*
 * What a node cannot give is refused in a sentence that names the task, where
 * it is, what it demands and what the node has; what it has just enough of is
 * not.
 */
#include "harness/tap.h"
#include "sched/kind.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const struct cst_limits limits = {
    .name = "node7",
    .arch = "x86_64",
    .features = "big,fast,ib",
    .cores = 4,
    .memory = 1000,
    .storage = 50,
};

static void refused(const struct cst_limits *node,
                    struct castell_constraint constraint, const char *needs,
                    const char *has)
{
    char wanted[256];

    (void)snprintf(wanted, sizeof(wanted),
                   "task fit (a.c:7) needs %s; the nearest node, node7, has %s",
                   needs, has);
    if (!ok(cst_constraint_check(node, &constraint, "fit", "a.c:7") ==
                    CASTELL_ERR_UNSATISFIABLE &&
                strncmp(castell_error_text(), wanted, strlen(wanted)) == 0,
            "%s", wanted))
        printf("# got \"%s\"\n", castell_error_text());
}

static bool accepted(const struct cst_limits *node,
                     struct castell_constraint constraint)
{
    return cst_constraint_check(node, &constraint, "fit", NULL) == CASTELL_OK;
}

static void test_demands(void)
{
    refused(&limits, (struct castell_constraint){.cores = 5}, "cores=5",
            "cores=4");
    refused(&limits, (struct castell_constraint){.nodes = 2}, "nodes=2",
            "nodes=1");
    refused(&limits, (struct castell_constraint){.gpus = 1}, "gpus=1",
            "gpus=0");
    refused(&limits, (struct castell_constraint){.memory = 1001}, "memory=1001",
            "memory=1000");
    refused(&limits, (struct castell_constraint){.gpu_memory = 1},
            "gpu_memory=1", "gpu_memory=0");
    refused(&limits, (struct castell_constraint){.storage = UINT64_MAX},
            "storage=18446744073709551615", "storage=50");
    refused(&limits, (struct castell_constraint){.arch = "aarch64"},
            "arch=aarch64", "arch=x86_64");
    refused(&limits, (struct castell_constraint){.gpus = 1}, "gpus=1",
            "gpus=0");
    ok(!accepted(&limits, (struct castell_constraint){.gpus = 1.5f}) &&
           strstr(castell_error_text(), "gpus=1.5: write how many"),
       "one and a half device makes no sense: %s", castell_error_text());
    ok(accepted(&limits, (struct castell_constraint){0}),
       "who demands nothing can be served");
    ok(accepted(&limits, (struct castell_constraint){.cores = 4,
                                                     .nodes = 1,
                                                     .memory = 1000,
                                                     .storage = 50,
                                                     .arch = "x86_64"}),
       "all that there is can be had");
}

static void test_features(void)
{
    static const char *const there[] = {"big", "fast", "ib"};
    static const char *const missing[] = {"b",   "fas", "fast,ib", "i",
                                          "ibx", "",    "slow"};
    struct cst_limits bare = limits;
    int wrong = 0;

    for (size_t i = 0; i < sizeof(there) / sizeof(*there); i++)
        wrong += !accepted(&limits,
                           (struct castell_constraint){.feature = there[i]});
    ok(wrong == 0, "each feature is found");
    for (size_t i = 0; i < sizeof(missing) / sizeof(*missing); i++)
        wrong += accepted(&limits,
                          (struct castell_constraint){.feature = missing[i]});
    ok(wrong == 0, "parts of their names are not");
    refused(&limits, (struct castell_constraint){.feature = "slow"},
            "feature=slow", "feature=big,fast,ib (see CASTELL_FEATURES)");
    bare.features = "big, fast ,ib";
    ok(accepted(&bare, (struct castell_constraint){.feature = "fast"}) &&
           accepted(&bare, (struct castell_constraint){.feature = "ib"}),
       "spaces around names do not count");
    bare.features = NULL;
    refused(&bare, (struct castell_constraint){.feature = "fast"},
            "feature=fast", "none (see CASTELL_FEATURES)");
}

static void test_wall_time(void)
{
    const uint64_t second = 1000000000;
    struct cst_limits node = limits;
    struct timespec now;

    ok(accepted(&node, (struct castell_constraint){.wall_time_ns = UINT64_MAX}),
       "without an end there is always time left");
    (void)clock_gettime(CLOCK_REALTIME, &now);
    node.wall_time_end_ns = ((uint64_t)now.tv_sec + 100000) * second;
    ok(accepted(&node,
                (struct castell_constraint){.wall_time_ns = 50000 * second}),
       "what is left of it can be had");
    ok(!accepted(&node, (struct castell_constraint){.wall_time_ns =
                                                        100001 * second}) &&
           strstr(castell_error_text(), "task fit needs wall_time=100001;"),
       "more than that cannot: %s", castell_error_text());
    node.wall_time_end_ns = second; /* long ago */
    refused(&node, (struct castell_constraint){.wall_time_ns = second},
            "wall_time=1", "wall_time=0");
    ok(accepted(&node, (struct castell_constraint){.cores = 1}),
       "who does not ask for time is not refused for it");
}

static void test_counts(void)
{
    ok(!cst_constraint_counts(&(struct castell_constraint){0}) &&
           !cst_constraint_counts(&(struct castell_constraint){
               .cores = 1, .nodes = 1, .arch = "x86_64", .feature = "big"}),
       "one core of a node need not be counted");
    ok(cst_constraint_counts(&(struct castell_constraint){.cores = 2}) &&
           cst_constraint_counts(&(struct castell_constraint){.memory = 1}) &&
           cst_constraint_counts(&(struct castell_constraint){.storage = 1}),
       "more, and memory and storage, must be");
}

int main(void)
{
    test_demands();
    test_features();
    test_wall_time();
    test_counts();
    return tap_done();
}
