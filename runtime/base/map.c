#include "base/map.h"

#include "base/fail.h"
#include "base/memory.h"

enum { BITS_MIN = 6 };

void cst_map_release(struct cst_map *map)
{
    cst_free(map->slots);
    *map = (struct cst_map){0};
}

static void put(struct cst_map *map, uint64_t key, void *value)
{
    size_t mask = ((size_t)1 << map->bits) - 1;
    size_t i = cst_map_home_(map, key);

    while (map->slots[i].value)
        i = (i + 1) & mask;
    map->slots[i].key = key;
    map->slots[i].value = value;
}

bool cst_map_reserve(struct cst_map *map, size_t more)
{
    struct cst_map grown = {.count = map->count, .bits = map->bits};

    if (map->slots && (map->count + more) * 2 <= (size_t)1 << map->bits)
        return true;
    if (grown.bits < BITS_MIN)
        grown.bits = BITS_MIN;
    while ((map->count + more) * 2 > (size_t)1 << grown.bits)
        grown.bits++;
    grown.slots = cst_zalloc(sizeof(*grown.slots) << grown.bits);
    if (!grown.slots)
        return false;
    for (size_t i = 0; map->slots && i < (size_t)1 << map->bits; i++)
        if (map->slots[i].value)
            put(&grown, map->slots[i].key, map->slots[i].value);
    cst_free(map->slots);
    *map = grown;
    return true;
}

void cst_map_add(struct cst_map *map, uint64_t key, void *value)
{
    CST_ASSERT(value && map->slots && map->count < (size_t)1 << map->bits);
    put(map, key, value);
    map->count++;
}

void *cst_map_remove(struct cst_map *map, uint64_t key)
{
    size_t mask = ((size_t)1 << map->bits) - 1;
    void *value = NULL;
    size_t hole;

    if (map->count == 0)
        return NULL;
    for (hole = cst_map_home_(map, key); map->slots[hole].value;
         hole = (hole + 1) & mask)
        if (map->slots[hole].key == key) {
            value = map->slots[hole].value;
            break;
        }
    if (!value)
        return NULL;
    for (size_t i = (hole + 1) & mask; map->slots[i].value;
         i = (i + 1) & mask) {
        size_t home = cst_map_home_(map, map->slots[i].key);

        /* May it stand in the hole: is its home not between hole and it? */
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            map->slots[hole] = map->slots[i];
            hole = i;
        }
    }
    map->slots[hole].value = NULL;
    map->count--;
    return value;
}

void *cst_map_next(const struct cst_map *map, size_t *cursor)
{
    size_t end = map->slots ? (size_t)1 << map->bits : 0;

    while (*cursor < end) {
        void *value = map->slots[(*cursor)++].value;

        if (value)
            return value;
    }
    return NULL;
}
