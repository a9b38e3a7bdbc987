/*
 * Random programs on two devices with room for a few buffers: they end, and are
 * right, also when a device is lost in the middle.
 */
#include "base/fail.h"
#include "depot/depot.h"
#include "fake_device.h"
#include "harness/tap.h"

#include <stdlib.h>
#include <string.h>

enum {
    PROGRAMS = 10000,
    TASKS = 24,
    USES_MAX = 3,
    PITCH = 16,
    BYTES = 24 * PITCH,
    PENDING_MAX = 3, /* a device */
    CAPACITY = 4 * 256,
};

static unsigned char memory[BYTES];
static unsigned char model[BYTES];
static uint64_t state;

static uint32_t draw(uint32_t below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % below;
}

struct task {
    struct cst_depot_use uses[USES_MAX];
    uint32_t count;
    uint32_t number;
    void *event;
};

struct line {
    struct task tasks[PENDING_MAX];
    uint32_t count;
};

struct program {
    struct cst_depot *depot;
    struct line lines[FAKE_DEVICES];
    bool lost; /* something was, and it was said */
    bool wrong;
};

/* ---- What a task computes ------------------------------------------------ */

struct shape {
    uint32_t number;
    uint32_t count;
    struct {
        uint16_t bytes;
        bool reads, writes;
    } uses[USES_MAX];
};

static struct shape shape_of(const struct task *task)
{
    struct shape shape = {.number = task->number, .count = task->count};

    for (uint32_t i = 0; i < task->count; i++) {
        shape.uses[i].bytes = (uint16_t)cst_region_bytes(&task->uses[i].region);
        shape.uses[i].reads = task->uses[i].reads;
        shape.uses[i].writes = task->uses[i].writes;
    }
    return shape;
}

static void compute(unsigned char *const *blocks, const void *argument)
{
    const struct shape *shape = argument;
    uint32_t sum = shape->number;

    for (uint32_t i = 0; i < shape->count; i++)
        for (uint32_t j = 0; shape->uses[i].reads && j < shape->uses[i].bytes;
             j++)
            sum = sum * 31 + blocks[i][j];
    for (uint32_t i = 0; i < shape->count; i++)
        for (uint32_t j = 0; shape->uses[i].writes && j < shape->uses[i].bytes;
             j++)
            blocks[i][j] = (unsigned char)((sum >> (j % 24)) + j);
}

/* The same on memory where rows are apart. */
static void compute_in(unsigned char *bytes, const struct task *task)
{
    struct shape shape = shape_of(task);
    unsigned char packed[USES_MAX][BYTES];
    unsigned char *blocks[USES_MAX];

    for (int back = 0; back < 2; back++) {
        for (uint32_t i = 0; i < task->count; i++) {
            const struct cst_region *region = &task->uses[i].region;
            unsigned char *base =
                bytes + (region->base - (uintptr_t)(void *)memory);

            blocks[i] = packed[i];
            for (size_t row = 0; row < region->rows; row++) {
                unsigned char *there = base + row * region->pitch;
                unsigned char *here = packed[i] + row * region->size;

                if (!back)
                    memcpy(here, there, region->size);
                else if (task->uses[i].writes)
                    memcpy(there, here, region->size);
            }
        }
        if (!back)
            compute(blocks, &shape);
    }
}

/* ---- Making tasks -------------------------------------------------------- */

static struct cst_region draw_region(void)
{
    struct cst_region region;

    if (draw(3) == 0) {
        size_t row = draw(20);

        region.size = 1 + draw(8);
        region.rows = 2 + draw(3);
        region.pitch = PITCH;
        region.base = (uintptr_t)(void *)memory + row * PITCH + draw(8);
    } else {
        region.base = (uintptr_t)(void *)memory + 32 * (uintptr_t)draw(10);
        region.size = draw(2) ? 32 : 1 + draw(64);
        region.rows = 1;
        region.pitch = region.size;
    }
    cst_region_normalise(&region);
    return region;
}

static bool clash(const struct cst_depot_use *a, const struct cst_depot_use *b)
{
    return (a->writes || b->writes) &&
           cst_region_overlap(&a->region, &b->region);
}

