/*
 * The order of tasks follows from what they do to the same bytes.
 */
#include "api/program.h"

#include <string.h>

enum { LONG = 2000, WIDE = 300 };

static long value;
static long values[WIDE];

/* ---- chains, fans ------------------------------------------------------- */

static int set(void *const *buffers, const void *argument)
{
    memcpy(buffers[0], argument, sizeof(long));
    return 0;
}

static int append_digit(void *const *buffers, const void *argument)
{
    long *into = buffers[0];
    long digit;

    memcpy(&digit, argument, sizeof(digit));
    *into = (*into * 31 + digit) % 1000003;
    return 0;
}

static int sum_all(void *const *buffers, const void *argument)
{
    const long *from = buffers[0];
    long *into = buffers[1];

    (void)argument;
    *into = 0;
    for (int i = 0; i < WIDE; i++)
        *into += from[i];
    return 0;
}

static int copy_first(void *const *buffers, const void *argument)
{
    (void)argument;
    *(long *)buffers[1] = *(const long *)buffers[0];
    return 0;
}

static struct castell_kind set_kind = {.name = "set", .body = set};
static struct castell_kind append_kind = {.name = "append",
                                          .body = append_digit};
static struct castell_kind sum_kind = {.name = "sum", .body = sum_all};
static struct castell_kind copy_kind = {.name = "copy", .body = copy_first};

static void test_chain(uint32_t cores)
{
    long expected = 0;

    start(cores);
    value = 0;
    for (long i = 0; i < LONG; i++) {
        SUBMIT(append_kind, i, ACCESS(INOUT, value));
        expected = (expected * 31 + i) % 1000003;
    }
    GO(castell_barrier());
    ok(value == expected, "a chain of %d tasks is in order, %u executors", LONG,
       cores);
    stop();
}

static void test_fan(uint32_t cores)
{
    static long sums[WIDE];
    long seven = 7;
    bool good = true;

    start(cores);
    for (long round = 1; round <= 10; round++) {
        SUBMIT(set_kind, seven, ACCESS(OUT, value));
        for (int i = 0; i < WIDE; i++)
            SUBMIT_PLAIN(copy_kind, ACCESS(IN, value), ACCESS(OUT, values[i]));
        for (int i = 0; i < WIDE; i++)
            SUBMIT(append_kind, round, ACCESS(INOUT, values[i]));
        for (int i = 0; i < WIDE; i++)
            SUBMIT_PLAIN(sum_kind, ACCESS(IN, values), ACCESS(OUT, sums[i]));
        SUBMIT(set_kind, round, ACCESS(OUT, value));
        GO(castell_barrier());
        for (int i = 0; i < WIDE; i++)
            good = good && sums[i] == WIDE * (7 * 31 + round);
    }
    ok(good, "writers and readers of parts and of all, %u executors", cores);
    stop();
}

/* ---- concurrent --------------------------------------------------------- */

static struct gate meeting;

static int meet(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    atomic_fetch_add(&meeting.waiting, 1);
    while (atomic_load(&meeting.waiting) < 2)
        pass_time();
    return 0;
}

static struct castell_kind meet_kind = {.name = "meet", .body = meet};

static void test_together(enum castell_mode mode, const char *name)
{
    struct castell_access access = ACCESS(IN, value);
    long one = 1;

    access.mode = mode;
    start(2);
    gate_shut(&meeting);
    SUBMIT(set_kind, one, ACCESS(OUT, value));
    SUBMIT_PLAIN(meet_kind, access);
    SUBMIT_PLAIN(meet_kind, access);
    SUBMIT(append_kind, one, ACCESS(INOUT, value));
    GO(castell_barrier());
    ok(value == 32, "two %s tasks run together, between writers", name);
    stop();
}

/* ---- commutative -------------------------------------------------------- */

static struct level inside[3];
static atomic_bool crowded;

static int visit(void *const *buffers, const void *argument)
{
    int places[2];

    (void)buffers;
    memcpy(places, argument, sizeof(places));
    for (int i = 0; i < 2; i++)
        if (atomic_fetch_add(&inside[places[i]].now, 1) != 0)
            atomic_store(&crowded, true);
    pass_time();
    for (int i = 0; i < 2; i++)
        atomic_fetch_sub(&inside[places[i]].now, 1);
    return 0;
}

static struct castell_kind visit_kind = {.name = "visit", .body = visit};

static void test_commutative_pairs(void)
{
    enum { VISITS = 600 };
    static char bytes[3];

    start(7);
    atomic_store(&crowded, false);
    for (int i = 0; i < VISITS; i++) {
        int places[2] = {i % 3, (i + 1 + i / 3 % 2) % 3};

        SUBMIT(visit_kind, places, ACCESS(COMMUTATIVE, bytes[places[0]]),
               ACCESS(COMMUTATIVE, bytes[places[1]]));
    }
    GO(castell_barrier());
    ok(!atomic_load(&crowded),
       "commutative tasks with two places each take turns, without deadlock");
    stop();
}

