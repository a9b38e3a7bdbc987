/*
 * Nearest rows. Each block of queries meets the blocks of rows one after another:
 * a task merges what it finds into the lists so far.
 */
#include "blocks/neighbours.h"
#include "blocks/learn/learn.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { QUERIES = 64 };

/* ---- Tasks ---------------------------------------------------------------- */

struct meeting {
    int k, cols;
    long first; /* number of the first row */
    int rows;
    const double *x;
    double *squares, *products; /* of the rows; of QUERIES with rows */
};

static double square_between(long count, const double *x, const double *y)
{
    double sum = 0;

    #pragma omp simd reduction(+: sum)
    for (long i = 0; i < count; i++)
        sum += (x[i] - y[i]) * (x[i] - y[i]);
    return sum;
}

/* The list is sorted; of equal distances the first row stays in front. */
static void insert(int k, double square, long row, double *squares,
                   double *rows)
{
    int at = k - 1;

    if (!(square < squares[at]))
        return;
    for (; at > 0 && square < squares[at - 1]; at--) {
        squares[at] = squares[at - 1];
        rows[at] = rows[at - 1];
    }
    squares[at] = square;
    rows[at] = (double)row;
}

/* By products distances are off by rounding: whoever may be near is looked at
   again. */
static void meet_one(const struct meeting *meeting, const double *query,
                     const double *products, double *squares, double *rows)
{
    double own = cblas_ddot(meeting->cols, query, 1, query, 1);

    for (long r = 0; r < meeting->rows; r++) {
        double both = own + meeting->squares[r];
        double about = both - 2 * products[r];

        if (about - 1e-10 * both < squares[meeting->k - 1])
            insert(meeting->k,
                   square_between(meeting->cols, query,
                                  meeting->x + r * meeting->cols),
                   meeting->first + r, squares, rows);
    }
}

static void meet_all(const struct meeting *meeting, int queries,
                     const double *q, double *squares, double *rows)
{
    int cols = meeting->cols;

    for (int done = 0; done < queries; done += QUERIES) {
        int count = queries - done < QUERIES ? queries - done : QUERIES;

        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, count,
                    meeting->rows, cols, 1, q + (long)done * cols, cols,
                    meeting->x, cols, 0, meeting->products, meeting->rows);
        for (long i = 0; i < count; i++)
            meet_one(meeting, q + (done + i) * cols,
                     meeting->products + i * meeting->rows,
                     squares + (done + i) * meeting->k,
                     rows + (done + i) * meeting->k);
    }
}

#pragma castell task collection_in(x[0:p.tiles] : p.tile) \
    collection_in(y[0:q.tiles] : q.tile) inout(squares[0:q.rows*(long)k]) \
    inout(rows[0:q.rows*(long)k]) on_failure(fail) label("neighbours: meet")
static int meet(struct blk_panel p, struct blk_panel q, int k,
                double *const *x, double *const *y, double *squares,
                double *rows)
{
    double *x_copy, *y_copy;
    const double *of_x = blk_rows(&p, x, &x_copy);
    const double *of_y = blk_rows(&q, y, &y_copy);
    double *memory = malloc(sizeof(*memory) * (1 + QUERIES) * (size_t)p.rows);
    bool good = of_x && of_y && memory;

    if (good) {
        const struct meeting meeting = {k,      (int)p.cols, p.first, p.rows,
                                        of_x,   memory,      memory + p.rows};

        for (long r = 0; r < p.rows; r++)
            memory[r] = cblas_ddot((int)p.cols, of_x + r * p.cols, 1,
                                   of_x + r * p.cols, 1);
        meet_all(&meeting, q.rows, of_y, squares, rows);
    }
    free(memory);
    free(x_copy);
    free(y_copy);
    return good ? 0 : blk_complain();
}

#pragma castell task inout(squares[0:count])
static void take_roots(long count, double *squares)
{
    for (long i = 0; i < count; i++)
        squares[i] = sqrt(squares[i]);
}

/* How many have the label; the first of a list of k that has it asks. */
static int votes(int k, const double *rows, const double *labels, double label)
{
    int count = 0;

    for (int i = 0; i < k; i++) {
        double other = labels[(long)rows[i]];

        count += !(other < label) && !(other > label);
    }
    return count;
}

#pragma castell task in(rows[0:t.size], labels[0:labels_count]) \
    out(said[0:t.rows]) label("neighbours: vote")
