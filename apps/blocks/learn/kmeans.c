/*
 * k-means. A task of each panel adds its rows to the totals of their clusters,
 * which are a reduction; one more moves the centres.
 */
#include "blocks/cluster.h"
#include "blocks/learn/kmeans.h"
#include "blocks/learn/learn.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Nearest centres ------------------------------------------------------ */

/* Centres with half of their squared lengths, and room for a strip. */
struct nearest {
    int k, cols;
    const double *centres;
    double *halves, *products;
};

static bool nearest_init(struct nearest *nearest, int k, long cols,
                         const double *centres)
{
    double *memory =
        malloc(sizeof(*memory) * (size_t)k * (size_t)(1 + BLK_STRIP));

    if (!memory)
        return false;
    *nearest = (struct nearest){k, (int)cols, centres, memory, memory + k};
    for (long c = 0; c < k; c++)
        memory[c] = cblas_ddot((int)cols, centres + c * cols, 1,
                               centres + c * cols, 1) / 2;
    return true;
}

/*
 * The nearest centre of each row of a strip: |x - c|^2 is least where c x -
 * |c|^2 / 2 is greatest.
 */
static void find_nearest(const struct nearest *nearest, int rows,
                         const double *x, int *ret_best)
{
    int k = nearest->k;

    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, k,
                nearest->cols, 1, x, nearest->cols, nearest->centres,
                nearest->cols, 0, nearest->products, k);
    for (long r = 0; r < rows; r++) {
        const double *product = nearest->products + r * k;
        double most = product[0] - nearest->halves[0];
        int best = 0;

        for (int c = 1; c < k; c++) {
            double score = product[c] - nearest->halves[c];

            best = score > most ? c : best;
            most = score > most ? score : most;
        }
        ret_best[r] = best;
    }
}

/* ---- Tasks of Lloyd's algorithm ------------------------------------------- */

/* A total has the sum of the rows, then how many they are. */
static void add_to_totals(const struct nearest *nearest, int rows,
                          const double *x, double *totals)
{
    long cols = nearest->cols;
    int best[BLK_STRIP];

    find_nearest(nearest, rows, x, best);
    for (long r = 0; r < rows; r++) {
        double *total = totals + best[r] * (cols + 1);
        const double *row = x + r * cols;

        #pragma omp simd
        for (long c = 0; c < cols; c++)
            total[c] += row[c];
        total[cols] += 1;
    }
}

#pragma castell task collection_in(x[0:p.tiles] : p.tile) \
    in(centres[0:k*p.cols]) reduction(+: totals[0:k*(p.cols + 1)]) \
    on_failure(fail) label("k-means: add rows")
static int add_rows(struct blk_panel p, int k, double *const *x,
                    const double *centres, double *totals)
{
    struct nearest nearest = {0};
    double *copy;
    const double *rows = blk_rows(&p, x, &copy);
    bool good = rows && nearest_init(&nearest, k, p.cols, centres);

    for (int r = 0; good && r < p.rows; r += BLK_STRIP)
        add_to_totals(&nearest, p.rows - r < BLK_STRIP ? p.rows - r : BLK_STRIP,
                      rows + r * p.cols, totals);
    free(nearest.halves);
    free(copy);
    return good ? 0 : blk_complain();
}

static int count_empty(long cols, int k, const double *totals)
{
    int empty = 0;

    for (long c = 0; c < k; c++)
        empty += !(totals[c * (cols + 1) + cols] > 0);
    return empty;
}

static double move_all(long cols, int k, double *totals, double *centres)
{
    double shift = 0;

    for (long c = 0; c < k; c++) {
        double *total = totals + c * (cols + 1);
        double *centre = centres + c * cols;

        if (!(total[cols] > 0))
            continue;
        for (long i = 0; i < cols; i++)
            total[i] /= total[cols];
        shift += blk_squared_distance(cols, total, centre);
        memcpy(centre, total, sizeof(*centre) * (size_t)cols);
    }
    memset(totals, 0, sizeof(*totals) * (size_t)k * (size_t)(cols + 1));
    return shift;
}

