/*
 * tree.h - one tree of a forest, from bins.
 */
#ifndef BLOCKS_LEARN_TREE_H
#define BLOCKS_LEARN_TREE_H

#include "blocks/forest.h"

enum { BLK_BINS_MAX = 256 };

/* What a tree is grown from, by value. */
struct blk_growing {
    long rows, cols;
    int classes, bins, depth, leaf, features;
    bool regression; /* labels are numbers about 0, and there is one class */
    uint64_t key; /* of its random numbers */
    long nodes_max;
};

/* What came out: so many nodes and leaves. */
struct blk_grown {
    long nodes, leaves;
};

/*
 * Grow a tree from codes (rows * cols bins), labels and edges (of each column
 * `bins` numbers: bin b has what is at most edge b). There is room for nodes_max
 * nodes and (nodes_max + 1) / 2 leaves. Returns 0, or 1 when there is no memory.
 */
int blk_grow(const struct blk_growing *growing, const uint8_t *codes,
             const double *labels, const double *edges,
             struct blocks_node *nodes, float *chances,
             struct blk_grown *ret_grown);

#endif
