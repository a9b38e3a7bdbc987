/*
 * Data: what fragments hold, and how that is cut when fragments are.
 *
 * A fragment may be split while tasks wait in its queue, and what they will
 * make of it is not known then. So a piece only remembers what it was cut from.
 * When the first task that uses it is placed, all that waited for the whole has
 * been placed, but for readers at most: then all pieces of the whole get
 * versions, cut from its current one.
 */
#include "base/fail.h"
#include "ledger/records.h"

struct cst_datum *cst_datum_find(const struct cst_plan *plan,
                                 struct cst_fragment *fragment)
{
    return cst_plan_ids_find(&plan->datums_by_number, *cst_data_user(fragment));
}

static struct cst_datum *create(struct cst_plan *plan,
                                struct cst_fragment *fragment)
{
    struct cst_datum *datum = cst_plan_pool_take(&plan->datums);

    do
        datum->number = ++plan->datum_numbers;
    while (datum->number == 0 ||
           cst_plan_ids_find(&plan->datums_by_number, datum->number));
    datum->fragment = fragment;
    datum->region = fragment->region;
    datum->refs = 1;
    *cst_data_user(fragment) = datum->number;
    cst_plan_ids_add(&plan->datums_by_number, datum->number, datum);
    return datum;
}

struct cst_datum *cst_datum_of(struct cst_plan *plan,
                               struct cst_fragment *fragment)
{
    struct cst_datum *datum = cst_datum_find(plan, fragment);

    return datum ? datum : create(plan, fragment);
}

void cst_datum_unref(struct cst_plan *plan, struct cst_datum *datum)
{
    CST_ASSERT(datum->refs > 0);
    if (--datum->refs > 0)
        return;
    CST_ASSERT(!datum->fragment && !datum->pieces && !datum->current &&
               !datum->home && !datum->entries && !datum->parent);
    cst_plan_ids_remove(&plan->datums_by_number, datum->number);
    cst_plan_pool_put(&plan->datums, datum);
}

/* ---- What it holds ---------------------------------------------------- */

static void link_written(struct cst_plan *plan, struct cst_datum *datum)
{
    datum->before = NULL;
    datum->after = plan->written;
    if (plan->written)
        plan->written->before = datum;
    plan->written = datum;
}

static void unlink_written(struct cst_plan *plan, struct cst_datum *datum)
{
    if (datum->before)
        datum->before->after = datum->after;
    else
        plan->written = datum->after;
    if (datum->after)
        datum->after->before = datum->before;
}

void cst_datum_set_current(struct cst_plan *plan, struct cst_datum *datum,
                           struct cst_version *version)
{
    struct cst_version *old = datum->current;

    if (version) {
        version->refs++;
        version->current = true;
        cst_version_touch(plan, version);
    }
    if (!old && version)
        link_written(plan, datum);
    if (old && !version)
        unlink_written(plan, datum);
    datum->current = version;
    if (old) {
        old->current = false;
        cst_version_unref(plan, old);
    }
}

void cst_datum_set_home(struct cst_plan *plan, struct cst_datum *datum,
                        struct cst_version *version)
{
    struct cst_version *old = datum->home;

    if (version)
        version->refs++;
    datum->home = version;
    datum->filling = false;
    if (old)
        cst_version_unref(plan, old);
}

struct cst_version *cst_datum_read(struct cst_plan *plan,
                                   struct cst_datum *datum)
{
    struct cst_plan_piece piece;
    struct cst_version *version;

    if (datum->current)
        return datum->current;
    version = cst_version_create(plan, &datum->region, datum);
    cst_copy_add(plan, version, plan->home, CST_COPY_PRESENT)->home = true;
    cst_datum_set_current(plan, datum, version);
    cst_datum_set_home(plan, datum, version);
    piece = cst_version_piece(version);
    plan->ops->root(plan->context, &piece);
    return version;
}

/* ---- Pieces ----------------------------------------------------------- */

void cst_datum_retire(struct cst_plan *plan, struct cst_datum *datum)
{
    cst_datum_set_current(plan, datum, NULL);
    cst_datum_set_home(plan, datum, NULL);
}

static void cut_copies(struct cst_plan *plan, struct cst_version *version,
                       struct cst_version *part)
{
    struct cst_plan_piece piece = cst_version_piece(part);

    for (const struct cst_copy *copy = version->copies; copy;
         copy = copy->next) {
        enum cst_copy_state state =
            copy->state == CST_COPY_PRESENT ? CST_COPY_PRESENT : CST_COPY_CUT;

        if (copy->consumed || copy->state == CST_COPY_STRAY)
            continue;
        cst_copy_add(plan, part, copy->node, state)->home = copy->home;
        plan->ops->cut(plan->context, copy->node->number, &piece, version->id);
    }
}

static struct cst_version *
cut(struct cst_plan *plan, struct cst_version *version, struct cst_datum *piece)
{
    struct cst_version *part = cst_version_create(plan, &piece->region, piece);

    part->origin = version;
    version->refs++;
    part->sibling = version->children;
    version->children = part;
    part->poisoned = version->poisoned;
    cut_copies(plan, version, part);
    return part;
}

static void separate(struct cst_plan *plan, struct cst_datum *datum,
                     struct cst_datum *piece)
{
    struct cst_version *home = datum->home;

