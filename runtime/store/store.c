#include "store/store.h"

#include "base/fail.h"
#include "base/memory.h"
#include "store/store_internal.h"

/* ---- Life --------------------------------------------------------------- */

enum castell_status cst_store_create(const struct cst_store_ops *ops,
                                     void *context,
                                     struct cst_store **ret_store)
{
    struct cst_store *store = cst_zalloc(sizeof(*store));

    if (!store)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a store");
    store->ops = ops;
    store->context = context;
    store->is_home = ops->home_claim != NULL;
    store->home.home = true;
    cst_store_keep_spare(store, SIZE_MAX);
    *ret_store = store;
    return CASTELL_OK;
}

static void free_targets(struct cst_store *store, struct cst_store_entry *entry)
{
    while (entry->targets) {
        struct cst_store_target *target = entry->targets;

        entry->targets = target->next;
        cst_spare_put(&store->small, target, sizeof(*target));
    }
}

static void free_formers(struct cst_store *store, struct cst_store_entry *entry)
{
    while (entry->formers) {
        struct cst_store_former *former = entry->formers;

        entry->formers = former->next;
        cst_buffer_unref(store, former->buffer);
        cst_spare_put(&store->small, former, sizeof(*former));
    }
}

void cst_store_destroy(struct cst_store *store)
{
    struct cst_store_entry *entry;
    struct cst_store_job *job;
    size_t cursor = 0;

    if (!store)
        return;
    while ((job = cst_map_next(&store->jobs, &cursor))) {
        CST_ASSERT(!job->fired);
        cst_store_job_free(store, job);
    }
    cst_map_release(&store->jobs);
    cursor = 0;
    while ((entry = cst_map_next(&store->entries, &cursor))) {
        if (entry->buffer)
            cst_buffer_unref(store, entry->buffer);
        if (entry->incoming)
            cst_buffer_unref(store, entry->incoming);
        free_formers(store, entry);
        free_targets(store, entry);
        cst_spare_put(&store->small, entry, sizeof(*entry));
    }
    cst_map_release(&store->entries);
    cst_buffers_release(store);
    cst_spare_release(&store->small);
    cst_free(store);
}

/* ---- Entries ------------------------------------------------------------ */

struct cst_store_entry *cst_store_entry(struct cst_store *store,
                                        const struct cst_piece *piece)
{
    struct cst_store_entry *entry =
        cst_map_find(&store->entries, piece->version);

    /* Of what something is to be cut from, only the number is known so far. */
    if (entry && !entry->buffer && !entry->incoming)
        entry->piece = *piece;
    if (entry)
        return entry;
    if (!cst_map_reserve(&store->entries, 1))
        return NULL;
    entry = cst_spare_take(&store->small, sizeof(*entry));
    if (!entry)
        return NULL;
    entry->piece = *piece;
    cst_map_add(&store->entries, piece->version, entry);
    return entry;
}

bool cst_store_is_used(const struct cst_store_entry *entry, uint32_t own)
{
    const struct cst_store_entry *whole = entry->origin;

    if (entry->readers > own || entry->sending > 0)
        return true;
    /* What it is a part of may be sent or read later, too: until the plan has
       said that nobody will. */
    for (; whole; whole = whole->origin)
        if (whole->readers > 0 || whole->sending > 0 ||
            (whole->buffer == entry->buffer && !whole->dropped))
            return true;
    return false;
}

static void unlink_part(struct cst_store_entry *entry)
{
    struct cst_store_entry **link;

    if (!entry->origin)
        return;
    link = &entry->origin->parts;
    while (*link != entry)
        link = &(*link)->next_part;
    *link = entry->next_part;
    entry->origin = NULL;
}

/* Its parts now are parts of what it was a part of. */
static void hand_over_parts(struct cst_store_entry *entry)
{
    while (entry->parts) {
        struct cst_store_entry *part = entry->parts;

        entry->parts = part->next_part;
        part->origin = entry->origin;
        if (part->origin) {
            part->next_part = part->origin->parts;
            part->origin->parts = part;
        }
    }
}

static bool is_of_no_use(const struct cst_store_entry *entry)
{
    bool parts_wait = entry->parts && !entry->buffer;
    /* Not even to come from something else here. */
    bool never_comes = !entry->buffer && !entry->origin;

    return (entry->dropped || never_comes) && entry->readers == 0 &&
           entry->sending == 0 && entry->makers == 0 && !entry->waiting &&
           !entry->targets && !entry->incoming && !parts_wait &&
           !entry->claimed && !entry->comes_home && !entry->at_home;
}

void cst_store_tidy(struct cst_store *store, struct cst_store_entry *entry)
{
    while (entry && is_of_no_use(entry)) {
        struct cst_store_entry *origin = entry->origin;

        hand_over_parts(entry);
        unlink_part(entry);
        if (entry->buffer)
            cst_buffer_unref(store, entry->buffer);
        (void)cst_map_remove(&store->entries, entry->piece.version);
        if (store->ops->forgotten)
            store->ops->forgotten(store->context, entry->piece.version);
        cst_spare_put(&store->small, entry, sizeof(*entry));
        entry = origin; /* which may have waited for its parts alone */
    }
}

