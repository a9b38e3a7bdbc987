/*
 * Jobs: they wait for what they read, get buffers, and leave versions behind.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "store/store_internal.h"

#include <string.h>

/* ---- Life --------------------------------------------------------------- */

struct cst_store_job *cst_store_job_new(struct cst_store *store,
                                        uint32_t accesses, uint32_t inputs,
                                        uint32_t outputs)
{
    struct cst_store_job *job;
    size_t size = sizeof(*job) + accesses * sizeof(job->accesses[0]) +
                  inputs * sizeof(job->inputs[0]) +
                  outputs * sizeof(job->outputs[0]) + accesses * sizeof(void *);
    char *memory = cst_spare_take(&store->small, size);

    if (!memory)
        return NULL;
    job = (struct cst_store_job *)(void *)memory;
    job->size = size;
    job->accesses_count = accesses;
    job->accesses = (struct cst_store_access *)(void *)(job + 1);
    job->inputs = (struct cst_store_input *)(void *)(job->accesses + accesses);
    job->outputs = (struct cst_piece *)(void *)(job->inputs + inputs);
    job->buffers = (void **)(void *)(job->outputs + outputs);
    return job;
}

void cst_store_job_free(struct cst_store *store, struct cst_store_job *job)
{
    cst_spare_put(&store->small, job, job->size);
}

void cst_store_job_room(struct cst_store_job *job, uint32_t access,
                        uint32_t inputs, uint32_t outputs)
{
    struct cst_store_access *to = &job->accesses[access];

    to->inputs = job->inputs + job->inputs_used;
    to->inputs_count = inputs;
    job->inputs_used += inputs;
    to->outputs = job->outputs + job->outputs_used;
    to->outputs_count = outputs;
    job->outputs_used += outputs;
}

/* ---- Waiting ------------------------------------------------------------- */

static void wait_for(struct cst_store *store, struct cst_store_entry *entry,
                     struct cst_store_input *input)
{
    input->entry = entry;
    entry->readers++;
    cst_home_update(store, entry);
    if (entry->buffer)
        return;
    input->job->missing++;
    input->next = entry->waiting;
    entry->waiting = input;
}

static void unwait(struct cst_store *store, struct cst_store_input *input)
{
    struct cst_store_entry *entry = input->entry;
    struct cst_store_input **link = &entry->waiting;

    while (*link && *link != input)
        link = &(*link)->next;
    if (*link)
        *link = input->next;
    entry->readers--;
    cst_home_update(store, entry);
    cst_store_tidy(store, entry);
}

static void fire_later(struct cst_store *store, struct cst_store_job *job)
{
    job->fired = true;
    job->next = NULL;
    if (store->firing_last)
        store->firing_last->next = job;
    else
        store->firing = job;
    store->firing_last = job;
}

void cst_job_input_here(struct cst_store *store, struct cst_store_job *job)
{
    if (--job->missing == 0)
        fire_later(store, job);
}

/* A version that is not to be made here after all stays expected by those who
   wait for it; else it is forgotten. */
static void unexpect(struct cst_store *store, struct cst_store_entry *entry)
{
    entry->makers--;
    if (!entry->buffer && entry->makers == 0) {
        cst_store_unclaim(store, entry);
        if (entry->waiting || entry->targets || entry->incoming || entry->parts)
            return;
        entry->dropped = true;
    } else if (entry->stale && entry->makers == 0) {
        entry->dropped = true;
    }
    cst_store_tidy(store, entry);
}

static void unexpect_outputs(struct cst_store *store, struct cst_store_job *job,
                             uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        unexpect(store, cst_map_find(&store->entries, job->outputs[i].version));
}

/* What is made here may be asked for before it is made. */
static bool expect_outputs(struct cst_store *store, struct cst_store_job *job)
{
    for (uint32_t i = 0; i < job->outputs_used; i++) {
        struct cst_store_entry *entry =
            cst_store_entry(store, &job->outputs[i]);

        if (!entry) {
            unexpect_outputs(store, job, i);
            return false;
        }
        entry->makers++;
        entry->dropped = false; /* it was to be, of an attempt before */
        entry->stale = false;
    }
    return true;
}

