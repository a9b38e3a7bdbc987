/*
 * Tasks that need more than a core: what they hold, wait for, lend and get back.
 */
#include "api/program.h"

#include <sched.h>
#include <string.h>

#define MiB (UINT64_C(1) << 20)

static void start_with(uint32_t cores, uint64_t memory, uint64_t storage)
{
    GO(castell_start_with(&(struct castell_options){
        .cores = cores, .memory = memory, .storage = storage}));
}

/* ---- several cores ------------------------------------------------------- */

static struct level cores_in_use;
static atomic_int wrong;

/* Take what the task holds, for a while, and see that nobody else does. */
static void use_cores(long most)
{
    long mine = (long)castell_task_cores();

    level_raise(&cores_in_use, mine);
    if (atomic_load(&cores_in_use.now) > most)
        atomic_fetch_add(&wrong, 1);
    for (int i = 0; i < 20; i++)
        pass_time();
    level_lower(&cores_in_use, mine);
}

static int use_body(void *const *buffers, const void *argument)
{
    uint32_t wanted;

    (void)buffers;
    memcpy(&wanted, argument, sizeof(wanted));
    if (castell_task_cores() != wanted)
        atomic_fetch_add(&wrong, 1);
    use_cores((long)castell_executors_count());
    return 0;
}

static struct castell_kind one_kind = {.name = "one", .body = use_body};
static struct castell_kind two_kind = {
    .name = "two", .body = use_body, .constraint = {.cores = 2}};
static struct castell_kind three_kind = {
    .name = "three", .body = use_body, .constraint = {.cores = 3}};

static void test_cores(uint32_t executors)
{
    static const uint32_t sizes[] = {1, 2, 3};
    static struct castell_kind *kinds[] = {&one_kind, &two_kind, &three_kind};

    start_with(executors, 0, 0);
    atomic_store(&wrong, 0);
    atomic_store(&cores_in_use.highest, 0);
    for (uint32_t i = 0; i < 300; i++) {
        uint32_t which = i * 7 % 5 % 3;

        if (sizes[which] > executors)
            which = 0;
        submit(kinds[which], &sizes[which], sizeof(sizes[which]), NULL, 0);
        if (i % 64 == 63) /* main away, and waiting */
            GO(castell_barrier());
    }
    GO(castell_barrier());
    ok(atomic_load(&wrong) == 0 &&
           atomic_load(&cores_in_use.highest) <= (long)executors,
       "tasks of 1 to 3 cores hold what they need, %u executors: %ld in use",
       executors, atomic_load(&cores_in_use.highest));
    stop();
}

/* Main computes meanwhile; its core counts as there. */
static void test_main_away(void)
{
    uint32_t two = 2;
    struct castell_counters counters;

    start_with(2, 0, 0);
    atomic_store(&wrong, 0);
    for (int i = 0; i < 20; i++)
        submit(&two_kind, &two, sizeof(two), NULL, 0);
    do {
        pass_time();
        castell_counters(&counters);
    } while (counters.finished < 20);
    ok(atomic_load(&wrong) == 0, "tasks of all cores run while main is away");
    stop();
}

/* ---- waits of tasks of several cores ------------------------------------- */

struct tree {
    int depth;
    uint64_t memory; /* of each */
    uint32_t cores;
    int width;
};

static struct level memory_in_use;
static atomic_int trees;
static int tree_body(void *const *buffers, const void *argument);
static struct castell_kind tree_kind = {.name = "tree", .body = tree_body};

static void tree_submit(const struct tree *tree, bool undeferred)
{
    struct castell_constraint constraint = {.cores = tree->cores,
                                            .memory = tree->memory};
    struct castell_submission submission = {
        .kind = &tree_kind,
        .argument = tree,
        .argument_size = sizeof(*tree),
        .constraint = &constraint,
        .undeferred = undeferred,
    };

    GO(castell_task_submit(&submission, NULL));
}

/* What a body holds, from the outside. */
static void hold(const struct tree *tree)
{
    if (castell_task_cores() != tree->cores)
        atomic_fetch_add(&wrong, 1);
    level_raise(&cores_in_use, (long)tree->cores);
    level_raise(&memory_in_use, (long)tree->memory);
}

static void let_go(const struct tree *tree)
{
    level_lower(&memory_in_use, (long)tree->memory);
    level_lower(&cores_in_use, (long)tree->cores);
}

static int tree_body(void *const *buffers, const void *argument)
{
    struct tree tree;
    struct tree child;

    (void)buffers;
    memcpy(&tree, argument, sizeof(tree));
    atomic_fetch_add(&trees, 1);
    hold(&tree);
    pass_time();
    child = tree;
    child.depth--;
    for (int round = 0; round < 2 && tree.depth > 0; round++) {
        for (int i = 1; i < tree.width; i++)
            tree_submit(&child, false);
        let_go(&tree);
        tree_submit(&child, true);
        GO(castell_barrier());
        hold(&tree);
        pass_time();
    }
    let_go(&tree);
    return 0;
}

