/*
 * save.h - copies of what a task may write, to be put back for a retry.
 *
 * Layer: body. May include base.
 *
 * Owner: the thread that runs the task.
 */
#ifndef CST_BODY_SAVE_H
#define CST_BODY_SAVE_H

#include "base/rows.h"
#include "castell.h"

#include <stddef.h>

struct cst_save;

/*
 * Copy the bytes of these regions, valid ones. `regions` itself is copied; the
 * memory that it names must last until destroy.
 * Fails with CASTELL_ERR_NO_MEMORY.
 */
CASTELL_MUST_CHECK enum castell_status
cst_save_create(const struct cst_rows *regions, size_t regions_count,
                struct cst_save **ret_save);

/* Put the saved bytes back where they were; as often as you like. */
void cst_save_restore(const struct cst_save *save);

/* The bytes that a save of these regions takes, beside a few for itself. */
size_t cst_save_bytes(const struct cst_rows *regions, size_t regions_count);

/* NULL is allowed. */
void cst_save_destroy(struct cst_save *save);

#endif
