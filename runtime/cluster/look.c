/*
 * The nodes of the run as who asks from outside sees them.
 *
 * Who looks gives a new number to `asked`, and waits. The next step of the master
 * sends it to each worker, which answers with what it counts, and the last
 * answer ends the wait; a node that does not answer is silent, and shown as it
 * was. What one thread leaves for the other is guarded by members_lock. Nothing
 * of this happens when nobody looks.
 */
#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "cluster/cluster_internal.h"

#include <stdlib.h>
#include <string.h>

enum { GONE_MAX = 1000 };

static const uint64_t wait_ns = 300000000;

/* ---- A worker answers --------------------------------------------------------- */

static void fill_node(struct cst_cluster *cluster, struct cst_watch_node *node)
{
    const struct cst_limits *limits = cst_engine_limits(cluster->engine);
    struct cst_engine_use use;

    cst_engine_use(cluster->engine, &use);
    *node = (struct cst_watch_node){
        .number = cst_net_self(cluster->net),
        .cores = limits->cores,
        .busy = use.busy,
        .running = use.running,
        .ready = use.ready,
        .memory_used = cst_watch_memory_used(),
        .memory = limits->memory,
        .came = cluster->came,
        .came_bytes = cluster->came_bytes,
        .went = cluster->went,
        .went_bytes = cluster->went_bytes,
    };
    cst_watch_name(node->name, limits->name);
}

static void put_kinds(struct cst_cluster *cluster, struct cst_writer *out)
{
    struct cst_kind_counts counts;
    struct cst_watch_kind kind;
    uint32_t count = 0;

    while (cst_engine_kind_counts(cluster->engine, count, &counts))
        count++;
    cst_put_varint(out, count);
    for (uint32_t n = 0; n < count; n++) {
        (void)cst_engine_kind_counts(cluster->engine, n, &counts);
        kind = cst_cluster_kind(&counts);
        cst_watch_put_kind(out, &kind);
    }
}

static void answer(struct cst_cluster *cluster, uint32_t question)
{
    struct cst_writer *out = cst_begin(cluster, CST_MESSAGE_LOOK);
    struct cst_watch_node node;

    fill_node(cluster, &node);
    cst_put_u32(out, question);
    cst_watch_put_node(out, &node);
    put_kinds(cluster, out);
    cst_cluster_send(cluster, CST_NET_MASTER);
}

struct cst_watch_kind cst_cluster_kind(const struct cst_kind_counts *counts)
{
    struct cst_watch_kind kind = {
        .submitted = counts->submitted,
        .running = counts->running,
        .done = counts->done,
        .failed = counts->failed,
        .cancelled = counts->cancelled,
        .measured = counts->measured,
        .measured_ns = counts->measured_ns,
    };

    cst_watch_name(kind.name, counts->label ? counts->label : "(other kinds)");
    return kind;
}

/* ---- The master asks ----------------------------------------------------------- */

static struct cst_member *find_locked(struct cst_cluster *cluster,
                                      uint32_t number)
{
    struct cst_member *member = cluster->members;

    while (member && member->number != number)
        member = member->next;
    return member;
}

/* What the plan knows of each. */
static void note_loads(struct cst_cluster *cluster)
{
    struct cst_look *look = &cluster->look;

    cst_lock_take(&cluster->members_lock);
    cst_plan_counters(cluster->plan, &look->counters);
    look->came = cluster->came;
    look->came_bytes = cluster->came_bytes;
    look->went = cluster->went;
    look->went_bytes = cluster->went_bytes;
    for (struct cst_member *member = cluster->members; member;
         member = member->next)
        cst_plan_load(cluster->plan, member->number, &member->load);
    cst_lock_drop(&cluster->members_lock);
}

static void end_look(struct cst_cluster *cluster)
{
    note_loads(cluster);
    atomic_store(&cluster->look.served, cluster->look.begun);
    cst_futex_wake(&cluster->look.served);
}

void cst_look_step(struct cst_cluster *cluster)
{
    struct cst_look *look = &cluster->look;
    uint32_t asked = atomic_load_explicit(&look->asked, memory_order_relaxed);

    if (asked == look->begun)
        return;
    look->begun = asked;
    look->missing = 0;
    note_loads(cluster); /* should somebody not answer */
    for (struct cst_member *member = cluster->members; member;
         member = member->next) {
        if (member->number == CST_NET_MASTER)
            continue;
        look->missing++;
        cst_put_u32(cst_begin(cluster, CST_MESSAGE_LOOK), asked);
        cst_cluster_send(cluster, member->number);
    }
    if (look->missing == 0)
        end_look(cluster);
}