/* When clusters are empty nothing moves: shift is less than 0 then, by their
   number. */
#pragma castell task inout(totals[0:k*(cols + 1)], centres[0:k*cols]) \
    out(*shift) label("k-means: move centres")
static void move_centres(long cols, int k, double *totals, double *centres,
                         double *shift)
{
    int empty = count_empty(cols, k, totals);

    *shift = empty > 0 ? -empty : move_all(cols, k, totals, centres);
}

/* ---- Tasks for clusters that are empty ------------------------------------ */

/* A row that is far from its centre: squared distance, number and cluster come
   before its own numbers. */
enum { FAR_SQUARE = 0, FAR_ROW = 1, FAR_CLUSTER = 2, FAR_HEAD = 3 };

/* Put it where it belongs among those found, the farthest first, if there. */
static void insert_far(double *far, int count, long width, const double *row)
{
    int at = count;

    while (at > 0 && far[(at - 1) * width] < row[FAR_SQUARE])
        at--;
    if (at == count)
        return;
    memmove(far + (at + 1) * width, far + at * width,
            sizeof(*far) * (size_t)(count - 1 - at) * (size_t)width);
    memcpy(far + at * width, row, sizeof(*far) * (size_t)width);
}

/* The rows of a panel that are farthest from their centres. */
#pragma castell task collection_in(x[0:p.tiles] : p.tile) \
    in(centres[0:k*p.cols]) out(far[0:count*(p.cols + 3)]) on_failure(fail) \
    label("k-means: rows far away")
static int find_far(struct blk_panel p, int k, double *const *x,
                    const double *centres, int count, double *far)
{
    struct nearest nearest = {0};
    long width = p.cols + FAR_HEAD;
    double *copy;
    const double *rows = blk_rows(&p, x, &copy);
    double *found = malloc(sizeof(*found) * (size_t)width);
    bool good = rows && found && nearest_init(&nearest, k, p.cols, centres);
    int best[BLK_STRIP];

    for (long i = 0; i < count * width; i++)
        far[i] = -1;
    for (long r = 0; good && r < p.rows; r++) {
        const double *row = rows + r * p.cols;
        int cluster;

        if (r % BLK_STRIP == 0)
            find_nearest(&nearest,
                         (int)(p.rows - r < BLK_STRIP ? p.rows - r : BLK_STRIP),
                         row, best);
        cluster = best[r % BLK_STRIP];
        found[FAR_SQUARE] =
            blk_squared_distance(p.cols, row, centres + cluster * p.cols);
        found[FAR_ROW] = (double)(p.first + r);
        found[FAR_CLUSTER] = cluster;
        memcpy(found + FAR_HEAD, row, sizeof(*row) * (size_t)p.cols);
        insert_far(far, count, width, found);
    }
    free(nearest.halves);
    free(found);
    free(copy);
    return good ? 0 : blk_complain();
}

/* Each empty cluster gets the farthest row that is left, which its old one
   loses; then all move. Of equally far ones the first. */
#pragma castell task in(far[0:panels*count*(cols + 3)]) \
    inout(totals[0:k*(cols + 1)], centres[0:k*cols]) out(*shift) \
    on_failure(fail) label("k-means: fill empty clusters")
static int fill_empty(long cols, int k, long panels, int count,
                      const double *far, double *totals, double *centres,
                      double *shift)
{
    long width = cols + FAR_HEAD;
    double *rows = calloc((size_t)count * (size_t)width, sizeof(*rows));
    int used = 0;

    for (long i = 0; rows && i < panels * count; i++)
        insert_far(rows, count, width, far + i * width);
    for (long c = 0; rows && c < k; c++) {
        double *total = totals + c * (cols + 1);
        const double *row = rows + used * width;
        double *old;

        /* At its centre already, or there are fewer rows. */
        if (total[cols] > 0 || used == count || !(row[FAR_SQUARE] > 0))
            continue;
        old = totals + (long)row[FAR_CLUSTER] * (cols + 1);
        for (long i = 0; i < cols; i++) {
            old[i] -= row[FAR_HEAD + i];
            total[i] = row[FAR_HEAD + i];
        }
        old[cols] -= 1;
        total[cols] = 1;
        used++;
    }
    *shift = rows ? move_all(cols, k, totals, centres) : 0;
    free(rows);
    return rows ? 0 : blk_complain();
}