enum castell_status cst_store_assign(struct cst_store *store,
                                     struct cst_store_job *job)
{
    if (!cst_map_reserve(&store->jobs, 1) || !expect_outputs(store, job))
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a task's data");
    for (uint32_t i = 0; i < job->inputs_used; i++) {
        struct cst_store_entry *entry =
            cst_store_entry(store, &job->inputs[i].piece);

        job->inputs[i].job = job;
        if (entry) {
            wait_for(store, entry, &job->inputs[i]);
            continue;
        }
        while (i-- > 0)
            unwait(store, &job->inputs[i]);
        unexpect_outputs(store, job, job->outputs_used);
        job->missing = 0;
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a task's data");
    }
    cst_map_add(&store->jobs, (uintptr_t)job, job);
    if (job->missing == 0)
        fire_later(store, job);
    cst_jobs_fire(store);
    return CASTELL_OK;
}

/* ---- Buffers ------------------------------------------------------------- */

/* The one buffer that all inputs are in, if it covers the access; else NULL. */
static struct cst_store_buffer *
common_buffer(const struct cst_store_access *access)
{
    struct cst_store_buffer *buffer = access->inputs[0].entry->buffer;

    for (uint32_t i = 1; i < access->inputs_count; i++)
        if (access->inputs[i].entry->buffer != buffer)
            return NULL;
    return cst_buffer_covers(buffer, &access->region) ? buffer : NULL;
}

/* Promise home to all outputs; what was promised before one was refused is
   filled when they are made. */
static bool claim_home(struct cst_store *store,
                       const struct cst_store_access *access)
{
    bool all = cst_home_is_free(store, &access->region, access);

    for (uint32_t i = 0; i < access->outputs_count && all; i++) {
        struct cst_store_entry *entry =
            cst_map_find(&store->entries, access->outputs[i].version);

        all = entry->claimed ||
              store->ops->home_claim(store->context, entry->piece.version);
        entry->claimed |= all;
        cst_home_update(store, entry);
    }
    return all;
}

/* Does nobody else here want what the access would change? */
static bool may_change(const struct cst_store_access *access)
{
    for (uint32_t i = 0; i < access->inputs_count; i++)
        if (!access->inputs[i].consumed ||
            cst_store_is_used(access->inputs[i].entry, 1))
            return false;
    return true;
}

static bool change_in_place(struct cst_store *store,
                            struct cst_store_access *access,
                            struct cst_store_buffer *common)
{
    if (!common || !may_change(access))
        return false;
    if (common->home && !claim_home(store, access))
        return false;
    cst_buffer_ref(common);
    access->buffer = common;
    store->counters.in_place++;
    return true;
}

static bool reads_home(const struct cst_store_access *access)
{
    for (uint32_t i = 0; i < access->inputs_count; i++)
        if (access->inputs[i].entry->buffer->home)
            return true;
    return false;
}

static void copy_inputs(struct cst_store *store,
                        const struct cst_store_access *access)
{
    for (uint32_t i = 0; i < access->inputs_count; i++)
        cst_buffer_copy(access->buffer, access->inputs[i].entry->buffer,
                        &access->inputs[i].piece.region);
    store->counters.copied += access->inputs_count > 0;
}

/* Memory for the access, with what it reads in it. */
static bool put_together(struct cst_store *store,
                         struct cst_store_access *access)
{
    if (store->is_home && access->outputs_count > 0 && !reads_home(access) &&
        claim_home(store, access))
        access->buffer = &store->home;
    else
        access->buffer = cst_buffer_new(store, &access->region);
    if (!access->buffer)
        return false;
    copy_inputs(store, access);
    return true;
}

/* Memory for all that the body reaches through one pointer: what is between
   takes address space only. */
static struct cst_store_buffer *shared_buffer(struct cst_store *store,
                                              const struct cst_store_job *job,
                                              uint32_t index)
{
    uint8_t pointer = job->accesses[index].pointer;
    struct cst_region hull = job->accesses[index].region;
    uintptr_t end = cst_region_end(&hull);

    for (uint32_t i = 0; i < job->accesses_count; i++) {
        const struct cst_store_access *other = &job->accesses[i];

        if (other->pointer != pointer)
            continue;
        if (i < index) {
            cst_buffer_ref(other->buffer);
            return other->buffer;
        }
        if (other->region.base < hull.base)
            hull.base = other->region.base;
        if (cst_region_end(&other->region) > end)
            end = cst_region_end(&other->region);
    }
    hull.size = hull.pitch = end - hull.base;
    hull.rows = 1;
    return cst_buffer_new(store, &hull);
}

static bool put_into_shared(struct cst_store *store, struct cst_store_job *job,
                            uint32_t index)
{
    struct cst_store_access *access = &job->accesses[index];

    access->buffer = shared_buffer(store, job, index);
    if (!access->buffer)
        return false;
    copy_inputs(store, access);
    return true;
}