static void draw_task(struct task *task, uint32_t number)
{
    memset(task, 0, sizeof(*task));
    task->number = number;
    for (uint32_t i = 1 + draw(USES_MAX); i > 0; i--) {
        struct cst_depot_use *use = &task->uses[task->count];
        uint32_t mode = 1 + draw(3);
        bool fits = true;

        use->region = draw_region();
        use->reads = mode & 1;
        use->writes = mode & 2;
        use->keeps = draw(8) == 0;
        for (uint32_t j = 0; j < task->count; j++)
            fits = fits && !clash(use, &task->uses[j]);
        task->count += fits;
    }
}

/* ---- Running them -------------------------------------------------------- */

static void end_oldest(struct program *program, uint32_t number)
{
    struct cst_depot_device *device = cst_depot_at(program->depot, number);
    struct line *line = &program->lines[number];
    struct task *task = &line->tasks[0];
    bool good = fake_ops.event_wait(device->handle, task->event) == CASTELL_OK;

    fake_ops.event_destroy(device->handle, task->event);
    if (!good)
        cst_depot_lose(program->depot, device);
    program->lost = program->lost || !good;
    cst_depot_release(program->depot, device, task->uses, task->count,
                      good ? CST_DEPOT_DONE : CST_DEPOT_UNDONE);
    line->count--;
    memmove(&line->tasks[0], &line->tasks[1],
            line->count * sizeof(line->tasks[0]));
}

/* What excludes the task ends first. */
static void order(struct program *program, const struct task *task)
{
    for (uint32_t i = 0; i < FAKE_DEVICES; i++) {
        uint32_t must_end = 0;

        for (uint32_t j = 0; j < program->lines[i].count; j++)
            for (uint32_t k = 0; k < USES_MAX * USES_MAX; k++) {
                const struct task *other = &program->lines[i].tasks[j];
                uint32_t a = k / USES_MAX;
                uint32_t b = k % USES_MAX;

                if (a < task->count && b < other->count &&
                    clash(&task->uses[a], &other->uses[b]))
                    must_end = j + 1;
            }
        while (must_end-- > 0)
            end_oldest(program, i);
    }
}

static void run_on_main(struct program *program, const struct task *task)
{
    for (uint32_t i = 0; i < task->count; i++)
        if (cst_depot_to_main(program->depot, &task->uses[i].region,
                              task->uses[i].reads,
                              task->uses[i].writes) != CASTELL_OK)
            program->lost = true;
    compute_in(memory, task);
}

/* False: the device cannot. */
static bool run_on_device(struct program *program, uint32_t number,
                          const struct task *from)
{
    struct cst_depot_device *device = cst_depot_at(program->depot, number);
    struct line *line = &program->lines[number];
    void *blocks[USES_MAX];
    struct shape shape;
    enum castell_status status;
    struct task *task;

    if (line->count == PENDING_MAX)
        end_oldest(program, number);
    task = &line->tasks[line->count];
    *task = *from;
    while ((status = cst_depot_acquire(program->depot, device, task->uses,
                                       task->count)) == CASTELL_ERR_LIMIT &&
           line->count > 0) {
        struct task kept = *task;

        end_oldest(program, number);
        task = &line->tasks[line->count];
        *task = kept;
    }
    if (status == CASTELL_ERR_NODE_LOST)
        cst_depot_lose(program->depot, device);
    if (status != CASTELL_OK) {
        program->lost = program->lost || status == CASTELL_ERR_TASK_FAILED;
        program->wrong = program->wrong || status == CASTELL_ERR_LIMIT;
        return false;
    }
    for (uint32_t i = 0; i < task->count; i++)
        blocks[i] = task->uses[i].memory;
    shape = shape_of(task);
    fake_launch(device->handle, compute, blocks, task->count, &shape,
                sizeof(shape));
    if (fake_ops.record(device->handle, CST_DEVICE_RUN, &task->event) !=
        CASTELL_OK) {
        cst_depot_lose(program->depot, device);
        cst_depot_release(program->depot, device, task->uses, task->count,
                          CST_DEPOT_UNDONE);
        program->lost = true;
        return true;
    }
    line->count++;
    return true;
}

