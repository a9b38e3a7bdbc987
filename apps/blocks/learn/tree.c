#include "blocks/learn/tree.h"

#include "blocks/array/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A node that waits to be split, and its rows: a range of the list. */
struct waiting {
    long begin, end;
    long node;
    int depth;
};

struct split {
    int feature; /* -1: none */
    int bin;     /* the last that goes to the left */
    double score;
};

struct tree {
    const struct blk_growing *how;
    const uint8_t *codes;
    const double *labels, *edges;
    struct blocks_node *nodes;
    float *chances;
    struct blk_grown grown;
    uint64_t drawn;       /* random numbers so far */
    int *rows, *other;    /* the list of rows, and room for parts of it */
    int *columns;         /* all, in some order */
    int *histogram;       /* bins * classes */
    int *left, *all;      /* classes */
    double *sums;         /* of regression: of the labels in each bin */
    double sum;           /* and in the node, */
    bool varies;          /* where they are not all the same */
    struct waiting *stack;
};

static uint64_t draw(struct tree *tree, uint64_t below)
{
    return blk_random_at(tree->how->key, 1, tree->drawn++) % below;
}

/* ---- Splits --------------------------------------------------------------- */

static double square_sum(int classes, const int *counts)
{
    double sum = 0;

    for (int c = 0; c < classes; c++)
        sum += (double)counts[c] * counts[c];
    return sum;
}

/* Rows of each bin and class. */
static void fill_histogram(struct tree *tree, const struct waiting *w,
                           int feature)
{
    const struct blk_growing *how = tree->how;
    const uint8_t *column = tree->codes + feature;

    memset(tree->histogram, 0,
           sizeof(int) * (size_t)how->bins * (size_t)how->classes);
    for (long i = w->begin; i < w->end; i++) {
        long row = tree->rows[i];

        tree->histogram[column[row * how->cols] * how->classes +
                        (int)tree->labels[row]]++;
    }
}

/*
 * The impurity falls most where the sum of squared counts by rows, left and right,
 * is greatest. Returns whether there are two bins at all.
 */
static bool look_at_column(struct tree *tree, const struct waiting *w,
                           int feature, struct split *best)
{
    int classes = tree->how->classes;
    long rows = w->end - w->begin;
    long on_left = 0;
    bool varies = false;
    int *right = tree->left + classes;

    fill_histogram(tree, w, feature);
    memset(tree->left, 0, sizeof(int) * (size_t)classes);
    for (int b = 0; b + 1 < tree->how->bins; b++) {
        const int *bin = tree->histogram + (long)b * classes;
        long in_bin = 0;
        double score;

        for (int c = 0; c < classes; c++) {
            in_bin += bin[c];
            tree->left[c] += bin[c];
            right[c] = tree->all[c] - tree->left[c];
        }
        on_left += in_bin;
        if (in_bin == 0 || on_left == rows)
            continue;
        varies = true;
        if (on_left < tree->how->leaf || rows - on_left < tree->how->leaf)
            continue;
        score = square_sum(classes, tree->left) / (double)on_left +
                square_sum(classes, right) / (double)(rows - on_left);
        if (score > best->score)
            *best = (struct split){feature, b, score};
    }
    return varies;
}

/*
 * The same of numbers: their variance falls most where the sum of squared sums by
 * rows, left and right, is greatest.
 */
static bool look_at_numbers(struct tree *tree, const struct waiting *w,
                            int feature, struct split *best)
{
    const struct blk_growing *how = tree->how;
    const uint8_t *column = tree->codes + feature;
    long rows = w->end - w->begin;
    long on_left = 0;
    double left = 0;
    bool varies = false;

    memset(tree->histogram, 0, sizeof(int) * (size_t)how->bins);
    memset(tree->sums, 0, sizeof(double) * (size_t)how->bins);
    for (long i = w->begin; i < w->end; i++) {
        long row = tree->rows[i];
        int bin = column[row * how->cols];

        tree->histogram[bin]++;
        tree->sums[bin] += tree->labels[row];
    }
    for (int b = 0; b + 1 < how->bins; b++) {
        double right, score;

        on_left += tree->histogram[b];
        left += tree->sums[b];
        if (tree->histogram[b] == 0 || on_left == rows)
            continue;
        varies = true;
        if (on_left < how->leaf || rows - on_left < how->leaf)
            continue;
        right = tree->sum - left;
        score = left * left / (double)on_left +
                right * right / (double)(rows - on_left);
        if (score > best->score)
            *best = (struct split){feature, b, score};
    }
    return varies;
}

/* Among some columns, drawn without replacement; constant ones do not count. */
static struct split find_split(struct tree *tree, const struct waiting *w)
{
    struct split best = {.feature = -1, .score = -1};
    int looked = 0;

    for (long i = 0; i < tree->how->cols && looked < tree->how->features; i++) {
        long other = i + (long)draw(tree, (uint64_t)(tree->how->cols - i));
        int column = tree->columns[other];

        tree->columns[other] = tree->columns[i];
        tree->columns[i] = column;
        looked += tree->how->regression
                      ? look_at_numbers(tree, w, column, &best)
                      : look_at_column(tree, w, column, &best);
    }
    return best;
}

