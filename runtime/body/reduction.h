/*
 * reduction.h - private copies of a region, combined in a fixed tree.
 *
 * Layer: body. May include base.
 *
 * Threads: many may begin and end leaves at the same time; create, finish and
 * destroy are alone. One lock (CST_RANK_REDUCTION) guards the lists; identity
 * and combine run outside of it.
 *
 * A leaf is one task's share of the reduction; leaves are numbered from 0 in
 * the order of submission. The copies of leaves 2k and 2k+1 are combined, left
 * into it the right, then those of four leaves, of eight and so on: the tree
 * depends on the numbers alone, so the result is the same bits whatever the
 * number of executors and whoever comes first. Neighbours are combined as soon
 * as both have ended: when leaves end nearly in order, there are about as many
 * buffers as leaves under way, and one for each level of the tree.
 *
 * A leaf that failed or was cancelled contributes nothing: its neighbour stands
 * alone in its place.
 */
#ifndef CST_BODY_REDUCTION_H
#define CST_BODY_REDUCTION_H

#include "base/rows.h"
#include "castell.h"

#include <stddef.h>
#include <stdint.h>

struct cst_reduction;

/*
 * Begin to reduce into these rows, valid ones. `operation` is kept until
 * destroy, and so is what `into` names, which is not touched before finish.
 * Fails with
 *   CASTELL_ERR_INVALID    no identity, no combine, or rows that are not a
 *                          whole number of elements; the text says which.
 *   CASTELL_ERR_NO_MEMORY.
 */
CASTELL_MUST_CHECK enum castell_status
cst_reduction_create(const struct cst_rows *into,
                     const struct castell_reduction *operation,
                     struct cst_reduction **ret_reduction);

/* Free it, with what was not finished. NULL is allowed. */
void cst_reduction_destroy(struct cst_reduction *reduction);

/*
 * A private copy for a leaf: holds the identity, in rows at the pitch of the
 * region, aligned to 64. Between the rows there need be no memory of its own.
 * Fails with CASTELL_ERR_NO_MEMORY.
 */
CASTELL_MUST_CHECK enum castell_status
cst_reduction_begin(struct cst_reduction *reduction, void **ret_buffer);

/*
 * The leaf of that number is done with its buffer, which holds its share.
 * Each leaf ends once or never.
 */
void cst_reduction_end(struct cst_reduction *reduction, uint64_t leaf,
                       void *buffer);

/*
 * What is in the buffer does not count: its leaf failed. The leaf may begin
 * again, with a new buffer, or never end.
 */
void cst_reduction_drop(struct cst_reduction *reduction, void *buffer);

/*
 * All leaves, 0 to leaves_count - 1, have ended or never will: combine what
 * there is into the region. The reduction is then as new, and may go on from
 * leaf 0.
 */
void cst_reduction_finish(struct cst_reduction *reduction,
                          uint64_t leaves_count);

/*
 * The same tree over leaves that are all there, which stay as they are; they
 * have the pitch of the rows. By parts that fit a cache, so that each leaf is
 * read once and nothing else but the rows is written. Fails with
 * CASTELL_ERR_NO_MEMORY: then nothing has changed.
 */
CASTELL_MUST_CHECK enum castell_status
cst_reduction_combine(const struct cst_rows *into,
                      const struct castell_reduction *operation,
                      void *const *leaves, size_t leaves_count);

/* Buffers that exist now. */
size_t cst_reduction_buffers(const struct cst_reduction *reduction);

#endif
