/*
 * map.h - from numbers to what they are the names of.
 *
 * Layer: base. One thread at a time.
 *
 * Open addressing with linear probing; removing moves later ones up, so that
 * there are no tombstones and a map that is used for ever stays fast.
 */
#ifndef CST_BASE_MAP_H
#define CST_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cst_map_slot {
    uint64_t key;
    void *value; /* NULL: the slot is free */
};

/* All zero is an empty map. */
struct cst_map {
    struct cst_map_slot *slots;
    size_t count;
    uint32_t bits; /* 2^bits slots, when there are any */
};

void cst_map_release(struct cst_map *map);

/* See to it that `more` values fit. Returns false when there is no memory. */
bool cst_map_reserve(struct cst_map *map, size_t more);

/* Cannot fail after a reserve. The key is not in the map; value is not NULL. */
void cst_map_add(struct cst_map *map, uint64_t key, void *value);

/* Returns what it was, or NULL. */
void *cst_map_remove(struct cst_map *map, uint64_t key);

static inline size_t cst_map_home_(const struct cst_map *map, uint64_t key)
{
    return (size_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - map->bits));
}

static inline void *cst_map_find(const struct cst_map *map, uint64_t key)
{
    size_t mask;

    if (map->count == 0)
        return NULL;
    mask = ((size_t)1 << map->bits) - 1;
    for (size_t i = cst_map_home_(map, key); map->slots[i].value;
         i = (i + 1) & mask)
        if (map->slots[i].key == key)
            return map->slots[i].value;
    return NULL;
}

/*
 * Walk: the next value at or after *cursor, which starts at 0, or NULL. The map
 * must not change meanwhile.
 */
void *cst_map_next(const struct cst_map *map, size_t *cursor);

#endif
