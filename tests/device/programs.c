/*
 * Random programs on devices with room for a few buffers; see programs.h.
 */
#include "device/programs.h"

#include "castell_device.h"
#include "harness/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ROWS = 24,
    WORDS = 16, /* of a row */
    HEIGHT_MAX = 8,
    TASKS = 16,
    KINDS = 8,
    A_RUN = 500,   /* programs from castell_start() to castell_stop() */
    WRONG_MAX = 5, /* then it is enough */
    HANGS_S = 300, /* one run of them */
};

/* All regions are rectangles of it; of whole rows, one row. */
struct rectangle {
    uint32_t row, rows, column, columns;
};

struct step {
    struct rectangle uses[PROGRAMS_USES_MAX];
    struct programs_shape shape;
    uint32_t kind;
};

static uint32_t data[ROWS][WORDS];
static uint32_t wanted[ROWS][WORDS];
static const struct programs_device *device;
static bool has_failed[TASKS];
static _Atomic(uint64_t) launched;
static uint64_t state;

static uint32_t draw(uint32_t below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % below;
}

/* ---- What a task computes ------------------------------------------------ */

static uint32_t at(const struct programs_use *use, uint32_t n)
{
    n %= use->words * use->rows;
    return n / use->words * use->pitch + n % use->words;
}

void programs_compute(const struct programs_shape *shape,
                      uint32_t *const *buffers)
{
    const struct programs_use *to = &shape->uses[0];

    for (uint32_t n = 0; n < to->words * to->rows; n++) {
        uint32_t *word = &buffers[0][at(to, n)];
        uint32_t value =
            shape->number + (shape->keeps ? *word * shape->keeps : 0);

        for (uint32_t i = 1; i < shape->count; i++)
            value += buffers[i][at(&shape->uses[i], n)] * (i + 1);
        *word = value;
    }
}

static int on_core(void *const *buffers, const void *argument)
{
    const struct programs_shape *shape = argument;
    uint32_t *words[PROGRAMS_USES_MAX] = {NULL};

    for (uint32_t i = 0; i < shape->count; i++)
        words[i] = buffers[i];
    programs_compute(shape, words);
    return 0;
}

static int on_device(void *const *buffers, const void *argument)
{
    struct programs_shape shape = *(const struct programs_shape *)argument;

    for (uint32_t i = 0; i < shape.count; i++)
        if (shape.uses[i].rows > 1)
            shape.uses[i].pitch =
                (uint32_t)(castell_device_pitch(i) / sizeof(uint32_t));
    launched++;
    return device->enqueue(buffers, &shape);
}

static int fails_first(void *const *buffers, const void *argument)
{
    const struct programs_shape *shape = argument;
    bool fails = !has_failed[shape->number];

    has_failed[shape->number] = true;
    return on_device(buffers, argument) | fails;
}

static int splits(void *const *buffers, const void *argument);

static struct castell_kind kinds[KINDS] = {
    {.name = "waits", .body = on_device},
    {.name = "async", .body = on_device, .flags = CASTELL_ASYNC},
    {.name = "core", .body = on_core},
    {.name = "either", .body = on_core},
    {.name = "again", .body = fails_first, .retries = 1},
    {.name = "splits", .body = splits},
    {.name = "half", .body = on_device, .constraint = {.gpus = 0.5f}},
    {.name = "third",
     .body = on_device,
     .constraint = {.gpus = 0.3f},
     .flags = CASTELL_ASYNC},
};
static struct castell_implementation other = {
    .name = "other", .body = on_device, .flags = CASTELL_ASYNC};

/* ---- Tasks --------------------------------------------------------------- */

static struct programs_use use_of(const struct rectangle *from)
{
    if (from->columns == WORDS)
        return (struct programs_use){from->rows * WORDS, 1, from->rows * WORDS};
    return (struct programs_use){from->columns, from->rows, WORDS};
}

static struct castell_access access_of(const uint32_t *base,
                                       const struct programs_use *use)
{
    return (struct castell_access){.base = base,
                                   .size = use->words * sizeof(*base),
                                   .rows = use->rows,
                                   .pitch = use->pitch * sizeof(*base),
                                   .mode = CASTELL_IN};
}

