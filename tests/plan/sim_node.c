/*
 * A node: the tasks that it was given, and what it does with orders and data.
 */
#include "plan/sim.h"

#include <stdlib.h>
#include <string.h>

/* ---- Tasks ------------------------------------------------------------ */

static void assign(struct sim *sim, uint32_t number, struct sim_run *run)
{
    struct sim_node *node = &sim->nodes[number];
    struct sim_run **link = &node->runs;

    for (size_t i = 0; i < run->parts_count; i++) {
        struct sim_entry *entry = sim_find_or_add(node, &run->parts[i].piece);

        if (run->parts[i].output)
            entry->makers++;
        else
            entry->users++;
        entry->dropped = false;
    }
    while (*link)
        link = &(*link)->next;
    run->next = NULL;
    *link = run;
}

static void take_out(struct sim_node *node, struct sim_run *run)
{
    struct sim_run **link = &node->runs;

    while (*link != run)
        link = &(*link)->next;
    *link = run->next;
}

/* It will make nothing here. */
static void discard(struct sim *sim, uint32_t number, struct sim_run *run)
{
    struct sim_node *node = &sim->nodes[number];

    take_out(node, run);
    for (size_t i = 0; i < run->parts_count; i++) {
        struct sim_entry *entry = sim_find(node, run->parts[i].piece.version);

        if (run->parts[i].output) {
            entry->makers--;
            if (entry->makers == 0)
                sim_unclaim(sim, entry, run->started);
            /* Who waits for it is told elsewhere. */
            while (!entry->present && entry->waiting) {
                struct sim_message *order = entry->waiting;

                entry->waiting = order->next;
                sim_message_free(order);
            }
        } else {
            entry->users--;
        }
        sim_let_go(node, entry);
    }
    free(run);
}

static bool is_fireable(const struct sim_node *node, const struct sim_run *run)
{
    for (size_t i = 0; i < run->parts_count; i++)
        if (!run->parts[i].output &&
            !sim_find(node, run->parts[i].piece.version)->present)
            return false;
    return true;
}

/* Read everything, run the body, and give the outputs in parts order. */
static void execute(struct sim *sim, const struct sim_node *node,
                    const struct sim_run *run, unsigned char *image)
{
    const struct sim_op *op = &sim->ops[run->task];
    unsigned char packed[ARENA];

    memset(image, 0xee, ARENA);
    if (op->what == SIM_LEAF)
        sim_unpack(&op->accesses[0].region, image, (unsigned char[ARENA]){0});
    for (size_t i = 0; i < run->parts_count; i++) {
        const struct sim_part *part = &run->parts[i];
        const struct sim_entry *entry = sim_find(node, part->piece.version);

        if (part->output)
            continue;
        sim_read_entry(sim, entry, packed);
        sim_unpack(&part->piece.region, image, packed);
    }
    sim_body(op, run->task, image);
}

/* The current pieces, then all leaves by number, added up. */
static void fold(struct sim *sim, const struct sim_node *node,
                 const struct sim_run *run, unsigned char *image)
{
    const struct cst_region *region = &sim->ops[run->task].accesses[0].region;
    size_t size = cst_region_bytes(region);
    unsigned char packed[ARENA];
    unsigned char sum[ARENA];
    size_t covered = 0;

    memset(image, 0xee, ARENA);
    for (size_t i = 0; i < run->parts_count; i++) {
        const struct sim_part *part = &run->parts[i];

        if (part->output)
            continue;
        sim_read_entry(sim, sim_find(node, part->piece.version), packed);
        if (covered < size) {
            sim_unpack(&part->piece.region, image, packed);
            covered += cst_region_bytes(&part->piece.region);
            continue;
        }
        sim_pack(region, image, sum);
        for (size_t at = 0; at < size; at++)
            sum[at] = (unsigned char)(sum[at] + packed[at]);
        sim_unpack(region, image, sum);
    }
}

static void finish(struct sim *sim, uint32_t number, struct sim_run *run,
                   bool failed)
{
    struct sim_node *node = &sim->nodes[number];
    unsigned char image[ARENA];
    unsigned char packed[ARENA];

    if (sim->ops[run->task].what == SIM_FOLD)
        fold(sim, node, run, image);
    else
        execute(sim, node, run, image);
    for (size_t i = 0; i < run->parts_count; i++) {
        struct sim_part *part = &run->parts[i];
        struct sim_entry *entry = sim_find(node, part->piece.version);

        if (part->output)
            continue;
        entry->users--;
        if (part->piece.consumed)
            entry->dropped = true;
        sim_let_go(node, entry);
    }
    take_out(node, run);
    if (sim_is_replica(run))
        node->ran |= UINT64_C(1) << run->task;
    else
        sim->tasks[run->task].finished = true;
    for (size_t i = 0; i < run->parts_count; i++) {
        struct sim_part *part = &run->parts[i];
        struct sim_entry *entry = sim_find(node, part->piece.version);

        if (!part->output)
            continue;
        entry->makers--;
        entry->dropped = false;
        sim_pack(&part->piece.region, image, packed);
        if (!entry->present && entry->claimed) {
            sim_put_home(sim, entry, packed);
            entry->present = true;
        }
        if (!entry->present) {
            sim_put(sim, number, entry, packed);
        } else if (entry->home) {
            sim_serve_waiting(sim, number, entry);
        }
        sim_let_go(node, entry);
    }
    sim_send(sim, number, MASTER,
             (struct sim_message){.what = MSG_DONE,
                                  .other = run->id,
                                  .attempt = run->attempt,
                                  .failed = failed,
                                  .kept = failed});
    free(run);
}

