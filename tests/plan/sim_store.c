/*
 * A node: its store, and the tasks that it was given. It does what plan.h says
 * that nodes do, in the strictest way: what was consumed or dropped is gone at
 * once when the orders given before have been served, and garbage is all over
 * what a task has not got from a version.
 */
#include "plan/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Entries ---------------------------------------------------------- */

struct sim_entry *sim_find(const struct sim_node *node, uint64_t version)
{
    struct sim_entry *entry = node->entries;

    while (entry && entry->piece.version != version)
        entry = entry->next;
    return entry;
}

struct sim_entry *sim_find_or_add(struct sim_node *node,
                                  const struct cst_plan_piece *piece)
{
    struct sim_entry *entry = sim_find(node, piece->version);

    if (entry && entry->piece.region.size == 0)
        entry->piece = *piece;
    if (entry)
        return entry;
    entry = calloc(1, sizeof(*entry));
    if (!entry)
        abort();
    entry->piece = *piece;
    entry->next = node->entries;
    node->entries = entry;
    return entry;
}

void sim_remove_entry(struct sim_node *node, struct sim_entry *entry)
{
    struct sim_entry **link = &node->entries;

    while (*link != entry)
        link = &(*link)->next;
    *link = entry->next;
    while (entry->waiting) {
        struct sim_message *message = entry->waiting;

        entry->waiting = message->next;
        sim_message_free(message);
    }
    free(entry->bytes);
    free(entry);
}

void sim_let_go(struct sim_node *node, struct sim_entry *entry)
{
    if (entry->users == 0 && entry->makers == 0 && !entry->waiting &&
        !entry->begun && (entry->dropped || !entry->present))
        sim_remove_entry(node, entry);
}

void sim_read_entry(const struct sim *sim, const struct sim_entry *entry,
                    unsigned char *packed)
{
    if (entry->home)
        sim_pack(&entry->piece.region, sim->home, packed);
    else
        memcpy(packed, entry->bytes, cst_region_bytes(&entry->piece.region));
}

void sim_keep(struct sim_entry *entry, const unsigned char *packed)
{
    size_t size = cst_region_bytes(&entry->piece.region);

    free(entry->bytes);
    entry->bytes = malloc(size);
    if (!entry->bytes)
        abort();
    memcpy(entry->bytes, packed, size);
    entry->home = false;
    entry->present = true;
}

/* Does something that is wanted lie there in main's memory? */
static bool is_home_used(const struct sim *sim, const struct cst_region *region,
                         const struct sim_entry *but)
{
    for (const struct sim_entry *entry = sim->nodes[0].entries; entry;
         entry = entry->next)
        if (entry != but && (entry->home || entry->claimed) &&
            cst_region_overlap(&entry->piece.region, region))
            return true;
    return false;
}

/* A part that comes to be serves who waits for it in turn.
   NOLINTBEGIN(misc-no-recursion) */
void sim_serve(struct sim *sim, uint32_t number, struct sim_entry *entry,
               struct sim_message *order)
{
    struct sim_node *node = &sim->nodes[number];
    unsigned char packed[ARENA];
    unsigned char image[ARENA] = {0};
    struct sim_entry *part;

    sim_read_entry(sim, entry, packed);
    if (order->what == MSG_PUSH) {
        struct sim_message data = {.what = MSG_DATA, .piece = entry->piece};

        data.bytes = malloc(cst_region_bytes(&entry->piece.region));
        if (!data.bytes)
            abort();
        memcpy(data.bytes, packed, cst_region_bytes(&entry->piece.region));
        sim_send(sim, number, order->to, data);
        return;
    }
    part = sim_find_or_add(node, &order->piece);
    if (!cst_region_includes(&entry->piece.region, &part->piece.region))
        sim_wrong(sim, "a part that is none");
    sim_unpack(&entry->piece.region, image, packed);
    sim_pack(&part->piece.region, image, packed);
    if (!part->present)
        sim_keep(part, packed);
    if (entry->home && !part->home) { /* before parts of it are cut */
        free(part->bytes);
        part->bytes = NULL;
        part->home = true;
    }
    sim_serve_waiting(sim, number, part);
}

void sim_serve_waiting(struct sim *sim, uint32_t number,
                       struct sim_entry *entry)
{
    struct sim_message *waiting = entry->waiting;

    entry->waiting = NULL;
    while (waiting) {
        struct sim_message *order = waiting;

        waiting = order->next;
        sim_serve(sim, number, entry, order);
        sim_message_free(order);
    }
}

/* It is here: serve who waits for it. */
void sim_put(struct sim *sim, uint32_t number, struct sim_entry *entry,
             const unsigned char *packed)
{
    sim_keep(entry, packed);
    sim_serve_waiting(sim, number, entry);
}
/* NOLINTEND(misc-no-recursion) */