static bool run_program(uint64_t seed, bool loses)
{
    static const struct cst_device_ops *const drivers[] = {&fake_ops, NULL};
    const struct cst_depot_options options = {.drivers = drivers,
                                              .memory = CAPACITY};
    struct program program = {0};

    state = seed;
    fake_begin(seed + 1);
    if (cst_depot_open(&options, &program.depot) != CASTELL_OK)
        tap_bail(castell_error_text());
    for (size_t i = 0; i < BYTES; i++)
        memory[i] = model[i] = (unsigned char)i;
    if (loses)
        fake_lose_after(cst_depot_at(program.depot, draw(2))->handle,
                        1 + draw(150));
    for (uint32_t i = 0; i < TASKS && !program.lost && !program.wrong; i++) {
        struct task task;
        uint32_t where = draw(FAKE_DEVICES + 1);

        draw_task(&task, i);
        order(&program, &task);
        if (program.lost)
            break;
        if (where == FAKE_DEVICES || !run_on_device(&program, where, &task))
            run_on_main(&program, &task);
        compute_in(model, &task);
        cst_depot_check(program.depot);
    }
    for (uint32_t i = 0; i < FAKE_DEVICES; i++)
        while (program.lines[i].count > 0)
            end_oldest(&program, i);
    if (cst_depot_all_to_main(program.depot) != CASTELL_OK)
        program.lost = true;
    if (!program.lost && memcmp(memory, model, BYTES) != 0)
        program.wrong = true;
    if (program.lost && !loses)
        program.wrong = true;
    cst_depot_close(program.depot);
    return !program.wrong && fake_blocks() == 0;
}

/* ---- How fast ------------------------------------------------------------ */

/* Bring it to the device, in so many ns. */
static uint64_t bring(struct cst_depot *depot, const unsigned char *bytes,
                      size_t size, uint64_t ns)
{
    struct cst_depot_device *device = cst_depot_at(depot, 0);
    struct cst_depot_use use = {.region = {(uintptr_t)bytes, size, 1, size},
                                .reads = true};

    fake_elapsed_ns = ns;
    if (cst_depot_acquire(depot, device, &use, 1) != CASTELL_OK ||
        fake_ops.finish(device->handle, CST_DEVICE_IN) != CASTELL_OK)
        tap_bail(castell_error_text());
    cst_depot_release(depot, device, &use, 1, CST_DEPOT_DONE);
    if (cst_depot_to_main(depot, &use.region, true, true) != CASTELL_OK)
        tap_bail(castell_error_text());
    return atomic_load(&device->bytes_per_us);
}

static void test_rate(void)
{
    enum { LARGE = 128 * 1024 };
    static const struct cst_device_ops *const drivers[] = {&fake_ops, NULL};
    const struct cst_depot_options options = {.drivers = drivers,
                                              .memory = (size_t)2 * LARGE};
    static unsigned char bytes[LARGE];
    struct cst_depot *depot = NULL;
    uint64_t first;
    uint64_t rate = 0;

    fake_begin(1);
    if (cst_depot_open(&options, &depot) != CASTELL_OK)
        tap_bail(castell_error_text());
    first = atomic_load(&cst_depot_at(depot, 0)->bytes_per_us);
    for (int i = 0; i < 20; i++)
        rate = bring(depot, bytes, 64, 1);
    ok(rate == first, "short copies tell nothing");
    for (int i = 0; i < 20; i++)
        rate = bring(depot, bytes, LARGE, 0);
    ok(rate == first, "nor do those whose time is not known");
    for (int i = 0; i < 5; i++)
        rate = bring(depot, bytes, LARGE, i == 1 ? 100000 : 1024);
    ok(rate == LARGE * 1000 / 1024, "five do, one disturbed: %llu bytes a us",
       (unsigned long long)rate);
    for (int i = 0; i < 40; i++)
        rate = bring(depot, bytes, LARGE, 2048);
    ok(rate == LARGE * 1000 / 2048, "what changes is seen: %llu",
       (unsigned long long)rate);
    cst_depot_close(depot);
    ok(fake_blocks() == 0, "nothing is left");
}

int main(void)
{
    uint32_t wrong = 0;
    uint32_t wrong_lost = 0;

    for (uint64_t i = 0; i < PROGRAMS && wrong < 3; i++)
        if (!run_program(i * 77 + 5, false)) {
            (void)tap_report(false, __FILE__, __LINE__, "", "program %llu",
                             (unsigned long long)i);
            wrong++;
        }
    ok(wrong == 0, "%d programs end and are right", PROGRAMS);
    for (uint64_t i = 0; i < PROGRAMS / 4 && wrong_lost < 3; i++)
        wrong_lost += !run_program(i * 91 + 7, true);
    ok(wrong_lost == 0, "those that lose a device are right, or are told");
    test_rate();
    return tap_done();
}