/* Somebody has answered, or will not. */
static void count_answer(struct cst_cluster *cluster)
{
    if (cluster->look.missing > 0 && --cluster->look.missing == 0)
        end_look(cluster);
}

static bool read_answer(struct cst_reader *message,
                        struct cst_watch_picture *seen)
{
    uint32_t count;

    cst_watch_get_node(message, &seen->nodes[0]);
    count = cst_get_count(message, CST_TALLIES_MAX);
    for (uint32_t i = 0; i < count && !message->bad; i++) {
        struct cst_watch_kind *kind = cst_watch_add_kind(seen);

        if (kind)
            cst_watch_get_kind(message, kind);
        else
            cst_reader_spoil(message);
    }
    return cst_reader_done(message);
}

static bool take_answer(struct cst_cluster *cluster, uint32_t peer,
                        struct cst_reader *message)
{
    struct cst_watch_picture seen = {.process = 0};
    uint32_t question = cst_get_u32(message);
    struct cst_member *member;
    bool good = cst_watch_add_node(&seen) && read_answer(message, &seen);
    bool counts = false;

    if (good) {
        cst_lock_take(&cluster->members_lock);
        member = find_locked(cluster, peer);
        if (member) {
            struct cst_watch_picture before = member->seen;

            counts =
                question == cluster->look.begun && member->answered != question;
            member->seen = seen;
            member->answered = question;
            member->heard_ns = cst_clock_ns();
            seen = before;
        }
        cst_lock_drop(&cluster->members_lock);
    }
    cst_watch_picture_release(&seen);
    if (counts)
        count_answer(cluster);
    return good;
}

bool cst_look_message(struct cst_cluster *cluster, uint32_t peer,
                      struct cst_reader *message)
{
    uint32_t question;

    (void)cst_get_u8(message);
    if (cluster->is_master)
        return take_answer(cluster, peer, message);
    question = cst_get_u32(message);
    if (peer != CST_NET_MASTER || !cst_reader_done(message))
        return false;
    answer(cluster, question);
    return true;
}

/* ---- Nodes that are gone ------------------------------------------------------- */

/* What its bodies had submitted ended there, or is gone with it. */
static void keep_ends(struct cst_watch_picture *gone,
                      const struct cst_watch_picture *seen)
{
    for (size_t i = 0; i < seen->kinds_count; i++) {
        struct cst_watch_kind ended = seen->kinds[i];

        ended.submitted = ended.done + ended.failed + ended.cancelled;
        ended.running = 0;
        if (!cst_watch_count(gone, &ended))
            return;
    }
}

static void keep_gone_locked(struct cst_cluster *cluster,
                             const struct cst_member *member,
                             enum cst_net_end how)
{
    struct cst_watch_picture *gone = &cluster->look.gone;
    struct cst_watch_node *node;

    keep_ends(gone, &member->seen);
    if (gone->nodes_count >= GONE_MAX)
        return;
    node = cst_watch_add_node(gone);
    if (!node)
        return;
    if (member->seen.nodes)
        *node = member->seen.nodes[0];
    node->number = member->number;
    cst_watch_name(node->name, member->hello.name);
    node->state = how == CST_NET_DIED ? CST_WATCH_LOST : CST_WATCH_LEFT;
    node->done = member->load.done;
    node->busy = node->cores = 0;
    node->running = node->queued = node->ready = 0;
    node->memory = node->memory_used = 0;
    node->heard_ns = cst_clock_ns(); /* of its end, until it is shown */
}

void cst_look_gone(struct cst_cluster *cluster, uint32_t number,
                   enum cst_net_end how)
{
    struct cst_member *member;
    bool missing = false;

    cst_lock_take(&cluster->members_lock);
    member = find_locked(cluster, number);
    if (member) {
        missing = member->answered != cluster->look.begun;
        cst_plan_load(cluster->plan, number, &member->load);
        keep_gone_locked(cluster, member, how);
    }
    cst_lock_drop(&cluster->members_lock);
    if (missing)
        count_answer(cluster);
}

void cst_look_release(struct cst_cluster *cluster)
{
    cst_watch_picture_release(&cluster->look.gone);
}

