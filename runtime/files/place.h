/*
 * place.h - directories of our own in which versions of files lie.
 *
 * Layer: files. Any thread.
 *
 * What tasks write to a file in some directory is first written beside it, in
 * ".castell-RUN" of the same directory, so that it can be put in the file's
 * place at once (rename), and so that every node that sees the directory sees
 * it. The process that runs main() makes these places, holds a lock on each and
 * removes them at the end; a place whose lock nobody holds is of a run that
 * died, and who makes a new one beside it removes it.
 *
 * A node that does not see the place has *scratch*: a directory of its own under
 * $CASTELL_SCRATCH, $TMPDIR or /tmp. Its name has the mark that whoever started
 * the process has given it, if any, who removes it when the process has died.
 */
#ifndef CST_FILES_PLACE_H
#define CST_FILES_PLACE_H

#include "castell.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * A run begins. `shared`: may this node use places that others have made, or
 * make them itself? `storage`: the most bytes of scratch.
 */
void cst_places_begin(bool shared, uint64_t storage);
/* On several nodes all have the number of the master. */
uint64_t cst_places_run(void);
void cst_places_set_run(uint64_t run, bool is_main);

/* Remove them all. */
void cst_places_end(void);

/*
 * Make sure that there is a place for versions of the file. Fails with
 * CASTELL_ERR_SYSTEM where files cannot be made; `*ret_missing` tells that
 * there is no such directory.
 */
CASTELL_MUST_CHECK enum castell_status cst_place_make(const char *path,
                                                      bool *ret_missing);

/*
 * A new name for a version of the file, which does not exist: cst_free() takes
 * it. *ret_scratch: it is in scratch. Fails with CASTELL_ERR_SYSTEM.
 */
CASTELL_MUST_CHECK enum castell_status
cst_place_name(const char *path, char **ret_name, bool *ret_scratch);

/* In the environment: the mark. Letters and digits, unlike all others. */
#define CST_SCRATCH_MARK "CASTELL_SCRATCH_MARK"

/*
 * Remove the scratch of processes that had this mark and have died, where our own
 * would be. Not what somebody has locked; false: there is such.
 */
bool cst_scratch_sweep(const char *mark);

/* So many bytes are in scratch from now on. Fails with CASTELL_ERR_LIMIT when
   that is more than there is for it. */
CASTELL_MUST_CHECK enum castell_status cst_scratch_take(uint64_t bytes);
void cst_scratch_give(uint64_t bytes);

/* May this node use files of other nodes that it sees? */
bool cst_places_shared(void);

#endif
