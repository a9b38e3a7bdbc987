#include "base/fail.h"
#include "base/memory.h"
#include "data/data_internal.h"

enum { SLOTS_MIN_LOG = 8, KEY_BITS = 64 };

static enum castell_status slots_create(uint32_t log,
                                        struct cst_data_table *table)
{
    size_t slots_count = (size_t)1 << log;

    table->slots = cst_map(slots_count * sizeof(*table->slots));
    if (!table->slots)
        return cst_fail(CASTELL_ERR_NO_MEMORY,
                        "no memory for a table of %zu regions", slots_count);
    table->mask = slots_count - 1;
    table->shift = KEY_BITS - log;
    return CASTELL_OK;
}

enum castell_status cst_data_table_init(struct cst_data_table *table)
{
    *table = (struct cst_data_table){0};
    return slots_create(SLOTS_MIN_LOG, table);
}

void cst_data_table_release(struct cst_data_table *table)
{
    if (table->slots)
        cst_unmap(table->slots, (table->mask + 1) * sizeof(*table->slots));
    *table = (struct cst_data_table){0};
}

enum castell_status cst_data_table_reserve(struct cst_data_table *table)
{
    struct cst_data_table bigger = {.count = 0};
    enum castell_status status;

    if (8 * (table->count + 1) <= 5 * (table->mask + 1))
        return CASTELL_OK;
    status = slots_create(KEY_BITS - table->shift + 1, &bigger);
    if (status != CASTELL_OK)
        return status;
    for (size_t i = 0; i <= table->mask; i++)
        if (table->slots[i].found)
            cst_data_table_add(&bigger, table->slots[i].key,
                               table->slots[i].found);
    cst_data_table_release(table);
    *table = bigger;
    return CASTELL_OK;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): it is kept, to be written */
void cst_data_table_add(struct cst_data_table *table, uint64_t key, char *found)
{
    size_t i = key >> table->shift;

    CST_ASSERT(table->count < table->mask);
    while (table->slots[i].found)
        i = (i + 1) & table->mask;
    table->slots[i] = (struct cst_data_slot){.key = key, .found = found};
    table->count++;
}

void cst_data_table_remove(struct cst_data_table *table, uint64_t key,
                           const char *found)
{
    size_t hole = key >> table->shift;

    while (table->slots[hole].found != found) {
        CST_ASSERT(table->slots[hole].found);
        hole = (hole + 1) & table->mask;
    }
    /* Move back what stands behind the hole only because it was taken. */
    for (size_t i = hole;;) {
        size_t home;

        i = (i + 1) & table->mask;
        if (!table->slots[i].found)
            break;
        home = table->slots[i].key >> table->shift;
        if (((i - home) & table->mask) < ((i - hole) & table->mask))
            continue;
        table->slots[hole] = table->slots[i];
        hole = i;
    }
    table->slots[hole] = (struct cst_data_slot){.key = 0, .found = NULL};
    table->count--;
}
