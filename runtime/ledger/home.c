/*
 * Main's memory: bringing there what main wants to see, and what may lie there
 * otherwise.
 *
 * What lies in main's memory for a datum is the version that datum->home names,
 * or one that this was cut from: as long as node 0 has a copy of it with
 * copy->home. Main's memory may be overwritten when there is none such.
 */
#include "base/fail.h"
#include "ledger/records.h"

static struct cst_copy *copy_at_home(const struct cst_plan *plan,
                                     const struct cst_version *version)
{
    struct cst_copy *copy = cst_copy_find(version, plan->home);

    return copy && copy->home ? copy : NULL;
}

/* ---- What else lies there --------------------------------------------- */

/* Is something about to be written there, or overwritten in place? */
static bool is_busy(const struct cst_plan *plan, const struct cst_datum *datum)
{
    for (const struct cst_version *version = datum->home; version;
         version = version->origin) {
        const struct cst_copy *copy = copy_at_home(plan, version);

        if (copy && (copy->state != CST_COPY_PRESENT || copy->consumed))
            return true;
    }
    return datum->filling;
}

void cst_datum_clear_home(struct cst_plan *plan, struct cst_datum *datum)
{
    for (struct cst_version *version = datum->home; version;
         version = version->origin) {
        struct cst_copy *copy = copy_at_home(plan, version);
        struct cst_plan_piece piece = cst_version_piece(version);

        if (!copy)
            continue;
        if (copy->state != CST_COPY_PRESENT || copy->consumed) {
            copy->left = true;
            continue;
        }
        copy->home = false;
        if (cst_version_needed(version)) {
            plan->ops->save(plan->context, &piece);
        } else {
            plan->ops->drop(plan->context, 0, version->id);
            cst_copy_remove(plan, copy);
        }
    }
    cst_datum_set_home(plan, datum, NULL);
}

void cst_version_leave_home(struct cst_plan *plan, struct cst_version *version)
{
    struct cst_copy *copy = copy_at_home(plan, version);
    struct cst_plan_piece piece = cst_version_piece(version);

    if (!copy || !copy->left || copy->consumed ||
        copy->state != CST_COPY_PRESENT)
        return;
    copy->home = copy->left = false;
    plan->ops->save(plan->context, &piece);
}

/* ---- Wishes ----------------------------------------------------------- */

static void finish(struct cst_plan *plan, struct cst_plan_entry *entry)
{
    struct cst_plan_wish *wish = entry->wish;

    entry->done = true;
    wish->poisoned = wish->poisoned || entry->version->poisoned;
    if (--wish->pending > 0)
        return;
    if (wish->before)
        wish->before->after = wish->after;
    else
        plan->wishes = wish->after;
    if (wish->after)
        wish->after->before = wish->before;
    wish->after = plan->granted;
    plan->granted = wish;
}

/* It is on its way from there: perhaps to where a task was to run before it was
   called back, and where others may get it. */
static bool leaves_home(const struct cst_plan *plan,
                        const struct cst_version *version)
{
    const struct cst_copy *copy = version->copies;

    while (copy && (copy->state != CST_COPY_SENT || copy->from != plan->home))
        copy = copy->next;
    return copy != NULL;
}

/*
 * Does a task that has ended read what lies there, as it runs again for what was
 * lost, or would it, if it had to? Main, which knows that it has ended, may write
 * it once it is granted.
 */
static bool is_read_again(const struct cst_plan *plan,
                          const struct cst_datum *datum)
{
    for (const struct cst_version *version = datum->home; version;
         version = version->origin)
        for (const struct cst_use *use =
                 copy_at_home(plan, version) ? version->uses : NULL;
             use; use = use->after)
            if (use->record->ended &&
                (use->record->node == plan->home || leaves_home(plan, version)))
                return true;
    return false;
}

/* Before the last of a wish comes, a node may be lost, and what it had made be
   made again of what was at home already. */
