#include "sched/kind.h"

#include "base/fail.h"
#include "base/memory.h"
#include "sched/declare.h"
#include "sched/recall.h"

#include <string.h>

/* An implementation whose kind is not known yet. */
struct pending {
    struct pending *next;
    const char *kind_name;
    const struct castell_implementation *implementation;
};

/* One public struct that points to a kind, to be forgotten at the end. */
struct knower {
    struct knower *next;
    struct castell_kind *public_kind;
};

struct cst_kinds {
    struct cst_lock lock;
    const struct cst_limits *limits;
    struct cst_kind *first;
    struct cst_kind *last;
    struct knower *knowers;
    struct cst_recall *recall;
    uint32_t count;
};

/* Registered before castell_start(), by constructors mostly; never freed, for
   every start needs them. Guarded by pending_lock. */
static struct pending *pendings;
static pthread_mutex_t pending_lock = PTHREAD_MUTEX_INITIALIZER;

enum castell_status cst_kinds_create(const struct cst_limits *limits,
                                     struct cst_kinds **ret_kinds)
{
    struct cst_kinds *kinds = cst_zalloc(sizeof(*kinds));

    if (!kinds)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for task kinds");
    cst_lock_init(&kinds->lock, CST_RANK_KINDS, "task kinds");
    kinds->limits = limits;
    *ret_kinds = kinds;
    return CASTELL_OK;
}

static void kind_free(struct cst_kind *kind)
{
    for (uint32_t i = 0; i < CST_CHOICES_MAX; i++)
        cst_free(kind->choices[i].measures);
    cst_free(kind);
}

void cst_kinds_destroy(struct cst_kinds *kinds)
{
    if (!kinds)
        return;
    while (kinds->knowers) {
        struct knower *knower = kinds->knowers;

        kinds->knowers = knower->next;
        __atomic_store_n(&knower->public_kind->known, NULL, __ATOMIC_RELEASE);
        cst_free(knower);
    }
    while (kinds->first) {
        struct cst_kind *kind = kinds->first;

        kinds->first = kind->next;
        kind_free(kind);
    }
    cst_recall_destroy(kinds->recall);
    cst_lock_release(&kinds->lock);
    cst_free(kinds);
}

struct cst_recall *cst_kinds_recall(struct cst_kinds *kinds,
                                    struct cst_recall *recall)
{
    struct cst_recall *before;

    cst_lock_take(&kinds->lock);
    before = kinds->recall;
    kinds->recall = recall;
    cst_lock_drop(&kinds->lock);
    return before;
}

bool cst_recall_is_wanted(void)
{
    bool wanted;

    (void)pthread_mutex_lock(&pending_lock);
    wanted = pendings != NULL;
    (void)pthread_mutex_unlock(&pending_lock);
    return wanted;
}

/* Add a body; measures are made when there is something to choose from. */
static enum castell_status add_choice(struct cst_kinds *kinds,
                                      struct cst_kind *kind,
                                      const struct castell_implementation *from)
{
    struct castell_constraint alone = from->constraint;
    uint32_t count = atomic_load(&kind->choices_count);
    struct cst_choice *choice = &kind->choices[count];

    if (count == CST_CHOICES_MAX)
        return cst_fail(CASTELL_ERR_LIMIT,
                        "task %s has more than %d implementations", kind->name,
                        CST_CHOICES_MAX);
    if (count > 0 &&
        (from->device == CASTELL_MPI || kind->choices[0].device == CASTELL_MPI))
        return cst_fail(CASTELL_ERR_INVALID,
                        "task %s has a body of device(mpi) among several: "
                        "such a task has one body",
                        kind->name);
    choice->measures = cst_zalloc(CST_SIZE_CLASSES * sizeof(*choice->measures));
    if (!choice->measures)
        return cst_fail(CASTELL_ERR_NO_MEMORY,
                        "no memory for implementation %s", from->name);
    choice->name = from->name;
    choice->body = from->body;
    choice->device = from->device;
    choice->constraint = from->constraint;
    alone.nodes = 1;
    choice->possible = cst_constraint_check(kinds->limits, &alone, kind->label,
                                            NULL) == CASTELL_OK;
    choice->async = (from->flags & CASTELL_ASYNC) != 0;
    if (cst_device_has_memory(from->device)) {
        /* A node with such a device says so; its thread is no executor's. */
        if (!choice->constraint.feature)
            choice->constraint.feature =
                from->device == CASTELL_CUDA ? "cuda" : "opencl";
        choice->constraint.cores = 0;
        choice->possible = choice->possible &&
                           !(kind->flags & CASTELL_ISOLATED) &&
                           (kinds->limits->devices >> from->device & 1);
    }
    if (choice->constraint.cores == 0)
        choice->constraint.cores = 1;
    cst_recall_seed(kinds->recall, kind, choice);
    /* Other nodes may differ in what is no number. */
    kind->simple = count == 0 && choice->possible && !kind->careful &&
                   from->device != CASTELL_MPI &&
                   !cst_device_has_memory(from->device) &&
                   !from->constraint.arch && !from->constraint.feature &&
                   !(from->constraint.gpus > 0) &&
                   !cst_constraint_counts(&choice->constraint);
    atomic_store(&kind->choices_count, count + 1);
    return CASTELL_OK;
}

static struct cst_kind *find_locked(struct cst_kinds *kinds, const char *name)
{
    for (struct cst_kind *kind = kinds->first; kind; kind = kind->next)
        if (strcmp(kind->name, name) == 0)
            return kind;
    return NULL;
}

static enum castell_status add_pending(struct cst_kinds *kinds,
                                       struct cst_kind *kind)
{
    enum castell_status status = CASTELL_OK;

