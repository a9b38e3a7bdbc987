/*
 * One task of a device, from one stage to the next: its copies, its body, its
 * end.
 */
#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "files/files.h"
#include "worker/count.h"
#include "worker/hand.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

enum { TRIES_MAX = 1000 }; /* to get memory, of a task that is alone */

/* ---- What a task names --------------------------------------------------- */

bool cst_hand_is_passed(const struct cst_task *task,
                        const struct cst_access *access, uint32_t i)
{
    return access->size == 0 ||
           ((task->flags & CST_TASK_FILES) && task->extra->uses[i].path);
}

void cst_hand_region(const struct cst_access *access,
                     struct cst_region *ret_region)
{
    *ret_region = (struct cst_region){(uintptr_t)access->base, access->size,
                                      access->hold.user, access->pitch};
    cst_region_normalise(ret_region);
}

static bool make_room(struct cst_at_hand *at, uint32_t count)
{
    uint32_t max = count < 8 ? 8 : count;

    if (at->uses_max >= count && at->uses)
        return true;
    cst_free(at->uses);
    cst_free(at->buffers);
    cst_free(at->pitches);
    at->uses_max = max;
    at->uses = cst_zalloc(max * sizeof(*at->uses));
    at->buffers = cst_zalloc(max * sizeof(*at->buffers));
    at->pitches = cst_zalloc(max * sizeof(*at->pitches));
    return at->uses && at->buffers && at->pitches;
}

static void set_uses(struct cst_at_hand *at)
{
    struct cst_task *task = at->task;
    struct cst_access *accesses = cst_task_accesses(task);

    for (uint32_t i = 0; i < task->accesses_count; i++) {
        const struct cst_hold *hold = &accesses[i].hold;
        struct cst_depot_use *use = &at->uses[i];

        memset(use, 0, sizeof(*use));
        cst_hand_region(&accesses[i], &use->region);
        use->reads = hold->reads;
        use->writes = hold->writes;
        use->keeps = task->kind->retries > 0;
        use->deletes = hold->mode == CASTELL_IN_DELETE;
        use->passed = cst_hand_is_passed(task, &accesses[i], i);
        use->memory = accesses[i].base;
    }
}

/* In the trace one follows the other, as on the device. */
static void tell_started(struct cst_hand *hand)
{
    for (uint32_t i = 0; i < hand->count; i++) {
        struct cst_at_hand *at = cst_hand_nth(hand, i);

        if (at->stage != CST_STAGE_LAUNCHED)
            continue;
        if (!at->told)
            cst_run_started(hand->self, at->task);
        at->told = true;
        return;
    }
}

static void tell_over(struct cst_hand *hand, struct cst_at_hand *at)
{
    cst_depot_run_over(hand->depot, hand->device, &at->ran, at->task->id,
                       at->task->kind->id);
}

/* ---- The end of a task --------------------------------------------------- */

static void tell(struct cst_hand *hand, enum cst_news news,
                 struct cst_task *task)
{
    struct cst_self *self = hand->self;

    cst_engine_tell(self->worker->engine, self->port, news, task);
    cst_engine_poke(self->worker->engine, self->port);
}

static void remove_at(struct cst_hand *hand, uint32_t n)
{
    struct cst_at_hand gone = *cst_hand_nth(hand, n);

    for (; n + 1 < hand->count; n++)
        *cst_hand_nth(hand, n) = *cst_hand_nth(hand, n + 1);
    gone.stage = CST_STAGE_NONE;
    gone.task = NULL;
    *cst_hand_nth(hand, n) = gone; /* its arrays are used again */
    hand->count--;
}

static void release(struct cst_hand *hand, struct cst_at_hand *at,
                    enum cst_depot_end end)
{
    if (at->stage >= CST_STAGE_ACQUIRED)
        cst_depot_release(hand->depot, hand->device, at->uses,
                          at->task->accesses_count, end);
    if (at->stage == CST_STAGE_LAUNCHED) {
        hand->launched--;
        cst_share_drop(hand, at);
    }
    if (at->event)
        hand->device->ops->event_destroy(hand->device->handle, at->event);
    at->event = NULL;
    at->stage = CST_STAGE_TAKEN;
    tell_started(hand);
}