void sim_give_back(struct sim *sim, uint32_t number, struct sim_run *run)
{
    const struct sim_message done = {.what = MSG_DONE,
                                     .other = run->id,
                                     .attempt = run->attempt,
                                     .failed = true};

    discard(sim, number, run);
    sim_send(sim, number, MASTER, done);
}

/* The body's way from its inputs to its start; false: it has ended with it. */
static bool start_run(struct sim *sim, uint32_t number, struct sim_run *run)
{
    const struct sim_op *op = &sim->ops[run->task];

    if (!sim_gang_may_start(sim, number, run))
        return false;
    sim_note_start(sim, number, run);
    run->started = true;
    if (run->attempt <= op->kills && number != 0 &&
        (op->immortal || !(run->flags & CST_PLAN_SUSPECT))) {
        sim_kill(sim, number);
        return false;
    }
    return random_below(&sim->state, 2) == 0;
}

/* Those that only wait for a muster can do nothing. */
static bool can_go_on(const struct sim_node *node, const struct sim_run *run)
{
    return run->gang != SIM_GANG_WAITS && is_fireable(node, run);
}

bool sim_store_run(struct sim *sim, uint32_t number)
{
    struct sim_node *node = &sim->nodes[number];
    struct sim_run *chosen = NULL;
    uint32_t count = 0;
    const struct sim_op *op;
    bool failed;

    if (sim_gang_step(sim, number))
        return true;
    for (struct sim_run *run = node->runs; run; run = run->next)
        if (can_go_on(node, run) && random_below(&sim->state, ++count) == 0)
            chosen = run;
    if (!chosen)
        return false;
    op = &sim->ops[chosen->task];
    if (!chosen->fired && number == 0) {
        sim_fire(sim, chosen);
        if (random_below(&sim->state, 2))
            return true;
    }
    if (!chosen->started && !start_run(sim, number, chosen))
        return true;
    failed = chosen->attempt <= op->fails ||
             op->fails > sim->kinds[op->kind].retries;
    if (chosen->gang == SIM_GANG_STOPPED ||
        (failed && (sim->kinds[op->kind].on_failure != CASTELL_IGNORE ||
                    !(chosen->flags & CST_PLAN_LAST)))) {
        sim_give_back(sim, number, chosen);
    } else {
        finish(sim, number, chosen, failed);
    }
    if (number == 0)
        sim_try_homes(sim);
    return true;
}

/* ---- Orders ----------------------------------------------------------- */

static void stop(struct sim *sim, uint32_t number,
                 const struct sim_message *message)
{
    struct sim_node *node = &sim->nodes[number];
    struct sim_run *run = node->runs;

    while (run &&
           (run->id != message->other || run->attempt != message->attempt))
        run = run->next;
    if (!run || (run->started && message->what == MSG_RECALL))
        return;
    discard(sim, number, run);
    if (message->what == MSG_RECALL)
        sim_send(sim, number, MASTER,
                 (struct sim_message){.what = MSG_RECALLED,
                                      .other = message->other,
                                      .attempt = message->attempt});
}

static void push(struct sim *sim, uint32_t number,
                 const struct sim_message *message)
{
    struct sim_node *node = &sim->nodes[number];

    sim_order_of(sim, number, sim_find_or_add(node, &message->piece), message);
}

static void take_data(struct sim *sim, uint32_t number,
                      const struct sim_message *message)
{
    struct sim_node *node = &sim->nodes[number];
    struct sim_entry *entry = sim_find_or_add(node, &message->piece);

    if (entry->begun) {
        entry->refused = true;
        return;
    }
    if (!entry->present) {
        bool claimed = number == 0 && sim_claim(sim, entry, NULL);

        if (!claimed)
            sim_unclaim(sim, entry, false); /* it comes aside */
        sim_put(sim, number, entry, message->bytes);
        if (claimed)
            sim_put_home(sim, entry, message->bytes);
    }
    sim_send(
        sim, number, MASTER,
        (struct sim_message){.what = MSG_ARRIVED, .piece = message->piece});
}

/* The sender died while it sent: does the node have the first bytes now? */
static bool breaks_off(struct sim *sim, uint32_t number, uint32_t from,
                       const struct sim_message *message)
{
    struct sim_entry *entry;

    if (message->what != MSG_DATA || sim->nodes[from].alive ||
        !sim->nodes[from].member || random_below(&sim->state, 2))
        return false;
    entry = sim_find_or_add(&sim->nodes[number], &message->piece);
    if (entry->present || entry->begun)
        return false;
    entry->begun = from + 1;
    if (number == 0)
        (void)sim_claim(sim, entry, NULL);
    sim_empty_channel(sim, from, number);
    return true;
}

