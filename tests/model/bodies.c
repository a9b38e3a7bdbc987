/* What the tasks of random programs do, and running them one by one. */
#include "model/program.h"

#include <stdio.h>
#include <string.h>

static uint32_t mixed(uint32_t hash, uint32_t value)
{
    hash = (hash ^ value) * UINT32_C(0x85ebca6b);
    return hash ^ (hash >> 13);
}

unsigned char model_combine(enum model_operation operation, unsigned char a,
                            unsigned char b)
{
    switch (operation) {
    case MODEL_XOR:
        return a ^ b;
    case MODEL_MAX:
        return a > b ? a : b;
    case MODEL_ADD:
    case MODEL_OPERATIONS:
    default:
        return (unsigned char)(a + b);
    }
}

/* The byte that a task adds to, or puts at, the i-th byte of an access. */
static unsigned char share(uint32_t hash, uint32_t access, uint32_t i)
{
    return (unsigned char)(mixed(mixed(hash, access), i) >> 8);
}

static unsigned char *row_of(const struct model_access *access, void *start,
                             uint32_t row)
{
    return (unsigned char *)start + (size_t)row * access->pitch;
}

uint32_t model_look(const struct model_access *access, const void *start)
{
    uint32_t hash = 1;

    for (uint32_t row = 0; row < access->rows; row++)
        for (uint32_t i = 0; i < access->size; i++)
            hash = mixed(hash, ((const unsigned char *)
                                    start)[(size_t)row * access->pitch + i]);
    return hash;
}

void model_read(const struct model_program *program, int task,
                void *const *buffers, struct model_read *read)
{
    const struct model_task *model = &program->tasks[task];

    read->hash = mixed((uint32_t)program->seed, (uint32_t)task);
    for (uint32_t a = 0; a < model->accesses_count; a++) {
        const struct model_access *access = &model->accesses[a];

        if (access->mode == CASTELL_IN || access->mode == CASTELL_INOUT ||
            access->mode == CASTELL_IN_DELETE)
            read->hash = mixed(read->hash, model_look(access, buffers[a]));
        if (access->mode != CASTELL_INOUT &&
            access->mode != CASTELL_COMMUTATIVE)
            continue;
        for (uint32_t row = 0; row < access->rows; row++)
            memcpy(read->old[a] + (size_t)row * access->size,
                   row_of(access, buffers[a], row), access->size);
    }
}

static void write_byte(const struct model_access *access, unsigned char *byte,
                       unsigned char old, unsigned char value)
{
    switch (access->mode) {
    case CASTELL_OUT:
        *byte = value;
        break;
    case CASTELL_INOUT:
        *byte = (unsigned char)(5 * old + value);
        break;
    case CASTELL_COMMUTATIVE:
        *byte = (unsigned char)(old + value);
        break;
    case CASTELL_CONCURRENT:
        (void)__atomic_fetch_add(byte, value, __ATOMIC_RELAXED);
        break;
    case CASTELL_REDUCTION:
        *byte = model_combine(access->operation, *byte, value);
        break;
    case CASTELL_IN:
    case CASTELL_IN_DELETE:
        break;
    }
}

void model_write(const struct model_program *program, int task,
                 void *const *buffers, const struct model_read *read)
{
    const struct model_task *model = &program->tasks[task];

    for (uint32_t a = 0; a < model->accesses_count; a++) {
        const struct model_access *access = &model->accesses[a];
        uint32_t at = 0;

        for (uint32_t row = 0; row < access->rows; row++)
            for (uint32_t i = 0; i < access->size; i++, at++)
                /* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): filled */
                write_byte(access, row_of(access, buffers[a], row) + i,
                           read->old[a][at], share(read->hash, a, at));
    }
}

void model_touch(const struct model_program *program, int task,
                 void *const *buffers)
{
    const struct model_task *model = &program->tasks[task];

    for (uint32_t a = 0; a < model->accesses_count; a++) {
        const struct model_access *access = &model->accesses[a];

        if (access->mode != CASTELL_OUT && access->mode != CASTELL_INOUT)
            continue;
        for (uint32_t row = 0; row < access->rows; row++)
            for (uint32_t i = 0; i < access->size; i++)
                /* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): filled */
                row_of(access, buffers[a], row)[i] ^= share(7, a, i);
    }
}

void model_start_bytes(unsigned char bytes[MODEL_BYTES])
{
    for (uint32_t i = 0; i < MODEL_BYTES; i++)
        bytes[i] = share(11, 0, i);
}

