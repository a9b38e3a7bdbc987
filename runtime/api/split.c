/*
 * A large reduction over nodes is several of them, so that each node combines a
 * part, and all of them send and receive at the same time. Elements do not
 * depend on one another: the bits are those of the whole.
 */
#include "api/api.h"
#include "base/fail.h"
#include "base/memory.h"

#include <string.h>

enum {
    BLOCK = 1 << 18, /* bytes of a part, or more of them */
    PARTS_MAX = 256,
    POINTERS = 256,
};

bool cst_api_reduces(const struct castell_submission *submission)
{
    for (size_t i = 0; i < submission->accesses_count; i++)
        if (submission->accesses[i].mode == CASTELL_REDUCTION)
            return true;
    return false;
}

static size_t parts_of(const struct castell_access *access)
{
    size_t element;
    size_t most;

    if (access->mode != CASTELL_REDUCTION || access->is_file ||
        access->rows > 1 || !access->reduction)
        return 1;
    element = access->reduction->element_size;
    if (element == 0 || BLOCK % element != 0 || access->size % element != 0)
        return 1;
    most = (access->size + BLOCK - 1) / BLOCK;
    return most < 1 ? 1 : most < PARTS_MAX ? most : PARTS_MAX;
}

/* One that no access has yet: all parts are reached through one pointer. */
static bool find_pointer(bool used[POINTERS], unsigned char *ret_pointer)
{
    for (size_t i = POINTERS - 1; i > 0; i--)
        if (!used[i]) {
            used[i] = true;
            *ret_pointer = (unsigned char)i;
            return true;
        }
    return false;
}

/* The first part stays where the access was, for the body; others are put at
   the end. Returns how many. */
static size_t split(struct castell_access *access, size_t parts,
                    struct castell_access *others)
{
    size_t blocks = (access->size + BLOCK - 1) / BLOCK;
    size_t size = (blocks + parts - 1) / parts * BLOCK;
    size_t end = access->size;
    size_t count = 0;

    access->size = size;
    for (size_t at = size; at < end; at += size) {
        others[count] = *access;
        others[count].base = (const char *)access->base + at;
        others[count].size = end - at < size ? end - at : size;
        count++;
    }
    return count;
}

static size_t count_parts(const struct castell_submission *from)
{
    size_t parts = 0;

    for (size_t i = 0; i < from->accesses_count; i++)
        parts += parts_of(&from->accesses[i]);
    return parts;
}

enum castell_status cst_api_split(const struct castell_submission *from,
                                  struct castell_submission *ret_split,
                                  struct castell_access **ret_memory)
{
    size_t count = count_parts(from);
    struct castell_access *accesses;
    bool used[POINTERS] = {false};
    size_t at = from->accesses_count;

    *ret_split = *from;
    *ret_memory = NULL;
    if (count == from->accesses_count)
        return CASTELL_OK;
    accesses = cst_alloc(count * sizeof(*accesses));
    if (!accesses)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for %zu accesses",
                        count);
    memcpy(accesses, from->accesses,
           from->accesses_count * sizeof(*from->accesses));
    for (size_t i = 0; i < from->accesses_count; i++)
        used[accesses[i].pointer] = true;
    for (size_t i = 0; i < from->accesses_count; i++) {
        size_t parts = parts_of(&accesses[i]);

        if (parts > 1 &&
            (accesses[i].pointer || find_pointer(used, &accesses[i].pointer)))
            at += split(&accesses[i], parts, accesses + at);
    }
    ret_split->accesses = accesses;
    ret_split->accesses_count = at;
    *ret_memory = accesses;
    return CASTELL_OK;
}

void cst_api_mark_parts(const struct castell_submission *from,
                        struct cst_task *task)
{
    const struct cst_access *accesses = cst_task_accesses(task);
    struct cst_leaf *leaves = task->extra->leaves;
    size_t at = from->accesses_count;

    for (size_t i = 0; i < from->accesses_count; i++) {
        uintptr_t whole = (uintptr_t)from->accesses[i].base;
        uintptr_t end = whole + from->accesses[i].size;

        if (from->accesses[i].mode != CASTELL_REDUCTION ||
            from->accesses[i].is_file ||
            accesses[i].size >= from->accesses[i].size)
            continue;
        leaves[i].whole = whole;
        leaves[i].whole_size = end - whole;
        for (uintptr_t next = whole + accesses[i].size; next < end; at++) {
            leaves[at].whole = whole;
            leaves[at].whole_size = end - whole;
            next += accesses[at].size;
        }
    }
}
