/*
 * Which task waits for which, from what tasks access, in the order in which
 * they were submitted: the rules of the engine once more, without its queues.
 *
 * Each different region of a parent's children has a record of what was last
 * done there. `now` are the tasks of its last epoch, which wait for those of
 * `before`; `source` are the writers whose values the tasks of `now` read.
 * Regions that overlap look at each other's records. So a record may be stale:
 * another region has overwritten a part of it. What follows from such a one is
 * said to be so perhaps; one that is overwritten as a whole begins anew.
 */
#include "base/memory.h"
#include "history/history_internal.h"

#include <stdlib.h>
#include <string.h>

enum { EDGES_MAX = 1 << 25, DEDUPE_MAX = 64 };

enum epoch { NOTHING = 0, READ, WRITE, CONCURRENT, COMMUTATIVE, REDUCTION };

struct numbers {
    uint32_t *list;
    size_t count;
    size_t max;
};

struct record {
    uint32_t parent;
    struct cst_region region;
    enum epoch epoch; /* of now */
    enum epoch before_epoch;
    bool stale;
    struct numbers now;
    struct numbers before;
    struct numbers source;
    uint32_t overlaps; /* the first, in others */
    uint32_t overlaps_count;
};

struct web {
    struct cst_history *history;
    struct record *records;
    size_t records_count;
    uint32_t *record_of; /* of each access */
    uint32_t *others;    /* records that overlap each */
    size_t others_count;
    size_t others_max;
    uint32_t task; /* whose edges are drawn */
};

/* ---- Numbers ------------------------------------------------------------ */

static bool add(struct numbers *numbers, uint32_t number)
{
    if (!cst_history_reserve(&numbers->list, numbers->count, &numbers->max,
                             sizeof(*numbers->list)))
        return false;
    numbers->list[numbers->count++] = number;
    return true;
}

static bool add_all(struct numbers *numbers, const struct numbers *from)
{
    for (size_t i = 0; i < from->count; i++)
        if (!add(numbers, from->list[i]))
            return false;
    return true;
}

/* ---- Records -------------------------------------------------------------- */

struct access_key {
    struct cst_region region;
    uint32_t parent;
    uint32_t access;
};

static int compare_keys(const void *a_, const void *b_)
{
    const struct access_key *a = a_, *b = b_;

    if (a->parent != b->parent)
        return a->parent < b->parent ? -1 : 1;
    if (a->region.base != b->region.base)
        return a->region.base < b->region.base ? -1 : 1;
    if (a->region.size != b->region.size)
        return a->region.size < b->region.size ? -1 : 1;
    if (a->region.rows != b->region.rows)
        return a->region.rows < b->region.rows ? -1 : 1;
    if (a->region.pitch != b->region.pitch)
        return a->region.pitch < b->region.pitch ? -1 : 1;
    return a->access < b->access ? -1 : a->access > b->access;
}

static struct access_key *sorted_keys(const struct cst_history *history,
                                      size_t *ret_count)
{
    struct access_key *keys =
        cst_alloc((history->accesses_count + 1) * sizeof(*keys));
    size_t count = 0;

    for (size_t i = 0; keys && i < history->tasks_count; i++) {
        const struct cst_history_task *task = &history->tasks[i];

        for (uint32_t j = 0; j < task->accesses_count; j++)
            keys[count++] = (struct access_key){
                history->accesses[task->accesses + j].region, task->parent,
                task->accesses + j};
    }
    if (keys)
        qsort(keys, count, sizeof(*keys), compare_keys);
    *ret_count = count;
    return keys;
}

static bool make_records(struct web *web)
{
    size_t count = 0;
    struct access_key *keys = sorted_keys(web->history, &count);

    web->records = cst_zalloc((count + 1) * sizeof(*web->records));
    web->record_of =
        cst_alloc((web->history->accesses_count + 1) * sizeof(*web->record_of));
    for (size_t i = 0; keys && web->records && web->record_of && i < count;
         i++) {
        if (i == 0 || keys[i].parent != keys[i - 1].parent ||
            !cst_region_equal(&keys[i].region, &keys[i - 1].region)) {
            web->records[web->records_count].parent = keys[i].parent;
            web->records[web->records_count++].region = keys[i].region;
        }
        web->record_of[keys[i].access] = (uint32_t)web->records_count - 1;
    }
    cst_free(keys);
    return keys && web->records && web->record_of;
}

