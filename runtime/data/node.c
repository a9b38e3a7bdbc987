#include "base/fail.h"
#include "base/memory.h"
#include "data/data_internal.h"

uint32_t *cst_data_user(struct cst_fragment *fragment)
{
    return &cst_data_node_of(fragment)->user;
}

static char *tagged(struct cst_data_node *node)
{
    return (char *)node +
           (node->fragment.region.rows > 1 ? CST_DATA_GRID : CST_DATA_RANGE);
}

struct cst_data_node *cst_data_node_create(struct cst_data *data,
                                           struct cst_data_domain *domain,
                                           const struct cst_region *region)
{
    struct cst_data_node *node = cst_data_pool_take(&data->nodes);

    *node = (struct cst_data_node){
        .fragment.region = *region,
        .base = region->base,
        .domain = domain,
        .state = CST_NODE_KNOWN,
        .fresh = true,
    };
    cst_place_init(&node->fragment.place);
    cst_data_index_add(domain, node);
    data->known_count++;
    data->sweep.created++;
    return node;
}

void cst_data_node_name(struct cst_data *data, struct cst_data_node *node,
                        uint64_t key)
{
    CST_ASSERT(!node->named);
    node->named = true;
    cst_data_table_add(&data->regions, key, tagged(node));
}

static void unname(struct cst_data *data, struct cst_data_node *node)
{
    if (!node->named)
        return;
    node->named = false;
    cst_data_table_remove(
        &data->regions, cst_data_key(node->domain->id, &node->fragment.region),
        tagged(node));
}

void cst_data_node_unlink(struct cst_data *data, struct cst_data_node *node)
{
    CST_ASSERT(node->state == CST_NODE_KNOWN);
    unname(data, node);
    cst_data_index_remove(node->domain, node);
    node->domain->generation = ++data->generation;
    node->state = CST_NODE_FREE;
    data->known_count--;
}

void cst_data_node_drop(struct cst_data *data, struct cst_data_node *node)
{
    unname(data, node);
    node->state = CST_NODE_FREE;
    data->known_count--;
    cst_data_node_free(data, node);
}

void cst_data_node_free(struct cst_data *data, struct cst_data_node *node)
{
    CST_ASSERT(cst_place_idle(&node->fragment.place));
    CST_ASSERT(node->state != CST_NODE_KNOWN);
    if (node->user)
        data->hooks->forgotten(data->hooks_context, &node->fragment);
    node->user = 0;
    node->state = CST_NODE_FREE;
    cst_data_pool_put(&data->nodes, node);
}

bool cst_data_node_may_forget(const struct cst_data *data,
                              struct cst_data_node *node)
{
    struct cst_fragment *fragment = &node->fragment;

    return cst_place_idle(&fragment->place) && !fragment->place.poisoned &&
           (node->user == 0 ||
            data->hooks->may_forget(data->hooks_context, fragment));
}

void cst_data_node_retire(struct cst_data *data, struct cst_data_node *node,
                          struct cst_hold *followers)
{
    CST_ASSERT(node->state != CST_NODE_KNOWN);
    node->state = CST_NODE_RETIRED;
    node->retired.next = NULL;
    node->retired.followers = followers;
    if (data->retired_last)
        data->retired_last->retired.next = node;
    else
        data->retired = node;
    data->retired_last = node;
    data->retired_count++;
}