static bool get_buffer(struct cst_store *store, struct cst_store_job *job,
                       uint32_t index)
{
    struct cst_store_access *access = &job->accesses[index];
    struct cst_store_buffer *common =
        access->inputs_count > 0 ? common_buffer(access) : NULL;
    struct cst_rows rows;

    if (access->pointer == 0 && access->inputs_count == 0 &&
        access->outputs_count == 0) {
        job->buffers[index] = NULL;
        return true;
    }
    if (access->pointer != 0) {
        if (!put_into_shared(store, job, index))
            return false;
    } else if (access->outputs_count == 0 && common) {
        cst_buffer_ref(common);
        access->buffer = common;
    } else if ((access->outputs_count == 0 || access->inputs_count == 0 ||
                !change_in_place(store, access, common)) &&
               !put_together(store, access)) {
        return false;
    }
    if (access->buffer->home)
        cst_home_enter(store, access);
    rows = cst_buffer_rows(access->buffer, &access->region);
    job->buffers[index] = rows.base;
    return true;
}

static void release(struct cst_store *store, struct cst_store_job *job)
{
    for (uint32_t i = 0; i < job->accesses_count; i++) {
        struct cst_store_access *access = &job->accesses[i];

        if (!access->buffer)
            continue;
        if (access->buffer->home)
            cst_home_leave(store, access);
        cst_buffer_unref(store, access->buffer);
    }
    for (uint32_t i = 0; i < job->inputs_used; i++)
        unwait(store, &job->inputs[i]);
    unexpect_outputs(store, job, job->outputs_used);
    (void)cst_map_remove(&store->jobs, (uintptr_t)job);
}

static void fire(struct cst_store *store, struct cst_store_job *job)
{
    for (uint32_t i = 0; i < job->accesses_count; i++)
        if (!get_buffer(store, job, i)) {
            release(store, job);
            store->ops->fire(store->context, job,
                             "there is no memory for what it reads and writes");
            cst_store_job_free(store, job);
            return;
        }
    store->ops->fire(store->context, job, NULL);
}

void cst_jobs_fire(struct cst_store *store)
{
    struct cst_store_job *job;

    if (store->fires)
        return;
    store->fires = true;
    while ((job = store->firing)) {
        store->firing = job->next;
        if (!store->firing)
            store->firing_last = NULL;
        fire(store, job);
    }
    store->fires = false;
}

void cst_store_hold(struct cst_store *store)
{
    CST_ASSERT(!store->fires);
    store->fires = true;
}

void cst_store_let_go(struct cst_store *store)
{
    store->fires = false;
    cst_jobs_fire(store);
}

/* ---- The end ------------------------------------------------------------- */

/* What was read, and may have been changed in place, is not there any more. */
static void consume(struct cst_store_job *job)
{
    for (uint32_t i = 0; i < job->inputs_used; i++)
        if (job->inputs[i].consumed)
            job->inputs[i].entry->dropped = true;
}

static void make(struct cst_store *store, struct cst_store_access *access)
{
    for (uint32_t i = 0; i < access->outputs_count; i++) {
        struct cst_store_entry *entry =
            cst_map_find(&store->entries, access->outputs[i].version);

        /* What is dropped is what was there before: a task may have consumed that
           while this one made it anew. */
        entry->dropped = false;
        entry->stale = false;
        /* Promised home to some of the outputs, but not to all. */
        if (entry->claimed && !access->buffer->home) {
            cst_buffer_copy(&store->home, access->buffer, &entry->piece.region);
            cst_store_made(store, entry, &store->home);
        } else {
            cst_store_made(store, entry, access->buffer);
        }
    }
}

void cst_store_finish(struct cst_store *store, struct cst_store_job *job,
                      bool made)
{
    consume(job);
    for (uint32_t i = 0; i < job->accesses_count && made; i++)
        make(store, &job->accesses[i]);
    release(store, job);
    cst_store_job_free(store, job);
    cst_home_settle(store);
    cst_jobs_fire(store);
}

/* It may have all that it reads, and be held. */
static void stay(struct cst_store *store, const struct cst_store_job *job)
{
    struct cst_store_job **link = &store->firing;
    struct cst_store_job *last = NULL;

    while (*link && *link != job) {
        last = *link;
        link = &last->next;
    }
    if (!*link)
        return;
    *link = job->next;
    if (store->firing_last == job)
        store->firing_last = last;
}

void cst_store_withdraw(struct cst_store *store, struct cst_store_job *job)
{
    if (job->fired)
        stay(store, job);
    release(store, job);
    cst_store_job_free(store, job);
    cst_home_settle(store);
}