static enum castell_status submit(struct castell_kind *kind,
                                  uint32_t *const *bases,
                                  const struct programs_shape *shape)
{
    struct castell_access accesses[PROGRAMS_USES_MAX];
    const struct castell_submission task = {.kind = kind,
                                            .accesses = accesses,
                                            .accesses_count = shape->count,
                                            .argument = shape,
                                            .argument_size = sizeof(*shape)};

    for (uint32_t i = 0; i < shape->count; i++)
        accesses[i] = access_of(bases[i], &shape->uses[i]);
    accesses[0].mode = shape->keeps == 0   ? CASTELL_OUT
                       : shape->keeps == 1 ? CASTELL_COMMUTATIVE
                                           : CASTELL_INOUT;
    return castell_task_submit(&task, NULL);
}

/* Its two halves, by tasks of its own on devices. */
static int splits(void *const *buffers, const void *argument)
{
    const struct programs_shape *whole = argument;
    struct programs_shape half = *whole;
    uint32_t *base = buffers[0];

    half.count = 1;
    half.uses[0].words = (whole->uses[0].words + 1) / 2;
    if (submit(&kinds[1], &base, &half) != CASTELL_OK)
        return 1;
    base += half.uses[0].words;
    half.uses[0].words = whole->uses[0].words / 2;
    return half.uses[0].words > 0 &&
           submit(&kinds[0], &base, &half) != CASTELL_OK;
}

static void split_model(const struct programs_shape *whole, uint32_t *base)
{
    struct programs_shape half = *whole;

    half.count = 1;
    half.uses[0].words = (whole->uses[0].words + 1) / 2;
    programs_compute(&half, &base);
    base += half.uses[0].words;
    half.uses[0].words = whole->uses[0].words / 2;
    programs_compute(&half, &base);
}

static struct rectangle draw_rectangle(void)
{
    struct rectangle drawn = {.columns = WORDS};

    drawn.rows = 1 + draw(HEIGHT_MAX);
    if (draw(3) == 0)
        drawn.rows = HEIGHT_MAX;
    drawn.row = draw(2) ? draw(ROWS / HEIGHT_MAX) * HEIGHT_MAX
                        : draw(ROWS - drawn.rows);
    if (drawn.row + drawn.rows > ROWS)
        drawn.rows = ROWS - drawn.row;
    if (draw(3) == 0) {
        drawn.columns = 1 + draw(WORDS - 1);
        drawn.column = draw(WORDS - drawn.columns + 1);
    }
    return drawn;
}

static bool overlap(const struct rectangle *a, const struct rectangle *b)
{
    return a->row < b->row + b->rows && b->row < a->row + a->rows &&
           a->column < b->column + b->columns &&
           b->column < a->column + a->columns;
}

static void draw_step(struct step *step, uint32_t number)
{
    uint32_t count = 1 + draw(PROGRAMS_USES_MAX);
    static const uint32_t of[] = {0, 1, 2, 3, 0, 1, 2, 3, 5, 5, 4, 6, 7};
    uint32_t kind = of[draw(13)];

    memset(step, 0, sizeof(*step));
    step->kind = kind;
    step->shape.number = number;
    step->shape.keeps = draw(4);
    while (step->shape.count < count) {
        struct rectangle drawn = draw_rectangle();

        if (step->shape.count > 0 && overlap(&drawn, &step->uses[0])) {
            count -= draw(2);
            continue;
        }
        step->uses[step->shape.count] = drawn;
        step->shape.uses[step->shape.count++] = use_of(&drawn);
    }
}

static bool do_step(const struct step *step)
{
    uint32_t *bases[PROGRAMS_USES_MAX] = {NULL};
    uint32_t *model[PROGRAMS_USES_MAX] = {NULL};

    for (uint32_t i = 0; i < step->shape.count; i++) {
        const struct rectangle *use = &step->uses[i];

        bases[i] = &data[use->row][use->column];
        model[i] = &wanted[use->row][use->column];
    }
    if (&kinds[step->kind] == &kinds[5])
        split_model(&step->shape, model[0]);
    else
        programs_compute(&step->shape, model);
    return submit(&kinds[step->kind], bases, &step->shape) == CASTELL_OK;
}

/* ---- Programs ------------------------------------------------------------ */

/* main() reads a piece. */
static bool look(void)
{
    struct rectangle piece = draw_rectangle();
    struct programs_use use = use_of(&piece);
    struct castell_access access =
        access_of(&data[piece.row][piece.column], &use);
    bool same = castell_wait_on(&access, 1) == CASTELL_OK;

    for (uint32_t i = 0; i < piece.rows; i++)
        same = same && memcmp(&data[piece.row + i][piece.column],
                              &wanted[piece.row + i][piece.column],
                              piece.columns * sizeof(uint32_t)) == 0;
    return same;
}

