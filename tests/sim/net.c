/*
 * The net: every promise of net.h, kept as badly as it allows. Between two
 * processes messages keep their order and payloads theirs, but a payload may
 * come after messages that were sent later, in two halves, the second of which
 * is read late; nothing else is ordered. What is delivered when, the history
 * says.
 */
#include "sim/net.h"

#include <stdlib.h>
#include <string.h>

/* ---- Lanes ------------------------------------------------------------------ */

struct sim_letter *sim_letter_new(enum letter_what what, const void *bytes,
                                  size_t size)
{
    struct sim_letter *letter = calloc(1, sizeof(*letter) + size);

    if (!letter)
        abort();
    letter->what = what;
    letter->size = size;
    if (size > 0)
        memcpy(letter->bytes, bytes, size);
    return letter;
}

void sim_letter_put(struct sim *sim, struct sim_lane *lane,
                    struct sim_letter *letter)
{
    letter->stamp = ++sim->stamps;
    letter->next = NULL;
    if (lane->first)
        lane->last->next = letter;
    else
        lane->first = letter;
    lane->last = letter;
    sim->under_way++;
}

static struct sim_letter *take(struct sim *sim, struct sim_lane *lane)
{
    struct sim_letter *letter = lane->first;

    if (letter) {
        lane->first = letter->next;
        sim->under_way--;
    }
    return letter;
}

static void post_news(struct sim *sim, uint32_t to, enum letter_what what,
                      uint32_t about)
{
    struct sim_letter *letter = sim_letter_new(what, NULL, 0);

    letter->about = about;
    sim_letter_put(sim, &sim->lanes[0][to][LANE_NEWS], letter);
}

bool sim_letter_is_due(const struct sim *sim, uint32_t from, uint32_t to,
                       uint32_t lane)
{
    const struct sim_letter *letter = sim->lanes[from][to][lane].first;
    const struct sim_letter *other = sim->lanes[from][to][LANE_MESSAGES].first;

    if (!letter || letter->broken || !sim->nodes[to]->alive ||
        sim->nodes[to]->net->over ||
        (from != to && sim->nodes[to]->net->gone[from]))
        return false;
    return lane != LANE_PAYLOADS || letter->begun || !other ||
           other->stamp > letter->stamp;
}

/* ---- Payloads --------------------------------------------------------------- */

static char *row_of(const struct cst_rows *rows, size_t at, size_t *ret_left)
{
    size_t row = rows->rows > 1 ? at / rows->size : 0;
    size_t in_row = at - row * rows->size;

    *ret_left = rows->size - in_row;
    return (char *)rows->base + row * rows->pitch + in_row;
}

static void copy_some(const struct cst_rows *from, const struct cst_rows *into,
                      size_t begin, size_t end)
{
    while (begin < end) {
        size_t left_from;
        size_t left_into;
        const char *source = row_of(from, begin, &left_from);
        char *target = row_of(into, begin, &left_into);
        size_t size = left_from < left_into ? left_from : left_into;

        if (size > end - begin)
            size = end - begin;
        memcpy(target, source, size);
        begin += size;
    }
}

/* What it was to bring will not come there. */
static void spoil(const struct cst_rows *into)
{
    for (size_t row = 0; row < (into->rows > 0 ? into->rows : 1); row++)
        memset((char *)into->base + row * into->pitch, 0xbb, into->size);
}

static void give_back(struct sim *sim, uint32_t owner, uint32_t reader,
                      const struct sim_letter *letter)
{
    struct sim_letter *sent = sim_letter_new(LETTER_SENT, NULL, 0);

    sent->cookie = letter->cookie;
    sent->arrived = true;
    sim_letter_put(sim, &sim->lanes[reader][owner][LANE_SENT], sent);
}

static void tell(struct sim_net *net, uint32_t from,
                 const struct sim_letter *letter)
{
    net->net.told++;
    net->net.owner.message(net->net.owner.owner, from, letter->bytes,
                           letter->size, letter->wanted ? &letter->into : NULL);
}

static void begin_payload(struct sim_net *net, uint32_t from,
                          struct sim_letter *letter)
{
    struct cst_net_owner *owner = &net->net.owner;
    size_t size = cst_rows_bytes(&letter->from);

    letter->begun = true;
    letter->wanted = owner->payload_into(owner->owner, from, letter->bytes,
                                         letter->size, size, &letter->into);
    net->net.told++;
    if (letter->wanted)
        copy_some(&letter->from, &letter->into, 0, size / 2);
}

/* Do these rows of main's memory and those cells have bytes in common? */
static bool shares(const struct cst_rows *rows, const struct cst_region *memory)
{
    const struct cst_region read = {(uintptr_t)rows->base, rows->size,
                                    rows->rows, rows->pitch};

    return cst_region_overlap(&read, memory);
}

bool sim_net_reads(const struct sim *sim, const struct cst_region *memory)
{
    for (uint32_t to = 0; to < sim->nodes_count; to++)
        for (const struct sim_letter *letter =
                 sim->lanes[0][to][LANE_PAYLOADS].first;
             letter; letter = letter->next)
            if (sim_letter_is_due(sim, 0, to, LANE_PAYLOADS) &&
                (!letter->begun || letter->wanted) &&
                shares(&letter->from, memory))
                return true;
    return false;
}