/* ---- Tasks that label ----------------------------------------------------- */

#pragma castell task collection_in(x[0:p.tiles] : p.tile) \
    in(centres[0:k*p.cols]) out(labels[0:p.rows]) reduction(+: spread[0:1]) \
    on_failure(fail) label("k-means: label rows")
static int label_rows(struct blk_panel p, int k, double *const *x,
                      const double *centres, double *labels, double *spread)
{
    struct nearest nearest = {0};
    double *copy;
    const double *rows = blk_rows(&p, x, &copy);
    bool good = rows && nearest_init(&nearest, k, p.cols, centres);
    int best[BLK_STRIP];

    for (long r = 0; good && r < p.rows; r++) {
        long in_strip = r % BLK_STRIP;

        if (in_strip == 0)
            find_nearest(&nearest,
                         (int)(p.rows - r < BLK_STRIP ? p.rows - r : BLK_STRIP),
                         rows + r * p.cols, best);
        labels[r] = best[in_strip];
        *spread += blk_squared_distance(p.cols, rows + r * p.cols,
                                    centres + best[in_strip] * p.cols);
    }
    free(nearest.halves);
    free(copy);
    return good ? 0 : blk_complain();
}

/* ---- Calls ---------------------------------------------------------------- */

/* The squared way of centres that is as good as none. */
static enum castell_status shift_limit(struct blocks_array *array,
                                       double tolerance, double *ret_limit)
{
    double rows = (double)array->shape.rows;
    double cols = (double)array->shape.cols;
    struct blocks_array *norm = NULL;
    double length = 0;
    double *means = NULL;
    enum castell_status status;

    *ret_limit = 0;
    if (tolerance < 0)
        return CASTELL_OK;
    status = blk_means(array, &means);
    if (status == CASTELL_OK)
        status = blocks_fold(array, BLOCKS_NORM, BLOCKS_ALL, &norm);
    if (status == CASTELL_OK)
        status = blocks_get(norm, &length);
    if (status == CASTELL_OK) {
        double square = cblas_ddot((int)cols, means, 1, means, 1);
        double variance = (length * length / rows - square) / cols;

        *ret_limit = tolerance > 0 ? tolerance : 1e-4;
        *ret_limit *= variance > 0 ? variance : 0;
    }
    castell_free(means);
    blocks_destroy(norm);
    return status;
}

/* Centres of empty clusters go to rows that are far from their own. */
static enum castell_status fill(struct blocks_array *array, int k, int empty,
                                double *centres, double *totals, double *shift)
{
    long cols = array->shape.cols;
    long panels = array->shape.grid_rows;
    long size = empty * (cols + FAR_HEAD);
    double *far = blk_vector(panels * size);

    if (!far)
        return blk_no_memory();
    for (long i = 0; i < panels; i++) {
        double **tiles;
        struct blk_panel panel = blk_panel(array, i, &tiles);

        find_far(panel, k, tiles, centres, empty, far + i * size);
    }
    fill_empty(cols, k, panels, empty, far, totals, centres, shift);
    castell_free(far);
    return blk_wait(shift, sizeof(*shift));
}

static enum castell_status iterate(struct blocks_array *array, double limit,
                                   int iterations, double *centres,
                                   struct blocks_kmeans *model)
{
    long cols = model->cols;
    int k = model->clusters;
    double *totals = blk_vector(k * (cols + 1));
    double *shift = blk_vector(1);
    enum castell_status status =
        totals && shift ? CASTELL_OK : blk_no_memory();

