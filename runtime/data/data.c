#include "data/data.h"

#include "base/fail.h"
#include "base/memory.h"
#include "data/data_internal.h"

enum {
    NODES_FIRST = 512,
    DOMAINS_FIRST = 64,
    STACK_MAX = 128,
};

/* ---- the whole ------------------------------------------------------- */

enum castell_status cst_data_create(struct cst_data **ret_data)
{
    struct cst_data *data = cst_zalloc(sizeof(*data));
    enum castell_status status;

    if (!data)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for any region");
    cst_data_pool_init(&data->nodes, sizeof(struct cst_data_node), NODES_FIRST);
    cst_data_pool_init(&data->domains_pool, sizeof(struct cst_data_domain),
                       DOMAINS_FIRST);
    status = cst_data_table_init(&data->regions);
    if (status == CASTELL_OK)
        status = cst_data_table_init(&data->domains);
    if (status == CASTELL_OK)
        status = cst_data_nodes_reserve(&data->found, 1);
    if (status != CASTELL_OK) {
        cst_data_destroy(data);
        return status;
    }
    *ret_data = data;
    return CASTELL_OK;
}

void cst_data_set_hooks(struct cst_data *data,
                        const struct cst_data_hooks *hooks, void *context)
{
    CST_ASSERT(data->known_count == 0);
    data->hooks = hooks;
    data->hooks_context = context;
}

void cst_data_destroy(struct cst_data *data)
{
    if (!data)
        return;
    while (data->oldest)
        cst_data_cover_destroy(data, data->oldest);
    for (struct cst_data_node *node = data->retired; node;
         node = node->retired.next)
        cst_free(node->retired.followers);
    cst_free(data->found.list);
    cst_free(data->plan.cuts);
    cst_regions_release(&data->plan.inside);
    cst_regions_release(&data->plan.outside);
    cst_regions_release(&data->plan.gaps);
    cst_regions_release(&data->plan.rest);
    cst_regions_release(&data->plan.spare);
    cst_data_table_release(&data->regions);
    cst_data_table_release(&data->domains);
    cst_data_pool_release(&data->nodes);
    cst_data_pool_release(&data->domains_pool);
    cst_free(data);
}

size_t cst_data_regions_count(const struct cst_data *data)
{
    return data->known_count + data->covers_count;
}

/* ---- domains --------------------------------------------------------- */

/* Can be undone, so two ids never share a key. */
static uint64_t mixed(uint64_t id)
{
    id *= UINT64_C(0x9e3779b97f4a7c15);
    return id ^ (id >> 32);
}

struct cst_data_domain *cst_data_domain_find(struct cst_data *data, uint64_t id)
{
    const struct cst_data_table *table = &data->domains;
    uint64_t key = mixed(id);
    size_t i = key >> table->shift;

    if (data->domain && data->domain->id == id)
        return data->domain;
    for (; table->slots[i].found; i = (i + 1) & table->mask)
        if (table->slots[i].key == key) {
            data->domain =
                (struct cst_data_domain *)(void *)table->slots[i].found;
            return data->domain;
        }
    return NULL;
}

enum castell_status cst_data_domain_create(struct cst_data *data, uint64_t id,
                                           struct cst_data_domain **ret_domain)
{
    enum castell_status status = cst_data_table_reserve(&data->domains);
    struct cst_data_domain *domain;

    if (status == CASTELL_OK)
        status = cst_data_pool_reserve(&data->domains_pool, 1);
    if (status != CASTELL_OK)
        return status;
    domain = cst_data_pool_take(&data->domains_pool);
    *domain = (struct cst_data_domain){
        .id = id,
        .generation = ++data->generation,
    };
    cst_data_table_add(&data->domains, mixed(id), (char *)domain);
    data->domain = domain;
    *ret_domain = domain;
    return CASTELL_OK;
}

void cst_data_domain_destroy(struct cst_data *data,
                             struct cst_data_domain *domain)
{
    CST_ASSERT(domain->nodes_count == 0);
    while (domain->covers)
        cst_data_cover_destroy(data, domain->covers);
    if (data->domain == domain)
        data->domain = NULL;
    cst_data_table_remove(&data->domains, mixed(domain->id), (char *)domain);
    cst_data_pool_put(&data->domains_pool, domain);
}

void cst_data_drop_domain(struct cst_data *data, uint64_t id)
{
    struct cst_data_domain *domain = cst_data_domain_find(data, id);
    struct cst_data_node *stack[STACK_MAX];
    size_t depth = 0;

    if (!domain)
        return;
    if (domain->root)
        stack[depth++] = domain->root;
    while (depth > 0) {
        struct cst_data_node *node = stack[--depth];

        for (int side = 0; side < 2; side++)
            if (node->child[side])
                stack[depth++] = node->child[side];
        cst_data_node_drop(data, node);
    }
    domain->root = NULL;
    domain->nodes_count = 0;
    cst_data_domain_destroy(data, domain);
}

/* ---- forgetting ------------------------------------------------------ */

bool cst_data_forget(struct cst_data *data, uint64_t id,
                     const struct cst_region *region)
{
    struct cst_data_domain *domain = cst_data_domain_find(data, id);
    enum castell_status status;

    if (!domain)
        return data->sweep.happened;
    /* Where there is no memory for the whole list, forget what is in it. */
    status = cst_data_index_find(domain, region, &data->found);
    for (size_t i = 0; i < data->found.count; i++) {
        struct cst_data_node *node = data->found.list[i];

        if (!cst_region_includes(region, &node->fragment.region))
            continue;
        node->fresh = false;
        node->fragment.place.recent = false;
        if (!cst_place_idle(&node->fragment.place))
            continue;
        cst_data_node_unlink(data, node);
        cst_data_node_free(data, node);
    }
    if (domain->nodes_count == 0)
        cst_data_domain_destroy(data, domain);
    return status != CASTELL_OK || data->found.count > 0 ||
           data->sweep.happened;
}