/* For good; `how` NULL: well. */
static void end(struct cst_hand *hand, uint32_t n, const char *how)
{
    struct cst_at_hand *at = cst_hand_nth(hand, n);
    struct cst_task *task = at->task;

    if (how)
        cst_run_report(hand->self, task, how);
    remove_at(hand, n);
    tell(hand, CST_NEWS_DONE, task);
}

/* Another implementation, or another device, may do what this one cannot. */
static void give_back(struct cst_hand *hand, uint32_t n, bool refuses,
                      const char *how)
{
    struct cst_at_hand *at = cst_hand_nth(hand, n);
    struct cst_task *task = at->task;

    task->extra->duration_ns = 0;
    if (refuses)
        task->extra->refused |= 1u << task->choice;
    if (!cst_engine_may_choose(hand->self->worker->engine, task)) {
        end(hand, n, how);
        return;
    }
    remove_at(hand, n);
    tell(hand, CST_NEWS_RETURNED, task);
}

static void say_lost(const struct cst_depot_device *device, char *how,
                     size_t how_size)
{
    (void)snprintf(how, how_size, "%s is lost: %.200s", device->info.name,
                   device->words);
}

/* The device is lost: what was at hand runs elsewhere, or fails. */
static void lose(struct cst_hand *hand)
{
    cst_depot_lose(hand->depot, hand->device);
    while (hand->count > 0) {
        struct cst_at_hand *at = cst_hand_nth(hand, 0);
        char how[CST_HOW_SIZE];

        say_lost(hand->device, how, sizeof(how));
        if (at->stage == CST_STAGE_LAUNCHED) {
            tell_started(hand);
            tell_over(hand, at);
            cst_run_event(hand->self, CST_TRACE_ENDED, at->task, 1);
            cst_count_ended(hand->self, at->task, 0);
        }
        release(hand, at,
                at->stage == CST_STAGE_LAUNCHED ? CST_DEPOT_UNDONE
                                                : CST_DEPOT_NOT_RUN);
        give_back(hand, 0, false, how);
    }
}

/* ---- One task, from one stage to the next -------------------------------- */

/* Returns false when nothing can be done before something else ends. */
bool cst_hand_acquire(struct cst_hand *hand, uint32_t n)
{
    struct cst_at_hand *at = cst_hand_nth(hand, n);
    struct cst_task *task = at->task;
    char how[CST_HOW_SIZE];
    enum castell_status status;

    if (cst_run_is_off(hand->self, task)) {
        task->flags |= CST_TASK_CANCELLED;
        end(hand, n, NULL);
        return true;
    }
    if (!make_room(at, task->accesses_count)) {
        give_back(hand, n, true, "no memory for its buffers");
        return true;
    }
    set_uses(at);
    status = cst_depot_acquire(hand->depot, hand->device, at->uses,
                               task->accesses_count);
    if (status == CASTELL_OK) {
        at->stage = CST_STAGE_ACQUIRED;
        return true;
    }
    if (status == CASTELL_ERR_LIMIT &&
        (hand->launched > 0 || n > 0 || ++at->tries < TRIES_MAX)) {
        (void)sched_yield();
        return false;
    }
    if (status == CASTELL_ERR_NODE_LOST) {
        lose(hand);
        return true;
    }
    (void)snprintf(how, sizeof(how), "%s",
                   status == CASTELL_ERR_LIMIT
                       ? "others hold the memory of its device"
                       : castell_error_text());
    if (status == CASTELL_ERR_TASK_FAILED)
        end(hand, n, how);
    else
        give_back(hand, n, true, how);
    return true;
}