static void test_tree(uint32_t executors, struct tree tree, const char *name)
{
    int wanted = 1;
    int level = 1;

    for (int i = 0; i < tree.depth; i++) {
        level *= 2 * tree.width;
        wanted += level;
    }
    start_with(executors, 10 * MiB, 0);
    atomic_store(&wrong, 0);
    atomic_store(&trees, 0);
    atomic_store(&cores_in_use.highest, 0);
    atomic_store(&memory_in_use.highest, 0);
    for (int i = 0; i < 3; i++)
        tree_submit(&tree, false);
    GO(castell_barrier());
    ok(atomic_load(&trees) == 3 * wanted && atomic_load(&wrong) == 0,
       "%s, %u executors: %d tasks ran", name, executors, atomic_load(&trees));
    ok(atomic_load(&cores_in_use.highest) <= (long)executors &&
           atomic_load(&memory_in_use.highest) <= (long)(10 * MiB),
       "%s, %u executors: never more than there is: %ld cores, %ld MiB", name,
       executors, atomic_load(&cores_in_use.highest),
       atomic_load(&memory_in_use.highest) >> 20);
    stop();
}

static void test_trees(void)
{
    struct tree cores = {.depth = 2, .cores = 2, .width = 2};
    struct tree memory = {
        .depth = 2, .memory = 8 * MiB, .cores = 1, .width = 3};
    struct tree both = {.depth = 2, .memory = 4 * MiB, .cores = 2, .width = 2};

    test_tree(2, cores, "tasks of two cores that wait for such");
    test_tree(3, cores, "tasks of two cores that wait for such");
    test_tree(5, cores, "tasks of two cores that wait for such");
    test_tree(1, memory, "tasks of much memory that wait for such");
    test_tree(2, memory, "tasks of much memory that wait for such");
    test_tree(7, memory, "tasks of much memory that wait for such");
    test_tree(2, both, "tasks of cores and memory");
    test_tree(5, both, "tasks of cores and memory");
}

/* ---- undeferred ones that need nothing ----------------------------------- */

static struct castell_kind leaf_kind = {.name = "leaf", .body = use_body};

/* It waits, and so does what it was called from, for what that one holds. */
static int between_body(void *const *buffers, const void *argument)
{
    uint32_t one = 1;
    struct castell_constraint constraint;

    (void)buffers;
    memcpy(&constraint, argument, sizeof(constraint));
    if (castell_task_cores() != 1)
        atomic_fetch_add(&wrong, 1);
    for (int i = 0; i < 4; i++) {
        struct castell_submission submission = {
            .kind = &leaf_kind,
            .argument = i % 2 ? &constraint.cores : &one,
            .argument_size = sizeof(one),
            .constraint = i % 2 ? &constraint : NULL,
            .undeferred = i == 3,
        };

        GO(castell_task_submit(&submission, NULL));
    }
    GO(castell_barrier());
    return castell_task_cores() == 1 ? 0 : 1;
}

static struct castell_kind between_kind = {.name = "between",
                                           .body = between_body};

static int around_body(void *const *buffers, const void *argument)
{
    struct castell_constraint constraint;
    struct castell_submission submission = {
        .kind = &between_kind,
        .argument = argument,
        .argument_size = sizeof(constraint),
        .undeferred = true,
    };

    (void)buffers;
    memcpy(&constraint, argument, sizeof(constraint));
    GO(castell_task_submit(&submission, NULL));
    use_cores((long)castell_executors_count());
    return castell_task_cores() == constraint.cores ? 0 : 1;
}

static struct castell_kind around_kind = {.name = "around",
                                          .body = around_body};

static void test_between(uint32_t executors, struct castell_constraint needs)
{
    struct castell_submission submission = {
        .kind = &around_kind,
        .argument = &needs,
        .argument_size = sizeof(needs),
        .constraint = &needs,
    };

    start_with(executors, 10 * MiB, 0);
    atomic_store(&wrong, 0);
    for (int i = 0; i < 20; i++) {
        submission.undeferred = i % 4 == 3;
        GO(castell_task_submit(&submission, NULL));
    }
    GO(castell_barrier());
    ok(atomic_load(&wrong) == 0,
       "what an undeferred one waits for gets what its caller holds, %u cores, "
       "%d MiB of memory, %u executors",
       needs.cores, (int)(needs.memory >> 20), executors);
    stop();
}

/* ---- memory and storage -------------------------------------------------- */

struct amount {
    uint64_t memory;
    uint64_t storage;
};

static struct level storage_in_use;

