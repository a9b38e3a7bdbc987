/*
 * A gang of processes of the run itself, that share an MPI world. Nobody is
 * started, which makes it fast; and nobody can be ended but with all else that
 * its process does. So who waits for another does so by looking, and gives up
 * when it is told to, and after a while when its own body has failed.
 */
#include "base/clock.h"
#include "base/memory.h"
#include "gang/gang_internal.h"
#include "gang/member.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    LOOKS_AWAKE = 2000, /* without a rest */
    REST_FIRST_NS = 20000,
    REST_MAX_NS = 2000000,
    WHY_SIZE = 256,
};

/* How a body ended, for others: 0, what it returned, or this. */
enum { RESULT_OTHER = 255 };

bool cst_gang_may_join(void)
{
    char why[WHY_SIZE];
    const struct cst_gang_ops *ops = cst_member_ops(why, sizeof(why));

    return ops && ops->may_join();
}

/* Who waits looks all the time at first, and then now and then. */
static void rest(uint32_t looks, uint64_t *rest_ns)
{
    struct timespec time = {0, (long)*rest_ns};

    if (looks < LOOKS_AWAKE) {
        (void)sched_yield();
        return;
    }
    (void)nanosleep(&time, NULL);
    if (*rest_ns < REST_MAX_NS)
        *rest_ns += *rest_ns / 2;
}

/* All have ended: with the greatest of their results. False: not all did. */
static bool agree(const struct cst_member *member, int result,
                  const struct cst_gang_crew *crew, int *ret_greatest)
{
    uint64_t begun = cst_clock_ns();
    uint64_t rest_ns = REST_FIRST_NS;

    if (!member->ops->offer(member->world, result))
        return false;
    for (uint32_t looks = 0;
         !member->ops->is_known(member->world, ret_greatest); looks++) {
        if (atomic_load(&crew->stop) ||
            (result != 0 && cst_clock_ns() - begun > CST_GANG_GRACE_NS))
            return false;
        rest(looks, &rest_ns);
    }
    return true;
}

/* True: all know how it went, and it went well when *ret_result is 0. */
static bool take_part(struct cst_member *member,
                      const struct cst_gang_crew *crew,
                      const struct cst_gang_body *body, int *ret_result)
{
    bool ready;
    int result;

    if (!cst_member_hear(member) || !cst_member_prepare(member, body, &ready))
        return false;
    *ret_result = RESULT_OTHER;
    if (!ready)
        return true;
    if (!cst_member_fill(member))
        return false;
    cst_member_runs(member);
    result = body->run(
        body->context, member->body, (void *const *)member->buffers,
        (const char *)member->call.head + member->call.head->argument_at);
    cst_member_runs(NULL);
    if (result < 0 || result > RESULT_OTHER)
        result = RESULT_OTHER;
    return agree(member, result, crew, ret_result);
}

/* `call`: the lead's; NULL: it is told. */
static bool join(const struct cst_gang_crew *crew,
                 const struct cst_gang_body *body, const struct cst_call *call,
                 int *ret_result, char *how, size_t how_size)
{
    struct cst_member member = {.call.file = -1};
    bool whole;

    if (call)
        member.call = *call;
    member.ops = cst_member_ops(how, how_size);
    if (!member.ops)
        return false;
    member.world =
        member.ops->join(crew->ranks, crew->nodes, crew->tag, &member.rank);
    if (!member.world) {
        (void)snprintf(how, how_size,
                       "MPI could not make a communicator of its nodes");
        return false;
    }
    whole = take_part(&member, crew, body, ret_result);
    if (whole && *ret_result == 0 && call)
        cst_member_put_back(&member);
    if (!whole)
        (void)snprintf(how, how_size,
                       "its processes did not all come to its end");
    else if (member.text[0])
        (void)snprintf(how, how_size, "%s", member.text);
    else if (*ret_result != 0)
        (void)snprintf(how, how_size,
                       *ret_result == RESULT_OTHER
                           ? "it failed in a process of its gang"
                           : "it returned %d in a process of its gang",
                       *ret_result);
    /* Of one that failed in the middle others may still be told. */
    if (whole)
        cst_member_release(&member);
    member.ops->leave(member.world, whole);
    return whole;
}

bool cst_gang_join(const struct cst_gang_crew *crew,
                   const struct cst_gang_body *body)
{
    char how[WHY_SIZE];
    int result = 0;

    return join(crew, body, NULL, &result, how, sizeof(how));
}

bool cst_gang_lead_joined(const struct cst_gang_request *request,
                          const struct cst_call *call, char *how,
                          size_t how_size)
{
    int result = 0;

    return join(request->crew, request->body, call, &result, how, how_size) &&
           result == 0;
}