static bool is_held_up(const struct cst_plan *plan,
                       const struct cst_plan_wish *wish)
{
    for (size_t i = 0; i < wish->count && wish->pending == 1; i++)
        if (is_read_again(plan, wish->entries[i].datum))
            return true;
    return false;
}

static void go_on(struct cst_plan *plan, struct cst_plan_entry *entry)
{
    struct cst_version *version = entry->version;
    struct cst_datum *datum = entry->datum;
    struct cst_plan_piece piece = cst_version_piece(version);
    struct cst_copy *copy = cst_copy_find(version, plan->home);
    bool is_there = version->poisoned || datum->current != version ||
                    (copy && copy->home && copy->state == CST_COPY_PRESENT);

    if (is_read_again(plan, datum) ||
        (is_there && is_held_up(plan, entry->wish))) {
        plan->stalled = true;
        return;
    }
    if (is_there) {
        finish(plan, entry);
        return;
    }
    if (!copy || copy->state == CST_COPY_STRAY) {
        if (cst_plan_copy_room(plan, 1))
            cst_version_fetch(plan, version, plan->home);
        return;
    }
    if (copy->state != CST_COPY_PRESENT || copy->consumed)
        return;
    if (datum->filling && datum->home == version)
        return; /* that it is there will be told */
    if (is_busy(plan, datum)) {
        plan->stalled = true;
        return;
    }
    cst_datum_clear_home(plan, datum);
    cst_datum_set_home(plan, datum, version);
    datum->filling = true;
    plan->ops->home(plan->context, &piece);
}

void cst_datum_grant(struct cst_plan *plan, struct cst_datum *datum)
{
    for (struct cst_plan_entry *entry = datum->entries; entry;
         entry = entry->other)
        if (!entry->done)
            go_on(plan, entry);
}

void cst_plan_grant_stalled(struct cst_plan *plan)
{
    struct cst_plan_wish *wish = plan->wishes;

    plan->stalled = false;
    while (wish) {
        struct cst_plan_wish *next = wish->after;
        size_t count = wish->count;

        for (size_t i = 0; i < count && wish->pending > 0; i++)
            if (!wish->entries[i].done)
                go_on(plan, &wish->entries[i]);
        wish = next;
    }
}

/* Main has it now: whatever it writes there is what counts. */
static void hand_over(struct cst_plan *plan, struct cst_datum *datum)
{
    struct cst_version *version = datum->current;

    version->refs++;
    cst_datum_set_current(plan, datum, NULL);
    cst_datum_clear_home(plan, datum);
    cst_version_unref(plan, version);
}

static void remove_entry(struct cst_plan *plan, struct cst_plan_entry *entry)
{
    struct cst_plan_entry **link = &entry->datum->entries;

    while (*link != entry)
        link = &(*link)->other;
    *link = entry->other;
    entry->version->wished--;
    cst_version_unref(plan, entry->version);
}

void cst_plan_tell_granted(struct cst_plan *plan)
{
    struct cst_plan_wish *wish;

    while ((wish = plan->granted)) {
        plan->granted = wish->after;
        for (size_t i = 0; i < wish->count; i++)
            remove_entry(plan, &wish->entries[i]);
        for (size_t i = 0; i < wish->count; i++) {
            struct cst_plan_entry *entry = &wish->entries[i];

            if (entry->datum->current == entry->version &&
                !entry->version->poisoned)
                hand_over(plan, entry->datum);
            cst_datum_unref(plan, entry->datum);
        }
        plan->ops->granted(plan->context, wish->user, wish->poisoned);
        cst_plan_block_free(plan, wish, wish->size);
    }
}

void cst_plan_drop_wishes(struct cst_plan *plan)
{
    while (plan->wishes) {
        struct cst_plan_wish *wish = plan->wishes;

        plan->wishes = wish->after;
        cst_plan_block_free(plan, wish, wish->size);
    }
}