/* An order that needs the bytes: at once, or when they come. */
void sim_order_of(struct sim *sim, uint32_t number, struct sim_entry *entry,
                  const struct sim_message *message)
{
    struct sim_message **link = &entry->waiting;

    if (entry->present) {
        sim_serve(sim, number, entry, (struct sim_message *)(uintptr_t)message);
        return;
    }
    while (*link)
        link = &(*link)->next;
    *link = malloc(sizeof(*message));
    if (!*link)
        abort();
    **link = *message;
    (*link)->next = NULL;
}

/* ---- Main's memory ---------------------------------------------------- */

void sim_try_homes(struct sim *sim)
{
    struct sim_node *node = &sim->nodes[0];
    struct sim_message **link = &node->homes;

    while (*link) {
        struct sim_message *message = *link;
        struct sim_entry *entry = sim_find(node, message->piece.version);
        unsigned char packed[ARENA];

        if (entry && is_home_used(sim, &entry->piece.region, entry)) {
            link = &message->next;
            continue;
        }
        if (entry && !entry->home) {
            sim_read_entry(sim, entry, packed);
            sim_unpack(&entry->piece.region, sim->home, packed);
            free(entry->bytes);
            entry->bytes = NULL;
            entry->home = true;
        }
        *link = message->next;
        sim_send(
            sim, 0, MASTER,
            (struct sim_message){.what = MSG_FILLED, .piece = message->piece});
        sim_message_free(message);
    }
}

static void say_home(const struct sim *sim, const struct sim_entry *root)
{
    for (const struct sim_entry *entry = sim->nodes[0].entries; entry;
         entry = entry->next)
        if (entry != root && entry->home &&
            cst_region_overlap(&entry->piece.region, &root->piece.region))
            printf("#          root %llu, but there is %llu\n",
                   (unsigned long long)root->piece.version,
                   (unsigned long long)entry->piece.version);
}

void sim_at_home(struct sim *sim, const struct sim_message *message)
{
    struct sim_node *node = &sim->nodes[0];
    struct sim_entry *entry = sim_find_or_add(node, &message->piece);
    unsigned char packed[ARENA];

    if (message->what == MSG_ROOT) {
        if (sim->options.print)
            say_home(sim, entry);
        if (is_home_used(sim, &entry->piece.region, entry))
            sim_wrong(sim, "a root where something else lies");
        entry->present = entry->home = true;
    } else if (message->what == MSG_SAVE) {
        if (!entry->present || !entry->home) {
            sim_wrong(sim, "nothing to save");
            return;
        }
        sim_read_entry(sim, entry, packed);
        sim_keep(entry, packed);
    } else {
        struct sim_message *copy = malloc(sizeof(*copy));

        if (!copy)
            abort();
        if (!entry->present)
            sim_wrong(sim, "nothing to bring home");
        *copy = *message;
        copy->next = node->homes;
        node->homes = copy;
    }
    sim_try_homes(sim);
}

/* Does the run consume that, and nobody else read it? */
static bool is_consumed(const struct sim_run *run,
                        const struct sim_entry *entry)
{
    for (size_t i = 0; run && i < run->parts_count; i++) {
        const struct sim_part *part = &run->parts[i];

        if (!part->output && part->piece.version == entry->piece.version)
            return part->piece.consumed && entry->users == 1;
    }
    return false;
}

/* May the version be written to main's memory? `run` makes it, or NULL. */
bool sim_claim(struct sim *sim, struct sim_entry *entry,
               const struct sim_run *run)
{
    const struct cst_region *region = &entry->piece.region;

    if (entry->claimed || random_below(&sim->state, 4) == 0 ||
        sim->channels[MASTER][0])
        return false;
    for (const struct sim_entry *other = sim->nodes[0].entries; other;
         other = other->next)
        if (other != entry && (other->home || other->claimed) &&
            cst_region_overlap(&other->piece.region, region) &&
            !is_consumed(run, other))
            return false;
    entry->claimed = cst_plan_home_claim(sim->plan, entry->piece.version);
    return entry->claimed;
}

/* It will not lie there; `spoilt`: but something was written. */
void sim_unclaim(struct sim *sim, struct sim_entry *entry, bool spoilt)
{
    unsigned char garbage[ARENA];

    if (!entry->claimed)
        return;
    memset(garbage, 0xdd, sizeof(garbage));
    if (spoilt)
        sim_unpack(&entry->piece.region, sim->home, garbage);
    entry->claimed = false;
    cst_plan_home_unclaimed(sim->plan, entry->piece.version);
}

/* A task is given its memory: main's for what it makes, where that may be. */
void sim_fire(struct sim *sim, struct sim_run *run)
{
    struct sim_node *node = &sim->nodes[0];

    run->fired = true;
    for (size_t i = 0; i < run->parts_count; i++) {
        struct sim_entry *entry = sim_find(node, run->parts[i].piece.version);

        if (run->parts[i].output && !entry->present)
            (void)sim_claim(sim, entry, run);
    }
}

void sim_put_home(struct sim *sim, struct sim_entry *entry,
                  const unsigned char *packed)
{
    sim_unpack(&entry->piece.region, sim->home, packed);
    free(entry->bytes);
    entry->bytes = NULL;
    entry->home = true;
    entry->claimed = false;
}