    while (status == CASTELL_OK && !model->converged &&
           model->iterations < iterations) {
        for (long i = 0; i < array->shape.grid_rows; i++) {
            double **tiles;
            struct blk_panel panel = blk_panel(array, i, &tiles);

            add_rows(panel, k, tiles, centres, totals);
        }
        move_centres(cols, k, totals, centres, shift);
        status = blk_wait(shift, sizeof(*shift));
        if (status == CASTELL_OK && *shift < 0)
            status = fill(array, k, (int)-*shift, centres, totals, shift);
        model->converged = status == CASTELL_OK && *shift <= limit;
        model->iterations++;
    }
    castell_free(totals);
    castell_free(shift);
    return status;
}

static enum castell_status label(struct blocks_array *array, int k,
                                 const double *centres, double *ret_spread,
                                 struct blocks_array **ret_labels)
{
    struct blocks_array *labels = NULL;
    double *spread = blk_vector(1);
    enum castell_status status =
        spread ? blocks_create(array->shape.rows, 1, array->shape.block_rows, 1,
                               &labels)
               : blk_no_memory();

    if (status < 0 || !spread)
        return status;
    for (long i = 0; i < array->shape.grid_rows; i++) {
        double **tiles;
        struct blk_panel panel = blk_panel(array, i, &tiles);

        label_rows(panel, k, tiles, centres, blk_tile(labels, i, 0), spread);
    }
    if (ret_spread)
        status = blk_wait(spread, sizeof(*spread));
    if (ret_spread && status == CASTELL_OK)
        *ret_spread = *spread;
    castell_free(spread);
    *ret_labels = labels;
    return status;
}

enum castell_status blocks_kmeans(struct blocks_array *array,
                                  const struct blocks_kmeans_options *options,
                                  struct blocks_kmeans *ret_model)
{
    struct blocks_kmeans model = {.clusters = options->clusters,
                                  .cols = array->shape.cols};
    long count = options->clusters * model.cols;
    struct blocks_array *labels = NULL;
    double *centres;
    double limit;
    enum castell_status status;

    if (model.clusters < 1 || model.clusters > array->shape.rows)
        return blk_fail(CASTELL_ERR_INVALID,
                        "there are no %d clusters of %ld rows", model.clusters,
                        array->shape.rows);
    centres = options->start ? blk_vector_of(options->start, count)
                             : blk_vector(count);
    if (!centres)
        return blk_no_memory();
    status = shift_limit(array, options->tolerance, &limit);
    if (status == CASTELL_OK && !options->start)
        status =
            blk_kmeans_start(array, model.clusters, options->seed,
                                  centres);
    if (status == CASTELL_OK)
        status = iterate(array, limit,
                         options->iterations > 0 ? options->iterations : 300,
                         centres, &model);
    if (status == CASTELL_OK)
        status = label(array, model.clusters, centres, &model.spread, &labels);
    blocks_destroy(labels);
    if (status == CASTELL_OK)
        status = blk_take(centres, count, &model.centres);
    castell_free(centres);
    if (status == CASTELL_OK)
        *ret_model = model;
    return status;
}

void blocks_kmeans_release(struct blocks_kmeans *model)
{
    free(model->centres);
}

enum castell_status blocks_kmeans_assign(const struct blocks_kmeans *model,
                                         struct blocks_array *array,
                                         struct blocks_array **ret_labels)
{
    double *centres;
    enum castell_status status;

    if (array->shape.cols != model->cols)
        return blk_fail(CASTELL_ERR_INVALID,
                        "the clusters are of %ld columns, and there are %ld",
                        model->cols, array->shape.cols);
    centres = blk_vector_of(model->centres, model->clusters * model->cols);
    if (!centres)
        return blk_no_memory();
    status = label(array, model->clusters, centres, NULL, ret_labels);
    castell_free(centres);
    return status;
}