static void add_entry(struct cst_plan *plan, struct cst_plan_wish *wish,
                      struct cst_datum *datum)
{
    struct cst_plan_entry *entry = &wish->entries[wish->count++];

    *entry = (struct cst_plan_entry){
        .wish = wish,
        .datum = datum,
        .version = datum->current,
        .other = datum->entries,
    };
    datum->entries = entry;
    datum->refs++;
    datum->current->refs++;
    datum->current->wished++;
    wish->pending++;
    cst_version_touch(plan, datum->current);
}

static struct cst_plan_wish *create_wish(struct cst_plan *plan, size_t max,
                                         void *user)
{
    size_t size =
        sizeof(struct cst_plan_wish) + max * sizeof(struct cst_plan_entry);
    struct cst_plan_wish *wish = NULL;

    if (cst_plan_pool_reserve(&plan->copies, max) == CASTELL_OK)
        wish = cst_plan_block_alloc(plan, size);
    if (!wish)
        return NULL;
    *wish = (struct cst_plan_wish){.user = user, .size = size};
    return wish;
}

static void make_wish(struct cst_plan *plan, struct cst_plan_wish *wish)
{
    if (wish->count == 0) {
        wish->after = plan->granted;
        plan->granted = wish;
    } else {
        wish->after = plan->wishes;
        if (plan->wishes)
            plan->wishes->before = wish;
        plan->wishes = wish;
    }
    cst_plan_settle(plan);
}

static enum castell_status no_memory(size_t count)
{
    return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory to wait for %zu regions",
                    count);
}

/* Let every piece of what tasks wrote have its versions. */
static enum castell_status resolve_all(struct cst_plan *plan)
{
    struct cst_datum *datum = plan->written;

    while (datum) {
        enum castell_status status = CASTELL_OK;

        if (!datum->pieces) {
            datum = datum->after;
            continue;
        }
        status = cst_datum_resolve(plan, datum->pieces);
        if (status != CASTELL_OK)
            return status;
        datum = plan->written;
    }
    return CASTELL_OK;
}

/* What lies there for the pieces of what was split is theirs. */
static void retire(struct cst_plan *plan, struct cst_datum *datum)
{
    if (!datum->split)
        cst_datum_clear_home(plan, datum);
    cst_datum_retire(plan, datum);
}

static enum castell_status wish_all(struct cst_plan *plan, void *user)
{
    enum castell_status status = resolve_all(plan);
    struct cst_plan_wish *wish;
    struct cst_datum *next;
    size_t max = 0;

    if (status != CASTELL_OK)
        return status;
    for (struct cst_datum *datum = plan->written; datum; datum = datum->after)
        max++;
    wish = create_wish(plan, max, user);
    if (!wish)
        return no_memory(max);
    for (struct cst_datum *datum = plan->written; datum; datum = next) {
        next = datum->after;
        if ((datum->split || datum->doomed) &&
            (!datum->fragment || cst_place_idle(&datum->fragment->place)))
            retire(plan, datum);
        else if (!datum->split)
            add_entry(plan, wish, datum);
    }
    make_wish(plan, wish);
    return CASTELL_OK;
}

enum castell_status cst_plan_wish(struct cst_plan *plan,
                                  struct cst_fragment *const *fragments,
                                  size_t fragments_count, void *user)
{
    struct cst_plan_wish *wish;

    if (!fragments)
        return wish_all(plan, user);
    for (size_t i = 0; i < fragments_count; i++) {
        struct cst_datum *datum = cst_datum_find(plan, fragments[i]);

        if (datum && cst_datum_resolve(plan, datum) != CASTELL_OK)
            return CASTELL_ERR_NO_MEMORY;
    }
    wish = create_wish(plan, fragments_count, user);
    if (!wish)
        return no_memory(fragments_count);
    for (size_t i = 0; i < fragments_count; i++) {
        struct cst_datum *datum = cst_datum_find(plan, fragments[i]);

        if (datum && datum->current)
            add_entry(plan, wish, datum);
    }
    make_wish(plan, wish);
    return CASTELL_OK;
}

