#include "sched/declare.h"

#include "base/fail.h"
#include "base/lock.h"
#include "base/memory.h"
#include "sched/kind.h"

#include <stdatomic.h>
#include <string.h>

#define FNV_PRIME UINT64_C(1099511628211)
#define FNV_START UINT64_C(14695981039346656037)

/* Added to in front, under the lock; so readers need none. */
static _Atomic(const struct cst_declared *) declared;
static pthread_mutex_t declare_lock = PTHREAD_MUTEX_INITIALIZER;

uint64_t cst_hash_name(uint64_t hash, const char *text)
{
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * FNV_PRIME;
    return hash;
}

uint64_t cst_kind_hash(const char *name)
{
    return cst_hash_name(FNV_START, name);
}

/* The lowest byte first, whatever the machine's order. */
static uint64_t hash_number(uint64_t hash, uint32_t number)
{
    for (int i = 0; i < 4; i++, number >>= 8)
        hash = (hash ^ (number & 0xff)) * FNV_PRIME;
    return hash;
}

static uint32_t reductions_count(const struct castell_kind *kind)
{
    uint32_t count = 0;

    while (kind->reductions && kind->reductions[count])
        count++;
    return count;
}

static uint64_t hash_content(const struct castell_kind *kind, uint64_t hash)
{
    hash = hash_number(hash, kind->flags);
    hash = hash_number(hash, (uint32_t)kind->on_failure);
    hash = hash_number(hash, kind->retries);
    return hash_number(hash, reductions_count(kind));
}

static enum castell_status add_locked(struct castell_kind *kind, uint64_t hash)
{
    const struct cst_declared *first = atomic_load(&declared);
    size_t size = strlen(kind->name) + 1;
    struct cst_declared *made;

    for (const struct cst_declared *other = first; other; other = other->next) {
        if (other->hash != hash)
            continue;
        if (strcmp(other->name, kind->name) != 0)
            return cst_fail(CASTELL_ERR_INVALID,
                            "the names %s and %s of task kinds have the same "
                            "hash: rename one",
                            other->name, kind->name);
        if (other->kind == kind)
            return CASTELL_OK;
    }
    made = cst_alloc(sizeof(*made) + size);
    if (!made)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for task kind %s",
                        kind->name);
    made->next = first;
    made->kind = kind;
    made->hash = hash;
    made->content = hash_content(kind, hash);
    memcpy(made->name, kind->name, size);
    atomic_store(&declared, made);
    return CASTELL_OK;
}

enum castell_status cst_kinds_declare(struct castell_kind *kind)
{
    enum castell_status status;

    (void)pthread_mutex_lock(&declare_lock);
    status = add_locked(kind, cst_kind_hash(kind->name));
    (void)pthread_mutex_unlock(&declare_lock);
    return status;
}

const struct cst_declared *cst_kinds_declared(void)
{
    return atomic_load(&declared);
}

uint64_t cst_kinds_table_hash(void)
{
    uint64_t sum = cst_kinds_implementations_hash();

    /* A sum, as it has no order; with xor, the structs of two files that use
       one kind would be as none. */
    for (const struct cst_declared *each = cst_kinds_declared(); each;
         each = each->next)
        sum += each->content;
    return sum;
}

bool cst_kinds_find_reduction(const char *kind_name,
                              const struct castell_reduction *reduction,
                              uint32_t *ret_index)
{
    uint64_t hash = cst_kind_hash(kind_name);

    for (const struct cst_declared *each = cst_kinds_declared(); each;
         each = each->next) {
        const struct castell_reduction *const *list = each->kind->reductions;

        if (each->hash != hash || strcmp(each->name, kind_name) != 0)
            continue;
        for (uint32_t i = 0; list && list[i]; i++)
            if (list[i] == reduction) {
                *ret_index = i;
                return true;
            }
    }
    return false;
}

const struct castell_reduction *cst_kinds_reduction(const char *kind_name,
                                                    uint32_t index)
{
    uint64_t hash = cst_kind_hash(kind_name);

    for (const struct cst_declared *each = cst_kinds_declared(); each;
         each = each->next)
        if (each->hash == hash && strcmp(each->name, kind_name) == 0 &&
            index < reductions_count(each->kind))
            return each->kind->reductions[index];
    return NULL;
}