/* Do all words have the values that they had to come to? */
static bool is_right(enum castell_status status)
{
    uint32_t n = 0;

    if (status != CASTELL_OK) {
        (void)printf("# %s\n", castell_error_text());
        return false;
    }
    while (n < ROWS * WORDS && (&data[0][0])[n] == (&wanted[0][0])[n])
        n++;
    if (n < ROWS * WORDS)
        (void)printf("# row %u, word %u: %08x instead of %08x\n", n / WORDS,
                     n % WORDS, (&data[0][0])[n], (&wanted[0][0])[n]);
    return n == ROWS * WORDS;
}

static bool run_program(uint64_t seed)
{
    state = seed * 77 + 5;
    memset(has_failed, 0, sizeof(has_failed));
    for (uint32_t i = 0; i < ROWS * WORDS; i++)
        (&data[0][0])[i] = (&wanted[0][0])[i] = i * 7;
    for (uint32_t i = 0; i < TASKS; i++) {
        struct step step;
        uint32_t what = draw(40);

        draw_step(&step, i);
        if (!do_step(&step) || (what == 0 && !look()))
            return false;
        if (what != 1)
            continue;
        if (!is_right(castell_barrier()))
            return false;
        data[i % ROWS][3] = wanted[i % ROWS][3] = i;
    }
    return is_right(castell_barrier());
}

/* Each with the seed after the last one's, or the same. Returns how many are
 * wrong. */
static uint32_t run_some(uint64_t first, uint32_t count, bool same)
{
    uint32_t wrong = 0;

    (void)alarm(HANGS_S);
    if (device->vary)
        device->vary(first);
    must(castell_start_with(NULL) == CASTELL_OK, "it starts: %s",
         castell_error_text());
    for (uint32_t i = 0; i < count && wrong < WRONG_MAX; i++) {
        uint64_t seed = same ? first : first + i;

        if (run_program(seed))
            continue;
        wrong++;
        (void)printf("# the program of seed %llu is wrong\n",
                     (unsigned long long)seed);
    }
    return wrong + (castell_stop() != 0);
}

static void declare(void)
{
    for (int i = 0; i < KINDS; i++) {
        if (i < 2 || i == 4 || i >= 6)
            kinds[i].device = device->device;
        must(castell_kind_declare(&kinds[i]) == CASTELL_OK, "a kind");
    }
    other.device = device->device;
    must(castell_kind_implement("either", &other) == CASTELL_OK,
         "an implementation");
    /* Three of the largest that a task may name, and a little more. */
    must(setenv("CASTELL_DEVICES", device->name, 1) == 0 &&
             setenv("CASTELL_DEVICE_MEMORY", "2048", 1) == 0,
         "an environment");
}

/* Has the machine such a device? */
static bool is_there(void)
{
    const struct programs_shape shape = {.count = 1,
                                         .uses[0] = {WORDS, 1, WORDS}};
    uint32_t *base = data[0];
    bool there;

    must(castell_start_with(NULL) == CASTELL_OK, "it starts: %s",
         castell_error_text());
    there = submit(&kinds[0], &base, &shape) == CASTELL_OK;
    if (!there)
        tap_skip(device->name, castell_error_text());
    return castell_stop() == 0 && there;
}

int programs_main(const struct programs_device *of, int argc, char **argv)
{
    uint32_t wrong = 0;
    uint32_t done = 0;
    uint32_t count;

    device = of;
    declare();
    if (!is_there())
        return tap_done();
    if (argc > 1) {
        count = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 1;
        ok(run_some(strtoull(argv[1], NULL, 10), count, true) == 0,
           "program %s, %u times", argv[1], count);
        return tap_done();
    }
    for (; done < device->programs && wrong < WRONG_MAX; done += A_RUN)
        wrong += run_some(
            done,
            device->programs - done < A_RUN ? device->programs - done : A_RUN,
            false);
    ok(wrong == 0, "%u programs end and are right", device->programs);
    ok(launched > (uint64_t)device->programs * TASKS / 3,
       "%llu tasks on devices", (unsigned long long)launched);
    return tap_done();
}