/* ---- For node 0's store ----------------------------------------------- */

bool cst_plan_home_claim(struct cst_plan *plan, uint64_t version_id)
{
    struct cst_version *version =
        cst_plan_ids_find(&plan->versions_by_id, version_id);
    struct cst_copy *copy;
    struct cst_datum *datum;

    if (!version || version->poisoned || version->children || !version->datum)
        return false;
    datum = version->datum;
    copy = cst_copy_find(version, plan->home);
    if (!copy || copy->state == CST_COPY_PRESENT ||
        copy->state == CST_COPY_STRAY || copy->home || !datum->current ||
        datum->split || datum->filling ||
        (datum->home && datum->home->id > version_id))
        return false;
    for (struct cst_version *older = datum->home; older;
         older = older->origin) {
        const struct cst_copy *other = copy_at_home(plan, older);

        /* What the very task that makes it consumes is no obstacle. */
        if (other && !other->consumed)
            return false;
    }
    cst_datum_set_home(plan, datum, version);
    copy->home = true;
    copy->left = false;
    return true;
}

/* What lies there that the task was to consume to make the version; or NULL. */
static struct cst_version *consumed_for(const struct cst_plan *plan,
                                        const struct cst_version *version)
{
    const struct cst_plan_record *record = version->producer;

    for (uint32_t i = 0; record && i < record->uses_count; i++) {
        struct cst_version *older = record->uses[i].version;

        if (record->uses[i].consumed && older->datum == version->datum &&
            copy_at_home(plan, older))
            return older;
    }
    return NULL;
}

/* It, and what was cut from it, will not lie there; `older` does. */
static void unclaim(struct cst_plan *plan, struct cst_version *version,
                    struct cst_version *older)
{
    struct cst_version *stack = version;

    version->fed = NULL;
    while (stack) {
        struct cst_version *one = stack;
        struct cst_copy *copy = copy_at_home(plan, one);
        /* The version itself may have been cut, and so be elsewhere than where
           it was to come. */
        bool is_there =
            one != version && copy && copy->state == CST_COPY_PRESENT;

        stack = one->fed;
        if (copy && !is_there)
            copy->home = false;
        if (one->datum && one->datum->home == one && !is_there)
            cst_datum_set_home(plan, one->datum, older);
        cst_version_touch(plan, one);
        for (struct cst_version *part = one->children; part;
             part = part->sibling) {
            part->fed = stack;
            stack = part;
        }
    }
}

void cst_plan_home_unclaimed(struct cst_plan *plan, uint64_t version_id)
{
    struct cst_version *version =
        cst_plan_ids_find(&plan->versions_by_id, version_id);

    if (!version || !version->datum ||
        (version->datum->filling && version->datum->home == version))
        return;
    unclaim(plan, version, consumed_for(plan, version));
    cst_plan_settle(plan);
}

void cst_plan_home_filled(struct cst_plan *plan, uint64_t version_id)
{
    struct cst_version *version =
        cst_plan_ids_find(&plan->versions_by_id, version_id);
    struct cst_copy *copy;

    if (!version || !version->datum || version->datum->home != version)
        return;
    version->datum->filling = false;
    copy = cst_copy_find(version, plan->home);
    if (copy && copy->state == CST_COPY_PRESENT) {
        copy->home = true;
        copy->left = false;
    }
    cst_version_touch(plan, version);
    cst_plan_settle(plan);
}

void cst_plan_delete(struct cst_plan *plan, struct cst_fragment *fragment)
{
    struct cst_datum *datum = cst_datum_find(plan, fragment);

    if (!datum)
        return;
    datum->doomed = true;
    if (!datum->parent && cst_place_idle(&fragment->place))
        cst_datum_set_current(plan, datum, NULL);
    cst_plan_settle(plan);
}
