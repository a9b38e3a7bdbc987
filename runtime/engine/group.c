/*
 * Groups, by name. A cancelled group makes room for a new one of its name, and
 * is kept behind it, for some of its tasks may still run.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "engine/engine_internal.h"

#include <string.h>

static struct cst_group *make_locked(struct cst_engine *engine,
                                     const char *name)
{
    struct cst_group *group = cst_zalloc(sizeof(*group));

    if (!group)
        return NULL;
    (void)strncpy(group->name, name, sizeof(group->name) - 1);
    group->next = engine->groups;
    engine->groups = group;
    return group;
}

struct cst_group *cst_engine_group(struct cst_engine *engine, const char *name,
                                   bool make)
{
    struct cst_group *group;

    cst_lock_take(&engine->groups_lock);
    group = engine->groups;
    while (group && strcmp(group->name, name) != 0)
        group = group->next;
    if (!group && make)
        group = make_locked(engine, name);
    if (group && make &&
        atomic_load_explicit(&group->cancelled, memory_order_relaxed)) {
        /* It goes on as a new one, found first. */
        struct cst_group *older = group;

        group = make_locked(engine, name);
        if (group)
            group->older = older;
    }
    cst_lock_drop(&engine->groups_lock);
    return group;
}

void cst_engine_group_cancel(struct cst_engine *engine, struct cst_group *group)
{
    atomic_store_explicit(&group->cancelled, true, memory_order_release);
    atomic_fetch_add(&engine->cancels, 1);
}

uint64_t cst_engine_cancels(struct cst_engine *engine)
{
    return atomic_load(&engine->cancels);
}

void cst_groups_release(struct cst_engine *engine)
{
    while (engine->groups) {
        struct cst_group *group = engine->groups;

        engine->groups = group->next;
        cst_free(group);
    }
}
