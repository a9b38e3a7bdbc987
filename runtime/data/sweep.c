#include "base/fail.h"
#include "base/memory.h"
#include "data/data_internal.h"

/*
 * Idle fragments are kept, for programs name most regions again and again; but
 * a program that names ever new ones must not fill the memory with them. So
 * when more are known than twice those that were in use, or used again, on the
 * last round, a hand goes round all nodes, four for each that is created, and
 * forgets what is idle and was not used since it last came by. A fragment that
 * has only been created since gets one round of grace, but does not count as
 * used again: else each round would allow more of them than the one before.
 */

enum {
    KNOWN_MIN = 1 << 16, /* below this, sweeping is not worth it */
    STEPS = 4,           /* of the hand, for each node created */
    BATCH = 256,         /* steps at one time, since covers lose by each */
    RETIRED_STEPS = 2,
};

static void free_retired(struct cst_data *data, size_t steps)
{
    if (steps > data->retired_count)
        steps = data->retired_count;
    for (; steps > 0; steps--) {
        struct cst_data_node *node = data->retired;
        struct cst_hold *followers = node->retired.followers;

        data->retired = node->retired.next;
        if (!data->retired)
            data->retired_last = NULL;
        data->retired_count--;
        if (!cst_place_idle(&node->fragment.place)) {
            cst_data_node_retire(data, node, followers);
            continue;
        }
        cst_free(followers);
        cst_data_node_free(data, node);
    }
}

/* Forget the node unless it is needed; returns whether it is. */
static bool look_at(struct cst_data *data, struct cst_data_node *node)
{
    struct cst_place *place = &node->fragment.place;
    struct cst_data_domain *domain = node->domain;
    bool needed;

    if (node->state != CST_NODE_KNOWN)
        return false;
    needed = !cst_data_node_may_forget(data, node);
    if (needed || node->fresh || place->recent) {
        needed = needed || !node->fresh;
        node->fresh = false;
        place->recent = false;
        return needed;
    }
    cst_data_node_unlink(data, node);
    cst_data_node_free(data, node);
    if (domain->nodes_count == 0)
        cst_data_domain_destroy(data, domain);
    data->sweep.happened = true;
    return false;
}

/* Returns whether a round is over and leaves few enough. */
static bool turn_hand(struct cst_data *data)
{
    if (look_at(data, cst_data_pool_thing(&data->nodes, data->sweep.hand)))
        data->sweep.needed++;
    if (++data->sweep.hand < cst_data_pool_things(&data->nodes))
        return false;
    data->sweep.at = 2 * data->sweep.needed;
    data->sweep.hand = 0;
    data->sweep.needed = 0;
    return data->known_count <= data->sweep.at;
}

void cst_data_sweep(struct cst_data *data)
{
    size_t steps;

    free_retired(data, RETIRED_STEPS * data->sweep.created);
    data->sweep.owed += STEPS * data->sweep.created;
    data->sweep.created = 0;
    if (data->known_count <= data->sweep.at || data->known_count <= KNOWN_MIN)
        data->sweep.owed = 0;
    if (data->sweep.owed < BATCH)
        return;
    for (steps = data->sweep.owed; steps > 0; steps--)
        if (turn_hand(data))
            break;
    data->sweep.owed = 0;
}
