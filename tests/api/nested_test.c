/*
 * Tasks in tasks: what a body submits are its children. Waiting in bodies.
 */
#include "api/program.h"

#include <pthread.h>
#include <string.h>

/* ---- recursions --------------------------------------------------------- */

struct fib {
    int n;
    int leaf; /* at or below it the body computes alone */
    long *into;
};

static long fib_alone(int n)
{
    long a = 0;
    long b = 1;

    for (int i = 0; i < n; i++) {
        long sum = a + b;

        a = b;
        b = sum;
    }
    return a;
}

static int fib_body(void *const *buffers, const void *argument);
static struct castell_kind fib_kind = {.name = "fib", .body = fib_body};

static int fib_body(void *const *buffers, const void *argument)
{
    struct fib fib;
    long parts[2];

    memcpy(&fib, argument, sizeof(fib));
    if (fib.n <= fib.leaf) {
        *(long *)buffers[0] = fib_alone(fib.n);
        return 0;
    }
    for (int i = 0; i < 2; i++) {
        struct fib part = {fib.n - 1 - i, fib.leaf, &parts[i]};

        SUBMIT(fib_kind, part, ACCESS(OUT, parts[i]));
    }
    GO(castell_barrier());
    *(long *)buffers[0] = parts[0] + parts[1];
    return 0;
}

static void test_fib(uint32_t cores)
{
    struct fib fib = {is_slow() ? 14 : 20, 1, NULL};
    long result = 0;

    start(cores);
    SUBMIT(fib_kind, fib, ACCESS(OUT, result));
    GO(castell_barrier());
    ok(result == fib_alone(fib.n), "fib(%d) by nested tasks, %u executors",
       fib.n, cores);
    stop();
}

enum { SORTED = 1 << 14, RUN = 64 };

struct range {
    int *from;
    int *spare;
    size_t count;
};

static int merge_body(void *const *buffers, const void *argument)
{
    struct range range;
    size_t half;
    size_t i = 0;
    size_t j;

    (void)buffers;
    memcpy(&range, argument, sizeof(range));
    half = range.count / 2;
    j = half;
    for (size_t k = 0; k < range.count; k++)
        range.spare[k] =
            j == range.count || (i < half && range.from[i] <= range.from[j])
                ? range.from[i++]
                : range.from[j++];
    memcpy(range.from, range.spare, range.count * sizeof(int));
    return 0;
}

static struct castell_kind merge_kind = {.name = "merge", .body = merge_body};
static int sort_body(void *const *buffers, const void *argument);
static struct castell_kind sort_kind = {.name = "sort", .body = sort_body};

/* Never waits: the order of its children follows from what they access, and it
   is complete when they are. */
static int sort_body(void *const *buffers, const void *argument)
{
    struct range range;

    (void)buffers;
    memcpy(&range, argument, sizeof(range));
    if (range.count <= RUN) {
        for (size_t i = 1; i < range.count; i++)
            for (size_t j = i; j > 0 && range.from[j - 1] > range.from[j];
                 j--) {
                int swapped = range.from[j];

                range.from[j] = range.from[j - 1];
                range.from[j - 1] = swapped;
            }
        return 0;
    }
    for (int i = 0; i < 2; i++) {
        size_t half = range.count / 2;
        struct range part = {range.from + (i ? half : 0),
                             range.spare + (i ? half : 0),
                             i ? range.count - half : half};

        SUBMIT(sort_kind, part, ELEMENTS(INOUT, part.from, part.count),
               ELEMENTS(OUT, part.spare, part.count));
    }
    SUBMIT(merge_kind, range, ELEMENTS(INOUT, range.from, range.count),
           ELEMENTS(OUT, range.spare, range.count));
    return 0;
}

static void test_sort(uint32_t cores)
{
    static int numbers[SORTED];
    static int spare[SORTED];
    struct range all = {numbers, spare, SORTED};
    struct castell_access region = ACCESS(IN, numbers);
    uint32_t random = 1;
    bool sorted = true;

    for (size_t i = 0; i < SORTED; i++)
        numbers[i] = (int)((random = random * 1664525 + 1013904223) >> 8);
    start(cores);
    SUBMIT(sort_kind, all, ACCESS(INOUT, numbers), ACCESS(OUT, spare));
    GO(castell_wait_on(&region, 1));
    for (size_t i = 1; i < SORTED; i++)
        sorted = sorted && numbers[i - 1] <= numbers[i];
    ok(sorted, "a merge sort whose bodies never wait, %u executors", cores);
    stop();
}

/* ---- queens, by commutative counts -------------------------------------- */

enum { QUEENS = 7 };

struct board {
    int row;
    uint32_t columns;
    uint32_t left;
    uint32_t right;
    long *count;
};

static int queens_body(void *const *buffers, const void *argument);
static struct castell_kind queens_kind = {.name = "queens",
                                          .body = queens_body};

static int queens_body(void *const *buffers, const void *argument)
{
    struct board board;

    (void)buffers;
    memcpy(&board, argument, sizeof(board));
    if (board.row == QUEENS) {
        ++*board.count;
        return 0;
    }
    for (uint32_t column = 0; column < QUEENS; column++) {
        uint32_t bit = 1u << column;
        struct board next = {board.row + 1, board.columns | bit,
                             (board.left | bit) << 1, (board.right | bit) >> 1,
                             board.count};

        if ((board.columns | board.left | board.right) & bit)
            continue;
        SUBMIT(queens_kind, next,
               ELEMENTS(COMMUTATIVE, board.count, (size_t)1));
    }
    return 0;
}

