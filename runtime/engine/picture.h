/*
 * picture.h - the dependences of a run as a graph, for CASTELL_GRAPH.
 *
 * Layer: engine.
 *
 * Owner: whoever holds the baton.
 *
 * The graph room has queues and no edges, and forgets what has ended. A picture
 * keeps its own account of who last wrote and read which region, from the
 * accesses alone, so that it does not depend on how fast tasks were. It costs
 * time for each task, growing with the number of regions: it is for looking at
 * programs of some thousand tasks.
 */
#ifndef CST_ENGINE_PICTURE_H
#define CST_ENGINE_PICTURE_H

#include "castell.h"
#include "graph/task.h"

struct cst_picture;

/* Fails as cst_dot_open() does. */
CASTELL_MUST_CHECK enum castell_status
cst_picture_open(const char *path, struct cst_picture **ret_picture);

/* Finish the file. NULL is allowed. */
void cst_picture_close(struct cst_picture *picture);

/* Draw a task that was submitted, and what it waits for. */
void cst_picture_task(struct cst_picture *picture, struct cst_task *task);

/* Draw how a task ended, where that is not the usual. */
void cst_picture_end(struct cst_picture *picture, const struct cst_task *task);

#endif