/* MPI falls silent in the middle: once more, another way. */
static void move_payload(struct sim_net *net, uint32_t from,
                         struct sim_letter *letter)
{
    struct cst_net_owner *owner = &net->net.owner;
    struct cst_rows first = letter->into;
    size_t size = cst_rows_bytes(&letter->from);

    letter->wanted = owner->payload_into(owner->owner, from, letter->bytes,
                                         letter->size, size, &letter->into);
    if (letter->wanted)
        copy_some(&letter->from, &letter->into, 0, size / 2);
    spoil(&first);
    owner->dropped(owner->owner, from, &first);
}

static void end_payload(struct sim_net *net, uint32_t from)
{
    struct sim *sim = net->sim;
    uint32_t self = net->net.self;
    struct sim_lane *lane = &sim->lanes[from][self][LANE_PAYLOADS];
    struct sim_letter *letter = lane->first;
    size_t size = cst_rows_bytes(&letter->from);

    if (letter->wanted && sim->by_mpi && sim_draw(sim, 16) == 0)
        move_payload(net, from, letter);
    if (letter->wanted)
        copy_some(&letter->from, &letter->into, size / 2, size);
    (void)take(sim, lane);
    give_back(sim, from, self, letter);
    tell(net, from, letter);
    free(letter);
}

/* ---- Who goes ------------------------------------------------------------------ */

/* Nothing more comes from there; said before the owner hears it, or after. */
static void drop_incoming(struct sim_net *net, uint32_t gone, bool later)
{
    struct sim *sim = net->sim;
    struct cst_net_owner *owner = &net->net.owner;
    struct sim_lane *lanes = sim->lanes[gone][net->net.self];
    struct sim_letter *letter = lanes[LANE_PAYLOADS].first;

    if (letter && letter->begun && letter->wanted) {
        spoil(&letter->into);
        /* By MPI it may never be said. */
        if (!(sim->by_mpi && later))
            owner->dropped(owner->owner, gone, &letter->into);
    }
    for (uint32_t lane = LANE_MESSAGES; lane <= LANE_PAYLOADS; lane++)
        while ((letter = take(sim, &lanes[lane])))
            free(letter);
}

static void drop_outgoing(struct sim_net *net, uint32_t gone)
{
    struct sim *sim = net->sim;
    struct cst_net_owner *owner = &net->net.owner;
    uint32_t self = net->net.self;
    struct sim_letter *letter;

    while ((letter = take(sim, &sim->lanes[self][gone][LANE_MESSAGES])))
        free(letter);
    while ((letter = take(sim, &sim->lanes[self][gone][LANE_PAYLOADS]))) {
        if (sim->by_mpi && letter->begun) /* MPI may read it for ever */
            owner->haunted(owner->owner, gone, letter->cookie, false);
        else
            owner->sent(owner->owner, gone, letter->cookie, false);
        free(letter);
    }
    while ((letter = take(sim, &sim->lanes[gone][self][LANE_SENT]))) {
        owner->sent(owner->owner, gone, letter->cookie, false);
        free(letter);
    }
}

static void hear_gone(struct sim_net *net, const struct sim_letter *news)
{
    struct sim *sim = net->sim;
    struct cst_net_owner *owner = &net->net.owner;
    uint32_t gone = news->about;
    bool left = news->what == LETTER_LEFT;
    bool later = sim_draw(sim, 2);

    if (!later) {
        drop_incoming(net, gone, later);
        drop_outgoing(net, gone);
    }
    net->gone[gone] = true;
    owner->gone(owner->owner, gone, left ? CST_NET_LEFT : CST_NET_DIED,
                left ? "it left" : "it died");
    if (later) {
        drop_incoming(net, gone, later);
        drop_outgoing(net, gone);
    }
    if (net->net.self != 0)
        return;
    sim->nodes[gone]->member = false;
    sim->deaths += !left;
    sim->left += left;
    for (uint32_t i = 1; i < sim->nodes_count; i++)
        if (i != gone && sim->nodes[i]->member)
            post_news(sim, i, news->what, gone);
    post_news(sim, gone, LETTER_OVER, gone);
}

static void hear_news(struct sim_net *net, const struct sim_letter *letter)
{
    struct sim *sim = net->sim;
    struct cst_net_owner *owner = &net->net.owner;

    net->net.told++;
    switch (letter->what) {
    case LETTER_JOINED:
        sim->nodes[letter->about]->member = true;
        owner->joined(owner->owner, letter->about, letter->bytes, letter->size);
        break;
    case LETTER_GONE:
    case LETTER_LEFT:
        hear_gone(net, letter);
        break;
    case LETTER_OVER:
        net->over = true;
        owner->over(owner->owner, CST_NET_OVER_SENT_AWAY, "it was given up");
        sim->nodes[net->net.self]->alive = false;
        break;
    case LETTER_MESSAGE:
    case LETTER_SENT:
        abort();
    }
}