static void test_queens(uint32_t cores)
{
    long count = 0;
    struct board board = {0, 0, 0, 0, &count};

    start(cores);
    SUBMIT(queens_kind, board, ACCESS(COMMUTATIVE, count));
    GO(castell_barrier());
    ok(count == 40, "%d queens have 40 solutions: %ld, %u executors", QUEENS,
       count, cores);
    stop();
}

/* ---- deep ---------------------------------------------------------------- */

enum { DEPTH = 1000 };

static int dig_body(void *const *buffers, const void *argument);
static struct castell_kind dig_kind = {.name = "dig", .body = dig_body};
static atomic_long dug;

static int dig_body(void *const *buffers, const void *argument)
{
    int depth;

    (void)buffers;
    memcpy(&depth, argument, sizeof(depth));
    atomic_fetch_add(&dug, 1);
    if (depth == 0)
        return 0;
    depth--;
    GO(castell_task_wait(submit(&dig_kind, &depth, sizeof(depth), NULL, 0)));
    atomic_fetch_add(&dug, 1000000);
    return 0;
}

static void test_deep(uint32_t cores)
{
    int depth = DEPTH;

    start(cores);
    atomic_store(&dug, 0);
    submit(&dig_kind, &depth, sizeof(depth), NULL, 0);
    GO(castell_barrier());
    ok(atomic_load(&dug) == DEPTH + 1 + DEPTH * 1000000L,
       "%d tasks that wait in one another, %u executors", DEPTH, cores);
    stop();
}

/* A thread whose stack is too small for them: others take over. */
static void *dig_in_thread(void *argument)
{
    (void)argument;
    test_deep(1);
    return NULL;
}

static void test_small_stack(void)
{
    pthread_attr_t attributes;
    pthread_t thread;

    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes,
                                    is_slow() ? 2 << 20 : 640 << 10);
    NEED(pthread_create(&thread, &attributes, dig_in_thread, NULL) == 0,
         "no thread");
    (void)pthread_join(thread, NULL);
    (void)pthread_attr_destroy(&attributes);
}

static int chain_body(void *const *buffers, const void *argument);
static struct castell_kind chain_kind = {.name = "chain", .body = chain_body};

/* Each submits the next and returns: parents of parents stay unfinished. */
static int chain_body(void *const *buffers, const void *argument)
{
    int left;

    (void)buffers;
    memcpy(&left, argument, sizeof(left));
    atomic_fetch_add(&dug, 1);
    if (left-- > 0)
        submit(&chain_kind, &left, sizeof(left), NULL, 0);
    return 0;
}

/* Deeper than 65536. */
static void test_long_chain(void)
{
    enum { LINKS = 70000 };
    int left = LINKS;
    long value = 0;

    start(2);
    atomic_store(&dug, 0);
    SUBMIT(chain_kind, left, ACCESS(INOUT, value));
    GO(castell_barrier());
    ok(atomic_load(&dug) == LINKS + 1, "a chain of %d tasks in tasks", LINKS);
    stop();
}

/* ---- whose barrier ------------------------------------------------------- */

static struct gate gate;
static atomic_bool early;
static atomic_int leaves;

static int gated_body(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    gate_pass(&gate);
    return 0;
}

static int leaf_body(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    atomic_fetch_add(&leaves, 1);
    return 0;
}

static struct castell_kind gated_kind = {.name = "gated", .body = gated_body};
static struct castell_kind leaf_kind = {.name = "leaf", .body = leaf_body};

/* Its barrier must not wait for the gate, which it opens afterwards. */
static int own_body(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    gate_await(&gate, 1); /* in another executor, not on top of this body */
    for (int i = 0; i < 10; i++)
        submit(&leaf_kind, NULL, 0, NULL, 0);
    GO(castell_barrier());
    if (atomic_load(&leaves) != 10)
        atomic_store(&early, true);
    gate_open(&gate);
    return 0;
}

static struct castell_kind own_kind = {.name = "own", .body = own_body};

static void test_own_children(void)
{
    start(2);
    gate_shut(&gate);
    submit(&gated_kind, NULL, 0, NULL, 0);
    submit(&own_kind, NULL, 0, NULL, 0);
    GO(castell_barrier());
    ok(!atomic_load(&early), "a barrier in a body waits for its children only");
    stop();
}

static atomic_bool child_done;
static atomic_bool was_done;

static int slow_child_body(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    for (int i = 0; i < 1000; i++)
        pass_time();
    atomic_store(&child_done, true);
    return 0;
}

static struct castell_kind slow_child_kind = {.name = "slow_child",
                                              .body = slow_child_body};

static int parent_body(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    submit(&slow_child_kind, NULL, 0, NULL, 0);
    return 0;
}

static int after_body(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    atomic_store(&was_done, atomic_load(&child_done));
    return 0;
}

static struct castell_kind parent_kind = {.name = "parent",
                                          .body = parent_body};
static struct castell_kind after_kind = {.name = "after", .body = after_body};

static void test_complete(void)
{
    long value = 0;
    struct castell_task task;

    start(3);
    task = SUBMIT_PLAIN(parent_kind, ACCESS(OUT, value));
    SUBMIT_PLAIN(after_kind, ACCESS(IN, value));
    GO(castell_task_wait(task));
    ok(atomic_load(&child_done), "a task is over when its children are");
    GO(castell_barrier());
    ok(atomic_load(&was_done), "and only then its readers run");
    stop();
}

int main(void)
{
    for (uint32_t cores = 1; cores <= 7; cores += 3) {
        test_fib(cores);
        test_sort(cores);
        test_queens(cores);
        test_deep(cores);
    }
    test_small_stack();
    test_long_chain();
    test_own_children();
    test_complete();
    return tap_done();
}