/* ---- Who looks ----------------------------------------------------------------- */

static void wait_for(struct cst_look *look, uint32_t question)
{
    uint64_t end = cst_clock_ns() + wait_ns;
    uint64_t now = end - wait_ns;
    uint32_t served;

    while ((served = atomic_load(&look->served)) != question && now < end) {
        cst_futex_wait_for(&look->served, served, end - now);
        now = cst_clock_ns();
    }
}

static bool add_kinds(struct cst_watch_picture *picture,
                      const struct cst_watch_picture *from)
{
    bool good = true;

    for (size_t i = 0; i < from->kinds_count && good; i++)
        good = cst_watch_count(picture, &from->kinds[i]);
    return good;
}

static uint64_t ends_of(const struct cst_watch_picture *seen)
{
    struct cst_watch_kind total = cst_watch_total(seen);

    return total.done + total.failed + total.cancelled;
}

/* Complete what a node has told with what the plan knows of it. */
static void add_load(struct cst_watch_node *node,
                     const struct cst_plan_load *load)
{
    node->done = load->done;
    node->queued =
        load->placed > node->running ? load->placed - node->running : 0;
    if (node->ready > node->queued)
        node->ready = node->queued;
}

static bool add_member(struct cst_watch_picture *picture,
                       const struct cst_member *member, uint32_t question)
{
    struct cst_watch_node *node = cst_watch_add_node(picture);
    uint64_t now = cst_clock_ns();

    if (!node)
        return false;
    if (member->seen.nodes)
        *node = member->seen.nodes[0];
    node->number = member->number;
    node->cores = member->hello.limits.cores;
    node->memory = member->hello.limits.memory;
    cst_watch_name(node->name, member->hello.name);
    if (member->load.drains)
        node->state = CST_WATCH_DRAINS;
    if (member->answered != question)
        node->state = CST_WATCH_SILENT;
    node->heard_ns = now > member->heard_ns ? now - member->heard_ns : 0;
    add_load(node, &member->load);
    node->done += ends_of(&member->seen);
    picture->ready += node->ready;
    return add_kinds(picture, &member->seen);
}

static bool add_gone(struct cst_watch_picture *picture,
                     const struct cst_look *look)
{
    uint64_t now = cst_clock_ns();

    for (size_t i = 0; i < look->gone.nodes_count; i++) {
        struct cst_watch_node *node = cst_watch_add_node(picture);

        if (!node)
            return false;
        *node = look->gone.nodes[i];
        node->heard_ns = now - node->heard_ns;
    }
    return add_kinds(picture, &look->gone);
}

static bool add_all_locked(struct cst_cluster *cluster, uint32_t question,
                           struct cst_watch_picture *picture)
{
    struct cst_look *look = &cluster->look;
    struct cst_watch_node *here = &picture->nodes[0];
    const struct cst_member *home = find_locked(cluster, CST_NET_MASTER);
    bool good = true;

    add_load(here, &home->load);
    here->came = look->came;
    here->came_bytes = look->came_bytes;
    here->went = look->went;
    here->went_bytes = look->went_bytes;
    picture->many = true;
    picture->recomputed = look->counters.recomputed;
    picture->ready = here->ready + look->counters.waiting;
    for (const struct cst_member *member = cluster->members; member && good;
         member = member->next)
        if (member != home)
            good = add_member(picture, member, question);
    return good && add_gone(picture, look);
}

static int by_number(const void *a, const void *b)
{
    const struct cst_watch_node *first = a;
    const struct cst_watch_node *second = b;

    return first->number < second->number   ? -1
           : first->number > second->number ? 1
                                            : 0;
}

enum castell_status cst_cluster_look(struct cst_cluster *cluster,
                                     struct cst_port *port,
                                     struct cst_watch_picture *picture)
{
    uint32_t question = atomic_fetch_add(&cluster->look.asked, 1) + 1;
    bool good;

    cst_engine_want(cluster->engine, port);
    wait_for(&cluster->look, question);
    cst_lock_take(&cluster->members_lock);
    good = add_all_locked(cluster, question, picture);
    cst_lock_drop(&cluster->members_lock);
    if (!good)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory to look");
    qsort(picture->nodes, picture->nodes_count, sizeof(*picture->nodes),
          by_number);
    return CASTELL_OK;
}
