/*
 * Versions and their copies: who needs them, where they are, when they go.
 */
#include "base/fail.h"
#include "ledger/records.h"

struct cst_version *cst_version_create(struct cst_plan *plan,
                                       const struct cst_region *region,
                                       struct cst_datum *datum)
{
    struct cst_version *version = cst_plan_pool_take(&plan->versions);

    version->id = ++plan->version_ids;
    version->region = *region;
    version->datum = datum;
    if (datum)
        datum->refs++;
    version->wants = true; /* until it has been looked at */
    cst_plan_ids_add(&plan->versions_by_id, version->id, version);
    cst_version_touch(plan, version);
    return version;
}

void cst_version_touch(struct cst_plan *plan, struct cst_version *version)
{
    if (version->is_touched)
        return;
    version->is_touched = true;
    version->touched = plan->touched;
    plan->touched = version;
}

void cst_version_unref(struct cst_plan *plan, struct cst_version *version)
{
    CST_ASSERT(version->refs > 0);
    version->refs--;
    cst_version_touch(plan, version);
}

struct cst_plan_piece cst_version_piece(const struct cst_version *version)
{
    return (struct cst_plan_piece){
        .version = version->id,
        .region = version->region,
    };
}

bool cst_version_needed(const struct cst_version *version)
{
    return !version->poisoned &&
           (version->current || version->readers > 0 || version->kept > 0 ||
            version->wished > 0 || version->leaf);
}

bool cst_version_durable(const struct cst_version *version)
{
    /* Others may die together: before the first is found dead, the last. Also if
       it is consumed at home, for what is made of it is there then. */
    for (const struct cst_copy *copy = version->copies; copy; copy = copy->next)
        if (copy->state == CST_COPY_PRESENT && copy->node->number == 0)
            return true;
    return false;
}

/* ---- Copies ----------------------------------------------------------- */

struct cst_copy *cst_copy_add(struct cst_plan *plan,
                              struct cst_version *version,
                              struct cst_plan_node *node,
                              enum cst_copy_state state)
{
    struct cst_copy *copy = cst_plan_pool_take(&plan->copies);

    copy->version = version;
    copy->node = node;
    copy->state = (uint8_t)state;
    copy->next = version->copies;
    version->copies = copy;
    copy->after = node->copies;
    if (node->copies)
        node->copies->before = copy;
    node->copies = copy;
    if (state == CST_COPY_SENT)
        node->incoming_bytes += cst_region_bytes(&version->region);
    cst_version_touch(plan, version);
    return copy;
}

/* It is not on its way any more. */
static void stop_sending(struct cst_copy *copy)
{
    if (copy->state != CST_COPY_SENT)
        return;
    copy->node->incoming_bytes -= cst_region_bytes(&copy->version->region);
    if (copy->from)
        copy->from->sending--;
    copy->from = NULL;
}

void cst_copy_remove(struct cst_plan *plan, struct cst_copy *copy)
{
    struct cst_copy **link = &copy->version->copies;

    stop_sending(copy);
    while (*link != copy)
        link = &(*link)->next;
    *link = copy->next;
    if (copy->before)
        copy->before->after = copy->after;
    else
        copy->node->copies = copy->after;
    if (copy->after)
        copy->after->before = copy->before;
    cst_version_touch(plan, copy->version);
    for (struct cst_version *part = copy->version->children; part;
         part = part->sibling)
        cst_version_touch(plan, part);
    cst_plan_pool_put(&plan->copies, copy);
}

void cst_copy_expect(struct cst_plan *plan, struct cst_copy *copy,
                     enum cst_copy_state state)
{
    struct cst_datum *datum = copy->version->datum;

    /* It was to come to main's memory: what is cut does not. */
    if (state == CST_COPY_CUT && copy->home) {
        copy->home = copy->left = false;
        if (datum && datum->home == copy->version)
            cst_datum_set_home(plan, datum, NULL);
    }
    stop_sending(copy);
    copy->state = (uint8_t)state;
    copy->again = true;
    if (state == CST_COPY_SENT)
        copy->node->incoming_bytes += cst_region_bytes(&copy->version->region);
    cst_version_touch(plan, copy->version);
}

void cst_copy_present(struct cst_plan *plan, struct cst_copy *copy)
{
    struct cst_copy *stack = NULL;

    if (copy->state == CST_COPY_PRESENT)
        return;
    for (;;) {
        struct cst_version *version = copy->version;

        stop_sending(copy);
        copy->state = CST_COPY_PRESENT;
        cst_version_touch(plan, version);
        for (struct cst_version *child = version->children; child;
             child = child->sibling) {
            struct cst_copy *part = cst_copy_find(child, copy->node);

            if (!part || part->state != CST_COPY_CUT)
                continue;
            part->stacked = stack;
            stack = part;
        }
        if (!stack)
            return;
        copy = stack;
        stack = copy->stacked;
    }
}

