#include "base/fail.h"
#include "base/memory.h"
#include "data/data_internal.h"

#include <string.h>

/*
 * What happens when a region is named that is not one fragment. First all is
 * planned and all memory taken; where that fails nothing has changed. Then it
 * is carried out, which cannot fail.
 *
 * Fragments that overlap the region partly are cut, also idle ones: a program
 * that names both, in turns, comes to rest when each is a few fragments. But
 * what is idle is forgotten instead where the region would else become a crowd
 * of fragments, which the tasks of earlier, other partitions left behind.
 */

enum { CROWD = 32 };

struct naming {
    const struct cst_region *region;
    uint64_t key;
    struct cst_data_domain *domain;
    struct cst_data_cover *cover; /* known before, or fresh; or NULL */
    bool fresh;                   /* the cover is */
    size_t count;                 /* of fragments, in the end */
};

/* ---- planning -------------------------------------------------------- */

/* Are the nodes found exactly the region? */
static bool is_tiled(const struct cst_data *data,
                     const struct cst_region *region)
{
    size_t bytes = 0;

    for (size_t i = 0; i < data->found.count; i++) {
        const struct cst_region *part = &data->found.list[i]->fragment.region;

        if (!cst_region_includes(region, part))
            return false;
        bytes += cst_region_bytes(part);
    }
    return bytes == cst_region_bytes(region);
}

static bool differ_in_pitch(const struct cst_region *a,
                            const struct cst_region *b)
{
    return a->rows > 1 && b->rows > 1 && a->pitch != b->pitch;
}

static enum castell_status append_cut(struct cst_data_plan *plan,
                                      struct cst_data_node *node)
{
    enum { CUTS_MIN = 32 };

    if (plan->cuts_count == plan->cuts_max) {
        size_t max = plan->cuts_max ? 2 * plan->cuts_max : CUTS_MIN;
        struct cst_data_cut *cuts =
            cst_realloc(plan->cuts, max * sizeof(*cuts));

        if (!cuts)
            return cst_fail(CASTELL_ERR_NO_MEMORY,
                            "no memory to split %zu regions", max);
        plan->cuts = cuts;
        plan->cuts_max = max;
    }
    plan->cuts[plan->cuts_count++] = (struct cst_data_cut){
        .node = node,
        .inside_end = plan->inside.count,
        .outside_end = plan->outside.count,
    };
    return CASTELL_OK;
}

static enum castell_status plan_cut(struct cst_data_plan *plan,
                                    struct cst_data_node *node,
                                    const struct cst_region *region)
{
    size_t inside = plan->inside.count;
    size_t outside = plan->outside.count;
    struct cst_data_cut *cut;
    size_t pieces;
    enum castell_status status;

    status = cst_region_cut(&node->fragment.region, region, &plan->inside,
                            &plan->outside);
    if (status == CASTELL_OK)
        status = append_cut(plan, node);
    if (status != CASTELL_OK)
        return status;
    for (size_t i = inside; i < plan->inside.count; i++)
        plan->known_bytes += cst_region_bytes(&plan->inside.list[i]);
    if (cst_place_idle(&node->fragment.place))
        return CASTELL_OK;
    cut = &plan->cuts[plan->cuts_count - 1];
    pieces = plan->inside.count - inside + plan->outside.count - outside;
    cut->followers = cst_alloc(pieces * sizeof(*cut->followers));
    if (!cut->followers)
        return cst_fail(CASTELL_ERR_NO_MEMORY,
                        "no memory to split a region into %zu", pieces);
    return CASTELL_OK;
}

/* Take from plan->rest what the node has of it. */
static enum castell_status subtract(struct cst_data_plan *plan,
                                    const struct cst_data_node *node)
{
    struct cst_regions rest = plan->rest;
    enum castell_status status = CASTELL_OK;

    plan->rest = plan->spare;
    plan->spare = rest;
    plan->rest.count = 0;
    for (size_t i = 0; i < rest.count && status == CASTELL_OK; i++) {
        const struct cst_region *part = &rest.list[i];

        if (cst_region_end(part) <= node->base) /* and so for all to come */
            status = cst_regions_append(&plan->gaps, *part);
        else
            status =
                cst_region_cut(part, &node->fragment.region, NULL, &plan->rest);
    }
    return status;
}