/* Rows for the left child come first, in their order. Returns how many. */
static long part_rows(struct tree *tree, const struct waiting *w,
                      const struct split *split)
{
    const uint8_t *column = tree->codes + split->feature;
    long on_left = 0;
    long on_right = 0;

    for (long i = w->begin; i < w->end; i++) {
        int row = tree->rows[i];

        if (column[row * tree->how->cols] <= split->bin)
            tree->rows[w->begin + on_left++] = row;
        else
            tree->other[on_right++] = row;
    }
    memcpy(tree->rows + w->begin + on_left, tree->other,
           sizeof(int) * (size_t)on_right);
    return on_left;
}

/* ---- Nodes ---------------------------------------------------------------- */

static void make_leaf(struct tree *tree, const struct waiting *w)
{
    long leaf = tree->grown.leaves++;
    float *chances = tree->chances + leaf * tree->how->classes;

    for (int c = 0; c < tree->how->classes; c++)
        chances[c] = (float)tree->all[c] / (float)(w->end - w->begin);
    if (tree->how->regression)
        chances[0] = (float)(tree->sum / (double)(w->end - w->begin));
    tree->nodes[w->node] =
        (struct blocks_node){.feature = -1, .next = (int)leaf};
}

static bool is_pure(const struct tree *tree, long rows)
{
    if (tree->how->regression)
        return !tree->varies;
    for (int c = 0; c < tree->how->classes; c++) {
        if (tree->all[c] == rows)
            return true;
    }
    return false;
}

/* What labels the node has. */
static void look_at_labels(struct tree *tree, const struct waiting *w)
{
    double least = HUGE_VAL;
    double most = -HUGE_VAL;

    if (!tree->how->regression) {
        memset(tree->all, 0, sizeof(int) * (size_t)tree->how->classes);
        for (long i = w->begin; i < w->end; i++)
            tree->all[(int)tree->labels[tree->rows[i]]]++;
        return;
    }
    tree->sum = 0;
    for (long i = w->begin; i < w->end; i++) {
        double label = tree->labels[tree->rows[i]];

        tree->sum += label;
        least = label < least ? label : least;
        most = label > most ? label : most;
    }
    tree->varies = least < most;
}

/* One node; its children wait. Returns how many those are. */
static int grow_node(struct tree *tree, const struct waiting *w,
                     struct waiting *children)
{
    const struct blk_growing *how = tree->how;
    long rows = w->end - w->begin;
    struct split split = {.feature = -1};
    long on_left;
    long next = tree->grown.nodes;

    look_at_labels(tree, w);
    if (w->depth < how->depth && rows >= 2L * how->leaf &&
        !is_pure(tree, rows) && next + 2 <= how->nodes_max)
        split = find_split(tree, w);
    if (split.feature < 0) {
        make_leaf(tree, w);
        return 0;
    }
    on_left = part_rows(tree, w, &split);
    tree->grown.nodes += 2;
    tree->nodes[w->node] = (struct blocks_node){
        .threshold = tree->edges[(long)split.feature * how->bins + split.bin],
        .feature = split.feature,
        .next = (int)next,
    };
    children[0] =
        (struct waiting){w->begin + on_left, w->end, next + 1, w->depth + 1};
    children[1] =
        (struct waiting){w->begin, w->begin + on_left, next, w->depth + 1};
    return 2;
}

static void grow_all(struct tree *tree)
{
    long rows = tree->how->rows;
    int waiting = 1;

    for (long i = 0; i < rows; i++)
        tree->rows[i] = (int)draw(tree, (uint64_t)rows);
    for (int i = 0; i < (int)tree->how->cols; i++)
        tree->columns[i] = i;
    tree->grown.nodes = 1;
    tree->stack[0] = (struct waiting){0, rows, 0, 0};
    /* Depth first: never more than one node of each depth waits, and one. */
    while (waiting > 0) {
        struct waiting w = tree->stack[--waiting];

        waiting += grow_node(tree, &w, tree->stack + waiting);
    }
}

int blk_grow(const struct blk_growing *growing, const uint8_t *codes,
             const double *labels, const double *edges,
             struct blocks_node *nodes, float *chances,
             struct blk_grown *ret_grown)
{
    size_t rows = (size_t)growing->rows;
    size_t classes = (size_t)growing->classes;
    struct tree tree = {
        .how = growing,
        .codes = codes,
        .labels = labels,
        .edges = edges,
        .nodes = nodes,
        .rows = malloc(sizeof(int) * rows),
        .other = malloc(sizeof(int) * rows),
        .columns = malloc(sizeof(int) * (size_t)growing->cols),
        .histogram = malloc(sizeof(int) * (size_t)growing->bins * classes),
        .left = malloc(sizeof(int) * 2 * classes),
        .all = calloc(classes, sizeof(int)),
        .sums = malloc(sizeof(double) * (size_t)growing->bins),
        .stack = malloc(sizeof(struct waiting) * (size_t)(growing->depth + 3)),
    };
    bool good = tree.rows && tree.other && tree.columns && tree.histogram &&
                tree.left && tree.all && tree.sums && tree.stack;

    tree.chances = chances;
    if (good)
        grow_all(&tree);
    *ret_grown = tree.grown;
    free(tree.rows);
    free(tree.other);
    free(tree.columns);
    free(tree.histogram);
    free(tree.left);
    free(tree.all);
    free(tree.sums);
    free(tree.stack);
    return good ? 0 : 1;
}