/* A pair of regions that overlap, both ways. */
struct pair {
    uint32_t one;
    uint32_t two;
};

static int compare_pairs(const void *a_, const void *b_)
{
    const struct pair *a = a_, *b = b_;

    if (a->one != b->one)
        return a->one < b->one ? -1 : 1;
    return a->two < b->two ? -1 : a->two > b->two;
}

struct pairs {
    struct pair *list;
    size_t count;
    size_t max;
};

static bool add_pair(struct pairs *pairs, uint32_t one, uint32_t two)
{
    if (!cst_history_reserve(&pairs->list, pairs->count, &pairs->max,
                             sizeof(*pairs->list)))
        return false;
    pairs->list[pairs->count++] = (struct pair){one, two};
    return true;
}

/* Records are in the order of addresses: those that may overlap are near. */
static bool find_pairs(const struct web *web, struct pairs *pairs)
{
    for (size_t i = 0; i < web->records_count; i++) {
        const struct record *one = &web->records[i];
        uintptr_t end = cst_region_end(&one->region);

        for (size_t j = i + 1; j < web->records_count; j++) {
            const struct record *two = &web->records[j];

            if (two->parent != one->parent || two->region.base >= end)
                break;
            if (cst_region_overlap(&one->region, &two->region) &&
                (!add_pair(pairs, (uint32_t)i, (uint32_t)j) ||
                 !add_pair(pairs, (uint32_t)j, (uint32_t)i)))
                return false;
        }
    }
    return true;
}

static bool find_overlaps(struct web *web)
{
    struct pairs pairs = {NULL, 0, 0};
    bool good = find_pairs(web, &pairs);

    if (pairs.count > 0)
        qsort(pairs.list, pairs.count, sizeof(*pairs.list), compare_pairs);
    web->others = cst_alloc((pairs.count + 1) * sizeof(*web->others));
    good = good && web->others;
    for (size_t i = 0; good && i < pairs.count; i++) {
        struct record *record = &web->records[pairs.list[i].one];

        if (record->overlaps_count++ == 0)
            record->overlaps = (uint32_t)i;
        web->others[i] = pairs.list[i].two;
    }
    cst_free(pairs.list);
    return good;
}

/* ---- Edges ------------------------------------------------------------------ */

static enum epoch epoch_of(enum castell_mode mode)
{
    switch (mode) {
    case CASTELL_IN:
    case CASTELL_IN_DELETE:
        return READ;
    case CASTELL_CONCURRENT:
        return CONCURRENT;
    case CASTELL_COMMUTATIVE:
        return COMMUTATIVE;
    case CASTELL_REDUCTION:
        return REDUCTION;
    case CASTELL_OUT:
    case CASTELL_INOUT:
        break;
    }
    return WRITE;
}

/* A leaf of a reduction does not look at what was there: the end of it does. */
static bool reads(enum castell_mode mode)
{
    return mode != CASTELL_OUT && mode != CASTELL_REDUCTION;
}

static bool draw(struct web *web, uint32_t from, enum cst_history_why why,
                 bool perhaps)
{
    struct cst_history *history = web->history;
    struct cst_history_task *task = &history->tasks[web->task];
    struct cst_history_edge *edge;
    uint32_t looked = task->edges_count < DEDUPE_MAX ? task->edges_count
                                                     : (uint32_t)DEDUPE_MAX;

    if (from == web->task)
        return true;
    for (uint32_t i = 0; i < looked; i++) {
        edge = &history->edges[task->edges + task->edges_count - 1 - i];
        if (edge->task != from)
            continue;
        if (why == CST_HISTORY_FLOW && edge->why != CST_HISTORY_FLOW)
            *edge = (struct cst_history_edge){from, (uint8_t)why, perhaps};
        else if (edge->why == why && !perhaps)
            edge->perhaps = false;
        return true;
    }
    if (history->edges_count >= EDGES_MAX) {
        history->edges_missing = true;
        return true;
    }
    edge = CST_HISTORY_PUSH(history, edges);
    if (!edge)
        return false;
    *edge = (struct cst_history_edge){from, (uint8_t)why, perhaps};
    task->edges_count++;
    return true;
}

static bool draw_all(struct web *web, const struct numbers *from,
                     enum cst_history_why why, bool perhaps)
{
    for (size_t i = 0; i < from->count; i++)
        if (!draw(web, from->list[i], why, perhaps))
            return false;
    return true;
}

