/*
 * Main memory is about to be used: what devices have of it comes back first.
 */
#include "base/fail.h"
#include "depot/depot_internal.h"

bool cst_depot_is_empty(const struct cst_depot *depot)
{
    return atomic_load_explicit(&depot->spans_count, memory_order_acquire) == 0;
}

static enum castell_status say_lost(const struct cst_depot *depot,
                                    const struct cst_depot_copy *copy)
{
    const struct cst_depot_device *device =
        &depot->slots[cst_copy_number(copy)].device;

    return cst_fail(CASTELL_ERR_TASK_FAILED,
                    "what a task had left in the memory of %s was lost with "
                    "it: %.160s",
                    device->info.name,
                    device->words[0] ? device->words : "a copy of it failed");
}

/* What is about to be done, and where. */
struct use {
    struct cst_depot *depot;
    const struct cst_region *region; /* NULL: all */
    bool reads, writes;
};

static bool covers(const struct use *use, const struct cst_span *span)
{
    return use->region &&
           cst_region_includes(use->region, cst_span_region(span));
}

/* One that a running task works on is no concern of the caller's. */
static bool is_others(const struct use *use, const struct cst_depot_copy *copy)
{
    return !use->region && copy->pins > 0;
}

/* Let all that is wanted come back at the same time. */
static void start_back(const struct use *use, const struct cst_spans *spans)
{
    for (size_t i = 0; i < spans->count; i++) {
        struct cst_span *span = spans->list[i];

        for (uint32_t j = 0; j < use->depot->count; j++) {
            struct cst_depot_copy *copy = &span->copies[j];

            if (copy->dirty && copy->block && !copy->out && !copy->starting &&
                copy->writers == 0 && !is_others(use, copy) &&
                (use->reads || !covers(use, span)))
                cst_copy_start_back_locked(use->depot, copy);
        }
    }
}

static enum castell_status end_one(const struct use *use, struct cst_span *span,
                                   struct cst_depot_copy *copy)
{
    enum castell_status status = CASTELL_OK;

    if (is_others(use, copy))
        return CASTELL_OK;
    if (copy->starting || copy->out)
        cst_copy_end_back_locked(use->depot, copy);
    if (use->writes && copy->in)
        cst_copy_end_in_locked(use->depot, copy);
    if (copy->lost && (use->reads || !covers(use, span)))
        status = say_lost(use->depot, copy);
    if (use->writes)
        cst_copy_drop_locked(use->depot, copy);
    return status;
}

static enum castell_status use_main(const struct use *use)
{
    struct cst_depot *depot = use->depot;
    enum castell_status status;
    struct cst_spans spans;

    cst_lock_take(&depot->lock);
    status = cst_spans_list_locked(depot, use->region, &spans);
    if (status == CASTELL_OK) {
        start_back(use, &spans);
        for (size_t i = 0; i < spans.count; i++)
            for (uint32_t j = 0; j < depot->count; j++) {
                enum castell_status one =
                    end_one(use, spans.list[i], &spans.list[i]->copies[j]);

                status = status == CASTELL_OK ? one : status;
            }
        cst_spans_drop_locked(depot, &spans);
    }
    cst_lock_drop(&depot->lock);
    return status;
}

enum castell_status cst_depot_to_main(struct cst_depot *depot,
                                      const struct cst_region *region,
                                      bool reads, bool writes)
{
    const struct use use = {depot, region, reads, writes};

    return cst_depot_is_empty(depot) ? CASTELL_OK : use_main(&use);
}

enum castell_status cst_depot_all_to_main(struct cst_depot *depot)
{
    const struct use use = {depot, NULL, true, true};

    return cst_depot_is_empty(depot) ? CASTELL_OK : use_main(&use);
}

void cst_depot_forget(struct cst_depot *depot, const struct cst_region *region)
{
    struct cst_spans spans;

    if (cst_depot_is_empty(depot))
        return;
    cst_lock_take(&depot->lock);
    if (cst_spans_list_locked(depot, region, &spans) == CASTELL_OK) {
        for (size_t i = 0; i < spans.count; i++) {
            struct cst_span *span = spans.list[i];

            for (uint32_t j = 0; j < depot->count; j++) {
                struct cst_depot_copy *copy = &span->copies[j];

                /* Where it goes beyond the region, others may want it; and
                   what is on its way back is waited for by who frees. */
                if (cst_region_includes(region, cst_span_region(span)) &&
                    copy->pins == 0 && !copy->out && !copy->starting)
                    cst_copy_drop_locked(depot, copy);
            }
        }
        cst_spans_drop_locked(depot, &spans);
    }
    cst_lock_drop(&depot->lock);
}