/*
 * The copy on which this one depends, NULL where it depends on none; *ret_lost
 * when that is not to be had.
 */
static const struct cst_copy *depends_on(const struct cst_copy *copy,
                                         bool *ret_lost)
{
    const struct cst_copy *other = NULL;

    *ret_lost = copy->state == CST_COPY_STRAY;
    if (copy->state == CST_COPY_CUT) {
        other = cst_copy_find(copy->version->origin, copy->node);
        *ret_lost = !other;
    } else if (copy->state == CST_COPY_SENT) {
        *ret_lost = !copy->from;
        /* Where the source has dropped it since, it was sent before. */
        if (copy->from)
            other = cst_copy_find(copy->version, copy->from);
    }
    return other;
}

/* ... and does not come by way of `node`, which may be NULL. */
static bool is_valid(const struct cst_copy *copy,
                     const struct cst_plan_node *node)
{
    bool lost = false;

    while (copy && !lost) {
        if (copy->node == node)
            return false;
        copy = depends_on(copy, &lost);
    }
    return !lost;
}

bool cst_copy_valid(const struct cst_copy *copy)
{
    return is_valid(copy, NULL);
}

bool cst_version_has_other(const struct cst_version *version,
                           const struct cst_plan_node *node)
{
    for (const struct cst_copy *copy = version->copies; copy; copy = copy->next)
        if (is_valid(copy, node))
            return true;
    return false;
}

bool cst_version_has_copy(const struct cst_version *version)
{
    return cst_version_has_other(version, NULL);
}

/* Who should send it to the node; NULL: nobody can. */
static struct cst_copy *source_of(const struct cst_version *version,
                                  const struct cst_plan_node *node)
{
    struct cst_copy *best = NULL;
    uint64_t lowest = UINT64_MAX;

    for (struct cst_copy *copy = version->copies; copy; copy = copy->next) {
        uint64_t cost = (uint64_t)copy->pushes << 32 | copy->node->sending;

        if (copy->state != CST_COPY_PRESENT)
            cost += (uint64_t)1 << 32;
        if (copy->node->drained) /* it may not hear of it any more */
            cost += (uint64_t)1 << 62;
        if (copy->consumed || cost >= lowest || !is_valid(copy, node))
            continue;
        best = copy;
        lowest = cost;
    }
    return best;
}

static void order_push(struct cst_plan *plan, struct cst_copy *copy)
{
    struct cst_copy *source = source_of(copy->version, copy->node);
    struct cst_plan_piece piece = cst_version_piece(copy->version);

    CST_ASSERT(copy->state == CST_COPY_SENT && !copy->from);
    if (!source)
        return;
    source->pushes++;
    source->node->sending++;
    copy->from = source->node;
    plan->pushed_bytes += cst_region_bytes(&piece.region);
    plan->ops->push(plan->context, source->node->number, copy->node->number,
                    &piece);
}

void cst_version_fetch(struct cst_plan *plan, struct cst_version *version,
                       struct cst_plan_node *node)
{
    struct cst_copy *copy = cst_copy_find(version, node);

    if (!copy)
        copy = cst_copy_add(plan, version, node, CST_COPY_SENT);
    else if (copy->state == CST_COPY_STRAY)
        cst_copy_expect(plan, copy, CST_COPY_SENT);
    else
        return;
    order_push(plan, copy);
}

static void feed_one(struct cst_plan *plan, struct cst_version *version)
{
    for (struct cst_copy *copy = version->copies; copy; copy = copy->next)
        if (copy->state == CST_COPY_SENT && !copy->from)
            order_push(plan, copy);
}

void cst_version_feed(struct cst_plan *plan, struct cst_version *version)
{
    struct cst_version *stack = version;

    version->fed = NULL;
    while (stack) {
        version = stack;
        stack = version->fed;
        feed_one(plan, version);
        for (struct cst_version *part = version->children; part;
             part = part->sibling) {
            part->fed = stack;
            stack = part;
        }
    }
}

/* ---- What nobody needs ------------------------------------------------ */

static void update_wants(struct cst_plan *plan, struct cst_version *version)
{
    bool wants = cst_version_needed(version);

    for (const struct cst_version *child = version->children; child && !wants;
         child = child->sibling)
        wants = child->wants;
    /* What is wanted of it is cut where it is, before it goes. */
    wants = wants && !cst_version_durable(version);
    if (version->wants == wants)
        return;
    version->wants = wants;
    if (version->origin)
        cst_version_touch(plan, version->origin);
}

static bool is_nowhere(const struct cst_version *version)
{
    return cst_version_needed(version) && !cst_version_has_copy(version);
}

/*
 * Is something that was cut from it, or from that, needed and nowhere? Not what
 * can be cut from a part that is there: it will be when that part is looked at,
 * and to make more of the whole meanwhile would never end.
 */
