/*
 * recall.h - what was measured of implementations, kept for the next run.
 *
 * Layer: sched. May include base, graph. Pure: text in, text out; where it is
 * kept is the caller's business.
 *
 * Only kinds with something to choose from are in it. A kind, an implementation
 * and the device that it is for are known again by a hash of their names.
 */
#ifndef CST_SCHED_RECALL_H
#define CST_SCHED_RECALL_H

#include "sched/kind.h"

#include <stddef.h>

struct cst_recall; /* owner: the registry of kinds */

/* Is there an implementation beside a body, as far as constructors know? */
bool cst_recall_is_wanted(void);

/*
 * Let kinds that become known from now on have what that text says of them.
 * Text that is torn, or not of this version, says nothing: false.
 */
bool cst_recall_read(struct cst_kinds *kinds, const char *text, size_t size);

/*
 * All that is known now, of this run and of those before it; by who has the
 * baton, or after the run. Freed by cst_free(); NULL: nothing, or no memory.
 */
char *cst_recall_text(struct cst_kinds *kinds, size_t *ret_size);

/* For kind.c: a body was added; and the end. NULL is allowed. */
void cst_recall_seed(const struct cst_recall *recall,
                     const struct cst_kind *kind, struct cst_choice *choice);
void cst_recall_destroy(struct cst_recall *recall);

#endif
