/*
 * neighbours.h - the nearest rows of an array.
 *
 * What blocks.h says of calls, errors and bits holds here.
 */
#ifndef CASTELL_BLOCKS_NEIGHBOURS_H
#define CASTELL_BLOCKS_NEIGHBOURS_H

#include "blocks.h"

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * For each row of `queries` the k nearest rows of `array`, by Euclidean distance,
 * nearest first and of equally near ones the first: their distances and their
 * numbers (from 0), each queries' rows * k. All pairs are looked at, a block of
 * queries and one of rows by a task: products of matrices tell who may be near,
 * and the distances of those are computed exactly. Fails with
 * CASTELL_ERR_INVALID (k is more than rows, other columns) or NO_MEMORY.
 */
CASTELL_MUST_CHECK enum castell_status
blocks_neighbours(struct blocks_array *array, struct blocks_array *queries,
                  int k, struct blocks_array **ret_distances,
                  struct blocks_array **ret_rows);

enum blocks_vote {
    BLOCKS_MAJORITY = 0, /* the label that most have; of several, the least */
    BLOCKS_AVERAGE = 1,  /* the mean of the targets */
};

/*
 * From the rows that blocks_neighbours() found, what they say: a column.
 * `labels` is the column of all rows' labels (whole numbers from 0) or targets;
 * it comes together on one node. Fails with CASTELL_ERR_INVALID (no column, no
 * labels), CASTELL_ERR_NO_MEMORY.
 */
CASTELL_MUST_CHECK enum castell_status
blocks_neighbours_vote(struct blocks_array *rows, struct blocks_array *labels,
                       enum blocks_vote vote,
                       struct blocks_array **ret_labels);

#ifdef __cplusplus
}
#endif

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif
