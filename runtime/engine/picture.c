#include "engine/picture.h"

#include "base/fail.h"
#include "data/data.h"
#include "sched/kind.h"
#include "trace/dot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Numbers of tasks. */
struct numbers {
    uint64_t *number;
    size_t count;
    size_t max;
};

/*
 * What was last done to a region. `now` are the tasks of its last epoch,
 * `before` those of the one before, which a task that joins `now` waits for.
 */
struct record {
    struct record *next;
    uint64_t domain;
    struct cst_region region;
    enum cst_epoch epoch;
    struct numbers now;
    struct numbers before;
};

struct cst_picture {
    struct cst_dot *dot;
    struct record *records;
    bool incomplete; /* memory was refused */
};

enum castell_status cst_picture_open(const char *path,
                                     struct cst_picture **ret_picture)
{
    struct cst_picture *picture = calloc(1, sizeof(*picture));
    enum castell_status status;

    if (!picture)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a graph");
    status = cst_dot_open(path, &picture->dot);
    if (status != CASTELL_OK) {
        free(picture);
        return status;
    }
    *ret_picture = picture;
    return CASTELL_OK;
}

static void record_free(struct record *record)
{
    free(record->now.number);
    free(record->before.number);
    free(record);
}

void cst_picture_close(struct cst_picture *picture)
{
    if (!picture)
        return;
    if (picture->incomplete)
        (void)fprintf(stderr, "castell: no memory for the whole graph: edges "
                              "are missing\n");
    while (picture->records) {
        struct record *record = picture->records;

        picture->records = record->next;
        record_free(record);
    }
    cst_dot_close(picture->dot);
    free(picture);
}

static bool add(struct numbers *numbers, uint64_t number)
{
    if (numbers->count == numbers->max) {
        size_t max = numbers->max ? 2 * numbers->max : 4;
        uint64_t *larger =
            realloc(numbers->number, max * sizeof(*numbers->number));

        if (!larger)
            return false;
        numbers->number = larger;
        numbers->max = max;
    }
    numbers->number[numbers->count++] = number;
    return true;
}

static enum cst_dot_edge why(const struct record *record,
                             const struct cst_hold *hold)
{
    if (record->epoch == CST_EPOCH_READ)
        return CST_DOT_ANTI;
    return hold->reads ? CST_DOT_FLOW : CST_DOT_OUTPUT;
}

static bool joins(const struct record *record, const struct cst_hold *hold)
{
    return record->epoch == hold->epoch && hold->epoch != CST_EPOCH_WRITE;
}

static void draw_all(struct cst_picture *picture, const struct numbers *from,
                     const struct cst_task *task, enum cst_dot_edge edge)
{
    for (size_t i = 0; i < from->count; i++)
        if (from->number[i] != task->id)
            cst_dot_edge(picture->dot, from->number[i], task->id, edge);
}

static void draw(struct cst_picture *picture, const struct record *record,
                 const struct cst_task *task, const struct cst_hold *hold)
{
    if (joins(record, hold))
        draw_all(picture, &record->before, task,
                 hold->writes ? CST_DOT_ANTI : CST_DOT_FLOW);
    else
        draw_all(picture, &record->now, task, why(record, hold));
}

static bool same(const struct cst_region *a, const struct cst_region *b)
{
    return a->base == b->base && a->size == b->size && a->rows == b->rows &&
           a->pitch == b->pitch;
}

static struct record *record_new(struct cst_picture *picture, uint64_t domain,
                                 const struct cst_region *region)
{
    struct record *record = calloc(1, sizeof(*record));

    if (!record)
        return NULL;
    record->domain = domain;
    record->region = *region;
    record->next = picture->records;
    picture->records = record;
    return record;
}

static void note(struct cst_picture *picture, struct record *record,
                 const struct cst_task *task, const struct cst_hold *hold)
{
    if (!record) {
        picture->incomplete = true;
        return;
    }
    if (!joins(record, hold)) {
        struct numbers reused = record->before;

        record->before = record->now;
        record->now = reused;
        record->now.count = 0;
        record->epoch = hold->epoch;
    }
    if (!add(&record->now, task->id))
        picture->incomplete = true;
}

/* Does a write of `region` leave nothing of what the record says? */
static bool covers(const struct cst_region *region, const struct record *record)
{
    const struct cst_region *old = &record->region;
    uintptr_t end = old->base + (old->rows - 1) * old->pitch + old->size;

    return region->rows == 1 && region->base <= old->base &&
           end - region->base <= region->size;
}

static void draw_access(struct cst_picture *picture, struct cst_task *task,
                        const struct cst_access *access)
{
    uint64_t domain = task->parent->depth == 0 ? 0 : task->parent->id;
    struct cst_region region = {(uintptr_t)access->base, access->size,
                                access->hold.user, access->pitch};
    struct record *mine = NULL;

    for (struct record **link = &picture->records; *link;) {
        struct record *record = *link;

        if (record->domain == domain &&
            cst_region_overlap(&record->region, &region)) {
            draw(picture, record, task, &access->hold);
            if (same(&record->region, &region)) {
                mine = record;
            } else if (access->hold.epoch == CST_EPOCH_WRITE &&
                       covers(&region, record)) {
                *link = record->next;
                record_free(record);
                continue;
            }
        }
        link = &record->next;
    }
    if (!mine)
        mine = record_new(picture, domain, &region);
    note(picture, mine, task, &access->hold);
}

void cst_picture_task(struct cst_picture *picture, struct cst_task *task)
{
    cst_dot_task(picture->dot, task->id, task->kind->name, task->kind->label,
                 task->where);
    if (task->parent->depth > 0)
        cst_dot_edge(picture->dot, task->parent->id, task->id, CST_DOT_CHILD);
    for (uint32_t i = 0; i < task->accesses_count; i++)
        draw_access(picture, task, &cst_task_accesses(task)[i]);
}

void cst_picture_end(struct cst_picture *picture, const struct cst_task *task)
{
    if (task->flags & CST_TASK_FAILED)
        cst_dot_outcome(picture->dot, task->id, CST_DOT_FAILED);
    else if (task->flags & CST_TASK_CANCELLED)
        cst_dot_outcome(picture->dot, task->id, CST_DOT_CANCELLED);
}
