/*
 * What nodes report: how tasks ended, and which data have come.
 */
#include "base/fail.h"
#include "plan/plan_internal.h"
#include "plan/replica.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- Poison ----------------------------------------------------------- */

static void drop_everywhere(struct cst_plan *plan, struct cst_version *version)
{
    while (version->copies) {
        struct cst_copy *copy = version->copies;

        /* Also what was to come: pushes from there wait for it. */
        plan->ops->drop(plan->context, copy->node->number, version->id);
        cst_copy_remove(plan, copy);
    }
}

static void poison(struct cst_plan *plan, struct cst_version *version)
{
    if (version->poisoned)
        return;
    version->poisoned = true;
    plan->poisoned_once = true;
    version->poisoned_next = plan->poison;
    plan->poison = version;
    cst_version_touch(plan, version);
}

static void tell_end(struct cst_plan *plan, struct cst_plan_record *record,
                     enum cst_plan_end end, const char *text)
{
    if (record->ended)
        return;
    record->ended = true;
    plan->placed--;
    if (cst_record_original(record)) {
        cst_replica_ended(plan, record);
        return;
    }
    plan->ops->ended(plan->context, record->task, end, text);
}

/* Main was told that the task has ended: that cannot be taken back. */
static void say_unmade(struct cst_plan *plan, const char *text)
{
    char sentence[256];

    (void)snprintf(sentence, sizeof(sentence),
                   "what a task had made was lost with its node and cannot be "
                   "made again: %s",
                   text ? text : "a task before it failed");
    cst_plan_fail(plan, CASTELL_ERR_NODE_LOST, sentence);
}

/* ... so with a task that nodes run when they join. */
static void say_unready(struct cst_plan *plan, const char *text)
{
    char sentence[256];

    (void)snprintf(sentence, sizeof(sentence),
                   "a replicated task failed on a node that has joined: %s",
                   text);
    cst_plan_fail(plan, CASTELL_ERR_TASK_FAILED, sentence);
}

/* Is all that is needed of what it makes there? */
static bool is_made(const struct cst_plan_record *record)
{
    for (uint32_t i = 0; i < record->outputs_count; i++) {
        const struct cst_version *version = record->outputs[i].version;

        if (version->wants && !cst_version_has_copy(version))
            return false;
    }
    return true;
}

/* It is in no list, and never will have run; but perhaps it had, and was to run
   again. */
static void end_poisoned(struct cst_plan *plan, struct cst_plan_record *record,
                         enum cst_plan_end end, const char *text)
{
    if (record->seen)
        tell_end(plan, record, CST_PLAN_ENDED, NULL);
    if (record->ended && !record->replica && is_made(record)) {
        cst_record_finish(plan, record);
        return;
    }
    if (record->ended)
        say_unmade(plan, text);
    tell_end(plan, record, end, text);
    if (!cst_record_original(record)) /* a replica's task is another's */
        cst_replica_release(plan, record);
    for (uint32_t i = 0; i < record->outputs_count; i++)
        poison(plan, record->outputs[i].version);
    cst_record_finish(plan, record);
}

/* It is on no node and in no list any more; false: it is in none anyway, as it
   has run, or is being cancelled right now. */
static bool take_out(struct cst_plan *plan, struct cst_plan_record *record)
{
    if (record->state == CST_RECORD_PLACED) {
        plan->ops->cancel(plan->context, record->node->number, record->id,
                          record->attempt);
        cst_record_give_up(plan, record, false);
        return true;
    }
    if (record->state != CST_RECORD_AGAIN)
        return false;
    cst_records_remove(&plan->again, record);
    return true;
}

void cst_record_withdraw(struct cst_plan *plan, struct cst_plan_record *record)
{
    CST_ASSERT(cst_record_original(record));
    if (!take_out(plan, record))
        return;
    tell_end(plan, record, CST_PLAN_CANCELLED, NULL);
    cst_record_finish(plan, record);
}

