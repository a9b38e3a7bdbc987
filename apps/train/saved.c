#include "train/saved.h"

#include "common/app.h"

#include <castell.h>
#include <castell_checkpoint.h>
#include <inttypes.h>
#include <stdio.h>

enum { NAME_SIZE = 64, PROGRAM_SIZE = 640 };

struct saved {
    struct castell_checkpoint *checkpoint;
    struct saved_progress *progress; /* main's, as it was when it was saved */
    double *curve;
    long curve_size;
};

static void must(enum castell_status status)
{
    if (status < 0)
        app_die(1, "%s", castell_error_text());
}

static void add(struct saved *saved, const char *name, int number,
                const void *base, size_t element, long count)
{
    const struct castell_access region = {
        .base = base, .size = element * (size_t)count, .mode = CASTELL_IN};
    char text[NAME_SIZE];

    snprintf(text, sizeof(text), "%s %d", name, number);
    must(castell_checkpoint_add(saved->checkpoint, text, &region, element));
}

/* All that the bits of the result depend on. */
static void describe(const struct trainer *t, const char *model,
                     char text[PROGRAM_SIZE])
{
    const struct training *how = &t->how;

    snprintf(text, PROGRAM_SIZE,
             "train %s samples %d,%d epochs %d batch %d shard %d optimiser %d "
             "schedule %d rate %.17g,%.17g,%.17g,%.17g seed %" PRIu64,
             model, t->train.count, t->test.count, how->epochs, how->batch,
             how->shard, (int)how->optimiser, (int)how->schedule, how->rate,
             how->momentum, how->decay, how->warmup, how->seed);
}

struct saved *saved_begin(struct trainer *t, const char *model)
{
    struct saved *saved = app_alloc(1, sizeof(*saved));
    char program[PROGRAM_SIZE];

    describe(t, model, program);
    saved->curve_size = (long)t->how.epochs * trainer_steps(t) + 1;
    saved->progress = app_alloc(1, sizeof(*saved->progress));
    saved->curve = app_alloc(saved->curve_size, sizeof(*saved->curve));
    memset(saved->curve, 0, sizeof(*saved->curve) * (size_t)saved->curve_size);
    must(castell_checkpoint_create(t->how.save, &saved->checkpoint));
    must(castell_checkpoint_program(saved->checkpoint, program));
    for (int p = 0; p < t->pieces; p++) {
        int from = trainer_piece(t, p);
        int size = trainer_piece(t, p + 1) - from;

        add(saved, "weights", p, t->weights + from, sizeof(real), size);
        add(saved, "first", p, t->first + from, sizeof(real), size);
        add(saved, "second", p, t->second + from, sizeof(real), size);
    }
    add(saved, "learned", 0, t->learned, sizeof(*t->learned),
        (long)TRAINER_WINDOW * t->shards);
    for (int i = 0; i < TRAINER_WINDOW; i++) {
        add(saved, "tested", i, t->tested[i], sizeof(*t->tested[i]),
            trainer_test_parts(t));
        add(saved, "confusion", i, t->confusion[i], sizeof(*t->confusion[i]),
            t->cells);
    }
    add(saved, "progress", 0, saved->progress, sizeof(*saved->progress), 1);
    add(saved, "curve", 0, saved->curve, sizeof(*saved->curve),
        saved->curve_size);
    return saved;
}

void saved_end(struct saved *saved)
{
    if (!saved)
        return;
    castell_checkpoint_destroy(saved->checkpoint);
    castell_free(saved->progress);
    castell_free(saved->curve);
    castell_free(saved);
}

long saved_restore(struct saved *saved, struct trainer *t)
{
    struct saved_progress *progress = saved->progress;
    double *curve = saved->curve;
    uint64_t step = 0;

    must(castell_checkpoint_restore(saved->checkpoint, &step));
    if (step == 0)
        return 0;
    #pragma castell wait_on(*progress, curve[0:saved->curve_size])
    t->steps = progress->curve_steps;
    memcpy(t->curve, curve, sizeof(*curve) * (size_t)t->steps);
    return (long)step;
}

const struct saved_progress *saved_progress(const struct saved *saved)
{
    return saved->progress;
}

void saved_make(struct saved *saved, const struct trainer *t,
                const struct saved_progress *progress, long step)
{
    struct saved_progress *to = saved->progress;
    double *curve = saved->curve;

    /* The one before has read these: it was made long ago. */
    #pragma castell wait_on(*to, curve[0:saved->curve_size])
    *to = *progress;
    memcpy(curve, t->curve, sizeof(*curve) * (size_t)t->steps);
    must(castell_checkpoint_save(saved->checkpoint, (uint64_t)step));
}

void saved_wait(struct saved *saved)
{
    must(castell_checkpoint_wait(saved->checkpoint));
}
