/*
 * Random forests. Tasks put the numbers of a panel in bins; then a task grows a
 * tree from all bins.
 */
#include "blocks/forest.h"
#include "blocks/array/random.h"
#include "blocks/learn/learn.h"
#include "blocks/learn/tree.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLE = 8192 };

/* Leaves have floats. */
static const double target_max = 1e30;

/* ---- Bins ----------------------------------------------------------------- */

/* Every so-manieth row of the array. */
#pragma castell task collection_in(x[0:p.tiles] : p.tile) \
    out(sample[0:count*p.cols]) label("forest: sample")
static void sample_rows(struct blk_panel p, long every, long count,
                        double *const *x, double *sample)
{
    long row = (every - p.first % every) % every;

    for (long i = 0; i < count; i++, row += every) {
        for (long c = 0; c < p.cols; c++)
            sample[i * p.cols + c] =
                x[c / p.width][row * p.width + c % p.width];
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Between two numbers, such that a number is on its own side of it. */
static double between(double low, double high)
{
    double middle = low + (high - low) / 2;

    return middle < high ? middle : low;
}

/* Borders of intervals with as many numbers each, or of one for each number. */
static void find_edges(int bins, long count, double *sorted, double *edges)
{
    long different = 1;
    int at = 0;

    for (long i = 1; i < count; i++)
        different += sorted[i] > sorted[i - 1];
    for (long i = 1; i < count && at + 1 < bins; i++) {
        bool wanted = different <= bins || i * bins >= (at + 1) * count;

        if (sorted[i] > sorted[i - 1] && wanted)
            edges[at++] = between(sorted[i - 1], sorted[i]);
    }
    while (at < bins)
        edges[at++] = HUGE_VAL;
}

#pragma castell task in(sample[0:count*cols]) out(edges[0:cols*bins]) \
    on_failure(fail) label("forest: borders of bins")
static int find_all_edges(long count, long cols, int bins, const double *sample,
                          double *edges)
{
    double *column = malloc(sizeof(*column) * (size_t)count);

    for (long c = 0; column && c < cols; c++) {
        for (long i = 0; i < count; i++)
            column[i] = sample[i * cols + c];
        qsort(column, (size_t)count, sizeof(*column), compare);
        find_edges(bins, count, column, edges + c * bins);
    }
    free(column);
    return column ? 0 : blk_complain();
}

/* The first bin whose edge is not below; the last edge is no limit. */
static uint8_t bin_of(int bins, const double *edges, double number)
{
    int low = 0;
    int high = bins - 1;

    while (low < high) {
        int middle = (low + high) / 2;

        if (number <= edges[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return (uint8_t)low;
}

#pragma castell task collection_in(x[0:p.tiles] : p.tile) \
    in(edges[0:p.cols*bins]) out(codes[0:p.rows*p.cols]) on_failure(fail) \
    label("forest: bins")
static int find_bins(struct blk_panel p, int bins, double *const *x,
                     const double *edges, uint8_t *codes)
{
    double *copy;
    const double *rows = blk_rows(&p, x, &copy);

    for (long r = 0; rows && r < p.rows; r++) {
        for (long c = 0; c < p.cols; c++)
            codes[r * p.cols + c] =
                bin_of(bins, edges + c * bins, rows[r * p.cols + c]);
    }
    free(copy);
    return rows ? 0 : blk_complain();
}

/* ---- Trees ---------------------------------------------------------------- */

#pragma castell task in(codes[0:g.rows*g.cols], labels[0:g.rows]) \
    in(edges[0:g.cols*g.bins]) out(nodes[0:g.nodes_max], *grown) \
    out(chances[0:(g.nodes_max + 1)/2*g.classes]) on_failure(fail) \
    label("forest: grow a tree")
static int grow(struct blk_growing g, const uint8_t *codes,
                const double *labels, const double *edges,
                struct blocks_node *nodes, float *chances,
                struct blk_grown *grown)
{
    memset(nodes, 0, sizeof(*nodes) * (size_t)g.nodes_max);
    memset(chances, 0,
           sizeof(*chances) * (size_t)((g.nodes_max + 1) / 2 * g.classes));
    return blk_grow(&g, codes, labels, edges, nodes, chances, grown)
               ? blk_complain()
               : 0;
}

/* A forest as tasks get it. */
struct planted {
    int trees, classes;
    bool regression;
    double offset;
    long nodes, leaves;
};

#pragma castell task collection_in(x[0:p.tiles] : p.tile) \
    in(nodes[0:f.nodes], leaves[0:f.leaves*f.classes], firsts[0:2*f.trees]) \
    out(chances[0:p.rows*(long)f.classes], labels[0:p.rows]) on_failure(fail) \
    label("forest: predict")
static int predict(struct blk_panel p, struct planted f, double *const *x,
                   const struct blocks_node *nodes, const float *leaves,
                   const long *firsts, double *chances, double *labels)
{
    double *copy;
    const double *rows = blk_rows(&p, x, &copy);

    for (long r = 0; rows && r < p.rows; r++) {
        double *of_row = chances + r * f.classes;
        int best = 0;

        memset(of_row, 0, sizeof(*of_row) * (size_t)f.classes);
        for (long t = 0; t < f.trees; t++) {
            const struct blocks_node *tree = nodes + firsts[2 * t];
            const struct blocks_node *node = tree;
            const float *leaf = leaves + firsts[2 * t + 1] * f.classes;

            while (node->feature >= 0)
                node = tree + node->next +
                       !(rows[r * p.cols + node->feature] <= node->threshold);
            for (long c = 0; c < f.classes; c++)
                of_row[c] += (double)leaf[node->next * (long)f.classes + c];
        }
        for (int c = 0; c < f.classes; c++) {
            of_row[c] /= f.trees;
            best = of_row[c] > of_row[best] ? c : best;
        }
        if (f.regression)
            of_row[0] += f.offset;
        labels[r] = f.regression ? of_row[0] : best;
    }
    free(copy);
    return rows ? 0 : blk_complain();
}

/* ---- Growing -------------------------------------------------------------- */

/* Memory of tasks. */
struct forest {
    struct blk_growing how;
    int trees;
    double *labels, *edges, *sample;
    uint8_t *codes;
    struct blocks_node *nodes;
    float *chances;
    struct blk_grown *grown;
};

static void forest_release(struct forest *forest)
{
    castell_free(forest->labels);
    castell_free(forest->edges);
    castell_free(forest->sample);
    castell_free(forest->codes);
    castell_free(forest->nodes);
    castell_free(forest->chances);
    castell_free(forest->grown);
}

static bool forest_init(struct forest *forest, long sampled)
{
    const struct blk_growing *how = &forest->how;
    size_t trees = (size_t)forest->trees;
    size_t nodes = trees * (size_t)how->nodes_max;
    size_t leaves = trees * (size_t)((how->nodes_max + 1) / 2);

    forest->labels = blk_vector(how->rows);
    forest->edges = blk_vector(how->cols * how->bins);
    forest->sample = castell_alloc(sizeof(double) * (size_t)sampled *
                                   (size_t)how->cols);
    forest->codes = castell_alloc((size_t)how->rows * (size_t)how->cols);
    forest->nodes = castell_alloc(sizeof(*forest->nodes) * nodes);
    forest->chances = castell_alloc(sizeof(*forest->chances) * leaves *
                                    (size_t)how->classes);
    forest->grown = blk_alloc(trees, sizeof(*forest->grown));
    return forest->labels && forest->edges && forest->sample && forest->codes &&
           forest->nodes && forest->chances && forest->grown;
}

static void submit(struct blocks_array *array, struct forest *forest,
                   long every, long sampled, uint64_t seed)
{
    long cols = array->shape.cols;
    long at = 0;

    for (long i = 0; i < array->shape.grid_rows; i++) {
        double **tiles;
        struct blk_panel p = blk_panel(array, i, &tiles);
        long end = (p.first + p.rows + every - 1) / every;

        if (end > at)
            sample_rows(p, every, end - at, tiles, forest->sample + at * cols);
        at = end;
    }
    find_all_edges(sampled, cols, forest->how.bins, forest->sample,
                   forest->edges);
    for (long i = 0; i < array->shape.grid_rows; i++) {
        double **tiles;
        struct blk_panel p = blk_panel(array, i, &tiles);

        find_bins(p, forest->how.bins, tiles, forest->edges,
                  forest->codes + p.first * cols);
    }
    for (long t = 0; t < forest->trees; t++) {
        struct blk_growing how = forest->how;
        long leaves = (how.nodes_max + 1) / 2 * how.classes;

        how.key = blk_random_at(seed, 7, (uint64_t)t);
        grow(how, forest->codes, forest->labels, forest->edges,
             forest->nodes + t * how.nodes_max, forest->chances + t * leaves,
             &forest->grown[t]);
    }
}

/* Only what was used of each tree. */
static enum castell_status take_model(const struct forest *forest,
                                      struct blocks_forest *model)
{
    size_t trees = (size_t)forest->trees;
    long most = forest->how.nodes_max;
    size_t classes = (size_t)forest->how.classes;
    const struct blk_grown *grown = forest->grown;

    model->first_node = calloc(trees + 1, sizeof(long));
    model->first_leaf = calloc(trees + 1, sizeof(long));
    if (!model->first_node || !model->first_leaf)
        return blk_no_memory();
    for (size_t t = 0; t < trees; t++) {
        model->first_node[t + 1] = model->first_node[t] + grown[t].nodes;
        model->first_leaf[t + 1] = model->first_leaf[t] + grown[t].leaves;
    }
    model->nodes =
        malloc(sizeof(*model->nodes) * (size_t)model->first_node[trees]);
    model->chances = malloc(sizeof(*model->chances) * classes *
                            (size_t)model->first_leaf[trees]);
    if (!model->nodes || !model->chances)
        return blk_no_memory();
    for (size_t t = 0; t < trees; t++) {
        const struct blocks_node *nodes = forest->nodes + (long)t * most;
        const float *chances =
            forest->chances + (long)t * ((most + 1) / 2) * (long)classes;
        size_t node_size = sizeof(*nodes) * (size_t)grown[t].nodes;
        size_t size = sizeof(*chances) * classes * (size_t)grown[t].leaves;
        enum castell_status status = blk_wait(nodes, node_size);

        if (status == CASTELL_OK)
            status = blk_wait(chances, size);
        if (status < 0)
            return status;
        memcpy(model->nodes + model->first_node[t], nodes, node_size);
        memcpy(model->chances + model->first_leaf[t] * (long)classes, chances,
               size);
    }
    return CASTELL_OK;
}

/* Labels that are any numbers, of a column; they are not looked at yet. */
static enum castell_status check_targets(const struct blocks_array *array,
                                         const struct blocks_array *targets)
{
    enum castell_status status = blk_must_match(array, targets, "targets");

    if (status == CASTELL_OK && targets->shape.cols != 1)
        status = blk_fail(CASTELL_ERR_INVALID,
                          "targets are one column, and there are %ld",
                          targets->shape.cols);
    return status;
}

/* Take their mean off, that their squares do not hide how they differ. */
static enum castell_status centre(struct forest *forest, double *ret_mean)
{
    long rows = forest->how.rows;
    double mean = 0;

    for (long r = 0; r < rows; r++) {
        /* Not true for NaN either. */
        if (!(fabs(forest->labels[r]) <= target_max))
            return blk_fail(CASTELL_ERR_INVALID,
                            "a target is no number from -%g to %g", target_max,
                            target_max);
        mean += forest->labels[r] / (double)rows;
    }
    for (long r = 0; r < rows; r++)
        forest->labels[r] -= mean;
    *ret_mean = mean;
    return CASTELL_OK;
}

static enum castell_status set_limits(const struct blocks_array *array,
                                      const struct blocks_forest_options *from,
                                      struct forest *forest)
{
    struct blk_growing *how = &forest->how;
    double root;
    long most;
    int some;

    how->rows = array->shape.rows;
    how->cols = array->shape.cols;
    how->bins = from->bins ? from->bins : 64;
    how->depth = from->depth ? from->depth : 20;
    how->leaf = from->leaf ? from->leaf : 1;
    how->regression = from->regression;
    root = sqrt((double)how->cols);
    some = from->regression ? (int)((how->cols + 2) / 3) : (int)root;
    how->features = from->features ? from->features : some;
    forest->trees = from->trees ? from->trees : 100;
    if (how->bins < 2 || how->bins > BLK_BINS_MAX || how->depth < 1 ||
        how->depth > 30 || how->leaf < 1 || how->features < 1 ||
        how->features > how->cols || forest->trees < 1 ||
        forest->trees > 100000 || how->rows > 1 << 30)
        return blk_fail(CASTELL_ERR_INVALID,
                        "a forest has 1 to 100000 trees of depth 1 to 30, 2 to "
                        "256 bins, leaves of a row at least, looks at 1 to %ld "
                        "columns, and learns from 2^30 rows at most",
                        how->cols);
    most = (1L << (how->depth + 1)) - 1;
    how->nodes_max = 2 * how->rows - 1 < most ? 2 * how->rows - 1 : most;
    return CASTELL_OK;
}

enum castell_status blocks_forest(struct blocks_array *array,
                                  struct blocks_array *labels,
                                  const struct blocks_forest_options *options,
                                  struct blocks_forest *ret_model)
{
    struct blocks_forest model = {.cols = array->shape.cols};
    struct forest forest = {0};
    long every = (array->shape.rows + SAMPLE - 1) / SAMPLE;
    long sampled = (array->shape.rows + every - 1) / every;
    enum castell_status status = set_limits(array, options, &forest);

    forest.how.classes = 1;
    if (status == CASTELL_OK)
        status = options->regression
                     ? check_targets(array, labels)
                     : blk_classes(array, labels, &forest.how.classes);
    if (status < 0)
        return status;
    model.trees = forest.trees;
    model.classes = forest.how.classes;
    model.regression = options->regression;
    status = forest_init(&forest, sampled) ? blocks_get(labels, forest.labels)
                                           : blk_no_memory();
    if (status == CASTELL_OK && options->regression)
        status = centre(&forest, &model.offset);
    if (status == CASTELL_OK) {
        submit(array, &forest, every, sampled, options->seed);
        status = blk_wait(forest.grown,
                          sizeof(*forest.grown) * (size_t)forest.trees);
    }
    if (status == CASTELL_OK)
        status = take_model(&forest, &model);
    forest_release(&forest);
    if (status == CASTELL_OK)
        *ret_model = model;
    else
        blocks_forest_release(&model);
    return status;
}

void blocks_forest_release(struct blocks_forest *model)
{
    free(model->first_node);
    free(model->first_leaf);
    free(model->nodes);
    free(model->chances);
}

/* ---- Predicting ----------------------------------------------------------- */

/* Copies of the model for tasks; NULL when there is no memory. */
static void *copy_of(const void *from, size_t size)
{
    void *copy = castell_alloc(size);

    if (copy)
        memcpy(copy, from, size);
    return copy;
}

static bool submit_predictions(const struct blocks_forest *model,
                               struct blocks_array *array,
                               struct blocks_array *chances,
                               struct blocks_array *labels)
{
    size_t trees = (size_t)model->trees;
    const struct planted f = {
        model->trees,  model->classes,           model->regression,
        model->offset, model->first_node[trees], model->first_leaf[trees]};
    struct blocks_node *nodes =
        copy_of(model->nodes, sizeof(*nodes) * (size_t)f.nodes);
    float *leaves = copy_of(model->chances, sizeof(*leaves) * (size_t)f.leaves *
                                                (size_t)f.classes);
    long *firsts = castell_alloc(sizeof(*firsts) * 2 * trees);

    for (size_t t = 0; firsts && t < trees; t++) {
        firsts[2 * t] = model->first_node[t];
        firsts[2 * t + 1] = model->first_leaf[t];
    }
    for (long i = 0;
         nodes && leaves && firsts && i < array->shape.grid_rows; i++) {
        double **tiles;
        struct blk_panel panel = blk_panel(array, i, &tiles);

        predict(panel, f, tiles, nodes, leaves, firsts, blk_tile(chances, i, 0),
                blk_tile(labels, i, 0));
    }
    castell_free(nodes);
    castell_free(leaves);
    castell_free(firsts);
    return nodes && leaves && firsts;
}

enum castell_status blocks_forest_predict(const struct blocks_forest *model,
                                          struct blocks_array *array,
                                          struct blocks_array **ret_chances,
                                          struct blocks_array **ret_labels)
{
    const struct blocks_shape *shape = &array->shape;
    struct blocks_array *chances = NULL;
    struct blocks_array *labels = NULL;
    enum castell_status status;

    if (shape->cols != model->cols)
        return blk_fail(CASTELL_ERR_INVALID,
                        "the forest is of %ld columns, and there are %ld",
                        model->cols, shape->cols);
    status = blocks_create(shape->rows, model->classes, shape->block_rows,
                           model->classes, &chances);
    if (status == CASTELL_OK)
        status = blocks_create(shape->rows, 1, shape->block_rows, 1, &labels);
    if (status == CASTELL_OK &&
        !submit_predictions(model, array, chances, labels))
        status = blk_no_memory();
    blk_hand_over(status, chances, ret_chances);
    blk_hand_over(status, labels, ret_labels);
    return status;
}
