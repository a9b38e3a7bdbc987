/*
 * What devices did, and what became of nodes that were asked for.
 */
#include "replay/replay_internal.h"

#include <inttypes.h>

/* Copies have a length, lie within the run, and go where there is a device. */
static void check_copies(struct check *check)
{
    const struct cst_history *history = check->history;

    for (size_t i = 0; i < history->copies_count; i++) {
        const struct cst_history_copy *copy = &history->copies[i];

        check->replay->copies++;
        if (copy->end_ns < copy->begin_ns || copy->end_ns > history->total_ns)
            replay_wrong(check, "a copy ends at %" PRIu64 " ns", copy->end_ns);
        if (copy->bytes == 0)
            replay_wrong(check, "a copy at %" PRIu64 " ns has no bytes",
                         copy->begin_ns);
        if ((copy->way == CST_HISTORY_BETWEEN) !=
            (copy->from != CST_HISTORY_NONE))
            replay_wrong(check, "a copy at %" PRIu64 " ns comes from nowhere",
                         copy->begin_ns);
    }
}

/* What a device did lies within the attempt that had it do that. */
static void check_kernels(struct check *check)
{
    const struct cst_history *history = check->history;

    for (size_t i = 0; i < history->kernels_count; i++) {
        const struct cst_history_kernel *kernel = &history->kernels[i];
        uint32_t next = history->tasks[kernel->task].attempts;
        bool found = false;

        check->replay->kernels++;
        for (; next != CST_HISTORY_NONE && !found;
             next = history->attempts[next].next)
            found =
                history->tracks[history->attempts[next].track].device ==
                    kernel->device &&
                kernel->end_ns <= history->attempts[next].ended_ns + THREADS_NS;
        if (!found || kernel->end_ns < kernel->begin_ns)
            replay_wrong(check, "task %" PRIu64 " did not run where it did",
                         history->tasks[kernel->task].id);
    }
}

/* What each node's devices have counted is what its trace shows. */
void replay_check_depot(struct check *check, uint32_t node)
{
    static const char *const names[] = {
        "copies to devices", "copies from devices", "copies between devices"};
    const struct cst_history *history = check->history;
    const struct cst_trace_depot *depot = &history->nodes[node].depot;
    const uint64_t counted[] = {depot->in, depot->out, depot->peer};
    const uint64_t counted_bytes[] = {depot->in_bytes, depot->out_bytes,
                                      depot->peer_bytes};
    uint64_t seen[3] = {0}, bytes[3] = {0}, kernels = 0, ended = 0;

    for (size_t i = 0; i < history->copies_count; i++)
        if (history->devices[history->copies[i].device].node == node) {
            seen[history->copies[i].way]++;
            bytes[history->copies[i].way] += history->copies[i].bytes;
        }
    for (size_t i = 0; i < history->kernels_count; i++)
        kernels += history->devices[history->kernels[i].device].node == node;
    for (size_t i = 0; i < history->attempts_count; i++) {
        const struct cst_history_track *track =
            &history->tracks[history->attempts[i].track];

        ended += track->node == node && track->device != CST_HISTORY_NONE &&
                 history->attempts[i].ended;
    }
    for (int way = 0; way < 3; way++) {
        replay_compare(check, names[way], counted[way], seen[way]);
        replay_compare(check, "their bytes", counted_bytes[way], bytes[way]);
    }
    replay_compare(check, "bodies on devices", depot->kernels, kernels);
    replay_compare(check, "attempts on devices", depot->kernels, ended);
}

/* Who was asked for came, left and was over in that order, once. */
static void check_requests(struct check *check)
{
    const struct cst_history *history = check->history;

    for (size_t i = 0; i < history->requests_count; i++) {
        const struct cst_history_request *request = &history->requests[i];

        check->replay->requests++;
        if ((request->started_ns != CST_HISTORY_NEVER &&
             request->started_ns < request->asked_ns) ||
            (request->came_ns != CST_HISTORY_NEVER &&
             (request->came_ns < request->asked_ns ||
              request->came_ns < history->nodes[request->node].joined_ns)) ||
            (request->over_ns != CST_HISTORY_NEVER &&
             request->over_ns < request->asked_ns))
            replay_wrong(check, "request %u came before it was asked for",
                         request->ticket);
        for (size_t j = 0; j < i; j++)
            if (request->node != CST_HISTORY_NONE &&
                history->requests[j].node == request->node)
                replay_wrong(check, "node %u came by two requests",
                             history->nodes[request->node].number);
    }
}

void replay_check_beside(struct check *check)
{
    check_copies(check);
    check_kernels(check);
    check_requests(check);
}