/* ---- one by one ------------------------------------------------------ */

/* Bytes that a failed or cancelled task was to write. */
typedef bool poison_map[MODEL_BYTES];

static bool is_poisoned(const bool *poison, const struct model_access *access)
{
    for (uint32_t row = 0; row < access->rows; row++)
        for (uint32_t i = 0; i < access->size; i++)
            if (poison[access->offset + row * access->pitch + i])
                return true;
    return false;
}

static void set_poison(bool *poison, const struct model_access *access,
                       bool value)
{
    for (uint32_t row = 0; row < access->rows; row++)
        memset(poison + access->offset + (size_t)row * access->pitch, value,
               access->size);
}

/* Is the body to run? Where not, what it was to write is poisoned. */
static bool may_run(const struct model_task *task, bool *poison)
{
    bool runs = true;

    for (uint32_t a = 0; a < task->accesses_count; a++)
        if (task->accesses[a].mode != CASTELL_OUT &&
            is_poisoned(poison, &task->accesses[a]))
            runs = false;
    for (uint32_t a = 0; a < task->accesses_count; a++)
        if (task->accesses[a].mode != CASTELL_IN &&
            task->accesses[a].mode != CASTELL_IN_DELETE)
            set_poison(poison, &task->accesses[a],
                       !runs || task->fate == MODEL_CANCELS);
    return runs;
}

struct frame {
    int task; /* -1: main */
    int step;
};

static void start_body(const struct model_program *program, int task,
                       struct model_outcome *outcome, void **buffers)
{
    const struct model_task *model = &program->tasks[task];
    struct model_read read;

    for (uint32_t a = 0; a < model->accesses_count; a++)
        buffers[a] = outcome->bytes + model->accesses[a].offset;
    model_read(program, task, buffers, &read);
    model_write(program, task, buffers, &read);
    outcome->ran[task]++;
}

void model_sequential(const struct model_program *program,
                      struct model_outcome *outcome)
{
    void *buffers[MODEL_DEPTH_MAX + 2][MODEL_ACCESSES_MAX];
    struct frame frames[MODEL_DEPTH_MAX + 2] = {{-1, program->steps}};
    poison_map poison = {false};
    int depth = 0;

    memset(outcome, 0, sizeof(*outcome));
    model_start_bytes(outcome->bytes);
    while (depth >= 0) {
        struct frame *frame = &frames[depth];
        const struct model_step *step;

        if (frame->step < 0) {
            depth--;
            continue;
        }
        step = &program->all_steps[frame->step];
        if (step->kind == MODEL_WAIT_ON) {
            outcome->cancelled[frame->step] =
                is_poisoned(poison, &step->access);
            outcome->seen[frame->step] =
                model_look(&step->access, outcome->bytes + step->access.offset);
        } else if (step->kind == MODEL_TOUCH) {
            model_touch(program, frame->task, buffers[depth]);
        }
        frame->step = step->next;
        if (step->kind == MODEL_SUBMIT &&
            may_run(&program->tasks[step->task], poison)) {
            depth++;
            start_body(program, step->task, outcome, buffers[depth]);
            frames[depth] =
                (struct frame){step->task, program->tasks[step->task].steps};
        }
    }
}

bool model_same(const struct model_program *program,
                const struct model_outcome *expected,
                const struct model_outcome *outcome)
{
    for (int i = 0; i < program->tasks_count; i++)
        if (outcome->ran[i] != expected->ran[i]) {
            printf("# seed %llu: the body of task %d succeeded %d times, not "
                   "%d\n",
                   (unsigned long long)program->seed, i, outcome->ran[i],
                   expected->ran[i]);
            return false;
        }
    for (int i = 0; i < program->steps_count; i++)
        if (outcome->cancelled[i] != expected->cancelled[i] ||
            (outcome->seen[i] != expected->seen[i] &&
             !expected->cancelled[i])) {
            printf("# seed %llu: step %d saw other bytes\n",
                   (unsigned long long)program->seed, i);
            return false;
        }
    for (int i = 0; i < MODEL_BYTES; i++)
        if (outcome->bytes[i] != expected->bytes[i]) {
            printf("# seed %llu: byte %d is %d, not %d\n",
                   (unsigned long long)program->seed, i, outcome->bytes[i],
                   expected->bytes[i]);
            return false;
        }
    return true;
}