void cst_store_unclaim(struct cst_store *store, struct cst_store_entry *entry)
{
    if (!entry->claimed)
        return;
    entry->claimed = false;
    cst_home_update(store, entry);
    store->ops->home_unclaimed(store->context, entry->piece.version);
}

/* ---- What is here now ---------------------------------------------------- */

static void send_to(struct cst_store *store, struct cst_store_entry *entry,
                    uint32_t node)
{
    struct cst_rows rows = cst_buffer_rows(entry->buffer, &entry->piece.region);

    entry->sending++;
    entry->sends_home |= entry->buffer->home;
    cst_home_update(store, entry);
    store->ops->send(store->context, node, &entry->piece, &rows);
}

static void send_all(struct cst_store *store, struct cst_store_entry *entry)
{
    while (entry->targets) {
        struct cst_store_target *target = entry->targets;

        entry->targets = target->next;
        send_to(store, entry, target->node);
        cst_spare_put(&store->small, target, sizeof(*target));
    }
}

/* It was made anew while a push reads what it was made to before. */
static void keep_former(struct cst_store *store, struct cst_store_entry *entry)
{
    struct cst_store_former *former =
        cst_spare_take(&store->small, sizeof(*former));

    if (!former)
        return; /* no memory: then the buffer stays for good */
    *former = (struct cst_store_former){entry->buffer, entry->formers};
    entry->formers = former;
}

/* Give it the buffer; the list of the entries that this brings grows. */
static void set_buffer(struct cst_store *store, struct cst_store_entry *entry,
                       struct cst_store_buffer *buffer)
{
    cst_buffer_ref(buffer);
    if (entry->buffer && entry->sending > 0)
        keep_former(store, entry);
    else if (entry->buffer)
        cst_buffer_unref(store, entry->buffer);
    entry->buffer = buffer;
    if (buffer->home)
        cst_home_entered(store, entry);
    else
        cst_store_unclaim(store, entry);
    cst_home_update(store, entry);
}

static void bring(struct cst_store *store, struct cst_store_entry *entry,
                  struct cst_store_buffer *buffer)
{
    set_buffer(store, entry, buffer);
    send_all(store, entry);
    while (entry->waiting) {
        struct cst_store_input *input = entry->waiting;

        entry->waiting = input->next;
        input->next = NULL;
        cst_job_input_here(store, input->job);
    }
}

void cst_store_made(struct cst_store *store, struct cst_store_entry *entry,
                    struct cst_store_buffer *buffer)
{
    struct cst_store_entry *part = entry->parts;

    bring(store, entry, buffer);
    /* Depth first without a stack: down to parts, along, and up again. */
    while (part) {
        bool fresh = !part->buffer;

        if (fresh)
            bring(store, part, buffer);
        if (fresh && part->parts) {
            part = part->parts;
            continue;
        }
        while (part != entry && !part->next_part)
            part = part->origin;
        part = part == entry ? NULL : part->next_part;
    }
}

/* ---- The master's words -------------------------------------------------- */

enum castell_status cst_store_born(struct cst_store *store,
                                   const struct cst_piece *piece)
{
    struct cst_store_entry *entry = cst_store_entry(store, piece);

    CST_ASSERT(store->is_home);
    if (!entry)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory to name data");
    entry->buffer = &store->home;
    return CASTELL_OK;
}

enum castell_status cst_store_push(struct cst_store *store, uint32_t to,
                                   const struct cst_piece *piece)
{
    struct cst_store_entry *entry = cst_store_entry(store, piece);
    struct cst_store_target *target;

    if (!entry)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory to send data");
    if (entry->buffer) {
        send_to(store, entry, to);
        return CASTELL_OK;
    }
    target = cst_spare_take(&store->small, sizeof(*target));
    if (!target)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory to send data");
    *target = (struct cst_store_target){to, entry->targets};
    entry->targets = target;
    return CASTELL_OK;
}

void cst_store_sent(struct cst_store *store, uint64_t version, bool whole)
{
    struct cst_store_entry *entry = cst_map_find(&store->entries, version);

    CST_ASSERT(entry && entry->sending > 0);
    if (!whole) { /* for ever */
        cst_buffer_ref(entry->buffer);
        for (struct cst_store_former *former = entry->formers; former;
             former = former->next)
            cst_buffer_ref(former->buffer);
    }
    if (--entry->sending == 0) {
        entry->sends_home = false;
        free_formers(store, entry);
    }
    cst_home_update(store, entry);
    cst_store_tidy(store, entry);
    cst_home_settle(store);
}

void cst_store_forget_node(struct cst_store *store, uint32_t to)
{
    struct cst_store_entry *entry;
    size_t cursor = 0;

    while ((entry = cst_map_next(&store->entries, &cursor))) {
        struct cst_store_target **link = &entry->targets;

        while (*link) {
            struct cst_store_target *target = *link;

            if (target->node != to) {
                link = &target->next;
                continue;
            }
            *link = target->next;
            cst_spare_put(&store->small, target, sizeof(*target));
        }
    }
}