    (void)pthread_mutex_lock(&pending_lock);
    for (struct pending *pending = pendings; pending && status == CASTELL_OK;
         pending = pending->next)
        if (strcmp(pending->kind_name, kind->name) == 0)
            status = add_choice(kinds, kind, pending->implementation);
    (void)pthread_mutex_unlock(&pending_lock);
    return status;
}

static enum castell_status make_locked(struct cst_kinds *kinds,
                                       const struct castell_kind *public_kind,
                                       struct cst_kind **ret_kind)
{
    struct cst_kind *kind = cst_zalloc(sizeof(*kind));
    enum castell_status status = CASTELL_OK;

    if (!kind)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for task kind %s",
                        public_kind->name);
    kind->name = public_kind->name;
    kind->label = public_kind->label ? public_kind->label : public_kind->name;
    kind->where = public_kind->where;
    kind->flags = public_kind->flags;
    kind->on_failure = public_kind->on_failure;
    kind->retries = public_kind->retries;
    kind->timeout_ns = public_kind->timeout_ns;
    if (kind->timeout_ns > 0)
        kind->flags |= CASTELL_ISOLATED;
    kind->careful = kind->retries > 0 || (kind->flags & CASTELL_ISOLATED);
    kind->id = kinds->count;
    if (public_kind->body)
        status = add_choice(kinds, kind,
                            &(struct castell_implementation){
                                .name = public_kind->name,
                                .body = public_kind->body,
                                .device = public_kind->device,
                                .constraint = public_kind->constraint,
                                .flags = public_kind->flags & CASTELL_ASYNC,
                            });
    if (status == CASTELL_OK)
        status = add_pending(kinds, kind);
    if (status == CASTELL_OK && kind->choices_count == 0)
        status =
            cst_fail(CASTELL_ERR_INVALID,
                     "task %s has no body and no implementation", kind->label);
    if (status != CASTELL_OK) {
        kind_free(kind);
        return status;
    }
    if (kinds->last)
        kinds->last->next = kind;
    else
        kinds->first = kind;
    kinds->last = kind;
    kinds->count++;
    *ret_kind = kind;
    return CASTELL_OK;
}

enum castell_status cst_kinds_know(struct cst_kinds *kinds,
                                   struct castell_kind *public_kind,
                                   struct cst_kind **ret_kind)
{
    struct knower *knower = cst_alloc(sizeof(*knower));
    enum castell_status status = CASTELL_OK;
    struct cst_kind *kind;

    if (!knower)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for task kind %s",
                        public_kind->name);
    cst_lock_take(&kinds->lock);
    kind = find_locked(kinds, public_kind->name);
    if (!kind)
        status = make_locked(kinds, public_kind, &kind);
    if (status == CASTELL_OK) {
        knower->public_kind = public_kind;
        knower->next = kinds->knowers;
        kinds->knowers = knower;
        __atomic_store_n(&public_kind->known, kind, __ATOMIC_RELEASE);
        *ret_kind = kind;
    }
    cst_lock_drop(&kinds->lock);
    if (status != CASTELL_OK)
        cst_free(knower);
    return status;
}

enum castell_status
cst_kinds_implement(struct cst_kinds *kinds, const char *kind_name,
                    const struct castell_implementation *implementation)
{
    struct pending *pending = cst_alloc(sizeof(*pending));
    enum castell_status status = CASTELL_OK;
    struct cst_kind *kind;

    if (!pending)
        return cst_fail(CASTELL_ERR_NO_MEMORY,
                        "no memory for an implementation of %s", kind_name);
    if (kinds) {
        cst_lock_take(&kinds->lock);
        kind = find_locked(kinds, kind_name);
        if (kind)
            status = add_choice(kinds, kind, implementation);
        cst_lock_drop(&kinds->lock);
    }
    if (status != CASTELL_OK) {
        cst_free(pending);
        return status;
    }
    pending->kind_name = kind_name;
    pending->implementation = implementation;
    (void)pthread_mutex_lock(&pending_lock);
    pending->next = pendings;
    pendings = pending;
    (void)pthread_mutex_unlock(&pending_lock);
    return CASTELL_OK;
}

bool cst_kinds_want_devices(void)
{
    bool wanted = false;

    for (const struct cst_declared *each = cst_kinds_declared(); each;
         each = each->next)
        wanted =
            wanted || each->kind->constraint.gpus > 0 ||
            (each->kind->body && cst_device_has_memory(each->kind->device));
    (void)pthread_mutex_lock(&pending_lock);
    for (struct pending *pending = pendings; pending; pending = pending->next)
        wanted = wanted ||
                 cst_device_has_memory(pending->implementation->device) ||
                 pending->implementation->constraint.gpus > 0;
    (void)pthread_mutex_unlock(&pending_lock);
    return wanted;
}

uint64_t cst_kinds_implementations_hash(void)
{
    uint64_t sum = 0;

    (void)pthread_mutex_lock(&pending_lock);
    for (struct pending *pending = pendings; pending; pending = pending->next) {
        const char *name = pending->implementation->name;

        /* One after the other, so that whose it is counts. */
        sum += cst_hash_name(cst_kind_hash(pending->kind_name) + 1,
                             name ? name : "");
    }
    (void)pthread_mutex_unlock(&pending_lock);
    return sum;
}

const struct cst_kind *cst_kinds_at(struct cst_kinds *kinds, uint32_t id)
{
    const struct cst_kind *kind;

    cst_lock_take(&kinds->lock);
    kind = kinds->first;
    while (kind && kind->id != id)
        kind = kind->next;
    cst_lock_drop(&kinds->lock);
    return kind;
}