static void cancel_reader(struct cst_plan *plan, struct cst_plan_record *record)
{
    const struct cst_plan_record *original = cst_record_original(record);

    /* Tasks take it that the body has run there. */
    if (original && original->ended && !record->ended &&
        plan->nodes[record->replica->node])
        say_unready(plan, "what it reads was lost and cannot be made again");
    if (original)
        cst_record_withdraw(plan, record);
    else if (take_out(plan, record))
        end_poisoned(plan, record, CST_PLAN_CANCELLED, NULL);
}

/* Tell the readers of all that was poisoned, and theirs. */
static void spread(struct cst_plan *plan)
{
    struct cst_version *version;

    while ((version = plan->poison)) {
        plan->poison = version->poisoned_next;
        for (struct cst_use *use = version->uses; use; use = use->after)
            cancel_reader(plan, use->record);
        for (struct cst_version *part = version->children; part;
             part = part->sibling)
            poison(plan, part);
        drop_everywhere(plan, version);
    }
}

void cst_record_cancel(struct cst_plan *plan, struct cst_plan_record *record)
{
    end_poisoned(plan, record, CST_PLAN_CANCELLED, NULL);
    spread(plan);
}

void cst_record_fail(struct cst_plan *plan, struct cst_plan_record *record,
                     const char *text)
{
    struct cst_plan_record *original = cst_record_original(record);

    if (original) { /* so has that */
        tell_end(plan, record, CST_PLAN_FAILED, text);
        cst_record_finish(plan, record);
        record = original;
        if (record->ended) {
            say_unready(plan, text);
            return;
        }
        (void)take_out(plan, record);
    }
    end_poisoned(plan, record, CST_PLAN_FAILED, text);
    spread(plan);
}

/* ---- Tasks ------------------------------------------------------------ */

/* A report about that attempt, which is the current one; else NULL. */
static struct cst_plan_record *find_attempt(const struct cst_plan *plan,
                                            uint32_t node, uint64_t id,
                                            uint32_t attempt)
{
    struct cst_plan_record *record = cst_record_find(plan, id);

    if (!record || record->state != CST_RECORD_PLACED ||
        record->node->number != node || record->attempt != attempt)
        return NULL;
    return record;
}

/* Is it to be made there once more? Told to drop it, the node might do so when
   that is over, which counts on it. */
static bool is_being_made(const struct cst_version *version,
                          const struct cst_plan_node *node)
{
    const struct cst_plan_record *producer = version->producer;

    return producer && producer->state == CST_RECORD_PLACED &&
           producer->node == node;
}

void cst_record_succeed(struct cst_plan *plan, struct cst_plan_record *record,
                        const char *text)
{
    struct cst_plan_node *node = record->node;

    cst_record_unplace(plan, record);
    for (uint32_t i = 0; i < record->uses_count; i++) {
        struct cst_use *use = &record->uses[i];

        struct cst_copy *copy = cst_copy_find(use->version, node);

        if (!use->consumed)
            continue;
        use->consumed = false;
        copy->consumed = false;
        /* It may have come early, in another way; then it comes again. */
        if (copy->state != CST_COPY_PRESENT) {
            cst_copy_expect(plan, copy, CST_COPY_STRAY);
            continue;
        }
        if (copy->again && plan->nodes[node->number] &&
            !is_being_made(use->version, node))
            plan->ops->drop(plan->context, node->number, use->version->id);
        cst_copy_remove(plan, copy);
    }
    for (uint32_t i = 0; i < record->outputs_count; i++) {
        struct cst_version *version = record->outputs[i].version;
        struct cst_copy *copy = cst_copy_find(version, node);

        /* What was there before the task was run again may be gone. */
        if (copy)
            cst_copy_present(plan, copy);
        else if (cst_plan_copy_room(plan, 1))
            cst_copy_add(plan, version, node, CST_COPY_PRESENT);
    }
    record->losses = 0;
    tell_end(plan, record, CST_PLAN_ENDED, text);
    cst_record_finish(plan, record);
}

