/*
 * Put tasks in the order of submission and attempts in that of time, and join
 * what was told in different files of the same attempt.
 */
#include "base/memory.h"
#include "history/history_internal.h"

#include <stdlib.h>
#include <string.h>

/* What stands where, by time; equal times stay in the order of reading. */
struct key {
    uint64_t ns;
    uint32_t index;
};

static int compare_keys(const void *a_, const void *b_)
{
    const struct key *a = a_, *b = b_;

    if (a->ns != b->ns)
        return a->ns < b->ns ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

/* Where each element goes: count of them; NULL: no memory. */
static uint32_t *sort_keys(struct key *keys, size_t count)
{
    uint32_t *to = cst_alloc((count + 1) * sizeof(*to));

    if (!to)
        return NULL;
    qsort(keys, count, sizeof(*keys), compare_keys);
    for (size_t i = 0; i < count; i++)
        to[keys[i].index] = (uint32_t)i;
    return to;
}

static struct key *keys_new(size_t count)
{
    return cst_alloc((count + 1) * sizeof(struct key));
}

static void remap(uint32_t *index, const uint32_t *to)
{
    if (*index != CST_HISTORY_NONE)
        *index = to[*index];
}

static void remap_tasks(struct cst_history_loader *loader, const uint32_t *to)
{
    struct cst_history *history = loader->history;

    for (size_t i = 0; i < history->tasks_count; i++)
        remap(&history->tasks[i].parent, to);
    for (size_t i = 0; i < history->attempts_count; i++)
        remap(&history->attempts[i].task, to);
    for (size_t i = 0; i < history->assignments_count; i++)
        remap(&history->assignments[i].task, to);
    for (size_t i = 0; i < history->spans_count; i++)
        remap(&history->spans[i].task, to);
    for (size_t i = 0; i < history->texts_count; i++)
        remap(&history->texts[i].task, to);
    for (size_t i = 0; i < history->kernels_count; i++)
        remap(&history->kernels[i].task, to);
    for (size_t i = 0; i < loader->ready_count; i++)
        remap(&loader->ready[i].task, to);
    for (size_t i = 0; i < loader->dones_count; i++)
        remap(&loader->dones[i].task, to);
}

static bool sort_tasks(struct cst_history_loader *loader)
{
    struct cst_history *history = loader->history;
    size_t count = history->tasks_count;
    struct key *keys = keys_new(count);
    struct cst_history_task *sorted = cst_alloc((count + 1) * sizeof(*sorted));
    uint32_t *to = NULL;

    for (size_t i = 0; keys && i < count; i++)
        keys[i] = (struct key){history->tasks[i].submitted_ns, (uint32_t)i};
    if (keys && sorted)
        to = sort_keys(keys, count);
    if (to) {
        for (size_t i = 0; i < count; i++)
            sorted[to[i]] = history->tasks[i];
        cst_free(history->tasks);
        history->tasks = sorted;
        history->tasks_max = count + 1;
        remap_tasks(loader, to);
        cst_map_release(&history->ids);
        memset(&history->ids, 0, sizeof(history->ids));
    } else {
        cst_free(sorted);
    }
    cst_free(keys);
    cst_free(to);
    return to != NULL;
}

static bool index_tasks(struct cst_history *history)
{
    if (!cst_map_reserve(&history->ids, history->tasks_count + 1))
        return false;
    for (size_t i = 0; i < history->tasks_count; i++)
        /* NOLINTNEXTLINE(performance-no-int-to-ptr): a number, not a place */
        cst_map_add(&history->ids, history->tasks[i].id, (void *)(i + 1));
    return true;
}

static bool sort_attempts(struct cst_history *history)
{
    size_t count = history->attempts_count;
    struct key *keys = keys_new(count);
    struct cst_history_attempt *sorted =
        cst_alloc((count + 1) * sizeof(*sorted));
    bool good = keys && sorted;

    for (size_t i = 0; good && i < count; i++)
        keys[i] = (struct key){history->attempts[i].started_ns, (uint32_t)i};
    if (good) {
        qsort(keys, count, sizeof(*keys), compare_keys);
        for (size_t i = 0; i < count; i++)
            sorted[i] = history->attempts[keys[i].index];
        cst_free(history->attempts);
        history->attempts = sorted;
        history->attempts_max = count + 1;
    } else {
        cst_free(sorted);
    }
    cst_free(keys);
    return good;
}

static int compare_texts(const void *a_, const void *b_)
{
    const struct cst_history_text *a = a_, *b = b_;

    return a->ns < b->ns ? -1 : a->ns > b->ns;
}

static int compare_memory(const void *a_, const void *b_)
{
    const struct cst_history_memory *a = a_, *b = b_;

    if (a->node != b->node)
        return a->node < b->node ? -1 : 1;
    if (a->device != b->device) /* that of the process is the last */
        return a->device < b->device ? -1 : 1;
    return a->ns < b->ns ? -1 : a->ns > b->ns;
}

/* ---- What belongs together ---------------------------------------------- */

static void chain_attempts(struct cst_history *history)
{
    for (size_t i = 0; i < history->attempts_count; i++) {
        struct cst_history_task *task =
            &history->tasks[history->attempts[i].task];

        if (task->last_attempt == CST_HISTORY_NONE)
            task->attempts = (uint32_t)i;
        else
            history->attempts[task->last_attempt].next = (uint32_t)i;
        task->last_attempt = (uint32_t)i;
    }
}

/* It was ready before its next start on that node. */
static void place_ready(struct cst_history *history,
                        const struct cst_history_ready *ready)
{
    uint32_t index = history->tasks[ready->task].attempts;

    for (; index != CST_HISTORY_NONE; index = history->attempts[index].next) {
        struct cst_history_attempt *attempt = &history->attempts[index];

        if (history->tracks[attempt->track].node != ready->node ||
            attempt->started_ns < ready->ns)
            continue;
        if (attempt->ready_ns == CST_HISTORY_NEVER ||
            attempt->ready_ns < ready->ns) {
            attempt->ready_ns = ready->ns;
            attempt->cause = ready->cause;
        }
        return;
    }
}

static void place_assignment(struct cst_history *history,
                             const struct cst_history_assignment *assignment)
{
    uint32_t index = history->tasks[assignment->task].attempts;

    for (; index != CST_HISTORY_NONE; index = history->attempts[index].next) {
        struct cst_history_attempt *attempt = &history->attempts[index];

        if (attempt->number == assignment->attempt &&
            history->tracks[attempt->track].node == assignment->node)
            attempt->assigned_ns = assignment->ns;
    }
}

/* A node that died may not have written the end of what it told the master. */
static void place_done(struct cst_history *history,
                       const struct cst_history_done *done)
{
    struct cst_history_task *task = &history->tasks[done->task];
    uint32_t index = task->attempts;

    if (!done->failed && (task->done_ns == 0 || done->ns < task->done_ns))
        task->done_ns = done->ns;
    for (; index != CST_HISTORY_NONE; index = history->attempts[index].next) {
        struct cst_history_attempt *attempt = &history->attempts[index];

        if (attempt->number != done->attempt ||
            history->tracks[attempt->track].node != done->node)
            continue;
        if (!attempt->ended) {
            attempt->ended = true;
            attempt->result = done->failed;
        }
        return;
    }
    history->unseen++;
}

/* Its last good attempt has ended, and what its body submitted is complete. */
static void complete(struct cst_history *history)
{
    for (size_t i = history->tasks_count; i-- > 0;) {
        struct cst_history_task *task = &history->tasks[i];
        uint32_t index = task->attempts;

        for (; index != CST_HISTORY_NONE;
             index = history->attempts[index].next) {
            const struct cst_history_attempt *attempt =
                &history->attempts[index];

            if (attempt->ended && attempt->ended_ns > task->complete_ns)
                task->complete_ns = attempt->ended_ns;
        }
        if (task->complete_ns == 0)
            task->complete_ns = task->done_ns;
        if (task->parent != CST_HISTORY_NONE && task->parent < i &&
            history->tasks[task->parent].complete_ns < task->complete_ns)
            history->tasks[task->parent].complete_ns = task->complete_ns;
    }
}

static bool name_texts(struct cst_history *history)
{
    for (size_t i = 0; i < history->texts_count; i++) {
        const struct cst_history_text *text = &history->texts[i];
        struct cst_history_node *node = &history->nodes[text->node];

        if (text->event != CST_TRACE_NODE_GONE || node->why)
            continue;
        node->why = cst_strdup(text->text);
        if (!node->why)
            return false;
    }
    for (size_t i = 0; i < history->requests_count; i++) {
        uint32_t class = history->requests[i].class;

        if (class >= history->classes_count || !history->classes[class])
            history->requests[i].class = CST_HISTORY_NONE;
    }
    /* Who left in good order was told why before. */
    for (size_t i = 0; i < history->notices_count; i++) {
        const struct cst_history_notice *notice = &history->notices[i];
        uint32_t node = notice->request == CST_HISTORY_NONE
                            ? CST_HISTORY_NONE
                            : history->requests[notice->request].node;

        if (notice->state != CST_TRACE_REQUEST_LEAVES ||
            node == CST_HISTORY_NONE || history->nodes[node].why)
            continue;
        history->nodes[node].why = cst_strdup(notice->text);
        if (!history->nodes[node].why)
            return false;
    }
    return true;
}

enum castell_status cst_history_order(struct cst_history_loader *loader)
{
    struct cst_history *history = loader->history;

    if (!sort_tasks(loader) || !index_tasks(history) ||
        !sort_attempts(history) || !name_texts(history))
        return cst_history_no_memory();
    if (history->texts_count > 0)
        qsort(history->texts, history->texts_count, sizeof(*history->texts),
              compare_texts);
    if (history->memory_count > 0)
        qsort(history->memory, history->memory_count, sizeof(*history->memory),
              compare_memory);
    chain_attempts(history);
    for (size_t i = 0; i < loader->ready_count; i++)
        place_ready(history, &loader->ready[i]);
    for (size_t i = 0; i < history->assignments_count; i++)
        place_assignment(history, &history->assignments[i]);
    for (size_t i = 0; i < loader->dones_count; i++)
        place_done(history, &loader->dones[i]);
    complete(history);
    return CASTELL_OK;
}
