/*
 * A member of a gang: a fresh process of the program, that mpirun has started,
 * runs one body and ends.
 */
#include "base/parse.h"
#include "gang/gang_internal.h"
#include "gang/member.h"
#include "sched/declare.h"
#include "sched/kind.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RESULT_MAX = 125, WHY_SIZE = 512 };

bool cst_gang_is_member(void)
{
    return cst_parse_environment("CASTELL_GANG") != NULL;
}

/* MPI ends the others, as this one ends without having said goodbye. */
_Noreturn static void give_up(const char *why)
{
    (void)fprintf(stderr, "castell: a process of a gang ends: %s\n", why);
    (void)fflush(NULL);
    _exit(CST_GANG_NO_MEMBER);
}

/* The body, or NULL and a text. Nothing but this process uses the kinds. */
static castell_body *find_body(void *context, const char *name, uint32_t choice,
                               char *why, size_t why_size)
{
    static const struct cst_limits nothing = {.name = "", .arch = ""};
    const struct cst_declared *declared = cst_kinds_declared();
    struct cst_kinds *kinds = NULL;
    struct cst_kind *kind = NULL;

    (void)context;
    while (declared && strcmp(declared->name, name) != 0)
        declared = declared->next;
    if (!declared)
        (void)snprintf(why, why_size,
                       "its kind was not declared before castell_start()");
    else if (cst_kinds_create(&nothing, &kinds) != CASTELL_OK ||
             cst_kinds_know(kinds, declared->kind, &kind) != CASTELL_OK ||
             choice >= atomic_load(&kind->choices_count))
        (void)snprintf(why, why_size, "its processes have not got the body");
    else
        return kind->choices[choice].body;
    return NULL;
}

static void run(struct cst_member *member)
{
    const struct cst_call_head *head = member->call.head;
    int nothing = 0;
    int result;

    cst_member_is_fresh(member);
    result = member->body((void *const *)member->buffers,
                          (const char *)head + head->argument_at);
    cst_member_is_fresh(NULL);
    if (result != 0) {
        /* The others may wait for it in the body: MPI ends them. */
        (void)fflush(NULL);
        _exit(result > 0 && result < RESULT_MAX ? result : RESULT_MAX);
    }
    /* It has run to its end everywhere. */
    if (!member->ops->greatest(member->world, &nothing))
        give_up("MPI failed");
    if (member->rank != 0)
        return;
    cst_member_put_back(member);
    __atomic_store_n(&member->call.head->state, CST_CALL_ENDED,
                     __ATOMIC_RELEASE);
}

_Noreturn void cst_gang_serve(void)
{
    static const struct cst_gang_body body = {.find = find_body};
    struct cst_member member = {.call.file = -1};
    char why[WHY_SIZE];
    uint32_t size = 0;
    bool ready;

    member.ops = cst_member_ops(why, sizeof(why));
    if (!member.ops)
        give_up(why);
    member.world = member.ops->start(&member.rank, &size);
    if (member.rank == 0 && cst_call_open(cst_parse_environment("CASTELL_GANG"),
                                          &member.call) != CASTELL_OK)
        give_up(castell_error_text());
    if (!cst_member_hear(&member))
        give_up("no memory for its task");
    if (!cst_member_prepare(&member, &body, &ready))
        give_up("MPI failed");
    if (ready) {
        if (!cst_member_fill(&member))
            give_up("MPI failed");
        run(&member);
    } else if (member.rank == 0) {
        memcpy(member.call.head->text, member.text, sizeof(member.text));
        __atomic_store_n(&member.call.head->state, CST_CALL_REFUSED,
                         __ATOMIC_RELEASE);
    }
    (void)fflush(NULL);
    member.ops->finish(member.world);
    _exit(EXIT_SUCCESS);
}
