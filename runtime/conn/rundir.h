/*
 * rundir.h - the directory of a run: its secret, and where the master is.
 *
 * Layer: conn. Any thread.
 */
#ifndef CST_CONN_RUNDIR_H
#define CST_CONN_RUNDIR_H

#include "castell.h"
#include "conn/conn.h"

/*
 * Make the secret of a run: 32 random bytes in file `secret` of the directory,
 * mode 0600. For the launcher, before it starts anything.
 * Fails with CASTELL_ERR_INVALID when the directory is not ours alone, and with
 * CASTELL_ERR_SYSTEM, also when there is one.
 */
CASTELL_MUST_CHECK enum castell_status
cst_rundir_make_secret(const char *directory);

/*
 * Read the secret. Fails with CASTELL_ERR_INVALID unless directory and file are
 * ours, nobody else may look into either, and neither is a symbolic link.
 */
CASTELL_MUST_CHECK enum castell_status cst_rundir_secret(const char *directory,
                                                         uint8_t *ret_secret);

/* Write file `master`, at once or not at all. Fails with CASTELL_ERR_SYSTEM. */
CASTELL_MUST_CHECK enum castell_status
cst_rundir_write(const char *directory, const struct cst_where *where);

/*
 * Read it. Fails with CASTELL_ERR_NODE_LOST while there is none, and with
 * CASTELL_ERR_INVALID when it makes no sense.
 */
CASTELL_MUST_CHECK enum castell_status
cst_rundir_read(const char *directory, struct cst_where *ret_where);

#endif