static void gone(struct sim *sim, uint32_t number, uint64_t node)
{
    struct sim_entry *next;

    for (struct sim_entry *entry = sim->nodes[number].entries; entry;
         entry = next) {
        next = entry->next;
        if (entry->begun != node + 1)
            continue;
        entry->begun = 0;
        sim_unclaim(sim, entry, true);
        if (entry->refused)
            sim_send(sim, number, MASTER,
                     (struct sim_message){.what = MSG_NOT_COME,
                                          .piece = entry->piece});
        entry->refused = false;
        sim_let_go(&sim->nodes[number], entry);
    }
}

/* The version is not to be cut from that entry any more. */
static void forget_cuts(struct sim_entry *origin, uint64_t version)
{
    struct sim_message **link = &origin->waiting;

    while (*link) {
        struct sim_message *order = *link;

        if (order->what != MSG_CUT || order->piece.version != version) {
            link = &order->next;
            continue;
        }
        *link = order->next;
        sim_message_free(order);
    }
}

static void drop(struct sim_node *node, uint64_t version)
{
    struct sim_entry *entry = sim_find(node, version);

    for (struct sim_entry *origin = node->entries; origin;
         origin = origin->next)
        forget_cuts(origin, version);
    if (!entry)
        return;
    while (!entry->present && entry->waiting) {
        struct sim_message *order = entry->waiting;

        entry->waiting = order->next;
        sim_message_free(order);
    }
    entry->dropped = entry->present;
    if (entry->makers > 0 && entry->users == 0) {
        /* A task that is to make it again makes it anew. */
        free(entry->bytes);
        entry->bytes = NULL;
        entry->present = entry->home = entry->dropped = false;
    }
    sim_let_go(node, entry);
}

static void obey(struct sim *sim, uint32_t number, struct sim_message *message)
{
    struct sim_node *node = &sim->nodes[number];
    struct cst_plan_piece origin = {.version = message->other};

    switch (message->what) {
    case MSG_ASSIGN:
        assign(sim, number, message->run);
        message->run = NULL;
        break;
    case MSG_PUSH:
        push(sim, number, message);
        break;
    case MSG_DROP:
        drop(node, message->piece.version);
        break;
    case MSG_CUT:
        sim_order_of(sim, number, sim_find_or_add(node, &origin), message);
        break;
    case MSG_RECALL:
    case MSG_CANCEL:
        stop(sim, number, message);
        break;
    case MSG_ROOT:
    case MSG_HOME:
    case MSG_SAVE:
        sim_at_home(sim, message);
        break;
    case MSG_DATA:
        take_data(sim, number, message);
        break;
    case MSG_BERTH:
    case MSG_UNBERTH:
    case MSG_MUSTER:
    case MSG_DISBAND:
        sim_gang_order(sim, number, message);
        break;
    case MSG_LEAVE:
        if (node->runs || node->berths)
            sim_wrong(sim, "a node is to leave that has tasks");
        node->leaves = true;
        break;
    case MSG_GONE:
        gone(sim, number, message->other);
        break;
    case MSG_GRANTED:
    case MSG_DONE:
    case MSG_ARRIVED:
    case MSG_NOT_COME:
    case MSG_RECALLED:
    case MSG_FILLED:
    case MSG_FIRED:
    case MSG_BERTHED:
        sim_wrong(sim, "a message that is for others");
    }
}

void sim_store_deliver(struct sim *sim, uint32_t number, uint32_t from)
{
    struct sim_message *message = sim->channels[from][number];

    sim->channels[from][number] = message->next;
    if (sim->nodes[number].alive && !breaks_off(sim, number, from, message))
        obey(sim, number, message);
    if (number == 0)
        sim_try_homes(sim);
    sim_message_free(message);
}

void sim_store_release(struct sim *sim, uint32_t number)
{
    struct sim_node *node = &sim->nodes[number];

    while (node->entries)
        sim_remove_entry(node, node->entries);
    while (node->runs) {
        struct sim_run *run = node->runs;

        node->runs = run->next;
        free(run);
    }
    sim_gang_release(node);
    while (node->homes) {
        struct sim_message *message = node->homes;

        node->homes = message->next;
        sim_message_free(message);
    }
}

uint32_t sim_store_left(const struct sim *sim, uint32_t number)
{
    const struct sim_node *node = &sim->nodes[number];
    uint32_t left = node->runs != NULL || node->berths != NULL;

    for (const struct sim_entry *entry = node->entries; entry;
         entry = entry->next) {
        if (!entry->present && entry->users == 0 && entry->makers == 0)
            continue;
        left++;
        sim_say(sim, "left at", number, entry->piece.version, 0);
    }
    return left;
}
