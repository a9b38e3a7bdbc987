/*
 * Second thoughts: tasks that go to a node which has less to do, and data that
 * go home so that less has to be made again.
 */
#include "plan/plan_internal.h"

enum {
    GAIN_NS = 1000000, /* that it starts sooner elsewhere, to be worth it */
    IDLE_MAX = 16,     /* nodes that are looked after at a time */
    BUSY_MAX = 4,
    LOOK_MAX = 128, /* of the tasks that wait at one of them */
};

/* Nodes with cores that have nothing to do. */
struct idle {
    struct cst_plan_node *nodes[IDLE_MAX];
    uint32_t cores[IDLE_MAX];
    uint32_t count;
    uint32_t wanted; /* tasks, in all */
};

/* ---- Those that should go elsewhere ------------------------------------ */

/* Has nobody been promised anything of what it makes? */
static bool is_free_to_go(const struct cst_plan_record *record)
{
    if (record->recalled || record->ended || record->cancelled ||
        record->gang || record->replica)
        return false;
    for (uint32_t i = 0; i < record->outputs_count; i++) {
        const struct cst_version *version = record->outputs[i].version;

        if (version->uses || version->children || version->wished ||
            !version->copies || version->copies->next)
            return false;
    }
    return true;
}

static double load_of(const struct cst_plan_node *node)
{
    return (double)node->work_ns / node->limits->cores;
}

/* What is known now: it was placed when less was. False: it is a guess. */
static bool measure(const struct cst_plan *plan,
                    const struct cst_plan_record *record, uint64_t *ret_ns)
{
    uint32_t count;

    *ret_ns = cst_plan_estimate(plan, record->task->kind, record->choice,
                                record->bytes, &count);
    return count > 0;
}

/* What it has last is thought to take what is known now: else the node would
   seem to have little to do, and get back what is taken from it. */
static void refresh(const struct cst_plan *plan, struct cst_plan_node *node)
{
    struct cst_plan_record *record = node->placed.last;

    for (int i = 0; record && i < LOOK_MAX; i++, record = record->before) {
        uint64_t estimate_ns;

        if (record->gang || !measure(plan, record, &estimate_ns))
            continue;
        node->work_ns += (estimate_ns - record->estimate_ns) * record->cores;
        record->estimate_ns = estimate_ns;
    }
}

/*
 * Would it wait for long where it is, behind so much work? Half of what runs
 * there is still to come, as far as is known; of what was never measured nothing
 * is, and whoever waits for it may wait long.
 */
static bool is_late(double ahead_ns, double own_ns, bool known)
{
    return !known || ahead_ns - own_ns / 2 > GAIN_NS;
}

/* One that has nothing to do, and can run it. */
static bool take_core(const struct cst_plan *plan, struct idle *idle,
                      struct cst_plan_record *record)
{
    for (uint32_t i = 0; i < idle->count; i++) {
        if (idle->cores[i] == 0 ||
            !cst_record_suits(plan, record, idle->nodes[i]))
            continue;
        idle->cores[i]--;
        idle->wanted--;
        return true;
    }
    return false;
}

/* Of what waits there half is taken at most: who has less to do may give, too,
   and it goes on meanwhile. */
static void recall(struct cst_plan *plan, struct cst_plan_node *busy,
                   struct idle *idle)
{
    struct cst_plan_record *record = busy->placed.last;
    uint32_t cores = busy->limits->cores;
    uint32_t left = (busy->cores_asked - cores + 1) / 2;
    int looks = 0;
    double ahead_ns;

    refresh(plan, busy);
    ahead_ns = load_of(busy);
    for (size_t rest = busy->placed.count; record && rest > cores && left > 0 &&
                                           idle->wanted > 0 && looks < LOOK_MAX;
         looks++, rest--, record = record->before) {
        double own_ns = (double)record->estimate_ns;
        uint64_t unused;
        bool known = measure(plan, record, &unused);

        ahead_ns -= own_ns * record->cores / cores;
        /* Who came back to where it was taken from is better off there. */
        if (record->stays == busy->number + 1 || !is_free_to_go(record) ||
            !is_late(ahead_ns, own_ns, known) || !take_core(plan, idle, record))
            continue;
        record->stays = busy->number + 1;
        record->recalled = true;
        busy->recalls++;
        left--;
        plan->ops->recall(plan->context, busy->number, record->id,
                          record->attempt);
    }
}

static bool is_busier(const struct cst_plan_node *a,
                      const struct cst_plan_node *b)
{
    double load = load_of(a);
    double other = load_of(b);

    return load > other || (!(load < other) && a->number < b->number);
}

/* Of those that are less busy than that one, the one that is most. */
static struct cst_plan_node *next_busy(const struct cst_plan *plan,
                                       const struct cst_plan_node *than)
{
    struct cst_plan_node *busy = NULL;

    for (size_t i = 0; i < plan->live_count; i++) {
        struct cst_plan_node *node = plan->live[i];

        if (cst_node_is_open(plan, node) && node->recalls == 0 &&
            node->cores_asked > node->limits->cores &&
            (!than || (node != than && is_busier(than, node))) &&
            (!busy || is_busier(node, busy)))
            busy = node;
    }
    return busy;
}

static struct idle find_idle(const struct cst_plan *plan)
{
    struct idle idle = {.count = 0};
    uint32_t coming = 0; /* what was called back, and is on its way */

    for (size_t i = 0; i < plan->live_count; i++) {
        struct cst_plan_node *node = plan->live[i];

        coming += node->recalls;
        if (idle.count == IDLE_MAX || !cst_node_is_open(plan, node) ||
            node->cores_asked >= node->limits->cores)
            continue;
        idle.nodes[idle.count] = node;
        idle.cores[idle.count] = node->limits->cores - node->cores_asked;
        idle.wanted += idle.cores[idle.count++];
    }
    idle.wanted -= coming < idle.wanted ? coming : idle.wanted;
    return idle;
}

