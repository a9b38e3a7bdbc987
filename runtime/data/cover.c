#include "base/fail.h"
#include "base/memory.h"
#include "data/data_internal.h"

/* Covers may list so many fragments, or twice as many as are known. */
enum { COVERED_MIN = 1 << 18 };

struct cst_data_cover *cst_data_cover_find(const struct cst_data *data,
                                           uint64_t key,
                                           const struct cst_region *region)
{
    const struct cst_data_table *table = &data->regions;
    size_t i = key >> table->shift;

    for (; table->slots[i].found; i = (i + 1) & table->mask) {
        uintptr_t tag = (uintptr_t)table->slots[i].found & CST_DATA_TAGS;
        struct cst_data_cover *cover =
            (struct cst_data_cover *)(void *)(table->slots[i].found - tag);

        if (table->slots[i].key == key && tag == CST_DATA_COVER &&
            cst_region_equal(&cover->region, region))
            return cover;
    }
    return NULL;
}

enum castell_status cst_data_cover_alloc(size_t max,
                                         struct cst_data_cover **ret_cover)
{
    struct cst_data_cover *cover =
        cst_alloc(sizeof(*cover) + max * sizeof(cover->fragments[0]));

    if (!cover)
        return cst_fail(CASTELL_ERR_NO_MEMORY,
                        "no memory for a region of %zu fragments", max);
    cover->max = max;
    cover->domain = NULL;
    *ret_cover = cover;
    return CASTELL_OK;
}

/* Make it the last used. */
static void append(struct cst_data *data, struct cst_data_cover *cover)
{
    cover->newer = NULL;
    cover->older = data->newest;
    if (data->newest)
        data->newest->newer = cover;
    else
        data->oldest = cover;
    data->newest = cover;
}

static void take_out(struct cst_data *data, struct cst_data_cover *cover)
{
    if (cover->older)
        cover->older->newer = cover->newer;
    else
        data->oldest = cover->newer;
    if (cover->newer)
        cover->newer->older = cover->older;
    else
        data->newest = cover->older;
}

void cst_data_cover_use(struct cst_data *data, struct cst_data_cover *cover)
{
    if (data->newest == cover)
        return;
    take_out(data, cover);
    append(data, cover);
}

void cst_data_cover_enter(struct cst_data *data, struct cst_data_domain *domain,
                          const struct cst_region *region,
                          struct cst_data_cover *cover)
{
    size_t max = 2 * data->known_count;

    if (max < COVERED_MIN)
        max = COVERED_MIN;
    cover->region = *region;
    cover->key = cst_data_key(domain->id, region);
    cover->domain = domain;
    cover->previous = NULL;
    cover->next = domain->covers;
    if (domain->covers)
        domain->covers->previous = cover;
    domain->covers = cover;
    append(data, cover);
    cst_data_table_add(&data->regions, cover->key,
                       (char *)cover + CST_DATA_COVER);
    data->covers_count++;
    data->covered_count += cover->max;
    while (data->covered_count > max && data->oldest != cover)
        cst_data_cover_destroy(data, data->oldest);
}

void cst_data_cover_fill(struct cst_data *data, struct cst_data_cover *cover)
{
    CST_ASSERT(data->found.count <= cover->max);
    cover->count = data->found.count;
    cover->generation = cover->domain->generation;
    for (size_t i = 0; i < cover->count; i++)
        cover->fragments[i] = &data->found.list[i]->fragment;
}

void cst_data_cover_destroy(struct cst_data *data, struct cst_data_cover *cover)
{
    take_out(data, cover);
    if (cover->previous)
        cover->previous->next = cover->next;
    else
        cover->domain->covers = cover->next;
    if (cover->next)
        cover->next->previous = cover->previous;
    cst_data_table_remove(&data->regions, cover->key,
                          (char *)cover + CST_DATA_COVER);
    data->covers_count--;
    data->covered_count -= cover->max;
    cst_free(cover);
}