void cst_store_drop(struct cst_store *store, uint64_t version)
{
    struct cst_store_entry *entry = cst_map_find(&store->entries, version);

    if (!entry)
        return;
    if (entry->makers > 0) { /* it is made anew, and that is wanted */
        entry->stale = entry->buffer != NULL;
        return;
    }
    entry->dropped = true;
    if (!entry->buffer)
        free_targets(store, entry);
    cst_store_tidy(store, entry);
}

enum castell_status cst_store_cut(struct cst_store *store,
                                  const struct cst_piece *child,
                                  uint64_t origin)
{
    struct cst_piece whole = {origin, child->region};
    struct cst_store_entry *entry =
        cst_map_find(&store->entries, child->version);
    struct cst_store_entry *from;

    /* It was dropped, and lingers for its parts or a push: it is wanted again. */
    if (entry)
        entry->dropped = false;
    if (entry && (entry->buffer || entry->origin))
        return CASTELL_OK;
    from = cst_map_find(&store->entries, origin);
    if (!from)
        from = cst_store_entry(store, &whole);
    /* Jobs may wait for it, that were to get it in another way. */
    entry = from ? cst_store_entry(store, child) : NULL;
    if (!entry)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory to cut data");
    entry->origin = from;
    entry->next_part = from->parts;
    from->parts = entry;
    if (from->buffer) {
        cst_store_made(store, entry, from->buffer);
        cst_jobs_fire(store);
    }
    return CASTELL_OK;
}

/* ---- Arrival ------------------------------------------------------------- */

bool cst_store_receive(struct cst_store *store, const struct cst_piece *piece,
                       bool may_home, struct cst_rows *ret_rows)
{
    struct cst_store_entry *entry =
        cst_map_find(&store->entries, piece->version);

    if (entry && (entry->buffer || entry->incoming)) {
        entry->stale = false;
        entry->refused = entry->incoming != NULL;
        return false;
    }
    if (!entry)
        entry = cst_store_entry(store, piece);
    if (!entry)
        return false;
    entry->piece = *piece;
    entry->dropped = false; /* before; it may be once more, as it has come */
    if (store->is_home && may_home &&
        cst_home_is_free(store, &piece->region, NULL) &&
        store->ops->home_claim(store->context, piece->version)) {
        entry->claimed = true;
        entry->incoming = &store->home;
        cst_home_update(store, entry);
    } else {
        entry->incoming = cst_buffer_new(store, &piece->region);
    }
    if (!entry->incoming)
        return false;
    *ret_rows = cst_buffer_rows(entry->incoming, &piece->region);
    return true;
}

bool cst_store_received(struct cst_store *store, uint64_t version, bool whole)
{
    struct cst_store_entry *entry = cst_map_find(&store->entries, version);
    struct cst_store_buffer *buffer;
    bool again;

    CST_ASSERT(entry && entry->incoming);
    again = entry->refused && !whole;
    entry->refused = false;
    buffer = entry->incoming;
    entry->incoming = NULL;
    cst_home_update(store, entry);
    /* It may have been made here meanwhile, and be on its way to others. */
    if (whole && !entry->buffer)
        cst_store_made(store, entry, buffer);
    else
        cst_store_unclaim(store, entry);
    cst_buffer_unref(store, buffer);
    cst_store_tidy(store, entry);
    cst_home_settle(store);
    cst_jobs_fire(store);
    return again;
}

bool cst_store_abandon(struct cst_store *store, uint64_t version)
{
    struct cst_store_entry *entry = cst_map_find(&store->entries, version);
    bool again;

    CST_ASSERT(entry && entry->incoming && !entry->incoming->home);
    again = entry->refused;
    entry->refused = false;
    entry->incoming = NULL;
    cst_store_tidy(store, entry);
    return again;
}

bool cst_store_has(const struct cst_store *store, uint64_t version)
{
    const struct cst_store_entry *entry =
        cst_map_find(&store->entries, version);

    return entry && entry->buffer;
}

/* ---- Looking inside ------------------------------------------------------ */

void cst_store_counters(const struct cst_store *store,
                        struct cst_store_counters *ret_counters)
{
    *ret_counters = store->counters;
    ret_counters->versions = store->entries.count;
    ret_counters->jobs = store->jobs.count;
}

void cst_store_check(const struct cst_store *store)
{
    const struct cst_store_entry *entry;
    const struct cst_store_job *job;
    uint64_t readers = 0, reads = 0;
    size_t cursor = 0;

    while ((entry = cst_map_next(&store->entries, &cursor))) {
        CST_ASSERT(!entry->buffer || !entry->waiting);
        CST_ASSERT(!entry->buffer || !entry->targets);
        CST_ASSERT(!entry->buffer || entry->buffer->home ||
                   entry->buffer->refs > 0);
        readers += entry->readers;
    }
    cursor = 0;
    while ((job = cst_map_next(&store->jobs, &cursor))) {
        CST_ASSERT(job->fired == (job->missing == 0));
        reads += job->inputs_used;
    }
    CST_ASSERT(readers == reads);
}