/* What the device said in the body, as far as it went through us. */
static void say_words(struct cst_at_hand *at)
{
    size_t length = strlen(at->how);

    if (castell_error_text()[0] != '\0')
        (void)snprintf(at->how + length, sizeof(at->how) - length, ": %s",
                       castell_error_text());
}

/* The devices of a task: that of its thread first. */
static uint32_t list_team(const struct cst_hand *hand,
                          const struct cst_task *task,
                          struct cst_device_one team[CST_DEPOT_DEVICES_MAX])
{
    uint32_t count = 1;

    team[0] =
        (struct cst_device_one){hand->device->handle, hand->device->number};
    for (uint32_t i = 0; i < cst_depot_count(hand->depot); i++)
        if (task->extra->devices >> i & 1 && i != hand->device->number)
            team[count++] = (struct cst_device_one){
                cst_depot_at(hand->depot, i)->handle, i};
    return count;
}

static void fail_at(struct cst_at_hand *at, enum castell_status status)
{
    at->status = status;
    (void)snprintf(at->how, sizeof(at->how), "%s", castell_error_text());
}

/* Wait for what a body has enqueued on others than its thread's device. */
static void finish_others(struct cst_hand *hand, struct cst_at_hand *at,
                          const struct cst_device_one *team, uint32_t count)
{
    const struct cst_device_ops *ops = hand->device->ops;

    for (uint32_t i = 1; i < count; i++) {
        struct cst_depot_device *other =
            cst_depot_at(hand->depot, team[i].number);
        enum castell_status status = ops->finish(other->handle, CST_DEVICE_RUN);

        if (status == CASTELL_ERR_NODE_LOST) {
            cst_depot_lose(hand->depot, other);
            at->left = true;
            at->status = CASTELL_ERR_SYSTEM;
            say_lost(other, at->how, sizeof(at->how));
        } else if (status != CASTELL_OK && at->status == CASTELL_OK) {
            fail_at(at, status);
        }
    }
}

/* On the thread's device, which has been entered, and its others. */
static void call_entered(struct cst_hand *hand, struct cst_at_hand *at,
                         struct cst_device_here *here)
{
    struct cst_self *self = hand->self;
    enum castell_status left;

    cst_device_set_here(here);
    self->task = at->task;
    self->group = NULL;
    cst_fail_text("%s", "");
    if (!cst_run_body(self, at->task, at->buffers, at->how, sizeof(at->how))) {
        at->status = CASTELL_ERR_TASK_FAILED;
        say_words(at);
    }
    cst_worker_drop_frames(self, NULL);
    self->task = NULL;
    cst_device_set_here(NULL);
    left = here->ops->leave(here->now.device);
    if (at->status == CASTELL_OK && left != CASTELL_OK)
        fail_at(at, left);
}

static void call_body(struct cst_hand *hand, struct cst_at_hand *at)
{
    const struct cst_device_ops *ops = hand->device->ops;
    struct cst_device_one team[CST_DEPOT_DEVICES_MAX];
    uint32_t count = list_team(hand, at->task, team);
    struct cst_device_here here = {
        .ops = ops,
        .now = team[0],
        .team = team,
        .team_count = count,
        .pitches = at->pitches,
        .accesses_count = at->task->accesses_count,
    };

    at->left = false;
    at->status = CASTELL_OK;
    /* The others do not wait for what comes to the first. */
    if (count > 1)
        at->status = ops->finish(hand->device->handle, CST_DEVICE_RUN);
    else if (at->share > 0)
        at->status = cst_share_use(hand, at);
    here.queue = at->queue;
    cst_depot_run_begin(hand->depot, hand->device, at->queue, &at->ran);
    if (at->status == CASTELL_OK)
        at->status = ops->enter(hand->device->handle);
    at->begun = at->status == CASTELL_OK;
    if (!at->begun) {
        fail_at(at, at->status);
        return;
    }
    call_entered(hand, at, &here);
    finish_others(hand, at, team, count);
}