void sim_net_bury(struct sim *sim, uint32_t number)
{
    sim->nodes[number]->leaving = true;
    post_news(sim, 0, LETTER_GONE, number);
}

/* Has somebody not got what it sent, or it not heard so? */
static bool is_owed(const struct sim *sim, uint32_t number)
{
    for (uint32_t i = 0; i < sim->nodes_count; i++)
        if (sim->lanes[number][i][LANE_MESSAGES].first ||
            sim->lanes[number][i][LANE_PAYLOADS].first ||
            sim->lanes[i][number][LANE_SENT].first)
            return true;
    return false;
}

void sim_net_let_go(struct sim *sim)
{
    for (uint32_t i = 1; i < sim->nodes_count; i++) {
        struct sim_node *node = sim->nodes[i];

        if (!node->alive || node->leaving || !node->net->leaves ||
            is_owed(sim, i))
            continue;
        sim_say(sim, "node %u leaves", i);
        node->leaving = true;
        post_news(sim, 0, LETTER_LEFT, i);
    }
}

/* The last letters may be lost, and the rest of a payload that comes. */
static void cut_lane(struct sim *sim, struct sim_lane *lane)
{
    uint32_t count = 0;
    uint32_t kept;
    struct sim_lane left = {NULL, NULL};
    struct sim_letter *letter;

    for (letter = lane->first; letter; letter = letter->next)
        count++;
    kept = count > 0 ? sim_draw(sim, count + 1) : 0;
    for (uint32_t i = 0; i < count; i++) {
        letter = take(sim, lane);
        if (i >= kept && !letter->begun) {
            free(letter);
            continue;
        }
        letter->broken = i >= kept;
        sim_letter_put(sim, &left, letter);
    }
    *lane = left;
}

void sim_net_die(struct sim *sim, uint32_t number)
{
    for (uint32_t to = 0; to < sim->nodes_count; to++) {
        cut_lane(sim, &sim->lanes[number][to][LANE_MESSAGES]);
        cut_lane(sim, &sim->lanes[number][to][LANE_PAYLOADS]);
    }
}

void sim_net_release(struct sim *sim)
{
    struct sim_letter *letter;

    for (uint32_t i = 0; i < sim->nodes_count; i++)
        for (uint32_t k = 0; k < sim->nodes_count; k++)
            for (uint32_t lane = 0; lane < LANES; lane++)
                while ((letter = take(sim, &sim->lanes[i][k][lane])))
                    free(letter);
}

/* ---- Delivery --------------------------------------------------------------------- */

void sim_letter_deliver(struct sim_net *net, uint32_t from, uint32_t lane)
{
    struct sim *sim = net->sim;
    uint32_t self = net->net.self;
    struct cst_net_owner *owner = &net->net.owner;
    struct sim_letter *letter = sim->lanes[from][self][lane].first;

    if (lane == LANE_PAYLOADS && !letter->begun) {
        begin_payload(net, from, letter);
        return;
    }
    if (lane == LANE_PAYLOADS) {
        end_payload(net, from);
        return;
    }
    (void)take(sim, &sim->lanes[from][self][lane]);
    if (lane == LANE_MESSAGES)
        tell(net, from, letter);
    else if (lane == LANE_SENT)
        owner->sent(owner->owner, from, letter->cookie, letter->arrived);
    else
        hear_news(net, letter);
    free(letter);
}

static void say_delivery(const struct sim *sim, uint32_t from, uint32_t to,
                         uint32_t lane)
{
    static const char *const lanes[] = {"message", "payload", "sent", "news"};
    const struct sim_letter *letter = sim->lanes[from][to][lane].first;
    const char *name = lanes[lane % LANES];

    if (!sim->options.print)
        return;
    if (lane <= LANE_PAYLOADS)
        sim_say(sim, "%u -> %u: %s %u of %zu bytes%s", from, to, name,
                letter->bytes[0], letter->size,
                lane == LANE_PAYLOADS && !letter->begun ? " begins" : "");
    else
        sim_say(sim, "%u -> %u: %s %u of %u", from, to, name, letter->what,
                letter->about);
}

static bool choose(struct sim *sim, uint32_t *ret_from, uint32_t *ret_to,
                   uint32_t *ret_lane)
{
    uint32_t all = sim->nodes_count * sim->nodes_count * LANES;
    uint32_t start = sim_draw(sim, all);

    for (uint32_t i = 0; i < all; i++) {
        uint32_t at = (start + i) % all;

        *ret_lane = at % LANES;
        *ret_to = at / LANES % sim->nodes_count;
        *ret_from = at / LANES / sim->nodes_count;
        if (sim_letter_is_due(sim, *ret_from, *ret_to, *ret_lane))
            return true;
    }
    return false;
}

bool sim_net_step(struct sim *sim)
{
    uint32_t from, to, lane;
    struct sim_net *net;

    if (sim->under_way == 0 || !choose(sim, &from, &to, &lane))
        return false;
    say_delivery(sim, from, to, lane);
    net = sim->nodes[to]->net;
    net->due = true;
    net->due_from = from;
    net->due_lane = lane;
    sim_node_poke(sim, sim->nodes[to]);
    return true;
}
