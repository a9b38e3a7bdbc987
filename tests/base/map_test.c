/* Maps against a plain array, with keys that collide. */
#include "base/map.h"
#include "harness/tap.h"

#include <stdlib.h>

enum { KEYS = 300, STEPS = 200000 };

static uint64_t key_of(size_t i)
{
    /* Runs of neighbours, and keys far apart. */
    return i % 3 == 0 ? i : i << 40;
}

static size_t draw(uint64_t *state, size_t below)
{
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (size_t)(*state >> 33) % below;
}

static bool same(const struct cst_map *map, char *const *model)
{
    size_t cursor = 0, count = 0, walked = 0;

    for (size_t i = 0; i < KEYS; i++) {
        count += model[i] != NULL;
        if (cst_map_find(map, key_of(i)) != model[i])
            return false;
    }
    while (cst_map_next(map, &cursor))
        walked++;
    return map->count == count && walked == count;
}

int main(void)
{
    static char things[KEYS];
    static char *model[KEYS];
    struct cst_map map = {0};
    uint64_t state = 7;
    int wrong = 0;

    ok(!cst_map_find(&map, 1) && !cst_map_remove(&map, 1), "an empty map");
    for (int step = 0; step < STEPS && !wrong; step++) {
        size_t i = draw(&state, KEYS);

        if (model[i]) {
            wrong += cst_map_remove(&map, key_of(i)) != model[i];
            model[i] = NULL;
        } else {
            if (!cst_map_reserve(&map, 1))
                tap_bail("no memory");
            model[i] = &things[i];
            cst_map_add(&map, key_of(i), model[i]);
        }
        if (step % 64 == 0)
            wrong += !same(&map, model);
    }
    ok(!wrong, "%d random changes", STEPS);
    cst_map_release(&map);
    return tap_done();
}