static void count_votes(struct blk_tile t, int vote, long labels_count,
                        const double *rows, const double *labels, double *said)
{
    for (long r = 0; r < t.rows; r++) {
        const double *of_row = rows + r * t.width;
        double sum = 0;
        double best = 0;
        int most = 0;

        for (int i = 0; i < t.cols; i++) {
            double label = labels[(long)of_row[i]];
            int count = vote == BLOCKS_MAJORITY
                            ? votes(t.cols, of_row, labels, label)
                            : 0;

            sum += label;
            if (count > most || (count == most && label < best)) {
                best = label;
                most = count;
            }
        }
        said[r] = vote == BLOCKS_MAJORITY ? best : sum / t.cols;
    }
}

/* ---- Calls ---------------------------------------------------------------- */

static void submit(struct blocks_array *array, struct blocks_array *queries,
                   int k, struct blocks_array *distances,
                   struct blocks_array *rows)
{
    for (long i = 0; i < queries->shape.grid_rows; i++) {
        double *squares = blk_tile(distances, i, 0);
        double *numbers = blk_tile(rows, i, 0);
        struct blk_panel q = blk_panel_of(queries, i);

        for (long j = 0; j < array->shape.grid_rows; j++) {
            double **x, **y;
            struct blk_panel p = blk_panel(array, j, &x);

            q = blk_panel(queries, i, &y);
            meet(p, q, k, x, y, squares, numbers);
        }
        take_roots((long)q.rows * k, squares);
    }
}

enum castell_status blocks_neighbours(struct blocks_array *array,
                                      struct blocks_array *queries, int k,
                                      struct blocks_array **ret_distances,
                                      struct blocks_array **ret_rows)
{
    const struct blocks_shape *shape = &queries->shape;
    struct blocks_array *distances = NULL;
    struct blocks_array *rows = NULL;
    enum castell_status status;

    if (shape->cols != array->shape.cols)
        return blk_fail(CASTELL_ERR_INVALID,
                        "queries of %ld columns are near to none of %ld",
                        shape->cols, array->shape.cols);
    if (k < 1 || k > array->shape.rows)
        return blk_fail(CASTELL_ERR_INVALID,
                        "there are no %d neighbours among %ld rows", k,
                        array->shape.rows);
    status = blocks_create(shape->rows, k, shape->block_rows, k, &distances);
    if (status == CASTELL_OK)
        status = blocks_create(shape->rows, k, shape->block_rows, k, &rows);
    if (status == CASTELL_OK)
        status = blocks_fill(distances, HUGE_VAL);
    if (status == CASTELL_OK)
        status = blocks_fill(rows, 0);
    if (status < 0) {
        blocks_destroy(distances);
        blocks_destroy(rows);
        return status;
    }
    submit(array, queries, k, distances, rows);
    *ret_distances = distances;
    *ret_rows = rows;
    return CASTELL_OK;
}

enum castell_status blocks_neighbours_vote(struct blocks_array *rows,
                                           struct blocks_array *labels,
                                           enum blocks_vote vote,
                                           struct blocks_array **ret_labels)
{
    const struct blocks_shape *shape = &rows->shape;
    struct blocks_array *said = NULL;
    double *all = NULL;
    int classes = 0;
    enum castell_status status = CASTELL_OK;

    if (labels->shape.cols != 1 || shape->grid_cols != 1)
        return blk_fail(CASTELL_ERR_INVALID,
                        "labels are one column, and there are %ld",
                        labels->shape.cols);
    if (vote == BLOCKS_MAJORITY)
        status = blk_classes(labels, labels, &classes);
    if (status == CASTELL_OK)
        all = blk_vector(labels->shape.rows);
    if (status == CASTELL_OK)
        status = all ? blocks_get(labels, all) : blk_no_memory();
    if (status == CASTELL_OK)
        status = blocks_create(shape->rows, 1, shape->block_rows, 1, &said);
    for (long i = 0; status == CASTELL_OK && i < shape->grid_rows; i++)
        count_votes(blk_tile_of(rows, i, 0), (int)vote, labels->shape.rows,
                    blk_tile(rows, i, 0), all, blk_tile(said, i, 0));
    castell_free(all);
    if (status == CASTELL_OK)
        *ret_labels = said;
    return status;
}
