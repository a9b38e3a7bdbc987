/*
 * declare.h - the kinds that a program declares before anything starts, and how
 * nodes name them to each other.
 *
 * Layer: sched. May include base.
 *
 * Owner: the process; never freed, for every start needs them. Any thread may
 * call; what is in the list is immutable.
 */
#ifndef CST_SCHED_DECLARE_H
#define CST_SCHED_DECLARE_H

#include "castell.h"

#include <stdbool.h>
#include <stdint.h>

/* One struct of the program's; a kind used in several files has several. */
struct cst_declared {
    const struct cst_declared *next;
    struct castell_kind *kind;
    uint64_t hash;    /* of the name */
    uint64_t content; /* of all that must be the same on every node */
    char name[];      /* a copy: the kind may be of a library that was closed */
};

/*
 * Declare a kind; again is allowed, and nothing. Fails with
 * CASTELL_ERR_INVALID when another name has the same hash.
 */
CASTELL_MUST_CHECK enum castell_status
cst_kinds_declare(struct castell_kind *kind);

/* The first of those declared, the last declared before others, or NULL. */
const struct cst_declared *cst_kinds_declared(void);

/*
 * What a name is called between nodes. FNV-1a of 64 bits, by Fowler, Noll and
 * Vo (draft-eastlake-fnv): short, and the same on every architecture.
 */
uint64_t cst_kind_hash(const char *name);

/* Go on with a hash: further text. */
uint64_t cst_hash_name(uint64_t hash, const char *text);

/*
 * A hash over all kinds declared and all implementations: their names, flags,
 * policies, retries and how many reductions they have. It differs between
 * programs, and not between architectures or orders of constructors.
 */
uint64_t cst_kinds_table_hash(void);

/* Which reduction of its kind is it? False: of none declared. */
bool cst_kinds_find_reduction(const char *kind_name,
                              const struct castell_reduction *reduction,
                              uint32_t *ret_index);

/* The reduction of a kind at that index, or NULL. */
const struct castell_reduction *cst_kinds_reduction(const char *kind_name,
                                                    uint32_t index);

#endif