/* What of the region is in none of the nodes that stay or are cut? */
static enum castell_status plan_gaps(struct cst_data *data,
                                     const struct cst_region *region)
{
    struct cst_data_plan *plan = &data->plan;
    enum castell_status status;

    if (plan->known_bytes == cst_region_bytes(region))
        return CASTELL_OK;
    plan->rest.count = 0;
    status = cst_regions_append(&plan->rest, *region);
    for (size_t i = 0; i < data->found.count && status == CASTELL_OK; i++)
        if (data->found.list[i]) /* NULL: will be forgotten */
            status = subtract(plan, data->found.list[i]);
    for (size_t i = 0; i < plan->rest.count && status == CASTELL_OK; i++)
        status = cst_regions_append(&plan->gaps, plan->rest.list[i]);
    return status;
}

static enum castell_status plan_all(struct cst_data *data,
                                    const struct naming *naming)
{
    struct cst_data_plan *plan = &data->plan;
    const struct cst_region *region = naming->region;
    bool crowd = data->found.count > CROWD;
    enum castell_status status = CASTELL_OK;

    for (size_t i = 0; i < data->found.count && status == CASTELL_OK; i++) {
        struct cst_data_node *node = data->found.list[i];
        const struct cst_region *part = &node->fragment.region;

        if ((crowd || differ_in_pitch(part, region)) &&
            cst_data_node_may_forget(data, node)) {
            status = append_cut(plan, node); /* into no pieces */
            data->found.list[i] = NULL;
        } else if (cst_region_includes(region, part)) {
            plan->kept_count++;
            plan->known_bytes += cst_region_bytes(part);
        } else {
            status = plan_cut(plan, node, region);
        }
    }
    if (status == CASTELL_OK)
        status = plan_gaps(data, region);
    return status;
}

static void plan_start(struct cst_data_plan *plan)
{
    plan->cuts_count = 0;
    plan->inside.count = 0;
    plan->outside.count = 0;
    plan->gaps.count = 0;
    plan->kept_count = 0;
    plan->known_bytes = 0;
}

static void plan_give_up(struct cst_data_plan *plan)
{
    for (size_t i = 0; i < plan->cuts_count; i++)
        cst_free(plan->cuts[i].followers);
    plan_start(plan);
}

/* Take the memory that carrying it out and listing the result will need. */
static enum castell_status take_memory(struct cst_data *data,
                                       struct naming *naming)
{
    const struct cst_data_plan *plan = &data->plan;
    size_t created =
        plan->inside.count + plan->outside.count + plan->gaps.count;
    enum castell_status status;

    status = cst_data_pool_reserve(&data->nodes, created);
    if (status == CASTELL_OK)
        status = cst_data_nodes_reserve(&data->found, naming->count);
    if (status == CASTELL_OK && data->hooks && created > plan->gaps.count)
        status = data->hooks->reserve(data->hooks_context, created);
    if (status == CASTELL_OK)
        status = cst_data_table_reserve(&data->regions);
    if (status == CASTELL_OK && naming->count > 1 &&
        (!naming->cover || naming->cover->max < naming->count)) {
        status = cst_data_cover_alloc(naming->count, &naming->cover);
        naming->fresh = true;
    }
    return status;
}

/* ---- carrying out ---------------------------------------------------- */

static void create_piece(struct cst_data *data, struct cst_data_node *old,
                         const struct cst_region *region,
                         struct cst_hold *follower)
{
    struct cst_data_node *piece =
        cst_data_node_create(data, old->domain, region);

    cst_place_follow(&old->fragment.place, &piece->fragment.place, follower);
    if (data->hooks && data->hooks->domain == old->domain->id &&
        (old->user != 0 || !cst_place_idle(&old->fragment.place)))
        data->hooks->split(data->hooks_context, &old->fragment,
                           &piece->fragment);
}

static void carry_out(struct cst_data *data, struct cst_data_domain *domain)
{
    const struct cst_data_plan *plan = &data->plan;
    size_t inside = 0;
    size_t outside = 0;

    for (size_t i = 0; i < plan->cuts_count; i++) {
        const struct cst_data_cut *cut = &plan->cuts[i];
        struct cst_hold *follower = cut->followers;

        cst_data_node_unlink(data, cut->node);
        if (inside == cut->inside_end && outside == cut->outside_end)
            data->sweep.happened = true; /* what is outside is forgotten */
        for (; inside < cut->inside_end; inside++)
            create_piece(data, cut->node, &plan->inside.list[inside],
                         follower ? follower++ : NULL);
        for (; outside < cut->outside_end; outside++)
            create_piece(data, cut->node, &plan->outside.list[outside],
                         follower ? follower++ : NULL);
        if (cst_place_idle(&cut->node->fragment.place))
            cst_data_node_free(data, cut->node);
        else
            cst_data_node_retire(data, cut->node, cut->followers);
    }
    for (size_t i = 0; i < plan->gaps.count; i++)
        (void)cst_data_node_create(data, domain, &plan->gaps.list[i]);
}

