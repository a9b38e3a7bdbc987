#include "base/fail.h"
#include "data/data_internal.h"

/* The checker of all that data_internal.h promises. Slow; for tests. */

enum { STACK_MAX = 128 };

static void check_cover(const struct cst_data *data,
                        const struct cst_data_cover *cover)
{
    size_t bytes = 0;

    CST_ASSERT(cover->key == cst_data_key(cover->domain->id, &cover->region));
    CST_ASSERT(cst_data_cover_find(data, cover->key, &cover->region) == cover);
    CST_ASSERT(!cst_data_find(data, cover->key, &cover->region));
    CST_ASSERT(cover->count > 1 && cover->count <= cover->max);
    CST_ASSERT(cover->generation <= cover->domain->generation);
    if (cover->generation < cover->domain->generation)
        return;
    for (size_t i = 0; i < cover->count; i++) {
        const struct cst_data_node *node =
            (const struct cst_data_node *)(const void *)cover->fragments[i];

        CST_ASSERT(node->state == CST_NODE_KNOWN);
        CST_ASSERT(node->domain == cover->domain);
        CST_ASSERT(cst_region_includes(&cover->region, &node->fragment.region));
        bytes += cst_region_bytes(&node->fragment.region);
    }
    CST_ASSERT(bytes == cst_region_bytes(&cover->region));
}

static void check_node(const struct cst_data *data,
                       const struct cst_data_domain *domain,
                       const struct cst_data_node *node)
{
    uint64_t key = cst_data_key(domain->id, &node->fragment.region);

    CST_ASSERT(node->state == CST_NODE_KNOWN);
    CST_ASSERT(node->domain == domain);
    CST_ASSERT((cst_data_find(data, key, &node->fragment.region) ==
                &node->fragment) == node->named);
    cst_place_check(&node->fragment.place);
}

/* No two fragments overlap: ask the index for those that overlap each. */
static void check_apart(struct cst_data *data,
                        const struct cst_data_domain *domain,
                        const struct cst_data_node *node)
{
    if (cst_data_index_find(domain, &node->fragment.region, &data->found) !=
        CASTELL_OK)
        return;
    CST_ASSERT(data->found.count == 1 && data->found.list[0] == node);
}

static size_t check_domain(struct cst_data *data,
                           const struct cst_data_domain *domain)
{
    const struct cst_data_node *stack[STACK_MAX];
    size_t depth = 0;
    size_t named = 0;

    CST_ASSERT(domain->root && domain->generation <= data->generation);
    cst_data_index_check(domain);
    stack[depth++] = domain->root;
    while (depth > 0) {
        const struct cst_data_node *node = stack[--depth];

        for (int side = 0; side < 2; side++)
            if (node->child[side])
                stack[depth++] = node->child[side];
        check_node(data, domain, node);
        check_apart(data, domain, node);
        named += node->named;
    }
    for (const struct cst_data_cover *cover = domain->covers; cover;
         cover = cover->next) {
        CST_ASSERT(cover->domain == domain);
        CST_ASSERT(!cover->next || cover->next->previous == cover);
        check_cover(data, cover);
        named++;
    }
    return named;
}

static void check_table(const struct cst_data_table *table)
{
    size_t count = 0;

    for (size_t i = 0; i <= table->mask; i++) {
        size_t home = table->slots[i].key >> table->shift;

        if (!table->slots[i].found)
            continue;
        count++;
        for (; home != i; home = (home + 1) & table->mask)
            CST_ASSERT(table->slots[home].found);
    }
    CST_ASSERT(count == table->count && count < table->mask);
}

static void check_lists(const struct cst_data *data)
{
    size_t covers = 0;
    size_t covered = 0;
    size_t retired = 0;

    for (const struct cst_data_cover *cover = data->oldest; cover;
         cover = cover->newer) {
        CST_ASSERT(cover->newer ? cover->newer->older == cover
                                : data->newest == cover);
        covers++;
        covered += cover->max;
    }
    CST_ASSERT(covers == data->covers_count && covered == data->covered_count);
    for (const struct cst_data_node *node = data->retired; node;
         node = node->retired.next) {
        CST_ASSERT(node->state == CST_NODE_RETIRED);
        CST_ASSERT(node->retired.next || node == data->retired_last);
        cst_place_check(&node->fragment.place);
        retired++;
    }
    CST_ASSERT(retired == data->retired_count);
    CST_ASSERT(data->known_count + retired + data->nodes.free_count ==
               cst_data_pool_things(&data->nodes));
}

void cst_data_check(struct cst_data *data)
{
    size_t named = 0;
    size_t known = 0;

    check_table(&data->regions);
    check_table(&data->domains);
    check_lists(data);
    for (size_t i = 0; i <= data->domains.mask; i++) {
        const struct cst_data_domain *domain =
            (const struct cst_data_domain *)(const void *)data->domains.slots[i]
                .found;

        if (!domain)
            continue;
        known += domain->nodes_count;
        named += check_domain(data, domain);
    }
    CST_ASSERT(known == data->known_count);
    CST_ASSERT(named == data->regions.count);
}
