/*
 * Main's own memory as a place of versions: who uses it now, and what comes
 * there. Few use it at a time, so lists will do.
 */
#include "base/fail.h"
#include "store/store_internal.h"

/* ---- Who uses it --------------------------------------------------------- */

static bool uses_home(const struct cst_store_entry *entry)
{
    return entry->claimed || entry->sends_home ||
           (entry->incoming && entry->incoming->home) ||
           (entry->buffer && entry->buffer->home &&
            (entry->readers > 0 || entry->sending > 0));
}

void cst_home_update(struct cst_store *store, struct cst_store_entry *entry)
{
    bool uses = store->is_home && uses_home(entry);

    if (uses == entry->at_home)
        return;
    entry->at_home = uses;
    if (uses) {
        entry->previous_home = NULL;
        entry->next_home = store->home_entries;
        if (entry->next_home)
            entry->next_home->previous_home = entry;
        store->home_entries = entry;
        return;
    }
    if (entry->next_home)
        entry->next_home->previous_home = entry->previous_home;
    if (entry->previous_home)
        entry->previous_home->next_home = entry->next_home;
    else
        store->home_entries = entry->next_home;
}

void cst_home_entered(struct cst_store *store, struct cst_store_entry *entry)
{
    entry->claimed = false;
    if (store->ops->at_home)
        store->ops->at_home(store->context, &entry->piece);
}

void cst_home_enter(struct cst_store *store, struct cst_store_access *access)
{
    access->previous = NULL;
    access->next = store->home_accesses;
    if (access->next)
        access->next->previous = access;
    store->home_accesses = access;
}

void cst_home_leave(struct cst_store *store, struct cst_store_access *access)
{
    if (access->next)
        access->next->previous = access->previous;
    if (access->previous)
        access->previous->next = access->next;
    else
        store->home_accesses = access->next;
}

/* Is the entry used by nobody but the access itself? */
static bool is_own(const struct cst_store_entry *entry,
                   const struct cst_store_access *own)
{
    if (!own || entry->readers != 1 || entry->sending > 0)
        return false;
    for (uint32_t i = 0; i < own->inputs_count; i++)
        if (own->inputs[i].entry == entry)
            return true;
    return false;
}

bool cst_home_is_free(const struct cst_store *store,
                      const struct cst_region *region,
                      const struct cst_store_access *own)
{
    for (const struct cst_store_access *access = store->home_accesses; access;
         access = access->next)
        if (access != own && cst_region_overlap(&access->region, region))
            return false;
    for (const struct cst_store_entry *entry = store->home_entries; entry;
         entry = entry->next_home)
        if (!is_own(entry, own) &&
            cst_region_overlap(&entry->piece.region, region))
            return false;
    return true;
}

bool cst_store_home_is_idle(const struct cst_store *store,
                            const struct cst_region *region)
{
    return cst_home_is_free(store, region, NULL);
}

bool cst_store_home_is_sent(const struct cst_store *store,
                            const struct cst_region *region)
{
    const struct cst_store_entry *entry = store->home_entries;

    while (entry &&
           (!entry->sends_home ||
            (region && !cst_region_overlap(&entry->piece.region, region))))
        entry = entry->next_home;
    return entry != NULL;
}

/* ---- What comes there ---------------------------------------------------- */

enum castell_status cst_store_come_home(struct cst_store *store,
                                        const struct cst_piece *piece)
{
    struct cst_store_entry *entry =
        cst_map_find(&store->entries, piece->version);

    CST_ASSERT(store->is_home && entry && entry->buffer && !entry->comes_home);
    entry->comes_home = store->coming_home ? store->coming_home : entry;
    store->coming_home = entry;
    cst_home_settle(store);
    return CASTELL_OK;
}

void cst_home_settle(struct cst_store *store)
{
    struct cst_store_entry *entry = store->coming_home;
    struct cst_store_entry *left = NULL;

    store->coming_home = NULL;
    while (entry) {
        struct cst_store_entry *next =
            entry->comes_home == entry ? NULL : entry->comes_home;
        const struct cst_region *region = &entry->piece.region;

        /* Not while a push reads the buffer that it would leave. */
        if (!entry->buffer->home &&
            (entry->sending > 0 || !cst_home_is_free(store, region, NULL))) {
            entry->comes_home = left ? left : entry;
            left = entry;
            entry = next;
            continue;
        }
        entry->comes_home = NULL;
        if (!entry->buffer->home) {
            cst_buffer_copy(&store->home, entry->buffer, region);
            cst_buffer_unref(store, entry->buffer);
            entry->buffer = &store->home;
            cst_home_entered(store, entry);
            cst_home_update(store, entry);
        }
        store->ops->home_filled(store->context, entry->piece.version);
        cst_store_tidy(store, entry);
        entry = next;
    }
    store->coming_home = left;
}

enum castell_status cst_store_save(struct cst_store *store,
                                   const struct cst_piece *piece)
{
    struct cst_store_entry *entry =
        cst_map_find(&store->entries, piece->version);
    struct cst_store_buffer *aside;

    CST_ASSERT(store->is_home && entry && entry->buffer);
    if (!entry->buffer->home)
        return CASTELL_OK;
    aside = cst_buffer_new(store, &piece->region);
    if (!aside)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory to keep data");
    cst_buffer_copy(aside, entry->buffer, &piece->region);
    entry->buffer = aside;
    cst_home_update(store, entry);
    return CASTELL_OK;
}
