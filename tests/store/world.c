#include "store/world.h"

#include "harness/tap.h"

#include <string.h>

struct world t;

uint32_t draw(uint32_t below)
{
    t.random = t.random * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(t.random >> 33) % below;
}

struct cst_region region_of(uint32_t block, uint32_t count)
{
    return (struct cst_region){(uintptr_t)t.matrix + (size_t)block * WIDTH,
                               (size_t)count * WIDTH, ROWS, PITCH};
}

struct cst_piece piece_of(uint64_t version)
{
    return (struct cst_piece){version, region_of(t.facts[version].block, 1)};
}

bool is_all(const char *base, uint8_t value)
{
    for (size_t row = 0; row < ROWS; row++)
        for (size_t i = 0; i < WIDTH; i++)
            if ((uint8_t)base[row * PITCH + i] != value)
                return false;
    return true;
}

void fill(char *base, uint8_t value)
{
    for (size_t row = 0; row < ROWS; row++)
        memset(base + row * PITCH, value, WIDTH);
}

uint64_t new_version(uint32_t block)
{
    uint64_t version = ++t.next;

    if (version >= VERSIONS)
        tap_bail("too few versions");
    t.facts[version] =
        (struct fact){.block = block, .value = (uint8_t)draw(256)};
    return version;
}

/* ---- The store's owner --------------------------------------------------- */

static void on_fire(void *context, struct cst_store_job *store_job,
                    const char *error)
{
    struct job *job = store_job->owner;

    (void)context;
    t.wrong += error != NULL;
    job->fired = true;
    t.fired++;
}

static void on_send(void *context, uint32_t to, const struct cst_piece *piece,
                    const struct cst_rows *rows)
{
    (void)context;
    (void)to;
    t.sending[t.sending_count] = piece->version;
    t.rows[t.sending_count++] = *rows;
}

static bool on_claim(void *context, uint64_t version)
{
    uint32_t block = t.facts[version].block;
    uint64_t there = t.home[block];

    (void)context;
    if (t.current[block] != version || t.filling[block])
        return false;
    /* Who uses it here the store knows. */
    if (there && (!t.facts[there].gone || !t.facts[there].here))
        return false;
    if (draw(4) == 0)
        return false;
    t.home[block] = version;
    return true;
}

/* Nobody wants what was there before: or it is to be consumed elsewhere. */
static void on_unclaimed(void *context, uint64_t version)
{
    uint64_t *home = &t.home[t.facts[version].block];

    (void)context;
    t.wrong += *home != version;
    *home = 0;
}

static void on_filled(void *context, uint64_t version)
{
    uint32_t block = t.facts[version].block;

    (void)context;
    t.home[block] = version;
    t.filling[block] = 0;
    /* NOLINTNEXTLINE(performance-no-int-to-ptr) */
    t.wrong +=
        !is_all((char *)region_of(block, 1).base, t.facts[version].value);
}

const struct cst_store_ops away_ops = {.fire = on_fire, .send = on_send};
const struct cst_store_ops home_ops = {
    .fire = on_fire,
    .send = on_send,
    .home_claim = on_claim,
    .home_unclaimed = on_unclaimed,
    .home_filled = on_filled,
};