/* The region is tiled by what data->found lists: make that quick to find. */
static void enter(struct cst_data *data, const struct naming *naming,
                  struct cst_data_cover *stale)
{
    if (stale && stale != naming->cover)
        cst_data_cover_destroy(data, stale);
    if (naming->count == 1) {
        cst_data_node_name(data, data->found.list[0], naming->key);
        return;
    }
    if (naming->fresh)
        cst_data_cover_enter(data, naming->domain, naming->region,
                             naming->cover);
    cst_data_cover_fill(data, naming->cover);
    cst_data_cover_use(data, naming->cover);
}

/* ---- naming ---------------------------------------------------------- */

/* Nothing of the region is known: the common case, kept short. */
static enum castell_status name_new(struct cst_data *data,
                                    struct naming *naming)
{
    enum castell_status status = cst_data_pool_reserve(&data->nodes, 1);

    if (status == CASTELL_OK)
        status = cst_data_table_reserve(&data->regions);
    if (status != CASTELL_OK)
        return status;
    if (naming->cover)
        cst_data_cover_destroy(data, naming->cover);
    naming->cover = NULL;
    data->found.list[0] =
        cst_data_node_create(data, naming->domain, naming->region);
    cst_data_node_name(data, data->found.list[0], naming->key);
    return CASTELL_OK;
}

static enum castell_status name_overlapping(struct cst_data *data,
                                            struct naming *naming)
{
    struct cst_data_plan *plan = &data->plan;
    struct cst_data_cover *stale = naming->cover;
    bool tiled = is_tiled(data, naming->region);
    enum castell_status status = CASTELL_OK;

    plan_start(plan);
    if (tiled)
        plan->kept_count = data->found.count;
    else
        status = plan_all(data, naming);
    naming->count = plan->kept_count + plan->inside.count + plan->gaps.count;
    if (naming->count == 1)
        naming->cover = NULL;
    if (status == CASTELL_OK)
        status = take_memory(data, naming);
    if (status != CASTELL_OK) {
        plan_give_up(plan);
        return status;
    }
    if (!tiled) {
        carry_out(data, naming->domain);
        status =
            cst_data_index_find(naming->domain, naming->region, &data->found);
        CST_ASSERT(status == CASTELL_OK);
    }
    CST_ASSERT(data->found.count == naming->count);
    enter(data, naming, stale);
    return CASTELL_OK;
}

static enum castell_status name(struct cst_data *data, uint64_t id,
                                struct naming *naming)
{
    enum castell_status status = CASTELL_OK;

    cst_data_sweep(data);
    naming->cover = cst_data_cover_find(data, naming->key, naming->region);
    naming->domain = cst_data_domain_find(data, id);
    if (!naming->domain)
        status = cst_data_domain_create(data, id, &naming->domain);
    if (status != CASTELL_OK)
        return status;
    status = cst_data_index_find(naming->domain, naming->region, &data->found);
    if (status == CASTELL_OK && data->found.count == 0)
        status = name_new(data, naming);
    else if (status == CASTELL_OK)
        status = name_overlapping(data, naming);
    if (naming->domain->nodes_count == 0)
        cst_data_domain_destroy(data, naming->domain);
    return status;
}

enum castell_status cst_data_resolve(struct cst_data *data, uint64_t domain,
                                     const struct cst_region *region,
                                     struct cst_fragment *const **ret_fragments,
                                     size_t *ret_count)
{
    uint64_t key = cst_data_key(domain, region);
    struct cst_fragment *fragment = cst_data_find(data, key, region);
    struct cst_data_cover *cover =
        fragment ? NULL : cst_data_cover_find(data, key, region);
    struct naming naming = {.region = region, .key = key, .count = 1};

    if (!fragment &&
        !(cover && cover->generation == cover->domain->generation)) {
        enum castell_status status = name(data, domain, &naming);

        if (status != CASTELL_OK)
            return status;
        cover = naming.cover;
        fragment = &data->found.list[0]->fragment;
    }
    if (cover) {
        cst_data_cover_use(data, cover);
        *ret_fragments = cover->fragments;
        *ret_count = cover->count;
        return CASTELL_OK;
    }
    data->one = fragment;
    *ret_fragments = &data->one;
    *ret_count = 1;
    return CASTELL_OK;
}