static int amount_body(void *const *buffers, const void *argument)
{
    struct amount amount;

    (void)buffers;
    memcpy(&amount, argument, sizeof(amount));
    level_raise(&memory_in_use, (long)amount.memory);
    level_raise(&storage_in_use, (long)amount.storage);
    for (int i = 0; i < 10; i++)
        pass_time();
    level_lower(&memory_in_use, (long)amount.memory);
    level_lower(&storage_in_use, (long)amount.storage);
    return 0;
}

static struct castell_kind amount_kind = {.name = "amount",
                                          .body = amount_body};

static void test_amounts(void)
{
    start_with(7, 10 * MiB, 5 * MiB);
    atomic_store(&memory_in_use.highest, 0);
    for (uint64_t i = 0; i < 500; i++) {
        struct amount amount = {i * 3 % 11 * MiB, i * 5 % 6 * MiB};
        struct castell_constraint constraint = {.memory = amount.memory,
                                                .storage = amount.storage};
        struct castell_submission submission = {
            .kind = &amount_kind,
            .argument = &amount,
            .argument_size = sizeof(amount),
            .constraint = &constraint,
            .priority = (int)(i % 3),
        };

        GO(castell_task_submit(&submission, NULL));
    }
    GO(castell_barrier());
    ok(atomic_load(&memory_in_use.highest) <= (long)(10 * MiB) &&
           atomic_load(&memory_in_use.highest) > (long)(5 * MiB),
       "memory is promised up to the limit: %ld MiB of 10",
       atomic_load(&memory_in_use.highest) >> 20);
    ok(atomic_load(&storage_in_use.highest) <= (long)(5 * MiB),
       "so is storage: %ld MiB of 5",
       atomic_load(&storage_in_use.highest) >> 20);
    stop();
}

/* ---- what cannot be had --------------------------------------------------- */

static enum castell_status try_one(const struct castell_constraint *constraint)
{
    struct castell_submission submission = {
        .kind = &amount_kind,
        .argument = &(struct amount){0},
        .argument_size = sizeof(struct amount),
        .constraint = constraint,
        .where = "file.c:12",
    };

    return castell_task_submit(&submission, NULL);
}

static void refused(struct castell_constraint constraint, const char *words)
{
    enum castell_status status = try_one(&constraint);

    ok(failed_with(status, CASTELL_ERR_UNSATISFIABLE, "amount file.c:12") &&
           failed_with(status, CASTELL_ERR_UNSATISFIABLE, words),
       "refused, with task, demand and node: %s", words);
}

static struct castell_kind far_kind = {
    .name = "far", .body = amount_body, .constraint = {.arch = "vax"}};

static void test_refused(void)
{
    const char *arch = "x86_64";
    struct castell_submission far = {.kind = &far_kind};
    struct castell_submission near = far;
    struct castell_constraint none = {0};

#ifdef __aarch64__
    arch = "aarch64";
#endif
    GO(castell_start_with(&(struct castell_options){.cores = 2,
                                                    .memory = 10 * MiB,
                                                    .storage = 5 * MiB,
                                                    .features = "big,fast"}));
    refused((struct castell_constraint){.cores = 3}, "cores=3 node cores=2");
    refused((struct castell_constraint){.memory = 10 * MiB + 1},
            "memory=10485761 memory=10485760");
    refused((struct castell_constraint){.storage = 6 * MiB}, "storage=");
    refused((struct castell_constraint){.gpus = 1}, "gpus=1 gpus=0");
    refused((struct castell_constraint){.gpu_memory = 1}, "gpu_memory=1");
    refused((struct castell_constraint){.nodes = 2}, "nodes=2 nodes=1");
    refused((struct castell_constraint){.arch = "vax"}, "arch=vax arch=");
    refused((struct castell_constraint){.feature = "bi"},
            "feature=bi feature=big,fast");
    ok(try_one(&(struct castell_constraint){.cores = 2,
                                            .memory = 10 * MiB,
                                            .storage = 5 * MiB,
                                            .nodes = 1,
                                            .arch = arch,
                                            .feature = "fast"}) == CASTELL_OK,
       "all that there is can be had");
    ok(failed_with(castell_task_submit(&far, NULL), CASTELL_ERR_UNSATISFIABLE,
                   "far arch=vax"),
       "the kind's own demand is refused too");
    near.constraint = &none;
    near.argument = &(struct amount){0};
    near.argument_size = sizeof(struct amount);
    ok(castell_task_submit(&near, NULL) == CASTELL_OK,
       "a call's demand stands in place of the kind's");
    GO(castell_barrier());
    stop();
}

int main(void)
{
    test_cores(2);
    test_cores(3);
    test_cores(7);
    test_main_away();
    test_trees();
    test_between(2, (struct castell_constraint){.cores = 2});
    test_between(3, (struct castell_constraint){.cores = 2});
    test_between(2, (struct castell_constraint){1, .memory = 10 * MiB});
    test_amounts();
    test_refused();
    return tap_done();
}