static bool lacks_parts(struct cst_version *version)
{
    struct cst_version *stack = version;

    version->fed = NULL;
    while (stack) {
        struct cst_version *whole = stack;

        stack = whole->fed;
        for (struct cst_version *part = whole->children; part;
             part = part->sibling) {
            if (is_nowhere(part))
                return true;
            if (cst_copy_whole(part))
                continue;
            part->fed = stack;
            stack = part;
        }
    }
    return false;
}

/* Is it, or a part of it, to be cut where that can be? Whether it wants is not
   enough: what was touched after all this may not have been looked at. */
static bool is_missed(struct cst_version *part)
{
    return is_nowhere(part) || lacks_parts(part);
}

static void leave_part(struct cst_plan *plan, struct cst_version *part,
                       struct cst_plan_node *node)
{
    struct cst_plan_piece piece = cst_version_piece(part);
    struct cst_copy *copy = cst_copy_find(part, node);

    if ((!part->wants && !is_missed(part)) ||
        (copy && copy->state == CST_COPY_PRESENT) ||
        !cst_plan_copy_room(plan, 1))
        return;
    plan->ops->cut(plan->context, node->number, &piece, part->origin->id);
    if (copy)
        cst_copy_expect(plan, copy, CST_COPY_CUT);
    else
        copy = cst_copy_add(plan, part, node, CST_COPY_CUT);
    cst_copy_present(plan, copy);
}

/* What is wanted of it stays where the whole goes. */
static void leave_parts(struct cst_plan *plan, struct cst_version *version,
                        struct cst_plan_node *node)
{
    for (struct cst_version *part = version->children; part;
         part = part->sibling)
        leave_part(plan, part, node);
}

/* What lacks is cut again where the whole has come to be. */
static void find_parts(struct cst_plan *plan, struct cst_version *version)
{
    struct cst_copy *copy = cst_copy_whole(version);

    if (!copy || !lacks_parts(version))
        return;
    /* Only that: what is there is not cut, and dropped, for ever. */
    for (struct cst_version *part = version->children; part;
         part = part->sibling)
        if (is_missed(part))
            leave_part(plan, part, copy->node);
    cst_version_feed(plan, version);
}

static void drop_copies(struct cst_plan *plan, struct cst_version *version)
{
    struct cst_copy *copy = version->copies;

    while (copy) {
        struct cst_copy *next = copy->next;

        if (!version->wants && !is_valid(copy, NULL))
            cst_copy_unmake(plan, copy); /* it will not come */
        if (copy->state == CST_COPY_STRAY ||
            (copy->state == CST_COPY_PRESENT && !copy->consumed)) {
            if (copy->state == CST_COPY_PRESENT)
                leave_parts(plan, version, copy->node);
            plan->ops->drop(plan->context, copy->node->number, version->id);
            cst_copy_remove(plan, copy);
        }
        copy = next;
    }
}

static bool may_release(const struct cst_plan_record *record)
{
    if (record->state != CST_RECORD_KEPT || cst_record_retained(record))
        return false;
    for (uint32_t i = 0; i < record->outputs_count; i++)
        if (record->outputs[i].version->wants)
            return false;
    return true;
}

static void destroy(struct cst_plan *plan, struct cst_version *version)
{
    CST_ASSERT(!version->uses && !version->children);
    if (version->origin) {
        struct cst_version **link = &version->origin->children;

        while (*link != version)
            link = &(*link)->sibling;
        *link = version->sibling;
        cst_version_unref(plan, version->origin);
    }
    if (version->datum)
        cst_datum_unref(plan, version->datum);
    cst_plan_ids_remove(&plan->versions_by_id, version->id);
    cst_plan_pool_put(&plan->versions, version);
}

static void look_at(struct cst_plan *plan, struct cst_version *version)
{
    update_wants(plan, version);
    if (!cst_version_needed(version))
        drop_copies(plan, version);
    else
        feed_one(plan, version);
    if (cst_version_needed(version))
        cst_version_leave_home(plan, version);
    if (version->children)
        find_parts(plan, version);
    if (version->producer && may_release(version->producer))
        cst_record_release(plan, version->producer);
    if (version->datum && version->datum->entries)
        cst_datum_grant(plan, version->datum);
    if (version->refs == 0 && !version->copies && !version->is_touched)
        destroy(plan, version);
}

static void look_at_all(struct cst_plan *plan)
{
    struct cst_version *version;

    while (plan->idle) {
        struct cst_plan_record *record = plan->idle;

        plan->idle = record->idle;
        if (!cst_record_retained(record))
            cst_record_release(plan, record);
    }
    while ((version = plan->touched)) {
        plan->touched = version->touched;
        version->is_touched = false;
        look_at(plan, version);
    }
}

void cst_plan_settle(struct cst_plan *plan)
{
    look_at_all(plan);
    if (plan->stalled)
        cst_plan_grant_stalled(plan);
    while (plan->granted || plan->touched) {
        cst_plan_tell_granted(plan);
        look_at_all(plan);
    }
}
