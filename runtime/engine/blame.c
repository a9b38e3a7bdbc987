/*
 * Who failed: which task was to write what is poisoned now. Places have a bit
 * only; here the latest few failures and cancellings are kept, for messages.
 */
#include "base/memory.h"
#include "engine/engine_internal.h"

enum { KEPT = 64 }; /* of the failed, and of the cancelled */

struct blame {
    struct cst_region region;
    uint64_t domain;
    const char *label;
    const char *where;
};

struct cst_blames {
    struct blame kept[2][KEPT]; /* cancelled; failed */
    uint64_t count[2];          /* ever noted */
};

void cst_blame_note(struct cst_engine *engine, struct cst_task *task)
{
    bool failed = (task->flags & CST_TASK_FAILED) != 0;
    struct cst_blames *blames = engine->blames;

    if (!blames) /* without memory nobody is blamed */
        engine->blames = blames = cst_zalloc(sizeof(*blames));
    if (!blames || !task->kind)
        return;
    for (uint32_t i = 0; i < task->accesses_count; i++) {
        const struct cst_access *access = &cst_task_accesses(task)[i];
        struct blame *blame;

        if (!access->hold.writes)
            continue;
        blame = &blames->kept[failed][blames->count[failed]++ % KEPT];
        cst_access_region(access, &blame->region);
        blame->domain = cst_task_domain(task);
        blame->label = task->kind->label;
        blame->where = task->where ? task->where : task->kind->where;
    }
}

/* The latest that was to write some of the region, or NULL. */
static const struct blame *find(const struct cst_blames *blames, bool failed,
                                uint64_t domain,
                                const struct cst_region *region)
{
    uint64_t count = blames->count[failed];

    for (uint64_t i = 0; i < count && i < KEPT; i++) {
        const struct blame *blame =
            &blames->kept[failed][(count - 1 - i) % KEPT];

        if (blame->domain == domain &&
            cst_region_overlap(&blame->region, region))
            return blame;
    }
    return NULL;
}

void cst_blame_find(struct cst_engine *engine, struct cst_task *task,
                    struct cst_outcome *outcome)
{
    const struct blame *blame = NULL;

    outcome->status = CASTELL_ERR_CANCELLED;
    for (int failed = 1; failed >= 0 && !blame && engine->blames; failed--)
        for (uint32_t i = 0; i < task->accesses_count && !blame; i++) {
            struct cst_region region;

            cst_access_region(&cst_task_accesses(task)[i], &region);
            blame =
                find(engine->blames, failed, cst_task_domain(task), &region);
            outcome->failed = failed;
        }
    if (blame) {
        outcome->label = blame->label;
        outcome->where = blame->where;
    }
}