    piece->parent = NULL;
    piece->sibling = NULL;
    if (datum->current) {
        struct cst_version *part = cut(plan, datum->current, piece);

        cst_datum_set_current(plan, piece, part);
        if (home == datum->current)
            home = part;
    }
    cst_datum_set_home(plan, piece, home);
    cst_datum_unref(plan, datum);
}

/* Give all pieces of a datum, which is no piece itself, their versions. */
static enum castell_status resolve_pieces(struct cst_plan *plan,
                                          struct cst_datum *datum)
{
    bool idle = !datum->fragment || cst_place_idle(&datum->fragment->place);
    size_t copies = 1;
    size_t pieces = 1;
    enum castell_status status;

    for (struct cst_copy *copy = datum->current ? datum->current->copies : NULL;
         copy; copy = copy->next)
        copies++;
    for (struct cst_datum *piece = datum->pieces; piece; piece = piece->sibling)
        pieces++;
    status = cst_plan_pool_reserve(&plan->versions, pieces);
    if (status == CASTELL_OK)
        status = cst_plan_pool_reserve(&plan->copies, pieces * copies);
    if (status == CASTELL_OK)
        status = cst_plan_ids_reserve(&plan->versions_by_id, pieces);
    if (status != CASTELL_OK)
        return status;
    /* What is still to be read as a whole has to be one version. */
    if (!idle)
        (void)cst_datum_read(plan, datum);
    datum->refs++;
    while (datum->pieces) {
        struct cst_datum *piece = datum->pieces;

        datum->pieces = piece->sibling;
        separate(plan, datum, piece);
    }
    if (idle)
        cst_datum_retire(plan, datum);
    cst_datum_unref(plan, datum);
    return CASTELL_OK;
}

enum castell_status cst_datum_resolve(struct cst_plan *plan,
                                      struct cst_datum *datum)
{
    enum castell_status status = CASTELL_OK;

    while (datum->parent && status == CASTELL_OK) {
        struct cst_datum *top = datum->parent;

        while (top->parent)
            top = top->parent;
        status = resolve_pieces(plan, top);
    }
    return status;
}

/* ---- Hooks of data ---------------------------------------------------- */

enum castell_status cst_plan_reserve(struct cst_plan *plan, size_t pieces_count)
{
    /* The pieces, and what they are cut from. */
    size_t count = 2 * pieces_count;
    enum castell_status status = cst_plan_pool_reserve(&plan->datums, count);

    if (status == CASTELL_OK)
        status = cst_plan_ids_reserve(&plan->datums_by_number, count);
    return status;
}

void cst_plan_split(struct cst_plan *plan, struct cst_fragment *old,
                    struct cst_fragment *piece)
{
    struct cst_datum *datum = cst_datum_of(plan, old);
    struct cst_datum *part = create(plan, piece);

    datum->split = true;
    datum->refs++;
    part->parent = datum;
    part->sibling = datum->pieces;
    datum->pieces = part;
}

bool cst_plan_may_forget(struct cst_plan *plan, struct cst_fragment *fragment)
{
    const struct cst_datum *datum = cst_datum_find(plan, fragment);

    return !datum->parent && !datum->entries &&
           (!datum->current || datum->doomed);
}

/* Nobody will ask what lies in main's memory for it any more. */
static void leave_home(struct cst_plan *plan, struct cst_datum *datum)
{
    if (datum->split)
        return; /* what lies there for the pieces is theirs */
    /* For a piece that never got versions of its own that is what it was cut
       from, of which nothing may be read there then: another datum may come to
       have these bytes. */
    while (datum->parent)
        datum = datum->parent;
    cst_datum_clear_home(plan, datum);
}

/* It has no fragment any more: if it has no pieces either, it goes, and then
   perhaps what it was cut from. */
static void leave(struct cst_plan *plan, struct cst_datum *datum)
{
    struct cst_datum *below = NULL;

    while (datum && !datum->fragment && !datum->pieces) {
        struct cst_datum *parent = datum->parent;

        cst_datum_set_current(plan, datum, NULL);
        leave_home(plan, datum);
        cst_datum_retire(plan, datum);
        datum->parent = NULL;
        if (parent) {
            struct cst_datum **link = &parent->pieces;

            while (*link != datum)
                link = &(*link)->sibling;
            *link = datum->sibling;
        }
        /* What keeps it now is the caller's, or the piece's before. */
        if (below)
            cst_datum_unref(plan, datum);
        below = datum;
        datum = parent;
    }
    if (datum && below)
        cst_datum_unref(plan, datum);
}

void cst_plan_forgotten(struct cst_plan *plan, struct cst_fragment *fragment)
{
    struct cst_datum *datum = cst_datum_find(plan, fragment);

    datum->fragment = NULL;
    leave(plan, datum);
    cst_datum_unref(plan, datum);
    cst_plan_settle(plan);
}

static enum castell_status hook_reserve(void *context, size_t pieces_count)
{
    return cst_plan_reserve(context, pieces_count);
}

static void hook_split(void *context, struct cst_fragment *old,
                       struct cst_fragment *piece)
{
    cst_plan_split(context, old, piece);
}

static bool hook_may_forget(void *context, struct cst_fragment *fragment)
{
    return cst_plan_may_forget(context, fragment);
}

static void hook_forgotten(void *context, struct cst_fragment *fragment)
{
    cst_plan_forgotten(context, fragment);
}

const struct cst_data_hooks cst_plan_hooks = {
    .domain = 0,
    .reserve = hook_reserve,
    .split = hook_split,
    .may_forget = hook_may_forget,
    .forgotten = hook_forgotten,
};