static bool joins(const struct record *record, enum epoch epoch)
{
    return record->epoch == epoch && epoch != WRITE;
}

static enum cst_history_why why_after(enum epoch epoch, enum castell_mode mode)
{
    if (epoch == READ)
        return CST_HISTORY_ANTI;
    return reads(mode) ? CST_HISTORY_FLOW : CST_HISTORY_OUTPUT;
}

/* The edges from what the record knows to a task that accesses it so. */
static bool draw_record(struct web *web, const struct record *record,
                        enum castell_mode mode)
{
    enum epoch epoch = epoch_of(mode);
    bool perhaps = record->stale;

    if (joins(record, epoch)) {
        if (epoch != READ &&
            !draw_all(web, &record->before,
                      why_after(record->before_epoch, mode), perhaps))
            return false;
        return !reads(mode) ||
               draw_all(web, &record->source, CST_HISTORY_FLOW, perhaps);
    }
    if (!(epoch == READ && record->epoch == READ) &&
        !draw_all(web, &record->now, why_after(record->epoch, mode), perhaps))
        return false;
    if (!reads(mode) || (record->epoch != READ && record->epoch != REDUCTION))
        return true;
    return draw_all(web, &record->source, CST_HISTORY_FLOW, perhaps);
}

/* ---- What a task leaves ------------------------------------------------------ */

static bool begin_epoch(struct record *record, enum epoch epoch, bool reads_it)
{
    struct numbers reused = record->before;

    if (!reads_it) {
        record->source.count = 0;
    } else if (record->epoch == REDUCTION) {
        if (!add_all(&record->source, &record->now))
            return false;
    } else if (record->epoch != READ) {
        record->source.count = 0;
        if (!add_all(&record->source, &record->now))
            return false;
    }
    record->before = record->now;
    record->before_epoch = record->epoch;
    record->now = reused;
    record->now.count = 0;
    record->epoch = epoch;
    return true;
}

static bool note(struct record *record, uint32_t task, enum castell_mode mode)
{
    enum epoch epoch = epoch_of(mode);

    if (!joins(record, epoch)) {
        if (!begin_epoch(record, epoch, mode != CASTELL_OUT))
            return false;
        if (epoch == WRITE)
            record->stale = false;
    }
    return add(&record->now, task);
}

/* Another region was written that overlaps this one. */
static bool overwrite(struct record *record, const struct record *by,
                      uint32_t task)
{
    if (!cst_region_includes(&by->region, &record->region)) {
        record->stale = true;
        return true;
    }
    record->epoch = WRITE;
    record->before_epoch = NOTHING;
    record->before.count = record->source.count = record->now.count = 0;
    record->stale = false;
    return add(&record->now, task);
}

static bool take_access(struct web *web, uint32_t index)
{
    enum castell_mode mode = web->history->accesses[index].mode;
    struct record *record = &web->records[web->record_of[index]];
    bool good = draw_record(web, record, mode);

    for (uint32_t i = 0; good && i < record->overlaps_count; i++) {
        struct record *other = &web->records[web->others[record->overlaps + i]];

        good = draw_record(web, other, mode);
        if (good && epoch_of(mode) != READ)
            good = overwrite(other, record, web->task);
    }
    return good && note(record, web->task, mode);
}

static bool take_tasks(struct web *web)
{
    struct cst_history *history = web->history;

    for (size_t i = 0; i < history->tasks_count; i++) {
        struct cst_history_task *task = &history->tasks[i];

        web->task = (uint32_t)i;
        task->edges = (uint32_t)history->edges_count;
        for (uint32_t j = 0; j < task->accesses_count; j++)
            if (!take_access(web, task->accesses + j))
                return false;
    }
    return true;
}

enum castell_status cst_history_depend(struct cst_history *history)
{
    struct web web = {.history = history};
    bool good = make_records(&web) && find_overlaps(&web) && take_tasks(&web);

    for (size_t i = 0; i < web.records_count; i++) {
        cst_free(web.records[i].now.list);
        cst_free(web.records[i].before.list);
        cst_free(web.records[i].source.list);
    }
    cst_free(web.records);
    cst_free(web.record_of);
    cst_free(web.others);
    return good ? CASTELL_OK : cst_history_no_memory();
}