static int wait_at_gate(void *const *buffers, const void *argument)
{
    struct gate *gate;

    (void)buffers;
    memcpy(&gate, argument, sizeof(gate));
    gate_pass(gate);
    return 0;
}

static int open_gate(void *const *buffers, const void *argument)
{
    struct gate *gate;

    (void)buffers;
    memcpy(&gate, argument, sizeof(gate));
    gate_open(gate);
    return 0;
}

static struct castell_kind gate_kind = {.name = "gate", .body = wait_at_gate};
static struct castell_kind open_kind = {.name = "open", .body = open_gate};

/*
 * The first commutative task waits for another datum, whose writer is held back
 * until the second has run: in submission order that would be a deadlock.
 */
static void test_commutative_any_order(void)
{
    static struct gate gate;
    struct gate *the_gate = &gate;
    long one = 1;

    start(2);
    value = 0;
    SUBMIT(gate_kind, the_gate, ACCESS(OUT, values[0]));
    SUBMIT(append_kind, one, ACCESS(COMMUTATIVE, value), ACCESS(IN, values[0]));
    SUBMIT(open_kind, the_gate, ACCESS(COMMUTATIVE, value));
    GO(castell_barrier());
    ok(value == 1, "the commutative task that can go first does");
    stop();
}

/* ---- the last reader, and what is not known ----------------------------- */

static void test_in_delete(void)
{
    struct castell_counters before;
    struct castell_counters after;
    long seven = 7;

    start(2);
    SUBMIT(set_kind, seven, ACCESS(OUT, value));
    GO(castell_barrier());
    castell_counters(&before);
    SUBMIT_PLAIN(copy_kind, ACCESS(IN_DELETE, value), ACCESS(OUT, values[0]));
    GO(castell_barrier());
    castell_counters(&after);
    ok(values[0] == 7, "the last reader reads");
    ok(after.regions == before.regions,
       "what it deleted is forgotten: %llu regions before, %llu after",
       (unsigned long long)before.regions, (unsigned long long)after.regions);
    ok(after.task_memory == 0, "and no task takes memory: %llu bytes",
       (unsigned long long)after.task_memory);
    stop();
}

/* ---- blocks of a matrix ------------------------------------------------- */

/* Numbers wrap around, as unsigned ones may. */
static long mixed(long number, long addend)
{
    return (long)((unsigned long)number * 3 + (unsigned long)addend);
}

enum { SIDE = 12, BLOCK = 4 };

static int add_block(void *const *buffers, const void *argument)
{
    long *block = buffers[0];
    long add;

    memcpy(&add, argument, sizeof(add));
    for (int i = 0; i < BLOCK; i++)
        for (int j = 0; j < BLOCK; j++)
            block[i * SIDE + j] = mixed(block[i * SIDE + j], add);
    return 0;
}

static int add_row(void *const *buffers, const void *argument)
{
    long *row = buffers[0];
    long add;

    memcpy(&add, argument, sizeof(add));
    for (int j = 0; j < SIDE; j++)
        row[j] = mixed(row[j], add);
    return 0;
}

static struct castell_kind block_kind = {.name = "block", .body = add_block};
static struct castell_kind row_kind = {.name = "row", .body = add_row};

/* Blocks, rows and single elements in turns, against the sequential result. */
static void test_matrix(void)
{
    static long matrix[SIDE * SIDE];
    static long wanted[SIDE * SIDE];
    uint32_t random = 12345;

    start(3);
    for (long step = 1; step <= 400; step++) {
        int i = (int)((random = random * 1103515245 + 12345) >> 16) %
                (SIDE - BLOCK);
        int j = (int)((random = random * 1103515245 + 12345) >> 16) %
                (SIDE - BLOCK);
        void *buffer;

        if (step % 3 == 0) {
            SUBMIT(row_kind, step, ELEMENTS(INOUT, matrix + i * SIDE, SIDE));
            buffer = wanted + i * SIDE;
            (void)add_row(&buffer, &step);
            continue;
        }
        SUBMIT(block_kind, step,
               {.base = matrix + i * SIDE + j,
                .size = BLOCK * sizeof(long),
                .rows = BLOCK,
                .pitch = SIDE * sizeof(long),
                .mode = CASTELL_INOUT});
        buffer = wanted + i * SIDE + j;
        (void)add_block(&buffer, &step);
    }
    GO(castell_barrier());
    ok(memcmp(matrix, wanted, sizeof(matrix)) == 0,
       "overlapping blocks and rows give the sequential result");
    stop();
}

int main(void)
{
    test_chain(1);
    test_chain(2);
    test_chain(7);
    test_fan(1);
    test_fan(3);
    test_together(CASTELL_IN, "reading");
    test_together(CASTELL_CONCURRENT, "concurrent");
    test_commutative_pairs();
    test_commutative_any_order();
    test_in_delete();
    test_matrix();
    return tap_done();
}
