#include "data/index.h"

#include "base/fail.h"
#include "base/memory.h"

#include <stdlib.h>

/*
 * The index of a domain: an AVL tree of its nodes by first address, in which
 * each node also knows the greatest end below it. Fragments do not overlap, so
 * no two start at one address; nodes of others may, and then come in the order
 * of their own addresses.
 */

enum {
    HEIGHT_MAX = 64, /* 1.44 log2(nodes) is the most in an AVL tree */
    NODES_MIN = 64,
};

/* The links that lead to a node, the root's first. */
struct path {
    size_t count;
    struct cst_data_node **links[HEIGHT_MAX];
};

static bool is_after(const struct cst_data_node *a,
                     const struct cst_data_node *b)
{
    return a->base > b->base ||
           (a->base == b->base && (uintptr_t)a > (uintptr_t)b);
}

static int height(const struct cst_data_node *node)
{
    return node ? node->height : 0;
}

/* Take height and max_end from the children. Does it change anything? */
static bool update(struct cst_data_node *node)
{
    int left = height(node->child[0]);
    int right = height(node->child[1]);
    int higher = (left > right ? left : right) + 1;
    uintptr_t max_end = cst_region_end(&node->fragment.region);

    for (int side = 0; side < 2; side++)
        if (node->child[side] && node->child[side]->max_end > max_end)
            max_end = node->child[side]->max_end;
    if (node->height == higher && node->max_end == max_end)
        return false;
    node->height = (uint8_t)higher;
    node->max_end = max_end;
    return true;
}

/* Bring the child on `side` above its parent, which *link leads to. */
static void rotate(struct cst_data_node **link, int side)
{
    struct cst_data_node *parent = *link;
    struct cst_data_node *child = parent->child[side];

    parent->child[side] = child->child[!side];
    child->child[!side] = parent;
    *link = child;
    (void)update(parent);
    (void)update(child);
}

/* The subtrees of *link are right and balanced: make the whole so. */
static bool balance(struct cst_data_node **link)
{
    struct cst_data_node *node = *link;
    int slope = height(node->child[1]) - height(node->child[0]);
    int side = slope > 0;
    struct cst_data_node *child = node->child[side];

    if (slope >= -1 && slope <= 1)
        return update(node);
    if (height(child->child[!side]) > height(child->child[side]))
        rotate(&node->child[side], !side);
    rotate(link, side);
    return true;
}

/* From below, up to where nothing changes; but up to links[top] anyway. */
static void retrace(const struct path *path, size_t top)
{
    for (size_t i = path->count; i-- > 0;)
        if (!balance(path->links[i]) && i <= top)
            return;
}

void cst_data_index_add(struct cst_data_domain *domain,
                        struct cst_data_node *node)
{
    struct cst_data_node **link = &domain->root;
    uintptr_t end = cst_region_end(&node->fragment.region);
    struct path path;

    for (path.count = 0; *link; path.count++) {
        struct cst_data_node *above = *link;

        CST_ASSERT(path.count < HEIGHT_MAX && above != node);
        path.links[path.count] = link;
        if (above->max_end < end)
            above->max_end = end;
        link = &above->child[is_after(node, above)];
    }
    node->child[0] = node->child[1] = NULL;
    node->height = 1;
    node->max_end = end;
    *link = node;
    retrace(&path, path.count);
    domain->nodes_count++;
    domain->grids_count += node->fragment.region.rows > 1;
}

void cst_data_index_remove(struct cst_data_domain *domain,
                           struct cst_data_node *node)
{
    struct cst_data_node **link = &domain->root;
    struct path path;
    size_t here;

    path.count = 0;
    while (*link != node) {
        CST_ASSERT(*link && path.count < HEIGHT_MAX);
        path.links[path.count++] = link;
        link = &(*link)->child[is_after(node, *link)];
    }
    here = path.count;
    if (!node->child[0] || !node->child[1]) {
        *link = node->child[0] ? node->child[0] : node->child[1];
    } else {
        struct cst_data_node **next_link = &node->child[1];
        struct cst_data_node *next;

        path.links[path.count++] = link;
        for (; (*next_link)->child[0]; next_link = &(*next_link)->child[0])
            path.links[path.count++] = next_link;
        next = *next_link;
        *next_link = next->child[1];
        next->child[0] = node->child[0];
        next->child[1] = node->child[1];
        next->height = node->height;
        next->max_end = node->max_end;
        *link = next;
        /* What was node's right link is now next's. */
        if (here + 1 < path.count)
            path.links[here + 1] = &next->child[1];
    }
    retrace(&path, here);
    domain->nodes_count--;
    domain->grids_count -= node->fragment.region.rows > 1;
}

enum castell_status cst_data_nodes_reserve(struct cst_data_nodes *nodes,
                                           size_t count)
{
    size_t max = nodes->max ? nodes->max : NODES_MIN;
    struct cst_data_node **list;

    if (count <= nodes->max)
        return CASTELL_OK;
    while (max < count)
        max *= 2;
    list = cst_realloc(nodes->list, max * sizeof(*list));
    if (!list)
        return cst_fail(CASTELL_ERR_NO_MEMORY,
                        "no memory for a list of %zu regions", max);
    nodes->list = list;
    nodes->max = max;
    return CASTELL_OK;
}

enum castell_status cst_data_index_find(const struct cst_data_domain *domain,
                                        const struct cst_region *region,
                                        struct cst_data_nodes *nodes)
{
    struct cst_data_node *stack[HEIGHT_MAX];
    struct cst_data_node *node = domain->root;
    uintptr_t end = cst_region_end(region);
    size_t depth = 0;

    nodes->count = 0;
    for (;; node = node->child[1]) {
        for (; node && node->max_end > region->base; node = node->child[0])
            stack[depth++] = node;
        if (depth == 0)
            return CASTELL_OK;
        node = stack[--depth];
        if (node->base >= end)
            return CASTELL_OK;
        if (!cst_region_overlap(&node->fragment.region, region))
            continue;
        if (nodes->count == nodes->max &&
            cst_data_nodes_reserve(nodes, nodes->count + 1) != CASTELL_OK)
            return CASTELL_ERR_NO_MEMORY;
        nodes->list[nodes->count++] = node;
    }
}

void cst_data_index_check(const struct cst_data_domain *domain)
{
    const struct cst_data_node *stack[HEIGHT_MAX];
    const struct cst_data_node *node = domain->root;
    const struct cst_data_node *last = NULL;
    struct cst_data_node copy;
    size_t depth = 0;
    size_t count = 0;
    size_t grids = 0;

    for (;; node = node->child[1]) {
        for (; node; node = node->child[0])
            stack[depth++] = node;
        if (depth == 0)
            break;
        node = stack[--depth];
        CST_ASSERT(!last || is_after(node, last));
        CST_ASSERT(node->base == node->fragment.region.base);
        CST_ASSERT(abs(height(node->child[0]) - height(node->child[1])) <= 1);
        copy = *node;
        CST_ASSERT(!update(&copy));
        last = node;
        count++;
        grids += node->fragment.region.rows > 1;
    }
    CST_ASSERT(count == domain->nodes_count);
    CST_ASSERT(grids == domain->grids_count);
}