static void body_failed(struct cst_plan *plan, struct cst_plan_record *record,
                        const char *text)
{
    const struct cst_kind *kind = record->task->kind;
    const struct cst_plan_gang *gang = record->gang;
    bool broken = gang && gang->broken;
    bool hopeless = gang && gang->hopeless;
    char lost[96];

    if (hopeless || (broken && ++record->losses > plan->options.losses_max)) {
        if (hopeless)
            (void)snprintf(lost, sizeof(lost),
                           "it needs nodes=%" PRIu32 "; %" PRIu32
                           " that can run it are left",
                           record->nodes, gang->left);
        else
            (void)snprintf(lost, sizeof(lost),
                           "each of %" PRIu32 " gangs that ran it lost a node",
                           record->losses);
        cst_record_give_up(plan, record, false);
        cst_record_fail(plan, record, lost);
    } else if (broken) { /* that is no failure of its body */
        cst_record_give_up(plan, record, true);
        record->state = CST_RECORD_AGAIN;
        cst_records_prepend(&plan->again, record);
    } else if (record->failures++ < kind->retries) {
        record->avoid = record->node->number + 1;
        record->flags |= CST_PLAN_RETRIED;
        cst_record_give_up(plan, record, true);
        record->state = CST_RECORD_AGAIN;
        cst_records_append(&plan->again, record);
    } else { /* also where failures are ignored: nothing that it makes is there,
                as would have been said */
        cst_record_give_up(plan, record, false);
        cst_record_fail(plan, record, text);
    }
}

/* Its node runs nothing more, and the run has failed. */
static void call_off(struct cst_plan *plan, struct cst_plan_record *record)
{
    cst_record_give_up(plan, record, false);
    if (!cst_record_original(record)) {
        cst_record_cancel(plan, record);
        return;
    }
    tell_end(plan, record, CST_PLAN_CANCELLED, NULL);
    cst_record_finish(plan, record);
}

void cst_plan_done(struct cst_plan *plan, const struct cst_plan_report *report)
{
    struct cst_plan_record *record =
        find_attempt(plan, report->node, report->id, report->attempt);

    if (!record)
        return;
    record->node->done++;
    /* Others may have read it already, whatever has become of its gang. */
    if (report->outcome == CST_PLAN_FAILURE_IGNORED) {
        cst_record_succeed(plan, record, report->text);
    } else if (report->outcome == CST_PLAN_DONE) {
        cst_plan_measured(plan, record, report->duration_ns);
        cst_record_succeed(plan, record, NULL);
    } else if (report->outcome == CST_PLAN_OFF) {
        call_off(plan, record);
    } else {
        body_failed(plan, record, report->text ? report->text : "it failed");
    }
    cst_plan_settle(plan);
}

void cst_plan_recalled(struct cst_plan *plan, uint32_t node, uint64_t id,
                       uint32_t attempt)
{
    struct cst_plan_record *record = find_attempt(plan, node, id, attempt);

    if (!record || !record->recalled)
        return;
    cst_record_give_up(plan, record, true);
    if (record->cancelled && !record->ended) {
        cst_record_cancel(plan, record);
    } else {
        record->state = CST_RECORD_AGAIN;
        cst_records_prepend(&plan->again, record);
    }
    cst_plan_settle(plan);
}

void cst_plan_cancel(struct cst_plan *plan, struct cst_task *task)
{
    struct cst_plan_record *record = cst_record_find(plan, task->id);

    if (!record || record->ended)
        return;
    record->cancelled = true;
    if (record->state == CST_RECORD_PLACED && !record->recalled) {
        record->recalled = true;
        record->node->recalls++;
        plan->ops->recall(plan->context, record->node->number, record->id,
                          record->attempt);
    } else if (record->state == CST_RECORD_AGAIN) {
        cst_records_remove(&plan->again, record);
        cst_record_cancel(plan, record);
        cst_plan_settle(plan);
    }
}