/* Some have nothing to do, and nothing waits that they could: take from those
   that have most. */
void cst_plan_balance(struct cst_plan *plan)
{
    struct cst_plan_node *busy = NULL;
    struct idle idle;

    if (plan->again.first || plan->waiting != plan->blocked_count ||
        plan->placed == 0)
        return;
    idle = find_idle(plan);
    for (int i = 0; i < BUSY_MAX && idle.wanted > 0; i++) {
        busy = next_busy(plan, busy);
        if (!busy)
            return;
        recall(plan, busy, &idle);
    }
}

/*
 * Of those that go by turns, this many nodes would have had one each: give the
 * node that was not there its own. Others get it by having nothing to do; but
 * these are placed however much there is to do, and many may belong together: a
 * task that needs all of them would have to come first.
 */
static void share_of(struct cst_plan *plan, struct cst_plan_node *node,
                     const struct cst_plan_node *joined, size_t turns)
{
    /* Each begins at another place, so that one step of a program loses to it
       about as many as the next. */
    size_t turn = node->at;
    size_t begun = 0;

    for (struct cst_plan_record *record = node->placed.first; record;
         record = record->after) {
        /* Those run already. */
        if (begun < node->limits->cores) {
            begun += record->cores;
            continue;
        }
        if ((record->task->kind->flags & CASTELL_DISTRIBUTED) == 0 ||
            turn++ % turns != turns - 1)
            continue;
        if (record->recalled || record->ended || record->cancelled ||
            record->gang || record->replica ||
            !cst_record_suits(plan, record, joined))
            continue;
        record->goes = joined->number + 1;
        record->recalled = true;
        node->recalls++;
        plan->ops->recall(plan->context, node->number, record->id,
                          record->attempt);
    }
}

void cst_plan_share(struct cst_plan *plan)
{
    size_t turns = 0;

    plan->any_new = false;
    for (size_t i = 0; i < plan->live_count; i++)
        turns += cst_node_is_open(plan, plan->live[i]) ? 1 : 0;
    for (size_t i = 0; i < plan->live_count; i++) {
        struct cst_plan_node *joined = plan->live[i];

        if (!joined->is_new || !cst_node_runs_tasks(plan, joined))
            continue;
        joined->is_new = joined->gate != NULL;
        plan->any_new |= joined->is_new;
        if (joined->is_new)
            continue;
        for (size_t j = 0; j < plan->live_count && turns > 1; j++)
            if (plan->live[j] != joined)
                share_of(plan, plan->live[j], joined, turns);
    }
}

/* ---- Bounding what is kept --------------------------------------------- */

enum {
    LOOK_AFTER = 256,    /* records */
    SAVE_NS = 500000000, /* of work on each node */
    SAVE_SHARE = 50,     /* what that costs is no more than 1/50 */
};
static const uint64_t held_most = UINT64_C(128) << 20;

/* ... or an eighth of the memory that all nodes may promise. */
static uint64_t held_max(const struct cst_plan *plan)
{
    uint64_t eighth = 0;

    for (size_t i = 0; i < plan->live_count && eighth < held_most; i++)
        eighth += plan->live[i]->limits->memory / 8;
    return eighth < held_most ? eighth : held_most;
}

/*
 * Would it take too long to run again what has run, or is too much memory held
 * that only such tasks would read? It is looked at so seldom that it costs as
 * much for each record, however many there are.
 */
static bool is_too_much(struct cst_plan *plan)
{
    double a_byte = plan->bandwidth.count > 0 ? plan->bandwidth.median : 1;
    uint64_t most = held_max(plan);
    uint64_t held = 0;
    uint64_t saved = 0;
    double work = 0;

    if (((plan->unlooked < LOOK_AFTER || plan->unlooked < plan->looked_at) &&
         plan->unlooked_bytes < most) ||
        plan->live_count == 0)
        return false;
    plan->unlooked = 0;
    plan->unlooked_bytes = 0;
    plan->looked_at = plan->kept.count;
    for (struct cst_plan_record *record = plan->kept.first; record;
         record = record->after) {
        work += (double)record->estimate_ns * record->cores;
        for (uint32_t i = 0; i < record->outputs_count; i++) {
            const struct cst_version *version = record->outputs[i].version;

            if (!cst_version_has_copy(version))
                continue;
            if (version->current)
                saved += cst_region_bytes(&version->region);
            else
                held += cst_region_bytes(&version->region);
        }
    }
    work /= (double)plan->live_count;
    return (held > most && held > saved) ||
           (work > SAVE_NS && work > SAVE_SHARE * a_byte * (double)saved);
}

/*
 * So much has run that would have to run again, were nodes lost, that data go
 * home: of each datum what is made next, and what it holds now.
 */
void cst_plan_save_some(struct cst_plan *plan)
{
    bool many =
        plan->kept.count > plan->options.records_max + plan->replicated_count;

    if (!is_too_much(plan) && (!many || plan->generation_left > 0))
        return;
    plan->generation++;
    plan->generation_left = plan->options.records_max / 2 + 1;
    for (struct cst_plan_record *record = plan->kept.first; record;
         record = record->after)
        for (uint32_t i = 0; i < record->outputs_count; i++) {
            struct cst_version *version = record->outputs[i].version;

            if (version->current && cst_version_has_copy(version) &&
                cst_plan_copy_room(plan, 1))
                cst_version_fetch(plan, version, plan->home);
        }
}