void cst_hand_launch(struct cst_hand *hand, struct cst_at_hand *at)
{
    struct cst_task *task = at->task;
    const struct cst_device_ops *ops = hand->device->ops;
    enum castell_status status;

    if (!(task->flags & CST_TASK_GUEST) && task->attempt == 0)
        task->attempt = 1;
    for (uint32_t i = 0; i < task->accesses_count; i++) {
        at->buffers[i] = at->uses[i].memory;
        at->pitches[i] = at->uses[i].pitch;
    }
    at->how[0] = '\0';
    at->begin_ns = cst_clock_ns();
    at->stage = CST_STAGE_LAUNCHED;
    hand->launched++;
    cst_share_take(hand, at);
    (void)cst_count_started(hand->self, task);
    at->told = false;
    tell_started(hand);
    cst_count_running(hand->self, 1, NULL);
    call_body(hand, at);
    cst_depot_run_end(hand->depot, hand->device, at->queue, &at->ran);
    cst_count_running(hand->self, (uint32_t)-1, NULL);
    if (!at->begun)
        return;
    /* Also of a body that failed: what it has enqueued uses its copies. */
    status = CASTELL_ERR_SYSTEM;
    if (task->kind->choices[task->choice].async || at->share > 0)
        status = ops->record(hand->device->handle, at->queue, &at->event);
    if (status != CASTELL_OK)
        status = ops->finish(hand->device->handle, at->queue);
    if (status != CASTELL_OK && at->status != CASTELL_ERR_NODE_LOST)
        fail_at(at, status);
}

bool cst_hand_is_over(struct cst_hand *hand, struct cst_at_hand *at)
{
    bool over = true;
    enum castell_status status = CASTELL_OK;

    if (at->event)
        status = hand->device->ops->event_query(hand->device->handle, at->event,
                                                &over);
    if (status == CASTELL_OK)
        return over;
    if (at->status == CASTELL_OK || status == CASTELL_ERR_NODE_LOST)
        fail_at(at, status);
    return true;
}

/* What was launched is over: well, to be tried again, or not well. */
void cst_hand_complete(struct cst_hand *hand, uint32_t n)
{
    struct cst_at_hand *at = cst_hand_nth(hand, n);
    struct cst_task *task = at->task;
    uint64_t now_ns = cst_clock_ns();
    uint64_t begin_ns = at->begin_ns > hand->ended_ns || at->share > 0
                            ? at->begin_ns
                            : hand->ended_ns;
    char how[CST_HOW_SIZE];

    if (at->status == CASTELL_ERR_NODE_LOST) {
        cst_fail_text("%s", at->how);
        lose(hand);
        return;
    }
    hand->ended_ns = now_ns;
    task->extra->duration_ns = at->status == CASTELL_OK ? now_ns - begin_ns : 0;
    if (!at->told) /* it was faster than one that it shares the device with */
        cst_run_started(hand->self, task);
    at->told = true;
    tell_over(hand, at);
    cst_run_event(hand->self, CST_TRACE_ENDED, task, at->status != CASTELL_OK);
    cst_count_ended(hand->self, task, 0);
    if (at->status == CASTELL_OK) {
        release(hand, at, CST_DEPOT_DONE);
        end(hand, n, NULL);
    } else if (!at->begun) {
        memcpy(how, at->how, sizeof(how));
        release(hand, at, CST_DEPOT_NOT_RUN);
        give_back(hand, n, true, how);
    } else if (at->left) {
        memcpy(how, at->how, sizeof(how));
        release(hand, at, CST_DEPOT_UNDONE);
        give_back(hand, n, false, how);
    } else if (!(task->flags & CST_TASK_GUEST) &&
               task->attempt <= task->kind->retries) {
        release(hand, at, CST_DEPOT_UNDONE);
        task->attempt++;
        cst_run_retried(hand->self, task, at->how);
    } else {
        memcpy(how, at->how, sizeof(how));
        release(hand, at, CST_DEPOT_DONE); /* as far as it came */
        end(hand, n, how);
    }
}