/* ---- Data ------------------------------------------------------------- */

static void measure_speed(struct cst_plan *plan, uint64_t bytes,
                          uint64_t duration_ns)
{
    enum { LARGE = 64 * 1024, SMALL = 4 * 1024 };

    if (duration_ns == 0)
        return;
    if (bytes >= LARGE)
        cst_plan_speed_add(&plan->bandwidth,
                           (double)duration_ns / (double)bytes);
    else if (bytes <= SMALL)
        cst_plan_speed_add(&plan->latency, (double)duration_ns);
}

/* Some of what a task makes has come: it has run, though its node may be lost
   before that is heard. */
static void note_seen(struct cst_plan *plan, const struct cst_version *version)
{
    struct cst_plan_record *record;

    while (version->origin)
        version = version->origin;
    record = version->producer;
    if (!record || record->ended)
        return;
    record->seen = true;
    if (record->state != CST_RECORD_AGAIN || record->replica)
        return;
    tell_end(plan, record, CST_PLAN_ENDED, NULL);
    if (is_made(record)) {
        cst_records_remove(&plan->again, record);
        cst_record_finish(plan, record);
    } else {
        record->flags |= CST_PLAN_RECOMPUTED;
    }
}

void cst_plan_arrived(struct cst_plan *plan, uint32_t node, uint64_t version_id,
                      uint64_t duration_ns)
{
    struct cst_version *version =
        cst_plan_ids_find(&plan->versions_by_id, version_id);
    struct cst_copy *copy = NULL;

    if (node >= plan->nodes_max || !plan->nodes[node])
        return;
    if (version)
        copy = cst_copy_find(version, plan->nodes[node]);
    if (!copy) {
        /* It was sent more than once, or nobody wants it any more. */
        plan->ops->drop(plan->context, node, version_id);
        return;
    }
    if (copy->state == CST_COPY_SENT || copy->state == CST_COPY_STRAY) {
        measure_speed(plan, cst_region_bytes(&version->region), duration_ns);
        cst_copy_present(plan, copy);
    }
    /* Also where it was to be made anew meanwhile: tasks there that waited for
       that have it, and run. */
    note_seen(plan, version);
    cst_plan_settle(plan);
}

void cst_plan_not_come(struct cst_plan *plan, uint32_t node,
                       uint64_t version_id)
{
    struct cst_version *version =
        cst_plan_ids_find(&plan->versions_by_id, version_id);
    struct cst_copy *copy = NULL;

    if (version && node < plan->nodes_max && plan->nodes[node])
        copy = cst_copy_find(version, plan->nodes[node]);
    if (!copy || copy->state != CST_COPY_SENT)
        return;
    cst_copy_expect(plan, copy, CST_COPY_SENT);
    cst_version_feed(plan, version);
    cst_version_revive(plan, version);
    cst_plan_settle(plan);
}

void cst_plan_cancel_those(struct cst_plan *plan,
                           bool (*is_meant)(const struct cst_task *task))
{
    const struct cst_plan_ids *ids = &plan->records_by_id;
    size_t slots = ids->slots ? ids->mask + 1 : 0;
    struct cst_plan_record *record;

    /* Those that wait, or are recalled, leave later; the others move slots. */
    for (size_t i = 0; i < slots; i++) {
        record = ids->slots[i].thing;
        if (record && record->state != CST_RECORD_AGAIN &&
            !cst_record_original(record) &&
            (!is_meant || is_meant(record->task)))
            cst_plan_cancel(plan, record->task);
    }
    record = plan->again.first;
    while (record)
        if (!record->ended && (!is_meant || is_meant(record->task))) {
            if (cst_record_original(record))
                cst_record_withdraw(plan, record);
            else
                cst_plan_cancel(plan, record->task);
            record = plan->again.first; /* others may have gone with it */
        } else {
            record = record->after;
        }
}
