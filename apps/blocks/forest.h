/*
 * forest.h - random forests that classify rows, or tell a number of each.
 *
 * What blocks.h says of calls, errors and bits holds here. A model is plain
 * memory of the caller's process, to be released.
 */
#ifndef CASTELL_BLOCKS_FOREST_H
#define CASTELL_BLOCKS_FOREST_H

#include "blocks.h"

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

#ifdef __cplusplus
extern "C" {
#endif

struct blocks_forest_options {
    int trees;     /* 100 */
    int depth;     /* of a tree, at most 30; 20 */
    int bins;      /* intervals of a column, 2 to 256; 64 */
    int leaf;      /* rows in a leaf, at least; 1 */
    int features;  /* columns that a node looks at; the root of all, or with
                      regression a third */
    uint64_t seed;
    bool regression; /* labels are any numbers, and a leaf has the mean of its */
};

/* A row whose number in column `feature` is at most the threshold goes to node
   `next`, another to next + 1. In a leaf feature is -1, and next its number. */
struct blocks_node {
    double threshold;
    int feature, next;
};

struct blocks_forest {
    int trees, classes; /* with regression there is one class */
    long cols;
    bool regression;
    double offset; /* of regression: is added to what leaves have */
    long *first_node, *first_leaf; /* of each tree; trees + 1 */
    struct blocks_node *nodes;
    float *chances; /* of each leaf: of each class; or its mean */
};

/*
 * Breiman (2001): each tree from as many rows as there are, drawn with
 * replacement, each node split where the Gini impurity, or with regression the
 * variance of the labels, falls most among some columns. Splits are at bins: the
 * borders of intervals that have about as many rows each, as some 8,192 rows
 * tell. A task grows a tree. Fails with CASTELL_ERR_INVALID (labels that are
 * none, numbers beyond 1e30, limits) or CASTELL_ERR_NO_MEMORY.
 *
 * The bins, a byte for each number, come together on each node that grows trees:
 * an eighth of the array. Of a larger one, learn from a part: blocks_cut().
 */
CASTELL_MUST_CHECK enum castell_status
blocks_forest(struct blocks_array *array, struct blocks_array *labels,
              const struct blocks_forest_options *options,
              struct blocks_forest *ret_model);
void blocks_forest_release(struct blocks_forest *model);

/* The mean of the trees' chances: rows * classes; and the likeliest class: a
   column. With regression both are the mean of what the trees say. Either
   pointer may be NULL. */
CASTELL_MUST_CHECK enum castell_status
blocks_forest_predict(const struct blocks_forest *model,
                      struct blocks_array *array,
                      struct blocks_array **ret_chances,
                      struct blocks_array **ret_labels);

#ifdef __cplusplus
}
#endif

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif
